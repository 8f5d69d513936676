"""``/datalink/links``: identifiers in, links out."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.context import Context
from vo.dali.routes import base_url, read_parameters, request_url
from vo.datalink.answer import answer


def routes(context: Context) -> list[Route]:
    """The routes of Datalink but for its VOSI documents."""

    async def links(request: Request) -> Response:
        parameters = await read_parameters(request, context.settings)
        base = base_url(request, context.settings)
        asked = request_url(request, context.settings)
        found = await run_in_threadpool(answer, context, parameters, base, asked)
        # The content type is the canonical one whatever Accept says: TOPCAT's Java asks for text/html first.
        return Response(found.body, headers={"Content-Type": found.media_type})

    return [Route("/datalink/links", links, methods=["GET", "POST"])]
