"""What a search may ask on the network, with servers on this machine that do what strangers might."""

from __future__ import annotations

import gzip
import threading
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import URLError

import pytest
import requests
from patience import PATIENCE

from vo.web.discovery import guard
from vo.web.discovery.guard import Network, RefusedError, close_other_ways, make_session
from vo.web.discovery.order import Bounds, Own

MOST = 10_000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Host"], self.headers["X-Forwarded-Proto"]))
        match self.path.split("?")[0].split("/")[1]:
            case "small":
                self._send(b"small")
            case "large":
                self._send(b"x" * (MOST + 1))
            case "packed":
                self._send(gzip.compress(b"x" * (MOST + 1)), ("Content-Encoding", "gzip"))
            case "chunks":
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for _ in range(12):
                    self.wfile.write(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
                self.wfile.write(b"0\r\n\r\n")
            case "away":
                self.send_response(302)
                self.send_header("Location", self.server.target)
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "drip":
                self.send_response(200)
                self.send_header("Content-Length", "1000000")
                self.end_headers()
                while not self.server.ended.wait(0.05):
                    self.wfile.write(b"x")
                    self.wfile.flush()

    def _send(self, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(200)
        for name, value in (("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_values: object) -> None:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_values: object) -> None:
        return  # clients that hang up are what is tested


@contextmanager
def listening():
    server = Server(("127.0.0.1", 0), Handler)
    server.asked, server.target, server.ended = [], "", threading.Event()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server():
    with listening() as started:
        yield started


@pytest.fixture
def open_session():
    """Make a session: ``open_session(server, **bounds)``; all are closed at the end."""
    made = []

    def make(server=None, *, bases=(), headers=(), seconds=PATIENCE, private=False):
        host, port = server.server_address if server is not None else ("127.0.0.1", 1)
        network = Network(Own(host, port, bases, headers), Bounds(seconds, 100, MOST, 0, private))
        session = make_session(network, "test", PATIENCE)
        made.append((network, session))
        return network, session

    yield make
    for network, session in made:
        session.close()
        network.end()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/small",
        "http://localhost:{port}/small",
        "http://[::1]:{port}/small",
        "http://127.1:{port}/small",
        "http://2130706433:{port}/small",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0:{port}/small",
        "http://[::ffff:127.0.0.1]:{port}/small",
        "http://user:password@127.0.0.1:{port}/small",
    ],
)
def test_private_addresses_are_not_asked_however_they_are_written(server, open_session, url):
    _, session = open_session()
    with pytest.raises(requests.exceptions.RequestException) as told:
        session.get(url.format(port=server.server_address[1]))
    assert "private network" in str(told.value) or "not known" in str(told.value)
    assert server.asked == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"])
def test_http_and_https_alone_are_asked(open_session, url):
    _, session = open_session(private=True)
    with pytest.raises(requests.exceptions.InvalidSchema):
        session.get(url)


def test_the_own_server_is_asked_where_it_listens_under_the_name_the_visitor_has(server, open_session):
    headers = (("Host", "plates.example"), ("X-Forwarded-Proto", "https"))
    _, session = open_session(server, bases=("https://plates.example/archive",), headers=headers)
    assert session.get("https://plates.example/archive/small?x=1").text == "small"
    assert session.get(f"{server.url}/small").text == "small"
    assert server.asked == [("/small?x=1", "plates.example", "https"), ("/small", "plates.example", "https")]


@pytest.mark.parametrize("url", ["https://plates.example/archives/small", "https://plates.example/archive@127.0.0.1/"])
def test_what_only_begins_like_the_own_server_is_somebody_else(server, open_session, monkeypatch, url):
    monkeypatch.setattr(guard, "find_addresses", lambda *_: ["10.1.2.3"])
    _, session = open_session(server, bases=("https://plates.example/archive",))
    with pytest.raises(RefusedError, match="private network"):
        session.get(url)
    assert server.asked == []


def test_other_ports_of_the_own_host_are_private(server, open_session):
    with listening() as neighbour:
        _, session = open_session(server)
        with pytest.raises(RefusedError, match="private network"):
            session.get(f"{neighbour.url}/small")
        assert neighbour.asked == []


def test_redirects_are_looked_at_as_well(server, open_session):
    with listening() as neighbour:
        server.target = f"{neighbour.url}/small"
        _, session = open_session(server)
        with pytest.raises(RefusedError, match="private network"):
            session.get(f"{server.url}/away")
        assert neighbour.asked == []
        _, session = open_session(server, private=True)
        assert session.get(f"{server.url}/away").text == "small"


def test_redirects_end(server, open_session):
    server.target = f"{server.url}/away"
    _, session = open_session(server)
    with pytest.raises(requests.exceptions.TooManyRedirects):
        session.get(f"{server.url}/away")
    assert len(server.asked) == 6


def test_one_private_address_among_several_is_enough_to_refuse(open_session, monkeypatch):
    monkeypatch.setattr(guard, "find_addresses", lambda *_: ["93.184.216.34", "10.0.0.1"])
    network, _ = open_session()
    with pytest.raises(RefusedError, match="private network"):
        network.find("two-faced.example", 80)


def test_the_connection_goes_to_the_addresses_that_were_looked_at(server, open_session, monkeypatch):
    """A name that means another host a moment later (DNS rebinding) is looked at again, by whoever connects."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    monkeypatch.setattr(guard, "find_addresses", lambda *_: next(answers))
    _, session = open_session()
    with pytest.raises(RefusedError):
        session.get(f"http://rebinding.example:{server.server_address[1]}/small")
    assert server.asked == []


def read_by_content(response):
    return response.content


def read_raw(response):
    """As pyVO reads tables."""
    while response.raw.read(500, decode_content=True):
        pass


@pytest.mark.parametrize("path", ["large", "packed", "chunks"])
@pytest.mark.parametrize("read", [read_by_content, read_raw])
def test_answers_are_bounded_unpacked(server, open_session, path, read):
    _, session = open_session(server)
    with session.get(f"{server.url}/{path}", stream=True) as response, pytest.raises(RefusedError, match="_bytes"):
        read(response)
    assert session.get(f"{server.url}/small").text == "small"


def test_who_drips_is_cut_when_the_time_of_a_service_is_up(server, open_session):
    network, session = open_session(server, seconds=0.5)
    network.begin_service()
    with pytest.raises((requests.exceptions.RequestException, RefusedError)):
        assert session.get(f"{server.url}/drip").content
    with pytest.raises(RefusedError, match="discovery_service_seconds"):
        session.get(f"{server.url}/small")
    network.begin_service()  # the next one has its own time
    assert session.get(f"{server.url}/small").text == "small"


def test_closing_cuts_what_is_being_asked(server, open_session):
    network, session = open_session(server)
    threading.Timer(0.3, network.close).start()
    with pytest.raises((requests.exceptions.RequestException, RefusedError)):
        assert session.get(f"{server.url}/drip").content
    with pytest.raises(RefusedError, match="stopped"):
        session.get(f"{server.url}/small")


def test_proxies_of_the_environment_are_not_asked(server, open_session, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    _, session = open_session(server)
    assert session.get(f"{server.url}/small").text == "small"


def test_faults_are_short(open_session):
    _, session = open_session(private=True)
    with pytest.raises(RefusedError) as told:
        session.get("http://127.0.0.1:1/")
    assert str(told.value) == "it does not answer"
    with pytest.raises(RefusedError, match="is not known"):
        session.get("http://no-such-host.invalid/")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "http://127.0.0.1:1/", "ftp://127.0.0.1/"])
def test_nothing_else_in_the_process_fetches(monkeypatch, url):
    monkeypatch.setattr(urllib.request, "_opener", None)
    close_other_ways()
    with pytest.raises(URLError, match="not fetched here"):
        urllib.request.urlopen(url)  # noqa: S310  which is the point
    with pytest.raises(URLError, match="not fetched here"):
        urllib.request.urlopen(urllib.request.Request(url))  # noqa: S310  the same
