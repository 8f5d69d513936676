"""Texts of files that have them as they are (CSV, Parquet, Arrow): UTF-8, not too long, without NUL."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vo.tables.reading.cells import first_failing
from vo.tables.reading.table import BadCell, ReadLimits, cell_too_long


def check_text(cells: Any, limits: ReadLimits) -> Any:
    """Give a binary or string array as strings; raises BadCell for a cell that is none."""
    longest = pc.max(pc.binary_length(cells)).as_py() or 0
    if longest > limits.cell_bytes:
        index = pc.index(pc.binary_length(cells), pa.scalar(longest, pc.binary_length(cells).type)).as_py()
        raise cell_too_long(index, longest, limits)
    try:
        strings = cells.cast(pa.string())
    except pa.ArrowInvalid:
        index = first_failing(lambda part: part.cast(pa.string()), cells)
        raise BadCell(index, f"{cells[index].as_py()[:40]!r} is no UTF-8; save the table as UTF-8") from None
    zeros = pc.match_substring(strings, "\0")
    if pc.any(zeros).as_py():
        raise BadCell(pc.index(zeros, True).as_py(), "a text has the character NUL, which no text can have")
    return strings
