"""The box around the overlap of a shape and an image, against every pixel looked up on the sky."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcs_truth import tpv_header

from vo.dali.shapes import Circle, Polygon, Range
from vo.errors import UsageFault
from vo.pixels.region import contains, find_box
from vo.pixels.wcs import read_solutions

RANDOM = np.random.default_rng(1890)
FINE = 4


def image(ra=150.0, dec=20.0, **about):
    return read_solutions(tpv_header(ra, dec, **{"width": 120, "height": 90, **about}))[0]


def vectors(ra, dec):
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def inside(shape, ra, dec):
    """By definition: angle to the middle, bounds of coordinates, the same side of every edge (convex polygons)."""
    if isinstance(shape, Circle):
        apart = np.linalg.norm(vectors(ra, dec) - vectors(shape.ra, shape.dec), axis=-1)
        return apart <= 2 * math.sin(math.radians(shape.radius) / 2)
    if isinstance(shape, Range):
        return (ra >= shape.lon_min) & (ra <= shape.lon_max) & (dec >= shape.lat_min) & (dec <= shape.lat_max)
    corners = vectors(*np.array(shape.vertices).T)
    sides = vectors(ra, dec) @ np.cross(corners, np.roll(corners, -1, axis=0)).T
    return (sides >= 0).all(axis=-1) | (sides <= 0).all(axis=-1) & (vectors(ra, dec) @ corners.sum(axis=0) > 0)


def brute_box(wcs, shape):
    """Every pixel looked up at FINE x FINE places, its outer edge among them; None when none is inside."""
    width, height = wcs.shape
    xs = np.linspace(-0.5, width - 0.5, width * FINE + 1)
    ys = np.linspace(-0.5, height - 0.5, height * FINE + 1)
    gx, gy = np.meshgrid(xs, ys)
    found = inside(shape, *wcs.to_sky(gx, gy))
    tip_x, tip_y = wcs.to_pixel(*tips(shape))
    on_image = (tip_x >= -0.5) & (tip_x <= width - 0.5) & (tip_y >= -0.5) & (tip_y <= height - 0.5)
    x, y = np.append(gx[found], tip_x[on_image]), np.append(gy[found], tip_y[on_image])
    if not len(x):
        return None
    return x.min(), x.max(), y.min(), y.max()


def tips(shape):
    """The corners of a shape, which may be so sharp that they pass between the places looked up (a range at a pole)."""
    if isinstance(shape, Range):
        lon, lat = np.meshgrid([shape.lon_min, shape.lon_max], [shape.lat_min, shape.lat_max])
        return lon.ravel(), lat.ravel()
    return np.array(shape.vertices if isinstance(shape, Polygon) else []).reshape(-1, 2).T


def check(wcs, shape):
    box, brute = find_box(wcs, shape), brute_box(wcs, shape)
    if brute is None:
        assert box is None or (box.width <= 4 or box.height <= 4), "between the places looked up there may be a sliver"
        return box
    assert box is not None
    left, right, bottom, top = brute
    width, height = wcs.shape
    assert 0 <= box.left < box.right <= width
    assert 0 <= box.bottom < box.top <= height
    assert box.left - 0.5 <= left
    assert right <= box.right - 0.5
    assert box.bottom - 0.5 <= bottom
    assert top <= box.top - 0.5
    slack = 1.0 + 3.0 / FINE
    assert left - (box.left - 0.5) <= slack
    assert (box.right - 0.5) - right <= slack
    assert bottom - (box.bottom - 0.5) <= slack
    assert (box.top - 0.5) - top <= slack
    return box


images = st.builds(
    image, st.one_of(st.just(0.0), st.floats(0, 360)), st.sampled_from([-90.0, -60.0, 0.0, 30.0, 89.0, 90.0]),
    field=st.floats(0.5, 70.0), angle=st.floats(0, 360), mirrored=st.booleans(), bend=st.floats(-0.03, 0.03),
)  # fmt: skip


def near(wcs, away, towards):
    """A place some part of the field away from the image's middle, and the field's width in degrees."""
    field = wcs.pixel_scale * wcs.shape[0] / 3600
    ra, dec = wcs.centre
    distance = math.radians(away * field)
    lat, turn = math.radians(dec), math.radians(towards)
    sin = math.sin(lat) * math.cos(distance) + math.cos(lat) * math.sin(distance) * math.cos(turn)
    east = math.atan2(math.sin(turn) * math.sin(distance) * math.cos(lat), math.cos(distance) - math.sin(lat) * sin)
    return (ra + math.degrees(east)) % 360, math.degrees(math.asin(max(-1.0, min(1.0, sin)))), field


@settings(max_examples=25, deadline=None)
@given(images, st.floats(0, 1.2), st.floats(0, 360), st.floats(0.02, 1.5))
def test_circles(wcs, away, towards, size):
    ra, dec, field = near(wcs, away, towards)
    check(wcs, Circle(ra, dec, min(size * field, 90.0)))


@settings(max_examples=20, deadline=None)
@given(images, st.floats(0, 1.0), st.floats(0, 360), st.floats(0.05, 0.8), st.integers(3, 7), st.booleans())
def test_polygons(wcs, away, towards, size, count, clockwise):
    ra, dec, field = near(wcs, away, towards)
    radius = math.radians(min(size * field, 60.0))
    out = vectors(ra, dec)
    a = np.cross(out, [0.3, 0.5, 0.81])
    a /= np.linalg.norm(a)
    b = np.cross(out, a)
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)[:: -1 if clockwise else 1]
    v = math.cos(radius) * out + math.sin(radius) * (np.cos(turn)[:, None] * a + np.sin(turn)[:, None] * b)
    lon, lat = np.degrees(np.arctan2(v[:, 1], v[:, 0])) % 360, np.degrees(np.arcsin(np.clip(v[:, 2], -1, 1)))
    check(wcs, Polygon(tuple(zip(lon.tolist(), lat.tolist(), strict=True))))


@settings(max_examples=20, deadline=None)
@given(images, st.floats(0, 0.8), st.floats(0, 360), st.floats(0.05, 1.0), st.floats(0.05, 1.0))
def test_ranges(wcs, away, towards, wide, high):
    ra, dec, field = near(wcs, away, towards)
    east = wide * field / max(0.05, math.cos(math.radians(dec)))
    check(
        wcs,
        Range(
            max(ra - east, 0.0), min(ra + east, 360.0), max(dec - high * field, -90.0), min(dec + high * field, 90.0)
        ),
    )


@pytest.mark.parametrize("dec", [-90.0, 0.0, 89.0])
@pytest.mark.parametrize("radius", [20.0, 60.0, 120.0, 180.0])
def test_a_circle_around_the_whole_plate_gives_all_of_it(dec, radius):
    wcs = image(0.0, dec, field=10.0)
    box = find_box(wcs, Circle(0.0, dec, radius))
    assert (box.left, box.right, box.bottom, box.top) == (0, 120, 0, 90)


def test_a_range_of_all_longitudes_at_the_pole():
    wcs = image(0.0, 90.0, field=10.0)
    box = check(wcs, Range(0.0, 360.0, 88.0, 90.0))
    assert (box.width, box.height) == (50, 50) or abs(box.width - 48) <= 3
    whole = find_box(wcs, Range(0.0, 360.0, 60.0, 90.0))
    assert (whole.width, whole.height) == (120, 90)


def test_a_ring_that_leaves_the_plate_alone():
    assert find_box(image(0.0, 90.0, field=10.0), Range(0.0, 360.0, 20.0, 80.0)) is None


def test_a_polygon_over_the_pole():
    wcs = image(0.0, 90.0, field=10.0, angle=17.0)
    check(wcs, Polygon(((0.0, 88.0), (90.0, 88.0), (180.0, 88.0), (270.0, 88.0))))


@pytest.mark.parametrize("radius", [0.5, 30.0, 89.0])
def test_the_far_side_of_the_sky_is_not_on_the_plate(radius):
    """A TAN shows each line of sight twice for careless eyes."""
    wcs = image(150.0, 20.0, field=30.0)
    assert find_box(wcs, Circle(330.0, -20.0, radius)) is None


def test_shapes_smaller_than_a_pixel():
    wcs = image()
    ra, dec = wcs.to_sky(40.2, 33.3)
    for shape in (Circle(float(ra), float(dec), 0.0), Circle(float(ra), float(dec), 1e-4)):
        box = find_box(wcs, shape)
        assert (box.left, box.right, box.bottom, box.top) == (40, 41, 33, 34)


def test_a_shape_just_off_the_edge_misses():
    wcs = image(width=120, height=90)
    ra, dec = wcs.to_sky(-3.0, 40.0)
    pixel = wcs.pixel_scale / 3600
    assert find_box(wcs, Circle(float(ra), float(dec), 2.3 * pixel)) is None
    box = find_box(wcs, Circle(float(ra), float(dec), 3.2 * pixel))
    assert (box.left, box.right) == (0, 1)


def test_a_corner_alone():
    wcs = image()
    ra, dec = wcs.to_sky(120.5, 90.5)
    box = find_box(wcs, Circle(float(ra), float(dec), 2.0 * wcs.pixel_scale / 3600))
    assert (box.left, box.right, box.bottom, box.top) == (119, 120, 89, 90)


def test_a_polygon_of_a_hemisphere_is_refused():
    with pytest.raises(UsageFault, match="hemisphere"):
        find_box(image(), Polygon(((0.0, 0.0), (120.0, 0.0), (240.0, 0.0))))


def test_a_concave_polygon():
    ell = Polygon(((149.0, 19.0), (151.0, 19.0), (151.0, 19.5), (149.5, 19.5), (149.5, 21.0), (149.0, 21.0)))
    places = np.array([150.5, 149.2, 150.5]), np.array([19.2, 20.5, 20.5])
    assert contains(ell, *places).tolist() == [True, True, False]


def test_what_is_not_a_number_is_in_no_shape():
    nan = np.array([math.nan])
    for shape in (Circle(0, 0, 180), Range(0, 360, -90, 90), Polygon(((0, 0), (1, 0), (0, 1)))):
        assert not contains(shape, nan, nan).any()


def test_large_plates_with_fine_pixels():
    """20,000 pixels wide: no box is more than a pixel off (checked along the box's own edges)."""
    wcs = image(200.0, -65.0, field=6.0, angle=12.0, bend=0.01, width=20000, height=20000)
    for radius in (0.05, 0.7, 2.9):
        box = find_box(wcs, Circle(200.4, -65.2, radius))
        shape = Circle(200.4, -65.2, radius)
        along = {
            "left": (np.full(4000, box.left + 1.5), np.linspace(box.bottom, box.top, 4000)),
            "right": (np.full(4000, box.right - 2.5), np.linspace(box.bottom, box.top, 4000)),
            "bottom": (np.linspace(box.left, box.right, 4000), np.full(4000, box.bottom + 1.5)),
            "top": (np.linspace(box.left, box.right, 4000), np.full(4000, box.top - 2.5)),
        }
        for side, (x, y) in along.items():
            assert inside(shape, *wcs.to_sky(x, y)).any(), f"{side} of {radius} is too far out"
        outside = {"left": (box.left - 0.51, 0), "right": (box.right - 0.49, 0), "bottom": (0, box.bottom - 0.51)}
        for side, (x, y) in outside.items():
            xs = np.full(4000, x) if x else np.linspace(-0.5, 19999.5, 4000)
            ys = np.full(4000, y) if y else np.linspace(-0.5, 19999.5, 4000)
            on_image = (xs >= -0.5) & (ys >= -0.5)
            assert not (inside(shape, *wcs.to_sky(xs, ys)) & on_image).any(), f"{side} of {radius} cuts the circle"
