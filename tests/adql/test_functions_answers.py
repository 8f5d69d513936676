"""What functions answer, against the check values of their standard and against Python on random numbers."""

from __future__ import annotations

import math
import random
import statistics
from decimal import Decimal
from fractions import Fraction

import numpy as np
import psycopg
import pytest
from adql.tables import CATALOGUE
from hypothesis import given, settings
from hypothesis import strategies as st

from vo.adql import compile_query
from vo.db.faults import translate
from vo.errors import ADQLFault, UsageFault

SEEDED = random.Random  # what is compared must be the same each time


@pytest.fixture(scope="module", autouse=True)
def rows(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO lab.series VALUES ('one', 1)")


@pytest.fixture(scope="module")
def value(run):
    """The value of an expression without columns."""

    def evaluate(expression):
        return run(f"SELECT {expression} FROM lab.series")[0][0]

    return evaluate


@pytest.fixture
def fill(connection: psycopg.Connection):
    """Put rows into a table, given with its columns; afterwards the tables are empty again."""

    def copy_rows(table, rows):
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    yield copy_rows
    connection.execute("TRUNCATE sky.stars, sky.plates")


def fault_of(value, expression) -> str:
    """The words of the fault that an expression meets when it is answered."""
    with pytest.raises(psycopg.Error) as caught:
        value(expression)
    fault = translate(caught.value.sqlstate, str(caught.value))
    assert isinstance(fault, UsageFault)
    return fault.text


def refusal_of(expression) -> str:
    """The words of the fault that an expression meets when it is translated."""
    with pytest.raises(ADQLFault) as caught:
        compile_query(f"SELECT {expression} FROM sky.stars", CATALOGUE)
    return caught.value.text


# The catalogue's own examples


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ivo_healpix_index(0, 1, 1)", 4),
        ("ivo_healpix_index(17, 1, 1)", 81609757711),
        ("ivo_healpix_index(17, 359, -1)", 73009064944),
        ("ivo_healpix_index(0, POINT(1, 1))", 4),
        ("ivo_healpix_index(17, POINT('ICRS', 1, 1))", 81609757711),
        ("ivo_healpix_index(17, CENTROID(CIRCLE(359, -1, 3)))", 73009064944),
        ("ivo_healpix_center(0, 6)", [180.0, 0.0]),
        ("ivo_healpix_center(17, ivo_healpix_index(17, 23.4, 56.7))", [23.399843462947466, 56.70016214363192]),
        ("ivo_to_jd(CAST('2000-01-02T12:00:00' AS TIMESTAMP))", 2451546.0),
        ("ivo_to_jd('1910-12-31T06:00:00')", 2419036.75),
        ("ivo_to_jd(NULL)", None),
        ("ivo_to_mjd(CAST('2000-01-02T12:00:00' AS TIMESTAMP))", 51545.5),
        ("ivo_to_mjd('1910-12-31T06:00:00')", 19036.25),
        ("ivo_to_mjd(NULL)", None),
        ("ivo_nocasematch('abcabc', 'ab%')", 1),
        ("ivo_nocasematch('ABcabc', 'ab__bc')", 1),
        ("ivo_nocasematch('abcabc', '%BC')", 1),
        ("ivo_nocasematch('abcabc', 'ABCABC')", 1),
        ("ivo_nocasematch('abcabc', 'abcab')", 0),
        ("ivo_hasword('Miller and Urey have', 'miller')", 1),
        ("ivo_hasword('shown that a primordial', 'soup')", 0),
        ("ivo_hasword('shown that a primordial', 'shown primordial')", 1),
        ("ivo_hasword('shown that a primordial', 'shown soup')", 0),
        ("ivo_hashlist_has('red#green#blue', 'red')", 1),
        ("ivo_hashlist_has('Red#green#blue', 'red')", 1),
        ("ivo_hashlist_has('red#green#blue', 're')", 0),
        ("ivo_hashlist_has('red#green#blue', 'red#green')", 0),
        ("ivo_interval_overlaps(-3, -2, 2, 3)", 0),
        ("ivo_interval_overlaps(-2, 55.3, 2, 3)", 1),
        ("ivo_interval_overlaps(2, 3, -2, 55.3)", 1),
        ("ivo_interval_overlaps(-2, 55.3, 3, 2)", 0),
        ("ivo_interval_overlaps(-2, 2, 2, 3)", 1),
        ("ivo_hms_to_degrees('3:34:45.4')", 53.689166666666665),
        ("ivo_hms_to_degrees('3h34m45.4s')", 53.689166666666665),
        ("ivo_hms_to_degrees('3H34M45.4S')", 53.689166666666665),
        ("ivo_dms_to_degrees('42:9:6.768')", 42.15188),
        ("ivo_dms_to_degrees('42d9m6.768s')", 42.15188),
        ("ivo_dms_to_degrees('42D9M6.768S')", 42.15188),
        ("ivo_dms_to_degrees('-00:15:00')", -0.25),
        ("ivo_dms_to_degrees('+00:15:00')", 0.25),
        ("ivo_dms_to_degrees('-0d15m0s')", -0.25),
        ("ivo_dms_to_degrees('+0d15m0s')", 0.25),
    ],
)
def test_examples_of_the_catalogue(value, expression, expected):
    """IVOA EN UDF 1.2, section 2; hms to seven decimals there."""
    got = value(expression)
    assert got == (pytest.approx(expected, abs=1e-12) if isinstance(expected, list) else expected)


