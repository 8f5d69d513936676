"""``/datalink/links``: identifiers in, links out; ``/headers/...``: the detached headers that they lead to."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import unquote_to_bytes

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.context import Context
from vo.dali.routes import base_url, read_parameters, request_url
from vo.datalink.answer import answer
from vo.errors import NotFoundFault
from vo.products.catalogue import find_solution
from vo.products.headers import HEADER_TYPE, header_name, header_text
from vo.products.ranges import is_unchanged

_HEADERS = "/headers/{collection}/{plate_id:path}/{scan_id}/{solution_id}/{version}.hdr"
#: Collection, plate, scan and solution, percent-encoded, so that a name may hold a slash.
_HEADER = re.compile(r".*/headers/([^/]+)/([^/]+)/([^/]+)/([^/]+)/(-?[0-9]{1,10})\.hdr")


def routes(context: Context) -> list[Route]:
    """The routes of Datalink but for its VOSI documents."""

    async def links(request: Request) -> Response:
        parameters = await read_parameters(request, context.settings)
        base = base_url(request, context.settings)
        asked = request_url(request, context.settings)
        found = await run_in_threadpool(answer, context, parameters, base, asked)
        # The content type is the canonical one whatever Accept says: TOPCAT's Java asks for text/html first.
        return Response(found.body, headers={"Content-Type": found.media_type})

    def header(request: Request) -> Response:
        # Starlette's own path is decoded, where a slash within a name is one between names.
        path = request.scope["raw_path"].decode("latin-1")
        asked = _HEADER.fullmatch(path)
        if asked is None:
            raise NotFoundFault("the address of a header is /headers/collection/plate/scan/solution/version.hdr")
        collection, plate, scan, solution = (
            unquote_to_bytes(part).decode("utf-8", "replace") for part in asked.groups()[:4]
        )
        with context.database.read() as connection:
            found = find_solution(connection, collection, plate, scan, solution, int(asked[5]))
        text = header_text(found)
        etag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
        headers = {
            "ETag": etag,
            "Cache-Control": "no-cache",
            "Content-Type": HEADER_TYPE,
            "Content-Disposition": f'inline; filename="{header_name(found)}"',
            "X-Content-Type-Options": "nosniff",
        }
        if is_unchanged(request.headers.get("if-none-match"), etag):
            return Response(status_code=304, headers=headers)
        return Response(text, headers=headers)

    return [
        Route("/datalink/links", links, methods=["GET", "POST"]),
        Route(_HEADERS, header, methods=["GET"], name="headers"),
    ]
