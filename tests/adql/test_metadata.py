"""What results say of their columns: units against astropy's arithmetic, UCDs against the IVOA list, and over TAP."""

from __future__ import annotations

import io
import itertools
import re
import warnings
from dataclasses import replace

import astropy.units as u
import psycopg
import pytest
from adql.conftest import Run
from adql.fixtures import files, read
from adql.tables import CATALOGUE
from astropy.io.votable import parse_single_table
from astropy.io.votable.ucd import check_ucd
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import Server

from vo.adql import compile_query
from vo.adql.syntax.wording import LONGEST
from vo.errors import ADQLFault, UsageFault
from vo.metadata.fields import Catalogue, Column, Field, Kind, Schema, Table


def fields(query: str, catalogue: Catalogue = CATALOGUE) -> tuple[Field, ...]:
    return compile_query(query, catalogue).fields


def field(expression: str, table: str = "sky.plates") -> Field:
    return fields(f"SELECT {expression} FROM {table}")[0]


# Everything a column says


RICH = Table(
    "m",
    "shots",
    (
        Column("id", Kind.CHAR, length=12, ucd="meta.id;meta.main", utype="x:Id", description="Identifier"),
        Column("title", Kind.CHAR, length=40, is_unicode=True, ucd="meta.title", utype="x:Title", description="Title"),
        Column("speed", Kind.DOUBLE, unit="km/s", ucd="spect.dopplerVeloc", utype="x:V", description="Speed"),
        Column("begun", Kind.TIMESTAMP, ucd="time.start", utype="x:Start", description="Begin"),
        Column("odd", Kind.DOUBLE, unit="furlongs", ucd="POS_EQ_RA_MAIN", description="A curator's slip"),
        Column("worse", Kind.DOUBLE, unit="per cent)", ucd="no ucd;;", description="Another"),
    ),
)
COPY = replace(RICH, name="copies")
RICH_CATALOGUE = Catalogue((Schema("m", (RICH, COPY)),))

SPEED = Field("v", "double", None, None, "km/s", "spect.dopplerVeloc", "x:V", "Speed")
TITLE = Field("v", "unicodeChar", "40*", None, None, "meta.title", "x:Title", "Title")
DAY = Field("v", "char", "*", "timestamp", None, "time.start", "x:Start", "Begin")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT {c} AS v FROM m.shots",
        "SELECT ({c}) AS v FROM m.shots",
        "SELECT s.{c} AS v FROM m.shots AS s LEFT JOIN m.copies AS t ON s.id = t.id",
        "SELECT s.{c} AS v FROM m.copies AS t RIGHT OUTER JOIN m.shots AS s ON s.id = t.id",
        "SELECT {c} AS v FROM m.shots JOIN m.copies USING ({c})",
        "SELECT {c} AS v FROM m.shots FULL JOIN m.copies USING ({c})",
        "SELECT {c} AS v FROM m.shots NATURAL LEFT JOIN m.copies",
        "SELECT {c} AS v FROM m.shots NATURAL FULL JOIN m.copies",
        "SELECT v FROM (SELECT {c} AS v FROM m.shots) AS q",
        "WITH w AS (SELECT {c} AS v FROM m.shots) SELECT v FROM w",
        "WITH w (v) AS (SELECT {c} FROM m.shots) SELECT a.v FROM w AS a, w AS b",
        "SELECT {c} AS v FROM m.shots UNION SELECT {c} FROM m.copies",
        "SELECT {c} AS v FROM m.shots UNION ALL SELECT NULL FROM m.copies UNION SELECT {c} FROM m.shots",
        "SELECT {c} AS v FROM m.shots EXCEPT SELECT {c} FROM m.copies",
        "SELECT {c} AS v FROM m.shots GROUP BY {c}",
        "SELECT {c} AS v FROM m.shots GROUP BY v ORDER BY v",
        "SELECT DISTINCT {c} AS v FROM m.shots",
        "SELECT (SELECT {c} FROM m.shots WHERE id = '1') AS v FROM m.copies",
        "SELECT COALESCE(s.{c}, t.{c}) AS v FROM m.shots AS s, m.copies AS t",
        "SELECT CASE WHEN id = 'a' THEN {c} END AS v FROM m.shots",
        "SELECT CASE s.id WHEN 'a' THEN s.{c} ELSE t.{c} END AS v FROM m.shots AS s, m.copies AS t",
    ],
)
@pytest.mark.parametrize("expected", [SPEED, TITLE, DAY], ids=["speed", "title", "day"])
def test_a_columns_value_keeps_all_that_is_known(query, expected):
    column = {"Speed": "speed", "Title": "title", "Begin": "begun"}[expected.description]
    assert fields(query.format(c=column), RICH_CATALOGUE) == (expected,)


