"""Footprints against brute force and against a real pgSphere."""

from __future__ import annotations

import json
import math
import re
import time

import numpy as np
import psycopg
import pytest
import realdata
from hypothesis import given, settings
from hypothesis import strategies as st
from wcs_truth import header_text

from vo.obscore import footprint
from vo.obscore.footprint import Footprint, circle, from_solution, nominal, nominal_many, problem
from vo.pixels.wcs import read_solutions

RANDOM = np.random.default_rng(1885)


def outline(*vertices, centre, radius=10.0):
    return Footprint(np.array(vertices, dtype=float), centre, radius, "nominal")


def square(ra, dec, half):
    """Counter-clockwise as seen from inside, east to the left."""
    return ((ra - half, dec - half), (ra - half, dec + half), (ra + half, dec + half), (ra + half, dec - half))


def sphere(count):
    return RANDOM.uniform(0, 360, count), np.degrees(np.arcsin(RANDOM.uniform(-1, 1, count)))


def around(centre, reach, count):
    """Points within ``reach`` degrees of a place, evenly."""
    out = unit(*centre)
    helper = np.array([1.0, 0, 0]) if abs(out[0]) < 0.9 else np.array([0, 1.0, 0])
    a = np.cross(out, helper)
    a /= np.linalg.norm(a)
    b = np.cross(out, a)
    z = RANDOM.uniform(math.cos(math.radians(reach)), 1, count)
    phi = RANDOM.uniform(0, 2 * np.pi, count)
    v = z[:, None] * out + np.sqrt(1 - z**2)[:, None] * (np.cos(phi)[:, None] * a + np.sin(phi)[:, None] * b)
    return np.degrees(np.arctan2(v[:, 1], v[:, 0])) % 360, np.degrees(np.arcsin(np.clip(v[:, 2], -1, 1)))


def unit(ra, dec):
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


@pytest.fixture(scope="module")
def pgsphere(database):
    with database.owner() as connection:
        yield connection


def ask(connection, expression, *values):
    """The answer of pgSphere, or its refusal as text."""
    try:
        with connection.transaction():
            return connection.execute(f"SELECT {expression}", values).fetchone()[0]
    except psycopg.Error as refused:
        return str(refused).split("\n")[0]


anywhere = st.builds(
    nominal,
    st.one_of(st.floats(0, 360), st.sampled_from([0.0, 359.999])),
    st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, 89.0, 90.0])),
    st.floats(0.05, 75.0),
    st.floats(0.05, 75.0),
    st.floats(0, 360),
)


@settings(max_examples=60, deadline=None)
@given(anywhere)
def test_pgsphere_agrees_on_plates_anywhere(pgsphere, plate):
    assert problem(plate) is None
    ra, dec = around(plate.centre, min(plate.radius * 1.3, 180.0), 40)
    area = ask(pgsphere, "area(%s::spoly) * (180 / pi()) ^ 2", plate.spoly())
    assert area == pytest.approx(plate.area, rel=1e-6, abs=1e-5)
    points = """(SELECT array_agg(spoint(radians(a), radians(b)) <@ %s::spoly ORDER BY n)
                 FROM unnest(%s::float8[], %s::float8[]) WITH ORDINALITY AS t(a, b, n))"""
    assert ask(pgsphere, points, plate.spoly(), list(ra), list(dec)) == plate.contains(ra, dec).tolist()
    lon, lat = np.radians(plate.centre)
    assert ask(pgsphere, "spoint(%s::float8, %s::float8) <@ %s::spoly", lon, lat, plate.spoly()) is True


