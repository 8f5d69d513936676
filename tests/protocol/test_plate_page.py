"""The page of a plate: what is drawn on its picture, by astropy's reading of the scans, and what it lists."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import lxml.html
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from lxml import etree

SVG = "{http://www.w3.org/2000/svg}"
SOLVED = ["comet_1941", "pole", "ra_zero", "wide", "eleven", "two_fields", "mirrored", "tpv", "sip", "rice"]
KEYS = " ABCDEFGHIJK"


def page(server, plate, **values):
    response = server.get(f"/plates/demo/{plate}", **values)
    assert response.status_code == 200, response.text
    return lxml.html.fromstring(response.text)


def scan(server, plate):
    """The header of the scan's FITS file, as astropy reads it."""
    with server.database.read() as connection:
        location, hdu = connection.execute(
            "SELECT location, hdu FROM archive.product WHERE collection = 'demo' AND plate_id = %s AND role = 'fits'",
            (plate,),
        ).fetchone()
    with fits.open(unquote(urlsplit(location).path)) as hdus:
        return hdus[hdu].header.copy()


def picture(root):
    (found,) = root.xpath("//svg[@id='plate']")
    return found


def points(path):
    return [np.array(re.findall(r"-?[0-9.]+", part), dtype=float).reshape(-1, 2) for part in path.split("M")[1:]]


def lines(root):
    """The grid: {(is_ra, degrees): parts}."""
    found = {}
    for path in root.xpath("//g[@id='lines']/path"):
        name = path.findtext("title")
        numbers = {unit: float(number) for number, unit in re.findall("([0-9.]+)([hms°\N{PRIME}″])", name)}
        if name.startswith("right"):
            value = 15 * (numbers["h"] + numbers.get("m", 0) / 60 + numbers.get("s", 0) / 3600)
        else:
            value = numbers["°"] + numbers.get("\N{PRIME}", 0) / 60 + numbers.get("″", 0) / 3600
            value *= -1 if "\N{MINUS SIGN}" in name else 1
        found[name.startswith("right"), value] = points(path.get("d"))
    return found


def distance(point, parts):
    """From a point to the nearest of some lines."""
    nearest = np.inf
    for part in parts:
        start, step = part[:-1], np.diff(part, axis=0)
        share = np.clip(((point - start) * step).sum(axis=1) / (step**2).sum(axis=1).clip(1e-12), 0, 1)
        nearest = min(nearest, np.hypot(*(start + share[:, None] * step - point).T).min())
    return nearest


def to_preview(x, y, header):
    """FITS pixels (from 1) on a preview whose longer side has 1000 pixels, from its upper left corner."""
    width, height = header["NAXIS1"], header["NAXIS2"]
    scale = 1000 / max(width, height)
    return np.stack([(np.asarray(x) - 0.5) * scale, (height + 0.5 - np.asarray(y)) * scale], axis=-1)


@pytest.mark.parametrize("plate", SOLVED)
def test_lines_cross_where_astropy_has_the_positions(server, plate):
    header = scan(server, plate)
    truth = WCS(header)
    grid = lines(page(server, plate))
    checked = 0
    for ra in (value for is_ra, value in grid if is_ra):
        for dec in (value for is_ra, value in grid if not is_ra):
            with np.errstate(invalid="ignore"):
                x, y = truth.all_world2pix(ra, dec, 1, quiet=True)
            if not (1 <= x <= header["NAXIS1"] and 1 <= y <= header["NAXIS2"]):
                continue
            back = truth.all_pix2world(x, y, 1)
            if not np.isclose(back[1], dec, atol=1e-3):
                continue  # the other side of the sky
            place = to_preview(x, y, header)
            assert distance(place, grid[True, ra]) < 0.5
            assert distance(place, grid[False, dec]) < 0.5
            checked += 1
    assert checked >= 6


@pytest.mark.parametrize(("plate", "chosen"), [("eleven", 1), ("eleven", 6), ("two_fields", 1), ("two_fields", 2)])
def test_fields_of_other_exposures_lie_where_astropy_has_them(server, plate, chosen):
    header = scan(server, plate)
    truth = [WCS(header, key=key) for key in KEYS if f"CRVAL1{key.strip()}" in header]
    root = page(server, plate, exposure=str(chosen))
    width, height = header["NAXIS1"], header["NAXIS2"]
    corners = np.array([[0.5, 0.5], [width + 0.5, 0.5], [width + 0.5, height + 0.5], [0.5, height + 0.5]])
    seen = 0
    for index, other in enumerate(truth):
        paths = root.xpath(f"//path[@id='field-{index}']/@d")
        if not paths:
            continue
        vertices = np.concatenate(points(paths[0]))
        ra, dec = other.all_pix2world(*corners.T, 1)
        wanted = to_preview(*truth[chosen - 1].all_world2pix(ra, dec, 1), header)
        for corner in wanted:
            # Within the margin around the plate all of an outline is drawn.
            if -50 <= corner[0] <= width * 1000 / max(width, height) + 50 and -50 <= corner[1] <= 1050:
                assert np.hypot(*(vertices - corner).T).min() < 0.5
                seen += 1
    assert seen >= (20 if plate == "eleven" else 5)
    own = root.xpath("//use[contains(@class, ' own')]/@href")
    assert own == [f"#field-{chosen - 1}"]


