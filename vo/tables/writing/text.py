"""Rows as CSV (RFC 4180) and as tab-separated values, from Arrow columns.

In CSV null is an empty field and an empty string is ``""``. Tab-separated values know no quotes: tabs and line ends
within a text become blanks, and null and empty look the same.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables.votable import Document
from vo.tables.writing.rows import Rows

_WORDS = cols.Words()

_QUOTED = b'",\r\n'
_BLANK = 0x20


def write_csv(document: Document, rows: Rows) -> Iterator[bytes]:
    """Write a table as CSV; faults are raised, and rows that are cut off at MAXREC can only be counted."""
    yield from _write(document, rows, csv_header, csv_rows)


def write_tsv(document: Document, rows: Rows) -> Iterator[bytes]:
    """Write a table as tab-separated values, otherwise like :func:`write_csv`."""
    yield from _write(document, rows, tsv_header, tsv_rows)


def _write(
    document: Document,
    rows: Rows,
    header: Callable[[Sequence[Field]], bytes],
    encode: Callable[[Sequence[Field], list[Any]], bytes],
) -> Iterator[bytes]:
    yield header(document.fields)
    yield from rows.encoded(lambda block: encode(document.fields, block))
    rows.refuse_cut()


def csv_header(fields: Sequence[Field]) -> bytes:
    """Write the line of column names."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([field.name for field in fields])
    return line.getvalue().encode()


def csv_rows(fields: Sequence[Field], columns: Sequence[Any]) -> bytes:
    """Write conformed columns (:func:`vo.tables.columns.blocks`) of one length as lines of CSV."""
    return cols.lines([_csv_cells(*pair) for pair in zip(fields, columns, strict=True)], "", ",", "\r\n")


def tsv_header(fields: Sequence[Field]) -> bytes:
    """Write the line of column names."""
    return ("\t".join(" ".join(field.name.split()) for field in fields) + "\n").encode()


def tsv_rows(fields: Sequence[Field], columns: Sequence[Any]) -> bytes:
    """Write conformed columns (:func:`vo.tables.columns.blocks`) of one length as lines of tab-separated values."""
    return cols.lines([tsv_cells(*pair) for pair in zip(fields, columns, strict=True)], "", "\t", "\n")


def _csv_cells(field: Field, column: Any) -> Any:
    text = cols.cells(field, column, _WORDS)
    if not cols.is_text(field):
        return text
    needed = _needs_quotes(text)
    if not needed.any():
        return text
    inner = pc.replace_substring(text, '"', '""') if cols.holds(text, b'"') else text
    return pc.if_else(pa.array(needed), pc.binary_join_element_wise('"', inner, '"', ""), text)


def _needs_quotes(column: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Where a string is empty (null is what has no quotes), has a special character, or a blank at its ends."""
    if len(column) == 0:
        return np.zeros(0, dtype=bool)
    needed = np.zeros(len(column), dtype=bool)
    if cols.holds(column, _QUOTED):
        needed |= cols.filled(pc.match_substring_regex(column, '[",\r\n]'), False)
    bounds = cols.text_bounds(column) - cols.text_bounds(column)[0]
    data = np.append(cols.text_bytes(column), 0)
    begins, ends = bounds[:-1], bounds[1:]
    is_empty = (begins == ends) & column.is_valid().to_numpy(zero_copy_only=False)
    needed |= is_empty
    needed |= ((data[begins] == _BLANK) | (data[ends - 1] == _BLANK)) & (begins < ends)
    return needed


def tsv_cells(field: Field, column: Any) -> Any:
    """Give a column as strings without tabs and line ends; null stays null."""
    text = cols.cells(field, column, _WORDS)
    if cols.is_text(field) and cols.holds(text, b"\t\r\n"):
        text = pc.replace_substring_regex(text, r"[\t\r\n]", " ")
    return text
