"""The page of a plate in a real browser: a click tells the place on the sky, and its cutout contains it."""

from __future__ import annotations

import io
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from browser import chromium, keep
from PIL import Image

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started
        assert started.said == [], "no page says anything to the console: no error, no breach of the policy"


def scan(server, plate):
    """The header of the scan's FITS file, as astropy reads it."""
    with server.database.read() as connection:
        location, hdu = connection.execute(
            "SELECT location, hdu FROM archive.product WHERE collection = 'demo' AND plate_id = %s AND role = 'fits'",
            (plate,),
        ).fetchone()
    with fits.open(Path(unquote(urlsplit(location).path))) as hdus:
        return hdus[hdu].header.copy()


def click(page, across, down):
    """Click at these shares of the picture from its upper left corner; returns them from the lower left one."""
    page.locator("#scan").scroll_into_view_if_needed()
    box = page.locator("#scan").bounding_box()
    x, y = box["x"] + box["width"] * across, box["y"] + box["height"] * down
    with page.expect_response(re.compile("/at[?]")):
        page.mouse.click(x, y)
    page.locator("#here .position").first.wait_for()
    page.wait_for_load_state("networkidle")
    return across, 1.0 - down


def shown(page):
    """The position that the page shows, in degrees."""
    return tuple(map(float, page.locator("#here code").inner_text().split()))


@pytest.mark.parametrize("plate", ["comet_1941", "mirrored", "tpv"])
def test_a_click_tells_the_place_on_the_sky(server, browser, plate):
    header = scan(server, plate)
    page = browser.open(f"{server.url}/plates/demo/{plate}")
    across, up = click(page, 0.4, 0.35)
    x, y = WCS(header).all_world2pix(*shown(page), 1)
    # The mouse stands on whole pixels of the screen, each of which covers some of the scan.
    screen = header["NAXIS1"] / page.locator("#scan").bounding_box()["width"]
    assert x == pytest.approx(across * header["NAXIS1"] + 0.5, abs=screen)
    assert y == pytest.approx(up * header["NAXIS2"] + 0.5, abs=screen)
    # What the page calls the pixel is the very place that it shows.
    named = [float(page.locator(f"#at [name={axis}]").input_value()) for axis in "xy"]
    assert np.hypot(x - named[0], y - named[1]) < 0.02
    page.close()


def test_the_cutout_of_a_click_contains_it(server, browser):
    page = browser.open(f"{server.url}/plates/demo/two_fields?exposure=2")
    click(page, 0.7, 0.2)
    position = shown(page)
    content = server.client.get(page.get_by_text("Cut out as FITS").get_attribute("href")).content
    with fits.open(io.BytesIO(content)) as hdus:
        cutout = hdus[0]
        x, y = WCS(cutout.header).all_world2pix(*position, 0)
        assert abs(x - (cutout.shape[1] - 1) / 2) < 1.5
        assert abs(y - (cutout.shape[0] - 1) / 2) < 1.5
        # The same pixels as the scan's at this place, by the second exposure's solution.
        header = scan(server, "two_fields")
        left, bottom = WCS(header, key="A").all_world2pix(*position, 0)
        assert cutout.shape[0] > 20
    assert 0 <= left < header["NAXIS1"]
    assert 0 <= bottom < header["NAXIS2"]
    # The picture beside the link shows these pixels.
    picture = page.locator("#here .cutout img")
    assert picture.evaluate("image => image.complete && image.naturalWidth") == cutout.shape[1]
    page.close()