@pytest.mark.parametrize("plate", SOLVED)
def test_a_pixel_lies_where_astropy_has_it(server, plate):
    header = scan(server, plate)
    for number, key in enumerate(key for key in KEYS if f"CRVAL1{key.strip()}" in header):
        truth = WCS(header, key=key)
        for share in ((0.1, 0.1), (0.93, 0.4), (0.5, 0.5)):
            x, y = share[0] * header["NAXIS1"], share[1] * header["NAXIS2"]
            found = server.get(f"/plates/demo/{plate}/at", exposure=str(number + 1), x=str(x), y=str(y)).json()
            back = truth.all_world2pix(found["ra"], found["dec"], 1)
            assert np.hypot(back[0] - x, back[1] - y) < 0.01
            assert np.hypot(*(np.array(found["mark"]) - to_preview(x, y, header))) < 0.02


def test_eleven_exposures_have_eleven_skies_at_a_pixel_and_the_same_sky_at_eleven(server):
    header = scan(server, "eleven")
    found = server.get("/plates/demo/eleven/at", exposure="4", x="700.25", y="900.5").json()
    assert len(found["elsewhere"]) == 10
    for one in found["elsewhere"]:
        truth = WCS(header, key=KEYS[int(one["exposure"]) - 1])
        assert (one["ra"], one["dec"]) == pytest.approx(tuple(map(float, truth.all_pix2world(700.25, 900.5, 1))))
        x, y = truth.all_world2pix(found["ra"], found["dec"], 1)
        assert np.hypot(one["x"] - x, one["y"] - y) < 0.01
    assert len({one["dec"] for one in found["elsewhere"]} | {found["dec"]}) == 11


