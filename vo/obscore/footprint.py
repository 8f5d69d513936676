"""Footprints: the outline of an exposure on the sky, and what pgSphere makes of it.

Facts about pgSphere 1.2.0 (spoly), found by trying and kept true by tests:

- a polygon of a hemisphere or more is refused only when a vertex lies exactly on the far edge; a ring of 90.1 degrees
  around a point is taken silently as the other side, without that point;
- crossing and touching edges are refused, and so is an arc of exactly 180 degrees;
- vertices nearer to each other than 1e-9 radians are merged silently; near 1e-6 degrees they spoil the area;
- three vertices on one great circle are accepted as an area of zero; points on a straight edge do no harm;
- fewer than 3 vertices, more than 1024, NaN and infinity are refused; a declination of 91 degrees is folded over
  the pole;
- the winding does not matter to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vo.pixels.edge import trace
from vo.pixels.frames import lonlat, unit
from vo.pixels.wcs import ImageWCS

Array = NDArray[np.float64]
Origin = Literal["solution", "nominal", "circle"]

#: Vertices nearer than this are one for all purposes, and pgSphere's areas suffer from them (degrees).
CLOSEST = 2e-6
#: Most vertices that pgSphere reads.
MOST_VERTICES = 1024
_CIRCLE_VERTICES = 48
#: Edges that turn back by less than this angle (radians) lie on each other.
_FOLDED = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Footprint:
    """A region on the sky: ICRS degrees throughout.

    ``vertices`` [n, 2] are ra and dec, counter-clockwise as seen from inside the sphere, not closed; ``centre`` lies
    inside; ``radius`` reaches from it to the farthest vertex; ``origin`` says what the outline rests on. ``written``
    has what :meth:`spoly` and :meth:`stc` give, where that was made of many footprints at once.
    """

    vertices: Array
    centre: tuple[float, float]
    radius: float
    origin: Origin
    written: tuple[str, str] | None = None

    def spoly(self) -> str:
        """The polygon as pgSphere reads it, in degrees: ``{(1d,2d),...}``."""
        return self.written[0] if self.written else _write(self.vertices[None])[0][0]

    def stc(self) -> str:
        """The polygon as ObsCore's s_region shows it: ``POLYGON ICRS ra dec ...`` (TAP 1.0 section 6, OBS-10)."""
        return self.written[1] if self.written else _write(self.vertices[None])[0][1]

    @property
    def fov(self) -> float:
        """The diameter of the enclosing circle around the centre, in degrees (ObsCore's s_fov)."""
        return 2.0 * self.radius

    @property
    def area(self) -> float:
        """The area in square degrees.

        The sum of the solid angles of the triangles between centre and edges (Van Oosterom & Strackee 1983, IEEE Trans.
        Biomed. Eng. 30, 125).
        """
        a = unit(*_split(self.centre))
        b = unit(self.vertices[:, 0], self.vertices[:, 1])
        c = np.roll(b, -1, axis=0)
        solid = 2.0 * np.arctan2(np.cross(b, c) @ a, 1.0 + b @ a + c @ a + (b * c).sum(axis=1))
        return float(abs(solid.sum()) * np.degrees(1.0) ** 2)

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.bool_]:
        """Whether positions lie inside, in the shape of the arguments.

        Counts crossings on the gnomonic plane around the centre, where great circles are straight: no database, no
        approximation. All vertices lie within 90 degrees of the centre (:func:`problem` sees to it).
        """
        lon, lat = np.broadcast_arrays(np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64))
        x, y, front = self._plane(unit(lon.ravel(), lat.ravel()))
        corner_x, corner_y, _ = self._plane(unit(self.vertices[:, 0], self.vertices[:, 1]))
        inside = np.zeros(x.shape, dtype=bool)
        for x1, y1, x2, y2 in zip(corner_x, corner_y, np.roll(corner_x, -1), np.roll(corner_y, -1), strict=True):
            if y1 == y2:
                continue
            spans = (y1 > y) != (y2 > y)
            inside ^= spans & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
        return np.asarray((inside & front).reshape(lon.shape))

    def _plane(self, vectors: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Gnomonic coordinates around the centre, east and north, and whether a direction lies in front."""
        east, north, out = _axes(self.centre)
        depth = vectors @ out
        front = depth > 0.0
        safe = np.where(front, depth, 1.0)
        return vectors @ east / safe, vectors @ north / safe, front


def from_solution(wcs: ImageWCS, tolerance: float) -> Footprint:
    """The outline of an image by its solution, within ``tolerance`` arcsec of the true edge."""
    vertices = trace(wcs, tolerance)
    return Footprint(vertices, wcs.centre, _reach(wcs.centre, vertices), "solution")


def nominal(ra: float, dec: float, width: float, height: float, rotation: float = 0.0) -> Footprint:
    """The outline of a flat plate of which only the pointing is known; all in degrees, see :func:`nominal_many`."""
    return nominal_many([ra], [dec], [width], [height], [rotation])[0]


def nominal_many(
    ra: ArrayLike, dec: ArrayLike, width: ArrayLike, height: ArrayLike, rotation: ArrayLike = 0.0
) -> list[Footprint]:
    """The outlines of many flat plates, one for each row of the arguments (broadcast together), in degrees.

    ``width`` and ``height`` are sizes in mm times the plate scale at the centre: a plate is flat, so a half of 35
    degrees reaches atan(35 pi / 180) = 31.4 degrees on the sky (gnomonic projection). ``rotation`` is the position
    angle of the plate's upper side, from north through east.
    """
    given = (np.asarray(value, dtype=np.float64).ravel() for value in (ra, dec, width, height, rotation))
    lon, lat, wide, high, angle = np.broadcast_arrays(*given)
    vectors = _corners(lon, lat, wide, high, np.radians(angle))
    vertices = np.stack(lonlat(vectors), axis=-1)
    # the four corners lie equally far from the centre
    radius = np.degrees(np.arctan(np.hypot(np.radians(wide), np.radians(high)) / 2.0))
    centres = zip((lon % 360.0).tolist(), lat.tolist(), strict=True)
    return [
        Footprint(own, centre, reach, "nominal", written)
        for own, centre, reach, written in zip(vertices, centres, radius.tolist(), _write(vertices), strict=True)
    ]


def _write(vertices: Array) -> list[tuple[str, str]]:
    """Both texts of many polygons of as many corners each, shape [polygons, corners, 2]."""
    count, corners = vertices.shape[:2]
    shown = np.round(vertices, 8)
    shown[..., 0] %= 360.0
    polygon = "{" + ",".join(["(%.12fd,%.12fd)"] * corners) + "}"
    words = "POLYGON ICRS" + " %.8f" * (2 * corners)
    exact, rounded = (values.reshape(count, -1).tolist() for values in (vertices, shown))
    return [(polygon % tuple(one), words % tuple(two)) for one, two in zip(exact, rounded, strict=True)]


def size_on_sky(millimetres: float, scale: float) -> float:
    """A plate's side in degrees at its centre, from mm and the plate scale in arcsec/mm."""
    return millimetres * scale / 3600.0


def circle(ra: float, dec: float, radius: float) -> Footprint:
    """A circle as a polygon of 48 vertices on it; degrees."""
    along = np.linspace(0.0, 2.0 * np.pi, _CIRCLE_VERTICES, endpoint=False)
    east, north, out = _axes((ra, dec))
    reach = np.radians(radius)
    rim = np.outer(np.cos(along), north) + np.outer(np.sin(along), east)  # from inside, east lies left of north
    vectors = np.cos(reach) * out + np.sin(reach) * rim
    return Footprint(np.stack(lonlat(vectors), axis=1), (ra % 360.0, dec), radius, "circle")


def problem(footprint: Footprint) -> str | None:
    """What pgSphere would refuse or get wrong about a footprint, None when it is sound."""
    vertices = footprint.vertices
    if not np.isfinite(vertices).all() or not np.isfinite(footprint.centre).all():
        return "a vertex or the centre is not a number"
    if np.abs(vertices[:, 1]).max() > 90.0:  # noqa: PLR2004  degrees
        return "a vertex lies beyond the pole (declination above 90 degrees)"
    if len(vertices) > MOST_VERTICES:
        return f"{len(vertices)} vertices; at most {MOST_VERTICES} can be stored: raise footprint_tolerance"
    if text := _coinciding(vertices):
        return text
    if footprint.radius >= 90.0:  # noqa: PLR2004  a hemisphere
        return f"it reaches {footprint.radius:.1f} degrees from its centre: a hemisphere or more is no polygon"
    return _bad_line(footprint)


def _coinciding(vertices: Array) -> str | None:
    vectors = unit(vertices[:, 0], vertices[:, 1])
    apart = np.degrees(np.linalg.norm(vectors - np.roll(vectors, -1, axis=0), axis=1))
    distinct = int((apart > CLOSEST).sum())
    if len(vertices) < 3 or distinct < 3:  # noqa: PLR2004  a triangle is the least
        return f"{min(distinct, len(vertices))} distinct vertices; a polygon needs three"
    if distinct < len(vertices):
        return f"two vertices in a row lie within {CLOSEST * 3600:.3f} arcsec of each other"
    return None


def _bad_line(footprint: Footprint) -> str | None:
    """Whether the line winds once around the centre, counter-clockwise, and never meets itself."""
    x, y, _ = footprint._plane(unit(footprint.vertices[:, 0], footprint.vertices[:, 1]))  # noqa: SLF001  same module
    points = np.stack([-x, y], axis=1)  # as seen from inside: east to the left
    turns = _turns(points)
    winding = round(float(turns.sum()) / (2.0 * np.pi))
    if winding == 1 and ((turns > 0.0) & (turns < np.pi - 1e-9)).all():
        return None  # every edge turns the same way around the centre: it cannot meet itself
    if _meets_itself(points):
        return "its outline crosses or touches itself"
    if winding == 0:
        return "its centre lies outside of its outline"
    return "its outline runs clockwise" if winding < 0 else None


def _turns(points: Array) -> Array:
    """The angle that each edge covers as seen from the centre."""
    following = np.roll(points, -1, axis=0)
    cross = points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]
    return np.asarray(np.arctan2(cross, (points * following).sum(axis=1)))


