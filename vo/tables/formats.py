"""The forms in which a table can be sent, and the one way to stream it (DALI 1.1 section 3.4.3).

What a reader notices when something goes wrong after the first byte is told by each writer's module. Where the form
has a place for it, the document is closed and says that it is incomplete; where it has none, the fault is raised out
of :meth:`Format.write`, so that the server breaks the connection off and the client sees an incomplete answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from vo.errors import UsageFault
from vo.tables import votable
from vo.tables.votable import Document, Serialisation, Version
from vo.tables.writing import arrow, fits_table, html_page, json_table, parquet, plain, serialise, text
from vo.tables.writing.rows import Rows, whole_blocks

Kind = Serialisation | Literal["CSV", "TSV", "FITS", "PARQUET", "ARROW", "JSON", "HTML", "TEXT"]


@dataclass(frozen=True, slots=True)
class Format:
    """One form of answers.

    ``media_type`` is what stands in Content-Type; ``names`` are all values of RESPONSEFORMAT that mean this form, in
    lower case, without blanks; ``ivo_id`` is TAPRegExt's name of it (TRE-06). ``version`` is that of VOTable.
    """

    kind: Kind
    media_type: str
    names: tuple[str, ...]
    ivo_id: str | None = None
    version: Version = "1.4"

    def write(
        self, document: Document, batches: Iterable[Any], maxrec: int, max_bytes: int | None = None
    ) -> Iterator[bytes]:
        """Write a table from record batches whose columns fit ``document.fields``, at most ``maxrec`` rows of them.

        One row more than ``maxrec`` among the batches makes an overflow; ``maxrec`` 0 always is one (DALI-06, SIA-08).
        The rows also end, as an overflow, before they take more than ``max_bytes`` of the answer; forms that cannot say
        so raise a LimitFault. Memory is that of a few batches. A Fault from ``batches`` ends the table as the module's
        text says.
        """
        return whole_blocks(self._pieces(document, batches, maxrec, max_bytes))

    def _pieces(
        self, document: Document, batches: Iterable[Any], maxrec: int, max_bytes: int | None
    ) -> Iterator[bytes]:
        rows = Rows(document.fields, batches, maxrec, max_bytes, document.overflow_text)
        match self.kind:
            case "BINARY2" | "BINARY" | "TABLEDATA":
                yield from serialise.write(document, rows, self.kind, self.version)
            case "CSV":
                yield from text.write_csv(document, rows)
            case "TSV":
                yield from text.write_tsv(document, rows)
            case "FITS":
                yield from fits_table.write(document, rows)
            case "PARQUET":
                yield from parquet.write(document, rows)
            case "ARROW":
                yield from arrow.write(document, rows)
            case "JSON":
                yield from json_table.write(document, rows)
            case "HTML":
                yield from html_page.write(document, rows)
            case "TEXT":
                yield from plain.write(document, rows)


_TAPREGEXT = "ivo://ivoa.net/std/TAPRegExt#output-votable-"
_VOTABLE = votable.MEDIA_TYPE
_VOTABLE_TYPES = (_VOTABLE, "text/xml", "application/xml")


def _serialised(word: str) -> tuple[str, ...]:
    return tuple(f"{media_type};serialization={word}" for media_type in _VOTABLE_TYPES)


#: All forms, the default one first (TAP-09).
FORMATS: tuple[Format, ...] = (
    Format(
        "BINARY2",
        f"{_VOTABLE};serialization=binary2",
        (*_VOTABLE_TYPES, *_serialised("binary2"), "votable/b2", "votable/binary2", "votable"),
        f"{_TAPREGEXT}binary2",
    ),
    Format(
        "TABLEDATA",
        f"{_VOTABLE};serialization=tabledata",
        (*_serialised("tabledata"), "votable/tabledata", "votable/td"),
        f"{_TAPREGEXT}td",
    ),
    Format(
        "BINARY",
        f"{_VOTABLE};serialization=binary",
        (*_serialised("binary"), "votable/binary", "votable/b"),
        f"{_TAPREGEXT}binary",
    ),
    Format("CSV", "text/csv;header=present", ("text/csv", "text/csv;header=present", "csv")),
    Format("TSV", "text/tab-separated-values", ("text/tab-separated-values", "tsv")),
    Format("FITS", "application/fits", ("application/fits", "image/fits", "fits")),
    Format(
        "PARQUET",
        "application/vnd.apache.parquet",
        ("application/vnd.apache.parquet", "application/x-parquet", "application/parquet", "parquet"),
    ),
    Format("JSON", "application/json", ("application/json", "json")),
    Format("ARROW", "application/vnd.apache.arrow.stream", ("application/vnd.apache.arrow.stream", "arrow")),
    Format("HTML", "text/html;charset=utf-8", ("text/html", "html")),
    Format("TEXT", "text/plain;charset=utf-8", ("text/plain", "text")),
)


def find(name: str | None) -> Format:
    """Find the form that RESPONSEFORMAT asks for; None is the default.

    A media type is echoed as it came (DALI-05), a short name stands for our own. Letter case, blanks, quotes and the
    order of parameters do not matter; ``charset`` may be UTF-8, and ``version`` may be 1.4 or 1.5 where the form is a
    VOTable. A :class:`UsageFault` lists the forms when the name is unknown.
    """
    # A "+" that was not escaped in an address arrives as a blank.
    asked = re.sub("x-votable xml", "x-votable+xml", (name or "votable").strip(), flags=re.IGNORECASE)
    base, *parameters = asked.lower().replace(" ", "").replace('"', "").removesuffix(";").split(";")
    versions = [word.removeprefix("version=") for word in parameters if word.startswith("version=")]
    kept = [word for word in parameters if word != "charset=utf-8" and not word.startswith("version=")]
    key = ";".join((base, *kept))
    form = next((form for form in FORMATS if key in form.names), None)
    if form is None or (versions and not _is_votable(form)):
        known = ", ".join((_VOTABLE, "text/csv", *(form.names[-1] for form in FORMATS)))
        raise UsageFault(f"RESPONSEFORMAT={asked[:60]!r} is not written here; use one of {known}")
    if versions:
        form = replace(form, version=_version(versions))
    if key == "votable":
        return replace(form, media_type=votable.MEDIA_TYPE)
    return replace(form, media_type=asked) if "/" in base and not base.startswith("votable/") else form


def _is_votable(form: Format) -> bool:
    return form.kind in ("BINARY2", "BINARY", "TABLEDATA")


def _version(asked: list[str]) -> Version:
    match asked:
        case ["1.4"]:
            return "1.4"
        case ["1.5"]:
            return "1.5"
        case _:
            raise UsageFault(f"VOTable version {' and '.join(asked)[:60]!r} is not written here; use 1.4 or 1.5")
