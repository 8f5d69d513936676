"""Pages of registry records: each leads to its record, tells all of it, and runs nothing of it."""

from __future__ import annotations

import datetime as dt

import lxml.html
import pytest
from lxml import etree
from serving import running

from vo.db.registry import Record, read_records
from vo.registry.store import store

NOW = dt.datetime(2026, 2, 3, 4, 5, 6)  # noqa: DTZ001 - as the database has them

EVIL = """<ri:Resource xmlns:ri="http://www.ivoa.net/xml/RegistryInterface/v1.0"
 xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xmlns:h="http://www.w3.org/1999/xhtml" xsi:type="vs:CatalogResource" status="active"
 created="2020-01-01T00:00:00Z" updated="2020-01-01T00:00:00Z">
<title>&lt;script&gt;alert(1)&lt;/script&gt; &amp; "quotes' </title><identifier>ivo://Elsewhere.example/Evil</identifier>
<curation><publisher>&lt;img src=x onerror=alert(2)&gt;</publisher><contact><name>x</name></contact></curation>
<content><subject>"&gt;&lt;svg onload=alert(3)&gt;</subject>
<description>comets {{ 7 * 7 }}<h:script>alert(4)</h:script></description>
<referenceURL>javascript:alert(5)</referenceURL>
<relationship><relationshipType>IsServedBy</relationshipType><relatedResource ivo-id="ivo://x/&quot;y">a</relatedResource>
</relationship></content>
<rights rightsURI="javascript:alert(6)">mine</rights>
<coverage><spatial>6/9999999</spatial><temporal>1 1e99</temporal></coverage></ri:Resource>"""


def record(identifier, document, source="http://elsewhere.example/oai", status="active"):
    return Record(identifier, source, status, NOW, NOW, "digest", document)


@pytest.fixture(scope="module")
def strange(fresh_database, settings):
    """A server whose registry has a record of somebody who means no good, a deleted one, and many others."""
    database = fresh_database()
    plain = EVIL[: EVIL.index("<title>")] + "<title>Many {0}</title><identifier>ivo://many.example/{0}</identifier>"
    plain += "<content><description>x</description></content></ri:Resource>"
    many = [record(f"ivo://many.example/{n}", plain.format(n)) for n in range(120)]
    with database.owner() as connection:
        store(connection, [record("ivo://Elsewhere.example/Evil", EVIL), *many])
        store(connection, [record(f"ivo://{settings.authority}/gone", None, "", "deleted")])
    with running(settings.model_copy(update={"port": 0}), database) as started:
        yield started


