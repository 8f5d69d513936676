"""Each geometry function and each pair of shapes on 2,000 cases against numpy's own spherical geometry.

Among the cases: every tenth at a pole, at longitude 0 or on the equator; sizes from 4 arcsec to 80 degrees; either
winding; points on purpose within 1e-7 degrees of an edge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import pytest
from adql import sphere
from adql.sphere import Array

from vo.adql import compile_query
from vo.metadata.fields import Catalogue, Column, Kind, Schema, Table

CASES = 2000

#: Degrees from an edge within which answers may differ: what is compared by distances is exact, pgSphere's polygons
#: include what is up to 1e-9 radians outside.
EXACT = 1e-11
POLYGON_EDGE = 6e-8

NUMBERS = (
    "lon", "lat", "clon", "clat", "radius", "clon2", "clat2", "radius2", "blon", "blat", "width", "height",
    *(f"{axis}{i}" for i in range(1, 5) for axis in "xy"),
)  # fmt: skip
TABLE = Table(
    "geo",
    "cases",
    (
        Column("id", Kind.INTEGER, nullable=False),
        *(Column(name, Kind.DOUBLE, indexed=name in ("lon", "lat")) for name in NUMBERS),
        Column("shape", Kind.POLYGON),
        Column("disk", Kind.CIRCLE),
        Column("place", Kind.POINT, indexed=True),
    ),
)
CATALOGUE = Catalogue((Schema("geo", (TABLE,)),))

Rows = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Point:
    at: Array


@dataclass(frozen=True)
class Circle:
    centre: Array
    radius: Array


@dataclass(frozen=True)
class Polygon:
    vertices: Array
    middle: Array


Shape = Point | Circle | Polygon


@dataclass(frozen=True)
class Cases:
    """The shapes by the ADQL that makes them of the table's columns, and the columns' numbers."""

    shapes: dict[str, Shape]
    numbers: dict[str, Array]


def star(rng: np.random.Generator, centres: Array, sizes: Array, count: int) -> Array:
    """Polygons around centres, not always convex, of either winding."""
    cells = np.arange(count) + rng.uniform(0.1, 0.9, (len(centres), count))
    angles = cells * (2 * np.pi / count)
    angles[::3] = angles[::3, ::-1]
    reach = sizes[:, None] * rng.uniform(0.6, 1, (len(centres), count))
    vertices = [sphere.directed(centres, reach[:, i], angles[:, i]) for i in range(count)]
    return np.stack(vertices, 1)


def from_numbers(vectors: Array) -> tuple[Array, Array, Array]:
    """Longitudes and latitudes of vectors, and the vectors that exactly these numbers mean."""
    lon = np.degrees(np.arctan2(vectors[..., 1], vectors[..., 0])) % 360
    lat = np.degrees(np.arctan2(vectors[..., 2], np.hypot(vectors[..., 0], vectors[..., 1])))
    return lon, lat, sphere.unit(lon, lat)


def made() -> Cases:
    rng = np.random.default_rng(20)
    centres = rng.normal(size=(CASES, 3))
    kind = np.arange(CASES) % 10
    centres[kind == 0] = centres[kind == 0] * 0.01 + [0, 0, 1]
    centres[kind == 1] = centres[kind == 1] * 0.01 - [0, 0, 1]
    centres[kind == 2, 1] *= 0.001
    centres[kind == 2, 0] = np.abs(centres[kind == 2, 0])
    centres[kind == 3, 2] *= 0.001
    centres = sphere.normalised(centres)
    sizes = 10 ** rng.uniform(-3, np.log10(40), CASES)
    sizes[::20] = 40.0
    turn = rng.uniform(0, 2 * np.pi, (5, CASES))
    numbers: dict[str, Array] = {}

    def keep(lon_name: str, lat_name: str, vectors: Array) -> Array:
        numbers[lon_name], numbers[lat_name], vectors = from_numbers(vectors)
        return vectors

    circle = Circle(keep("clon", "clat", centres), sizes * rng.uniform(0.3, 1.2, CASES))
    away = sphere.directed(centres, sizes * rng.uniform(0, 2, CASES), turn[0])
    other = Circle(keep("clon2", "clat2", away), np.minimum(circle.radius * 10 ** rng.uniform(-0.7, 0.9, CASES), 80))
    numbers["radius"], numbers["radius2"] = circle.radius, other.radius
    beside = sphere.directed(centres, sizes * rng.uniform(0, 2, CASES), turn[4])
    quad = star(rng, beside, np.minimum(sizes * 10 ** rng.uniform(-0.5, 0.6, CASES), 40), 4)
    quad = np.stack([keep(f"x{i + 1}", f"y{i + 1}", quad[:, i]) for i in range(4)], 1)
    # the six-cornered one is stored: apart, overlapping, within or around the others
    middle = sphere.directed(centres, sizes * rng.uniform(0, 2, CASES), turn[1])
    six = star(rng, middle, np.minimum(sizes * 10 ** rng.uniform(-0.7, 0.7, CASES), 42), 6)
    six = from_numbers(six)[2]
    box_centre = keep("blon", "blat", sphere.directed(centres, sizes * rng.uniform(0, 1, CASES), turn[2]))
    numbers["width"], numbers["height"] = sizes * rng.uniform(0.2, 2, CASES), sizes * rng.uniform(0.2, 2, CASES)
    numbers["width"][1::20] = 150.0
    # a third of the points just off the circle's edge, a third just off an edge of the quadrangle
    points = sphere.directed(centres, sizes * rng.uniform(0, 1.5, CASES), turn[3])
    off = 10 ** rng.uniform(-9, -6, CASES) * rng.choice([-1, 1], CASES)
    points[::3] = sphere.directed(centres, circle.radius + off, turn[3])[::3]
    along = rng.uniform(0.05, 0.95, CASES)[:, None]
    foot = sphere.normalised(along * quad[:, 0] + (1 - along) * quad[:, 1])
    pole = sphere.normalised(np.cross(quad[:, 0], quad[:, 1]))
    points[1::3] = sphere.normalised(foot + np.radians(off)[:, None] * pole)[1::3]
    shapes: dict[str, Shape] = {
        "POINT(lon, lat)": Point(keep("lon", "lat", points)),
        "CIRCLE(clon, clat, radius)": circle,
        "CIRCLE(POINT(clon2, clat2), radius2)": other,
        "BOX(blon, blat, width, height)": Polygon(
            boxes(box_centre, numbers["blon"], numbers["blat"], numbers["width"], numbers["height"]), box_centre
        ),
        "POLYGON(x1, y1, x2, y2, x3, y3, x4, y4)": Polygon(quad, beside),
        "shape": Polygon(six, middle),
    }
    return Cases(shapes, numbers)


def boxes(centres: Array, lon: Array, lat: Array, width: Array, height: Array) -> Array:
    """ADQL 2.1, section 4.2.9: each side is the great circle through an arm's end at right angles to the arm."""
    a, b = np.radians(lon), np.radians(lat)
    east = np.stack([-np.sin(a), np.cos(a), 0 * a], -1)
    north = np.stack([-np.sin(b) * np.cos(a), -np.sin(b) * np.sin(a), np.cos(b)], -1)
    w, h = np.radians(width / 2)[:, None], np.radians(height / 2)[:, None]
    # poles of the four sides; a corner is where two of them meet
    sides = {
        "e": np.sin(w) * centres - np.cos(w) * east,
        "w": np.sin(w) * centres + np.cos(w) * east,
        "n": np.sin(h) * centres - np.cos(h) * north,
        "s": np.sin(h) * centres + np.cos(h) * north,
    }
    corners = []
    for one, two in ("es", "en", "wn", "ws"):
        corner = sphere.normalised(np.cross(sides[one], sides[two]))
        corners.append(corner * np.sign((corner * centres).sum(-1))[:, None])
    return np.stack(corners, 1)


