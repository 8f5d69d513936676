"""Requests that nobody should send, to /tap/sync: each is answered in TAP's own way, and the server goes on.

Whatever comes, no answer is a fault of the service itself (500), and none is a document that its media type is not.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

import httpx
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from lxml import etree
from patience import PATIENCE
from pyarrow import ipc, parquet
from serving import Server, running

VOTABLE = "application/x-votable+xml"
#: As many as take a few seconds; `make fuzz` looks for more.
EXAMPLES = 150


@dataclass(frozen=True)
class Answer:
    status: int
    media_type: str
    headers: http.client.HTTPMessage
    body: bytes


@pytest.fixture(scope="module")
def small(server) -> Iterator[Server]:
    """A server with small limits."""
    limits = {"request_bytes": 50_000, "upload_bytes": 100_000, "sync_seconds": 10.0, "stall_seconds": 2.0}
    with running(server.settings.model_copy(update={"port": 0, **limits}), server.database) as started:
        yield started


def send(server: Server, method: str, target: str, headers: list[tuple[str, str]], body: bytes = b"") -> Answer:
    """Send a request as it is, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", httpx.URL(server.url).port, timeout=PATIENCE)
    with closing(connection):
        connection.putrequest(method, target, skip_accept_encoding=True, skip_host=True)
        named = {name.lower() for name, _ in headers}
        if "host" not in named:
            connection.putheader("Host", "localhost")
        for name, value in headers:
            connection.putheader(name, value.encode("latin-1", "replace"))
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Connection", "close")
        connection.endheaders(body or None)
        response = connection.getresponse()
        content = response.read()
        media_type = (response.getheader("Content-Type") or "").partition(";")[0]
        return Answer(response.status, media_type, response.headers, content)


def check(answer: Answer, method: str = "POST") -> None:
    """Whether it is an answer of TAP: a table, or a fault's document, or for other methods what HTTP has."""
    assert answer.status < 500 or answer.status == 503, answer
    if method == "HEAD" or answer.headers.get("Content-Encoding"):
        return
    if answer.status >= 400:
        assert answer.media_type == VOTABLE, answer
        (info,) = etree.fromstring(answer.body).iterfind(".//{*}INFO[@name='QUERY_STATUS']")
        assert info.get("value") == "ERROR"
        assert info.text
        return
    assert answer.status == 200, answer
    READERS[answer.media_type](answer.body)


def read_fits(body: bytes) -> None:
    with fits.open(io.BytesIO(body)) as file:
        file.verify("exception")


READERS = {
    VOTABLE: etree.fromstring,
    "text/xml": etree.fromstring,
    "application/xml": etree.fromstring,
    "text/csv": bytes.decode,
    "text/tab-separated-values": bytes.decode,
    "text/plain": bytes.decode,
    "application/fits": read_fits,
    "image/fits": read_fits,
    "application/json": json.loads,
    "text/html": lambda body: etree.fromstring(body, etree.HTMLParser()),
    "application/vnd.apache.parquet": lambda body: parquet.read_table(io.BytesIO(body)),
    "application/vnd.apache.arrow.stream": lambda body: ipc.open_stream(body).read_all(),
}

