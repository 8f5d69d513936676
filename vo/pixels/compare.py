"""How far two solutions of one image differ on the sky."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vo.errors import UsageFault
from vo.pixels.frames import apart, direction, unit
from vo.pixels.wcs import ImageWCS

Array = NDArray[np.float64]

#: Pixels along each axis at which two solutions are compared: all four corners and the middle are among them.
GRID = 21
_ARCSEC = 3600.0


@dataclass(frozen=True, slots=True)
class Change:
    """From one solution of a grid of pixels to another.

    ``centre_shift`` and ``corner_shifts`` are the distances in arcsec between the two places of the image's middle, and
    of its corners (first pixel, then along x, y, and both); ``largest_shift`` and ``rms_shift`` those over a grid of
    pixels from corner to corner. ``rotation`` in degrees is by how much the second image is turned from north to east
    when its middle is moved along the great circle onto the first's, ``scale_ratio`` how many times as large its pixels
    are on the sky: both of the best similarity over the grid, None when one of the two is mirrored. NaN is a place that
    one of the solutions does not have.
    """

    centre_shift: float
    corner_shifts: tuple[float, float, float, float]
    largest_shift: float
    rms_shift: float
    rotation: float | None
    scale_ratio: float | None

    @property
    def largest_corner_shift(self) -> float:
        """Of the four corners, as far as they have places on the sky; NaN when none has."""
        known = [shift for shift in self.corner_shifts if np.isfinite(shift)]
        return max(known, default=float("nan"))


def compare(one: ImageWCS, two: ImageWCS) -> Change:
    """The change from ``one`` to ``two``; UsageFault when they are not of the same pixels."""
    if one.shape != two.shape:
        raise UsageFault(
            f"the solutions are for images of {one.shape[0]} x {one.shape[1]} and {two.shape[0]} x {two.shape[1]} "
            "pixels: there is no pixel at which they can be compared"
        )
    xs, ys = np.meshgrid(*(np.linspace(0.0, size - 1.0, GRID) for size in one.shape))
    first, second = unit(*one.to_sky(xs, ys)), unit(*two.to_sky(xs, ys))
    shifts = np.degrees(apart(first, second)) * _ARCSEC
    known = shifts[np.isfinite(shifts)]
    if not known.size:
        raise UsageFault("the solutions have no pixel in common that both put on the sky")
    middle = GRID // 2
    rotation, ratio = _similarity(one, two, first, second)
    return Change(
        float(shifts[middle, middle]),
        (float(shifts[0, 0]), float(shifts[0, -1]), float(shifts[-1, 0]), float(shifts[-1, -1])),
        float(known.max()),
        float(np.sqrt((known**2).mean())),
        rotation,
        ratio,
    )


def _similarity(one: ImageWCS, two: ImageWCS, first: Array, second: Array) -> tuple[float | None, float | None]:
    """Rotation (degrees, north to east) and ratio of the scales: least squares of places about the two middles."""
    if one.mirrored != two.mirrored:
        return None, None
    centre, other = direction(*one.centre), direction(*two.centre)
    moved = second @ _carry(other, centre).T
    ra, dec = np.radians(one.centre)
    east = np.array([-np.sin(ra), np.cos(ra), 0.0])
    north = np.array([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])
    a, b = (_flat(places, centre, east, north).ravel() for places in (first, moved))
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    factor = complex((a.conj() * b).sum() / (np.abs(a) ** 2).sum())
    return -float(np.degrees(np.angle(factor))), abs(factor)


def _carry(start: Array, end: Array) -> Array:
    """The rotation that brings one unit vector to another along the great circle between them."""
    axis = np.cross(start, end)
    cosine = float(start @ end)
    if cosine <= -1.0 + 1e-12:
        raise UsageFault("the solutions put the image on opposite places of the sky")
    cross = np.array([[0.0, -axis[2], axis[1]], [axis[2], 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
    turned: Array = np.eye(3) + cross + cross @ cross / (1.0 + cosine)
    return turned


def _flat(places: Array, centre: Array, east: Array, north: Array) -> NDArray[np.complex128]:
    """Places on the plane that touches the sky at the centre, as plates are: east + i north; NaN beyond 90 degrees."""
    depth = places @ centre
    depth = np.where(depth > 0.0, depth, np.nan)
    return np.asarray((places @ east + 1j * (places @ north)) / depth, dtype=np.complex128)
