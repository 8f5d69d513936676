"""Whose rows a query may see, and as whom it runs: a read-only role with limits, its own uploads and no others.

What an attacker may write anywhere (a query, names of columns and tables, what is said of columns) stays text.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psycopg
import pyarrow as pa
import pytest
from astropy.io import votable
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from lxml import etree
from patience import PATIENCE
from serving import Server, running

from vo.adql import Limits, compile_query
from vo.errors import Fault
from vo.metadata.fields import Catalogue, Field, Schema
from vo.tables.reading import IncomingTable
from vo.uploads.received import receive

MARKUP = "</TD><script>alert(1)</script><!-- ]]> & \" ' ; DROP TABLE ivoa.obscore; --"


def upload(name: str, content: bytes, media_type: str = "text/csv") -> list[tuple[str, object]]:
    return [("UPLOAD", (None, f"{name},param:file")), ("file", ("t", content, media_type))]


def ask(server: Server, query: str, files: list[tuple[str, object]] | None = None, form: str = "csv") -> httpx.Response:
    return server.client.post("/tap/sync", data={"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": form}, files=files)


def fault(response: httpx.Response) -> str:
    """The text of a fault of the user's."""
    assert response.status_code == 400, response.text
    (info,) = etree.fromstring(response.content).iterfind(".//{*}INFO[@name='QUERY_STATUS']")
    assert info.get("value") == "ERROR"
    return info.text


# -- as whom queries run


@contextmanager
def alone(server: Server, **changes: object) -> Iterator[Server]:
    """The same data, served by sessions of their own."""
    settings = server.settings.model_copy(update={"port": 0, **changes})
    database = dataclasses.replace(server.database, settings=settings)
    try:
        with running(settings, database) as own:
            yield own
    finally:
        database.close()


def sessions(server: Server, text: str) -> list[tuple[int, str, bool]]:
    """Process, role, and whether that is (a member of) the query role, of sessions whose last query begins so."""
    with psycopg.connect(server.database.admin_dsn) as admin:
        return admin.execute(
            "SELECT pid, usename::text, pg_has_role(usename, 'vo_query', 'MEMBER') FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE %s",
            (f"{text}%",),
        ).fetchall()


@pytest.mark.parametrize(
    ("path", "values", "files", "text"),
    [
        ("/tap/sync", {"QUERY": "SELECT s_dec, 4711 AS n FROM ivoa.obscore"}, None, "COPY (SELECT obscore.s_dec"),
        # the last statement of an upload's transaction
        ("/tap/sync", {"QUERY": "SELECT a, 4711 AS n FROM TAP_UPLOAD.t"}, upload("t", b"a\n1\n"), "ROLLBACK"),
        ("/sia2/query", {"POS": "CIRCLE 10 20 1"}, None, "COPY (SELECT obscore.dataproduct_type"),
    ],
    ids=["tap", "upload", "sia2"],
)
def test_queries_run_as_the_query_role_which_reads_only_for_a_while(server, path, values, files, text):
    settings = "transaction_read_only", "statement_timeout", "client_connection_check_interval", "temp_file_limit"
    shown = ", ".join(f"current_setting('{name}') AS {name}" for name in settings)
    with alone(server, query_connections=1, sync_seconds=7.5) as own:
        before = sessions(own, text)
        assert own.client.post(path, data=values, files=files).status_code == 200
        ((pid, role, is_query),) = [session for session in sessions(own, text) if session not in before]
        assert is_query
        assert role != "vo_service"
        with own.database.stream(f"SELECT pg_backend_pid() AS pid, {shown}", 7.5) as result:
            (row,) = pa.Table.from_batches(result).to_pylist()
    assert row == {
        "pid": pid,
        "transaction_read_only": "on",
        "statement_timeout": "7500ms",
        "client_connection_check_interval": "1s",
        "temp_file_limit": "20GB",
    }


# -- what a query can name

