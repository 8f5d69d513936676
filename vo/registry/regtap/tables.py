"""Tablesets of resources (RegTAP 1.2, 8.5 to 8.7)."""

from __future__ import annotations

from vo.registry.regtap.capabilities import describe
from vo.registry.regtap.node import Node, joined, lower
from vo.registry.regtap.sheet import Sheet


def add_tables(sheet: Sheet, root: Node) -> None:
    """Schemas, tables and columns; tables are counted within the resource, those without a schema come last.

    VODataService 1.0 had tables right in the resource.
    """
    count = 0
    tableset = root.one("tableset")
    schemas = [] if tableset is None else tableset.all("schema")
    for schema_index, schema in enumerate(schemas, 1):
        sheet.add(
            "res_schema",
            schema_index=schema_index,
            schema_description=schema.text("description"),
            schema_name=lower(schema.text("name")),
            schema_title=schema.text("title"),
            schema_utype=lower(schema.text("utype")),
        )
        for table in schema.all("table"):
            count += 1
            _add_table(sheet, table, count, schema_index)
    for table in root.all("table"):
        count += 1
        _add_table(sheet, table, count, None)


def _add_table(sheet: Sheet, table: Node, table_index: int, schema_index: int | None) -> None:
    sheet.add(
        "res_table",
        schema_index=schema_index,
        table_description=table.text("description"),
        table_name=table.text("name"),
        table_index=table_index,
        table_title=table.text("title"),
        table_type=lower(table.attribute("type")),
        table_utype=lower(table.text("utype")),
    )
    for column in table.all("column"):
        datatype = column.one("dataType")
        sheet.add(
            "table_column",
            table_index=table_index,
            **describe(column),
            type_system=None if datatype is None else datatype.type,
            flag=joined(column.texts("flag")),
            column_description=column.text("description"),
        )
