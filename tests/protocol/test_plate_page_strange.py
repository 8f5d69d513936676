"""Pages of plates that nobody hopes for: hostile names, gaps in what is known, versions, missing files."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import lxml.html
import numpy as np
import plates
import pytest
from lxml import etree
from PIL import Image
from serving import running
from wcs_truth import header_text

from vo.db.archive import merge_records
from vo.db.records import PlateBundle, Scan
from vo.products.links import plate_url

HOSTILE = "a/b <i>\"x'&amp; #1?"
SCRIPT = "<script>alert(1)</script>"


def of_demo(bundle: PlateBundle) -> PlateBundle:
    """The same plate in the collection of the demo, which the database knows."""
    changed = {
        name: tuple(replace(one, collection="demo") for one in getattr(bundle, name))
        for name in ("scans", "exposures", "solutions", "products")
    }
    return PlateBundle(plate=replace(bundle.plate, collection="demo"), **changed)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name, size in (("wide.jpg", (400, 300)), ("tall.jpg", (150, 400))):
        Image.fromarray(np.full(size[::-1], 90, np.uint8)).save(folder / name)
    return folder


def invent(pictures) -> dict[str, PlateBundle]:
    def picture(plate, role, name="wide.jpg", **values):
        where = {"location": (pictures / name).as_uri(), **values}
        return plates.product(f"{role}_{name}", role, "image/jpeg", plate, **where)

    def solved(plate, exposure="1", **values):
        return plates.solution(plate, exposure, **{"width": 400, "height": 300, "header": header_text(), **values})

    hostile = plates.bundle(
        [
            plates.exposure(HOSTILE, SCRIPT, target_name=SCRIPT, repair=SCRIPT, observer=SCRIPT, ra=150.0, dec=20.0),
            plates.exposure(HOSTILE, "2", exposure_number=2, target_name='"><img src=x onerror=alert(1)>'),
        ],
        [picture(HOSTILE, "preview", description=SCRIPT), picture(HOSTILE, "logbook", description=SCRIPT)],
        [solved(HOSTILE, SCRIPT, pipeline=SCRIPT, result_id=SCRIPT, solution_id=SCRIPT)],
        plate_id=HOSTILE,
        comment=SCRIPT,
        series=SCRIPT,
    )
    versions = plates.bundle(
        [
            plates.exposure("versions", "1", exposure_number=1, t_min=15000.0, t_max=15000.1),
            plates.exposure("versions", "2", exposure_number=2, t_min=29000.0),
            plates.exposure("versions", "3", exposure_number=3),
        ],
        [
            picture("versions", "preview"),
            picture("versions", "plate_photo"),
            picture("versions", "plate_photo_clean"),
            picture("versions", "jacket_photo", location="file:///nowhere/jacket.jpg"),
        ],
        [
            solved("versions", version=1, is_current=False, status="superseded", residual=2.25, star_count=1234),
            solved(
                "versions",
                version=2,
                pipeline="better",
                residual=0.4711,
                star_count=20345,
                made_date=dt.datetime(2026, 3, 4, tzinfo=dt.UTC),
            ),
            solved("versions", "2", solution_id="10", header=header_text(CRVAL1=157.0)),
            solved("versions", None, solution_id="9", header=header_text(CRVAL2=-20.0)),
        ],
        plate_id="versions",
    )
    other_shape = plates.bundle(
        [plates.exposure("other_shape")],
        [picture("other_shape", "preview", "tall.jpg", width=150, height=400)],
        [solved("other_shape")],
        plate_id="other_shape",
    )
    no_preview = plates.bundle([plates.exposure("no_preview")], [], [solved("no_preview")], plate_id="no_preview")
    broken = plates.bundle(
        [plates.exposure("broken")],
        [picture("broken", "preview")],
        [solved("broken", header="CTYPE1  = 'RA---TAN'")],
        plate_id="broken",
    )
    turned = plates.bundle(
        [plates.exposure("turned")],
        [picture("turned", "preview", "tall.jpg"), plates.product("t.fits", "fits", plate_id="turned", is_base=True)],
        [solved("turned")],
        [Scan(plates.NAME, "turned", "s1", width=300, height=400, turn_deg=90)],
        plate_id="turned",
    )
    bare = plates.bundle([], [], [], [], plate_id="bare")
    made = (hostile, versions, other_shape, no_preview, broken, turned, bare)
    return {bundle.plate.plate_id: of_demo(bundle) for bundle in made}


@pytest.fixture(scope="module")
def strange(fresh_database, settings, pictures):
    database = fresh_database()
    with database.owner() as connection:
        merge_records(connection, [one for bundle in invent(pictures).values() for one in bundle.records()])
    with running(settings.model_copy(update={"host": "127.0.0.1", "port": 0}), database) as started:
        yield started


def ask(server, plate, **values):
    response = server.client.get(plate_url(server.url, "demo", plate), params=values or None)
    assert response.status_code == 200, response.text
    etree.fromstring(response.content, etree.XMLParser(resolve_entities=False))
    return response


def page(server, plate, **values):
    return lxml.html.fromstring(ask(server, plate, **values).text)


def text(root):
    return " ".join(root.text_content().split())


@pytest.mark.parametrize("values", [{}, {"exposure": "2"}, {"exposure": SCRIPT, "x": "100", "y": "100"}])
def test_nothing_that_was_written_becomes_markup(strange, values):
    response = ask(strange, HOSTILE, **values)
    root = lxml.html.fromstring(response.text)
    assert "<script>alert" not in response.text
    assert len(root.xpath("//script")) <= 1
    assert not root.xpath("//img[@src='x'] | //i")
    assert f"Plate {HOSTILE}" in text(root)
    cells = [cell.text_content().strip() for cell in root.xpath("//*[@id='exposures']/following::table[1]//td")]
    assert SCRIPT in cells


def test_links_of_a_hostile_plate_lead_somewhere(strange):
    root = page(strange, HOSTILE)
    for link in root.xpath("//nav[@class='fields']//a/@href"):
        response = strange.client.get(plate_url(strange.url, "demo", HOSTILE) + link)
        assert response.status_code == 200, link
    (header,) = root.xpath("//h2[@id='solutions']/following::table[1]//a/@href")
    assert strange.client.get(header).status_code == 200
    (svg,) = root.xpath("//svg[@id='plate']")
    found = strange.client.get(svg.get("data-at"), params={"exposure": svg.get("data-exposure"), "x": "5", "y": "6"})
    assert found.json()["exposure"] == SCRIPT


def test_versions_of_solutions_are_listed_newest_first_and_the_current_one_said(strange):
    rows = page(strange, "versions").xpath("//h2[@id='solutions']/following::table[1]//tbody/tr")
    cells = [[cell.text_content().strip() for cell in row] for row in rows]
    assert [(row[0], row[1]) for row in cells] == [("0", "2"), ("0", "1"), ("9", "1"), ("10", "1")]
    assert cells[0][2:] == ["1", "s1", "better", "2026-03-04", "0.471″", "20,345", "current, accepted"]
    assert cells[1][6:] == ["2.25″", "1,234", "superseded"]
    assert cells[2][2] == "none matched"
    assert [row.get("class") for row in rows] == [None, "past", None, None]


def test_times_that_are_years_apart_or_unknown(strange):
    root = page(strange, "versions")
    assert root.xpath("//div[@class='timeline']//figcaption/text()") == ["1899-12-12", "1938-04-12"]
    assert "Time unknown: exposure 3." in text(root)
    (open_bar,) = root.xpath("//div[@class='timeline']//rect[contains(@class, 'open')]")
    assert "end unknown" in open_bar.getparent().findtext("title")


def test_photographs_from_before_and_after_cleaning_stand_side_by_side(strange):
    root = page(strange, "versions")
    shown = [one.text_content().split(".")[0].strip() for one in root.xpath("//div[@class='photos']//figcaption")]
    assert shown == ["Photograph of the plate before cleaning", "Photograph of the plate after cleaning"]
    assert "cannot be read here" in text(root), "a file that should be here and is not is told"


def test_an_exposure_without_a_solution_can_be_chosen_and_has_no_grid(strange):
    root = page(strange, "versions", exposure="3")
    assert not root.xpath("//svg[@id='plate']")
    assert "Exposure 3 has no astrometric solution" in text(root)
    assert root.xpath("//a[@aria-current='true']/b/text()") == ["3"]
    response = strange.client.get(plate_url(strange.url, "demo", "versions"), params={"exposure": "3", "x": 1, "y": 1})
    assert response.status_code == 404


def test_on_a_picture_of_another_shape_nothing_is_drawn(strange):
    root = page(strange, "other_shape")
    assert not root.xpath("//svg[@id='plate']")
    assert "has not the shape of the scan" in text(root)


def test_without_a_preview_the_rest_is_there(strange):
    root = page(strange, "no_preview")
    assert not root.xpath("//svg[@id='plate'] | //image | //main//img")
    assert root.xpath("//h2[@id='solutions']")


def test_a_solution_that_cannot_be_read_is_none(strange):
    assert "has no astrometric solution" in text(page(strange, "broken"))


def test_the_picture_of_a_turned_scan_has_its_grid_turned(strange):
    (svg,) = page(strange, "turned").xpath("//svg[@id='plate']")
    assert (svg.get("data-columns"), svg.get("data-rows")) == ("300", "400")


def test_a_plate_of_which_nothing_is_known(strange):
    root = page(strange, "bare")
    assert "No exposure of this plate is known" in text(root)
    assert "has not been scanned" in text(root)
