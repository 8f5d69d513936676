"""Jobs when what they depend on dies under them: nothing is lost, and nothing looks complete that is not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import needs
import psycopg
import pytest
from conftest import _FAST
from jobs import LONG, QUICK, SLOW, UWS, create, ended, message, phase, running_queries
from patience import PATIENCE, eventually, files_below
from serving import running

from vo.db.cluster import Cluster
from vo.db.connect import private
from vo.db.migrate import initialise
from vo.work import working

ROOT = Path(__file__).parents[2]
TABLES = "SELECT table_name FROM tap_schema.tables"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data folder with an initialised database that nobody runs."""
    needs.need_postgresql()
    path = Path(tempfile.mkdtemp(prefix="vo-faults-"))
    path.chmod(0o755)
    done = subprocess.run([*command("init"), "demo", "--data", path], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    yield path
    shutil.rmtree(path, ignore_errors=True)


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from vo.cli import main; main()", *words]


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen, httpx.Client]]:
    """`vo serve` in a process of its own, with its worker."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*command("serve"), "--data", folder, "--port", str(port)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
            eventually(lambda: is_up(client) and len(workers(process)) == 1)
            yield process, client
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture(scope="module")
def served(folder):
    """One that the tests share, since it takes seconds to start; the last of them kills it."""
    with serving(folder) as started:
        yield started


def is_up(client: httpx.Client) -> bool:
    try:
        return "true" in client.get("/tap/availability").text
    except httpx.TransportError:
        return False


def workers(server: subprocess.Popen) -> list[int]:
    """The server's worker processes, which are children of it."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("PPid:"))
            words = (status.parent / "cmdline").read_bytes().split(b"\0")
        except (OSError, StopIteration):
            continue
        if parent == str(server.pid) and b"vo.work" in words:
            found.append(int(status.parent.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def record(dsn: str, url: str) -> tuple[str, int, int]:
    """Phase, attempts and losses of a job."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT phase, attempts, losses FROM uws.job WHERE id = %s", (url.rpartition("/")[2],)
        ).fetchone()


def test_a_killed_workers_job_is_taken_up_again_once_then_fails_with_the_truth(folder, served):
    dsn = Cluster(folder).dsn()
    server, client = served
    url = create(client, SLOW, PHASE="RUN")
    eventually(lambda: running_queries(dsn) == 1)
    os.kill(workers(server)[0], signal.SIGKILL)
    eventually(lambda: record(dsn, url) == ("EXECUTING", 2, 1))
    eventually(lambda: running_queries(dsn) == 1)  # the first one's query has ended
    os.kill(workers(server)[0], signal.SIGKILL)
    job = ended(client, url)
    assert job.findtext(f"{UWS}phase") == "ERROR"
    assert "died" in message(job)
    assert client.get(f"{url}/results/result").status_code == 404
    quick = create(client, TABLES, PHASE="RUN")
    assert ended(client, quick).findtext(f"{UWS}phase") == "COMPLETED"
    eventually(lambda: [path.name for path in (folder / "jobs").iterdir()] == [quick.rpartition("/")[2]])


def test_a_killed_server_loses_no_job_and_leaves_no_worker(folder, served):
    dsn = Cluster(folder).dsn()
    server, client = served
    waiting = create(client, TABLES)
    url = create(client, SLOW, PHASE="RUN")
    eventually(lambda: running_queries(dsn) == 1)
    (worker,) = workers(server)
    server.kill()
    server.wait()
    eventually(lambda: not is_alive(worker))
    with serving(folder) as (server, client):
        here = httpx.URL(url).path
        eventually(lambda: phase(client, here) == "EXECUTING")
        assert record(dsn, url)[2] == 0  # given back, not lost
        assert client.delete(here).status_code == 303
        assert phase(client, httpx.URL(waiting).path) == "PENDING"
        (worker,) = workers(server)
        server.terminate()
        assert server.wait(PATIENCE) == 0
        assert not is_alive(worker)


# -- within this process, over a database of our own


@pytest.fixture
def place(settings, catalogue, tmp_path_factory) -> Iterator:
    """A server with a database of its own, which can be restarted."""
    path = Path(tempfile.mkdtemp(prefix="vo-faults-"))
    path.chmod(0o755)
    own = settings.model_copy(update={"data_dir": path, "port": 0})
    cluster = Cluster(path, _FAST)
    needs.need_postgresql()
    cluster.start()
    database = private(cluster, own)
    try:
        initialise(database, catalogue)
        yield own, database, cluster
    finally:
        database.close()
        cluster.stop()
        shutil.rmtree(path, ignore_errors=True)


def test_when_postgresql_is_restarted_jobs_are_taken_up_again_once(place):
    settings, database, cluster = place
    with running(settings, database) as server, working(settings, database):
        slow, waiting = create(server.client, SLOW, PHASE="RUN"), create(server.client, TABLES)
        eventually(lambda: running_queries(database.admin_dsn) == 1)
        restart(cluster)
        eventually(lambda: record(database.admin_dsn, slow) == ("EXECUTING", 2, 1))
        assert answers(server.client, waiting, "PENDING")
        server.client.post(f"{waiting}/phase", data={"PHASE": "RUN"})
        assert ended(server.client, waiting).findtext(f"{UWS}phase") == "COMPLETED"
        restart(cluster)
        eventually(lambda: answers(server.client, slow, "ERROR"))
        assert "database" in message(ended(server.client, slow))
        assert server.client.get(f"{slow}/results/result").status_code == 404


def restart(cluster: Cluster) -> None:
    cluster.stop()
    time.sleep(1.5)
    cluster.start()


def answers(client: httpx.Client, url: str, wanted: str) -> bool:
    """Whether the server says so; while the database comes back it may say 503, and nothing else."""
    deadline = time.monotonic() + PATIENCE
    while (response := client.get(f"{url}/phase")).status_code == 503:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return response.status_code == 200 and response.text == wanted


def test_while_postgresql_is_away_jobs_are_503(place):
    settings, database, cluster = place
    with running(settings, database) as server:
        url = create(server.client, TABLES)
        cluster.stop()
        response = server.client.get(url)
        assert response.status_code == 503
        assert "retry-after" in response.headers
        cluster.start()
        assert answers(server.client, url, "PENDING")


def test_a_worker_that_loses_its_session_and_not_its_life_goes_on(place):
    settings, database, _ = place
    with running(settings, database) as server, working(settings, database):
        url = create(server.client, LONG, PHASE="RUN", MAXREC="400000", RESPONSEFORMAT="csv")
        eventually(lambda: phase(server.client, url) == "EXECUTING")
        with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
            ended_sessions = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 "
                "AND mode = 'ExclusiveLock' AND granted"
            ).fetchall()
        assert ended_sessions
        assert ended(server.client, url).findtext(f"{UWS}phase") == "COMPLETED"
        rows = server.client.get(f"{url}/results/result").text.count("\r\n")
        assert rows == 400_001
        assert record(database.admin_dsn, url)[0] == "COMPLETED"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of three megabytes."""
    path = Path(tempfile.mkdtemp(prefix="vo-small-"))
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", path], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        path.rmdir()
        pytest.skip(f"no small file system to fill (only root may mount one): {done.stderr}")
    yield path
    subprocess.run(["umount", path], check=True)
    path.rmdir()


def test_when_the_disk_of_results_is_full_the_job_says_so_and_leaves_nothing(place, small_disk):
    settings, database, _ = place
    settings = settings.model_copy(update={"jobs_store": str(small_disk / "jobs"), "disk_reserve_bytes": 0})
    with running(settings, database) as server, working(settings, database):
        url = create(server.client, LONG, PHASE="RUN", MAXREC="400000")
        job = ended(server.client, url)
        assert job.findtext(f"{UWS}phase") == "ERROR"
        assert "store" in message(job)
        assert "full" in message(job)
        assert job.find(f"{UWS}errorSummary").get("type") == "transient"
        assert list(job.iter(f"{UWS}result")) == []
        assert server.client.get(f"{url}/results/result").status_code == 404
        eventually(lambda: not files_below(small_disk))
        assert running_queries(database.admin_dsn) == 0
        quick = create(server.client, TABLES, PHASE="RUN")
        assert ended(server.client, quick).findtext(f"{UWS}phase") == "COMPLETED"
        # an upload that does not fit makes no job
        large = {"big": ("big.xml", b"x" * 4_000_000)}
        refused = server.client.post("/tap/async", data={"QUERY": QUICK}, files=large)
        assert refused.status_code == 503
        assert "full" in refused.text
        eventually(lambda: len(files_below(small_disk)) == 1)
