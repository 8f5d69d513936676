"""What tells the world: ``vo publish``."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated

import typer

from vo.cli.shared import ERR, OUT, Data, address, app, escape, publish, read_settings, stoppable
from vo.errors import OperatorFault

if TYPE_CHECKING:
    from rich.table import Table

    from vo.db.connect import Database
    from vo.registry.publish import Published
    from vo.settings import Settings


@app.command("publish")
def publish_collections(
    collections: Annotated[list[str] | None, typer.Argument(help="Collections; all when not given.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and store nothing.")] = False,
    anew: Annotated[
        bool, typer.Option("--refill", help="Make the schema rr anew from all records, harvested ones included.")
    ] = False,
    data: Data = None,
) -> None:
    """Make the registry records of collections and services from what is ingested, and publish those that changed.

    Run it after each ingest and each change of a collection's description. The address of the server stands in the
    records: set VO_BASE_URL. Afterwards it says what the records lack, and where to mend it. Records are held against
    the IVOA's XML schemas when VO_XSD_DIR names a folder that has them. After an upgrade of vo-plates, --refill has
    the schema rr say of records that did not change what the new version reads in them.

    Example: vo publish

    Example: vo publish dasch --dry-run
    """
    from vo.db.connect import open_database

    settings = read_settings(data_dir=data)
    if not settings.base_url and not settings.port:
        raise OperatorFault("with VO_PORT=0 nobody knows the server's address before it runs: set VO_BASE_URL")
    with stoppable(), open_database(settings) as database:
        publish(settings, database, ())
        base = address(settings, settings.port)
        published = publish_all(settings, database, base, only=tuple(collections or ()), dry_run=dry_run)
        troubles = [*published.troubles, *(_refill(database) if anew and not dry_run else ())]
    if not settings.base_url:
        ERR.print(
            f"[yellow]VO_BASE_URL is not set: the records say {escape(base)}, which only this machine reaches.[/]",
            soft_wrap=True,
        )
    for trouble in dict.fromkeys(troubles):
        ERR.print(f"[yellow]{escape(trouble)}[/]", soft_wrap=True)
    OUT.print(_outcomes(published, dry_run=dry_run))
    if published.missing:
        OUT.print(_missing(published))


def publish_all(
    settings: Settings, database: Database, base: str, *, only: tuple[str, ...] = (), dry_run: bool = False
) -> Published:
    """Publish the records of what the database holds, as those of a server at this address."""
    from vo.context import published_collections
    from vo.ingest.show import progress_bar
    from vo.metadata.examples import read_examples
    from vo.metadata.felis import load_catalogue
    from vo.registry.publish import publish_records
    from vo.services import make_services

    held = published_collections(settings, database)
    unknown = sorted(set(only) - {one.name for one in held})
    if unknown:
        known = ", ".join(one.name for one in held) or "none"
        raise OperatorFault(f"{', '.join(unknown)}: not ingested here (collections here: {known})")
    services = make_services(settings, has_examples=bool(read_examples(settings, held)))
    with progress_bar("records", ERR) as progress:
        return publish_records(
            database,
            settings,
            held,
            load_catalogue(settings, held),
            services,
            base.rstrip("/"),
            only=only,
            dry_run=dry_run,
            progress=progress,
        )


def _refill(database: Database) -> tuple[str, ...]:
    """Make ``rr`` anew; what could not be taken over."""
    from vo.registry.store import refill

    with database.owner() as connection:
        return tuple(refill(connection))


def _outcomes(published: Published, *, dry_run: bool) -> Table:
    from rich.table import Table

    table = Table(title="Records, as they would be" if dry_run else "Records", title_justify="left")
    for heading in ("record", "", "changed last (UTC)"):
        table.add_column(heading, overflow="fold")
    for one in published.outcomes:
        colour = {"unchanged": "dim", "deleted": "red"}.get(one.what, "green")
        table.add_row(escape(one.identifier), f"[{colour}]{one.what}[/]", one.datestamp.isoformat(" "))
    return table


def _missing(published: Published) -> Table:
    """What is missing, each record's together."""
    from rich.table import Table

    table = Table(title="What would make them better", title_justify="left")
    for heading in ("what is missing", "what to do", "where"):
        table.add_column(heading, overflow="fold")
    for identifier, some in itertools.groupby(published.missing, lambda one: one.identifier):
        table.add_section()
        table.add_row(f"[bold]{escape(identifier)}[/]")
        for one in some:
            table.add_row(*map(escape, (one.lack, one.remedy, one.place)))
    return table
