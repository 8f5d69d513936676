"""The headers of a table in FITS, and the VOTable that its primary HDU holds."""

from __future__ import annotations

from collections.abc import Sequence

from vo.tables import votable
from vo.tables.votable import Document
from vo.tables.writing.fits_cards import BLOCK, card, comment, header
from vo.tables.writing.fits_layout import Column

#: What FITS (section 4.3) calls otherwise than VOUnits 1.0.
_UNITS = {"au": "AU", "unknown": ""}


def primary(document: Document, overflow: str | None) -> bytes:
    """Make the primary HDU: a VOTable without rows, in the form that STILTS calls fits-plus."""
    text = votable.without_rows(document, overflow=overflow)
    cards = [
        card("SIMPLE", True, "conforms to FITS standard"),
        card("BITPIX", 8, "bytes of a VOTable"),
        card("NAXIS", 1),
        card("NAXIS1", len(text), "number of bytes"),
        card("VOTMETA", True, "this HDU is a VOTable without rows"),
        card("EXTEND", True, "the rows are in the next HDU"),
    ]
    return header(cards) + text + bytes(-len(text) % BLOCK)


def table(document: Document, columns: Sequence[Column], rows: int, overflow: str | None) -> bytes:
    """Make the header of the binary table."""
    cards = [
        card("XTENSION", "BINTABLE", "binary table extension"),
        card("BITPIX", 8),
        card("NAXIS", 2),
        card("NAXIS1", sum(column.width for column in columns), "bytes of a row"),
        card("NAXIS2", rows, "number of rows"),
        card("PCOUNT", sum(column.heap_size for column in columns), "bytes of the heap"),
        card("GCOUNT", 1),
        card("TFIELDS", len(columns), "number of columns"),
        card("EXTNAME", "RESULT"),
        *(text for number, column in enumerate(columns, 1) for text in _column(number, column)),
        card("QUERY_ST", "OK" if overflow is None else "OVERFLOW", "VO QUERY_STATUS; OVERFLOW: rows missing"),
        *map(comment, _comments(document, columns, overflow)),
    ]
    return header(cards)


def _column(number: int, column: Column) -> list[str]:
    field = column.field
    words = {
        "TTYPE": field.name,
        "TFORM": column.tform,
        "TDIM": column.tdim,
        "TNULL": column.tnull,
        "TUNIT": None if field.unit is None else _unit(field.unit),
        "TUCD": field.ucd,
        "TUTYP": field.utype,
        "TXTYP": field.xtype,
        "TCOMM": field.description,
    }
    return [card(f"{word}{number}", value) for word, value in words.items() if value is not None and value != ""]


def _unit(unit: str) -> str:
    return _UNITS.get(unit, unit).replace("'", "")


def _comments(document: Document, columns: Sequence[Column], overflow: str | None) -> list[str]:
    comments = [] if overflow is None else [f"OVERFLOW: {overflow}"]
    beyond_ascii = sum(column.extent.beyond_ascii for column in columns)
    if beyond_ascii:
        comments.append(f"warning: {beyond_ascii} characters beyond ASCII are shown as '?', since FITS has none")
    lost = [
        column for column in columns if column.field.datatype == "bit" and column.extent.nulls and not column.is_varying
    ]
    comments.extend(f"warning: {column.extent.nulls} nulls of {column.field.name} are shown as 0" for column in lost)
    unclear = [column for column in columns if column.tnull is not None and column.tnull in column.extent.taken]
    comments.extend(f"warning: {column.tnull} in {column.field.name} may be a value or null" for column in unclear)
    return [*comments, *(f"{name}: {value}" for name, value in document.infos)]
