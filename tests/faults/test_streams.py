"""Answers on their way when what they depend on dies under them: nothing looks complete that is not, nothing is left.

All forms of answers are asked for at once, from the tables alone and from an upload; then something breaks.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import httpx
import needs
import psycopg
import pyarrow.csv
import pyarrow.parquet
import pytest
from answers import statuses
from conftest import _FAST
from patience import PATIENCE, eventually, read_until
from remote_table import serving_table
from serving import Server, running
from strict import BREAKING, CLOSING, FORMS, SMALL_BUFFER, Download, downloads

from vo.db.cluster import Cluster
from vo.db.connect import Database, private
from vo.db.migrate import initialise

ROOT = Path(__file__).parents[2]

#: Millions of rows, a hundred megabytes: no form is at its end when something breaks.
LONG = (
    "SELECT a.column_index AS n, b.column_name FROM tap_schema.columns AS a, tap_schema.columns AS b, "
    "tap_schema.columns AS c"
)
LONG_UPLOAD = "SELECT a.n, b.words FROM TAP_UPLOAD.t AS a, TAP_UPLOAD.t AS b, TAP_UPLOAD.t AS c"
TABLE = b"n,words\n" + b"".join(b"%d,%s\n" % (n, b"plate" * 4) for n in range(400))
#: Runs for minutes and answers with one row.
SLOW = "SELECT COUNT(*) AS n FROM " + ", ".join(f"tap_schema.columns AS t{n}" for n in range(6))
SLOW_UPLOAD = "SELECT COUNT(*) AS n FROM " + ", ".join(f"TAP_UPLOAD.t AS t{n}" for n in range(6))
ROWS = "9000000"
#: A query that only its time limit ends has been forgotten: no test may take that for an end that it waits for.
LIMIT = 600


def parts(table: bytes = TABLE) -> list[tuple[str, object]]:
    return [("UPLOAD", (None, "t,param:file")), ("file", ("t.csv", table, "text/csv"))]


TABLES = {"LANG": "ADQL", "QUERY": LONG, "MAXREC": ROWS}
UPLOAD = {"LANG": "ADQL", "QUERY": LONG_UPLOAD, "MAXREC": ROWS}
#: One form of each behaviour, for queries of an upload; and some more, where all were asked for in another test.
SOME = ("votable", "csv", "fits")
MORE = (*SOME, "json", "parquet")


@pytest.fixture(scope="module")
def place(settings, catalogue) -> Iterator[tuple[Database, Cluster]]:
    """A database with a PostgreSQL of its own, which can be restarted."""
    path = Path(tempfile.mkdtemp(prefix="vo-faults-"))
    path.chmod(0o755)
    cluster = Cluster(path, _FAST)
    needs.need_postgresql()
    cluster.start()
    own = settings.model_copy(
        update={
            "data_dir": path,
            "host": "127.0.0.1",
            "port": 0,
            "query_connections": 24,
            "client_queries": 24,
            "sync_seconds": LIMIT,
        }
    )
    database = private(cluster, own)
    try:
        initialise(database, catalogue)
        yield database, cluster
    finally:
        database.close()
        cluster.stop()
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def served(place) -> Iterator[Server]:
    database, _ = place
    with running(database.settings, database) as server:
        yield server


def ask(dsn: str, sql: str, *values: object) -> list[tuple]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(sql, values).fetchall()


def active(database: Database) -> list[int]:
    """The processes of PostgreSQL that do something for users' queries now, or are within a transaction of one."""
    sql = "SELECT pid FROM pg_stat_activity WHERE usename = 'vo_query' AND state <> 'idle' AND datname = 'vo'"
    return [pid for (pid,) in ask(database.admin_dsn, sql)]


def temporary_tables(database: Database) -> int:
    return ask(database.admin_dsn, "SELECT count(*) FROM pg_class WHERE relpersistence = 't'")[0][0]