@pytest.mark.parametrize(
    "expression", ["+speed", "COALESCE(speed, 0)", "CAST(CAST(speed AS REAL) AS DOUBLE PRECISION)"]
)
def test_so_does_a_number_that_is_only_written_in_another_way(expression):
    assert fields(f"SELECT {expression} AS v FROM m.shots", RICH_CATALOGUE) == (SPEED,)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("-speed", Field("v", "double", unit="km/s", description="-speed")),
        ("ABS(speed)", Field("v", "double", unit="km/s", description="ABS(speed)")),
        ("speed + 1", Field("v", "double", unit="km/s", description="speed + 1")),
        ("id || 'x'", Field("v", "char", "*", description="id || 'x'")),
        ("LOWER(title)", Field("v", "unicodeChar", "40*", description="LOWER(title)")),
        ("MAX(begun)", Field("v", "char", "*", "timestamp", None, "time.start;stat.max", None, "MAX(begun)")),
        ("MIN(id)", Field("v", "char", "12*", None, None, "meta.id;stat.min", None, "MIN(id)")),
        ("MIN(title)", Field("v", "unicodeChar", "40*", None, None, "meta.title;stat.min", None, "MIN(title)")),
        (
            "CAST(title AS CHAR(3))",
            Field("v", "unicodeChar", "3*", ucd="meta.title", description="CAST(title AS CHAR(3))"),
        ),
        ("CAST(id AS CHAR(3))", Field("v", "char", "3", ucd="meta.id;meta.main", description="CAST(id AS CHAR(3))")),
        ("CAST(id AS CHAR(1))", Field("v", "char", "1", ucd="meta.id;meta.main", description="CAST(id AS CHAR(1))")),
        ("CAST(speed AS VARCHAR)", Field("v", "char", "*", description="CAST(speed AS VARCHAR)")),
    ],
)
def test_another_value_keeps_what_still_holds(expression, expected):
    assert fields(f"SELECT {expression} AS v FROM m.shots", RICH_CATALOGUE) == (expected,)


def test_fixed_and_varying_texts_meet_in_the_longer_one():
    query = "SELECT CAST(id AS CHAR(3)) AS v FROM m.shots UNION SELECT {} FROM m.copies"
    sizes = [
        fields(query.format(other), RICH_CATALOGUE)[0] for other in ("CAST(id AS CHAR(3))", "id", "title", "'abc'")
    ]
    assert [(one.datatype, one.arraysize) for one in sizes] == [
        ("char", "3"),
        ("char", "12*"),
        ("unicodeChar", "40*"),
        ("char", "*"),
    ]


# Units


UNITS = {"ra": "deg", "dec": "deg", "mag": "mag", "t_min": "d", "t_max": "d", "size_kb": "kbyte", "n": "", "id": ""}


def _columns() -> st.SearchStrategy[tuple[str, u.UnitBase | None]]:
    known = {name: u.Unit(unit, format="vounit") for name, unit in UNITS.items()}
    return st.sampled_from(sorted(known)).map(lambda name: (name, known[name]))


