"""Files made of scans: ``vo products make``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from vo.cli.products import products
from vo.cli.shared import ERR, OUT, Data, escape, read_settings, stoppable
from vo.errors import OperatorFault

if TYPE_CHECKING:
    from rich.table import Table

    from vo.ingest.make import MakeSummary
    from vo.products.make import Kind

#: Damaged scans that are shown; the count tells of all.
_MOST_SHOWN = 100


@products.command("make")
def make_files(
    collection: Annotated[str, typer.Argument(help="The collection: a folder in resources.")],
    *,
    plates: Annotated[list[str] | None, typer.Option(help="A plate; may be repeated. All when not given.")] = None,
    what: Annotated[str, typer.Option(help="What to make, separated by commas.")] = "bin,preview,thumbnail",
    factor: Annotated[int, typer.Option(help="Scan pixels along each axis of one binned pixel.", min=2)] = 16,
    jobs: Annotated[int | None, typer.Option(help="Processes at the same time; one for each core.", min=1)] = None,
    data: Data = None,
) -> None:
    """Make binned FITS files, previews and thumbnails of scans that have none.

    What is there and newer than its scan is left alone, so that work that was stopped goes on where it was. A scan that
    cannot be read is told, and the rest goes on; then the status is 1.

    Example: vo products make dasch --what bin,preview --jobs 4
    """
    from vo.db.connect import open_database
    from vo.ingest.make import make_products
    from vo.ingest.show import progress_bar

    settings = read_settings(data_dir=data)
    kinds = _kinds(what)
    with stoppable(), open_database(settings) as database:
        with progress_bar(collection, ERR) as progress:
            summary = make_products(
                database,
                settings,
                collection,
                plates=plates or (),
                kinds=kinds,
                factor=factor,
                jobs=jobs or len(os.sched_getaffinity(0)),
                progress=lambda done, total: progress("plates", done, total),
            )
        for fault in summary.faults[:_MOST_SHOWN]:
            ERR.print(f"[red]not made[/] {escape(fault)}", soft_wrap=True)
        if len(summary.faults) > _MOST_SHOWN:
            ERR.print(f"... and {len(summary.faults) - _MOST_SHOWN:,} more")
        OUT.print(_table(collection, summary))
    if summary.faults:
        raise typer.Exit(1)


def _kinds(what: str) -> tuple[Kind, ...]:
    from vo.products.make import KINDS

    words = [word.strip() for word in what.split(",") if word.strip()]
    unknown = [word for word in words if word not in KINDS]
    if unknown or not words:
        raise OperatorFault(f"--what {what}: it takes {', '.join(KINDS)}, separated by commas")
    return tuple(kind for kind in KINDS if kind in words)


def _table(collection: str, summary: MakeSummary) -> Table:
    from rich.table import Table

    table = Table(title=f"{collection}: files", show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for name, count in (
        ("plates", summary.plates),
        ("files", summary.files),
        ("  made now", summary.made),
        ("records new or changed", summary.recorded),
        ("scans that cannot be read", len(summary.faults)),
    ):
        table.add_row(name, f"{count:,}")
    return table
