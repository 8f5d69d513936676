"""What is gathered from one record: rows by table, and what could not be taken over."""

from __future__ import annotations

import datetime as dt
import re

Value = str | int | float | dt.datetime | None
Row = dict[str, Value]

#: The tables of the schema ``rr`` that are filled from records, those that others refer to first.
TABLES = (
    "resource", "res_role", "res_subject", "capability", "interface", "intf_param", "res_schema", "res_table",
    "table_column", "relationship", "validation", "res_date", "res_detail", "alt_identifier", "stc_spatial",
    "stc_temporal", "stc_spectral",
)  # fmt: skip

#: Columns that are indexed; an entry of an index has 2700 bytes at most.
_INDEXED = frozenset({
    "access_url", "alt_identifier", "cap_type", "detail_xpath", "intf_type", "name", "related_id", "res_subject",
    "res_type", "role_ivoid", "role_name", "schema_utype", "standard_id", "table_name", "table_utype", "ucd", "utype",
})  # fmt: skip
#: Texts whose words are indexed, one by one.
_WORDS = frozenset({"res_description", "res_title", "table_description"})
_MOST = 500
_LONG_WORD = re.compile(rf"\w{{{_MOST},}}")


class Sheet:
    """The rows of one record; each has the record's ``ivoid`` and every column of its table."""

    def __init__(self, ivoid: str) -> None:
        self.ivoid = ivoid
        self.tables: dict[str, list[Row]] = {name: [] for name in TABLES}
        self.troubles: list[str] = []

    def add(self, table: str, **values: Value) -> None:
        """Add a row."""
        self.tables[table].append({"ivoid": self.ivoid, **{name: self._fitting(name, values[name]) for name in values}})

    def tell(self, trouble: str) -> None:
        """Say what could not be taken over."""
        self.troubles.append(trouble)

    def _fitting(self, name: str, value: Value) -> Value:
        """The value, cut when no index takes it: a record of nonsense must not keep others out."""
        if not isinstance(value, str) or len(value) <= _MOST:
            return value
        if name in _WORDS:
            fitting = _LONG_WORD.sub(lambda found: found[0][:_MOST], value)
        else:
            fitting = value[:_MOST] if name in _INDEXED else value
        if fitting != value:
            self.tell(f"{name} is longer than {_MOST} characters without a break, and was cut: {value[:40]}...")
        return fitting
