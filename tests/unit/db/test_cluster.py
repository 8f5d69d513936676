import multiprocessing
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import needs
import psycopg
import pytest
from patience import PATIENCE

from vo.db import binaries, cluster
from vo.db.cluster import Cluster
from vo.errors import OperatorFault

FAST = {"fsync": "off", "shared_buffers": "16MB", "max_wal_size": "64MB"}


@pytest.fixture(scope="module", autouse=True)
def _needs_postgresql():
    needs.need_postgresql()


@pytest.fixture(scope="module")
def folder():
    path = Path(tempfile.mkdtemp(prefix="vo-cluster-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def ask(one: Cluster, sql: str) -> object:
    with psycopg.connect(one.dsn()) as connection:
        row = connection.execute(sql).fetchone()
    assert row is not None
    return row[0]


def postmaster(one: Cluster) -> int:
    return int((one.folder / "data" / "postmaster.pid").read_text().split()[0])


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_made_started_stopped_and_started_again(folder):
    with Cluster(folder, FAST) as one:
        assert ask(one, "SHOW listen_addresses") == ""
        assert ask(one, "SHOW server_encoding") == "UTF8"
        assert ask(one, "SHOW lc_collate") == "C"
        assert ask(one, "SHOW jit") == "off"
        pid = postmaster(one)
        with psycopg.connect(one.dsn()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    assert not is_alive(pid)
    start = time.monotonic()
    with Cluster(folder, FAST) as one:
        assert time.monotonic() - start < PATIENCE
        assert ask(one, "SELECT n FROM kept") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_as_root_it_runs_as_somebody_else(folder):
    with Cluster(folder, FAST) as one:
        owner = Path(f"/proc/{postmaster(one)}").stat().st_uid
    assert pwd.getpwuid(owner).pw_name in ("postgres", "nobody")


def test_nobody_else_may_enter(folder):
    one = Cluster(folder, FAST)
    with one:
        assert (one.folder.stat().st_mode & 0o077) == 0
        assert (one.socket_dir.stat().st_mode & 0o077) == 0


def test_a_second_process_shares_it_and_the_last_one_stops_it(folder):
    first, second = Cluster(folder, FAST), Cluster(folder, FAST)
    first.start()
    pid = postmaster(first)
    second.start()
    assert postmaster(second) == pid
    first.stop()
    assert ask(second, "SELECT 1") == 1
    second.stop()
    assert not is_alive(pid)


def test_a_server_left_by_a_killed_process_is_taken_over(folder):
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from vo.db.cluster import Cluster
        one = Cluster(Path(sys.argv[1]), {"fsync": "off", "shared_buffers": "16MB"})
        one.start()
        print("started", flush=True)
        time.sleep(600)
    """)
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        process.kill()
    one = Cluster(folder, FAST)
    pid = postmaster(one)
    assert is_alive(pid)
    with one:
        assert postmaster(one) == pid
        assert ask(one, "SELECT 1") == 1
    assert not is_alive(pid)


def test_recovery_after_the_server_was_killed(folder):
    one = Cluster(folder, FAST)
    one.start()
    with psycopg.connect(one.dsn(), autocommit=True) as connection:
        connection.execute("CREATE TABLE survives AS SELECT 7 AS n")
    os.kill(postmaster(one), signal.SIGKILL)
    one.stop()
    with Cluster(folder, FAST) as again:
        assert ask(again, "SELECT n FROM survives") == 7


def test_a_stale_pid_file_of_somebody_elses_process(folder):
    with Cluster(folder, FAST) as one:
        pass
    (one.folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{one.folder}/data\n")
    with Cluster(folder, FAST) as again:
        assert ask(again, "SELECT 1") == 1


def test_what_a_killed_initdb_left_is_removed(folder):
    fresh = folder / "half"
    one = Cluster(fresh, FAST)
    (one.folder / "data.new").mkdir(parents=True)
    (one.folder / "data.new" / "PG_VERSION").write_text("15\n")
    with one:
        assert ask(one, "SELECT 1") == 1


def test_a_path_too_long_for_a_socket(folder):
    deep = folder / ("a" * 60) / ("b" * 60)
    with Cluster(deep, FAST) as one:
        assert len(os.fsencode(one.socket_dir)) < 90
        assert ask(one, "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_a_closed_folder_puts_the_cluster_elsewhere(folder, monkeypatch, caplog):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(cluster, "FALLBACK", folder / "fallback")
    with Cluster(closed / "data", FAST) as one:
        assert one.folder.parent == folder / "fallback"
        assert ask(one, "SELECT 1") == 1
    assert str(closed) in caplog.text
    with Cluster(closed / "data", FAST) as again:
        assert again.folder == one.folder


def test_missing_programs_name_their_packages(monkeypatch):
    monkeypatch.setattr(binaries, "_installed", list)
    monkeypatch.setattr(binaries.shutil, "which", lambda name: f"/usr/bin/{name}")
    about = {"ID": "ubuntu", "VERSION_ID": "24.04"}
    monkeypatch.setattr(binaries.platform, "freedesktop_os_release", lambda: about)
    with pytest.raises(OperatorFault, match="apt-get install postgresql-16 postgresql-16-pgsphere"):
        binaries.find_binaries()
    bare = binaries.Binaries(Path("/x"), 17, has_pgsphere=False)
    monkeypatch.setattr(binaries, "_installed", lambda: [bare])
    with pytest.raises(OperatorFault, match=r"apt-get install postgresql-17-pgsphere$"):
        binaries.find_binaries()
    with pytest.raises(OperatorFault, match=r"PostgreSQL 14 is not installed.*postgresql-14 postgresql-14-pgsphere"):
        binaries.find_binaries(14)


def test_start_errors_say_what_the_server_said(folder):
    broken = Cluster(folder, {**FAST, "shared_buffers": "plenty"})
    with pytest.raises(OperatorFault, match="shared_buffers"):
        broken.start()
    with Cluster(folder, FAST) as one:
        assert ask(one, "SELECT 1") == 1


def _hold(folder: str, ready: "multiprocessing.Queue[str]") -> None:
    with Cluster(Path(folder), FAST):
        ready.put("up")
        time.sleep(0.3)


def test_many_at_the_same_moment(folder):
    context = multiprocessing.get_context("spawn")
    ready: multiprocessing.Queue[str] = context.Queue()
    processes = [context.Process(target=_hold, args=(str(folder), ready)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert not (Cluster(folder, FAST).folder / "data" / "postmaster.pid").exists()
