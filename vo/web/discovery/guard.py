"""What a search may ask on the network: public hosts by http and https, and the server that started it.

A server that asks what strangers registered can be made to ask its own neighbours (SSRF). So each host is resolved
once, each of its addresses has to be one of the public internet, and the connection goes to one of these; each redirect
is looked at in the same way. Answers are bounded in bytes and in time, however slowly they drip.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import urllib.request
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from vo.dali.addresses import find_addresses, is_public
from vo.web.discovery.order import Bounds, Own

_MOST_REDIRECTS = 5
_TICK_SECONDS = 0.25


class RefusedError(requests.exceptions.ConnectionError):
    """An address is not asked, or an answer not read to its end; the text says why."""


class Network:
    """All connections of the process: who may be asked, until when, and what cuts them."""

    def __init__(self, own: Own, bounds: Bounds) -> None:
        self.own: Final = own
        self.bounds: Final = bounds
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._deadline = float("inf")
        self._is_closed = False
        self._ended = threading.Event()
        threading.Thread(target=self._watch, name="deadline", daemon=True).start()

    def begin_service(self) -> None:
        """The time that one service has begins now."""
        self._deadline = time.monotonic() + self.bounds.service_seconds

    def close(self) -> None:
        """Ask nothing more, and cut what is being asked."""
        self._is_closed = True
        self._cut()

    def end(self) -> None:
        """Nothing is to be watched any more."""
        self._ended.set()

    def check_time(self) -> None:
        """:class:`RefusedError` when the search is being stopped or the service has had its time."""
        if self._is_closed:
            raise RefusedError("the search was stopped")
        if time.monotonic() >= self._deadline:
            raise RefusedError(f"it took longer than {self.bounds.service_seconds:g} s (discovery_service_seconds)")

    def find(self, host: str, port: int) -> list[str]:
        """The addresses of a host that may be asked; :class:`RefusedError` when it may not."""
        try:
            addresses = find_addresses(host, port)
        except OSError:
            raise RefusedError(f"the host {host!r} is not known") from None
        # One private address among several is enough to refuse: which of them is asked would be chance.
        if not self.bounds.private and not all(self._may_ask(address, port) for address in addresses):
            raise RefusedError(f"the host {host!r} is in a private network, which is not asked from here")
        return addresses

    def reach(self, host: str, port: int, seconds: float) -> socket.socket:
        """Connect to one of the addresses that were looked at."""
        addresses = self.find(host, port)
        self.check_time()
        for address in addresses[:-1]:
            with contextlib.suppress(OSError):
                return self.keep(socket.create_connection((address, port), timeout=seconds / len(addresses)))
        return self.keep(socket.create_connection((addresses[-1], port), timeout=seconds))

    def keep(self, connection: socket.socket) -> socket.socket:
        """Have a connection cut when the time is up."""
        self._sockets.add(connection)
        return connection

    def _may_ask(self, address: str, port: int) -> bool:
        return is_public(address) or (address == self.own.host and port == self.own.port)

    def _cut(self) -> None:
        for connection in list(self._sockets):
            with contextlib.suppress(OSError, ValueError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _watch(self) -> None:
        while not self._ended.wait(_TICK_SECONDS):
            if self._is_closed or time.monotonic() >= self._deadline:
                self._cut()


def make_session(network: Network, user_agent: str, seconds: float) -> requests.Session:
    """A session for everything that pyVO asks; ``seconds`` is how long a host may be silent."""
    session = _Session(seconds)
    session.headers["User-Agent"] = user_agent
    session.trust_env = False  # a proxy would resolve names by itself, and .netrc is nobody's business
    session.max_redirects = _MOST_REDIRECTS
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(network))
    return session


def close_other_ways() -> None:
    """Let nothing in this process fetch by other ways.

    A VOTable may name the place of its rows, which astropy would open with urllib, be it a file of this machine; and
    astropy would fetch tables of its own.
    """
    urllib.request.install_opener(_NoOpener())


class _NoOpener(urllib.request.OpenerDirector):
    def open(self, fullurl: Any, *_data: Any, **_how: Any) -> Any:
        text = fullurl if isinstance(fullurl, str) else fullurl.full_url
        raise URLError(f"{text[:100]} is not fetched here")


class _Session(requests.Session):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def request(self, *args: Any, **values: Any) -> requests.Response:
        values["timeout"] = self._seconds
        return super().request(*args, **values)


class _Adapter(HTTPAdapter):
    def __init__(self, network: Network) -> None:
        self._network = network
        super().__init__()

    def init_poolmanager(self, *args: Any, **values: Any) -> None:
        super().init_poolmanager(*args, **values)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self._network)

    def send(self, request: requests.PreparedRequest, *args: Any, **values: Any) -> requests.Response:
        self._network.check_time()
        self._lead_home(request)
        asked = urlsplit(request.url or "")
        port = asked.port or (443 if asked.scheme == "https" else 80)
        self._network.find(asked.hostname or "", port)  # before the connection, which would hide what it says
        try:
            response = super().send(request, *args, **values)
        except requests.exceptions.RequestException as error:
            self._network.check_time()
            raise RefusedError(_reason(error)) from None
        _bound(response, self._network)
        return response

    def _lead_home(self, request: requests.PreparedRequest) -> None:
        """Ask the own server where it listens, under the name that the visitor has for it."""
        own = self._network.own
        base = _base_of(request.url or "", own)
        if base is None:
            return
        request.url = own.url + (request.url or "")[len(base) :]
        for name, value in own.headers:
            request.headers[name] = value


def _base_of(url: str, own: Own) -> str | None:
    """The name of the own server that an address begins with."""
    return next((base for base in (own.url, *own.bases) if url.startswith(base) and url[len(base) :][:1] in "/?"), None)


def _reason(error: requests.exceptions.RequestException) -> str:
    """What stood in the way, in a few words; requests tells it in the words of three libraries."""
    match error:
        case requests.exceptions.SSLError():
            return "its certificate is not valid"
        case requests.exceptions.Timeout():
            return "it does not answer in time"
        case requests.exceptions.ConnectionError():
            return "it does not answer"
        case _:
            return f"it cannot be asked ({type(error).__name__})"


def _pool_classes(network: Network) -> dict[str, Any]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return network.reach(self.host, self.port or 80, _seconds(self.timeout))

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return network.reach(self.host, self.port or 443, _seconds(self.timeout))

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

        def _validate_conn(self, conn: Any) -> None:
            super()._validate_conn(conn)
            network.keep(conn.sock)  # with TLS, which has taken over the one that was connected

    return {"http": PlainPool, "https": SecurePool}


def _seconds(timeout: Any) -> float:
    return float(timeout) if isinstance(timeout, int | float) else 20.0


def _bound(response: requests.Response, network: Network) -> None:
    """Count what is read of an answer, unpacked, and break off where it is too much or too slow."""
    raw: Any = response.raw
    most = network.bounds.bytes
    size = 0

    def count(block: bytes) -> bytes:
        nonlocal size
        size += len(block)
        if size > most:
            raise RefusedError(f"its answer is larger than {most} bytes (discovery_bytes)")
        network.check_time()
        return block

    def counted(read: Callable[..., bytes]) -> Callable[..., bytes]:
        return lambda *args, **values: count(read(*args, **values))

    def counted_chunks(read: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[bytes]]:
        return lambda *args, **values: map(count, read(*args, **values))

    raw.read = counted(raw.read)
    raw.read_chunked = counted_chunks(raw.read_chunked)
