"""What functions of numbers, places, times and units answer: the same as numpy, astropy and cdshealpix, row by row.

Each case is an expression over sky.plates and a function that computes the same from the columns as arrays, in which
nulls are NaN; where an argument is null, so is the answer.
"""

from __future__ import annotations

import warnings

import astropy.units as u
import numpy as np
import pytest
from adql import sphere, truth
from adql.tables import CATALOGUE
from astropy.coordinates import FK5, Galactic, Latitude, Longitude, SkyCoord, offset_by
from astropy.time import Time
from cdshealpix import nested

from vo.adql import compile_query

NAMES = ("ra", "dec", "mag", "n", "t_min", "t_max", "size_kb", "size")
POLE = [(0.0, 70.0), (90.0, 70.0), (180.0, 70.0), (270.0, 70.0)]
ZERO = [(350.0, -20.0), (20.0, -20.0), (20.0, 15.0), (350.0, 15.0)]


@pytest.fixture(scope="module", autouse=True)
def rows(connection):
    truth.fill_postgres(connection)


@pytest.fixture(scope="module")
def columns():
    return {name: np.array(truth.column("sky.plates", name), float) for name in NAMES}


@pytest.fixture(scope="module")
def ask(connection):
    def answer(query):
        with connection.cursor(binary=True) as cursor:
            return cursor.execute(compile_query(query, CATALOGUE, base_url="https://h").sql.encode()).fetchall()

    return answer


def each(ask, expression):
    """The expression's value for each plate, nulls as NaN, in the order of their ids."""
    got = ask(f"SELECT id, {expression} AS v FROM sky.plates ORDER BY id")
    assert [row[0] for row in got] == list(range(1, truth.PLATES + 1))
    return np.array([row[1] for row in got], float)


def half_away(x):
    """Rounded as people do it: a half goes away from zero."""
    return np.copysign(np.floor(np.abs(x) + 0.5), x)


MATHEMATICS = [
    ("ABS(mag)", lambda c: np.abs(c["mag"])),
    ("CEILING(mag)", lambda c: np.ceil(c["mag"])),
    ("FLOOR(mag)", lambda c: np.floor(c["mag"])),
    ("FLOOR(n / 2.0)", lambda c: np.floor(c["n"] / 2)),
    ("ROUND(mag)", lambda c: half_away(c["mag"])),
    ("ROUND(mag, 1)", lambda c: half_away(c["mag"] * 10) / 10),
    ("ROUND(size_kb, -3)", lambda c: half_away(c["size_kb"] / 1000) * 1000),
    ("TRUNCATE(mag)", lambda c: np.trunc(c["mag"])),
    ("TRUNCATE(mag, 2)", lambda c: np.trunc(c["mag"] * 100) / 100),
    ("DEGREES(mag)", lambda c: np.degrees(c["mag"])),
    ("RADIANS(ra)", lambda c: np.radians(c["ra"])),
    ("EXP(mag)", lambda c: np.exp(c["mag"])),
    ("EXP(-n)", lambda c: np.exp(-c["n"])),
    ("LOG(ra + 1)", lambda c: np.log(c["ra"] + 1)),
    ("LOG10(ABS(mag) + 0.5)", lambda c: np.log10(np.abs(c["mag"]) + 0.5)),
    ("SQRT(ABS(mag))", lambda c: np.sqrt(np.abs(c["mag"]))),
    ("POWER(mag, 2)", lambda c: c["mag"] ** 2),
    ("POWER(2, n)", lambda c: 2.0 ** c["n"]),
    ("POWER(ra, -0.5)", lambda c: c["ra"] ** -0.5),
    ("MOD(mag, 2.5)", lambda c: np.fmod(c["mag"], 2.5)),
    ("MOD(mag, -1)", lambda c: np.fmod(c["mag"], -1)),
    ("MOD(n, 4)", lambda c: np.fmod(c["n"], 4)),
    ("SIN(mag)", lambda c: np.sin(c["mag"])),
    ("COS(RADIANS(dec))", lambda c: np.cos(np.radians(c["dec"]))),
    ("TAN(mag)", lambda c: np.tan(c["mag"])),
    ("COT(mag + 0.0625)", lambda c: 1 / np.tan(c["mag"] + 0.0625)),
    ("ASIN(mag / 20)", lambda c: np.arcsin(c["mag"] / 20)),
    ("ACOS(mag / 20)", lambda c: np.arccos(c["mag"] / 20)),
    ("ATAN(mag)", lambda c: np.arctan(c["mag"])),
    ("ATAN2(dec, mag)", lambda c: np.arctan2(c["dec"], c["mag"])),
    ("PI() * mag", lambda c: np.pi * c["mag"]),
    ("(t_max - t_min) / 365.25", lambda c: (c["t_max"] - c["t_min"]) / 365.25),
    ("COALESCE(mag, -99)", lambda c: np.where(np.isnan(c["mag"]), -99, c["mag"])),
    ("CASE WHEN mag > 5 THEN mag ELSE -mag END", lambda c: np.where(c["mag"] > 5, c["mag"], -c["mag"])),
]


