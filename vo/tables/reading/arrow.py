"""Tables that are Arrow's already: its IPC streams and files, and what Parquet is read as.

Types become VOTable's: unsigned integers the next wider ones but bytes, 8-bit integers short, 16-bit floats float,
decimals double, dates and timestamps ISO text with xtype timestamp (with a Z where they had a time zone), dictionaries
their values, lists of these arrays. Lists of lists, of texts, structs, maps, bytes and durations are refused with the
column's name. Metadata of Arrow fields is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.errors import LimitFault, UsageFault
from vo.metadata.fields import Field
from vo.tables.columns import arrow_type
from vo.tables.reading.columns import make_column
from vo.tables.reading.source import Source
from vo.tables.reading.table import (
    BATCH_BYTES,
    BATCH_ROWS,
    BadCell,
    IncomingTable,
    ReadLimits,
    cell_fault,
    cell_too_long,
    check_column_count,
    check_names,
    make_batch,
    shown,
)
from vo.tables.reading.texts import check_text

#: What pyarrow raises for a damaged file.
DAMAGE = (pa.ArrowException, OSError, ValueError, LookupError, OverflowError)

_NUMBERS: dict[Any, str] = {
    pa.bool_(): "boolean",
    pa.int8(): "short",
    pa.uint8(): "unsignedByte",
    pa.int16(): "short",
    pa.uint16(): "int",
    pa.int32(): "int",
    pa.uint32(): "long",
    pa.int64(): "long",
    pa.uint64(): "long",
    pa.float16(): "float",
    pa.float32(): "float",
    pa.float64(): "double",
}


def open_arrow(source: Source, limits: ReadLimits) -> IncomingTable:
    """Read the schema of an IPC stream or file. A UsageFault when it is damaged."""
    is_file = source.peek(6) == b"ARROW1"
    try:
        reader = pa.ipc.open_file(source.seekable()) if is_file else pa.ipc.open_stream(source.seekable())
        fields = read_fields(reader.schema, limits)
    except DAMAGE as error:
        raise damaged("Arrow stream", error) from error
    batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if is_file else iter(reader)
    return IncomingTable(fields, conform(fields, batches, limits, "Arrow stream"))


def damaged(what: str, error: Exception) -> UsageFault:
    """The fault of a file that Arrow cannot read."""
    return UsageFault(f"the {what} is damaged or not understood: {str(error)[:200]}")


def read_fields(schema: pa.Schema, limits: ReadLimits) -> tuple[Field, ...]:
    """The fields that a schema's columns become; a UsageFault names a column whose type is not read here."""
    check_column_count(len(schema), limits)
    names = check_names(schema.names)
    return tuple(_field(name, column.type) for name, column in zip(names, schema, strict=True))


def conform(
    fields: Sequence[Field], batches: Iterator[pa.RecordBatch], limits: ReadLimits, what: str
) -> Iterator[pa.RecordBatch]:
    """Bring batches into the forms that ``fields`` promise, in parts of a bounded size.

    All values together are counted against ``limits.table_bytes``: a dictionary can be much smaller than its values.
    """
    return _gathered(_conformed(fields, batches, limits, what))


