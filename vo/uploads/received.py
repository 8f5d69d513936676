"""An incoming table as a query can name it, and as the database can hold it.

Every column keeps its own FIELD, under which its values go out again (TAP-18). Names in the database are ours, so that
people may call a column what they like.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vo.db.uploads import MadeColumn, UploadedTable
from vo.errors import Fault, UsageFault
from vo.metadata.fields import Column, Field, Kind, Table
from vo.tables.reading import IncomingTable
from vo.uploads.request import SCHEMA

_SCALARS: dict[str, Kind] = {
    "boolean": Kind.BOOLEAN,
    "bit": Kind.BOOLEAN,
    "unsignedByte": Kind.SMALLINT,  # PostgreSQL has no integer of one byte
    "short": Kind.SMALLINT,
    "int": Kind.INTEGER,
    "long": Kind.BIGINT,
    "float": Kind.REAL,
    "double": Kind.DOUBLE,
    "floatComplex": Kind.REALS,
    "doubleComplex": Kind.DOUBLES,
}
_ARRAYS: dict[Kind, Kind] = {
    Kind.BOOLEAN: Kind.BOOLEANS,
    Kind.SMALLINT: Kind.SMALLINTS,
    Kind.INTEGER: Kind.INTEGERS,
    Kind.BIGINT: Kind.BIGINTS,
    Kind.REAL: Kind.REALS,
    Kind.DOUBLE: Kind.DOUBLES,
    Kind.REALS: Kind.REALS,
    Kind.DOUBLES: Kind.DOUBLES,
}
_ARROW: dict[Kind, Any] = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.SMALLINT: pa.int16(),
    Kind.INTEGER: pa.int32(),
    Kind.BIGINT: pa.int64(),
    Kind.REAL: pa.float32(),
    Kind.DOUBLE: pa.float64(),
    Kind.CHAR: pa.string(),
    Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.BOOLEANS: pa.list_(pa.bool_()),
    Kind.SMALLINTS: pa.list_(pa.int16()),
    Kind.INTEGERS: pa.list_(pa.int32()),
    Kind.BIGINTS: pa.list_(pa.int64()),
    Kind.REALS: pa.list_(pa.float32()),
    Kind.DOUBLES: pa.list_(pa.float64()),
}
#: DALI's shapes (1.1, section 3.3.5 to 3.3.7): the kind, and the function of schema vo that makes it of numbers.
_SHAPES = {
    "point": (Kind.POINT, "point_of_numbers"),
    "circle": (Kind.CIRCLE, "circle_of_numbers"),
    "polygon": (Kind.POLYGON, "polygon_of_numbers"),
}
_TIMES = frozenset({"timestamp", "adql:timestamp"})
# Arrow reads six digits of a second, and no Z where a type has no zone.
_LATE_DIGITS = r"(\.[0-9]{6})[0-9]+"


@dataclass(frozen=True, slots=True)
class Upload:
    """A table on its way: what a query may name of it, and what the database is given."""

    table: Table
    stored: UploadedTable


@dataclass(frozen=True, slots=True)
class _Part:
    """What becomes of one column: what a query sees, what is sent, and what is made of that."""

    column: Column
    sent: tuple[tuple[str, Kind], ...]
    convert: Callable[[Any], Sequence[Any]]
    made: MadeColumn | None = None


def receive(incoming: IncomingTable, name: str, number: int) -> Upload:
    """Make the ``number``-th upload of a query, TAP_UPLOAD.``name``, of an incoming table; no row is read yet."""
    stored = f"u{number}"
    parts = [_part(field, f"{stored}_{place}") for place, field in enumerate(incoming.fields, 1)]
    table = Table(SCHEMA, name, tuple(part.column for part in parts), stored=("pg_temp", stored))
    sent = [one for part in parts for one in part.sent]
    schema = pa.schema([pa.field(column, _ARROW[kind]) for column, kind in sent])
    return Upload(
        table,
        UploadedTable(
            name=stored,
            label=f"TAP_UPLOAD.{name}",
            sent=tuple((column, _sql_type(kind)) for column, kind in sent),
            made=tuple(part.made for part in parts if part.made is not None),
            schema=schema,
            batches=_converted(incoming, parts, schema, name),
        ),
    )


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the table's name before the text of whatever fault its reading ends in."""
    try:
        yield
    except Fault as fault:
        fault.text = f"TAP_UPLOAD.{name}: {fault.text}"
        raise


def _sql_type(kind: Kind) -> str:
    return "timestamp" if kind is Kind.TIMESTAMP else kind.value


def _converted(
    incoming: IncomingTable, parts: Sequence[_Part], schema: pa.Schema, name: str
) -> Iterator[pa.RecordBatch]:
    batches = iter(incoming.batches)
    while True:
        with naming(name):
            batch = next(batches, None)
        if batch is None:
            return
        columns: list[Any] = []
        for part, column in zip(parts, batch.columns, strict=True):
            try:
                columns += part.convert(column)
            except pa.ArrowInvalid:
                raise UsageFault(
                    f"the column {part.column.name} of TAP_UPLOAD.{name} holds a text that is no time; "
                    "times of xtype timestamp are written YYYY-MM-DDThh:mm:ss"
                ) from None
        yield pa.record_batch(columns, schema=schema)


def _part(field: Field, stored: str) -> _Part:
    xtype = (field.xtype or "").lower()
    if xtype in _SHAPES and field.datatype in ("float", "double") and _is_flat(field):
        return _shape(field, stored, *_SHAPES[xtype])
    if field.datatype in ("char", "unicodeChar"):
        return _time(field, stored) if xtype in _TIMES else _plain(field, stored, Kind.CHAR)
    kind = _SCALARS[field.datatype]
    return _plain(field, stored, kind if field.arraysize is None else _ARRAYS[kind])


def _is_flat(field: Field) -> bool:
    return field.arraysize is not None and "x" not in field.arraysize


def _plain(field: Field, stored: str, kind: Kind) -> _Part:
    wanted = _ARROW[kind]
    return _Part(
        _column(field, stored, kind),
        ((stored, kind),),
        lambda column: (column if column.type == wanted else column.cast(wanted),),
    )


def _time(field: Field, stored: str) -> _Part:
    original = f"{stored}_o"
    return _Part(
        _column(field, stored, Kind.TIMESTAMP, original),
        ((stored, Kind.TIMESTAMP), (original, Kind.CHAR)),
        lambda column: (_times(column), column),
    )


def _times(column: Any) -> Any:
    text = pc.utf8_trim_whitespace(column)
    text = pc.replace_substring_regex(text, r"[Zz]$", "")
    text = pc.replace_substring_regex(text, _LATE_DIGITS, r"\1")
    return pc.if_else(pc.equal(text, ""), None, text).cast(_ARROW[Kind.TIMESTAMP])


def _shape(field: Field, stored: str, kind: Kind, function: str) -> _Part:
    original = f"{stored}_o"
    made = MadeColumn(stored, kind.value, f"vo.{function}({original})", field.name)
    numbers = _ARROW[Kind.DOUBLES]
    column = _column(field, stored, kind, original)
    return _Part(column, ((original, Kind.DOUBLES),), lambda values: (values.cast(numbers),), made)


def _column(field: Field, stored: str, kind: Kind, original: str | None = None) -> Column:
    return Column(
        field.name,
        kind,
        xtype=field.xtype,
        unit=field.unit,
        ucd=field.ucd,
        utype=field.utype,
        description=field.description,
        is_unicode=field.datatype == "unicodeChar",
        shown=field,
        stored=stored,
        original=original,
    )
