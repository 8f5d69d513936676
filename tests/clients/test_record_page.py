"""The page of a registry record in a real browser: the map is drawn and cut at its edge, nothing is complained of."""

from __future__ import annotations

import io

import pytest
from browser import chromium, keep
from PIL import Image

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started
        assert started.said == [], "no page says anything to the console: no error, no breach of the policy"


def test_a_record_shows_its_coverage_and_its_years(registered, browser):
    page = browser.open(f"{registered.url}/records/demo")
    sky = page.locator("svg.allsky")
    covered = sky.locator(".covered")
    assert covered.count() == 1
    assert covered.evaluate("path => path.getTotalLength()") > 10
    box, edge = sky.bounding_box(), sky.locator(".edge").bounding_box()
    assert edge["width"] == pytest.approx(2 * edge["height"], rel=0.01)
    assert box["x"] <= edge["x"]
    assert page.locator(".years rect").count() > 3
    picture = Image.open(io.BytesIO(sky.screenshot())).convert("RGB")
    corner, colours = picture.getpixel((12, 12)), picture.getcolors(1 << 24)
    # the covered area is lighter than the sky around it, and there is some of it
    light = sum(count for count, colour in colours if colour[0] > corner[0] + 60 and colour[0] > colour[2])
    assert light > 20
    keep(page, "record_demo")
    page.close()


def test_a_record_fits_a_phone(registered, browser):
    page = browser.open(f"{registered.url}/records/obscore", width=360, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    keep(page, "record_obscore_phone")
    page.close()


def test_words_lead_from_the_front_page_to_a_record(registered, browser):
    page = browser.open(registered.url)
    page.get_by_role("link", name="Registry", exact=True).click()
    page.get_by_role("searchbox").fill("obscore digitised")
    page.get_by_role("button", name="Search").click()
    page.locator("tbody a").first.click()
    page.locator("svg.allsky").wait_for()
    page.locator("details summary").first.click()
    assert page.get_by_text("s_region", exact=True).first.is_visible()
    page.close()
