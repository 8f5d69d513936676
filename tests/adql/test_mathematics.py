"""Mathematical functions against Python's own, on random and on special numbers (ADQL 2.1, section 2.3)."""

from __future__ import annotations

import decimal
import math
import random
from decimal import Decimal

import numpy as np
import psycopg
import pytest
from adql.tables import CATALOGUE

from vo.adql import compile_query
from vo.db.faults import translate
from vo.errors import UsageFault

SPECIAL = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1.005, 2.345, 0.49999999999999994, 4503599627370495.5, 1e15, 1e16]
SPECIAL += [5e-324, 1.7976931348623157e308, -1e308, 123456.7895, 999999999.9999999, 0.1 + 0.2, 1e-7, 99999.995, 0.285]
#: What Decimal needs for the largest doubles with their decimals.
WIDE = decimal.Context(prec=800, Emin=-1000, Emax=1000)


def numbers(count, seed):
    """Numbers of many sizes, some with few decimals, some beside a half of their last one.

    Beyond 2**53 Python and PostgreSQL may write a whole number with another number of digits.
    """
    generator = random.Random(seed)  # noqa: S311  # no secret
    found = list(SPECIAL)
    for _ in range(count):
        number = generator.choice(
            (
                generator.uniform(-400, 400),
                generator.uniform(-1, 1) * 10 ** generator.uniform(-12, 15),
                generator.randint(-(10**6), 10**6) / 10 ** generator.randint(0, 6),
                generator.randint(-(10**5), 10**5) / 2000,
            )
        )
        found += [number, math.nextafter(number, 1e300)]
    return found


@pytest.fixture(scope="module", autouse=True)
def columns(connection: psycopg.Connection) -> list[tuple[float, float, float]]:
    """The stars are the numbers: ra and dec as doubles, mag as a REAL."""
    left, right = numbers(1000, 1), numbers(1000, 2)
    right[:200] = [float(one) for one in range(1, 201)]
    rows = [(a, b, float(np.float32(a)) if abs(a) < 2**24 else 1.0) for a, b in zip(left, right, strict=True)]
    with connection.cursor() as cursor, cursor.copy("COPY sky.stars (id, ra, dec, mag) FROM STDIN") as copy:
        for number, row in enumerate(rows):
            copy.write_row((number, *row))
    connection.execute("INSERT INTO lab.series VALUES ('one', 1)")
    connection.execute(
        "INSERT INTO sky.plates (id, ra) VALUES (1, 'NaN'), (2, 'Infinity'), (3, '-Infinity'), (4, NULL)"
    )
    return rows


def answers(run, expression):
    return [value for value, _ in run(f"SELECT {expression}, id FROM sky.stars ORDER BY id")]


def rounded(number, digits, rounding, written=repr):
    """The decimals that a number is written with, rounded."""
    return float(Decimal(written(number)).quantize(Decimal(1).scaleb(-digits), rounding, WIDE))


@pytest.mark.parametrize("digits", [0, 1, 2, 3, 6, 9, 10, 15, 25, -1, -2, -9, -20])
@pytest.mark.parametrize(("name", "rounding"), [("ROUND", decimal.ROUND_HALF_UP), ("TRUNCATE", decimal.ROUND_DOWN)])
def test_rounding_is_that_of_the_decimals_written(run, columns, name, rounding, digits):
    """A column alone takes a faster way than an expression: both, for doubles and REALs, against Decimal."""
    expected = [rounded(a, digits, rounding) for a, _, _ in columns]
    assert answers(run, f"{name}(ra, {digits})") == expected
    assert answers(run, f"{name}(COALESCE(ra, 0), {digits})") == expected
    assert answers(run, f"{name}(ra, {digits} + id - id)") == expected
    small = [rounded(c, digits, rounding, lambda number: str(np.float32(number))) for _, _, c in columns]
    assert answers(run, f"{name}(mag, {digits})") == small
    if digits == 0:
        assert answers(run, f"{name}(ra)") == expected


@pytest.mark.parametrize("digits", [1000000000, 2147483647, -1000000000])
def test_absurd_numbers_of_decimals_do_no_harm(run, columns, digits):
    expected = [a if digits > 0 else 0 for a, _, _ in columns]
    for name in ("ROUND", "TRUNCATE"):
        assert answers(run, f"{name}(ra, {digits})") == expected
        assert answers(run, f"{name}(ra + 0, {digits})") == expected


def test_rounding_of_what_is_no_usual_number(run):
    """The two ways of a column and the one of an expression."""
    for name in ("ROUND", "TRUNCATE"):
        for call in (f"{name}(ra)", f"{name}(ra, 2)", f"{name}(ra + 0, 2)"):
            nan, infinity, negative, null = (one for one, _ in run(f"SELECT {call}, id FROM sky.plates ORDER BY id"))
            assert math.isnan(nan)
            assert (infinity, negative, null) == (math.inf, -math.inf, None)
    assert run(
        "SELECT ROUND(9007199254740993, -1), ROUND(-15, -1), TRUNCATE(-15, -1), ROUND(15, 3) FROM lab.series"
    ) == [(9007199254740990.0, -20.0, -10.0, 15.0)]


def test_remainders_are_exact_and_have_the_sign_of_the_first(run, columns):
    found = run("SELECT ra, dec, MOD(ra, dec) FROM sky.stars WHERE dec <> 0")
    assert len(found) > 1900
    for a, b, remainder in found:
        assert remainder == float(WIDE.remainder(Decimal(repr(a)), Decimal(repr(b)))), (a, b)
        assert remainder == 0 or math.copysign(1, remainder) == math.copysign(1, a)


