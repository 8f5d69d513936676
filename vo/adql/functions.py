"""Every function that a query may call, as data: what it takes and gives, its SQL, and what it is for.

The same table serves the resolver's checks, the capabilities (:data:`FEATURES`) and the documentation. To add a
function, add an entry (docs/adql.md shows how); nothing else needs to know of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from vo.adql import geometry, spherical
from vo.adql.kinds import INTEGERS, NUMBERS, PLAIN, Type, common_type
from vo.adql.plan import And, Apply, Compare, Convert, Expression, Truth

_TAPREGEXT = "ivo://ivoa.net/std/TAPRegExt#features-"


class Group(Enum):
    """Groups of optional features, with their TAPRegExt keys (ADQL 2.1, section 4); BASE is always there."""

    BASE = ""
    UDF = _TAPREGEXT + "udf"
    GEOMETRY = _TAPREGEXT + "adqlgeo"
    STRING = _TAPREGEXT + "adql-string"
    COMMON_TABLE = _TAPREGEXT + "adql-common-table"
    SETS = _TAPREGEXT + "adql-sets"
    TYPE = _TAPREGEXT + "adql-type"
    CONDITIONAL = _TAPREGEXT + "adql-conditional"
    OFFSET = _TAPREGEXT + "adql-offset"


class Result(Enum):
    """Results that depend on the arguments."""

    FIRST = "the type of the first argument"
    WIDEST = "the wider type of two integers"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: the types it takes and the one it is converted to (None: it stays as it is)."""

    name: str
    takes: frozenset[Type]
    becomes: Type | None
    word: str


@dataclass(frozen=True, slots=True)
class Function:
    """One way to call a function.

    ``template`` is SQL with {0}, {1} ... for the arguments ({0:p} in brackets where needed); with ``build`` the plan's
    own nodes are made instead. ``is_test`` marks a template that is a condition: the function gives 1 or 0.
    ``repeats`` is the number of times at least that all parameters are given, when they may be repeated.
    ``has_frame`` allows a coordinate system string in front. ``keeps_unit`` means that the result has the unit
    of the first argument; ``unit`` and ``ucd`` are the result's own.
    """

    name: str
    parameters: tuple[Parameter, ...]
    result: Type | Result
    template: str = ""
    description: str = ""
    group: Group = Group.BASE
    build: Callable[[tuple[Expression, ...]], Expression] | None = None
    is_test: bool = False
    aggregate: bool = False
    volatile: bool = False
    repeats: int = 0
    has_frame: bool = False
    keeps_unit: bool = False
    unit: str | None = None
    ucd: str | None = None

    @property
    def signature(self) -> str:
        """``name(parameter TYPE, ...) -> TYPE``, as TAPRegExt wants it (section 2.3, TRE-04)."""
        parameters = ", ".join(f"{parameter.name} {parameter.word}" for parameter in self.parameters)
        result = self.result.label if isinstance(self.result, Type) else self.parameters[0].word
        return f"{self.name}({parameters}) -> {result}"


def _number(name: str = "x") -> Parameter:
    return Parameter(name, NUMBERS, Type.DOUBLE, "DOUBLE PRECISION")


def _any_number(name: str = "x") -> Parameter:
    return Parameter(name, NUMBERS, None, "DOUBLE PRECISION")


def _integer(name: str = "n") -> Parameter:
    return Parameter(name, INTEGERS, Type.INTEGER, "INTEGER")


def _wide_integer(name: str) -> Parameter:
    return Parameter(name, INTEGERS, Type.BIGINT, "BIGINT")


def _text(name: str) -> Parameter:
    return Parameter(name, frozenset({Type.TEXT}), Type.TEXT, "VARCHAR")


def _printable(name: str) -> Parameter:
    return Parameter(name, PLAIN, Type.TEXT, "VARCHAR")


def _time(name: str) -> Parameter:
    return Parameter(name, frozenset({Type.TIMESTAMP}), Type.TIMESTAMP, "TIMESTAMP")