STAR = "7.606083572, 11.79044105"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("125, 300, -428.8, 52.51, 2016.0, 1992.25", [7.604061404627978, 11.7932703828279]),
        ("125, 300, -428.8, 52.51, 2016.0, 1875.0", [7.594068213694308, 11.807251375203935]),
        ("125, 300, -428.8, NULL, 2016.0, 1875.0", [7.594079587029898, 11.807235464326332]),
        ("125, 300, NULL, NULL, 2016.0, 1875.0", [7.594080321498365, 11.790440798509207]),
        ("NULL, 300, -428.8, 52.51, 2016.0, 1875.0", [7.594079587020846, 11.807235464339055]),
        ("0, NULL, NULL, NULL, 2016.0, 1875.0", [7.606083572, 11.79044105]),
    ],
)
def test_examples_of_motion(value, arguments, expected):
    """IVOA EN UDF 1.2, section 2.2.1: the fifth is approximate there, null stands for a small parallax."""
    assert value(f"ivo_epoch_prop_pos({STAR}, {arguments})") == pytest.approx(expected, abs=2e-11)


@pytest.mark.parametrize("place", [0, 1, 6, 7])
def test_a_motion_needs_position_and_epochs(value, place):
    arguments = ["7.6", "11.8", "125", "300", "-428.8", "52.51", "2016.0", "1875.0"]
    arguments[place] = "NULL"
    assert "must not be null" in refusal_of(f"ivo_epoch_prop_pos({', '.join(arguments)})")
    arguments[place] = "POWER(n, 1) + NULL"
    assert "needs ra, dec, ref_epoch and out_epoch" in fault_of(value, f"ivo_epoch_prop_pos({', '.join(arguments)})")


# Motions of stars


def random_stars(count, seed):
    """Positions all over the sky, half of them within 2 degrees of a pole; fast and near stars among them."""
    generator = np.random.default_rng(seed)
    ra = generator.uniform(0, 360, count)
    dec = np.degrees(np.arcsin(generator.uniform(-1, 1, count)))
    polar = np.arange(count) % 2 == 0
    dec[polar] = np.sign(dec[polar]) * (90 - generator.exponential(0.5, polar.sum()).clip(1e-7, 2))
    parallax = generator.exponential(20, count) + 0.01
    pmra, pmdec = generator.normal(0, 800, (2, count))
    velocity = generator.normal(0, 80, count)
    return ra, dec, parallax, pmra, pmdec, velocity, generator.uniform(1880, 2030, count)