# -- parts of requests

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
NAMES = st.one_of(
    st.sampled_from(
        ["QUERY", "LANG", "REQUEST", "FORMAT", "RESPONSEFORMAT", "MAXREC", "UPLOAD", "VERSION", "RUNID", "PHASE"]
    ),
    st.sampled_from(["query", "Lang", "rEqUeSt", "mAxReC", "upload", "responseformat", "x", ""]),
    TEXTS,
)
VALUES = st.one_of(
    st.sampled_from(
        [
            *(
                "SELECT TOP 3 obs_id FROM ivoa.obscore",
                "SELECT * FROM TAP_UPLOAD.t",
                "SELECT 1 AS a",
                "SELECT",
                "",
                " ",
                "\0",
            ),
            *("ADQL", "ADQL-2.0", "adql-2.1", "PQL", "doQuery", "getCapabilities"),
            *(
                "votable",
                "csv",
                "tsv",
                "json",
                "html",
                "text",
                "fits",
                "parquet",
                "arrow",
                "votable/td",
                "votable/b2",
                "xml",
            ),
            *("text/xml", f"{VOTABLE};serialization=binary2;version=1.5", "*/*", "text/csv;header=absent", "a/b;c=d"),
            *("0", "1", "-1", "1e3", "\u0661", "99999999999999999999999", "+5", " 7 ", "NaN", "0x10"),
            *(
                "t,param:t",
                "t,param:",
                "t,",
                ",param:t",
                "t,param:t;u,param:u",
                "t,http://",
                "t,ftp://x/y",
                "t,file:///etc/passwd",
            ),
            *(
                "t,http://[::1/",
                "t,http://127.0.0.1:1/x",
                "t,http://a b/",
                "t,vos://x!y",
                "t,http://localhost:99999/",
                "t,param:QUERY",
            ),
        ]
    ),
    TEXTS,
    st.text(max_size=5).map(lambda text: text * 4000),
)
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=6)
METHODS = st.sampled_from(["GET", "POST", "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO"])
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            (
                *("Accept", "Accept-Encoding", "Host", "X-Forwarded-Host", "X-Forwarded-For", "Range", "If-None-Match"),
                *("Cookie", "Content-Encoding", "Expect", "Origin", "X-Odd", "Referer", "Authorization"),
            )
        ),
        st.one_of(
            st.sampled_from(
                ["gzip", "zstd;q=0.5, *;q=0", "identity;q=0, *;q=0", "100-continue", "x" * 5000, "a/b/c", "::1", ""]
            ),
            st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20),
        ),
    ),
    max_size=3,
)
FORM = "application/x-www-form-urlencoded"


def encoded(pairs: list[tuple[str, str]]) -> str:
    return "&".join(
        f"{quote_plus(name, errors='replace')}={quote_plus(value, errors='replace')}" for name, value in pairs
    )


settle = hypothesis_settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(METHODS, PAIRS, PAIRS, HEADERS)
@settle
def test_parameters_of_any_kind(small, method, pairs, body_pairs, headers):
    body = encoded(body_pairs).encode() if method == "POST" else b""
    typed = [("Content-Type", FORM)] if method == "POST" else []
    target = "/tap/sync?" + encoded(pairs)
    answer = send(small, method, target[:8000], [*typed, *headers], body)
    if method in ("GET", "POST", "HEAD"):
        check(answer, method)
    else:
        # CORS answers a browser's preflight
        assert answer.status in (200, 400, 405), answer


@given(
    st.binary(max_size=200),
    st.one_of(
        st.just(FORM), st.sampled_from(["", "text/plain", "a", "multipart/form-data", "/;;=", f"{FORM};charset=x"])
    ),
)
@example(b"QUERY=%C3%28", FORM)
@example(b"%", FORM)
@example(b"=&=&;", FORM)
@settle
def test_bodies_of_any_bytes(small, body, content_type):
    check(send(small, "POST", "/tap/sync", [("Content-Type", content_type)] if content_type else [], body))


@given(st.binary(max_size=100))
@settle
def test_addresses_of_any_bytes(small, raw):
    target = "/tap/sync?QUERY=SELECT+1&" + quote(raw, safe="%&=;/?:@!$'()*,+")
    check(send(small, "GET", target, []))


