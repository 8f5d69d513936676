"""Real headers: astropy's pixel-to-sky and the plate polynomial by hand are the truth."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import realdata
from astropy.io import fits
from astropy.wcs import WCS
from wcs_truth import dss, separation, sip, tpv

from vo.pixels.inspect import inspect
from vo.pixels.wcs import find_solutions, read_solutions

FILES = [
    ("fits/astropydata_HorseHead.fits", "DSS"),
    ("fits/astropydata_M6707HH.fits", "DSS"),
    ("fits/astropytut_dss_hd219829.fits", "DSS"),
    ("fits/kete_19501206-NGC2403-reduced.fits.gz", "SIP"),
    ("fits/scos_1979_XB_J_5523.fits", "TAN"),
    ("fits/scos_1984_QA_OR_17358.fits", "TAN"),
    ("fits/scos_1990_MU_I12285.fits", "TAN"),
    ("fits/scos_6743_P-L_2_J_10439.fits", "TAN"),
    ("dasch/b02312_bin16.fits", "TAN"),
]


def grid(shape):
    xs, ys = np.meshgrid(*(np.linspace(-0.5, size - 0.5, 9) for size in shape))
    return xs.ravel(), ys.ravel()


def astropy_icrs(header, x, y, recwarn, key=" "):
    """What astropy makes of a header, in ICRS; SuperCOSMOS's two cards taken out, which break it."""
    mended = header.copy()
    if "AMDX1" not in mended:
        for card in ("XPIXELSZ", "YPIXELSZ"):
            mended.remove(card, ignore_missing=True)
    wcs = WCS(mended, key=key)
    sky = wcs.pixel_to_world(x, y).icrs
    recwarn.clear()
    return sky.ra.deg, sky.dec.deg


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
@pytest.mark.parametrize(("name", "kind"), FILES)
def test_files_agree_with_astropy(name, kind, recwarn):
    path = realdata.path(name)
    info = inspect(path)[0]
    (wcs,) = info.solutions
    x, y = grid(wcs.shape)
    truth = astropy_icrs(fits.getheader(path), x, y, recwarn)
    assert wcs.kind == kind
    assert (separation(wcs.to_sky(x, y), truth) / wcs.pixel_scale).max() < 1e-4, "pixels"
    back = wcs.to_pixel(*wcs.to_sky(x, y))
    assert np.hypot(back[0] - x, back[1] - y).max() < 1e-3


@pytest.mark.parametrize("name", [name for name, kind in FILES if kind == "DSS"])
def test_plate_polynomials_of_files_by_hand(name):
    header = fits.getheader(realdata.path(name))
    (wcs,) = read_solutions(header)
    x, y = grid(wcs.shape)
    own = wcs._engine.to_world(np.stack([x, y], axis=1))
    assert separation((own[:, 0], own[:, 1]), dss(header, x, y)).max() < 1e-5


def test_every_plate_of_poss1():
    lines = realdata.path("poss1/headers.jsonl").read_text(encoding="utf-8").splitlines()
    worst = 0.0
    for line in lines:
        values = json.loads(line)["header"]["header"]
        (wcs,) = read_solutions(values)
        assert wcs.kind == "DSS"
        x, y = grid(wcs.shape)
        own = wcs._engine.to_world(np.stack([x, y], axis=1))
        worst = max(worst, float(separation((own[:, 0], own[:, 1]), dss(values, x, y)).max()))
    assert len(lines) == 466
    assert worst < 1e-4, "arcsec"


@pytest.mark.parametrize(("name", "truth"), [("siponly.hdr", sip), ("irac_sip.hdr", sip), ("tpvonly.hdr", tpv)])
def test_distorted_headers_by_hand(name, truth):
    text = realdata.path(f"headers/{name}").read_text(encoding="ascii")
    (wcs,) = read_solutions(text)
    values = fits.Header.fromstring(text)
    x, y = grid(wcs.shape)
    plain = {key: value for key, value in values.items() if isinstance(value, int | float)}
    assert separation(wcs.to_sky(x, y), truth(plain, x, y)).max() < 1e-5


def test_sip_and_tpv_of_one_image_agree():
    one, two = (read_solutions(realdata.path(f"headers/{name}.hdr").read_text())[0] for name in ("siponly", "tpvonly"))
    x, y = grid(one.shape)
    assert separation(one.to_sky(x, y), two.to_sky(x, y)).max() < 0.01


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("2wcses.hdr", {" ": "ZPN"}),
        ("starlink_ast/multi-wcs.head", {" ": "TAN", "A": "TAN", "B": "TAN"}),
        ("starlink_ast/multi-wcs-dup.head", {" ": "TAN", "B": "TAN"}),
        ("starlink_ast/sao-tan.head", {" ": "TAN"}),
        ("starlink_ast/sip.head", {" ": "SIP"}),
        ("starlink_ast/sip2.head", {" ": "SIP"}),
        ("starlink_ast/tnx.head", {" ": "TNX"}),
        ("starlink_ast/tnx-cheb.head", {" ": "TNX"}),
        ("starlink_ast/zpx.head", {" ": "ZPX"}),
    ],
)
def test_every_header_is_read(name, kinds):
    found = find_solutions(realdata.path(f"headers/{name}").read_text(encoding="ascii"))
    assert found.problems == ()
    assert {wcs.key: wcs.kind for wcs in found.solutions} == kinds
    for wcs in found.solutions:
        x, y = grid(wcs.shape)
        sky = wcs.to_sky(x, y)
        back = wcs.to_pixel(*sky)
        there = np.isfinite(back[0])
        assert separation(wcs.to_sky(back[0][there], back[1][there]), (sky[0][there], sky[1][there])).max() < 1e-3
        if name != "starlink_ast/tnx-cheb.head":  # its surface folds over: a place lies at several pixels
            assert np.hypot(back[0] - x, back[1] - y).max() < 1e-3


def test_galactic_and_ecliptic_systems_point_where_they_should():
    wcs = read_solutions(realdata.path("headers/starlink_ast/multi-wcs.head").read_text(encoding="ascii"))
    by_key = {one.key: one.centre for one in wcs}
    assert separation(by_key[" "], (86.40499, 28.93617)) < 1.0, "the galactic anticentre"
    assert separation(by_key["B"], (269.939, -28.97)) < 60.0, "ecliptic (269.939, -5.533)"


def test_the_split_wat_string_of_tnx_is_told_and_used(recwarn):
    text = realdata.path("headers/starlink_ast/tnx.head").read_text(encoding="ascii")
    assert max(map(len, text.splitlines())) == 81, "one card of this header is too long"
    (wcs,) = read_solutions(text)
    assert any("WAT2" in repair for repair in wcs.repairs)
    plain = re.sub(r"WAT.*\n", "", text).replace("TNX", "TAN")
    x, y = grid(wcs.shape)
    shift = separation(wcs.to_sky(x, y), read_solutions(plain)[0].to_sky(x, y))
    assert shift.min() > 100.0, "its surfaces shift by a constant of 0.2 degrees"
    assert not recwarn.list
