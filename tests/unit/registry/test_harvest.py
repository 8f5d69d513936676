"""Harvesting over real HTTP from a registry whose records were written by hand."""

from __future__ import annotations

import csv
import datetime as dt
import re

import psycopg
import pytest
from registries import Registry, deleted, record, resource, serving

from vo.db.endpoints import read_endpoints
from vo.db.registry import Record, find_record, read_records, write_records
from vo.errors import LimitFault, NotFoundFault, TransientFault, UsageFault
from vo.registry.harvest.client import Client
from vo.registry.harvest.run import forget
from vo.registry.harvest.run import harvest as run

A, B, C, D = (f"ivo://observatory.example/{name}" for name in "abcd")
LATER = "2022-06-01T00:00:00Z"


@pytest.fixture(scope="module")
def database(fresh_database):
    return fresh_database()


@pytest.fixture(scope="module")
def open_settings(settings):
    return settings.model_copy(update={"harvest_private": True})


@pytest.fixture(autouse=True)
def empty(database):
    with database.owner() as connection:
        connection.execute("DELETE FROM registry.record")
        connection.execute("DELETE FROM registry.endpoint")


@pytest.fixture
def harvest(database, open_settings):
    def ask(registry, **options):
        settings = open_settings.model_copy(update=options.pop("update", {}))
        return run(database, settings, registry.url, **options)

    return ask


def held(database, source=None):
    """What the database has: status and title of each record by its identifier."""
    with database.read() as connection:
        return {
            one.ivoid: one.status if one.document is None else re.search("<title>(.*?)</title>", one.document)[1]
            for one in read_records(connection, source)
        }


def kinds(done):
    return [(line.identifier, line.what, line.kind) for line in done.lines]


def test_records_come_page_by_page_with_their_namespaces(database, harvest):
    names = [f"ivo://observatory.example/p{number}" for number in range(7)]
    with serving(Registry([record(name) for name in names], page_size=3, packed=True)) as registry:
        done = harvest(registry)
        assert (done.pages, done.read, done.new, done.is_complete) == (3, 7, 7, True)
        assert done.report is None
        assert registry.lists() == [
            {"verb": "ListRecords", "metadataPrefix": "ivo_vor", "set": "ivo_managed"},
            {"verb": "ListRecords", "resumptionToken": "3"},
            {"verb": "ListRecords", "resumptionToken": "6"},
        ]
    with database.read() as connection:
        one = find_record(connection, names[0].upper())
    assert (one.source, one.status, one.identifier) == (registry.url, "active", names[0])
    assert one.created == dt.datetime(2020, 1, 2, 3, 4, 5)  # noqa: DTZ001 - times of records have no zone
    assert one.datestamp == dt.datetime(2021, 1, 2, 3, 4, 5)  # noqa: DTZ001 - the same
    assert 'xsi:type="vs:CatalogResource"' in one.document  # the page called it data:
    assert 'xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1"' in one.document
    assert "oai" not in one.document
    assert "Glass plates &amp; films." in one.document


def test_what_changed_since_is_asked_for(database, harvest):
    with serving(Registry([record(A), record(B), record(C)])) as registry:
        assert harvest(registry).new == 3
        registry.records = [
            record(A),
            record(B, LATER, title="Better plates"),
            deleted(C, LATER),
            record(D, LATER),
            deleted("ivo://observatory.example/never", LATER),
        ]
        registry.answered = "2022-07-01T00:00:00Z"
        done = harvest(registry)
        assert registry.lists()[-1]["from"] == "2022-01-01T00:00:00Z"  # when the first was answered
        assert (done.read, done.new, done.changed, done.deleted) == (4, 1, 1, 2)
        assert held(database) == {
            A: "Plates of the observatory",
            B: "Better plates",
            C: "deleted",
            D: held(database)[D],
        }
        done = harvest(registry)
        assert registry.lists()[-1]["from"] == "2022-07-01T00:00:00Z"
        assert (done.read, done.is_complete) == (0, True)
        done = harvest(registry, anew=True)
        assert "from" not in registry.lists()[-1]
        assert (done.read, done.new, done.same, done.since) == (5, 0, 3, None)


