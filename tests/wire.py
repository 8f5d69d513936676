"""A light HTTP client on plain sockets, for measuring: it sends prepared bytes and throws away what it reads.

A library's client takes longer for a small request than the server does. Run as a program, this module is a client in a
process of its own, so that what it costs does not slow down whoever measures beside it:

    python tests/wire.py clients PORT REQUEST 16 5     16 clients for 5 seconds; prints what they saw, as JSON
    python tests/wire.py readers PORT REQUEST 8        8 clients that read whole answers again and again
    python tests/wire.py slow PORT REQUEST 2000000     one client that reads so many bytes a second

REQUEST is a file with the request's bytes. Clients come from addresses of their own (127.0.0.2 and on), because a
server has limits for each. The last two print a line when their answers have begun, and end with standard input.
"""

from __future__ import annotations

import itertools
import json
import re
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlencode

HOST = "127.0.0.1"
FORM = "application/x-www-form-urlencoded"
_BOUNDARY = "----a-table-of-mine"
_BUFFER = 1 << 20
_SECONDS = 300.0
_END = b"\r\n0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_LOCATION = re.compile(rb"\r\nlocation: *https?://[^/]+(/[^\r]*)", re.IGNORECASE)


def get(path: str, *, keep: bool = True) -> bytes:
    """The bytes of a GET; without ``keep`` the connection ends with the answer."""
    return _request("GET", path, keep=keep)


def post(path: str, values: Mapping[str, object], *, keep: bool = True) -> bytes:
    """The bytes of a POST with these parameters; one with a list of values is repeated."""
    return _request("POST", path, urlencode(values, doseq=True).encode(), FORM, keep=keep)


def query(adql: str, *, keep: bool = True, **values: object) -> bytes:
    """The bytes of a synchronous query."""
    return post("/tap/sync", {"LANG": "ADQL", "QUERY": adql, **values}, keep=keep)


def upload_query(adql: str, name: str, table: bytes, media_type: str, **values: object) -> bytes:
    """The bytes of a synchronous query with a table in it, as pyVO sends it."""
    fields = {"REQUEST": "doQuery", "LANG": "ADQL", "QUERY": adql, "UPLOAD": f"{name},param:{name}", **values}
    texts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
    head += f"Content-Type: {media_type}\r\n\r\n"
    body = b"".join([*(text.encode() for text in texts), head.encode(), table, f"\r\n--{_BOUNDARY}--\r\n".encode()])
    return _request("POST", "/tap/sync", body, f"multipart/form-data; boundary={_BOUNDARY}")


def _request(method: str, path: str, body: bytes = b"", content_type: str = "", *, keep: bool = True) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", f"Connection: {'keep-alive' if keep else 'close'}"]
    if body:
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True)
class Reply:
    """An answer that was read whole."""

    status: int
    head: bytes
    body: bytes

    @property
    def location(self) -> str:
        """The path that the answer sends its client to."""
        found = _LOCATION.search(self.head)
        assert found is not None, self.head
        return found[1].decode()


class Connection:
    """One connection that is kept."""

    def __init__(self, port: int, source: str = HOST) -> None:
        self._socket = _connect(port, source)

    def ask(self, request: bytes) -> Reply:
        """Send a request and read its answer."""
        self._socket.sendall(request)
        data = self._socket.recv(_BUFFER)
        while not _is_whole(data):
            more = self._socket.recv(_BUFFER)
            assert more, f"the connection ended after {data!r}"
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        return Reply(int(head.split(b" ", 2)[1]), head, body)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Streamed:
    """An answer that was thrown away: seconds to its first byte and to its last, and its size."""

    first: float
    whole: float
    size: int


def stream(port: int, request: bytes, source: str = HOST) -> Streamed:
    """Read an answer to its end on a connection of its own; ``request`` is one without ``keep``."""
    buffer = bytearray(_BUFFER)
    begin = time.perf_counter()
    with _connect(port, source) as connection:
        connection.sendall(request)
        size = read = connection.recv_into(buffer)
        first = time.perf_counter() - begin
        assert buffer.startswith(b"HTTP/1.1 200"), bytes(buffer[:2000])
        announced = _size(bytes(buffer[:read]))
        end = b""
        while read:
            end = (end + bytes(buffer[max(0, read - len(_END)) : read]))[-len(_END) :]
            read = connection.recv_into(buffer)
            size += read
    whole = time.perf_counter() - begin
    assert end == _END if announced is None else size == announced, "the answer was broken off"
    return Streamed(first, whole, size)


