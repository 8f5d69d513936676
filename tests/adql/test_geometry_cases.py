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
        *(Column(name, Kind.DOUBLE) for name in NUMBERS),
        Column("shape", Kind.POLYGON),
        Column("disk", Kind.CIRCLE),
        Column("place", Kind.POINT),
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
    """ADQL 2.1, section 4.2.10: each side is the great circle through an arm's end at right angles to the arm."""
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
        connection.execute("CREATE INDEX ON geo.cases USING gist (shape)")
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
        volume = (a * np.cross(b, c)).sum(-1)
        total += 2 * np.arctan2(volume, 1 + (a * b).sum(-1) + (b * c).sum(-1) + (c * a).sum(-1))
    return np.abs(total) * np.degrees(1) ** 2


def test_area(rows, cases):
    got = np.array(
        rows(
            "SELECT AREA(CIRCLE(clon, clat, radius)), AREA(BOX(blon, blat, width, height)), AREA(shape),"
            " AREA(POLYGON(x1, y1, x2, y2, x3, y3, x4, y4)), AREA(disk), AREA(POINT(lon, lat)) FROM geo.cases ORDER BY id"
        )
    ).T
    caps = 4 * np.pi * np.sin(np.radians(cases.numbers["radius"]) / 2) ** 2 * np.degrees(1) ** 2
    for i, maker in enumerate(("BOX(blon, blat, width, height)", "shape", "POLYGON(x1, y1, x2, y2, x3, y3, x4, y4)")):
        want = triangle_sum(cases.shapes[maker])
        rel = np.abs(got[i + 1] / want - 1)
        print(maker, rel.max(), np.abs(got[i + 1] - want).max(), want[rel.argmax()])
    np.testing.assert_allclose(got[0], caps, rtol=1e-12)
    np.testing.assert_allclose(got[4], caps, rtol=1e-9)
    assert not got[5].any()
