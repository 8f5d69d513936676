"""What becomes of a query: ``vo adql``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vo.cli.shared import ERR, OUT, Data, app, escape, read_settings, stoppable
from vo.errors import OperatorFault

if TYPE_CHECKING:
    from vo.adql import Compiled
    from vo.adql.rewrite import Pass
    from vo.context import Context
    from vo.metadata.fields import Catalogue
    from vo.settings import Settings

_ROWS = 20


@app.command()
def adql(
    query: Annotated[str, typer.Argument(help="The query, in quotes; - reads it from standard input.")],
    *,
    rows: Annotated[int | None, typer.Option(help="Rows to show at most (20).", min=0)] = None,
    tree: Annotated[bool, typer.Option(help="Show how the query was read.")] = True,
    sql: Annotated[bool, typer.Option(help="Show the SQL that it becomes.")] = True,
    columns: Annotated[bool, typer.Option(help="Show the columns of its result.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show the answer (or the plan) alone.")] = False,
    run: Annotated[bool, typer.Option(help="Run it; without, no database is needed.")] = True,
    explain: Annotated[bool, typer.Option("--explain", help="Show the database's plan instead of rows.")] = False,
    analyze: Annotated[bool, typer.Option("--analyze", help="Run it and show the plan with times.")] = False,
    without: Annotated[
        list[str] | None, typer.Option(metavar="PASS", help="Leave this pass of the rewriter out; repeatable.")
    ] = None,
    data: Data = None,
) -> None:
    """Show what becomes of a query: its tree, its SQL, the columns of its result, and its rows or its plan.

    A plan is that of TAP's answer with the default MAXREC unless --rows is given. Hints name large tables that no
    index helps with. The passes are unwrap_truths, push_negations and others: a wrong name lists them.

    Example: vo adql -q "SELECT TOP 5 plate_id, s_ra, s_dec FROM demo.plates"

    Example: vo adql --explain "SELECT * FROM ivoa.obscore WHERE 1 = CONTAINS(POINT(214.6, 28.4), s_region)"

    Example: vo adql --analyze --without use_cones "SELECT ... WHERE DISTANCE(s_ra, s_dec, 214.6, 28.4) < 1"

    Example: vo adql --no-run - < query.adql
    """
    from vo.adql.syntax.draw import point_at
    from vo.errors import ADQLFault

    if not run and (explain or analyze):
        raise OperatorFault("a plan comes from the database: leave --no-run out")
    settings = read_settings(data_dir=data)
    text = sys.stdin.read() if query == "-" else query
    wanted = _Wanted(tree=tree and not quiet, sql=sql and not quiet, columns=columns and not quiet)
    try:
        with stoppable():
            if run:
                _run_query(settings, text, wanted, _passes(without or ()), rows, plan=explain or analyze, times=analyze)
            else:
                _show_query(text, _all_published(settings), settings, wanted, _passes(without or ()), None)
    except ADQLFault as fault:
        ERR.print(f"[bold red]vo:[/] [red]{escape(fault.text)}[/]", soft_wrap=True)
        ERR.print(
            point_at(text, fault.line, fault.column), markup=False, soft_wrap=True, end="\n" if fault.line else ""
        )
        raise typer.Exit(1) from None


@dataclass(frozen=True)
class _Wanted:
    """What to show of a query before its answer."""

    tree: bool
    sql: bool
    columns: bool


def _passes(without: Sequence[str]) -> tuple[Pass, ...]:
    """The rewriter's passes but those named."""
    from vo.adql.rewrite import PASSES

    names = {change.__name__: change for change in PASSES}
    unknown = [name for name in without if name not in names]
    if unknown:
        raise OperatorFault(f"there is no pass {unknown[0]}; the rewriter has {', '.join(names)}")
    return tuple(change for name, change in names.items() if name not in without)


def _all_published(settings: Settings) -> Catalogue:
    """The tables of the settings' collections, else of all that are described: what can be known without a database."""
    from vo.metadata.collection import list_collections, load_collection
    from vo.metadata.felis import load_catalogue

    names = settings.collections or list_collections(settings)
    return load_catalogue(settings, tuple(load_collection(settings, name) for name in names))


def _show_query(
    text: str, catalogue: Catalogue, settings: Settings, wanted: _Wanted, passes: tuple[Pass, ...], limit: int | None
) -> Compiled:
    """Compile a query and show what is wanted of it."""
    from rich.table import Table

    from vo.adql import compile_query
    from vo.adql.syntax.draw import break_sql, draw
    from vo.adql.syntax.parse import parse
    from vo.context import query_limits

    limits = query_limits(settings)
    if wanted.tree:
        _plain(draw(parse(text, limits)))
    compiled = compile_query(text, catalogue, max_rows=limit, limits=limits, passes=passes)
    if wanted.sql:
        _plain(break_sql(compiled.sql))
    if wanted.columns:
        table = Table("name", "datatype", "arraysize", "xtype", "unit", "ucd", "description")
        for one in compiled.fields:
            words = (one.name, one.datatype, one.arraysize, one.xtype, one.unit, one.ucd, one.description)
            table.add_row(*(escape(word or "") for word in words))
        OUT.print(table)
    return compiled


def _run_query(
    settings: Settings,
    text: str,
    wanted: _Wanted,
    passes: tuple[Pass, ...],
    rows: int | None,
    *,
    plan: bool,
    times: bool,
) -> None:
    """Show a query, then its rows, or its plan and hints."""
    from vo.context import make_context
    from vo.db.connect import open_database

    shown = (settings.maxrec_default if plan else _ROWS) if rows is None else rows
    with open_database(settings) as database:
        context = make_context(settings, database)
        compiled = _show_query(text, context.catalogue, settings, wanted, passes, shown + 1)
        if plan:
            _show_plan(context, compiled.sql, times=times)
        else:
            _show_rows(context, compiled, shown)


def _show_plan(context: Context, sql: str, *, times: bool) -> None:
    from vo.context import find_hints
    from vo.db.explain import draw_plan, explain

    with context.database.read() as connection:
        plan = explain(connection, sql, seconds=context.settings.sync_seconds, analyze=times)
    _plain(draw_plan(plan))
    for hint in find_hints(context, sql):
        OUT.print(f"[yellow]hint:[/] {escape(hint)}", soft_wrap=True)


def _show_rows(context: Context, compiled: Compiled, most: int) -> None:
    from rich.table import Table

    table = Table(*(_heading(field.name, field.unit) for field in compiled.fields))
    found: list[Sequence[Any]] = []
    with context.database.stream(compiled.sql, context.settings.sync_seconds) as stream:
        for batch in stream:
            found += zip(*(column.to_pylist() for column in batch.columns), strict=True)
    for row in found[:most]:
        table.add_row(*("" if value is None else escape(str(value)) for value in row))
    OUT.print(table)
    if len(found) > most:
        OUT.print(f"There are more rows; these are the first {most} (--rows shows more).")


def _plain(text: str) -> None:
    """Lines that can be copied, with a blank one after them."""
    OUT.print(text + "\n", markup=False, soft_wrap=True)


def _heading(name: str, unit: str | None) -> str:
    return escape(f"{name} [{unit}]" if unit else name)