def open_files(pid: int | str = "self") -> Counter[str]:
    """What a process has open, by kind: sockets, temporary files, others."""
    found: Counter[str] = Counter()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(one.readlink())
        except OSError:
            continue
        found["socket" if target.startswith("socket:") else "gone" if target.endswith("(deleted)") else "other"] += 1
    return found


def busy_threads() -> int:
    """Threads of this process that make an answer now."""
    return sum(map(_is_working, sys._current_frames().values()))


def _is_working(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.endswith("vo/dali/work.py"):
            return True
        frame = frame.f_back
    return False


#: The state of a socket that waits for connections.
_LISTENING = "0A"


def clients_of(server: Server) -> int:
    """Connections of clients that the server has open: its own ends, as the system lists them (proc(5))."""
    port = urlsplit(server.url).port
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    # what no process holds any more has no inode
    held = [line for line in lines if line[9] != "0" and line[3] != _LISTENING]
    return sum(int(line[1].partition(":")[2], 16) == port for line in held)


def left(server: Server) -> dict[str, int]:
    """What must not grow: busy connections, temporary tables, threads at work, temporary files, clients' sockets.

    Other servers of this process are at work in the background, so that sockets are counted by their port.
    """
    database = server.database
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        ((tables,),) = connection.execute("SELECT count(*) FROM pg_class WHERE relpersistence = 't'").fetchall()
    return {
        "busy connections": len(active(database)),
        "temporary tables": tables,
        "threads": busy_threads(),
        "temporary files": open_files()["gone"],
        "sockets": clients_of(server),
    }


def works(client: httpx.Client) -> bool:
    """Whether an ordinary query and one with an upload are answered, in full."""
    plain = client.post("/tap/sync", data={"QUERY": "SELECT COUNT(*) AS n FROM tap_schema.schemas", "FORMAT": "csv"})
    data = {"QUERY": "SELECT COUNT(*) AS n FROM TAP_UPLOAD.t", "FORMAT": "csv"}
    uploaded = client.post("/tap/sync", data=data, files=parts())
    return plain.status_code == 200 and uploaded.text.split() == ["n", "400"]


@contextmanager
def nothing_left(server: Server) -> Iterator[None]:
    """Whatever happens within: the next queries work, and all that was made for the others goes."""
    assert works(server.client)
    before = left(server)
    yield
    eventually(lambda: works(server.client), lambda: "queries work")
    eventually(lambda: not more(before, left(server)), lambda: more(before, left(server)))


def more(before: dict[str, int], now: dict[str, int]) -> dict[str, tuple[int, int]]:
    return {name: (count, now[name]) for name, count in before.items() if now[name] > count}


#: What the answers say when the rows end early.
HONEST = {form: "ERROR" if form in CLOSING else "broken" if form in BREAKING else "fault" for form in FORMS}


@contextmanager
def broken(server: Server, forms: tuple[str, ...] = MORE) -> Iterator[dict[str, Download]]:
    """Break something within the block: answers in these forms are amid their rows, and each has to say so."""
    with downloads(server.url, TABLES, forms=forms) as plain, downloads(server.url, UPLOAD, parts(), SOME) as uploaded:
        yield plain
    for running_ in (plain, uploaded):
        said = {form: one.outcome.says(form) for form, one in running_.items()}
        assert said == {form: HONEST[form] for form in running_}


# -- PostgreSQL dies


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_when_postgresql_is_shut_down(served, place, how):
    _, cluster = place
    with nothing_left(served):
        try:
            with broken(served, FORMS if how is signal.SIGINT else MORE):
                os.kill(int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0]), how)
            away = served.query("SELECT COUNT(*) FROM tap_schema.schemas")
            assert away.status_code == 503
            assert "retry-after" in away.headers
        finally:
            cluster.stop()
            cluster.start()


def test_when_one_process_of_postgresql_is_killed(served):
    """PostgreSQL then ends all others and starts anew by itself; here it is one that has an upload."""
    with nothing_left(served), broken(served):
        sql = (
            "SELECT pid FROM pg_stat_activity WHERE usename = 'vo_query' AND state <> 'idle' AND query LIKE %s LIMIT 1"
        )
        ((pid,),) = ask(served.database.admin_dsn, sql, "%pg_temp%")
        os.kill(pid, signal.SIGKILL)


