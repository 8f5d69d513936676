"""Versions of solutions in the schema ``archive``: which have others, and how far two of them differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.merge import Counts, merge

TABLE = "archive.solution_change"
_KEY = ("collection", "plate_id", "scan_id", "solution_id", "version", "other_version")
_SEVERAL = """
SELECT plate_id, scan_id, solution_id, count(*), max(version) FILTER (WHERE is_current)
FROM archive.solution WHERE collection = %s
GROUP BY plate_id, scan_id, solution_id HAVING count(*) > 1
ORDER BY plate_id, scan_id, solution_id LIMIT %s
"""
_COUNTS = """
SELECT count(DISTINCT plate_id), count(DISTINCT (plate_id, scan_id, solution_id)), count(*)
FROM archive.solution WHERE collection = %s
"""


@dataclass(frozen=True, slots=True)
class SolutionChange:
    """A row of ``archive.solution_change``: from ``other_version`` to ``version``.

    Shifts are in arcsec, ``rotation`` in degrees; None is what cannot be told.
    """

    collection: str
    plate_id: str
    scan_id: str
    solution_id: str
    version: int
    other_version: int
    centre_shift: float | None = None
    corner_shift: float | None = None
    largest_shift: float | None = None
    rms_shift: float | None = None
    rotation: float | None = None
    scale_ratio: float | None = None

    @property
    def key(self) -> tuple[str, str, str, int, int]:
        """What tells it from others of the collection."""
        return self.plate_id, self.scan_id, self.solution_id, self.version, self.other_version


@dataclass(frozen=True, slots=True)
class Versions:
    """A solution with several versions; ``current`` is the one in use."""

    plate_id: str
    scan_id: str
    solution_id: str
    count: int
    current: int | None


def merge_changes(connection: Connection[TupleRow], changes: Iterable[SolutionChange]) -> Counts:
    """Write rows into ``archive.solution_change``, in the connection's transaction."""
    columns = tuple(one.name for one in dataclasses.fields(SolutionChange))
    return merge(connection, TABLE, _KEY, columns, (dataclasses.astuple(change) for change in changes))


def known_changes(
    connection: Connection[TupleRow], collection: str, plates: Sequence[str]
) -> set[tuple[str, str, str, int, int]]:
    """The keys (:attr:`SolutionChange.key`) of the rows that there are for some plates."""
    rows = connection.execute(
        f"SELECT plate_id, scan_id, solution_id, version, other_version FROM {TABLE} "
        "WHERE collection = %s AND plate_id = ANY(%s)",
        (collection, list(plates)),
    )
    return {(plate, scan, solution, one, other) for plate, scan, solution, one, other in rows}


def with_several_versions(connection: Connection[TupleRow], collection: str, limit: int) -> list[Versions]:
    """The first ``limit`` solutions of a collection that have more than one version, by plate."""
    return [Versions(*row) for row in connection.execute(_SEVERAL, (collection, limit))]


def count_solutions(connection: Connection[TupleRow], collection: str) -> tuple[int, int, int]:
    """How many plates of a collection are solved, how many solutions they have, and how many versions of these."""
    row = connection.execute(_COUNTS, (collection,)).fetchone()
    return (0, 0, 0) if row is None else (row[0], row[1], row[2])
