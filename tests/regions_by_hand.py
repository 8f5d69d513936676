"""Which positions lie in a spherical polygon, told without the project's own geometry."""

from __future__ import annotations

import numpy as np


def in_polygon(vertices: tuple[tuple[float, float], ...], ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """By the angles under which the sides are seen: around a point inside they add up to a whole turn."""
    corners = _unit(*(np.array(axis) for axis in zip(*vertices, strict=True)))
    places = _unit(np.asarray(ra), np.asarray(dec))
    turn = np.zeros(places.shape[:-1])
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        # the corners as seen from each place: their directions along its tangent plane
        a = start - (places @ start)[..., None] * places
        b = end - (places @ end)[..., None] * places
        turn += np.arctan2((np.cross(a, b) * places).sum(axis=-1), (a * b).sum(axis=-1))
    return np.abs(turn) > np.pi


def _unit(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    a, d = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)