# -- the query is ended from outside


def test_when_an_operator_ends_queries(served):
    """Each second one is cancelled, the others' sessions are ended."""
    with nothing_left(served):
        with broken(served) as running_:
            eventually(lambda: len(active(served.database)) >= len(MORE) + len(SOME))
            for number, pid in enumerate(active(served.database)):
                how = "pg_terminate_backend" if number % 2 else "pg_cancel_backend"
                ask(served.database.admin_dsn, f"SELECT {how}(%s)", pid)
        # who was cancelled has not been too slow
        assert not any(b"took longer" in one.outcome.document for one in running_.values())


def test_when_the_time_is_up_amid_the_rows(served):
    short = served.settings.model_copy(update={"sync_seconds": 3})
    forms = ("json", *SOME)
    with nothing_left(served), running(short, served.database) as server:
        with (
            downloads(server.url, TABLES, forms=forms) as plain,
            downloads(server.url, UPLOAD, parts(), SOME) as uploaded,
        ):
            time.sleep(0.5)
        for form, one in (*plain.items(), *uploaded.items()):
            assert one.outcome.says(form) == HONEST[form]
        assert b"3 s" in plain["json"].outcome.document


# -- the server dies


@contextmanager
def serving(cluster: Cluster) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """`vo serve` in a process of its own, over the same database; its temporary folder comes with it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="vo-temporary-") as temporary:
        settings = {
            "VO_QUERY_CONNECTIONS": "24",
            "VO_CLIENT_QUERIES": "24",
            "VO_SYNC_SECONDS": str(LIMIT),
            "TMPDIR": temporary,
        }
        words = ["-c", "from vo.cli import main; main()", "serve", "--data", cluster.data_dir, "--port", str(port)]
        process = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, env={**os.environ, **settings}, stderr=subprocess.DEVNULL
        )
        url = f"http://127.0.0.1:{port}"
        try:
            eventually(lambda: is_up(url))
            yield process, url, Path(temporary)
        finally:
            process.kill()
            process.wait(PATIENCE)


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/tap/availability", timeout=PATIENCE).status_code == 200
    except httpx.TransportError:
        return False


def test_when_the_server_is_killed(served, place):
    """PostgreSQL notices that nobody listens any more; no file stays behind."""
    _, cluster = place
    with nothing_left(served), serving(cluster) as (process, url, temporary):
        with downloads(url, TABLES, forms=MORE) as plain, downloads(url, UPLOAD, parts(), SOME) as uploaded:
            process.kill()
            process.wait(PATIENCE)
        for form, one in (*plain.items(), *uploaded.items()):
            assert one.outcome.says(form) == "broken"
        assert list(temporary.iterdir()) == []


def test_when_the_server_is_stopped(served, place):
    """It ends in time, and whoever is still there is told why."""
    _, cluster = place
    with nothing_left(served), serving(cluster) as (process, url, temporary):
        with (
            downloads(url, TABLES, forms=SOME) as plain,
            downloads(url, UPLOAD, parts(), SOME) as uploaded,
            slow(url, SLOW) as waiting,
            slow(url, SLOW_UPLOAD, parts()) as waiting_for_upload,
        ):
            eventually(lambda: len(active(served.database)) == 2 * len(SOME) + 2)
            process.terminate()
            for one in (*plain.values(), *uploaded.values()):
                one.go.set()
            assert process.wait(PATIENCE) == 0
        for form, one in (*plain.items(), *uploaded.items()):
            assert one.outcome.says(form) == HONEST[form]
        for one in (waiting, waiting_for_upload):
            assert one.outcome.says("csv") == "fault"
            assert b"being stopped" in one.outcome.document
        assert list(temporary.iterdir()) == []


@contextmanager
def slow(url: str, query: str, files: list[tuple[str, object]] | None = None) -> Iterator[Download]:
    """A query of which nothing has come yet; what comes is read to the end afterwards."""
    one = Download(url, {"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": "csv"}, files)
    one.start()
    try:
        yield one
    finally:
        one.join(2 * PATIENCE)
        assert not one.is_alive()


# -- the client goes


def request(query: str, form: str, files: list[tuple[str, object]] | None = None) -> bytes:
    """A request as bytes, for clients that behave badly."""
    data = {"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": form, "MAXREC": ROWS}
    made = httpx.Request("POST", "http://127.0.0.1/tap/sync", data=data, files=files)
    head = "".join(f"{name}: {value}\r\n" for name, value in made.headers.items())
    return f"POST /tap/sync HTTP/1.1\r\n{head}\r\n".encode() + made.read()


def connect(address: tuple[str, int | None]) -> socket.socket:
    """A connection of a client for which the system takes little that it has not read."""
    connection = socket.socket()
    for option in SMALL_BUFFER:
        connection.setsockopt(*option)  # it has to be set before it is connected
    connection.connect(address)
    return connection


def leave(connection: socket.socket, how: str) -> None:
    match how:
        case "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        case "half-closed":
            connection.shutdown(socket.SHUT_WR)
        case "closed":
            connection.close()
        case "silent":
            pass


LEAVING = pytest.mark.parametrize("how", ["reset", "half-closed", "closed", "silent"])


@LEAVING
def test_when_clients_go_amid_the_rows(served, how):
    """Their queries end within a moment; one that stays and reads nothing is given up after ``stall_seconds``."""
    impatient = served.settings.model_copy(update={"stall_seconds": 1.0})
    with nothing_left(served), running(impatient, served.database) as server, ExitStack() as connections:
        address = ("127.0.0.1", httpx.URL(server.url).port)
        opened = []
        for query, files in ((LONG, None), (LONG_UPLOAD, parts()), (SLOW, None), (SLOW_UPLOAD, parts())):
            for form in SOME:
                connection = connections.enter_context(connect(address))
                connection.sendall(request(query, form, files))
                opened.append((query, connection))
        for query, connection in opened:
            if query in (LONG, LONG_UPLOAD) and connection is not opened[2][1] and connection is not opened[5][1]:
                connection.recv(1000)
        eventually(lambda: len(active(server.database)) == len(opened))
        for _, connection in opened:
            leave(connection, how)
        # who is silent may wait for a first row, but not let others wait to take more
        waiting = 8 if how == "silent" else 0
        eventually(lambda: len(active(server.database)) <= waiting, lambda: active(server.database))
        for _, connection in opened:
            connection.close()
        eventually(lambda: active(server.database) == [])


@LEAVING
def test_when_clients_go_while_they_send_an_upload(served, how):
    impatient = served.settings.model_copy(update={"stall_seconds": 0.5})
    whole = request("SELECT COUNT(*) FROM TAP_UPLOAD.t", "csv", parts(TABLE + b"1,x\n" * 1_000_000))
    with nothing_left(served), running(impatient, served.database) as server:
        files = open_files()["gone"]
        with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port)) as connection:
            connection.sendall(whole[: len(whole) // 2])
            eventually(lambda: open_files()["gone"] == files + 1)
            leave(connection, how)
            eventually(lambda: open_files()["gone"] == files)
            if how == "silent":
                told = read_until(connection, b"stall_seconds")
                assert told.startswith(b"HTTP/1.1 408 ")
                assert b"stall_seconds" in told


# -- disks are full


@pytest.fixture
def small_disk(place) -> Iterator[Path]:
    """A file system of three megabytes, for everybody."""
    path = Path(tempfile.mkdtemp(prefix="vo-small-"))
    command = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=1777", "tmpfs", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        path.rmdir()
        pytest.skip(f"no small file system to fill (only root may mount one): {done.stderr}")
    yield path
    subprocess.run(["umount", path], check=True)
    path.rmdir()


def test_when_there_is_no_room_for_temporary_files(served, small_disk, monkeypatch):
    """Uploads, what is unpacked of them, tables fetched elsewhere, and FITS: all wait in temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    large = TABLE + b"1,x\n" * 1_000_000
    data = {"QUERY": "SELECT COUNT(*) AS n FROM TAP_UPLOAD.t", "FORMAT": "csv"}
    packed = gzip.compress(parquet(large))
    opened = served.settings.model_copy(update={"upload_private": True})
    with nothing_left(served), running(opened, served.database) as server, serving_table(large, "text/csv") as url:
        answers = (
            server.client.post("/tap/sync", data=data, files=parts(large)),
            server.client.post(
                "/tap/sync", data=data, files=[("UPLOAD", (None, "t,param:file")), ("file", ("t.parquet", packed))]
            ),
            server.client.post("/tap/sync", data={**data, "UPLOAD": f"t,{url}"}),
            server.client.post("/tap/sync", data={**TABLES, "MAXREC": "500000", "FORMAT": "fits"}),
        )
        for answer in answers:
            assert answer.status_code == 503, answer.text
            ((value, text),) = statuses(answer.content)
            assert value == "ERROR"
            assert "no room" in text
    assert list(small_disk.iterdir()) == []


