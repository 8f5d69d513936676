"""From SIA2's parameters to ADQL over ivoa.obscore, so that TAP's translator and indexes answer (SIA 2.0, section 2.1).

Values of one parameter are ORed, parameters are ANDed, and a null never satisfies a constraint. Every value is
parsed into numbers, or quoted, before it becomes text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import assert_never

from vo.dali.intervals import Interval, parse_interval
from vo.dali.parameters import Parameters
from vo.dali.shapes import Circle, Polygon, Range, parse_pos
from vo.errors import UsageFault

TABLE = "ivoa.obscore"

#: The polarisation states of SIA 2.0, section 2.1.4.
POL_STATES = ("I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA")

DATALINK_TYPE = "application/x-votable+xml;content=datalink"

#: Media types by which people ask for the FITS image that a row's Datalink document lists.
FITS_TYPES = frozenset({"image/fits", "application/fits"})

#: Parameter and column of what is compared as one number with intervals.
INTERVALS = (
    ("FOV", "s_fov"),
    ("SPATRES", "s_resolution"),
    ("SPECRP", "em_res_power"),
    ("EXPTIME", "t_exptime"),
    ("TIMERES", "t_resolution"),
)

#: Parameter and column of what is compared as text, case-sensitively.
TEXTS = (
    ("COLLECTION", "obs_collection"),
    ("FACILITY", "facility_name"),
    ("INSTRUMENT", "instrument_name"),
    ("TARGET", "target_name"),
)


def build_query(parameters: Parameters) -> str:
    """The ADQL query that answers these parameters; :class:`UsageFault` names the parameter whose value is bad."""
    conditions = ["dataproduct_type IN ('image', 'cube')", *_conditions(parameters)]
    return f"SELECT * FROM {TABLE} WHERE " + " AND ".join(conditions)


def _conditions(parameters: Parameters) -> Iterator[str]:
    yield from _any_of(parameters, "POS", _position)
    yield from _any_of(parameters, "BAND", lambda text: _overlap("em_min", "em_max", parse_interval(text, "BAND")))
    yield from _any_of(parameters, "TIME", lambda text: _overlap("t_min", "t_max", parse_interval(text, "TIME")))
    for name, column in INTERVALS:
        yield from _any_of(parameters, name, _number_in(name, column))
    yield from _any_of(parameters, "POL", _polarisation)
    yield from _one_of(parameters, "ID", "LOWER(obs_publisher_did)", str.lower)
    for name, column in TEXTS:
        yield from _one_of(parameters, name, column, str)
    yield from _one_of(parameters, "DPTYPE", "dataproduct_type", _product_type)
    yield from _any_of(parameters, "CALIB", lambda text: f"calib_level = {_calibration(text)}")
    yield from _any_of(parameters, "FORMAT", _format)


def _any_of(parameters: Parameters, name: str, condition: Callable[[str], str]) -> Iterator[str]:
    terms = [condition(text) for text in parameters.many(name)]
    if terms:
        yield terms[0] if len(terms) == 1 else "(" + " OR ".join(terms) + ")"


def _one_of(parameters: Parameters, name: str, column: str, change: Callable[[str], str]) -> Iterator[str]:
    values = [_quoted(change(text)) for text in parameters.many(name)]
    if len(values) == 1:
        yield f"{column} = {values[0]}"
    elif values:
        yield f"{column} IN ({', '.join(values)})"


def _quoted(text: str) -> str:
    if "\0" in text:
        raise UsageFault("a text value holds a NUL character, which no text in the archive can; leave it out")
    return "'" + text.replace("'", "''") + "'"


def _position(text: str) -> str:
    match parse_pos(text):
        case Circle(ra, dec, radius):
            if radius == 0:
                return f"CONTAINS(POINT({ra!r}, {dec!r}), s_region) = 1"
            shape = f"CIRCLE({ra!r}, {dec!r}, {radius!r})"
        case Range(lon_min, lon_max, lat_min, lat_max):
            shape = f"vo_range({lon_min!r}, {lon_max!r}, {lat_min!r}, {lat_max!r})"
        case Polygon(vertices):
            shape = f"POLYGON({', '.join(f'{ra!r}, {dec!r}' for ra, dec in vertices)})"
        case other:
            assert_never(other)
    return f"INTERSECTS({shape}, s_region) = 1"


def _overlap(low: str, high: str, asked: Interval) -> str:
    """Whether [low, high] and the interval share a point; the form that the rewriter knows for t_min and t_max."""
    start = f"{low} <= {asked.high!r}" if math.isfinite(asked.high) else f"{low} IS NOT NULL"
    end = f"{high} >= {asked.low!r}" if math.isfinite(asked.low) else f"{high} IS NOT NULL"
    return f"({start} AND {end})"


def _number_in(name: str, column: str) -> Callable[[str], str]:
    def condition(text: str) -> str:
        return _overlap(column, column, parse_interval(text, name))

    return condition


def _polarisation(text: str) -> str:
    if text not in POL_STATES:
        raise UsageFault(f"POL: {text!r} is no polarisation state; one of {', '.join(POL_STATES)}")
    return f"pol_states LIKE '%/{text}/%'"


def _product_type(text: str) -> str:
    if text not in ("image", "cube"):
        raise UsageFault(f"DPTYPE: {text!r} is not served by SIA2; image or cube")
    return text


def _calibration(text: str) -> int:
    if text.strip() not in ("0", "1", "2", "3", "4"):
        raise UsageFault(f"CALIB: {text!r} is no calibration level; 0, 1, 2, 3 or 4")
    return int(text)


def _format(text: str) -> str:
    """What the client wants to end up with: every row's access_url is a Datalink document, which lists the FITS file.

    Size and pixels are those of the FITS file that is #this; a row that has neither has no such file.
    """
    wanted = text.replace(" ", "").lower()
    if wanted in FITS_TYPES:
        return "(s_xel1 IS NOT NULL OR access_estsize IS NOT NULL)"
    return f"access_format = {_quoted(DATALINK_TYPE if wanted == DATALINK_TYPE else text)}"
