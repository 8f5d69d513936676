"""The geometry of ADQL 2.1 (section 4.2): how its functions become shapes and questions about shapes.

All positions are ICRS, in degrees. What is constant is checked here, in the user's own numbers, since the database's
complaints about shapes would not name them.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence

from vo.adql import spherical
from vo.adql.kinds import Type
from vo.adql.plan import (
    Apply,
    Circle,
    Compare,
    Constant,
    Expression,
    Minus,
    Not,
    Operators,
    Point,
    Polygon,
    Range,
    Spherical,
    Truth,
)

Arguments = Sequence[Expression]

#: Frames whose positions agree with ICRS to better than a plate can tell (0.03 arcsec), as STC-S writes them.
FRAMES = frozenset({"", "ICRS", "FK5", "J2000", "UNKNOWN", "UNKNOWNFRAME"})
_REFERENCE_POSITIONS = frozenset({"GEOCENTER", "BARYCENTER", "HELIOCENTER", "TOPOCENTER", "UNKNOWNREFPOS"})
_FLAVOURS = frozenset({"SPHERICAL2"})

#: pgSphere knows no circle wider than this, in degrees.
WIDEST_CIRCLE = 90.0

SOUTH, NORTH = -90.0, 90.0
HALF_TURN = 180.0

#: pgSphere 1.2 compares every edge with every other and cannot be interrupted meanwhile: 0.2 s at 300, 2 s at 1,000.
MOST_VERTICES = 1000

#: Polygons with more vertices than this are checked by the database alone.
_CHECKED_VERTICES = 100


class BadArgument(Exception):
    """An argument that cannot be used; ``index`` says which, None when it is about all of them."""

    def __init__(self, text: str, index: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.index = index


def number(expression: Expression) -> float | None:
    """The value of a constant number, None when rows decide it."""
    match expression:
        case Constant(_, int() | float() as value):
            return float(value)
        case Minus(operand):
            inner = number(operand)
            return None if inner is None else -inner
        case Operators(type_, first, rest) if type_ in (Type.DOUBLE, Type.REAL):
            return _arithmetic(first, rest)
        case _:
            return None


def _arithmetic(first: Expression, rest: tuple[tuple[str, Expression], ...]) -> float | None:
    total = number(first)
    for operator, operand in rest:
        value = number(operand)
        if total is None or value is None or (operator == "/" and value == 0):
            return None
        match operator:
            case "+":
                total += value
            case "-":
                total -= value
            case "*":
                total *= value
            case _:
                total /= value
    return total


def double(value: float) -> Constant:
    """A constant of type DOUBLE."""
    return Constant(Type.DOUBLE, float(value))


def check_frame(text: str) -> None:
    """Accept a coordinate system string that means ICRS (STANDARDS of ADQL 2.0, section 2.4.1; deprecated in 2.1)."""
    words = text.upper().split()
    frame = words[0] if words else ""
    unknown = [word for word in words[1:] if word not in _REFERENCE_POSITIONS | _FLAVOURS]
    if frame not in FRAMES | _REFERENCE_POSITIONS | _FLAVOURS or unknown:
        raise BadArgument(
            f"the coordinate system {text!r} is not offered; positions are ICRS: write 'ICRS' or leave it out", 0
        )


def point(arguments: Arguments) -> Expression:
    """``POINT(lon, lat)``."""
    lon, lat = arguments
    latitude = number(lat)
    if latitude is not None and not SOUTH <= latitude <= NORTH:
        raise BadArgument(f"{latitude:g} is no latitude; it runs from -90 to 90 degrees", 1)
    return Point(lon, lat)


def circle(arguments: Arguments) -> Expression:
    """``CIRCLE(lon, lat, radius)`` or ``CIRCLE(point, radius)``."""
    *position, radius = arguments
    centre = position[0] if len(position) == 1 else point(position)
    size = number(radius)
    if size is not None and not 0 <= size <= HALF_TURN:
        raise BadArgument(f"{size:g} is no radius of a circle; it runs from 0 to 180 degrees", len(position))
    return Circle(centre, radius)


def box(arguments: Arguments) -> Expression:
    """``BOX(lon, lat, width, height)``: great circles at right angles to a cross of that size (ADQL 2.1, 4.2.10)."""
    *position, width, height = arguments
    lon, lat = _coordinates(position)
    for index, side in ((len(position), number(width)), (len(position) + 1, number(height))):
        if side is not None and not 0 < side < HALF_TURN:
            raise BadArgument(f"{side:g} is no size of a box; it lies between 0 and 180 degrees", index)
    point((lon, lat))
    values = [number(value) for value in (lon, lat, width, height)]
    constants = [value for value in values if value is not None]
    if len(constants) == len(values):
        corners = spherical.box_corners(*constants)
        return Polygon(tuple(Point(double(x), double(y)) for x, y in corners))
    return Apply("BOX", Type.POLYGON, spherical.BOX, (lon, lat, width, height))


def _coordinates(position: Arguments) -> tuple[Expression, Expression]:
    if len(position) == 2:  # noqa: PLR2004 - longitude and latitude
        return position[0], position[1]
    centre = position[0]
    if isinstance(centre, Point):
        return centre.lon, centre.lat
    return coordinate(1, centre), coordinate(2, centre)


def polygon_of_numbers(arguments: Arguments) -> Expression:
    """``POLYGON(lon, lat, lon, lat, ...)``."""
    pairs = zip(arguments[::2], arguments[1::2], strict=True)
    return polygon_of_points([point(pair) for pair in pairs])


def polygon_of_points(arguments: Arguments) -> Expression:
    """``POLYGON(point, point, ...)``; a last point that repeats the first one is left out."""
    vertices = [vertex for i, vertex in enumerate(arguments) if i == 0 or vertex != arguments[i - 1]]
    if len(vertices) > 1 and vertices[0] == vertices[-1]:
        vertices.pop()
    if len(vertices) > MOST_VERTICES:
        raise BadArgument(f"a polygon has at most {MOST_VERTICES} points here, this one {len(vertices)}; simplify it")
    if len(vertices) < 3:  # noqa: PLR2004 - a triangle
        raise BadArgument("a polygon needs three different points")
    places = _places(vertices)
    if places is not None and len(places) <= _CHECKED_VERTICES:
        _check_edges(places)
    return Polygon(tuple(vertices))


def _places(vertices: Sequence[Expression]) -> list[tuple[float, float]] | None:
    """Longitude and latitude of each vertex when all are constant."""
    found = []
    for vertex in vertices:
        if not isinstance(vertex, Point):
            return None
        lon, lat = number(vertex.lon), number(vertex.lat)
        if lon is None or lat is None:
            return None
        found.append((lon, lat))
    return found


def _check_edges(places: list[tuple[float, float]]) -> None:
    edges = list(zip(places, places[1:] + places[:1], strict=True))
    for (i, first), (j, second) in itertools.combinations(enumerate(edges), 2):
        neighbours = j == i + 1 or (i == 0 and j == len(edges) - 1)
        if not neighbours and spherical.edges_cross(first, second):
            raise BadArgument(
                f"the polygon crosses itself: its edge {i + 1}, from {first[0]}, meets edge {j + 1}, from {second[0]}"
            )


def lon_lat_range(arguments: Arguments) -> Expression:
    """``vo_range(lon1, lon2, lat1, lat2)``: between two meridians, going east, and two parallels (DALI 1.2, range)."""
    values = []
    for index, argument in enumerate(arguments):
        value = number(argument)
        if value is None:
            raise BadArgument(
                "vo_range takes numbers, not values of columns; use POLYGON or compare the columns", index
            )
        values.append(value)
    lon_min, lon_max, lat_min, lat_max = values
    for index, value in ((2, lat_min), (3, lat_max)):
        if not SOUTH <= value <= NORTH:
            raise BadArgument(f"{value:g} is no latitude; it runs from -90 to 90 degrees", index)
    if lat_min > lat_max:
        raise BadArgument(f"the latitudes {lat_min:g} and {lat_max:g} are not in ascending order", 2)
    return Range(lon_min, lon_max, lat_min, lat_max)


def coordinate(which: int, position: Expression) -> Expression:
    """COORD1 or COORD2 of a point, degrees."""
    function = ("long", "lat")[which - 1]
    return Apply(f"COORD{which}", Type.DOUBLE, f"degrees({function}({{0}}))", (position,))


def contains(arguments: Arguments) -> Expression:
    """``CONTAINS(inner, outer)``: 1 when all of inner lies in outer."""
    inner, outer = arguments
    if outer.type is Type.POINT:
        if inner.type is Type.POINT:
            return Truth(Compare("=", inner, outer))
        raise BadArgument(
            f"a POINT cannot contain a {inner.type}; CONTAINS(inner, outer) takes the outer shape last", 1
        )
    if Type.RANGE in (inner.type, outer.type) and inner.type is not Type.POINT:
        raise BadArgument("CONTAINS and vo_range work with a POINT: CONTAINS(POINT(..), vo_range(..))")
    if is_wide(inner):
        raise BadArgument(f"a circle of more than {WIDEST_CIRCLE:g} degrees can only be the outer shape", 0)
    if not is_wide(outer):
        return Truth(Spherical("<@", inner, outer))
    if inner.type is Type.POINT:
        return Truth(_in_wide_circle(inner, outer))
    return Truth(Not(Spherical("&&", inner, _complement(outer))))


def intersects(arguments: Arguments) -> Expression:
    """``INTERSECTS(a, b)``: 1 when they share a point."""
    left, right = arguments
    if left.type is Type.POINT:
        return contains((left, right))
    if right.type is Type.POINT:
        return contains((right, left))
    if Type.RANGE in (left.type, right.type):
        shape, area = (right, left) if left.type is Type.RANGE else (left, right)
        if shape.type is not Type.POLYGON:
            raise BadArgument("INTERSECTS and vo_range work with a POLYGON or a POINT, such as s_region")
        return Truth(Spherical("&&", shape, area))
    if is_wide(left):
        left, right = right, left
    if not is_wide(right):
        return Truth(Spherical("&&", left, right))
    if is_wide(left):
        raise BadArgument(f"one of two circles must have at most {WIDEST_CIRCLE:g} degrees")
    return Truth(Not(Spherical("<@", left, _complement(right))))


def is_wide(shape: Expression) -> bool:
    """Whether this is a constant circle of more than a hemisphere."""
    if not isinstance(shape, Circle):
        return False
    radius = number(shape.radius)
    return radius is not None and radius > WIDEST_CIRCLE


def _in_wide_circle(position: Expression, shape: Expression) -> Expression:
    if not isinstance(shape, Circle):  # pragma: no cover - only wide circles come here
        raise TypeError(shape)
    return Compare("<=", distance((position, shape.centre)), shape.radius)


def _complement(shape: Expression) -> Expression:
    """The circle that holds everything outside a wide one."""
    if not isinstance(shape, Circle):  # pragma: no cover - only wide circles come here
        raise TypeError(shape)
    opposite = Apply("antipode", Type.POINT, "spoint(long({0}) + pi(), -lat({0}))", (shape.centre,))
    return Circle(opposite, double(HALF_TURN - (number(shape.radius) or 0)))


def distance(arguments: Arguments) -> Expression:
    """``DISTANCE(point, point)`` or of four numbers: the angle between two positions, degrees."""
    if len(arguments) == 4:  # noqa: PLR2004 - two positions
        arguments = (point(arguments[:2]), point(arguments[2:]))
    return Apply("DISTANCE", Type.DOUBLE, "degrees({0:p} <-> {1:p})", tuple(arguments))


def region(arguments: Arguments) -> Expression:
    """``REGION('CIRCLE ICRS 10 20 1')``: one simple STC-S shape in a literal (STC-S note 1.33, section 4)."""
    text = arguments[0]
    if not isinstance(text, Constant) or not isinstance(text.value, str):
        raise BadArgument("REGION takes a literal text such as 'CIRCLE ICRS 10 20 1'", 0)
    words = text.value.replace(",", " ").split()
    shape = words[0].upper() if words else ""
    build = {"POSITION": (point, 2), "CIRCLE": (circle, 3), "BOX": (box, 4), "POLYGON": (polygon_of_numbers, None)}.get(
        shape
    )
    if build is None:
        raise BadArgument(
            f"the region {text.value!r} is not offered; write POSITION, CIRCLE, BOX or POLYGON and its numbers", 0
        )
    names = list(itertools.takewhile(lambda word: not _is_number(word), words[1:]))
    check_frame(" ".join(names))
    numbers = list(_numbers(words[1 + len(names) :]))
    make, count = build
    if len(numbers) != count and not (count is None and len(numbers) % 2 == 0):
        wanted = "pairs of numbers" if count is None else f"{count} numbers"
        raise BadArgument(f"the region {text.value!r} has {len(numbers)} numbers; {shape} takes {wanted}", 0)
    try:
        return make(numbers)
    except BadArgument as fault:
        raise BadArgument(fault.text, 0) from None


_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def _is_number(word: str) -> bool:
    return _NUMBER.fullmatch(word) is not None


def _numbers(words: Sequence[str]) -> Iterator[Expression]:
    for word in words:
        if not _is_number(word):
            raise BadArgument(f"{word!r} is no number; a region is a shape, a frame and plain numbers in degrees", 0)
        value = float(word)
        if not math.isfinite(value):
            raise BadArgument(f"{word} is too large a number", 0)
        yield double(value)
