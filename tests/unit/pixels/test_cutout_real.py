"""Cutouts of real plates, and of plates with real distorted headers: at the centre, at corners, across the edges.

Pixels are those of the whole file; the sky under 100 random pixels, read anew from the cutout's own header by us and by
astropy, is the whole file's to 0.01 pixel; beside the image there is nothing.
"""

from __future__ import annotations

import io

import numpy as np
import pixels_by_hand as hand
import pytest
import realdata
from astropy.io import fits
from astropy.wcs import WCS
from wcs_truth import separation

from vo.dali.shapes import Circle
from vo.pixels.cards import keyword, read_cards
from vo.pixels.cutout import cut
from vo.pixels.inspect import inspect

HEADERS = [
    "2wcses.hdr",
    "irac_sip.hdr",
    "siponly.hdr",
    "tpvonly.hdr",
    "starlink_ast/multi-wcs.head",
    "starlink_ast/multi-wcs-dup.head",
    "starlink_ast/sao-tan.head",
    "starlink_ast/sip.head",
    "starlink_ast/sip2.head",
    "starlink_ast/tnx.head",
    "starlink_ast/tnx-cheb.head",
    "starlink_ast/zpx.head",
]
#: Cards of a file's structure, which a plate made here has of its own.
_STRUCTURE = (
    "SIMPLE",
    "XTENSION",
    "BITPIX",
    "NAXIS",
    "EXTEND",
    "PCOUNT",
    "GCOUNT",
    "END",
    "BSCALE",
    "BZERO",
    "DATASUM",
)
ALMOST = 0.01


def places(shape):
    """Pixels at the centre, in the corners, and beyond the middle of each edge."""
    right, top = shape[0] - 1.0, shape[1] - 1.0
    beyond = min(shape) / 20
    yield from ((right / 2, top / 2), (0.0, 0.0), (right, 0.0), (0.0, top), (right, top))
    yield from ((-beyond, top / 2), (right + beyond, top / 2), (right / 2, -beyond), (right / 2, top + beyond))


def astropys(header, key):
    """The system as astropy has it, None where it has none; the two cards that break SuperCOSMOS headers taken out."""
    mended = header.copy()
    if "AMDX1" not in mended:
        for card in ("XPIXELSZ", "YPIXELSZ"):
            mended.remove(card, ignore_missing=True)
    try:
        return WCS(mended, key=key).celestial
    except Exception:  # noqa: BLE001  wcslib's own exceptions differ between versions
        return None


def sky(wcs, x, y):
    place = wcs.pixel_to_world(x, y).icrs
    return place.ra.deg, place.dec.deg


def agrees(one, two, scale):
    """Whether positions are the same to 0.01 pixel; a pixel that lies off the sky has to do so in both."""
    apart = separation(one, two)
    return bool(np.array_equal(np.isnan(one[0]), np.isnan(two[0])) and not (apart > ALMOST * scale).any())


def is_read_by_astropy(path, index, plate, wcs, place, radius, random):
    """Assert that a cutout is a part of the plate (pixels, header); whether astropy reads its coordinates."""
    ra, dec = (float(one) for one in wcs.to_sky(*place))
    made = cut(path, wcs, Circle(ra, dec, radius), hdu=index)
    assert made is not None, place
    box, content = made.box, b"".join(made.stream())
    part, header = hand.open_answer(content)
    whole, whole_header = plate
    assert part.shape == (box.height, box.width)
    hand.assert_same_pixels(part, whole, (box.left, box.bottom))

    x, y = random.uniform(-0.5, box.width - 0.5, 100), random.uniform(-0.5, box.height - 0.5, 100)
    there = wcs.to_sky(x + box.left, y + box.bottom)
    anew = inspect(io.BytesIO(content))[0].solutions[0]
    assert anew.key == " "
    assert agrees(anew.to_sky(x, y), there, wcs.pixel_scale)

    before = astropys(whole_header, wcs.key)
    if before is None or not agrees(sky(before, x + box.left, y + box.bottom), there, wcs.pixel_scale):
        return False  # conventions of IRAF's, which astropy takes for plain projections
    after = astropys(header, " ")
    assert agrees(sky(after, x, y), sky(before, x + box.left, y + box.bottom), wcs.pixel_scale)
    return True