DISPOSITIONS = st.one_of(
    st.builds(
        "form-data; name={}{}".format,
        st.sampled_from(
            [
                '"QUERY"',
                "QUERY",
                '"t"',
                "t",
                '""',
                '"',
                '"FORMAT"',
                '"UPLOAD"',
                "'t'",
                '"a\\"b"',
                "=?utf-8?q?t?=",
                "\u00fc",
            ]
        ),
        st.sampled_from(
            [
                "",
                '; filename="t.vot"',
                "; filename=",
                '; filename=""',
                "; filename",
                "; filename*=utf-8''%ff",
                '; x="y"',
            ]
        ),
    ),
    st.sampled_from(
        ["", "form-data", "attachment; name=t", "form-data; name*=utf-8''t", ";;;", "form-data; name", "x" * 3000]
    ),
)
PART_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["Content-Type", "Content-Transfer-Encoding", "Content-Length", "X", "Content-Disposition", "", "Ä"]
        ),
        st.sampled_from(
            [
                VOTABLE,
                "text/csv",
                "text/plain; charset=utf-16",
                "base64",
                "-1",
                "x" * 5000,
                "",
                ";",
                "form-data; name=u",
            ]
        ),
    ),
    max_size=9,
)
CONTENTS = st.one_of(
    st.sampled_from(
        [
            *(
                b"",
                b"a,b\n1,2\n",
                b"SELECT * FROM TAP_UPLOAD.t",
                b"t,param:t",
                b"csv",
                b"\xff\xfe",
                b"\0",
                b"--B",
                b"\r\n--B",
                b"\r\n--B--",
            ),
            *(
                b"\x1f\x8b\x08",
                b"PAR1PAR1",
                b"ARROW1",
                b"SIMPLE  =",
                b"<VOTABLE/>",
                b"<?xml version='1.0'?>",
                b"x" * 60_000,
            ),
        ]
    ),
    st.binary(max_size=40),
)
PARTS = st.lists(st.tuples(DISPOSITIONS, PART_HEADERS, CONTENTS), max_size=6)
TYPES = st.one_of(
    st.just("multipart/form-data; boundary=B"),
    st.sampled_from(
        [
            *(
                "multipart/form-data",
                "multipart/form-data; boundary=",
                "multipart/form-data; boundary=C",
                'multipart/form-data; boundary="B"',
            ),
            *(
                f"multipart/form-data; boundary={'B' * 300}",
                "Multipart/Form-Data; Boundary=B",
                "multipart/mixed; boundary=B",
            ),
            *("multipart/form-data; boundary=\u00e4", "multipart/form-data;boundary=B;boundary=C"),
        ]
    ),
    st.sampled_from(
        (
            *(
                "idna",
                "punycode",
                "unicode_escape",
                "raw_unicode_escape",
                "utf-7",
                "utf-16",
                "hex",
                "zip",
                "rot13",
                "x",
            ),
            *("undefined", "utf-8", "mbcs", "latin-1", '"utf-8"', "", "cp037", "utf-8-sig", "charmap", "base64"),
        )
    ).map(lambda charset: f"multipart/form-data; boundary=B; charset={charset}"),
)


def multipart(parts: list[tuple[str, list[tuple[str, str]], bytes]], end: bytes) -> bytes:
    body = b""
    for disposition, headers, content in parts:
        lines = [f"Content-Disposition: {disposition}", *(f"{name}: {value}" for name, value in headers)]
        body += b"--B\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"
    return body + end


@given(
    TYPES,
    PARTS,
    st.sampled_from([b"--B--\r\n", b"--B--", b"--B", b"", b"--C--\r\n", b"--B--\r\ntrailing\r\n--B\r\n"]),
    PAIRS,
)
@settle
def test_multipart_of_any_shape(small, content_type, parts, end, pairs):
    target = "/tap/sync?" + encoded(pairs)
    check(send(small, "POST", target[:8000], [("Content-Type", content_type)], multipart(parts, end)))


@pytest.mark.parametrize("charset", ["idna", "punycode", "unicode_escape", "utf-7", "utf-16", "undefined", "hex"])
@pytest.mark.parametrize(
    "content", [b"SELECT '\\ud800' AS a", b"\xff" * 70, b"xn--" + b"a" * 70, "SELECT 'é' AS a".encode()]
)
def test_charsets_that_are_none(small, charset, content):
    body = multipart([('form-data; name="QUERY"', [], content), ('form-data; name="FORMAT"', [], b"csv")], b"--B--\r\n")
    check(
        send(
            small, "POST", "/tap/sync", [("Content-Type", f"multipart/form-data; boundary=B; charset={charset}")], body
        )
    )


