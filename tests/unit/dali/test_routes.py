from __future__ import annotations

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import httpx
import pytest
import uvicorn
from patience import PATIENCE, read_until
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from vo.dali import routes
from vo.dali.faults import SODA_STYLE, TEXT_STYLE, dali_style, tap_style
from vo.dali.work import Body
from vo.errors import FatalFault, Fault, MultiValuedParamNotSupportedFault, NotFoundFault, TransientFault, UsageFault
from vo.settings import Settings

SETTINGS = Settings(request_bytes=10_000, upload_bytes=20_000)


def echo_route(settings):
    async def echo(request):
        parameters = await routes.read_parameters(request, settings)
        parts = {name: [part.filename, part.file.read().decode()] for name, part in parameters.parts.items()}
        return JSONResponse({"pairs": parameters.items(), "parts": parts})

    return Route("/echo", echo, methods=["GET", "POST"])


def app(*own, settings=SETTINGS, style=TEXT_STYLE):
    def where(request):
        return JSONResponse([routes.base_url(request, settings), routes.request_url(request, settings)])

    handler = routes.fault_handler(lambda _request: style)
    every = [
        echo_route(settings),
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
        httpx.Client(base_url=f"http://{host}:{port}", timeout=PATIENCE) as http,
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
FILE = {**MULTIPART, "X-Kind": "file"}
FILE_PREFIX = b'--x\r\nContent-Disposition: form-data; name="t"; filename="t.vot"\r\n\r\n'


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        (FORM, "10000 bytes that are read here (request_bytes)"),
        (MULTIPART, "10000 bytes that are read here (request_bytes)"),
        ({"Content-Type": "text/xml"}, "10000 bytes that are read here (request_bytes)"),
        (FILE, "30000 bytes that are read here (request_bytes and upload_bytes)"),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_too_large_is_refused(headers, named, announced):
    with client() as http:
        begin = FILE_PREFIX if headers is FILE else PREFIX
        body = [begin, *[b"a" * 1000] * (40 if headers is FILE else 20)]
        answer = http.post("/echo", content=b"".join(body) if announced else iter(body), headers=headers)
    assert answer.status_code == 413
    assert named in answer.text


def test_files_may_be_larger_than_the_rest():
    body = FILE_PREFIX + b"a" * 15_000 + b"\r\n--x--\r\n"
    with client() as http:
        answer = http.post("/echo", content=body, headers=FILE)
        assert len(answer.json()["parts"]["t"][1]) == 15_000


def test_many_fields_are_counted_together():
    parts = [("ID", (None, "a" * 3000))] * 4
    with client() as http:
        answer = http.post("/echo", files=parts)
    assert answer.status_code == 413
    assert "10000 bytes that are read here (request_bytes)" in answer.text


def test_a_body_announced_too_large_is_not_read():
    """The fault comes from the header alone."""
    scope = {
        "type": "http",
        "method": "POST",
        "query_string": b"",
        "headers": [(b"content-length", b"20000"), (b"content-type", b"text/plain")],
    }

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
        (FILE_PREFIX.replace(b"t.vot", b"a\0b") + b"x\r\n--x--\r\n", MULTIPART, "NUL"),
        (b"<xml/>", {"Content-Type": "text/xml"}, "send application/x-www-form-urlencoded or multipart/form-data"),
        (b"nonsense", MULTIPART, "multipart body cannot be read"),
        (b"--y\r\n", {"Content-Type": "multipart/form-data"}, "boundary"),
        (b"--x\r\n\r\nhello\r\n--x--", MULTIPART, "multipart body cannot be read"),
        (PREFIX + b"SELECT 1\r\n", MULTIPART, "its end is missing"),
        (FILE_PREFIX + b"<VOTABLE/>\r\n--", FILE, "its end is missing"),
        (2 * (FILE_PREFIX + b"<VOTABLE/>\r\n") + b"--x--", FILE, "two files of the request are called 't'"),
    ],
)
def test_malformed_bodies_are_told_what_to_send(content, headers, advice):
    with client() as http:
        answer = http.post("/echo", content=content, headers=headers)
    assert answer.status_code == 400
    assert advice in answer.text


def test_a_request_of_very_many_parameters_is_refused_at_once():
    with client(settings=Settings(ids_per_call=1000)) as http:
        many = b"a=&" * 2_000_000
        began = time.process_time()
        answer = http.post("/echo", content=many, headers=FORM)
        # of the processor, and of the event loop, where others wait: to read them takes four seconds
        assert time.process_time() - began < 1.0
        assert answer.status_code == 413
        assert "11000 parameters" in answer.text
        fields = [("ID", (None, str(number))) for number in range(11_001)]
        assert http.post("/echo", files=fields).status_code == 400


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
                if not self.gone.wait(2 * PATIENCE):
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
            body = Body("text/csv", self.blocks(), self.close, self.gone.set)
            return routes.respond(lambda: body, patience=patience)

        return Route("/stream", endpoint)


