"""Uploads over HTTP: what goes in comes out, and nobody else sees it (TAP 1.1 section 2.5; DALI-16, TAP-17 to 19)."""

from __future__ import annotations

import gzip
import http.server
import io
import threading
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import stilts
from astropy.io import fits, votable
from astropy.table import Table
from serving import running

VOTABLE = "application/x-votable+xml"
SERIALISATIONS = ("tabledata", "binary", "binary2")

#: By name: VOTable's datatype, arraysize, xtype, three values and None for the null.
COLUMNS: dict[str, tuple[str, str | None, str | None, Sequence[Any]]] = {
    "truth": ("boolean", None, None, (True, False, True, None)),
    "one_bit": ("bit", None, None, (True, False, True, None)),
    "byte": ("unsignedByte", None, None, (0, 254, 7, None)),
    "small": ("short", None, None, (-32767, 32767, 0, None)),
    "whole": ("int", None, None, (-2147483647, 2147483647, 0, None)),
    "large": ("long", None, None, (-9223372036854775807, 9223372036854775807, 0, None)),
    "single": ("float", None, None, (1.5, -0.375, 1e30, None)),
    "number": ("double", None, None, (0.1, -1.7e308, 1e-300, None)),
    "complex32": ("floatComplex", None, None, (1 + 2j, -1.5j, 0j, None)),
    "complex64": ("doubleComplex", None, None, (0.1 + 0.2j, -1j, 3 + 0j, None)),
    "words": ("char", "*", None, ("plate", 'a <b> & "c"', "it's; so", None)),
    "fixed": ("char", "5", None, ("abcde", "12345", "a b c", None)),
    "umlauts": ("unicodeChar", "*", None, ("Ångström", "日本 ☄", "é", None)),
    "bounded": ("char", "20*", None, ("x", "y" * 20, "z", None)),
    "truths": ("boolean", "3", None, ((True, False, True), (False,) * 3, (True,) * 3, None)),
    "bits": ("bit", "10", None, ((True, False) * 5, (False,) * 10, (True,) * 10, None)),
    "bytes": ("unsignedByte", "*", None, ((0, 255), (1, 2, 3), (9,), None)),
    "smalls": ("short", "2", None, ((1, -1), (32767, -32768), (0, 0), None)),
    "wholes": ("int", "*", None, ((1,), (1, 2, 3, 4), (0, -5), None)),
    "larges": ("long", "2", None, ((2**62, -(2**62)), (0, 1), (5, 6), None)),
    "singles": ("float", "3", None, ((1.5, 2.5, -3.5), (0, 0, 0), (1e-30, 1e30, 1), None)),
    "numbers": ("double", "*", None, ((0.1,), (0.1, 0.2, 0.3), (1e300, -1e300), None)),
    "grid": ("double", "2x3", None, ((1, 2, 3, 4, 5, 6), (0.1,) * 6, (-1, -2, -3, -4, -5, -6), None)),
    "waves": ("floatComplex", "2", None, ((1 + 1j, 2 - 2j), (0j, 1j), (1 + 0j, 0j), None)),
    "time": ("char", "*", "timestamp", ("1941-02-03T01:30:00", "1885-10-26", "1950-01-01T00:00:00.123456", None)),
    "place": ("double", "2", "point", ((10.1, -20.2), (0.1 + 0.2, 90), (359.99999999999994, 1e-9), None)),
    "disc": ("double", "3", "circle", ((10, 20, 0.5), (0.1, 0.2, 0.3), (180, -45, 90), None)),
    "outline": (
        "double",
        "*",
        "polygon",
        ((10, 20, 11, 20, 11, 21), (1.1, 1, 2, 1, 2, 2, 1, 2), (0, 0, 1, 0, 0, 1), None),
    ),
    "span": ("double", "2", "interval", ((1, 2), (0.1, 0.3), (-1, 1e9), None)),
}
#: What a serialisation has no null for (VOTable 1.4, section 5); BINARY has some by a value that stands for it.
NO_NULL = {
    "tabledata": {"one_bit", "bits", "truths", "waves"},
    "binary": set(COLUMNS) - {"truth", "byte", "small", "whole", "large"},
    "binary2": {"waves"},
}
ROWS = 4
TEXT = ("char", "unicodeChar")
NAMESPACE = "http://www.ivoa.net/xml/VOTable/v1.3"


#: A value that stands for null where a serialisation has no other way.
NULLS = {"unsignedByte": "200", "short": "-99", "int": "-99", "long": "-99"}


