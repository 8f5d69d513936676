"""A MOC column from its YAML to clients: declared, indexed, merged, answered in every format, listed, validated."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator

import astropy.io.votable
import pytest
import pyvo
import stilts
import xsd
from mocpy import MOC
from serving import Server, running

from vo.db.advice import indexed_forms
from vo.db.merge import Counts, merge
from vo.db.migrate import initialise
from vo.demo import load_demo
from vo.errors import OperatorFault
from vo.metadata.collection import list_collections, load_collection
from vo.metadata.felis import load_catalogue, load_schema
from vo.metadata.fields import Index, Kind

COLUMNS = """
name: demo
description: Columns of the demo collection's own.
tables:
- name: plates
  "@id": "#plates"
  description: More about a plate.
  columns:
  - name: coverage
    "@id": "#plates.coverage"
    datatype: char
    length: 64
    votable:xtype: moc
    votable:arraysize: "*"
    ivoa:ucd: pos.outline;obs.field
    description: Cells that the exposure touches.
  indexes:
  - name: plates_coverage
    "@id": "#plates_coverage"
    columns: ["#plates.coverage"]
"""
#: The first one spans the sky, the second one is a few cells, the third one empty.
MOCS = ("0/0-11", "1/0 2/16-18 5/", "3/")


@pytest.fixture(scope="module")
def own_settings(settings, tmp_path_factory):
    resources = tmp_path_factory.mktemp("resources")
    shutil.copytree(settings.resources_dir / "demo", resources / "demo")
    (resources / "demo" / "columns.yaml").write_text(COLUMNS)
    return settings.model_copy(update={"resources_dir": resources, "host": "127.0.0.1", "port": 0})


@pytest.fixture(scope="module")
def own_catalogue(own_settings):
    return load_catalogue(own_settings, [load_collection(own_settings, n) for n in list_collections(own_settings)])


@pytest.fixture(scope="module")
def covered(own_settings, own_catalogue, postgres) -> Iterator[Server]:
    """The demo's plates, three of them with a coverage."""
    name = "vo_moc_column"
    postgres.drop(name)
    postgres.create(name)
    database = postgres.open(name)
    initialise(database, own_catalogue)
    initialise(database, own_catalogue)
    load_demo(database, own_settings)
    with database.owner() as connection:
        connection.execute(
            "UPDATE demo.plates AS p SET coverage = (%s::text[])[n]::smoc FROM (SELECT obs_publisher_did AS did,"
            " row_number() OVER (ORDER BY obs_publisher_did) AS n FROM demo.plates) AS q"
            " WHERE q.did = p.obs_publisher_did AND n <= 3",
            [list(MOCS)],
        )
    with running(own_settings, database) as started:
        yield started
    database.close()
    postgres.drop(name)


def test_the_yaml_makes_a_column_and_its_index(own_catalogue):
    table = own_catalogue.by_name["demo.plates"]
    column = table.by_name["coverage"]
    assert (column.kind, column.indexed, column.text_column) == (Kind.MOC, True, None)
    field = column.field()
    assert (field.datatype, field.arraysize, field.xtype, field.unit) == ("char", "*", "moc", None)
    assert Index("plates_coverage", ("coverage",), "gin") in table.indexes
    assert "1 = CONTAINS(POINT(...), coverage) or 1 = INTERSECTS(CIRCLE(...), coverage)" in indexed_forms(table)


def test_the_database_has_the_column_and_its_index(covered):
    with covered.database.read() as connection:
        rows = connection.execute(
            'SELECT table_name, datatype, arraysize, xtype, "size", indexed FROM tap_schema.columns'
            " WHERE column_name = 'coverage' AND table_name LIKE 'demo.%' ORDER BY 1"
        ).fetchall()
        definition = connection.execute("SELECT pg_get_indexdef('demo.plates_coverage'::regclass)").fetchone()
    assert rows == [(f"demo.{name}", "char", "*", "moc", None, 1) for name in ("narrow_plates", "plates")]
    assert definition == ("CREATE INDEX plates_coverage ON demo.plates USING gin (coverage)",)


