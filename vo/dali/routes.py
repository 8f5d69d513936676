"""Between starlette and the services: parameters in, streams and faults out (DALI 1.1 sections 2 to 4)."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from urllib.parse import parse_qsl

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vo.dali.compress import choose
from vo.dali.faults import FaultStyle
from vo.dali.parameters import MOST_FILES, Parameters, Part, most_parameters
from vo.dali.work import AGAIN_SECONDS, Answering, Beginning, Work
from vo.errors import Fault, LimitFault, NotFoundFault, TimeLimitFault, TransientFault, UsageFault, unforeseen
from vo.settings import Settings

_log = logging.getLogger(__name__)

_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_LONGEST_SIZE = 20
_LONGEST_ADDRESS = 100
_SHOWN = 80

#: An answer of less than this is sent in one piece, with its length.
_SMALL = 1 << 16


async def read_parameters(request: Request, settings: Settings) -> Parameters:
    """Read the parameters of the address and of the body, urlencoded or multipart (DALI-02).

    Faults: LimitFault when the body is larger than ``request_bytes``, and ``upload_bytes`` more for files; UsageFault
    when it cannot be read; TimeLimitFault when nothing more of it comes for ``stall_seconds``.
    """
    pairs = _decode_pairs(request.scope["query_string"], "the address", settings)
    body_pairs, parts = await _read_body(request, settings)
    pairs += body_pairs
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise UsageFault("a parameter holds a NUL character, which no text has; leave it out")
    if any("\0" in f"{part.name}{part.filename}{part.content_type}" for part in parts):
        raise UsageFault("the name or type of a file holds a NUL character, which no text has; leave it out")
    return Parameters(pairs, parts)


async def _read_body(request: Request, settings: Settings) -> tuple[list[tuple[str, str]], list[Part]]:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if content_type == _MULTIPART:
            return await _read_multipart(request, settings)
        limit = f"{settings.request_bytes} bytes that are read here (request_bytes)"
        chunks = _limited(request, settings.request_bytes, limit, settings.stall_seconds)
        body = b"".join([chunk async for chunk in chunks])
    except ClientDisconnect:
        raise TransientFault("the connection ended before the request was complete; send it again") from None
    if content_type == _FORM:
        return _decode_pairs(body, "the body", settings), []
    if body.strip():
        raise UsageFault(f"a body of type {content_type[:60]!r} is not read here; send {_FORM} or {_MULTIPART}")
    return [], []


async def _limited(request: Request, limit: int, named: str, patience: float) -> AsyncGenerator[bytes, None]:
    """Give the body piece by piece, until it is larger than allowed; often the header says so before.

    A client that sends nothing for ``patience`` seconds is given up.
    """
    announced = request.headers.get("content-length", "")
    size = int(announced) if announced.isdecimal() and len(announced) < _LONGEST_SIZE else 0
    received = 0
    if size <= limit:
        body = request.stream()
        while (chunk := await _next_chunk(body, patience)) is not None:
            received += len(chunk)
            if received > limit:
                break
            yield chunk
    if max(size, received) > limit:
        raise LimitFault(f"the request is larger than the {named}; split it")


async def _next_chunk(body: AsyncIterator[bytes], patience: float) -> bytes | None:
    try:
        with anyio.fail_after(patience):
            return await anext(body, None)
    except TimeoutError:
        raise TimeLimitFault(
            f"nothing more of the request came within {patience:g} s (stall_seconds); send it again"
        ) from None


class _Form(MultiPartParser):
    """Keeps fields and headers of parts, which stay in memory, to ``request_bytes``; files are on disk."""

    fields_bytes = 0
    is_whole = False

    # Whatever the request says, texts are UTF-8, or Latin 1 where they are not: some of Python's codecs raise errors of
    # their own, or give what is no text.
    @property
    def _charset(self) -> str:
        return "utf-8"

    @_charset.setter
    def _charset(self, _named: str) -> None:
        pass

    async def parse(self) -> FormData:
        form = await super().parse()
        if not self.is_whole:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("its end is missing; send it again")
        return form

    def on_end(self) -> None:
        self.is_whole = True

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:
            self._count(end - start)
        super().on_part_data(data, start, end)

    def on_headers_finished(self) -> None:
        self._count(sum(len(name) + len(value) for name, value in self._current_part.item_headers))
        super().on_headers_finished()

    def _count(self, size: int) -> None:
        self.fields_bytes += size
        if self.fields_bytes > self.max_part_size:
            raise LimitFault(
                f"the fields of the request are larger than the {self.max_part_size} bytes that are read here "
                "(request_bytes); split it, or send what is long as a file"
            )


async def _read_multipart(request: Request, settings: Settings) -> tuple[list[tuple[str, str]], list[Part]]:
    limit = settings.request_bytes + settings.upload_bytes
    named = f"{limit} bytes that are read here (request_bytes and upload_bytes)"
    parser = _Form(
        request.headers,
        _limited(request, limit, named, settings.stall_seconds),
        max_files=MOST_FILES,
        max_fields=most_parameters(settings),
        max_part_size=settings.request_bytes,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise UsageFault(f"the multipart body cannot be read: {error.message}") from None
    except OSError as error:
        _log.error("an upload cannot be kept: %s", error)
        raise TransientFault("this service has no room for the upload at the moment: try again later") from None
    pairs: list[tuple[str, str]] = []
    parts: list[Part] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            parts.append(Part(name, value.filename or "", value.content_type, value.file))
        else:
            pairs.append((name, value))
    names = [part.name for part in parts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageFault(f"two files of the request are called {twice[:_SHOWN]!r}; give each a name of its own")
    return pairs, parts


def _decode_pairs(encoded: bytes, place: str, settings: Settings) -> list[tuple[str, str]]:
    most = most_parameters(settings)
    try:
        return parse_qsl(encoded.decode(), keep_blank_values=True, errors="strict", max_num_fields=most)
    except UnicodeDecodeError:
        raise UsageFault(f"the parameters in {place} are not UTF-8; send text as percent-encoded UTF-8") from None
    except ValueError:
        raise LimitFault(
            f"there are more than {most} parameters in {place}, the most that are read; split it"
        ) from None


def base_url(request: Request, settings: Settings) -> str:
    """Give the address of this server as the client sees it, without a slash at its end.

    It is the setting ``base_url``, else what the request says; X-Forwarded-Proto, -Host and -Prefix count only with
    ``trust_forwarded``. A UsageFault when the request names no plausible host.
    """
    if settings.base_url:
        return settings.base_url.rstrip("/")
    scheme = _forwarded(request, settings, "proto") or request.url.scheme
    host = _forwarded(request, settings, "host") or request.headers.get("host") or request.url.netloc
    prefix = _forwarded(request, settings, "prefix") or _root_path(request)
    if scheme not in ("http", "https") or not _HOST.fullmatch(host) or not _PREFIX.fullmatch(prefix):
        raise UsageFault(f"the request names no usable address of this server ({scheme}://{host}{prefix})")
    return f"{scheme}://{host}{prefix.rstrip('/')}"


def request_url(request: Request, settings: Settings) -> str:
    """Give the address that was asked, as the client sees it: Data Origin's ``request``."""
    path = request.scope["path"].removeprefix(_root_path(request))
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{base_url(request, settings)}{path}{query}"


