"""``/files/<product_id>``: the files themselves, whole or in ranges."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.staticfiles import NotModifiedResponse

from vo.db.connect import Database
from vo.products.catalogue import find_product
from vo.products.store import describe


class Holdings(Protocol):
    """What this needs of the server's context (which stands above this package)."""

    @property
    def database(self) -> Database:
        """The open database."""


def routes(context: Holdings) -> list[Route]:
    """The route that serves files; starlette runs it in a worker thread."""

    def file(request: Request) -> Response:
        with context.database.read() as connection:
            product = find_product(connection, request.path_params["product_id"])
        held = describe(product)
        picture = product.content_type.startswith("image/jp") or product.content_type == "image/png"
        response = FileResponse(
            held.path,
            media_type=product.content_type,
            filename=product.product_id.rpartition("/")[2],
            content_disposition_type="inline" if picture else "attachment",
            stat_result=held.status,
            # What a file claims to be is what browsers take it for.
            headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"},
        )
        if _unchanged(request.headers, response.headers):
            return NotModifiedResponse(response.headers)
        return response

    return [Route("/files/{product_id:path}", file, methods=["GET"], name="files")]


def _unchanged(asked: Headers, held: Headers) -> bool:
    """Whether the client's copy is still good (RFC 9110, sections 13.1.2 and 13.1.3); weak comparison."""
    if tags := asked.get("if-none-match"):
        return tags.strip() == "*" or held["etag"] in {tag.strip().removeprefix("W/") for tag in tags.split(",")}
    try:
        return parsedate_to_datetime(asked["if-modified-since"]) >= parsedate_to_datetime(held["last-modified"])
    except (KeyError, TypeError, ValueError):  # absent, or no date: as if absent
        return False
