from __future__ import annotations

import io
import itertools
import logging
import tracemalloc
from pathlib import Path

import astropy.io.votable
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from answers import end, numbers, statuses
from astropy.io.votable import parse
from lxml import etree

from vo.errors import LimitFault, TimeLimitFault, UsageFault
from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables import formats
from vo.tables.votable import Document
from vo.tables.writing import parquet
from vo.tables.writing.rows import BLOCK_BYTES, LOOK_AHEAD_ROWS

FIELDS = (Field("n", "int"), Field("s", "char", "*"))
VOTABLES = ["votable/b2", "votable/b", "votable/td"]
# Forms that say within the document when rows were cut off, those that also tell faults there, and all.
TELLING = [*VOTABLES, "fits", "parquet", "arrow", "json", "html", "text"]
CLOSING = [*VOTABLES, "json", "html", "text"]
ALL = [*TELLING, "csv", "tsv"]


def batch(*numbers, text="row {}"):
    return pa.RecordBatch.from_pydict({"n": pa.array(numbers, pa.int32()), "s": [text.format(n) for n in numbers]})


def write(name, batches, maxrec=100):
    return b"".join(formats.find(name).write(Document(FIELDS, overflow_text="cut"), batches, maxrec))


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
        ("votable/binary", "BINARY", "application/x-votable+xml;serialization=binary"),
        ("text/xml;serialization=BINARY", "BINARY", "text/xml;serialization=BINARY"),
        (
            'application/x-votable+xml;charset=UTF-8; version="1.5";serialization=tabledata',
            "TABLEDATA",
            'application/x-votable+xml;charset=UTF-8; version="1.5";serialization=tabledata',
        ),
        ("text/csv", "CSV", "text/csv"),
        ("text/csv;header=present", "CSV", "text/csv;header=present"),
        ("text/csv; charset=UTF-8", "CSV", "text/csv; charset=UTF-8"),
        ("csv", "CSV", "text/csv;header=present"),
        ("TSV", "TSV", "text/tab-separated-values"),
        ("text/tab-separated-values", "TSV", "text/tab-separated-values"),
        ("fits", "FITS", "application/fits"),
        ("image/fits", "FITS", "image/fits"),
        ("parquet", "PARQUET", "application/vnd.apache.parquet"),
        ("application/x-parquet", "PARQUET", "application/x-parquet"),
        ("Application/JSON", "JSON", "Application/JSON"),
        ("arrow", "ARROW", "application/vnd.apache.arrow.stream"),
        ("html", "HTML", "text/html;charset=utf-8"),
        ("text/html", "HTML", "text/html"),
        ("text", "TEXT", "text/plain;charset=utf-8"),
    ],
)
def test_forms_by_media_type_and_short_name_DALI_05(asked, kind, media_type):  # noqa: N802  the assertion's id
    form = formats.find(asked)
    assert (form.kind, form.media_type) == (kind, media_type)


@pytest.mark.parametrize(
    "asked",
    [
        *("fit", "text/csv;header=absent", "application/pdf", "votable/binary3", "x" * 1000, "text/csv\r\nX-Evil: 1"),
        *("text/csv;version=1.5", "text/xml;charset=latin1", "text/xml;charset=UTF-8\r\nX-Evil: 1", ";"),
    ],
)
def test_unknown_forms_are_told_the_known_ones(asked):
    with pytest.raises(UsageFault, match=r"use one of application/x-votable\+xml.*csv.*tsv") as caught:
        formats.find(asked)
    assert len(caught.value.text) < 500


@pytest.mark.parametrize("name", VOTABLES)
@pytest.mark.parametrize(("asked", "version"), [("", "1.4"), (";version=1.4", "1.4"), (";version=1.5", "1.5")])
def test_the_version_of_votable_may_be_asked_for_VOT_01(name, asked, version):  # noqa: N802  the assertion's id
    document = etree.fromstring(write(formats.find(name).media_type + asked, [batch(1)]))
    assert document.get("version") == version
    schema = Path(astropy.io.votable.__file__).parent / "data" / f"VOTable.v{version}.xsd"
    etree.XMLSchema(etree.parse(schema)).assertValid(document)


