"""``/discover``: the form, searches as pages, their events as a stream, their tables."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from vo.context import Context
from vo.dali.routes import base_url, client_address, read_parameters, request_url, respond
from vo.dali.work import Body
from vo.errors import NotFoundFault
from vo.settings import Settings
from vo.tables import formats
from vo.web import pages
from vo.web.discovery import found
from vo.web.discovery.order import Bounds, Order, Own
from vo.web.discovery.question import FIELDS, MOST_RADIUS, UNITS, USUAL_RADIUS, FormFault, read_question
from vo.web.discovery.runs import Found, Line, Run, Runs
from vo.web.discovery.told import describe, list_facts, state

#: Where a SAMP hub listens on the visitor's own machine (SAMP 1.3, section 5.2).
_HUBS = ("http://localhost:21012", "http://127.0.0.1:21012")

#: A stream says something so often, in seconds: what stands between would close one that is silent.
_ALIVE_SECONDS = 15.0

_EMPTY = dict.fromkeys(FIELDS, "")

_EVENT_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}


def routes(context: Context, runs: Runs) -> list[BaseRoute]:
    """The routes of the discovery page."""
    settings = context.settings

    def form(request: Request) -> Response:
        values = {**_EMPTY, "radius": f"{USUAL_RADIUS:g}", "unit": "nm", **_fields(request.query_params)}
        return _form(request, settings, values, {})

    async def begin(request: Request) -> Response:
        parameters = await read_parameters(request, settings)
        values = {**_EMPTY, **_fields({name: parameters.one(name) or "" for name in FIELDS})}
        try:
            question = read_question(values)
        except FormFault as fault:
            return _form(request, settings, values, fault.fields, status=fault.status)
        base = base_url(request, settings)
        client = client_address(request, settings)
        columns = found.kinds(found.list_columns(context))
        order = Order(question, _own(request, settings, base, client), _bounds(settings), columns)
        run = await runs.start(order, client, base)
        return RedirectResponse(f"{base}/discover/runs/{run.id}", status_code=303)

    def lead(request: Request) -> Response:
        return RedirectResponse(f"{base_url(request, settings)}/discover", status_code=303)

    return [
        Route("/discover", form, methods=["GET"]),
        Route("/discover/runs", begin, methods=["POST"]),
        Route("/discover/runs", lead, methods=["GET"]),
        *_run_routes(context, runs),
    ]


def _run_routes(context: Context, runs: Runs) -> list[BaseRoute]:
    """Those of one search."""
    settings = context.settings

    def find(request: Request) -> Run:
        return runs.find(request.path_params["run_id"])

    async def show(request: Request) -> Response:
        run = find(request)
        after = len(run.entries)
        rows = await run_in_threadpool(found.show_rows, context, run, 0, found.SHOWN_ROWS)
        here = f"{base_url(request, settings)}/discover/runs/{run.id}"
        return HTMLResponse(
            pages.render(
                settings,
                base_url(request, settings),
                "discovery_run.html",
                here=here,
                run=run,
                state=state(run),
                facts=list_facts(run.question),
                rows=rows,
                lines=run.lines,
                after=after,
                shown_rows=found.SHOWN_ROWS,
                file_name=found.file_name(run),
                summary=describe(run.question),
            ),
            headers={**pages.scripted(*_HUBS), "Cache-Control": "no-store"},
        )

    async def stop(request: Request) -> Response:
        run = find(request)
        if request.method == "POST":
            runs.stop(run)
        return RedirectResponse(
            f"{base_url(request, settings)}/discover/runs/{request.path_params['run_id']}", status_code=303
        )

    async def drop(request: Request) -> Response:
        runs.drop(find(request))
        return RedirectResponse(f"{base_url(request, settings)}/discover", status_code=303)

    async def events(request: Request) -> Response:
        run = find(request)
        if request.method == "HEAD":  # which would wait for the end of the search
            return Response(media_type="text/event-stream", headers=_EVENT_HEADERS)
        stream = _events(context, runs, run, _read_after(request))
        return StreamingResponse(stream, media_type="text/event-stream", headers=_EVENT_HEADERS)

    async def result(request: Request) -> Response:
        run = find(request)
        form = formats.find(None)
        table = found.make_table(context, run, request_url(request, settings))

        def start() -> Body:
            chunks = form.write(table.document, table.batches, table.maxrec, settings.result_bytes)
            return Body(form.media_type, chunks, _nothing, _nothing)

        return respond(
            start,
            patience=settings.stall_seconds,
            headers={
                "Content-Disposition": f'attachment; filename="{found.file_name(run)}"',
                "Cache-Control": "no-store",
            },
            accept_encoding=request.headers.get("accept-encoding"),
        )

    return [
        Route("/discover/runs/{run_id}", show, methods=["GET"]),
        Route("/discover/runs/{run_id}", drop, methods=["DELETE"]),
        Route("/discover/runs/{run_id}/events", events, methods=["GET"]),
        Route("/discover/runs/{run_id}/stop", stop, methods=["GET", "POST"]),
        Route("/discover/runs/{run_id}/result", result, methods=["GET"]),
    ]


def _nothing() -> None:
    return


def _fields(values: Mapping[str, str]) -> dict[str, str]:
    return {name: values[name] for name in FIELDS if name in values}


def _form(
    request: Request, settings: Settings, values: Mapping[str, str], wrong: Mapping[str, str], status: int = 200
) -> Response:
    page = pages.render(
        settings,
        base_url(request, settings),
        "discovery.html",
        values=values,
        wrong=wrong,
        units={key: label for key, (label, _) in UNITS.items()},
        most_radius=f"{MOST_RADIUS:g}",
        minutes=f"{settings.discovery_minutes:g}",
    )
    return HTMLResponse(page, status_code=status, headers=pages.HEADERS)


def _bounds(settings: Settings) -> Bounds:
    return Bounds(
        service_seconds=settings.discovery_service_seconds,
        rows=settings.discovery_rows,
        bytes=settings.discovery_bytes,
        memory=settings.discovery_memory_bytes,
        private=settings.discovery_private,
    )


def _own(request: Request, settings: Settings, base: str, client: str) -> Own:
    """How a process of this machine reaches this server: at the very socket that this request came in at.

    That holds for any port and behind any proxy, where the public address may lead nowhere from here.
    """
    server = request.scope.get("server")
    if not server or server[1] is None:
        raise NotFoundFault("this server listens on no port that a search could ask its registry at")
    host, port = server
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    bases = (base, (settings.base_url or base).rstrip("/"), f"http://{shown}:{port}", f"http://localhost:{port}")
    public = urlsplit(base)
    headers = [("Host", public.netloc)]
    if settings.trust_forwarded:
        headers += [
            ("X-Forwarded-Proto", public.scheme),
            ("X-Forwarded-Host", public.netloc),
            ("X-Forwarded-Prefix", public.path),
            ("X-Forwarded-For", client.partition("/")[0]),
        ]
    return Own(host, port, tuple(dict.fromkeys(bases)), tuple(headers))


def _read_after(request: Request) -> int:
    """How many entries the page has already: told by a browser that comes back, else by the page itself."""
    text = request.headers.get("last-event-id") or request.query_params.get("after", "0")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0  # noqa: PLR2004  digits


async def _events(context: Context, runs: Runs, run: Run, after: int) -> AsyncIterator[str]:
    """Server-Sent Events (HTML, section 9.2): ``log`` and ``rows`` as they come, ``state`` at each change, ``end``.

    Whoever hears of a state has all lines and rows that came before it.
    """
    last: Mapping[str, Any] = {}
    async for _ in runs.follow(run, _ALIVE_SECONDS):
        now = state(run)  # while entries are sent, more may come, and the end
        for entry in run.entries[after:]:
            after += 1
            yield await _event(context, run, after, entry)
        yield _message("state", now) if now != last else ": still here\n\n"
        last = now
    for entry in run.entries[after:]:
        after += 1
        yield await _event(context, run, after, entry)
    yield _message("end", state(run))


async def _event(context: Context, run: Run, number: int, entry: Line | Found) -> str:
    match entry:
        case Line(text):
            return _message("log", {"text": text}, number)
        case Found(start, stop):
            rows = await run_in_threadpool(found.show_rows, context, run, start, stop)
            return _message("rows", [dataclasses.asdict(row) for row in rows], number)


def _message(kind: str, data: Any, number: int | None = None) -> str:
    mark = "" if number is None else f"id: {number}\n"
    return f"event: {kind}\n{mark}data: {json.dumps(data)}\n\n"