def test_merging_mocs_touches_only_those_that_differ(covered):
    key, columns = ("id",), ("id", "coverage")
    with covered.database.owner() as connection:
        connection.execute("CREATE TABLE vo.covered (id int PRIMARY KEY, coverage smoc)")
        rows = list(enumerate((*MOCS, None)))
        assert merge(connection, "vo.covered", key, columns, rows) == Counts(4, 0, 0)
        assert merge(connection, "vo.covered", key, columns, rows) == Counts(0, 0, 4)
        # the same cells written in another way are no change, nor is null for null
        same = [(1, "2/0-3 16-18 5/"), (3, None)]
        assert merge(connection, "vo.covered", key, columns, same) == Counts(0, 0, 2)
        changed = [(0, None), (1, "1/0"), (3, "1/1"), (4, "1/2")]
        assert merge(connection, "vo.covered", key, columns, changed) == Counts(1, 3, 0)
        with pytest.raises(OperatorFault, match=r"vo\.covered refuses a row"):
            merge(connection, "vo.covered", key, columns, [(5, "1/999")])
        connection.rollback()


@pytest.mark.parametrize("format_", ["votable", "votable/td", "csv", "tsv"])
def test_every_format_carries_mocs(covered, format_):
    query = (
        "SELECT coverage, MOC(3, POINT(0, 40)) AS cell FROM demo.plates WHERE coverage IS NOT NULL ORDER BY plate_id"
    )
    answer = covered.query(query, RESPONSEFORMAT=format_)
    assert answer.status_code == 200, answer.text
    if format_.startswith("votable"):
        table = astropy.io.votable.parse_single_table(io.BytesIO(answer.content))
        fields = {field.name: (field.datatype, field.arraysize, field.xtype) for field in table.fields}
        assert fields == dict.fromkeys(("coverage", "cell"), ("char", "*", "moc"))
        values = {str(value) for value in table.array["coverage"]}
        assert values == set(MOCS)
        assert all(MOC.from_string(value).max_order == int(value.rsplit("/", 1)[0][-1]) for value in values)
    else:
        for moc in MOCS:
            assert moc.encode() in answer.content


def test_pyvo_asks_with_the_gin_index(covered):
    service = pyvo.dal.TAPService(f"{covered.url}/tap")
    found = service.search(
        "SELECT plate_id FROM demo.narrow_plates WHERE 1 = CONTAINS(MOC(6, CIRCLE(45, 40, 2)), coverage)"
    )
    assert len(found) == 1
    features = service.get_tap_capability().get_adql()
    assert features.get_feature("ivo://org.gavo.dc/std/exts#extra-adql-keywords", "MOC")
    assert features.get_feature("ivo://ivoa.net/std/TAPRegExt#features-udf", "gavo_mocunion(moc1 MOC, moc2 MOC) -> MOC")
    column = next(c for c in service.tables["demo.plates"].columns if c.name == "coverage")
    assert (column.datatype.content, column.datatype.arraysize) == ("char", "*")
    assert "indexed" in column.flags


def test_the_tables_document_is_valid(covered):
    root = xsd.validate(covered.get("/tap/tables/demo.plates").content)
    (column,) = [one for one in root.iterfind("column") if one.findtext("name") == "coverage"]
    datatype = column.find("dataType")
    assert (datatype.text, datatype.get("arraysize"), datatype.get("extendedType")) == ("char", "*", "moc")


def test_taplint_accepts_the_column(covered):
    warnings = stilts.taplint(covered.url, "TMV TME TMS TMC CAP QPO MDQ", "maxtable=4")
    # the xtype is of DALI 1.2, which STILTS does not know yet
    named = {line.split()[0] for line in warnings if re.search(r"(?i)\bmoc\b|coverage", line)}
    assert named <= {"W-QPO-YXDL-1", "W-TMS-YXDL-1", "W-TMC-YXDL-1"}, warnings


def test_a_moc_with_another_column_makes_no_index(tmp_path):
    path = tmp_path / "columns.yaml"
    text = COLUMNS.replace('columns: ["#plates.coverage"]', 'columns: ["#plates.coverage", "#plates.coverage2"]')
    second = COLUMNS[COLUMNS.index("  - name: coverage") : COLUMNS.index("  indexes:")].replace("coverage", "coverage2")
    path.write_text(text.replace("  indexes:", f"{second}  indexes:").replace("moc", "adql:REGION", 1))
    with pytest.raises(OperatorFault, match="an index of its own: plates_coverage"):
        load_schema(path)