def moved(ra, dec, parallax, pmra, pmdec, velocity, epoch):
    """Unit vectors at the epoch, from 2016.0: places and velocities in kilometres, added in higher precision."""
    wide = [np.asarray(array, dtype=np.longdouble) for array in (ra, dec, parallax, pmra, pmdec, velocity, epoch)]
    ra, dec, parallax, pmra, pmdec, velocity, epoch = wide
    mas = np.longdouble(math.pi) / 180 / 3600 / 1000
    au, year = np.longdouble("149597870.7"), np.longdouble("31557600")
    ra, dec = np.radians(ra), np.radians(dec)
    zero = np.zeros_like(ra)
    radial = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    east = np.array([-np.sin(ra), np.cos(ra), zero])
    north = np.array([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])
    distance = au / (parallax * mas)
    speed = radial * velocity + distance / year * mas * (east * pmra + north * pmdec)
    place = radial * distance + speed * (epoch - 2016) * year
    return place / np.sqrt((place**2).sum(axis=0))


def vectors(points):
    lon, lat = np.radians(np.array(points, dtype=float)).T
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def angles(one, other):
    """Degrees between unit vectors, exact for small ones."""
    return np.degrees(2 * np.arcsin(np.sqrt(((one - other) ** 2).sum(axis=0).astype(float)) / 2))


def test_motions_are_straight_lines(run, fill):
    """3,000 stars against vectors in kilometres."""
    data = random_stars(3000, 1)
    found = answered_motions(run, fill, data)
    assert angles(vectors(found), moved(*data)).max() < 1e-11


def test_motions_agree_with_astropy(run, fill):
    """astropy moves stars with relativity, so that near and fast ones differ: compare where that does not matter."""
    from astropy import units as u
    from astropy.coordinates import Distance, SkyCoord
    from astropy.time import Time

    ra, dec, parallax, pmra, pmdec, velocity, epoch = random_stars(2000, 2)
    parallax, pmra, pmdec = 1 + parallax / 10, pmra / 20, pmdec / 20
    velocity = velocity / 4
    data = ra, dec, parallax, pmra, pmdec, velocity, epoch
    found = answered_motions(run, fill, data)
    star = SkyCoord(
        ra * u.deg,
        dec * u.deg,
        distance=Distance(parallax=parallax * u.mas),
        pm_ra_cosdec=pmra * u.mas / u.yr,
        pm_dec=pmdec * u.mas / u.yr,
        radial_velocity=velocity * u.km / u.s,
        obstime=Time(2016.0, format="jyear", scale="tcb"),
    )
    other = star.apply_space_motion(new_obstime=Time(epoch, format="jyear", scale="tcb"))
    there = vectors(np.array([other.ra.deg, other.dec.deg]).T)
    assert angles(vectors(found), there).max() < 5e-9


MOTION = """
    SELECT ivo_epoch_prop_pos(a.ra, a.dec, a.t_min, a.t_max, b.ra, b.dec, 2016.0, b.epoch), a.id
    FROM sky.plates AS a JOIN sky.stars AS b ON a.id = b.id ORDER BY a.id
"""


def answered_motions(run, fill, data):
    """What ivo_epoch_prop_pos makes of arrays of stars; seven doubles need two tables."""
    ra, dec, parallax, pmra, pmdec, velocity, epoch = (list(map(float, array)) for array in data)
    numbers = range(len(ra))
    fill("sky.plates (id, ra, dec, t_min, t_max)", zip(numbers, ra, dec, parallax, pmra, strict=True))
    fill("sky.stars (id, ra, dec, epoch)", zip(numbers, pmdec, velocity, epoch, strict=True))
    return [point for point, _ in run(MOTION)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("30, 15, 0, 0.1, 20", [30, 16.9991882802]),
        ("30, 60, 0.1, 0, 20", [33.993520433, 59.93965025567]),
        ("10, -90, 0, 0.1, 10", [10, -89.0001015]),
        ("0, 0, NULL, NULL, 5", [0, 0]),
    ],
)
def test_gavo_apply_pm(value, arguments, expected):
    """The first two are examples that its makers gave."""
    assert value(f"gavo_apply_pm({arguments})") == pytest.approx(expected, abs=1e-7)


