"""Points in footprints by plain numpy: independent truth for what the service says.

For each edge it asks on which side a point lies and how far the edge turns seen from it (winding number on the sphere).
"""

from __future__ import annotations

import numpy as np

EDGE = 1e-6  # degrees; nearer than this to an edge, rounding decides


def unit(lon, lat):
    lon, lat = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def polygon(text):
    words = text.split()
    assert words[:2] == ["POLYGON", "ICRS"]
    numbers = np.array(words[2:], dtype=float).reshape(-1, 2)
    return unit(numbers[:, 0], numbers[:, 1])


def inside(points, corners):
    """Which points lie inside, and which too near to an edge to tell: two boolean arrays."""
    following = np.roll(corners, -1, axis=0)
    turned = np.zeros(len(points))
    near = np.zeros(len(points), dtype=bool)
    for a, b in zip(corners, following, strict=True):
        normal = np.cross(a, b)
        normal /= np.linalg.norm(normal)
        turned += np.arctan2(
            points @ np.cross(a, b),
            (a @ b) - (points @ a) * (points @ b),
        )
        along = points - np.outer(points @ normal, normal)
        between = (np.cross(np.broadcast_to(a, points.shape), along) @ normal > 0) & (
            np.cross(along, np.broadcast_to(b, points.shape)) @ normal > 0
        )
        near |= between & (np.abs(points @ normal) < np.radians(EDGE))
        near |= np.linalg.norm(points - a, axis=1) < np.radians(EDGE)
    centre = corners.sum(axis=0)
    here = points @ centre > 0  # the antipode of a polygon winds as well
    return (np.abs(turned) > np.pi) & here, near
