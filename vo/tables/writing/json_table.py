"""Tables as JSON (RFC 8259).

    {"metadata": {"fields": [...], "infos": [...]},
     "data": [[...], [...]],
     "status": "OK"}

The fields have VOTable's words. A row is an array with one value a field: numbers, true and false, strings, arrays of
any dimension as one flat array, null. JSON has no NaN and no infinity: they are the strings "NaN", "Infinity" and
"-Infinity". Integers have all their digits, also beyond 2^53.

``status`` comes after the rows and is OK, OVERFLOW when rows were cut off or ERROR when something went wrong amid them;
the latter two have a ``message``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow.compute as pc

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables.votable import Document
from vo.tables.writing.rows import Rows

_WORDS = cols.Words('"NaN"', '"Infinity"', '"-Infinity"', "null", ",")


def write(document: Document, rows: Rows) -> Iterator[bytes]:
    """Write a JSON document."""
    yield b'{"metadata": ' + _dump(_metadata(document)) + b',\n"data": ['
    separator = b"\n"
    for piece in rows.guarded(lambda block: encode(document.fields, block)):
        yield separator + piece[: -len(",\n")]
        separator = b",\n"
    yield b"\n],\n" + _dump(_status(rows)).removeprefix(b"{") + b"\n"


def encode(fields: Sequence[Field], columns: Sequence[Any]) -> bytes:
    """Encode conformed columns (:func:`vo.tables.columns.blocks`) of one length as arrays, each followed by a comma."""
    texts = [_cells(field, column) for field, column in zip(fields, columns, strict=True)]
    return cols.lines(texts, "[", ",", "],\n", "null")


def _cells(field: Field, column: Any) -> Any:
    if cols.is_text(field):
        return pc.binary_join_element_wise('"', _escaped(column), '"', "")
    text = cols.cells(field, column, _WORDS)
    return pc.binary_join_element_wise("[", text, "]", "") if cols.is_array(field) else text


def _escaped(column: Any) -> Any:
    if not cols.holds(column, b'"\\', controls=True):
        return column
    for character in ("\\", '"', *map(chr, range(0x20))):
        if cols.holds(column, character.encode()):
            column = pc.replace_substring(column, character, json.dumps(character)[1:-1])
    return column


def _metadata(document: Document) -> dict[str, Any]:
    fields = [{word: value for word, value in asdict(field).items() if value is not None} for field in document.fields]
    return {"fields": fields, "infos": [{"name": name, "value": value} for name, value in document.infos]}


def _status(rows: Rows) -> dict[str, str]:
    if rows.fault is not None:
        return {"status": "ERROR", "message": f"{rows.fault.word}: {rows.fault.text}"}
    if rows.overflow is not None:
        return {"status": "OVERFLOW", "message": rows.overflow}
    return {"status": "OK"}


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
