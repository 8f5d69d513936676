"""Documents from other servers, by http and https; never from the network that this service itself stands in.

A server that fetches what strangers name can be made to ask its own neighbours (SSRF). So the host is resolved once,
each of its addresses has to be one of the public internet, and the connection goes to that very address; each redirect
is looked at in the same way.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import SplitResult, urljoin, urlsplit

import vo
from vo.dali.addresses import find_addresses, is_public
from vo.errors import LimitFault, TransientFault, UsageFault

_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BLOCK = 1 << 18
_LONGEST_URL = 2000
_DELETE = "\x7f"
#: Below this a document stays in memory while it is fetched.
_SPOOLED = 1 << 20
#: Lets zlib find out whether what comes is in the form of gzip or zlib.
_EITHER_FORM = 32 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class FetchWords:
    """How faults speak of what is fetched: who asks, what for, which settings limit it, and what to do instead.

    ``instead`` follows "fetch nothing from a private network;", ``slow`` what is said of a document that is late.
    """

    label: str
    thing: str
    bytes_setting: str
    seconds_setting: str
    instead: str
    slow: str


UPLOAD_WORDS = FetchWords(
    label="UPLOAD",
    thing="a table",
    bytes_setting="upload_bytes",
    seconds_setting="upload_seconds",
    instead="send the table with the request (UPLOAD=name,param:part)",
    slow="fetch it yourself and send it with the request (UPLOAD=name,param:part)",
)


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What a document elsewhere may cost; ``private`` allows addresses that are not of the public internet.

    With ``packed`` it may come in gzip's form, which is unpacked; ``bytes`` are those that come of it.
    """

    bytes: int
    seconds: float
    private: bool = False
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document that was fetched: an open file at its start, and what its server says of it."""

    file: BinaryIO
    media_type: str | None
    filename: str


class StatusFault(UsageFault):
    """A server answers with another status than 200: ``answered``; ``wait`` is its Retry-After, as it is written."""

    def __init__(self, text: str, answered: int, wait: str | None) -> None:
        super().__init__(text)
        self.answered = answered
        self.wait = wait


@contextlib.contextmanager
def fetch(url: str, limits: FetchLimits, words: FetchWords = UPLOAD_WORDS) -> Iterator[Fetched]:
    """Fetch a document into a temporary file, which is gone after the block.

    :class:`UsageFault` when the address may not be asked or does not answer (:class:`StatusFault` when it answers with
    another status), :class:`LimitFault` beyond the limits, :class:`TransientFault` when there is no room for it.
    """
    with tempfile.SpooledTemporaryFile(_SPOOLED) as file:  # the file is the block's
        asking = _Asking(file, limits, words, time.monotonic() + limits.seconds)  # type: ignore[arg-type]  # a BinaryIO
        media_type, final = asking.follow(url)
        file.seek(0)
        yield Fetched(file, media_type, final.path.rpartition("/")[2])  # type: ignore[arg-type]  # the same


def public_addresses(host: str, port: int, *, private: bool = False, words: FetchWords = UPLOAD_WORDS) -> list[str]:
    """Resolve a host; :class:`UsageFault` when any of its addresses is not of the public internet.

    One private address among several is enough to refuse: which of them is asked would be chance.
    """
    try:
        addresses = find_addresses(host, port)
    except OSError:
        raise UsageFault(f"{words.label}: the host {host!r} is not known here; check the address") from None
    if not private and not all(map(is_public, addresses)):
        raise UsageFault(
            f"{words.label}: the host {host!r} is in a private network, from which this service fetches nothing; "
            f"{words.instead}"
        )
    return addresses


@dataclass(frozen=True, slots=True)
class _Asking:
    """One document on its way into ``file``, redirects included."""

    file: BinaryIO
    limits: FetchLimits
    words: FetchWords
    deadline: float

    def follow(self, url: str) -> tuple[str | None, SplitResult]:
        """Fill the file; gives the media type, and where the document was at last."""
        for _ in range(_MOST_REDIRECTS + 1):
            asked = _checked(url, self.words)
            connection = self._connect(asked)
            try:
                with _ending(connection, self._left()), self._ask(connection, asked) as answer:
                    if answer.status in _REDIRECTS and (place := answer.getheader("Location")):
                        url = urljoin(url, place)
                        continue
                    if answer.status != http.client.OK:
                        said = f"answers with status {answer.status}, not with {self.words.thing}"
                        wait = answer.getheader("Retry-After")
                        raise StatusFault(f"{self.words.label}: {_shown(url)} {said}", answer.status, wait)
                    self._copy(answer, connection)
                    return answer.getheader("Content-Type"), asked
            except (OSError, http.client.HTTPException, zlib.error) as error:
                raise self._no_answer(url, error) from None
            finally:
                connection.close()
        told = f"{_shown(url)} leads on and on; more than {_MOST_REDIRECTS} redirects are not followed"
        raise UsageFault(f"{self.words.label}: {told}")

    def _connect(self, asked: SplitResult) -> http.client.HTTPConnection:
        host = asked.hostname or ""
        is_secure = asked.scheme.lower() == "https"
        port = asked.port or (443 if is_secure else 80)
        addresses = public_addresses(host, port, private=self.limits.private, words=self.words)
        kind = _SecureConnection if is_secure else _Connection
        return kind(host, port, addresses, self._left())

    def _ask(self, connection: http.client.HTTPConnection, asked: SplitResult) -> http.client.HTTPResponse:
        path = asked.path or "/"
        headers = {
            "User-Agent": f"vo-plates/{vo.__version__} (IVOA-copy)",
            "Accept": "*/*",
            "Accept-Encoding": "gzip" if self.limits.packed else "identity",
        }
        connection.request("GET", f"{path}?{asked.query}" if asked.query else path, headers=headers)
        return connection.getresponse()

    def _copy(self, answer: http.client.HTTPResponse, connection: http.client.HTTPConnection) -> None:
        form = (answer.getheader("Content-Encoding") or "").strip().lower()
        unpacker = zlib.decompressobj(_EITHER_FORM) if self.limits.packed and form in ("gzip", "x-gzip") else None
        size = 0
        while block := answer.read1(_BLOCK):
            for piece in _unpacked(block, unpacker):
                size += len(piece)
                if size > self.limits.bytes:
                    said = f"is larger than the {self.limits.bytes} bytes that are read here"
                    raise LimitFault(
                        f"{self.words.label}: {self.words.thing} elsewhere {said} ({self.words.bytes_setting})"
                    )
                self._keep(piece)
            left = self._left()
            if connection.sock is not None:
                connection.sock.settimeout(left)
        self._left()
        if answer.length or (unpacker is not None and not unpacker.eof):  # of which http.client says nothing
            raise http.client.IncompleteRead(b"", answer.length)

    def _keep(self, block: bytes) -> None:
        try:
            self.file.write(block)
            self.file.flush()
        except OSError as error:
            with contextlib.suppress(OSError):  # closing it tries to write once more
                self.file.close()
            said = f"this service has no room for {self.words.thing}: try again later"
            raise TransientFault(f"{self.words.label}: {said}") from error

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise self._too_slow()
        return left

    def _too_slow(self) -> LimitFault:
        said = f"did not come within the limit of {self.limits.seconds:g} s ({self.words.seconds_setting})"
        return LimitFault(f"{self.words.label}: {self.words.thing} elsewhere {said}; {self.words.slow}")

    def _no_answer(self, url: str, error: Exception) -> UsageFault:
        if isinstance(error, TimeoutError) or time.monotonic() >= self.deadline:
            return self._too_slow()
        match error:
            case ssl.SSLCertVerificationError():
                kind = "its certificate is not valid"
            case http.client.IncompleteRead():
                kind = "its answer breaks off"
            case zlib.error():
                kind = "its answer is not the gzip that it says it is"
            case _:
                kind = "it does not answer"
        return UsageFault(f"{self.words.label}: {_shown(url)} cannot be fetched: {kind}")


def _unpacked(block: bytes, unpacker: zlib._Decompress | None) -> Iterator[bytes]:
    """The bytes of a block, piece by piece: a few packed ones may stand for very many."""
    if unpacker is None:
        yield block
        return
    while True:
        piece = unpacker.decompress(block, _BLOCK)
        yield piece
        block = unpacker.unconsumed_tail
        if not block and len(piece) < _BLOCK:  # a full piece may have left more behind, with nothing to unpack it from
            return


def _checked(url: str, words: FetchWords) -> SplitResult:
    if len(url) > _LONGEST_URL or any(letter <= " " or letter == _DELETE for letter in url):
        raise UsageFault(f"{words.label}: an address of {words.thing} is too long or holds blanks; escape them as %20")
    asked = urlsplit(url)
    try:
        has_host = bool(asked.hostname) and asked.port != 0
    except ValueError:
        has_host = False
    if asked.scheme.lower() not in ("http", "https") or not has_host:
        raise UsageFault(f"{words.label}: {_shown(url)} is no http or https address of a host")
    if asked.username is not None or asked.password is not None:
        raise UsageFault(f"{words.label}: an address with a user name or password in it is not asked; leave them out")
    return asked


@contextlib.contextmanager
def _ending(connection: http.client.HTTPConnection, seconds: float) -> Iterator[None]:
    """Break a connection off when its time is up, however small the pieces are in which its server answers."""

    def end() -> None:
        if connection.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shown(url: str, longest: int = 120) -> str:
    return url if len(url) <= longest else url[:longest] + "..."


class _Connection(http.client.HTTPConnection):
    """A connection to one of the addresses that were looked at, whatever the name means by now."""

    def __init__(self, host: str, port: int, addresses: list[str], seconds: float) -> None:
        super().__init__(host, port, timeout=seconds)
        self._addresses = addresses

    def connect(self) -> None:
        self.sock = _reach(self._addresses, self.port, self.timeout or 1.0)


class _SecureConnection(_Connection):
    """The same with TLS, for the name that was asked."""

    def connect(self) -> None:
        plain = _reach(self._addresses, self.port, self.timeout or 1.0)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


def _reach(addresses: list[str], port: int, seconds: float) -> socket.socket:
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, port), timeout=seconds / len(addresses))
    return socket.create_connection((addresses[-1], port), timeout=seconds)