@pytest.mark.parametrize("asked", ["1.3", "2", "", "1.4;version=1.5"])
def test_other_versions_of_votable_are_refused(asked):
    with pytest.raises(UsageFault, match=r"use 1\.4 or 1\.5"):
        formats.find(f"text/xml;version={asked}")


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
    if name in TELLING:
        status, text = end(name, document)
        assert status == ("OVERFLOW" if maxrec < 7 else "OK")
        assert maxrec >= 7 or "cut" in text
    if name in VOTABLES:
        assert statuses(document) == [("OK", None), *([("OVERFLOW", "cut")] if maxrec < 7 else [])]


@pytest.mark.parametrize("name", ALL)
def test_maxrec_0_is_metadata_alone_DALI_06(name):  # noqa: N802  the assertion's id
    def untouched():
        raise AssertionError("rows were asked for")
        yield

    document = write(name, untouched(), 0)
    assert numbers(name, document) == []
    if name in TELLING:
        assert end(name, document)[0] == "OVERFLOW"
    if name in VOTABLES:
        assert [field.name for field in parse(io.BytesIO(document)).get_first_table().fields] == ["n", "s"]
        assert statuses(document) == [("OK", None), ("OVERFLOW", "cut")]


@pytest.mark.parametrize("name", ALL)
def test_no_rows_at_all(name):
    document = write(name, [])
    assert numbers(name, document) == []
    if name in TELLING:
        assert end(name, document)[0] == "OK"


def failing(rows, error):
    if rows:
        yield batch(*range(rows))
    raise error


@pytest.mark.parametrize("name", CLOSING)
@pytest.mark.parametrize("rows", [5, 30_000])
def test_a_fault_amid_the_rows_closes_the_table_DALI_10(name, rows):  # noqa: N802  the assertion's id
    document = write(name, failing(rows, TimeLimitFault("over 60 s")), 10**6)
    assert numbers(name, document) == list(range(rows))
    status, text = end(name, document)
    assert status == "ERROR"
    assert "TransientFault: over 60 s" in text
    if name in VOTABLES:
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


@pytest.mark.parametrize("name", [name for name in ALL if name not in CLOSING])
def test_other_forms_have_no_place_for_a_fault_and_raise_it(name):
    chunks = formats.find(name).write(Document(FIELDS), failing(5, TimeLimitFault("over 60 s")), 100)
    sent = []
    with pytest.raises(TimeLimitFault, match="over 60 s"):
        sent.extend(chunks)
    document = b"".join(sent)
    match name:
        case "fits":
            assert document == b""  # the server can still answer with a proper fault
        case "parquet":
            with pytest.raises(pa.ArrowInvalid, match="footer"):
                pq.read_table(io.BytesIO(document))
        case "arrow":
            assert not document.endswith(b"\xff\xff\xff\xff\0\0\0\0")
        case _:
            assert numbers(name, document) == list(range(5))


def test_data_that_do_not_fit_their_fields_are_our_mistake():
    with pytest.raises(ValueError, match="1 columns of data for 2 fields"):
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
    count = LOOK_AHEAD_ROWS
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


INTEGERS = (Field("n", "int"), Field("b", "unsignedByte"), Field("a", "short", "*"), Field("bit", "bit"))


def warnings(document):
    return [info.get("value") for info in etree.fromstring(document).iterfind(".//{*}INFO[@name='warning']")]


def integers(name, *batches):
    arrays = [
        [pa.array(column, cols.arrow_type(field)) for field, column in zip(INTEGERS, rows, strict=True)]
        for rows in batches
    ]
    names = [field.name for field in INTEGERS]
    batches = [pa.RecordBatch.from_arrays(columns, names) for columns in arrays]
    return b"".join(formats.find(name).write(Document(INTEGERS), batches, 10**6))


def declared_nulls(document):
    found = {field.get("name"): field.find("{*}VALUES") for field in etree.fromstring(document).iter("{*}FIELD")}
    return {name: None if values is None else values.get("null") for name, values in found.items()}


NULLS = ([None, -(2**31), 5], [255, None, 0], [[1, None], None, [-(2**15)]], [True, None, None])