@pytest.fixture(scope="module")
def cases() -> Cases:
    return made()


@pytest.fixture(scope="module")
def rows(fresh_database, cases: Cases):
    """Rows of an ADQL query on the table of cases."""
    six = cases.shapes["shape"]
    assert isinstance(six, Polygon)
    columns = ", ".join(f"{name} float8" for name in NUMBERS)
    with fresh_database().owner() as connection:
        connection.execute("CREATE SCHEMA geo")
        connection.execute(
            f"CREATE TABLE geo.cases (id int PRIMARY KEY, {columns}, shape spoly, disk scircle, place spoint)".encode()
        )
        with connection.cursor().copy(f"COPY geo.cases (id, {', '.join(NUMBERS)}, shape) FROM STDIN".encode()) as copy:
            for i in range(CASES):
                copy.write_row((i, *(float(cases.numbers[n][i]) for n in NUMBERS), sphere.spoly(six.vertices[i])))
        connection.execute(
            "UPDATE geo.cases SET place = spoint(radians(lon), radians(lat)),"
            " disk = scircle(spoint(radians(clon), radians(clat)), radians(radius))"
        )
        for key in ("shape", "place", "spoint(radians(lon), radians(lat))"):
            connection.execute(f"CREATE INDEX ON geo.cases USING gist ({key})".encode())
        connection.commit()
        connection.autocommit = True
        yield lambda query: ask(connection, query)


