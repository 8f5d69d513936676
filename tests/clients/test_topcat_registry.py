"""What TOPCAT and STILTS ask a registry, sent by STILTS' own TAP client.

STILTS' task ``regquery`` speaks the SOAP interface of the IVOA's first registries, which RegTAP has replaced and no
server here offers. TOPCAT's dialogs ask RegTAP: the texts below are what its classes RegTapRegistryQuery (dialogs of
cone search, SIA, SSA and TAP) and Regtap12ServiceFinder (the TAP window's search for services) put together.
"""

from __future__ import annotations

import csv
import io

import documents_by_hand as by_hand
import pytest
import stilts
from serving import running

from vo.registry.store import store

AUX = by_hand.capability("ivo://ivoa.net/std/TAP#aux", "http://127.0.0.1:1/tap")
DOCUMENTS = (
    by_hand.resource(
        "vs:CatalogService", "ivo://Test.Example/TAP", "The Dome's glass",
        by_hand.capability("ivo://ivoa.net/std/TAP", "http://127.0.0.1:1/tap", "tr:TableAccess")
        + by_hand.tables("tap_schema", "tables"),
        content="<subject>Photographic plates</subject>",
    ),
    by_hand.resource(
        "vs:CatalogResource", "ivo://Test.Example/north", "Boreal glass",
        AUX + by_hand.tables("north", "plates", "emulsions"),
        relation=by_hand.relation("served-by", "ivo://Test.Example/TAP"),
    ),
    by_hand.resource(
        "vs:CatalogService", "ivo://Other.Example/cone", "Other glass",
        by_hand.capability("ivo://ivoa.net/std/ConeSearch", "http://127.0.0.1:1/cone?", "cs:ConeSearch"),
    ),
)  # fmt: skip

_COLUMNS = (
    "SELECT ivoid, short_name, res_title, reference_url, base_role, role_name, email, intf_index, access_url,"
    " standard_id, cap_type, cap_description, std_version, res_subjects"
)
_ROLES = (
    " NATURAL LEFT OUTER JOIN rr.res_role NATURAL LEFT OUTER JOIN (SELECT ivoid, ivo_string_agg(res_subject, ', ') AS"
    " res_subjects FROM rr.res_subject GROUP BY ivoid) AS sbj WHERE (base_role='contact' OR base_role='publisher' OR"
    " base_role IS NULL)"
)


def dialog(standard: str, condition: str = "") -> str:
    """The question of TOPCAT's dialogs for services of a standard."""
    return (
        f"{_COLUMNS} FROM rr.resource AS res NATURAL JOIN rr.interface NATURAL JOIN rr.capability{_ROLES}"
        f" AND standard_id IN ('{standard}') AND intf_role='std'{condition}"
    )


#: The words of the dialog's field, looked for in all of the record's fields.
GLASS = (
    " AND ((1=ivo_nocasematch(short_name, '%{0}%') OR 1=ivo_hasword(res_title, '{0}') OR"
    " 1=ivo_hasword(res_subjects, '{0}') OR 1=ivo_nocasematch(ivoid, '%{0}%') OR"
    " (base_role='publisher' AND 1=ivo_nocasematch(role_name, '%{0}%')) OR 1=ivo_hasword(res_description, '{0}')))"
)

ALL_SERVICES = """SELECT ivoid, short_name, res_title, res_description, access_url, ntable
FROM (
   SELECT svcid AS ivoid, COUNT(*) AS ntable
   FROM rr.tap_table
   GROUP BY svcid
) AS tt
NATURAL JOIN rr.resource
NATURAL JOIN rr.capability
NATURAL JOIN rr.interface
WHERE standard_id = 'ivo://ivoa.net/std/tap'
  AND intf_type = 'vs:paramhttp'
ORDER BY ntable DESC"""

TABLES = """SELECT svcid, table_name, table_description
FROM rr.tap_table
WHERE (table_name ILIKE '%{0}%' OR 1=ivo_hasword(table_description, '{0}'))"""

#: RegistryQuery.getSearchableRegistries
REGISTRIES = (
    "SELECT access_url FROM rr.interface NATURAL JOIN rr.capability NATURAL JOIN rr.res_detail WHERE"
    " standard_id='ivo://ivoa.net/std/tap' AND intf_role='std' AND detail_xpath='/capability/dataModel/@ivo-id'  AND"
    " 1=ivo_nocasematch(detail_value, 'ivo://ivoa.net/std/regtap#1.0')"
)


@pytest.fixture(scope="module")
def ask(fresh_database, settings):
    """Send ADQL by STILTS, get rows of texts."""
    database = fresh_database()
    with database.owner() as connection:
        assert store(connection, [by_hand.record(document) for document in DOCUMENTS]) == ()
    with running(settings.model_copy(update={"port": 0}), database) as server:

        def send(adql: str) -> list[dict[str, str]]:
            done = stilts.run("tapquery", f"tapurl={server.url}/tap", f"adql={adql}", "sync=true", "ofmt=csv")
            return list(csv.DictReader(io.StringIO(done.stdout.decode())))

        yield send


def test_the_dialog_of_tap_services(ask):
    rows = ask(dialog("ivo://ivoa.net/std/tap"))
    assert {(row["ivoid"], row["base_role"], row["role_name"]) for row in rows} == {
        ("ivo://test.example/tap", "contact", "Help Desk"),
        ("ivo://test.example/tap", "publisher", "The Observatory"),
    }
    assert {row["access_url"] for row in rows} == {"http://127.0.0.1:1/tap"}
    assert {frozenset(row["res_subjects"].split(", ")) for row in rows} == {
        frozenset({"sky-surveys", "Photographic plates"})
    }


@pytest.mark.parametrize(
    ("standard", "word", "expected"),
    [
        ("tap", "glass", {"ivo://test.example/tap"}),
        ("tap", "plates", {"ivo://test.example/tap"}),
        ("tap", "other", set()),
        ("conesearch", "OBSERVATORY", {"ivo://other.example/cone"}),
        ("conesearch", "test", set()),
    ],
)
def test_words_in_the_dialogs(ask, standard, word, expected):
    rows = ask(dialog(f"ivo://ivoa.net/std/{standard}", GLASS.format(word)))
    assert {row["ivoid"] for row in rows} == expected


def test_the_tap_window_finds_services_with_the_number_of_their_tables(ask):
    assert [(row["ivoid"], row["access_url"], row["ntable"]) for row in ask(ALL_SERVICES)] == [
        ("ivo://test.example/tap", "http://127.0.0.1:1/tap", "3"),
    ]


def test_the_tap_window_finds_tables_by_words(ask):
    found = ask(TABLES.format("plates"))
    assert [(row["svcid"], row["table_name"]) for row in found] == [("ivo://test.example/tap", "north.plates")]
    assert ask(TABLES.format("quasar")) == []


def test_other_registries(ask):
    assert ask(REGISTRIES) == []
