"""Behind a proxy with a path prefix every address that is handed out is the public one, and answers.

A proxy of the test's own takes the prefix off, as nginx does; the server learns of it in each of the three ways there
are. A crawl then follows whatever pages, documents, tables and redirects name.
"""

from __future__ import annotations

import html
import http.client
import re
import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

import httpx
import lxml.html
import pytest
import uvicorn
from lxml import etree
from patience import PATIENCE, eventually
from serving import running

from vo.app import create_app
from vo.registry.publish import published_base

PREFIX = "/archive/vo"

DID = "ivo://vo-plates.example/demo?comet_1941/1"
QUERY = "SELECT TOP 3 * FROM ivoa.obscore WHERE 1 = CONTAINS(POINT(214.62, 28.41), s_region)"

#: Where the crawl begins, beside the front page; what hands out addresses and is linked from nowhere.
SEEDS = (
    "/",
    f"/tap/sync?FORMAT=votable/td&QUERY={quote(QUERY)}",
    f"/tap/sync?FORMAT=csv&QUERY={quote(QUERY)}",
    f"/tap/sync?FORMAT=votable/td&MAXREC=0&QUERY={quote(QUERY)}",
    "/sia2/query?POS=CIRCLE+214.62+28.41+0.1&RESPONSEFORMAT=votable/td",
    "/sia2/query?MAXREC=0&RESPONSEFORMAT=votable/td",
    f"/datalink/links?ID={quote(DID)}",
    f"/datalink/links?ID={quote(DID)}&ID={quote(DID[:-1] + '9')}",
    f"/soda/sync?ID={quote(DID)}",
    "/tap",
    "/tap/",
    "/collections/demo/?search=a",
    "/plates/demo/comet_1941",
    "/plates/demo/eleven",
)

#: Addresses of services, which need parameters before they answer anything but what is missing, as those of places do.
BARE = {"/tap/sync": 400, "/soda/sync": 400, "/nothing": 404}

#: How an address ends in which people put their own numbers, as a page tells them.
PATTERN = "&CIRCLE=ra"

#: What the proxy calls the server, where the public name is told in another way.
HIDDEN = "backend.invalid"
_OURS = ("127.0.0.1", "localhost", HIDDEN)

#: So many addresses of each kind are followed.
_MOST = 4

_ADDRESS = re.compile(rf"https?://(?:{'|'.join(map(re.escape, _OURS))})[^\s\"'<>)\\]*")
_TEXTS = ("text/", "application/x-votable+xml", "application/xml", "application/json")