def test_a_stream_has_the_media_type_word_for_word_DALI_05():  # noqa: N802  the assertion's id
    source = Source(b"abc", b"", b"def")
    with client(source.route()) as http:
        answer = http.get("/stream")
        assert answer.content == b"abcdef"
        assert answer.headers["content-length"] == "6"
        assert answer.headers["content-type"] == "text/csv"
        assert source.done.acquire(timeout=PATIENCE)
        assert source.closed == 1
        head = http.head("/stream")
    assert head.status_code == 200
    assert head.content == b""
    assert source.done.acquire(timeout=PATIENCE)
    assert source.closed == 2


def test_a_fault_before_the_first_block_is_a_fault_document():
    source = Source(UsageFault("division by zero"))
    with client(source.route(), style=dali_style("a/b", votable)) as http:
        answer = http.get("/stream")
    assert answer.status_code == 400
    assert answer.content == b"<doc>UsageFault: division by zero</doc>"
    assert source.done.acquire(timeout=PATIENCE)
    assert source.closed == 1


def test_a_fault_amid_a_stream_breaks_the_answer_off():
    source = Source(b"a,b\n" * 20_000, b"1,2\n", TransientFault("the database went away"))
    with served(app(source.route())) as (host, port), pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
        httpx.get(f"http://{host}:{port}/stream", timeout=PATIENCE)
    assert source.done.acquire(timeout=PATIENCE)
    assert source.closed == 1


@pytest.mark.parametrize("parts", [(None,), (b"a,b\n" * 20_000, None)], ids=["before the first block", "amid the rows"])
def test_a_client_that_goes_away_ends_the_work(parts):
    source = Source(*parts)
    with served(app(source.route())) as address:
        with socket.create_connection(address) as connection:
            connection.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            assert source.waiting.wait(PATIENCE)
        assert source.done.acquire(timeout=PATIENCE)
    assert source.closed == 1


def test_a_client_that_stops_reading_and_leaves_ends_the_work():
    source = Source(*[b"x" * (1 << 20)] * 200)
    with served(app(source.route())) as address:
        with socket.create_connection(address) as connection:
            connection.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.recv(1000)
        assert source.done.acquire(timeout=PATIENCE)
    assert source.closed == 1


def test_a_client_that_stops_reading_and_stays_ends_the_work_after_a_while():
    source = Source(*[b"x" * (1 << 20)] * 200)
    with served(app(source.route(patience=0.5))) as address, socket.create_connection(address) as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(1000)
        assert source.done.acquire(timeout=PATIENCE)
    assert source.closed == 1


def test_a_turn_is_held_until_the_answer_has_been_sent():
    source = Source(b"abc")
    held = []

    @asynccontextmanager
    async def turn():
        held.append("taken")
        yield
        held.append(source.closed)

    def endpoint(_request):
        return routes.respond(lambda: Body("text/csv", source.blocks(), source.close), patience=5, turn=turn())

    with client(Route("/turn", endpoint)) as http:
        assert http.get("/turn").content == b"abc"
    assert held == ["taken", 1]


@pytest.mark.parametrize("rows", [b"", b"a,b\n" * 20_000], ids=["before the first block", "amid the rows"])
def test_answers_are_ended_when_the_server_stops(rows):
    source = Source(*([rows] if rows else []), None)
    application = app(source.route(), style=tap_style("a/b", votable))
    with served(application) as (host, port), ThreadPoolExecutor(1) as pool:
        asked = pool.submit(httpx.get, f"http://{host}:{port}/stream", timeout=PATIENCE)
        assert source.waiting.wait(PATIENCE)
        routes.end_answers(application)
        if rows:
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
                asked.result()
        else:
            answer = asked.result()
            assert answer.status_code == 503
            assert "being stopped" in answer.text
            assert answer.headers["retry-after"]
        assert source.done.acquire(timeout=PATIENCE)
    assert source.closed == 1


def test_a_request_that_does_not_come_is_given_up():
    impatient = Settings(stall_seconds=0.3)
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nContent-Type: %s\r\n\r\n"
    bodies = {b"application/x-www-form-urlencoded": b"A=1", b"multipart/form-data; boundary=x": FILE_PREFIX}
    handler = {Fault: routes.fault_handler(lambda _request: TEXT_STYLE)}
    for content_type, begin in bodies.items():
        with (
            served(Starlette(routes=[echo_route(impatient)], exception_handlers=handler)) as address,
            socket.create_connection(address, timeout=PATIENCE) as connection,
        ):
            connection.sendall(head % content_type + begin)
            told = read_until(connection, b"stall_seconds")
            assert told.startswith(b"HTTP/1.1 408 "), told
            assert b"stall_seconds" in told


@pytest.mark.parametrize(
    ("forwarded", "trusted", "address"),
    [
        (None, False, "127.0.0.1"),
        ("192.0.2.7", False, "127.0.0.1"),
        ("192.0.2.7", True, "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7", True, "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", True, "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", True, "192.0.2.7"),
        ("unknown", True, "unknown"),
    ],
)
def test_who_a_client_is(forwarded, trusted, address):
    settings = Settings(trust_forwarded=trusted)
    who = Route("/who", lambda request: JSONResponse(routes.client_address(request, settings)))
    with client(who, settings=settings) as http:
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        assert http.get("/who", headers=headers).json() == address
