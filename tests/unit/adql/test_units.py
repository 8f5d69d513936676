"""Algebra and conversion of units; the truth is astropy's, or a number of the standards."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings
from fractions import Fraction

import astropy.units as u
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo.adql.resolve import units
from vo.adql.resolve.units import Scaling, UnitProblem, agree, power, product, scaling

COMMON = ("deg", "arcsec", "rad", "d", "s", "yr", "m", "km", "nm", "mag", "kbyte", "Hz", "Jy", "pixel", "count")


def read(text: str) -> u.UnitBase:
    return u.Unit(text, format="vounit")


@pytest.mark.parametrize(
    ("left", "operator", "right", "expected"),
    [
        ("km", "/", "s", "km/s"),
        ("deg", "*", "deg", "deg**2"),
        ("deg", "/", "deg", None),
        ("deg", "*", None, "deg"),
        (None, "*", "deg", "deg"),
        ("deg", "/", None, "deg"),
        (None, "/", "s", "s**-1"),
        (None, "*", None, None),
        (None, "/", None, None),
        ("km/s", "*", "s", "km"),
        ("km/s", "/", "km.s**-1", None),
        ("deg**2", "/", "deg", "deg"),
        ("km/s", "/", "yr", "km/(s.yr)"),
        ("mag", "/", "d", "mag/d"),
        ("Angstrom", "*", "s", "Angstrom.s"),
        ("deg", "/", "arcsec", "deg/arcsec"),
        ("s**-1", "/", "s", "s**-2"),
    ],
)
def test_products(left, operator, right, expected):
    assert product(left, operator, right) == expected


@pytest.mark.parametrize(
    ("unit", "exponent", "expected"),
    [
        ("deg", Fraction(2), "deg**2"),
        ("deg**2", Fraction(1, 2), "deg"),
        ("deg", Fraction(1, 2), "deg**(1/2)"),
        ("deg", Fraction(-1), "deg**-1"),
        ("km/s", Fraction(2), "km**2/s**2"),
        ("deg", Fraction(0), None),
        ("deg", Fraction(1), "deg"),
        (None, Fraction(3), None),
    ],
)
def test_powers(unit, exponent, expected):
    assert power(unit, exponent) == expected


# a curator's slips, units beyond VOUnits, and what VOUnits has but astropy does not read
UNREADABLE = (
    "furlongs",
    "degrees",
    "deg/s/s",
    "mag(ct/s)",
    "%",
    "(m",
    "km per s",
    "'",
    "",
    "unknown",
    "10",
    "°",
    "m**",
)


@pytest.mark.parametrize("unit", UNREADABLE)
def test_unreadable_units_vanish_in_products_and_stay_beside_numbers(unit):
    assert product(unit, "*", "deg") is None
    assert product("deg", "/", unit) is None
    assert power(unit, Fraction(2)) is None
    assert not agree(unit, "deg")
    assert agree(unit, unit)
    assert product(unit, "*", None) == unit
    with pytest.raises(UnitProblem) as refused:
        scaling(unit, "deg")
    assert not refused.value.is_target


def test_scales_that_no_text_holds_exactly_are_dropped():
    assert product("10m", "*", "s") == "10m.s"
    assert power("10m", Fraction(1, 2)) is None


def test_units_agree_however_they_are_written():
    assert agree("km/s", "km.s**-1")
    assert agree("byte", "B")
    assert not agree("deg", "arcsec")
    assert not agree("deg", None)
    assert agree(None, None)


@given(st.lists(st.tuples(st.sampled_from("*/"), st.sampled_from(COMMON)), min_size=1, max_size=5))
def test_products_are_those_of_astropy_and_are_vounits(steps):
    unit: str | None = None
    truth = u.dimensionless_unscaled
    for operator, factor in steps:
        unit = product(unit, operator, factor)
        truth = truth * read(factor) if operator == "*" else truth / read(factor)
    if unit is None:
        assert not truth.bases
    else:
        assert read(unit) == truth


@pytest.mark.parametrize(
    ("unit", "target", "expected"),
    [
        ("deg", "arcsec", Scaling(3600.0, divides=False)),
        ("arcsec", "deg", Scaling(3600.0, divides=True)),
        ("deg", "mas", Scaling(3.6e6, divides=False)),
        ("deg", "arcmin", Scaling(60.0, divides=False)),
        ("d", "s", Scaling(86400.0, divides=False)),
        ("s", "d", Scaling(86400.0, divides=True)),
        ("yr", "d", Scaling(365.25, divides=False)),
        ("nm", "m", Scaling(1e9, divides=True)),
        ("m", "nm", Scaling(1e9, divides=False)),
        ("Angstrom", "nm", Scaling(10.0, divides=True)),
        ("mag", "mmag", Scaling(1000.0, divides=False)),
        ("kbyte", "byte", Scaling(1000.0, divides=False)),
        ("deg/yr", "mas/yr", Scaling(3.6e6, divides=False)),
        ("km/s", "m/s", Scaling(1000.0, divides=False)),
        ("deg**2", "arcsec**2", Scaling(12960000.0, divides=False)),
        ("mag/yr", "mmag/yr", Scaling(1000.0, divides=False)),
        ("deg", "deg", Scaling(1.0, divides=False)),
        ("km/s", "km.s**-1", Scaling(1.0, divides=False)),
        ("deg", "rad", Scaling(math.pi / 180, divides=False)),
    ],
)
def test_factors_are_exact(unit, target, expected):
    assert scaling(unit, target) == expected


@given(st.sampled_from(COMMON), st.sampled_from(COMMON), st.floats(1e-6, 1e9))
def test_conversions_are_those_of_astropy(unit, target, value):
    try:
        found = scaling(unit, target)
    except UnitProblem:
        assert not read(unit).is_equivalent(read(target))
        return
    mine = value / found.factor if found.divides else value * found.factor
    assert mine == pytest.approx((value * read(unit)).to_value(read(target)), rel=1e-14)


@pytest.mark.parametrize(
    ("unit", "target", "text"),
    [
        ("deg", "kg", "deg cannot be converted to kg"),
        ("deg", "s", "deg cannot be converted to s"),
        ("m", "Hz", "m cannot be converted to Hz"),
        ("mag", "dB", "mag cannot be converted to dB"),
        ("dB", "mag", "dB cannot be converted to mag"),
        ("deg", "", "a value with a unit cannot become one without; name the unit"),
        ("deg", " ", "a value with a unit cannot become one without; name the unit"),
        ("d", "days", "'days' is no unit of VOUnits; did you mean d?"),
        ("d", "sec", "'sec' is no unit of VOUnits; did you mean s?"),
        ("d", "Hours", "'Hours' is no unit of VOUnits; did you mean h?"),
        ("deg", "Arcsec", "'Arcsec' is no unit of VOUnits; did you mean arcsec?"),
        ("nm", "µm", "'µm' is no unit of VOUnits; did you mean um?"),
        ("deg", "xyzzy", "'xyzzy' is no unit of VOUnits, such as deg, arcsec, d, s, km/s"),
    ],
)
def test_what_cannot_be_converted_is_explained(unit, target, text):
    with pytest.raises(UnitProblem) as refused:
        scaling(unit, target)
    assert refused.value.text == text
    assert refused.value.is_target


def test_numbers_beyond_all_bounds_are_refused():
    assert power("2u", Fraction(99999)) is None
    for target in ("1e-320deg", "2deg9999999999999999", "1deg+" + "9" * 50):
        with pytest.raises(UnitProblem, match="deg cannot be converted to"):
            scaling("deg", target)
    with pytest.raises(UnitProblem, match="at most 100 characters"):
        scaling("deg", "m." * 60 + "m")


@given(st.text(alphabet="ms dego*/.()123-'\"kµ%^+\\\n", max_size=12))
def test_any_text_is_a_unit_or_none(text):
    unit = product(text, "*", "deg")
    assert unit is None or read(unit) is not None
    try:
        found = scaling("deg", text)
    except UnitProblem:
        return
    assert 0 < found.factor < math.inf


def test_suggested_units_are_units():
    for unit in {*units._KNOWN.values(), *units._MEANT.values()} - {"%"}:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", u.UnitsWarning)  # Angstrom is deprecated
            assert read(unit) is not None


def test_deprecated_units_do_not_warn():
    units._read.cache_clear()
    units._product.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert product("erg", "/", "Angstrom") == "erg/Angstrom"


def test_astropy_is_imported_for_products_of_units_only():
    code = """
import sys
from vo.adql.resolve.units import product, agree
assert product("deg", "*", None) == "deg" and product("deg", "/", "deg") is None and agree("d", "d")
assert "astropy" not in sys.modules and "numpy" not in sys.modules
assert product("km", "/", "s") == "km/s"
assert "astropy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
