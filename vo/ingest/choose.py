"""Another version of a solution into use: the plate's footprints follow, no file is touched."""

from __future__ import annotations

from dataclasses import dataclass, replace

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.archive import merge_records, read_bundles
from vo.db.connect import Database
from vo.db.records import Exposure, PlateBundle, Solution
from vo.errors import Fault, OperatorFault
from vo.ingest.changes import change_between, record_changes
from vo.ingest.derive import derive
from vo.ingest.published import lock, write_rows
from vo.ingest.readers.solved import SET_ASIDE
from vo.ingest.report import Line, Report
from vo.ingest.target import Target
from vo.metadata.collection import Collection
from vo.pixels.compare import Change
from vo.pixels.wcs import load_solution
from vo.settings import Settings

_ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Choice:
    """What choosing a version did.

    ``before`` is the version that was in use, None when none was; the same as ``chosen`` when nothing was to do.
    ``change`` leads from it to the chosen one, None when they cannot be compared. ``rows`` of the published tables were
    changed. ``unsolved`` are the exposures that have lost their solution by it; ``notes`` say what the rows now lack.
    """

    chosen: Solution
    before: Solution | None
    change: Change | None
    rows: int
    unsolved: tuple[str, ...]
    notes: tuple[Line, ...]


def use_version(
    database: Database,
    settings: Settings,
    collection: Collection,
    plate_id: str,
    solution_id: str,
    version: int,
    scan_id: str | None = None,
) -> Choice:
    """Bring a version of a plate's solution into use, and its rows in line with it, in one transaction.

    The version that was in use is set aside: a source that brings it once more does not bring it back into use.
    OperatorFault when there is no such plate, solution or version, or when the version is of no use.
    """
    with database.owner() as connection:
        lock(connection)
        bundle = find_plate(connection, collection, plate_id)
        chosen = _find(bundle, solution_id, version, scan_id)
        same = [one for one in bundle.solutions if _is_same(one, chosen)]
        before = next((one for one in same if one.is_current), None)
        if before == chosen:
            return Choice(chosen, before, None, 0, (), ())
        _check(chosen)
        now = replace(chosen, is_current=True, status=_ACCEPTED)
        aside = [replace(one, is_current=False, status=SET_ASIDE) for one in same if one.is_current]
        after = _with(bundle, [now, *aside])
        placed = [exposure for exposure in after.exposures if exposure not in bundle.exposures]
        merge_records(connection, [now, *aside, *placed])
        record_changes(connection, collection.name, [plate_id])
        rows, notes = _publish(connection, database, settings, collection, after)
        unsolved = tuple(
            exposure.exposure_id
            for exposure in bundle.exposures
            if bundle.solution_of(exposure) and not after.solution_of(exposure)
        )
    return Choice(now, before, _change(before, now), rows, unsolved, notes)


def find_plate(connection: Connection[TupleRow], collection: Collection, plate_id: str) -> PlateBundle:
    """The plate as the archive has it; OperatorFault when it does not."""
    bundle = next(read_bundles(connection, [(collection.name, plate_id)]), None)
    if bundle is None:
        raise OperatorFault(f"collection {collection.name} has no plate {plate_id!r}")
    return bundle


def find_solutions(bundle: PlateBundle, solution_id: str | None = None, scan_id: str | None = None) -> list[Solution]:
    """All versions of the plate's solutions with this name and on this scan; OperatorFault when there are none."""
    found = [
        one
        for one in bundle.solutions
        if (solution_id is None or one.solution_id == solution_id) and (scan_id is None or one.scan_id == scan_id)
    ]
    if not found:
        named = "no solution" if solution_id is None else f"no solution {solution_id!r}"
        where = "" if scan_id is None else f" on scan {scan_id!r}"
        known = sorted({f"{one.solution_id} (scan {one.scan_id})" for one in bundle.solutions})
        raise OperatorFault(
            f"plate {bundle.plate.plate_id} has {named}{where}; it has {', '.join(known) or 'none at all'}"
        )
    return found


def _find(bundle: PlateBundle, solution_id: str, version: int, scan_id: str | None) -> Solution:
    found = find_solutions(bundle, solution_id, scan_id)
    scans = sorted({one.scan_id for one in found})
    if len(scans) > 1:
        raise OperatorFault(f"solution {solution_id} is on the scans {', '.join(scans)}: name one with --scan")
    chosen = next((one for one in found if one.version == version), None)
    if chosen is None:
        known = ", ".join(str(one.version) for one in found)
        raise OperatorFault(f"solution {solution_id} of scan {scans[0]} has no version {version}; it has {known}")
    return chosen


def _is_same(one: Solution, other: Solution) -> bool:
    return (one.scan_id, one.solution_id) == (other.scan_id, other.solution_id)


def _check(solution: Solution) -> None:
    try:
        load_solution(solution.header, solution.wcs_key, (solution.width, solution.height))
    except Fault as fault:
        raise OperatorFault(f"version {solution.version} is of no use: {fault.text}") from fault


def _with(bundle: PlateBundle, changed: list[Solution]) -> PlateBundle:
    """The plate with these versions in the others' places, and its exposures where their solutions are."""
    new = {(one.scan_id, one.solution_id, one.version): one for one in changed}
    solutions = tuple(new.get((one.scan_id, one.solution_id, one.version), one) for one in bundle.solutions)
    after = replace(bundle, solutions=solutions)
    return replace(after, exposures=tuple(_placed(one, after, changed) for one in bundle.exposures))


def _placed(exposure: Exposure, after: PlateBundle, changed: list[Solution]) -> Exposure:
    solution = after.solution_of(exposure)
    if solution is None or solution not in changed:
        return exposure
    wcs = load_solution(solution.header, solution.wcs_key, (solution.width, solution.height))
    ra, dec = wcs.centre
    return replace(exposure, ra=ra, dec=dec, position_origin="solution", has_imaging=True)


def _publish(
    connection: Connection[TupleRow],
    database: Database,
    settings: Settings,
    collection: Collection,
    bundle: PlateBundle,
) -> tuple[int, tuple[Line, ...]]:
    target = Target.of(database, connection, collection, settings)
    report = Report("vo solutions use")
    (derived,) = derive([bundle], target, report)
    plates, obscore, removed = write_rows(connection, target, [bundle.plate.plate_id], derived.plates, derived.obscore)
    changed = sum(count.inserted + count.updated for count in (plates, obscore)) + removed
    return changed, tuple(report.lines)


def _change(before: Solution | None, now: Solution) -> Change | None:
    if before is None:
        return None
    try:
        return change_between(before, now)
    except Fault:
        return None
