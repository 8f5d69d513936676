"""Pages for people and their style sheet.

``/``, ``/collections/<name>``, ``/plates/<collection>/<plate_id>`` with ``/at``, and ``/tap/examples``, which clients
read, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from vo.context import Context
from vo.dali.faults import FaultStyle
from vo.dali.routes import base_url
from vo.errors import Fault, NotFoundFault, UsageFault
from vo.metadata.collection import Collection
from vo.metadata.examples import Example
from vo.metadata.ivoids import collection_id, record_path
from vo.products.links import file_url, plate_url
from vo.settings import Settings
from vo.web import counts, pages
from vo.web.examples import SHOWN_ROWS, list_chapters, list_groups
from vo.web.place import as_json, read_asked
from vo.web.plate import list_facts, read_place, read_plate
from vo.web.records.listing import known_records

#: Where nothing is published yet the examples ask for the Orion Nebula.
_ORION = (83.82, -5.39)


def routes(context: Context, examples: Sequence[Example]) -> list[BaseRoute]:
    """The pages' routes; ``examples`` are TAP's example queries."""
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
            example=next((example for example in examples if not example.uploads), None),
            shown_rows=SHOWN_ROWS,
        )

    def show_examples(request: Request) -> Response:
        if not examples:
            raise NotFoundFault("there are no example queries here; /tap/tables lists what can be asked")
        return _page(
            request,
            context.settings,
            "examples.html",
            chapters=list_chapters(examples, context.collections, base_url(request, context.settings)),
            groups=list_groups(),
            shown_rows=SHOWN_ROWS,
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
            record=_record_of(context, found, base),
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

    return [
        Route("/", front, methods=["GET"]),
        Route("/tap/examples", show_examples, methods=["GET"]),
        Route("/collections/{collection}", collection, methods=["GET"]),
        *_plate_routes(context, find),
        Mount("/static", StaticFiles(directory=pages.HERE / "static")),
    ]


def _record_of(context: Context, collection: Collection, base: str) -> str | None:
    """The page of a collection's registry record, None before it is published."""
    ivoid = collection_id(context.settings, collection)
    with context.database.read() as connection:
        is_known = bool(known_records(connection, [ivoid.lower()]))
    return base + record_path(context.settings.authority, ivoid) if is_known else None


def _plate_routes(context: Context, find: Callable[[Request], Collection]) -> list[BaseRoute]:
    def plate(request: Request) -> Response:
        return show_plate(request, request.path_params["plate_id"])

    def show_plate(request: Request, plate_id: str) -> Response:
        found = find(request)
        base = base_url(request, context.settings)
        values = request.query_params
        page = read_plate(context, found, plate_id, values.get("exposure"), read_asked(values), base)
        here = plate_url(base, found.name, plate_id)
        facts = list_facts(page.bundle.plate)
        return _page(
            request, context.settings, "plate.html", headers=pages.scripted(), page=page, facts=facts, here=here
        )

    def at(request: Request) -> Response:
        if not request.scope["raw_path"].endswith(b"/at"):  # a plate whose id ends so: its slash is written %2F
            return show_plate(request, request.path_params["plate_id"] + "/at")
        try:
            asked = read_asked(request.query_params)
            if asked is None:
                raise UsageFault("x and y are missing: a pixel of the scan, counted from 1")  # noqa: TRY301
            place, stage = read_place(
                context,
                find(request),
                request.path_params["plate_id"],
                request.query_params.get("exposure"),
                asked,
                base_url(request, context.settings),
            )
        except UsageFault as fault:
            return JSONResponse({"error": fault.text}, status_code=fault.status)
        return JSONResponse(as_json(place, stage))

    return [
        Route("/plates/{collection}/{plate_id:path}/at", at, methods=["GET"]),
        Route("/plates/{collection}/{plate_id:path}", plate, methods=["GET"]),
    ]


def fault_style(request: Request, settings: Settings) -> FaultStyle:
    """How faults look to people who came for a page."""
    try:
        base = base_url(request, settings)
    except Fault:  # the request names no usable address: links stay within this server
        base = ""
    return pages.fault_style(settings, base)


def _page(
    request: Request, settings: Settings, template: str, headers: Mapping[str, str] = pages.HEADERS, **values: Any
) -> Response:
    return HTMLResponse(pages.render(settings, base_url(request, settings), template, **values), headers=headers)
