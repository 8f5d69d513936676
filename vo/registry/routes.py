"""``/oai``: the publishing registry."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.context import Context
from vo.dali.routes import base_url, read_parameters, respond
from vo.dali.work import Body
from vo.errors import UsageFault
from vo.metadata.ivoids import OAI_PATH
from vo.registry.oai.answer import answer, refusal
from vo.registry.oai.problems import Problem


def routes(context: Context) -> list[Route]:
    """The route of OAI-PMH, by GET and by POST (OAI-01)."""
    settings = context.settings

    async def show(request: Request) -> Response:
        address = f"{base_url(request, settings)}{OAI_PATH}"
        problem: Problem | None = None
        arguments: tuple[tuple[str, str], ...] = ()
        try:
            arguments = (await read_parameters(request, settings)).items()
        except UsageFault as fault:
            if fault.status != HTTPStatus.BAD_REQUEST:
                raise
            problem = Problem("badArgument", fault.text)

        def begin() -> Body:
            return answer(context, arguments, address) if problem is None else refusal([problem], (), address)

        return respond(begin, patience=settings.stall_seconds, accept_encoding=request.headers.get("accept-encoding"))

    return [Route(OAI_PATH, show, methods=["GET", "POST"])]