def ask(connection: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(compile_query(query, CATALOGUE).sql.encode()).fetchall()


# The judge: whether it holds, and how far, in degrees, the shapes are from where that changes.

Verdict = tuple[Array, Array]


def contains(inner: Shape, outer: Shape) -> Verdict:
    match inner, outer:
        case Point(at), Circle(centre, radius):
            apart = sphere.separation(at, centre)
            return apart <= radius, np.abs(apart - radius)
        case Point(at), Polygon(vertices, middle):
            return sphere.all_inside(vertices, middle, at), sphere.edge_distances(vertices, at)
        case Circle(centre, radius), Circle(other, reach):
            apart = sphere.separation(centre, other)
            return apart + radius <= reach, np.abs(apart + radius - reach)
        case Circle(centre, radius), Polygon(vertices, middle):
            depth = sphere.edge_distances(vertices, centre)
            held = sphere.all_inside(vertices, middle, centre)
            return held & (depth >= radius), np.abs(depth - radius)
        case Polygon(vertices, _), Circle(centre, radius):
            farthest = sphere.separation(vertices, centre[:, None]).max(1)
            return farthest <= radius, np.abs(farthest - radius)
        case Polygon(vertices, _), Polygon(others, middle):
            corners = [sphere.all_inside(others, middle, vertices[:, i]) for i in range(vertices.shape[1])]
            return np.all(corners, 0) & ~sphere.edges_cross(vertices, others), gap(inner, outer)
    raise AssertionError((inner, outer))


def intersects(a: Shape, b: Shape) -> Verdict:
    match a, b:
        case Point(), _:
            return contains(a, b)
        case _, Point():
            return contains(b, a)
        case Circle(centre, radius), Circle(other, reach):
            apart = sphere.separation(centre, other)
            return apart <= radius + reach, np.abs(apart - radius - reach)
        case Circle(centre, radius), Polygon(vertices, middle):
            near = sphere.edge_distances(vertices, centre)
            return sphere.all_inside(vertices, middle, centre) | (near <= radius), np.abs(near - radius)
        case Polygon(), Circle():
            return intersects(b, a)
        case Polygon(vertices, middle), Polygon(others, other_middle):
            within = sphere.all_inside(others, other_middle, vertices[:, 0])
            around = sphere.all_inside(vertices, middle, others[:, 0])
            return within | around | sphere.edges_cross(vertices, others), gap(a, b)
    raise AssertionError((a, b))


def gap(a: Polygon, b: Polygon) -> Array:
    """The smallest distance of a corner of one polygon from an edge of the other."""
    found = [sphere.edge_distances(b.vertices, a.vertices[:, i]) for i in range(a.vertices.shape[1])]
    found += [sphere.edge_distances(a.vertices, b.vertices[:, i]) for i in range(b.vertices.shape[1])]
    return np.min(found, 0)


MAKERS = (
    "POINT(lon, lat)",
    "CIRCLE(clon, clat, radius)",
    "CIRCLE(POINT(clon2, clat2), radius2)",
    "BOX(blon, blat, width, height)",
    "POLYGON(x1, y1, x2, y2, x3, y3, x4, y4)",
    "shape",
)
PAIRS = [
    (verb, a, b)
    for verb in ("CONTAINS", "INTERSECTS")
    for a in MAKERS
    for b in MAKERS
    if a != b and not (verb == "CONTAINS" and b.startswith("POINT"))
]


@pytest.mark.parametrize(("verb", "a", "b"), PAIRS)
def test_every_pair_of_shapes_in_both_orders(rows, cases, verb, a, b):
    """As a value, and as a condition that the rewriter changes; wrong nowhere but at the very edge."""
    one, two = cases.shapes[a], cases.shapes[b]
    want, margin = contains(one, two) if verb == "CONTAINS" else intersects(one, two)
    call = f"{verb}({a}, {b})"
    got = np.array([value for _, value in sorted(rows(f"SELECT id, {call} FROM geo.cases"))], bool)
    condition, holds = (f"1 = {call}", got) if verb == "CONTAINS" else (f"NOT {call} > 0", ~got)
    assert {i for (i,) in rows(f"SELECT id FROM geo.cases WHERE {condition}")} == set(np.nonzero(holds)[0].tolist())
    wrong = np.nonzero(got != want)[0]
    allowed = POLYGON_EDGE if isinstance(one, Polygon) or isinstance(two, Polygon) else EXACT
    assert (margin[wrong] <= allowed).all(), (wrong, margin[wrong])
    assert 20 < want.sum() < CASES - 20


def triangle_sum(polygon: Polygon) -> Array:
    """Areas in square degrees: signed triangles from the middle to each edge (Eriksson 1990, Math. Mag. 63, 184)."""
    total = np.zeros(len(polygon.middle))
    for i in range(polygon.vertices.shape[1]):
        a, b, c = polygon.middle, polygon.vertices[:, i - 1], polygon.vertices[:, i]
        volume = (a * np.cross(b - a, c - a)).sum(-1)
        total += 2 * np.arctan2(volume, 1 + (a * b).sum(-1) + (b * c).sum(-1) + (c * a).sum(-1))
    return np.abs(total) * np.degrees(1) ** 2


POLYGONS = MAKERS[3:]


def test_area(rows, cases):
    makers = ("disk", MAKERS[1], *POLYGONS)
    got = np.array(rows(f"SELECT {', '.join(f'AREA({m})' for m in makers)}, AREA(place) FROM geo.cases ORDER BY id")).T
    cap = 4 * np.pi * np.sin(np.radians(cases.numbers["radius"]) / 2) ** 2 * np.degrees(1) ** 2
    np.testing.assert_allclose(got[0], cap, rtol=1e-9)
    np.testing.assert_allclose(got[1], cap, rtol=1e-9)
    for area, maker in zip(got[2:5], POLYGONS, strict=True):
        # pgSphere moves vertices within 1e-9 radians of longitude 0 or the equator there, which small polygons feel
        np.testing.assert_allclose(area, triangle_sum(cases.shapes[maker]), rtol=1e-8, atol=1e-13)
    assert not got[5].any()
    assert rows("SELECT AREA(CIRCLE(clon, clat, 180)) FROM geo.cases WHERE id = 0")[0][0] == pytest.approx(41252.96125)


def test_centroid(rows, cases):
    """The sum over the edges of (angle) times (pole), with more digits than the database has."""
    for maker in POLYGONS:
        polygon = cases.shapes[maker]
        total = np.zeros((CASES, 3), np.longdouble)
        vertices = polygon.vertices.astype(np.longdouble)
        for i in range(vertices.shape[1]):
            a, b = vertices[:, i - 1], vertices[:, i]
            pole = np.cross(a, b)
            sine = np.sqrt((pole**2).sum(-1))
            total += pole * (np.arctan2(sine, (a * b).sum(-1)) / sine)[:, None]
        total *= np.sign((total * polygon.middle).sum(-1))[:, None]
        want = (total / np.sqrt((total**2).sum(-1))[:, None]).astype(float)
        got = np.array([value for (value,) in rows(f"SELECT CENTROID({maker}) FROM geo.cases ORDER BY id")])
        apart = sphere.separation(sphere.unit(got[:, 0], got[:, 1]), want)
        # vertices and result within 1e-9 radians of longitude 0 or of the equator are moved there by pgSphere
        assert apart.max() < 1e-7
        assert np.quantile(apart, 0.9) < 1e-9
    got = np.array(rows("SELECT COORD1(CENTROID(disk)), COORD2(CENTROID(disk)) FROM geo.cases ORDER BY id"))
    assert sphere.separation(sphere.unit(*got.T), cases.shapes[MAKERS[1]].centre).max() < 1e-10


def test_box_and_polygon_have_their_corners(rows, cases):
    for maker in POLYGONS:
        got = [value for (value,) in rows(f"SELECT {maker} FROM geo.cases ORDER BY id")]
        vertices = cases.shapes[maker].vertices
        corners = np.reshape(got, (CASES, vertices.shape[1], 2))
        apart = sphere.separation(sphere.unit(corners[..., 0], corners[..., 1]), vertices)
        assert apart.max() < 6e-8
        assert np.quantile(apart, 0.99) < 1e-11


def test_points_and_circles_have_their_coordinates(rows, cases):
    query = "SELECT POINT(lon, lat), COORD1(POINT(lon, lat)), COORD2(POINT(lon, lat)), COORDSYS(POINT(lon, lat))"
    for point, lon, lat, frame, circle, i in rows(f"{query}, CIRCLE(clon, clat, radius), id FROM geo.cases"):
        assert point == [lon, lat] == [cases.numbers["lon"][i], cases.numbers["lat"][i]]
        assert frame == "ICRS"
        wanted = [cases.numbers[name][i] for name in ("clon", "clat", "radius")]
        assert circle == pytest.approx(wanted, rel=1e-12, abs=6e-8)
    turned = rows("SELECT COORD1(POINT(lon - 360, lat)), COORD1(POINT(lon + 720, lat)), lon FROM geo.cases")
    assert all(one == pytest.approx(lon) and two == pytest.approx(lon) for one, two, lon in turned)


def test_distance(rows, cases):
    """Both forms, between numbers, columns and shapes' centres, from micro-arcseconds to antipodes, against astropy."""
    from astropy.coordinates import angular_separation

    rng = np.random.default_rng(3)
    lon, lat = cases.numbers["lon"], cases.numbers["lat"]
    step = 10.0 ** rng.uniform(-13, 2, CASES)
    forms = {
        "DISTANCE(lon, lat, clon, clat)": (cases.numbers["clon"], cases.numbers["clat"]),
        "DISTANCE(POINT(lon, lat), POINT(clon, clat))": (cases.numbers["clon"], cases.numbers["clat"]),
        "DISTANCE(POINT(12.5, -40), POINT(lon, lat))": (np.full(CASES, 12.5), np.full(CASES, -40.0)),
        "DISTANCE(lon, lat, lon + 180, -lat)": (lon + 180, -lat),
    }
    for call, (other_lon, other_lat) in forms.items():
        got = np.array([value for (value,) in rows(f"SELECT {call} FROM geo.cases ORDER BY id")])
        want = np.degrees(angular_separation(*np.radians([lon, lat, other_lon, other_lat])))
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=2e-13)
    for query, offset in (("lat, lon, lat * 1", 0.0), ("lat, lon + 1e-10, lat", 1e-10)):
        got = np.array([value for (value,) in rows(f"SELECT DISTANCE(lon, {query}) FROM geo.cases ORDER BY id")])
        # what is left of the step after it has been added to a number near 360
        np.testing.assert_allclose(got, offset * np.cos(np.radians(lat)), atol=6e-14)
    values = ", ".join(f"DISTANCE(5, 20, 5, {20 + one!r})" for one in step[step < 69][:500].tolist())
    got = np.array(rows(f"SELECT TOP 1 {values} FROM geo.cases")[0])
    np.testing.assert_allclose(got, (20 + step[step < 69][:500]) - 20, rtol=1e-13, atol=1e-14)
    # stored points have been moved by up to 1e-9 radians where they lie at longitude 0 or the equator
    got = np.array([v for (v,) in rows("SELECT DISTANCE(place, CENTROID(disk)) FROM geo.cases ORDER BY id")])
    want = np.degrees(angular_separation(*np.radians([lon, lat, cases.numbers["clon"], cases.numbers["clat"]])))
    assert np.abs(got - want).max() < 2e-7
    assert np.quantile(np.abs(got - want), 0.95) < 1e-12


