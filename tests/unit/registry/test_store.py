"""Records and the rows of RegTAP that are made from them, in one database."""

from __future__ import annotations

import itertools

import documents_by_hand as by_hand
import pytest

from vo.db.registry import read_records
from vo.errors import OperatorFault
from vo.registry import store as storing
from vo.registry.regtap.sheet import TABLES
from vo.registry.store import refill, store

TAP = by_hand.resource(
    "vs:CatalogService", "ivo://Test.Example/TAP", "The TAP service",
    by_hand.capability(
        "ivo://ivoa.net/std/TAP", "http://127.0.0.1/tap", "tr:TableAccess",
        '<dataModel ivo-id="ivo://ivoa.net/std/ObsCore#core-1.1">ObsCore-1.1</dataModel>'
        '<dataModel ivo-id="ivo://ivoa.net/std/Other#1.0">Other</dataModel>',
    )
    + by_hand.tables("ivoa", "obscore", utype="ivo://ivoa.net/std/ObsCore#table-1.1", columns=by_hand.column("ra")),
)  # fmt: skip
OBSCORE = by_hand.tables("ivoa", "obscore", utype="ivo://ivoa.net/std/ObsCore#table-1.1")
AUX = by_hand.capability("ivo://ivoa.net/std/TAP#aux", "http://127.0.0.1/tap")
BY_RELATION = by_hand.resource(
    "vs:CatalogResource", "ivo://test.example/obscore", "ObsCore", OBSCORE,
    relation=by_hand.relation("IsServedBy", "ivo://test.example/tap"),
)  # fmt: skip
BY_ADDRESS = by_hand.resource("vs:CatalogResource", "ivo://test.example/obscore", "ObsCore", AUX + OBSCORE)
UNRELATED = by_hand.resource("vs:CatalogResource", "ivo://test.example/obscore", "ObsCore", OBSCORE)


@pytest.fixture
def own(fresh_database):
    return fresh_database()


def put(database, *documents: str, **words: str) -> tuple[str, ...]:
    with database.owner() as connection:
        return store(connection, [by_hand.record(document, **words) for document in documents])


def everything(database) -> dict[str, list[str]]:
    with database.read() as connection:
        return {
            table: sorted(row[0] for row in connection.execute(f"SELECT t::text FROM rr.{table} t"))
            for table in (*TABLES, "tap_table")
        }


def data_models(database) -> list[str]:
    with database.read() as connection:
        rows = connection.execute(
            "SELECT detail_value FROM rr.res_detail WHERE detail_xpath = '/capability/dataModel/@ivo-id' ORDER BY 1"
        )
        return [row[0] for row in rows]


def test_a_record_stored_again_or_another_way_leaves_the_same_rows(own, fresh_database):
    put(own, TAP, BY_ADDRESS)
    once = everything(own)
    assert all(once[table] for table in ("resource", "interface", "table_column", "stc_spatial", "tap_table"))
    put(own, TAP)
    put(own, BY_ADDRESS, TAP, BY_ADDRESS)
    assert everything(own) == once
    other = fresh_database()
    put(other, BY_ADDRESS, source="http://elsewhere/oai")
    put(other, TAP, source="http://elsewhere/oai")
    assert everything(other) == once


def test_rr_is_made_anew_from_the_stored_records(own, monkeypatch):
    put(own, TAP)
    put(own, BY_ADDRESS, source="http://elsewhere/oai")
    once = everything(own)
    with own.owner() as connection:
        connection.execute("DELETE FROM rr.interface")
        connection.execute("UPDATE rr.resource SET res_title = 'as an older version read it'")
    monkeypatch.setattr(storing, "_CHUNK", 1)
    with own.owner() as connection:
        assert list(refill(connection)) == []
    assert everything(own) == once


@pytest.mark.parametrize("status", ["deleted", "inactive"])
def test_what_is_not_active_is_in_no_table(own, status):
    put(own, TAP, BY_ADDRESS)
    put(own, TAP, BY_ADDRESS, status=status)
    assert everything(own) == {table: [] for table in (*TABLES, "tap_table")}
    with own.read() as connection:
        assert {one.status for one in read_records(connection)} == {status}


