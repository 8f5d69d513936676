"""A VOTable in one of its serialisations, streamed.

When something goes wrong after the first byte the document is closed properly and carries an INFO QUERY_STATUS=ERROR
after its table (DALI-10), or OVERFLOW when rows were cut off (DALI-07). What a serialisation cannot carry is counted
and told in an INFO "warning" there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.compute as pc
from pybase64 import b64encode

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables import votable
from vo.tables.votable import Document, Serialisation, Version
from vo.tables.writing import binary, few, nulls, tabledata
from vo.tables.writing.rows import Rows


def write(document: Document, rows: Rows, serialisation: Serialisation, version: Version) -> Iterator[bytes]:
    """Write a VOTable."""
    fields = declared(document.fields, rows)
    numbers = nulls.choose(fields, rows.first_columns(), has_flags=serialisation != "BINARY")
    encoder = _TableData(fields, numbers) if serialisation == "TABLEDATA" else _Base64(fields, numbers, serialisation)
    parts = votable.frame(replace(document, fields=fields), serialisation, version, numbers)
    yield parts.head
    yield from rows.guarded(encoder.rows)
    yield encoder.rest()
    yield parts.middle
    for text in encoder.losses():
        yield votable.info("warning", text)
    if rows.fault is not None:
        yield votable.info("QUERY_STATUS", "ERROR", f"{rows.fault.word}: {rows.fault.text}")
    elif rows.overflow is not None:
        yield votable.info("QUERY_STATUS", "OVERFLOW", rows.overflow)
    yield parts.tail


def declared(fields: Sequence[Field], rows: Rows) -> tuple[Field, ...]:
    """The fields as they have to be declared for the first rows (:func:`vo.tables.votable.shown_field`)."""
    shown = tuple(fields)
    for columns in rows.first_columns():
        shown = tuple(map(votable.shown_field, shown, columns))
    return shown


class _TableData:
    """Rows as TABLEDATA."""

    def __init__(self, fields: Sequence[Field], numbers: Sequence[int | None]) -> None:
        self._fields = fields
        self._numbers = numbers
        self._illegal = 0
        self._nulls = _Nulls(fields, numbers, has_flags=True)

    def rows(self, block: list[Any]) -> bytes:
        pairs = zip(self._fields, block, strict=True)
        self._illegal += sum(tabledata.count_illegal(column) for field, column in pairs if cols.is_text(field))
        self._nulls.look(block)
        return tabledata.encode(self._fields, block, self._numbers)

    def rest(self) -> bytes:
        return b""

    def losses(self) -> Iterator[str]:
        if self._illegal:
            yield f"{self._illegal} characters that XML cannot carry are shown as U+FFFD; ask for text/csv to get them"
        yield from self._nulls.losses()


class _Base64:
    """Rows as base64 of BINARY2 or BINARY."""

    def __init__(self, fields: Sequence[Field], numbers: Sequence[int | None], serialisation: Serialisation) -> None:
        self._fields = fields
        self._numbers = numbers
        self._has_flags = serialisation == "BINARY2"
        self._encode = binary.encode_binary2 if self._has_flags else binary.encode_binary
        self._carry = b""
        self._beyond_ascii = 0
        self._nulls = _Nulls(fields, numbers, has_flags=self._has_flags)

    def rows(self, block: list[Any]) -> bytes:
        data = few.encode(self._fields, block) if self._has_flags and len(block[0]) <= few.MOST_ROWS else None
        if data is None:
            self._nulls.look(block)
            columns = [self._ascii(field, column) for field, column in zip(self._fields, block, strict=True)]
            data = self._encode(self._fields, columns, self._numbers)
        data = self._carry + data
        whole = len(data) - len(data) % 3  # base64 turns three bytes into four characters
        self._carry = data[whole:]
        return b64encode(memoryview(data)[:whole]) + b"\n"

    def rest(self) -> bytes:
        return b64encode(self._carry) + b"\n" if self._carry else b""

    def losses(self) -> Iterator[str]:
        if self._beyond_ascii:
            yield (
                f"{self._beyond_ascii} characters beyond ASCII are shown as '?'; ask for RESPONSEFORMAT=votable/td or"
                " csv to get them"
            )
        yield from self._nulls.losses()

    def _ascii(self, field: Field, column: Any) -> Any:
        if field.datatype != "char" or cols.is_ascii(column):
            return column
        self._beyond_ascii += pc.sum(pc.count_substring_regex(column, cols.BEYOND_ASCII)).as_py()
        return pc.replace_substring_regex(column, cols.BEYOND_ASCII, "?")


class _Nulls:
    """Counts values that look like null, and nulls that look like values: what the first rows did not foretell."""

    def __init__(self, fields: Sequence[Field], numbers: Sequence[int | None], *, has_flags: bool) -> None:
        self._fields = fields
        self._numbers = numbers
        self._has_flags = has_flags
        self._like_null = self._lost = 0

    def look(self, block: list[Any]) -> None:
        for field, column, number in zip(self._fields, block, self._numbers, strict=True):
            if number is not None:
                items = column.flatten() if cols.is_array(field) else column
                # A null becomes another number here.
                self._like_null += int(np.count_nonzero(cols.filled(items, 0 if number else 1) == number))
                continue
            if cols.is_array(field) and cols.is_integer(field):
                self._lost += column.flatten().null_count
            if not self._has_flags and (
                field.datatype == "bit" or (cols.is_integer(field) and not cols.is_array(field))
            ):
                self._lost += column.null_count

    def losses(self) -> Iterator[str]:
        other = "ask for RESPONSEFORMAT=json or parquet to tell them apart"
        if self._like_null:
            yield f"{self._like_null} integers look like null; {other}"
        if self._lost:
            yield f"{self._lost} nulls look like numbers or bits; {other}"
