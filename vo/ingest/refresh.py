"""Published rows made anew from what the archive has, after something else than ingest changed it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from vo.db.archive import read_bundles
from vo.db.connect import Database
from vo.db.records import PlateBundle
from vo.ingest.load import Progress, load_bundles
from vo.ingest.target import CHUNK
from vo.settings import Settings


def refresh_plates(
    database: Database, settings: Settings, plates: Iterable[tuple[str, str]], progress: Progress | None = None
) -> int:
    """Make the rows of these plates (collection, plate_id) anew; gives how many rows of both tables changed.

    Each collection is one transaction. Plates that are not there any more are passed over.
    """
    changed = 0
    for collection, keys in groupby(sorted(set(plates)), key=lambda key: key[0]):
        bundles = _bundles(database, list(keys))
        summary = load_bundles(database, settings, collection, bundles, "the archive", progress=progress)
        changed += sum(counts.inserted + counts.updated for counts in summary.derived.values())
    return changed


def _bundles(database: Database, keys: Sequence[tuple[str, str]]) -> Iterator[PlateBundle]:
    for start in range(0, len(keys), CHUNK):
        with database.read() as connection:
            found = list(read_bundles(connection, keys[start : start + CHUNK]))
        yield from found
