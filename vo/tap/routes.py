"""``/tap`` and ``/tap/sync``: requests in, tables out."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from vo.context import Context
from vo.dali.routes import base_url, read_parameters, request_url, stream
from vo.errors import NotFoundFault
from vo.tap import sync


def routes(context: Context) -> list[Route]:
    """The routes of TAP but for its VOSI documents."""

    async def answer(request: Request) -> Response:
        parameters = await read_parameters(request, context.settings)
        base = base_url(request, context.settings)
        asked = request_url(request, context.settings)
        found = await run_in_threadpool(sync.answer, context, parameters, base, asked)
        patience = context.settings.stall_seconds
        return stream(found.chunks, found.media_type, found.close, patience=patience, on_gone=found.cancel)

    def show_base(request: Request) -> Response:
        return RedirectResponse(f"{base_url(request, context.settings)}/#services", status_code=303)

    def refuse_async(_request: Request) -> Response:
        raise NotFoundFault("this service runs no asynchronous jobs; send the query to /tap/sync")

    every = ["GET", "POST", "DELETE"]
    return [
        Route("/tap", show_base, methods=["GET"]),
        Route("/tap/sync", answer, methods=["GET", "POST"]),
        Route("/tap/async", refuse_async, methods=every),
        Route("/tap/async/{job:path}", refuse_async, methods=every),
    ]