HIDDEN = [
    "pg_temp.u1",
    '"pg_temp"."u1"',
    "PG_TEMP.U1",
    "pg_temp_3.u1",
    "u1",
    '"u1"',
    "pg_catalog.pg_class",
    '"pg_catalog"."pg_class"',
    "pg_class",
    "pg_stat_activity",
    "information_schema.tables",
    '"information_schema"."columns"',
    "archive.product",
    "vo.collection",
    "vo.pg_temp.u1",
    '"ivoa.obscore"',
    'tap_upload."mine; SELECT 1"',
    "TAP_UPLOAD.other",
]
PLACES = [
    "SELECT * FROM {}",
    "SELECT m.id FROM TAP_UPLOAD.mine AS m JOIN {} AS x ON 1 = 1",
    "SELECT m.id FROM TAP_UPLOAD.mine AS m, {} AS x",
    "SELECT * FROM (SELECT * FROM {}) AS x",
    "SELECT id FROM TAP_UPLOAD.mine WHERE EXISTS (SELECT * FROM {})",
    "SELECT id FROM TAP_UPLOAD.mine WHERE id IN (SELECT 1 FROM {})",
    "SELECT id, (SELECT COUNT(*) FROM {}) FROM TAP_UPLOAD.mine",
    "WITH w AS (SELECT * FROM {}) SELECT * FROM w",
    "SELECT id FROM TAP_UPLOAD.mine UNION ALL SELECT 1 FROM {}",
]


@pytest.mark.parametrize("place", PLACES)
def test_tables_that_are_not_published_have_no_names(server, place):
    for name in HIDDEN:
        assert "there is no table" in fault(ask(server, place.format(name), upload("mine", b"id\n1\n"))), name


#: Words of PostgreSQL, by what they would give.
WORDS = (
    *("ctid", "xmin", "tableoid", "oid", "u1_1", "u1_1_o", '"u1_1"', "$1", "$$x$$", "E'\\\\047'", "U&'\\0027'"),
    *("pg_sleep(1)", "pg_catalog.pg_sleep(1)", "current_setting('port')", "version()", "current_user"),
    *("pg_read_file('PG_VERSION')", "lo_import('/etc/passwd')", "query_to_xml('SELECT 1', true, true, '')"),
    *(
        "vo.point_of_numbers(id)",
        "mine::text",
        "id::regclass",
        "m.*::text",
        "id; SELECT 1",
        "id /* */ FROM pg_class /*",
    ),
)


@pytest.mark.parametrize("word", WORDS)
def test_the_databases_own_words_are_no_words(server, word):
    response = ask(server, f"SELECT {word} FROM TAP_UPLOAD.mine AS m WHERE id = 1", upload("mine", b"id\n1\n"))
    assert fault(response)


def test_hidden_columns_are_none(server):
    for name in ("s_region_text", "t_range", "obscore", "ivoa.obscore"):
        assert fault(ask(server, f"SELECT {name} FROM ivoa.obscore"))


# -- uploads of many at once


def test_many_uploads_of_one_name_at_once_each_give_their_own_rows(server):
    """Twelve clients send tables of one name and other columns and rows, over and over, on few connections."""
    barrier = threading.Barrier(12)

    def client(number: int) -> list[str]:
        wrong = []
        barrier.wait(PATIENCE)
        with httpx.Client(base_url=own.url, timeout=PATIENCE, verify=False) as http:  # noqa: S501  plain HTTP
            for turn in range(12):
                count = 1 + (number * 7 + turn * 13) % 50
                marks = [f"c{number}t{turn}r{row}" for row in range(count)]
                table = "\n".join(["id,mark", *(f"{row},{mark}" for row, mark in enumerate(marks))]).encode()
                if number % 2:
                    table = b"pad," + table.replace(b"\n", b"\nx,")
                query = "SELECT a.mark FROM TAP_UPLOAD.mine AS a JOIN TAP_UPLOAD.mine AS b ON a.id = b.id ORDER BY a.id"
                data = {"QUERY": query, "FORMAT": "csv", "MAXREC": "100"}
                answer = http.post("/tap/sync", data=data, files=upload("mine", table))
                if answer.status_code != 200 or answer.text.split() != ["mark", *marks]:
                    wrong.append(f"{number}/{turn}: {answer.status_code} {answer.text[:300]}")
                if turn % 4 == 0:  # and who has no upload sees none
                    none = http.post("/tap/sync", data=data)
                    wrong += [] if none.status_code == 400 else [none.text[:300]]
        return wrong

    with (
        alone(server, query_connections=5, client_queries=5, query_wait_seconds=PATIENCE) as own,
        ThreadPoolExecutor(12) as pool,
    ):
        assert [line for wrong in pool.map(client, range(12)) for line in wrong] == []
    with psycopg.connect(server.database.admin_dsn) as admin:
        sql = "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relname ~ '^u[0-9]'"
        assert admin.execute(sql).fetchone() == (0,)