def test_days_are_asked_for_where_an_endpoint_knows_no_seconds(harvest):
    with serving(Registry([record(A, "2021-01-02")], granularity="YYYY-MM-DD")) as registry:
        harvest(registry)
        harvest(registry)
        assert registry.lists()[-1]["from"] == "2022-01-01"


def test_an_endpoint_that_tells_no_deletions_is_read_whole_and_what_vanished_goes(database, harvest):
    with serving(Registry([record(A), record(B)], deletes="no")) as registry:
        harvest(registry)
        registry.records = [record(A)]
        done = harvest(registry)
        assert "from" not in registry.lists()[-1]
        assert (done.same, done.vanished) == (1, 1)
        assert held(database)[B] == "deleted"
        registry.records = [record(A), record(B)]
        assert harvest(registry).new == 1
        registry.records = []
        done = harvest(registry)  # an accident there rather than a decision
        assert done.vanished == 0
        assert "the 2 that it had are kept" in done.kept


def test_a_record_that_cannot_be_read_did_not_vanish(database, harvest):
    with serving(Registry([record(A), record(B)], deletes="no")) as registry:
        harvest(registry)
        registry.records[1] = record(B, title="")
        done = harvest(registry)
        assert (done.vanished, kinds(done)) == (0, [(B, "refused", "no resource")])
        assert held(database)[B] == "Plates of the observatory"


@pytest.mark.parametrize(
    ("wanted", "sets", "asked"),
    [(None, (), None), (None, ("other",), None), ("other", ("ivo_managed",), "other"), ("", ("ivo_managed",), None)],
)
def test_sets(harvest, wanted, sets, asked):
    with serving(Registry([record(A)], sets=sets)) as registry:
        assert harvest(registry, wanted_set=wanted).new == 1
        assert registry.lists()[0].get("set") == asked


def test_another_set_is_another_list(database, harvest):
    with serving(Registry([record(A), record(B)])) as registry:
        harvest(registry)
        registry.records = [record(B)]
        done = harvest(registry, wanted_set="fewer")
        assert "from" not in registry.lists()[-1]
        assert done.vanished == 1


def test_a_record_that_says_itself_that_it_is_deleted(database, harvest):
    gone = record(A, LATER, content=resource(A).replace('status="active"', 'status="deleted"'))
    with serving(Registry([record(A), record(B)])) as registry:
        harvest(registry)
        registry.records = [gone, record(C, LATER, content=resource(C).replace('"active"', '"inactive"'))]
        done = harvest(registry)
    assert (done.deleted, done.new) == (1, 1)
    with database.read() as connection:
        assert [find_record(connection, one).status for one in (A, B, C)] == ["deleted", "active", "inactive"]


BAD = {
    "no identifier": record("http://observatory.example/b"),
    "no date": record(B, "yesterday"),
    "no status": record(B, content=resource(B).replace('"active"', '"retired"')),
    "another identifier": record(B, content=resource(C)),
    "two identifiers": record(B, content=resource(B).replace("</title>", f"</title><identifier>{C}</identifier>")),
    "no title": record(B, title=" "),
    "no type": record(B, content=resource(B).replace('xsi:type="data:CatalogResource"', "")),
    "a type of nothing": record(B, kind="nothing:Known"),
    "Dublin Core": record(B, content='<dc xmlns="http://www.openarchives.org/OAI/2.0/oai_dc/"/>'),
    "nothing": record(B, content=""),
    "two resources": record(B, content=resource(B) * 2),
    "OAI-PMH's own namespace": record(
        B, content=resource(B).replace("<ri:Resource", '<ri:Resource xmlns="http://www.openarchives.org/OAI/2.0/"')
    ),
    "a date that is none": record(B, content=resource(B).replace("2020-01-02", "2020-13-02")),
}