def test_region(rows, cases):
    """A thousand regions of each kind, as literals: the same as the functions make of the same numbers."""
    numbers = cases.numbers
    made = []
    for i in range(CASES):
        circle = f"CIRCLE ICRS {numbers['clon'][i]!s} {numbers['clat'][i]!s} {numbers['radius'][i]!s}"
        corners = " ".join(f"{numbers[f'x{k}'][i]!s} {numbers[f'y{k}'][i]!s}" for k in range(1, 5))
        made.append(circle if i % 2 else f"Polygon ICRS GEOCENTER SPHERICAL2 {corners}")
    point = cases.shapes[MAKERS[0]].at
    inside = np.where(
        np.arange(CASES) % 2,
        sphere.separation(point, cases.shapes[MAKERS[1]].centre) <= numbers["radius"],
        sphere.all_inside(cases.shapes[MAKERS[4]].vertices, cases.shapes[MAKERS[4]].middle, point),
    )
    margin = np.where(
        np.arange(CASES) % 2,
        np.abs(sphere.separation(point, cases.shapes[MAKERS[1]].centre) - numbers["radius"]),
        sphere.edge_distances(cases.shapes[MAKERS[4]].vertices, point),
    )
    for start in range(0, CASES, 100):
        picked = range(start, start + 100)
        calls = [f"CONTAINS(POINT({numbers['lon'][i]!s}, {numbers['lat'][i]!s}), REGION('{made[i]}'))" for i in picked]
        got = np.array(rows(f"SELECT TOP 1 {', '.join(calls)} FROM geo.cases")[0], bool)
        wrong = np.nonzero(got != inside[picked])[0] + start
        assert (margin[wrong] <= POLYGON_EDGE).all()


