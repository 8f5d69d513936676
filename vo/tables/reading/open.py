"""The one way in: which reader a table that came in is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Literal

import pyarrow as pa

from vo.errors import UsageFault
from vo.tables.reading.arrow import open_arrow
from vo.tables.reading.csv import open_csv
from vo.tables.reading.fits import open_fits
from vo.tables.reading.parquet import open_parquet
from vo.tables.reading.source import Source
from vo.tables.reading.table import IncomingTable, ReadLimits, shown, within_limits
from vo.tables.reading.votable import open_votable

Form = Literal["VOTable", "FITS", "CSV", "TSV", "Parquet", "Arrow"]

_MEDIA_TYPES: dict[str, Form] = {
    "application/x-votable+xml": "VOTable",
    "text/x-votable+xml": "VOTable",
    "application/xml": "VOTable",
    "text/xml": "VOTable",
    "application/fits": "FITS",
    "image/fits": "FITS",
    "text/csv": "CSV",
    "application/csv": "CSV",
    "text/tab-separated-values": "TSV",
    "application/vnd.apache.parquet": "Parquet",
    "application/x-parquet": "Parquet",
    "application/vnd.apache.arrow.stream": "Arrow",
    "application/vnd.apache.arrow.file": "Arrow",
}

# Types that say nothing of what is inside; clients send them for files whose ending they do not know.
_SAYS_NOTHING = (
    *("", "application/octet-stream", "binary/octet-stream", "text/plain"),
    *("application/gzip", "application/x-gzip", "application/x-www-form-urlencoded"),
)

_ENDINGS: dict[str, Form] = {
    ".vot": "VOTable",
    ".votable": "VOTable",
    ".xml": "VOTable",
    ".fits": "FITS",
    ".fit": "FITS",
    ".csv": "CSV",
    ".tsv": "TSV",
    ".tab": "TSV",
    ".parquet": "Parquet",
    ".arrow": "Arrow",
    ".arrows": "Arrow",
}

_READ_HERE = (
    "VOTable (application/x-votable+xml), FITS (application/fits), CSV (text/csv), TSV (text/tab-separated-values), "
    "Parquet (application/vnd.apache.parquet) and Arrow streams (application/vnd.apache.arrow.stream) are read here"
)

_UTF8_MARK = b"\xef\xbb\xbf"
_HEAD_BYTES = 512


def open_table(file: BinaryIO, *, media_type: str | None, filename: str, limits: ReadLimits) -> IncomingTable:
    """Open a table that came in, with what it says of its columns read; rows are read with ``batches``.

    ``file`` can be read in any order and stays open until the batches are done. It may be packed with gzip. Its form is
    that of ``media_type``, where that says nothing that of its first bytes, else that of the ending of ``filename``.
    Raises a UsageFault for a form that is not read here or that the first bytes contradict, and for what is wrong with
    the table, a LimitFault beyond ``limits``; the batches raise these, too.
    """
    source = Source(file, limits)
    try:
        table = _open(source, media_type, filename, limits)
    except BaseException:
        source.close()
        raise
    return IncomingTable(table.fields, _all_batches(table, source, limits))


def _open(source: Source, media_type: str | None, filename: str, limits: ReadLimits) -> IncomingTable:
    head = source.peek(_HEAD_BYTES)
    if not head:
        raise UsageFault("the table is empty: there is not one byte")
    form = _choose(media_type, filename, head)
    return _READERS[form](source, limits)


def _all_batches(table: IncomingTable, source: Source, limits: ReadLimits) -> Iterator[pa.RecordBatch]:
    try:
        yield from within_limits(table.batches, limits)
    finally:
        source.close()


def _open_tsv(source: Source, limits: ReadLimits) -> IncomingTable:
    return open_csv(source, limits, separator="\t")


_READERS = {
    "VOTable": open_votable,
    "FITS": open_fits,
    "CSV": open_csv,
    "TSV": _open_tsv,
    "Parquet": open_parquet,
    "Arrow": open_arrow,
}


def _choose(media_type: str | None, filename: str, head: bytes) -> Form:
    named = (media_type or "").partition(";")[0].strip().lower().replace("x-votable xml", "x-votable+xml")
    seen = _looks_like(head)
    if named in _SAYS_NOTHING:
        form = seen or _by_ending(filename)
        if form is None:
            raise UsageFault(f"nothing says what {shown(filename)} is; send its media type. {_READ_HERE}")
        return form
    declared = _MEDIA_TYPES.get(named)
    if declared is None:
        raise UsageFault(f"tables of type {shown(named)} are not read here. {_READ_HERE}")
    if seen is not None and seen != declared:
        raise UsageFault(
            f"the table is sent as {shown(named)} but looks like {seen}; send it with its right media type"
        )
    return declared


def _looks_like(head: bytes) -> Form | None:
    """The form that the first bytes are unmistakable for."""
    if head.startswith(b"SIMPLE  ="):
        return "FITS"
    if head.startswith(b"PAR1"):
        return "Parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "Arrow"
    # UTF-16 has a NUL beside each "<".
    text = head.removeprefix(_UTF8_MARK).removeprefix(b"\xfe\xff").removeprefix(b"\xff\xfe").replace(b"\0", b"")
    text = text.lstrip()
    is_tag = text[:1] == b"<" and (text[1:2].isalpha() or text[1:2] in (b"?", b"!", b"_"))
    return "VOTable" if is_tag else None


def _by_ending(filename: str) -> Form | None:
    name = filename.lower().strip().removesuffix(".gz")
    return next((form for ending, form in _ENDINGS.items() if name.endswith(ending)), None)
