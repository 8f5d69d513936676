"""Jobs of many cutouts whose worker dies amid them: all are done or told, none is lost, none is done twice."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from astropy.io import fits
from astropy.table import Table
from jobs import HREF, UWS, document, ended
from patience import PATIENCE, eventually
from serving import running

from vo.db.archive import read_bundles
from vo.demo import load_demo
from vo.settings import Settings

ROOT = Path(__file__).parents[2]
LINES = 500


@pytest.fixture(scope="module")
def place(settings, fresh_database):
    """The demo in a database of its own, which no other worker looks after."""
    database = fresh_database()
    load_demo(database, settings)
    own = settings.model_copy(update={"dsn": database.owner_dsn, "query_dsn": database.query_dsn, "port": 0})
    return own, database


@contextmanager
def worker_process(settings: Settings) -> Iterator[subprocess.Popen]:
    """A worker in a process of its own, as a server starts it."""
    process = subprocess.Popen([sys.executable, "-m", "vo.work"], cwd=ROOT, stdin=subprocess.PIPE, text=True)
    process.stdin.write(json.dumps({"level": 30, "settings": settings.model_dump(mode="json")}) + "\n")
    process.stdin.flush()
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait(PATIENCE)


def rows(database) -> list[tuple[str, float, float, float]]:
    """Places on a plate of eleven exposures, among them some that are off it or unknown."""
    with database.read() as connection:
        (bundle,) = read_bundles(connection, [("demo", "eleven")])
    found = []
    for number in range(LINES):
        one = bundle.exposures[number % 11]
        ra, dec = one.ra + 0.01 * (number // 11) - 0.2, one.dec + 0.005 * (number % 40)
        did = "ivo://nowhere/at?all" if number % 50 == 7 else one.publisher_did
        found.append((did, ra, -dec if number % 50 == 9 else dec, 0.1))
    return found


def count_done(client: httpx.Client, url: str) -> int:
    return int(document(client, url).findtext(f"{UWS}jobInfo/done") or 0)


def made(folder: Path) -> dict[str, tuple[int, int]]:
    """The complete results by name: which file it is and when it was written."""
    status = {path.name: path.stat() for path in folder.glob("*@*") if "#" not in path.name}
    return {name: (one.st_ino, one.st_mtime_ns) for name, one in status.items()}


def test_500_cutouts_survive_a_killed_worker(place):
    settings, database = place
    asked = rows(database)
    table = io.BytesIO()
    Table(rows=asked, names=("id", "ra", "dec", "radius")).write(table, format="votable")
    with running(settings, database) as server:
        client = server.client
        sent = {"places": ("places.xml", table.getvalue(), "application/x-votable+xml")}
        response = client.post("/soda/async", data={"UPLOAD": "t,param:places", "PHASE": "RUN"}, files=sent)
        url = response.headers["location"]
        folder = settings.data_dir / "jobs" / url.rpartition("/")[2] / "parts"
        with worker_process(settings) as worker:
            eventually(lambda: count_done(client, url) >= 50)
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        before = made(folder)
        assert 50 <= len(before) < LINES, "it was killed amid its work"
        with worker_process(settings):
            job = ended(client, url, PATIENCE * 2)
        assert job.findtext(f"{UWS}phase") == "COMPLETED"
        with psycopg.connect(database.admin_dsn) as connection:
            attempts = connection.execute("SELECT attempts, losses FROM uws.job").fetchall()
        assert attempts == [(2, 1)]
        after = made(folder)
        assert {name: after[name] for name in before} == before, "what was done is not done again"
        results = {one.get("id"): one.get(HREF) for one in job.iter(f"{UWS}result")}
        assert list(results) == [*(f"cutout-{number:05d}" for number in range(1, LINES + 1)), "summary"]
        assert len(after) == LINES + 1
        told = Table.read(io.BytesIO(client.get(results["summary"]).content), format="votable")
        assert list(told["line"]) == list(range(1, LINES + 1))
        assert list(told["id"]) == [row[0] for row in asked]
        assert Counter(told["status"]) == {"done": LINES - 20, "error": 10, "empty": 10}
        for row in told[::45]:
            content = client.get(results[row["result"]]).content
            if row["status"] != "done":
                continue
            with fits.open(io.BytesIO(content)) as hdus:
                hdus.verify("exception")
                assert hdus[0].header["PUBDID"] == row["id"]