@pytest.mark.parametrize(("expression", "judge"), MATHEMATICS, ids=[one[0] for one in MATHEMATICS])
def test_numpy_computes_the_same(ask, columns, expression, judge):
    got, wanted = each(ask, expression), judge(columns)
    assert np.isfinite(wanted).sum() > 500
    np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
    np.testing.assert_allclose(got, wanted, rtol=2e-15 * 8, atol=1e-12)


def sky(c):
    return SkyCoord(c["ra"] * u.deg, c["dec"] * u.deg)


def apart(c, lon, lat):
    return sphere.separation(sphere.unit(c["ra"], c["dec"]), sphere.unit(lon, lat))


def vertices(corners):
    lon, lat = np.array(corners).T
    return sphere.unit(lon, lat)


def within(c, corners):
    points = sphere.unit(c["ra"], c["dec"])
    found = sphere.inside(vertices(corners), np.nan_to_num(points, nan=0.5))
    return np.where(np.isnan(points[:, 0]), np.nan, found)


def truth_of(condition, c):
    """1 or 0, NaN where the position is unknown."""
    return np.where(np.isnan(c["ra"] + c["dec"]), np.nan, condition)


def numbers(corners):
    return ", ".join(f"{lon}, {lat}" for lon, lat in corners)


GALACTIC_POLE = SkyCoord(0 * u.deg, 90 * u.deg, frame=Galactic).icrs
SPHERICAL = [
    ("DISTANCE(POINT(ra, dec), POINT(214.62, 28.41))", lambda c: apart(c, 214.62, 28.41)),
    ("DISTANCE(ra, dec, 0, 90)", lambda c: apart(c, 0, 90)),
    ("DISTANCE(place, POINT(ra + 180, -dec))", lambda c: truth_of(180.0, c)),
    ("DISTANCE(place, POINT(10, -80))", lambda c: sky(c).separation(SkyCoord(10 * u.deg, -80 * u.deg)).deg),
    ("COORD1(place)", lambda c: truth_of(c["ra"], c)),
    ("COORD2(place)", lambda c: truth_of(c["dec"], c)),
    ("COORD2(CENTROID(CIRCLE(ra, dec, 3)))", lambda c: truth_of(c["dec"], c)),
    ("AREA(CIRCLE(ra, dec, 10))", lambda c: truth_of(2 * np.pi * (1 - np.cos(np.radians(10))) * (180 / np.pi) ** 2, c)),
    ("CONTAINS(POINT(ra, dec), CIRCLE(30, 40, 25))", lambda c: truth_of(apart(c, 30, 40) <= 25, c)),
    ("CONTAINS(POINT(ra, dec), CIRCLE(359, -1, 60))", lambda c: truth_of(apart(c, 359, -1) <= 60, c)),
    ("CONTAINS(POINT(30, 40), CIRCLE(ra, dec, 25))", lambda c: truth_of(apart(c, 30, 40) <= 25, c)),
    ("CONTAINS(CIRCLE(ra, dec, 5), CIRCLE(30, 40, 25))", lambda c: truth_of(apart(c, 30, 40) <= 20, c)),
    ("INTERSECTS(CIRCLE(ra, dec, 5), CIRCLE(30, 40, 25))", lambda c: truth_of(apart(c, 30, 40) <= 30, c)),
    ("1 - CONTAINS(place, CIRCLE(200, -88, 40))", lambda c: truth_of(apart(c, 200, -88) > 40, c)),
    (f"CONTAINS(place, POLYGON({numbers(POLE)}))", lambda c: within(c, POLE)),
    (f"CONTAINS(place, POLYGON({numbers(POLE[::-1])}))", lambda c: within(c, POLE)),
    (f"CONTAINS(place, POLYGON({numbers(ZERO)}))", lambda c: within(c, ZERO)),
    (f"CONTAINS(POLYGON({numbers(ZERO)}), CIRCLE(ra, dec, 60))",
     lambda c: truth_of(np.max([apart(c, *corner) for corner in ZERO], axis=0) <= 60, c)),
    ("CONTAINS(place, CIRCLE('GALACTIC', 0, 90, 30))",
     lambda c: truth_of(apart(c, GALACTIC_POLE.ra.deg, GALACTIC_POLE.dec.deg) <= 30, c)),
    ("COORD1(ivo_geom_transform('ICRS', 'GALACTIC', place))", lambda c: sky(c).galactic.l.deg),
    ("COORD2(ivo_geom_transform('ICRS', 'GALACTIC', place))", lambda c: sky(c).galactic.b.deg),
    ("COORD2(ivo_geom_transform('ICRS', 'FK5', place))", lambda c: sky(c).transform_to(FK5(equinox="J2000")).dec.deg),
    ("ivo_healpix_index(8, place)", lambda c: cells(c, 8)),
    ("ivo_healpix_index(17, ra, dec)", lambda c: cells(c, 17)),
    ("COORD2(ivo_healpix_center(4, ivo_healpix_index(4, place)))", lambda c: centres(c, 4)),
    ("IN_UNIT(ra, 'rad')", lambda c: (c["ra"] * u.deg).to_value(u.rad)),
    ("IN_UNIT(ra, 'arcsec')", lambda c: (c["ra"] * u.deg).to_value(u.arcsec)),
    ("IN_UNIT(t_max - t_min, 's')", lambda c: ((c["t_max"] - c["t_min"]) * u.d).to_value(u.s)),
    ("IN_UNIT(size_kb, 'Mbyte')", lambda c: (c["size_kb"] * u.kbyte).to_value(u.Mbyte)),
]  # fmt: skip


