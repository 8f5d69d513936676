"""The VOSI endpoints beside each service: capabilities, availability, and for TAP the tables."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from vo_models.voresource.models import Capability

from vo.context import Context
from vo.dali.routes import base_url
from vo.errors import NotFoundFault, UsageFault
from vo.metadata.fields import Catalogue
from vo.vosi import availability, capabilities, tableset

_XML = "text/xml; charset=utf-8"

#: Addresses under which one server is reached; each has a capabilities document of its own.
_ADDRESSES = 64


@dataclass(frozen=True, slots=True)
class Service:
    """A service at ``path`` (such as ``/tap``); ``capability`` makes its own capability from the base address."""

    path: str
    capability: Callable[[str], Capability]
    has_tables: bool = False


def routes(context: Context, services: tuple[Service, ...]) -> list[Route]:
    """The VOSI routes of all services."""
    started = dt.datetime.now(dt.UTC)
    made = [route for service in services for route in _service_routes(context, service, started)]
    return [*made, *(route for service in services if service.has_tables for route in _table_routes(context, service))]


def _service_routes(context: Context, service: Service, started: dt.datetime) -> list[Route]:
    @functools.lru_cache(maxsize=_ADDRESSES)
    def document(base: str) -> bytes:
        return capabilities.document(service.capability(base), f"{base}{service.path}", has_tables=service.has_tables)

    def show_capabilities(request: Request) -> Response:
        body = document(base_url(request, context.settings))
        return _unless_known(request, body, {"Last-Modified": format_datetime(started, usegmt=True)})

    def show_availability(_request: Request) -> Response:
        body = availability.document(context.database, started)
        return Response(body, media_type=_XML, headers={"Cache-Control": "no-store"})

    return [
        Route(f"{service.path}/capabilities", show_capabilities, methods=["GET"]),
        Route(f"{service.path}/availability", show_availability, methods=["GET"]),
    ]


def _table_routes(context: Context, service: Service) -> list[Route]:
    documents = {
        "min": tableset.tableset(context.catalogue, columns=False),
        "max": tableset.tableset(context.catalogue, columns=True),
    }
    tables = _table_documents(context.catalogue)

    def show_tables(request: Request) -> Response:
        # Names of parameters are matched in any case (DALI-01).
        asked = {name.lower(): value for name, value in request.query_params.items()}
        detail = asked.get("detail", "max").lower()
        if detail not in documents:
            raise UsageFault(f"detail={detail[:40]!r} is not known; use min (names only) or max (columns too)")
        return _unless_known(request, documents[detail])

    def show_table(request: Request) -> Response:
        name = request.path_params["name"]
        body = tables.get(name.lower())
        if body is None:
            raise NotFoundFault(f"no table {name!r} here; {service.path}/tables?detail=min lists those there are")
        return _unless_known(request, body)

    return [
        Route(f"{service.path}/tables", show_tables, methods=["GET"]),
        Route(f"{service.path}/tables/{{name}}", show_table, methods=["GET"]),
    ]


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
