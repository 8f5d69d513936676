"""Histograms: arrays of counts, as numpy counts, from the query to every form of answer."""

from __future__ import annotations

import io
import math
import random

import numpy as np
import psycopg
import pytest
from adql.tables import CATALOGUE
from astropy.io.votable import parse_single_table

from vo.adql import compile_query
from vo.db.faults import translate
from vo.errors import ADQLFault
from vo.tables import formats
from vo.tables.votable import Document


@pytest.fixture
def fill(connection: psycopg.Connection):
    """Put rows into the table of stars, given its columns; afterwards it is empty again."""

    def copy_rows(columns, rows):
        with connection.cursor() as cursor, cursor.copy(f"COPY sky.stars ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    yield copy_rows
    connection.execute("TRUNCATE sky.stars")


def histogram(values, lower, upper, nbins):
    """The catalogue's definition with numpy's bins: nulls and NaN below, numpy's last bin includes its upper end."""
    known = np.array([one for one in values if one is not None and not math.isnan(one)], dtype=float)
    inside, _ = np.histogram(known, bins=nbins, range=(lower, upper))
    below = len(values) - len(known) + (known < lower).sum()
    return [int(below), *map(int, inside), int((known > upper).sum())]


@pytest.mark.parametrize(("lower", "upper", "nbins"), [(0, 20, 1), (-3.5, 7.25, 13), (0, 1, 1000), (-100, 100, 8)])
def test_histograms_agree_with_numpy(run, fill, lower, upper, nbins):
    generator = random.Random(6)  # noqa: S311  # no secret
    special = [None, math.inf, -math.inf, math.nan]
    values = [
        generator.choice([generator.gauss(3, 6), float(generator.randint(-4, 21)), *special]) for _ in range(3000)
    ]
    values += [lower, upper, math.nextafter(lower, -math.inf), math.nextafter(upper, math.inf)]
    fill("id, plate_id, ra", [(i, i % 3, one) for i, one in enumerate(values)])
    query = f"ivo_histogram(ra, {lower}, {upper}, {nbins})"
    assert run(f"SELECT {query} FROM sky.stars") == [(histogram(values, lower, upper, nbins),)]
    grouped = run(f"SELECT plate_id, {query}, COUNT(*) FROM sky.stars GROUP BY plate_id ORDER BY plate_id")
    assert grouped == [(k, histogram(values[k::3], lower, upper, nbins), len(values[k::3])) for k in range(3)]
    assert run(f"SELECT {query} FROM sky.stars WHERE id < 0") == [([0] * (nbins + 2),)]
    assert run(f"SELECT {query.replace('ivo', 'gavo')} FROM sky.stars WHERE ra IS NULL")[0][0][0] == values.count(None)


def test_bounds_of_histograms_may_be_sub_queries(run, fill):
    fill("id, mag", [(i, i / 2) for i in range(11)])
    bounds = "(SELECT MIN(mag) FROM sky.stars), (SELECT MAX(mag) FROM sky.stars)"
    assert run(f"SELECT ivo_histogram(mag, {bounds}, 5) FROM sky.stars") == [([0, 2, 2, 2, 2, 3, 0],)]
    nested = f"SELECT q.h FROM (SELECT ivo_histogram(mag, {bounds}, 5) AS h FROM sky.stars) AS q WHERE q.h IS NOT NULL"
    assert run(nested) == [([0, 2, 2, 2, 2, 3, 0],)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("mag, 3, 3, 5", "below the upper"),
        ("mag, 4, 3, 5", "below the upper"),
        ("mag, 0, 1, 0", "literal number from 1 to 10000"),
        ("mag, 0, 1, 10001", "literal number from 1 to 10000"),
        ("mag, 0, 1, id", "literal number"),
        ("mag, 0, 1, 2.5", "takes an integer"),
        ("mag, 0, ra, 5", "same for all rows"),
        ("mag, (SELECT MIN(n) FROM lab.series WHERE n = id), 5, 5", "same for all rows"),
        ("name, 0, 1, 5", "takes a number"),
        ("mag, 0, 1", "takes 4 arguments"),
        ("MAX(mag), 0, 1, 5", "cannot stand in an aggregate"),
    ],
)
def test_histograms_refused(arguments, words):
    with pytest.raises(ADQLFault) as caught:
        compile_query(f"SELECT ivo_histogram({arguments}) FROM sky.stars", CATALOGUE)
    assert words in caught.value.text