def parquet(csv: bytes) -> bytes:
    """A table of CSV as Parquet, which gzip makes small."""
    stream = io.BytesIO()
    table = pyarrow.csv.read_csv(io.BytesIO(csv))
    pyarrow.parquet.write_table(table, stream, compression="none", use_dictionary=False)
    return stream.getvalue()


@pytest.fixture
def full(place, small_disk) -> Iterator[Server]:
    """A server whose temporary tables and files in PostgreSQL are on the small disk."""
    database, cluster = place
    if os.geteuid() == 0:
        shutil.chown(small_disk, "postgres", "postgres")
    ask_owner(
        database,
        f"CREATE TABLESPACE small LOCATION '{small_disk}'",
        "GRANT CREATE ON TABLESPACE small TO vo_query",
        "ALTER ROLE vo_query SET temp_tablespaces = 'small'",
        "ALTER ROLE vo_query SET work_mem = '64kB'",
    )
    own = private(cluster, database.settings)
    try:
        with running(own.settings, own) as server:
            yield server
    finally:
        own.close()
        ask_owner(
            database,
            "ALTER ROLE vo_query RESET temp_tablespaces",
            "ALTER ROLE vo_query RESET work_mem",
            "REVOKE ALL ON TABLESPACE small FROM vo_query",
            "DROP TABLESPACE small",
        )