@pytest.mark.parametrize("record", [BY_RELATION, BY_ADDRESS], ids=["relation", "address"])
def test_the_data_model_obscore_is_left_out_while_a_record_describes_the_table(own, record):
    both = ["ivo://ivoa.net/std/ObsCore#core-1.1", "ivo://ivoa.net/std/Other#1.0"]
    put(own, TAP)
    assert data_models(own) == both
    put(own, record)
    assert data_models(own) == both[1:]
    put(own, TAP)
    assert data_models(own) == both[1:]
    put(own, UNRELATED)
    assert data_models(own) == both
    put(own, record)
    put(own, record, status="deleted")
    assert data_models(own) == both
    put(own, record)
    put(own, TAP, status="deleted")
    assert data_models(own) == []


def test_no_order_of_loading_matters(fresh_database):
    found = []
    for order in itertools.permutations((TAP, BY_RELATION, TAP.replace("/TAP<", "/TAP2<"))):
        database = fresh_database()
        for document in order:
            put(database, document)
        found.append(everything(database))
    assert all(one == found[0] for one in found)


def test_tables_of_a_service_are_listed_once_and_by_the_record_that_says_most(own):
    related = by_hand.relation("IsServedBy", "ivo://test.example/tap")
    collection = by_hand.resource(
        "vs:CatalogResource", "ivo://test.example/c", "C", AUX + by_hand.tables("c", "plates"), relation=related
    )
    again = collection.replace("test.example/c<", "test.example/d<")
    not_aux = by_hand.resource(
        "vs:CatalogResource", "ivo://test.example/e", "E", by_hand.tables("e", "plates"), relation=related
    )
    put(own, TAP, collection, again, not_aux)
    with own.read() as connection:
        rows = connection.execute("SELECT table_name, resid, svcid FROM rr.tap_table ORDER BY 1").fetchall()
    assert rows == [
        ("c.plates", "ivo://test.example/c", "ivo://test.example/tap"),
        ("ivoa.obscore", "ivo://test.example/tap", "ivo://test.example/tap"),
    ]


def test_troubles_are_told_with_their_record(own):
    document = by_hand.resource("vs:CatalogResource", "ivo://a.b/C", "C", by_hand.coverage("nonsense"))
    (trouble,) = put(own, document, TAP)
    assert trouble.startswith("ivo://a.b/c: the spatial coverage cannot be read: ")
    with own.read() as connection:
        assert connection.execute("SELECT count(*) FROM rr.stc_spatial WHERE coverage IS NULL").fetchone() == (2,)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("<Resource", "ivo://a/b: the record is no XML"),
        ("<Resource/>", "ivo://a/b: the record has no identifier"),
        ("<Resource><identifier>ivo://a/c</identifier></Resource>", "ivo://a/b: the record says that it is ivo://a/c"),
    ],
)
def test_a_document_that_is_no_record_is_refused_before_anything_is_written(own, document, text):
    from dataclasses import replace

    wrong = replace(by_hand.record(by_hand.resource("vs:X", "ivo://a/b", "B")), document=document)
    with pytest.raises(OperatorFault, match=text), own.owner() as connection:
        store(connection, [by_hand.record(TAP), wrong])
    assert everything(own)["resource"] == []


def test_old_databases_get_the_schema(own, catalogue):
    from vo.db.migrate import initialise

    with own.owner() as connection:
        connection.execute("DROP SCHEMA rr CASCADE")
        connection.execute("DELETE FROM vo.applied WHERE name LIKE 'rr.%' OR name LIKE '170%'")
        connection.execute("DELETE FROM tap_schema.columns WHERE table_name LIKE 'rr.%'")
    initialise(own, catalogue)
    put(own, TAP, BY_ADDRESS)
    before = everything(own)
    initialise(own, catalogue)
    assert everything(own) == before
    with own.stream("SELECT ivoid FROM rr.resource", 10) as batches:
        assert sum(batch.num_rows for batch in batches) == 2


def test_words_of_titles_are_found_by_an_index(own, catalogue):
    from vo.adql import compile_query
    from vo.db.advice import indexed_forms

    asked = compile_query("SELECT ivoid FROM rr.resource WHERE 1 = ivo_hasword(res_title, 'TAP')", catalogue)
    with own.owner() as connection:
        store(connection, [by_hand.record(TAP)])
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {asked.sql}"))
        assert connection.execute(asked.sql).fetchall() == [("ivo://test.example/tap",)]
    assert "resource_title_words" in plan
    assert "1 = ivo_hasword(res_title, '...')" in list(indexed_forms(catalogue.by_name["rr.resource"]))