def test_bounds_that_the_rows_make_wrong_are_told(connection):
    for bounds in ("(SELECT COUNT(*) + 5 FROM lab.series), 3", "0, (SELECT MAX(n) FROM lab.series WHERE n < 0)"):
        sql = compile_query(f"SELECT ivo_histogram(n, {bounds}, 5) FROM lab.series", CATALOGUE).sql
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(sql.encode())
        fault = translate(caught.value.sqlstate, str(caught.value))
        assert "lower bound of ivo_histogram" in fault.text


@pytest.mark.parametrize(
    "clause",
    ["WHERE h = h", "WHERE h IN (h)", "ORDER BY h", "GROUP BY h", "WHERE h BETWEEN h AND h", "WHERE h = 1"],
)
def test_arrays_are_not_compared(clause):
    items = "COUNT(*)" if "GROUP" in clause else "h"
    with pytest.raises(ADQLFault) as caught:
        compile_query(
            f"SELECT {items} FROM (SELECT ivo_histogram(mag, 0, 1, 5) AS h FROM sky.stars) AS q {clause}", CATALOGUE
        )
    assert "INTEGER ARRAY cannot be" in caught.value.text


@pytest.mark.parametrize("expression", ["h + 1", "-h", "h || 'a'", "MAX(h)", "SUM(h)", "COUNT(DISTINCT h)", "ABS(h)",
                                        "CAST(h AS VARCHAR)", "ivo_string_agg(h, ',')", "COALESCE(h, h)"])  # fmt: skip
def test_arrays_are_not_counted_with(expression):
    inner = "(SELECT ivo_histogram(mag, 0, 1, 5) AS h FROM sky.stars) AS q"
    with pytest.raises(ADQLFault, match="INTEGER ARRAY"):
        compile_query(f"SELECT {expression} FROM {inner}", CATALOGUE)


QUERY = """
    SELECT table_name, ivo_histogram(column_index, 0, 20, 4) AS h FROM tap_schema.columns GROUP BY table_name
    UNION ALL SELECT 'none', NULL FROM tap_schema.schemas WHERE schema_name = 'ivoa'
"""


@pytest.mark.parametrize("name", ["votable/b2", "votable/td", "csv", "tsv"])
def test_histograms_reach_the_reader(database, catalogue, name):
    """As the role of users' queries, through Arrow, in each form; an array that is null too."""
    with database.stream(
        compile_query("SELECT table_name, column_index FROM tap_schema.columns", catalogue).sql, 20
    ) as all_:
        rows = [tuple(row.values()) for batch in all_ for row in batch.to_pylist()]
    expected = {table: histogram([index for other, index in rows if other == table], 0, 20, 4) for table, _ in rows}
    compiled = compile_query(QUERY, catalogue)
    assert [(field.datatype, field.arraysize) for field in compiled.fields] == [("char", "*"), ("int", "*")]
    with database.stream(compiled.sql, 20) as stream:
        data = b"".join(formats.find(name).write(Document(compiled.fields), stream, 10_000))
    if name in ("csv", "tsv"):
        lines = [line.split("," if name == "csv" else "\t") for line in data.decode().splitlines()[1:]]
        found = {table: list(map(int, cell.split())) for table, cell in lines}
    else:
        table = parse_single_table(io.BytesIO(data)).to_table()
        found = {str(row["table_name"]): [int(one) for one in np.ma.compressed(row["h"])] for row in table}
    assert found.pop("none") == []
    assert found == expected