def _gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Put small batches together."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= BATCH_ROWS // 4 or size >= BATCH_BYTES // 4:
            yield pa.concat_batches(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.concat_batches(waiting)


def _conformed(
    fields: Sequence[Field], batches: Iterator[pa.RecordBatch], limits: ReadLimits, what: str
) -> Iterator[pa.RecordBatch]:
    rows = total = 0
    while True:
        try:
            batch = next(batches, None)
            if batch is None:
                return
            batch.validate(full=True)
        except DAMAGE as error:
            raise damaged(what, error) from error
        for part in _parts(batch):
            made = _conform(fields, part, rows, limits)
            rows, total = rows + made.num_rows, total + made.nbytes
            if total > limits.table_bytes:
                raise LimitFault(f"the table's values have more than {limits.table_bytes} bytes, the limit")
            yield made


def _field(name: str, kind: Any) -> Field:
    if pa.types.is_dictionary(kind):
        return _field(name, kind.value_type)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return Field(name, "char", "*", "timestamp")
    if _is_text(kind) or pa.types.is_null(kind):
        return Field(name, "char", "*")
    datatype = _datatype(kind)
    if datatype is not None:
        return Field(name, datatype)
    if _is_list(kind) and (datatype := _datatype(kind.value_type)) is not None:
        size = str(kind.list_size) if pa.types.is_fixed_size_list(kind) else "*"
        return Field(name, datatype, None if size == "1" else size)
    raise UsageFault(f"column {shown(name)} has type {str(kind)[:60]}, which is not read here; leave it out or cast it")


def _datatype(kind: Any) -> str | None:
    return "double" if pa.types.is_decimal(kind) else _NUMBERS.get(kind)


def _is_text(kind: Any) -> bool:
    return kind in (pa.string(), pa.large_string(), pa.string_view())


def _is_list(kind: Any) -> bool:
    return isinstance(kind, (pa.ListType, pa.LargeListType, pa.FixedSizeListType))


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch so that its values, dictionaries looked up, fit into memory."""
    sizes = np.full(batch.num_rows, max(batch.nbytes // max(batch.num_rows, 1), 1), dtype=np.int64)
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and _is_text(column.type.value_type):
            lengths = pc.binary_length(column.dictionary).cast(pa.int64()).take(column.indices)
            sizes += pc.fill_null(lengths, 0).to_numpy()
    sums = np.cumsum(sizes)
    begin = 0
    while begin < batch.num_rows:
        before = int(sums[begin - 1]) if begin else 0
        end = max(int(np.searchsorted(sums, before + BATCH_BYTES, side="right")), begin + 1)
        end = min(end, begin + BATCH_ROWS)
        yield batch.slice(begin, end - begin)
        begin = end


def _conform(fields: Sequence[Field], batch: pa.RecordBatch, rows: int, limits: ReadLimits) -> pa.RecordBatch:
    columns: list[Any] = []
    for field, column in zip(fields, batch.columns, strict=True):
        try:
            columns.append(_column(field, column, limits))
        except BadCell as bad:
            raise cell_fault(bad, field, rows + 1) from bad
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise UsageFault(f"column {shown(field.name)}, from row {rows + 1}: {str(error)[:200]}") from error
    return make_batch(fields, columns)


def _column(field: Field, column: Any, limits: ReadLimits) -> Any:
    if pa.types.is_dictionary(column.type):
        return _column(field, column.dictionary_decode(), limits)
    if pa.types.is_date(column.type):
        return column.cast(pa.date32()).cast(pa.string())
    if pa.types.is_timestamp(column.type):
        if column.type.tz is not None:
            column = column.cast(pa.timestamp(column.type.unit, "UTC"))
        return pc.replace_substring(column.cast(pa.string()), " ", "T", max_replacements=1)
    if _is_text(column.type):
        return check_text(column.cast(pa.large_string()), limits)
    if _is_list(column.type):
        return _list(field, column, limits)
    return _items(column, arrow_type(field))


def _items(column: Any, wanted: Any) -> Any:
    if column.type == pa.uint64():
        beyond = pc.fill_null(pc.greater(column, pa.scalar((1 << 63) - 1, pa.uint64())), False)
        if pc.any(beyond).as_py():
            index = pc.index(beyond, True).as_py()
            raise BadCell(index, f"{column[index]} is beyond VOTable's long")
    return column if column.type == wanted else column.cast(wanted)


def _list(field: Field, column: Any, limits: ReadLimits) -> Any:
    """A column of lists; the items of a scalar field are lists of one."""
    column = column.cast(pa.list_(column.type.value_type))
    lengths = pc.fill_null(pc.list_value_length(column), 0)
    wanted = arrow_type(field)
    item_type = wanted.value_type if pa.types.is_list(wanted) else wanted
    longest = (pc.max(lengths).as_py() or 0) * max(item_type.bit_width // 8, 1)
    if longest > limits.cell_bytes:
        raise cell_too_long(int(np.argmax(lengths.to_numpy())), longest, limits)
    _check_lengths(field, column, lengths)
    flat = column.flatten()
    try:
        items = _items(flat, item_type)
    except BadCell as bad:
        bad.index = int(np.searchsorted(np.cumsum(lengths.to_numpy()), bad.index, side="right"))
        raise
    if not pa.types.is_list(wanted):
        return items if not column.null_count else pc.list_element(column.cast(pa.list_(item_type)), 0)
    offsets = np.concatenate(([0], np.cumsum(lengths.to_numpy()))).astype(np.int32)
    mask = column.is_null() if column.null_count else None
    return cast("Any", pa.ListArray.from_arrays(pa.array(offsets), items, mask=mask))


def _check_lengths(field: Field, column: Any, lengths: Any) -> None:
    wanted = make_column(field)
    counts = lengths.to_numpy()
    wrong = counts % wanted.multiple != 0 if wanted.items is None else counts != wanted.items
    wrong &= column.is_valid().to_numpy(zero_copy_only=False)
    if wrong.any():
        index = int(np.argmax(wrong))
        raise BadCell(index, f"{counts[index]} numbers do not make arraysize {shown(field.arraysize or '1')}")
