"""``/sia2/query``: requests in, tables of images out."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.context import Context
from vo.dali.routes import base_url, read_parameters, stream
from vo.sia2.answer import answer


def routes(context: Context) -> list[Route]:
    """The routes of SIA2 but for its VOSI documents."""

    async def query(request: Request) -> Response:
        parameters = await read_parameters(request, context.settings)
        base = base_url(request, context.settings)
        told = f"{base}{request.url.path}" + (f"?{request.url.query}" if request.url.query else "")
        found = await run_in_threadpool(answer, context, parameters, base, told)
        return stream(found.chunks, found.media_type, found.close)

    return [Route("/sia2/query", query, methods=["GET", "POST"])]
