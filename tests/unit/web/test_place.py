"""A pixel of a plate on the sky, and what the other exposures have there; forms' and pictures' parameters."""

from __future__ import annotations

import numpy as np
import plates
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from wcs_truth import header_text

from vo.db.records import Scan
from vo.errors import NotFoundFault, UsageFault
from vo.pixels.wcs import load_solution
from vo.web.grid import Stage
from vo.web.place import (
    Asked,
    Solved,
    as_json,
    find_place,
    list_radii,
    load_solved,
    mark_of,
    read_asked,
    usual_radius,
    write_sexagesimal,
)

TEXT = header_text()
TRUTH = WCS(fits.Header.fromstring(TEXT, sep="\n"))


def solved(exposure_id="1", text=TEXT, size=(400, 300), *, can_cut=True):
    record = plates.solution(exposure_id=exposure_id, header=text, width=size[0], height=size[1])
    return Solved(
        plates.exposure(exposure_id=exposure_id), exposure_id, record, load_solution(text, " ", size), can_cut
    )


@settings(max_examples=50, deadline=None)
@given(st.floats(0.5, 400.5), st.floats(0.5, 300.5))
def test_a_pixel_has_the_position_that_astropy_gives_it(x, y):
    place = find_place(solved(), [], Asked(x, y, None), "", 1000)
    back = TRUTH.all_world2pix(place.ra, place.dec, 1)
    assert np.hypot(back[0] - x, back[1] - y) < 0.01
    circle = [float(word) for word in place.circle.split()]
    back = TRUTH.all_world2pix(*circle[:2], 1)
    assert np.hypot(back[0] - x, back[1] - y) < 0.01


def test_another_exposure_has_other_skies_at_the_pixel_and_the_sky_at_another_pixel():
    shifted = header_text(CRVAL2=20.1, CRVAL1=150.05)
    truth = WCS(fits.Header.fromstring(shifted, sep="\n"))
    place = find_place(solved(), [solved("2", shifted)], Asked(100.0, 80.0, 0.02), "http://here", 1000)
    (other,) = place.elsewhere
    assert (other.ra, other.dec) == pytest.approx(tuple(map(float, truth.all_pix2world(100.0, 80.0, 1))))
    assert (other.x, other.y) == pytest.approx(tuple(map(float, truth.all_world2pix(place.ra, place.dec, 1))), abs=1e-4)
    assert "p1%2F2" in other.fits
    assert place.fits.startswith("http://here/soda/sync?ID=")


def test_a_solution_of_the_binned_scan_counts_in_the_pixels_of_the_chosen_one():
    binned = load_solution(TEXT, " ", (400, 300)).binned(4)
    other = solved("2", binned.header_text(), binned.shape)
    (found,) = find_place(solved(), [other], Asked(101.0, 33.0, None), "", 1000).elsewhere
    assert (found.x, found.y) == pytest.approx((101.0, 33.0), abs=0.01)
    (found,) = find_place(other, [solved()], Asked(25.0, 9.0, None), "", 1000).elsewhere
    assert (found.x, found.y) == pytest.approx((25.0, 9.0), abs=0.01)


def test_far_fields_have_no_pixel_of_it():
    far = header_text(CRVAL1=250.0)
    (other,) = find_place(solved(), [solved("2", far)], Asked(1.0, 1.0, None), "", 1000).elsewhere
    assert (other.x, other.y, other.fits) == (None, None, None)
    assert other.ra is not None


def test_without_pixels_here_nothing_can_be_cut():
    assert find_place(solved(can_cut=False), [], Asked(1.0, 1.0, None), "", 1000).fits is None


@pytest.mark.parametrize(("x", "y"), [(0.4, 1.0), (1.0, 300.6), (-5.0, 5.0), (401.0, 3.0)])
def test_a_pixel_off_the_scan_is_refused_with_its_size(x, y):
    with pytest.raises(UsageFault, match="400 x 300"):
        find_place(solved(), [], Asked(x, y, None), "", 1000)


def test_a_pixel_off_the_sky_is_told():
    limb = header_text(CTYPE1="RA---SIN", CTYPE2="DEC--SIN", CD1_1=-0.45, CD2_2=0.45)
    with pytest.raises(NotFoundFault, match="no place on the sky"):
        find_place(solved("1", limb), [], Asked(1.0, 1.0, None), "", 1000)


def test_what_forms_send():
    assert read_asked({"exposure": "1"}) is None
    assert read_asked({"x": "", "y": " "}) is None
    assert read_asked({"x": "1.5", "y": "2", "radius": "0.1"}) == Asked(1.5, 2.0, 0.1)
    assert read_asked({"x": "1.5", "y": "2", "radius": ""}) == Asked(1.5, 2.0, None)


