"""The whole sky with what a MOC covers, as paths for inline SVG.

Mollweide's projection (Calabretta & Greisen 2002, section 5.3.2) in ICRS, 12h in the middle, north up, right ascension
increasing to the left. What is drawn are the outlines of the covered area in each of HEALPix' twelve base cells, along
the sides of cells of order 6 (a cell is two units wide). An outline that crosses 0h is drawn twice, once beyond
each edge; the drawing is cut at the ellipse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vo.adql.sky.moc import normalised
from vo.web.curves import Array

#: Cells are drawn as those of this order, smaller ones as the one they lie in.
ORDER = 6
_SIDE = 2**ORDER

#: Units of the drawing, y downwards.
WIDTH, HEIGHT = 720.0, 360.0
#: Right ascension in the middle of the drawing, degrees.
MIDDLE = 180.0
#: Newton's steps for the auxiliary angle; near the poles they converge slowly.
_STEPS = 60
#: Radians; a unit of the drawing is 3e-3.
_EXACT = 1e-6
_FLAT = 1e-12

# Rows and columns of the base cells' southern corners (Gorski et al. 2005, ApJ 622, 759, figure 4), in half cells.
_ROW = np.repeat([2.0, 3.0, 4.0], 4)
_COLUMN = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7], dtype=np.float64)
#: Rows of the edges of the polar caps.
_NORTH, _SOUTH = 1.0, 3.0
#: A point of an outline stands at least at every so many cells.
_EVERY = 4

#: Distances from a pole, in sides of a cell, at which outlines have a point.
_TO_POLE = 4.0 ** np.arange(-4.0, 1.0)

Point = tuple[int, int]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the graticule and its label, at ``x`` and ``y``."""

    path: str
    label: str
    x: float
    y: float
    is_ra: bool


@dataclass(frozen=True, slots=True)
class SkyMap:
    """The drawing: ``path`` is the covered area, to be filled even-odd and cut at the ellipse; ``share`` of the sky."""

    width: float
    height: float
    path: str
    lines: tuple[Line, ...]
    share: float


@lru_cache(maxsize=64)
def draw_map(moc: str) -> SkyMap:
    """Draw an ASCII MOC in ICRS; vo.adql.sky.geometry.BadArgument when it is none."""
    covered = read_cells(moc)
    path = "".join(_write(part) for outline in outlines(covered) for part in _copies(outline))
    return SkyMap(WIDTH, HEIGHT, path, tuple(_graticule()), float(covered.mean()))


def read_cells(moc: str) -> Mask:
    """Which cells of order 6 (nested) a MOC touches, shape [49152]."""
    covered = np.zeros(12 * 4**ORDER, dtype=bool)
    order = 0
    for word in normalised(moc).split():
        head, slash, rest = word.rpartition("/")
        order = int(head) if slash else order
        if not rest:
            continue
        low, _, high = rest.partition("-")
        first, last = int(low), int(high or low) + 1
        if order <= ORDER:
            shift = 2 * (ORDER - order)
            covered[first << shift : last << shift] = True
        else:
            shift = 2 * (order - ORDER)
            covered[first >> shift : ((last - 1) >> shift) + 1] = True
    return covered


def outlines(covered: Mask) -> Iterator[Array]:
    """The outlines of covered cells: right ascension and declination [n, 2], degrees, without a jump at 0h."""
    for face, own in enumerate(covered.reshape(12, -1)):
        if own.any():
            for loop in _loops(_square(own)):
                yield _on_sky(face, _refine(np.array(loop, dtype=np.float64) / _SIDE))


def _square(cells: Mask) -> Mask:
    """Cells of a base cell as a square [x, y]: x is in the even bits of their numbers, y in the odd ones."""
    index = np.arange(_SIDE)
    spread = np.zeros_like(index)
    for bit in range(ORDER):
        spread |= ((index >> bit) & 1) << 2 * bit
    return np.asarray(cells[spread[:, None] + 2 * spread[None, :]])


def _loops(square: Mask) -> Iterator[list[Point]]:
    """Closed lines around what is covered, along the cells' sides; covered cells lie to the left."""
    after = dict[Point, list[Point]]()
    padded = np.pad(square, 1)
    inner = padded[1:-1, 1:-1]
    for open_, start, end in (
        (inner & ~padded[1:-1, :-2], (0, 0), (1, 0)),
        (inner & ~padded[2:, 1:-1], (1, 0), (1, 1)),
        (inner & ~padded[1:-1, 2:], (1, 1), (0, 1)),
        (inner & ~padded[:-2, 1:-1], (0, 1), (0, 0)),
    ):
        for x, y in np.argwhere(open_).tolist():
            after.setdefault((x + start[0], y + start[1]), []).append((x + end[0], y + end[1]))
    while after:
        first = at = next(iter(after))
        loop = [first]
        while True:
            ends = after[at]
            at = ends.pop()
            if not ends:
                del after[loop[-1]]
            if at == first:
                break
            loop.append(at)
        yield _thin(loop)


