"""Coverage of whole archives against their footprints, all exposures of them, by points that are counted one by one.

Three things make sure that a MOC holds every footprint and exceeds their union by less than a ring of cells: every edge
lies in it, point by point; no cell beside it has its centre in a footprint (what lies in a footprint and not in the MOC
would reach from its edge to such a cell); every cell of it touches one that an edge goes through, or whose centre lies
in a footprint.
"""

from __future__ import annotations

import footprints_by_hand as hand
import numpy as np
import pytest
import realdata
from astropy import units as u
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import healpix_to_lonlat, lonlat_to_healpix, neighbours
from mocpy import MOC

from vo.registry.coverage import read_coverage

pytestmark = pytest.mark.timeout(600)

#: Degrees between points of an edge.
STEP = 0.4
_BLOCK = 2000


@pytest.fixture(scope="module")
def archive(real_database):
    return real_database()


def read(connection, collection):
    """The corners of all footprints, by their number, as unit vectors [n, corners, 3]; and the numbers of exposures."""
    rows = connection.execute(f"SELECT s_region_text FROM {collection}.plates").fetchall()
    by_corners: dict[int, list] = {}
    for (text,) in rows:
        if text is not None:
            numbers = np.array(text.split()[2:], dtype=float).reshape(-1, 2)
            by_corners.setdefault(len(numbers), []).append(numbers)
    shapes = [np.array(own) for own in by_corners.values()]
    return [hand.unit(own[..., 0], own[..., 1]) for own in shapes], len(rows)


def cells_of(points):
    lon, lat = np.arctan2(points[..., 1], points[..., 0]), np.arcsin(np.clip(points[..., 2], -1, 1))
    cells = lonlat_to_healpix(Longitude(lon.ravel(), u.rad, wrap_angle=360 * u.deg), Latitude(lat.ravel(), u.rad), 6)
    return np.unique(cells.astype(int))


def edge_cells(corners):
    """The cells of order 6 that points of edges lie in."""
    following = np.roll(corners, -1, axis=1)
    longest = np.degrees(np.arccos(np.clip((corners * following).sum(axis=-1), -1, 1))).max()
    along = np.linspace(0, 1, int(longest / STEP * 1.5) + 2)[:, None]
    found = [np.empty(0, dtype=int)]
    parts = len(corners) // 200 + 1
    for one, two in zip(np.array_split(corners, parts), np.array_split(following, parts), strict=True):
        points = one[:, :, None] * (1 - along) + two[:, :, None] * along
        found.append(cells_of(points / np.linalg.norm(points, axis=-1, keepdims=True)))
    return np.unique(np.concatenate(found))


def centres_inside(cells, shapes):
    """Which of the cells have their centres in any of the convex footprints: on one side of all edges."""
    lon, lat = healpix_to_lonlat(cells.astype(np.uint64), 6)
    points = hand.unit(lon.deg, lat.deg)
    found = np.zeros(len(cells), dtype=bool)
    for corners in shapes:
        poles = np.cross(corners, np.roll(corners, -1, axis=1))
        signs = np.sign((poles * corners.mean(axis=1, keepdims=True)).sum(axis=-1))
        assert (signs == signs[:, :1]).all(), "these are convex"
        for block in np.array_split(poles * signs[..., None], len(poles) // _BLOCK + 1):
            left = np.flatnonzero(~found)
            inside = np.ones((len(left), len(block)), dtype=bool)
            for corner in range(block.shape[1]):
                inside &= points[left] @ block[:, corner].T > 1e-9
            found[left[inside.any(axis=1)]] = True
    return found


def ring_around(cells):
    around = neighbours(cells.astype(np.uint64), 6)
    return np.union1d(cells, around[around >= 0].astype(int))


def check(connection, collection, exposures=None):
    shapes, count = read(connection, collection)
    assert exposures in (None, count)
    text = read_coverage(connection, collection).spatial
    covered = MOC.from_string(text, "ascii").to_order(6).flatten().astype(int)
    edges = np.unique(np.concatenate([edge_cells(own) for own in shapes]))
    assert not np.setdiff1d(edges, covered).size
    beside = np.setdiff1d(ring_around(covered), covered)
    assert not centres_inside(beside, shapes).any()
    rest = np.setdiff1d(covered, ring_around(edges))
    assert centres_inside(rest, shapes).all(), "no cell lies farther than its neighbour from a footprint"


@pytest.mark.parametrize(
    ("collection", "exposures"), [(name, count) for name, (_, count) in realdata.CATALOGUES.items()]
)
def test_coverage_of_a_real_archive(archive, collection, exposures):
    with archive.read() as connection:
        check(connection, collection, exposures)


def test_coverage_of_the_demo(server):
    with server.database.read() as connection:
        check(connection, "demo")


@pytest.mark.parametrize(("collection", "table"), [("demo", "demo.plates"), (None, "ivoa.obscore")])
def test_times_and_energies_of_all_exposures_are_covered(server, collection, table):
    with server.database.read() as connection:
        found = read_coverage(connection, collection)
        rows = connection.execute(f"SELECT t_min, t_max, em_min, em_max FROM {table}").fetchall()
    for begin, end, shortest, longest in rows:
        assert begin is None or any(low < begin <= end < high for low, high in found.temporal)
        if shortest is not None:
            least, most = 1.98644586e-25 / longest, 1.98644586e-25 / shortest
            assert any(low < least <= most < high for low, high in found.spectral)