def test_two_files_of_one_name_are_told(small):
    """Which of them is meant would be a guess."""
    table = ('form-data; name="t"; filename="t.csv"', [("Content-Type", "text/csv")])
    parts = [
        ('form-data; name="QUERY"', [], b"SELECT a FROM TAP_UPLOAD.t"),
        ('form-data; name="UPLOAD"', [], b"t,param:t"),
        (*table, b"a\n1\n"),
        (*table, b"a\n2\n"),
    ]
    answer = send(
        small, "POST", "/tap/sync", [("Content-Type", "multipart/form-data; boundary=B")], multipart(parts, b"--B--")
    )
    check(answer)
    assert answer.status == 400
    assert b"two files" in answer.body


def test_a_body_without_an_end_is_told(small):
    """What stood in its last part is lost; a query without it would be another one."""
    parts = [('form-data; name="QUERY"', [], b"SELECT 1 AS a"), ('form-data; name="MAXREC"', [], b"5")]
    for end in (b"", b"--B", b"--C--"):
        typed = [("Content-Type", "multipart/form-data; boundary=B")]
        answer = send(small, "POST", "/tap/sync", typed, multipart(parts, end))
        assert answer.status == 400
        check(answer)


def test_many_empty_fields_are_counted(small):
    """Fields without content take memory, too."""
    part = b'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n'
    body = part * 2900 + b"--B--\r\n"
    assert 50_000 < len(body) < 150_000
    answer = send(small, "POST", "/tap/sync", [("Content-Type", "multipart/form-data; boundary=B")], body)
    check(answer)
    assert answer.status == 413


REST = b"\r\nHost: a\r\nConnection: close\r\n"
HEADS = {
    "no version": b"GET /tap/sync HTTP/9.9\r\n\r\n",
    "no method": b"GET  /tap/sync\r\n\r\n",
    "no text": b"\0\0\0\0\r\n\r\n",
    "old": b"GET /tap/sync HTTP/1.0\r\n\r\n",
    "not UTF-8": b"GET /tap/sync?QUERY=\xff\xfe HTTP/1.1" + REST + b"\r\n",
    "long header": b"GET /tap/sync HTTP/1.1" + REST + b"X: " + b"x" * 300_000 + b"\r\n\r\n",
    "two hosts": b"GET /tap/sync HTTP/1.1" + REST + b"Host: b\r\n\r\n",
    "another's address": b"GET http://other/tap/sync HTTP/1.1" + REST + b"\r\n",
    "negative length": b"POST /tap/sync HTTP/1.1" + REST + b"Content-Length: -1\r\n\r\n",
    "two lengths": b"POST /tap/sync HTTP/1.1" + REST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "bad chunks": b"POST /tap/sync HTTP/1.1" + REST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "another coding": b"POST /tap/sync HTTP/1.1" + REST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "script": b"GET /tap/sync HTTP/1.1\r\nHost: <script>\r\nConnection: close\r\n\r\n",
    "two slashes": b"GET /tap//sync HTTP/1.1" + REST + b"\r\n",
    "NUL in the path": b"GET /tap/sync/%00 HTTP/1.1" + REST + b"\r\n",
    "bytes in the path": b"GET /tap/%ff HTTP/1.1" + REST + b"\r\n",
    "parameter of the path": b"GET /tap/sync;x=y HTTP/1.1" + REST + b"\r\n",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_heads_of_any_shape(small, head):
    """What is no HTTP is told so by the server itself; nothing else of it is a fault of ours."""
    with socket.create_connection(("127.0.0.1", httpx.URL(small.url).port), timeout=PATIENCE) as connection:
        connection.sendall(head)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 ")), answer
    assert small.get("/tap/availability").status_code == 200