def _shape(name: str, *types: Type) -> Parameter:
    return Parameter(name, frozenset(types), None, types[0].label if len(types) == 1 else "REGION")


def _point(name: str = "position") -> Parameter:
    return _shape(name, Type.POINT)


_ANY_SHAPE = (Type.POLYGON, Type.CIRCLE, Type.POINT, Type.RANGE)


def _double(name: str, template: str, *parameters: Parameter, description: str, keeps_unit: bool = False) -> Function:
    """A mathematical function with a DOUBLE result."""
    unit = {"DEGREES": "deg", "RADIANS": "rad", "ACOS": "rad", "ASIN": "rad", "ATAN": "rad", "ATAN2": "rad"}.get(name)
    return Function(name, parameters, Type.DOUBLE, template, description, keeps_unit=keeps_unit, unit=unit)


# PostgreSQL turns a double into numeric with 15 digits only; by way of text it keeps all that identify it
_MATHEMATICAL = (
    Function("ABS", (_any_number(),), Result.FIRST, "abs({0})", "Absolute value.", keeps_unit=True),
    _double("CEILING", "ceil({0})", _number(), description="Smallest whole number not below x.", keeps_unit=True),
    _double("DEGREES", "degrees({0})", _number(), description="Radians to degrees."),
    _double("EXP", "exp({0})", _number(), description="e to the power of x."),
    _double("FLOOR", "floor({0})", _number(), description="Largest whole number not above x.", keeps_unit=True),
    _double("LOG", "ln({0})", _number(), description="Natural logarithm."),
    _double("LOG10", "log10({0})", _number(), description="Logarithm to base 10."),
    Function(
        "MOD",
        (Parameter("x", INTEGERS, None, "INTEGER"), Parameter("y", INTEGERS, None, "INTEGER")),
        Result.WIDEST,
        "mod({0}, {1})",
        "Remainder of x / y, with the sign of x.",
    ),
    _double(
        "MOD",
        "mod({0:p}::text::numeric, {1:p}::text::numeric)::float8",
        _number("x"),
        _number("y"),
        description="Remainder of x / y, with the sign of x.",
    ),
    _double("PI", "pi()", description="The number pi."),
    _double("POWER", "power({0}, {1})", _number("x"), _number("y"), description="x to the power of y."),
    _double("RADIANS", "radians({0})", _number(), description="Degrees to radians."),
    Function("RAND", (), Type.DOUBLE, "random()", "Random number from 0 to 1.", volatile=True),
    Function(
        "RAND",
        (_any_number("seed"),),
        Type.DOUBLE,
        "random()",
        "Random number from 0 to 1; the seed has no effect (ADQL 2.1 leaves its meaning open).",
        volatile=True,
    ),
    _double(
        "ROUND", "round({0:p}::text::numeric)::float8", _number(), description="Nearest whole number.", keeps_unit=True
    ),
    _double(
        "ROUND",
        "round({0:p}::text::numeric, {1})::float8",
        _number(),
        _integer(),
        description="Nearest number with n decimals; a half is rounded away from zero.",
        keeps_unit=True,
    ),
    _double("SQRT", "sqrt({0})", _number(), description="Square root."),
    _double("TRUNCATE", "trunc({0})", _number(), description="x without its decimals.", keeps_unit=True),
    _double(
        "TRUNCATE",
        "trunc({0:p}::text::numeric, {1})::float8",
        _number(),
        _integer(),
        description="x cut after n decimals.",
        keeps_unit=True,
    ),
    _double("ACOS", "acos({0})", _number(), description="Arc cosine, radians."),
    _double("ASIN", "asin({0})", _number(), description="Arc sine, radians."),
    _double("ATAN", "atan({0})", _number(), description="Arc tangent, radians."),
    _double("ATAN2", "atan2({0}, {1})", _number("y"), _number("x"), description="Arc tangent of y / x, radians."),
    _double("COS", "cos({0})", _number(), description="Cosine of x radians."),
    _double("COT", "cot({0})", _number(), description="Cotangent of x radians."),
    _double("SIN", "sin({0})", _number(), description="Sine of x radians."),
    _double("TAN", "tan({0})", _number(), description="Tangent of x radians."),
)