def is_strange(wcs):
    """IRAF's own conventions, and ecliptic coordinates, whose equinox astropy takes for a true one, not a mean one."""
    return wcs.kind in ("TNX", "ZPX") or any("'ELON" in card for card in wcs.images)


def assert_nothing_beside(path, index, wcs, radius):
    """A circle that begins a quarter of the plate beyond its farthest corner, towards either pole."""
    ra, dec = wcs.centre
    corners = wcs.to_sky(
        *np.meshgrid([-0.5, wcs.shape[0] - 0.5], [-0.5, wcs.shape[1] - 0.5]),
    )
    reach = float(np.nanmax(separation(corners, (ra, dec)))) / 3600.0
    away = min(1.25 * reach + radius, 180.0 - radius)
    there = (ra, dec - away) if dec > away - 90.0 else ((ra + 180.0) % 360.0, -180.0 - (dec - away))
    assert cut(path, wcs, Circle(*there, radius), hdu=index) is None


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
@pytest.mark.parametrize("name", realdata.IMAGES)
def test_real_files(name, recwarn):
    path = realdata.path(name)
    plate = hand.open_image(path)
    (wcs,) = inspect(path)[0].solutions
    radius = min(wcs.shape) * wcs.pixel_scale / 3600 / 10
    random = np.random.default_rng(1)
    read = [is_read_by_astropy(path, 0, plate, wcs, place, radius, random) for place in places(wcs.shape)]
    assert all(read), "astropy reads the coordinates of every cutout of these files"
    assert_nothing_beside(path, 0, wcs, radius)
    recwarn.clear()


def made_plate(folder, name, form):
    """A plate of noise with the cards of a header, written by hand so that none is mended; its HDU."""
    text = realdata.path(f"headers/{name}").read_text(encoding="ascii")
    images = [one for one in read_cards(text).images if not keyword(one).startswith(_STRUCTURE)]
    values = read_cards(text).values()
    width, height = int(values["NAXIS1"]), int(values["NAXIS2"])
    data = np.random.default_rng(7).normal(900, 30, (height, width)).astype(np.int16)
    path = folder / "plate.fits"
    path.write_bytes(_plain(images, data) if form == "plain" else _tiles(images, data))
    return path, 0 if form == "plain" else 1


def _plain(images, data):
    head = ["SIMPLE  =                    T", "BITPIX  =                   16", "NAXIS   =                    2"]
    head += [f"NAXIS{axis}  = {length:>20}" for axis, length in ((1, data.shape[1]), (2, data.shape[0]))]
    return _header([*head, *images]) + data.astype(">i2").tobytes() + bytes(-data.nbytes % 2880)


def _tiles(images, data):
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, tile_shape=(100, 120))]).writeto(content)
    whole = content.getvalue()
    with fits.open(io.BytesIO(whole), disable_image_compression=True) as opened:
        head, offset = str(opened[1].header), opened[1]._data_offset
        begin = opened[1]._header_offset
    own = [card for card in read_cards(head).images if keyword(card) != "END"]
    return whole[:begin] + _header([*own, *images]) + whole[offset:]


def _header(images):
    text = "".join(one.ljust(80) for one in images) + "END".ljust(80)
    return text.ljust(-(-len(text) // 2880) * 2880).encode("ascii")


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
@pytest.mark.parametrize("form", ["plain", "tiles"])
@pytest.mark.parametrize("name", HEADERS)
def test_plates_with_real_headers(tmp_path, name, form, recwarn):
    path, index = made_plate(tmp_path, name, form)
    plate = hand.open_image(path, index)
    solutions = inspect(path)[0].solutions
    assert solutions
    random = np.random.default_rng(2)
    for wcs in solutions:
        radius = min(wcs.shape) * wcs.pixel_scale / 3600 / 10
        read = [
            is_read_by_astropy(path, index, plate, wcs, place, radius, random)
            for place in places(wcs.shape)
            if np.isfinite(wcs.to_sky(*place)[0])
        ]
        assert len(read) >= 5
        assert all(read) or is_strange(wcs), "astropy reads what follows the standard"
        assert_nothing_beside(path, index, wcs, radius)
    recwarn.clear()
