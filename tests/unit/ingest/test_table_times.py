"""Times of lists into UT, against astropy: sidereal times by ERFA, the Sun by its own ephemeris."""

from __future__ import annotations

import datetime as dt
import math

import erfa
import numpy as np
import pytest
from astropy import units
from astropy.coordinates import AltAz, EarthLocation, get_sun
from astropy.time import Time
from astropy.utils import iers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vo.ingest.dates import MJD_EPOCH
from vo.ingest.readers.table_times import SIDEREAL_DAY, Clock, Moment, exposed, sidereal_time, sun_altitude
from vo.metadata.mapping import SiteRules, TimeRules

MINUTE = 1 / 1440
SIDING_SPRING = SiteRules(longitude=149.0706, latitude=-31.2733)
POTSDAM = SiteRules(longitude=13.0642, latitude=52.3806)
SUVA = SiteRules(longitude=179.9, latitude=-18.0)
HAWAII = SiteRules(longitude=-155.47, latitude=19.82)

mjds = st.floats(2000.0, 60000.0)
longitudes = st.floats(-180.0, 360.0)


def mjd(text: str) -> float:
    return float((dt.datetime.fromisoformat(text) - MJD_EPOCH) / dt.timedelta(days=1))


def truth(when: float | np.ndarray, longitude: float) -> np.ndarray:
    """Mean sidereal time by the library below astropy, degrees; no table of the Earth's rotation is asked for."""
    return np.degrees(erfa.gmst06(2400000.5, when, 2400000.5, when + 50 / 86400)) + longitude


def clock(site: SiteRules | None = None, **rules: object) -> Clock:
    sites = {} if site is None else {"here": site}
    return Clock(TimeRules.model_validate({"date": "d", "clock": "c", **rules}), sites)


def moment(date: str, time: str | None, site: SiteRules | None = None, **rules: object) -> Moment:
    return clock(site, **rules).moment(date, time, site)


@settings(deadline=None, max_examples=60)
@given(mjds, longitudes)
def test_sidereal_time_is_astropys(when, longitude):
    apart = (sidereal_time(when, longitude) - truth(when, longitude) + 180.0) % 360.0 - 180.0
    assert abs(apart) < 0.01 / 240.0  # a hundredth of a second of time


@settings(deadline=None, max_examples=40)
@given(st.floats(15100.0, 60000.0), st.floats(-180.0, 180.0), st.floats(-80.0, 80.0))
def test_the_suns_altitude_is_that_of_an_ephemeris(when, longitude, latitude):
    site = SiteRules(longitude=longitude, latitude=latitude)
    earth = erfa.epv00(2400000.5, when)[0]["p"]  # from the Sun
    ra, dec = erfa.c2s(erfa.pmat06(2400000.5, when) @ -earth)
    hour = np.radians(sidereal_time(when, longitude)) - ra
    lat = np.radians(latitude)
    wanted = math.degrees(math.asin(np.sin(lat) * np.sin(dec) + np.cos(lat) * np.cos(dec) * np.cos(hour)))
    assert sun_altitude(when, site) == pytest.approx(wanted, abs=0.05)


def brute_force(begin: float, lst: float, longitude: float) -> list[float]:
    """Every instant of the day from ``begin`` at which the sidereal time is ``lst`` degrees, searched on a grid."""
    grid = begin + np.arange(0.0, 1.0 + 1e-9, 1 / 1440)
    values = truth(grid, longitude)
    apart = (values - lst + 180.0) % 360.0 - 180.0
    before = np.flatnonzero((apart[:-1] <= 0) & (apart[1:] > 0) & (apart[1:] - apart[:-1] < 1.0))
    part = -apart[before] / (apart[before + 1] - apart[before])
    found = (grid[before] + part / 1440).tolist()
    return [one for one in found if one < begin + 1.0]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(5000, 59000),
    st.integers(0, 1439),
    st.sampled_from([SIDING_SPRING, POTSDAM, SUVA, HAWAII]),
    st.sampled_from(["UT", "midnight", "evening"]),
)
@example(41873, 1424, SIDING_SPRING, "UT")
@example(20000, 1439, SUVA, "evening")
@example(20000, 0, HAWAII, "midnight")
def test_sidereal_times_are_found_by_brute_force(day, minutes, site, kind):
    date = (MJD_EPOCH + dt.timedelta(days=day)).strftime("%Y-%m-%d")
    found = moment(date, f"{minutes // 60}:{minutes % 60:02d}", site, system="sidereal", day=kind)
    longitude = (site.longitude + 180.0) % 360.0 - 180.0
    begin = {"UT": day, "midnight": day - longitude / 360, "evening": day + 0.5 - longitude / 360}[kind]
    wanted = brute_force(begin, minutes / 4.0, site.longitude)
    assert 1 <= len(wanted) <= 2
    assert min(abs(found.mjd - one) for one in wanted) < 0.1 / 86400
    assert (len(wanted) == 2) == any(name == "sidereal time twice" for name, _ in found.notes)
    assert begin <= found.mjd < begin + 1


