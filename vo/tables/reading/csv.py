"""CSV (RFC 4180) and tab-separated values, whose types are found by reading them twice.

The first line has the names of the columns. The first reading looks at every value, so that the second one cannot
meet a value that does not fit: a column of integers is int or long, of numbers double (NaN and Infinity are numbers),
of DALI's times text with xtype timestamp, all else is text. Integers with leading zeros, or beyond 64 bits, stay text:
they would not come back as they were.

An empty field is null, ``""`` is the empty text (null, too, in a column of numbers, since some programs quote all).
Tab-separated values know no quotes. Empty lines are passed over, but in a table of one column, where they are null.
The file is UTF-8, with or without byte order mark. A row has at most a MiB or two: Arrow reads by blocks of one.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from vo.errors import LimitFault, UsageFault
from vo.metadata.fields import Field
from vo.tables.reading import cells
from vo.tables.reading.source import Source
from vo.tables.reading.table import (
    BadCell,
    IncomingTable,
    ReadLimits,
    cell_fault,
    check_column_count,
    check_names,
    make_batch,
    shown,
    within_limits,
)
from vo.tables.reading.texts import check_text

_BLOCK_BYTES = 1 << 20

_UNDECODED = re.compile("[\ud800-\udfff]")

# Arrow's words for a line with too few or too many fields.
_UNEVEN = re.compile("Row #([0-9]+): Expected ([0-9]+) columns, got ([0-9]+): (.*)", re.DOTALL)

_INTEGER = r"^[+-]?[0-9]+$"
_LEADING_ZERO = r"^[+-]?0[0-9]"
# DALI 1.1 section 3.3.3; that the day exists is asked of Arrow.
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z?)?$"
_SECONDS = len("2000-01-01T00:00:00")


def open_csv(source: Source, limits: ReadLimits, separator: str = ",") -> IncomingTable:
    """Read the file once for its columns. All that can be wrong with it is found here."""
    file = source.seekable()
    names = _read_names(file, separator, limits)
    lines = _Lines(file, separator, len(names), limits)
    guesses = [_Guess() for _ in names]
    for batch in within_limits(lines.read(names), limits):
        for guess, column in zip(guesses, batch.columns, strict=True):
            guess.look(column)
    fields = tuple(guess.field(name) for guess, name in zip(guesses, names, strict=True))
    return IncomingTable(fields, _batches(lines, fields))


def _batches(lines: _Lines, fields: Sequence[Field]) -> Iterator[pa.RecordBatch]:
    types = {"int": pa.int32(), "long": pa.int64(), "double": pa.float64()}
    for batch in lines.read([field.name for field in fields]):
        columns = [
            cells.numbers(column, types[field.datatype]) if field.datatype in types else column
            for field, column in zip(fields, batch.columns, strict=True)
        ]
        yield make_batch(fields, columns)


def _read_names(file: BinaryIO, separator: str, limits: ReadLimits) -> list[str]:
    head = file.read(_BLOCK_BYTES)
    # Behind the first line a character may be cut off, and damage is told with its row.
    text = head.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    if len(head) == _BLOCK_BYTES and not ("\n" in text or "\r" in text):
        raise LimitFault(f"the first line, of names, has more than {_BLOCK_BYTES} bytes, the limit")
    lines = io.StringIO(text, newline="")
    try:
        if separator == "\t":
            names = next(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE), [])
        else:
            names = next(csv.reader(lines, delimiter=separator), [])
    except csv.Error as error:
        raise UsageFault(f"the first line has no names of columns: {error}") from error
    if any(_UNDECODED.search(name) for name in names):
        raise UsageFault("the first line is not UTF-8; save the table as UTF-8")
    check_column_count(len(names), limits)
    if not any(name.strip() for name in names):
        raise UsageFault("the first line has to have the names of the columns")
    return check_names(names)


class _Lines:
    """The file's rows as strings, as often as they are wanted."""

    def __init__(self, file: BinaryIO, separator: str, width: int, limits: ReadLimits) -> None:
        self._file = file
        self._width = width
        self._limits = limits
        self._separator = separator
        self._quotes = 0
        self._parsing = arrow_csv.ParseOptions(
            delimiter=separator,
            quote_char=False if separator == "\t" else '"',
            newlines_in_values=separator != "\t",
            ignore_empty_lines=width > 1,
        )

    def read(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows from the first one; a Fault names the one that has too few or too many fields, or is no text."""
        fields = [Field(name, "char", "*") for name in names]
        keys = [f"f{number}" for number in range(self._width)]
        row = 0
        last = None
        for number, batch in enumerate(self._read_bytes(keys)):
            # The line of names is read with the rest, and left out here.
            data = batch.slice(1) if number == 0 else batch
            columns = []
            for field, column in zip(fields, data.columns, strict=True):
                try:
                    columns.append(check_text(column, self._limits))
                except BadCell as bad:
                    raise cell_fault(bad, field, row + 1) from bad
            row += data.num_rows
            last = columns[-1][-1].as_py() if data.num_rows else last
            yield make_batch(fields, columns)
        if self._quotes % 2 and "\n" in (last or ""):
            raise UsageFault(f"row {row}: a quote is not closed; the rest of the file is in it")

    def _read_bytes(self, keys: Sequence[str]) -> Iterator[pa.RecordBatch]:
        self._file.seek(0)
        opened = _KeptOpen(self._file)
        try:
            with arrow_csv.open_csv(
                opened,
                read_options=arrow_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=keys),
                parse_options=self._parsing,
                convert_options=arrow_csv.ConvertOptions(
                    check_utf8=False,
                    column_types=dict.fromkeys(keys, pa.binary()),
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            ) as reader:
                yield from reader
            self._quotes = opened.quotes if self._separator != "\t" else 0
        except pa.ArrowInvalid as error:
            raise self._fault(str(error)) from error

    def _fault(self, text: str) -> UsageFault:
        uneven = _UNEVEN.search(text)
        if uneven is not None:
            line, expected, actual, content = uneven.groups()
            # Arrow counts the line of names, too, but no empty ones.
            row = f"row {int(line) - 1}" if int(line) > 1 else "the line of names"
            return UsageFault(f"{row} has {actual} fields for {expected} columns: {shown(content)}")
        if "straddling" in text:
            return LimitFault(f"a row has more than {_BLOCK_BYTES} bytes, the limit, or a quote is not closed")
        return UsageFault(f"the table is damaged: {text[:200]}")


class _KeptOpen(io.RawIOBase):
    """A file that its reader cannot close, since it is read again."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.quotes = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.quotes += data.count(b'"')
        return data


class _Guess:
    """What a column can be, from all its values so far."""

    def __init__(self) -> None:
        self._has_values = False
        self._is_integer = self._is_number = self._is_time = True
        self._keeps_digits = True
        self._least = self._most = 0

    def look(self, column: Any) -> None:
        """Take the next values into account."""
        texts = column.drop_null()
        if self._is_time and not _are_times(texts):
            self._is_time = False
        if not self._is_number:
            self._has_values |= len(texts) > 0
            return
        try:
            numbers = cells.numbers(texts, pa.float64())
        except pa.ArrowInvalid:
            self._is_number = self._is_integer = False
            self._has_values = True
            return
        self._has_values |= numbers.null_count < len(numbers)
        if self._is_integer:
            self._look_at_integers(pc.utf8_trim_whitespace(texts.filter(numbers.is_valid())))

    def field(self, name: str) -> Field:
        """The column as it can be read."""
        if not self._has_values:
            return Field(name, "char", "*")
        if self._is_integer and self._keeps_digits:
            return Field(name, "int" if max(self._most, -1 - self._least) < 1 << 31 else "long")
        if self._is_number and not self._is_integer:
            return Field(name, "double")
        return Field(name, "char", "*", "timestamp" if self._is_time else None)

    def _look_at_integers(self, words: Any) -> None:
        if not _all(pc.match_substring_regex, words, _INTEGER):
            self._is_integer = False
            return
        if pc.any(pc.match_substring_regex(words, _LEADING_ZERO)).as_py():
            self._keeps_digits = False
        try:
            ends = pc.min_max(cells.numbers(words, pa.int64())).as_py()
        except pa.ArrowInvalid:
            self._keeps_digits = False
            return
        self._least = min(self._least, ends["min"] or 0)
        self._most = max(self._most, ends["max"] or 0)


def _are_times(texts: Any) -> bool:
    if not _all(pc.match_substring_regex, texts, _TIME):
        return False
    try:
        pc.utf8_slice_codeunits(texts, 0, _SECONDS).cast(pa.timestamp("s"))
    except pa.ArrowInvalid:
        return False
    return True


def _all(test: Callable[[Any, str], Any], texts: Any, pattern: str) -> bool:
    return pc.all(test(texts, pattern)).as_py() is not False