def _meets_itself(points: Array) -> bool:
    """Whether two edges that are no neighbours share a point, or neighbours fold back on each other."""
    count = len(points)
    a, b = points, np.roll(points, -1, axis=0)
    along = b - a
    fold = np.roll(along, -1, axis=0)
    cross = along[:, 0] * fold[:, 1] - along[:, 1] * fold[:, 0]
    back = (along * fold).sum(axis=1) < 0.0
    if bool((back & (np.abs(cross) <= _FOLDED * np.linalg.norm(along, axis=1) * np.linalg.norm(fold, axis=1))).any()):
        return True
    first, second = np.triu_indices(count, k=2)
    apart = ~((first == 0) & (second == count - 1))
    first, second = first[apart], second[apart]
    side = [_side(a[first], b[first], a[second]), _side(a[first], b[first], b[second])]
    other = [_side(a[second], b[second], a[first]), _side(a[second], b[second], b[first])]
    return bool(((side[0] * side[1] <= 0.0) & (other[0] * other[1] <= 0.0)).any())


def _side(start: Array, end: Array, point: Array) -> Array:
    """On which side of a line a point lies: -1, 0 or 1."""
    along, towards = end - start, point - start
    return np.sign(along[:, 0] * towards[:, 1] - along[:, 1] * towards[:, 0])