# Dates


def test_dates_agree_with_astropy(run, fill):
    from astropy.time import Time

    generator = SEEDED(3)
    texts = []
    for _ in range(2000):
        day = f"{generator.randint(1, 9999):04}-{generator.randint(1, 12):02}-{generator.randint(1, 28):02}"
        micro = generator.choice(["", f".{generator.randint(0, 999999):06}"])
        texts.append(
            f"{day}T{generator.randint(0, 23):02}:{generator.randint(0, 59):02}:{generator.randint(0, 59):02}{micro}"
        )
    fill("sky.plates (id, taken)", enumerate(texts))
    rows = run(
        "SELECT ivo_to_mjd(taken), ivo_to_jd(taken), gavo_to_mjd(taken), gavo_to_jd(taken) FROM sky.plates ORDER BY id"
    )
    # a scale without leap seconds, as no scale is looked at; the Gregorian calendar before 1582 too, as in both
    times = Time(texts, format="isot", scale="tai")
    mjd, jd, *others = np.array(rows).T
    for ours, theirs in ((mjd, times.mjd), (jd, times.jd)):
        assert (np.abs(ours - theirs) <= np.spacing(np.abs(theirs))).all()
    assert [list(other) for other in others] == [list(mjd), list(jd)]


# Texts


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ivo_nocasematch('ÖPIK', 'ö%')", 1),
        ("ivo_nocasematch('пластинка', 'ПЛАС%')", 1),
        ("ivo_nocasematch('Öpik', 'O%')", 0),
        ("ivo_nocasematch('100%', '100%')", 1),
        (r"ivo_nocasematch('a\b', 'A\B')", 1),
        ("ivo_nocasematch('', '')", 1),
        ("ivo_nocasematch('', '_')", 0),
        ("ivo_nocasematch(NULL, 'a')", None),
        ("ivo_nocasematch('a', NULL)", None),
        ("ivo_hasword('Müller (Tartu): plates', 'MÜLLER')", 1),
        ("ivo_hasword('Müller', 'ller')", 0),
        ("ivo_hasword('Mu\u0308ller', 'Müller')", 1),
        ("ivo_hasword('red/blue plates', 'red')", 1),
        ("ivo_hasword('30-inch telescope', 'inch')", 1),
        ("ivo_hasword('30 inch telescope', '30-inch')", 1),
        ("ivo_hasword('Dec -12', '12')", 1),
        ("ivo_hasword('http://plates.example/a', 'plates')", 1),
        ("ivo_hasword('observer@example.org', 'observer')", 1),
        ("ivo_hasword('the sky', 'the')", 1),
        ("ivo_hasword('Barnard''s star', 'barnard')", 1),
        ("ivo_hasword('a b', 'b a b')", 1),
        ("ivo_hasword('a', '')", 0),
        ("ivo_hasword('a', ' - ')", 0),
        ("ivo_hasword('', 'a')", 0),
        ("ivo_hasword(NULL, 'a')", None),
        ("ivo_hasword('a', NULL)", None),
        ("ivo_hashlist_has('optical#ÖPIK#x-ray', 'öpik')", 1),
        ("ivo_hashlist_has('a#b', 'b')", 1),
        ("ivo_hashlist_has('a', 'A')", 1),
        ("ivo_hashlist_has('a_b#c', 'a%')", 0),
        ("ivo_hashlist_has('', 'a')", 0),
        ("ivo_hashlist_has(NULL, 'a')", None),
        ("gavo_match('^B[0-9]{4}$', 'B1234')", 1),
        ("gavo_match('b', 'B1234')", 0),
        ("gavo_match('23', 'B1234')", 1),
        ("gavo_match(NULL, 'B1234')", None),
        (r"gavo_match('\d\.', 'a1.')", 1),
    ],
)
def test_texts(value, expression, expected):
    assert value(expression) == expected


