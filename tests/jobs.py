"""Asking for jobs over HTTP, and a job's record: what the tests of jobs share."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import xsd
from lxml import etree
from patience import PATIENCE

from vo.db.jobrecords import Job

UWS = "{http://www.ivoa.net/xml/UWS/v1.0}"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
HREF = "{http://www.w3.org/1999/xlink}href"

QUICK = "SELECT TOP 3 obs_id, s_ra FROM ivoa.obscore"
#: Runs for minutes and answers with one row.
SLOW = "SELECT COUNT(*) FROM " + ", ".join(f"tap_schema.columns AS t{n}" for n in range(6))
#: Sends rows for minutes: a hundred megabytes and more.
LONG = (
    "SELECT TOP 9000000 a.description, b.description AS other FROM tap_schema.columns AS a, tap_schema.columns AS b, "
    "tap_schema.columns AS c"
)

#: A job that runs.
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=dt.timezone(dt.timedelta(hours=1)))
JOB = Job(
    number=1,
    id="a" * 32,
    kind="tap",
    phase="EXECUTING",
    run_id=None,
    owner=None,
    session=None,
    client="192.0.2.1",
    creation_time=NOW,
    start_time=NOW,
    end_time=None,
    destruction=NOW,
    quote=None,
    execution_seconds=60,
    parameters=(),
    uploads=(),
    base_url="http://plates.example",
    request="http://plates.example/tap/async",
    results=(),
    error=None,
    info={},
    attempts=1,
    losses=0,
)


def create(client: httpx.Client, query: str = QUICK, **values: str) -> str:
    """Make a job, which has to work; its address."""
    response = client.post("/tap/async", data={"LANG": "ADQL", "QUERY": query, **values})
    assert response.status_code == 303, response.text
    return response.headers["location"]


def document(client: httpx.Client, url: str, **values: str | int) -> etree._Element:
    """The job."""
    response = client.get(url, params=values or None)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/xml")
    return xsd.parse(response.content)


def phase(client: httpx.Client, url: str) -> str:
    response = client.get(f"{url}/phase")
    assert response.status_code == 200, response.text
    return response.text


def ended(client: httpx.Client, url: str, seconds: float = PATIENCE) -> etree._Element:
    """The job when it has ended."""
    deadline = time.monotonic() + seconds
    while True:
        job = document(client, url, WAIT=2)
        if job.findtext(f"{UWS}phase") not in ("PENDING", "QUEUED", "EXECUTING"):
            return job
        assert time.monotonic() < deadline, f"still {job.findtext(f'{UWS}phase')}"


def message(job: etree._Element) -> str:
    return job.findtext(f"{UWS}errorSummary/{UWS}message") or ""


def running_queries(dsn: str, text: str = "tap_schema") -> int:
    """How many queries of users run in the database, that have this text in them."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'vo_query' AND state = 'active' "
            "AND datname = current_database() AND query LIKE %s",
            (f"%{text}%",),
        ).fetchone()
    return row[0]


@contextmanager
def clean(client: httpx.Client) -> Iterator[list[str]]:
    """Addresses of jobs that are deleted at the end."""
    urls: list[str] = []
    try:
        yield urls
    finally:
        for url in urls:
            client.delete(url)
