"""Between starlette and the services: parameters in, streams and faults out (DALI 1.1 sections 2 to 4)."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from urllib.parse import parse_qsl

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from vo.dali.faults import FaultStyle
from vo.dali.parameters import Parameters, Part
from vo.errors import FatalFault, Fault, LimitFault, NotFoundFault, TransientFault, UsageFault
from vo.settings import Settings

_log = logging.getLogger(__name__)

_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_MOST_FILES = 100
_LONGEST_SIZE = 20


async def read_parameters(request: Request, settings: Settings) -> Parameters:
    """Read the parameters of the address and of the body, urlencoded or multipart (DALI-02).

    Faults: LimitFault when the body is larger than ``request_bytes``, UsageFault when it cannot be read.
    """
    pairs = _decode_pairs(request.scope["query_string"], "the address")
    body_pairs, parts = await _read_body(request, settings)
    pairs += body_pairs
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise UsageFault("a parameter holds a NUL character, which no text has; leave it out")
    return Parameters(pairs, parts)


async def _read_body(request: Request, settings: Settings) -> tuple[list[tuple[str, str]], list[Part]]:
    chunks = _limited(request, settings.request_bytes)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if content_type == _MULTIPART:
            return await _read_multipart(request, chunks, settings)
        body = b"".join([chunk async for chunk in chunks])
    except ClientDisconnect:
        raise TransientFault("the connection ended before the request was complete; send it again") from None
    if content_type == _FORM:
        return _decode_pairs(body, "the body"), []
    if body.strip():
        raise UsageFault(f"a body of type {content_type[:60]!r} is not read here; send {_FORM} or {_MULTIPART}")
    return [], []


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """Give the body piece by piece, until it is larger than allowed; often the header says so before."""
    announced = request.headers.get("content-length", "")
    size = int(announced) if announced.isdecimal() and len(announced) < _LONGEST_SIZE else 0
    received = 0
    if size <= limit:
        async for chunk in request.stream():
            received += len(chunk)
            if received > limit:
                break
            yield chunk
    if max(size, received) > limit:
        raise LimitFault(f"the request is larger than the {limit} bytes that are read here (request_bytes); split it")


async def _read_multipart(
    request: Request, chunks: AsyncGenerator[bytes, None], settings: Settings
) -> tuple[list[tuple[str, str]], list[Part]]:
    parser = MultiPartParser(
        request.headers,
        chunks,
        max_files=_MOST_FILES,
        max_fields=float("inf"),  # the size of the body bounds them
        max_part_size=settings.request_bytes,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise UsageFault(f"the multipart body cannot be read: {error.message}") from None
    pairs: list[tuple[str, str]] = []
    parts: list[Part] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            parts.append(Part(name, value.filename or "", value.content_type, value.file))
        else:
            pairs.append((name, value))
    return pairs, parts


def _decode_pairs(encoded: bytes, place: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(encoded.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise UsageFault(f"the parameters in {place} are not UTF-8; send text as percent-encoded UTF-8") from None


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


def _root_path(request: Request) -> str:
    # Within a Mount root_path has the mount's own path too.
    return str(request.scope.get("app_root_path", request.scope.get("root_path", "")))


def _forwarded(request: Request, settings: Settings, word: str) -> str | None:
    if not settings.trust_forwarded:
        return None
    return request.headers.get(f"x-forwarded-{word}", "").partition(",")[0].strip() or None


def stream(
    iterator: Iterator[bytes],
    media_type: str,
    on_close: Callable[[], None],
    *,
    patience: float,
    on_gone: Callable[[], None] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Send what ``iterator`` gives; it runs in worker threads.

    Nothing is sent before the first block is there, so a Fault until then becomes a proper fault document. ``on_close``
    is called once in any case, when nothing runs ``iterator`` any more. ``on_gone`` is called as soon as the client
    goes away, while another thread may be within ``iterator``: it has to make that end soon (a query is cancelled).
    A client that has not taken a block after ``patience`` seconds is given up, too: a few that sleep would keep all
    connections of the database, whose own time limit does not end a query that nobody reads.
    """
    return _Stream(iterator, media_type, on_close, on_gone, patience, headers or {})


class _Stream(StreamingResponse):
    def __init__(
        self,
        iterator: Iterator[bytes],
        media_type: str,
        on_close: Callable[[], None],
        on_gone: Callable[[], None] | None,
        patience: float,
        headers: Mapping[str, str],
    ) -> None:
        # As a header the media type stays as it is; starlette would add a charset to text (DALI-05).
        super().__init__(iterator, headers={"Content-Type": media_type, **headers})
        self._iterator = iterator
        self._on_close = on_close
        self._on_gone = on_gone
        self._patience = patience
        self._is_gone = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] == "HEAD":
                await self._start(send)
                await send({"type": "http.response.body", "body": b""})
            else:
                await self._send_all(receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self._close)

    async def _send_all(self, receive: Receive, send: Send) -> None:
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, receive, tasks.cancel_scope)
            try:
                await self._send_blocks(send)
            except Exception as error:  # noqa: BLE001  raised again below, out of the task group
                failure = error
            tasks.cancel_scope.cancel()
        if failure is not None and not self._is_gone:
            raise failure

    async def _send_blocks(self, send: Send) -> None:
        block = await run_in_threadpool(next, self._iterator, None)
        await self._start(send)
        try:
            while block is not None:
                with anyio.fail_after(self._patience):
                    await send({"type": "http.response.body", "body": block, "more_body": True})
                block = await run_in_threadpool(next, self._iterator, None)
        except Fault as fault:
            # The status is gone and this format has no place for a fault: the client has to see a broken answer.
            raise RuntimeError(f"answer broken off: {fault.text}") from fault
        except TimeoutError as error:
            raise RuntimeError(f"answer broken off: its client did not take a block in {self._patience:g} s") from error
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        if self._on_gone is not None:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self._on_gone)
        scope.cancel()

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    def _close(self) -> None:
        close = getattr(self._iterator, "close", None)
        try:
            if close is not None:
                close()
        finally:
            self._on_close()


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
        incident = uuid.uuid4().hex[:12]
        _log.error("incident %s at %s %s", incident, request.method, request.url.path, exc_info=error)
        text = f"something went wrong in this service; its log has the details under incident {incident}"
        return fault_response(FatalFault(text), style)

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
