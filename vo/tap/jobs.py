"""Asynchronous TAP queries: what ``/tap/sync`` answers, as jobs (TAP 1.1 sections 2.1, 2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from vo.context import Answer, Context, TimeLimit, find_hints
from vo.dali.faults import tap_style
from vo.errors import Fault
from vo.tables import votable
from vo.tap import sync
from vo.uws.kind import JobKind, Work

PATH = "/tap/async"

_WARM_QUERY = "SELECT 1"
_WARM_SECONDS = 10.0


def job_kind(context: Context) -> JobKind:
    """TAP's jobs: a query that is wrong makes a job that fails (TAP-12); several UPLOADs add up (TAP-17)."""

    def execute(work: Work) -> Answer:
        limit = TimeLimit(work.seconds)
        return sync.answer(context, work.parameters, work.base_url, work.request, limit=limit)

    def hints(work: Work) -> Sequence[str]:
        return _hints(context, work)

    def prepare() -> None:
        _prepare(context)

    return JobKind(
        name="tap",
        path=PATH,
        execute=execute,
        style=tap_style(votable.MEDIA_TYPE, votable.fault_document),
        hints=hints,
        gathers=frozenset({"UPLOAD"}),
        prepare=prepare,
    )


def _hints(context: Context, work: Work) -> Sequence[str]:
    """What to do about a slow query; nothing of one with uploads, which nobody else can plan."""
    if work.parameters.many("UPLOAD"):
        return ()
    query = sync.read_query(work.parameters, context.settings)
    return find_hints(context, context.translator.compile(query.text).sql)


def _prepare(context: Context) -> None:
    """Open the connections that queries will run on, and have the parser read its tables."""
    context.translator.compile("SELECT schema_name FROM tap_schema.schemas")
    try:
        with ExitStack() as stack:
            for _ in range(context.settings.query_connections):
                stack.enter_context(context.database.stream(_WARM_QUERY, _WARM_SECONDS))
    except Fault:  # the database is away; what a job does not find open it opens
        return
