"""Which pixels of an image show a shape on the sky: the smallest box around their overlap.

The overlap of shape and image is bounded by pieces of the shape's rim inside the image and pieces of the image's edge
inside the shape. So the box comes from the rim, followed through the solution onto pixels and clipped to the image, and
from the corners inside the shape. What cannot be followed backwards (the far side of a TAN) is not on the image; and a
grid of pixels looked up forwards, on the sky, catches whatever the way back may have missed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vo.dali.shapes import Circle, Polygon, Range, Shape
from vo.errors import UsageFault
from vo.pixels.frames import apart, direction, lonlat, unit
from vo.pixels.read import Box
from vo.pixels.wcs import ImageWCS

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Points on a rim at first, on each of its pieces, and the rounds of refinement near the image.
_FIRST, _ROUNDS = 64, 24
#: A piece of rim is fine when its middle lies this near to the chord, in pixels.
_STRAIGHT = 0.05
#: Forward look-ups along each axis.
_GRID = 33
_SLACK = 0.1
_TURN = 360.0
#: Points of a rim this many times farther away than the image reaches are not on it.
_CLOSE = 2.0


def find_box(wcs: ImageWCS, shape: Shape) -> Box | None:
    """The pixels that a shape (ICRS degrees) touches, None when it misses the image.

    The whole region within the image is inside; the box is at most a pixel or so larger on each side.
    """
    view = _view(wcs)
    inside = view.grid[contains(shape, view.ra, view.dec)]
    rims = [_clipped(_follow(wcs, rim, view), wcs.shape) for rim in _rims(shape)]
    points = np.concatenate([inside, *rims])
    if not len(points):
        return None
    low = np.floor(points.min(axis=0) - _SLACK + 0.5).astype(int)
    high = np.floor(points.max(axis=0) + _SLACK + 0.5).astype(int) + 1
    width, height = wcs.shape
    return Box(max(int(low[0]), 0), min(int(high[0]), width), max(int(low[1]), 0), min(int(high[1]), height))


def contains(shape: Shape, ra: Array, dec: Array) -> Flags:
    """Whether positions (ICRS degrees) lie in a shape, its rim included as far as numbers go; False for NaN."""
    known = np.isfinite(ra) & np.isfinite(dec)
    vectors = unit(np.where(known, ra, 0.0), np.where(known, dec, 0.0))
    match shape:
        case Circle():
            found = apart(vectors, direction(shape.ra, shape.dec)) <= np.radians(shape.radius)
        case Range():
            lon = ra % 360.0
            within = ((shape.lon_min <= lon) & (lon <= shape.lon_max)) | ((lon == 0.0) & (shape.lon_max == _TURN))
            found = within & (shape.lat_min <= dec) & (dec <= shape.lat_max)
        case Polygon():
            found = _in_polygon(vectors, unit(*(np.array(axis) for axis in zip(*shape.vertices, strict=True))))
    return np.asarray(found & known)


def _in_polygon(vectors: Array, corners: Array) -> Flags:
    """The smaller side of a closed line of arcs.

    An arc from a point known to lie outside crosses the line an odd number of times when it ends inside. Outside is the
    point opposite to the middle of the polygon when the corners lie on one half of the sky.
    """
    middle = _middle(corners)
    east, north = _tangents(middle)
    depth, at = vectors @ middle, corners @ middle
    front = depth > 0.0
    safe = np.where(front, depth, 1.0)
    x, y = vectors @ east / safe, vectors @ north / safe
    px, py = corners @ east / at, corners @ north / at
    inside = np.zeros(len(vectors), dtype=bool)
    for x1, y1, x2, y2 in zip(px, py, np.roll(px, -1), np.roll(py, -1), strict=True):
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return np.asarray(inside & front)


def _middle(corners: Array) -> Array:
    """A direction within 90 degrees of every corner; UsageFault when there is none (a polygon of a hemisphere)."""
    middle = corners.sum(axis=0)
    for _ in range(200):
        length = float(np.linalg.norm(middle))
        if length > 0.0 and float((corners @ middle).min()) > 1e-9 * length:
            return np.asarray(middle / length)
        middle = middle / (length or 1.0) + corners[int((corners @ middle).argmin())]  # the perceptron's step
    raise UsageFault("the polygon spans a hemisphere or more; ask for a smaller one")


Rim = Callable[[Array], Array]


def _rims(shape: Shape) -> list[tuple[Rim, Array]]:
    """The closed or open lines that bound a shape: directions as a function of a parameter, and its first values."""
    match shape:
        case Circle():
            out = direction(shape.ra, shape.dec)
            return [(_small_circle(out, math.radians(shape.radius)), np.linspace(0.0, 2.0 * np.pi, _FIRST + 1))]
        case Range():
            return _range_rims(shape)
        case Polygon():
            corners = unit(*(np.array(axis) for axis in zip(*shape.vertices, strict=True)))
            steps = np.linspace(0.0, 1.0, 9)
            return [(_arc(a, b), steps) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]


def _range_rims(shape: Range) -> list[tuple[Rim, Array]]:
    lon = np.linspace(shape.lon_min, shape.lon_max, _FIRST + 1)
    lat = np.linspace(shape.lat_min, shape.lat_max, _FIRST + 1)
    parallels = [(_parallel(at), lon) for at in (shape.lat_min, shape.lat_max)]
    meridians = [(_meridian(at), lat) for at in (shape.lon_min, shape.lon_max)]
    return [*parallels, *meridians]


def _parallel(lat: float) -> Rim:
    return lambda lon: unit(lon, np.full_like(lon, lat))


def _meridian(lon: float) -> Rim:
    return lambda lat: unit(np.full_like(lat, lon), lat)


def _small_circle(out: Array, radius: float) -> Rim:
    east, north = _tangents(out)

    def at(angle: Array) -> Array:
        rim = np.cos(angle)[:, None] * north + np.sin(angle)[:, None] * east
        return np.asarray(math.cos(radius) * out + math.sin(radius) * rim)

    return at


def _arc(start: Array, end: Array) -> Rim:
    """The great-circle arc between two directions."""
    angle = float(apart(start[None], end)[0])
    pole = np.cross(start, end)
    length = float(np.linalg.norm(pole))
    across = np.cross(pole / length, start) if length > 0.0 else np.zeros(3)

    def at(step: Array) -> Array:
        turned = step[:, None] * angle
        return np.asarray(np.cos(turned) * start + np.sin(turned) * across)

    return at


def _follow(wcs: ImageWCS, rim: tuple[Rim, Array], view: _View) -> Array:
    """A rim as a line of pixels [n, 2], fine near the image; NaN where it has no place on the image's plane."""
    line, steps = rim
    directions = line(steps)
    pixels = _pixels(wcs, directions)
    for _ in range(_ROUNDS):
        middles = (steps[:-1] + steps[1:]) / 2.0
        between = line(middles)
        half = apart(directions[:-1], directions[1:]) / 2.0
        near = apart(between, view.centre) < view.radius * 1.01 + half * 1.6 + 1e-9
        if not near.any():
            break
        found = np.full((len(middles), 2), np.nan)
        found[near] = _pixels(wcs, between[near])
        bend = np.abs(found - (pixels[:-1] + pixels[1:]) / 2.0).max(axis=1)
        coarse = near & ~((half < view.radius / 8.0) & (bend <= _STRAIGHT))
        coarse &= ~(np.isnan(found).any(axis=1) & (half < view.radius / 1e3))
        if not coarse.any():
            break
        at = np.flatnonzero(coarse) + 1
        steps = np.insert(steps, at, middles[coarse])
        directions = np.insert(directions, at, between[coarse], axis=0)
        pixels = np.insert(pixels, at, found[coarse], axis=0)
    # a straight line between pixels far outside may cross the image though the rim does not come near it
    pixels[apart(directions, view.centre) > view.radius * _CLOSE] = np.nan
    return pixels


