from __future__ import annotations

import golden
from cells import batch, written

from vo.metadata.fields import Field
from vo.tables import formats
from vo.tables.votable import Document
from vo.tables.writing.rows import LOOK_AHEAD_ROWS

FIELDS = (Field("name", "char", "*"), Field("ra", "double", unit="deg"), Field("p", "double", "2", "point"))


def test_columns_are_aligned(update_golden):
    rows = [("Größe\tand\nmore", 1.5, (1.0, 2.0)), (None, None, None), ("x", -12.25, (0.1, 359.5))]
    text = b"".join(
        formats.find("text").write(Document(FIELDS, overflow_text="Cut (MAXREC)."), [batch(FIELDS, rows)], 2)
    ).decode()
    golden.compare("tables/overflow.txt", text, update=update_golden)
    assert len({len(line) for line in text.split("\n")[:5]}) == 1


def test_a_value_that_is_longer_than_the_first_ones_sticks_out():
    fields = [Field("n", "int"), Field("s", "char", "*")]
    rows = [*((n, "x") for n in range(LOOK_AHEAD_ROWS)), (7, "longer than the first ones")]
    text = written("text", fields, batch(fields, rows[:-1]), batch(fields, rows[-1:])).decode()
    assert text.split("\n")[-3:] == ["    7 | longer than the first ones", f"{len(rows)} rows", ""]