def cells(c, order):
    known = np.isfinite(c["ra"] + c["dec"])
    lon, lat = np.where(known, c["ra"], 0) * u.deg, np.where(known, c["dec"], 0) * u.deg
    return np.where(known, nested.lonlat_to_healpix(Longitude(lon), Latitude(lat), order).astype(float), np.nan)


def centres(c, order):
    found = cells(c, order)
    known = np.isfinite(found)
    _, lat = nested.healpix_to_lonlat(np.where(known, found, 0).astype(np.uint64), order)
    return np.where(known, lat.to_value(u.deg), np.nan)


@pytest.mark.parametrize(("expression", "judge"), SPHERICAL, ids=[one[0] for one in SPHERICAL])
def test_the_sphere_is_as_astropy_has_it(ask, columns, expression, judge):
    got, wanted = each(ask, expression), judge(columns)
    assert np.isfinite(wanted).sum() > 500
    assert len(np.unique(wanted[np.isfinite(wanted)])) > 1 or "180" in expression or "AREA" in expression
    np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-9)  # pgSphere tells nothing below 1e-9 radians


def test_times_are_as_astropy_has_them(ask):
    """Civil times before 1960 have no leap seconds to argue about; the calendar is what counts."""
    taken = truth.column("sky.plates", "taken")
    known = [text is not None for text in taken]
    times = Time([text for text in taken if text is not None], scale="tai")
    for function, wanted in (("ivo_to_mjd", times.mjd), ("ivo_to_jd", times.jd)):
        got = each(ask, f"{function}(taken)")
        np.testing.assert_array_equal(np.isnan(got), ~np.array(known))
        np.testing.assert_allclose(got[known], wanted, rtol=0, atol=1e-9)


