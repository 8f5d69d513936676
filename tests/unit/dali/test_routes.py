from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from vo.dali import routes
from vo.dali.faults import SODA_STYLE, TEXT_STYLE, dali_style, tap_style
from vo.errors import FatalFault, MultiValuedParamNotSupportedFault, NotFoundFault, TransientFault, UsageFault
from vo.settings import Settings

SETTINGS = Settings(request_bytes=10_000)


def app(*own, settings=SETTINGS, style=TEXT_STYLE):
    async def echo(request):
        parameters = await routes.read_parameters(request, settings)
        parts = {name: [part.filename, part.file.read().decode()] for name, part in parameters.parts.items()}
        return JSONResponse({"pairs": parameters.items(), "parts": parts})

    def where(request):
        return JSONResponse([routes.base_url(request, settings), routes.request_url(request, settings)])

    handler = routes.fault_handler(lambda _request: style)
    every = [
        Route("/echo", echo, methods=["GET", "POST"]),
        Route("/where", where),
        Mount("/below", routes=[Route("/where", where)]),
        *own,
    ]
    handlers = {
        UsageFault: handler,
        FatalFault: handler,
        TransientFault: handler,
        HTTPException: handler,
        Exception: handler,
    }
    return Starlette(routes=every, exception_handlers=handlers)


