"""What a reader gives and what bounds it: incoming tables, limits, and faults that name row and column.

Rows are counted from 1 everywhere, as people count them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from vo.errors import Fault, LimitFault, UsageFault
from vo.metadata.fields import Field
from vo.tables.columns import arrow_type

#: A batch holds about as much as this: small enough for constant memory, large enough to forget Python.
BATCH_ROWS = 32_768
BATCH_BYTES = 8 << 20

#: A fault repeats no more than this of a value.
_LONGEST_SHOWN = 40

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What an incoming table may have; more is a :class:`~vo.errors.LimitFault` that names the limit.

    ``rows`` and ``columns`` are counted. ``cell_bytes`` is the size of one value as it is written in the file (in CSV
    and TABLEDATA: of its text), ``row_bytes`` that of a row, ``table_bytes`` that of the whole file, unpacked when it
    came with gzip.
    """

    rows: int
    columns: int
    cell_bytes: int
    row_bytes: int = 16 << 20
    table_bytes: int = 4 << 30


@dataclass(frozen=True, slots=True)
class IncomingTable:
    """A table that is being read: what its columns are, and its rows.

    ``batches`` are record batches in the Arrow forms of :mod:`vo.tables.reading.columns`, column i is field i, at most
    once; a Fault raised by them tells what is wrong with the table and where. Names are unique without regard to case.
    """

    fields: tuple[Field, ...]
    batches: Iterator[pa.RecordBatch]


class BadCell(Exception):
    """A value that is none, at ``index`` of its column; :func:`cell_fault` makes a Fault of it."""

    def __init__(self, index: int, text: str, *, is_limit: bool = False) -> None:
        super().__init__(text)
        self.index = index
        self.text = text
        self.is_limit = is_limit


def cell_fault(bad: BadCell, field: Field, first_row: int) -> Fault:
    """The fault of a bad value; ``first_row`` is the number of the row at index 0, from 1."""
    kind = LimitFault if bad.is_limit else UsageFault
    return kind(f"row {first_row + bad.index}, column {shown(field.name)}: {bad.text}")


def shown(text: str) -> str:
    """A text from the table as a fault repeats it: quoted, on one line, not too long."""
    text = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
    return f'"{_CONTROL.sub("?", text)}"'


def cell_too_long(index: int, size: int, limits: ReadLimits) -> BadCell:
    """A value with more bytes than a cell may have."""
    return BadCell(index, f"{size} bytes are more than the limit of {limits.cell_bytes} for one cell", is_limit=True)


def row_too_long(row: int, limits: ReadLimits) -> LimitFault:
    """A row with more bytes than a row may have."""
    return LimitFault(f"row {row} has more than {limits.row_bytes} bytes, the limit for one row")


def check_column_count(count: int, limits: ReadLimits) -> None:
    """Raise a LimitFault when there are too many columns."""
    if count > limits.columns:
        raise LimitFault(f"the table has more than {limits.columns} columns, the limit; leave some out")


def check_names(names: Sequence[str | None]) -> list[str]:
    """Give the columns' names; a column without one is called by its place, ``column_3``.

    Blanks around a name go, line ends within it become blanks. Names that differ only in letter case are a
    UsageFault: ADQL cannot tell them apart.
    """
    found: list[str] = []
    seen: dict[str, str] = {}
    for number, name in enumerate(names, start=1):
        name = " ".join((name or "").split()) or f"column_{number}"  # noqa: PLW2901  the name in its one form
        if _CONTROL.search(name):
            raise UsageFault(f"the name {shown(name)} of column {number} has control characters; rename the column")
        other = seen.setdefault(name.lower(), name)
        if len(seen) < number:
            raise UsageFault(
                f"two columns are called {shown(other)} and {shown(name)} (letter case does not count); rename one"
            )
        found.append(name)
    if not found:
        raise UsageFault("the table has no columns")
    return found


def make_schema(fields: Sequence[Field]) -> pa.Schema:
    """The Arrow schema of a table with these fields."""
    return pa.schema([(field.name, arrow_type(field)) for field in fields])


def make_batch(fields: Sequence[Field], columns: Sequence[Any]) -> pa.RecordBatch:
    """Put columns together."""
    return pa.RecordBatch.from_arrays(list(columns), schema=make_schema(fields))


def within_limits(batches: Iterator[pa.RecordBatch], limits: ReadLimits) -> Iterator[pa.RecordBatch]:
    """Pass batches with rows on, up to the limit of rows; a LimitFault comes before the batch that exceeds it."""
    count = 0
    for batch in batches:
        count += batch.num_rows
        if count > limits.rows:
            raise LimitFault(f"the table has more than {limits.rows} rows, the limit (upload_rows); send it in parts")
        if batch.num_rows:
            yield batch