# -- names

#: What breaks out of quotes somewhere.
EVIL = (
    *('"', "'", '""', '";--', "'; DROP TABLE ivoa.obscore; --", "/*", "*/", "--", "\\", "\\'", '\\"', "$$", "$1"),
    *(
        "%s",
        "%(a)s",
        "{0}",
        "?",
        ":a",
        "<b>",
        "&amp;",
        "]]>",
        "a\0b",
        " ",
        "a b",
        "x" * 63,
        "x" * 64,
        "é" * 63,
        "x" * 3000,
    ),
    *(
        "\u02bc",
        "\uff02",
        "\uff07",
        "\u2019",
        "e\u0301",
        "\u202eevil",
        "\u200b",
        "\ufeff",
        "\u017f",
        "\u0130",
        "\U0001d518",
    ),
    *("ctid", "oid", "select", "u1_1", "u1", "tap_upload"),
)
NAMES = st.one_of(
    st.sampled_from(EVIL),
    st.text(st.sampled_from("\"'`;-/*\\$%{}()[]<>&,. \tabU0_é"), min_size=1, max_size=30),
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20),
    st.builds("".join, st.lists(st.sampled_from(EVIL), min_size=1, max_size=3)),
)
_QUOTED = re.compile(r'"(?:[^"]|"")*"' + r"|'(?:[^']|'')*'")


_WORD = re.compile("[a-z_][a-z0-9_]*")


def statement(name: str, query: str) -> str | None:
    """The SQL of a query of a table with a column of this name, without quoted things and with plain words alike."""
    incoming = IncomingTable((Field(name, "char", "*"), Field("n", "int")), iter(()))
    made = receive(incoming, "mine", 1)
    catalogue = Catalogue((Schema("tap_upload", (made.table,)),))
    quoted = '"' + name.replace('"', '""') + '"'
    try:
        compiled = compile_query(query.replace("{}", quoted), catalogue, max_rows=10, limits=Limits())
    except Fault:
        return None
    assert '"' not in "".join(column for column, _ in made.stored.sent)
    return _WORD.sub("w", _QUOTED.sub("w", compiled.sql))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM TAP_UPLOAD.mine",
        "SELECT {}, MAX(n) AS k FROM TAP_UPLOAD.mine AS {} WHERE {}.{} = 'a' GROUP BY {} ORDER BY {}",
        "SELECT {} FROM TAP_UPLOAD.mine AS a JOIN TAP_UPLOAD.mine AS b USING ({})",
        "WITH {} AS (SELECT {}, n FROM TAP_UPLOAD.mine) SELECT x.{} FROM {} AS x",
    ],
)
@given(NAMES)
@hypothesis_settings(max_examples=150, deadline=None)
def test_a_columns_name_never_stands_outside_of_quotes(query, name):
    plain = statement("plain", query)
    assert plain
    assert statement(name, query) in (None, plain)


