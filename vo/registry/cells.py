"""Which HEALPix cells footprints touch: exactly enough for coverage, for tens of thousands of footprints in seconds.

mocpy 0.21 (cdshealpix 0.9) makes MOCs of polygons, too, one at a time, 0.3 ms for one of 6 degrees,
and of large ones it may leave out cells that an edge passes through (one in 50 of 70 degrees and more; a test keeps
an example). So cells are divided here, for all footprints at once, and mocpy writes what comes out.

Pairs of a cell and a footprint go from order 0 downwards. A cell whose surrounding circle no edge meets lies outside
the footprint, and the pair is done, or inside it, and then the cell is done with all footprints. Elsewhere the cell is
divided. From :data:`ORDER` on a cell is known to be touched as soon as the centre of a part of it lies inside a
footprint; what is still undecided at :data:`_DEEPEST` counts as touched. So every footprint is covered, and a footprint
is never farther from a covered cell than a cell of order 9 reaches from its centre (0.12 degrees). Footprints of
whole archives lie over each other, so the more there are, the sooner cells are done: 25,000 of 60 degrees take 1.3 s
of a processor, 18,000 of 6.5 degrees 1.1 s, 520,000 of a century of patrols 2.2 s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
from cdshealpix.nested import healpix_to_lonlat
from numpy.typing import NDArray

from vo.pixels.frames import unit

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: The order of the cells asked for: clients compare coverage with circles of this order (VDS-05).
ORDER = 6
#: So many there are.
CELLS = 12 * 4**ORDER
_DEEPEST = 9
#: So many footprints are divided together.
_AT_ONCE = 4000
#: Corners of footprints that are looked at in one step; some 200 MB of memory.
_STEP = 300_000
#: Radians; rounding in what is compared, with room.
_ROUNDING = 1e-8


def touched(polygons: Iterable[Array]) -> Mask:
    """Which cells of :data:`ORDER` (nested numbering, ICRS) polygons touch, shape [:data:`CELLS`].

    Each polygon [corners, 2] is ra and dec in degrees, of great circles, counter-clockwise as seen from inside the
    sphere, smaller than a hemisphere, as :mod:`vo.obscore.footprint` makes them; it need not be convex.
    """
    found = np.zeros(CELLS, dtype=bool)
    by_corners: dict[int, list[Array]] = defaultdict(list)
    for polygon in polygons:
        by_corners[len(polygon)].append(polygon)
    for own in by_corners.values():
        stacked = np.stack(own)
        corners = unit(stacked[..., 0], stacked[..., 1])
        # what the first have covered the others need not be asked; neighbours in a list are neighbours on the sky
        parts = -(-len(corners) // _AT_ONCE)
        for first in range(parts):
            _divide(corners[first::parts], found)
    return found


def _divide(corners: Array, found: Mask) -> None:
    """Mark what polygons of equally many corners touch; unit vectors [polygons, corners, 3]."""
    count = len(corners)
    cell, polygon = np.repeat(np.arange(12), count), np.tile(np.arange(count), 12)
    for order in range(_DEEPEST + 1):
        open_ = ~_is_known(cell, order, found)
        cell, polygon = cell[open_], polygon[open_]
        is_inside, is_near = _compare(cell, polygon, order, corners)
        _mark(cell[is_inside & (~is_near | (order >= ORDER))], order, found)
        cell, polygon = cell[is_near], polygon[is_near]
        if order < _DEEPEST:
            cell = (4 * cell[:, None] + np.arange(4)).ravel()
            polygon = np.repeat(polygon, 4)
    _mark(cell, _DEEPEST, found)


def _is_known(cell: Whole, order: int, found: Mask) -> Mask:
    """Whether nothing is left to be found in cells."""
    if order > ORDER:
        return np.asarray(found[cell >> 2 * (order - ORDER)])
    is_full: Mask = np.all(found.reshape(-1, 4 ** (ORDER - order)), axis=1)
    return is_full[cell]


def _mark(cell: Whole, order: int, found: Mask) -> None:
    if order > ORDER:
        found[cell >> 2 * (order - ORDER)] = True
        return
    found.reshape(-1, 4 ** (ORDER - order))[cell] = True


def _compare(cell: Whole, polygon: Whole, order: int, corners: Array) -> tuple[Mask, Mask]:
    """Whether the centres of cells lie inside polygons, and whether the circle around a cell meets an edge."""
    is_inside, is_near = np.zeros(len(cell), dtype=bool), np.zeros(len(cell), dtype=bool)
    distinct, which = np.unique(cell, return_inverse=True)
    lon, lat = healpix_to_lonlat(distinct, order)
    centres = unit(lon.deg, lat.deg)
    # chords are compared: they grow with the angle, and need no arc functions
    reach = 2.0 * np.sin(_reach(order) / 2.0)
    for part in _parts(len(cell), corners.shape[1]):
        turned, apart = _winding(centres[which[part]], corners[polygon[part]])
        is_inside[part], is_near[part] = turned < -np.pi, apart <= reach
    return is_inside, is_near


def _parts(count: int, corners: int) -> Iterator[slice]:
    step = max(1, _STEP // corners)
    return (slice(start, start + step) for start in range(0, count, step))


def _winding(centre: Array, corners: Array) -> tuple[Array, Array]:
    """How far the outlines of polygons turn as seen from centres, radians, and the chord to the nearest edge.

    ``centre`` [pairs, 3], ``corners`` [pairs, corners, 3]. The angle is -2 pi inside (counter-clockwise from inside the
    sphere is clockwise from outside, where the axes are right-handed), and 2 pi around the antipodes.
    """
    following = np.roll(corners, -1, axis=1)
    pole = np.cross(corners, following)
    to_corner = np.einsum("pi,pci->pc", centre, corners)
    above = np.einsum("pi,pci->pc", centre, pole)
    cosine = np.einsum("pci,pci->pc", corners, following)
    to_next = np.roll(to_corner, -1, axis=1)
    turned = np.arctan2(above, cosine - to_corner * to_next).sum(axis=1)
    # the foot of the perpendicular lies on the edge when both ends are on their sides of it
    sine2 = np.einsum("pci,pci->pc", pole, pole)
    is_beside = (to_next > cosine * to_corner) & (to_corner > cosine * to_next) & (sine2 > 0.0)
    distance = np.abs(above) / np.sqrt(np.where(sine2 > 0.0, sine2, 1.0))
    circle = 2.0 - 2.0 * np.sqrt(np.clip(1.0 - distance**2, 0.0, 1.0))
    squared = np.where(is_beside, circle, 2.0 - 2.0 * to_corner)
    return turned, np.sqrt(np.clip(squared, 0.0, None).min(axis=1))


def _reach(order: int) -> float:
    """How far a cell of an order may reach from its centre, radians.

    The cell that reaches farthest is the one below the corner of a polar cap (Gorski et al. 2005, ApJ 622, 759,
    equations 4 to 10), as ``vo.cell_reach`` of schema/sql/140_moc.sql has it.
    """
    side = 2.0**order
    apart = unit(np.array([45.0 / side, 0.0]), np.degrees(np.arcsin([2.0 / 3.0, 1.0 - (1.0 - 1.0 / side) ** 2 / 3.0])))
    return float(np.arccos(np.clip(apart[0] @ apart[1], -1.0, 1.0))) + _ROUNDING
