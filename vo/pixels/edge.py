"""The outline of an image on the sky."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vo.errors import UsageFault
from vo.pixels.frames import lonlat, unit
from vo.pixels.wcs import ImageWCS

Array = NDArray[np.float64]

#: Points looked at on each side at first; its divisors are the numbers of arcs tried.
_SAMPLES = 96
_ARCS = (1, 2, 3, 4, 6, 8, 12, 16, 24)
#: The samples are doubled this often before an edge counts as having no outline.
_DOUBLINGS = 6


def trace(wcs: ImageWCS, tolerance_arcsec: float) -> Array:
    """The outline of an image: vertices [n, 2], ICRS ra and dec in degrees, not closed.

    The corners (outer edges of the corner pixels) and between them as many points of the true edge as it takes to keep
    every arc of a great circle within ``tolerance_arcsec`` of it. Counter-clockwise as seen from inside the sphere
    (DALI 1.1, section 3.3.7), whether or not the image is mirrored. UsageFault when an edge leaves the sky.
    """
    vertices = np.concatenate(
        [_side(points, arcs) for points, arcs in _sides(wcs, np.radians(tolerance_arcsec / 3600.0))]
    )
    centre = unit(*(np.asarray(value) for value in wcs.centre))
    following = np.roll(vertices, -1, axis=0)
    if float(np.cross(vertices, following).sum(axis=0) @ centre) > 0.0:  # clockwise as seen from inside
        vertices = vertices[::-1]
    return np.stack(lonlat(vertices), axis=1)


def _sides(wcs: ImageWCS, tolerance: float) -> list[tuple[Array, int]]:
    """Each side's sampled points (unit vectors) and the number of arcs that is enough for it."""
    for doubling in range(_DOUBLINGS):
        sampled = _sample(wcs, _SAMPLES << doubling)
        arcs = [_enough(points, doubling, tolerance) for points in sampled]
        if all(arcs):
            return list(zip(sampled, arcs, strict=True))
    raise UsageFault(
        f"the edge of the image is too crooked: no outline follows it within {np.degrees(tolerance) * 3600.0:g} arcsec"
    )


def _sample(wcs: ImageWCS, count: int) -> list[Array]:
    """Points on the four sides, both corners included, in pixel order."""
    along = np.linspace(0.0, 1.0, count + 1)
    right, top = wcs.shape[0] - 0.5, wcs.shape[1] - 0.5
    corners = np.array([[-0.5, -0.5], [right, -0.5], [right, top], [-0.5, top], [-0.5, -0.5]])
    pixels = corners[:-1, None] + along[:, None] * np.diff(corners, axis=0)[:, None]
    ra, dec = wcs.to_sky(pixels[..., 0], pixels[..., 1])
    if not np.isfinite(dec).all():
        raise UsageFault("an edge of the image has no place on the sky; the coordinate system does not reach that far")
    return list(unit(ra, dec))


def _enough(points: Array, doubling: int, tolerance: float) -> int:
    """The smallest number of arcs that keeps to the sampled points; 0 when that needs more samples."""
    count = len(points) - 1
    for arcs in (base << doubling for base in _ARCS):
        if arcs > 1 and doubling and arcs < _ARCS[0] << doubling:
            continue
        if _deviation(points, arcs, count) <= 0.9 * tolerance:
            return arcs
    return 0


def _deviation(points: Array, arcs: int, count: int) -> float:
    """How far the samples lie from the great circles through every ``count / arcs``-th of them, in radians."""
    step = count // arcs
    ends = points[::step]
    poles = np.cross(ends[:-1], ends[1:])
    length = np.linalg.norm(poles, axis=1, keepdims=True)
    poles = np.divide(poles, length, out=np.zeros_like(poles), where=length > 0.0)
    inside = points[:-1].reshape(arcs, step, 3)
    return float(np.abs(np.einsum("ask,ak->as", inside, poles)).max())


def _side(points: Array, arcs: int) -> Array:
    """The vertices of one side without its last corner, which begins the next."""
    return points[: -1 : (len(points) - 1) // arcs]