def _thin(loop: list[Point]) -> list[Point]:
    """Leave out points of straight runs but for every fourth, which keep to the curves that these are on the sky."""
    kept = []
    for index, (x, y) in enumerate(loop):
        before, following = loop[index - 1], loop[(index + 1) % len(loop)]
        is_straight = before[0] == x == following[0] or before[1] == y == following[1]
        if not is_straight or (x + y) % _EVERY == 0:
            kept.append((x, y))
    return kept


def _refine(loop: Array) -> Array:
    """More points on the sides that end in the northern or southern corner of a base cell.

    It may be a pole, where the projection's width goes with the square root of the distance.
    """
    parts = []
    for start, end in zip(loop, np.roll(loop, -1, axis=0), strict=True):
        shares: Array = np.zeros(1)
        if _is_corner(end):
            shares = 1.0 - _TO_POLE[::-1]
        elif _is_corner(start):
            shares = np.append(0.0, _TO_POLE[:-1])
        parts.append(start + shares[:, None] * (end - start))
    return np.concatenate(parts)


def _is_corner(place: Array) -> bool:
    return place[0] == place[1] and place[0] in (0.0, 1.0)


def _on_sky(face: int, places: Array) -> Array:
    """Right ascension and declination of places [n, 2] in a base cell, 0 to 1 (Gorski et al. 2005, section 5)."""
    row = _ROW[face] - places[:, 0] - places[:, 1]
    polar = np.minimum(1.0, np.minimum(row, 4.0 - row))
    z = (2.0 - row) * 2.0 / 3.0
    z = np.where(row < _NORTH, 1.0 - polar**2 / 3.0, np.where(row > _SOUTH, polar**2 / 3.0 - 1.0, z))
    # at a pole any right ascension will do
    column = _COLUMN[face] * polar + places[:, 0] - places[:, 1]
    ra = 45.0 * np.divide(column, polar, out=np.full_like(column, _COLUMN[face]), where=polar > 0.0)
    return np.column_stack([ra, np.degrees(np.arcsin(np.clip(z, -1.0, 1.0)))])


def _copies(outline: Array) -> Iterator[Array]:
    """The outline in the drawing, and once more where it reaches over an edge."""
    for turn in (-360.0, 0.0, 360.0):
        ra = outline[:, 0] + turn
        if ra.max() > 0.0 and ra.min() < 2 * MIDDLE:
            yield project(ra, outline[:, 1])


def project(ra: Array, dec: Array) -> Array:
    """Places in the drawing [n, 2] of positions in degrees; right ascension beyond 0 and 360 lies beyond the edges."""
    phi = np.radians(np.clip(dec, -90.0, 90.0))
    wanted = np.pi * np.sin(phi)
    angle = phi.copy()
    for _ in range(_STEPS):
        slope = 2.0 + 2.0 * np.cos(2.0 * angle)
        excess = 2.0 * angle + np.sin(2.0 * angle) - wanted
        step = np.divide(excess, slope, out=np.zeros_like(angle), where=slope > _FLAT)
        angle -= step
        if np.abs(step).max() < _EXACT:
            break
    x = (MIDDLE - ra) / 180.0 * np.cos(angle)
    return np.column_stack([WIDTH / 2 * (1.0 + x), HEIGHT / 2 * (1.0 - np.sin(angle))])


def _graticule() -> Iterator[Line]:
    along = np.linspace(-90.0, 90.0, 61)
    for hour in range(0, 24, 3):
        points = project(np.full_like(along, hour * 15.0), along)
        label = project(np.array([hour * 15.0]), np.array([0.0]))[0]
        yield Line(_write(points, closed=False), f"{hour}h" if hour else "", *_place(label, 0.0, 12.0), is_ra=True)
    across = np.linspace(0.0, 360.0, 73)
    for dec in range(-60, 61, 30):
        points = project(across, np.full_like(across, float(dec)))
        text = f"{dec:+d}\N{DEGREE SIGN}" if dec else "0\N{DEGREE SIGN}"
        yield Line(_write(points, closed=False), text, *_place(points[-1], 4.0, -3.0), is_ra=False)


def _place(point: Array, right: float, down: float) -> tuple[float, float]:
    return round(float(point[0]) + right, 1), round(float(point[1]) + down, 1)


def _write(points: Array, *, closed: bool = True) -> str:
    """A path in steps of a tenth of a unit, from point to point."""
    tenths = np.rint(points * 10.0).astype(int)
    steps = np.diff(tenths, axis=0).tolist()
    start = f"M{tenths[0, 0] / 10:g} {tenths[0, 1] / 10:g}"
    return start + "l" + " ".join(f"{x / 10:g} {y / 10:g}" for x, y in steps) + ("z" if closed else "")