def test_a_picture_that_is_a_button_sends_its_own_pixels_from_the_top():
    # The middle of the upper left one of 320 x 240 pixels; each covers 1.25 x 1.25 of the scan's.
    asked = read_asked({"at.x": "0", "at.y": "0", "size": "320x240of400x300"})
    assert (asked.x, asked.y) == pytest.approx((0.5 + 0.625, 300.5 - 0.625))
    asked = read_asked({"at.x": "319", "at.y": "239", "size": "320x240of400x300"})
    assert (asked.x, asked.y) == pytest.approx((400.5 - 0.625, 0.5 + 0.625))


@pytest.mark.parametrize(
    "values",
    [
        {"x": "1"},
        {"x": "nan", "y": "1"},
        {"x": "1e999", "y": "1"},
        {"x": "<b>", "y": "1"},
        {"x": "1", "y": "1", "radius": "-1"},
        {"x": "1", "y": "1", "radius": "91"},
        {"at.x": "1", "at.y": "1"},
        {"at.x": "1", "at.y": "1", "size": "0x0of1x1"},
        {"at.x": "1", "at.y": "1", "size": "3x4of5"},
        {"at.x": "1", "at.y": "1", "size": "1x2x3of4x5"},
        {"at.x": "1", "size": "3x4of5x6"},
        {"at.x": "1", "at.y": "1", "size": f"1x1of{'9' * 400}x1"},
        {"at.x": "1", "at.y": "1", "size": f"{'9' * 400}x1of1x1"},
    ],
)
def test_nonsense_is_refused(values):
    with pytest.raises(UsageFault):
        read_asked(values)


def test_a_header_that_cannot_be_used_counts_as_no_solution():
    bundle = plates.bundle(solutions=[plates.solution(header="")])
    assert load_solved(bundle, bundle.exposures[0], "1", can_cut=True) is None


def test_marks_are_where_the_pixels_are():
    stage = Stage(load_solution(TEXT, " ", (400, 300)))
    assert mark_of(stage, 0.5, 300.5) == (0.0, 0.0)
    assert mark_of(stage, 400.5, 0.5) == (1000.0, 750.0)
    assert mark_of(stage, None, None) is None
    found = as_json(find_place(solved(), [], Asked(200.5, 150.5, None), "", 1000), stage)
    assert found["mark"] == (500.0, 375.0)


def test_radii_grow_with_the_plate():
    small, large = (
        load_solution(header_text(CD1_1=-scale, CD2_2=scale), " ", (400, 300)) for scale in (0.5 / 3600, 0.1)
    )
    assert usual_radius(small) == 0.005
    assert usual_radius(large) == 1.0
    for wcs in (small, large):
        assert usual_radius(wcs) in list_radii(wcs)


def test_positions_in_words_carry_over():
    assert write_sexagesimal(83.822083, -5.391111) == ("05h 35m 17.30s", "\N{MINUS SIGN}05° 23\N{PRIME} 28.0″")
    assert write_sexagesimal(359.9999999, 89.9999999) == ("00h 00m 00.00s", "+90° 00\N{PRIME} 00.0″")
    assert write_sexagesimal(0.0, -0.00000001) == ("00h 00m 00.00s", "+00° 00\N{PRIME} 00.0″")


def test_small_cutouts_have_a_picture_and_large_ones_none():
    # 10 arcsec per pixel: a radius of 0.05 degrees makes 36 x 36 pixels.
    place = find_place(solved(), [], Asked(200.0, 150.0, 0.05), "", 39 * 39)
    assert place.picture == place.fits + "&RESPONSEFORMAT=image%2Fjpeg"
    assert find_place(solved(), [], Asked(200.0, 150.0, 0.05), "", 37 * 37).picture is None


def test_pixels_are_those_of_files_that_lie_turned_on_the_scanner():
    record = plates.solution(header=TEXT, width=400, height=300)
    base = plates.product("p1.fits", "fits", width=300, height=400, is_base=True)
    scan = Scan(plates.NAME, "p1", "s1", width=300, height=400, turn_deg=90)
    bundle = plates.bundle(solutions=[record], products=[base], scans=[scan])
    found = load_solved(bundle, bundle.exposures[0], "1", can_cut=True)
    assert found.wcs.shape == (300, 400)
    # Turned counter-clockwise by 90 degrees, the lower left pixel of the file comes to lie at the lower right.
    ra, dec = found.wcs.to_sky(0.0, 0.0)
    assert (ra, dec) == pytest.approx(tuple(map(float, TRUTH.all_pix2world(400.0, 1.0, 1))))
    # What is made on the way out has its coordinates already.
    bundle = plates.bundle(solutions=[record], products=[plates.product("p1.fits", "fits")], scans=[scan])
    assert load_solved(bundle, bundle.exposures[0], "1", can_cut=True).wcs.shape == (400, 300)
