"""The sketch of footprints: the right way round, over poles and RA 0."""

from __future__ import annotations

import re

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from vo.web.sketch import SIZE, draw


def square(ra: float, dec: float, half: float) -> np.ndarray:
    """Corners NE, NW, SW, SE (position angles 45, -45, -135, 135 degrees) around a centre, by astropy."""
    centre = SkyCoord(ra, dec, unit="deg")
    corners = centre.directional_offset_by(np.array([45, -45, -135, 135]) * centre.ra.unit, half * centre.ra.unit)
    return np.column_stack([corners.ra.deg, corners.dec.deg])


def points(path: str) -> np.ndarray:
    return np.array(re.findall(r"-?[0-9.]+", path), dtype=float).reshape(-1, 2)


def test_north_is_up_and_east_is_left():
    sketch = draw([("1", square(100.0, 20.0, 1.0))])
    corners = points(sketch.outlines[0].path)[::12]
    north_east, north_west, south_west, south_east = corners
    assert north_east[0] < SIZE / 2 < north_west[0]
    assert south_east[0] < SIZE / 2 < south_west[0]
    assert north_east[1] < SIZE / 2 < south_east[1]


@settings(max_examples=60, deadline=None)
@given(
    ra=st.floats(0, 360, exclude_max=True),
    dec=st.floats(-90, 90),
    half=st.floats(0.01, 45),
)
def test_the_drawing_fills_its_frame_and_keeps_distances(ra, dec, half):
    sketch = draw([("1", square(ra, dec, half))])
    outline = points(sketch.outlines[0].path)
    assert outline.min() >= 0
    assert outline.max() <= SIZE
    # Equidistant: from the middle of the frame, every corner is as far as on the sky.
    scale = sketch.width_deg / SIZE
    distances = np.hypot(*(outline[::12] - SIZE / 2).T) * scale
    assert distances == pytest.approx(np.full(4, half), rel=0.02, abs=0.02 * half)
    assert all(line.label for line in sketch.grid)


def test_two_footprints_share_one_frame():
    sketch = draw([("1", square(359.0, 0.0, 1.0)), ("2", square(3.0, 0.0, 1.0))])
    first, second = (points(outline.path).mean(axis=0) for outline in sketch.outlines)
    assert second[0] < first[0], "the larger right ascension stands to the left, over RA 0 too"
    assert first[1] == pytest.approx(second[1], abs=2.0)


def test_around_the_pole_meridians_meet():
    sketch = draw([("1", square(40.0, 89.5, 2.0))])
    labels = {line.label for line in sketch.grid if line.is_ra}
    assert len(labels) == 12


def test_labels_are_round():
    sketch = draw([("1", square(83.0, -5.0, 4.0))])
    assert {line.label for line in sketch.grid if line.x is not None and line.is_ra} == {"5h 40m", "5h 30m", "5h 20m"}


def test_nothing_to_draw():
    assert draw([]) is None
    assert draw([("1", np.array([[1.0, 2.0]]))]) is None
