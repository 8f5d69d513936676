"""Which coordinate systems a cutout carries beside its exposure's own."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from wcs_truth import header_text

from vo.dali.shapes import Circle
from vo.pixels.cutheader import Fellows
from vo.pixels.cutout import cut
from vo.pixels.wcs import read_solutions

HERE = Circle(150.1, 20.05, 0.1)
TPV = {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_1": 1.001, "PV2_1": 1.001, "PV1_7": 0.01}
SIP = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "A_2_0": 1e-6, "B_ORDER": 2, "B_0_2": 2e-6}


def solution(**changes):
    return read_solutions(header_text(**changes))[0]


def lettered(letter, **changes):
    """Cards of a TAN under a letter."""
    base = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": 40.0,
        "CRVAL2": -10.0,
        "CRPIX1": 100.25,
        "CRPIX2": 100.0,
    }
    return {f"{name}{letter}": value for name, value in {**base, "CDELT1": -0.01, "CDELT2": 0.01, **changes}.items()}


def header_of(tmp_path, own, wcs, fellows):
    """The header of a cutout of a file with this header, by astropy."""
    path = tmp_path / "plate.fits"
    head = fits.Header.fromstring(own, sep="\n") if own else fits.Header()
    fits.PrimaryHDU(np.zeros((300, 400), dtype=np.int16), head).writeto(path)
    cutout = cut(path, wcs, HERE, fellows=fellows)
    with fits.open(io.BytesIO(b"".join(cutout.stream()))) as hdus:
        hdus.verify("exception")
        return hdus[0].header.copy(), cutout.box


def sky(header, key, x=10.0, y=20.0):
    found = WCS(header, key=key).all_pix2world(x, y, 0)
    return [float(one) for one in found]


def history(header):
    return " ".join(str(header["HISTORY"]).split())


def assert_same_sky(header, key, box, wcs):
    expected = [float(axis) for axis in wcs.to_sky(10.0 + box.left, 20.0 + box.bottom)]
    assert sky(header, key) == pytest.approx(expected, abs=1e-9)


def test_a_file_without_coordinates_gets_all_solutions_of_its_scan(tmp_path):
    own, second, third = solution(), solution(CRVAL1=120.0, **TPV), solution(CRVAL1=100.0, CRPIX1=7.5)
    fellows = Fellows(current=(("solution b version 2 (exposure 2)", second), ("solution c version 1", third)))
    header, box = header_of(tmp_path, "", own, fellows)
    for key, wcs in ((" ", own), ("A", second), ("B", third)):
        assert_same_sky(header, key, box, wcs)
    assert "WCS A: solution b version 2 (exposure 2)" in history(header)
    assert "WCS B: solution c version 1" in history(header)
    assert header["PV1_7A"] == 0.01


def test_what_the_file_has_anyway_keeps_its_letter_and_comes_once(tmp_path):
    text = header_text(**lettered("D"))
    own, other = read_solutions(text)
    header, box = header_of(tmp_path, text, own, Fellows(current=(("solution 2 version 1", other),)))
    assert_same_sky(header, "D", box, other)
    assert [key for key in "ABCDE" if f"CTYPE1{key}" in header] == ["D"]


def test_a_better_solution_takes_the_place_of_the_files(tmp_path):
    """The file's untagged system was replaced by version 2, its lettered one is current as it is."""
    text = header_text(**lettered("A"))
    old, other = read_solutions(text)
    new = solution(CRVAL1=150.01, **TPV)
    fellows = Fellows(current=(("solution 2 version 1", other),), former=(old,))
    header, box = header_of(tmp_path, text, new, fellows)
    assert_same_sky(header, " ", box, new)
    assert_same_sky(header, "A", box, other)
    assert [key for key in "ABCDE" if f"CTYPE1{key}" in header] == ["A"]
    assert "newer solutions stand for them" in history(header)
    # the other exposure is cut: the old system of the first is not among what comes along
    fellows = Fellows(current=(("solution 1 version 2", new),), former=(old,))
    (tmp_path / "plate.fits").unlink()
    path = tmp_path / "plate.fits"
    fits.PrimaryHDU(np.zeros((300, 400), dtype=np.int16), fits.Header.fromstring(text, sep="\n")).writeto(path)
    cutout = cut(path, other, Circle(40.5, -9.5, 0.3), fellows=fellows)
    with fits.open(io.BytesIO(b"".join(cutout.stream()))) as hdus:
        header = hdus[0].header
        assert_same_sky(header, " ", cutout.box, other)
        assert_same_sky(header, "A", cutout.box, new)
        assert [key for key in "ABCDE" if f"CTYPE1{key}" in header] == ["A"]
        assert "untagged coordinate system left out: a better solution has replaced it" in history(header)


@pytest.mark.parametrize("own", [{}, SIP])
def test_another_sip_cannot_come_along_and_is_told(tmp_path, own):
    """SIP's coefficients have no letters: those of the untagged system would be taken for both."""
    other = solution(CRVAL1=120.0, **{**SIP, "A_2_0": 5e-6})
    fellows = Fellows(current=(("solution 2 version 1", other),))
    header, box = header_of(tmp_path, "", solution(**own), fellows)
    assert_same_sky(header, " ", box, solution(**own))
    assert [key for key in "ABCDE" if f"CTYPE1{key}" in header] == []
    assert "solution 2 version 1 (SIP) left out: it cannot be given a letter" in history(header)


def test_with_all_letters_taken_the_rest_is_told(tmp_path):
    others = tuple((f"solution {number}", solution(CRVAL1=10.0 + number)) for number in range(27))
    header, _ = header_of(tmp_path, "", solution(), Fellows(current=others))
    assert sum(f"CTYPE1{key}" in header for key in "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 26
    assert "solution 26 (TAN) left out" in history(header)