def client_address(request: Request, settings: Settings) -> str:
    """Give whom limits for one client count for: its address, a network of 64 bits in IPv6.

    Behind a trusted proxy it is what that wrote last into X-Forwarded-For; what stands before came from the client.
    """
    forwarded = request.headers.get("x-forwarded-for", "") if settings.trust_forwarded else ""
    text = forwarded.rpartition(",")[2].strip() or (request.client.host if request.client else "")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text[:_LONGEST_ADDRESS]
    if address.version == 4:  # noqa: PLR2004  IPv4
        return text
    if address.ipv4_mapped is not None:  # as a proxy that listens on both writes it
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def _root_path(request: Request) -> str:
    # Within a Mount root_path has the mount's own path too.
    return str(request.scope.get("app_root_path", request.scope.get("root_path", "")))


def _forwarded(request: Request, settings: Settings, word: str) -> str | None:
    if not settings.trust_forwarded:
        return None
    return request.headers.get(f"x-forwarded-{word}", "").partition(",")[0].strip() or None


def respond(
    begin: Callable[[], Answering],
    *,
    patience: float,
    turn: AbstractAsyncContextManager[None] | None = None,
    headers: Mapping[str, str] | None = None,
    accept_encoding: str | None = None,
    status: int = 200,
) -> Response:
    """Send the answer that ``begin`` makes in a worker thread, once it is this request's ``turn``.

    It is compressed as ``accept_encoding``, the request's header, allows, unless ``headers`` say how long it is.

    Nothing is sent before the first block is there, so a Fault until then becomes a proper fault document. A small
    answer is sent whole, with its length. A client that has not taken a block after ``patience`` seconds is given up: a
    few that sleep would keep all connections of the database, whose own time limit does not end a query that nobody
    reads.
    """
    coding = None if "Content-Length" in (headers or {}) else choose(accept_encoding)
    return _Stream(Work(begin, coding), patience, turn, headers or {}, status)


class BrokenOffError(Exception):
    """An answer of which something has been sent cannot be brought to its end; its connection has to break off."""