@pytest.mark.parametrize(("latitude", "taken"), [(50.0, "later"), (-50.0, "earlier")])
def test_of_two_equal_sidereal_times_the_one_in_the_night_is_taken(latitude, taken):
    """The second one is four minutes earlier by the Sun: where 0h UT is just after sunrise, it is still night."""
    day = 20000
    first = day + 1e-4
    places = (SiteRules(longitude=float(east), latitude=latitude) for east in np.arange(60.0, 120.0, 0.05))
    is_wanted = {
        "later": lambda one: sun_altitude(first, one) > 0 > sun_altitude(first + SIDEREAL_DAY, one),
        "earlier": lambda one: sun_altitude(first, one) < -1,
    }
    site = next(filter(is_wanted[taken], places))
    lst = sidereal_time(first, site.longitude) / 15.0
    found = moment("1913-08-21", f"{lst:.9f}", site, system="sidereal", day="UT", clock_form="hours")
    assert found.mjd == pytest.approx(first + (SIDEREAL_DAY if taken == "later" else 0), abs=1e-6)
    assert found.notes[0][0] == "sidereal time twice"
    assert taken in found.notes[0][1]


def test_sidereal_time_over_midnight_of_an_evening():
    """Siding Spring, 10 July 1973, 23h44m: half past four in the morning of the 11th, still the 10th in UT."""
    found = moment("730710", "2344", SIDING_SPRING, system="sidereal", day="UT", date_form="yymmdd", first_year=1950,
                   clock_form="hhmm")  # fmt: skip
    assert abs(truth(found.mjd, SIDING_SPRING.longitude) - (23 + 44 / 60) * 15) < 1e-4
    assert mjd("1973-07-10T18:00") < found.mjd < mjd("1973-07-10T19:00")
    evening = moment("730710", "2344", SIDING_SPRING, system="sidereal", day="evening", date_form="yymmdd",
                     first_year=1950, clock_form="hhmm")  # fmt: skip
    assert evening.mjd == pytest.approx(found.mjd, abs=1e-9)


def test_the_date_line_does_not_cost_a_day():
    """Suva's evening of 1 June begins at 6h UT of that day, Hawaii's at 4h UT of the next."""
    for site, begin in ((SUVA, mjd("1930-06-01T00:00")), (HAWAII, mjd("1930-06-01T22:22"))):
        found = moment("1930-06-01", "20:00", site, system="local mean", day="evening")
        assert found.mjd == pytest.approx(begin + 8 / 24, abs=MINUTE)
    late = moment("1930-06-01", "03:00", HAWAII, system="local mean", day="evening")
    assert late.mjd == pytest.approx(mjd("1930-06-02T13:22"), abs=MINUTE)


@pytest.mark.parametrize(
    ("date", "time", "wanted"),
    [
        ("1924-12-31", "13:00", "1925-01-01T01:00"),  # counted from noon
        ("1924-12-31", "11:00", "1924-12-31T23:00"),
        ("1925-01-01", "01:00", "1925-01-01T01:00"),  # counted from midnight
        ("1925-01-01", "23:00", "1925-01-01T23:00"),
        ("1890-03-05", "0:00", "1890-03-05T12:00"),
    ],
)
def test_the_astronomers_day_began_at_noon_until_1925(date, time, wanted):
    assert moment(date, time, day="astronomical").mjd == pytest.approx(mjd(wanted), abs=1e-9)


def test_the_astronomers_day_against_astropys_julian_dates():
    """JD counts from noon as they did: JD of a date's noon plus the hours is the instant."""
    noon = Time("1900-01-01T12:00:00", scale="tai").jd
    found = moment("1900-01-01", "13:30", day="noon")
    assert found.mjd + 2400000.5 == pytest.approx(noon + 13.5 / 24, abs=1e-8)
    assert moment("1900-01-01.5625", None, day="noon", date_form="yyyy-mm-dd.d").mjd == pytest.approx(found.mjd)


def test_another_year_of_the_change():
    assert moment("1926-05-01", "13:00", day="astronomical", astronomical_until="1928-01-01").mjd == pytest.approx(
        mjd("1926-05-02T01:00")
    )