def table_of(names: Sequence[str], serialisation: str) -> bytes:
    """A VOTable; the binary ones are written by STILTS."""
    fields = "".join(map(field_text, names))
    cells = ((cell_text(name, value) for name in names for value in (COLUMNS[name][3][row],)) for row in range(ROWS))
    rows = "".join(f"<TR>{''.join(f'<TD>{cell}</TD>' for cell in row)}</TR>" for row in cells)
    table = f"<TABLE>{fields}<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE>"
    text = f'<VOTABLE version="1.4" xmlns="{NAMESPACE}"><RESOURCE>{table}</RESOURCE></VOTABLE>'.encode()
    if serialisation == "tabledata":
        return text
    return rewritten(text, serialisation)


def rewritten(document: bytes, serialisation: str) -> bytes:
    """The same table in another serialisation, by STILTS."""
    form = f"ofmt=votable-{serialisation}-inline"
    return stilts.run("tcopy", "in=-", "out=-", "ifmt=votable", form, data=document).stdout


def field_text(name: str) -> str:
    datatype, arraysize, xtype, _ = COLUMNS[name]
    optional = (f' arraysize="{arraysize}"' if arraysize else "") + (f' xtype="{xtype}"' if xtype else "")
    null = f'<VALUES null="{NULLS[datatype]}"/>' if datatype in NULLS and not arraysize else ""
    return f'<FIELD name="{name}" datatype="{datatype}"{optional}>{null}</FIELD>'


def cell_text(name: str, value: Any) -> str:
    datatype, _, _, _ = COLUMNS[name]
    if value is None:
        # astropy reads neither an empty cell for complex arrays of fixed size nor those of any size in BINARY
        return "NaN NaN NaN NaN" if name == "waves" else ""
    if datatype in TEXT:
        return escape(value)
    return " ".join(number_text(datatype, one) for one in (value if isinstance(value, tuple) else (value,)))


def number_text(datatype: str, value: Any) -> str:
    if datatype == "boolean":
        return "T" if value else "F"
    if datatype.endswith("Complex"):
        return f"{value.real!r} {value.imag!r}"
    return repr(float(value)).replace("inf", "Inf") if datatype in ("float", "double") else str(int(value))


@contextmanager
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy has its own taste in arraysizes and nulls
        yield


def cells(content: bytes, name: str) -> list[Any]:
    """The values of a column as astropy reads them; None for null and for what is empty, which look the same there."""
    array = votable.parse(io.BytesIO(content)).get_first_table().array
    pairs = zip(array.data[name], np.ma.getmaskarray(array[name]), strict=True)
    return [None if np.all(mask) or np.size(value) == 0 or np.all(value == "") else value for value, mask in pairs]


def send(server, query: str, tables: dict[str, tuple[str, bytes, str]], **values: str):
    uploads = [("UPLOAD", (None, f"{name},param:part_{name}")) for name in tables]
    parts = [(f"part_{name}", table) for name, table in tables.items()]
    fields = [(name, (None, value)) for name, value in {"LANG": "ADQL", "QUERY": query, **values}.items()]
    return server.client.post("/tap/sync", files=[*fields, *uploads, *parts])


def fault(response) -> str:
    assert response.status_code >= 400, response.text
    document = votable.parse(io.BytesIO(response.content))
    assert not list(document.iter_tables())
    return str(next(info.content for info in document.resources[0].infos if info.name == "QUERY_STATUS"))


def rows(response) -> list[list[str]]:
    """The cells of a CSV answer."""
    assert response.status_code == 200, response.text
    return [line.split(",") for line in response.text.splitlines()[1:]]


def same(got: Any, wanted: Any) -> bool:
    if wanted is None or got is None:
        return wanted is None and got is None
    if isinstance(wanted, str):
        return str(np.asarray(got)) == wanted
    got, wanted = np.asarray(got).reshape(-1), np.asarray(wanted).reshape(-1)
    if np.iscomplexobj(wanted):  # astropy reads complex numbers as pairs
        wanted = np.stack([wanted.real, wanted.imag], -1).reshape(-1)
        got = np.stack([got.real, got.imag], -1).reshape(-1) if np.iscomplexobj(got) else got
    return bool(np.array_equal(got, wanted.astype(got.dtype)))


