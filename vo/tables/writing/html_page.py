"""Tables as a page for people.

Every text is escaped. A column whose UCD says that it holds addresses has links, for http and https alone. The page's
end says how many rows it has, whether rows were cut off, or what went wrong amid them.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.compute as pc

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables.votable import Document
from vo.tables.writing import tabledata
from vo.tables.writing.rows import Rows

_STYLE = (
    "body{font-family:sans-serif;margin:1em}table{border-collapse:collapse}"
    "th,td{padding:.15em .6em;text-align:left;vertical-align:top;border-bottom:1px solid #ddd}"
    "thead th{background:#eee;position:sticky;top:0}small{font-weight:normal}pre{white-space:pre-wrap}"
)
#: Within the page, so that it holds of stored and saved ones, too: no script runs, whatever a value may look like.
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'\">"
)
_WORDS = cols.Words()
_URL_UCD = "meta.ref.url"


def write(document: Document, rows: Rows) -> Iterator[bytes]:
    """Write an HTML page."""
    yield _head(document).encode()
    yield from rows.guarded(lambda block: encode(document.fields, block))
    yield f'</tbody></table>\n<p id="end">{html.escape(_end(rows))}</p>\n</body>\n</html>\n'.encode()


def encode(fields: Sequence[Field], columns: Sequence[Any]) -> bytes:
    """Encode conformed columns (:func:`vo.tables.columns.blocks`) of one length as rows of an HTML table."""
    texts = [_cells(field, column) for field, column in zip(fields, columns, strict=True)]
    return cols.lines(texts, "<tr><td>", "</td><td>", "</td></tr>\n")


def _cells(field: Field, column: Any) -> Any:
    if not cols.is_text(field):
        return cols.cells(field, column, _WORDS)
    text = pc.replace_substring(tabledata.escape(column), '"', "&quot;")
    if _URL_UCD not in (field.ucd or "").lower():
        return text
    links = pc.binary_join_element_wise('<a href="', text, '">', text, "</a>", "")
    return pc.if_else(pc.match_substring_regex(column, "^https?://"), links, text)


def _head(document: Document) -> str:
    right = ",".join(
        f"td:nth-child({number})" for number, field in enumerate(document.fields, 1) if not cols.is_text(field)
    )
    style = _STYLE + (f"{right}{{text-align:right}}" if right else "")
    about = "".join(_info(name, value) for name, value in document.infos)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">{_POLICY}<title>Query result</title>\n'
        f"<style>{style}</style></head>\n<body>\n<h1>Query result</h1>\n"
        f"{_paragraph(document.description)}<dl>\n{about}</dl>\n"
        '<p>The <a href="#end">end</a> of the page says whether all rows are here.</p>\n'
        f"<table>\n<thead><tr>{''.join(map(_heading, document.fields))}</tr></thead>\n<tbody>\n"
    )


def _paragraph(text: str | None) -> str:
    return "" if text is None else f"<p>{html.escape(text)}</p>\n"


def _info(name: str, value: str) -> str:
    shown = html.escape(value)
    return f"<dt>{html.escape(name)}</dt><dd>{f'<pre>{shown}</pre>' if name == 'query' else shown}</dd>\n"


def _heading(field: Field) -> str:
    title = "; ".join(word for word in (field.description, field.ucd) if word)
    unit = f"<br><small>{html.escape(field.unit)}</small>" if field.unit else ""
    return f'<th title="{html.escape(title)}">{html.escape(field.name)}{unit}</th>'


def _end(rows: Rows) -> str:
    if rows.fault is not None:
        return f"The table is incomplete: it ended after {rows.count} rows with {rows.fault.word}: {rows.fault.text}"
    if rows.overflow is not None:
        return f"Only the first {rows.count} rows are shown; those after them were cut off. {rows.overflow}"
    return f"All {rows.count} rows are shown."
