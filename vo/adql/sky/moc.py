"""MOCs, sets of HEALPix cells (MOC 2.0): their ASCII form read, and how shapes become MOCs and meet them.

A cell of order k is a quarter of one of order k - 1; the 12 cells of order 0 make the sphere, those of order 29 are
0.4 mas wide. pgSphere's type ``smoc`` holds them; the functions of schema ``vo`` that make MOCs of shapes
(schema/sql/140_moc.sql) give every cell that the shape touches and some beside it, none farther off than two cells.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from vo.adql.kinds import Type
from vo.adql.plan import Apply, Circle, Compare, Constant, Expression, Point, Polygon, Spherical, Truth
from vo.adql.sky.geometry import BadArgument, is_wide, number
from vo.adql.sky.healpix import BASE_CELLS, HIGHEST_ORDER, centre, reach
from vo.adql.sky.spherical import LonLat, vector

#: The side of a cell of order 0, radians: the root of its area.
_SIDE = math.sqrt(math.pi / 3)

#: So many cells may lie along a shape's outline: pgSphere takes 0.2 s for them and cannot be interrupted meanwhile.
MOST_CELLS = 200_000

#: Along the outline of a shape that stands beside a MOC lie at least so many cells (the SQL says the same).
_CELLS_OF_OUTLINE = 200

_EXAMPLE = "'4/30-33 38 52 7/324-934'"
_WORD = re.compile(r"(?P<order>\d+)/|(?P<low>\d+)(?:-(?P<high>\d+))?(?=[\s,]|$)")
_GAP = re.compile(r"[\s,]*")

Ranges = list[tuple[int, int]]


def normalised(text: str) -> str:
    """The ASCII MOC (MOC 2.0, section 4.3.2) with its cells in order, joined where four make one of the order above.

    ``/`` and a last order are kept: they say how fine the MOC is. :class:`BadArgument` says what is wrong and where.
    """
    ranges: Ranges = []
    finest = 0
    for order, low, high in _cells(text):
        finest = max(finest, order)
        if low is not None and high is not None:
            shift = 2 * (HIGHEST_ORDER - order)
            ranges.append((low << shift, (high + 1) << shift))
    return _written(_joined(ranges), finest)


#: A MOC is surrounded as if it were of so few cells.
_FEW_CELLS = 200


def surroundings(text: str) -> tuple[float, float, float] | None:
    """Longitude, latitude and radius in degrees of a circle around a MOC; None when it has no cell or no middle."""
    ranges: Ranges = []
    for order, low, high in _cells(text):
        if low is not None and high is not None:
            shift = 2 * (HIGHEST_ORDER - order)
            ranges.append((low << shift, (high + 1) << shift))
    order = HIGHEST_ORDER
    while order and sum(high - low for low, high in ranges) > _FEW_CELLS:
        ranges = _joined([(low >> 2, -(-high // 4)) for low, high in ranges])
        order -= 1
    vectors = [vector(centre(order, cell)) for low, high in ranges for cell in range(low, high)]
    x, y, z = (sum(axis) for axis in zip(*vectors, strict=True)) if vectors else (0.0, 0.0, 0.0)
    size = math.hypot(x, y, z)
    if size < 1e-6 * max(1, len(vectors)):
        return None
    middle = x / size, y / size, z / size
    radius = max(2 * math.asin(min(1.0, math.dist(middle, one) / 2)) for one in vectors)
    lon, lat = math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y)))
    return lon, lat, math.degrees(radius) + reach(order)


def _cells(text: str) -> Iterator[tuple[int, int | None, int | None]]:
    """Order, first and last cell of each range, and each order once with None for both."""
    if text.lstrip()[:1] in ("{", "["):
        raise BadArgument(f"this is a MOC in JSON; write it in ASCII, such as {_EXAMPLE}", 0)
    if text.lstrip()[:1] in ("t", "T"):
        raise BadArgument(f"a MOC here covers the sky, not times; write it as {_EXAMPLE}", 0)
    order: int | None = None
    at = _end_of(_GAP, text, 0)
    while at < len(text):
        word = _WORD.match(text, at)
        if word is None:
            raise _unread(text, at)
        if word["order"] is not None:
            order = _order(word["order"], at)
            yield order, None, None
        elif order is None:
            raise BadArgument(f"the MOC begins with the cell {word[0]} before any order; write it as {_EXAMPLE}", 0)
        else:
            yield order, *_range(order, word, at)
        at = _end_of(_GAP, text, word.end())
    if order is None:
        raise BadArgument(f"the MOC is empty; write orders and cells such as {_EXAMPLE}, or '0/' for no cell", 0)


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _unread(text: str, at: int) -> BadArgument:
    word = re.split(r"[\s,]", text[at:], maxsplit=1)[0][:40]
    return BadArgument(
        f"{word!r} (character {at + 1} of the MOC) is no order such as 4/, cell or range of cells;"
        f" write a MOC as {_EXAMPLE}",
        0,
    )


#: The number of cells of the highest order has 19 digits; int() of very long texts is slow.
_MOST_DIGITS = 19


def _count(digits: str) -> int:
    """The number, or one that is larger than any cell's."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _order(digits: str, at: int) -> int:
    order = _count(digits)
    if order > HIGHEST_ORDER:
        raise BadArgument(f"{digits[:40]}/ (character {at + 1} of the MOC) is no order; orders run from 0 to 29", 0)
    return order


