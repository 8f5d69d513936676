"""The catalogue of user-defined functions (IVOA EN UDF 1.2), functions that scripts use elsewhere, and our own.

What the catalogue says in section 2 decides: names and order of parameters, what becomes of nulls, what is an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from vo.adql.functions.function import (
    Function,
    Group,
    Parameter,
    integer,
    number,
    point,
    printable,
    shape,
    text,
    time,
    wide_integer,
)
from vo.adql.functions.spectral import SPECTRAL
from vo.adql.kinds import Type
from vo.adql.plan import And, Apply, ColumnValue, Compare, Constant, Convert, Expression, QueryValue, Truth
from vo.adql.sky import geometry
from vo.adql.sky.geometry import BadArgument

#: The finest order of HEALPix that fits a BIGINT (MOC 2.0, section 4.1).
_FINEST = 29
_MOST_BINS = 10_000


def _overlap(arguments: tuple[Expression, ...]) -> Expression:
    """Conditions on the bounds, so that indexes on them can be used; an interval turned round overlaps nothing."""
    a1, b1, a2, b2 = arguments
    for index, argument in enumerate(arguments):
        if _is_volatile(argument):
            raise BadArgument("a random bound would be drawn more than once; draw it in a sub-query", index // 2 * 2)
    if any(map(_may_nest, arguments)):
        # as nodes of their own, tests within tests would multiply at each step
        test = "{0:p} <= {3:p} AND {1:p} >= {2:p} AND {0:p} <= {1:p} AND {2:p} <= {3:p}"
        return Truth(Apply("IVO_INTERVAL_OVERLAPS", Type.CONDITION, test, arguments))
    terms = [Compare("<=", a1, b2), Compare(">=", b1, a2)]
    for low, high in ((a1, b1), (a2, b2)):
        values = geometry.number(low), geometry.number(high)
        if values[0] is None or values[1] is None or values[0] > values[1]:
            terms.append(Compare("<=", low, high))
    return Truth(And(tuple(terms)))


def _may_nest(expression: Expression) -> bool:
    return isinstance(expression, Truth | QueryValue) or any(map(_may_nest, expression.parts))


def _is_volatile(expression: Expression) -> bool:
    return (isinstance(expression, Apply) and expression.volatile) or any(map(_is_volatile, expression.parts))


def _written(value: Expression) -> Expression:
    """The value without a conversion to the parameter's type."""
    return value.operand if isinstance(value, Convert) else value


def _check_order(order: Expression) -> int | None:
    value = geometry.number(_written(order))
    if value is None:
        return None
    if not 0 <= value <= _FINEST:
        raise BadArgument(f"the order of a HEALPix cell runs from 0 to {_FINEST}, this is {value:g}", 0)
    return int(value)


def _healpix_index(arguments: tuple[Expression, ...]) -> Expression:
    order, *position = arguments
    _check_order(order)
    place = position[0]
    if len(position) > 1:
        latitude = geometry.number(position[1])
        if latitude is not None and not geometry.SOUTH <= latitude <= geometry.NORTH:
            raise BadArgument(f"{latitude:g} is no latitude; it runs from -90 to 90 degrees", 2)
        place = geometry.point(position)
    return Apply("IVO_HEALPIX_INDEX", Type.BIGINT, "healpix_nest({0}, {1})", (order, place))


def _healpix_center(arguments: tuple[Expression, ...]) -> Expression:
    order, index = arguments
    known, cell = _check_order(order), geometry.number(_written(index))
    if known is not None and cell is not None and not 0 <= cell < 12 * 4**known:
        raise BadArgument(f"cells of order {known} have the numbers 0 to {12 * 4**known - 1}", 1)
    return Apply("IVO_HEALPIX_CENTER", Type.POINT, "center_of_healpix_nest({0}, {1})", arguments)


_STAR = ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity", "ref_epoch", "out_epoch")
_NEEDED = ("ra", "dec", "ref_epoch", "out_epoch")


def _moved(arguments: tuple[Expression, ...]) -> Expression:
    for index, (name, argument) in enumerate(zip(_STAR, arguments, strict=True)):
        if name in _NEEDED and isinstance(argument, Constant) and argument.value is None:
            raise BadArgument(f"{name} must not be null", index)
    places = ", ".join(f"{{{index}}}" for index in range(len(_STAR)))
    return Apply("IVO_EPOCH_PROP_POS", Type.POINT, f"vo.epoch_prop_pos({places})", arguments)


def _histogram(arguments: tuple[Expression, ...]) -> Expression:
    """All values of a group are collected and then counted: the bounds are the same for all of them."""
    _, lower, upper, nbins = arguments
    for index, bound in enumerate((lower, upper), 1):
        if _has_column(bound):
            raise BadArgument("a bound of a histogram must be the same for all rows: a number or a sub-query", index)
    low, high, bins = geometry.number(lower), geometry.number(upper), geometry.number(_written(nbins))
    if low is not None and high is not None and not (low < high and math.isfinite(high - low)):
        raise BadArgument(f"the lower bound must be below the upper one, not {low:g} and {high:g}", 1)
    if bins is None or not 1 <= bins <= _MOST_BINS:
        raise BadArgument(f"the number of bins must be a literal number from 1 to {_MOST_BINS}", 3)
    template = "vo.histogram(array_agg({0}), {1}, {2}, {3})"
    return Apply("IVO_HISTOGRAM", Type.INTEGER_ARRAY, template, arguments, aggregate=True)