@pytest.mark.parametrize("what", BAD)
def test_a_broken_record_is_reported_and_the_rest_loaded(database, harvest, what):
    with serving(Registry([record(A), BAD[what], record(C)])) as registry:
        done = harvest(registry)
    assert set(held(database)) == {A, C}
    assert (done.new, done.is_complete, len(done.lines)) == (2, True, 1)
    with done.report.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["what"] == "refused"
    assert row["page"] == "1"
    assert row["identifier"] in (B, "http://observatory.example/b")
    assert len(row["reason"]) >= 15


MANGLED = {
    "an unclosed tag": ("<title>Middle</title>", "<title>Middle"),
    "a bare ampersand": ("Middle", "Middle & more"),
    "a byte of another encoding": ("Middle", "M\xefddle"),
    "a control character": ("Middle", "Mid\x07dle"),
    "no end of its own": ("</oai:metadata></oai:record>", ""),
    "half of it": ("</curation>", ""),
    "an undefined entity": ("Middle", "Middle&nbsp;"),
}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("what", MANGLED)
def test_of_a_mangled_page_the_other_records_are_used(database, harvest, what, place):
    """Wherever the broken one stands: its neighbours, the token behind it and the next page are read."""
    before, after = MANGLED[what]
    names = [A, B, C]

    def mangle(number, page):
        begin = page.index(f"<oai:record><oai:header><oai:identifier>{names[place]}") if number == 1 else 0
        broken = page[:begin] + page[begin:].replace(before, after, 1)
        return broken.encode("latin-1") if number == 1 else page

    records = [record(name, title="Middle") for name in (*names, D)]
    with serving(Registry(records, page_size=3, mangle=mangle, deletes="no")) as registry:
        done = harvest(registry)
        left = {*names, D} - {names[place]}
        assert set(held(database)) == left
        assert kinds(done) == [(names[place], "refused", "no XML")]
        assert (done.pages, done.is_complete) == (2, False)
        registry.mangle = lambda _number, page: page
        again = harvest(registry)
        assert "from" not in registry.lists()[-2]  # the date did not move
        assert (again.new, again.same, again.is_complete) == (1, 3, True)
        registry.mangle = mangle
        third = harvest(registry)
        assert third.vanished == 0
        assert "kept" in third.kept
        assert names[place] in held(database)


@pytest.mark.parametrize(
    "mangle",
    [
        lambda page: page.encode()[: page.index("</oai:ListRecords>")],
        lambda page: page.encode()[: page.index("</oai:ListRecords>") - 30],
        lambda page: page.replace("Plates", "&").encode("utf-16"),
        lambda page: page.replace("<oai:ListRecords>", "<oai:ListRecords"),
        lambda page: page.replace("responseDate>", "responsedate>").replace("Plates", "&"),
        lambda _page: b"<html><body>Down for maintenance<br></body></html>",
        lambda _page: b"",
        lambda page: page.replace("?>", '?><!DOCTYPE x [<!ENTITY a "aaaa">]>'),
        lambda page: page.replace("?>", '?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>').replace(
            "Plates", "&a;"
        ),
    ],
)
def test_a_page_that_cannot_be_mended_ends_the_harvest_and_what_came_before_stays(database, harvest, mangle):
    records = [record(A), record(B), record(C)]
    with serving(
        Registry(records, page_size=2, mangle=lambda number, page: mangle(page) if number == 2 else page)
    ) as registry:
        with pytest.raises(UsageFault):
            harvest(registry)
        assert set(held(database)) == {A, B}
        with database.read() as connection:
            ((endpoint, count),) = read_endpoints(connection)
        assert (endpoint.is_complete, endpoint.harvested, count) == (False, None, 2)
        registry.mangle = lambda _number, page: page
        assert harvest(registry).new == 1


def test_a_list_that_goes_round_in_a_circle(harvest):
    with (
        serving(Registry([record(A), record(B), record(C)], page_size=1, token_of=lambda n: str(n % 2))) as registry,
        pytest.raises(UsageFault, match="round in a circle"),
    ):
        harvest(registry)


@pytest.mark.parametrize(
    ("update", "says"),
    [
        ({"harvest_pages": 2}, "more than 2 pages"),
        ({"harvest_records": 2}, "more than 2 records"),
        ({"harvest_bytes": 1500}, "larger than the 1500 bytes"),
        ({"harvest_private": False}, "VO_HARVEST_PRIVATE"),
    ],
)
def test_limits(harvest, update, says):
    with (
        serving(Registry([record(A), record(B), record(C)], page_size=1)) as registry,
        pytest.raises(UsageFault, match=says),
    ):
        harvest(registry, update=update)


