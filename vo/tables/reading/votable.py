"""VOTable 1.0 to 1.5 (TABLEDATA, BINARY, BINARY2): what a document says of its table, and its rows as they come.

The first TABLE with DATA is read; when there is none, the first TABLE, which has no rows then. Kept of a FIELD is
what :class:`vo.metadata.fields.Field` has: name (or ID where there is none), datatype, arraysize, xtype, unit, ucd,
utype, DESCRIPTION, and VALUES' null for reading. A TABLE with ``ref`` has the FIELDs of the one it refers to. Passed
over is the rest: further tables, PARAM, GROUP, COOSYS and TIMESYS (``ref`` of a FIELD with them), LINK, precision,
width, limits and options of VALUES, INFO. An INFO QUERY_STATUS with ERROR is a UsageFault, also behind the rows: such
a table is not whole (DALI-09, DALI-10).

Namespaces and their prefixes do not matter. Data elsewhere (``href``), packed, or as FITS within the document is
refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from vo.errors import LimitFault, UsageFault
from vo.metadata.fields import Field
from vo.tables.reading import tabledata
from vo.tables.reading.binary import Base64, Rows
from vo.tables.reading.columns import Column, as_tabledata, make_column
from vo.tables.reading.source import Source
from vo.tables.reading.table import (
    IncomingTable,
    ReadLimits,
    check_column_count,
    check_names,
    row_too_long,
    shown,
)
from vo.tables.reading.tabledata import Batches, Collector
from vo.tables.reading.xml import Parser

Serialisation = Literal["TABLEDATA", "BINARY", "BINARY2"]

_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 20

#: What is kept of a document besides its rows has at most so many characters.
_MOST_METADATA = 4 << 20

_TABLEDATA = re.compile(rb"<([A-Za-z_][\w.-]*:)?TABLEDATA[ \t\r\n]*>")
_KEPT_ATTRIBUTES = ("name", "ID", "datatype", "arraysize", "xtype", "unit", "ucd", "utype")


@dataclass(slots=True)
class _FieldElement:
    """A FIELD as it stands in the document."""

    attributes: dict[str, str]
    description: str | None = None
    null: str | None = None


def open_votable(source: Source, limits: ReadLimits) -> IncomingTable:
    """Read a document up to its table's rows."""
    return _Document(source, limits).open()


def read_fields(document: bytes, limits: ReadLimits) -> list[Column]:
    """The columns of a document without rows."""
    described = _Described(limits)
    described.parser.feed(document)
    described.parser.close()
    return described.columns()