def test_a_cone_search_finds_what_the_separation_says(ask, columns):
    """The four usual ways to write it, and each polarity."""
    near = apart(columns, 120, -30) < 40
    wanted = [(int(i) + 1,) for i in np.flatnonzero(near)]
    far = [(int(i) + 1,) for i in np.flatnonzero(apart(columns, 120, -30) >= 40)]
    assert len(wanted) > 50
    for condition in (
        "DISTANCE(POINT(ra, dec), POINT(120, -30)) < 40",
        "40 > DISTANCE(120, -30, ra, dec)",
        "1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 120, -30, 40))",
        "CONTAINS(place, CIRCLE(POINT(120, -30), 40)) = 1",
        "NOT CONTAINS(place, CIRCLE(120, -30, 40)) = 0",
        "INTERSECTS(place, CIRCLE(120, -30, 40)) <> 0",
    ):
        assert ask(f"SELECT id FROM sky.plates WHERE {condition} ORDER BY id") == wanted, condition
    for condition in (
        "DISTANCE(POINT(ra, dec), POINT(120, -30)) >= 40",
        "CONTAINS(place, CIRCLE(120, -30, 40)) = 0",
        "NOT 1 = CONTAINS(place, CIRCLE(120, -30, 40))",
    ):
        assert ask(f"SELECT id FROM sky.plates WHERE {condition} ORDER BY id") == far, condition


def test_a_crossmatch_finds_what_the_separation_says(ask, columns):
    stars = {name: np.array(truth.column("sky.stars", name), float) for name in ("ra", "dec")}
    a = sphere.unit(columns["ra"], columns["dec"])
    b = sphere.unit(stars["ra"], stars["dec"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # comparisons with NaN
        near = np.degrees(np.arccos(np.clip(a @ b.T, -1, 1))) < 2
    wanted = sorted((int(i) + 1, int(j) + 1) for i, j in np.argwhere(near))
    assert len(wanted) > 100
    for condition in (
        "DISTANCE(POINT(p.ra, p.dec), POINT(s.ra, s.dec)) < 2",
        "1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE(p.ra, p.dec, 2))",
    ):
        assert ask(f"SELECT p.id, s.id FROM sky.plates p JOIN sky.stars s ON {condition} ORDER BY 1, 2") == wanted


def test_boxes_are_as_wide_as_told(ask, columns):
    """BOX is a cross with sides at right angles to its arms: points along the arms, by offsets of astropy."""
    for lon, lat, width, height in ((10, 60, 8, 4), (0, 0, 20, 10), (355, -85, 6, 3)):
        for bearing, size in ((90, width), (270, width), (0, height), (180, height)):
            for part, inside in ((0.499, 1), (0.501, 0)):
                x, y = offset_by(lon * u.deg, lat * u.deg, bearing * u.deg, part * size * u.deg)
                point = f"POINT({float(x.to_value(u.deg))!r}, {float(y.to_value(u.deg))!r})"
                query = f"SELECT CONTAINS({point}, BOX({lon}, {lat}, {width}, {height})) FROM sky.plates WHERE id = 1"
                assert ask(query) == [(inside,)], (lon, lat, bearing)