def table_of(names: list[str]) -> bytes:
    """A VOTable with a column of each name, which says evil things of itself, and one row."""
    root = etree.Element("VOTABLE", version="1.4")
    table = etree.SubElement(etree.SubElement(root, "RESOURCE"), "TABLE")
    for name in names:
        field = etree.SubElement(table, "FIELD", name=name, datatype="char", arraysize="*", utype=MARKUP, unit="'<m>'")
        etree.SubElement(field, "DESCRIPTION").text = MARKUP
    row = etree.SubElement(etree.SubElement(etree.SubElement(table, "DATA"), "TABLEDATA"), "TR")
    for _ in names:
        etree.SubElement(row, "TD").text = MARKUP
    return etree.tostring(root)


@given(st.lists(NAMES, min_size=1, max_size=4))
@example(list(EVIL[:13]))
@hypothesis_settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_names_and_texts_go_through_the_database_as_they_are(server, names):
    try:
        content = table_of(names)
    except ValueError:  # XML cannot carry it
        content = ("\t".join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in names) + "\nx\n").encode()
        response = ask(server, "SELECT * FROM TAP_UPLOAD.mine", upload("mine", content, "text/tab-separated-values"))
        assert response.status_code in (200, 400)
        return
    response = ask(server, "SELECT * FROM TAP_UPLOAD.mine", upload("mine", content, "text/xml"), "votable")
    if response.status_code == 400:
        assert re.search(r"two columns|control characters|has no name", fault(response)), response.text
        return
    assert response.status_code == 200, response.text
    (table,) = votable.parse(io.BytesIO(response.content)).iter_tables()
    assert [field.name for field in table.fields] == [
        " ".join(name.split()) or f"column_{place}" for place, name in enumerate(names, 1)
    ]
    assert list(table.array[0]) == [MARKUP] * len(names)


@pytest.mark.parametrize(
    "name", ["a;b", "a b", 'a"b', "a'b", "pg_temp.u1", "ä", "", " ", "a\u0000", "x" * 101, "1a", "a-b", "a--", "a/*b*/"]
)
def test_tables_have_names_of_letters_alone(server, name):
    response = ask(server, "SELECT * FROM TAP_UPLOAD.a", upload(name, b"id\n1\n"))
    assert "UPLOAD" in fault(response) or "NUL" in fault(response)


def test_a_reserved_word_and_a_name_of_the_databases_own_are_names_like_others(server):
    for name in ("select", "u1", "pg_class", "tables", "x" * 100):
        response = ask(server, f'SELECT "id" FROM TAP_UPLOAD."{name}"', upload(name, b"id\n1\n"))
        assert response.text.split() == ["id", "1"], response.text


# -- what is said of columns


@pytest.mark.parametrize("form", ["votable", "votable/td", "votable/b", "json", "html"])
def test_markup_in_metadata_and_cells_stays_text(server, form):
    evil = "<img src=x onerror=alert(1)>"
    query = "SELECT * FROM TAP_UPLOAD.mine"
    response = ask(server, query, upload("mine", table_of([evil, "plain"]), "text/xml"), form)
    assert response.status_code == 200, response.text
    if form == "json":
        read = json.loads(response.content)
        fields = [(field["name"], field["description"]) for field in read["metadata"]["fields"]]
        assert fields == [(evil, MARKUP), ("plain", MARKUP)]
        assert read["data"] == [[MARKUP, MARKUP]]
    elif form == "html":
        page = etree.fromstring(response.content, etree.HTMLParser())
        assert list(page.iter("img")) == []
        assert [script for script in page.iter("script") if "alert" in (script.text or "")] == []
        assert [cell.text for cell in page.iterfind(".//tbody/tr/td")] == [MARKUP, MARKUP]
    else:
        (table,) = votable.parse(io.BytesIO(response.content)).iter_tables()
        assert [(field.name, field.description, field.utype) for field in table.fields] == [
            (evil, MARKUP, MARKUP),
            ("plain", MARKUP, MARKUP),
        ]
        assert list(table.array[0]) == [MARKUP, MARKUP]
        root = etree.fromstring(response.content)
        assert list(root.iter("{*}script")) == []
