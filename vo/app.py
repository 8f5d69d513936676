"""The server: routes of all services, one fault handler, and what every answer carries."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from urllib.parse import quote

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import vo
import vo.datalink.routes
import vo.products.mosaics.routes
import vo.products.routes
import vo.registry.routes
import vo.sia2.routes
import vo.soda.jobs
import vo.soda.routes
import vo.tap.jobs
import vo.tap.routes
import vo.uws.routes
import vo.vosi.routes
import vo.web.discovery.routes
import vo.web.records.routes
import vo.web.routes
from vo.context import Context, make_context
from vo.dali.faults import SODA_STYLE, TEXT_STYLE, FaultStyle, dali_style, tap_style
from vo.dali.routes import base_url, end_answers, fault_handler
from vo.db.connect import Database, open_database
from vo.errors import Fault, OperatorFault
from vo.metadata.examples import read_examples
from vo.products.allowance import make_allowance
from vo.services import make_services
from vo.settings import Settings
from vo.tables import votable
from vo.uws.service import JobService
from vo.web.discovery.runs import Runs

#: How long answers that are under way may go on when the server is asked to stop, and how long they then have to say
#: that they have been ended, in seconds.
_LAST_SECONDS = 4
_END_SECONDS = 3

#: Connections that may wait to be accepted.
_BACKLOG = 2048

_STYLES: dict[str, FaultStyle] = {
    "tap": tap_style(votable.MEDIA_TYPE, votable.fault_document),
    "sia2": dali_style(votable.MEDIA_TYPE, votable.fault_document),
    "datalink": dali_style(votable.MEDIA_TYPE, votable.fault_document),
    "soda": SODA_STYLE,
    "files": TEXT_STYLE,
    "mosaics": TEXT_STYLE,
    "signed": TEXT_STYLE,
    "headers": TEXT_STYLE,
    "static": TEXT_STYLE,
    "oai": TEXT_STYLE,
}


def create_app(settings: Settings, database: Database | None = None) -> Starlette:
    """Make the application; it opens the database of the settings when it starts and closes it when it stops.

    A ``database`` that is given is used as it is, and stays open.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with contextlib.ExitStack() as stack:
            opened = database
            if opened is None:
                # A private cluster takes a moment to start and to stop.
                opened = await run_in_threadpool(stack.enter_context, open_database(settings))
            context = await run_in_threadpool(make_context, settings, opened)
            jobs = JobService(settings, opened)
            app.state.runs = runs = Runs(settings)
            app.router.routes.extend(await run_in_threadpool(_routes, context, jobs, runs))
            async with jobs, runs:
                yield
            await run_in_threadpool(stack.close)

    handle = fault_handler(lambda request: _style_of(request, settings))
    app = Starlette(
        lifespan=lifespan,
        middleware=[
            Middleware(_ServerHeader),
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "HEAD", "POST", "DELETE"],
                allow_headers=["*"],
                expose_headers=["*"],
            ),
            # starlette's own stands outside of these two, where its answer would get neither of their headers.
            Middleware(ServerErrorMiddleware, handler=handle),
        ],
        exception_handlers={Fault: handle, HTTPException: handle},
    )
    # starlette would redirect to the address that a proxy asked, not to the one that clients reach.
    app.router.redirect_slashes = False
    return app


def serve(settings: Settings, database: Database | None = None) -> None:
    """Serve until interrupted (Ctrl-C or SIGTERM); see :func:`create_app` for ``database``."""
    server, listener = make_server(settings, database)
    with listener:
        server.run(sockets=[listener])


def make_server(settings: Settings, database: Database | None = None) -> tuple[uvicorn.Server, socket.socket]:
    """Make the server and the socket it listens on (with port 0 the socket tells the port)."""
    app = create_app(settings, database)
    config = uvicorn.Config(
        app,
        loop="uvloop",  # whose connections have TCP_NODELAY
        http="httptools",
        ws="none",
        lifespan="on",
        server_header=False,
        proxy_headers=False,  # vo.dali.routes decides whom to believe
        timeout_graceful_shutdown=_LAST_SECONDS + _END_SECONDS,
        log_config=None,
        access_log=False,
    )
    return _Server(app, config), _listen(settings)


class _Server(uvicorn.Server):
    """Ends the answers by itself that are still under way some seconds after it was asked to stop.

    uvicorn would cancel their tasks, which cannot end the threads that work for them, and answer 500.
    """

    def __init__(self, app: Starlette, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, and end those that are there."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_answers)
            await super().shutdown(sockets)
            tasks.cancel_scope.cancel()

    async def _end_answers(self) -> None:
        if hasattr(self._app.state, "runs"):  # whose pages would listen for as long as they are open
            self._app.state.runs.close()
        await anyio.sleep(_LAST_SECONDS)
        await run_in_threadpool(end_answers, self._app)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise OperatorFault(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror}. "
            "Stop what uses it, or choose another port with --port or VO_PORT (0: any free one)."
        ) from error


def _routes(context: Context, jobs: JobService, runs: Runs) -> list[BaseRoute]:
    settings = context.settings
    examples = read_examples(settings, context.collections)
    allowance = make_allowance(settings)
    services = make_services(settings, has_examples=bool(examples))
    return [
        *vo.tap.routes.routes(context),
        *vo.uws.routes.routes(jobs, vo.tap.jobs.job_kind(context)),
        *vo.sia2.routes.routes(context),
        *vo.datalink.routes.routes(context),
        *vo.soda.routes.routes(context),
        *vo.uws.routes.routes(jobs, vo.soda.jobs.job_kind(context)),
        *vo.products.routes.routes(context, allowance),
        *vo.products.mosaics.routes.routes(context, allowance),
        *vo.vosi.routes.routes(context, services.all()),
        *vo.registry.routes.routes(context),
        *vo.web.routes.routes(context, examples),
        *vo.web.discovery.routes.routes(context, runs),
        *vo.web.records.routes.routes(context),
        _slash_route(settings),
    ]


def _slash_route(settings: Settings) -> Route:
    """Whatever else ends in a slash is asked for again without it: people write ``/tap/``."""

    def redirect(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        path = quote(request.path_params["path"].rstrip("/"))
        return RedirectResponse(f"{base_url(request, settings)}/{path}{query}", status_code=307)

    return Route("/{path:path}/", redirect, methods=["GET", "POST", "DELETE"])


def _style_of(request: Request, settings: Settings) -> FaultStyle:
    """Which protocol was asked, and hence how it tells faults."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    first = path.strip("/").partition("/")[0]
    return _STYLES.get(first) or vo.web.routes.fault_style(request, settings)


class _ServerHeader:
    """Says in every answer what software answers (TAP-24; Software Identification in the VO, section 3)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Server"] = f"vo-plates/{vo.__version__} (IVOA-publish)"
            await send(message)

        await self._app(scope, receive, send_named)