def test_the_cutout_of_a_pixel_contains_it(server):
    found = server.get("/plates/demo/two_fields/at", exposure="2", x="300", y="1500", radius="0.1").json()
    response = server.client.get(found["fits"])
    assert response.status_code == 200
    header = fits.Header.fromstring(response.content[:28_800].decode("ascii", "replace"))
    x, y = WCS(header).all_world2pix(found["ra"], found["dec"], 1)
    assert abs(x - header["NAXIS1"] / 2) < 2
    assert abs(y - header["NAXIS2"] / 2) < 2


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/plates/demo/eleven/at", 400),
        ("/plates/demo/eleven/at?x=1", 400),
        ("/plates/demo/eleven/at?x=1&y=9999", 400),
        ("/plates/demo/eleven/at?x=<script>&y=1", 400),
        ("/plates/demo/eleven/at?x=1&y=1&exposure=99", 404),
        ("/plates/demo/unsolved/at?x=1&y=1", 404),
        ("/plates/demo/unscanned/at?x=1&y=1", 404),
        ("/plates/demo/nothing/at?x=1&y=1", 404),
        ("/plates/nothing/eleven/at?x=1&y=1", 404),
    ],
)
def test_what_cannot_be_answered_is_told_in_json(server, path, status):
    response = server.client.get(path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.json()["error"]


def test_a_plate_whose_id_ends_like_the_address(server):
    assert "No plate &#39;eleven/at&#39;" in server.client.get("/plates/demo/eleven%2Fat").text


@pytest.mark.parametrize("values", [{"exposure": "99"}, {"exposure": "<b>"}])
def test_an_unknown_exposure_is_told(server, values):
    response = server.get("/plates/demo/eleven", **values)
    assert response.status_code == 404
    assert "has no exposure" in response.text
    assert "<b>" not in response.text


def test_without_a_script_the_form_and_the_small_picture_tell_a_place(server):
    root = page(server, "two_fields")
    (form,) = root.xpath("//noscript//form")
    (button,) = form.xpath(".//input[@type='image']")
    values = {field.get("name"): field.get("value") for field in form.xpath(".//input[@type='hidden']")}
    width, height = int(button.get("width")), int(button.get("height"))
    assert width <= 320
    response = server.client.get(form.get("action"), params={**values, "at.x": width // 2, "at.y": 10})
    root = lxml.html.fromstring(response.text)
    header = scan(server, "two_fields")
    text = root.xpath("string(//div[@id='here']//code)")
    x, y = WCS(header).all_world2pix(*map(float, text.split()), 1)
    assert x == pytest.approx((width // 2 + 0.5) / width * header["NAXIS1"] + 0.5, abs=0.1)
    assert y == pytest.approx((1 - 10.5 / height) * header["NAXIS2"] + 0.5, abs=0.1)
    assert root.xpath("//path[@class='cross']")
    assert root.xpath("//div[@id='here']//a[contains(@href, '/soda/sync?')]")
    # and the form for a pixel keeps what was shown
    (form,) = root.xpath("//form[@id='at']")
    assert float(form.fields["x"]) == pytest.approx(x, abs=0.01)


def test_the_chosen_exposure_is_marked_and_its_grid_drawn(server):
    first, last = page(server, "eleven"), page(server, "eleven", exposure="11")
    assert [one.xpath("string(b)") for one in first.xpath("//a[@aria-current='true']")] == ["1"]
    assert [one.xpath("string(b)") for one in last.xpath("//a[@aria-current='true']")] == ["11"]
    assert picture(first).get("data-exposure") == "1"
    assert lines(first).keys() != lines(last).keys() or any(
        not np.array_equal(one, two)
        for key in lines(first)
        for one, two in zip(lines(first)[key], lines(last)[key], strict=False)
    )


def test_exposures_have_colours_and_patterns_of_their_own(server):
    classes = page(server, "eleven").xpath("//svg[@id='plate']//use[starts-with(@class, 'outline')]/@class")
    styles = {re.search(r"k\d d\d", one)[0] for one in classes}
    assert len(styles) == len(classes) == 11


def test_times_solutions_and_distances_are_listed(server):
    root = page(server, "eleven")
    titles = root.xpath("//div[@class='timeline']//g[@class='bar']/title/text()")
    assert len(titles) == 11
    assert titles[1] == "Exposure 2: 1899-11-16 02:12 to 02:17 UTC, Demo cluster, exposure 2, exposed 5 min"
    table = root.xpath("//h2[@id='solutions']/following-sibling::div[1]//tbody/tr")
    assert len(table) == 11
    assert all("current, accepted" in row.text_content() for row in table)
    row = root.get_element_by_id("exposure-2")
    assert "7.2\N{PRIME}" in row.text_content()
    assert "No. 1 is 7.2\N{PRIME} from no. 2" in " ".join(root.text_content().split())
    assert "lie close together" not in page(server, "two_fields").text_content()


@pytest.mark.parametrize("plate", ["unsolved", "unscanned"])
def test_without_a_solution_only_the_picture_is_shown(server, plate):
    root = page(server, plate)
    assert not root.xpath("//svg[@id='plate']")
    assert not root.xpath("//script")
    assert not root.xpath("//form[@id='at']")
    if plate == "unsolved":
        assert "no astrometric solution" in root.text_content()
        assert root.xpath("//div[@class='plate']//img/@src")


@pytest.mark.parametrize("plate", [*SOLVED, "unsolved", "unscanned"])
def test_pages_are_well_formed_and_accessible(server, plate):
    response = server.get(f"/plates/demo/{plate}", exposure="1")
    root = etree.fromstring(response.content, etree.XMLParser(resolve_entities=False))  # as XML: nothing left open
    names = {element.tag.rpartition("}")[2] for element in root.iter() if isinstance(element.tag, str)}
    assert "svg" in names
    html = lxml.html.fromstring(response.text)
    assert html.findtext(".//title").startswith(f"Plate {plate} · ")
    assert plate in html.xpath("//meta[@name='description']/@content")[0]
    assert all(image.get("alt") for image in html.xpath("//img"))
    assert all(one.get("aria-label") or one.get("aria-hidden") for one in html.xpath("//svg"))
    ids = html.xpath("//@id")
    assert len(ids) == len(set(ids))
    for control in html.xpath("//form//input[not(@type='hidden') and not(@type='image')] | //form//select"):
        assert control.xpath("ancestor::label"), lxml.html.tostring(control)
    # nothing in the page that the policy would have to allow
    assert not html.xpath("//@style | //style | //script[not(@src)]")
    assert not [name for name in html.xpath("//@*") if getattr(name, "attrname", "").startswith("on")]


def test_the_policy_allows_the_servers_own_script_and_nothing_else(server):
    policy = server.get("/plates/demo/eleven").headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == rules["style-src"] == "'self'"
    (script,) = page(server, "eleven").xpath("//script/@src")
    answer = server.client.get(script)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "innerHTML" not in answer.text
