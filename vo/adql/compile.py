"""ADQL in, SQL out: the whole way in one call."""

from __future__ import annotations

import functools
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
    """A query ready to run: its SQL, the fields of its result in order, and its own TOP (None without).

    ``schemas`` are those of the tables it names.
    """

    sql: str
    fields: tuple[Field, ...]
    top: int | None
    schemas: frozenset[str] = frozenset()


#: Queries that are remembered, and the longest of them, in characters.
_REMEMBERED = 256
_LONGEST = 4000


class Translator:
    """Compiles queries against one catalogue, and remembers those that come again: scripts ask the same for hours.

    May be used by many threads.
    """

    def __init__(self, catalogue: Catalogue, limits: Limits) -> None:
        self._catalogue = catalogue
        self._limits = limits
        self._remember = functools.lru_cache(_REMEMBERED)(self._compile)

    def compile(self, text: str, *, base_url: str = "", max_rows: int | None = None) -> Compiled:
        """See :func:`compile_query`; a query that is at fault is not remembered."""
        if len(text) > _LONGEST:
            return self._compile(text, base_url, max_rows)
        return self._remember(text, base_url, max_rows)

    def _compile(self, text: str, base_url: str, max_rows: int | None) -> Compiled:
        return compile_query(text, self._catalogue, base_url=base_url, max_rows=max_rows, limits=self._limits)


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
        resolver = Resolver(catalogue, rewriter(passes))
        plan = resolver.resolve(tree)
        sql = render(plan, base_url=base_url, max_rows=max_rows)
    except Problem as problem:
        line, column = place(text, problem.at)
        raise ADQLFault(problem.text, line=line, column=column) from None
    top = plan.body.top if isinstance(plan.body, SelectPlan) else None
    return Compiled(sql, tuple(output.field for output in plan.outputs), top, frozenset(resolver.schemas))
