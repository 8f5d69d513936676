"""CASE, CAST and TABLESAMPLE beside shapes; and every query of language.txt runs and gives what its fields say.

Plain rows are compared with sqlite in results/language.txt; here are the values that sqlite does not know.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import psycopg
import pytest
from adql import sphere
from adql.fixtures import FOLDER, read
from adql.tables import CATALOGUE, PLATES

from vo.adql import compile_query
from vo.metadata.fields import Catalogue, Schema

REGION = "POLYGON ICRS 0 0 10 0 10 10"
ROWS = 4000


@pytest.fixture(scope="module", autouse=True)
def rows(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO sky.plates (id, n, ra, dec, place, spot, shape, shape_text, hull, taken) VALUES"
        f" (1, 1, 10, 20, '(10d,20d)', '<(10d,20d),3d>', '{{(0d,0d),(10d,0d),(10d,10d)}}', '{REGION}',"
        " '{(20d,20d),(30d,20d),(30d,30d)}', '1910-12-31 06:00:00'),"
        " (2, 2, 350, -80, '(350d,-80d)', '<(350d,-80d),1d>', NULL, NULL, '{(1d,1d),(2d,1d),(2d,2d)}', NULL),"
        " (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '1999-12-31 00:00:00.5')"
    )
    connection.execute(
        "INSERT INTO sky.stars (id, name) VALUES (1, '12.3 45.6'), (2, '  -12.5   -45.25 '), (3, NULL),"
        " (11, '12.3 45.6 1.5'), (12, E'1e1\\t-1.5e1  0.25'),"
        " (21, '1.0 0.1 2.0 0.2 3.0 0.9'), (22, ' 350 -5 10 -5 10 5 350 5'), (31, '1'), (32, '1 2 3 4 5 x'), (33, '')"
    )
    # many rows on many pages
    connection.execute(f"INSERT INTO lab.series SELECT repeat('x', 200), i % 30 FROM generate_series(1, {ROWS}) AS i")
    connection.execute("CREATE VIEW sky.part AS SELECT * FROM sky.plates WHERE n = 1 OR n IS NULL")


def values(run, expression, condition="id < 4"):
    return [row[0] for row in run(f"SELECT {expression} FROM sky.plates WHERE {condition} ORDER BY id")]


def stars(run, expression, *ids):
    return [
        row[0]
        for row in run(f"SELECT {expression} FROM sky.stars WHERE id IN ({', '.join(map(str, ids))}) ORDER BY id")
    ]


@pytest.mark.parametrize("case", list(read(FOLDER / "language.txt")), ids=lambda case: case.title)
def test_every_query_runs_and_gives_what_its_fields_say(connection, case):
    """TAP-14, for the whole language; without rows, as a CAST of a name need not succeed."""
    oids = {
        "boolean": 16,
        "short": 21,
        "int": 23,
        "long": 20,
        "float": 700,
        "double": 701,
        "char": 25,
        "unicodeChar": 25,
    }
    compiled = compile_query(case.query, CATALOGUE, base_url="https://h")
    cursor = connection.execute(f"SELECT * FROM ({compiled.sql}) AS q LIMIT 0".encode())
    assert [column.name for column in cursor.description] == [field.name for field in compiled.fields]
    for column, field in zip(cursor.description, compiled.fields, strict=True):
        is_array = field.datatype == "double" and field.arraysize is not None
        assert column.type_code == (1022 if is_array else oids[field.datatype]), field


# CASE


def test_case_of_regions_is_answered_by_their_text(run):
    assert values(run, "CASE WHEN n = 1 THEN shape END") == [REGION, None, None]
    assert values(run, "CASE n WHEN 1 THEN shape ELSE NULL END") == [REGION, None, None]
    inner = "SELECT id, CASE WHEN n = 1 THEN shape END AS s FROM sky.plates"
    assert run(f"SELECT q.s FROM ({inner}) AS q WHERE CONTAINS(POINT(9, 5), q.s) = 1") == [(REGION,)]
    assert run(
        f"WITH q AS ({inner}) SELECT s FROM q WHERE id = 1 UNION ALL SELECT shape FROM sky.plates WHERE id = 1"
    ) == [
        (REGION,),
        (REGION,),
    ]


def test_case_of_a_region_and_a_polygon_is_answered_by_numbers(run):
    assert values(run, "CASE WHEN n = 1 THEN shape ELSE hull END") == [[0, 0, 10, 0, 10, 10], [1, 1, 2, 1, 2, 2], None]
    assert values(run, "CASE WHEN n = 2 THEN POLYGON(5, 5, 6, 5, 6, 6) ELSE hull END") == [
        [20, 20, 30, 20, 30, 30],
        [5, 5, 6, 5, 6, 6],
        None,
    ]


def test_case_of_points_and_circles(run):
    first, second, third = values(run, "CASE WHEN n = 1 THEN place WHEN n = 2 THEN POINT(1, 2) END")
    assert (first, second, third) == (pytest.approx([10, 20]), [1, 2], None)
    first, second, third = values(run, "CASE n WHEN 1 THEN spot WHEN 2 THEN CIRCLE(ra, dec, 5) END")
    assert first == pytest.approx([10, 20, 3])
    assert second == pytest.approx([350, -80, 5])
    assert third is None


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("CONTAINS(POINT(9, 5), CASE WHEN n = 1 THEN shape ELSE hull END) = 1", [1]),
        ("CONTAINS(POINT(1.9, 1.5), CASE WHEN n = 1 THEN hull ELSE hull END) = 1", [2]),
        ("CONTAINS(POINT(9, 5), CASE WHEN n = 1 THEN shape ELSE hull END) = 0", [2]),
        ("INTERSECTS(CASE WHEN n = 1 THEN shape ELSE hull END, CIRCLE(1.5, 1.4, 0.01)) = 1", [1, 2]),
        ("NOT CONTAINS(POINT(9, 5), CASE WHEN n = 1 THEN shape ELSE hull END) = 1", [2]),
        ("DISTANCE(CASE WHEN n = 1 THEN place ELSE POINT(0, 0) END, POINT(10, 20)) < 0.1", [1]),
        ("CASE WHEN CONTAINS(POINT(9, 5), shape) = 1 THEN 'in' ELSE 'out' END = 'in'", [1]),
        ("CASE WHEN NOT CONTAINS(POINT(9, 5), shape) = 1 THEN 'out' ELSE 'in or unknown' END = 'out'", []),
        ("CASE CONTAINS(POINT(1.9, 1.5), hull) WHEN 0 THEN 'out' WHEN 1 THEN 'in' END = 'out'", [1]),
        ("CASE WHEN n = 1 THEN taken ELSE '1905-01-01' END > '1910-01-01'", [1]),
    ],
)
def test_case_and_geometry_in_conditions(run, condition, expected):
    assert values(run, "id", f"{condition} AND id < 4") == expected


def test_what_a_case_compares_is_computed_once(run):
    """Of two random numbers drawn apart, neither 0 nor 1 would come every fourth time."""
    got = run("SELECT CASE FLOOR(RAND() * 2) WHEN 0 THEN 'a' WHEN 1 THEN 'b' END FROM lab.series")
    assert {row[0] for row in got} == {"a", "b"}


def test_case_takes_no_branch_that_it_does_not_need(run):
    assert values(run, "CASE WHEN n IS NULL THEN 0 WHEN n - 1 = 0 THEN -1 ELSE 6 / (n - 1) END") == [-1, 6, 0]


# CAST


def test_literals_become_shapes(run):
    (row,) = run(
        "SELECT CAST('12.3 45.6' AS POINT), CAST(' 12.3  45.6 1.0 ' AS CIRCLE),"
        " CAST('1.0 0.1 2.0 0.2 3.0 0.9' AS POLYGON), CAST('circle 10 20 3' AS CIRCLE) FROM sky.plates WHERE id = 1"
    )
    assert row[0] == [12.3, 45.6]
    assert row[1] == pytest.approx([12.3, 45.6, 1], rel=1e-14)
    assert row[2] == [1.0, 0.1, 2.0, 0.2, 3.0, 0.9]
    assert row[3] == pytest.approx([10, 20, 3], rel=1e-14)


def test_columns_become_shapes(run):
    first, second, third = stars(run, "CAST(name AS POINT)", 1, 2, 3)
    assert first == pytest.approx([12.3, 45.6], rel=1e-14)
    assert second == pytest.approx([347.5, -45.25], rel=1e-14)
    assert third is None
    first, second = stars(run, "CAST(name AS CIRCLE)", 11, 12)
    assert first == pytest.approx([12.3, 45.6, 1.5], rel=1e-14)
    assert second == pytest.approx([10, -15, 0.25], rel=1e-14)
    first, second = stars(run, "CAST(name AS POLYGON)", 21, 22)
    assert first == [1.0, 0.1, 2.0, 0.2, 3.0, 0.9]
    assert second == [350, -5, 10, -5, 10, 5, 350, 5]
    assert stars(run, "CONTAINS(POINT(0, 0), CAST(name AS POLYGON))", 21, 22) == [0, 1]


@pytest.mark.parametrize("id_", [3, 1, 31, 32, 33])
@pytest.mark.parametrize("target", ["POINT", "CIRCLE", "POLYGON"])
def test_a_text_that_is_no_shape_is_an_error_never_a_null(run, id_, target):
    if id_ == 3:
        assert stars(run, f"CAST(name AS {target})", id_) == [None]
    elif (id_, target) == (1, "POINT"):
        assert stars(run, f"CAST(name AS {target})", id_) != [None]
    else:
        with pytest.raises(psycopg.Error):
            stars(run, f"CAST(name AS {target})", id_)


def test_shapes_become_texts_and_shapes_again(run):
    assert values(run, "CAST(POINT(12.3, 45.6) AS VARCHAR)", "id = 1") == ["12.3 45.6"]
    (text,) = values(run, "CAST(place AS VARCHAR)", "id = 1")
    assert [float(word) for word in text.split(" ")] == pytest.approx([10, 20], rel=1e-14)
    (text,) = values(run, "CAST(spot AS VARCHAR)", "id = 1")
    assert [float(word) for word in text.split(" ")] == pytest.approx([10, 20, 3], rel=1e-14)
    assert values(run, "CAST(shape AS VARCHAR)") == ["0 0 10 0 10 10", None, None]
    assert values(run, "CAST(CASE WHEN n = 1 THEN shape ELSE hull END AS VARCHAR)") == [
        "0 0 10 0 10 10",
        "1 1 2 1 2 2",
        None,
    ]
    for shape, type_ in (("place", "POINT"), ("spot", "CIRCLE"), ("hull", "POLYGON")):
        before, after = (
            values(run, shape, "id = 2"),
            values(run, f"CAST(CAST({shape} AS VARCHAR) AS {type_})", "id = 2"),
        )
        np.testing.assert_allclose(after[0], before[0], rtol=1e-13)


def test_points_of_random_texts_are_where_they_should_be(connection, run):
    random = np.random.default_rng(21)
    lon, lat = random.uniform(0, 360, 200), random.uniform(-90, 90, 200)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO sky.stars (id, name) VALUES (%s, %s)",
            [(1000 + i, f"{x!r} {y!r}") for i, (x, y) in enumerate(zip(lon.tolist(), lat.tolist(), strict=True))],
        )
    got = np.array([row[0] for row in run("SELECT CAST(name AS POINT) FROM sky.stars WHERE id >= 1000 ORDER BY id")])
    apart = sphere.separation(sphere.unit(got[:, 0], got[:, 1]), sphere.unit(lon, lat))
    assert apart.max() < 1e-12


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CAST(2.5 AS INTEGER)", 2),
        ("CAST(3.5 AS BIGINT)", 4),
        ("CAST(-0.5 AS SMALLINT)", 0),
        ("CAST(' +12 ' AS INTEGER)", 12),
        ("CAST('-9223372036854775808' AS BIGINT)", -(2**63)),
        ("CAST('3.14159265358979323846' AS DOUBLE PRECISION)", math.pi),
        ("CAST('.5e1' AS REAL)", 5.0),
        ("CAST(3 AS REAL) / 2", 1.5),
        ("CAST(12.5 AS VARCHAR)", "12.5"),
        ("CAST(12345 AS VARCHAR(3))", "123"),
        ("CAST(12 AS CHAR(4))", "12  "),
        ("CAST('abc' AS CHAR)", "abc"),
        ("CAST(taken AS CHAR(10))", "1910-12-31"),
        ("CAST(CAST('1910-12-31T06:00:00Z' AS TIMESTAMP) AS VARCHAR)", "1910-12-31T06:00:00"),
        ("CAST(NULL AS INTEGER)", None),
        ("CAST(NULL AS CIRCLE)", None),
        ("CAST(CASE WHEN n = 1 THEN NULL END AS DOUBLE PRECISION)", None),
    ],
)
def test_casts(run, expression, expected):
    (got,) = values(run, expression, "id = 1")
    assert got == expected
    assert type(got) is type(expected)


# TABLESAMPLE


def test_a_sample_of_all_is_all(run):
    assert run("SELECT COUNT(*) FROM lab.series TABLESAMPLE(100)") == [(ROWS,)]


def test_a_sample_is_about_as_large_as_asked(run):
    """Blocks hold about 35 rows of the 4,000: 20 samples of a fifth have 16,000 rows, give or take 1,200 (4 sigma)."""
    counts = [run("SELECT COUNT(*) FROM lab.series AS s TABLESAMPLE(20) WHERE s.n >= 0")[0][0] for _ in range(20)]
    assert sum(counts) == pytest.approx(20 * ROWS / 5, abs=1900)
    assert len(set(counts)) > 1


def test_a_sample_in_a_join_keeps_to_its_table(run):
    (count,) = run("SELECT COUNT(*) FROM sky.plates AS p JOIN lab.series TABLESAMPLE(50) AS s ON p.n = s.n")[0]
    (whole,) = run("SELECT COUNT(*) FROM sky.plates AS p JOIN lab.series AS s ON p.n = s.n")[0]
    assert 0 < count < whole


def test_a_sample_of_a_view_is_one_of_its_table(connection):
    """PostgreSQL samples tables alone; the view's condition and hidden columns stay."""
    view = dataclasses.replace(
        PLATES, name="part", is_view=True, view_of="plates", view_condition="n = 1 OR n IS NULL", time_range=None
    )
    catalogue = Catalogue((Schema("sky", (PLATES, view)),))

    def run(query):
        return connection.execute(compile_query(query, catalogue).sql.encode()).fetchall()

    assert run("SELECT id, shape FROM sky.part TABLESAMPLE(100) WHERE id < 3 OR id = 3 ORDER BY id") == [
        (1, REGION),
        (3, None),
    ]
    assert run("SELECT s.id FROM sky.plates AS p JOIN sky.part AS s TABLESAMPLE(100) ON p.id = s.id ORDER BY 1") == [
        (1,),
        (3,),
    ]
