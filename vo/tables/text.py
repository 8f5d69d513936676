"""Rows as CSV (RFC 4180) and as tab-separated values, from Arrow columns.

In CSV null is an empty field and an empty string is ``""``. Tab-separated values know no quotes: tabs and line ends
within a text become blanks, and null and empty look the same.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.metadata.fields import Field
from vo.tables import columns as cols

_INFINITY = ("Infinity", "-Infinity")

_QUOTED = np.zeros(256, dtype=bool)
_QUOTED[[ord(character) for character in '",\r\n ']] = True


def csv_header(fields: Sequence[Field]) -> bytes:
    """Write the line of column names."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([field.name for field in fields])
    return line.getvalue().encode()


def csv_rows(fields: Sequence[Field], columns: Sequence[Any]) -> bytes:
    """Write conformed columns (:func:`vo.tables.columns.blocks`) of one length as lines of CSV."""
    return _lines([_csv_cells(field, column) for field, column in zip(fields, columns, strict=True)], ",", "\r\n")


def tsv_header(fields: Sequence[Field]) -> bytes:
    """Write the line of column names."""
    return ("\t".join(" ".join(field.name.split()) for field in fields) + "\n").encode()


def tsv_rows(fields: Sequence[Field], columns: Sequence[Any]) -> bytes:
    """Write conformed columns (:func:`vo.tables.columns.blocks`) of one length as lines of tab-separated values."""
    return _lines([_tsv_cells(field, column) for field, column in zip(fields, columns, strict=True)], "\t", "\n")


def _csv_cells(field: Field, column: Any) -> Any:
    text = cols.cells(field, column, infinity=_INFINITY)
    if cols.is_text(field):
        needed = pc.equal(pc.binary_length(text), 0)
        if _QUOTED[cols.text_bytes(text)].any():
            needed = pc.or_(needed, pc.match_substring_regex(text, r'[",\r\n]|^ | $'))
        if pc.any(needed).as_py():
            quoted = pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")
            text = pc.if_else(needed, quoted, text)
    return pc.fill_null(text, "")


def _tsv_cells(field: Field, column: Any) -> Any:
    text = cols.cells(field, column, infinity=_INFINITY)
    if cols.is_text(field):
        text = pc.replace_substring_regex(text, r"[\t\r\n]", " ")
    return pc.fill_null(text, "")


def _lines(cells: Sequence[Any], separator: str, end: str) -> bytes:
    pieces: list[Any] = []
    for index, text in enumerate(cells):
        if index:
            pieces.append(pa.scalar(separator.encode(), pa.binary()))
        pieces.append(text.cast(pa.binary()))
    pieces.append(pa.scalar(end.encode(), pa.binary()))
    return cols.joined(pieces)
