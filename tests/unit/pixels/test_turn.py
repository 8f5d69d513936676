"""Solutions of turned images: a mark on the turned pixels has the same place on the sky."""

from __future__ import annotations

import numpy as np
import pytest
import realdata
from hypothesis import given
from hypothesis import strategies as st
from pixels_by_hand import read_wcs
from wcs_truth import header_text, separation, tpv_header

from vo.errors import UsageFault
from vo.pixels.cards import read_cards
from vo.pixels.wcs import find_solutions, read_solutions

TURNS = (90, 180, -90)
#: An image whose linear part is written in each way that FITS has.
NO_CD = {"CD1_1": None, "CD1_2": None, "CD2_1": None, "CD2_2": None}
STEPS = {**NO_CD, "CDELT1": -0.003, "CDELT2": 0.0029}
LINEAR = {
    "CD": {},
    "skewed CD": {"CD1_2": 0.0011, "CD2_1": -0.0007},
    "CDELT": STEPS,
    "PC": {**STEPS, "PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8},
    "CROTA2": {**STEPS, "CROTA2": 25.0},
}


def marks_of(wcs):
    """One mark in an empty image, its pixel and where it lies on the sky."""
    width, height = wcs.shape
    marks = np.random.default_rng(7).integers((0, 0), (width, height), (20, 2))
    return [(int(x), int(y)) for x, y in marks]


def turned_mark(shape, x, y, degrees):
    """Where numpy puts a mark: an image is displayed with its first row at the bottom, so a turn goes the other way."""
    image = np.zeros((shape[1], shape[0]), dtype=np.uint8)
    image[y, x] = 1
    rows, columns = np.nonzero(np.rot90(image, k=-degrees // 90))
    return int(columns[0]), int(rows[0])


def assert_turned(wcs, truth):
    """astropy finds every mark of the turned image where it finds it on the image as it was."""
    for degrees in TURNS:
        made = wcs.turned(degrees)
        header = read_cards(made.header_text())
        after = read_wcs_of(header.images, made.key)
        for x, y in marks_of(wcs)[:6]:
            new = turned_mark(wcs.shape, x, y, degrees)
            there = after.all_pix2world(*new, 0)
            assert separation(there, truth.all_pix2world(x, y, 0)) < 1e-3 * wcs.pixel_scale
        assert made.shape == (wcs.shape if degrees == 180 else wcs.shape[::-1])
        x, y = 1.25, 2.75
        assert separation(made.turned(-degrees).to_sky(x, y), wcs.to_sky(x, y)) < 1e-6


def read_wcs_of(images, key=" "):
    from astropy.io import fits

    return read_wcs(fits.Header.fromstring("".join(images)), key)


@pytest.mark.parametrize("changes", LINEAR.values(), ids=LINEAR)
def test_linear_parts_turn(changes):
    text = header_text(**changes)
    (wcs,) = read_solutions(text)
    assert_turned(wcs, read_wcs_of(wcs.images))


def test_a_lettered_system_turns():
    text = header_text(CTYPE1=None, CTYPE2=None, CRVAL1=None, CRVAL2=None, CRPIX1=None, CRPIX2=None, RADESYS=None)
    text = text.replace("CD1_1 ", "CD1_1C").replace("CD1_2 ", "CD1_2C").replace("CD2_1 ", "CD2_1C")
    lettered = {"CTYPE1C": "RA---TAN", "CTYPE2C": "DEC--TAN", "CRVAL1C": 80.0, "CRVAL2C": -70.0, "CRPIX1C": 10.0}
    extra = header_text(CRPIX2C=20.0, **lettered).split("\n")[-6:]
    (wcs,) = read_solutions("\n".join([text.replace("CD2_2 ", "CD2_2C"), *extra]))
    assert wcs.key == "C"
    assert_turned(wcs, read_wcs_of(wcs.images, "C"))


@pytest.mark.parametrize("name", ["tpvonly.hdr", "siponly.hdr", "irac_sip.hdr"])
def test_real_distortions_turn(name):
    text = realdata.path(f"headers/{name}").read_text(encoding="ascii")
    for wcs in find_solutions(text).solutions:
        assert_turned(wcs, read_wcs_of(wcs.images, wcs.key))


@pytest.mark.parametrize("name", ["tnx.head", "zpx.head"])
def test_surfaces_of_iraf_turn(name):
    """astropy knows neither; the place on the image as it was is the truth, held to hand-made ones by others."""
    text = realdata.path(f"headers/starlink_ast/{name}").read_text(encoding="ascii")
    for wcs in find_solutions(text, (2000, 1500)).solutions:
        for degrees in TURNS:
            for x, y in marks_of(wcs)[:6]:
                new = turned_mark(wcs.shape, x, y, degrees)
                assert separation(wcs.turned(degrees).to_sky(*new), wcs.to_sky(x, y)) < 1e-6


@given(
    angle=st.floats(0, 360), bend=st.floats(-0.01, 0.01), mirrored=st.booleans(), degrees=st.sampled_from(TURNS),
    x=st.integers(0, 3999), y=st.integers(0, 2999),
)  # fmt: skip
def test_any_plate_turns(angle, bend, mirrored, degrees, x, y):
    (wcs,) = read_solutions(tpv_header(83.0, -5.0, angle=angle, bend=bend, mirrored=mirrored))
    new = {90: (2999 - y, x), 180: (3999 - x, 2999 - y), -90: (y, 3999 - x)}[degrees]
    made = wcs.turned(degrees)
    assert made.mirrored == wcs.mirrored
    assert separation(made.to_sky(*new), wcs.to_sky(x, y)) < 1e-6


def test_a_turn_by_nothing_changes_nothing_and_others_are_refused():
    (wcs,) = read_solutions(header_text())
    assert wcs.turned(0) is wcs
    with pytest.raises(UsageFault, match="not by 45"):
        wcs.turned(45)


def test_a_plate_polynomial_is_refused():
    wcs = next(
        one
        for one in find_solutions(*_header(realdata.path("fits/astropydata_M6707HH.fits"))).solutions
        if one.kind == "DSS"
    )
    with pytest.raises(UsageFault, match="cannot be turned"):
        wcs.turned(90)


def _header(path):
    from vo.pixels.read import list_images

    (image, *_) = list_images(path)
    return image.cards, image.shape
