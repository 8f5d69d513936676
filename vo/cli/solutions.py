"""The versions of astrometric solutions: ``vo solutions list``, ``compare`` and ``use``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from vo.cli.shared import OUT, Data, app, escape, read_settings, stoppable
from vo.errors import OperatorFault, UsageFault

if TYPE_CHECKING:
    from vo.db.records import Solution
    from vo.pixels.compare import Change

#: Solutions that a list without a plate shows at most.
_SHOWN = 100
_PAIR = 2

solutions = typer.Typer(
    help="List, compare and choose the versions of astrometric solutions.\n\nExample: vo solutions list dasch ai07801",
    short_help="List, compare and choose the versions of astrometric solutions.",
    no_args_is_help=True,
)
app.add_typer(solutions, name="solutions")

CollectionName = Annotated[str, typer.Argument(help="The collection: a folder in resources.")]
PlateName = Annotated[str, typer.Argument(help="The plate, as the collection names it.")]
Scan = Annotated[str | None, typer.Option(help="The scan, where the plate has several.")]


@solutions.command("list")
def list_solutions(
    collection: CollectionName,
    plate: Annotated[str | None, typer.Argument(help="The plate; without it, what has several versions.")] = None,
    data: Data = None,
) -> None:
    """Show the versions of a plate's solutions, or which solutions of a collection have several.

    Example: vo solutions list dasch ai07801
    """
    from vo.db.connect import open_database
    from vo.db.solutions import count_solutions, with_several_versions
    from vo.ingest.choose import find_plate, find_solutions
    from vo.metadata.collection import load_collection

    settings = read_settings(data_dir=data)
    known = load_collection(settings, collection)
    with stoppable(), open_database(settings) as database:
        if plate is not None:
            with database.read() as connection:
                bundle = find_plate(connection, known, plate)
            OUT.print(_versions_table(find_solutions(bundle)))
            return
        with database.read() as connection:
            plates, count, versions = count_solutions(connection, known.name)
            several = with_several_versions(connection, known.name, _SHOWN + 1)
    table = Table("plate", "scan", "solution", "versions", "in use")
    for one in several[:_SHOWN]:
        table.add_row(
            *map(escape, (one.plate_id, one.scan_id, one.solution_id, str(one.count), str(one.current or "-")))
        )
    OUT.print(f"{known.name}: {count:,} solutions of {plates:,} plates, in {versions:,} versions")
    if several:
        OUT.print(table)
    if len(several) > _SHOWN:
        OUT.print("... and more: archive.solution_change has a row for each pair of versions (vo adql).")


@solutions.command("compare")
def compare_solutions(
    collection: CollectionName,
    plate: PlateName,
    scan: Scan = None,
    solution: Annotated[str | None, typer.Option(help="The solution; without it, all of the plate's.")] = None,
    versions: Annotated[
        tuple[int, int] | None,
        typer.Option(help="From which version to which; without it, from the latest other one to the one in use."),
    ] = None,
    data: Data = None,
) -> None:
    """Tell how far two versions of a plate's solutions differ on the sky.

    Shifts are distances between the two places of a pixel, in arcsec:
    of the middle, the four corners, and the largest and the root mean
    square over a grid of 21 by 21 pixels. The rotation is from north to
    east, once the middles are put together; the scale is how many times
    as large a pixel has become.

    Example: vo solutions compare dasch ai07801 --solution s0 --versions 1 2
    """
    from vo.db.connect import open_database
    from vo.ingest.changes import change_between
    from vo.ingest.choose import find_plate, find_solutions
    from vo.metadata.collection import load_collection

    settings = read_settings(data_dir=data)
    known = load_collection(settings, collection)
    with stoppable(), open_database(settings) as database:
        with database.read() as connection:
            bundle = find_plate(connection, known, plate)
        pairs = _pairs(find_solutions(bundle, solution, scan), versions, plate)
        table = _changes_table()
        for other, one in pairs:
            try:
                change = change_between(other, one)
            except UsageFault as fault:
                raise OperatorFault(f"{_named(one)}: {fault.text}") from fault
            _add_change(table, other, one, change)
        OUT.print(table)


@solutions.command("use")
def use_solution(
    collection: CollectionName,
    plate: PlateName,
    solution: Annotated[str, typer.Argument(help="The solution, as `vo solutions list` names it.")],
    version: Annotated[int, typer.Argument(help="The version to use from now on.", min=1)],
    scan: Scan = None,
    data: Data = None,
) -> None:
    """Bring another version of a solution into use.

    Footprints, links and cutouts follow at once, no file is touched.
    The version that was in use is set aside: ingesting its source once
    more does not bring it back. The same command with its number does.

    Example: vo solutions use dasch ai07801 s0 1
    """
    from vo.db.connect import open_database
    from vo.ingest.choose import use_version
    from vo.metadata.collection import load_collection

    settings = read_settings(data_dir=data)
    known = load_collection(settings, collection)
    with stoppable(), open_database(settings) as database:
        choice = use_version(database, settings, known, plate, solution, version, scan)
    if choice.before == choice.chosen:
        OUT.print(f"{_named(choice.chosen)}: version {version} is in use already.")
        return
    before = "no version" if choice.before is None else f"version {choice.before.version}"
    OUT.print(f"{_named(choice.chosen)}: version {version} is in use instead of {before}.")
    if choice.change is not None and choice.before is not None:
        table = _changes_table()
        _add_change(table, choice.before, choice.chosen, choice.change)
        OUT.print(table)
    OUT.print(f"{choice.rows} published {'row is' if choice.rows == 1 else 'rows are'} changed.")
    for name in choice.unsolved:
        OUT.print(f"Exposure {escape(name)} has no solution now; its footprint is the nominal one.")
    for line in choice.notes:
        OUT.print(f"{escape(line.kind)}: {escape(line.reason)}")


# ------------------------------------------------------------------------------------------------- tables


def _named(solution: Solution) -> str:
    return escape(f"plate {solution.plate_id}, scan {solution.scan_id}, solution {solution.solution_id}")


def _versions_table(found: Sequence[Solution]) -> Table:
    table = Table(
        "scan",
        "solution",
        "version",
        "in use",
        "exposure",
        "made",
        "pipeline",
        "result",
        "rms, arcsec",
        "stars",
        "status",
    )
    for one in found:
        table.add_row(
            escape(one.scan_id),
            escape(one.solution_id),
            str(one.version),
            "yes" if one.is_current else "",
            escape(one.exposure_id or "-"),
            one.made_date.date().isoformat() if one.made_date else "",
            escape(one.pipeline or ""),
            escape(one.result_id or ""),
            "" if one.residual is None else f"{one.residual:.3f}",
            "" if one.star_count is None else str(one.star_count),
            escape(one.status),
        )
    return table


def _changes_table() -> Table:
    table = Table(
        "scan", "solution", "versions", title="distances in arcsec, rotation in degrees", title_justify="left"
    )
    for name in ("centre", "corners", "largest", "rms", "rotation", "scale"):
        table.add_column(name, justify="right")
    return table


def _add_change(table: Table, other: Solution, one: Solution, change: Change) -> None:
    table.add_row(
        escape(one.scan_id),
        escape(one.solution_id),
        f"{other.version} to {one.version}",
        f"{change.centre_shift:.3f}",
        " ".join(f"{shift:.3f}" for shift in change.corner_shifts),
        f"{change.largest_shift:.3f}",
        f"{change.rms_shift:.3f}",
        "mirrored" if change.rotation is None else f"{change.rotation:+.5f}",
        "" if change.scale_ratio is None else f"{change.scale_ratio:.7f}",
    )


def _pairs(found: Sequence[Solution], versions: tuple[int, int] | None, plate: str) -> list[tuple[Solution, Solution]]:
    """What to compare: (from, to) of each solution that has both versions."""
    names = dict.fromkeys((one.scan_id, one.solution_id) for one in found)
    groups = [[one for one in found if (one.scan_id, one.solution_id) == name] for name in names]
    if versions is None:
        pairs = [_latest(group) for group in groups if len(group) >= _PAIR]
    else:
        by_version = [{one.version: one for one in group} for group in groups]
        pairs = [(group[versions[0]], group[versions[1]]) for group in by_version if set(versions) <= group.keys()]
    if not pairs:
        held = "; ".join(f"{group[0].solution_id}: {', '.join(str(one.version) for one in group)}" for group in groups)
        wanted = "two versions" if versions is None else f"the versions {versions[0]} and {versions[1]}"
        raise OperatorFault(f"no solution of plate {plate} has {wanted} (it has {held})")
    return pairs


def _latest(group: Sequence[Solution]) -> tuple[Solution, Solution]:
    """The version in use, and the latest of the others."""
    current = next((one for one in group if one.is_current), group[-1])
    return max((one for one in group if one is not current), key=lambda one: one.version), current
