"""``/mosaics/<collection>/<plate_id>/<name>``: value-added mosaics, whole or in ranges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.dali.faults import TEXT_STYLE
from vo.dali.routes import base_url, client_address, fault_response, respond
from vo.dali.work import Body
from vo.db.archive import read_bundles
from vo.db.connect import Database
from vo.db.records import Product
from vo.errors import NotFoundFault
from vo.pixels.mosaic import Mosaic
from vo.products.allowance import Allowance
from vo.products.mosaics.content import make_mosaic
from vo.products.mosaics.names import find_base
from vo.products.ranges import RangeFault, find_range, is_unchanged
from vo.products.store import open_source
from vo.settings import Settings


class Holdings(Protocol):
    """What this needs of the server's context (which stands above this package)."""

    @property
    def database(self) -> Database:
        """The open database."""

    @property
    def settings(self) -> Settings:
        """The server's settings."""


def routes(context: Holdings, allowance: Allowance) -> list[Route]:
    """The route that makes mosaics; they count among the large files of a client."""

    async def mosaic(request: Request) -> Response:
        address = base_url(request, context.settings)
        product, made = await run_in_threadpool(_make, context, dict(request.path_params), address)
        etag = f'"{made.tag}"'
        headers = {
            "ETag": etag,
            "Accept-Ranges": "bytes",
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
        }
        if is_unchanged(request.headers.get("if-none-match"), etag):
            return Response(status_code=304, headers=headers)
        # A part is a matter of GET alone (RFC 9110, section 14.2).
        asked = request.headers.get("range") if request.method == "GET" else None
        try:
            part = find_range(asked, request.headers.get("if-range"), etag, made.size)
        except RangeFault as fault:
            return fault_response(fault, TEXT_STYLE, headers={"Content-Range": f"bytes */{made.size}"})
        start, stop = part or (0, made.size)
        headers["Content-Length"] = str(stop - start)
        headers["Content-Disposition"] = f'attachment; filename="{_filename(request.path_params)}"'
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{made.size}"
        limited = request.method == "GET" and allowance.counts(made.size)
        client = client_address(request, context.settings) if limited else None
        return respond(
            lambda: _begin(product.content_type, made, (start, stop), allowance, client),
            patience=context.settings.stall_seconds,
            headers=headers,
            status=200 if part is None else 206,
        )

    return [Route("/mosaics/{collection}/{plate_id:path}/{name}", mosaic, methods=["GET"], name="mosaics")]


def _make(context: Holdings, asked: dict[str, str], address: str) -> tuple[Product, Mosaic]:
    collection, plate_id = asked["collection"], asked["plate_id"]
    if "\0" in collection + plate_id:  # which PostgreSQL cannot hold in a text
        raise NotFoundFault(f"no plate {plate_id!r} here")
    with context.database.read() as connection:
        bundle = next(read_bundles(connection, [(collection, plate_id)]), None)
    if bundle is None:
        raise NotFoundFault(f"no plate {plate_id[:200]!r} of a collection {collection[:200]!r} here")
    product = find_base(bundle, asked["name"])
    source = open_source(product, context.settings)
    return product, make_mosaic(bundle, product, source, context.settings.publisher, address)


def _begin(content_type: str, mosaic: Mosaic, part: tuple[int, int], allowance: Allowance, client: str | None) -> Body:
    """The part of a mosaic on its way; TooManyFault when its client (None: not limited) has too many, or too much."""
    start, stop = part
    if client is None:
        return Body(content_type, (bytes(piece) for piece in mosaic.stream(start, stop)))
    sent = 0

    def counted() -> Iterator[bytes]:
        nonlocal sent
        for piece in mosaic.stream(start, stop):
            sent += len(piece)
            yield bytes(piece)

    with ExitStack() as stack:
        stack.enter_context(allowance.running(client))
        allowance.take(client, stop - start)
        stack.callback(lambda: allowance.settle(client, sent - (stop - start)))
        return Body(content_type, counted(), stack.pop_all().close)


def _filename(asked: dict[str, str]) -> str:
    """A name that every file system takes."""
    text = f"{asked['plate_id']}_{asked['name']}"
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_" for sign in text)