def _geometry(
    name: str,
    parameters: tuple[Parameter, ...],
    result: Type,
    description: str,
    build: Callable[[tuple[Expression, ...]], Expression] | None = None,
    template: str = "",
    *,
    has_frame: bool = False,
    repeats: int = 0,
    unit: str | None = None,
    ucd: str | None = None,
) -> Function:
    return Function(
        name,
        parameters,
        result,
        template,
        description,
        Group.GEOMETRY,
        build,
        has_frame=has_frame,
        repeats=repeats,
        unit=unit,
        ucd=ucd,
    )


_LON_LAT = (_number("lon"), _number("lat"))
_SIZES = (_number("width"), _number("height"))

_GEOMETRIC = (
    _geometry(
        "AREA",
        (_shape("shape", Type.CIRCLE),),
        Type.DOUBLE,
        "Area in square degrees.",
        template=f"(4 * pi() * power(sin(radius({{0}}) / 2), 2) * {spherical.SQUARE_DEGREES!r}::float8)",
        unit="deg**2",
        ucd="phys.angArea",
    ),
    _geometry(
        "AREA",
        (_shape("shape", Type.POLYGON),),
        Type.DOUBLE,
        "Area in square degrees.",
        template=f"(area({{0}}) * {spherical.SQUARE_DEGREES!r}::float8)",
        unit="deg**2",
        ucd="phys.angArea",
    ),
    _geometry(
        "BOX",
        (*_LON_LAT, *_SIZES),
        Type.POLYGON,
        "Box around a position, its sides great circles; sizes in degrees on the sky.",
        geometry.box,
        has_frame=True,
    ),
    _geometry("BOX", (_point("centre"), *_SIZES), Type.POLYGON, "The same.", geometry.box, has_frame=True),
    _geometry("CENTROID", (_shape("shape", Type.CIRCLE),), Type.POINT, "Centre of a shape.", template="center({0})"),
    _geometry("CENTROID", (_shape("shape", Type.POLYGON),), Type.POINT, "Centre of area.", template=spherical.CENTROID),
    _geometry("CENTROID", (_point("shape"),), Type.POINT, "The point itself.", lambda arguments: arguments[0]),
    _geometry(
        "CIRCLE",
        (*_LON_LAT, _number("radius")),
        Type.CIRCLE,
        "Circle around a position, degrees.",
        geometry.circle,
        has_frame=True,
    ),
    _geometry(
        "CIRCLE", (_point("centre"), _number("radius")), Type.CIRCLE, "The same.", geometry.circle, has_frame=True
    ),
    _geometry(
        "CONTAINS",
        (_shape("inner", *_ANY_SHAPE), _shape("outer", *_ANY_SHAPE)),
        Type.INTEGER,
        "1 when all of the first shape lies in the second one, else 0.",
        geometry.contains,
    ),
    _geometry(
        "COORD1",
        (_point(),),
        Type.DOUBLE,
        "Longitude of a point, degrees.",
        lambda arguments: geometry.coordinate(1, arguments[0]),
        unit="deg",
        ucd="pos.eq.ra",
    ),
    _geometry(
        "COORD2",
        (_point(),),
        Type.DOUBLE,
        "Latitude of a point, degrees.",
        lambda arguments: geometry.coordinate(2, arguments[0]),
        unit="deg",
        ucd="pos.eq.dec",
    ),
    _geometry(
        "COORDSYS",
        (_shape("shape", Type.POLYGON, Type.CIRCLE, Type.POINT),),
        Type.TEXT,
        "The coordinate system: ICRS.",
        template="CASE WHEN {0:p} IS NOT NULL THEN 'ICRS'::text END",
    ),
    _geometry(
        "DISTANCE",
        (_point("a"), _point("b")),
        Type.DOUBLE,
        "Angle between two positions, degrees.",
        geometry.distance,
        unit="deg",
        ucd="pos.angDistance",
    ),
    _geometry(
        "DISTANCE",
        (_number("lon1"), _number("lat1"), _number("lon2"), _number("lat2")),
        Type.DOUBLE,
        "The same.",
        geometry.distance,
        unit="deg",
        ucd="pos.angDistance",
    ),
    _geometry(
        "INTERSECTS",
        (_shape("a", *_ANY_SHAPE), _shape("b", *_ANY_SHAPE)),
        Type.INTEGER,
        "1 when the shapes share a point, else 0.",
        geometry.intersects,
    ),
    _geometry("POINT", _LON_LAT, Type.POINT, "A position, degrees.", geometry.point, has_frame=True),
    _geometry(
        "POLYGON",
        _LON_LAT,
        Type.POLYGON,
        "Great-circle edges between positions in either direction; inside is the smaller side.",
        geometry.polygon_of_numbers,
        has_frame=True,
        repeats=3,
    ),
    _geometry(
        "POLYGON",
        (_point("vertex"),),
        Type.POLYGON,
        "The same.",
        geometry.polygon_of_points,
        has_frame=True,
        repeats=3,
    ),
    _geometry(
        "REGION",
        (_text("stc_s"),),
        Type.POLYGON,
        "A shape in a text: POSITION, CIRCLE, BOX or POLYGON with ICRS degrees.",
        geometry.region,
    ),
)


