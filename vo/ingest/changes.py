"""How far the versions of solutions differ, as rows of ``archive.solution_change``: SQL cannot evaluate a TPV."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import permutations

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.archive import read_bundles
from vo.db.records import PlateBundle, Solution
from vo.db.solutions import SolutionChange, known_changes, merge_changes
from vo.errors import UsageFault
from vo.pixels.compare import Change, compare
from vo.pixels.wcs import load_solution


def record_changes(connection: Connection[TupleRow], collection: str, plates: Sequence[str]) -> int:
    """Compare the versions of the plates' solutions that were not compared before; return how many rows were written.

    A version never changes, so a row that is there stays true.
    """
    if not plates:
        return 0
    known = known_changes(connection, collection, plates)
    bundles = read_bundles(connection, [(collection, name) for name in plates])
    made = [change for bundle in bundles for change in changes_of(bundle, known)]
    merge_changes(connection, made)
    return len(made)


def changes_of(bundle: PlateBundle, known: Collection[tuple[str, str, str, int, int]] = ()) -> Iterator[SolutionChange]:
    """Each version of each solution against each other one, but for the ``known`` ones."""
    versions: dict[tuple[str, str], list[Solution]] = defaultdict(list)
    for solution in bundle.solutions:
        versions[solution.scan_id, solution.solution_id].append(solution)
    for several in versions.values():
        for other, one in permutations(several, 2):
            pair = SolutionChange(
                one.collection, one.plate_id, one.scan_id, one.solution_id, one.version, other.version
            )
            if pair.key not in known:
                yield _measured(pair, other, one)


def change_between(other: Solution, one: Solution) -> Change:
    """How ``one`` differs from ``other``; UsageFault when they cannot be compared."""
    return compare(*(load_solution(each.header, each.wcs_key, (each.width, each.height)) for each in (other, one)))


def _measured(pair: SolutionChange, other: Solution, one: Solution) -> SolutionChange:
    try:
        change = change_between(other, one)
    except UsageFault:
        return pair
    return SolutionChange(
        *(pair.collection, pair.plate_id, pair.scan_id, pair.solution_id, pair.version, pair.other_version),
        centre_shift=_finite(change.centre_shift),
        corner_shift=_finite(change.largest_corner_shift),
        largest_shift=change.largest_shift,
        rms_shift=change.rms_shift,
        rotation=change.rotation,
        scale_ratio=change.scale_ratio,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
