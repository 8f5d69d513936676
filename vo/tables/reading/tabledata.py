"""Rows of VOTable's TABLEDATA serialisation (VOTable 1.4 section 5.1).

Nearly all documents are plain: ``<TR><TD>..</TD>...</TR>`` and blanks between. Their rows are cut out of the bytes
with numpy (:func:`split`), at ten times the speed of a call per tag. Whatever is not plain (comments, CDATA sections,
attributes, other entities than XML's five, damage) is left to the XML parser and :class:`Collector`, which make the
same rows of it or say what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.errors import UsageFault
from vo.tables.reading import cells as text_cells
from vo.tables.reading import values
from vo.tables.reading.columns import Column
from vo.tables.reading.table import (
    BATCH_ROWS,
    BadCell,
    ReadLimits,
    cell_fault,
    cell_too_long,
    make_batch,
    row_too_long,
)

_NO_REFERENCE = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_REFERENCE = re.compile("&(amp|lt|gt|quot|apos|#[0-9]+|#x[0-9A-Fa-f]+);")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

_IS_BLANK = np.zeros(256, dtype=bool)
_IS_BLANK[[9, 10, 13, 32]] = True

# The bytes behind "<" that make a tag, as a number.
_OPEN_ROW, _OPEN_CELL, _CLOSE_ROW, _CLOSE_CELL = (
    int.from_bytes(tag.ljust(4, b"\0"), "little") for tag in (b"TR>", b"TD>", b"/TR>", b"/TD>")
)
_THREE_BYTES = 0xFFFFFF

#: Batches of the collector are cut by the text they hold, too.
_COLLECTED_BYTES = 2 << 20


class Unusual(Exception):
    """Rows that the XML parser has to read."""


class Batches:
    """Makes batches of cells as text; ``count`` rows have been read so far."""

    def __init__(self, columns: Sequence[Column], limits: ReadLimits) -> None:
        self.columns = columns
        self.limits = limits
        self.count = 0
        self._fields = [column.field for column in columns]

    def make(self, texts: Sequence[Any]) -> pa.RecordBatch:
        """A batch of string arrays without nulls, one a column."""
        arrays = []
        for column, text in zip(self.columns, texts, strict=True):
            try:
                arrays.append(text_cells.read_column(column, text, self.limits))
            except BadCell as bad:
                raise cell_fault(bad, column.field, self.count + 1) from bad
        batch = make_batch(self._fields, arrays)
        self.count += batch.num_rows
        return batch


class Collector:
    """Rows from the XML parser's calls."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._texts: list[list[str]] = [[] for _ in batches.columns]
        self._row = 0  # complete rows in _texts
        self._size = 0
        self._cells: list[str] | None = None
        self._pieces: list[str] | None = None
        self._cell_size = self._row_size = 0
        self.has_begun = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins within TABLEDATA."""
        self.has_begun = True
        if name == "TD" and self._cells is not None and self._pieces is None:
            if attributes.get("encoding", "none") != "none":
                raise UsageFault(f"row {self._number}: cells with an encoding are not read here; write them plainly")
            self._pieces = []
            self._cell_size = 0
        elif name == "TR" and self._cells is None:
            self._cells = []
            self._row_size = 0
        else:
            raise UsageFault(f"row {self._number}: an element {name[:40]} where none can be within TABLEDATA")

    def text(self, piece: str) -> None:
        """Characters come."""
        if self._pieces is None:
            if piece.strip():
                raise UsageFault(f"row {self._number}: there is text outside of the cells")
            return
        self._cell_size += len(piece)
        self._row_size += len(piece)
        limits = self._batches.limits
        if self._cell_size > limits.cell_bytes:
            index = min(len(self._cells or ()), len(self._batches.columns) - 1)
            raise cell_fault(
                cell_too_long(0, self._cell_size, limits), self._batches.columns[index].field, self._number
            )
        if self._row_size > limits.row_bytes:
            raise row_too_long(self._number, limits)
        self._pieces.append(piece)

    def end(self, name: str) -> None:
        """An element ends within TABLEDATA."""
        if name == "TD":
            self._end_cell()
        elif name == "TR":
            self._end_row()

    def take(self, *, is_last: bool = False) -> Iterator[pa.RecordBatch]:
        """Give the rows that are complete, when they are enough or the last ones."""
        if self._row and (is_last or self._row >= BATCH_ROWS or self._size > _COLLECTED_BYTES):
            texts = [pa.array(column, pa.string()) for column in self._texts]
            self._texts = [[] for _ in self._batches.columns]
            self._row = self._size = 0
            yield self._batches.make(texts)

    @property
    def _number(self) -> int:
        return self._batches.count + self._row + 1

    def _end_cell(self) -> None:
        cells, pieces = self._cells or [], self._pieces or []
        if len(cells) >= len(self._batches.columns):
            raise UsageFault(
                f"row {self._number} has more cells than the table has columns ({len(self._batches.columns)})"
            )
        cells.append("".join(pieces))
        self._cells, self._pieces = cells, None

    def _end_row(self) -> None:
        cells = self._cells or []
        if len(cells) < len(self._texts):
            raise UsageFault(f"row {self._number} has {len(cells)} cells for {len(self._texts)} columns")
        for column, cell in zip(self._texts, cells, strict=True):
            column.append(cell)
        self._row += 1
        self._size += self._row_size + 8 * len(cells)
        self._cells = None


def split(rows: bytes, width: int) -> list[Any]:
    """Cut whole rows of plain UTF-8 into string arrays, one a column of ``width``.

    Raises :class:`Unusual` for everything that is not plain; nothing has been read then.
    """
    rows = _plain(rows)
    data = np.frombuffer(rows, np.uint8)
    tags: values.Numbers = np.flatnonzero(data == ord("<"))
    if tags.size == 0:
        _check_blank(data, np.array([0]), np.array([len(data)]))
        return [pa.array([], pa.string()) for _ in range(width)]
    if tags.size % (2 * width + 2) or tags[-1] + 5 > data.size:
        raise Unusual
    tags = tags.reshape(-1, 2 * width + 2)
    _check_tags(data, tags)
    starts = np.concatenate(([0], tags[:, 0] + 4, (tags[:, 2::2] + 5).reshape(-1), tags[:, -1] + 5))
    stops = np.concatenate((tags[:1, 0], tags[:, 1], tags[:, 3::2].reshape(-1), tags[1:, 0], [data.size]))
    _check_blank(data, starts, stops)
    has_references = b"&" in rows
    return [_cells(data, tags[:, 1 + 2 * i] + 4, tags[:, 2 + 2 * i], has_references) for i in range(width)]


def _plain(rows: bytes) -> bytes:
    """Rows with line ends as XML has them and every cell in two tags; Unusual for what XML might not allow."""
    rows = rows.replace(b"<TD/>", b"<TD></TD>")
    data = np.frombuffer(rows, np.uint8)
    controls = data[data < ord(" ")]
    if not _IS_BLANK[controls].all() or b"]]>" in rows or b"\xef\xbf\xbe" in rows or b"\xef\xbf\xbf" in rows:
        raise Unusual
    if b"&" in rows and _NO_REFERENCE.search(rows):
        raise Unusual
    if b"\r" in rows:
        rows = rows.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return rows


def _check_tags(data: values.Bytes, tags: values.Numbers) -> None:
    words = data[tags + 1].astype(np.uint32)
    for place in (2, 3, 4):
        words |= data[tags + place].astype(np.uint32) << (8 * (place - 1))
    # An opening tag is three bytes; the fourth is its content's.
    opening = words & _THREE_BYTES
    is_plain = (
        (opening[:, 0] == _OPEN_ROW).all()
        and (opening[:, 1:-1:2] == _OPEN_CELL).all()
        and (words[:, 2::2] == _CLOSE_CELL).all()
        and (words[:, -1] == _CLOSE_ROW).all()
    )
    if not is_plain:
        raise Unusual


def _check_blank(data: values.Bytes, starts: values.Numbers, stops: values.Numbers) -> None:
    """Between cells, and around rows, only blanks may stand."""
    lengths = stops - starts
    filled = lengths > 0
    starts, lengths = starts[filled], lengths[filled]
    places = np.arange(lengths.sum()) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    if not _IS_BLANK[data[places]].all():
        raise Unusual


def _cells(data: values.Bytes, starts: values.Numbers, stops: values.Numbers, has_references: bool) -> Any:  # noqa: FBT001  private
    try:
        strings = values.slices(data, starts, stops).cast(pa.string())
    except pa.ArrowInvalid:
        raise Unusual from None
    if not has_references:
        return strings
    marked = pc.match_substring(strings, "&").to_numpy(zero_copy_only=False)
    if not marked.any():
        return strings
    replaced = [_REFERENCE.sub(_character, cell.as_py()) for cell in strings.filter(pa.array(marked))]
    return pc.replace_with_mask(strings, pa.array(marked), pa.array(replaced, pa.string()))


def _character(reference: re.Match[str]) -> str:
    word = reference[1]
    if not word.startswith("#"):
        return _ENTITIES[word]
    code = int(f"0{word[1:]}", 16) if word.startswith("#x") else int(word[1:])
    if code > 0x10FFFF or _ILLEGAL.match(chr(code)):  # noqa: PLR2004  the last character there is
        raise Unusual
    return chr(code)
