"""The published tables in VODataService's words: the tables document (VOSI 1.1 section 2.4), tablesets of records.

vo-models' classes for it are not used: 0.5 escapes descriptions twice and knows no extendedType.
"""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from vo.metadata.fields import Catalogue, Column, ForeignKey, Schema, Table
from vo.metadata.words import as_typed
from vo.metadata.xmltext import writable

_VOSI = "http://www.ivoa.net/xml/VOSITables/v1.0"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_NAMESPACES = {"vosi": _VOSI, "vs": "http://www.ivoa.net/xml/VODataService/v1.1", "xsi": _XSI}
_XSI_TYPE = f"{{{_XSI}}}type"


def tableset(catalogue: Catalogue, *, columns: bool) -> bytes:
    """All schemas and tables; with ``columns`` (detail=max) their columns and keys too (VSI-04)."""
    root = etree.Element(f"{{{_VOSI}}}tableset", nsmap=_NAMESPACES)
    for schema in catalogue.schemas:
        add_schema(root, schema, columns=columns)
    return _serialise(root)


def single_table(table: Table) -> bytes:
    """One table with its columns and keys, as ``/tables/<name>`` answers."""
    root = etree.Element(f"{{{_VOSI}}}table", nsmap=_NAMESPACES)
    _fill_table(root, table, columns=True)
    return _serialise(root)


def _serialise(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


#: Where nobody has counted rows.
_UNCOUNTED: Mapping[str, int] = {}


def add_schema(
    tableset: etree._Element, schema: Schema, *, columns: bool, counts: Mapping[str, int] = _UNCOUNTED
) -> None:
    """Put a schema with its tables into a tableset element (VODataService 1.2, section 3.4).

    ``counts`` are the numbers of rows of some tables, by their qualified names; the others tell none.
    """
    element = etree.SubElement(tableset, "schema")
    _add_text(element, "name", schema.name)
    _add_text(element, "description", schema.description)
    _add_text(element, "utype", schema.utype)
    for table in schema.tables:
        _fill_table(etree.SubElement(element, "table"), table, columns=columns, count=counts.get(table.qualified))


def _fill_table(element: etree._Element, table: Table, *, columns: bool, count: int | None = None) -> None:
    element.set("type", "view" if table.is_view else "table")
    _add_text(element, "name", table.qualified)
    _add_text(element, "description", table.description)
    _add_text(element, "utype", table.utype)
    _add_text(element, "nrows", None if count is None else str(count))
    if not columns:
        return
    for column in table.columns:
        _add_column(element, column, is_primary=column.name in table.primary_key)
    for key in table.keys:
        _add_key(element, key)


def _add_column(parent: etree._Element, column: Column, *, is_primary: bool) -> None:
    field = column.field()
    element = etree.SubElement(parent, "column", std="true" if column.std else "false")
    _add_text(element, "name", as_typed(column.name))
    _add_text(element, "description", field.description)
    _add_text(element, "unit", field.unit)
    _add_text(element, "ucd", field.ucd)
    _add_text(element, "utype", field.utype)
    datatype = etree.SubElement(element, "dataType", {_XSI_TYPE: "vs:VOTableType"})
    datatype.text = field.datatype
    if field.arraysize is not None:
        datatype.set("arraysize", field.arraysize)
    if field.xtype is not None:
        datatype.set("extendedType", field.xtype)
    flags = (
        ("principal", column.principal),
        ("indexed", column.indexed),
        ("primary", is_primary),
        ("nullable", column.nullable),
    )
    for name, is_set in flags:
        _add_text(element, "flag", name if is_set else None)


def _add_key(parent: etree._Element, key: ForeignKey) -> None:
    element = etree.SubElement(parent, "foreignKey")
    _add_text(element, "targetTable", key.target_table)
    for source, target in key.columns:
        pair = etree.SubElement(element, "fkColumn")
        _add_text(pair, "fromColumn", as_typed(source))
        _add_text(pair, "targetColumn", as_typed(target))
    _add_text(element, "description", key.description)
    _add_text(element, "utype", key.utype)


def _add_text(parent: etree._Element, name: str, text: str | None) -> None:
    if text is not None:
        etree.SubElement(parent, name).text = writable(text)