def test_eleven_exposures_are_drawn_and_compared(server, browser):
    page = browser.open(f"{server.url}/plates/demo/eleven")
    assert page.locator("#drawn use.outline").count() == 11
    assert page.locator("#drawn .centre").count() == 11
    click(page, 0.4, 0.6)
    assert page.locator("#marks .other").count() == 10
    page.get_by_text("By the other exposures").click()
    assert page.locator("#here tbody tr").count() == 10
    keep(page, "plate_eleven")
    # Another exposure's grid: the same pixel, another sky.
    first = shown(page)
    page.locator(".fields a", has_text="exposure 6").click()
    page.wait_for_load_state("networkidle")
    click(page, 0.4, 0.6)
    second = shown(page)
    assert first[1] - second[1] == pytest.approx(5 * 0.12, abs=0.02)
    page.close()


def test_keys_and_the_form_do_what_a_click_does(server, browser):
    header = scan(server, "comet_1941")
    page = browser.open(f"{server.url}/plates/demo/comet_1941")
    page.locator("#plate").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    with page.expect_response(re.compile("/at[?]")):
        page.keyboard.press("Enter")
    page.locator("#here .position").first.wait_for()
    x, y = WCS(header).all_world2pix(*shown(page), 1)
    assert x == pytest.approx((500 - 10) / 1000 * header["NAXIS1"] + 0.5, abs=0.1)
    assert y == pytest.approx((500 + 1) / 1000 * header["NAXIS2"] + 0.5, abs=0.1)
    page.locator("#at [name=x]").fill("100")
    page.locator("#at [name=y]").fill("200")
    with page.expect_response(re.compile("/at[?]")):
        page.get_by_role("button", name="Show").click()
    page.wait_for_load_state("networkidle")
    assert WCS(header).all_world2pix(*shown(page), 1) == pytest.approx([100, 200], abs=0.01)
    # The address leads back to what is shown.
    again = browser.open(page.url)
    assert shown(again) == shown(page)
    again.close()
    page.close()


@pytest.mark.parametrize("plate", ["eleven", "pole", "wide", "unsolved", "unscanned"])
def test_pages_fit_a_telephone(server, browser, plate):
    page = browser.open(f"{server.url}/plates/demo/{plate}", 360, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    keep(page, f"plate_{plate}_360")
    page.close()


def test_the_preview_is_drawn_where_the_lines_are(server, browser):
    """The picture on the screen is the preview, and fills the plate's edge."""
    page = browser.open(f"{server.url}/plates/demo/pole")
    page.evaluate("document.getElementById('drawn').remove()")
    box = page.locator("#scan").bounding_box()
    seen = Image.open(io.BytesIO(page.screenshot(clip=box))).convert("L")
    address = page.locator("#scan").get_attribute("href")
    preview = Image.open(io.BytesIO(server.client.get(address, follow_redirects=True).content)).convert("L")
    small = [np.asarray(one.resize((80, 100), Image.Resampling.BOX), dtype=float) for one in (seen, preview)]
    assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > 0.98
    page.close()


def test_on_paper_the_picture_stays_and_the_forms_go(server, browser):
    page = browser.open(f"{server.url}/plates/demo/eleven", media="print")
    assert page.locator("#scan").is_visible()
    assert not page.locator("#at").is_visible()
    keep(page, "plate_eleven_print")
    page.close()


def test_without_scripts_a_click_on_the_small_picture_tells_the_place(server, browser):
    header = scan(server, "two_fields")
    with browser.without_scripts() as plain:
        page = plain.open(f"{server.url}/plates/demo/two_fields")
        button = page.locator("input[type=image]")
        width, height = int(button.get_attribute("width")), int(button.get_attribute("height"))
        with page.expect_navigation():
            button.click(position={"x": width * 3 // 4, "y": height // 4})
        page.wait_for_load_state("networkidle")
        x, y = WCS(header).all_world2pix(*shown(page), 1)
        one = header["NAXIS1"] / width
        assert x == pytest.approx(0.75 * header["NAXIS1"], abs=2 * one)
        assert y == pytest.approx(0.75 * header["NAXIS2"], abs=2 * one)
        assert page.locator("#here img").evaluate("image => image.naturalWidth") > 0
        keep(page, "plate_two_fields_without_scripts")
        assert plain.said == []
