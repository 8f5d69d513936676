"""The table of all lines of a job: what was asked, what came of it, and under which name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vo.db.jobrecords import Result
from vo.metadata.fields import Field
from vo.soda.lines import Line
from vo.tables.votable import Document, write_rows

_FIELDS = (
    Field("line", "int", ucd="meta.number", description="Number of the line, from 1"),
    Field("id", "char", "*", ucd="meta.ref.ivoid", description="Identifier, as asked"),
    Field("shape", "char", "*", description="Shape, as asked"),
    Field("status", "char", "*", ucd="meta.code", description="done, empty (nothing of it is in the data) or error"),
    Field("result", "char", "*", ucd="meta.id", description="Name of the result in the job"),
    Field("content_type", "char", "*", ucd="meta.code.mime", description="Media type of the result"),
    Field("content_length", "long", unit="byte", ucd="phys.size;meta.file", description="Length of the result"),
    Field("message", "char", "*", ucd="meta.note", description="Why there is no cutout"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a line: ``status`` is done, empty or error; ``message`` says why there is no cutout."""

    line: Line
    status: str
    message: str
    result: Result


def write_summary(outcomes: Sequence[Outcome], origin: Sequence[tuple[str, str]]) -> bytes:
    """The table, as VOTable; ``origin`` says whose data were cut (:func:`vo.context.origin`)."""
    counts = {status: sum(one.status == status for one in outcomes) for status in ("done", "empty", "error")}
    infos = tuple((f"lines_{status}", str(count)) for status, count in counts.items())
    rows = [
        (
            one.line.number,
            one.line.did,
            one.line.text,
            one.status,
            one.result.id,
            one.result.media_type,
            one.result.size,
            one.message or None,
        )
        for one in outcomes
    ]
    return write_rows(Document(_FIELDS, (*origin, *infos), ()), rows)
