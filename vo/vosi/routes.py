"""The VOSI endpoints beside each service: capabilities, availability, and for TAP the tables."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from email.utils import format_datetime

import anyio
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.context import Context
from vo.dali.routes import base_url
from vo.dali.service import Service
from vo.errors import NotFoundFault, UsageFault
from vo.metadata import tableset
from vo.metadata.fields import Catalogue
from vo.vosi import capabilities
from vo.vosi.availability import Watch
from vo.vosi.checks import make_checks

_XML = "text/xml; charset=utf-8"

#: Addresses under which one server is reached; each has a capabilities document of its own.
_ADDRESSES = 64


def routes(context: Context, services: tuple[Service, ...]) -> list[Route]:
    """The VOSI routes of all services."""
    started = dt.datetime.now(dt.UTC)
    watch = Watch(make_checks(context), started)
    # Of its own: the threads that requests share may all be waiting for the very database that is asked about.
    threads = anyio.CapacityLimiter(1)

    async def show_availability(_request: Request) -> Response:
        body = await run_sync(watch.document, limiter=threads)
        return Response(body, media_type=_XML, headers={"Cache-Control": "no-store"})

    shown = [Route(f"{service.path}/availability", show_availability, methods=["GET"]) for service in services]
    made = [_capabilities_route(context, service, started) for service in services]
    return [
        *shown,
        *made,
        *(route for service in services if service.has_tables for route in _table_routes(context, service)),
    ]


def _capabilities_route(context: Context, service: Service, started: dt.datetime) -> Route:
    @functools.lru_cache(maxsize=_ADDRESSES)
    def document(base: str) -> bytes:
        return capabilities.document(service.capabilities(base))

    def show_capabilities(request: Request) -> Response:
        body = document(base_url(request, context.settings))
        return _unless_known(request, body, {"Last-Modified": format_datetime(started, usegmt=True)})

    return Route(f"{service.path}/capabilities", show_capabilities, methods=["GET"])


def _table_routes(context: Context, service: Service) -> list[Route]:
    documents = {
        "min": tableset.tableset(context.catalogue, columns=False),
        "max": tableset.tableset(context.catalogue, columns=True),
    }
    tables = _table_documents(context.catalogue)

    def show_tables(request: Request) -> Response:
        # Names of parameters are matched in any case (DALI-01); an empty value counts as none.
        asked = {name.lower(): value for name, value in request.query_params.items()}
        detail = asked.get("detail", "").strip().lower() or "max"
        if detail not in documents:
            raise UsageFault(f"detail={detail[:40]!r} is not known; use min (names only) or max (columns too)")
        return _unless_known(request, documents[detail])

    def show_table(request: Request) -> Response:
        name = request.path_params["name"]
        body = tables.get(_plain(name))
        if body is None:
            raise NotFoundFault(f"no table {name!r} here; {service.path}/tables?detail=min lists those there are")
        return _unless_known(request, body)

    return [
        Route(f"{service.path}/tables", show_tables, methods=["GET"]),
        Route(f"{service.path}/tables/{{name}}", show_table, methods=["GET"]),
    ]


def _plain(name: str) -> str:
    """A table's name as it is looked up: names are matched in any case, and may be quoted as in a query."""
    return ".".join(part.strip().strip('"') for part in name.lower().split("."))


def _table_documents(catalogue: Catalogue) -> dict[str, bytes]:
    return {table.qualified.lower(): tableset.single_table(table) for table in catalogue.tables}


def _unless_known(request: Request, body: bytes, headers: dict[str, str] | None = None) -> Response:
    """The document, or 304 when the client holds this very one (RFC 9110 section 13.1.2)."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    told = {"ETag": etag, "Cache-Control": "no-cache", **(headers or {})}
    held = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if etag in held or "*" in held:
        return Response(status_code=304, headers=told)
    return Response(body, media_type=_XML, headers=told)
