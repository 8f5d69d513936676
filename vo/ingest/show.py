"""Ingest on a terminal: a bar while it runs, a table when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from vo.db.merge import Counts
from vo.ingest.summary import Summary


@contextmanager
def progress_bar(title: str, console: Console | None = None) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each stage; yields what :func:`vo.ingest.load.ingest` takes as ``progress``."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        tasks = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(f"{title}: {stage}", total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield advance


def summary_table(summary: Summary) -> Table:
    """The counts as a table of two columns; what is zero is left out where that says enough."""
    table = Table(title=f"{summary.collection}: {summary.source}", show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    table.add_row("entries read", _number(summary.read))
    table.add_row("  used", _number(summary.used))
    table.add_row("  refused", _number(summary.refused))
    _by_kind(table, summary.refused_by_kind)
    table.add_row("values repaired", _number(sum(summary.repaired.values())))
    _by_kind(table, summary.repaired)
    if summary.noted:
        table.add_row("rows that lack something", _number(sum(summary.noted.values())))
        _by_kind(table, summary.noted)
    table.add_section()
    table.add_row("plates", _number(summary.plates))
    table.add_row("exposures", _number(summary.exposures))
    table.add_row("  with imaging", _number(summary.with_imaging))
    table.add_row("  without imaging", _number(summary.without_imaging))
    table.add_section()
    for name, counts in (*summary.archive.items(), *summary.derived.items()):
        if counts != Counts():
            table.add_row(f"table {name}", _counts(counts))
    if summary.removed:
        table.add_row("rows removed from plates and obscore", _number(summary.removed))
    table.add_row("time", f"{summary.seconds:.1f} s")
    return table


def _by_kind(table: Table, kinds: object) -> None:
    if isinstance(kinds, dict):
        for kind, count in kinds.items():
            table.add_row(f"    {kind}", _number(count))


def _counts(counts: Counts) -> str:
    return f"{counts.inserted:,} new, {counts.updated:,} changed, {counts.unchanged:,} the same"


def _number(count: int) -> str:
    return f"{count:,}"
