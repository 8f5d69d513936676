"""The tables of a request, wherever they are, made ready for its query."""

from __future__ import annotations

import contextlib
import io
from typing import BinaryIO

from vo.dali.fetch import FetchLimits, fetch
from vo.dali.parameters import Parameters
from vo.errors import UsageFault
from vo.settings import Settings
from vo.tables.reading import ReadLimits, open_table
from vo.uploads.received import Upload, naming, receive
from vo.uploads.request import UploadRequest, read_uploads

#: PostgreSQL takes 1,600 columns, and some of an upload's become two.
MOST_COLUMNS = 700


def receive_uploads(parameters: Parameters, settings: Settings, files: contextlib.ExitStack) -> tuple[Upload, ...]:
    """Make the uploads of a request ready; their rows are read when the query runs, from files that ``files`` closes.

    Tables elsewhere are fetched here. Faults name the parameter, or the table and what is wrong with it.
    """
    requests = read_uploads(parameters)
    _check_parts(requests)
    uploads = []
    for number, request in enumerate(requests, 1):
        file, media_type, filename = open_upload(request, parameters, settings, files)
        with naming(request.name):
            incoming = open_table(file, media_type=media_type, filename=filename, limits=read_limits(settings))
        uploads.append(receive(incoming, request.name, number))
    return tuple(uploads)


def _check_parts(requests: tuple[UploadRequest, ...]) -> None:
    parts = [request.part for request in requests if request.part is not None]
    twice = next((part for part in parts if parts.count(part) > 1), None)
    if twice is not None:
        raise UsageFault(
            f"UPLOAD: two tables are in the one part {twice!r}; name it once, and give it two aliases in the query"
        )


def read_limits(settings: Settings) -> ReadLimits:
    """What an uploaded table may have here."""
    return ReadLimits(rows=settings.upload_rows, columns=MOST_COLUMNS, cell_bytes=settings.request_bytes)


def open_upload(
    request: UploadRequest, parameters: Parameters, settings: Settings, files: contextlib.ExitStack
) -> tuple[BinaryIO, str | None, str]:
    """Open the bytes of an upload at their start, for ``files`` to close; its media type and file name, where known."""
    if request.url is not None:
        limits = FetchLimits(settings.upload_bytes, settings.upload_seconds, settings.upload_private)
        fetched = files.enter_context(fetch(request.url, limits))
        return fetched.file, fetched.media_type, fetched.filename
    part = parameters.parts.get(request.part or "")
    if part is not None:
        part.file.seek(0)
        files.callback(part.file.close)
        return part.file, part.content_type, part.filename
    text = parameters.one(request.part or "") if request.part else None
    if text is not None:  # a part without a file name is a parameter like others
        return io.BytesIO(text.encode()), None, ""
    raise UsageFault(
        f"UPLOAD: the request has no part {request.part!r}; send the table as multipart/form-data under that name"
    )
