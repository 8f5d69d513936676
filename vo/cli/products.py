"""What keeps the files of plates in order: ``vo products check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vo.cli.shared import ERR, OUT, Data, app, escape, read_settings, stoppable

if TYPE_CHECKING:
    from rich.table import Table

    from vo.products.checking import Checked

products = typer.Typer(
    help="Keep the files of plates in order.\n\nExample: vo products check dasch",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(products, name="products")

#: Findings that are shown; the counts tell of all.
_MOST_SHOWN = 100


@products.command("check")
def check_files(
    collection: Annotated[str | None, typer.Argument(help="The collection; all when not given.")] = None,
    *,
    checksums: Annotated[
        bool, typer.Option("--checksums", help="Read every file whole and compare its checksum.")
    ] = False,
    data: Data = None,
) -> None:
    """Look whether every file is where the archive says, here or in its store.

    Records lengths, and which files are missing since when; with --checksums the checksums of files that had none.
    Never deletes anything. Status 1 when a file is missing, has changed or could not be looked at.

    Example: vo products check dasch --checksums
    """
    from vo.db.connect import open_database
    from vo.ingest.refresh import refresh_plates
    from vo.ingest.show import progress_bar
    from vo.products.checking import check_products

    settings = read_settings(data_dir=data)
    with stoppable(), open_database(settings) as database:
        with progress_bar("files", ERR) as progress:
            checked = check_products(
                database,
                settings,
                collection,
                checksums=checksums,
                progress=lambda done, total: progress("looking", done, total),
            )
        for finding in checked.findings[:_MOST_SHOWN]:
            OUT.print(f"[red]{finding.kind}[/] {escape(finding.product_id)}: {escape(finding.text)}", soft_wrap=True)
        if len(checked.findings) > _MOST_SHOWN:
            OUT.print(f"... and {len(checked.findings) - _MOST_SHOWN:,} more; the log (-v) has all")
        OUT.print(_table(checked))
        if checked.resized:
            with progress_bar("published rows", ERR) as progress:
                refresh_plates(database, settings, checked.resized, progress)
    if checked.findings:
        raise typer.Exit(1)


def _table(checked: Checked) -> Table:
    from rich.table import Table

    table = Table(title="Files", show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for name, count in checked.counts():
        table.add_row(name, f"{count:,}")
    return table