def _range(order: int, word: re.Match[str], at: int) -> tuple[int, int]:
    low = _count(word["low"])
    high = low if word["high"] is None else _count(word["high"])
    last = BASE_CELLS * 4**order - 1
    if max(low, high) > last:
        raise BadArgument(
            f"{word[0][:60]} (character {at + 1} of the MOC): cells of order {order} run from 0 to {last}", 0
        )
    if low > high:
        raise BadArgument(f"{word[0]} (character {at + 1} of the MOC) runs backwards; write {high}-{low}", 0)
    return low, high


def _joined(ranges: Ranges) -> Ranges:
    """Ranges in order, without overlaps."""
    found: Ranges = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def _written(ranges: Ranges, finest: int) -> str:
    """Ranges of cells of the highest order as ASCII MOC whose order is ``finest``."""
    cells: dict[int, Ranges] = {}
    for low, high in ranges:
        for order, cell in _pieces(low, high):
            cells.setdefault(order, []).append((cell, cell + 1))
    words = []
    for order in sorted(cells):
        spans = " ".join(f"{low}" if high == low + 1 else f"{low}-{high - 1}" for low, high in _joined(cells[order]))
        words.append(f"{order}/{spans}")
    if finest not in cells:
        words.append(f"{finest}/")
    return " ".join(words)


