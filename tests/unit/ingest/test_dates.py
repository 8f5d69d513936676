import warnings

import pytest
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from vo.ingest.dates import as_datetime, is_possible, mjd_of_jd, parse_date


def by_astropy(text: str) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "dubious year" before 1960
        return float(Time(text, scale="ut1").mjd)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("1951-11-29", "1951-11-29T00:00:00"),
        ("19501206", "1950-12-06T00:00:00"),
        ("29/11/51", "1951-11-29T00:00:00"),
        ("1/2/99", "1999-02-01T00:00:00"),
        ("1888-02-07T01:55:12.0", "1888-02-07T01:55:12.0"),
        ("1888-02-07T01:55:12Z", "1888-02-07T01:55:12"),
        ("1888-02-07 01:55", "1888-02-07T01:55:00"),
        ("2007-03-05T19-36-07", "2007-03-05T19:36:07"),
        ("1899-12-31T23:59:59.75", "1899-12-31T23:59:59.75"),
    ],
)
def test_every_way_to_write_a_date(text, means):
    found = parse_date(text)
    assert found.mjd == pytest.approx(by_astropy(means), abs=1e-9)
    assert found.has_time == (":" in text or "-36-" in text)
    assert found.repair is None


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("1951-08-09T09:60:00", "1951-08-09T10:00:00"),  # the Digitized Sky Survey's
        ("1913-05-01T03:59:60.0", "1913-05-01T04:00:00"),  # DASCH's
        ("1913-12-31T23:59:60.0", "1914-01-01T00:00:00"),
        ("1913-12-31T24:00:00", "1914-01-01T00:00:00"),
    ],
)
def test_sixties_are_carried_over_and_told(text, means):
    found = parse_date(text)
    assert found.mjd == pytest.approx(by_astropy(means), abs=1e-9)
    assert text in found.repair


def test_time_of_day_in_a_card_of_its_own():
    found = parse_date("29/11/51", "12:07:00.00")
    assert (found.mjd, found.has_time) == (pytest.approx(by_astropy("1951-11-29T12:07:00")), True)


@pytest.mark.parametrize(
    "text", ["", "1951", "1951-13-01", "1951-02-30", "30/02/51", "1951-01-01T25:00:00", "?", "51-1-1"]
)
def test_what_is_no_date_is_refused_with_its_text(text):
    with pytest.raises(ValueError, match=r"date|time of day"):
        parse_date(text)


@settings(max_examples=60)
@given(st.datetimes(as_datetime(-3242.0), as_datetime(62502.0)))
def test_written_and_read_back(moment):
    found = parse_date(moment.isoformat())
    assert abs((as_datetime(found.mjd) - moment).total_seconds()) < 1e-3


@pytest.mark.parametrize(
    ("mjd", "possible"), [(0.0, False), (-2400000.5, False), (9000.0, True), (1e9, False), (-7000.0, True)]
)
def test_dates_that_no_plate_can_have(mjd, possible):
    assert is_possible(mjd) is possible


def test_beyond_the_calendar():
    with pytest.raises(ValueError, match="beyond the calendar"):
        as_datetime(1e12)


def test_julian_dates():
    assert mjd_of_jd(2400000.5) == 0.0
