from __future__ import annotations

import golden
from cells import FIELDS, ROWS, batch, written
from hypothesis import given, settings
from lxml import etree

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables import formats
from vo.tables.votable import Document

URLS = (
    Field("access_url", "char", "*", ucd="meta.ref.url"),
    Field("name", "char", "*"),
    Field("ra", "double", unit="deg"),
)


def page(fields, rows):
    return etree.fromstring(written("html", fields, batch(fields, rows)), etree.HTMLParser(encoding="utf-8"))


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_every_text_stands_there_as_it_is(rows):
    read = list(page(FIELDS, rows).iterfind(".//tbody/tr"))
    assert len(read) == len(rows)
    for row, line in zip(rows, read, strict=True):
        assert len(line) == len(FIELDS)
        for field, cell, value in zip(FIELDS, row, line, strict=True):
            if cols.is_text(field):
                assert len(value) == 0
                assert (value.text or "").replace("\r\n", "\n") == (cell or "").replace("\r\n", "\n")


def test_addresses_are_links_and_scripts_are_not():
    rows = [
        ('http://x/a?b=1&c="<script>', "http://not.marked", 1.5),
        ("javascript:alert(1)", "<b>", None),
        (None, None, 2.0),
    ]
    first, second, third = page(URLS, rows).iterfind(".//tbody/tr")
    (link,) = first.iter("a")
    assert (link.get("href"), link.text) == (rows[0][0], rows[0][0])
    assert list(second.iter("a", "b", "script")) == []
    assert second[0].text == "javascript:alert(1)"
    assert [cell.text for cell in third] == [None, None, "2"]


def test_a_page(update_golden):
    document = Document(
        (*URLS[:2], Field("ra", "double", unit="deg", ucd="pos.eq.ra", description='Centre <of "it">')),
        (("query", "SELECT *\nFROM x WHERE a < 'b'"), ("publisher", "P & Q")),
        overflow_text="Cut after 2 rows (MAXREC).",
    )
    rows = batch(document.fields, [("https://x/1", "Plåt <1>", 1.5), (None, None, None), ("", "", 0.0)])
    text = b"".join(formats.find("html").write(document, [rows], 2)).decode()
    golden.compare("tables/overflow.html", text, update=update_golden)
    root = etree.fromstring(text, etree.HTMLParser())
    assert root.find(".//th[3]").get("title") == 'Centre <of "it">; pos.eq.ra'
    assert root.find(".//p[@id='end']").text.startswith(
        "Only the first 2 rows are shown; those after them were cut off."
    )
