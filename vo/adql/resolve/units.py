"""Units of measure as texts in VOUnits' writing (VOUnits 1.1): what products, powers and conversions make of them.

``None`` is the unit of a plain number. astropy does the algebra. It takes 0.2 s to import, so only the first product
of two units in a process asks for it; its answers are kept, and a second query with the same units costs nothing.
A unit that astropy cannot read (a curator's slip) never breaks a query: what would be computed from it has no unit.
"""

from __future__ import annotations

import difflib
import functools
import math
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

# Deprecated units (Angstrom, erg) are still VOUnits; astropy warns of them, and how it can be kept quiet is global.
_QUIET = threading.Lock()

#: Ratios on logarithmic scales: a value in one of them is never converted to the other, or to a plain ratio.
_LOGARITHMIC = ("mag", "dB")

#: Longer texts are no units; they would only fill the caches.
_LONGEST = 100

#: A factor this close to a short decimal number is that number: astropy multiplies the scales of prefixes as floats.
_ROUNDING = 4e-15
_SHORT = 10

# VOUnits 1.1, section 2.4, with the prefixes that people use; for the hint beside a misspelt unit.
_SYMBOLS = """
% A AU Angstrom B C F GHz Gyr H Hz J Jy K MHz Myr N Ohm Pa R Ry S T V W Wb adu arcmin arcsec beam bin bit byte cd chan
cm count ct d dB deg eV g h kHz kbyte keV kg km kpc lm lx lyr m mJy mag mas min mm mmag mol ms nm ns pc ph photon pix
pixel rad s solLum solMass solRad sr um uJy us voxel yr
"""
_KNOWN = {unit.lower(): unit for unit in _SYMBOLS.split()}

_MEANT = {
    **dict.fromkeys(("degree", "degrees", "degs", "°"), "deg"),
    **dict.fromkeys(("arcsecond", "arcseconds", "arcsecs", "asec", '"'), "arcsec"),
    **dict.fromkeys(("arcminute", "arcminutes", "arcmins", "amin"), "arcmin"),
    **dict.fromkeys(("milliarcsecond", "milliarcseconds", "marcsec"), "mas"),
    **dict.fromkeys(("radian", "radians", "rads"), "rad"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("year", "years", "yrs"), "yr"),
    **dict.fromkeys(("meter", "metre", "meters", "metres"), "m"),
    **dict.fromkeys(("kilometer", "kilometre", "kilometers", "kilometres", "kms"), "km"),
    **dict.fromkeys(("micron", "microns", "micrometer", "µm", "μm"), "um"),
    **dict.fromkeys(("nanometer", "nanometre"), "nm"),
    **dict.fromkeys(("ångström", "angstroms", "a.u.", "å"), "Angstrom"),
    **dict.fromkeys(("magnitude", "magnitudes", "mags"), "mag"),
    **dict.fromkeys(("parsec", "parsecs"), "pc"),
    **dict.fromkeys(("jansky", "janskys"), "Jy"),
    **dict.fromkeys(("hertz",), "Hz"),
    **dict.fromkeys(("kelvin",), "K"),
    **dict.fromkeys(("bytes",), "byte"),
    **dict.fromkeys(("pixels", "px"), "pixel"),
    **dict.fromkeys(("counts",), "count"),
}


class UnitProblem(Exception):
    """A conversion that cannot be done; ``is_target`` tells whether the unit asked for is to blame."""

    def __init__(self, text: str, *, is_target: bool) -> None:
        super().__init__(text)
        self.text = text
        self.is_target = is_target


@dataclass(frozen=True, slots=True)
class Scaling:
    """How numbers are converted: multiplied by ``factor``, or divided by it where that is the exact number."""

    factor: float
    divides: bool


def product(left: str | None, operator: str, right: str | None) -> str | None:
    """The unit of ``left * right`` or ``left / right``; a plain number beside a unit leaves it as it is."""
    if right is None:
        return left
    if left is None:
        return right if operator == "*" else power(right, Fraction(-1))
    if left == right and operator == "/":
        return None
    return _product(left, operator, right)


def power(unit: str | None, exponent: Fraction) -> str | None:
    """The unit of a value raised to a constant."""
    if unit is None or exponent == 0:
        return None
    return unit if exponent == 1 else _power(unit, exponent)


def agree(left: str | None, right: str | None) -> bool:
    """Whether both are the same unit, though they may be written in two ways (km/s, km.s**-1)."""
    if left is None or right is None or left == right:
        return left == right
    return _agree(left, right)