@contextmanager
def served(application, root_path=""):
    """A real server on a free port; gives its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, log_config=None, lifespan="off", ws="none", proxy_headers=False, root_path=root_path
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def client(*own, root_path="", **options):
    with (
        served(app(*own, **options), root_path) as (host, port),
        httpx.Client(base_url=f"http://{host}:{port}") as http,
    ):
        yield http


def test_parameters_of_address_urlencoded_and_multipart_DALI_02():  # noqa: N802  the assertion's id
    pairs = [["QUERY", "SELECT 'ü+&' FROM x"], ["Lang", "ADQL"], ["EMPTY", ""]]
    with client() as http:
        sent = [tuple(pair) for pair in pairs]
        assert http.get("/echo", params=sent).json()["pairs"] == pairs
        assert http.post("/echo", data=dict(sent)).json()["pairs"] == pairs
        fields = [(name, (None, value)) for name, value in sent]
        assert http.post("/echo", files=fields).json()["pairs"] == pairs
        both = http.post("/echo?ID=1", data={"ID": "2"})
        assert both.json()["pairs"] == [["ID", "1"], ["ID", "2"]]


def test_uploaded_files_are_parts():
    with client() as http:
        answer = http.post(
            "/echo", data={"UPLOAD": "t,param:file1"}, files={"file1": ("t.vot", b"<VOTABLE/>", "text/xml")}
        )
    assert answer.json() == {"pairs": [["UPLOAD", "t,param:file1"]], "parts": {"file1": ["t.vot", "<VOTABLE/>"]}}


def test_many_values_in_one_body():
    with client(settings=Settings(request_bytes=1_000_000)) as http:
        body = "&".join(f"ID={number}" for number in range(5000))
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
        assert len(http.post("/echo", content=body, headers=headers).json()["pairs"]) == 5000
        files = [("ID", (None, str(number))) for number in range(5000)]
        assert len(http.post("/echo", files=files).json()["pairs"]) == 5000


PREFIX = b'--x\r\nContent-Disposition: form-data; name="QUERY"\r\n\r\n'


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize("headers", [FORM, MULTIPART, {"Content-Type": "text/xml"}])
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_too_large_is_refused(headers, announced):
    with client() as http:
        body = [PREFIX, *[b"a" * 1000] * 20]
        answer = http.post("/echo", content=b"".join(body) if announced else iter(body), headers=headers)
    assert answer.status_code == 413
    assert "larger than the 10000 bytes that are read here (request_bytes)" in answer.text


def test_a_body_announced_too_large_is_not_read():
    """The fault comes from the header alone."""
    scope = {"type": "http", "method": "POST", "query_string": b"", "headers": [(b"content-length", b"20000")]}

    async def receive():
        raise AssertionError("the body was read")

    with pytest.raises(UsageFault, match="request_bytes"):
        asyncio.run(routes.read_parameters(Request(scope, receive), SETTINGS))


@pytest.mark.parametrize(
    ("content", "headers", "advice"),
    [
        (b"QUERY=%ff", FORM, "percent-encoded UTF-8"),
        (b"QUERY=\xff", FORM, "percent-encoded UTF-8"),
        (b"QUERY=a%00b", FORM, "NUL"),
        (b"<xml/>", {"Content-Type": "text/xml"}, "send application/x-www-form-urlencoded or multipart/form-data"),
        (b"nonsense", MULTIPART, "multipart body cannot be read"),
        (b"--y\r\n", {"Content-Type": "multipart/form-data"}, "boundary"),
        (b"--x\r\n\r\nhello\r\n--x--", MULTIPART, "multipart body cannot be read"),
    ],
)
def test_malformed_bodies_are_told_what_to_send(content, headers, advice):
    with client() as http:
        answer = http.post("/echo", content=content, headers=headers)
    assert answer.status_code == 400
    assert advice in answer.text


def test_an_address_that_is_not_utf8():
    with client() as http:
        assert http.get("/echo?A=%ff").status_code == 400


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "plates.example, inner", "X-Forwarded-Prefix": "/vo/"}


def test_base_url():
    with client() as http:
        own = str(http.base_url).rstrip("/")
        assert http.get("/where?a=1").json() == [own, f"{own}/where?a=1"]
        assert http.get("/where", headers=FORWARDED).json()[0] == own
        assert http.get("/below/where").json() == [own, f"{own}/below/where"]
        assert http.get("/where", headers={"Host": "[::1]:8080"}).json()[0] == "http://[::1]:8080"
    with client(settings=Settings(trust_forwarded=True)) as http:
        answer = http.get("/where", headers=FORWARDED)
        assert answer.json() == ["https://plates.example/vo", "https://plates.example/vo/where"]
    with client(settings=Settings(base_url="https://fixed.example/p/")) as http:
        assert http.get("/where").json() == ["https://fixed.example/p", "https://fixed.example/p/where"]
    with client(root_path="/proxy") as http:
        own = str(http.base_url).rstrip("/")
        assert http.get("/where").json() == [f"{own}/proxy", f"{own}/proxy/where"]


@pytest.mark.parametrize("host", ['evil"><script>', "a b", "host/path", ""])
def test_a_host_that_is_none_does_not_reach_documents(host):
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", host.encode())],
        "server": None,
    }
    with pytest.raises(UsageFault, match="no usable address"):
        routes.base_url(Request(scope), SETTINGS)


def raising(error):
    def endpoint(_request):
        raise error

    return Route("/fail", endpoint)


def votable(text):
    return f"<doc>{text}</doc>".encode()


@pytest.mark.parametrize(
    ("error", "style", "status", "content_type", "body"),
    [
        (UsageFault("no"), tap_style("a/b", votable), 400, "a/b", b"<doc>no</doc>"),
        (UsageFault("no"), dali_style("a/b", votable), 400, "a/b", b"<doc>UsageFault: no</doc>"),
        (UsageFault("no"), SODA_STYLE, 400, "text/plain; charset=utf-8", b"UsageError: no\n"),
        (NotFoundFault("x"), SODA_STYLE, 404, "text/plain; charset=utf-8", b"UsageError: x\n"),
        (
            MultiValuedParamNotSupportedFault("twice"),
            SODA_STYLE,
            400,
            "text/plain; charset=utf-8",
            b"MultiValuedParamNotSupported: twice\n",
        ),
        (
            TransientFault("later", retry_after=7),
            SODA_STYLE,
            503,
            "text/plain; charset=utf-8",
            b"ServiceUnavailable: later\n",
        ),
    ],
)
def test_faults_in_each_protocols_words_DALI_13(error, style, status, content_type, body):  # noqa: N802  the assertion's id
    with client(raising(error), style=style) as http:
        answer = http.get("/fail")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (status, content_type, body)
    assert answer.headers.get("retry-after") == (str(error.retry_after) if error.retry_after else None)


def test_unforeseen_errors_are_logged_under_a_number_and_hidden(caplog):
    with client(raising(ZeroDivisionError("password=secret"))) as http:
        answer = http.get("/fail")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    incident = answer.text.split("incident ")[1].strip()
    record = next(record for record in caplog.records if incident in record.getMessage())
    assert "password=secret" in str(record.exc_info[1])


def test_addresses_and_methods_that_are_none():
    with client() as http:
        assert http.get("/nowhere").status_code == 404
        assert "nothing at /nowhere" in http.get("/nowhere").text
        refused = http.delete("/echo")
    assert refused.status_code == 405
    assert "GET" in refused.headers["allow"]
    assert "DELETE is not possible at /echo" in refused.text


class Source:
    """Counts how often a stream was closed; a block made from None waits until the client's going away ends it."""

    def __init__(self, *parts):
        self.parts = parts
        self.closed = 0
        self.gone = threading.Event()
        self.waiting = threading.Event()
        self.done = threading.Semaphore(0)

    def blocks(self):
        for part in self.parts:
            if part is None:
                self.waiting.set()
                if not self.gone.wait(20):
                    raise AssertionError("nobody said that the client went away")
                raise TransientFault("cancelled")
            if isinstance(part, Exception):
                raise part
            yield part

    def close(self):
        self.closed += 1
        self.done.release()

    def route(self, patience=60):
        def endpoint(_request):
            return routes.stream(self.blocks(), "text/csv", self.close, patience=patience, on_gone=self.gone.set)

        return Route("/stream", endpoint)


