"""Lines cut at a frame: what is kept lies in it, on the line, and nothing in it is lost."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vo.web.curves import Frame, clip, densify, write_path

FRAME = Frame(0.0, 0.0, 10.0, 8.0)
COORDINATE = st.one_of(st.floats(-30, 30), st.sampled_from([0.0, 10.0, 8.0, 5.0]))


def length(points):
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


@given(st.lists(st.tuples(COORDINATE, COORDINATE), min_size=2, max_size=8))
def test_kept_and_lost_parts_add_up(corners):
    line = np.array(corners)
    parts = clip(line, FRAME)
    for part in parts:
        assert part[:, 0].min() >= -1e-9
        assert part[:, 0].max() <= 10.0 + 1e-9
        assert part[:, 1].min() >= -1e-9
        assert part[:, 1].max() <= 8.0 + 1e-9
    # Brute force: how much of the line lies inside, by looking at many points of it.
    shares = (np.arange(4000) + 0.5) / 4000
    inside = 0.0
    for start, end in itertools.pairwise(line):
        points = start + shares[:, None] * (end - start)
        held = (points >= 0.0).all(axis=1) & (points <= [10.0, 8.0]).all(axis=1)
        inside += held.mean() * np.hypot(*(end - start))
    assert abs(sum(map(length, parts)) - inside) < 0.1


def test_a_line_that_stays_inside_stays_whole():
    line = np.array([[1.0, 1.0], [2.0, 3.0], [9.0, 7.0]])
    (part,) = clip(line, FRAME)
    assert np.array_equal(part, line)


def test_a_line_that_leaves_and_comes_back_is_two():
    parts = clip(np.array([[5.0, 4.0], [15.0, 4.0], [5.0, 6.0]]), FRAME)
    assert [part.tolist() for part in parts] == [[[5.0, 4.0], [10.0, 4.0]], [[10.0, 5.0], [5.0, 6.0]]]


def test_what_is_no_number_breaks_the_line():
    line = np.array([[1.0, 1.0], [2.0, 1.0], [np.nan, 1.0], [4.0, 1.0], [5.0, 1.0], [np.inf, 1.0]])
    assert [part[:, 0].tolist() for part in clip(line, FRAME)] == [[1.0, 2.0], [4.0, 5.0]]


def test_nothing_in_sight():
    assert clip(np.array([[20.0, 1.0], [20.0, 5.0]]), FRAME) == []
    assert clip(np.full((3, 2), np.nan), FRAME) == []


def test_points_between_vertices_lie_on_their_great_circle():
    corners = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    points = densify(corners, 4)
    assert points.shape == (12, 3)
    assert np.allclose(np.linalg.norm(points, axis=1), 1.0)
    assert np.allclose(points[:4, 2], 0.0)
    assert np.array_equal(points[::4], corners)


def test_paths():
    assert write_path(np.array([[0.0, 1.0], [2.3456, 3.0]]), closed=True) == "M0.00 1.00L2.35 3.00Z"
