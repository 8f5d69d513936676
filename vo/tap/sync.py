"""What a synchronous TAP query asks for, and its answer (TAP 1.1 sections 2.1 to 2.3)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from vo.context import Answer, Context, TimeLimit, answer_query
from vo.dali.parameters import Parameters, maxrec, response_format
from vo.errors import UsageFault
from vo.settings import Settings
from vo.tables import formats
from vo.uploads.receive import receive_uploads

PROTOCOL = "ivo://ivoa.net/std/TAP"

#: What LANG may be (TAP-07).
LANGUAGES = ("ADQL", "ADQL-2.0", "ADQL-2.1")


@dataclass(frozen=True, slots=True)
class SyncQuery:
    """A query with the form of its answer; ``maxrec`` is the number of rows to send at most."""

    text: str
    format: formats.Format
    maxrec: int


def read_query(parameters: Parameters, settings: Settings) -> SyncQuery:
    """Read the parameters of TAP; :class:`UsageFault` names the one that is wrong or missing."""
    request = parameters.one("REQUEST")
    if request is not None and request.strip().lower() != "doquery":
        raise UsageFault(f"REQUEST={request[:40]!r} is not known here; leave it out, or send REQUEST=doQuery")
    language = parameters.one("LANG")
    if language is not None and language.strip().upper() not in LANGUAGES:
        raise UsageFault(f"LANG={language[:40]!r} is not spoken here; use one of {', '.join(LANGUAGES)}")
    text = parameters.one("QUERY")
    if text is None:
        raise UsageFault("QUERY is missing; send the ADQL text in it, such as SELECT TOP 5 * FROM ivoa.obscore")
    chosen = formats.find(response_format(parameters, format_too=True))
    return SyncQuery(text, chosen, maxrec(parameters, settings))


def answer(
    context: Context, parameters: Parameters, base_url: str, request_url: str, *, limit: TimeLimit | None = None
) -> Answer:
    """Answer a query; faults come before the first byte, later ones stand at the end of the table.

    ``limit`` is that of a synchronous query unless given. Files of uploads are kept until the answer is closed.
    """
    query = read_query(parameters, context.settings)
    with contextlib.ExitStack() as files:
        uploads = receive_uploads(parameters, context.settings, files)
        kept = files.pop_all()
    try:
        return answer_query(
            context,
            query.text,
            base_url=base_url,
            format=query.format,
            maxrec=query.maxrec,
            protocol=PROTOCOL,
            request=request_url,
            uploads=uploads,
            on_close=kept.close,
            limit=limit,
        )
    except BaseException:
        kept.close()
        raise