@contextmanager
def proxy(backend, headers):
    """A proxy for ``PREFIX`` in front of the port ``backend()``; ``headers(host)`` is what it tells; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if not f"{self.path}/".startswith((f"{PREFIX}/", f"{PREFIX}?")):
                self.send_error(502, "an address outside of the prefix")
                return
            connection = http.client.HTTPConnection("127.0.0.1", backend(), timeout=PATIENCE)
            sent = {**dict(self.headers), **headers(self.headers["Host"])}
            connection.request(self.command, self.path.removeprefix(PREFIX) or "/", headers=sent)
            answer = connection.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "server", "date", "connection"):
                    self.send_header(name, value)
            if answer.status not in (204, 304):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            connection.close()

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def with_root_path(settings, database):
    """The application as an ASGI server runs it that was given a root path."""
    app = create_app(settings, database)
    config = uvicorn.Config(app, port=0, root_path=PREFIX, log_config=None, ws="none", proxy_headers=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(PATIENCE)
    assert not thread.is_alive()


def forwarded(public):
    return {
        "Host": HIDDEN,
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": public,
        "X-Forwarded-Prefix": PREFIX,
    }


@pytest.fixture(params=["root_path", "base_url", "forwarded"])
def public(request, server):
    """The public address of a server behind the prefix, which it learns of in one of three ways."""
    settings, database = server.settings, server.database
    with ExitStack() as stack:
        match request.param:
            case "root_path":
                port = stack.enter_context(with_root_path(settings, database))
                front = stack.enter_context(proxy(lambda: port, lambda _host: {}))
            case "forwarded":
                trusting = settings.model_copy(update={"trust_forwarded": True})
                backend = stack.enter_context(running(trusting, database))
                front = stack.enter_context(proxy(lambda: urlsplit(backend.url).port, forwarded))
            case _:
                # The public port has to be known before the server is made, whose port the proxy learns afterwards.
                ports: list[int] = []
                front = stack.enter_context(proxy(lambda: ports[0], lambda _host: {"Host": HIDDEN}))
                base = f"http://127.0.0.1:{front}{PREFIX}/"
                backend = stack.enter_context(running(settings.model_copy(update={"base_url": base}), database))
                ports.append(urlsplit(backend.url).port)
        yield f"http://127.0.0.1:{front}{PREFIX}"


def addresses(url: str, response: httpx.Response) -> set[str]:
    """What an answer names: its redirect, the links and forms of a page, absolute addresses anywhere in a text."""
    found = {urljoin(url, response.headers["location"])} if "location" in response.headers else set()
    media_type = response.headers.get("content-type", "")
    if not media_type.startswith(_TEXTS):
        return found
    if media_type.startswith("text/html"):
        root = lxml.html.fromstring(response.content)
        named = [*root.xpath("//@href"), *root.xpath("//@src"), *root.xpath("//@action")]
        found |= {urljoin(url, one) for one in named if not one.startswith(("data:", "mailto:"))}
    found |= {html.unescape(one) for one in _ADDRESS.findall(html.unescape(response.text))}
    return {one.partition("#")[0].rstrip(".,;") for one in found}


def kind(path: str, query: str) -> tuple[str, ...]:
    return (*path.split("/")[1:3], *sorted({name for name, _ in parse_qsl(query)}))


def test_every_address_that_is_handed_out_is_public_and_answers(public, server):
    with server.database.read() as connection:
        published = published_base(connection, server.settings)
    waiting = [f"{public}{seed}" for seed in SEEDS]
    seen = set(waiting)
    visited: set[str] = set()
    followed: Counter[tuple[str, ...]] = Counter()
    with httpx.Client(timeout=PATIENCE) as client:
        while waiting:
            url = waiting.pop(0)
            path, query = urlsplit(url).path.removeprefix(PREFIX), urlsplit(url).query
            response = client.get(url)
            visited.add("/".join(path.split("/")[1:3]))
            expected = None if query else 400 if path.endswith("/at") else BARE.get(path)
            assert response.status_code == expected or response.status_code < 400, f"{url}: {response.text[:500]}"
            for other in addresses(url, response) - seen:
                if urlsplit(other).hostname not in _OURS:
                    continue  # a page of somebody else
                if published and f"{other}/".startswith(f"{published}/"):
                    # What records say, in their pages and in answers from rr: they may have been published before in
                    # this run, as those of another server than the one behind this proxy.
                    continue
                assert f"{other}/".startswith(f"{public}/"), f"{url} hands out {other}"
                seen.add(other)
                if other.endswith(PATTERN):
                    continue
                group = kind(urlsplit(other).path.removeprefix(PREFIX), urlsplit(other).query)
                if followed[group] < _MOST:
                    followed[group] += 1
                    waiting.append(other)
    assert visited >= {
        "",
        "static/vo.css",
        "collections/demo",
        "plates/demo",
        "files/demo",
        "tap",
        "tap/sync",
        "tap/tables",
        "tap/examples",
        "tap/capabilities",
        "tap/availability",
        "sia2/query",
        "sia2/capabilities",
        "datalink/links",
        "datalink/capabilities",
        "soda/sync",
        "soda/capabilities",
    }


def test_pages_of_faults_lead_to_the_public_front_page(public):
    response = httpx.get(f"{public}/nothing", timeout=PATIENCE)
    assert response.status_code == 404
    assert f"{public}/" in lxml.html.fromstring(response.content).xpath("//a/@href")


def test_forms_can_be_sent_from_where_they_are(public):
    """The policy of the pages allows their own origin alone."""
    for path in ("/", "/plates/demo/comet_1941", "/collections/demo"):
        url = f"{public}{path}"
        actions = lxml.html.fromstring(httpx.get(url, timeout=PATIENCE).content).xpath("//form/@action")
        assert actions or path.startswith("/collections")
        for action in actions:
            assert urlsplit(urljoin(url, action))[:2] == urlsplit(public)[:2]


@pytest.mark.parametrize("verb", ["Identify", "junk"])
def test_the_registry_answers_with_its_public_address(public, verb):
    """As validators ask of it (OAI-03); addresses within records are those that they were published with."""
    root = etree.fromstring(httpx.get(f"{public}/oai?verb={verb}", timeout=PATIENCE).content)
    space = "{http://www.openarchives.org/OAI/2.0/}"
    told = [one.text for name in ("request", "baseURL") for one in root.iter(f"{space}{name}")]
    assert told == [f"{public}/oai"] * (2 if verb == "Identify" else 1)


def test_without_trust_forwarded_headers_are_not_believed(server):
    response = server.client.get("/tap/capabilities", headers=forwarded("evil.example"))
    assert "evil.example" not in response.text
    trusting = server.client.get("/tap", headers={"X-Forwarded-Host": "evil.example"})
    assert trusting.headers["location"] == f"{server.url}/#services"
