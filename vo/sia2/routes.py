"""``/sia2/query``: requests in, tables of images out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.context import Context
from vo.dali.routes import base_url, client_address, read_parameters, request_url, respond
from vo.sia2.answer import answer


def routes(context: Context) -> list[Route]:
    """The routes of SIA2 but for its VOSI documents."""

    async def query(request: Request) -> Response:
        parameters = await read_parameters(request, context.settings)
        base = base_url(request, context.settings)
        asked = request_url(request, context.settings)
        return respond(
            lambda: answer(context, parameters, base, asked),
            patience=context.settings.stall_seconds,
            turn=context.turns.take(client_address(request, context.settings)),
            accept_encoding=request.headers.get("accept-encoding"),
        )

    return [Route("/sia2/query", query, methods=["GET", "POST"])]
