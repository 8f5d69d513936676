"""Angles and dates as lists write them, against what they were written from."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from astropy import units
from astropy.coordinates import Angle
from hypothesis import example, given
from hypothesis import strategies as st

from vo.ingest.dates import MJD_EPOCH
from vo.ingest.readers.table_forms import Day, angle_reader, date_reader
from vo.metadata.forms import parse_angle_form, parse_date_form


def angle(form: str, text: str) -> float:
    return angle_reader(parse_angle_form(form))(text)[0]


def date(form: str, text: str, first_year: int | None = None) -> Day:
    return date_reader(parse_date_form(form), first_year)(text)


def day(year: int, month: int, number: int) -> int:
    return (dt.date(year, month, number) - MJD_EPOCH.date()).days


signs = st.sampled_from(["", "+", "-"])
fields = st.tuples(signs, st.integers(0, 89), st.integers(0, 59), st.integers(0, 59))


@given(fields, st.sampled_from([" ", ":", "h", " : "]))
@example(("-", 0, 30, 0), " ")
def test_loose_angles_are_astropys(parts, between):
    sign, whole, minutes, seconds = parts
    text = f"{sign}{whole}{between}{minutes:02d}{between}{seconds:02d}"
    plain = f"{sign}{whole}:{minutes:02d}:{seconds:02d}"
    assert angle("d m s", text) == pytest.approx(Angle(plain, unit=units.deg).deg, abs=1e-12)


@given(fields, st.integers(0, 9), st.booleans())
@example(("-", 0, 30, 0), 0, True)
@example(("-", 0, 0, 1), 0, False)
def test_packed_angles_are_those_they_were_packed_from(parts, tenths, blanks):
    sign, whole, minutes, seconds = parts
    signed = -1.0 if sign == "-" else 1.0
    text = f"{sign}{whole:2d}{minutes:2d}{seconds:2d}{tenths}" if blanks else (
        f"{sign}{whole:02d}{minutes:02d}{seconds:02d}{tenths}"
    )  # fmt: skip
    wanted = signed * (whole + minutes / 60 + (seconds + tenths / 10) / 3600)
    assert angle("ddmmsst", text) == pytest.approx(wanted, abs=1e-12)


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 9))
def test_right_ascensions_in_tenths_of_minutes(hours, minutes, tenths):
    wanted = hours + (minutes + tenths / 10) / 60
    number = hours * 1000 + minutes * 10 + tenths
    assert angle("hhmmt", f"{number:05d}") == pytest.approx(wanted, abs=1e-12)
    assert angle("hhmmt", f"{number:5d}") == pytest.approx(wanted, abs=1e-12)
    # spreadsheets take leading zeros away
    assert angle("hhmmt", str(number)) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    ("form", "text", "wanted"),
    [
        ("ddmm", " 1215", 12.25),
        ("ddmm", "-0030", -0.5),
        ("ddmm", "- 030", -0.5),
        ("ddmm", "\N{MINUS SIGN}0030", -0.5),
        ("d m s", "-00 30", -0.5),
        ("d m s", "\N{MINUS SIGN}00 30 00", -0.5),
        ("d m s", "-0 0 36", -0.01),
        ("d m s", "- 12 30", -12.5),
        ("d m s", "12\N{DEGREE SIGN}30'36\"", 12.51),
        ("h m s", "12h30m", 12.5),
        ("h m s", "12 30.5", 12 + 30.5 / 60),
        ("h m s", "12 30,5", 12 + 30.5 / 60),
        ("h m s", "05h 35m 12,5s", 5 + 35 / 60 + 12.5 / 3600),
        ("d m s", "-5\N{DEGREE SIGN}27,5'", -5 - 27.5 / 60),
        ("h m s", "24 00 00", 24.0),
        ("hhmm", "   9", 0.15),
        ("hhmm", "    ", 0.0),
        ("hh", "7", 7.0),
        ("hhmmt", "0054 ", 0.9),
        ("deg", " -12.5 ", -12.5),
        ("hours", "12.5", 12.5),
        ("rad", str(math.pi), 180.0),
        ("dddmm", "12030", 120.5),
        ("mmss", "0130", 0.025),
    ],
)
def test_angles_as_they_are_written(form, text, wanted):
    assert angle(form, text) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(("form", "text"), [("h m s", "12:59:60.0"), ("h m s", "12 60"), ("hhmm", "1260")])
def test_sixty_is_carried_over_and_told(form, text):
    value, carried = angle_reader(parse_angle_form(form))(text)
    assert value == 13.0
    assert carried


@pytest.mark.parametrize(
    ("form", "text"),
    [
        *(("d m s", text) for text in ("", "north", "12 61", "12 30 75", "12.5 30", "1 2 3 4", "12--30", "12 -30")),
        *(("h m s", text) for text in ("12,30,5", "12,5 30", "12 30, 5")),  # a comma is no blank: decimals follow it
        *(("ddmm", text) for text in ("12x0", "123456", "+-1200", "1261", "١٢٣٤")),
        *(("deg", text) for text in ("", "nan", "inf", "12,5", "1 2")),
    ],
)
def test_what_is_no_angle(form, text):
    with pytest.raises(ValueError, match=r"\w"):
        angle(form, text)


days = st.dates(dt.date(1840, 1, 1), dt.date(2039, 12, 31))


@given(days)
def test_dates_are_those_they_were_written_from(when):
    wanted = day(when.year, when.month, when.day)
    for form, text in (
        ("yyyy-mm-dd", when.isoformat()),
        ("yyyymmdd", f"{when:%Y%m%d}"),
        ("d.m.yyyy", f"{when.day}.{when.month}.{when.year}"),
        ("dd/mm/yyyy", f"{when.day:2d}/{when.month:02d}/{when.year}".strip()),
        ("yyyy mon dd", f"{when:%Y %b} {when.day}"),
        ("dd mon yyyy", f"{when:%d %B %Y}"),
        ("yyyy jjj", f"{when:%Y} {when:%j}"),
        ("yyyyjjj", f"{when:%Y%j}"),
        ("iso", when.isoformat()),
    ):
        assert date(form, text) == Day(wanted), form


@given(st.integers(1800, 1990), st.integers(0, 99))
@example(1890, 99)
@example(1890, 1)
@example(1900, 0)
def test_short_years_are_of_the_hundred_years_that_are_told(first, short):
    found = MJD_EPOCH + dt.timedelta(days=date("yymmdd", f"{short:02d}0301", first).mjd)
    assert first <= found.year < first + 100
    assert found.year % 100 == short


def test_a_century_ends_between_1899_and_1901():
    assert date("yymmdd", "991231", 1890).mjd == day(1899, 12, 31)
    assert date("yymmdd", "010101", 1890).mjd == day(1901, 1, 1)
    assert date("yymmdd", " 10101", 1890).mjd == day(1901, 1, 1)
    assert date("yymmdd", "73 7 1", 1950).mjd == day(1973, 7, 1)
    assert date("dd/mm/yy", "1/7/73", 1950).mjd == day(1973, 7, 1)


def test_months_and_years_are_as_long_as_they_are():
    assert date("yyyy-mm", "1904-02") == Day(day(1904, 2, 1), 29)
    assert date("yyyy", "1900") == Day(day(1900, 1, 1), 365)
    assert date("yyyy-mm", "1904-12") == Day(day(1904, 12, 1), 31)


def test_dates_with_the_time_within():
    assert date("yyyy mon dd.d", "1893 Mar 12.25") == Day(day(1893, 3, 12), fraction=0.25)
    assert date("iso", "1951-08-09T06:00") == Day(day(1951, 8, 9), fraction=0.25)
    assert date("iso", "1951-08-09T05:60:00").carried
    assert date("jd", "2415020.5").moment == 15020.0
    assert date("mjd", "15020.25").moment == 15020.25
    assert date("year", "1900.5").moment == day(1900, 1, 1) + 182.5


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("yyyy-mm-dd", "1923-02-29"),
        ("yyyy-mm-dd", "1923-00-10"),
        ("yyyymmdd", "19230230"),
        ("yyyy mon dd", "1923 Juno 3"),
        ("yyyy mon dd", "1923 Ma 3"),
        ("yyyy jjj", "1923 366"),
        ("yyyy-mm-dd", "soon"),
        ("iso", "3 May 1923"),
        ("jd", "x"),
        ("year", "99999"),
    ],
)
def test_what_is_no_date(form, text):
    with pytest.raises(ValueError, match=r"\w"):
        date(form, text)
