"""What pgSphere answers through ADQL against numpy's own spherical geometry: points, circles, polygons, ranges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import psycopg
import pytest
from adql import sphere
from adql.conftest import Run

POINTS = 3000
POLYGONS = 160
FEW = 40


@dataclass(frozen=True)
class Sky:
    points: np.ndarray
    polygons: list[np.ndarray]


@pytest.fixture(scope="module")
def sky(connection: psycopg.Connection) -> Sky:
    """Stars all over the sky, polygons over poles and longitude 0, in both windings, up to 70 degrees wide."""
    rng = np.random.default_rng(7)
    points = rng.normal(size=(POINTS, 3))
    points[:200] = points[:200] * 0.05 + [0, 0, 1]
    points[200:400] = points[200:400] * 0.05 + [1, 0, 0]
    points /= np.linalg.norm(points, axis=1)[:, None]
    polygons = []
    while len(polygons) < POLYGONS:
        centre = rng.normal(size=3)
        if len(polygons) % 4 == 0:
            centre = np.array([0.05, 0.03, (-1.0) ** (len(polygons) // 4)]) + 0.05 * rng.normal(size=3)
        elif len(polygons) % 4 == 1:
            centre = np.array([1, 0.02, rng.normal()])
        centre /= np.linalg.norm(centre)
        count = rng.integers(3, 9)
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        if np.diff(angles, append=angles[0] + 2 * np.pi).max() > 2.8:
            continue  # too narrow to be told from its centre
        vertices = sphere.around(centre, 10 ** rng.uniform(-0.5, np.log10(35)), angles)
        polygons.append(vertices[::-1] if len(polygons) % 3 == 0 else vertices)
    lon, lat = sphere.lon_lat(points)
    with connection.cursor() as cursor:
        with cursor.copy("COPY sky.stars (id, ra, dec) FROM STDIN") as copy:
            for i in range(POINTS):
                copy.write_row((i, float(lon[i]), float(lat[i])))
        with cursor.copy("COPY sky.plates (id, shape, ra, dec) FROM STDIN") as copy:
            for i, vertices in enumerate(polygons):
                centre_lon, centre_lat = sphere.lon_lat(vertices.mean(0))
                copy.write_row((i, sphere.spoly(vertices), float(centre_lon), float(centre_lat)))
        cursor.execute("INSERT INTO sky.plates (id) VALUES (1000)")
        cursor.execute("INSERT INTO sky.stars (id) VALUES (10000)")
    return Sky(points, polygons)


def ids(run: Run, query: str) -> set[int]:
    return {row[0] for row in run(query)}


def test_points_in_polygons(run, sky):
    got = {
        tuple(row)
        for row in run(
            "SELECT s.id, p.id FROM sky.stars s JOIN sky.plates p ON 1 = CONTAINS(POINT(s.ra, s.dec), p.shape)"
        )
    }
    want = {
        (int(i), k)
        for k, vertices in enumerate(sky.polygons)
        for i in np.nonzero(sphere.inside(vertices, sky.points))[0]
    }
    assert got == want
    assert len(want) > 500


def test_not_contained_keeps_null_apart(run, sky):
    for form in (
        "CONTAINS(POINT(10, 5), shape) = 0",
        "NOT (1 = CONTAINS(POINT(10, 5), shape))",
        "1 > INTERSECTS(shape, POINT(10, 5))",
    ):
        got = ids(run, f"SELECT id FROM sky.plates WHERE {form}")
        want = {
            k for k, vertices in enumerate(sky.polygons) if not sphere.inside(vertices, sphere.unit(10.0, 5.0)[None])[0]
        }
        assert got == want, form


def test_intersecting_pairs_and_the_others(run, sky):
    overlapping = set()
    for i, one in enumerate(sky.polygons[:FEW]):
        for k, other in enumerate(sky.polygons[:FEW]):
            if (
                sphere.inside(other, sphere.edge_points(one)).any()
                or sphere.inside(one, sphere.edge_points(other)).any()
            ):
                overlapping.add((i, k))
    every = {(i, k) for i in range(FEW) for k in range(FEW)}
    query = f"SELECT a.id, b.id FROM sky.plates a, sky.plates b WHERE a.id < {FEW} AND b.id < {FEW} AND "
    assert {tuple(row) for row in run(query + "INTERSECTS(a.shape, b.shape) = 1")} == overlapping
    # NOT over && would give the overlapping pairs again: pgSphere 1.2.0 binds the negator wrongly
    assert {tuple(row) for row in run(query + "INTERSECTS(a.shape, b.shape) = 0")} == every - overlapping
    assert {
        tuple(row) for row in run(query + "NOT (INTERSECTS(a.shape, b.shape) = 1 OR a.id < 0)")
    } == every - overlapping


@pytest.mark.parametrize("radius", [0.5, 10.0, 60.0, 89.0, 91.0, 120.0, 175.0])
def test_circles_of_any_size(run, sky, radius):
    centre = sphere.unit(350.0, 40.0)
    rim = sphere.around(centre, radius, np.linspace(0, 2 * np.pi, 1500))
    circle = f"CIRCLE(350, 40, {radius})"
    stars = ids(run, f"SELECT id FROM sky.stars WHERE 1 = CONTAINS(POINT(ra, dec), {circle})")
    assert stars == set(np.nonzero(sphere.separation(sky.points, centre) <= radius)[0].tolist())
    met, within = set(), set()
    for k, vertices in enumerate(sky.polygons):
        near = sphere.separation(sphere.edge_points(vertices), centre) <= radius
        rim_in = sphere.inside(vertices, rim).any()
        if near.any() or rim_in or sphere.inside(vertices, centre[None])[0]:
            met.add(k)
        if near.all() and not rim_in:
            within.add(k)
    assert ids(run, f"SELECT id FROM sky.plates WHERE INTERSECTS({circle}, shape) = 1") == met
    assert ids(run, f"SELECT id FROM sky.plates WHERE CONTAINS(shape, {circle}) = 1") == within
    assert ids(run, f"SELECT id FROM sky.plates WHERE CONTAINS(shape, {circle}) = 0") == set(range(POLYGONS)) - within


@pytest.mark.parametrize(
    "limits",
    [
        (10, 40, -20, 15),
        (350, 10, -5, 5),
        (355, 5, 60, 90),
        (170, 190, 80, 90),
        (0, 360, 60, 90),
        (0, 360, 85, 88),
        (0, 360, -90, 90),
        (0, 360, -88, 30),
        (-10, 350, -3, 3),
        (10, 300, -90, -50),
        (90, 270, 88, 89.5),
        (0, 180, -80, -79),
        (20, 20, -60, 60),
        (20, 50, 30, 30),
        (45, 44, -90, 90),
    ],
)
def test_ranges(run, sky, limits):
    shape = f"vo_range({', '.join(map(str, limits))})"
    lon_min, lon_max, lat_min, lat_max = limits
    edge = sphere.range_edge(*limits)
    pole_in = [sphere.unit(0.0, pole) for pole in (-90.0, 90.0) if lat_min <= pole <= lat_max]
    met = set()
    for k, vertices in enumerate(sky.polygons):
        points = np.concatenate([sphere.edge_points(vertices, 1500)])
        holds = sphere.inside(vertices, np.concatenate([edge, *[pole[None] for pole in pole_in]]))
        if sphere.in_range(*limits, points).any() or holds.any():
            met.add(k)
    query = "SELECT id FROM sky.plates WHERE "
    assert ids(run, f"{query}INTERSECTS({shape}, shape) = 1") == met
    assert ids(run, f"{query}INTERSECTS(shape, {shape}) = 0") == set(range(POLYGONS)) - met
    if lon_min != lon_max and lat_min != lat_max:
        stars = ids(run, f"SELECT id FROM sky.stars WHERE 1 = CONTAINS(POINT(ra, dec), {shape})")
        assert stars == set(np.nonzero(sphere.in_range(*limits, sky.points))[0].tolist())


@pytest.mark.parametrize("orders", ["", " spoint3"])
def test_ranges_by_an_index_on_points(run, sky, connection, orders):
    rng = np.random.default_rng(12)
    connection.execute(
        f"CREATE INDEX place ON sky.stars USING gist (spoint(radians(ra), radians(dec)){orders})".encode()
    )
    connection.execute("SET enable_seqscan = off")
    for _ in range(40):
        lat_min, lat_max = np.sort(rng.uniform(-90, 90, 2)).round(3).tolist()
        lon_min = round(float(rng.uniform(0, 360)), 3)
        limits = (lon_min, lon_min + float(rng.choice([1, 10, 100, 200])), lat_min, lat_max)
        stars = ids(run, f"SELECT id FROM sky.stars WHERE 1 = CONTAINS(POINT(ra, dec), vo_range{limits})")
        assert stars == set(np.nonzero(sphere.in_range(*limits, sky.points))[0].tolist()), limits
    connection.execute("RESET enable_seqscan")
    connection.execute("DROP INDEX sky.place")


def test_ranges_drawn_at_random(run, sky):
    rng = np.random.default_rng(11)
    for _ in range(25):
        lat_min, lat_max = np.sort(np.degrees(np.arcsin(rng.uniform(-1, 1, 2)))).round(3).tolist()
        lon_min = round(float(rng.uniform(0, 360)), 3)
        lon_max = round((lon_min + 10 ** rng.uniform(-0.5, 2.5)) % 360, 3)
        limits = (lon_min, lon_max, lat_min, lat_max)
        met = {
            k
            for k, vertices in enumerate(sky.polygons)
            if sphere.in_range(*limits, sphere.edge_points(vertices, 800)).any()
            or sphere.inside(vertices, sphere.range_edge(*limits)).any()
        }
        got = ids(run, f"SELECT id FROM sky.plates WHERE INTERSECTS(shape, vo_range{limits}) = 1")
        assert got >= met, limits
        # what only the database finds must touch within the sampling of the judge
        for k in got - met:
            points = sphere.edge_points(sky.polygons[k], 20000)
            finer = sphere.in_range(*limits, points).any()
            assert finer or sphere.inside(sky.polygons[k], sphere.range_edge(*limits, 20000)).any(), (limits, k)


def test_distances_and_cones(run, sky):
    centre = sphere.unit(200.0, -70.0)
    true = sphere.separation(sky.points, centre)
    got = dict(run("SELECT id, DISTANCE(POINT(ra, dec), POINT(200, -70)) FROM sky.stars WHERE ra IS NOT NULL"))
    assert np.allclose([got[i] for i in range(POINTS)], true, rtol=0, atol=1e-10)
    for condition in ("DISTANCE(ra, dec, 200, -70) < 25", "25 >= DISTANCE(POINT(200, -70), POINT(ra, dec))"):
        assert ids(run, f"SELECT id FROM sky.stars WHERE {condition}") == set(np.nonzero(true < 25)[0].tolist())
    near = ids(
        run, "SELECT id FROM sky.stars WHERE DISTANCE(ra, dec, 200, -70) < 130 AND DISTANCE(ra, dec, 200, -70) > 50"
    )
    assert near == set(np.nonzero((true < 130) & (true > 50))[0].tolist())


def test_boxes_have_their_size_along_the_arms(run):
    for lon, lat, width, height in (
        (10, 0, 4, 2),
        (100, 60, 20, 10),
        (0, 89.5, 5, 5),
        (200, -90, 30, 30),
        (359, -45, 170, 3),
    ):
        row = run(f"SELECT BOX({lon}, {lat}, {width}, {height}) FROM (SELECT COUNT(*) AS c FROM lab.series) AS one")[0]
        corners = sphere.unit(*np.reshape(row[0], (4, 2)).T)
        centre = sphere.unit(float(lon), float(lat))
        middles = [corners[i] + corners[(i + 1) % 4] for i in range(4)]
        apart = [float(sphere.separation(middle / np.linalg.norm(middle), centre)) for middle in middles]
        assert np.allclose(apart, [width / 2, height / 2] * 2), (lon, lat)
        # the same from columns as from constants
        again = run(
            f"SELECT BOX(c, {lat}, {width}, {height}) FROM (SELECT COUNT(*) + {lon} AS c FROM lab.series) AS one"
        )
        assert np.allclose(sphere.unit(*np.reshape(again[0][0], (4, 2)).T), corners)


def test_areas_and_centres_of_polygons(run, sky):
    rng = np.random.default_rng(3)
    sample = rng.normal(size=(60_000, 3))
    sample /= np.linalg.norm(sample, axis=1)[:, None]
    rows = run(
        "SELECT id, AREA(shape), CENTROID(shape), shape FROM (SELECT id, shape FROM sky.plates WHERE id < 1000) AS q"
    )
    checked = 0
    for number, area, centre, _ in rows:
        hits = sample[sphere.inside(sky.polygons[number], sample)]
        if len(hits) < 800:
            continue
        checked += 1
        share = 4 * np.pi * (180 / np.pi) ** 2 / len(sample)
        assert area == pytest.approx(len(hits) * share, rel=5 / np.sqrt(len(hits)))
        mean = hits.mean(0)
        assert sphere.separation(sphere.unit(*centre), mean / np.linalg.norm(mean)) < 60 / np.sqrt(len(hits))
    assert checked > 20


def test_areas_of_circles_of_any_size(run):
    row = run("SELECT AREA(CIRCLE(1, 2, 1.0)), AREA(CIRCLE(1, 2, 0.0001)) FROM sky.plates WHERE id = 1000")[0]
    cap = (1 - np.cos(np.radians(1))) * 2 * np.pi * (180 / np.pi) ** 2
    assert row == pytest.approx((cap, np.pi * 1e-8), rel=1e-9)


def test_shapes_in_results(run):
    row = run(
        "SELECT POINT(350, -20), CIRCLE(10, 20, 3), POLYGON(0, 0, 10, 0, 10, 10), COORD1(POINT(-10, 5)), COORD2("
        "POINT(1, 5)), COORDSYS(POINT(1, 2)), POINT(ra, dec), CIRCLE(ra, dec, 1), POLYGON(ra, dec, 1, 2, 3, 5)"
        " FROM sky.plates WHERE id = 1000"
    )[0]
    assert row[0] == pytest.approx([350, -20])
    assert row[1] == pytest.approx([10, 20, 3])
    assert row[2] == [0, 0, 10, 0, 10, 10]
    assert row[3:5] == pytest.approx((350, 5))
    assert row[5] == "ICRS"
    assert row[6:] == (None, None, None)


def test_a_stored_polygon_without_text_gives_its_vertices(run, connection):
    connection.execute("INSERT INTO sky.plates (id, hull) VALUES (2000, '{(10d,20d),(30d,20d),(30d,40.5d)}')")
    assert run("SELECT hull FROM sky.plates WHERE id = 2000") == [([10, 20, 30, 20, 30, 40.5],)]


def test_healpix_check_values(run):
    assert run(
        "SELECT ivo_healpix_index(0, 1, 1), ivo_healpix_index(17, 1, 1), ivo_healpix_index(17, POINT(359, -1)),"
        " ivo_healpix_center(0, 6) FROM sky.plates WHERE id = 1000"
    ) == [(4, 81609757711, 73009064944, [180, 0])]
