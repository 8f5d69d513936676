"""10,000 points against every footprint: TAP's answer equals a plain numpy one.

The brute force (tests/footprints_by_hand.py) shares nothing with the service: it reads the footprints as a client gets
them.
"""

from __future__ import annotations

import numpy as np
import pytest
import pyvo
from footprints_by_hand import inside, polygon, unit

POINTS_PER_QUERY = 50


def sky(rng):
    """Points over the whole sky, many of them where geometry goes wrong: poles and RA 0."""
    lon = rng.uniform(0, 360, 10_000)
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, 10_000)))
    lat[:1000] = 90 - rng.exponential(3, 1000).clip(0, 20)
    lat[1000:2000] = -90 + rng.exponential(3, 1000).clip(0, 20)
    lon[2000:4000] = rng.normal(0, 2, 2000) % 360
    lon[:4], lat[:4] = [0, 0, 359.9999999, 12.5], [90, -90, 0, 90]
    return lon, lat


@pytest.mark.parametrize("seed", [1941])
def test_points_in_footprints_equal_brute_force(server, seed):
    service = pyvo.dal.TAPService(f"{server.url}/tap")
    table = service.search(
        "SELECT obs_publisher_did, s_region FROM ivoa.obscore WHERE s_region IS NOT NULL", maxrec=1_000_000
    ).to_table()
    names = [str(name) for name in table["obs_publisher_did"]]
    assert len(names) > 1000
    lon, lat = sky(np.random.default_rng(seed))
    points = unit(lon, lat)
    expected, unsure = set(), set()
    for name, region in zip(names, table["s_region"], strict=True):
        corners = polygon(str(region))
        centre = corners.sum(axis=0)
        centre /= np.linalg.norm(centre)
        reach = np.min(corners @ centre) - 1e-9
        candidates = np.flatnonzero(points @ centre >= reach)
        hit, near = inside(points[candidates], corners)
        expected |= {(int(i), name) for i in candidates[hit]}
        unsure |= {(int(i), name) for i in candidates[near]}
    answered = set()
    for start in range(0, len(lon), POINTS_PER_QUERY):
        some = range(start, min(start + POINTS_PER_QUERY, len(lon)))
        contains = [f"CONTAINS(POINT({float(lon[i])!r}, {float(lat[i])!r}), s_region)" for i in some]
        shown = ", ".join(f"{term} AS hit{i}" for i, term in zip(some, contains, strict=True))
        asked = " OR ".join(f"1 = {term}" for term in contains)
        query = f"SELECT obs_publisher_did, {shown} FROM ivoa.obscore WHERE {asked}"
        found = service.search(query, maxrec=1_000_000).to_table()
        for i in some:
            column = np.asarray(found[f"hit{i}"]) == 1
            answered |= {(i, str(name)) for name in found["obs_publisher_did"][column]}
    assert len(expected) > 10_000
    assert (answered ^ expected) - unsure == set()


def test_brute_force_knows_a_polar_cap():
    corners = unit(np.array([0.0, 90.0, 180.0, 270.0]), np.full(4, 80.0))
    points = unit(np.array([10.0, 200.0, 45.0, 0.0]), np.array([89.0, 85.0, 79.0, -90.0]))
    hit, near = inside(points, corners)
    assert hit.tolist() == [True, True, False, False]
    assert not near.any()
