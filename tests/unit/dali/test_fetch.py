"""Documents are fetched from the public internet alone, within limits; test traffic stays on this machine."""

from __future__ import annotations

import gzip
import http.server
import socket
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager

import pytest
from patience import PATIENCE

from vo.dali import fetch as fetching
from vo.dali.fetch import FetchLimits, StatusFault, fetch, is_public, public_addresses
from vo.errors import LimitFault, UsageFault

OPEN = FetchLimits(bytes=100_000, seconds=PATIENCE, private=True)
CLOSED = FetchLimits(bytes=100_000, seconds=PATIENCE)


@contextmanager
def served(answer: Callable[[http.server.BaseHTTPRequestHandler], None]):
    """A server of this machine; gives its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def log_message(self, format, *args):  # noqa: A002 - the base class's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def send(handler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def test_a_table_with_what_its_server_says_of_it():
    with (
        served(lambda handler: send(handler, b"a,b\n1,2\n", Content_Type="text/csv")) as url,
        fetch(f"{url}/x/t.csv?a=1", OPEN) as got,
    ):
        assert got.file.read() == b"a,b\n1,2\n"
        assert got.media_type == "text/csv"
        assert got.filename == "t.csv"


def test_the_file_is_gone_afterwards():
    with served(lambda handler: send(handler, b"x")) as url, fetch(url, OPEN) as got:
        file = got.file
    assert file.closed


def test_redirects_are_followed_one_by_one():
    def answer(handler):
        step = int(handler.path.strip("/") or 0)
        if step == 5:
            send(handler, b"there")
        else:
            send(handler, b"", 302, Location=f"/{step + 1}")

    with served(answer) as url, fetch(url, OPEN) as got:
        assert got.file.read() == b"there"


def test_endless_redirects_end():
    with (
        served(lambda handler: send(handler, b"", 307, Location="/again")) as url,
        pytest.raises(UsageFault, match="more than 5 redirects"),
        fetch(url, OPEN),
    ):
        pass


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://user:secret@127.0.0.1/"])
def test_a_redirect_leads_to_http_alone(target):
    with (
        served(lambda handler: send(handler, b"", 302, Location=target)) as url,
        pytest.raises(UsageFault, match=r"no http or https address|user name") as caught,
        fetch(url, OPEN),
    ):
        pass
    assert "secret" not in caught.value.text


def test_a_redirect_into_the_private_network_is_refused(monkeypatch):
    """The first host passes as a public one; where it leads does not."""
    real = fetching.public_addresses

    def pretend(host, port, *, private=False, words=None):
        return ["127.0.0.1"] if host == "public.example" else real(host, port, private=private)

    monkeypatch.setattr(fetching, "public_addresses", pretend)
    asked = []

    def answer(handler):
        asked.append(handler.path)
        send(handler, b"", 302, Location=f"http://127.0.0.1:{handler.server.server_address[1]}/secret")

    with served(answer) as url:
        port = url.rpartition(":")[2]
        with pytest.raises(UsageFault, match="private network"), fetch(f"http://public.example:{port}/", CLOSED):
            pass
    assert asked == ["/"]


def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch):
    """A name that means something else by the time of the connection (DNS rebinding) changes nothing."""
    answers = iter([["127.0.0.1"]])
    monkeypatch.setattr(fetching, "public_addresses", lambda *_, **__: next(answers))
    with (
        served(lambda handler: send(handler, handler.headers["Host"].encode())) as url,
        fetch(f"http://rebound.example:{url.rpartition(':')[2]}/", CLOSED) as got,
    ):
        assert got.file.read().startswith(b"rebound.example:")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://0.0.0.0/",
        "http://10.1.2.3/",
        "http://192.168.0.1/",
        "http://172.16.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://224.0.0.1/",
        "http://100.64.0.1/",
    ],
)
def test_private_addresses_are_refused_in_every_spelling(url):
    with pytest.raises(UsageFault, match=r"private network|not known here"), fetch(url, CLOSED):
        pass


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("2001:0:1::", False),
        ("64:ff9b::808:808", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("ff02::1", False),
        ("fe80::1%eth0", False),
        ("198.18.0.1", False),
    ],
)
def test_public_addresses(address, public):
    assert is_public(address) is public


def test_one_private_address_among_several_is_enough(monkeypatch):
    found = [(socket.AF_INET, 1, 6, "", (address, 80)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(UsageFault, match="private network"):
        public_addresses("mixed.example", 80)


PACKED = FetchLimits(bytes=100_000, seconds=PATIENCE, private=True, packed=True)


def test_packed_documents_are_unpacked_where_that_is_allowed():
    told = bytes(range(256)) * 300

    def answer(handler):
        packed = "gzip" in handler.headers["Accept-Encoding"]
        body = gzip.compress(told) if packed else told
        send(handler, body, **({"Content_Encoding": "gzip"} if packed else {}))

    with served(answer) as url:
        for limits in (OPEN, PACKED):
            with fetch(url, limits) as got:
                assert got.file.read() == told


def test_what_is_unpacked_counts():
    """A few packed bytes stand for very many."""
    bomb = gzip.compress(bytes(50_000_000))
    with (
        served(lambda handler: send(handler, bomb, Content_Encoding="gzip")) as url,
        pytest.raises(LimitFault, match="100000 bytes"),
        fetch(url, PACKED),
    ):
        pass


@pytest.mark.parametrize(
    ("body", "says"), [(gzip.compress(b"x" * 1000)[:-9], "breaks off"), (b"no gzip at all", "not the gzip")]
)
def test_packed_documents_that_are_damaged(body, says):
    with (
        served(lambda handler: send(handler, body, Content_Encoding="gzip")) as url,
        pytest.raises(UsageFault, match=says),
        fetch(url, PACKED),
    ):
        pass


def test_a_size_limit():
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 10_000)

    with (
        served(_broken_off(endless)) as url,
        pytest.raises(LimitFault, match=r"100000 bytes.*upload_bytes"),
        fetch(url, OPEN),
    ):
        pass


def head(handler, *headers: str) -> None:
    handler.wfile.write("\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode())


#: What a server sends at its beginning, and then again and again, a little at a time.
SLOW = {
    "silent": (head, b""),
    "dripping": (head, b"x"),
    "dripping headers": (lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: "), b"x"),
    "dripping chunks": (lambda handler: head(handler, "Transfer-Encoding: chunked"), b"0"),
    "dripping with a length": (lambda handler: head(handler, "Content-Length: 900"), b"x"),
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_time_limit(kind):
    done = threading.Event()
    start, drop = SLOW[kind]

    def slow(handler):
        start(handler)
        while not done.wait(0.05):
            handler.wfile.write(drop)

    begin = time.monotonic()
    with served(_broken_off(slow)) as url:
        with (
            pytest.raises(LimitFault, match=r"0\.5 s.*upload_seconds"),
            fetch(url, FetchLimits(1000, 0.5, private=True)),
        ):
            pass
        done.set()
    assert time.monotonic() - begin < PATIENCE


@pytest.mark.parametrize("header", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_table_that_breaks_off_is_none(header):
    """Rows that are missing would go unnoticed in CSV."""

    def answer(handler):
        head(handler, header)
        handler.wfile.write(b"10\r\n" if "chunked" in header else b"")
        handler.wfile.write(b"a,b\n1,2\n3,4\n")
        handler.close_connection = True

    with served(answer) as url, pytest.raises(UsageFault, match="its answer breaks off"), fetch(url, OPEN):
        pass


def _broken_off(answer):
    def quietly(handler):
        try:
            answer(handler)
        except OSError:
            handler.close_connection = True

    return quietly


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1/", "does not answer"),
        ("http://no-such-host.invalid/", "not known here"),
        ("http:///path", "no http or https address"),
        ("http://host:99999/", "no http or https address"),
        ("http://plates.example/a b", "blanks"),
        ("http://plates.example/" + "a" * 3000, "too long"),
        ("gopher://plates.example/", "no http or https address"),
    ],
)
def test_addresses_that_cannot_be_asked(url, says):
    with pytest.raises(UsageFault, match=says), fetch(url, OPEN):
        pass


def test_a_status_that_is_no_table():
    with (
        served(lambda handler: send(handler, b"nothing here", 404)) as url,
        pytest.raises(StatusFault, match="status 404") as caught,
        fetch(url, OPEN),
    ):
        pass
    assert (caught.value.answered, caught.value.wait) == (404, None)
