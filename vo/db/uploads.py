"""Uploaded tables in the database: temporary tables of the very session, and transaction, that runs their query.

No other session can see such a table (PostgreSQL keeps temporary tables apart), and it is gone with the transaction,
whatever ends that: the answer, a fault, a client that leaves, a process that is killed. Rows go in by binary COPY
(ADBC), batch by batch as they are read; nothing holds them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from adbc_driver_manager import Error as DriverError

from vo.db.ddl import quote
from vo.db.faults import sqlstate_of, translate
from vo.errors import Fault, TransientFault, UsageFault

_COPY_OPTION = "adbc.postgresql.use_copy"

#: SQLSTATEs that mean that an uploaded value is no such shape, or no such time.
_BAD_VALUE = ("22", "XX000")

#: An index on positions costs 10 us a row: it is made when the plan without it would compare more pairs of rows than
#: this, which costs some 0.3 us each.
_MOST_PAIRS = 1_000_000


@dataclass(frozen=True, slots=True)
class MadeColumn:
    """A column that is made of an uploaded one: its name, SQL type and expression, and what people call it."""

    name: str
    sql_type: str
    expression: str
    label: str


@dataclass(frozen=True, slots=True)
class UploadedTable:
    """A table on its way in.

    ``name`` is its name in the session's temporary schema; ``sent`` are the names and SQL types of the columns of
    ``batches``, whose Arrow schema is ``schema``; all names are ours and unique among the tables of a query. ``label``
    is what people call it, ``points`` are the names of columns of spoint.
    """

    name: str
    label: str
    sent: tuple[tuple[str, str], ...]
    made: tuple[MadeColumn, ...]
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]

    @property
    def points(self) -> tuple[str, ...]:
        """The columns that hold positions."""
        return tuple(column.name for column in self.made if column.sql_type == "spoint")


def store(
    cursor: Any, uploads: Sequence[UploadedTable], sql: str, seconds: float, is_cancelled: Callable[[], bool]
) -> None:
    """Put uploads into the transaction of an ADBC cursor's connection, for the query ``sql`` that will read them.

    What the batches raise is raised; a value that the database refuses is a UsageFault that names its column. Each
    statement may take ``seconds``. ``is_cancelled`` is asked between batches, as a COPY sees a cancel at its end only.
    """
    sizes = {upload.name: _store_one(cursor, upload, seconds, is_cancelled) for upload in uploads}
    positions = {upload.name: positions_in(sql, upload) for upload in uploads}
    if not any(positions.values()) or max(sizes.values()) == 0:
        return
    for name in find_repeated_scans(_plan(cursor, sql), sizes):
        for number, expression in enumerate(positions[name]):
            cursor.execute(
                f"CREATE INDEX {quote(f'{name}_position_{number}')} ON {_named(name)} USING gist ({expression})"
            )


def positions_in(sql: str, upload: UploadedTable) -> tuple[str, ...]:
    """The positions that a query makes of an upload's columns, as an index has to have them."""
    prefix = re.escape(f"{upload.name}_")
    number = rf"\w+\.({prefix}\w+)(::float8)?"
    pairs = re.findall(rf"spoint\(radians\({number}\), radians\({number}\)\)", sql)
    made = (f"spoint(radians({a}{cast_a}), radians({b}{cast_b}))" for a, cast_a, b, cast_b in pairs)
    points = (name for name in upload.points if re.search(rf"\.{name}\b", sql))
    return tuple(dict.fromkeys((*made, *points)))


def find_repeated_scans(plan: dict[str, Any], sizes: dict[str, int]) -> tuple[str, ...]:
    """The uploads that a plan (EXPLAIN's JSON) reads row by row for each row of something else, too often.

    ``sizes`` are their numbers of rows.
    """
    found: list[str] = []

    def look(node: dict[str, Any], times: float) -> None:
        name = node.get("Relation Name")
        if node["Node Type"] == "Seq Scan" and name in sizes and times > 1 and times * sizes[name] > _MOST_PAIRS:
            found.append(name)
        inner = node.get("Plans", [])
        for place, below in enumerate(inner):
            is_inner = node["Node Type"] == "Nested Loop" and place == 1
            look(below, times * max(1, inner[0]["Plan Rows"]) if is_inner else times)

    look(plan, 1.0)
    return tuple(dict.fromkeys(found))


def _store_one(cursor: Any, upload: UploadedTable, seconds: float, is_cancelled: Callable[[], bool]) -> int:
    columns = ", ".join(f"{quote(name)} {sql_type}" for name, sql_type in upload.sent)
    cursor.execute(f"CREATE TEMPORARY TABLE {quote(upload.name)} ({columns}) ON COMMIT DROP")
    rows = _copy(cursor, upload, seconds, is_cancelled)
    for made in upload.made:
        _make(cursor, upload, made)
    cursor.execute(f"ANALYZE {_named(upload.name)}")
    return rows


def _copy(cursor: Any, upload: UploadedTable, seconds: float, is_cancelled: Callable[[], bool]) -> int:
    """Binary COPY; the number of rows."""
    rows = 0
    raised: list[Exception] = []

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        try:
            for batch in _until(is_cancelled, upload.batches):
                rows += batch.num_rows
                yield batch
        except Exception as error:
            raised.append(error)  # Arrow's C interface would make a text of it
            raise

    reader = pa.RecordBatchReader.from_batches(upload.schema, counted())
    try:
        cursor.adbc_ingest(upload.name, reader, mode="append", temporary=True)
    except (DriverError, pa.ArrowException, OSError) as error:
        if raised:
            raise _readers_own(raised[0]) from None
        raise translate(sqlstate_of(error), str(error), seconds=seconds) from None
    return rows


def _readers_own(error: Exception) -> Exception:
    """What a reader raised; errors of files and of Arrow would pass for the database's."""
    return RuntimeError(f"a table cannot be read: {error}") if isinstance(error, pa.ArrowException | OSError) else error


def _until(is_cancelled: Callable[[], bool], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if is_cancelled():
            raise TransientFault("the query was cancelled while its uploads came in")
        yield batch


def _make(cursor: Any, upload: UploadedTable, made: MadeColumn) -> None:
    statement = (
        f"ALTER TABLE {_named(upload.name)} ADD COLUMN {quote(made.name)} {made.sql_type} "
        f"GENERATED ALWAYS AS ({made.expression}) STORED"
    )
    try:
        cursor.execute(statement)
    except DriverError as error:
        state = sqlstate_of(error)
        fault: Fault = translate(state, str(error))
        if state.startswith(_BAD_VALUE) and isinstance(fault, UsageFault):
            text = f"the column {made.label} of {upload.label} holds a value that is none: {fault.text}"
            raise UsageFault(text) from None
        raise fault from None


def _plan(cursor: Any, sql: str) -> dict[str, Any]:
    cursor.adbc_statement.set_options(**{_COPY_OPTION: "false"})  # ADBC would copy the answer, which EXPLAIN forbids
    cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
    (text,) = cursor.fetchone()
    cursor.adbc_statement.set_options(**{_COPY_OPTION: "true"})
    plan: dict[str, Any] = json.loads(text)[0]["Plan"]
    return plan


def _named(name: str) -> str:
    return f"pg_temp.{quote(name)}"
