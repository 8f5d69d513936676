"""Coverage against points of footprints, counted by themselves; merging and writing against plain rules."""

from __future__ import annotations

import itertools

import footprints_by_hand as hand
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import healpix_to_lonlat, lonlat_to_healpix, neighbours
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mocpy import MOC

from vo.obscore import footprint
from vo.registry import coverage
from vo.registry.cells import CELLS, touched

#: A grid over the whole sky: 4 points in each cell of order 6.
_FINE = np.arange(CELLS * 4)
_LON, _LAT = healpix_to_lonlat(_FINE, 7)
_POINTS = hand.unit(_LON.deg, _LAT.deg)


def cells_of(vectors) -> np.ndarray:
    """The cells of order 6 that points lie in."""
    lon, lat = np.arctan2(vectors[:, 1], vectors[:, 0]), np.arcsin(np.clip(vectors[:, 2], -1, 1))
    return np.unique(
        lonlat_to_healpix(Longitude(lon, u.rad, wrap_angle=360 * u.deg), Latitude(lat, u.rad), 6).astype(int)
    )


def outline(corners, step: float):
    """Points of the edges, ends included, no farther apart than ``step`` degrees."""
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        count = int(np.degrees(np.arccos(np.clip(a @ b, -1, 1))) / step * 1.5) + 2
        along = np.linspace(0, 1, count)[:, None]
        points = a * (1 - along) + b * along
        yield points / np.linalg.norm(points, axis=1)[:, None]


def cells_by_hand(polygon, step: float = 0.01) -> np.ndarray:
    """Cells that points of the edges, or of a grid over its inside, lie in."""
    corners = hand.unit(polygon[:, 0], polygon[:, 1])
    inside = np.zeros(len(_FINE), dtype=bool)
    middle = corners.sum(axis=0) / np.linalg.norm(corners.sum(axis=0))
    near = _POINTS @ middle >= min(1, (corners @ middle).min()) - 0.1
    inside[near], _ = hand.inside(_POINTS[near], corners)
    return np.union1d(cells_of(np.concatenate(list(outline(corners, step)))), np.unique(_FINE[inside] >> 2))


def ring_around(cells) -> np.ndarray:
    """These cells and those that touch one of them."""
    around = neighbours(cells.astype(np.uint64), 6)
    return np.unique(around[around >= 0])


