"""Tables as plain text for people, in aligned columns.

How wide a column is the first rows decide; a later value that is longer sticks out. Null is blank; tabs and line ends
within a text become blanks. The last line says how many rows there are, whether rows were cut off, or what went wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.compute as pc

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables.votable import Document
from vo.tables.writing import text
from vo.tables.writing.rows import Rows

_BETWEEN = " | "
_WIDEST = 100


def write(document: Document, rows: Rows) -> Iterator[bytes]:
    """Write a text table."""
    fields = document.fields
    widths = _widths(fields, rows)
    yield _head(fields, widths).encode()
    yield from rows.guarded(lambda block: _lines(fields, widths, block))
    yield f"{_end(rows)}\n".encode()


def _widths(fields: Sequence[Field], rows: Rows) -> list[int]:
    widths = [max(len(_name(field)), len(field.unit or "")) for field in fields]
    for columns in rows.first_columns():
        for index, (field, column) in enumerate(zip(fields, columns, strict=True)):
            longest = pc.max(pc.utf8_length(text.tsv_cells(field, column))).as_py() or 0
            widths[index] = max(widths[index], min(longest, _WIDEST))
    return widths


def _name(field: Field) -> str:
    return " ".join(field.name.split())


def _head(fields: Sequence[Field], widths: Sequence[int]) -> str:
    names = _BETWEEN.join(_aligned(field, _name(field), width) for field, width in zip(fields, widths, strict=True))
    units = _BETWEEN.join(_aligned(field, field.unit or "", width) for field, width in zip(fields, widths, strict=True))
    rule = "-+-".join("-" * width for width in widths)
    return f"{names}\n{units}\n{rule}\n" if units.strip(" |") else f"{names}\n{rule}\n"


def _aligned(field: Field, word: str, width: int) -> str:
    return word.ljust(width) if cols.is_text(field) else word.rjust(width)


def _lines(fields: Sequence[Field], widths: Sequence[int], columns: Sequence[Any]) -> bytes:
    cells = [_cells(field, width, column) for field, width, column in zip(fields, widths, columns, strict=True)]
    return cols.lines(cells, "", _BETWEEN, "\n")


def _cells(field: Field, width: int, column: Any) -> Any:
    words = pc.fill_null(text.tsv_cells(field, column), "")
    return pc.utf8_rpad(words, width) if cols.is_text(field) else pc.utf8_lpad(words, width)


def _end(rows: Rows) -> str:
    if rows.fault is not None:
        return f"ERROR after {rows.count} rows, the table is incomplete: {rows.fault.word}: {rows.fault.text}"
    if rows.overflow is not None:
        return f"OVERFLOW after {rows.count} rows: {rows.overflow}"
    return f"{rows.count} rows"