class _Stream(Response):
    def __init__(
        self,
        work: Work,
        patience: float,
        turn: AbstractAsyncContextManager[None] | None,
        headers: Mapping[str, str],
        status: int,
    ) -> None:
        super().__init__(status_code=status)
        self.raw_headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        self._work = work
        self._patience = patience
        self._turn = turn
        self._is_gone = False
        self._is_ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        under_way = _under_way(scope["app"])
        under_way.add(self._work)
        try:
            await self._run(scope, receive, send)
        finally:
            under_way.discard(self._work)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, receive, tasks.cancel_scope)
            try:
                async with self._turn or contextlib.nullcontext():
                    await self._answer(scope, send)
            except Exception as error:  # noqa: BLE001  raised again below, out of the task group
                failure = error
            tasks.cancel_scope.cancel()
        try:
            if failure is not None and not self._is_gone:
                raise failure
        finally:
            del failure  # which refers to this frame: files would stay open until Python looks for such circles

    async def _answer(self, scope: Scope, send: Send) -> None:
        try:
            await self._send_blocks(send, is_head=scope["method"] == "HEAD")
        finally:
            if not self._work.is_closed:
                with anyio.CancelScope(shield=True):
                    await run_in_threadpool(self._work.close)

    async def _send_blocks(self, send: Send, *, is_head: bool) -> None:
        # HEAD waits for the first blocks, too, as a fault gives its own status and a small answer its length; of an
        # answer of known length, which is cut from a plate, it needs the beginning alone.
        is_known = b"content-length" in dict(self.raw_headers)
        begun = await run_in_threadpool(self._work.first, 0 if is_head and is_known else _SMALL)
        is_all = begun.is_all
        await self._start(send, begun)
        if is_head:
            await self._send(send, b"", more=False)
            return
        try:
            await self._send(send, begun.body, more=not is_all)
            while not is_all:
                block = await run_in_threadpool(self._work.next)
                is_all = block is None
                await self._send(send, block or b"", more=not is_all)
        except Fault as fault:
            # The status is gone and this format has no place for a fault: the client has to see a broken answer.
            raise BrokenOffError(fault.text) from fault
        except TimeoutError as error:
            raise BrokenOffError(f"its client did not take a block in {self._patience:g} s") from error

    async def _send(self, send: Send, block: bytes, *, more: bool) -> None:
        self._is_ending = not more
        with anyio.fail_after(self._patience):
            await send({"type": "http.response.body", "body": block, "more_body": more})

    async def _watch(self, receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if self._is_ending:  # the server's word for the end of a request as well
            return
        self._is_gone = True
        with anyio.CancelScope(shield=True):
            while not await run_in_threadpool(self._work.leave):  # noqa: ASYNC110  a thread's step sets no event
                await anyio.sleep(AGAIN_SECONDS)
        scope.cancel()

    async def _start(self, send: Send, begun: Beginning) -> None:
        # As a header the media type stays as it is; starlette would add a charset to text (DALI-05).
        headers = [*self.raw_headers, (b"content-type", begun.media_type.encode("latin-1"))]
        if b"content-length" not in dict(headers):
            headers.append((b"vary", b"Accept-Encoding"))
            if begun.is_all:
                headers.append((b"content-length", str(len(begun.body)).encode()))
        if begun.coding is not None:
            headers.append((b"content-encoding", begun.coding.encode()))
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})


def end_answers(app: Starlette) -> None:
    """End all answers of an application that are under way, as a server does that is being stopped.

    Their queries are cancelled. What has not begun becomes a fault document; a table is closed with an ERROR where its
    form has a place for it, or broken off. It may take a moment, and is for a worker thread.
    """
    for work in tuple(_under_way(app)):
        work.stop()


def _under_way(app: Starlette) -> set[Work]:
    if not hasattr(app.state, "under_way"):
        app.state.under_way = set()
    under_way: set[Work] = app.state.under_way
    return under_way


def fault_response(
    fault: Fault, style: FaultStyle, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Make the answer that tells a fault (DALI-13); ``status`` replaces the fault's own."""
    told = {"Content-Type": style.media_type, **(headers or {})}
    if fault.retry_after is not None:
        told["Retry-After"] = str(fault.retry_after)
    body = style.document(style.message(fault))
    return Response(body, status_code=fault.status if status is None else status, headers=told)


def fault_handler(style_of: Callable[[Request], FaultStyle]) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Make the one handler for Fault, HTTPException and Exception; ``style_of`` says which protocol was asked.

    What nobody foresaw is logged under a number, and the number is all that the client sees of it.
    """

    async def handle(request: Request, error: Exception) -> Response:
        style = style_of(request)
        if isinstance(error, Fault):
            return fault_response(error, style)
        if isinstance(error, HTTPException):
            return _http_fault(request, error, style)
        if isinstance(error, BrokenOffError):  # nobody sees this answer, as another one has begun
            _log.warning("%s %s: answer broken off: %s", request.method, request.url.path, error)
            return fault_response(TransientFault(str(error)), style)
        return fault_response(unforeseen(error, _log, f"at {request.method} {request.url.path}"), style)

    return handle


def _http_fault(request: Request, error: HTTPException, style: FaultStyle) -> Response:
    match error.status_code:
        case 404:
            fault: Fault = NotFoundFault(f"there is nothing at {request.url.path}")
        case 405:
            allowed = (error.headers or {}).get("Allow", "GET")
            fault = UsageFault(f"{request.method} is not possible at {request.url.path}; use {allowed}")
        case _:
            fault = UsageFault(error.detail)
    return fault_response(fault, style, status=error.status_code, headers=error.headers)
