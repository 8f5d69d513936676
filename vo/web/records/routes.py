"""``/records`` and ``/records/<record>``: the registry's records for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from vo.adql.sky.geometry import BadArgument
from vo.context import Context
from vo.dali.routes import base_url
from vo.db.registry import OWN, Record, find_record
from vo.errors import NotFoundFault
from vo.metadata.ivoids import RECORDS_PATH, collection_id, named_by, record_path
from vo.web import pages
from vo.web.records.document import Told, read_told
from vo.web.records.listing import known_records, list_records
from vo.web.records.skymap import SkyMap, draw_map
from vo.web.records.years import Years, count_years, draw_years

# A record of anybody may have elements of XHTML in it, scripts among them: browsers run none of them under this policy.
_XML_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


def routes(context: Context) -> list[BaseRoute]:
    """The list of all records and their pages."""
    settings = context.settings
    collections = {collection_id(settings, one).lower(): one.name for one in context.collections}

    def find(path: str) -> Record:
        with context.database.read() as connection:
            for identifier in named_by(settings.authority, path.replace("\0", "")):
                if record := find_record(connection, identifier):
                    return record
        raise NotFoundFault("no such record here; /records lists them")

    def show_list(request: Request) -> Response:
        base = base_url(request, settings)
        values = request.query_params
        if ivoid := values.get("ivoid"):
            return RedirectResponse(f"{base}{record_path(settings.authority, ivoid)}", status_code=303)
        search, after = values.get("search", "").strip(), values.get("after", "")
        with context.database.read() as connection:
            lines, more = list_records(connection, search, ("harvested" in values, after.lower()))
        shown = [(line, base + record_path(settings.authority, line.identifier)) for line in lines]
        return _page(request, "records.html", lines=shown, more=more, search=search, after=after)

    def show(request: Request) -> Response:
        record = find(request.path_params["record"])
        if record.document is None:
            return _page(request, "record_gone.html", status=HTTPStatus.GONE, record=record)
        if request.query_params.get("format") == "xml":
            return Response(record.document, media_type="application/xml; charset=utf-8", headers=_XML_HEADERS)
        told = read_told(record.document)
        sky, trouble = _draw_sky(told)
        return _page(
            request,
            "record.html",
            record=record,
            told=told,
            is_own=record.source == OWN,
            here=base_url(request, settings) + record_path(settings.authority, record.identifier),
            links=_link_related(context, told, base_url(request, settings)),
            sky=sky,
            trouble=trouble,
            collection=collections.get(record.ivoid) if record.source == OWN else None,
            years=_draw_years(context, collections.get(record.ivoid) if record.source == OWN else None),
        )

    def _page(request: Request, template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
        text = pages.render(settings, base_url(request, settings), template, **values)
        return HTMLResponse(text, status_code=status, headers=pages.HEADERS)

    return [
        Route(RECORDS_PATH, show_list, methods=["GET"]),
        Route(f"{RECORDS_PATH}/{{record:path}}", show, methods=["GET"]),
    ]


def _draw_sky(told: Told) -> tuple[SkyMap | None, str | None]:
    """The map, and why there is none."""
    if told.spatial is None:
        return None, None
    try:
        return draw_map(told.spatial), None
    except BadArgument as fault:
        return None, fault.text


def _draw_years(context: Context, collection: str | None) -> Years | None:
    if collection is None:
        return None
    with context.database.read() as connection:
        return draw_years(count_years(connection, collection))


def _link_related(context: Context, told: Told, base: str) -> dict[str, str]:
    """Pages of those related resources that have records here, by their identifiers as they are written."""
    named = [identifier for relation in told.relations for _, identifier in relation.others if identifier]
    named += [identifier for identifier in (told.publisher[1] if told.publisher else None,) if identifier]
    named += [text for text in told.authorities if text.lower().startswith("ivo://")]
    with context.database.read() as connection:
        known = known_records(connection, [one.lower() for one in named])
    return {one: base + record_path(context.settings.authority, one) for one in named if one.lower() in known}
