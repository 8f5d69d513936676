"""The forms in which a table can be sent, and the one way to stream it (DALI 1.1 section 3.4.3).

What a reader notices when something goes wrong after the first byte: a VOTable is closed properly and carries an
INFO QUERY_STATUS=ERROR after its table (DALI-10), or OVERFLOW when rows were cut off (DALI-07). CSV and TSV have no
place for either. There the fault is raised out of :meth:`Format.write`, so that the server breaks the connection off
and the client sees an incomplete answer; rows cut off at MAXREC can only be told by counting them.
"""

from __future__ import annotations

import binascii
import logging
import re
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pyarrow.compute as pc

from vo.errors import FatalFault, Fault, UsageFault
from vo.metadata.fields import Field
from vo.tables import binary2, tabledata, text, votable
from vo.tables import columns as cols
from vo.tables.votable import Document

_log = logging.getLogger(__name__)

#: How far the rows are read before the head is written: non-ASCII text found there is declared as such.
LOOK_AHEAD_ROWS = 20_000
LOOK_AHEAD_BYTES = 8_000_000

#: Least number of bytes sent at a time, after the first ones: small blocks cost more than their content.
BLOCK_BYTES = 1 << 18

Kind = Literal["BINARY2", "TABLEDATA", "CSV", "TSV"]


@dataclass(frozen=True, slots=True)
class Format:
    """One form of answers.

    ``media_type`` is what stands in Content-Type; ``names`` are all values of RESPONSEFORMAT that mean this form, in
    lower case, without blanks; ``ivo_id`` is TAPRegExt's name of it (TRE-06).
    """

    kind: Kind
    media_type: str
    names: tuple[str, ...]
    ivo_id: str | None = None

    def write(self, document: Document, batches: Iterable[Any], maxrec: int) -> Iterator[bytes]:
        """Write a table from record batches whose columns fit ``document.fields``, at most ``maxrec`` rows of them.

        One row more than ``maxrec`` among the batches makes an overflow; ``maxrec`` 0 always is one (DALI-06, SIA-08).
        Memory is that of one batch. A Fault from ``batches`` ends the table as the module's text says.
        """
        writer = _plain_text if self.kind in ("CSV", "TSV") else _votable
        return _whole_blocks(writer(self, document, batches, maxrec))


_TAPREGEXT = "ivo://ivoa.net/std/TAPRegExt#output-votable-"
_VOTABLE = "application/x-votable+xml"

#: All forms, the default one first (TAP-09).
FORMATS: tuple[Format, ...] = (
    Format(
        "BINARY2",
        f"{_VOTABLE};serialization=binary2",
        (
            *(f"{_VOTABLE};serialization=binary2", _VOTABLE, "text/xml", "application/xml"),
            *("votable/b2", "votable/binary2", "votable"),
        ),
        f"{_TAPREGEXT}binary2",
    ),
    Format(
        "TABLEDATA",
        f"{_VOTABLE};serialization=tabledata",
        (f"{_VOTABLE};serialization=tabledata", "text/xml;serialization=tabledata", "votable/tabledata", "votable/td"),
        f"{_TAPREGEXT}td",
    ),
    Format("CSV", "text/csv;header=present", ("text/csv", "text/csv;header=present", "csv")),
    Format("TSV", "text/tab-separated-values", ("text/tab-separated-values", "tsv")),
)


def find(name: str | None) -> Format:
    """Find the form that RESPONSEFORMAT asks for; None is the default.

    A media type is echoed as it came (DALI-05), a short name stands for our own. Letter case and blanks do not matter.
    A :class:`UsageFault` lists the forms when the name is unknown.
    """
    # A "+" that was not escaped in an address arrives as a blank.
    asked = re.sub("x-votable xml", "x-votable+xml", (name or "votable").strip(), flags=re.IGNORECASE)
    key = asked.lower().replace(" ", "").replace('"', "").removesuffix(";charset=utf-8")
    form = next((form for form in FORMATS if key in form.names), None)
    if form is None:
        known = ", ".join(dict.fromkeys(known for form in FORMATS for known in (form.names[0], form.names[-1])))
        raise UsageFault(f"RESPONSEFORMAT={asked[:60]!r} is not written here; use one of {known}")
    if key == "votable":
        return replace(form, media_type=votable.MEDIA_TYPE)
    return replace(form, media_type=asked) if "/" in key and not key.startswith("votable/") else form