def _corners(ra: Array, dec: Array, width: Array, height: Array, angle: Array) -> Array:
    """The corners of flat plates as vectors [n, 4, 3], counter-clockwise as seen from inside."""
    right = np.array([1.0, 1.0, -1.0, -1.0]) * np.radians(width)[:, None] / 2.0
    up = np.array([-1.0, 1.0, 1.0, -1.0]) * np.radians(height)[:, None] / 2.0
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    xi, eta = up * sin - right * cos, up * cos + right * sin  # up at position angle 0 is north, right is west
    lon, lat = np.radians(ra), np.radians(dec)
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)], axis=-1)
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=-1)
    vectors = unit(ra, dec)[:, None] + xi[..., None] * east[:, None] + eta[..., None] * north[:, None]
    return np.asarray(vectors)


def _axes(centre: Sequence[float]) -> tuple[Array, Array, Array]:
    """East, north and outward at a position."""
    lon, lat = np.radians(centre)
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    return east, north, unit(*_split(centre))


def _split(position: Sequence[float]) -> tuple[Array, Array]:
    return np.asarray(position[0], dtype=np.float64), np.asarray(position[1], dtype=np.float64)


def _reach(centre: Sequence[float], vertices: Array) -> float:
    """The angle from the centre to the farthest vertex, in degrees."""
    out = unit(*_split(centre))
    vectors = unit(vertices[:, 0], vertices[:, 1])
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(vectors, out), axis=1), vectors @ out)).max())
