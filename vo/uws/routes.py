"""The addresses of jobs (UWS 1.1 section 2.2): requests in, documents and redirects out."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from vo.dali.routes import base_url, client_address, read_parameters, request_url, respond
from vo.dali.work import Body
from vo.db.jobrecords import Job, Result
from vo.errors import NotFoundFault, UsageFault
from vo.uws import documents
from vo.uws.kind import JobKind
from vo.uws.request import Asked, read_asked, read_filter, read_wait
from vo.uws.service import Client, JobService

_XML = "text/xml; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"
#: What a job says changes: no cache may keep it.
_FRESH = {"Cache-Control": "no-store"}
_COOKIE = "vo_jobs"
_COOKIE_BYTES = 18
_LONGEST_COOKIE = 64

Handler = Callable[[Request], Awaitable[Response]]


def routes(service: JobService, kind: JobKind) -> list[Route]:
    """The routes of one kind of jobs, all below its path."""
    return _Routes(service, kind).all()


class _Routes:
    def __init__(self, service: JobService, kind: JobKind) -> None:
        self._service = service
        self._settings = service.settings
        self._kind = kind

    def all(self) -> list[Route]:
        job = f"{self._kind.path}/{{job}}"
        texts = {
            "phase": lambda job: job.phase,
            "executionduration": lambda job: str(job.execution_seconds),
            "destruction": lambda job: documents.timestamp(job.destruction) or "",
            "quote": lambda job: documents.timestamp(job.quote) or "",
            "owner": lambda job: job.owner or "",
        }
        changed = {"phase", "executionduration", "destruction"}
        return [
            Route(self._kind.path, self._list, methods=["GET"]),
            Route(self._kind.path, self._create, methods=["POST"]),
            Route(job, self._show, methods=["GET"]),
            Route(job, self._change, methods=["POST"]),
            Route(job, self._delete, methods=["DELETE"]),
            *(Route(f"{job}/{name}", self._text(text), methods=["GET"]) for name, text in texts.items()),
            *(Route(f"{job}/{name}", self._change, methods=["POST"]) for name in changed),
            Route(f"{job}/parameters", self._show_parameters, methods=["GET"]),
            Route(f"{job}/parameters", self._change, methods=["POST"]),
            Route(f"{job}/error", self._show_error, methods=["GET"]),
            Route(f"{job}/results", self._show_results, methods=["GET"]),
            Route(f"{job}/results/{{result}}", self._show_result, methods=["GET"]),
        ]

    # -- the list

    async def _list(self, request: Request) -> Response:
        wanted = read_filter(await read_parameters(request, self._settings))
        jobs = await self._service.list(self._kind, _session(request), wanted)
        return _document(documents.list_document(jobs, self._list_url(request)))

    async def _create(self, request: Request) -> Response:
        asked = await self._asked(request)
        if asked.phase == "ABORT":
            raise UsageFault("PHASE=ABORT ends a job that is there; a new one takes PHASE=RUN, or no PHASE")
        session = _session(request) or secrets.token_urlsafe(_COOKIE_BYTES)
        client = Client(
            address=client_address(request, self._settings),
            session=session,
            base_url=base_url(request, self._settings),
            request=request_url(request, self._settings),
        )
        job = await self._service.create(self._kind, asked, client)
        response = self._see(self._job_url(request, job.id))
        # Scripts of other sites neither send nor see it; it only says whose list a job is in (UWS-10).
        parts = urlsplit(client.base_url)
        response.set_cookie(
            _COOKIE,
            session,
            max_age=round(self._settings.retention_days_hard * 86400),
            path=f"{parts.path}{self._kind.path}",
            secure=parts.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return response

    # -- a job

    async def _show(self, request: Request) -> Response:
        parameters = await read_parameters(request, self._settings)
        seconds, phase = read_wait(parameters, self._settings.wait_seconds)
        job = await self._service.wait(self._kind, request.path_params["job"], seconds, phase)
        return _document(documents.job_document(job, self._job_url(request, job.id)))

    async def _change(self, request: Request) -> Response:
        """Do what a POST to a job or one of its resources asks for: clients send any of UWS's words to any of them."""
        asked = await self._asked(request)
        job_id = request.path_params["job"]
        if asked.action == "DELETE":
            return await self._delete(request)
        await self._service.change(self._kind, job_id, asked)
        if asked.phase == "RUN":
            await self._service.run(self._kind, job_id)
        elif asked.phase == "ABORT":
            await self._service.abort(self._kind, job_id)
        return self._see(self._job_url(request, job_id))

    async def _delete(self, request: Request) -> Response:
        await self._service.delete(self._kind, request.path_params["job"])
        return self._see(self._list_url(request))

    def _text(self, text: Callable[[Job], str]) -> Handler:
        async def show(request: Request) -> Response:
            return Response(text(await self._job(request)), headers={"Content-Type": _TEXT, **_FRESH})

        return show

    async def _show_parameters(self, request: Request) -> Response:
        return _document(documents.parameters_document(await self._job(request)))

    async def _show_results(self, request: Request) -> Response:
        job = await self._job(request)
        return _document(documents.results_document(job, self._job_url(request, job.id)))

    async def _show_error(self, request: Request) -> Response:
        job = await self._job(request)
        if job.error is None:
            raise NotFoundFault(f"this job has no error; it is {job.phase}")
        style = self._kind.style
        return Response(style.document(job.error.message), headers={"Content-Type": style.media_type, **_FRESH})

    async def _show_result(self, request: Request) -> Response:
        job = await self._job(request)
        name = request.path_params["result"]
        result = next((one for one in job.results if one.id == name), None)
        if result is None:
            raise NotFoundFault(f"this job has no result {name[:40]!r}; it is {job.phase}")
        # What a result claims to be is what browsers take it for.
        headers = {"Content-Type": result.media_type, "X-Content-Type-Options": "nosniff", "Cache-Control": "private"}
        path = self._service.files.local_path(result.file)
        if path is None:
            return self._stream(result, headers)
        if not await run_in_threadpool(path.is_file):
            raise NotFoundFault("the result of this job is gone")
        return FileResponse(path, headers=headers)

    def _stream(self, result: Result, headers: dict[str, str]) -> Response:
        body = Body(result.media_type, self._service.files.stream(result.file))
        told = {**headers, "Content-Length": str(result.size)}
        del told["Content-Type"]
        return respond(lambda: body, patience=self._settings.stall_seconds, headers=told)

    # -- what they share

    async def _job(self, request: Request) -> Job:
        return await self._service.find(self._kind, request.path_params["job"])

    async def _asked(self, request: Request) -> Asked:
        return read_asked(await read_parameters(request, self._settings))

    def _list_url(self, request: Request) -> str:
        return f"{base_url(request, self._settings)}{self._kind.path}"

    def _job_url(self, request: Request, job_id: str) -> str:
        return f"{self._list_url(request)}/{job_id}"

    def _see(self, url: str) -> Response:
        return RedirectResponse(url, status_code=303, headers=_FRESH)


def _document(body: bytes) -> Response:
    return Response(body, headers={"Content-Type": _XML, **_FRESH})


def _session(request: Request) -> str | None:
    """The session that the client's cookie names; what we cannot have given is none."""
    held = request.cookies.get(_COOKIE, "")
    return held if 0 < len(held) <= _LONGEST_COOKIE and held.isascii() and held.isprintable() else None
