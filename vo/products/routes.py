"""``/files/<product_id>``, the permanent addresses of files, and ``/signed/<product_id>``, where those kept here are.

A permanent address redirects (307) to one that is signed for some minutes: of the bucket that has the file, or of this
server for a file of this machine, which then comes whole or in ranges, and only when it changed (RFC 9110, sections 13
and 14). What anybody can fetch elsewhere is redirected to as it is.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import quote

import anyio
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Message, Receive, Scope, Send

from vo.dali.routes import BrokenOffError, base_url, client_address
from vo.db.connect import Database
from vo.db.records import Product
from vo.products.allowance import Allowance, make_allowance
from vo.products.catalogue import find_product
from vo.products.links import file_url
from vo.products.places import BucketPlace, LocalPlace, WebPlace, find_place
from vo.products.ranges import is_unchanged
from vo.products.remote import stores_of
from vo.products.signing import Signer, load_signer
from vo.products.store import Held, describe
from vo.settings import Settings

_RANGE = re.compile(r"\s*(\d*)\s*-\s*(\d*)\s*")


class Holdings(Protocol):
    """What this needs of the server's context (which stands above this package)."""

    @property
    def database(self) -> Database:
        """The open database."""

    @property
    def settings(self) -> Settings:
        """The settings of the server."""


def routes(context: Holdings, allowance: Allowance | None = None) -> list[Route]:
    """The routes that serve files; starlette runs them in worker threads. ``allowance`` counts large ones."""
    settings = context.settings
    stores_of(settings)  # what is wrong with their description is told when the server starts
    signer = load_signer(settings)
    allowance = allowance or make_allowance(settings)

    def find(request: Request) -> Product:
        with context.database.read() as connection:
            return find_product(connection, request.path_params["product_id"])

    def permanent(request: Request) -> Response:
        product = find(request)
        held = describe(product)
        place = find_place(product)
        if isinstance(place, BucketPlace) and request.method == "GET" and allowance.counts(held.size):
            # The bucket does not tell what becomes of it, so what is asked for counts.
            asked = asked_bytes(request.headers.get("range"), held.size or 0)
            allowance.take(client_address(request, settings), asked)
        return Response(
            status_code=307,
            headers={
                "Location": _location(request, product, place, settings, signer),
                # Never longer than the signature: that is good for more than half of link_seconds.
                "Cache-Control": f"private, max-age={settings.link_seconds // 4}",
            },
        )

    def signed(request: Request) -> Response:
        product_id = request.path_params["product_id"]
        given = request.query_params
        permanent = file_url(base_url(request, settings), product_id)
        signer.check(product_id, given.get("expires", ""), given.get("signature", ""), permanent)
        product = find(request)
        held = describe(product)
        if held.local is None:  # it has been moved to a store since
            raise signer.refusal(permanent)
        response = _Download(product, held, settings.stall_seconds)
        if _unchanged(request.headers, response.headers):
            return NotModifiedResponse(response.headers)
        if request.method == "GET" and allowance.counts(response.size):
            response.limit(allowance, client_address(request, settings))
        return response

    return [
        Route("/files/{product_id:path}", permanent, methods=["GET"], name="files"),
        Route("/signed/{product_id:path}", signed, methods=["GET"], name="signed"),
    ]


def _location(
    request: Request, product: Product, place: LocalPlace | BucketPlace | WebPlace, settings: Settings, signer: Signer
) -> str:
    """Where the file can be fetched now."""
    match place:
        case BucketPlace():
            # A bucket's signature is of one method.
            return stores_of(settings).sign(product, place, request.method, settings.link_seconds)
        case WebPlace(url):
            return url
        case LocalPlace():
            made = signer.sign(product.product_id)
            address = f"{base_url(request, settings)}/signed/{quote(product.product_id, safe='/')}"
            return f"{address}?expires={made.expires}&signature={made.signature}"


def media_type(product: Product) -> str:
    """What a file is to HTTP: gzip that is part of its name is gzip, whatever is in it (nobody is to unpack it)."""
    is_gzip = product.product_id.lower().endswith(".gz")
    return "application/gzip" if is_gzip else product.content_type


def asked_bytes(header: str | None, size: int) -> int:
    """How many bytes of a file a Range header asks for (RFC 9110, section 14.1.2); all where it is none of bytes."""
    unit, _, text = (header or "").partition("=")
    if unit.strip().lower() != "bytes":
        return size
    asked = 0
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if match is None or not (match[1] or match[2]):
            return size
        first, last = (int(one[:18]) if one else None for one in match.groups())
        if first is None:
            asked += min(last or 0, size)
        else:
            asked += max(min(size - 1 if last is None else last, size - 1) - first + 1, 0)
    return min(asked, size)


class _Download(FileResponse):
    """A file of this machine on its way; a client that takes nothing for ``patience`` seconds is given up."""

    def __init__(self, product: Product, held: Held, patience: float) -> None:
        picture = product.content_type.startswith("image/jp") or product.content_type == "image/png"
        super().__init__(
            held.path,
            media_type=media_type(product),
            filename=product.product_id.rpartition("/")[2],
            content_disposition_type="inline" if picture else "attachment",
            stat_result=held.status,
            # What a file claims to be is what browsers take it for.
            headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"},
        )
        self.size = held.size or 0
        self._patience = patience
        self._allowance: Allowance | None = None
        self._client = ""

    def limit(self, allowance: Allowance, client: str) -> None:
        """Count it as a large file of this client."""
        self._allowance, self._client = allowance, client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = 0

        async def watched(message: Message) -> None:
            nonlocal sent
            try:
                with anyio.fail_after(self._patience):
                    await send(message)
            except TimeoutError as error:
                raise BrokenOffError(f"its client did not take a block in {self._patience:g} s") from error
            sent += len(message.get("body", b""))

        if self._allowance is None:
            await super().__call__(scope, receive, watched)
            return
        with self._allowance.running(self._client):
            asked = asked_bytes(Headers(scope=scope).get("range"), self.size)
            self._allowance.take(self._client, asked)
            try:
                await super().__call__(scope, receive, watched)
            finally:
                self._allowance.settle(self._client, sent - asked)


def _unchanged(asked: Headers, held: Headers) -> bool:
    """Whether the client's copy is still good (RFC 9110, sections 13.1.2 and 13.1.3); weak comparison."""
    if tags := asked.get("if-none-match"):
        return is_unchanged(tags, held["etag"])
    try:
        return parsedate_to_datetime(asked["if-modified-since"]) >= parsedate_to_datetime(held["last-modified"])
    except (KeyError, TypeError, ValueError):  # absent, or no date: as if absent
        return False
