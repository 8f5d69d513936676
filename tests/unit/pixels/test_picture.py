"""Pictures of cutouts: what is bright is white, and where it is; north up is where astropy says it is."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image
from wcs_truth import header_text

from vo.dali.shapes import Circle
from vo.errors import LimitFault
from vo.pixels.cutout import cut
from vo.pixels.picture import draw
from vo.pixels.piece import Piece, piece_of
from vo.pixels.wcs import read_solutions

RANDOM = np.random.default_rng(1903)
STEP = 10 / 3600


def plate(tmp_path, turn=0.0, *, mirrored=False, **changes):
    """A noisy plate with a square star at pixel (250, 100), counted from 0, and its solution, turned by degrees."""
    data = RANDOM.normal(100, 3, (300, 400)).astype(np.float32)
    data[85:116, 235:266] = 1000.0
    cos, sin = STEP * math.cos(math.radians(turn)), STEP * math.sin(math.radians(turn))
    sign = 1.0 if mirrored else -1.0
    matrix = {"CD1_1": sign * cos, "CD1_2": sin, "CD2_1": -sign * sin, "CD2_2": cos}
    head = fits.Header.fromstring(header_text(BITPIX=-32, **matrix, **changes), sep="\n")
    fits.PrimaryHDU(data, head).writeto(tmp_path / "plate.fits")
    return tmp_path / "plate.fits", read_solutions(head)[0], head


def star(picture):
    """The middle of what is white, in pixels of the picture counted from 0 at the top left."""
    rows, columns = np.nonzero(np.asarray(picture) > 200)
    return columns.mean(), rows.mean()


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_as_the_pixels_lie_the_first_row_is_at_the_bottom(tmp_path, form):
    path, wcs, _ = plate(tmp_path)
    cutout = cut(path, wcs, Circle(150, 20, 0.3))
    content = draw(piece_of(cutout), form, "plate 17")
    picture = Image.open(io.BytesIO(content))
    assert picture.format == form
    assert picture.size == (cutout.box.width, cutout.box.height)
    x, y = star(picture)
    assert x == pytest.approx(250 - cutout.box.left, abs=0.5)
    assert y == pytest.approx(cutout.box.height - 1 - (100 - cutout.box.bottom), abs=0.5)
    assert "plate 17" in str({**picture.info})


@pytest.mark.parametrize("turn", [0.0, 30.0, 90.0, 200.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_north_is_up_and_east_to_the_left(tmp_path, turn, mirrored):
    path, wcs, head = plate(tmp_path, turn, mirrored=mirrored)
    cutout = cut(path, wcs, Circle(150, 20, 0.35))
    content = draw(piece_of(cutout), "PNG", "", north=(wcs, cutout.box))
    picture = Image.open(io.BytesIO(content))
    box = cutout.box
    astropys = WCS(head)
    middle = astropys.pixel_to_world((box.left + box.right - 1) / 2, (box.bottom + box.top - 1) / 2)
    there: SkyCoord = astropys.pixel_to_world(250, 100)
    east, north = (offset.deg / STEP for offset in middle.spherical_offsets_to(there))
    x, y = star(picture)
    # the picture's middle is the box's to a pixel: its size is a whole number
    assert x - (picture.width - 1) / 2 == pytest.approx(-east, abs=1.2)
    assert y - (picture.height - 1) / 2 == pytest.approx(-north, abs=1.2)


def test_scaling_and_blank_are_heeded(tmp_path):
    """Stored numbers that grow downwards are a negative: what is physically bright is white."""
    path, *_ = plate(tmp_path)
    with fits.open(path) as opened:
        stored = (-opened[0].data).astype(np.int16)
    stored[200:205, 100:300] = -32768
    cards = {"SIMPLE": True, "BITPIX": 16, "NAXIS": 2, "NAXIS1": 400, "NAXIS2": 300, "BSCALE": -1.0, "BLANK": -32768}
    text = fits.Header(cards).tostring()
    raw = Piece(text.encode(), lambda: iter([stored.astype(">i2").tobytes()]))
    picture = Image.open(io.BytesIO(draw(raw, "PNG", "")))
    assert star(picture) == pytest.approx((250, 299 - 100), abs=0.5)
    assert np.asarray(picture)[299 - 202, 200] == 0


def test_nothing_but_undefined_pixels_is_black(tmp_path):
    header = fits.PrimaryHDU(np.zeros((5, 4), dtype=np.float32)).header.tostring()
    blank = Piece(header.encode(), lambda: iter([np.full((5, 4), np.nan, dtype=">f4").tobytes()]))
    assert not np.asarray(Image.open(io.BytesIO(draw(blank, "PNG", "")))).any()


def test_what_jpeg_cannot_hold_is_said(tmp_path):
    header = fits.PrimaryHDU(np.zeros((1, 70_000), dtype=np.uint8)).header.tostring()
    long = Piece(header.encode(), lambda: iter([bytes(70_000)]))
    with pytest.raises(LimitFault, match="70000"):
        draw(long, "JPEG", "")
    assert Image.open(io.BytesIO(draw(long, "PNG", ""))).size == (70_000, 1)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_question_that_is_longer_than_a_comment_can_be(tmp_path, form):
    path, wcs, _ = plate(tmp_path)
    made = piece_of(cut(path, wcs, Circle(150, 20, 0.3)))
    picture = Image.open(io.BytesIO(draw(made, form, "plate 17 " + "10.123456789 " * 6000)))
    picture.load()
    assert "plate 17 10.123456789" in str({**picture.info})