def test_a_bad_regular_expression_is_told(value):
    assert "regular expression" in fault_of(value, "gavo_match('[', name)")


def test_texts_are_put_together_without_nulls(run, fill):
    fill("sky.stars (id, name)", [(1, "b"), (2, None), (3, "a"), (4, "")])
    ((text,),) = run("SELECT ivo_string_agg(name, ', ') FROM sky.stars")
    assert sorted(text.split(", ")) == ["", "a", "b"]
    assert run("SELECT ivo_string_agg(name, ',') FROM sky.stars WHERE id = 2") == [(None,)]
    assert run("SELECT ivo_string_agg(id, ' ') FROM sky.stars WHERE id = 3") == [("3",)]


# Sexagesimal texts


@pytest.mark.parametrize(
    ("text", "hours", "degrees"),
    [
        ("12:34:56.7", 188.73625, 12.582416666666667),
        ("12 34 56.7", 188.73625, 12.582416666666667),
        ("123456.7", 188.73625, 12.582416666666667),
        ("12h34m56.7s", 188.73625, None),
        ("12d34m56.7s", None, 12.582416666666667),
        ("12h 34m 56.7s", 188.73625, None),
        ("  1:2:3  ", 15.5125, 1.0341666666666667),
        ("00:00:00", 0.0, 0.0),
        ("23:59:59.999999", 359.9999999958333, 23.999999999722224),
        ("24:00:00", None, 24.0),
        ("-0:30:0", None, -0.5),
        ("-003000", None, -0.5),
        ("+12 00 00.", None, 12.0),
        ("359:59:59", None, 359.99972222222223),
        ("360:00:00", None, 360.0),
        ("360:00:01", None, None),
        ("12:60:00", None, None),
        ("12:00:60", None, None),
        ("12:34", None, None),
        ("12:34:56:78", None, None),
        ("12.5:34:56", None, None),
        ("12:34.5:56", None, None),
        ("12:34 56", None, None),
        ("12h34m56", None, None),
        ("- 12:34:56", None, None),
        ("12:-34:56", None, None),
        ("1:2:3e1", None, None),
        ("NaN", None, None),
        ("", None, None),
        ("12345", None, None),
        ("12:34:5६", None, None),
    ],
)
def test_sexagesimal_texts(value, text, hours, degrees):
    assert value(f"ivo_hms_to_degrees('{text}')") == hours
    assert value(f"ivo_dms_to_degrees('{text}')") == degrees


def test_sexagesimal_texts_of_every_form(run, fill):
    """Random angles, each in every form, are the double nearest to the exact fraction."""
    generator = SEEDED(4)
    rows = []
    for _ in range(500):
        parts = generator.randint(0, 23), generator.randint(0, 59), generator.randint(0, 59)
        decimals = generator.choice(["", ".", ".5", f".{generator.randint(0, 10**9)}"])
        exact = Fraction(parts[0] * 3600 + parts[1] * 60 + parts[2]) + Fraction(
            Decimal("0" + decimals + "0" if decimals else 0)
        )
        hour, minute, second = (f"{part:02}" for part in parts)
        forms = ("{}:{}:{}{}", "{}{}{}{}", "{}d{}m{}{}s", "{} {} {}{}")
        rows += [(form.format(hour, minute, second, decimals), exact) for form in forms]
    fill("sky.stars (id, name)", [(i, text) for i, (text, _) in enumerate(rows)])
    found = run("SELECT ivo_dms_to_degrees('-' || name), ivo_hms_to_degrees(name) FROM sky.stars ORDER BY id")
    for (text, exact), (degrees, hours) in zip(rows, found, strict=True):
        assert degrees == float(-exact / 3600)
        assert hours == (None if "d" in text else float(exact / 240))


