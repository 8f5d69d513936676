"""What files are said to hold."""

from __future__ import annotations

import io

import numpy as np
import pytest
import realdata
from astropy.io import fits
from wcs_truth import header_text

from vo.errors import OperatorFault
from vo.pixels.inspect import inspect, readable_header


def test_supercosmos_has_an_image_and_tables():
    (info,) = inspect(realdata.path("fits/scos_1979_XB_J_5523.fits"))
    assert (info.index, info.shape, info.bitpix, info.compression) == (0, (1340, 1340), 16, None)
    assert info.header()["PLATENUM"]
    assert info.problems == ()
    assert any("XPIXELSZ" in repair for repair in info.solutions[0].repairs)


def test_broken_dates_do_no_harm():
    (info,) = inspect(realdata.path("fits/astropytut_dss_hd219829.fits"))
    assert info.header()["DATE-OBS"] == "1951-08-09T09:60:00"
    assert info.solutions[0].kind == "DSS"


def test_an_image_without_coordinates_has_no_solutions():
    content = io.BytesIO()
    fits.PrimaryHDU(np.zeros((20, 30), dtype=np.int16)).writeto(content)
    (info,) = inspect(content)
    assert (info.shape, info.solutions, info.problems) == ((30, 20), (), ())


def test_a_file_without_images_has_none():
    content = io.BytesIO()
    table = fits.BinTableHDU.from_columns([fits.Column("A", "J", array=np.arange(5))])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(content)
    assert inspect(content) == []


def test_a_broken_system_is_a_problem():
    content = io.BytesIO()
    head = fits.Header.fromstring(header_text(CRVAL2=None), sep="\n")
    fits.PrimaryHDU(np.zeros((300, 400), dtype=np.int16), head).writeto(content)
    (info,) = inspect(content)
    assert info.solutions == ()
    assert "CRVAL2 missing" in info.problems[0]


def test_a_damaged_header_is_told():
    with pytest.raises(OperatorFault, match="shorter"):
        inspect(io.BytesIO(b"SIMPLE  =                    T".ljust(2880)))


def test_what_stands_behind_the_last_hdu_is_left_alone():
    content = io.BytesIO()
    fits.PrimaryHDU(np.zeros((20, 30), dtype=np.int16)).writeto(content)
    assert len(inspect(io.BytesIO(content.getvalue() + b"\0" * 5000))) == 1


def test_unreadable_cards_are_left_out_of_the_header():
    text = "NAXIS1  =                   30\nBROKEN  = 'no end\nOBJECT  = 'M 67'"
    header = readable_header(text)
    assert header["NAXIS1"] == 30
    assert header["OBJECT"] == "M 67"
