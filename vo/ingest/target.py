"""Where a source goes, and what was done there: what both ways of loading share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.connect import Database
from vo.db.merge import Counts, writable_columns
from vo.db.records import PlateBundle
from vo.metadata.collection import Collection
from vo.settings import Settings

#: Plates that are worked on at a time.
CHUNK = 2500

#: The key of the published tables.
KEY = ("obs_publisher_did",)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a source goes: ``columns`` are those that can be written of ``plates`` and ``obscore``, by table."""

    database: Database
    collection: Collection
    settings: Settings
    plates: str
    obscore: str
    columns: Mapping[str, Sequence[str]]

    @classmethod
    def of(
        cls, database: Database, connection: Connection[TupleRow], collection: Collection, settings: Settings
    ) -> Self:
        """The two published tables of a collection, as they are in the database."""
        plates, obscore = f"{collection.name}.plates", "ivoa.obscore"
        columns = {table: writable_columns(connection, table) for table in (plates, obscore)}
        return cls(database, collection, settings, plates, obscore, columns)

    def scope(self, table: str, plates: Sequence[str]) -> dict[str, list[str]]:
        """What tells the rows of some plates in one of the two tables."""
        own = {} if table == self.plates else {"obs_collection": [self.collection.obs_collection]}
        return {"plate_id": list(plates), **own}


@dataclass(slots=True)
class Done:
    """What was done, in the counts that a summary needs."""

    plates: int = 0
    without_imaging: int = 0
    archive: dict[str, Counts] = field(default_factory=dict)
    derived: dict[str, Counts] = field(default_factory=dict)
    removed: int = 0
    again: list[str] = field(default_factory=list)

    def add_bundles(self, bundles: Sequence[PlateBundle]) -> None:
        """Plates of the source, as they are written to the archive."""
        self.plates += len(bundles)
        self.without_imaging += sum(not one.has_imaging for bundle in bundles for one in bundle.exposures)

    def add_archive(self, counts: Mapping[str, Counts]) -> None:
        """What was done to each table of the archive."""
        for table, count in counts.items():
            self.archive[table] = self.archive.get(table, Counts()) + count