def test_a_server_that_asks_for_patience_gets_it(database, open_settings):
    paused = []
    turns = iter([(503, {"Retry-After": "7"}), (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), None])
    registry = Registry([record(A)], refuse=lambda asked: next(turns) if asked["verb"] == "ListRecords" else None)
    with serving(registry):
        done = run(database, open_settings, registry.url, client=Client(registry.url, open_settings, paused.append))
    assert done.new == 1
    assert paused == [7.0, 1.0]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((503, {"Retry-After": "601"}), "VO_HARVEST_WAIT_SECONDS"),
        ((503, {}), "status 503"),
        ((503, {"Retry-After": "soon"}), "status 503"),
        ((404, {"Retry-After": "1"}), "status 404"),
    ],
)
def test_patience_has_an_end(harvest, answer, says):
    with serving(Registry(refuse=lambda _asked: answer)) as registry, pytest.raises(UsageFault, match=says):
        harvest(registry)


def test_redirects_are_followed_by_hand(harvest):
    with serving(Registry([record(A)])) as there:
        moved = Registry(
            refuse=lambda asked: (302, {"Location": f"{there.url}?{'&'.join(f'{a}={b}' for a, b in asked.items())}"})
        )
        with serving(moved):
            assert harvest(moved).new == 1


@pytest.mark.parametrize(
    "url", ["ftp://observatory.example/oai", "file:///etc/passwd", "observatory.example", "http:///x"]
)
def test_addresses_of_http_alone(database, open_settings, url):
    with pytest.raises(UsageFault, match="no http or https address"):
        run(database, open_settings, url)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("2.0</oai:protocolVersion>", "1.1</oai:protocolVersion>"), "OAI-PMH 1.1"),
        (("oai:OAI-PMH", "oai:OAI"), "no OAI-PMH 2.0"),
        (("oai:Identify", "oai:Other"), "no Identify"),
        (("<oai:Identify>", '<oai:error code="badVerb">what?</oai:error><oai:Identify>'), "badVerb: what?"),
    ],
)
def test_what_is_no_endpoint(harvest, monkeypatch, change, says):
    registry = Registry([record(A)])
    whole = registry._page
    monkeypatch.setattr(registry, "_page", lambda content: whole(content).replace(*change))
    with serving(registry), pytest.raises(UsageFault, match=re.escape(says)):
        harvest(registry)


# -- whose a record is


def own(database, ivoid):
    stamp = dt.datetime(2020, 1, 1)  # noqa: DTZ001 - times of records have no zone
    with database.owner() as connection:
        write_records(connection, [Record(ivoid, "", "active", stamp, stamp, "x", "<title>ours</title>")])


def test_our_own_records_are_never_overwritten(database, harvest):
    own(database, "ivo://elsewhere.example/ours")
    wrong = ["ivo://VO-plates.example/tap", "ivo://elsewhere.example/OURS", "ivo://third.example/coll"]
    with serving(
        Registry([record(A), *map(record, wrong), deleted("ivo://vo-plates.example/sia2", LATER)])
    ) as registry:
        done = harvest(registry, own_ivoids=["ivo://third.example/Coll"])
    assert held(database) == {A: held(database)[A], "ivo://elsewhere.example/ours": "ours"}
    assert [one[2] for one in kinds(done)] == ["one of our own"] * 4


def test_a_server_does_not_harvest_itself(harvest):
    with (
        serving(Registry([record(A)], authority="vo-plates.example")) as registry,
        pytest.raises(UsageFault, match="this server's own"),
    ):
        harvest(registry)