def star(seed: int, radius: float, corners: int, ra: float, dec: float):
    """An outline that goes in and out."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = np.radians(radius * rng.uniform(0.3, 1, corners))
    lon, lat = np.radians([ra, dec])
    east = np.array([-np.sin(lon), np.cos(lon), 0])
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    rim = np.outer(np.cos(angles), north) + np.outer(np.sin(angles), east)
    vectors = np.cos(reach)[:, None] * hand.unit(ra, dec) + np.sin(reach)[:, None] * rim
    return np.stack([np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])), np.degrees(np.arcsin(vectors[:, 2]))], 1)


SHAPES = {
    "at the north pole": footprint.nominal(10, 90, 6, 8).vertices,
    "beside the south pole": footprint.nominal(200, -87, 10, 10, 30).vertices,
    "with a corner on the pole": np.array([[0.0, 90.0], [20.0, 80.0], [300.0, 80.0]]),
    "at RA 0": footprint.nominal(0, 20, 5, 5).vertices,
    "along the equator": footprint.nominal(359, 0, 5, 5).vertices,
    "where cells change their shape": footprint.nominal(45, 41.8103148958, 8, 8, 45).vertices,
    "smaller than a cell": footprint.nominal(83.6, 22.0, 0.01, 0.02).vertices,
    "70 degrees wide": footprint.nominal(126.34, 4.49, 70, 70, 17).vertices,
    "70 degrees wide, over the pole": footprint.nominal(300, 70, 70, 70).vertices,
    "150 degrees wide": footprint.nominal(17.02, 30.8, 150, 150, 40).vertices,
    "a circle": footprint.circle(270, -66, 3).vertices,
    "in and out": star(1, 20, 24, 350, 50),
    "in and out, over the pole": star(2, 40, 14, 0, -80),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_cells_are_those_that_a_footprint_touches(shape):
    found, expected = np.flatnonzero(touched([shape])), cells_by_hand(shape)
    assert set(expected) <= set(found)
    assert set(found) <= set(ring_around(expected))
    # what is too many lies beside the edge: a cell more for every three degrees of it, not a ring
    assert len(found) - len(expected) <= 2 + len(expected) ** 0.5


@given(
    st.floats(0, 360),
    st.floats(-90, 90),
    st.floats(0.01, 100),
    st.floats(0.01, 100),
    st.floats(0, 360),
)
@settings(max_examples=20, deadline=None)
@example(126.33993678169523, 4.489783682580601, 70, 70, 0)
def test_any_rectangle_is_covered(ra, dec, width, height, rotation):
    shape = footprint.nominal(ra, dec, width, height, rotation).vertices
    expected = cells_by_hand(shape, 0.05)
    found = np.flatnonzero(touched([shape]))
    assert set(expected) <= set(found)
    assert set(found) <= set(ring_around(expected))


def test_many_footprints_cover_what_each_of_them_covers():
    rng = np.random.default_rng(7)
    shapes = [footprint.nominal(*rng.uniform([0, -90, 1, 1], [360, 90, 60, 60])).vertices for _ in range(40)]
    shapes += [star(seed, 10, 9, seed * 30, seed * 5) for seed in range(12)]
    together = touched(shapes)
    assert (together == np.logical_or.reduce([touched([one]) for one in shapes])).all()


def test_a_position_without_a_footprint_covers_its_cell():
    (cell,) = cells_of(hand.unit(np.array([83.6]), np.array([22.0])))
    assert coverage.spatial_text([], np.array([[0.1, 90.0], [83.6, 22.0]])) == f"6/4095 {cell}"


def test_the_whole_sky_is_written_as_such():
    assert coverage.write_cells(np.arange(CELLS)) == "0/0-11 6/"


@given(st.sets(st.integers(0, 200) | st.integers(0, CELLS - 1), min_size=1))
@settings(deadline=None)
def test_cells_are_written_as_a_normalised_moc(cells):
    """STANDARDS 17.3, VDS-05: orders and cells ascend, no four siblings, blanks, the order at the end."""
    text = coverage.write_cells(np.array(sorted(cells)))
    assert set(MOC.from_string(text, "ascii").to_order(6).flatten()) == cells
    parts = [part.split("/") for part in text.replace(" ", "\n").split("\n") if "/" in part]
    orders = [int(order) for order, _ in parts]
    assert orders == sorted(set(orders))
    assert orders[-1] == 6
    assert not set(text) - set("0123456789/- ")
    assert text == " ".join(text.split())


_LOWS = st.floats(1e3, 6e4)
_SPANS = st.tuples(_LOWS, st.floats(0, 5e3)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(_SPANS, max_size=80), st.sampled_from([0.0, 10.0, 365.25]))
def test_merged_intervals_hold_all_and_keep_the_largest_gaps(spans, gap):
    merged = list(coverage.merge(spans, gap))
    assert len(merged) <= coverage.MOST_INTERVALS
    assert all(any(low <= one and two <= high for low, high in merged) for one, two in spans)
    ends = {end for span in spans for end in span}
    assert {end for span in merged for end in span} <= ends
    assert all(low[0] - high[1] > gap for high, low in itertools.pairwise(merged))
    if len(merged) < coverage.MOST_INTERVALS:
        # between any two neighbours in one interval there is no gap as large
        for low, high in merged:
            reached = low
            for one, two in sorted(span for span in spans if low <= span[0] <= high):
                assert one - reached <= gap
                reached = max(reached, two)


@given(st.lists(st.tuples(_LOWS, _LOWS), min_size=1, max_size=30))
def test_times_are_padded_by_half_an_hour_and_at_most_a_hundredth_of_a_day_more(times):
    """VDS-06."""
    found = coverage.temporal_intervals(np.array(times))
    begin, end = min(map(min, times)), max(map(max, times))
    assert begin - 1 / 48 - 0.0101 <= found[0][0] <= begin - 1 / 48 + 1e-9
    assert end + 1 / 48 - 1e-9 <= found[-1][1] <= end + 1 / 48 + 0.0101


def test_a_year_without_exposures_is_a_gap():
    times = np.array([[10000.0, 10000.0], [10300.0, 10301.0], [10700.0, 10700.5], [48000.0, 48000.0]])
    assert coverage.temporal_intervals(times) == ((9999.97, 10301.03), (10699.97, 10700.53), (47999.97, 48000.03))


def test_wavelengths_become_energies():
    """VDS-07: 300 to 500 nm are 3.973e-19 to 6.622e-19 J."""
    ((low, high),) = coverage.spectral_intervals(np.array([[3e-7, 4e-7], [3.5e-7, 5e-7]]))
    assert (low, high) == (pytest.approx(3.973e-19, rel=1e-4), pytest.approx(6.622e-19, rel=1e-4))
    assert low < 1.98644586e-25 / 5e-7
    assert high > 1.98644586e-25 / 3e-7


@given(st.lists(st.floats(1e-10, 1.0), min_size=1, max_size=5))
def test_a_single_wavelength_has_a_width(wavelengths):
    found = coverage.spectral_intervals(np.array([[one, one] for one in wavelengths]))
    assert all(low < high for low, high in found)
    for one in wavelengths:
        energy = 1.9864458571489e-25 / one
        assert any((low < energy < high and high / low < 1.001) or low < energy < high for low, high in found)


def test_what_is_not_known_is_no_interval():
    nothing = np.empty((0, 2))
    assert coverage.temporal_intervals(nothing) == ()
    assert coverage.spectral_intervals(nothing) == ()
