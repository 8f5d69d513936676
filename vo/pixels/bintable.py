"""Small FITS binary tables as whole HDUs, to stand behind an image (FITS 4.0, section 7.3)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from astropy.io import fits

from vo.pixels.cutheader import CutCard

_BLOCK = 2880
#: What stands for an integer that is not known.
_NO_INTEGER = -2147483648


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column and its values, one a row; None is a null (NaN, TNULL, an empty text)."""

    name: str
    kind: Literal["float", "integer", "text"]
    values: Sequence[str | float | int | None]
    unit: str | None = None
    comment: str = ""


def table_hdu(name: str, columns: Sequence[TableColumn], cards: Sequence[CutCard] = ()) -> bytes:
    """The table as the bytes of one extension, padded to whole blocks; the same input gives the same bytes."""
    table = fits.BinTableHDU.from_columns([_column(one) for one in columns], name=name)
    for number, one in enumerate(columns, start=1):
        table.header.comments[f"TTYPE{number}"] = one.comment
    table.header.extend([fits.Card(*card) for card in cards], end=True)
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(file)
    return file.getvalue()[_BLOCK:]  # without the empty primary HDU, which is one block


def _column(column: TableColumn) -> fits.Column:
    if column.kind == "float":
        numbers = [np.nan if one is None else one for one in column.values]
        return fits.Column(column.name, "D", unit=column.unit, array=np.asarray(numbers, dtype=np.float64))
    if column.kind == "integer":
        whole = [_NO_INTEGER if one is None else one for one in column.values]
        return fits.Column(
            column.name, "J", unit=column.unit, null=_NO_INTEGER, array=np.asarray(whole, dtype=np.int32)
        )
    texts = [_plain(str(one or "")) for one in column.values]
    width = max([1, *map(len, texts)])
    return fits.Column(column.name, f"{width}A", array=np.asarray(texts, dtype=f"S{width}"))


def _plain(text: str) -> str:
    """ASCII, as FITS has texts; other signs become question marks."""
    return "".join(sign if " " <= sign <= "~" else "?" for sign in text)