def page(server, path, status=200):
    response = server.get(path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    if status != 404:  # of which vo.dali.faults makes the page
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "script-src" not in response.headers["content-security-policy"]
    return lxml.html.fromstring(response.text)


def test_every_record_is_listed_and_has_a_page(registered):
    root = page(registered, "/records")
    with registered.database.read() as connection:
        records = [one for one in read_records(connection) if one.document]
    assert len(records) >= 7
    listed = {row.findtext(".//code"): row.find(".//a").get("href") for row in root.xpath("//tbody/tr")}
    assert set(listed) == {one.identifier for one in records}
    for one in records:
        document = etree.fromstring(one.document.encode())
        shown = page(registered, listed[one.identifier].removeprefix(registered.url))
        assert shown.findtext(".//h1") == document.findtext("title")
        text = shown.text_content()
        assert one.identifier in text
        for name in ("curation/publisher", "capability/interface/accessURL", "tableset/schema/table/name", "rights"):
            assert all(told.text in text for told in document.iterfind(name)), (one.identifier, name)
        assert len(shown.find_class("allsky")) == (document.find("coverage/spatial") is not None)


def test_referenceurls_lead_to_pages_of_their_records(registered):
    """REC-05; a collection may have a page elsewhere."""
    with registered.database.read() as connection:
        documents = [etree.fromstring(one.document.encode()) for one in read_records(connection) if one.document]
    own = [one for one in documents if one.findtext("content/referenceURL").startswith(f"{registered.url}/records/")]
    assert len(own) >= 6
    for one in own:
        shown = page(registered, one.findtext("content/referenceURL").removeprefix(registered.url))
        assert one.findtext("identifier") in shown.text_content()


def test_links_within_the_server_lead_somewhere(registered):
    for path in ("/records", "/records/demo", "/records/tap", "/records/authority", "/collections/demo"):
        for address in page(registered, path).xpath("//a/@href"):
            if address.startswith(registered.url):
                found = registered.client.head(address.partition("#")[0], follow_redirects=True)
                assert found.status_code == 200, (path, address)


def test_a_collections_page_leads_to_its_record_and_back(registered):
    links = page(registered, "/collections/demo").xpath("//a/@href")
    assert f"{registered.url}/records/demo" in links
    assert f"{registered.url}/collections/demo" in page(registered, "/records/demo").xpath("//a/@href")
    assert f"{registered.url}/records" in page(registered, "/").xpath("//a/@href")


def test_exposures_are_drawn_by_year(registered):
    (drawing,) = page(registered, "/records/demo").find_class("years")
    with registered.database.read() as connection:
        times = [mjd for (mjd,) in connection.execute("SELECT t_min FROM demo.plates WHERE t_min IS NOT NULL")]
    years = [(dt.date(1858, 11, 17) + dt.timedelta(int(mjd // 1))).year for mjd in times]
    titles = [title.text for title in drawing.iter("title")]
    assert titles == [
        f"{year}: {n} exposure{'s' if n > 1 else ''}" for year in sorted({*years}) if (n := years.count(year))
    ]


def test_the_record_itself_is_xml(registered):
    response = registered.get("/records/demo", format="xml")
    assert response.headers["content-type"] == "application/xml; charset=utf-8"
    assert etree.fromstring(response.content).findtext("identifier").endswith("/demo")


@pytest.mark.parametrize(
    ("words", "least", "most"), [("DEMO plates", 1, 20), ("authority naming", 1, 1), ("zzz", 0, 0)]
)
def test_words_find_records(registered, words, least, most):
    rows = page(registered, f"/records?search={words}").xpath("//tbody/tr")
    assert least <= len(rows) <= most


def test_an_ivoid_leads_to_its_page(registered, strange):
    for server, ivoid, path in (
        (registered, f"ivo://{registered.settings.authority}/tap", "/records/tap"),
        (registered, f"ivo://{registered.settings.authority}", "/records/authority"),
        (strange, "ivo://elsewhere.example/evil", "/records/elsewhere.example/evil"),
    ):
        response = server.get("/records", ivoid=ivoid)
        assert (response.status_code, response.headers["location"]) == (303, f"{server.url}{path}")
        assert server.get(path).status_code == 200


def test_a_deleted_record_is_gone(strange):
    root = page(strange, "/records/gone", 410)
    assert "2026-02-03" in root.text_content()


def test_an_unknown_record_is_not_found(strange):
    for path in ("/records/nothing", "/records/a%00b", "/records/" + "x" * 3000):
        assert "no such record" in page(strange, path, 404).text_content().lower()


def test_nothing_of_a_record_becomes_markup(strange):
    root = page(strange, "/records/elsewhere.example/Evil")
    assert not root.xpath("//script | //img | //*[@onerror] | //*[@onload]")
    assert not [href for href in root.xpath("//@href") if "javascript" in href.lower()]
    assert root.findtext(".//h1").startswith("<script>alert(1)</script> & \"quotes'")
    assert "{{ 7 * 7 }}" in root.text_content()
    assert "cannot be read" in root.text_content(), "a MOC with cells that there are not"
    listed = page(strange, "/records?search=alert%20comets")
    assert not listed.xpath("//script")
    assert len(listed.xpath("//tbody/tr")) == 1


def test_the_xml_of_a_record_runs_no_script(strange):
    response = strange.get("/records/elsewhere.example/Evil", format="xml")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert response.headers["x-content-type-options"] == "nosniff"


def test_long_lists_have_pages(strange):
    seen, path = [], "/records"
    while path:
        root = page(strange, path)
        seen += [row.findtext(".//code") for row in root.xpath("//tbody/tr")]
        path = next(iter(root.xpath("//a[@rel='next']/@href")), "").removeprefix(strange.url)
    assert len(seen) == len(set(seen)) == 121


def test_without_records_the_list_says_how_to_make_some(fresh_database, settings):
    with running(settings.model_copy(update={"port": 0}), fresh_database()) as server:
        assert "vo publish" in page(server, "/records").text_content()
