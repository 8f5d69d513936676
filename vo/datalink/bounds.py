"""The part of the sky that cutouts can cover, made from the footprints that searches use."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vo.db.archive import Outline
from vo.pixels.frames import apart, lonlat, unit
from vo.tables.descriptor import Bounds

#: Beyond this radius the farthest point of an outline need not be one of its vertices.
_HALF_SKY = 90.0


def bounds_of(outlines: Sequence[Outline]) -> Bounds | None:
    """What cutouts of these exposures can cover: a circle around all outlines, and the outline where there is but one.

    Exposures may lie anywhere on the sky, so that no single polygon covers several of them and little else. None when
    no footprint is known, or when the circle would have a radius of 90 degrees or more.
    """
    if not outlines:
        return None
    if len(outlines) == 1:
        (one,) = outlines
        return Bounds((one.ra, one.dec, one.fov / 2), parse_region(one.region))
    circle = _cover([vertex for one in outlines for vertex in parse_region(one.region)])
    return None if circle is None else Bounds(circle)


def parse_region(text: str) -> tuple[tuple[float, float], ...]:
    """The vertices (degrees) of ``POLYGON ICRS lon lat lon lat ...``."""
    numbers = [float(word) for word in text.split() if word[0] in "+-.0123456789"]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _cover(vertices: Sequence[tuple[float, float]]) -> tuple[float, float, float] | None:
    """A circle around points, and so around the great circles between them; None when there is no small one."""
    vectors = unit(*np.array(vertices, dtype=np.float64).T)
    middle = vectors.mean(axis=0)
    length = float(np.linalg.norm(middle))
    if length < 1e-6:  # noqa: PLR2004 - points all around the sky have no middle
        return None
    middle /= length
    radius = math.degrees(float(apart(vectors, middle).max()))
    if radius >= _HALF_SKY:
        return None
    ra, dec = lonlat(middle)
    # A nanodegree more, for what rounding takes.
    return float(ra), float(dec), radius + 1e-9