class _Described:
    """What a document says before and behind the rows, gathered from the XML parser's calls.

    ``serialisation`` is set when the rows of the table begin. Those of TABLEDATA that the parser gets are in
    ``collector`` then, those of a STREAM in ``stream``. ``is_over`` is set behind them.
    """

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self.parser = Parser(self._start, self._end)
        self.serialisation: Serialisation | None = None
        self.is_over = False
        self.stream: list[str] = []
        self.foreign: str | None = None  # a form of data that is not read within a VOTable
        self.batches: Batches | None = None
        self.collector: Collector | None = None
        self._path: list[str] = []
        self._fields: list[_FieldElement] | None = None  # of the table, once it is found
        self._here: list[_FieldElement] = []  # of the TABLE that is being read
        self._table: dict[str, str] = {}
        self._by_id: dict[str, list[_FieldElement]] = {}
        self._text: list[str] | None = None
        self._status: str | None = None
        self._kept = 0

    def columns(self) -> list[Column]:
        """The table's columns. A UsageFault when there is no table, or a FIELD says what VOTable does not know."""
        if self._fields is None:
            raise UsageFault("the document has no TABLE")
        names = check_names([field.attributes.get("name") or field.attributes.get("ID") for field in self._fields])
        return [_make_column(name, field, self.serialisation) for name, field in zip(names, self._fields, strict=True)]

    @property
    def has_rows(self) -> bool:
        """Whether the parser has got anything of TABLEDATA's content."""
        return self.is_over or (self.collector is not None and self.collector.has_begun)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        parent = self._path[-1] if self._path else None
        self._path.append(name)
        if self.serialisation is not None and not self.is_over:
            self._start_within_rows(name, attributes)
        elif parent is None and name != "VOTABLE":
            raise UsageFault(f"the document is no VOTable: its first element is {name[:40]}")
        elif name == "INFO" and attributes.get("name", "").upper() == "QUERY_STATUS":
            self._status = attributes.get("value", "").upper()
            self._listen()
        elif self.is_over:
            return
        elif name == "TABLE":
            self._here, self._table = [], attributes
        elif name == "FIELD" and parent == "TABLE":
            self._start_field(attributes)
        elif parent == "FIELD":
            self._start_in_field(name, attributes)
        elif parent == "DATA":
            self._start_data(name)

    def _start_field(self, attributes: dict[str, str]) -> None:
        check_column_count(len(self._here) + 1, self._limits)
        kept = {key: attributes[key] for key in _KEPT_ATTRIBUTES if key in attributes}
        self._keep(sum(map(len, kept.values())))
        self._here.append(_FieldElement(kept))

    def _start_in_field(self, name: str, attributes: dict[str, str]) -> None:
        if name == "DESCRIPTION":
            self._listen()
        elif name == "VALUES" and "null" in attributes:
            self._here[-1].null = attributes["null"]
            self._keep(len(attributes["null"]))

    def _start_data(self, name: str) -> None:
        if name == "INFO":
            return
        if name not in ("TABLEDATA", "BINARY", "BINARY2"):
            self.foreign = name[:40]
            return
        self._fields = self._fields_here()
        self.serialisation = name  # type: ignore[assignment]  # one of the three, see above
        if name == "TABLEDATA":
            self.batches = Batches(self.columns(), self._limits)
            self.collector = Collector(self.batches)
            self.parser.set_text(self.collector.text)

    def _start_within_rows(self, name: str, attributes: dict[str, str]) -> None:
        if self.collector is not None:
            self.collector.start(name, attributes)
        elif self.serialisation != "TABLEDATA" and name == "STREAM":
            if "href" in attributes:
                raise UsageFault("the STREAM's data is elsewhere (href), which is not fetched; send it inline")
            encoding = attributes.get("encoding", "base64").lower()
            if encoding not in ("base64", "none"):
                raise UsageFault(f"the STREAM has encoding {shown(encoding)}; only base64 is read here")
            self.parser.set_text(self.stream.append)
        else:
            raise UsageFault(f"an element {name[:40]} where none can be within {self.serialisation}")

    def _end(self, name: str) -> None:
        self._path.pop()
        if self.serialisation == name and not self.is_over:
            self.is_over = True
            self.parser.set_text(None)
        elif self.serialisation is not None and not self.is_over:
            if self.collector is not None:
                self.collector.end(name)
            elif name == "STREAM":
                self.parser.set_text(None)
        elif name == "INFO" and self._status is not None:
            self._end_status()
        elif name == "DESCRIPTION" and self._text is not None:
            self._here[-1].description = " ".join(self._heard().split()) or None
        elif name == "TABLE" and not self.is_over:
            self._end_table()

    def _end_status(self) -> None:
        status, self._status = self._status, None
        text = " ".join(self._heard().split())
        if status == "ERROR":
            raise UsageFault(
                f"the document tells of an error, so that its table is not whole: {text[:300] or 'no text'}"
            )

    def _end_table(self) -> None:
        if self._table.get("ID"):
            self._by_id[self._table["ID"]] = self._here
        if self._fields is None:
            self._fields = self._fields_here()

    def _fields_here(self) -> list[_FieldElement]:
        ref = self._table.get("ref")
        return self._here if self._here or ref is None else self._by_id.get(ref, [])

    def _listen(self) -> None:
        self._text = []
        self.parser.set_text(self._hear)

    def _hear(self, piece: str) -> None:
        self._keep(len(piece))
        if self._text is not None:
            self._text.append(piece)

    def _heard(self) -> str:
        text, self._text = "".join(self._text or ()), None
        self.parser.set_text(None)
        return text

    def _keep(self, size: int) -> None:
        self._kept += size
        if self._kept > _MOST_METADATA:
            raise LimitFault(f"the table's description has more than {_MOST_METADATA} characters, the limit")