def _pieces(low: int, high: int) -> Iterator[tuple[int, int]]:
    """The half-open range of cells of the highest order as largest cells that fit: order and cell."""
    while low < high:
        aligned = HIGHEST_ORDER if low == 0 else ((low & -low).bit_length() - 1) // 2
        steps = min(aligned, ((high - low).bit_length() - 1) // 2, HIGHEST_ORDER)
        yield HIGHEST_ORDER - steps, low >> 2 * steps
        low += 1 << 2 * steps


# Functions


def literal(arguments: Sequence[Expression]) -> Expression:
    """``MOC('4/30-33 38')``."""
    (text,) = arguments
    if not isinstance(text, Constant) or not isinstance(text.value, str):
        raise BadArgument(f"MOC takes a literal text such as {_EXAMPLE}, or an order and a shape", 0)
    return Constant(Type.MOC, normalised(text.value))


def of_shape(arguments: Sequence[Expression]) -> Expression:
    """``MOC(order, shape)``: every cell of the order that the shape touches."""
    order, shape = arguments
    wanted = number(order)
    if wanted is not None:
        if not 0 <= wanted <= HIGHEST_ORDER:
            raise BadArgument(f"{wanted:g} is no order of a MOC; it runs from 0 to {HIGHEST_ORDER}", 0)
        _check_size(int(wanted), shape)
    if isinstance(shape, Circle) and is_wide(shape):
        return _of_cone(order, shape)
    if shape.type is Type.MOC:
        return Apply("MOC", Type.MOC, "smoc_degrade(vo.moc_order({0}), {1})", (order, shape))
    return Apply("MOC", Type.MOC, "vo.moc({0}, {1})", (order, shape))


def _of_cone(order: Expression, shape: Circle) -> Expression:
    template = "vo.moc_of_cone({0}, long({1}), lat({1}), radians({2}))"
    return Apply("MOC", Type.MOC, template, (order, shape.centre, shape.radius))


def _check_size(order: int, shape: Expression) -> None:
    outline = _outline(shape)
    if outline is None or outline * 2**order <= MOST_CELLS * _SIDE:
        return
    most = math.floor(math.log2(MOST_CELLS * _SIDE / outline))
    raise BadArgument(
        f"a MOC of order {order} would have more than {MOST_CELLS} cells along the edge of this {shape.type};"
        f" the highest order for it is {most}",
        0,
    )


def _outline(shape: Expression) -> float | None:
    """The length of a constant shape's outline, radians."""
    if isinstance(shape, Circle):
        radius = number(shape.radius)
        return None if radius is None else 2 * math.pi * math.sin(math.radians(radius))
    if not isinstance(shape, Polygon):
        return None
    corners = [_place(vertex) for vertex in shape.vertices]
    places = [corner for corner in corners if corner is not None]
    if len(places) < len(corners):
        return None
    vectors = [vector(place) for place in places]
    chords = (math.dist(a, b) for a, b in zip(vectors, [*vectors[1:], vectors[0]], strict=True))
    return sum(2 * math.asin(min(1.0, chord / 2)) for chord in chords)


def _place(vertex: Expression) -> LonLat | None:
    if not isinstance(vertex, Point):
        return None
    lon, lat = number(vertex.lon), number(vertex.lat)
    return None if lon is None or lat is None else (lon, lat)


def contains(arguments: Sequence[Expression]) -> Expression:
    """``CONTAINS(inner, outer)`` of which one is a MOC: 1 when every cell of inner lies in outer."""
    inner, outer = arguments
    if outer.type is Type.POINT:
        raise BadArgument("a POINT cannot contain a MOC; CONTAINS(inner, outer) takes the outer shape last", 1)
    _refuse_ranges(arguments)
    if inner.type is Type.POINT:
        return Truth(Spherical("<@", inner, outer))
    inner, outer = _as_moc(inner), _as_moc(outer)
    if isinstance(inner, Constant) and isinstance(inner.value, str) and _is_empty(inner.value):
        # nothing lies in anything; pgSphere's index finds no row for it. Null stays null.
        return Truth(Compare("=", outer, outer))
    return Truth(Spherical("<@", inner, outer))


def intersects(arguments: Sequence[Expression]) -> Expression:
    """``INTERSECTS(a, b)`` of which one is a MOC: 1 when they share a cell."""
    left, right = arguments
    if left.type is Type.POINT:
        return contains((left, right))
    if right.type is Type.POINT:
        return contains((right, left))
    _refuse_ranges(arguments)
    return Truth(Spherical("&&", _as_moc(left), _as_moc(right)))


def _refuse_ranges(arguments: Sequence[Expression]) -> None:
    for index, argument in enumerate(arguments):
        if argument.type is Type.RANGE:
            raise BadArgument("vo_range does not work with a MOC; use CIRCLE or POLYGON", index)


def _is_empty(text: str) -> bool:
    return not re.search(r"/\d", text)


def _as_moc(shape: Expression) -> Expression:
    """The MOC that stands for a shape: so fine that 200 to 400 of its cells lie along the shape's edge."""
    if shape.type is Type.MOC:
        return shape
    if isinstance(shape, Circle) and is_wide(shape):
        outline = max(_outline(shape) or 0.0, 1e-9)
        order = math.ceil(math.log2(_CELLS_OF_OUTLINE * _SIDE / outline))
        return _of_cone(Constant(Type.INTEGER, min(HIGHEST_ORDER, max(0, order))), shape)
    return Apply("MOC", Type.MOC, "vo.moc({0})", (shape,))


def may_be_empty(expression: Expression) -> bool:
    """Whether this is a MOC that may have no cell.

    pgSphere's GIN index finds nothing that contains an empty MOC, although everything does.
    """
    if expression.type is not Type.MOC:
        return False
    if isinstance(expression, Constant):
        return isinstance(expression.value, str) and _is_empty(expression.value)
    if isinstance(expression, Apply) and expression.name == "MOC":
        # a MOC of a MOC is as empty as that one
        return any(may_be_empty(argument) for argument in expression.arguments)
    return True
