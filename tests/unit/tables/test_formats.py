from __future__ import annotations

import csv
import io
import itertools
import logging
import tracemalloc

import pyarrow as pa
import pytest
from astropy.io.votable import parse
from lxml import etree

from vo.errors import TimeLimitFault, UsageFault
from vo.metadata.fields import Field
from vo.tables import formats
from vo.tables.votable import Document

FIELDS = (Field("n", "int"), Field("s", "char", "*"))
ALL = ["votable/b2", "votable/td", "csv", "tsv"]


def batch(*numbers, text="row {}"):
    return pa.RecordBatch.from_pydict({"n": pa.array(numbers, pa.int32()), "s": [text.format(n) for n in numbers]})


def write(name, batches, maxrec=100):
    return b"".join(formats.find(name).write(Document(FIELDS, overflow_text="cut"), batches, maxrec))


def statuses(document):
    """All QUERY_STATUS of a document, as (value, text)."""
    infos = etree.fromstring(document).iterfind(".//{*}INFO[@name='QUERY_STATUS']")
    return [(info.get("value"), info.text) for info in infos]


def numbers(name, document):
    if name in ("csv", "tsv"):
        lines = csv.reader(io.StringIO(document.decode()), delimiter="," if name == "csv" else "\t")
        return [int(row[0]) for row in itertools.islice(lines, 1, None)]
    return list(parse(io.BytesIO(document)).get_first_table().array["n"])


@pytest.mark.parametrize(
    ("asked", "kind", "media_type"),
    [
        (None, "BINARY2", "application/x-votable+xml"),
        ("", "BINARY2", "application/x-votable+xml"),
        ("votable", "BINARY2", "application/x-votable+xml"),
        ("VOTable/TD", "TABLEDATA", "application/x-votable+xml;serialization=tabledata"),
        ("votable/b2", "BINARY2", "application/x-votable+xml;serialization=binary2"),
        ("application/x-votable+xml", "BINARY2", "application/x-votable+xml"),
        ("application/x-votable xml", "BINARY2", "application/x-votable+xml"),
        ("text/xml", "BINARY2", "text/xml"),
        ("application/xml", "BINARY2", "application/xml"),
        (
            "application/x-votable+xml;serialization=BINARY2",
            "BINARY2",
            "application/x-votable+xml;serialization=BINARY2",
        ),
        (
            "application/x-votable+xml; serialization=TABLEDATA",
            "TABLEDATA",
            "application/x-votable+xml; serialization=TABLEDATA",
        ),
        ("text/csv", "CSV", "text/csv"),
        ("text/csv;header=present", "CSV", "text/csv;header=present"),
        ("text/csv; charset=UTF-8", "CSV", "text/csv; charset=UTF-8"),
        ("csv", "CSV", "text/csv;header=present"),
        ("TSV", "TSV", "text/tab-separated-values"),
        ("text/tab-separated-values", "TSV", "text/tab-separated-values"),
    ],
)
def test_forms_by_media_type_and_short_name_DALI_05(asked, kind, media_type):  # noqa: N802  the assertion's id
    form = formats.find(asked)
    assert (form.kind, form.media_type) == (kind, media_type)


@pytest.mark.parametrize(
    "asked",
    ["fits", "text/csv;header=absent", "application/json", "votable/binary", "x" * 1000, "text/csv\r\nX-Evil: 1"],
)
def test_unknown_forms_are_told_the_known_ones(asked):
    with pytest.raises(UsageFault, match=r"use one of application/x-votable\+xml.*csv.*tsv") as caught:
        formats.find(asked)
    assert len(caught.value.text) < 500


def test_every_advertised_name_is_found():
    for form in formats.FORMATS:
        for name in (form.media_type, *form.names):
            assert formats.find(name).kind == form.kind


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("sizes", [(3, 3, 1), (7,), (1, 0, 6)])
@pytest.mark.parametrize("maxrec", [1, 3, 6, 7, 8])
def test_rows_are_cut_at_maxrec_DALI_07(name, sizes, maxrec):  # noqa: N802  the assertion's id
    counter = itertools.count()
    batches = [batch(*itertools.islice(counter, size)) for size in sizes]
    document = write(name, batches, maxrec)
    assert numbers(name, document) == list(range(min(maxrec, 7)))
    if name.startswith("votable"):
        assert statuses(document) == [("OK", None), *([("OVERFLOW", "cut")] if maxrec < 7 else [])]


@pytest.mark.parametrize("name", ALL)
def test_maxrec_0_is_metadata_alone_DALI_06(name):  # noqa: N802  the assertion's id
    def untouched():
        raise AssertionError("rows were asked for")
        yield

    document = write(name, untouched(), 0)
    assert numbers(name, document) == []
    if name.startswith("votable"):
        assert [field.name for field in parse(io.BytesIO(document)).get_first_table().fields] == ["n", "s"]
        assert statuses(document) == [("OK", None), ("OVERFLOW", "cut")]


@pytest.mark.parametrize("name", ALL)
def test_no_rows_at_all(name):
    document = write(name, [])
    assert numbers(name, document) == []
    if name.startswith("votable"):
        assert statuses(document) == [("OK", None)]


def failing(rows, error):
    if rows:
        yield batch(*range(rows))
    raise error


@pytest.mark.parametrize("name", ["votable/b2", "votable/td"])
@pytest.mark.parametrize("rows", [5, 30_000])
def test_a_fault_amid_the_rows_closes_the_table_DALI_10(name, rows):  # noqa: N802  the assertion's id
    document = write(name, failing(rows, TimeLimitFault("over 60 s")), 10**6)
    assert numbers(name, document) == list(range(rows))
    assert statuses(document) == [("OK", None), ("ERROR", "TransientFault: over 60 s")]


