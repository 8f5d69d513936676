from __future__ import annotations

import json
import math

import golden
import numpy as np
from cells import FIELDS, ROWS, batch, expected_items, same, written
from hypothesis import given, settings
from hypothesis import strategies as st

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables import formats
from vo.tables.votable import Document


def back(field, value):
    """A value of JSON as the number that its field has."""
    parts = np.ravel(np.asarray(value, dtype=object)).tolist()
    if field.datatype in cols.FLOATS:
        parts = [float(part) for part in parts]
    return expected_items(field, parts) if field.datatype in cols.FLOATS else parts


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_every_datatype_reads_back(rows):
    read = json.loads(written("json", FIELDS, batch(FIELDS, rows)))
    assert [field["name"] for field in read["metadata"]["fields"]] == [field.name for field in FIELDS]
    assert len(read["data"]) == len(rows)
    for row, values in zip(rows, read["data"], strict=True):
        for field, cell, value in zip(FIELDS, row, values, strict=True):
            if cell is None or isinstance(cell, str):
                assert value == cell
            else:
                # JSON has no sign of an integral zero that Python keeps.
                expected = [part + 0.0 if isinstance(part, float) else part for part in expected_items(field, cell)]
                read_back = [part + 0.0 if isinstance(part, float) else part for part in back(field, value)]
                assert same(expected, read_back), (field.name, cell, value)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=8))
def test_every_text_reads_back_also_what_xml_cannot_carry(texts):
    fields = [Field("s", "char", "*")]
    read = json.loads(written("json", fields, batch(fields, [(text,) for text in texts])))
    assert [row[0] for row in read["data"]] == texts


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


def test_numbers_that_json_has_not_are_strings_and_large_integers_are_whole():
    fields = [Field("x", "double"), Field("n", "long"), Field("p", "double", "*")]
    rows = [(math.nan, 2**63 - 1, [1.0, math.inf]), (-math.inf, -(2**53) - 1, [None, math.nan]), (None, None, [])]
    text = written("json", fields, batch(fields, rows)).decode()
    assert json.loads(text, parse_constant=refuse)["data"] == [
        ["NaN", 2**63 - 1, [1, "Infinity"]],
        ["-Infinity", -(2**53) - 1, [None, "NaN"]],
        [None, None, []],
    ]


def test_a_document(update_golden):
    fields = (Field("did", "char", "*", ucd="meta.ref.ivoid"), Field("ra", "double", unit="deg", description="Größe"))
    document = Document(fields, (("publisher", 'P "& Q'),), overflow_text="Cut after 2 rows (MAXREC).")
    rows = batch(fields, [('a "quoted"\ttext', 1.5), (None, None), ("x", 0.1)])
    text = b"".join(formats.find("json").write(document, [rows], 2)).decode()
    golden.compare("tables/overflow.json", text, update=update_golden)
    assert json.loads(text)["status"] == "OVERFLOW"