def test_integers_have_remainders_of_their_own_type(run):
    found = run("SELECT MOD(7, 3), MOD(-7, 3), MOD(7, -3), MOD(-7, -3), MOD(n, 9000000000) FROM lab.series")
    assert found == [(1, -1, 1, -1, 1)]


@pytest.mark.parametrize(
    ("expression", "truth"),
    [
        ("ABS(ra)", lambda a, _: abs(a)),
        ("CEILING(ra)", lambda a, _: float(math.ceil(a))),
        ("FLOOR(ra)", lambda a, _: float(math.floor(a))),
        ("SIN(ra)", lambda a, _: math.sin(a)),
        ("COS(ra)", lambda a, _: math.cos(a)),
        ("TAN(ra)", lambda a, _: math.tan(a)),
        ("ATAN(ra)", lambda a, _: math.atan(a)),
        ("ATAN2(ra, dec)", math.atan2),
        ("ATAN2(-ra, -dec)", lambda a, b: math.atan2(-a, -b)),
        ("ASIN(ra / (ABS(ra) + 1))", lambda a, _: math.asin(a / (abs(a) + 1))),
        ("ACOS(ra / (ABS(ra) + 1))", lambda a, _: math.acos(a / (abs(a) + 1))),
        ("SQRT(ABS(ra))", lambda a, _: math.sqrt(abs(a))),
        ("LOG(ABS(ra) + 1E-9)", lambda a, _: math.log(abs(a) + 1e-9)),
        ("LOG10(ABS(ra) + 1E-9)", lambda a, _: math.log10(abs(a) + 1e-9)),
        ("EXP(ATAN(ra) * 100)", lambda a, _: math.exp(math.atan(a) * 100)),
        ("POWER(ABS(ra) + 1, SIN(dec))", lambda a, b: (abs(a) + 1) ** math.sin(b)),
        ("POWER(-3, CEILING(5 * SIN(dec)))", lambda _, b: (-3.0) ** math.ceil(5 * math.sin(b))),
        ("RADIANS(2 + SIN(ra))", lambda a, _: math.radians(2 + math.sin(a))),
        ("DEGREES(SIN(ra))", lambda a, _: math.degrees(math.sin(a))),
    ],
)
def test_functions_agree_with_python(run, columns, expression, truth):
    expected = [truth(a, b) for a, b, _ in columns]
    assert answers(run, expression) == pytest.approx(expected, rel=4e-14, abs=0)


def test_cotangent_and_pi(run, columns):
    found = run("SELECT ra, COT(ra) FROM sky.stars WHERE ra <> 0 AND ABS(ra) > 1E-300")
    for a, cotangent in found:
        assert cotangent == pytest.approx(1 / math.tan(a), rel=1e-14)
    assert run("SELECT PI(), POWER(0, 0), POWER(-8, 3), SQRT(0), ATAN2(0, 0), ABS(-32768), EXP(0) FROM lab.series") == [
        (math.pi, 1.0, -512.0, 0.0, 0.0, 32768, 1.0)
    ]


@pytest.mark.parametrize("quadrant", [(1, 1), (1, -1), (-1, -1), (-1, 1), (0, 1), (0, -1), (1, 0), (-1, 0)])
def test_quadrants(run, quadrant):
    y, x = quadrant
    assert run(f"SELECT ATAN2({y}, {x}) FROM lab.series") == [(pytest.approx(math.atan2(y, x), abs=1e-16),)]


OF_ONE = "ABS CEILING DEGREES EXP FLOOR LOG LOG10 RADIANS ROUND SQRT TRUNCATE ACOS ASIN ATAN COS COT SIN TAN"
OF_TWO = "MOD POWER ROUND TRUNCATE ATAN2"


@pytest.mark.parametrize(
    "call",
    [f"{name}({{}})" for name in OF_ONE.split()]
    + [call for name in OF_TWO.split() for call in (f"{name}({{}}, 2)", f"{name}(2.5, {{}})")],
)
def test_null_makes_null(run, call):
    """The bare word, and a column that is null."""
    query = f"SELECT {call.format('NULL')}, {call.format('size_kb')} FROM lab.series LEFT JOIN sky.plates ON 1 = 0"
    assert run(query) == [(None, None)]


def test_seeds_change_nothing_that_is_promised(run):
    values = [one for (one,) in run("SELECT RAND(42) FROM sky.stars")]
    assert all(0 <= one < 1 for one in values)
    assert len(set(values)) > 1900


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("ASIN(n + 1)", "from -1 to 1"),
        ("ACOS(-1.0000001)", "from -1 to 1"),
        ("LOG(0)", "logarithm"),
        ("LOG(-1)", "logarithm"),
        ("LOG10(n - 1)", "logarithm"),
        ("SQRT(-n)", "root"),
        ("POWER(-8, 1 / 3.0)", "not a real number"),
        ("POWER(n - 1, -1)", "zero to a negative power"),
        ("POWER(10, 400)", "too large"),
        ("EXP(710)", "too large"),
        ("EXP(-800)", "too close to zero"),
        ("MOD(n, 0)", "division by zero"),
        ("MOD(n + 0.5, 0)", "division by zero"),
        ("1 / (n - 1)", "division by zero"),
        ("ROUND(1.5, 3000000000)", "too large"),
        ("(SELECT SIN(ra) FROM sky.plates WHERE id = 2)", "finite"),
        ("ABS(CAST(-32768 AS SMALLINT))", "too large"),
    ],
)
def test_what_cannot_be_computed_is_told(connection, expression, words):
    """In our words: the database's own are not for astronomers."""
    sql = compile_query(f"SELECT {expression} FROM lab.series", CATALOGUE).sql
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql.encode())
    fault = translate(caught.value.sqlstate, str(caught.value))
    assert isinstance(fault, UsageFault)
    assert words in fault.text
