"""Pages for people: ``/``, ``/collections/<name>``, ``/plates/<collection>/<plate_id>``, and their style sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

import vo
from vo.context import Context
from vo.dali.faults import FaultStyle
from vo.dali.routes import base_url
from vo.errors import Fault, NotFoundFault
from vo.metadata.collection import Collection
from vo.products.links import file_url, plate_url
from vo.settings import Settings
from vo.web import counts
from vo.web.plate import list_facts, read_plate

_HERE = Path(__file__).parent
_PAGES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

#: Where nothing is published yet the examples ask for the Orion Nebula.
_ORION = (83.82, -5.39)

# Pages run no scripts and load nothing from elsewhere; files may be pictures behind a redirect to where they are kept.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' https: data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def routes(context: Context) -> list[BaseRoute]:
    """The pages' routes."""
    known = {collection.name: collection for collection in context.collections}
    summaries = counts.Summaries(context)

    def find(request: Request) -> Collection:
        name = request.path_params["collection"]
        if name not in known:
            raise NotFoundFault(f"no collection {name!r} here")
        return known[name]

    def front(request: Request) -> Response:
        ra, dec = counts.example_position(context) or _ORION
        return _page(
            request,
            context.settings,
            "front.html",
            summaries=[summaries.of(collection) for collection in context.collections],
            tables=[f"{collection.name}.plates" for collection in context.collections],
            ra=f"{ra:.4f}",
            dec=f"{dec:.4f}",
        )

    def collection(request: Request) -> Response:
        found = find(request)
        search = request.query_params.get("search", "").strip()
        after = request.query_params.get("after", "")
        lines, more = counts.list_plates(context, found, search, after)
        base = base_url(request, context.settings)
        summary = summaries.of(found)
        return _page(
            request,
            context.settings,
            "collection.html",
            collection=found,
            summary=summary,
            pictures=[
                (picture.plate_id, plate_url(base, found.name, picture.plate_id), file_url(base, picture.product_id))
                for picture in summary.pictures
            ],
            lines=[(line, plate_url(base, found.name, line.plate_id)) for line in lines],
            more=more,
            search=search,
            after=after,
            here=f"{base}/collections/{found.name}",
        )

    def plate(request: Request) -> Response:
        found = find(request)
        base = base_url(request, context.settings)
        page = read_plate(context, found, request.path_params["plate_id"], request.query_params.get("exposure"), base)
        return _page(request, context.settings, "plate.html", page=page, facts=list_facts(page.bundle.plate))

    return [
        Route("/", front, methods=["GET"]),
        Route("/collections/{collection}", collection, methods=["GET"]),
        Route("/plates/{collection}/{plate_id:path}", plate, methods=["GET"]),
        Mount("/static", StaticFiles(directory=_HERE / "static")),
    ]


def fault_style(request: Request, settings: Settings) -> FaultStyle:
    """How faults look to people who came for a page."""

    def document(message: str) -> bytes:
        try:
            base = base_url(request, settings)
        except Fault:  # the request names no usable address: links stay within this server
            base = ""
        return _render(settings, base, "fault.html", heading=message[:1].upper() + message[1:]).encode()

    return FaultStyle("text/html; charset=utf-8", lambda fault: fault.text, document)


def _page(request: Request, settings: Settings, template: str, **values: Any) -> Response:
    return HTMLResponse(_render(settings, base_url(request, settings), template, **values), headers=_HEADERS)


def _render(settings: Settings, base: str, template: str, **values: Any) -> str:
    return _PAGES.get_template(template).render(
        base=base, publisher=settings.publisher, contact=settings.contact, version=vo.__version__, **values
    )