def _coalesce(arguments: tuple[Expression, ...]) -> Expression:
    target = Type.NULL
    for index, argument in enumerate(arguments):
        common = common_type(target, argument.type)
        if common is None:
            raise geometry.BadArgument(f"COALESCE cannot mix {target} and {argument.type}", index)
        target = common
    values = tuple(value if value.type is target else Convert(target, value) for value in arguments)
    places = ", ".join(f"{{{i}}}" for i in range(len(values)))
    return Apply("COALESCE", target, f"coalesce({places})", values)


_STRINGS = (
    Function("LOWER", (_text("text"),), Type.TEXT, "lower({0})", "The text in lower case.", Group.STRING),
    Function("UPPER", (_text("text"),), Type.TEXT, "upper({0})", "The text in upper case.", Group.STRING),
    Function(
        "COALESCE",
        (Parameter("value", PLAIN | {Type.POINT, Type.CIRCLE, Type.POLYGON}, None, "VARCHAR"),),
        Result.FIRST,
        description="The first of its arguments that is not null.",
        group=Group.CONDITIONAL,
        build=_coalesce,
        repeats=1,
    ),
)


def _overlap(arguments: tuple[Expression, ...]) -> Expression:
    low1, high1, low2, high2 = arguments
    return Truth(And((Compare("<=", low1, high2), Compare(">=", high1, low2))))


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
        unit=unit,
        ucd=ucd,
    )


_HEALPIX = "Index of the HEALPix cell (nested) of 12 * 4**order that holds a position; order from 0 to 29."