@functools.lru_cache(maxsize=1024)
def _product(left: str, operator: str, right: str) -> str | None:
    one, other = _read(left), _read(right)
    if one is None or other is None:
        return None
    return _written(lambda: one * other if operator == "*" else one / other)


@functools.lru_cache(maxsize=1024)
def _power(unit: str, exponent: Fraction) -> str | None:
    one = _read(unit)
    return None if one is None else _written(lambda: one**exponent)


@functools.lru_cache(maxsize=1024)
def _agree(left: str, right: str) -> bool:
    one, other = _read(left), _read(right)
    return one is not None and other is not None and bool(one == other)


def scaling(unit: str, target: str) -> Scaling:
    """What turns numbers in ``unit`` into numbers in ``target`` (ADQL 2.1, section 4.9.1).

    Raises :class:`UnitProblem` when either is no unit, or when one is not a multiple of the other.
    """
    if not target.strip():
        raise UnitProblem("a value with a unit cannot become one without; name the unit", is_target=True)
    if len(target) > _LONGEST:
        raise UnitProblem(f"a unit has at most {_LONGEST} characters", is_target=True)
    return _scaling(unit, target)


@functools.lru_cache(maxsize=1024)
def _scaling(unit: str, target: str) -> Scaling:
    one, other = _read(unit), _read(target)
    if other is None:
        raise UnitProblem(f"{target!r} is no unit of VOUnits{_suggestion(target)}", is_target=True)
    if unit == target:
        return Scaling(1.0, divides=False)
    if one is None:
        raise UnitProblem(f"{unit!r}, the unit of this value, is none of VOUnits", is_target=False)
    factor, inverse = _factors(one, other)
    if not factor:
        raise UnitProblem(f"{unit} cannot be converted to {target}", is_target=True)
    return _exact(factor, inverse)


def _factors(one: Any, other: Any) -> tuple[float, float]:
    """What turns numbers of one unit into the other, and back; zeros when nothing does that a double can hold."""
    try:
        if _scales(one) == _scales(other) and one.is_equivalent(other):
            factor, inverse = float(one.to(other)), float(other.to(one))
            if 0 < factor < math.inf and 0 < inverse < math.inf:
                return factor, inverse
    except (ValueError, TypeError, ArithmeticError):
        pass  # exponents and scales beyond all bounds
    return 0.0, 0.0


def _exact(factor: float, inverse: float) -> Scaling:
    """Multiplication or division, whichever is by a short number: arcmin / 60 is exact, arcmin * 0.01666 is not."""
    ways = [(factor, False), (inverse, True)]
    for value, divides in ways if factor >= inverse else reversed(ways):
        short = float(f"{value:.{_SHORT}g}")
        if abs(short - value) <= _ROUNDING * value:
            return Scaling(short, divides)
    return Scaling(factor, divides=False)


def _scales(unit: Any) -> set[str]:
    """The logarithmic scales that a unit is made of."""
    return {scale for base in unit.bases for scale in _LOGARITHMIC if base.name.endswith(scale)}


def _suggestion(text: str) -> str:
    wanted = _MEANT.get(text.strip().lower())
    if wanted is None:
        near = difflib.get_close_matches(text.strip().lower(), _KNOWN, n=1)
        wanted = _KNOWN[near[0]] if near else None
    if wanted == text.strip():
        # a unit of the standard that no table here uses and no library converts
        return ", or none that values can be converted to"
    return f"; did you mean {wanted}?" if wanted is not None else ", such as deg, arcsec, d, s, km/s"


@functools.lru_cache(maxsize=1024)
def _read(text: str) -> Any:
    """Astropy's unit, None when it knows none of this writing or when there is no dimension and no scale in it."""
    from astropy.units import Unit, UnitsWarning  # noqa: PLC0415  # late: see the module's docstring

    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore", UnitsWarning)
        try:
            unit = Unit(text, format="vounit")
        except (ValueError, TypeError, ArithmeticError):
            return None
    return unit if unit is not None and unit.bases else None


def _written(make: Callable[[], Any]) -> str | None:
    """VOUnits' text: ``km/s``, ``deg**2``, ``s**-1``; None for a plain number and where the text would not be exact."""
    from astropy.units import UnitsWarning  # noqa: PLC0415  # late: see the module's docstring

    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore", UnitsWarning)
        try:
            unit = make()
            if not unit.bases:
                return None
            text: str = unit.to_string("vounit", fraction=any(power > 0 for power in unit.powers))
        except (ValueError, TypeError, ArithmeticError):
            return None
    back = _read(text)
    return text if back is not None and back == unit else None
