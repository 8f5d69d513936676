"""Shapes on the sky as SIA 2.0 (section 2.1.1), SODA 1.0 (section 3.3) and DALI 1.1 (section 3.3) write them.

All coordinates are degrees in ICRS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vo.dali.intervals import parse_numbers
from vo.errors import UsageFault

_CIRCLE_FORM = "CIRCLE <longitude> <latitude> <radius>, such as CIRCLE 83.8 -5.4 0.5"
_RANGE_FORM = "RANGE <lon1> <lon2> <lat1> <lat2>, such as RANGE 12 12.5 34 36"
_POLYGON_FORM = "POLYGON <lon1> <lat1> <lon2> <lat2> <lon3> <lat3> ..., such as POLYGON 12 34 14 34 14 36 12 36"


@dataclass(frozen=True, slots=True)
class Circle:
    """All points within ``radius`` of (``ra``, ``dec``); a radius of 0 is the point itself."""

    ra: float
    dec: float
    radius: float


@dataclass(frozen=True, slots=True)
class Range:
    """All points between two meridians and two parallels; always finite, 0..360 and -90..90."""

    lon_min: float
    lon_max: float
    lat_min: float
    lat_max: float


@dataclass(frozen=True, slots=True)
class Polygon:
    """The smaller side of a closed line of great-circle arcs, whatever its winding (SIA-07).

    ``vertices`` are at least three (ra, dec); the first one is not repeated at the end.
    """

    vertices: tuple[tuple[float, float], ...]


Shape = Circle | Range | Polygon


def parse_pos(text: str, name: str = "POS") -> Shape:
    """Read ``CIRCLE ...``, ``RANGE ...`` or ``POLYGON ...``; the keyword may be in any case."""
    keyword, _, numbers = text.strip().partition(" ")
    match keyword.upper():
        case "CIRCLE":
            return _circle(numbers, text, name, _CIRCLE_FORM)
        case "RANGE":
            return _range(numbers, text, name)
        case "POLYGON":
            return _polygon(numbers, text, name, _POLYGON_FORM)
        case _:
            forms = f"{_CIRCLE_FORM}; {_RANGE_FORM}; or {_POLYGON_FORM}"
            raise UsageFault(f"{name}={_shown(text)} names no shape known here; write {forms} (degrees, ICRS)")


def parse_circle(text: str, name: str = "CIRCLE") -> Circle:
    """Read ``ra dec radius`` (DALI 1.1 section 3.3.6)."""
    return _circle(text, text, name, "three numbers, longitude, latitude and radius, such as 83.8 -5.4 0.5")


def parse_polygon(text: str, name: str = "POLYGON") -> Polygon:
    """Read ``ra1 dec1 ra2 dec2 ra3 dec3 ...`` (DALI 1.1 section 3.3.7)."""
    return _polygon(text, text, name, "longitude and latitude of three or more vertices, such as 12 34 14 34 14 36")


def _circle(numbers: str, text: str, name: str, form: str) -> Circle:
    values = parse_numbers(numbers)
    if values is None or len(values) != 3:  # noqa: PLR2004  a circle has three numbers
        raise _form_fault(text, name, form)
    ra, dec, radius = values
    _check_position(ra, dec, text, name)
    if not 0.0 <= radius <= 180.0:  # noqa: PLR2004  degrees
        raise UsageFault(f"{name}={_shown(text)}: the radius is {radius:g}; it must lie between 0 and 180 degrees")
    return Circle(ra, dec, radius)


def _range(numbers: str, text: str, name: str) -> Range:
    values = parse_numbers(numbers)
    if values is None or len(values) != 4:  # noqa: PLR2004  a range has four numbers
        raise _form_fault(text, name, _RANGE_FORM)
    lon_min, lon_max = (_bounded(value, 0.0, 360.0) for value in values[:2])
    lat_min, lat_max = (_bounded(value, -90.0, 90.0) for value in values[2:])
    _check_position(lon_min, lat_min, text, name)
    _check_position(lon_max, lat_max, text, name)
    if lon_max < lon_min:
        raise UsageFault(
            f"{name}={_shown(text)}: the second longitude is smaller than the first; for a range across longitude 0 "
            f"ask with RANGE {lon_min:g} 360 {lat_min:g} {lat_max:g} and RANGE 0 {lon_max:g} {lat_min:g} {lat_max:g}"
        )
    if lat_max < lat_min:
        raise UsageFault(f"{name}={_shown(text)}: the second latitude is smaller than the first; write the lower first")
    return Range(lon_min, lon_max, lat_min, lat_max)


def _polygon(numbers: str, text: str, name: str, form: str) -> Polygon:
    values = parse_numbers(numbers)
    if values is None or len(values) % 2:
        raise _form_fault(text, name, form)
    vertices = tuple(zip(values[::2], values[1::2], strict=True))
    if len(vertices) > 1 and vertices[0] == vertices[-1]:
        vertices = vertices[:-1]  # DALI closes the line itself; many people do it too
    if len(set(vertices)) < 3:  # noqa: PLR2004  a triangle is the least
        raise _form_fault(text, name, form)
    for ra, dec in vertices:
        _check_position(ra, dec, text, name)
    return Polygon(vertices)


def _bounded(value: float, low: float, high: float) -> float:
    """The number itself, or the end of the coordinate's range when it is infinite (SIA-07)."""
    if math.isinf(value):
        return high if value > 0 else low
    return value


def _check_position(ra: float, dec: float, text: str, name: str) -> None:
    if not 0.0 <= ra <= 360.0:  # noqa: PLR2004  degrees
        raise UsageFault(f"{name}={_shown(text)}: the longitude {ra:g} does not lie between 0 and 360 degrees")
    if not -90.0 <= dec <= 90.0:  # noqa: PLR2004  degrees
        raise UsageFault(f"{name}={_shown(text)}: the latitude {dec:g} does not lie between -90 and 90 degrees")


def _form_fault(text: str, name: str, form: str) -> UsageFault:
    return UsageFault(f"{name}={_shown(text)} cannot be read; write {form} (degrees, ICRS)")


def _shown(text: str, longest: int = 80) -> str:
    """A value as a fault quotes it, cut when it is long."""
    return repr(text if len(text) <= longest else text[:longest] + "...")
