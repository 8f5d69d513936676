"""ADQL in, SQL out: the whole way in one call."""

from __future__ import annotations

from dataclasses import dataclass

from vo.adql.plan import SelectPlan
from vo.adql.render.queries import render
from vo.adql.resolve.queries import Resolver
from vo.adql.rewrite import PASSES, Pass, rewriter
from vo.adql.syntax.lexer import Limits
from vo.adql.syntax.messages import place
from vo.adql.syntax.parse import parse
from vo.adql.syntax.tree import Problem
from vo.errors import ADQLFault
from vo.metadata.fields import Catalogue, Field


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query ready to run: its SQL, the fields of its result in order, and its own TOP (None without)."""

    sql: str
    fields: tuple[Field, ...]
    top: int | None


def compile_query(
    text: str,
    catalogue: Catalogue,
    *,
    base_url: str = "",
    max_rows: int | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    passes: tuple[Pass, ...] = PASSES,
) -> Compiled:
    """Translate an ADQL 2.1 query for PostgreSQL with pgSphere.

    Only tables of the ``catalogue`` can be named. ``base_url`` goes in front of columns that hold paths of this server.
    At most ``max_rows`` rows are asked for, and never more than the query's own TOP. Raises :class:`ADQLFault` with
    line and column, or :class:`LimitFault` beyond the ``limits``.
    """
    tree = parse(text, limits)
    try:
        plan = Resolver(catalogue, rewriter(passes)).resolve(tree)
        sql = render(plan, base_url=base_url, max_rows=max_rows)
    except Problem as problem:
        line, column = place(text, problem.at)
        raise ADQLFault(problem.text, line=line, column=column) from None
    top = plan.body.top if isinstance(plan.body, SelectPlan) else None
    return Compiled(sql, tuple(output.field for output in plan.outputs), top)
