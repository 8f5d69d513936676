"""Masked cutouts, pixel by pixel against astropy."""

from __future__ import annotations

import io
import math
import warnings

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from regions_by_hand import in_polygon
from wcs_truth import header_text

from vo.dali.shapes import Circle, Polygon, Range
from vo.errors import UsageFault
from vo.pixels.cutout import cut
from vo.pixels.mask import Inside, mask
from vo.pixels.piece import piece_of
from vo.pixels.read import Box
from vo.pixels.wcs import read_solutions

RANDOM = np.random.default_rng(1898)
TPV = {
    "CTYPE1": "RA---TPV",
    "CTYPE2": "DEC--TPV",
    "PV1_1": 1.0,
    "PV2_1": 1.0,
    "PV1_4": 0.01,
    "PV2_4": -0.02,
    "PV1_7": 0.002,
    "PV2_7": 0.002,
}
SHAPES = [
    Circle(150.1, 20.05, 0.1),
    Circle(150.0, 20.0, 0.9),  # all of it
    Polygon(((149.8, 19.8), (150.3, 19.9), (150.0, 20.3))),
    Polygon(((149.8, 19.8), (150.3, 19.8), (150.0, 19.95), (150.3, 20.2), (149.8, 20.2))),  # with a bay
    Range(149.9, 150.2, 19.9, 20.1),
]


def write(path, data, **changes):
    head = fits.Header.fromstring(header_text(**changes), sep="\n")
    fits.PrimaryHDU(data, head).writeto(path)
    return path, read_solutions(head, (400, 300))[0]


def made(path, wcs, shape):
    cutout = cut(path, wcs, shape)
    masked = mask(piece_of(cutout), cutout.box, wcs, shape)
    content = b"".join(masked.stream())
    assert len(content) == masked.content_length
    with fits.open(io.BytesIO(content), do_not_scale_image_data=True) as opened:
        opened.verify("exception")
        return cutout.box, np.array(opened[0].data), opened[0].header.copy()


def truth(header, shape, rows, columns):
    """Which pixels lie in the shape, by astropy."""
    y, x = np.mgrid[0:rows, 0:columns]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sky = WCS(header).pixel_to_world(x, y).icrs
    match shape:
        case Circle():
            return sky.separation(SkyCoord(shape.ra, shape.dec, unit="deg")).deg <= shape.radius
        case Range():
            ra, dec = sky.ra.deg, sky.dec.deg
            return (shape.lon_min <= ra) & (ra <= shape.lon_max) & (shape.lat_min <= dec) & (dec <= shape.lat_max)
        case Polygon():
            return in_polygon(shape.vertices, sky.ra.deg, sky.dec.deg)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("changes", [{}, TPV])
def test_exactly_the_pixels_whose_middles_are_outside_are_blank(tmp_path, shape, changes):
    data = RANDOM.normal(1000, 5, (300, 400)).astype(np.float32)
    path, wcs = write(tmp_path / "plate.fits", data, BITPIX=-32, **changes)
    box, part, header = made(path, wcs, shape)
    inside = truth(header, shape, *part.shape)
    assert inside.any()
    whole = data[box.bottom : box.top, box.left : box.right]
    np.testing.assert_array_equal(part, np.where(inside, whole, np.nan))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.uint16])
def test_integers_get_a_number_that_no_pixel_has(tmp_path, dtype):
    shape = SHAPES[2]
    data = RANDOM.integers(0, 100, (300, 400)).astype(dtype)
    data[100:200, 150:250] = 0  # the lowest there is, for types without a sign
    path, wcs = write(tmp_path / "plate.fits", data)
    with fits.open(path, do_not_scale_image_data=True) as opened:
        stored = np.array(opened[0].data)
    box, part, header = made(path, wcs, shape)
    inside = truth(header, shape, *part.shape)
    whole = stored[box.bottom : box.top, box.left : box.right]
    assert not (whole == header["BLANK"]).any()
    np.testing.assert_array_equal(part, np.where(inside, whole, header["BLANK"]))


def test_a_blank_of_the_file_is_kept(tmp_path):
    data = RANDOM.integers(0, 100, (300, 400)).astype(np.int16)
    data[140:150, 180:190] = -99
    path, wcs = write(tmp_path / "plate.fits", data, BLANK=-99)
    box, part, header = made(path, wcs, SHAPES[0])
    inside = truth(header, SHAPES[0], *part.shape)
    whole = data[box.bottom : box.top, box.left : box.right]
    assert header["BLANK"] == -99
    np.testing.assert_array_equal(part, np.where(inside, whole, -99))


@pytest.mark.parametrize("blank", [-32768, 256])
def test_a_blank_that_no_pixel_can_be_gives_way_to_one_that_can(tmp_path, blank):
    data = RANDOM.integers(1, 200, (300, 400)).astype(np.uint8)
    path, wcs = write(tmp_path / "plate.fits", data, BITPIX=8, BLANK=blank)
    box, part, header = made(path, wcs, SHAPES[0])
    inside = truth(header, SHAPES[0], *part.shape)
    whole = data[box.bottom : box.top, box.left : box.right]
    assert header["BLANK"] == 0
    assert f"of the file: BLANK   = {blank:20d}" in str(header["HISTORY"])
    np.testing.assert_array_equal(part, np.where(inside, whole, 0))


def test_where_both_ends_are_taken_a_number_between_is_found_or_the_fault_says_what_to_do(tmp_path):
    data = np.where(np.indices((300, 400)).sum(axis=0) % 2, 0, 255).astype(np.uint8)
    path, wcs = write(tmp_path / "some.fits", data, BITPIX=8)
    assert made(path, wcs, SHAPES[0])[2]["BLANK"] == 1
    rows, columns = np.indices((300, 400))
    data = ((16 * rows + columns) % 256).astype(np.uint8)
    path, wcs = write(tmp_path / "all.fits", data, BITPIX=8)
    with pytest.raises(UsageFault, match="without MASK"):
        made(path, wcs, SHAPES[0])


def test_every_plane_of_a_stack_is_masked_alike(tmp_path):
    data = RANDOM.normal(1000, 5, (3, 300, 400)).astype(np.float32)
    path, wcs = write(tmp_path / "stack.fits", data, BITPIX=-32)
    box, part, header = made(path, wcs, SHAPES[2])
    del header["NAXIS3"]
    header["NAXIS"] = 2
    inside = truth(header, SHAPES[2], *part.shape[1:])
    whole = data[:, box.bottom : box.top, box.left : box.right]
    np.testing.assert_array_equal(part, np.where(inside, whole, np.nan))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ra=st.floats(149.4, 150.6),
    dec=st.floats(19.5, 20.5),
    radius=st.floats(0.001, 0.6),
    turn=st.floats(0, 6.28),
    first=st.integers(0, 250),
)
def test_any_circle_anywhere(ra, dec, radius, turn, first):
    """Rows asked for by themselves, on a turned plate."""
    step = 10 / 3600
    cos, sin = step * math.cos(turn), step * math.sin(turn)
    (wcs,) = read_solutions(header_text(CD1_1=-cos, CD1_2=sin, CD2_1=sin, CD2_2=cos))
    shape, box = Circle(ra, dec, radius), Box(20, 390, 10, 300)
    found = Inside(wcs, shape, box).rows(first, 290)
    header = fits.Header.fromstring(wcs.header_text(), sep="\n")
    expected = truth(header, shape, 300, 400)[10 + first : 300, 20:390]
    np.testing.assert_array_equal(found, expected)
