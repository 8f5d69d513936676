"""A live server for tests: uvicorn in a thread, on a free port of this machine, over the tests' database.

The demo collection is loaded once; every test of the session asks the same server, and none changes what it holds.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest
from patience import PATIENCE, eventually

from vo.db.connect import Database
from vo.demo import load_demo
from vo.settings import Settings

if TYPE_CHECKING:
    from vo.work import WorkerThread


@dataclass(frozen=True)
class Server:
    """A running server: ``url`` is its base address; ``client`` asks it relative to that address."""

    url: str
    settings: Settings
    database: Database
    client: httpx.Client

    def get(self, path: str, **values: str | int) -> httpx.Response:
        """GET a path with these parameters."""
        return self.client.get(path, params=values or None)

    def query(self, adql: str, **values: str | int) -> httpx.Response:
        """Ask TAP, by POST."""
        return self.client.post("/tap/sync", data={"LANG": "ADQL", "QUERY": adql, **values})


@contextmanager
def running(settings: Settings, database: Database) -> Iterator[Server]:
    """Serve ``database`` with these settings until the end of the block."""
    from vo.app import make_server  # late, for tests that need no server start without it

    server, listener = make_server(settings, database)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive(), lambda: "the server does not start")
        assert server.started, "the server ended while it was starting; the log says why"
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # Plain HTTP: reading the certificates of all authorities for each client would take longer than the server.
        with httpx.Client(base_url=url, timeout=PATIENCE, follow_redirects=False, verify=False) as client:  # noqa: S501
            yield Server(url, settings, database, client)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()
    assert not thread.is_alive(), "the server does not stop"


@pytest.fixture(scope="session")
def worker(server: Server) -> Iterator[WorkerThread]:
    """A worker, in a thread, for the jobs of ``server``."""
    from vo.work import working  # late, as above

    with working(server.settings, server.database) as started:
        yield started


@pytest.fixture(scope="session")
def server(settings: Settings, database: Database) -> Iterator[Server]:
    """The demo collection, loaded and served."""
    load_demo(database, settings)
    with running(settings.model_copy(update={"host": "127.0.0.1", "port": 0}), database) as started:
        yield started
