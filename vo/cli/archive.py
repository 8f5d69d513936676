"""What fills the archive: ``vo init``, ``vo ingest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vo.cli.shared import ERR, OUT, Data, app, escape, publish, read_settings, stoppable
from vo.errors import Fault

if TYPE_CHECKING:
    from vo.db.connect import Database
    from vo.metadata.collection import Collection
    from vo.settings import Settings


@app.command()
def init(
    collections: Annotated[list[str] | None, typer.Argument(help="Collections to publish from now on.")] = None,
    data: Data = None,
) -> None:
    """Make or upgrade the database: roles, schemas, tables, indexes, TAP_SCHEMA.

    Without names it upgrades what is there. Repeatable; data stay.

    Example: vo init dasch poss1
    """
    from vo.db.connect import open_database

    settings = read_settings(data_dir=data)
    with stoppable(), open_database(settings) as database:
        published = publish(settings, database, tuple(collections or ()))
        for collection in published:
            OUT.print(f"{collection.name}: {escape(collection.title)}")
        if not published:
            OUT.print("The database is ready. No collection is published yet: vo init <collection>")


@app.command("ingest")
def ingest_sources(
    collection: Annotated[str, typer.Argument(help="The collection: a folder in resources.")],
    sources: Annotated[list[Path], typer.Argument(help="Exposure lists, mosaic packages, FITS files, folders ...")],
    data: Data = None,
) -> None:
    """Load the metadata of plates: exposure lists, mosaic packages, plate records, FITS headers.

    Each source is loaded whole or not at all; the same source again changes nothing. A report file
    names every row that was repaired or refused. Status 1 when a source failed.

    Example: vo ingest dasch exposures.ecsv
    """
    from vo.db.connect import open_database
    from vo.metadata.collection import load_collection

    settings = read_settings(data_dir=data)
    known = load_collection(settings, collection)
    with stoppable(), open_database(settings) as database:
        publish(settings, database, (collection,))
        results = [_ingest_one(settings, database, known, source) for source in sources]
    if not all(results):
        raise typer.Exit(1)


def _ingest_one(settings: Settings, database: Database, collection: Collection, source: Path) -> bool:
    """Ingest one source and show its summary; False when it failed."""
    from vo.ingest.load import ingest
    from vo.ingest.show import progress_bar, summary_table

    try:
        with progress_bar(source.name, ERR) as progress:
            summary = ingest(database, settings, collection, source, progress=progress)
    except Fault as fault:
        told = fault.text if str(source) in fault.text else f"{source}: {fault.text}"
        ERR.print(f"[bold red]vo:[/] [red]{escape(told)}[/]", soft_wrap=True)
        return False
    OUT.print(summary_table(summary))
    if summary.report is not None:
        OUT.print(f"report: {escape(str(summary.report))}", soft_wrap=True)
    return True