def _connect(port: int, source: str = HOST) -> socket.socket:
    connection = socket.create_connection((HOST, port), timeout=_SECONDS, source_address=(source, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _size(data: bytes) -> int | None:
    """How long an answer is with its head; None while the head is not complete, and when it does not say so."""
    end = data.find(b"\r\n\r\n")
    found = _LENGTH.search(data, 0, end + 2) if end >= 0 else None
    return None if found is None else end + 4 + int(found[1])


def _is_whole(data: bytes) -> bool:
    """Whether these are all bytes of an answer; nothing may come after it before the next request."""
    size = _size(data)
    return data.endswith(_END) if size is None else len(data) >= size


# -- clients in a process of their own


@contextmanager
def beside(mode: str, port: int, request: bytes, *arguments: float) -> Iterator[subprocess.Popen[str]]:
    """Run ``readers`` or ``slow`` until the end of the block, which begins when their answers have."""
    with _program(mode, port, request, *arguments) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "reading\n"
        yield process
        assert process.poll() is None, "the client beside ended too soon"
        process.stdin.close()


def many(port: int, request: bytes, clients: int, seconds: float) -> dict[str, float]:
    """What so many clients see who send the request again and again: see :func:`_clients`."""
    with _program("clients", port, request, clients, seconds) as process:
        assert process.stdout is not None
        told: dict[str, float] = json.loads(process.stdout.read())
    return told


@contextmanager
def _program(mode: str, port: int, request: bytes, *arguments: float) -> Iterator[subprocess.Popen[str]]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(request)
        file.flush()
        command = [sys.executable, __file__, mode, str(port), file.name, *map(str, arguments)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait(_SECONDS)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
    assert process.returncode == 0


def _sources() -> Iterator[str]:
    return (f"127.0.0.{number}" for number in itertools.count(2))


def _clients(port: int, request: bytes, clients: int, seconds: float) -> dict[str, float]:
    """Requests a second, milliseconds of half and of 95 of 100 of them, and what each cost the clients' processor."""
    poll = select.epoll()
    sockets = {
        one.fileno(): one for one in (_connect(port, source) for source in itertools.islice(_sources(), clients))
    }
    begun, read = {}, {}
    left: dict[int, int] = {}
    times: list[float] = []
    begin, used = time.perf_counter(), _cpu()
    for number, one in sockets.items():
        poll.register(number, select.EPOLLIN)
        begun[number], read[number] = time.perf_counter(), b""
        one.sendall(request)
    while begun:
        for number, _ in poll.poll():
            piece = sockets[number].recv(_BUFFER)
            data = read[number]
            if number in left:  # of an answer that says how long it is only the rest is counted
                left[number] -= len(piece)
            else:
                data = read[number] = data + piece
                if (size := _size(data)) is not None:
                    left[number] = size - len(data)
            if left.get(number, 1) > 0 and (number in left or not data.endswith(_END)):
                continue
            left.pop(number, None)
            assert data.startswith(b"HTTP/1.1 200"), data[:2000]
            now = time.perf_counter()
            times.append(now - begun.pop(number))
            if now - begin < seconds:
                begun[number], read[number] = now, b""
                sockets[number].sendall(request)
    took, cost = time.perf_counter() - begin, _cpu() - used
    times.sort()
    return {
        "rate": len(times) / took,
        "p50": times[len(times) // 2] * 1000,
        "p95": times[int(len(times) * 0.95)] * 1000,
        "client": cost / len(times) * 1000,
    }


def _readers(port: int, request: bytes, clients: int) -> None:
    poll = select.epoll()
    poll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
    sockets: dict[int, socket.socket] = {}
    sources: dict[int, str] = {}

    def begin(source: str) -> None:
        one = _connect(port, source)
        one.sendall(request)
        poll.register(one.fileno(), select.EPOLLIN)
        sockets[one.fileno()], sources[one.fileno()] = one, source

    for source in itertools.islice(_sources(), clients):
        begin(source)
    buffer = bytearray(_BUFFER)
    silent = set(sockets)
    while True:
        for number, _ in poll.poll():
            if number == sys.stdin.fileno():
                return
            size = sockets[number].recv_into(buffer)
            if number in silent:
                assert buffer.startswith(b"HTTP/1.1 200"), bytes(buffer[:2000])
                silent.remove(number)
                if not silent:
                    _say_reading()
            if not size:
                poll.unregister(number)
                sockets.pop(number).close()
                begin(sources.pop(number))


def _slow(port: int, request: bytes, rate: float) -> None:
    with socket.socket() as connection:
        # What the kernel holds for a reader has been read as far as the server can see.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.bind((next(_sources()), 0))
        connection.connect((HOST, port))
        connection.sendall(request)
        begin, size = time.perf_counter(), 0
        while not select.select([sys.stdin], [], [], max(0.0, size / rate - (time.perf_counter() - begin)))[0]:
            piece = connection.recv(1 << 15)
            assert piece, "the answer ended before its reader was stopped"
            if not size:
                assert piece.startswith(b"HTTP/1.1 200"), piece[:2000]
                _say_reading()
            size += len(piece)


def _say_reading() -> None:
    sys.stdout.write("reading\n")
    sys.stdout.flush()


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(arguments: list[str], out: IO[str]) -> None:
    """Be one of the clients above."""
    mode, port, file, *numbers = arguments
    request = Path(file).read_bytes()
    values: list[Any] = [float(number) for number in numbers]
    match mode:
        case "clients":
            json.dump(_clients(int(port), request, int(values[0]), values[1]), out)
        case "readers":
            _readers(int(port), request, int(values[0]))
        case "slow":
            _slow(int(port), request, values[0])


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdout)
