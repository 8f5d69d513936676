"""Whether the database answers: away, hanging, restarting, not set up, to be read only."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import needs
import psycopg
import pytest

from vo.db import health
from vo.db.cluster import Cluster
from vo.db.connect import external, private
from vo.db.health import Health, ask_health

#: It gives up after CONNECT_SECONDS; the rest is for a machine at work on much else, and less than forever.
GIVEN_UP = health.CONNECT_SECONDS + 10


@contextmanager
def closing(database):
    try:
        yield database
    finally:
        database.close()


def elsewhere(settings, dsn):
    return closing(external(settings.model_copy(update={"dsn": dsn, "query_dsn": dsn})))


def test_a_database_that_answers_has_no_trouble(database):
    assert ask_health(database) == Health()


def test_one_that_is_away_does_not_answer(settings):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with elsewhere(settings, f"host=127.0.0.1 port={port} dbname=vo user=vo") as gone:
        assert "does not answer" in ask_health(gone).trouble


def test_one_that_never_speaks_is_given_up_after_two_seconds(settings):
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        elsewhere(settings, f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=vo user=vo") as mute,
    ):
        begun = time.monotonic()
        assert "does not answer" in ask_health(mute).trouble
        assert time.monotonic() - begun < GIVEN_UP


def test_one_that_refuses_while_it_starts_is_restarting(settings):
    """As PostgreSQL refuses a start-up packet: an ErrorResponse (PostgreSQL's protocol, section "Message Formats")."""
    fields = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
    message = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    asked = client.recv(4096)
                    if len(asked) == 8:  # a request for TLS or GSS comes first
                        client.sendall(b"N")
                        client.recv(4096)
                    client.sendall(message)

        threading.Thread(target=refuse, daemon=True).start()
        with elsewhere(
            settings, f"host=127.0.0.1 port={listener.getsockname()[1]} dbname=vo user=vo sslmode=disable"
        ) as busy:
            assert "restarting" in ask_health(busy).trouble


def test_one_without_our_tables_is_not_set_up(postgres, settings):
    name = f"vo_bare_{os.getpid()}"
    postgres.create(name)
    try:
        with closing(postgres.open(name)) as bare:
            assert "vo init" in ask_health(bare).trouble
    finally:
        postgres.drop(name)


def test_one_that_can_only_be_read_says_so(fresh_database):
    database = fresh_database()
    name = psycopg.conninfo.conninfo_to_dict(database.owner_dsn)["dbname"]
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    assert ask_health(database) == Health(is_read_only=True)
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    assert ask_health(database) == Health()


def test_one_without_a_free_connection_is_told(database, monkeypatch):
    """What the server says then; making it say so would disturb every other test."""

    def refuse(_dsn, **_options):
        raise psycopg.OperationalError("connection failed: FATAL:  sorry, too many clients already")

    monkeypatch.setattr(health.psycopg, "connect", refuse)
    assert "no more connections" in ask_health(database).trouble


@pytest.fixture
def own_cluster(tmp_path_factory, settings):
    """A server of the test's own, to be stopped and hung as it likes."""
    needs.need_postgresql()
    folder = Path(tempfile.mkdtemp(prefix="vo-health-"))
    folder.chmod(0o755)
    cluster = Cluster(folder, {"fsync": "off", "shared_buffers": "16MB", "max_connections": "20"})
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_postmaster_that_is_stopped_is_given_up(own_cluster, settings):
    with psycopg.connect(own_cluster.dsn(), autocommit=True) as connection:
        for role in ("vo_query", "vo_service"):
            connection.execute(f"CREATE ROLE {role} LOGIN SUPERUSER")
        connection.execute("CREATE SCHEMA ivoa")
        connection.execute("CREATE TABLE ivoa.obscore ()")
        connection.execute("CREATE SCHEMA uws")
        connection.execute("CREATE TABLE uws.job (phase text, queued_time timestamptz)")
    with closing(private(own_cluster, settings)) as database:
        assert ask_health(database) == Health()
        process = int((own_cluster.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(process, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            assert "does not answer" in ask_health(database).trouble
            assert time.monotonic() - begun < GIVEN_UP
        finally:
            os.kill(process, signal.SIGCONT)
        assert ask_health(database) == Health()
        own_cluster.stop()
        assert "does not answer" in ask_health(database).trouble
