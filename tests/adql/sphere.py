"""Spherical geometry by numpy alone: an independent judge of what the database answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def unit(lon: float | Array, lat: float | Array) -> Array:
    """Unit vectors of positions in degrees; shape (..., 3)."""
    a, b = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)], -1)


def lon_lat(vectors: Array) -> tuple[Array, Array]:
    return (
        np.degrees(np.arctan2(vectors[..., 1], vectors[..., 0])) % 360,
        np.degrees(np.arcsin(np.clip(vectors[..., 2], -1, 1))),
    )


def separation(a: Array, b: Array) -> Array:
    """Angles in degrees."""
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))


def around(centre: Array, radius: float, angles: Array) -> Array:
    """Points at a distance in degrees from a centre, at these position angles in radians."""
    east = np.cross([0.3, 0.2, 1.0], centre)
    east /= np.linalg.norm(east)
    north = np.cross(centre, east)
    r = np.radians(radius)
    turned = np.cos(angles)[:, None] * east + np.sin(angles)[:, None] * north
    return np.cos(r) * centre + np.sin(r) * turned


def inside(vertices: Array, points: Array) -> NDArray[np.bool_]:
    """Which points lie in a polygon that fits a hemisphere: gnomonic projection and the even-odd rule."""
    centre = vertices.mean(0)
    centre /= np.linalg.norm(centre)
    east = np.cross([0.3, 0.2, 1.0], centre)
    east /= np.linalg.norm(east)
    north = np.cross(centre, east)
    front = points @ centre > 1e-9
    depth = np.where(front, points @ centre, 1.0)
    x, y = points @ east / depth, points @ north / depth
    corner_x, corner_y = vertices @ east / (vertices @ centre), vertices @ north / (vertices @ centre)
    odd = np.zeros(len(points), bool)
    for i in range(len(vertices)):
        x1, y1, x2, y2 = corner_x[i - 1], corner_y[i - 1], corner_x[i], corner_y[i]
        if y1 == y2:
            continue
        odd ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return odd & front


def edge_points(vertices: Array, count: int = 120) -> Array:
    """Points along the polygon's edges."""
    t = np.linspace(0, 1, count)[:, None]
    edges = []
    for i in range(len(vertices)):
        a, b = vertices[i - 1], vertices[i]
        chord = (1 - t) * a + t * b
        edges.append(chord / np.linalg.norm(chord, axis=1)[:, None])
    return np.concatenate(edges)


def in_range(lon_min: float, lon_max: float, lat_min: float, lat_max: float, points: Array) -> NDArray[np.bool_]:
    """Which points lie between two meridians, going east, and two parallels."""
    lon, lat = lon_lat(points)
    width = 360.0 if abs(lon_max - lon_min) >= 360 else (lon_max - lon_min) % 360
    return ((lon - lon_min) % 360 <= width) & (lat >= lat_min) & (lat <= lat_max)


def range_edge(lon_min: float, lon_max: float, lat_min: float, lat_max: float, count: int = 300) -> Array:
    """Points along the sides of such a range."""
    width = 360.0 if abs(lon_max - lon_min) >= 360 else (lon_max - lon_min) % 360
    lon, lat = lon_min + np.linspace(0, width, count), np.linspace(lat_min, lat_max, count)
    sides = [unit(lon, np.full(count, lat_min)), unit(lon, np.full(count, lat_max))]
    sides += [unit(np.full(count, lon_min), lat), unit(np.full(count, lon_min + width), lat)]
    return np.concatenate(sides)


def spoly(vertices: Array) -> str:
    """The polygon as pgSphere reads it."""
    lon, lat = lon_lat(vertices)
    pairs = zip(np.radians(lon).tolist(), np.radians(lat).tolist(), strict=True)
    return "{" + ",".join(f"({a!r},{b!r})" for a, b in pairs) + "}"


# Many cases at once: polygons are arrays (cases, vertices, 3), points and centres (cases, 3), radii (cases,).


def _dot(a: Array, b: Array) -> Array:
    return (a * b).sum(-1)


def normalised(vectors: Array) -> Array:
    """Vectors as unit vectors."""
    return vectors / np.linalg.norm(vectors, axis=-1)[..., None]


def directed(centres: Array, radii: Array, angles: Array) -> Array:
    """One point per case, at a distance in degrees from its centre and a position angle in radians."""
    east = normalised(np.cross([0.3, 0.2, 1.0], centres))
    north = np.cross(centres, east)
    turned = np.cos(angles)[:, None] * east + np.sin(angles)[:, None] * north
    r = np.radians(radii)[:, None]
    return np.cos(r) * centres + np.sin(r) * turned


def all_inside(polygons: Array, centres: Array, points: Array) -> NDArray[np.bool_]:
    """Whether each case's point lies in its polygon; all vertices are nearer than 90 degrees to the case's centre."""
    east = normalised(np.cross([0.3, 0.2, 1.0], centres))
    north = np.cross(centres, east)
    depth = _dot(points, centres)
    front = depth > 1e-12
    depth = np.where(front, depth, 1.0)
    x, y = _dot(points, east) / depth, _dot(points, north) / depth
    depths = _dot(polygons, centres[:, None])
    corner_x, corner_y = _dot(polygons, east[:, None]) / depths, _dot(polygons, north[:, None]) / depths
    odd = np.zeros(len(points), bool)
    for i in range(polygons.shape[1]):
        x1, y1, x2, y2 = corner_x[:, i - 1], corner_y[:, i - 1], corner_x[:, i], corner_y[:, i]
        height = np.where(y1 == y2, 1.0, y2 - y1)
        odd ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / height + x1)
    return odd & front


def edge_distances(polygons: Array, points: Array) -> Array:
    """How far, in degrees, each case's point is from the nearest edge of its polygon."""
    best = np.full(len(points), 360.0)
    for i in range(polygons.shape[1]):
        a, b = polygons[:, i - 1], polygons[:, i]
        pole = normalised(np.cross(a, b))
        beside = (_dot(np.cross(pole, a), points) >= 0) & (_dot(np.cross(b, pole), points) >= 0)
        height = np.abs(90 - separation(pole, points))
        best = np.minimum(best, np.where(beside, height, np.minimum(separation(a, points), separation(b, points))))
    return best


def edges_cross(first: Array, second: Array) -> NDArray[np.bool_]:
    """Whether any edges of two polygons cross."""
    found = np.zeros(len(first), bool)
    for i in range(first.shape[1]):
        for k in range(second.shape[1]):
            a, b, c, d = first[:, i - 1], first[:, i], second[:, k - 1], second[:, k]
            ab, cd = np.cross(a, b), np.cross(c, d)
            sides = np.sign([_dot(ab, c), _dot(ab, d), -_dot(cd, a), -_dot(cd, b)])
            found |= (sides[0] == -sides[1]) & (sides[2] == -sides[3]) & (sides[0] == sides[2])
    return found
