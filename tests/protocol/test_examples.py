"""TAP's example queries: the page as clients and people read it, and every query run (DALI-19, DALI-20, TAP-06)."""

from __future__ import annotations

import csv
import io
from urllib.parse import parse_qs, urlsplit

import pytest
import pyvo
from lxml import etree
from pyvo_session import one_session
from serving import running

from vo.adql import compile_query
from vo.metadata.collection import list_collections, load_collection
from vo.metadata.examples import read_examples
from vo.settings import Settings
from vo.tap.examples import with_uploads

HTML = "{http://www.w3.org/1999/xhtml}"
STANDARD_ID = "ivo://ivoa.net/std/DALI#examples"

_SETTINGS = Settings(_env_file=None)
EXAMPLES = read_examples(_SETTINGS, tuple(load_collection(_SETTINGS, name) for name in list_collections(_SETTINGS)))

#: Collections whose plates the tests' server has; the others' tables are there, and empty.
LOADED = (None, "demo")


def examples_page(server):
    response = server.get("/tap/examples")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return etree.fromstring(response.content, etree.XMLParser(resolve_entities=False, no_network=True))


def text_of(element):
    assert len(element) == 0, f"markup within a property: {etree.tostring(element)}"
    assert not {"href", "src", "content"} & set(element.attrib)
    return element.text


def test_the_page_is_well_formed_and_has_the_vocabulary_once(server):
    root = examples_page(server)
    assert root.tag == f"{HTML}html"
    (scope,) = root.xpath("//*[@vocab]")
    assert scope.get("vocab") == "http://www.ivoa.net/rdf/examples#"
    assert set(root.xpath("//@property")) == {"name", "query", "table"}
    assert all(scope in element.iterancestors() for element in root.xpath("//*[@property or @typeof]"))


def test_clients_find_every_example_that_adql_20_has(server):
    root = examples_page(server)
    read = {}
    for element in root.xpath("//*[@typeof='example']"):
        assert element.get("resource") == f"#{element.get('id')}"
        (name,) = element.xpath(".//*[@property='name']")
        (query,) = element.xpath(".//*[@property='query']")
        tables = tuple(text_of(table) for table in element.xpath(".//*[@property='table']"))
        read[element.get("id")] = (text_of(name), text_of(query), tables)
    assert read == {one.id: (one.name, one.query, one.tables) for one in EXAMPLES if one.adql == "2.0"}


def test_people_find_every_example(server):
    root = examples_page(server)
    for example in EXAMPLES:
        (element,) = root.xpath("//*[@id=$id]", id=example.id)
        assert next(pre.text for pre in element.iter(f"{HTML}pre")) == example.query
        assert element.findtext(f"{HTML}h3") == example.name
        assert root.xpath("//*[@href=$place]", place=f"#{example.id}")


def test_a_link_runs_each_query(server):
    root = examples_page(server)
    for example in EXAMPLES:
        (element,) = root.xpath("//*[@id=$id]", id=example.id)
        links = element.xpath(".//*[starts-with(., 'Run')]/@href")
        if example.uploads:
            assert not links
            continue
        (link,) = links
        asked = parse_qs(urlsplit(link).query)
        assert link.startswith(f"{server.url}/tap/sync?")
        assert asked == {"LANG": ["ADQL"], "MAXREC": ["100"], "RESPONSEFORMAT": ["html"], "QUERY": [example.query]}


def test_what_has_to_be_uploaded_is_shown_as_csv(server):
    root = examples_page(server)
    for example in EXAMPLES:
        (element,) = root.xpath("//*[@id=$id]", id=example.id)
        _, *shown = [pre.text for pre in element.iter(f"{HTML}pre")]
        assert len(shown) == len(example.uploads)
        for text, upload in zip(shown, example.uploads, strict=True):
            columns, *rows = csv.reader(io.StringIO(text))
            assert tuple(columns) == upload.columns
            assert tuple(tuple(map(float, row)) for row in rows) == upload.rows


@pytest.mark.parametrize("example", [one for one in EXAMPLES if not one.uploads], ids=lambda one: one.id)
def test_each_query_runs(registered, example):
    response = registered.query(example.query, FORMAT="csv", MAXREC=5)
    assert response.status_code == 200, response.text
    rows = list(csv.reader(io.StringIO(response.text)))[1:]
    assert rows or example.collection not in LOADED


@pytest.mark.parametrize("example", [one for one in EXAMPLES if one.uploads], ids=lambda one: one.id)
def test_each_query_with_an_upload_runs_on_the_rows_it_shows(server, catalogue, example):
    compiled = compile_query(example.query, with_uploads(catalogue, example.uploads), max_rows=5)
    with server.database.owner() as connection:
        connection.execute("CREATE SCHEMA tap_upload")
        for upload in example.uploads:
            columns = ", ".join(f"{name} float8" for name in upload.columns)
            connection.execute(f"CREATE TABLE tap_upload.{upload.name} ({columns})")
            values = ", ".join(["%s"] * len(upload.columns))
            for row in upload.rows:
                connection.execute(f"INSERT INTO tap_upload.{upload.name} VALUES ({values})", row)
        rows = connection.execute(compiled.sql).fetchall()
        connection.rollback()
    assert rows or example.collection not in LOADED


def test_pyvo_reads_them(server):
    with one_session():
        found = pyvo.dal.TAPService(f"{server.url}/tap").examples
    assert [one["QUERY"] for one in found] == [one.query for one in EXAMPLES if one.adql == "2.0"]


def test_the_page_says_what_adql_can_do(server):
    text = " ".join(examples_page(server).itertext())
    assert "ivo_to_mjd(d TIMESTAMP) -> DOUBLE PRECISION" in text
    assert "TABLESAMPLE" in text


def test_capabilities_name_the_examples(server):
    root = etree.fromstring(server.get("/tap/capabilities").content)
    (own,) = (one for one in root.iterfind("capability") if one.get("standardID") == STANDARD_ID)
    assert own.findtext("interface/accessURL") == f"{server.url}/tap/examples"
    assert own.find("interface").get("{http://www.w3.org/2001/XMLSchema-instance}type") == "vr:WebBrowser"


def test_the_front_page_has_a_form_and_leads_to_the_examples(server):
    page = server.get("/").text
    root = etree.fromstring(page.encode(), etree.HTMLParser())
    (form,) = root.xpath("//form[contains(@action, '/tap/sync')]")
    assert form.findtext(".//textarea").strip() == EXAMPLES[0].query
    fields = {field.get("name"): field.get("value") for field in form.xpath(".//input")}
    assert fields == {"LANG": "ADQL", "MAXREC": "100", "RESPONSEFORMAT": "html"}
    assert f"{server.url}/tap/examples" in root.xpath("//a/@href")


def test_without_examples_there_is_neither_page_nor_capability(settings, database, tmp_path):
    for name in list_collections(settings):
        (tmp_path / name).mkdir()
        for path in (settings.resources_dir / name).iterdir():
            if path.name != "examples.adql":
                (tmp_path / name / path.name).write_bytes(path.read_bytes())
    bare = settings.model_copy(update={"port": 0, "resources_dir": tmp_path})
    with running(bare, database) as server:
        missing = server.get("/tap/examples")
        assert missing.status_code == 404
        assert "/tap/tables" in missing.text
        assert STANDARD_ID not in server.get("/tap/capabilities").text
        front = server.get("/").text
        assert "/tap/examples" not in front
        assert "SELECT TOP 10 * FROM ivoa.obscore" in front
