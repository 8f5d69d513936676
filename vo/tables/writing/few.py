"""A few rows of BINARY2 (VOTable 1.4 section 5.4), value by value.

Setting Arrow's and numpy's kernels going costs some ten microseconds a column, which many rows share. An answer of a
few rows and many columns, as a person asks for or a script in a loop, is encoded ten times faster in plain Python. What
:mod:`vo.tables.writing.binary` makes of the same rows is the same to the bit; a test compares.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Sequence
from typing import Any

from vo.metadata.fields import Field

#: Up to so many rows; beyond, the kernels are faster.
MOST_ROWS = 24

_NUMBERS = {
    # struct's letter, and what stands where a value is null
    "unsignedByte": ("B", 0),
    "short": ("h", 0),
    "int": ("i", 0),
    "long": ("q", 0),
    "float": ("f", float("nan")),
    "double": ("d", float("nan")),
}
_LENGTH = struct.Struct(">i")

Writer = Callable[[Any], bytes]


def encode(fields: Sequence[Field], columns: Sequence[Any]) -> bytes | None:
    """Encode conformed columns (:func:`vo.tables.columns.blocks`) of one length as rows of BINARY2.

    None when a field is none of those that are written here (scalars and texts of any length), or a text does not fit
    its field.
    """
    writers = [_writer(field.datatype, field.arraysize) for field in fields]
    if None in writers:
        return None
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    try:
        return b"".join(_row(row, writers) for row in rows)
    except UnicodeEncodeError:
        return None


def _row(row: tuple[Any, ...], writers: Sequence[Any]) -> bytes:
    nulls, bit = 0, 1 << (8 * ((len(row) + 7) // 8) - 1)
    cells = []
    for value, write in zip(row, writers, strict=True):
        if value is None:
            nulls |= bit
        cells.append(write(value))
        bit >>= 1
    return nulls.to_bytes((len(row) + 7) // 8, "big") + b"".join(cells)


@functools.lru_cache(maxsize=64)
def _writer(datatype: str, arraysize: str | None) -> Writer | None:
    if datatype in _NUMBERS and arraysize is None:
        letter, empty = _NUMBERS[datatype]
        return _number(struct.Struct(f">{letter}").pack, empty)
    if datatype == "boolean" and arraysize is None:
        return _boolean
    if (
        datatype in ("char", "unicodeChar")
        and arraysize is not None
        and arraysize.endswith("*")
        and "x" not in arraysize
    ):
        return _text if datatype == "char" else _unicode
    return None


def _number(pack: Callable[[Any], bytes], empty: float) -> Writer:
    null = pack(empty)

    def write(value: Any) -> bytes:
        return null if value is None else pack(value)

    return write


def _boolean(value: bool | None) -> bytes:  # noqa: FBT001 - a value, no switch
    return b"?" if value is None else b"T" if value else b"F"


def _text(value: str | None) -> bytes:
    data = (value or "").encode("ascii")
    return _LENGTH.pack(len(data)) + data


def _unicode(value: str | None) -> bytes:
    data = (value or "").encode("utf-16-be")
    return _LENGTH.pack(len(data) // 2) + data
