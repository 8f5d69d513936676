"""What people write into the form: places, times, wavelengths, held against astropy."""

from __future__ import annotations

import math

import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from vo.errors import UsageFault
from vo.web.discovery.question import (
    UNITS,
    FormFault,
    Question,
    parse_place,
    parse_radius,
    parse_time,
    parse_wavelength,
    read_question,
)
from vo.web.place import write_sexagesimal

# astropy does not read the 24h that it writes next to the meridian.
POSITIONS = st.tuples(st.floats(0, 359.9999), st.floats(-90, 90))


@pytest.mark.parametrize(
    "text",
    [
        "214.62 28.41",
        "214.62, +28.41",
        "214.62+28.41",
        "14 18 28.8 +28 24 36",
        "14:18:28.8 28:24:36",
        "14h18m28.8s +28d24m36s",
        "14h 18m 28.8s 28d 24m 36s",
        "14h18m28.8s 28d24m36s",
        "14h18m28.8s 28\N{DEGREE SIGN}24\N{PRIME}36\N{DOUBLE PRIME}",
        "14 18 28.8, 28 24 36",
        "14h18.48m +28d24.6m",
        "214d37m12s +28d24m36s",
        "214.62d 28.41d",
        "214d37m12s 28d24m36s",
    ],
)
def test_places_are_read_as_people_write_them(text):
    assert parse_place(text) == pytest.approx((214.62, 28.41), abs=1e-9)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("0 -0.5", (0.0, -0.5)),
        ("00 00 00 -00 30 00", (0.0, -0.5)),
        ("360 90", (0.0, 90.0)),
        ("12 -90", (12.0, -90.0)),
        ("05h35m17.3s \N{MINUS SIGN}05d23m28s", (83.8220833333, -5.3911111111)),
        ("5.5h -5", (82.5, -5.0)),
    ],
)
def test_signs_hours_and_ends_of_the_sky(text, place):
    assert parse_place(text) == pytest.approx(place, abs=1e-9)


@given(POSITIONS)
def test_sexagesimal_places_are_those_of_astropy(position):
    ra, dec = position
    text = SkyCoord(ra, dec, unit="deg").to_string("hmsdms", precision=6)
    truth = SkyCoord(text)
    found = parse_place(text)
    assert found[0] == pytest.approx(truth.ra.deg % 360.0, abs=1e-8)
    assert found[1] == pytest.approx(truth.dec.deg, abs=1e-8)
    assert parse_place(SkyCoord(text).to_string("hmsdms", sep=":", precision=6)) == pytest.approx(found, abs=1e-7)


@given(POSITIONS)
def test_what_pages_show_can_be_pasted(position):
    found = parse_place(" ".join(write_sexagesimal(*position)))
    apart = SkyCoord(*found, unit="deg").separation(SkyCoord(*position, unit="deg"))
    assert apart.arcsec < 0.2


@given(st.text(max_size=40))
def test_any_text_is_a_place_or_a_fault(text):
    try:
        ra, dec = parse_place(text)
    except UsageFault:
        return
    assert 0.0 <= ra < 360.0
    assert -90.0 <= dec <= 90.0


@pytest.mark.parametrize(
    "text",
    [
        *("", "M 31", "214.62", "361 0", "10 91", "10 -90.1", "14 60 00 +28 24 36", "25h00m00s +10d", "nan 1"),
        *("10 20 30", "14.5 18 28.8 +28 24 36", "10h 20h", "1e3 4", "-10 20", "10 20 30 40 50 60 70 80"),
    ],
)
def test_what_is_no_place_is_refused(text):
    with pytest.raises(UsageFault):
        parse_place(text)


@pytest.mark.parametrize("text", ["0", "-1", "10.1", "wide", "nan", "inf", "1_0"])
def test_radii_have_bounds(text):
    with pytest.raises(UsageFault):
        parse_radius(text)
    assert parse_radius("0.5") == parse_radius("0.5 deg") == 0.5


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("1941-02-03", "1941-02-03", "1941-02-04"),
        ("1941-02", "1941-02-01", "1941-03-01"),
        ("1941", "1941-01-01", "1942-01-01"),
        ("1904-02", "1904-02-01", "1904-03-01"),
        ("1900", "1900-01-01", "1901-01-01"),
        ("1941-02-03T02:00", "1941-02-03T02:00", "1941-02-03T02:00"),
        ("1941-02-03 02:00:30.5Z", "1941-02-03T02:00:30.5", "1941-02-03T02:00:30.5"),
        ("1935..1945", "1935-01-01", "1946-01-01"),
        ("1941-02-01 / 1941-02-03", "1941-02-01", "1941-02-04"),
        ("1941-02-01 to 1941-02-03", "1941-02-01", "1941-02-04"),
    ],
)
def test_times_are_those_of_astropy(text, begin, end):
    found = parse_time(text)
    assert found == pytest.approx((Time(begin, scale="tt").mjd, Time(end, scale="tt").mjd), abs=1e-9)


def test_days_are_taken_as_they_are():
    assert parse_time("30028.08") == (30028.08, 30028.08)
    assert parse_time("MJD 30028.08") == (30028.08, 30028.08)
    assert parse_time("30028 .. 30029.5") == (30028.0, 30029.5)
    assert parse_time("MJD 2000 .. 1941") == (2000.0, 30360.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2430028.58", "30028.080000"),
        ("1945..1935", "before the first"),
        ("1941.5", "neither a year nor a day"),
        ("1941-02-30", "no date of the calendar"),
        ("1941-02-03T24:01", "no clock shows"),
        ("1700", "between the years"),
        ("3000", "between the years"),
        ("soon", "cannot be read"),
        ("1941..", "cannot be read"),
        ("1..2..3", "cannot be read"),
    ],
)
def test_faults_of_times_say_what_to_write(text, words):
    with pytest.raises(UsageFault, match=words):
        parse_time(text)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_fault(text):
    try:
        begin, end = parse_time(text)
    except UsageFault:
        return
    assert begin <= end


@pytest.mark.parametrize("unit", UNITS)
@given(value=st.floats(0.01, 1000))
def test_wavelengths_are_those_of_astropy(unit, value):
    truth = (value * u.Unit(unit)).to(u.m, equivalencies=u.spectral()).value
    assert math.isclose(parse_wavelength(repr(value), unit), truth, rel_tol=1e-9)


@pytest.mark.parametrize("text", ["0", "-3", "blue", "nan", "1e300"])
def test_what_is_no_wavelength_is_refused(text):
    with pytest.raises(UsageFault):
        parse_wavelength(text, "nm")


def test_a_form_is_read_whole():
    values = {
        "place": "214.62 28.41",
        "radius": "0.2",
        "time": "1941-02-03",
        "wavelength": "440",
        "unit": "nm",
        "inclusive": "1",
    }
    found = read_question(values)
    assert found == Question((214.62, 28.41, 0.2), (30028.0, 30029.0), pytest.approx(4.4e-7), inclusive=True)
    assert read_question({"place": "1 2"}) == Question((1.0, 2.0, 0.1))


def test_everything_that_is_wrong_is_told_at_once():
    with pytest.raises(FormFault) as told:
        read_question({"place": "here", "radius": "0", "time": "then", "wavelength": "1", "unit": "parsec"})
    assert set(told.value.fields) == {"place", "radius", "time", "wavelength"}


def test_a_wavelength_alone_is_no_question():
    with pytest.raises(FormFault, match="a place or a time"):
        read_question({"wavelength": "440"})