@settings(max_examples=30, deadline=None)
@given(
    st.floats(0, 360), st.sampled_from([-90.0, -60.0, 0.0, 45.0, 89.5]), st.floats(0.1, 60.0),
    st.floats(-0.03, 0.03), st.booleans(),
)  # fmt: skip
def test_pgsphere_takes_outlines_of_solutions(pgsphere, ra, dec, field, bend, mirrored):
    cubic = bend / (field / 2) ** 2
    wcs = read_solutions(
        header_text(
            NAXIS1=1000, NAXIS2=900, CRVAL1=ra, CRVAL2=dec, CRPIX1=500.5, CRPIX2=450.5,
            CTYPE1="RA---TPV", CTYPE2="DEC--TPV", PV1_1=1.0, PV1_7=cubic, PV2_1=1.0, PV2_9=cubic,
            CD1_1=(1 if mirrored else -1) * field / 1000, CD2_2=field / 1000,
        )
    )[0]  # fmt: skip
    plate = from_solution(wcs, 0.5)
    assert problem(plate) is None
    assert plate.contains(*plate.centre)
    assert ask(pgsphere, "area(%s::spoly) * (180 / pi()) ^ 2", plate.spoly()) == pytest.approx(
        plate.area, rel=1e-6, abs=1e-6
    )


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (outline((1, 1), (2, math.nan), (2, 2), centre=(1.5, 1.5)), "not a number"),
        (outline((1, 1), (2, 1), centre=(1.5, 1)), "needs three"),
        (outline((1, 1), (2, 1), (1, 1), (2, 1), centre=(1.5, 1)), "crosses or touches"),
        (outline((1, 1), (2, 2), (2, 1), (1, 2), centre=(1.5, 1.2)), "crosses"),
        (outline((0, 0), (4, 0), (4, 4), (2, 0), (0, 4), centre=(1, 1)), "touches"),
        (outline((0, 0), (4, 0), (2, 0), (2, 2), centre=(1.5, 0.5)), "touches"),
        (outline((0, 10), (170, 10), (270, -60), centre=(85, 80), radius=120.0), "hemisphere"),
        (outline(*square(10, 10, 1e-7), centre=(10, 10)), "three"),
    ],
)
def test_what_pgsphere_refuses_is_a_problem(pgsphere, made, words):
    assert words in (problem(made) or "")
    answer = ask(pgsphere, "%s::spoly::text", made.spoly())
    assert "spherepoly" in answer or "syntax error" in answer, answer


def test_what_pgsphere_gets_wrong_is_a_problem(pgsphere):
    too_large = circle(30.0, 40.0, 95.0)
    assert "hemisphere" in (problem(too_large) or "")
    inside = "spoint(radians(30), radians(40)) <@ %s::spoly"
    assert ask(pgsphere, inside, too_large.spoly()) is False, "it takes the other side of the sky"
    near = outline((0, 0), (0, 2), (2, 2), (2 + 1e-6, 1), (2, 1), (2, 0), centre=(1, 1))
    assert "within" in (problem(near) or "")
    assert abs(ask(pgsphere, "area(%s::spoly) * (180 / pi()) ^ 2", near.spoly()) / near.area - 1) > 1e-6
    beyond = outline((0, 91), (2, 1), (2, 2), centre=(1, 40))
    assert "pole" in (problem(beyond) or "")
    assert isinstance(ask(pgsphere, "area(%s::spoly)", beyond.spoly()), float), "it folds the vertex over the pole"
    line = outline((1, 1), (1, 2), (1, 3), centre=(1, 2))
    assert problem(line) is not None
    assert ask(pgsphere, "area(%s::spoly)", line.spoly()) == 0.0


def test_the_number_of_vertices_has_a_limit(pgsphere):
    ring = np.linspace(0, 360, footprint.MOST_VERTICES + 1, endpoint=False)
    many = Footprint(np.stack([ring[::-1], np.full_like(ring, -80.0)], axis=1)[:, :], (0.0, -90.0), 10.0, "circle")
    assert "1024" in (problem(many) or "")
    assert "too much points" in ask(pgsphere, "%s::spoly::text", many.spoly())
    fewer = Footprint(many.vertices[:-1], (0.0, -90.0), 10.0, "circle")
    assert ask(pgsphere, "area(%s::spoly) > 0", fewer.spoly()) is True


def test_a_clockwise_outline_and_a_centre_outside_are_told():
    assert problem(outline(*square(10, 10, 1), centre=(10, 10))) is None
    assert "clockwise" in (problem(outline(*square(10, 10, 1)[::-1], centre=(10, 10))) or "")
    assert "outside" in (problem(outline(*square(10, 10, 1), centre=(13, 10))) or "")


def test_a_concave_outline_is_sound(pgsphere):
    ell = outline((0, 0), (0, 4), (1, 4), (1, 1), (4, 1), (4, 0), centre=(0.5, 0.5))
    assert problem(ell) is None
    assert ell.contains([0.5, 3.0, 3.0], [3.0, 0.5, 3.0]).tolist() == [True, True, False]
    assert ask(pgsphere, "spoint(radians(3), radians(3)) <@ %s::spoly", ell.spoly()) is False


@pytest.mark.parametrize("dec", [-90.0, -45.0, 0.0, 89.9])
def test_area_by_counting(dec):
    plate = nominal(359.0, dec, 30.0, 20.0, 33.0)
    ra, lat = around(plate.centre, plate.radius, 200_000)
    cap = 2 * math.pi * (1 - math.cos(math.radians(plate.radius))) * math.degrees(1) ** 2
    assert plate.contains(ra, lat).mean() * cap == pytest.approx(plate.area, rel=0.01)


