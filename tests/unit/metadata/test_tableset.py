"""The tables document of the real catalogue: valid, complete, named as queries name things (VSI-04, VSI-07)."""

from __future__ import annotations

import pytest
import xsd
from lxml import etree

from vo.metadata.collection import list_collections, load_collection
from vo.metadata.felis import load_catalogue
from vo.metadata.fields import Catalogue, Column, ForeignKey, Kind, Schema, Table
from vo.metadata.tableset import single_table, tableset
from vo.settings import Settings

TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    settings = Settings()
    return load_catalogue(settings, [load_collection(settings, name) for name in list_collections(settings)])


@pytest.mark.parametrize("columns", [True, False])
def test_the_document_is_valid(catalogue, columns):
    root = xsd.validate(tableset(catalogue, columns=columns))
    names = [name.text for name in root.iterfind("schema/table/name")]
    assert names == [table.qualified for table in catalogue.tables]
    assert bool(root.findall("schema/table/column")) is columns


def test_each_single_table_is_valid(catalogue):
    for table in catalogue.tables:
        root = xsd.validate(single_table(table))
        assert root.tag == "{http://www.ivoa.net/xml/VOSITables/v1.0}table"
        assert root.findtext("name") == table.qualified
        assert len(root.findall("column")) == len(table.columns)


def test_columns_have_types_units_and_words(catalogue):
    root = etree.fromstring(single_table(catalogue.by_name["ivoa.obscore"]))
    by_name = {column.findtext("name"): column for column in root.iterfind("column")}
    region = by_name["s_region"].find("dataType")
    assert (region.text, region.get("arraysize"), region.get("extendedType")) == ("char", "*", "adql:REGION")
    assert region.get(TYPE) == "vs:VOTableType"
    assert by_name["t_min"].findtext("unit") == "d"
    assert by_name["s_ra"].findtext("ucd") == "pos.eq.ra"
    assert by_name["obs_publisher_did"].findtext("utype") == "obscore:Curation.publisherDID"
    assert by_name["obs_publisher_did"].get("std") == "true"


def test_reserved_names_are_quoted(catalogue):
    root = etree.fromstring(single_table(catalogue.by_name["tap_schema.columns"]))
    names = [name.text for name in root.iterfind("column/name")]
    assert '"size"' in names
    assert "size" not in names


def test_text_is_escaped_once():
    column = Column("a", Kind.DOUBLE, description="x < y & z", unit="deg", indexed=True, nullable=False)
    key = ForeignKey("k", "s.t", "s.u", (("a", "size"),), description="a & b")
    schema = Schema("s", (Table("s", "t", (column,), description="<b>", keys=(key,), is_view=True),))
    root = xsd.parse(tableset(Catalogue((schema,)), columns=True))
    table = root.find("schema/table")
    assert table.get("type") == "view"
    assert table.findtext("description") == "<b>"
    assert table.findtext("column/description") == "x < y & z"
    assert [flag.text for flag in table.iterfind("column/flag")] == ["indexed"]
    assert table.findtext("foreignKey/fkColumn/targetColumn") == '"size"'


def test_flags_are_those_of_the_columns(catalogue):
    """VODataService 1.2 has nullable, indexed and primary; principal is TAP_SCHEMA's."""
    for table in catalogue.tables:
        root = etree.fromstring(single_table(table))
        for element, column in zip(root.iterfind("column"), table.columns, strict=True):
            flags = {flag.text for flag in element.iterfind("flag")}
            assert ("nullable" in flags) is column.nullable
            assert ("indexed" in flags) is column.indexed
            assert ("principal" in flags) is column.principal
            assert ("primary" in flags) is (column.name in table.primary_key)
            assert element.get("std") == ("true" if column.std else "false")
    obscore = etree.fromstring(single_table(catalogue.by_name["ivoa.obscore"]))
    (did,) = (one for one in obscore.iterfind("column") if one.findtext("name") == "obs_publisher_did")
    assert {flag.text for flag in did.iterfind("flag")} >= {"primary", "indexed"}
    assert "nullable" not in {flag.text for flag in did.iterfind("flag")}
