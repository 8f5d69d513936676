"""Rows of VOTable's TABLEDATA serialisation (VOTable 1.4 section 5.1), from Arrow columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow.compute as pc

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables.writing import nulls

#: Characters that XML 1.0 cannot carry at all (its production 2); they are shown as U+FFFD.
ILLEGAL = "[\\x{00}-\\x{08}\\x{0B}\\x{0C}\\x{0E}-\\x{1F}\\x{FFFE}\\x{FFFF}]"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Markup, and 0xEF, with which U+FFFE and U+FFFF begin.
_SUSPICIOUS = b"&<>\xef"

_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;"))


def encode(fields: Sequence[Field], columns: Sequence[Any], numbers: Sequence[int | None] | None = None) -> bytes:
    """Encode conformed columns (:func:`vo.tables.columns.blocks`) of one length as TR elements.

    Null is an empty TD, but NaNs in an array of floats that has a fixed number of them, as readers want it; null items
    of other arrays are "?", and for integers one of ``numbers``, one a field (:func:`vo.tables.writing.nulls.choose`).
    """
    chosen = numbers or [None] * len(fields)
    texts = [_cells(field, column, number) for field, column, number in zip(fields, columns, chosen, strict=True)]
    return cols.lines(texts, "<TR><TD>", "</TD><TD>", "</TD></TR>\n")


def _cells(field: Field, column: Any, number: int | None) -> Any:
    if cols.is_text(field):
        return escape(column)
    text = cols.cells(field, column, cols.Words("NaN", "+Inf", "-Inf", _null_item(field, number)))
    size = cols.fixed_length(field) if cols.is_array(field) and field.datatype in cols.FLOATS else None
    return text if size is None else pc.fill_null(text, " ".join(["NaN"] * size * cols.parts(field)))


def _null_item(field: Field, number: int | None) -> str:
    if field.datatype in cols.FLOATS:
        return "NaN"
    if field.datatype == "boolean":
        return "?"
    return str(nulls.DEFAULT.get(field.datatype, 0) if number is None else number)


def escape(column: Any) -> Any:
    """Make strings fit for XML content; characters that XML cannot carry become U+FFFD."""
    if not cols.holds(column, _SUSPICIOUS, controls=True):
        return column
    for character, reference in _ESCAPES:
        column = pc.replace_substring(column, character, reference)
    return pc.replace_substring_regex(column, ILLEGAL, REPLACEMENT)


def count_illegal(column: Any) -> int:
    """How many characters of these strings XML cannot carry."""
    if not cols.holds(column, b"\xef", controls=True):
        return 0
    return int(pc.sum(pc.count_substring_regex(column, ILLEGAL)).as_py() or 0)