# HEALPix


def test_healpix_agrees_with_other_software(run, fill):
    from astropy import units as u
    from astropy.coordinates import Latitude, Longitude
    from cdshealpix.nested import healpix_to_lonlat, lonlat_to_healpix

    generator = np.random.default_rng(5)
    lon = generator.uniform(-360, 720, 2000)
    lat = np.degrees(np.arcsin(generator.uniform(-1, 1, 2000)))
    lat[:200] = 90 - generator.exponential(0.01, 200)
    order = generator.integers(0, 30, 2000)
    rows = zip(range(2000), map(float, lon), map(float, lat), map(int, order), strict=True)
    fill("sky.plates (id, ra, dec, n)", rows)
    found = run(
        "SELECT ivo_healpix_index(n, ra, dec), ivo_healpix_index(n, POINT(ra, dec)),"
        " ivo_healpix_center(n, ivo_healpix_index(n, ra, dec)) FROM sky.plates ORDER BY id"
    )
    cells, again, centres = zip(*found, strict=True)
    truth = lonlat_to_healpix(Longitude(lon * u.deg), Latitude(lat * u.deg), order.astype(np.uint8))
    # on a border of cells at the finest orders rounding decides
    assert (np.array(cells) != truth.astype(np.int64)).sum() <= 5
    assert cells == again
    lons, lats = healpix_to_lonlat(np.array(cells, dtype=np.uint64), order.astype(np.uint8))
    assert angles(vectors(centres), vectors(np.array([lons.deg, lats.deg]).T)).max() < 1e-9


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("ivo_healpix_index(30, 1, 1)", "runs from 0 to 29, this is 30"),
        ("ivo_healpix_index(-1, 1, 1)", "runs from 0 to 29"),
        ("ivo_healpix_index(5, 1, 91)", "no latitude"),
        ("ivo_healpix_index(5.0, 1, 1)", "takes an integer"),
        ("ivo_healpix_center(17, 23.2)", "takes an integer"),
        ("ivo_healpix_center(0, 12)", "numbers 0 to 11"),
        ("ivo_healpix_center(0, -1)", "numbers 0 to 11"),
        ("ivo_normal_random(0, -1)", "must not be negative"),
        ("ivo_interval_overlaps(RAND(), 1, 2, 3)", "more than once"),
        ("gavo_specconv(ra, 'nm')", "deg, is not spectral"),
        ("gavo_specconv(id, 'nm')", "no unit is known"),
        ("gavo_specconv(ra, 'nm', 'km/s')", "'km/s' is no spectral unit"),
        ("gavo_specconv(ra, 'deg', 'nm')", "'deg' is no spectral unit"),
        ("gavo_specconv(ra, 'nm', name)", "literal text"),
        ("gavo_specconv(ra, name, 'nm')", "literal text"),
    ],
)
def test_refused(expression, words):
    assert words in refusal_of(expression)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("ivo_healpix_index(n + 30, 1, 1)", "order of a HEALPix cell runs from 0 to 29"),
        ("ivo_healpix_center(n - 1, 12)", "number from 0 to 12 * 4**n - 1"),
        ("gavo_specconv(n - 1, 'nm', 'keV')", "division by zero"),
    ],
)
def test_what_cannot_be_computed_is_told(value, expression, words):
    assert words in fault_of(value, expression)


# Chance


