"""Harvesting this server's own /oai over HTTP, into an empty database of another authority."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree
from psycopg import sql
from registering import publish
from serving import running

from vo.db.registry import find_record, read_records
from vo.errors import UsageFault
from vo.registry.harvest.canonical import canonical
from vo.registry.harvest.run import forget, harvest
from vo.registry.store import store

#: Tables that the demo's records fill; it has no parameters to tell, no DOI, and nobody validated it.
SHOWN = {"capability", "interface", "relationship", "res_date", "res_detail", "res_role", "res_schema", "res_subject"}
SHOWN |= {"res_table", "resource", "table_column", "stc_spatial", "stc_spectral", "stc_temporal"}


@pytest.fixture(scope="module")
def paged(registered):
    """The session's server with lists of three records a page."""
    settings = registered.settings.model_copy(update={"oai_records": 3})
    with running(settings, registered.database) as server:
        yield server


@pytest.fixture(scope="module")
def elsewhere(settings):
    """Settings of a server with another authority."""
    return settings.model_copy(update={"authority": "elsewhere.example", "harvest_private": True})


@pytest.fixture
def empty(fresh_database):
    return fresh_database()


def documents(database, source):
    with database.read() as connection:
        return {one.ivoid: one for one in read_records(connection, source)}


def rr_rows(database):
    """All rows of all tables of the schema rr, as texts, in one order; how they are called here or there is left."""
    with database.owner() as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = 'rr' AND table_type = 'BASE TABLE' ORDER BY 1"
        ).fetchall()
        tables = {}
        for (name,) in names:
            found = connection.execute(
                sql.SQL('SELECT t::text FROM {} t ORDER BY t::text COLLATE "C"').format(sql.Identifier("rr", name))
            ).fetchall()
            tables[name] = [row for (row,) in found]
    return tables


def test_our_own_records_come_through_as_they_are(paged, empty, elsewhere):
    done = harvest(empty, elsewhere, f"{paged.url}/oai")
    ours, theirs = documents(paged.database, ""), documents(empty, f"{paged.url}/oai")
    assert done.pages == -(-len(ours) // 3) > 1
    assert (done.lines, done.is_complete, done.new) == ([], True, len(ours))
    assert set(theirs) == set(ours)
    for ivoid, one in theirs.items():
        mine = ours[ivoid]
        assert (one.identifier, one.status, one.created) == (mine.identifier, mine.status, mine.created)
        assert one.datestamp == mine.datestamp
        assert one.document == canonical(etree.fromstring(mine.document.encode()))
        assert one.document == canonical(etree.fromstring(one.document.encode()))  # canonical once and for all


def test_the_tables_of_the_registry_are_the_same_row_for_row(paged, empty, elsewhere):
    harvest(empty, elsewhere, f"{paged.url}/oai")
    ours, theirs = rr_rows(paged.database), rr_rows(empty)
    assert sum(map(len, ours.values())) > 500
    assert {name for name, rows in ours.items() if rows} >= SHOWN
    for name, rows in ours.items():
        assert theirs[name] == rows, name
    forget(empty, f"{paged.url}/oai")
    assert not any(rr_rows(empty).values())


def test_again_nothing_is_new(paged, empty, elsewhere):
    harvest(empty, elsewhere, f"{paged.url}/oai")
    again = harvest(empty, elsewhere, f"{paged.url}/oai")
    assert again.since is not None
    assert (again.new, again.changed, again.deleted, again.vanished) == (0, 0, 0, 0)


def test_what_is_published_anew_and_withdrawn_is_followed(settings, fresh_database, empty, elsewhere):
    source = fresh_database()
    own = settings.model_copy(update={"port": 0, "collections": ("demo",)})
    with running(own, source) as server:
        publish(own, source, server.url)
        first = harvest(empty, elsewhere, f"{server.url}/oai")
        moved = own.model_copy(update={"publisher": "Another publisher"})
        publish(moved, source, server.url)
        with source.owner() as connection:
            gone = find_record(connection, "ivo://vo-plates.example/demo")
            store(connection, [replace(gone, status="deleted", document=None)])
        again = harvest(empty, elsewhere, f"{server.url}/oai")
    assert first.new > 5
    assert (again.deleted, again.changed > 3) == (1, True)
    assert documents(empty, f"{server.url}/oai")["ivo://vo-plates.example/demo"].status == "deleted"


def test_a_server_does_not_harvest_itself(paged, settings):
    with pytest.raises(UsageFault, match="this server's own"):
        harvest(paged.database, settings.model_copy(update={"harvest_private": True}), f"{paged.url}/oai")