@pytest.mark.parametrize("out", SERIALISATIONS)
@pytest.mark.parametrize("serialisation", SERIALISATIONS)
def test_every_datatype_comes_back_cell_by_cell_tap_18(server, serialisation, out):
    with quiet():
        sent = table_of(tuple(COLUMNS), serialisation)
        response = send(
            server,
            "SELECT * FROM TAP_UPLOAD.mine",
            {"mine": ("mine.vot", sent, VOTABLE)},
            RESPONSEFORMAT=f"{VOTABLE};serialization={out}",
        )
        assert response.status_code == 200, response.text
        before = votable.parse(io.BytesIO(sent)).get_first_table()
        after = votable.parse(io.BytesIO(response.content)).get_first_table()
        assert [field.name for field in after.fields] == list(COLUMNS)
        wrong = []
        for name, old, new in zip(COLUMNS, before.fields, after.fields, strict=True):
            assert (new.datatype, new.xtype) == (old.datatype, old.xtype), name
            # a text in TABLEDATA may be shorter than its arraysize says
            sizes = (old.arraysize, f"{old.arraysize}*") if serialisation == "tabledata" else (old.arraysize,)
            assert new.arraysize in sizes, name
            no_null = name in NO_NULL[serialisation] or name in NO_NULL[out]
            for number, (value, got) in enumerate(zip(COLUMNS[name][3], cells(response.content, name), strict=True)):
                if not (same(got, value) or (value is None and no_null)):
                    wrong.append((name, number, value, got))
    assert not wrong


@pytest.mark.parametrize("serialisation", SERIALISATIONS)
def test_nulls_are_nulls_to_the_query(server, serialisation):
    names = [name for name in COLUMNS if name not in NO_NULL[serialisation]]
    counts = ", ".join(f'SUM(CASE WHEN "{name}" IS NULL THEN 1 ELSE 0 END)' for name in names)
    with quiet():
        sent = table_of(names, serialisation)
    answer = send(server, f"SELECT {counts} FROM TAP_UPLOAD.m", {"m": ("m", sent, VOTABLE)}, FORMAT="csv")
    (found,) = rows(answer)
    assert dict(zip(names, found, strict=True)) == dict.fromkeys(names, "1")


def test_nan_is_no_null(server):
    sent = table_in("votable", {"x": np.array([1.0, np.nan, np.inf]), "n": np.array([1, 2, 3])})
    answer = send(
        server,
        "SELECT n FROM TAP_UPLOAD.m WHERE x IS NOT NULL ORDER BY n",
        {"m": ("m", sent, VOTABLE)},
        FORMAT="csv",
    )
    assert rows(answer) == [["1"], ["2"], ["3"]]


def table_in(form: str, columns: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    table = Table(columns)
    if form == "parquet":
        pyarrow.parquet.write_table(pa.table({name: pa.array(value) for name, value in columns.items()}), stream)
    elif form == "votable":
        # binary2 tells NaN from null
        votable.writeto(votable.from_table(table), stream, tabledata_format="binary2")
    elif form == "fits":
        fits.HDUList([fits.PrimaryHDU(), fits.table_to_hdu(table)]).writeto(stream)
    else:
        text = io.StringIO()
        table.write(text, format="ascii.csv" if form == "csv" else "ascii.tab")
        stream.write(text.getvalue().encode())
    return stream.getvalue()


@pytest.mark.parametrize(
    ("form", "media_type"),
    [
        ("votable", VOTABLE),
        ("votable", "text/xml"),
        ("votable", "application/octet-stream"),
        ("fits", "application/fits"),
        ("csv", "text/csv"),
        ("tsv", "text/tab-separated-values"),
        ("parquet", "application/vnd.apache.parquet"),
        ("parquet", "application/octet-stream"),
    ],
)
def test_further_kinds_of_tables(server, form, media_type):
    sent = table_in(
        form, {"id": np.array([3, 1, 2]), "ra": np.array([0.1, 0.2, 0.3]), "name": np.array(["a", "bc", "d"])}
    )
    answer = send(
        server, "SELECT id, ra, name FROM TAP_UPLOAD.mine ORDER BY id", {"mine": ("m", sent, media_type)}, FORMAT="csv"
    )
    assert rows(answer) == [["1", "0.2", "bc"], ["2", "0.3", "d"], ["3", "0.1", "a"]]


@pytest.mark.parametrize("count", [3, 100_000], ids=["in memory", "on disk"])
@pytest.mark.parametrize(
    ("form", "media_type"), [("csv", "text/csv"), ("votable", VOTABLE), ("parquet", "application/x-parquet")]
)
def test_tables_packed_with_gzip(server, form, media_type, count):
    sent = gzip.compress(table_in(form, {"id": np.arange(count), "x": np.random.default_rng(1).random(count)}))
    answer = send(
        server, "SELECT COUNT(*), MAX(id) FROM TAP_UPLOAD.mine", {"mine": ("m.gz", sent, media_type)}, FORMAT="csv"
    )
    assert rows(answer) == [[str(count), str(count - 1)]]


def test_odd_names_of_columns_and_tables_tap_17(server):
    names = ["Select", "a b", 'quote"d', "Ünïcode", "2MASS", "x" * 100, "RA_J2000", "size"]
    sent = ("id," + ",".join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in names) + "\n").encode()
    sent += b"1," + b",".join(str(number).encode() for number in range(len(names))) + b"\n"
    quoted = ", ".join(f'u."{name.replace(chr(34), chr(34) * 2)}"' for name in names)
    answer = send(
        server, f'SELECT {quoted}, ra_j2000 FROM tap_upload."MixedCase" AS u', {"MixedCase": ("m", sent, "text/csv")}
    )
    fields = votable.parse(io.BytesIO(answer.content)).get_first_table().fields
    assert [field.name for field in fields][: len(names)] == names
    again = send(server, "SELECT * FROM TAP_UPLOAD.mixedcase", {"MixedCase": ("m", sent, "text/csv")}, FORMAT="csv")
    assert rows(again) == [["1", *map(str, range(len(names)))]]