def test_normal_random_numbers(run, fill):
    fill("sky.stars (id)", [(i,) for i in range(20000)])
    rows = run("SELECT ivo_normal_random(10, 5), gavo_normal_random(10, 5), ivo_normal_random(3, 0) FROM sky.stars")
    first, second, constant = zip(*rows, strict=True)
    for numbers in (first, second):
        # five standard errors
        assert statistics.fmean(numbers) == pytest.approx(10, abs=25 / 20000**0.5)
        assert statistics.stdev(numbers) == pytest.approx(5, rel=5 / 40000**0.5)
        within = sum(abs(one - 10) < 5 for one in numbers) / 20000
        assert within == pytest.approx(0.6827, abs=5 * (0.6827 * 0.3173 / 20000) ** 0.5)
        assert len(set(numbers)) > 19990
    assert abs(statistics.correlation(first, second)) < 5 / 20000**0.5
    assert set(constant) == {3.0}
    assert run("SELECT ivo_normal_random(NULL, 1), ivo_normal_random(0, NULL) FROM lab.series") == [(None, None)]


def test_a_random_number_is_drawn_once(run, fill):
    fill("sky.stars (id)", [(i,) for i in range(1000)])
    rows = run("SELECT ROUND(q.r * 10) - q.r * 10, q.r FROM (SELECT RAND() AS r FROM sky.stars) AS q")
    assert max(abs(one) for one, _ in rows) <= 0.5
    rounded = {one for (one,) in run("SELECT ROUND(RAND(), 1) FROM sky.stars")}
    assert rounded == {number / 10 for number in range(11)}
    assert all(0 <= one < 1 for (one,) in run("SELECT RAND(7) FROM sky.stars"))


# Spectral units


@pytest.mark.parametrize("unit", ["m", "nm", "um", "Angstrom", "Hz", "GHz", "eV", "keV", "J", "erg", "mm", "THz"])
@pytest.mark.parametrize("target", ["m", "nm", "Angstrom", "MHz", "meV", "MeV", "aJ", "erg"])
def test_spectral_units_agree_with_astropy(value, unit, target):
    from astropy import units as u

    truth = u.Quantity(4.5, unit).to_value(target, equivalencies=u.spectral())
    assert value(f"gavo_specconv(4.5, '{unit}', '{target}')") == pytest.approx(truth, rel=1e-14)


def test_spectral_units_are_exact_where_they_can_be(value):
    assert value("gavo_specconv(550, 'nm', 'm')") == 5.5e-7
    assert value("gavo_specconv(4.4e-7, 'm', 'nm')") == 440.0
    assert value("gavo_specconv(4861, 'Angstrom', 'nm')") == 486.1
    assert value("gavo_specconv(gavo_specconv(5, 'nm', 'm'), 'Angstrom')") == 50.0
    assert value("gavo_specconv(NULL, 'nm', 'm')") is None


def test_spectral_results_say_their_unit():
    calls = "gavo_specconv(ra, 'nm', 'keV'), gavo_specconv(ra, 'J', 'GHz'), gavo_specconv(ra, 'Hz', 'um')"
    fields = compile_query(f"SELECT {calls} FROM sky.stars", CATALOGUE).fields
    assert [(field.unit, field.ucd) for field in fields] == [("keV", "em.energy"), ("GHz", "em.freq"), ("um", "em.wl")]


# Intervals

BOUND = st.one_of(st.none(), st.integers(-3, 3))


@settings(max_examples=150)
@given(bounds=st.lists(st.tuples(BOUND, BOUND, BOUND, BOUND), min_size=20, max_size=20))
def test_intervals(run, bounds):
    expected = []
    for a1, b1, a2, b2 in bounds:
        terms = [low is None or high is None or low <= high for low, high in ((a1, b2), (a2, b1), (a1, b1), (a2, b2))]
        unknown = None in (a1, b1, a2, b2)
        expected.append(0 if not all(terms) else None if unknown else 1)
    calls = ", ".join(
        "ivo_interval_overlaps({})".format(", ".join("NULL" if bound is None else str(bound) for bound in four))
        for four in bounds
    )
    assert list(run(f"SELECT {calls} FROM lab.series")[0]) == expected
