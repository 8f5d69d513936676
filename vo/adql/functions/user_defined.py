"""The catalogue of user-defined functions (IVOA EN UDF 1.2) and one of our own, ``vo_range``."""

from __future__ import annotations

from collections.abc import Callable

from vo.adql import geometry
from vo.adql.functions.function import (
    Function,
    Group,
    Parameter,
    integer,
    number,
    point,
    printable,
    text,
    time,
    wide_integer,
)
from vo.adql.kinds import Type
from vo.adql.plan import And, Compare, Expression, Truth


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

USER_DEFINED = (
    _udf(
        "ivo_hashlist_has",
        (text("hashlist"), text("item")),
        Type.INTEGER,
        "1 when item is one of the words that # separates in hashlist, whatever their case; else 0.",
        "{1:p} IS NOT NULL AND lower({1}) = ANY (string_to_array(lower({0}), '#'))",
        is_test=True,
    ),
    _udf(
        "ivo_hasword",
        (text("haystack"), text("needle")),
        Type.INTEGER,
        "1 when every word of needle is a word of haystack, whatever their case; else 0.",
        "to_tsvector('simple', {0}) @@ plainto_tsquery('simple', {1})",
        is_test=True,
    ),
    _udf(
        "ivo_healpix_center",
        (integer("hpxOrder"), wide_integer("hpxIndex")),
        Type.POINT,
        "Centre of a HEALPix cell (nested).",
        "center_of_healpix_nest({0}, {1})",
    ),
    _udf(
        "ivo_healpix_index",
        (integer("order"), number("ra"), number("dec")),
        Type.BIGINT,
        _HEALPIX,
        "healpix_nest({0}, spoint(radians({1}), radians({2})))",
        ucd="pos.healpix",
    ),
    _udf(
        "ivo_healpix_index",
        (integer("order"), point("p")),
        Type.BIGINT,
        _HEALPIX,
        "healpix_nest({0}, {1})",
        ucd="pos.healpix",
    ),
    _udf(
        "ivo_interval_overlaps",
        (number("l1"), number("h1"), number("l2"), number("h2")),
        Type.INTEGER,
        "1 when the intervals [l1, h1] and [l2, h2] share a value, else 0.",
        build=_overlap,
    ),
    _udf(
        "ivo_nocasematch",
        (text("value"), text("pattern")),
        Type.INTEGER,
        "1 when value matches pattern as LIKE would, whatever their case; else 0.",
        "{0:p} ILIKE {1:p} ESCAPE ''",
        is_test=True,
    ),
    _udf(
        "ivo_string_agg",
        (printable("expression"), text("delimiter")),
        Type.TEXT,
        "Aggregate: the values of a group in one text, with a delimiter between them; nulls are left out.",
        "string_agg({0}, {1})",
        aggregate=True,
    ),
    _udf(
        "ivo_to_jd",
        (time("d"),),
        Type.DOUBLE,
        "Julian date of a timestamp.",
        "(extract(epoch FROM {0:p})::float8 / 86400 + 2440587.5::float8)",
        unit="d",
        ucd="time.epoch",
    ),
    _udf(
        "ivo_to_mjd",
        (time("d"),),
        Type.DOUBLE,
        "Modified Julian date of a timestamp.",
        "(extract(epoch FROM {0:p})::float8 / 86400 + 40587)",
        unit="d",
        ucd="time.epoch",
    ),
    _udf(
        "vo_range",
        (number("lon_min"), number("lon_max"), number("lat_min"), number("lat_max")),
        Type.RANGE,
        "All longitudes from lon_min eastward to lon_max and latitudes from lat_min to lat_max, degrees; for"
        " INTERSECTS with a POLYGON and CONTAINS of a POINT. 0, 360 means all longitudes.",
        build=geometry.lon_lat_range,
    ),
)