def test_binary_says_what_its_null_is_VOT_03():  # noqa: N802  the assertion's id
    """It is a number that no value has, as far as the first rows tell."""
    document = integers("votable/b", NULLS)
    assert declared_nulls(document) == {"n": str(2**31 - 1), "b": "254", "a": str(2**15 - 1), "bit": None}
    table = parse(io.BytesIO(document)).get_first_table().array
    assert table["n"].tolist() == [None, -(2**31), 5]
    assert table["b"].tolist() == [255, None, 0]
    assert [table["a"][row].tolist() for row in range(3)] == [[1, None], [], [-(2**15)]]
    (lost,) = warnings(document)
    assert lost.startswith("2 nulls look like numbers or bits")


@pytest.mark.parametrize("name", ["votable/b2", "votable/td"])
def test_null_items_of_arrays_are_declared_in_every_serialisation_and_nothing_else(name):
    document = integers(name, NULLS)
    assert declared_nulls(document) == {"n": None, "b": None, "a": str(2**15 - 1), "bit": None}
    assert [cell.tolist() for cell in parse(io.BytesIO(document)).get_first_table().array["a"]][::2] == [
        [1, None],
        [-(2**15)],
    ]
    assert warnings(document) == []


@pytest.mark.parametrize("name", VOTABLES)
def test_what_the_first_rows_did_not_foretell_is_counted(name):
    count = LOOK_AHEAD_ROWS
    first = ([1] * count, [0] * count, [[2]] * count, [False] * count)
    late = ([-(2**31), None], [255, None], [[None, 3], [4]], [True, None])
    counted = warnings(integers(name, first, late))
    like_null = "2 integers look like null"
    lost = f"{2 if name == 'votable/b' else 1} nulls look like numbers or bits"
    assert [text.split(";")[0] for text in counted] == ([like_null, lost] if name == "votable/b" else [lost])


def test_bytes_that_have_every_value():
    every = [*range(256)]
    whole = ([1] * 256, every, [[2]] * 256, [True] * 256)
    assert declared_nulls(integers("votable/b", whole))["b"] is None
    document = integers("votable/b", whole, ([1], [None], [[2]], [True]))
    assert declared_nulls(document)["b"] == "255"
    (like_null,) = warnings(document)
    assert like_null.startswith("1 integers look like null")


@pytest.mark.parametrize("name", TELLING)
def test_a_table_ends_before_it_is_too_large_and_says_so(name, monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_ROWS", 10_000)
    form = formats.find(name)
    whole = b"".join(form.write(Document(FIELDS), list(many(20)), 10**6))
    document = b"".join(form.write(Document(FIELDS), many(20), 10**6, len(whole) // 2))
    assert len(document) < len(whole) // 2 + 6000
    read = numbers(name, document)
    assert 0 < len(read) < 100_000
    assert read == list(range(len(read)))
    status, text = end(name, document)
    assert status == "OVERFLOW"
    assert f"larger than {len(whole) // 2} bytes (result_bytes)" in text
    roomy = 10 * len(whole)  # of Parquet the size before compression counts
    assert b"".join(form.write(Document(FIELDS), many(20), 10**6, roomy)) == whole


@pytest.mark.parametrize("name", ["csv", "tsv"])
def test_text_that_is_too_large_breaks_off(name):
    chunks = formats.find(name).write(Document(FIELDS), many(20), 10**6, 500_000)
    sent = []
    with pytest.raises(LimitFault, match=r"larger than 500000 bytes \(result_bytes\)"):
        sent.extend(chunks)
    assert 100_000 < len(b"".join(sent)) < 500_000 + 100


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
    if name == "fits":
        return  # its header has the number of rows
    assert len(seen) <= LOOK_AHEAD_ROWS // 5000 + 1
    sizes = [len(chunk) for chunk in chunks]
    assert all(size >= BLOCK_BYTES for size in sizes[:-1])


@pytest.mark.parametrize("name", ALL)
def test_memory_does_not_grow_with_the_table(name):
    def peak(batches):
        before = pa.total_allocated_bytes()
        arrow = 0
        tracemalloc.start()
        for _ in formats.find(name).write(Document(FIELDS), many(batches), 10**7):
            arrow = max(arrow, pa.total_allocated_bytes() - before)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most + arrow

    assert peak(45) < 1.2 * peak(15) + 300_000
