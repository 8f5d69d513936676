"""Published records against the server that they are of: every address in them answers, every document is valid."""

from __future__ import annotations

import pytest
import xsd
from lxml import etree

from vo.db.registry import read_records

TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
VOSI = "ivo://ivoa.net/std/VOSI#capabilities"
TABLES = "ivo://ivoa.net/std/VOSI#tables-1.1"

#: Addresses that need parameters answer without any by a fault of their protocol (DALI 1.1, section 4.2).
NEEDY = {"/datalink/links": 200, "/soda/sync": 400}


@pytest.fixture(scope="module")
def records(registered):
    with registered.database.read() as connection:
        return {one.identifier: etree.fromstring(one.document) for one in read_records(connection)}


def addresses(records) -> dict[str, tuple[str, str]]:
    """Every accessURL, with the standard and the use that it is told for."""
    return {
        url.text: (capability.get("standardID"), url.get("use"))
        for root in records.values()
        for capability in root.iter("capability")
        for url in capability.iterfind("interface/accessURL")
    }


def test_every_record_is_valid_oai_13(records):
    for root in records.values():
        xsd.validate(etree.tostring(root))


def test_every_address_in_the_records_answers(registered, records):
    told = addresses(records)
    assert len(told) >= 12
    for url, (standard, _) in told.items():
        assert url.startswith(f"{registered.url}/"), url
        answer = registered.client.get(url, follow_redirects=True)
        wanted = NEEDY.get(url.removeprefix(registered.url), 200)
        assert answer.status_code == wanted, f"{standard} at {url}: {answer.status_code} {answer.text[:200]}"


def test_what_needs_parameters_answers_with_them(registered):
    did = registered.query("SELECT TOP 1 obs_publisher_did FROM ivoa.obscore", RESPONSEFORMAT="csv").text.split()[1]
    assert registered.get("/datalink/links", ID=did).status_code == 200
    assert registered.get("/sia2/query", POS="CIRCLE 10 10 1").status_code == 200


def test_each_capabilities_document_says_what_the_record_says(registered, records):
    """Capabilities of the service itself, one for one; and each document is valid."""
    for name in ("tap", "sia2"):
        root = records[f"ivo://vo-plates.example/{name}"]
        mine = {one.get("standardID"): texts(one) for one in root.iterfind("capability")}
        (url,) = (one for one, (standard, _) in addresses({name: root}).items() if standard == VOSI)
        document = xsd.validate(registered.client.get(url).content)
        for one in document.iterfind("capability"):
            assert mine[one.get("standardID")] == texts(one)


def texts(element: etree._Element) -> list[tuple[str, str]]:
    return [(one.tag, (one.text or "").strip()) for one in element.iter()]


def test_the_tables_document_is_valid_and_has_the_records_tables(registered, records):
    root = records["ivo://vo-plates.example/tap"]
    (url,) = (one for one, (standard, _) in addresses({"tap": root}).items() if standard == TABLES)
    document = xsd.validate(registered.client.get(url).content)
    names = [one.text for one in document.iterfind("schema/table/name")]
    assert names == [one.text for one in root.iterfind("tableset/schema/table/name")]


def test_facilities_and_instruments_are_those_of_obscore_vds_03(registered, records):
    root = records["ivo://vo-plates.example/demo"]
    for element in ("facility", "instrument"):
        lines = registered.query(
            f"SELECT DISTINCT {element}_name FROM demo.plates WHERE {element}_name IS NOT NULL", RESPONSEFORMAT="csv"
        ).text.splitlines()[1:]
        assert sorted(one.text for one in root.iterfind(element)) == sorted(line.strip('"') for line in lines)
        assert lines


def test_numbers_of_rows_are_those_of_the_tables_vds_11(registered, records):
    for table in records["ivo://vo-plates.example/tap"].iterfind("tableset/schema/table"):
        name, rows = table.findtext("name"), table.findtext("nrows")
        if rows is None:
            assert name.split(".")[0] in ("rr", "tap_schema")
            continue
        counted = registered.query(f"SELECT count(*) AS n FROM {name}", RESPONSEFORMAT="csv").text.split()[1]
        assert counted == rows, name


def test_every_reference_url_of_ours_is_the_page_of_that_resource_rec_05(registered, records):
    pages = {name: root.findtext("content/referenceURL") for name, root in records.items()}
    ours = {name: url for name, url in pages.items() if url.startswith(registered.url)}
    assert {"ivo://vo-plates.example", "ivo://vo-plates.example/tap", "ivo://vo-plates.example/demo"} <= set(ours)
    for name, url in ours.items():
        answer = registered.client.get(url)
        assert answer.status_code == 200, url
        assert answer.headers["content-type"].startswith("text/html")
        title = etree.fromstring(answer.content, etree.HTMLParser()).findtext(".//h1")
        assert title.split() == records[name].findtext("title").split()