def test_a_stream_has_the_media_type_word_for_word_DALI_05():  # noqa: N802  the assertion's id
    source = Source(b"abc", b"", b"def")
    with client(source.route()) as http:
        answer = http.get("/stream")
        assert answer.content == b"abcdef"
        assert answer.headers["content-type"] == "text/csv"
        assert source.done.acquire(timeout=10)
        assert source.closed == 1
        head = http.head("/stream")
    assert head.status_code == 200
    assert head.content == b""
    assert source.done.acquire(timeout=10)
    assert source.closed == 2


def test_a_fault_before_the_first_block_is_a_fault_document():
    source = Source(UsageFault("division by zero"))
    with client(source.route(), style=dali_style("a/b", votable)) as http:
        answer = http.get("/stream")
    assert answer.status_code == 400
    assert answer.content == b"<doc>UsageFault: division by zero</doc>"
    assert source.done.acquire(timeout=10)
    assert source.closed == 1


def test_a_fault_amid_a_stream_breaks_the_answer_off():
    source = Source(b"a,b\n", b"1,2\n", TransientFault("the database went away"))
    with served(app(source.route())) as (host, port), pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
        httpx.get(f"http://{host}:{port}/stream")
    assert source.done.acquire(timeout=10)
    assert source.closed == 1


@pytest.mark.parametrize("parts", [(None,), (b"a,b\n", None)], ids=["before the first block", "amid the rows"])
def test_a_client_that_goes_away_ends_the_work(parts):
    source = Source(*parts)
    with served(app(source.route())) as address:
        with socket.create_connection(address) as connection:
            connection.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            assert source.waiting.wait(10)
        assert source.done.acquire(timeout=10)
    assert source.closed == 1


def test_a_client_that_stops_reading_and_leaves_ends_the_work():
    source = Source(*[b"x" * (1 << 20)] * 200)
    with served(app(source.route())) as address:
        with socket.create_connection(address) as connection:
            connection.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.recv(1000)
        assert source.done.acquire(timeout=10)
    assert source.closed == 1


def test_a_client_that_stops_reading_and_stays_ends_the_work_after_a_while():
    source = Source(*[b"x" * (1 << 20)] * 200)
    with served(app(source.route(patience=0.5))) as address, socket.create_connection(address) as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(1000)
        assert source.done.acquire(timeout=10)
    assert source.closed == 1