class _Document:
    """A document on its way in."""

    def __init__(self, source: Source, limits: ReadLimits) -> None:
        self._source = source
        self._limits = limits
        self._said = _Described(limits)
        self._parser = self._said.parser
        self._ahead = b""  # read, but not yet given to the parser
        self._prefix = b""  # of the elements within TABLEDATA

    def open(self) -> IncomingTable:
        while self._said.serialisation is None and self._feed_head():
            pass
        if self._said.foreign is not None:
            raise UsageFault(f"the table's data is {self._said.foreign}, not VOTable; send that file itself")
        columns = self._said.columns()
        return IncomingTable(tuple(column.field for column in columns), self._batches(columns))

    def _feed_head(self) -> bool:
        """Give the parser more, but nothing behind a tag that begins TABLEDATA; False at the document's end."""
        found = _TABLEDATA.search(self._ahead)
        if found is None:
            data = self._source.read(_HEAD_BYTES)
            if not data:
                return self._feed()
            self._ahead += data
            found = _TABLEDATA.search(self._ahead)
        if found is not None:
            self._prefix = found[1] or b""
        # A tag that is cut off waits for its rest.
        end = found.end() if found else self._ahead.rfind(b">") + 1 or len(self._ahead)
        now, self._ahead = self._ahead[:end], self._ahead[end:]
        self._parser.feed(now)
        return True

    def _feed(self) -> bool:
        """Give the parser a block; False at the document's end, which is a UsageFault when it comes too early."""
        data, self._ahead = self._ahead or self._source.read(_BLOCK_BYTES), b""
        if not data:
            self._parser.close()
            return False
        self._parser.feed(data)
        return True

    def _batches(self, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
        if self._said.serialisation is None:
            return
        if self._said.batches is not None and self._said.collector is not None:
            yield from self._table_data(self._said.batches, self._said.collector)
        else:
            yield from self._stream(Rows(columns, self._limits, has_flags=self._said.serialisation == "BINARY2"))
        while self._feed():
            pass

    def _until_over(self) -> Iterator[None]:
        """Feed the parser until the rows are over; the first turn is for what it has got already."""
        yield
        while not self._said.is_over and self._feed():
            yield

    def _stream(self, rows: Rows) -> Iterator[pa.RecordBatch]:
        base64 = Base64()
        for _ in self._until_over():
            for piece in self._said.stream:
                yield from rows.feed(base64.decode(piece))
            self._said.stream.clear()
        base64.finish()
        yield from rows.finish()

    def _table_data(self, batches: Batches, collector: Collector) -> Iterator[pa.RecordBatch]:
        if (self._parser.encoding or "utf-8").lower() == "utf-8" and not self._said.has_rows:
            yield from self._plain_rows(batches)
        for _ in self._until_over():
            yield from collector.take()
        yield from collector.take(is_last=True)

    def _plain_rows(self, batches: Batches) -> Iterator[pa.RecordBatch]:
        """Cut rows out of the bytes while they are plain; what is not, and the rest, is left for the parser."""
        end_of_row, end = b"</" + self._prefix + b"TR>", b"</" + self._prefix + b"TABLEDATA"
        is_last = False
        while not is_last:
            last = self._ahead.find(end)
            is_last = last >= 0
            if not is_last:
                begun = self._ahead.rfind(end_of_row)
                last = begun + len(end_of_row) if begun >= 0 else 0
            rows = self._ahead[:last]
            try:
                texts = tabledata.split(self._without_prefix(rows), len(batches.columns))
            except tabledata.Unusual:
                return
            self._parser.skip_lines(rows.count(b"\n"))
            self._ahead = self._ahead[last:]
            yield batches.make(texts)
            if not is_last and not self._read_ahead(batches.count):
                return

    def _without_prefix(self, rows: bytes) -> bytes:
        if not self._prefix:
            return rows
        return rows.replace(b"<" + self._prefix, b"<").replace(b"</" + self._prefix, b"</")

    def _read_ahead(self, count: int) -> bool:
        if len(self._ahead) > self._limits.row_bytes:
            raise row_too_long(count + 1, self._limits)
        data = self._source.read(_BLOCK_BYTES)
        self._ahead += data
        return bool(data)


def _make_column(name: str, field: _FieldElement, serialisation: Serialisation | None) -> Column:
    said = field.attributes
    if not said.get("datatype"):
        raise UsageFault(f"column {shown(name)} has no datatype")
    described = Field(
        name=name,
        datatype=said["datatype"].strip(),
        arraysize=said.get("arraysize"),
        xtype=said.get("xtype") or None,
        unit=said.get("unit") or None,
        ucd=said.get("ucd") or None,
        utype=said.get("utype") or None,
        description=field.description,
    )
    column = make_column(described, field.null)
    if serialisation != "TABLEDATA":
        return column
    return as_tabledata(column, has_size=bool(said.get("arraysize", "").strip()))
