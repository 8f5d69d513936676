"""Rows of VOTable's TABLEDATA serialisation (VOTable 1.4 section 5.1), from Arrow columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.metadata.fields import Field
from vo.tables import columns as cols

#: Characters that XML 1.0 cannot carry at all (its production 2); they are shown as U+FFFD.
ILLEGAL = "[\\x{00}-\\x{08}\\x{0B}\\x{0C}\\x{0E}-\\x{1F}\\x{FFFE}\\x{FFFF}]"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Bytes that ask for a closer look: markup, control characters, and 0xEF, with which U+FFFE and U+FFFF begin.
_SUSPICIOUS = np.zeros(256, dtype=bool)
_SUSPICIOUS[[*range(0x20), ord("&"), ord("<"), ord(">"), 0xEF]] = True
_SUSPICIOUS[[ord("\t"), ord("\n")]] = False

_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;"))


def encode(fields: Sequence[Field], columns: Sequence[Any]) -> bytes:
    """Encode conformed columns (:func:`vo.tables.columns.blocks`) of one length as TR elements.

    Null is an empty TD, but NaNs in an array of floats that has a fixed number of them, as readers want it.
    """
    pieces: list[Any] = []
    for index, (field, column) in enumerate(zip(fields, columns, strict=True)):
        pieces.append(pa.scalar(b"</TD><TD>" if index else b"<TR><TD>", pa.binary()))
        text = cols.cells(field, column, infinity=("+Inf", "-Inf"))
        if cols.is_text(field):
            text = escape(text)
        pieces.append(pc.fill_null(text, _null(field)).cast(pa.binary()))
    pieces.append(pa.scalar(b"</TD></TR>\n", pa.binary()))
    return cols.joined(pieces)


def _null(field: Field) -> str:
    size = cols.fixed_length(field) if cols.is_array(field) else None
    return " ".join(["NaN"] * size) if size and field.datatype in ("float", "double") else ""


def escape(column: Any) -> Any:
    """Make strings fit for XML content; characters that XML cannot carry become U+FFFD."""
    if not _SUSPICIOUS[cols.text_bytes(column)].any():
        return column
    for character, reference in _ESCAPES:
        column = pc.replace_substring(column, character, reference)
    return pc.replace_substring_regex(column, ILLEGAL, REPLACEMENT)


def count_illegal(column: Any) -> int:
    """How many characters of these strings XML cannot carry."""
    if not _SUSPICIOUS[cols.text_bytes(column)].any():
        return 0
    return int(pc.sum(pc.count_substring_regex(column, ILLEGAL)).as_py() or 0)
