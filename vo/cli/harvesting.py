"""What brings records of other registries: ``vo harvest``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vo.cli.shared import ERR, OUT, Data, app, escape, publish, read_settings, stoppable
from vo.errors import Fault, UsageFault

if TYPE_CHECKING:
    from vo.db.connect import Database
    from vo.settings import Settings


@app.command()
def harvest(
    urls: Annotated[
        list[str] | None, typer.Argument(help="Addresses of OAI-PMH endpoints.", metavar="[URL]...")
    ] = None,
    wanted_set: Annotated[
        str | None,
        typer.Option("--set", help="Set to ask for; '': all. Else ivo_managed, where there is one."),
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Read all records anew, not only what changed since the last time.")
    ] = False,
    shown: Annotated[bool, typer.Option("--list", help="Show which registries were harvested, and when.")] = False,
    forget: Annotated[str | None, typer.Option(help="Remove the records of this endpoint.", metavar="URL")] = None,
    data: Data = None,
) -> None:
    """Bring records of other registries into the schema rr, by OAI-PMH; again: what changed since.

    A report file names every record that was not used. Status 1 when a registry could not be read to its end.

    Example: vo harvest https://plates.example/oai
    """
    from vo.db.connect import open_database
    from vo.metadata.ivoids import collection_id

    if sum((bool(urls), shown, forget is not None)) != 1:
        raise UsageFault("vo harvest takes addresses, or --list, or --forget URL")
    settings = read_settings(data_dir=data)
    with stoppable(), open_database(settings) as database:
        own = tuple(collection_id(settings, one) for one in publish(settings, database, ()))
        if shown:
            _show(database)
        elif forget is not None:
            _forget(database, forget)
        else:
            results = [
                _harvest_one(settings, database, url, own, wanted_set, everything=everything) for url in urls or ()
            ]
            if not all(results):
                raise typer.Exit(1)


def _harvest_one(
    settings: Settings, database: Database, url: str, own: tuple[str, ...], wanted_set: str | None, *, everything: bool
) -> bool:
    """Harvest one endpoint and show what came; False when it could not be read to its end."""
    from vo.ingest.show import progress_bar
    from vo.registry.harvest.report import harvest_table
    from vo.registry.harvest.run import harvest as run

    try:
        with progress_bar(url, ERR) as progress:
            done = run(
                database, settings, url, own_ivoids=own, wanted_set=wanted_set, anew=everything, progress=progress
            )
    except Fault as fault:
        told = fault.text if url in fault.text else f"{url}: {fault.text}"
        ERR.print(f"[bold red]vo:[/] [red]{escape(told)}[/]", soft_wrap=True)
        return False
    OUT.print(harvest_table(done))
    if done.kept:
        OUT.print(escape(done.kept), soft_wrap=True)
    if not done.is_complete:
        OUT.print("Some of its answers were no XML: the next harvest asks for all of it again.", soft_wrap=True)
    if done.report is not None:
        OUT.print(f"report: {escape(str(done.report))}", soft_wrap=True)
    return True


def _show(database: Database) -> None:
    from rich.table import Table

    from vo.db.endpoints import read_endpoints

    with database.read() as connection:
        found = read_endpoints(connection)
    if not found:
        OUT.print("Nothing was harvested yet: vo harvest <address of an OAI-PMH endpoint>")
        return
    table = Table("address", "registry", "set", "records", "up to", "complete")
    for one, count in found:
        until = "never" if one.harvested is None else f"{one.harvested:%Y-%m-%d %H:%M:%S}"
        cells = (
            one.url,
            one.registry,
            one.wanted_set or "(all)",
            f"{count:,}",
            until,
            "yes" if one.is_complete else "no",
        )
        table.add_row(*map(escape, cells))
    OUT.print(table)


def _forget(database: Database, url: str) -> None:
    from vo.registry.harvest.run import forget

    count = forget(database, url)
    OUT.print(f"{count} {'record is' if count == 1 else 'records are'} removed.")