def _combined(inner: st.SearchStrategy) -> st.SearchStrategy:
    """Bigger expressions: their text and their unit by astropy, None where terms disagree."""

    def product(pair):
        (a, x), (b, y), operator = pair
        unit = None if x is None or y is None else x * y if operator == "*" else x / y
        return f"({a} {operator} {b})", unit

    def total(pair):
        (a, x), (b, y), operator = pair
        return f"({a} {operator} {b})", x if x is not None and x == y else None

    def wrapped(pair):
        (a, x), (name, power) = pair
        return name.format(a), None if x is None else x**power

    functions = st.sampled_from([("ABS({})", 1), ("-({})", 1), ("SQRT({})", 0.5), ("POWER({}, 2)", 2), ("2.5 * {}", 1)])
    return st.one_of(
        st.tuples(inner, inner, st.sampled_from("*/")).map(product),
        st.tuples(inner, inner, st.sampled_from("+-")).map(total),
        st.tuples(inner, functions).map(wrapped),
    )


@settings(max_examples=300)
@given(st.recursive(_columns(), _combined, max_leaves=5))
def test_units_of_arithmetic_are_those_of_astropy(case):
    expression, truth = case
    unit = field(expression).unit
    if truth is None:
        # what has no unit of its own counts as a number in what is around it
        return
    if not truth.bases:
        assert unit is None, expression
    else:
        assert unit is not None, expression
        assert u.Unit(unit, format="vounit") == truth, expression


@pytest.mark.parametrize(
    ("expression", "unit"),
    [
        ("ra + IN_UNIT(dec, 'arcsec')", None),
        ("IN_UNIT(ra, 'arcsec') + IN_UNIT(dec, 'arcsec')", "arcsec"),
        ("AREA(hull)", "deg**2"),
        ("SQRT(AREA(spot))", "deg"),
        ("DISTANCE(place, POINT(1, 2)) / (t_max - t_min)", "deg/d"),
        ("COORD1(place)", "deg"),
        ("RADIANS(ra)", "rad"),
        ("RADIANS(t_min)", None),
        ("SIN(RADIANS(ra))", None),
        ("EXP(mag)", None),
        ("LOG10(size_kb)", None),
        ("10 + ra", "deg"),
        ("PI() * ra", "deg"),
        ("n + ra", None),
        ("(SELECT MAX(ra) FROM sky.stars) - ra", "deg"),
        ("CASE WHEN n = 1 THEN ra ELSE IN_UNIT(dec, 'deg') END", "deg"),
        ("CASE WHEN n = 1 THEN ra ELSE IN_UNIT(dec, 'rad') END", None),
        ("CASE WHEN n = 1 THEN ra ELSE 0 END", "deg"),
        ("POINT(ra, dec)", "deg"),
        ("place", None),
    ],
)
def test_units_of_functions(expression, unit):
    assert field(expression).unit == unit


@pytest.mark.parametrize("name", ["odd", "worse"])
def test_a_unit_or_ucd_that_nobody_can_read_does_not_break_a_query(name):
    names = f"{name}, {name} * 2, {name} * {name}, {name} * speed, SQRT({name}), MAX({name}), {name} - {name}"
    plain, twice, *computed, largest, difference = fields(
        f"SELECT {names} FROM m.shots GROUP BY {name}, speed", RICH_CATALOGUE
    )
    unit = RICH.by_name[name].unit
    assert plain.unit == twice.unit == largest.unit == difference.unit == unit
    assert [one.unit for one in computed] == [None] * 3
    assert plain.ucd == RICH.by_name[name].ucd
    assert [one.ucd for one in (*computed, largest, difference)] == [None] * 5
    with pytest.raises(ADQLFault, match="the unit of this value, is none of VOUnits"):
        fields(f"SELECT IN_UNIT({name}, 'deg') FROM m.shots", RICH_CATALOGUE)


# UCDs


