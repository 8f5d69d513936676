"""The geometry of ADQL 2.1 (section 4.2): how its functions become shapes and questions about shapes.

All positions are ICRS, in degrees; those given in another frame are transformed as they come in (:func:`in_icrs`).
What is constant is checked here, in the user's own numbers, since the database's complaints about shapes would not
name them.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from vo.adql.kinds import INTEGERS, Type
from vo.adql.plan import (
    Apply,
    Circle,
    ColumnValue,
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
    Transformed,
    Truth,
)
from vo.adql.sky import spherical
from vo.adql.sky.frames import FRAMES, Frame, find_frame, rotated, to_icrs

Arguments = Sequence[Expression]

#: pgSphere knows no circle wider than this, in degrees.
WIDEST_CIRCLE = 90.0

SOUTH, NORTH = -90.0, 90.0
HALF_TURN = 180.0

_LARGEST_INTEGER = 2**31 - 1

#: Points this near, in degrees, are the same: what rounding makes of one position that is written in two ways.
SAME_PLACE = 1e-10

#: pgSphere 1.2 compares every edge with every other and cannot be interrupted meanwhile: 0.2 s at 300, 2 s at 1,000.
MOST_VERTICES = 300

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
    """What the database would compute from left to right, None where it would refuse."""
    total = number(first)
    whole = first.type in INTEGERS
    for operator, operand in rest:
        value = number(operand)
        if total is None or value is None or (operator == "/" and value == 0):
            return None
        whole = whole and operand.type in INTEGERS
        match operator:
            case "+":
                total += value
            case "-":
                total -= value
            case "*":
                total *= value
            case _:
                total = math.trunc(total / value) if whole else total / value
        if not math.isfinite(total) or (whole and abs(total) > _LARGEST_INTEGER):
            return None
    return total


def double(value: float) -> Constant:
    """A constant of type DOUBLE."""
    return Constant(Type.DOUBLE, float(value))


def read_frame(text: str) -> Frame:
    """The frame that a coordinate system string means (ADQL 2.0, section 2.4.1; deprecated in 2.1)."""
    frame = find_frame(text)
    if frame is None:
        frames = ", ".join(FRAMES)
        raise BadArgument(
            f"the coordinate system {text!r} is not offered; write one of {frames}, or leave it out for ICRS", 0
        )
    return frame


def in_icrs(shape: Expression, frame: Frame) -> Expression:
    """A shape that was made of numbers of this frame, in ICRS; constants are transformed at once."""
    if frame.name == "ICRS":
        return shape
    if isinstance(shape, Point):
        return _point_in_icrs(shape, frame)
    if isinstance(shape, Circle):
        return Circle(in_icrs(shape.centre, frame), shape.radius)
    if isinstance(shape, Polygon) and (frame.has_e_terms or _places(shape.vertices) is not None):
        return Polygon(tuple(in_icrs(vertex, frame) for vertex in shape.vertices))
    if isinstance(shape, Apply) and frame.has_e_terms:
        # E-terms are no rotation: the corners of the box go one by one
        corners = (Apply("BOX", Type.POINT, corner, shape.arguments) for corner in spherical.BOX_CORNERS)
        return Polygon(tuple(_point_in_icrs(corner, frame) for corner in corners))
    return Transformed(shape, frame.name, "ICRS")


def _point_in_icrs(position: Expression, frame: Frame) -> Expression:
    places = _places((position,))
    if places is not None:
        return _constant_point(to_icrs(places[0], frame))
    if frame.has_e_terms:
        position = Apply("without_e_terms", Type.POINT, "vo.without_e_terms({0})", (position,))
    return Transformed(position, frame.name, "ICRS")


def _constant_point(position: tuple[float, float]) -> Point:
    return Point(double(position[0]), double(position[1]))


def transformed(shape: Expression, source: str, target: str) -> Expression:
    """A shape rotated from one frame to another, constants at once."""
    if source == target:
        return shape
    if isinstance(shape, Circle):
        return Circle(transformed(shape.centre, source, target), shape.radius, target)
    if isinstance(shape, Polygon) and (places := _places(shape.vertices)) is not None:
        vertices = (_constant_point(rotated(position, source, target)) for position in places)
        return Polygon(tuple(vertices), target)
    if isinstance(shape, Point) and (places := _places((shape,))) is not None:
        return replace(_constant_point(rotated(places[0], source, target)), frame=target)
    return Transformed(shape, source, target)


def geom_transform(arguments: Arguments) -> Expression:
    """``ivo_geom_transform(from_sys, to_sys, geo)``: the shape with numbers of another frame (EN UDF 1.2, section 2.6).

    As the catalogue wants it, a simple rotation: FK4 is without E-terms here.
    """
    names = []
    for index, argument in enumerate(arguments[:2]):
        name = argument.value if isinstance(argument, Constant) else None
        if not isinstance(name, str):
            raise BadArgument("the frame must be a literal text such as 'GALACTIC'", index)
        if name not in FRAMES:
            raise BadArgument(f"there is no frame {name!r} here; write one of {', '.join(FRAMES)}, in capitals", index)
        names.append(name)
    if is_wide(arguments[2]):
        raise BadArgument(f"a circle of more than {WIDEST_CIRCLE:g} degrees cannot be transformed", 2)
    return transformed(arguments[2], *names)


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
    for index, side in ((len(position), number(width)), (len(position) + 1, number(height))):
        if side is not None and not 0 < side < HALF_TURN:
            raise BadArgument(f"{side:g} is no size of a box; it lies between 0 and 180 degrees", index)
    centre = position[0] if len(position) == 1 else point(position)
    if not isinstance(centre, Point):
        # written once: boxes around points of boxes would double at each step
        return Apply("BOX", Type.POLYGON, spherical.BOX_AROUND, (centre, width, height))
    lon, lat = centre.lon, centre.lat
    values = [number(value) for value in (lon, lat, width, height)]
    constants = [value for value in values if value is not None]
    if len(constants) == len(values):
        corners = spherical.box_corners(*constants)
        return Polygon(tuple(Point(double(x), double(y)) for x, y in corners))
    return Apply("BOX", Type.POLYGON, spherical.BOX, (lon, lat, width, height))


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
        _check_extent(places)
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


def _check_extent(places: list[tuple[float, float]]) -> None:
    if spherical.on_great_circle(places):
        raise BadArgument("the points of this polygon lie on one great circle: it has no inside")
    if spherical.too_wide(places):
        raise BadArgument("this polygon is too wide: it fills a hemisphere or comes near it; split it")


def _check_edges(places: list[tuple[float, float]]) -> None:
    edges = list(zip(places, places[1:] + places[:1], strict=True))
    arcs = [spherical.arc(*edge) for edge in edges]
    for (i, first), (j, second) in itertools.combinations(enumerate(arcs), 2):
        neighbours = j == i + 1 or (i == 0 and j == len(edges) - 1)
        if spherical.arcs_cross(first, second) and not neighbours:
            raise BadArgument(
                f"the polygon crosses itself: its edge {i + 1}, from {places[i]}, meets edge {j + 1}, from {places[j]}"
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
    """COORD1 (from 0 to 360) or COORD2 of a point, degrees ICRS: the very numbers it was made of, if it shows them."""
    name, function = f"COORD{which}", ("long", "lat")[which - 1]
    if not isinstance(position, Point):
        return Apply(name, Type.DOUBLE, f"degrees({function}({{0}}))", (position,))
    places = _places((position,))
    if places is not None:
        # the point stands behind the number for its frame
        return Apply(name, Type.DOUBLE, "{0}", (double((places[0][0] % 360, places[0][1])[which - 1]), position))
    written = ("{0:lon} - 360 * floor({0:lon} / 360)", "{0:lat}")[which - 1]
    # pgSphere, which takes a latitude beyond a pole as going over it, also knows when one of the two is null
    known = "{0:lat} BETWEEN -90 AND 90 AND {0:lon} IS NOT NULL"
    template = f"CASE WHEN {known} THEN {written} ELSE degrees({function}({{0}})) END"
    return Apply(name, Type.DOUBLE, template, (position,))


def contains(arguments: Arguments) -> Expression:
    """``CONTAINS(inner, outer)``: 1 when all of inner lies in outer, edge included.

    Points and circles are compared by distances, which are exact (and get an index by the rewriter); pgSphere's own
    operators take points for inside that are up to 0.2 mas outside.
    """
    inner, outer = arguments
    if outer.type is Type.POINT:
        if inner.type is Type.POINT:
            return Truth(Compare("<=", distance((inner, outer)), double(SAME_PLACE)))
        raise BadArgument(
            f"a POINT cannot contain a {inner.type}; CONTAINS(inner, outer) takes the outer shape last", 1
        )
    if Type.RANGE in (inner.type, outer.type) and inner.type is not Type.POINT:
        raise BadArgument("CONTAINS and vo_range work with a POINT: CONTAINS(POINT(..), vo_range(..))")
    if _is_measured(outer) and (inner.type is Type.POINT or _is_measured(inner)):
        return Truth(_in_circle(inner, outer))
    if is_wide(inner):
        raise BadArgument(f"a circle of more than {WIDEST_CIRCLE:g} degrees can only lie in another circle", 0)
    if is_wide(outer):
        return Truth(Not(Spherical("&&", inner, _complement(outer))))
    return Truth(Spherical("<@", inner, outer))


def _is_measured(shape: Expression) -> bool:
    """A circle whose centre and radius are at hand: written here, or a column; any other would be written twice."""
    return isinstance(shape, Circle) or (isinstance(shape, ColumnValue) and shape.type is Type.CIRCLE)


def _in_circle(inner: Expression, outer: Expression) -> Expression:
    """A point or circle in a circle: no part of it is farther from the centre than the radius."""
    radius = _radius(outer)
    if inner.type is Type.POINT:
        apart = distance((inner, _centre(outer)))
        return Compare("<=", apart, double(SAME_PLACE) if number(radius) == 0 else radius)
    apart, inner_radius = distance((_centre(inner), _centre(outer))), _radius(inner)
    size, inner_size = number(radius), number(inner_radius)
    if size is not None and inner_size is not None and size < HALF_TURN:
        return Compare("<=", apart, double(size - inner_size))
    farthest = Apply("farthest", Type.DOUBLE, f"least({{0}} + {{1:p}}, {HALF_TURN!r}::float8)", (apart, inner_radius))
    return Compare("<=", farthest, radius)


def _centre(shape: Expression) -> Expression:
    return shape.centre if isinstance(shape, Circle) else Apply("CENTROID", Type.POINT, "center({0})", (shape,))


def _radius(shape: Expression) -> Expression:
    if isinstance(shape, Circle):
        return shape.radius
    return Apply("radius", Type.DOUBLE, "degrees(radius({0}))", (shape,))


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
    if _is_measured(left) and _is_measured(right):
        reach = Operators(Type.DOUBLE, _radius(left), (("+", _radius(right)),))
        return Truth(Compare("<=", distance((_centre(left), _centre(right))), reach))
    if is_wide(left):
        left, right = right, left
    if is_wide(right):
        return Truth(Not(Spherical("<@", left, _complement(right))))
    return Truth(Spherical("&&", left, right))


def is_wide(shape: Expression) -> bool:
    """Whether this is a constant circle of more than a hemisphere."""
    if not isinstance(shape, Circle):
        return False
    radius = number(shape.radius)
    return radius is not None and radius > WIDEST_CIRCLE


def antipode(position: Expression) -> Expression:
    """The opposite point."""
    if isinstance(position, Point) and (latitude := number(position.lat)) is not None:
        longitude = number(position.lon)
        if longitude is not None:
            return _constant_point(((longitude + HALF_TURN) % 360, -latitude))
    return Apply("antipode", Type.POINT, "spoint(long({0}) + pi(), -lat({0}))", (position,))


def _complement(shape: Expression) -> Expression:
    """The circle that holds everything outside a wide one."""
    if not isinstance(shape, Circle):  # pragma: no cover - only wide circles come here
        raise TypeError(shape)
    return Circle(antipode(shape.centre), double(HALF_TURN - (number(shape.radius) or 0)))


def _unrotated(p: Expression, q: Expression) -> tuple[Expression, Expression]:
    """Two points as far apart as these, with changes of frame moved to constants: those are exact and need no SQL."""
    if isinstance(p, Transformed) and isinstance(q, Transformed) and (p.source, p.target) == (q.source, q.target):
        return p.shape, q.shape
    if isinstance(p, Transformed) and _places((q,)) is not None:
        return p.shape, transformed(q, p.target, p.source)
    if isinstance(q, Transformed) and _places((p,)) is not None:
        return transformed(p, q.target, q.source), q.shape
    return p, q


_SEPARATION = "vo.separation({0:lon}, {0:lat}, {1:lon}, {1:lat})"


def distance(arguments: Arguments) -> Expression:
    """``DISTANCE(point, point)`` or of four numbers: the angle between two positions, degrees."""
    if len(arguments) == 4:  # noqa: PLR2004 - two positions
        arguments = (point(arguments[:2]), point(arguments[2:]))
    arguments = _unrotated(*arguments)
    template = _SEPARATION
    if not all(isinstance(position, Point | ColumnValue) for position in arguments):
        # pgSphere's own distance needs each position once; it is right but for the smallest ones, which it takes for 0
        template = f"coalesce(nullif(degrees({{0:p}} <-> {{1:p}}), 0), {_SEPARATION})"
    return Apply("DISTANCE", Type.DOUBLE, template, tuple(arguments))


def area(arguments: Arguments) -> Expression:
    """``AREA(shape)`` in square degrees; a circle may have any size here, and a point has none."""
    shape = arguments[0]
    if shape.type is Type.POINT:
        return Apply("AREA", Type.DOUBLE, "CASE WHEN {0:p} IS NOT NULL THEN 0::float8 END", (shape,))
    if shape.type is Type.POLYGON:
        return Apply("AREA", Type.DOUBLE, f"(vo.area({{0}}) * {spherical.SQUARE_DEGREES!r}::float8)", (shape,))
    cap = f"(4 * pi() * power(sin({{0}} / 2), 2) * {spherical.SQUARE_DEGREES!r}::float8)"
    if is_wide(shape) and isinstance(shape, Circle):
        template = f"CASE WHEN {{1:p}} IS NOT NULL THEN {cap.format('radians({0})')} END"
        return Apply("AREA", Type.DOUBLE, template, (shape.radius, shape.centre))
    return Apply("AREA", Type.DOUBLE, cap.format("radius({0})"), (shape,))


def centroid(arguments: Arguments) -> Expression:
    """``CENTROID(shape)``: a circle's centre, a point itself, a polygon's centre of area."""
    shape = arguments[0]
    if shape.type is Type.POINT:
        return shape
    if shape.type is Type.POLYGON:
        return Apply("CENTROID", Type.POINT, "vo.centroid({0})", (shape,))
    if is_wide(shape) and isinstance(shape, Circle):
        return shape.centre
    return Apply("CENTROID", Type.POINT, "center({0})", (shape,))


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
    frame = read_frame(" ".join(names))
    numbers = list(_numbers(words[1 + len(names) :]))
    make, count = build
    if len(numbers) != count and not (count is None and len(numbers) % 2 == 0):
        wanted = "pairs of numbers" if count is None else f"{count} numbers"
        raise BadArgument(f"the region {text.value!r} has {len(numbers)} numbers; {shape} takes {wanted}", 0)
    try:
        return in_icrs(make(numbers), frame)
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