def _has_column(expression: Expression) -> bool:
    return isinstance(expression, ColumnValue) or any(map(_has_column, expression.parts))


def _normal_random(arguments: tuple[Expression, ...]) -> Expression:
    """Box and Muller's transformation (Annals of Mathematical Statistics 29, 610, 1958)."""
    sigma = geometry.number(arguments[1])
    if sigma is not None and sigma < 0:
        raise BadArgument("sigma must not be negative", 1)
    template = "({0:p} + {1:p} * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))"
    return Apply("IVO_NORMAL_RANDOM", Type.DOUBLE, template, arguments, volatile=True)


def _udf(
    name: str,
    parameters: tuple[Parameter, ...],
    result: Type,
    description: str,
    template: str = "",
    build: Callable[[tuple[Expression, ...]], Expression] | None = None,
    *,
    is_test: bool = False,
    aggregate: bool = False,
    volatile: bool = False,
    unit: str | None = None,
    ucd: str | None = None,
) -> Function:
    return Function(
        name,
        parameters,
        result,
        template,
        description,
        Group.UDF,
        build,
        is_test=is_test,
        aggregate=aggregate,
        volatile=volatile,
        unit=unit,
        ucd=ucd,
    )


def _transforms(name: str) -> tuple[Function, ...]:
    """One name of the change of frames, for each type of shape."""
    description = (
        "A shape in another frame: a simple rotation between ICRS, FK5 (J2000), FK4 (B1950, without E-terms), GALACTIC,"
        " SUPER_GALACTIC and ECLIPTIC (J2000); frames are literal texts in capitals."
    )
    return tuple(
        _udf(
            name,
            (text("from_sys"), text("to_sys"), shape("geo", kind)),
            kind,
            description,
            build=geometry.geom_transform,
        )
        for kind in (Type.POINT, Type.CIRCLE, Type.POLYGON)
    )


_HEALPIX = "Number (npix) of the HEALPix cell, NESTED, that holds a position (degrees); hpxOrder from 0 to 29."

