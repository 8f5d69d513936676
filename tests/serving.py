"""A live server for tests: uvicorn in a thread, on a free port of this machine, over the tests' database.

The demo collection is loaded once; every test of the session asks the same server, and none changes what it holds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from vo.db.connect import Database
from vo.demo import load_demo
from vo.settings import Settings

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0


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
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            assert thread.is_alive(), "the server ended while it was starting; the log says why"
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.02)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=60, follow_redirects=False) as client:
            yield Server(url, settings, database, client)
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS)
        listener.close()
    assert not thread.is_alive(), "the server does not stop"


@pytest.fixture(scope="session")
def server(settings: Settings, database: Database) -> Iterator[Server]:
    """The demo collection, loaded and served."""
    load_demo(database, settings)
    with running(settings.model_copy(update={"host": "127.0.0.1", "port": 0}), database) as started:
        yield started