def legal(unit: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", u.UnitsWarning)  # Angstrom is a VOUnit, though deprecated
        return bool(u.Unit(unit, format="vounit").bases)


def test_all_ucds_and_units_of_the_fixtures_are_legal():
    checked = 0
    for path in files():
        for case in read(path):
            try:
                found = fields(case.query)
            except UsageFault:
                continue
            for one in found:
                assert one.ucd is None or check_ucd(one.ucd, check_controlled_vocabulary=True), (case.query, one)
                assert one.unit is None or legal(one.unit), (case.query, one)
                checked += one.ucd is not None
    assert checked > 300


_TEMPLATES = (
    *(f"{name}({{0}})" for name in ("MIN", "MAX", "AVG", "SUM", "COUNT")),
    "{0} - {1}",
    "{0} / {1}",
    "MAX({0}) - MIN({1})",
    "MAX({0}) / MIN({0})",
    "ROUND({0}, 1)",
    "CAST({0} AS VARCHAR)",
    "CAST({0} AS INTEGER)",
    "COALESCE({0}, {1})",
)

_NUMBERS = (Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.REAL, Kind.DOUBLE)


def test_all_ucds_made_of_published_columns_are_legal(catalogue):
    """Each way to make a UCD, with each number of the published tables, twice nested."""
    checked = set()
    for table in catalogue.tables:
        numbers = [f'"{column.name}"' for column in table.columns if column.kind in _NUMBERS and column.ucd]
        for name, other in zip(numbers, numbers[1:] + numbers[:1], strict=True):
            items = [template.format(name, other) for template in _TEMPLATES]
            inner = ", ".join(f"{item} AS a{i}" for i, item in enumerate(items))
            outer = ", ".join(
                f"MIN(a{i}), SUM(a{i}), a{i} - a{i}" for i in range(len(items)) if "VARCHAR" not in items[i]
            )
            columns = ", ".join(f"a{i}" for i in range(len(items)))
            rows = f"(SELECT {inner} FROM {table.qualified} GROUP BY {name}, {other}) AS q"
            query = f"SELECT {outer}, {columns} FROM {rows} GROUP BY {columns}"
            checked |= {one.ucd for one in fields(query, catalogue)}
    assert len(checked) > 100
    bad = [ucd for ucd in checked if ucd is not None and not check_ucd(ucd, check_controlled_vocabulary=True)]
    assert bad == []


@pytest.mark.parametrize(
    ("expression", "ucd"),
    [
        ("t_max - t_min", "time.duration;obs.exposure"),
        ("t_min - t_max", "time.interval"),
        ("ra - ra", "pos.eq.ra;arith.diff"),
        ("ra - dec", None),
        ("mag / mag", "phot.mag;arith.ratio"),
        ("t_min / t_min", None),
        ("t_min + 2400000.5", None),
        ("-dec", None),
        ("ROUND(ra, 2)", "pos.eq.ra"),
        ("COUNT(*)", "meta.number"),
        ("SUM(size_kb)", "phys.size;arith.sum"),
        ("SUM(t_min)", None),
        ("AVG(id)", "meta.id;stat.mean"),
        ("IN_UNIT(ra, 'rad')", "pos.eq.ra"),
        ("DISTANCE(place, place)", "pos.angDistance"),
        ("COORD2(place)", "pos.eq.dec"),
        ("CENTROID(hull)", "pos.eq"),
        ("CIRCLE(ra, dec, 1)", "pos.outline"),
        ("BOX(ra, dec, 1, 1)", "pos.outline"),
        ("ivo_healpix_index(4, place)", "pos.healpix"),
        ("ivo_geom_transform('ICRS', 'GALACTIC', place)", "pos;pos.galactic"),
        ("COORD1(ivo_geom_transform('ICRS', 'ECLIPTIC', place))", "pos.ecliptic.lon"),
        ("CENTROID(ivo_geom_transform('ICRS', 'SUPER_GALACTIC', hull))", "pos;pos.supergalactic"),
        ("ivo_geom_transform('ICRS', 'FK4', place)", "pos"),
        ("ivo_geom_transform('GALACTIC', 'ICRS', place)", "pos.eq"),
        ("ivo_geom_transform('GALACTIC', 'ICRS', POINT(1, 2))", "pos.eq"),
        ("ivo_geom_transform('ICRS', 'GALACTIC', POINT(1, 2))", "pos;pos.galactic"),
        ("COORD1(ivo_geom_transform('ICRS', 'GALACTIC', POINT(1, 2)))", "pos.galactic.lon"),
        ("ivo_geom_transform('ICRS', 'GALACTIC', CIRCLE(1, 2, 3))", "pos.outline;pos.galactic"),
        ("ivo_geom_transform('ICRS', 'ECLIPTIC', CIRCLE(ra, dec, 3))", "pos.outline;pos.ecliptic"),
        ("ivo_geom_transform('ICRS', 'FK4', POLYGON(1, 2, 3, 4, 5, 0))", "pos"),
        ("CENTROID(gavo_transform('ICRS', 'GALACTIC', BOX(1, 2, 3, 4)))", "pos;pos.galactic"),
        ("COORD2(POINT('GALACTIC', 1, 2))", "pos.eq.dec"),
    ],
)
def test_ucds_of_expressions(expression, ucd):
    found = field(expression).ucd
    assert found == ucd
    assert found is None or check_ucd(found, check_controlled_vocabulary=True)


# Descriptions


@pytest.mark.parametrize(
    ("written", "description"),
    [
        ("avg( t_min )", "AVG(t_min)"),
        ("p.ra+1", "p.ra + 1"),
        ("(ra + dec) * 2", "(ra + dec) * 2"),
        ("ra + (dec * 2)", "ra + dec * 2"),
        ("ra - (dec - 2)", "ra - (dec - 2)"),
        ("- (-ra)", "-(-ra)"),
        ("'it''s'", "'it''s'"),
        ('"Odd Name" * 1.5', '"Odd Name" * 1.5'),
        ("COUNT( DISTINCT name )", "COUNT(DISTINCT name)"),
        ("count(*)", "COUNT(*)"),
        ("CAST(ra AS varchar(5))", "CAST(ra AS VARCHAR(5))"),
        (
            "CASE WHEN n = 1 AND (id > 2 OR name LIKE 'a%') THEN 1 ELSE NULL END",
            "CASE WHEN n = 1 AND (id > 2 OR name LIKE 'a%') THEN 1 ELSE NULL END",
        ),
        ("case n when 1 then 'a' end", "CASE n WHEN 1 THEN 'a' END"),
        (
            "CASE WHEN n NOT BETWEEN 1 AND 2 OR id NOT IN (1, 2) OR name IS NOT NULL THEN 1 END",
            "CASE WHEN n NOT BETWEEN 1 AND 2 OR id NOT IN (1, 2) OR name IS NOT NULL THEN 1 END",
        ),
        (
            "CASE WHEN NOT EXISTS (SELECT id FROM sky.stars) AND n IN (SELECT id FROM sky.stars) THEN 1 END",
            "CASE WHEN NOT EXISTS (SELECT ...) AND n IN (SELECT ...) THEN 1 END",
        ),
        ("(SELECT COUNT(*) FROM sky.stars) + 1", "(SELECT ...) + 1"),
        ("POINT('ICRS', ra, dec)", "POINT('ICRS', ra, dec)"),
    ],
)
def test_computed_columns_are_described_by_their_expression(written, description):
    query = f"SELECT {written} AS x, 1 AS y FROM sky.plates AS p"
    if "(" in written and re.match(r"(?i)avg|count", written) is None:
        query += ' GROUP BY p.ra, p.dec, p.n, p.id, p.name, "Odd Name"'
    assert fields(query)[0].description == description


def test_what_is_described_can_be_asked_again():
    """A description is ADQL that means the same: it compiles to the same SQL."""
    again = 0
    for path in files():
        for case in read(path):
            try:
                found = fields(case.query)
            except UsageFault:
                continue
            for one in found:
                text = one.description
                if text is None or "..." in text or one.name == "id" or not case.query.endswith("FROM sky.plates"):
                    continue
                try:
                    second = compile_query(f"SELECT {text} AS again FROM sky.plates", CATALOGUE)
                except UsageFault:
                    continue  # the words of a column's own description, or an alias of a sub-query
                assert fields(f"SELECT {second.fields[0].description} AS again FROM sky.plates") == second.fields
                again += 1
    assert again > 100


def test_long_expressions_are_cut_short():
    many = " + ".join(["t_min"] * 900)
    description = field(many).description
    assert description is not None
    assert len(description) == LONGEST
    assert description.startswith("t_min + t_min")
    assert description.endswith("...")
    assert field(f"'{'x' * 5000}'").description == "'" + "x" * (LONGEST - 4) + "..."


# IN_UNIT on the database


@pytest.fixture(scope="module")
def filled(connection: psycopg.Connection) -> psycopg.Connection:
    connection.execute(
        "INSERT INTO sky.plates (id, ra, dec, mag, t_min, t_max, size_kb) VALUES"
        " (1, 0, -90, 12.5, 2400.5, 2401.25, 123456789),"
        " (2, 359.999999999, 45.1, -1.5, 48600, 48600.001, 1), (3, 1e-9, 0, 0, 0, 1, 0)"
    )
    return connection


@pytest.mark.parametrize(
    ("expression", "target"),
    [
        ("ra", "arcsec"),
        ("ra", "rad"),
        ("dec", "mas"),
        ("ra * dec", "sr"),
        ("mag", "mmag"),
        ("t_min", "yr"),
        ("t_max - t_min", "min"),
        ("size_kb", "Gbyte"),
        ("size_kb / (t_max - t_min)", "byte/s"),
        ("IN_UNIT(IN_UNIT(ra, 'rad'), 'arcmin')", "deg"),
    ],
)
def test_in_unit_converts_as_astropy_does(run: Run, filled, expression, target):
    rows = run(f"SELECT {expression}, IN_UNIT({expression}, '{target}') FROM sky.plates ORDER BY id")
    assert len(rows) == 3
    before, after = fields(f"SELECT {expression}, IN_UNIT({expression}, '{target}') FROM sky.plates")
    assert after.unit == target
    for value, converted in rows:
        truth = (value * u.Unit(before.unit, format="vounit")).to_value(u.Unit(target, format="vounit"))
        assert converted == pytest.approx(truth, rel=1e-14)


def test_in_unit_stands_wherever_a_number_may(run: Run, filled):
    assert run("SELECT id FROM sky.plates WHERE IN_UNIT(t_max - t_min, 'h') BETWEEN 17.9 AND 18.1") == [(1,)]
    assert run("SELECT id FROM sky.plates ORDER BY IN_UNIT(mag, 'mmag') DESC") == [(1,), (3,), (2,)]
    assert run("SELECT MAX(IN_UNIT(ra, 'arcmin')) / 60 FROM sky.plates") == [(pytest.approx(359.999999999),)]
    assert run("WITH w AS (SELECT t_max - t_min AS x FROM sky.plates WHERE id = 1) SELECT IN_UNIT(x, 's') FROM w") == [
        (64800.0,)
    ]


# Over TAP


def test_results_of_tap_carry_it_all(server: Server):
    query = (
        "SELECT obs_collection, COUNT(*) AS scans, AVG(t_exptime) AS mean, MAX(t_max) - MIN(t_min) AS span,"
        " SUM(access_estsize) / SUM(t_exptime) AS rate, MIN(IN_UNIT(s_fov, 'arcmin')) AS fov,"
        " CAST(MAX(obs_id) AS CHAR(8)) AS short, POINT(AVG(s_ra), AVG(s_dec)) AS middle, MAX(s_ra) - MIN(s_ra) AS width"
        " FROM ivoa.obscore GROUP BY obs_collection"
    )
    answer = server.query(query, RESPONSEFORMAT="votable")
    assert answer.status_code == 200, answer.text
    table = parse_single_table(io.BytesIO(answer.content))
    found = {one.name: one for one in table.fields}
    assert len(table.array) > 0
    published = server_column(server, "obs_collection")
    assert (found["obs_collection"].ucd, found["obs_collection"].utype) == published[:2]
    assert found["obs_collection"].description.strip() == published[2]
    units = {name: one.unit for name, one in found.items() if one.unit is not None}
    assert units == {
        "mean": u.s,
        "span": u.d,
        "rate": u.kbyte / u.s,
        "fov": u.arcmin,
        "middle": u.deg,
        "width": u.deg,
    }
    assert {name: one.ucd for name, one in found.items()} == {
        "obs_collection": published[0],
        "scans": "meta.number",
        "mean": "time.duration;obs.exposure;stat.mean",
        "span": "time.interval",
        "rate": None,
        "fov": "phys.angSize;instr.fov;stat.min",
        "short": "meta.id;stat.max",
        "middle": "pos.eq",
        "width": None,
    }
    assert found["mean"].description.strip() == "AVG(t_exptime)"
    assert found["fov"].description.strip() == "MIN(IN_UNIT(s_fov, 'arcmin'))"
    assert (found["short"].datatype, found["short"].arraysize) == ("char", "8")
    assert (found["middle"].arraysize, found["middle"].xtype) == ("2", "point")
    for name, one in found.items():
        assert one.ucd is None or check_ucd(one.ucd, check_controlled_vocabulary=True), name
    quantities = table.to_table(use_names_over_ids=True)
    sizes = quantities["rate"].quantity.to(u.byte / u.s)
    assert (sizes > 0 * u.byte / u.s).all()


def server_column(server: Server, name: str) -> tuple[str, str, str]:
    answer = server.query(
        "SELECT ucd, utype, description FROM TAP_SCHEMA.columns"
        f" WHERE table_name = 'ivoa.obscore' AND column_name = '{name}'",
        RESPONSEFORMAT="votable",
    )
    ucd, utype, description = parse_single_table(io.BytesIO(answer.content)).array[0]
    return str(ucd), str(utype), str(description).strip()


def test_faults_of_in_unit_are_told_over_tap(server: Server):
    answer = server.query("SELECT IN_UNIT(s_ra, 'degrees') FROM ivoa.obscore")
    assert answer.status_code == 400
    assert "did you mean deg?" in answer.text


def test_times_computed_from_times_are_not_declared_as_dates(server: Server):
    query = "SELECT TOP 1 {} AS x FROM ivoa.obscore"
    assert b"<TIMESYS" in server.query(query.format("t_min")).content
    for expression in ("t_max - t_min", "t_min + 2400000.5", "IN_UNIT(t_min, 'yr')", "-t_min"):
        assert b"<TIMESYS" not in server.query(query.format(expression)).content, expression


def test_positions_of_other_frames_are_not_declared_as_icrs(server: Server):
    query = "SELECT TOP 1 {} AS x FROM ivoa.obscore"
    position = "POINT(s_ra, s_dec)"
    assert b'system="ICRS"' in server.query(query.format(position)).content
    for frame, shape in itertools.product(("GALACTIC", "FK4", "ECLIPTIC"), (position, "POINT(1, 2)")):
        expression = f"ivo_geom_transform('ICRS', '{frame}', {shape})"
        content = server.query(query.format(expression)).content
        assert b"<COOSYS" not in content, frame
        assert b'xtype="point"' in content