def _clipped(line: Array, shape: tuple[int, int]) -> Array:
    """The ends of the pieces of a line of pixels that lie on the image (Liang & Barsky 1984, ACM TOG 3, 1)."""
    start, along = line[:-1], np.diff(line, axis=0)
    known = np.isfinite(start).all(axis=1) & np.isfinite(along).all(axis=1)
    start, along = start[known], along[known]
    enter, leave = np.zeros(len(start)), np.ones(len(start))
    low, high = np.array([-0.5, -0.5]), np.array(shape) - 0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        for axis in (0, 1):
            first, second = ((limit[axis] - start[:, axis]) / along[:, axis] for limit in (low, high))
            still = along[:, axis] == 0.0
            off = still & ((start[:, axis] < low[axis]) | (start[:, axis] > high[axis]))
            first[still], second[still] = 0.0, 1.0
            enter = np.maximum(enter, np.minimum(first, second))
            leave = np.where(off, -1.0, np.minimum(leave, np.maximum(first, second)))
    on = enter <= leave
    pieces = [start[on] + at[on, None] * along[on] for at in (enter, leave)]
    return np.concatenate(pieces)


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """An image from afar: the direction of its middle, its reach in radians, a grid of pixels and where they lie."""

    centre: Array
    radius: float
    grid: Array
    ra: Array
    dec: Array


@lru_cache(maxsize=64)
def _view(wcs: ImageWCS) -> _View:
    xs, ys = (np.linspace(-0.5, size - 0.5, _GRID) for size in wcs.shape)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(xs, ys)], axis=1)
    ra, dec = wcs.to_sky(grid[:, 0], grid[:, 1])
    centre = direction(*wcs.centre)
    return _View(centre, float(np.nanmax(apart(unit(ra, dec), centre))), grid, ra, dec)


def _pixels(wcs: ImageWCS, directions: Array) -> Array:
    return np.stack(wcs.to_pixel(*lonlat(directions)), axis=1)


def _tangents(out: Array) -> tuple[Array, Array]:
    """Two directions at right angles to one and each other."""
    helper = np.array([0.0, 0.0, 1.0]) if abs(out[2]) < 0.9 else np.array([1.0, 0.0, 0.0])  # noqa: PLR2004  not parallel
    east = np.cross(helper, out)
    east /= np.linalg.norm(east)
    return east, np.cross(out, east)