@pytest.mark.parametrize(
    ("rules", "date", "time", "wanted"),
    [
        ({"system": "zone", "zone": 1}, "1950-03-01", "00:30", "1950-02-28T23:30"),
        ({"system": "zone", "zone": 1, "day": "evening"}, "1950-03-01", "00:30", "1950-03-01T23:30"),
        ({"system": "zone", "zone": 1, "day": "evening"}, "1950-03-01", "22:30", "1950-03-01T21:30"),
        ({"system": "zone", "zone": 10, "day": "UT"}, "1975-06-01", "02:00", "1975-06-01T16:00"),
        ({"system": "zone", "zone": 10, "day": "UT"}, "1975-06-01", "20:00", "1975-06-01T10:00"),
        ({"system": "zone", "zone": -7.5, "day": "noon"}, "1975-06-01", "8:00", "1975-06-02T03:30"),
        ({"system": "zone", "zone": "Europe/Berlin"}, "1985-07-01", "23:00", "1985-07-01T21:00"),
        ({"system": "zone", "zone": "Europe/Berlin"}, "1985-01-01", "23:00", "1985-01-01T22:00"),
        ({"system": "zone", "zone": "Europe/Berlin", "day": "evening"}, "1985-07-01", "1:00", "1985-07-01T23:00"),
        ({}, "1950-03-01", "24:00", "1950-03-02T00:00"),
        ({}, "1950-03-01", "23:59:60.0", "1950-03-02T00:00"),
        ({"date_form": "jd", "clock": None}, "2415020.5", None, "1900-01-01T00:00"),
    ],
)
def test_zones_and_days(rules, date, time, wanted):
    assert moment(date, time, **rules).mjd == pytest.approx(mjd(wanted), abs=1e-9)


@given(
    st.integers(5000, 59000), st.floats(-12, 14), st.floats(0, 23.999), st.sampled_from(["midnight", "evening", "UT"])
)
def test_every_clock_comes_back_from_ut(day, zone, hours, kind):
    """What was shown on the clock, and the date by the rule, from the instant that was found."""
    date = (MJD_EPOCH + dt.timedelta(days=day)).strftime("%Y-%m-%d")
    found = moment(date, repr(hours), system="zone", zone=zone, day=kind, clock_form="hours").mjd
    local = found + zone / 24
    assert (local * 24 - hours + 12) % 24 - 12 == pytest.approx(0, abs=1e-5)
    inside = {"midnight": local, "evening": local - 0.5, "UT": found}[kind]
    assert day - 1e-6 <= inside < day + 1 + 1e-6


def test_without_a_time_of_day_the_whole_day_or_night_may_be_meant():
    assert moment("1923-02-03", None) == Moment(mjd("1923-02-03"), mjd("1923-02-04"))
    night = moment("1923-02-03", None, system="zone", zone=1, day="evening")
    assert night == Moment(pytest.approx(mjd("1923-02-03T11:00")), pytest.approx(mjd("1923-02-04T11:00")))
    month = moment("1923-02", "12:00", date_form="yyyy-mm")
    assert month == Moment(mjd("1923-02-01"), mjd("1923-03-01"))


def test_carried_over_is_told():
    assert moment("1950-03-01", "12:59:60.0").repairs[0][0] == "time of day carried over"
    assert not moment("1950-03-01", "12:59:59.0").repairs


def test_what_cannot_be_told():
    for date, time, rules in (
        ("1950-03-01", "25:00", {}),
        ("1950-03-01", "-1:00", {}),
        ("1950-03-01", "noon", {}),
        ("1950-03-40", "12:00", {}),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            moment(date, time, **rules)
    with pytest.raises(ValueError, match="unknown site"):
        clock(POTSDAM, system="sidereal").moment("1950-03-01", "12:00", None)


def test_sites_by_their_names():
    rules = TimeRules.model_validate({"date": "d", "site": "s", "clock": "c", "system": "local mean"})
    found = Clock(rules, {"potsdam": POTSDAM, "suva": SUVA})
    assert found.site("suva") == SUVA
    assert found.site(None) is None
    with pytest.raises(ValueError, match="potsdam, suva"):
        found.site("paris")


def test_starts_middles_and_ends():
    at = Moment(100.0)
    assert exposed(at, 86400.0, "start") == (100.0, 101.0, "calibrated")
    assert exposed(at, 86400.0, "middle") == (99.5, 100.5, "calibrated")
    assert exposed(at, 86400.0, "end") == (99.0, 100.0, "calibrated")
    assert exposed(at, None, "middle") == (100.0, 100.0, "uncalibrated")
    assert exposed(Moment(100.0, 101.0), 60.0, "start") == (100.0, 101.0, "uncalibrated")


def test_an_independent_sky_agrees_with_the_sun():
    """One altitude by astropy's whole chain, the atmosphere and the Earth's rotation included."""
    with iers.conf.set_temp("auto_download", False):
        when = Time("1985-07-01T20:00:00", scale="utc")
        place = EarthLocation(lon=POTSDAM.longitude * units.deg, lat=POTSDAM.latitude * units.deg)
        altitude = get_sun(when).transform_to(AltAz(obstime=when, location=place)).alt.deg
    assert sun_altitude(mjd("1985-07-01T20:00"), POTSDAM) == pytest.approx(altitude, abs=0.05)
