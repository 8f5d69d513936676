"""Binned images and grids for pictures, made band by band: the means that numpy gives of the whole image."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
import realdata
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pixels_by_hand import open_image, read_wcs
from wcs_truth import header_text, separation, tpv_header

from vo.errors import OperatorFault, UsageFault
from vo.pixels.read import list_images
from vo.pixels.shrink import BinnedFile, Binner, shrink
from vo.pixels.wcs import find_solutions

SHIFTED = {"int16": 0, "uint8": 0, "int32": -100_000, "float32": 0.0, "float64": 1e6}


def brute(data, factor):
    """The means of whole blocks; what is not known does not count."""
    height, width = data.shape[0] // factor, data.shape[1] // factor
    out = np.full((height, width), np.nan)
    for row in range(height):
        for column in range(width):
            block = data[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
            known = block[np.isfinite(block)].astype(np.float64)
            if known.size:
                out[row, column] = known.mean()
    return out


def image_file(path, dtype="int16", *, height=137, width=211, compressed=False, cards=()):
    data = (np.random.default_rng(3).normal(200, 30, (height, width)) + SHIFTED[dtype]).astype(dtype)
    header = fits.Header(list(cards))
    if compressed:
        kind = "RICE_1" if np.issubdtype(data.dtype, np.integer) else "GZIP_2"
        packed = fits.CompImageHDU(data, header, compression_type=kind, quantize_level=0.0)
        fits.HDUList([fits.PrimaryHDU(), packed]).writeto(path)
    else:
        fits.PrimaryHDU(data, header).writeto(path)
    (image,) = list_images(path)
    return data, image


def made(path, image, factor, name="tests/p1/a.fits"):
    file = BinnedFile(path.with_name("binned.fits"), image, factor, name)
    shrink(path, image, [file], None, lambda: None)
    return file, file.finish()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", SHIFTED)
@pytest.mark.parametrize("factor", [1, 7, 16])
def test_binned_pixels_are_numpys_means(tmp_path, dtype, factor, compressed):
    path = tmp_path / "a.fits"
    data, image = image_file(path, dtype, compressed=compressed and dtype != "float64")
    _, written = made(path, image, factor)
    with fits.open(tmp_path / "binned.fits") as hdus:
        hdus.verify("exception")
        found = hdus[0].data
        assert found.dtype.kind == data.dtype.kind
        assert found.dtype.itemsize == data.dtype.itemsize
    expected = brute(data, factor)
    if np.issubdtype(data.dtype, np.integer):
        assert np.array_equal(found, np.rint(expected))
    else:
        assert np.allclose(found, expected, rtol=1e-6)
    assert written.shape == found.shape[::-1]
    assert written.content_length == (tmp_path / "binned.fits").stat().st_size


def test_the_checksum_is_the_files(tmp_path):
    import hashlib

    path = tmp_path / "a.fits"
    _, image = image_file(path)
    _, written = made(path, image, 16)
    content = (tmp_path / "binned.fits").read_bytes()
    assert written.checksum == f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}"
    assert len(content) % 2880 == 0


def test_what_is_not_known_does_not_count(tmp_path):
    path = tmp_path / "a.fits"
    data = np.random.default_rng(1).normal(5, 1, (64, 48)).astype(np.float32)
    data[3:20, 5:40] = np.nan
    fits.PrimaryHDU(data).writeto(path)
    made(path, list_images(path)[0], 8)
    assert np.allclose(fits.getdata(tmp_path / "binned.fits"), brute(data, 8), equal_nan=True)
    whole = np.random.default_rng(1).integers(0, 50, (64, 48)).astype(np.int16)
    whole[3:20, 5:40] = -7
    blank = fits.PrimaryHDU(whole)
    blank.header["BLANK"] = -7
    blank.writeto(path, overwrite=True)
    made(path, list_images(path)[0], 8)
    expected = brute(np.where(whole == -7, np.nan, whole.astype(float)), 8)
    found, header = open_image(tmp_path / "binned.fits")
    assert header["BLANK"] == -7
    assert np.array_equal(found, np.where(np.isnan(expected), -7, np.rint(expected)))


@given(
    data=arrays.arrays(np.int16, st.tuples(st.integers(5, 40), st.integers(5, 40))),
    factor=st.integers(1, 5),
    cuts=st.lists(st.integers(0, 40), max_size=4),
)
def test_bands_of_any_height_give_the_same(data, factor, cuts):
    from vo.pixels.cards import Cards
    from vo.pixels.read import ImageHDU

    image = ImageHDU(0, data.shape[::-1], (), 16, Cards(()), 2880)
    binner = Binner(image, factor)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts = [binner.add(data[first:behind]) for first, behind in itertools.pairwise(places)]
    assert np.allclose(np.concatenate(parts), brute(data.astype(float), factor))


@pytest.mark.parametrize("text", [header_text(), tpv_header(80.0, 10.0, bend=0.01, width=400, height=300, angle=50.0)])
def test_the_solution_of_the_header_fits_the_binned_image(tmp_path, text):
    path = tmp_path / "a.fits"
    header = fits.Header.fromstring(text, sep="\n")
    header["OBSERVER"] = "Mary"
    fits.PrimaryHDU(np.zeros((300, 400), dtype=np.int16), header).writeto(path, checksum=True)
    made(path, list_images(path)[0], 16)
    _, binned = open_image(tmp_path / "binned.fits")
    assert binned["OBSERVER"] == "Mary"
    assert "CHECKSUM" not in binned
    assert "16 x 16 pixels of tests/p1/a.fits" in " ".join(str(binned["HISTORY"]).split())
    there = read_wcs(binned).all_pix2world(7, 3, 0)
    assert separation(there, read_wcs(header).all_pix2world(7 * 16 + 7.5, 3 * 16 + 7.5, 0)) < 1e-3


@pytest.mark.parametrize("name", ["fits/scos_1990_MU_I12285.fits", "fits/astropydata_M6707HH.fits"])
def test_real_plates(tmp_path, name):
    path = realdata.path(name)
    image = list_images(path)[0]
    file = BinnedFile(tmp_path / "binned.fits", image, 4, "a.fits")
    shrink(path, image, [file], None, lambda: None)
    file.finish()
    data, _ = open_image(path)
    found, _ = open_image(tmp_path / "binned.fits")
    assert np.array_equal(found, np.rint(brute(data, 4)))
    (binned,) = list_images(tmp_path / "binned.fits")
    for one, whole in zip(*(find_solutions(x.cards, x.shape).solutions for x in (binned, image)), strict=True):
        x, y = np.array([3.0, 200.0]), np.array([5.0, 100.0])
        assert (separation(one.to_sky(x, y), whole.to_sky(x * 4 + 1.5, y * 4 + 1.5)) / whole.pixel_scale).max() < 0.01


def test_memory_does_not_grow_with_the_image(tmp_path):
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(np.zeros((12_000, 4000), dtype=np.int16)).writeto(path)
    (image,) = list_images(path)
    file = BinnedFile(tmp_path / "binned.fits", image, 16, "a.fits")
    tracemalloc.start()
    grid = shrink(path, image, [file], 1200, lambda: None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert grid.shape == (1200, 400)
    assert peak < 40_000_000, "of 96,000,000 bytes of pixels"


def test_work_that_is_stopped_between_bands(tmp_path):
    path = tmp_path / "a.fits"
    _, image = image_file(path)
    with pytest.raises(KeyError):
        shrink(path, image, [], 50, {}.popitem)


def test_what_cannot_be_binned(tmp_path):
    path = tmp_path / "a.fits"
    _, image = image_file(path)
    with pytest.raises(UsageFault, match="cannot be binned by 138"):
        BinnedFile(tmp_path / "b.fits", image, 138, "a.fits")
    fits.PrimaryHDU(np.zeros((3, 40, 50), dtype=np.int16)).writeto(tmp_path / "cube.fits")
    (cube,) = list_images(tmp_path / "cube.fits")
    with pytest.raises(OperatorFault, match="50 x 40 x 3 pixels is a stack"):
        shrink(tmp_path / "cube.fits", cube, [], 20, lambda: None)


def test_pictures_of_stored_numbers_that_fall_as_values_rise(tmp_path):
    path = tmp_path / "a.fits"
    image_file(path)
    content = path.read_bytes()
    card = b"BSCALE  =                 -1.0".ljust(80)
    path.write_bytes(content.replace(b"END".ljust(160), card + b"END".ljust(80), 1))
    (image,) = list_images(path)
    data, _ = open_image(path)
    assert np.allclose(shrink(path, image, [], 60, lambda: None), -brute(data, 3), rtol=1e-5)