#: The catalogue of user-defined functions (IVOA EN UDF 1.2) and one of our own, ``vo_range``.
_USER_DEFINED = (
    _udf(
        "ivo_hashlist_has",
        (_text("hashlist"), _text("item")),
        Type.INTEGER,
        "1 when item is one of the words that # separates in hashlist, whatever their case; else 0.",
        "{1:p} IS NOT NULL AND lower({1}) = ANY (string_to_array(lower({0}), '#'))",
        is_test=True,
    ),
    _udf(
        "ivo_hasword",
        (_text("haystack"), _text("needle")),
        Type.INTEGER,
        "1 when every word of needle is a word of haystack, whatever their case; else 0.",
        "to_tsvector('simple', {0}) @@ plainto_tsquery('simple', {1})",
        is_test=True,
    ),
    _udf(
        "ivo_healpix_center",
        (_integer("hpxOrder"), _wide_integer("hpxIndex")),
        Type.POINT,
        "Centre of a HEALPix cell (nested).",
        "center_of_healpix_nest({0}, {1})",
    ),
    _udf(
        "ivo_healpix_index",
        (_integer("order"), _number("ra"), _number("dec")),
        Type.BIGINT,
        _HEALPIX,
        "healpix_nest({0}, spoint(radians({1}), radians({2})))",
        ucd="pos.healpix",
    ),
    _udf(
        "ivo_healpix_index",
        (_integer("order"), _point("p")),
        Type.BIGINT,
        _HEALPIX,
        "healpix_nest({0}, {1})",
        ucd="pos.healpix",
    ),
    _udf(
        "ivo_interval_overlaps",
        (_number("l1"), _number("h1"), _number("l2"), _number("h2")),
        Type.INTEGER,
        "1 when the intervals [l1, h1] and [l2, h2] share a value, else 0.",
        build=_overlap,
    ),
    _udf(
        "ivo_nocasematch",
        (_text("value"), _text("pattern")),
        Type.INTEGER,
        "1 when value matches pattern as LIKE would, whatever their case; else 0.",
        "{0:p} ILIKE {1:p} ESCAPE ''",
        is_test=True,
    ),
    _udf(
        "ivo_string_agg",
        (_printable("expression"), _text("delimiter")),
        Type.TEXT,
        "Aggregate: the values of a group in one text, with a delimiter between them; nulls are left out.",
        "string_agg({0}, {1})",
        aggregate=True,
    ),
    _udf(
        "ivo_to_jd",
        (_time("d"),),
        Type.DOUBLE,
        "Julian date of a timestamp.",
        "(extract(epoch FROM {0:p})::float8 / 86400 + 2440587.5::float8)",
        unit="d",
        ucd="time.epoch",
    ),
    _udf(
        "ivo_to_mjd",
        (_time("d"),),
        Type.DOUBLE,
        "Modified Julian date of a timestamp.",
        "(extract(epoch FROM {0:p})::float8 / 86400 + 40587)",
        unit="d",
        ucd="time.epoch",
    ),
    _udf(
        "vo_range",
        (_number("lon_min"), _number("lon_max"), _number("lat_min"), _number("lat_max")),
        Type.RANGE,
        "All longitudes from lon_min eastward to lon_max and latitudes from lat_min to lat_max, degrees; for"
        " INTERSECTS with a POLYGON and CONTAINS of a POINT. 0, 360 means all longitudes.",
        build=geometry.lon_lat_range,
    ),
)

ALL_FUNCTIONS: tuple[Function, ...] = (*_MATHEMATICAL, *_GEOMETRIC, *_STRINGS, *_USER_DEFINED)


def _by_name() -> dict[str, tuple[Function, ...]]:
    table: dict[str, tuple[Function, ...]] = {}
    for function in ALL_FUNCTIONS:
        key = function.name.upper()
        table[key] = (*table.get(key, ()), function)
    return table


#: The ways to call each function, by its name in upper case.
FUNCTIONS: dict[str, tuple[Function, ...]] = _by_name()


@dataclass(frozen=True, slots=True)
class Feature:
    """One optional feature as a capability lists it: the bare word, or a UDF's signature and what it does."""

    form: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class FeatureGroup:
    """The features of one TAPRegExt key."""

    key: str
    features: tuple[Feature, ...]


def _features() -> tuple[FeatureGroup, ...]:
    words = {
        Group.STRING: ("ILIKE",),
        Group.COMMON_TABLE: ("WITH",),
        Group.SETS: ("UNION", "EXCEPT", "INTERSECT"),
        Group.TYPE: ("CAST",),
        Group.OFFSET: ("OFFSET",),
    }
    groups = []
    for group in Group:
        if group is Group.BASE:
            continue
        own = [function for function in ALL_FUNCTIONS if function.group is group]
        if group is Group.UDF:
            features = [Feature(function.signature, function.description) for function in own]
        else:
            names = dict.fromkeys(function.name for function in own)
            features = [Feature(word) for word in (*names, *words.get(group, ()))]
        groups.append(FeatureGroup(group.value, tuple(features)))
    return tuple(groups)


#: What ADQL offers here beyond its core, for TAP's capabilities (TAPRegExt 1.0, section 2.3; TRE-03 to TRE-05).
FEATURES: tuple[FeatureGroup, ...] = _features()
