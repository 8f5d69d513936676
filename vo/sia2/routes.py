"""``/sia2/query``: requests in, tables of images out."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.context import Context
from vo.dali.routes import base_url, read_parameters, request_url, stream
from vo.sia2.answer import answer


def routes(context: Context) -> list[Route]:
    """The routes of SIA2 but for its VOSI documents."""

    async def query(request: Request) -> Response:
        parameters = await read_parameters(request, context.settings)
        base = base_url(request, context.settings)
        asked = request_url(request, context.settings)
        found = await run_in_threadpool(answer, context, parameters, base, asked)
        patience = context.settings.stall_seconds
        return stream(found.chunks, found.media_type, found.close, patience=patience, on_gone=found.cancel)

    return [Route("/sia2/query", query, methods=["GET", "POST"])]
