"""Spherical trigonometry of constants against plain vector algebra and astropy."""

from __future__ import annotations

import numpy as np
import pytest
from adql import sphere
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vo.adql.sky.spherical import arc, arcs_cross, box_corners, vector

LON = st.floats(0, 360)
LAT = st.floats(-90, 90)


@given(LON, LAT, st.floats(0.001, 170), st.floats(0.001, 170))
@settings(max_examples=100, deadline=None)
def test_a_box_has_right_angles_where_its_arms_end(lon, lat, width, height):
    corners = [np.array(vector(corner)) for corner in box_corners(lon, lat, width, height)]
    centre = np.array(vector((lon, lat)))
    for i, size in enumerate((width, height, width, height)):
        a, b = corners[i], corners[(i + 1) % 4]
        middle = (a + b) / np.linalg.norm(a + b)
        assert float(sphere.separation(middle, centre)) == pytest.approx(size / 2, abs=1e-9)
        along, side = np.cross(centre, middle), np.cross(a, b)
        cosine = along @ side / np.linalg.norm(along) / np.linalg.norm(side)
        assert cosine == pytest.approx(0, abs=1e-6)


def test_a_box_points_north():
    coordinates = SkyCoord(*np.transpose(box_corners(40, 30, 2, 1)), unit="deg")
    centre = SkyCoord(40, 30, unit="deg")
    east = centre.position_angle(coordinates).wrap_at(180 * u.deg).deg
    assert np.sign(east).tolist() == [1, 1, -1, -1]
    assert (coordinates.dec.deg > 30).tolist() == [False, True, True, False]


@given(st.lists(st.tuples(LON, LAT), min_size=4, max_size=4))
@example([(0.0, 1.0), (1.0, -2.5156128481327765e-241), (1.0, -2.5156128481327765e-241), (2.0, 1.0)])
@settings(max_examples=200, deadline=None)
def test_edges_that_cross_share_a_point(places):
    (a, b), (c, d) = (places[0], places[1]), (places[2], places[3])
    crossing = arcs_cross(arc(a, b), arc(c, d))
    assert crossing == arcs_cross(arc(c, d), arc(a, b)) == arcs_cross(arc(b, a), arc(c, d))
    one, other = (np.array([vector(place) for place in edge]) for edge in ((a, b), (c, d)))
    node = np.cross(np.cross(*one), np.cross(*other))
    if np.linalg.norm(node) < 1e-9:
        return
    node /= np.linalg.norm(node)

    def holds(edge, point):
        length = sphere.separation(edge[0], edge[1])
        return sphere.separation(edge[0], point) + sphere.separation(point, edge[1]) - length

    excess = min(max(holds(one, p), holds(other, p)) for p in (node, -node))
    if crossing:
        assert excess < 1e-5
    elif excess < 1e-9:
        # they meet at most at an end
        ends = [sphere.separation(p, end) for p in (node, -node) for edge in (one, other) for end in edge]
        assert min(ends) < 1e-3
