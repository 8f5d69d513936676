"""Coordinate systems of every kind against evaluations by hand, and headers that are broken."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import FK4, FK5, Galactic, SkyCoord
from astropy.io import fits
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st
from wcs_truth import deproject, dss, header_text, linear, separation, sip, tnx, tpv

from vo.errors import UsageFault
from vo.pixels.wcs import NoWCSFault, as_primary, find_solutions, load_solution, read_solutions

RANDOM = np.random.default_rng(1889)
SIP = {
    "CTYPE1": "RA---TAN-SIP",
    "CTYPE2": "DEC--TAN-SIP",
    "A_ORDER": 3,
    "B_ORDER": 3,
    "A_2_0": 3e-5,
    "A_1_1": -2e-5,
    "A_0_3": 4e-8,
    "B_0_2": -2e-5,
    "B_1_1": 1e-5,
    "B_3_0": -3e-8,
}
TPV = {
    "CTYPE1": "RA---TPV",
    "CTYPE2": "DEC--TPV",
    "PV1_0": 1e-4,
    "PV1_1": 1.001,
    "PV1_2": -2e-3,
    "PV1_4": 3e-3,
    "PV1_7": 1e-2,
    "PV1_11": 2e-2,
    "PV2_1": 0.999,
    "PV2_2": 1e-3,
    "PV2_5": -2e-3,
    "PV2_7": 1e-2,
    "PV2_16": 3e-3,
}
PLATE = {
    "PLTRAH": 8,
    "PLTRAM": 55,
    "PLTRAS": 55.05,
    "PLTDECSN": "-",
    "PLTDECD": 11,
    "PLTDECM": 26,
    "PLTDECS": 58.3,
    "CNPIX1": 8734,
    "CNPIX2": 7218,
    "XPIXELSZ": 25.28,
    "YPIXELSZ": 25.29,
    "PPO3": 174974.7,
    "PPO6": 174974.7,
    "AMDX1": 67.246,
    "AMDX2": 0.71,
    "AMDX3": -66.9,
    "AMDX4": -9.6e-6,
    "AMDX5": -8.6e-6,
    "AMDX8": 1e-6,
    "AMDX12": 2.1e-6,
    "AMDY1": 67.262,
    "AMDY2": -0.711,
    "AMDY3": -136.7,
    "AMDY4": -3.4e-5,
    "AMDY9": 2e-7,
    "AMDY12": 2.1e-6,
    **dict.fromkeys(("CTYPE1", "CTYPE2", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")),
}


def one(text):
    (wcs,) = read_solutions(text)
    return wcs


def numbers(text):
    return {
        key: value for key, value in fits.Header.fromstring(text, sep="\n").items() if isinstance(value, int | float)
    }


def pixels(wcs, count=200):
    width, height = wcs.shape
    return RANDOM.uniform(-0.5, width - 0.5, count), RANDOM.uniform(-0.5, height - 0.5, count)


def assert_round_trip(wcs):
    x, y = pixels(wcs)
    back = wcs.to_pixel(*wcs.to_sky(x, y))
    assert np.hypot(back[0] - x, back[1] - y).max() < 1e-3


def test_tan():
    text = header_text()
    wcs = one(text)
    x, y = pixels(wcs)
    assert separation(wcs.to_sky(x, y), deproject(*linear(numbers(text), x, y), 150.0, 20.0)).max() < 1e-6
    assert (wcs.kind, wcs.key, wcs.shape) == ("TAN", " ", (400, 300))
    assert wcs.pixel_scale == pytest.approx(10.0, rel=1e-5)
    assert not wcs.mirrored
    assert_round_trip(wcs)


@pytest.mark.parametrize(("changes", "truth"), [(SIP, sip), (TPV, tpv)])
def test_distortions_are_applied(changes, truth):
    text = header_text(**changes)
    wcs = one(text)
    x, y = pixels(wcs)
    plain = deproject(*linear(numbers(text), x, y), 150.0, 20.0)
    assert separation(wcs.to_sky(x, y), truth(numbers(text), x, y)).max() < 1e-5
    assert separation(wcs.to_sky(x, y), plain).max() > 1.0, "the distortion matters in this test"
    assert wcs.kind == changes["CTYPE1"][-3:]
    assert_round_trip(wcs)


def test_sip_without_its_suffix_is_sip_all_the_same():
    wcs = one(header_text(**{**SIP, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}))
    x, y = pixels(wcs)
    assert separation(wcs.to_sky(x, y), one(header_text(**SIP)).to_sky(x, y)).max() == 0.0
    assert any("-SIP added" in repair for repair in wcs.repairs)


def test_pv_cards_with_tan_are_scamps_tpv():
    wcs = one(header_text(**{**TPV, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}))
    x, y = pixels(wcs)
    assert separation(wcs.to_sky(x, y), one(header_text(**TPV)).to_sky(x, y)).max() == 0.0
    assert any("TAN to TPV" in repair for repair in wcs.repairs)


@pytest.mark.parametrize("terms", [{}, {"PV1_1": 1.0}, {"PV1_0": 0.0, "PV2_0": 0.0}])
def test_a_tpv_without_linear_terms_is_a_tan(terms):
    wcs = one(header_text(CTYPE1="RA---TPV", CTYPE2="DEC--TPV", **terms))
    x, y = np.array([0.0, 399.0, 100.0]), np.array([0.0, 299.0, 250.0])
    assert separation(wcs.to_sky(x, y), one(header_text()).to_sky(x, y)).max() < 1e-9
    assert "PV2_1 missing: read as 1" in wcs.repairs
    known = {key: value for line in wcs.images for key, value in [(line[:8].strip(), line[10:30].strip())]}
    assert (known["PV1_1"], known["PV2_1"]) == ("1.0", "1.0")


def test_sip_beats_scamps_cards():
    both = one(header_text(**{**TPV, **SIP}))
    x, y = pixels(both)
    assert separation(both.to_sky(x, y), one(header_text(**SIP)).to_sky(x, y)).max() == 0.0
    assert any("PV cards left out" in repair for repair in both.repairs)


@pytest.mark.parametrize("with_linear", [False, True])
def test_plate_polynomial(with_linear):
    own = {key: value for key, value in PLATE.items() if value is not None} if with_linear else PLATE
    text = header_text(**own)
    wcs = one(text)
    x, y = pixels(wcs)
    truth = dss(fits.Header.fromstring(text, sep="\n"), x, y)
    assert wcs.kind == "DSS"
    assert separation(wcs.to_sky(x, y), truth).max() < 1e-5
    assert_round_trip(wcs)


@pytest.mark.parametrize("function", [1, 3])
@pytest.mark.parametrize("equals", ["=", " = "])
def test_tnx(function, equals):
    """Whatever the spelling, of which wcslib reads only some."""
    surfaces = [[function, 4, 4, 2, -0.6, 0.6, -0.5, 0.5, *(RANDOM.normal(0, 1e-3, 10))] for _ in range(2)]
    cards = {}
    for axis, (name, numbers_) in enumerate(zip(("lngcor", "latcor"), surfaces, strict=True), start=1):
        text = (
            f'wtype=tnx axtype={"ra" if axis == 1 else "dec"} {name}{equals}"'
            + " ".join(map(repr, map(float, numbers_)))
            + ' "'
        )
        for number, start in enumerate(range(0, len(text), 68), start=1):
            cards[f"WAT{axis}_{number:03d}"] = text[start : start + 68]
    text = header_text(CTYPE1="RA---TNX", CTYPE2="DEC--TNX", **cards)
    wcs = one(text)
    x, y = pixels(wcs)
    assert wcs.kind == "TNX"
    assert separation(wcs.to_sky(x, y), tnx(numbers(text), *surfaces, x, y)).max() < 1e-5
    assert_round_trip(wcs)


def test_zpx_is_zpn_with_terms_in_wat_cards():
    wat = {
        "WAT1_001": "wtype=zpx axtype=ra projp1=1.0 projp3=220.0",
        "WAT2_001": "wtype=zpx axtype=dec projp1=1.0 projp3=220.0",
    }
    zpx = one(header_text(CTYPE1="RA---ZPX", CTYPE2="DEC--ZPX", **wat))
    zpn = one(header_text(CTYPE1="RA---ZPN", CTYPE2="DEC--ZPN", PV2_1=1.0, PV2_3=220.0))
    x, y = pixels(zpx)
    assert (zpx.kind, zpn.kind) == ("ZPX", "ZPN")
    assert separation(zpx.to_sky(x, y), zpn.to_sky(x, y)).max() < 1e-9
    assert separation(zpx.to_sky(x, y), one(header_text()).to_sky(x, y)).max() > 0.1
    assert_round_trip(zpx)


def test_axes_may_come_in_the_other_order():
    """Declination first: the same sky when rows and columns of the CD matrix say so."""
    swapped = one(
        header_text(
            CTYPE1="DEC--TAN", CTYPE2="RA---TAN", CRVAL1=20.0, CRVAL2=150.0,
            CD1_1=0.0, CD1_2=10 / 3600, CD2_1=-10 / 3600, CD2_2=0.0,
        )
    )  # fmt: skip
    x, y = pixels(swapped)
    assert separation(swapped.to_sky(x, y), one(header_text()).to_sky(x, y)).max() < 1e-9
    assert_round_trip(swapped)


@pytest.mark.parametrize(
    ("changes", "frame"),
    [
        ({"RADESYS": "FK5", "EQUINOX": 1975.0}, FK5(equinox="J1975")),
        ({"RADESYS": None, "EQUINOX": 2000.0}, FK5(equinox="J2000")),
        ({"RADESYS": None, "EQUINOX": 1950.0}, FK4(equinox="B1950")),
        ({"RADESYS": "FK4", "MJD__OBS": 19160.0}, FK4(equinox="B1950", obstime=Time(19160.0, format="mjd"))),
        ({"RADESYS": None, "RADECSYS": "FK4", "EPOCH": 1875.0}, FK4(equinox="B1875")),
        ({"RADESYS": "fk5", "EQUINOX": "2000.   "}, FK5(equinox="J2000")),
        ({"RADESYS": None, "CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, Galactic()),
    ],
)
def test_the_sky_is_icrs(changes, frame):
    wcs = one(header_text(**changes))
    plain = one(header_text())
    x, y = pixels(wcs, 50)
    lon, lat = plain.to_sky(x, y)
    icrs = SkyCoord(lon * units.deg, lat * units.deg, frame=frame).icrs
    assert separation(wcs.to_sky(x, y), (icrs.ra.deg, icrs.dec.deg)).max() < 2e-3
    assert_round_trip(wcs)


def test_without_radesys_and_equinox_it_is_icrs():
    x, y = pixels(one(header_text()))
    assert separation(one(header_text(RADESYS=None)).to_sky(x, y), one(header_text()).to_sky(x, y)).max() == 0.0


def test_places_that_are_not_on_the_plane_are_nan():
    wcs = one(header_text())
    x, y = wcs.to_pixel([330.0, 150.0, math.nan, 150.0], [-20.0, 20.0, 0.0, math.nan])
    assert np.isnan(x).tolist() == np.isnan(y).tolist() == [True, False, True, True]
    assert (x[1], y[1]) == pytest.approx((199.5, 149.5))


@pytest.mark.parametrize("changes", [SIP, TPV, PLATE])
def test_nowhere_on_the_sky_does_an_inverse_lie(changes):
    """Wherever the inverse answers, the way forth leads back to where it was asked."""
    wcs = one(header_text(**changes))
    centre_ra, centre_dec = wcs.centre
    ra = np.append(RANDOM.uniform(0, 360, 2000), RANDOM.uniform(centre_ra - 9, centre_ra + 9, 3000) % 360)
    dec = np.append(
        np.degrees(np.arcsin(RANDOM.uniform(-1, 1, 2000))), RANDOM.uniform(centre_dec - 9, centre_dec + 9, 3000)
    )
    x, y = wcs.to_pixel(ra, dec)
    found = np.isfinite(x)
    assert 20 < found.sum() < 4000
    assert separation(wcs.to_sky(x[found], y[found]), (ra[found], dec[found])).max(initial=0.0) < 1e-2
    width, height = wcs.shape
    on_image = found & (x > 0) & (x < width) & (y > 0) & (y < height)
    assert on_image.any()
    assert (separation((ra[on_image], dec[on_image]), (centre_ra, centre_dec)) < 3600).all()


@settings(max_examples=60, deadline=None)
@given(
    ra=st.floats(0, 360), dec=st.floats(-90, 90), angle=st.floats(0, 360), width=st.integers(2, 3000),
    height=st.integers(2, 3000), field=st.floats(0.01, 70.0), mirrored=st.booleans(), bend=st.floats(-0.05, 0.05),
)  # fmt: skip
def test_round_trips_anywhere(ra, dec, angle, width, height, field, mirrored, bend):
    scale = field / max(width, height)
    cos, sin = math.cos(math.radians(angle)) * scale, math.sin(math.radians(angle)) * scale
    side = 1.0 if mirrored else -1.0
    half = field / 2.0
    wcs = one(
        header_text(
            NAXIS1=width, NAXIS2=height, CRVAL1=ra, CRVAL2=dec, CRPIX1=width / 2 + 0.5, CRPIX2=height / 2 + 0.5,
            CD1_1=side * cos, CD1_2=sin, CD2_1=-side * sin, CD2_2=cos, CTYPE1="RA---TPV", CTYPE2="DEC--TPV",
            PV1_1=1.0, PV1_7=bend / half**2, PV1_9=bend / half**2,
            PV2_1=1.0, PV2_7=bend / half**2, PV2_9=bend / half**2,
        )
    )  # fmt: skip
    assert wcs.mirrored == mirrored
    assert_round_trip(wcs)
    assert separation(wcs.centre, (ra, dec)) < 1e-3


@pytest.mark.parametrize("changes", [{}, SIP, TPV, PLATE])
@pytest.mark.parametrize("factor", [1, 4, 16])
def test_binning_keeps_the_sky(changes, factor):
    wcs = one(header_text(**{**changes, "NAXIS1": 4001, "NAXIS2": 3007} if changes is PLATE else changes))
    small = wcs.binned(factor)
    assert small.shape == (wcs.shape[0] // factor, wcs.shape[1] // factor)
    x, y = pixels(small)
    whole = wcs.to_sky((x + 0.5) * factor - 0.5, (y + 0.5) * factor - 0.5)
    assert separation(small.to_sky(x, y), whole).max() < 1e-5
    assert small.pixel_scale == pytest.approx(factor * wcs.pixel_scale, rel=1e-2)
    again = small.unbinned(factor, wcs.shape)
    x, y = pixels(wcs)
    assert separation(again.to_sky(x, y), wcs.to_sky(x, y)).max() < 1e-5
    assert_round_trip(small)


@pytest.mark.parametrize("changes", [{}, SIP, TPV, PLATE])
def test_header_text_gives_the_same_solution(changes):
    wcs = one(header_text(**changes))
    assert load_solution(wcs.header_text(), wcs.key, wcs.shape) == wcs
    assert all(len(line) == 80 for line in wcs.header_text().split("\n"))
    small = wcs.binned(4)
    assert load_solution(small.header_text(), " ", small.shape).centre == pytest.approx(small.centre, abs=1e-12)


def test_several_systems_of_one_header():
    lettered = {
        "CTYPE1A": "RA---TAN",
        "CTYPE2A": "DEC--TAN",
        "CRVAL1A": 40.0,
        "CRVAL2A": -10.0,
        "CRPIX1A": 100.0,
        "CRPIX2A": 100.0,
        "CDELT1A": -0.01,
        "CDELT2A": 0.01,
        "CTYPE1P": "PIXEL",
        "CTYPE2P": "PIXEL",
        "CRVAL1P": 0.0,
        "CRVAL2P": 0.0,
        "CRPIX1P": 1.0,
        "CRPIX2P": 1.0,
        "CTYPE1C": "RA---TAN",
        "CTYPE2C": "DEC--TAN",
        "CRVAL1C": 40.0,
    }
    found = find_solutions(header_text(**lettered))
    assert [wcs.key for wcs in found.solutions] == [" ", "A"], "P is no sky, C is incomplete"
    assert found.solutions[1].to_sky(99.0, 99.0) == (pytest.approx(40.0), pytest.approx(-10.0))
    (problem,) = found.problems
    assert "system C" in problem
    for card in ("CRVAL2C", "CRPIX1C", "CRPIX2C", "CDELT1C"):
        assert card in problem
    primary = as_primary(found.solutions[1])
    assert primary.key == " "
    assert primary.to_sky(5.0, 7.0) == found.solutions[1].to_sky(5.0, 7.0)
    assert load_solution(primary.header_text(), " ", primary.shape) == primary


def test_the_same_system_twice_is_one_solution():
    again = {f"{key}A": value for key, value in numbers(header_text()).items() if key[:2] in ("CR", "CD")}
    found = find_solutions(header_text(CTYPE1A="RA---TAN", CTYPE2A="DEC--TAN", RADESYSA="ICRS", **again))
    (wcs,) = found.solutions
    assert any("system A left out" in repair for repair in wcs.repairs)


def test_a_card_that_stands_twice_is_told():
    wcs = one(header_text() + "\n" + "CRVAL1  =                160.0")
    assert wcs.to_sky(199.5, 149.5)[0] == pytest.approx(160.0)
    assert any("CRVAL1 stands twice" in repair for repair in wcs.repairs)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"CTYPE1": None, "CTYPE2": None}, ["CTYPE1", "CTYPE2", "missing"]),
        ({"CRVAL2": None}, ["CRVAL2", "missing"]),
        ({"CD1_1": None, "CD1_2": None, "CD2_1": None, "CD2_2": None}, ["CDELT1", "CD matrix"]),
        ({"CTYPE1": "RA---FOO", "CTYPE2": "DEC--FOO"}, ["FOO"]),
        ({"RADESYS": "GAPPT"}, ["GAPPT", "ICRS"]),
        ({"CD1_1": 0.0, "CD2_2": 0.0}, ["singular"]),
        ({"NAXIS1": None}, ["NAXIS1"]),
        ({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"}, ["A_ORDER"]),
        ({**PLATE, "AMDY3": None}, ["AMDY3", "plate polynomial"]),
        ({"CPDIS1": "LOOKUP"}, ["CPDIS"]),
        ({key: None for key in PLATE if PLATE[key] is None}, ["CTYPE1", "CRVAL1"]),
        (
            {"CTYPE1": "RA---TNX", "CTYPE2": "DEC--TNX", "WAT1_001": 'wtype=tnx axtype=ra lngcor = "3. 4. 4. 2. 1."'},
            ["lngcor"],
        ),
    ],
)
def test_faults_say_what_is_missing(changes, words):
    with pytest.raises(NoWCSFault) as caught:
        read_solutions(header_text(**changes))
    for word in words:
        assert word in caught.value.text


def test_stray_plate_cards_do_not_spoil_a_tan():
    """As SuperCOSMOS writes them; wcslib alone raises."""
    wcs = one(header_text(XPIXELSZ=9.99, YPIXELSZ=10.0))
    x, y = pixels(wcs)
    assert separation(wcs.to_sky(x, y), one(header_text()).to_sky(x, y)).max() == 0.0
    assert any("XPIXELSZ" in repair for repair in wcs.repairs)


def test_a_solution_for_the_whole_sky_has_a_middle_or_is_refused():
    with pytest.raises(NoWCSFault, match="middle"):
        read_solutions(header_text(CTYPE1="RA---AIT", CTYPE2="DEC--AIT", CRPIX1=-100000.0))


def test_no_places_have_no_pixels():
    for changes in ({}, SIP, PLATE):
        wcs = one(header_text(**changes))
        assert [axis.shape for axis in (*wcs.to_sky([], []), *wcs.to_pixel([], []))] == [(0,)] * 4


def test_too_much_binning_is_refused():
    with pytest.raises(UsageFault, match="400 x 300"):
        one(header_text()).binned(1000)


def test_many_threads_share_a_solution():
    wcs = one(header_text(**TPV))
    x, y = pixels(wcs, 500)
    expected, wrong = wcs.to_sky(x, y), []

    def work():
        for _ in range(40):
            sky = wcs.to_sky(x, y)
            back = wcs.to_pixel(*sky)
            if not (np.array_equal(sky, expected) and np.hypot(back[0] - x, back[1] - y).max() < 1e-3):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