# Seconds of 1970 become those of the calendar wanted while they are exact: a double of days would lose digits
CATALOGUED = (
    _udf(
        "ivo_dms_to_degrees",
        (text("dms"),),
        Type.DOUBLE,
        "Degrees of a text of degrees, minutes and seconds: '-12:34:56.7', '-123456.7', '-12d34m56.7s' or"
        " '-12 34 56.7'. Null when the text is none of these.",
        "vo.sexagesimal({0}, 'd')",
        unit="deg",
    ),
    _udf(
        "ivo_epoch_prop_pos",
        tuple(map(number, _STAR)),
        Type.POINT,
        "Position at out_epoch of a star whose position (degrees), parallax (mas), proper motion (mas/yr, pmra with"
        " cos(dec)) and radial velocity (km/s) hold at ref_epoch; epochs in Julian years, such as 2016.0. The star"
        " moves on a straight line. Motions may be null for 0, the parallax for infinitely far; nothing else may.",
        build=_moved,
        ucd="pos.eq",
    ),
    *_transforms("gavo_transform"),
    *_transforms("ivo_geom_transform"),
    _udf(
        "ivo_hashlist_has",
        (text("hashlist"), text("item")),
        Type.INTEGER,
        "1 when item is one of the words that # separates in hashlist, whatever their case; else 0, also when item has"
        " a # in it.",
        "vo.folded({1}) = ANY (string_to_array(vo.folded({0}), '#'))",
        is_test=True,
    ),
    _udf(
        "ivo_hasword",
        (text("haystack"), text("needle")),
        Type.INTEGER,
        "1 when every word of needle is a word of haystack, whatever their case and order; else 0. Words are runs of"
        " letters and digits, taken as they are: plate does not find plates.",
        "vo.has_words({0}, {1})",
        is_test=True,
    ),
    _udf(
        "ivo_healpix_center",
        (integer("hpxOrder"), wide_integer("hpxIndex")),
        Type.POINT,
        "Centre of the HEALPix cell with this number (npix) in NESTED numbering; hpxOrder from 0 to 29.",
        build=_healpix_center,
    ),
    _udf(
        "ivo_healpix_index",
        (integer("hpxOrder"), number("long"), number("lat")),
        Type.BIGINT,
        _HEALPIX,
        build=_healpix_index,
        ucd="pos.healpix",
    ),
    _udf(
        "ivo_healpix_index",
        (integer("hpxOrder"), point("point")),
        Type.BIGINT,
        _HEALPIX,
        build=_healpix_index,
        ucd="pos.healpix",
    ),
    _udf(
        "ivo_histogram",
        (number("val"), number("lower"), number("upper"), integer("nbins")),
        Type.INTEGER_ARRAY,
        "Aggregate: how many values of a group lie in each of nbins equal bins from lower to upper, an array of nbins"
        " + 2 numbers: first those below lower and nulls, last those above upper. A value on the edge of two counts in"
        " the upper one, upper itself in the last bin. lower and upper are numbers or sub-queries, nbins a literal.",
        build=_histogram,
        aggregate=True,
        ucd="meta.number",
    ),
    _udf(
        "ivo_hms_to_degrees",
        (text("hms"),),
        Type.DOUBLE,
        "Degrees of a text of hours, minutes and seconds: '12:34:56.7', '123456.7', '12h34m56.7s' or '12 34 56.7'. Null"
        " when the text is none of these.",
        "vo.sexagesimal({0}, 'h')",
        unit="deg",
    ),
    _udf(
        "ivo_interval_overlaps",
        (number("a1"), number("b1"), number("a2"), number("b2")),
        Type.INTEGER,
        "1 when the intervals from a1 to b1 and from a2 to b2 share a value, their ends included; else 0, also when a"
        " lower bound is above its upper one.",
        build=_overlap,
    ),
    _udf(
        "ivo_nocasematch",
        (text("value"), text("pattern")),
        Type.INTEGER,
        "1 when value matches pattern as with LIKE (% for any text, _ for a character), whatever their case; else 0.",
        "vo.folded({0}) LIKE vo.folded({1}) ESCAPE ''",
        is_test=True,
    ),
    _udf(
        "ivo_normal_random",
        (number("mu"), number("sigma")),
        Type.DOUBLE,
        "Random number from a normal distribution with mean mu and standard deviation sigma, another one for each row.",
        build=_normal_random,
        volatile=True,
    ),
    _udf(
        "ivo_string_agg",
        (printable("expression"), text("delimiter")),
        Type.TEXT,
        "Aggregate: the values of a group in one text, in no order, with delimiter between them; nulls are left out.",
        "string_agg({0}, {1})",
        aggregate=True,
    ),
    _udf(
        "ivo_to_jd",
        (time("d"),),
        Type.DOUBLE,
        "Julian date of a timestamp, or of a text such as '1910-12-31T06:00:00'. Time zones and scales are not looked"
        " at.",
        "((extract(epoch FROM {0:p}) + 210866760000)::float8 / 86400)",
        unit="d",
        ucd="time.epoch",
    ),
    _udf(
        "ivo_to_mjd",
        (time("d"),),
        Type.DOUBLE,
        "Modified Julian date of a timestamp, or of a text such as '1910-12-31T06:00:00'. Time zones and scales are not"
        " looked at.",
        "((extract(epoch FROM {0:p}) + 3506716800)::float8 / 86400)",
        unit="d",
        ucd="time.epoch",
    ),
)

#: Names of other services for functions of the catalogue.
_OTHER_NAMES = {
    "gavo_histogram": "ivo_histogram",
    "gavo_normal_random": "ivo_normal_random",
    "gavo_to_jd": "ivo_to_jd",
    "gavo_to_mjd": "ivo_to_mjd",
}


def _named_otherwise(functions: tuple[Function, ...]) -> tuple[Function, ...]:
    """The functions that are known by another name, too, under that one."""
    return tuple(
        replace(function, name=other, description=f"The same as {name}, under the name that other services give it.")
        for other, name in _OTHER_NAMES.items()
        for function in functions
        if function.name == name
    )


OTHERS = (
    _udf(
        "gavo_apply_pm",
        (number("ra"), number("dec"), number("pmra"), number("pmde"), number("epdist")),
        Type.POINT,
        "Position after epdist Julian years of a star with this position (degrees) and proper motion (degrees/yr, pmra"
        " with cos(dec)). ivo_epoch_prop_pos does the same with parallax and radial velocity.",
        "vo.epoch_prop_pos({0}, {1}, NULL, {2:p} * 3600000, {3:p} * 3600000, NULL, 0, {4})",
        ucd="pos.eq",
    ),
    _udf(
        "gavo_match",
        (text("pattern"), text("string")),
        Type.INTEGER,
        "1 when the POSIX regular expression pattern matches anything in string; else 0.",
        "{1:p} ~ {0:p}",
        is_test=True,
    ),
)

OWN = (
    _udf(
        "vo_range",
        (number("lon_min"), number("lon_max"), number("lat_min"), number("lat_max")),
        Type.RANGE,
        "All longitudes from lon_min eastward to lon_max and latitudes from lat_min to lat_max, degrees; for"
        " INTERSECTS with a POLYGON and CONTAINS of a POINT. 0, 360 means all longitudes.",
        build=geometry.lon_lat_range,
    ),
)

USER_DEFINED = (*CATALOGUED, *_named_otherwise(CATALOGUED), *OTHERS, *SPECTRAL, *OWN)