def test_nominal_corners_by_hand():
    plate = nominal(0.0, 0.0, 10.0, 20.0)
    x, y = math.radians(5.0), math.radians(10.0)
    corner_ra, corner_dec = math.degrees(math.atan(x)), math.degrees(math.atan2(y, math.hypot(1, x)))
    assert sorted(map(tuple, np.round(plate.vertices, 9))) == sorted(
        (round(ra % 360, 9), round(dec, 9)) for ra in (corner_ra, -corner_ra) for dec in (corner_dec, -corner_dec)
    )
    assert plate.fov == pytest.approx(2 * math.degrees(math.atan(math.hypot(x, y))))


def test_rotation_runs_from_north_through_east():
    tall = nominal(10.0, 0.0, 0.2, 10.0, 45.0)
    assert tall.contains([13.0, 7.0], [3.0, 3.0]).tolist() == [True, False]


def test_the_vertices_lie_on_the_enclosing_circle():
    plate = nominal(200.0, -70.0, 12.0, 9.0, 20.0)
    apart = np.degrees(np.arccos(unit(plate.vertices[:, 0], plate.vertices[:, 1]) @ unit(*plate.centre)))
    assert apart == pytest.approx(plate.radius, abs=1e-9)


def test_text_forms(pgsphere):
    plate = nominal(0.0, 89.0, 5.0, 5.0, 10.0)
    words = plate.stc().split()
    assert words[:2] == ["POLYGON", "ICRS"]
    numbers = np.array(words[2:], dtype=float).reshape(-1, 2)
    assert numbers == pytest.approx(plate.vertices, abs=1e-7)
    assert (numbers[:, 0] < 360).all()
    corners = ask(pgsphere, "(%s::spoly)::text", plate.spoly())
    back = np.degrees(np.array(re.findall(r"[0-9.e+-]+", corners), dtype=float)).reshape(-1, 2)
    assert unit(back[:, 0], back[:, 1]) == pytest.approx(unit(plate.vertices[:, 0], plate.vertices[:, 1]), abs=1e-12)


def test_ra_never_rounds_to_360():
    plate = outline((359.9999999999, 0), (359.9999999999, 1), (1, 1), (1, 0), centre=(0.5, 0.5))
    assert plate.stc().split()[2] == "0.00000000"


def test_circles():
    cap = circle(359.9, 89.5, 3.0)
    assert problem(cap) is None
    assert cap.radius == 3.0
    assert cap.area == pytest.approx(math.pi * 9.0, rel=0.01)
    apart = np.degrees(np.arccos(unit(cap.vertices[:, 0], cap.vertices[:, 1]) @ unit(*cap.centre)))
    assert apart == pytest.approx(3.0)


def test_many_plates_fast_and_like_one():
    count = 25_000
    ra, dec = sphere(count)
    angle = RANDOM.uniform(0, 360, count)
    begin = time.process_time()
    many = nominal_many(ra, dec, 42.0, 34.0, angle)
    assert time.process_time() - begin < 3.0  # one by one they take more
    assert len(many) == count
    for at in (0, 77, count - 1):
        one = nominal(ra[at], dec[at], 42.0, 34.0, angle[at])
        assert np.array_equal(one.vertices, many[at].vertices)
        assert one.centre == many[at].centre


def test_poss1_footprints():
    """Issue line 4: the centre inside, the area within 0.1 % of a fine numeric one (here: pixel areas)."""
    lines = realdata.path("poss1/headers.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines:
        wcs = read_solutions(json.loads(line)["header"]["header"])[0]
        plate = from_solution(wcs, 0.5)
        assert problem(plate) is None
        assert plate.contains(*wcs.centre)
        assert plate.area == pytest.approx(cell_area(wcs), rel=2e-4)
        assert 4.5 < plate.radius < 4.8


def cell_area(wcs, cells=40):
    """The sum of small plane cells of the image on the sky, in square degrees."""
    xs, ys = (np.linspace(-0.5, size - 0.5, cells + 1) for size in wcs.shape)
    grid = unit(*wcs.to_sky(*np.meshgrid(xs, ys)))
    one = np.cross(grid[1:, 1:] - grid[:-1, :-1], grid[1:, :-1] - grid[:-1, 1:])
    return float(np.linalg.norm(one, axis=-1).sum() / 2 * np.degrees(1) ** 2)
