"""``/tap`` and ``/tap/sync``: requests in, tables out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from vo.context import Context
from vo.dali.routes import base_url, client_address, read_parameters, request_url, respond
from vo.tap import sync


def routes(context: Context) -> list[Route]:
    """The routes of TAP but for its jobs (vo.uws.routes) and VOSI documents."""

    async def answer(request: Request) -> Response:
        parameters = await read_parameters(request, context.settings)
        base = base_url(request, context.settings)
        asked = request_url(request, context.settings)
        return respond(
            lambda: sync.answer(context, parameters, base, asked),
            patience=context.settings.stall_seconds,
            turn=context.turns.take(client_address(request, context.settings)),
            accept_encoding=request.headers.get("accept-encoding"),
        )

    def show_base(request: Request) -> Response:
        return RedirectResponse(f"{base_url(request, context.settings)}/#services", status_code=303)

    return [
        Route("/tap", show_base, methods=["GET"]),
        Route("/tap/sync", answer, methods=["GET", "POST"]),
    ]
