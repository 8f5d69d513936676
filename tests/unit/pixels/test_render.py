"""Written files: FITS plain and compressed, binned images, previews."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image
from wcs_truth import separation

from vo.errors import UsageFault
from vo.pixels.inspect import inspect
from vo.pixels.render import bin_image, write_fits, write_jpeg
from vo.pixels.wcs import read_solutions

CARDS = [
    ("CTYPE1", "RA---TAN", ""), ("CTYPE2", "DEC--TAN", ""), ("CRVAL1", 10.0, "[deg]"), ("CRVAL2", 20.0, "[deg]"),
    ("CRPIX1", 300.0, ""), ("CRPIX2", 200.0, ""), ("CDELT1", -0.01, ""), ("CDELT2", 0.01, ""), ("RADESYS", "ICRS", ""),
]  # fmt: skip


def image(height=400, width=610):
    y, x = np.mgrid[:height, :width]
    return (x + 10 * y).astype(np.int16)


@pytest.mark.parametrize("compress", [None, "RICE_1"])
def test_what_is_written_is_read(tmp_path, compress):
    path = tmp_path / "plate.fits"
    write_fits(path, image(), CARDS, compress)
    with fits.open(path) as opened:
        assert np.array_equal(opened[1 if compress else 0].data, image())
    (info,) = inspect(path)
    assert (info.index, info.shape, info.bitpix, info.compression) == (1 if compress else 0, (610, 400), 16, compress)
    assert info.solutions[0].to_sky(299.0, 199.0) == (pytest.approx(10.0), pytest.approx(20.0))
    assert info.header()["CRVAL1"] == 10.0
    first = path.read_bytes()
    write_fits(path, image(), CARDS, compress)
    assert path.read_bytes() == first, "the same bytes every time"


def test_floats_compress_without_loss(tmp_path):
    data = np.random.default_rng(3).normal(size=(300, 310)).astype(np.float32)
    write_fits(tmp_path / "f.fits", data, CARDS, "GZIP_2")
    with fits.open(tmp_path / "f.fits") as opened:
        assert np.array_equal(opened[1].data, data)


def test_bins_are_means_of_whole_blocks():
    data = image(35, 50)
    small = bin_image(data, 16)
    assert small.shape == (2, 3)
    assert small.dtype == np.int16
    assert small[1, 2] == round(data[16:32, 32:48].mean())
    assert np.isclose(bin_image(data.astype(np.float32), 5)[0, 0], data[:5, :5].mean())


def test_the_binned_solution_fits_the_binned_image():
    """A star in the middle of a block of pixels is in the middle of the binned pixel."""
    wcs = read_solutions([*CARDS, ("NAXIS", 2, ""), ("NAXIS1", 610, ""), ("NAXIS2", 400, "")])[0]
    small = wcs.binned(16)
    assert small.shape == bin_image(image(), 16).shape[::-1]
    middle = wcs.to_sky(16 * 7 + 7.5, 16 * 3 + 7.5)
    assert separation(small.to_sky(7.0, 3.0), middle) < 1e-6


def test_binning_too_far_is_refused():
    with pytest.raises(UsageFault, match="50 x 35"):
        bin_image(image(35, 50), 36)


def test_previews_show_the_first_row_at_the_bottom(tmp_path):
    path = tmp_path / "preview.jpg"
    write_jpeg(path, image(), max_size=200)
    with Image.open(path) as picture:
        assert max(picture.size) == 200
        assert picture.size[0] / picture.size[1] == pytest.approx(610 / 400, rel=0.02)
        grey = np.asarray(picture.convert("L"))
    assert grey[0].mean() > 200
    assert grey[-1].mean() < 50


def test_previews_of_nothing_and_of_colour(tmp_path):
    write_jpeg(tmp_path / "nan.jpg", np.full((20, 30), np.nan, dtype=np.float32))
    write_jpeg(tmp_path / "flat.jpg", np.full((20, 30), 7, dtype=np.int16))
    colour = np.zeros((20, 30, 3), dtype=np.uint8)
    colour[:10] = (250, 0, 0)
    write_jpeg(tmp_path / "colour.jpg", colour)
    with Image.open(tmp_path / "colour.jpg") as picture:
        assert picture.size == (30, 20)
        assert picture.getpixel((5, 2))[0] > 200
    with Image.open(tmp_path / "nan.jpg") as picture:
        assert np.asarray(picture).max() == 0