@pytest.mark.parametrize("radius", ["0", "radius * 4", "90", "135.5", "180"])
def test_circles_up_to_the_whole_sphere(rows, cases, radius):
    """Also from columns, where the database has no circles of more than 90 degrees; with the cones of the rewriter."""
    sizes = cases.numbers["radius"] * 4 if "*" in radius else np.full(CASES, float(radius))
    apart = sphere.separation(cases.shapes[MAKERS[0]].at, cases.shapes[MAKERS[1]].centre)
    circle = f"CIRCLE(clon, clat, {radius})"
    for point in ("POINT(lon, lat)", "place"):
        got = {i for (i,) in rows(f"SELECT id FROM geo.cases WHERE 1 = CONTAINS({point}, {circle})")}
        wrong = np.array(sorted(got ^ set(np.nonzero(apart <= sizes)[0].tolist())), int)
        assert (np.abs(apart - sizes)[wrong] < (EXACT if point != "place" else 2e-7)).all()
    assert len(rows(f"SELECT id FROM geo.cases WHERE 1 = CONTAINS(POINT(clon, clat), {circle})")) == CASES


def test_null_arguments_give_null(rows):
    null = "CAST(NULL AS DOUBLE PRECISION)"
    calls = [
        f"POINT({null}, lat)", f"CIRCLE(lon, {null}, 1)", f"CIRCLE(lon, lat, {null})", f"BOX(lon, lat, {null}, 1)",
        f"BOX(POINT({null}, 1), 2, 1)", f"POLYGON(lon, lat, {null}, 1, 2, 3)", f"AREA(CIRCLE({null}, 1, 2))",
        f"AREA(CIRCLE({null}, 1, 120))", f"AREA(POINT({null}, 1))", f"CENTROID(BOX({null}, 1, 2, 3))",
        f"COORD1(POINT(lon, {null}))", f"COORD2(POINT({null}, lat))", f"COORDSYS(POINT({null}, 1))",
        f"DISTANCE(lon, lat, {null}, 2)", f"DISTANCE(POINT({null}, 1), CENTROID(shape))",
        f"CONTAINS(POINT({null}, 1), shape)", f"CONTAINS(place, CIRCLE(1, {null}, 2))",
        f"CONTAINS(place, CIRCLE(1, 2, {null}))", f"INTERSECTS(CIRCLE(1, 2, {null}), disk)",
        f"INTERSECTS(shape, BOX({null}, 2, 3, 4))", f"POINT('GALACTIC', {null}, lat)", f"BOX('FK4', {null}, 1, 2, 3)",
        f"ivo_geom_transform('ICRS', 'GALACTIC', CIRCLE({null}, 2, 3))",
    ]  # fmt: skip
    (row,) = rows(f"SELECT TOP 1 {', '.join(calls)} FROM geo.cases")
    assert dict(zip(calls, row, strict=True)) == dict.fromkeys(calls)
    for call in calls[15:20]:
        for condition in (f"{call} = 1", f"{call} = 0", f"NOT {call} = 1", f"NOT ({call} = 0 OR id < 0)"):
            assert rows(f"SELECT id FROM geo.cases WHERE {condition}") == []
    assert len(rows(f"SELECT id FROM geo.cases WHERE CONTAINS(place, CIRCLE(1, {null}, 2)) IS NULL")) == CASES