def ask_owner(database: Database, *statements: str) -> None:
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def test_when_postgresql_has_no_room_before_the_first_row(full):
    """An upload that does not fit, and one whose rows cannot be sorted."""
    count, ordered = "SELECT COUNT(*) AS n FROM TAP_UPLOAD.t", f"{LONG_UPLOAD} ORDER BY words"
    with nothing_left(full):
        for query, files in ((count, parts(TABLE + b"1,xxxxxxxxxxxx\n" * 300_000)), (ordered, parts())):
            answer = full.client.post("/tap/sync", data={"QUERY": query, "FORMAT": "csv"}, files=files)
            assert answer.status_code == 503, answer.text
            assert "no room on its disk" in answer.text


def test_when_postgresql_has_no_room_amid_the_rows(full):
    first, second = LONG.replace("SELECT", "SELECT TOP 400000"), LONG.replace("SELECT", "SELECT TOP 9000000")
    query = f"SELECT * FROM ({first}) AS a UNION ALL SELECT * FROM ({second} ORDER BY column_name) AS b"
    with nothing_left(full):
        forms = tuple(form for form in MORE if form != "fits")
        with downloads(full.url, {**TABLES, "QUERY": query}, forms=forms) as running_:
            pass
        assert {form: one.outcome.says(form) for form, one in running_.items()} == {
            form: HONEST[form] for form in forms
        }
        assert full.query(query, MAXREC=ROWS, FORMAT="fits").status_code == 503
        assert b"no room on its disk" in running_["json"].outcome.document
