"""Spectral quantities in other units: wavelengths, frequencies and photon energies, one turned into another.

The constants are those that define the SI (BIPM, The International System of Units, 9th edition, section 2.2), so that
all factors are exact fractions until they are written as numbers.
"""

from __future__ import annotations

from fractions import Fraction

from vo.adql.functions.function import Function, Group, number, text
from vo.adql.kinds import Type
from vo.adql.plan import Apply, Constant, Expression
from vo.adql.sky.geometry import BadArgument

_C = Fraction(299792458)
_H = Fraction("6.62607015e-34")
_EV = Fraction("1.602176634e-19")

_PREFIXES = {
    "": 0, "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18,
    "h": 2, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
#: Units that take prefixes: what they measure and their size in metres, hertz and joules (VOUnits 1.1, section 2.4).
_BASES = {
    "m": ("wavelength", Fraction(1)),
    "Hz": ("frequency", Fraction(1)),
    "J": ("energy", Fraction(1)),
    "eV": ("energy", _EV),
}
_SINGLE = {
    "Angstrom": ("wavelength", Fraction("1e-10")),
    "angstrom": ("wavelength", Fraction("1e-10")),
    "erg": ("energy", Fraction("1e-7")),
}
_UNITS = _SINGLE | {
    prefix + base: (kind, size * Fraction(10) ** power)
    for prefix, power in _PREFIXES.items()
    for base, (kind, size) in _BASES.items()
}
_EXAMPLES = "write one of wavelength, frequency or energy, such as m, nm, Angstrom, GHz, keV or J"

#: What a value of each kind is as a frequency in hertz: proportional to it or to its inverse, with this factor.
_TO_HERTZ = {"frequency": (1, Fraction(1)), "energy": (1, 1 / _H), "wavelength": (-1, _C)}


#: Words of the UCD1+ vocabulary for each kind.
_UCDS = {"frequency": "em.freq", "energy": "em.energy", "wavelength": "em.wl"}


def spectral_ucd(unit: str) -> str | None:
    """The UCD of a quantity in this unit, None when it is not spectral."""
    return _UCDS[_UNITS[unit][0]] if unit in _UNITS else None


def spectral_template(unit: str, target: str) -> str | None:
    """SQL that turns ``{0}`` in one unit into the other; None when either is not spectral."""
    if unit not in _UNITS or target not in _UNITS:
        return None
    kind, size = _UNITS[unit]
    other, other_size = _UNITS[target]
    sense, factor = _TO_HERTZ[kind]
    other_sense, other_factor = _TO_HERTZ[other]
    # in hertz: factor * (value * size) ** sense = other_factor * (result * other_size) ** other_sense
    ratio = factor * size**sense / (other_factor * other_size**other_sense)
    scale = ratio**other_sense
    if sense != other_sense:
        return f"({float(scale)!r}::float8 / {{0:p}})"
    if scale == 1:
        return "{0:p}"
    # a division by 1e9 is exact where a multiplication by 1e-9 is not
    if scale < 1 and (1 / scale).denominator == 1:
        return f"({{0:p}} / {float(1 / scale)!r}::float8)"
    return f"({{0:p}} * {float(scale)!r}::float8)"


def _convert(arguments: tuple[Expression, ...]) -> Expression:
    """``gavo_specconv(value, unit, target)``, or without the unit where that of the value is known."""
    value, *units = arguments
    words = [_literal(unit, index) for index, unit in enumerate(units, 1)]
    if len(words) == 1:
        words.insert(0, _unit_of(value))
    template = spectral_template(words[0], words[-1])
    if template is None:
        wrong = next(index for index, word in enumerate(words) if word not in _UNITS)
        raise BadArgument(f"{words[wrong]!r} is no spectral unit; {_EXAMPLES}", min(wrong + len(units) - 1, len(units)))
    return Apply("GAVO_SPECCONV", Type.DOUBLE, template, (value, Constant(Type.TEXT, words[-1])))


def _literal(unit: Expression, index: int) -> str:
    if not isinstance(unit, Constant) or not isinstance(unit.value, str):
        raise BadArgument(f"the unit must be a literal text; {_EXAMPLES}", index)
    return unit.value.strip()


def _unit_of(value: Expression) -> str:
    from vo.adql.resolve.fields import unit_of  # noqa: PLC0415  # late: it reads the table that holds this function

    unit = unit_of(value)
    if unit not in _UNITS:
        said = "no unit is known for this value" if unit is None else f"the unit of this value, {unit}, is not spectral"
        raise BadArgument(f"{said}; give it as second argument: gavo_specconv(value, 'nm', 'keV')", 0)
    return unit


SPECTRAL = (
    Function(
        "gavo_specconv",
        (number("expr"), text("dest_unit")),
        Type.DOUBLE,
        description="A wavelength, frequency or photon energy in another spectral unit, as in"
        " gavo_specconv(em_min, 'Angstrom'). The units are literal texts such as m, nm, Angstrom, GHz, keV or J; the"
        " unit of expr must be known (TAP_SCHEMA.columns has it).",
        group=Group.UDF,
        build=_convert,
    ),
    Function(
        "gavo_specconv",
        (number("expr"), text("expr_unit"), text("dest_unit")),
        Type.DOUBLE,
        description="The same for a value whose unit is given: gavo_specconv(656.3, 'nm', 'THz').",
        group=Group.UDF,
        build=_convert,
    ),
)