def test_several_at_once_and_joined(server):
    first = table_in("votable", {"id": np.array([1, 2, 3]), "x": np.array([1.0, 2.0, 3.0])})
    second = b"id,y\n2,20\n3,30\n4,40\n"
    answer = send(
        server,
        "SELECT id, x + y FROM TAP_UPLOAD.a JOIN TAP_UPLOAD.b USING (id) ORDER BY id",
        {"a": ("a.vot", first, VOTABLE), "b": ("b.csv", second, "text/csv")},
        FORMAT="csv",
    )
    assert [[float(cell) for cell in row] for row in rows(answer)] == [[2, 22], [3, 33]]


def test_shapes_and_times_are_what_they_say(server):
    """An uploaded point, circle, polygon and time are shapes and times to ADQL."""
    with quiet():
        sent = table_of(("place", "disc", "outline", "time"), "binary2")
    answer = send(
        server,
        "SELECT COORD1(place), AREA(disc), CONTAINS(POINT(10.9, 20.5), outline) FROM TAP_UPLOAD.m "
        "WHERE 1 = CONTAINS(place, CIRCLE(10.1, -20.2, 0.1)) AND \"time\" = CAST('1941-02-03T01:30:00' AS TIMESTAMP)",
        {"m": ("m", sent, VOTABLE)},
        FORMAT="csv",
    )
    ((longitude, area, inside),) = rows(answer)
    assert float(longitude) == pytest.approx(10.1, abs=1e-12)
    assert float(area) == pytest.approx(2 * np.pi * (1 - np.cos(np.radians(0.5))) * np.degrees(1) ** 2, rel=1e-9)
    assert inside == "1"


def test_the_plates_at_places_and_moments_of_an_upload(server):
    sent = table_in(
        "votable", {"ra": np.array([214.62, 10.0]), "dec": np.array([28.41, -80.0]), "epoch": np.array([30028.08] * 2)}
    )
    answer = send(
        server,
        "SELECT e.ra, o.obs_publisher_did, o.obs_id FROM TAP_UPLOAD.orbit AS e JOIN ivoa.obscore AS o "
        "ON 1 = CONTAINS(POINT(e.ra, e.dec), o.s_region) AND e.epoch BETWEEN o.t_min AND o.t_max",
        {"orbit": ("orbit.vot", sent, VOTABLE)},
    )
    document = votable.parse(io.BytesIO(answer.content))
    assert "comet_1941" in {str(name) for name in document.get_first_table().array["obs_id"]}
    # a joined result carries the services of its exposures, too
    assert {resource.name for resource in document.resources if resource.type == "meta"} == {"links", "cutout"}


def test_an_upload_is_seen_by_its_own_query_alone_tap_19(server):
    sent = b"id\n1\n"
    assert rows(send(server, "SELECT id FROM TAP_UPLOAD.mine", {"mine": ("m", sent, "text/csv")}, FORMAT="csv")) == [
        ["1"]
    ]
    assert "TAP_UPLOAD.mine" in fault(server.query("SELECT id FROM TAP_UPLOAD.mine"))
    assert "TAP_UPLOAD.mine" in fault(
        send(server, "SELECT id FROM TAP_UPLOAD.mine", {"other": ("m", sent, "text/csv")})
    )
    listed = server.query("SELECT table_name FROM tap_schema.tables WHERE table_name LIKE '%upload%'", FORMAT="csv")
    assert rows(listed) == []