def test_an_unforeseen_error_amid_the_rows_is_logged_and_hidden(caplog):
    caplog.set_level(logging.ERROR)
    document = write("votable", failing(5, RuntimeError("password=secret")))
    assert numbers("votable", document) == list(range(5))
    (_, (value, text)) = statuses(document)
    assert value == "ERROR"
    assert "secret" not in text
    incident = text.split("incident ")[1].split(")")[0]
    assert any(incident in record.getMessage() and "secret" in str(record.exc_info[1]) for record in caplog.records)


@pytest.mark.parametrize("name", ALL)
def test_a_fault_before_any_row_is_raised_before_any_byte(name):
    chunks = formats.find(name).write(Document(FIELDS), failing(0, TimeLimitFault("over 60 s")), 100)
    with pytest.raises(TimeLimitFault, match="over 60 s"):
        next(chunks)


@pytest.mark.parametrize("name", ["csv", "tsv"])
def test_csv_has_no_place_for_a_fault_and_raises_it(name):
    chunks = formats.find(name).write(Document(FIELDS), failing(5, TimeLimitFault("over 60 s")), 100)
    sent = []
    with pytest.raises(TimeLimitFault, match="over 60 s"):
        sent.extend(chunks)
    assert numbers(name, b"".join(sent)) == list(range(5))


def test_data_that_do_not_fit_their_fields_are_our_mistake():
    with pytest.raises(ValueError, match="zip"):
        write("votable", [pa.RecordBatch.from_pydict({"n": [1]})])
    with pytest.raises(pa.ArrowInvalid):
        write("votable", [pa.RecordBatch.from_pydict({"n": [2**40], "s": ["a"]})])
    wrong = pa.RecordBatch.from_pydict({"p": [[1.0, 2.0, 3.0]]})
    document = b"".join(formats.find("votable").write(Document((Field("p", "double", "2"),)), [wrong], 10))
    assert statuses(document)[-1][0] == "ERROR"


def datatype(document):
    return etree.fromstring(document).find(".//{*}FIELD[@name='s']").get("datatype")


@pytest.mark.parametrize("name", ["votable/b2", "votable/td"])
def test_text_beyond_ascii_is_declared_VOT_09(name):  # noqa: N802  the assertion's id
    assert datatype(write(name, [batch(1)])) == "char"
    # The second batch is within the rows that are looked at before the head is written.
    document = write(name, [batch(1), batch(2, text="Plåt {}")])
    assert datatype(document) == "unicodeChar"
    assert list(parse(io.BytesIO(document)).get_first_table().array["s"]) == ["row 1", "Plåt 2"]


def test_text_of_fixed_length_beyond_ascii_gets_a_length():
    fields = (Field("n", "int"), Field("s", "unicodeChar", "4"))
    document = b"".join(formats.find("votable").write(Document(fields), [batch(1, text="a😀")], 10))
    field = etree.fromstring(document).find(".//{*}FIELD[@name='s']")
    assert (field.get("datatype"), field.get("arraysize")) == ("unicodeChar", "4*")
    assert parse(io.BytesIO(document)).get_first_table().array["s"][0] == "a😀"


def test_text_beyond_ascii_that_comes_late_is_told():
    """A reader must still be able to read the table: astropy refuses UTF-8 in BINARY2's char."""
    count = formats.LOOK_AHEAD_ROWS
    batches = [batch(*range(count)), batch(count, text="Plåt € {}")]
    document = write("votable/b2", batches, 10**6)
    assert parse(io.BytesIO(document)).get_first_table().array["s"][count] == f"Pl?t ? {count}"
    (warning,) = etree.fromstring(document).iterfind(".//{*}INFO[@name='warning']")
    assert warning.get("value").startswith("2 characters beyond ASCII are shown as '?'")
    document = write("votable/td", batches, 10**6)
    assert parse(io.BytesIO(document)).get_first_table().array["s"][count] == f"Plåt € {count}"
    assert f"Plåt € {count}" in write("csv", batches, 10**6).decode()


def test_characters_that_xml_cannot_carry_are_told():
    rows = pa.RecordBatch.from_pydict({"n": pa.array([1, 2], pa.int32()), "s": ["a\x01b\x1f\ufffe", "fine"]})
    document = write("votable/td", [rows])
    assert parse(io.BytesIO(document)).get_first_table().array["s"][0] == "a\ufffdb\ufffd\ufffd"
    (warning,) = etree.fromstring(document).iterfind(".//{*}INFO[@name='warning']")
    assert warning.get("value").startswith("3 characters that XML cannot carry")
    assert etree.fromstring(write("votable/td", [batch(1)])).find(".//{*}INFO[@name='warning']") is None
    # BINARY2 carries them as they are.
    table = parse(io.BytesIO(write("votable/b2", [rows]))).get_first_table().array
    assert table["s"][0] == "a\x01b\x1f\ufffe"


def many(count, rows=5000):
    for start in range(count):
        yield batch(*range(start * rows, (start + 1) * rows))


@pytest.mark.parametrize("name", ALL)
def test_blocks_are_large_and_the_first_one_early(name):
    seen = []

    def watched():
        for number, rows in enumerate(many(40)):
            seen.append(number)
            yield rows

    chunks = formats.find(name).write(Document(FIELDS), watched(), 10**6)
    next(chunks)
    assert len(seen) <= formats.LOOK_AHEAD_ROWS // 5000 + 1
    sizes = [len(chunk) for chunk in chunks]
    assert all(size >= formats.BLOCK_BYTES for size in sizes[:-1])


def test_memory_does_not_grow_with_the_table():
    def peak(batches):
        tracemalloc.start()
        for _ in formats.find("votable").write(Document(FIELDS), many(batches), 10**7):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(80) < 1.5 * peak(20)
