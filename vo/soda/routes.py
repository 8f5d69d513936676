"""``/soda/sync``: an exposure and a shape in, a FITS file out."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from vo.context import Context
from vo.dali.routes import base_url, read_parameters, stream
from vo.soda.answer import Whole, answer


def routes(context: Context) -> list[Route]:
    """The routes of SODA but for its VOSI documents."""

    async def sync(request: Request) -> Response:
        parameters = await read_parameters(request, context.settings)
        found = await run_in_threadpool(answer, context, parameters, base_url(request, context.settings))
        if found is None:
            return Response(status_code=204)
        if isinstance(found, Whole):
            return RedirectResponse(found.url, status_code=303)
        headers = {
            "Content-Disposition": f'attachment; filename="{found.filename}"',
            "Content-Length": str(found.size),
        }
        patience = context.settings.stall_seconds
        return stream(found.chunks, found.media_type, lambda: None, patience=patience, headers=headers)

    return [Route("/soda/sync", sync, methods=["GET", "POST"])]
