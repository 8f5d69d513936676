"""What a curator works with before anything is loaded: ``vo new``, ``vo check``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vo.cli.shared import ERR, OUT, app, escape, read_settings
from vo.errors import OperatorFault

if TYPE_CHECKING:
    from rich.table import Table

    from vo.ingest.description import Description
    from vo.ingest.trial import Trial
    from vo.metadata.collection import Collection
    from vo.metadata.fields import Catalogue
    from vo.metadata.mistakes import Mistake
    from vo.settings import Settings

#: Characters of an offending line that are quoted.
_QUOTED = 60
#: Mistakes that are shown; the count tells of all.
_MOST_SHOWN = 100


@app.command("new")
def new_collection(
    collection: Annotated[str, typer.Argument(help="Its name: lower-case letters, digits and _.")],
    *,
    source: Annotated[
        Path | None, typer.Option(help="A list of the plates, to write a mapping for.", exists=True, dir_okay=False)
    ] = None,
    title: Annotated[str | None, typer.Option(help="One line that says what it is.")] = None,
    description: Annotated[str | None, typer.Option(help="Some sentences: telescopes, years, sky, emulsions.")] = None,
    creators: Annotated[
        list[str] | None, typer.Option("--creator", help="Who made it; may be repeated.", metavar="NAME")
    ] = None,
    facility: Annotated[str | None, typer.Option(help="Observatory.")] = None,
    instrument: Annotated[str | None, typer.Option(help="Telescope or camera.")] = None,
    rights: Annotated[str | None, typer.Option(help="Licence or conditions.")] = None,
    plate_scale: Annotated[float | None, typer.Option(help="Plate scale, arcsec/mm.", min=0.001)] = None,
    width: Annotated[float | None, typer.Option(help="Width of the exposed glass, mm.", min=0.001)] = None,
    height: Annotated[float | None, typer.Option(help="Its height, mm; the width when not given.", min=0.001)] = None,
    columns: Annotated[bool, typer.Option(help="Keep columns that match nothing as columns of your own.")] = True,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take what is given and defaults.")] = False,
) -> None:
    """Make the folder of a new collection: asks what no option says, and looks at a list of the plates.

    It writes collection.toml, examples.adql and README.md; for a list also mapping.toml, where columns are
    matched by names, units and first values, and columns.yaml for those that match nothing. Nothing is written over.

    Example: vo new skyview --source plates.csv
    """
    from vo.ingest.scaffold import Answers, write_folder
    from vo.ingest.survey import survey
    from vo.metadata.felis import load_schema

    settings = read_settings()
    ask = _Asking(silent=yes)
    plates = next(one for one in load_schema(settings.schema_dir / "plates.yaml").tables if one.name == "plates")
    looked = None if source is None else survey(source)
    said = Answers(
        name=collection,
        title=ask.text("Title, one line", title, f"Plates of {collection}"),
        description=ask.text("Description, some sentences", description, f"Photographic plates of {collection}."),
        creators=tuple(creators or ask.names("Who made it (names, separated by ;)", "Unknown")),
        facility=ask.text("Observatory", facility, ""),
        instrument=ask.text("Telescope or camera", instrument, ""),
        rights=ask.text("Licence or conditions", rights, ""),
        plate_scale=ask.number("Plate scale, arcsec/mm", plate_scale),
        width_mm=ask.number("Width of the exposed glass, mm", width),
        height_mm=ask.number("Its height, mm", height),
        survey=looked,
        own_columns=columns,
        taken_columns=frozenset(name.lower() for name in plates.by_name),
    )
    for path in write_folder(settings.resources_dir, said):
        OUT.print(f"written: {escape(str(path))}", soft_wrap=True)
    OUT.print(f"Look at them, then: vo check {collection}" + (f" {escape(str(source))}" if source else ""))


@dataclass(frozen=True, slots=True)
class _Asking:
    """Asks on the terminal for what no option gave; without one, or when told so, takes what stands for nothing."""

    silent: bool

    def text(self, question: str, given: str | None, default: str) -> str:
        if given is not None:
            return given
        if self.silent:
            return default
        if not sys.stdin.isatty():
            raise OperatorFault(f"nobody can be asked here ({question}): give all answers as options, or --yes")
        return str(typer.prompt(question, default=default))

    def names(self, question: str, default: str) -> tuple[str, ...]:
        found = tuple(one.strip() for one in self.text(question, None, default).split(";") if one.strip())
        return found or (default,)

    def number(self, question: str, given: float | None) -> float | None:
        if given is not None:
            return given
        while True:
            text = self.text(f"{question} (nothing when not known)", None, "").strip()
            if not text:
                return None
            try:
                value = float(text)
            except ValueError:
                value = -1.0
            if 0.0 < value < float("inf"):
                return value
            ERR.print("Write a number above 0, or nothing.")


@app.command()
def check(
    collection: Annotated[str, typer.Argument(help="The collection: a folder in resources.")],
    sources: Annotated[
        list[Path] | None, typer.Argument(help="Sources to read without loading them: files, folders.")
    ] = None,
    *,
    lines: Annotated[int, typer.Option(help="Report lines to show of each kind.", min=0)] = 3,
) -> None:
    """Read a collection's description back and say what is wrong with it: every mistake, with file and line.

    With sources it reads them as vo ingest would and tells what would be loaded, repaired and refused, and which values
    look as if a unit or a form were another one. Needs no database. Status 1 when something is wrong.

    Example: vo check dasch

    Example: vo check ukst ukst_catalog.txt
    """
    from vo.ingest.description import read_description

    settings = read_settings()
    found = read_description(settings, collection)
    mistakes = [*found.mistakes, *_example_mistakes(settings, found)]
    if mistakes or found.collection is None or found.catalogue is None:
        OUT.print(_mistakes_table(found.folder, mistakes))
        count = len(mistakes)
        ERR.print(f"[bold red]vo:[/] [red]{count} {'mistake' if count == 1 else 'mistakes'} in {escape(collection)}[/]")
        raise typer.Exit(1)
    _show_description(found, found.collection, found.catalogue)
    _check_records(settings, found.collection, found.catalogue)
    OUT.print("[green]The description is sound.[/]")
    results = [_show_trial(settings, found.collection, source, lines) for source in sources or ()]
    if not all(results):
        raise typer.Exit(1)


# ------------------------------------------------------------------------------------------------- descriptions


def _example_mistakes(settings: Settings, found: Description) -> Sequence[Mistake]:
    from vo.context import query_limits
    from vo.tap.examples import find_mistakes

    if found.catalogue is None:
        return ()
    return find_mistakes(found.examples, found.catalogue, query_limits(settings))


def _mistakes_table(folder: Path, mistakes: Sequence[Mistake]) -> Table:
    from rich.table import Table

    table = Table(title=f"{folder}: what is wrong", title_justify="left", show_lines=True)
    for heading in ("where", "what stands there", "what is wrong", "what to do"):
        table.add_column(heading, overflow="fold")
    for one in mistakes[:_MOST_SHOWN]:
        file = one.file.relative_to(folder) if one.file.is_relative_to(folder) else one.file
        where = f"{file}:{one.line}" if one.line else str(file)
        said = f"{one.key}: {one.text}" if one.key else one.text
        table.add_row(escape(where), escape(_quoted(one)), escape(said), escape(one.advice))
    if len(mistakes) > _MOST_SHOWN:
        table.add_row("...", "", f"and {len(mistakes) - _MOST_SHOWN:,} more", "")
    return table


def _quoted(mistake: Mistake) -> str:
    """The offending line, as it stands in the file."""
    if not mistake.line:
        return ""
    try:
        line = mistake.file.read_text(encoding="utf-8", errors="replace").splitlines()[mistake.line - 1].strip()
    except (OSError, IndexError):
        return ""
    return line if len(line) <= _QUOTED else f"{line[:_QUOTED]} ..."


def _show_description(found: Description, collection: Collection, catalogue: Catalogue) -> None:
    plates = catalogue.by_name[f"{collection.name}.plates"]
    OUT.print(f"[bold]{collection.name}[/]: {escape(collection.title)}")
    OUT.print(f"  {len(plates.columns)} columns in {plates.qualified}, {len(found.series)} series")
    if found.mapping is not None:
        used = len(found.mapping.used_columns)
        OUT.print(f"  a mapping of lists ({found.mapping.source.format or 'reader.py'}) that uses {used} columns")
    limit = collection.wide.max_plate_scale
    OUT.print("  no plate is wide" if limit is None else f"  plates above {limit:g} arcsec/mm are wide")
    own = sum(example.collection == collection.name for example in found.examples)
    OUT.print(f"  {own} example {'query' if own == 1 else 'queries'} of its own")


def _check_records(settings: Settings, collection: Collection, catalogue: Catalogue) -> None:
    """Make the registry records as they would be without data, and tell what they lack."""
    from vo.registry.draft import try_records
    from vo.services import make_services

    missing = try_records(settings, collection, catalogue, make_services(settings, has_examples=True))
    if not missing:
        return
    from rich.table import Table

    table = Table(title="What would make its registry record better", title_justify="left")
    for heading in ("where", "what is missing", "what to do"):
        table.add_column(heading, overflow="fold")
    for one in missing:
        table.add_row(*map(escape, (one.place, one.lack, one.remedy)))
    OUT.print(table)


# ------------------------------------------------------------------------------------------------- sources


def _show_trial(settings: Settings, collection: Collection, source: Path, lines: int) -> bool:
    """Read a source and show what would become of it; False when an ingest would fail."""
    from vo.ingest.doubts import find_doubts, find_rule
    from vo.ingest.show import progress_bar
    from vo.ingest.trial import try_source

    try:
        with progress_bar(source.name, ERR) as progress:
            trial = try_source(settings, collection, source, lambda done, total: progress("reading", done, total))
    except OperatorFault as fault:
        told = fault.text if str(source) in fault.text else f"{source}: {fault.text}"
        ERR.print(f"[bold red]vo:[/] [red]{escape(told)}[/]", soft_wrap=True)
        return False
    OUT.print(f"[bold]{escape(str(source))}[/], read as {trial.reader}:", soft_wrap=True)
    OUT.print(_counts_table(collection, trial))
    OUT.print(_columns_table(collection, trial))
    empty = [name for name, seen in trial.seen.items() if not seen.count]
    if empty:
        OUT.print(f"Nothing in: {', '.join(empty)}")
    if trial.report.lines and lines:
        OUT.print(_report_table(trial, lines))
    for doubt in find_doubts(trial):
        rule = find_rule(doubt, collection) if trial.reader == "table" else None
        where = "" if rule is None else f" ({rule.file.name}:{rule.line} {rule.key})"
        said = f"{doubt.column}: {doubt.text}; {doubt.advice}{where}"
        OUT.print(f"[yellow]{escape(said)}[/]", soft_wrap=True)
    return True


def _counts_table(collection: Collection, trial: Trial) -> Table:
    from rich.table import Table

    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    report = trial.report
    table.add_row("entries read", f"{report.read:,}")
    table.add_row("  used", f"{report.used:,}")
    table.add_row("  refused", f"{report.refused:,}")
    table.add_row("plates", f"{trial.plates:,}")
    table.add_row(f"rows in {collection.name}.plates", f"{trial.exposures:,}")
    table.add_row("rows in ivoa.obscore", f"{trial.shown:,}")
    return table


def _columns_table(collection: Collection, trial: Trial) -> Table:
    from rich.table import Table

    table = Table(title=f"What {collection.name}.plates would have", title_justify="left")
    table.add_column("column")
    table.add_column("filled", justify="right")
    table.add_column("from", overflow="fold")
    table.add_column("to", overflow="fold")
    for name, seen in trial.seen.items():
        if seen.count:
            filled = f"{100 * seen.count // trial.exposures} %"  # 100 only when all are
            table.add_row(name, filled, *(escape(_value(name, one)) for one in (seen.least, seen.greatest)))
    return table


def _value(name: str, value: str | float | None) -> str:
    from vo.ingest.doubts import as_date

    if isinstance(value, (int, float)):
        return f"{value:.6g} ({as_date(value)})" if name in ("t_min", "t_max") else f"{value:.6g}"
    return value or ""


def _report_table(trial: Trial, lines: int) -> Table:
    from rich.table import Table

    table = Table(title="What the report would have", title_justify="left")
    for heading in ("", "kind", "how often", "line", "plate", "reason"):
        table.add_column(heading, overflow="fold")
    for (what, kind), found in trial.report.by_kind().items():
        for number, line in enumerate(found[:lines]):
            head = (what, escape(kind), f"{len(found):,}") if number == 0 else ("", "", "")
            table.add_row(*head, str(line.line or ""), escape(line.plate), escape(line.reason))
    return table
