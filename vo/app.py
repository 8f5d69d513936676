"""The server: routes of all services, one fault handler, and what every answer carries."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from urllib.parse import quote

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
import vo.datalink.capabilities
import vo.datalink.routes
import vo.products.routes
import vo.sia2.capabilities
import vo.sia2.routes
import vo.soda.capabilities
import vo.soda.routes
import vo.tap.capabilities
import vo.tap.routes
import vo.vosi.routes
import vo.web.routes
from vo.context import Context, make_context
from vo.dali.faults import SODA_STYLE, TEXT_STYLE, FaultStyle, dali_style, tap_style
from vo.dali.routes import base_url, fault_handler
from vo.db.connect import Database, open_database
from vo.errors import Fault, OperatorFault
from vo.settings import Settings
from vo.tables import votable
from vo.vosi.routes import Service

#: How long answers that are under way may go on when the server is asked to stop, in seconds.
_LAST_SECONDS = 5

#: Connections that may wait to be accepted.
_BACKLOG = 2048

_STYLES: dict[str, FaultStyle] = {
    "tap": tap_style(votable.MEDIA_TYPE, votable.fault_document),
    "sia2": dali_style(votable.MEDIA_TYPE, votable.fault_document),
    "datalink": dali_style(votable.MEDIA_TYPE, votable.fault_document),
    "soda": SODA_STYLE,
    "files": TEXT_STYLE,
    "static": TEXT_STYLE,
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
            app.router.routes.extend(await run_in_threadpool(_routes, make_context(settings, opened)))
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
                allow_methods=["GET", "HEAD", "POST"],
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
    config = uvicorn.Config(
        create_app(settings, database),
        loop="uvloop",  # whose connections have TCP_NODELAY
        http="httptools",
        ws="none",
        lifespan="on",
        server_header=False,
        proxy_headers=False,  # vo.dali.routes decides whom to believe
        timeout_graceful_shutdown=_LAST_SECONDS,
        log_config=None,
        access_log=False,
    )
    return uvicorn.Server(config), _listen(settings)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise OperatorFault(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror}. "
            "Stop what uses it, or choose another port with --port or VO_PORT (0: any free one)."
        ) from error


def _routes(context: Context) -> list[BaseRoute]:
    settings = context.settings
    services = (
        Service("/tap", lambda base: vo.tap.capabilities.capability(settings, base), has_tables=True),
        Service("/sia2", vo.sia2.capabilities.capability),
        Service("/datalink", vo.datalink.capabilities.capability),
        Service("/soda", vo.soda.capabilities.capability),
    )
    return [
        *vo.tap.routes.routes(context),
        *vo.sia2.routes.routes(context),
        *vo.datalink.routes.routes(context),
        *vo.soda.routes.routes(context),
        *vo.products.routes.routes(context),
        *vo.vosi.routes.routes(context, services),
        *vo.web.routes.routes(context),
        _slash_route(settings),
    ]


def _slash_route(settings: Settings) -> Route:
    """Whatever else ends in a slash is asked for again without it: people write ``/tap/``."""

    def redirect(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        path = quote(request.path_params["path"].rstrip("/"))
        return RedirectResponse(f"{base_url(request, settings)}/{path}{query}", status_code=307)

    return Route("/{path:path}/", redirect, methods=["GET", "POST"])


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