@pytest.mark.parametrize(
    "query",
    ["SELECT * FROM pg_temp.u1", "SELECT * FROM pg_catalog.pg_class", "SELECT * FROM information_schema.tables"],
)
def test_the_databases_own_tables_are_no_tables(server, query):
    assert "there is no table" in fault(send(server, query, {"mine": ("m", b"id\n1\n", "text/csv")}))


@pytest.mark.parametrize(
    ("content", "media_type", "says"),
    [
        (b"<VOTABLE><RESOURCE><TABLE>", VOTABLE, "XML"),
        (b"no table at all", "application/pdf", "application/pdf"),
        (b"a,b\n1\n", "text/csv", "row 1 has 1 fields for 2 columns"),
        (b"", "text/csv", "empty"),
        (b"a,A\n1,2\n", "text/csv", "two columns"),
    ],
)
def test_bad_tables_are_told_with_their_name(server, content, media_type, says):
    text = fault(send(server, "SELECT * FROM TAP_UPLOAD.mine", {"mine": ("m", content, media_type)}))
    assert text.startswith("TAP_UPLOAD.mine: ")
    assert says in text


def test_values_that_are_none_are_told_with_their_column(server):
    sent = (
        b"<VOTABLE><RESOURCE><TABLE><FIELD name='t' datatype='char' arraysize='*' xtype='timestamp'/><DATA><TABLEDATA>"
    )
    sent += b"<TR><TD>1950-02-30T00:00:00</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    text = fault(send(server, "SELECT t FROM TAP_UPLOAD.mine", {"mine": ("m", sent, VOTABLE)}))
    assert "column t of TAP_UPLOAD.mine" in text
    sent = sent.replace(
        b"datatype='char' arraysize='*' xtype='timestamp'", b"datatype='double' arraysize='2' xtype='point'"
    )
    sent = sent.replace(b"1950-02-30T00:00:00", b"10 95")
    text = fault(send(server, "SELECT t FROM TAP_UPLOAD.mine", {"mine": ("m", sent, VOTABLE)}))
    assert "column t of TAP_UPLOAD.mine" in text


def test_limits_of_rows_and_bytes_name_themselves(server):
    limited = server.settings.model_copy(
        update={"port": 0, "upload_rows": 5, "upload_bytes": 1000, "request_bytes": 1000}
    )
    with running(limited, server.database) as small:
        text = fault(send(small, "SELECT * FROM TAP_UPLOAD.m", {"m": ("m", b"a\n" + b"1\n" * 6, "text/csv")}))
        assert "5 rows" in text
        assert "upload_rows" in text
        large = send(small, "SELECT * FROM TAP_UPLOAD.m", {"m": ("m", b"a\n" + b"1\n" * 2000, "text/csv")})
        assert large.status_code == 413
        assert "upload_bytes" in fault(large)
        assert rows(send(small, "SELECT a FROM TAP_UPLOAD.m", {"m": ("m", b"a\n1\n", "text/csv")}, FORMAT="csv")) == [
            ["1"]
        ]


# -- by address


@contextmanager
def elsewhere(content: bytes, media_type: str):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format, *args):  # noqa: A002 - the base class's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as own:
        thread = threading.Thread(target=own.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{own.server_address[1]}/table"
        finally:
            own.shutdown()
            thread.join()


def test_a_table_elsewhere_is_fetched_dali_16(server):
    opened = server.settings.model_copy(update={"port": 0, "upload_private": True})
    with elsewhere(b"id,ra\n7,1.5\n", "text/csv") as url, running(opened, server.database) as own:
        answer = own.query("SELECT id, ra FROM TAP_UPLOAD.there", UPLOAD=f"there,{url}", FORMAT="csv")
        assert rows(answer) == [["7", "1.5"]]


def test_private_addresses_are_not_asked(server):
    with elsewhere(b"id\n1\n", "text/csv") as url:
        text = fault(server.query("SELECT id FROM TAP_UPLOAD.there", UPLOAD=f"there,{url}"))
    assert "private network" in text


def test_one_part_serves_one_table(server):
    fields = {"LANG": "ADQL", "QUERY": "SELECT * FROM TAP_UPLOAD.a", "UPLOAD": "a,param:x;b,param:x"}
    parts = [("x", ("x.csv", b"id\n1\n", "text/csv"))]
    assert "two tables are in the one part" in fault(server.client.post("/tap/sync", data=fields, files=parts))