def test_who_came_first_has_a_record_unless_the_other_manages_it(database, harvest):
    shared = record(A)
    with serving(Registry([shared], authority="aggregator.example", sets=())) as first:
        harvest(first)
        with serving(Registry([shared], authority="third.example", sets=())) as second:
            assert kinds(harvest(second)) == [(A, "refused", "of another registry")]
        with serving(Registry([record(A, title="From its own registry")])) as manager:
            done = harvest(manager)
            assert kinds(done) == [(A, "noted", "taken over")]
            assert held(database, manager.url) == {A: "From its own registry"}
            assert kinds(harvest(first, anew=True)) == [(A, "refused", "of another registry")]
            manager.records = [deleted(A, LATER)]
            harvest(manager)
            assert kinds(harvest(first, anew=True)) == []  # who managed it has given it up
            assert held(database, first.url) == {A: "Plates of the observatory"}


def test_a_record_outside_of_what_its_registry_manages_is_told(harvest):
    with serving(Registry([record("ivo://stranger.example/x")])) as registry:
        done = harvest(registry)
    assert (done.new, kinds(done)) == (1, [("ivo://stranger.example/x", "noted", "not its authority")])


def test_a_registry_under_two_addresses_is_told(harvest):
    with serving(Registry([record(A)])) as registry:
        harvest(registry)
        with serving(Registry([record(A)])) as same, pytest.raises(UsageFault, match=r"harvested at .* already"):
            harvest(same)


def test_listed_twice_the_later_one_is_used(database, harvest):
    with serving(Registry([record(A), record(A, title="Again")])) as registry:
        done = harvest(registry)
    assert (kinds(done), held(database)) == ([(A, "noted", "listed twice")], {A: "Again"})


def test_what_cannot_be_stored_is_reported_and_the_rest_stored(database, harvest, monkeypatch):
    from vo.registry.harvest import run as module

    real = module.store

    def picky(connection, records):
        troubles = real(connection, records)
        if any(one.identifier == B for one in records):
            raise UsageFault("its tables have columns without names")
        return troubles

    monkeypatch.setattr(module, "store", picky)
    with serving(Registry([record(A), record(B), record(C)])) as registry:
        done = harvest(registry)
    assert (done.new, kinds(done)) == (2, [(B, "refused", "cannot be stored")])
    assert set(held(database)) == {A, C}


def test_what_of_a_record_is_not_searchable_is_told(database, harvest):
    """The record itself is there; its coverage is none that RegTAP could search."""
    wrong = record(A, more="<coverage><spatial>6/nowhere</spatial></coverage>")
    with serving(Registry([wrong, record(B)])) as registry:
        done = harvest(registry)
    assert set(held(database)) == {A, B}
    assert (done.new, kinds(done)) == (2, [(A, "noted", "not all of it is searchable")])
    assert "coverage" in done.lines[0].reason or "spatial" in done.lines[0].reason


def test_forget(database, harvest):
    with serving(Registry([record(A), record(B)])) as registry:
        harvest(registry)
        assert forget(database, registry.url) == 2
        assert held(database) == {}
        with pytest.raises(NotFoundFault, match="nothing was harvested"):
            forget(database, registry.url)
        assert harvest(registry).new == 2


def test_progress_counts_records(harvest):
    told = []
    with serving(Registry([record(A), record(B), record(C)], page_size=2)) as registry:
        harvest(registry, progress=lambda *one: told.append(one))
    assert told == [("records", 2, 3), ("records", 3, 3)]


def test_too_long_a_wait_is_a_limit(harvest):
    with (
        serving(Registry(refuse=lambda _asked: (503, {"Retry-After": "99999"}))) as registry,
        pytest.raises(LimitFault),
    ):
        harvest(registry)


def test_trouble_of_the_database_costs_no_record(harvest, database, monkeypatch):
    """A full disk is no fault of a record: the harvest ends there, and the next one asks for all of it again."""
    from vo.registry.harvest import run as module

    def full(_connection, _records):
        raise psycopg.errors.DiskFull("could not extend file")

    with serving(Registry([record(A), record(B)])) as registry:
        with monkeypatch.context() as patched:
            patched.setattr(module, "store", full)
            with pytest.raises(TransientFault):
                harvest(registry)
        assert held(database) == {}
        done = harvest(registry)
    assert (done.since, done.new, kinds(done)) == (None, 2, [])
