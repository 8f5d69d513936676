"""``/soda/sync``: exposures or a plate, and a shape in; a FITS file or a picture out."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from vo.context import Context
from vo.dali.parameters import Parameters
from vo.dali.routes import base_url, client_address, read_parameters, respond
from vo.dali.turns import Turns, Words
from vo.dali.work import Body
from vo.soda.answer import Whole, answer
from vo.soda.cutting import Cutting

_CUTOUTS = Words("cutouts", "cutouts_at_once", "client_cutouts", "/soda/async")
#: A cutout of less is read in the thread that cut it, in one go: each block of a stream is a change of threads.
_SMALL_BYTES = 8_000_000


def routes(context: Context) -> list[Route]:
    """The routes of SODA but for its VOSI documents and its jobs."""
    settings = context.settings
    turns = Turns(settings.cutouts_at_once, settings.client_cutouts, settings.query_wait_seconds, _CUTOUTS)

    async def sync(request: Request) -> Response:
        parameters = await read_parameters(request, settings)
        begin = answer if request.method == "HEAD" else _make  # for its headers no pixel need be read
        # Pictures are made and small cutouts read here; the blocks of larger ones take little memory, and no turn.
        async with turns.take(client_address(request, settings)):
            found = await run_in_threadpool(begin, context, parameters, base_url(request, settings))
        if found is None:
            return Response(status_code=204)
        if isinstance(found, Whole):
            return RedirectResponse(found.url, status_code=303)
        headers = {
            "Content-Disposition": f'attachment; filename="{found.filename}"',
            "Content-Length": str(found.size),
            "X-Content-Type-Options": "nosniff",
        }
        body = Body(found.media_type, found.chunks)
        return respond(lambda: body, patience=settings.stall_seconds, headers=headers)

    return [Route("/soda/sync", sync, methods=["GET", "POST"])]


def _make(context: Context, parameters: Parameters, base: str) -> Whole | Cutting | None:
    found = answer(context, parameters, base)
    if isinstance(found, Cutting) and found.size < _SMALL_BYTES:
        whole = b"".join(found.chunks)
        return Cutting(found.media_type, found.filename, found.size, iter([whole]))
    return found