class _Rows:
    """The rows to send, block by block; ``overflow`` tells afterwards whether more came than were asked for.

    The first rows are fetched at once: their text decides how columns are declared.
    """

    def __init__(self, fields: Sequence[Field], batches: Iterable[Any], maxrec: int) -> None:
        self._fields = fields
        self._batches = iter(batches) if maxrec else iter(())
        self._left = maxrec
        self._late: Exception | None = None
        self._ahead = deque(self._look_ahead())
        self.overflow = maxrec == 0

    def declared(self) -> tuple[Field, ...]:
        """The fields as they have to be declared for the first rows."""
        shown = tuple(self._fields)
        for batch in self._ahead:
            columns = (cols.conform(field, column) for field, column in zip(self._fields, batch.columns, strict=True))
            shown = tuple(map(votable.shown_field, shown, columns))
        return shown

    def blocks(self) -> Iterator[list[Any]]:
        """Blocks of conformed columns."""
        while (batch := self._next()) is not None:
            self.overflow = batch.num_rows > self._left
            sent = batch.slice(0, self._left)
            yield from cols.blocks(self._fields, sent)
            self._left -= sent.num_rows
            if self.overflow:
                return

    def _next(self) -> Any:
        if self._ahead:
            return self._ahead.popleft()
        if self._late is not None:
            raise self._late
        return next(self._batches, None)

    def _look_ahead(self) -> Iterator[Any]:
        rows = size = 0
        while rows < LOOK_AHEAD_ROWS and size < LOOK_AHEAD_BYTES:
            try:
                batch = next(self._batches, None)
            except Exception as error:
                if rows == 0:
                    raise
                self._late = error  # its place is after the rows that came before it
                return
            if batch is None:
                return
            rows, size = rows + batch.num_rows, size + batch.nbytes
            yield batch


def _plain_text(form: Format, document: Document, batches: Iterable[Any], maxrec: int) -> Iterator[bytes]:
    header, encode = (text.csv_header, text.csv_rows) if form.kind == "CSV" else (text.tsv_header, text.tsv_rows)
    rows = _Rows(document.fields, batches, maxrec)
    yield header(document.fields)
    for block in rows.blocks():
        yield encode(document.fields, block)


def _votable(form: Format, document: Document, batches: Iterable[Any], maxrec: int) -> Iterator[bytes]:
    rows = _Rows(document.fields, batches, maxrec)
    fields = rows.declared()
    encoder = _Binary2(fields) if form.kind == "BINARY2" else _TableData(fields)
    parts = votable.frame(replace(document, fields=fields), encoder.name)
    yield parts.head
    fault: Fault | None = None
    try:
        for block in rows.blocks():
            yield encoder.rows(block)
    except Exception as error:  # noqa: BLE001  whatever happened, the document is closed and says so
        fault = _as_fault(error)
    yield encoder.rest()
    yield parts.middle
    if encoder.lost:
        yield votable.info("warning", encoder.loss_text.format(encoder.lost))
    if fault is not None:
        yield votable.info("QUERY_STATUS", "ERROR", f"{fault.word}: {fault.text}")
    elif rows.overflow:
        yield votable.info("QUERY_STATUS", "OVERFLOW", document.overflow_text)
    yield parts.tail


class _TableData:
    """Rows as TABLEDATA; ``lost`` counts characters that XML cannot carry."""

    name: votable.Serialisation = "TABLEDATA"
    loss_text = "{} characters that XML cannot carry are shown as U+FFFD; ask for text/csv to get them"

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = fields
        self.lost = 0

    def rows(self, block: list[Any]) -> bytes:
        pairs = zip(self._fields, block, strict=True)
        self.lost += sum(tabledata.count_illegal(column) for field, column in pairs if cols.is_text(field))
        return tabledata.encode(self._fields, block)

    def rest(self) -> bytes:
        return b""


class _Binary2:
    """Rows as base64 of BINARY2; ``lost`` counts characters beyond ASCII that came after a column was declared char."""

    name: votable.Serialisation = "BINARY2"
    loss_text = "{} characters beyond ASCII are shown as '?'; ask for RESPONSEFORMAT=votable/td or csv to get them"

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = fields
        self._carry = b""
        self.lost = 0

    def rows(self, block: list[Any]) -> bytes:
        columns = [self._ascii(field, column) for field, column in zip(self._fields, block, strict=True)]
        data = self._carry + binary2.encode(self._fields, columns)
        whole = len(data) - len(data) % 3  # base64 turns three bytes into four characters
        self._carry = data[whole:]
        return binascii.b2a_base64(memoryview(data)[:whole])

    def rest(self) -> bytes:
        return binascii.b2a_base64(self._carry) if self._carry else b""

    def _ascii(self, field: Field, column: Any) -> Any:
        if field.datatype != "char" or cols.is_ascii(column):
            return column
        beyond = r"[^\x00-\x7F]"
        self.lost += pc.sum(pc.count_substring_regex(column, beyond)).as_py()
        return pc.replace_substring_regex(column, beyond, "?")


def _as_fault(error: Exception) -> Fault:
    """What a reader may know of an error amid the rows; the log has the rest."""
    if isinstance(error, Fault):
        return error
    incident = uuid.uuid4().hex[:12]
    _log.error("incident %s while sending rows", incident, exc_info=error)
    return FatalFault(f"the service failed amid the rows (incident {incident}); the table is incomplete")


def _whole_blocks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Put small pieces together, except the first rows, which are sent at once."""
    waiting: list[bytes] = []
    size = 0
    least = 0
    for number, piece in enumerate(pieces):
        waiting.append(piece)
        size += len(piece)
        if number > 0 and size >= least:
            yield b"".join(waiting)
            waiting, size, least = [], 0, BLOCK_BYTES
    if waiting:
        yield b"".join(waiting)
