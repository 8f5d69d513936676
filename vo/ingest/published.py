"""The two published tables of a collection, for some of its plates."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.merge import Counts, merge, prune
from vo.ingest.target import KEY, Target
from vo.obscore.mapping import Row

#: Any number, the same for all: two ingests wait for each other, and whoever changes plates waits for them.
_LOCK = 0x766F5F696E


def lock(connection: Connection[TupleRow]) -> None:
    """Keep everybody else from changing plates until the connection's transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


def write_rows(
    connection: Connection[TupleRow],
    target: Target,
    names: Sequence[str],
    plates: Sequence[Row],
    obscore: Sequence[Row],
) -> tuple[Counts, Counts, int]:
    """Merge the rows of the plates ``names`` into ``plates`` and ``ivoa.obscore``; those no longer made go.

    Returns what was done to each of the two, and how many rows went.
    """
    counts: list[Counts] = []
    removed = 0
    for table, made in ((target.plates, plates), (target.obscore, obscore)):
        columns = target.columns[table]
        counts.append(merge(connection, table, KEY, columns, (list(map(row.get, columns)) for row in made)))
        keys = (tuple(row[name] for name in KEY) for row in made)
        removed += prune(connection, table, target.scope(table, names), KEY, keys)
    return counts[0], counts[1], removed
