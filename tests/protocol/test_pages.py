"""The pages for people: what they show is there, and every link on them leads somewhere."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import lxml.html
import pytest


def page(server, path, status=200):
    response = server.get(path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return lxml.html.fromstring(response.text)


def plates(server, condition="TRUE"):
    with server.database.read() as connection:
        rows = connection.execute(
            f"SELECT DISTINCT plate_id FROM archive.product JOIN archive.plate p USING (collection, plate_id) "
            f"WHERE collection = 'demo' AND location IS NOT NULL AND {condition} ORDER BY plate_id"
        ).fetchall()
    return [row[0] for row in rows]


def count(server, sql):
    with server.database.read() as connection:
        return connection.execute(sql).fetchone()[0]


def test_the_front_page_counts_what_is_published(server):
    root = page(server, "/")
    (card,) = (one for one in root.find_class("card") if "/collections/demo" in lxml.html.tostring(one).decode())
    numbers = [int(one.text.replace(",", "")) for one in card.xpath(".//dl[@class='counts']//dd")[:4]]
    assert numbers == [
        count(server, "SELECT count(*) FROM archive.plate WHERE collection = 'demo'"),
        count(server, "SELECT count(DISTINCT plate_id) FROM archive.scan WHERE collection = 'demo'"),
        count(server, "SELECT count(*) FROM archive.exposure WHERE collection = 'demo'"),
        count(server, "SELECT count(*) FROM archive.exposure WHERE collection = 'demo' AND has_imaging"),
    ]
    assert card.find_class("badge")[0].text == "synthetic"


def test_what_the_front_page_offers_to_paste_works(server):
    texts = [one.text_content() for one in page(server, "/").find_class("copy")]
    assert f"{server.url}/tap" in texts
    (adql,) = (text for text in texts if text.startswith("SELECT * FROM ivoa.obscore"))
    lines = server.query(adql, FORMAT="csv").text.splitlines()
    assert len(lines) > 1, "the example finds something"
    (aladin,) = (text for text in texts if "/sia2/query?" in text)
    assert b"<TR>" in server.client.get(f"{aladin}&RESPONSEFORMAT=votable/td").content
    (python,) = (text for text in texts if text.startswith("import pyvo"))
    printed: list[str] = []
    exec(compile(python, "front page", "exec"), {"print": lambda *values: printed.append(str(values))})  # noqa: S102 - our own text
    assert "#this" in printed[-1]


def test_every_link_of_the_pages_leads_somewhere(server):
    (plate,) = plates(server, "role = 'preview'")[:1]
    seen: set[str] = set()
    for path in ("/", "/collections/demo", f"/plates/demo/{plate}"):
        root = page(server, path)
        addresses = [*root.xpath("//@href"), *root.xpath("//@src")]
        assert addresses
        for address in addresses:
            if address.startswith("#"):
                assert root.get_element_by_id(address[1:]) is not None
                continue
            url = urljoin(f"{server.url}{path}", address)
            if url in seen or urlsplit(url).scheme in ("data", "mailto"):
                continue
            seen.add(url)
            assert url.startswith(server.url), f"{path} loads or links {url}: pages have to work offline"
            assert server.client.head(url.partition("#")[0], follow_redirects=True).status_code == 200, url
            place = url.partition("#")[2]
            if place and url.startswith(f"{server.url}{path}") and "?" not in url:
                assert root.get_element_by_id(place) is not None


def test_pages_but_those_of_plates_run_no_scripts_and_load_nothing_from_elsewhere(server):
    response = server.get("/")
    assert "<script" not in response.text
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert server.get("/static/vo.css").headers["content-type"].startswith("text/css")


def test_each_plate_with_files_has_a_page(server):
    found = plates(server)
    assert len(found) >= 10
    for plate in found:
        root = page(server, f"/plates/demo/{plate}")
        assert plate in root.findtext(".//h1")
        expected = count(server, f"SELECT count(*) FROM archive.exposure WHERE plate_id = '{plate}'")
        assert len(root.xpath("//tr[starts-with(@id, 'exposure-')]")) == expected
        for image in root.xpath("//img/@src | //image/@href"):
            response = server.client.get(image, follow_redirects=True)
            assert response.headers["content-type"] == "image/jpeg"


def test_a_plate_shows_its_footprints(server):
    (plate,) = plates(server, "role = 'fits'")[:1]
    root = page(server, f"/plates/demo/{plate}")
    drawn = root.xpath("//*[local-name()='svg'][@class='sky']//*[@class='outline']")
    known = count(server, f"SELECT count(*) FROM demo.plates WHERE plate_id = '{plate}' AND s_region IS NOT NULL")
    assert len(drawn) == known > 0


def test_the_cutout_form_cuts(server):
    for plate in plates(server, "role IN ('fits', 'fits_binned')"):
        forms = page(server, f"/plates/demo/{plate}").xpath("//form[contains(@action, '/soda/sync')]")
        for form in forms:
            values = {field.name: field.value for field in form.inputs if field.name}
            response = server.client.get(form.action, params=values)
            assert response.status_code == 200, response.text
            assert response.content.startswith(b"SIMPLE  =")
            break
        else:
            continue
        return
    pytest.fail("no plate offers a cutout")


def test_the_form_takes_the_exposure_that_was_chosen(server):
    for plate in plates(server, "role IN ('fits', 'fits_binned')"):
        links = page(server, f"/plates/demo/{plate}").xpath("//a[text()='cut out']/@href")
        if len(links) < 2:
            continue
        chosen = []
        for link in links:
            root = page(server, f"/plates/demo/{plate}{link.partition('#')[0]}")
            (form,) = root.xpath("//form[contains(@action, '/soda/sync')]")
            chosen.append((form.fields["ID"], form.fields["CIRCLE"]))
        assert len(set(chosen)) == len(links)
        return
    pytest.fail("no plate has two exposures that can be cut")


def test_an_unscanned_plate_says_so(server):
    with server.database.read() as connection:
        (plate,) = connection.execute(
            "SELECT plate_id FROM archive.plate WHERE collection = 'demo' AND plate_id NOT IN "
            "(SELECT plate_id FROM archive.scan) LIMIT 1"
        ).fetchone()
    assert "has not been scanned" in page(server, f"/plates/demo/{plate}").text_content()


def test_all_plates_are_listed_page_by_page(server):
    listed: list[str] = []
    path = "/collections/demo"
    while path:
        root = page(server, path)
        listed += root.xpath("//tbody/tr/td[1]/a/text()")
        following = root.xpath("//a[@rel='next']/@href")
        path = following[0].removeprefix(server.url) if following else None
    assert len(listed) == len(set(listed))
    assert len(listed) == count(server, "SELECT count(*) FROM archive.plate WHERE collection = 'demo'")


def test_search_finds_a_part_of_an_id_in_any_case(server):
    (plate,) = plates(server)[:1]
    root = page(server, f"/collections/demo?search={plate[1:].upper()}")
    assert plate in root.xpath("//tbody/tr/td[1]/a/text()")
    assert "No plate id contains" in page(server, "/collections/demo?search=no%25such_plate").text_content()


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "' OR 1=1 --", "%", "\0", "\ud7ff", "x" * 5000])
def test_what_people_type_stays_text(server, text):
    response = server.client.get("/collections/demo", params={"search": text, "after": text})
    assert response.status_code == 200
    assert "<script" not in response.text
    response = server.client.get("/plates/demo/" + re.sub(r"[/?#]", "_", text).replace("\0", "%00"))
    assert response.status_code == 404
    assert "<script" not in response.text


@pytest.mark.parametrize("path", ["/nothing", "/plates/demo/none", "/plates/none/none", "/collections/none"])
def test_what_is_not_there_is_a_page_that_leads_back(server, path):
    root = page(server, path, 404)
    assert root.findtext(".//h1")
    assert f"{server.url}/" in root.xpath("//a/@href")
