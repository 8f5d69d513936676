"""``vo products make``: binned files, previews and thumbnails of a collection's scans, by several processes at once.

What is made is recorded now and then, with the published rows that depend on it, so that work that is stopped has not
been for nothing.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Self

from vo.db.archive import read_bundles
from vo.db.connect import Database
from vo.db.records import PlateBundle, Product
from vo.errors import OperatorFault
from vo.ingest.alone import alone
from vo.ingest.load import load_bundles
from vo.metadata.collection import load_collection
from vo.products.make import KINDS, Kind, Made, StoppedError, Task, make_plate, plan, products_folder
from vo.settings import Settings

#: Plates that are planned at a time, and that are recorded together at most.
_CHUNK = 200
#: So long made files may wait to be recorded, in seconds.
_RECORD_SECONDS = 30.0
#: Plates that wait for a process, for each process.
_WAITING = 3

_PLATES = """
SELECT DISTINCT plate_id FROM archive.product
WHERE collection = %(collection)s AND role IN ('fits', 'fits_binned') AND location IS NOT NULL
    AND (%(all)s OR plate_id = ANY(%(plates)s))
ORDER BY plate_id
"""
_KNOWN = "SELECT plate_id FROM archive.plate WHERE collection = %s AND plate_id = ANY(%s)"

#: Told how many plates are done and how many there are.
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class MakeSummary:
    """What was made: counts of plates and files, and for each bad scan a line with the reason."""

    plates: int = 0
    files: int = 0
    made: int = 0
    recorded: int = 0
    faults: list[str] = field(default_factory=list)


def make_products(
    database: Database,
    settings: Settings,
    collection: str,
    *,
    plates: Sequence[str] = (),
    kinds: Sequence[Kind] = KINDS,
    factor: int = 16,
    jobs: int = 1,
    progress: Progress | None = None,
) -> MakeSummary:
    """Make what is wanted of the scans of these plates (all when none is named) and is not there yet.

    A scan that is damaged is told in the summary and the rest goes on. Whatever ends the work early, files are whole,
    and what is there is recorded. OperatorFault for a plate that is not there, and when another one is at work.
    """
    load_collection(settings, collection)  # a name that is none is told before the work
    folder = products_folder(settings, collection)
    names = _find_plates(database, collection, plates)
    summary = MakeSummary()
    with alone(folder / ".lock", "vo products make", "VO_PRODUCTS_DIR"), _Pool(jobs, settings) as pool:
        waiting: list[Made] = []
        recorded = time.monotonic()
        try:
            for made in pool.run(_jobs(database, collection, names, folder, kinds, factor)):
                waiting.append(made)
                summary.plates += 1
                summary.made += made.made
                summary.files += len(made.products)
                summary.faults += made.faults
                if progress is not None:
                    progress(summary.plates, len(names))
                if len(waiting) >= _CHUNK or time.monotonic() - recorded > _RECORD_SECONDS:
                    summary.recorded += _record(database, settings, collection, waiting)
                    waiting, recorded = [], time.monotonic()
        finally:
            waiting += pool.stop()
            summary.recorded += _record(database, settings, collection, waiting)
    return summary


def _find_plates(database: Database, collection: str, plates: Sequence[str]) -> list[str]:
    """The plates with an image that is held here, in order."""
    with database.read() as connection:
        if plates:
            known = {name for (name,) in connection.execute(_KNOWN, (collection, list(plates)))}
            unknown = [name for name in plates if name not in known]
            if unknown:
                raise OperatorFault(f"collection {collection} has no plate {', '.join(unknown)}")
        asked = {"collection": collection, "all": not plates, "plates": list(plates)}
        return [name for (name,) in connection.execute(_PLATES, asked)]


def _jobs(
    database: Database, collection: str, names: Sequence[str], folder: Path, kinds: Sequence[Kind], factor: int
) -> Iterator[tuple[str, list[Task]]]:
    for start in range(0, len(names), _CHUNK):
        with database.read() as connection:
            bundles = list(read_bundles(connection, [(collection, name) for name in names[start : start + _CHUNK]]))
        for bundle in bundles:
            yield bundle.plate.plate_id, plan(bundle, folder, kinds, factor)


def _record(database: Database, settings: Settings, collection: str, made: Iterable[Made]) -> int:
    """Write the products that are new or changed to the archive, and the published rows of their plates anew."""
    by_plate = {one.plate_id: one.products for one in made if one.products}
    if not any(_read_changed(database, collection, by_plate)):
        return 0
    recorded = 0

    def changed() -> Iterator[PlateBundle]:
        """Read once more when nobody else may change plates: an ingest may have come between."""
        nonlocal recorded
        for bundle in _read_changed(database, collection, by_plate):
            recorded += len(bundle.products)
            yield bundle

    load_bundles(database, settings, collection, changed(), "vo products make")
    return recorded


def _read_changed(
    database: Database, collection: str, by_plate: Mapping[str, Sequence[Product]]
) -> Iterator[PlateBundle]:
    with database.read() as connection:
        bundles = list(read_bundles(connection, [(collection, name) for name in by_plate]))
    yield from (kept for bundle in bundles if (kept := _changed(bundle, by_plate[bundle.plate.plate_id])).products)


def _changed(bundle: PlateBundle, products: Sequence[Product]) -> PlateBundle:
    """The plate with what is new of it alone: what others change meanwhile stays."""
    known = set(bundle.products)
    new = tuple(one for one in products if one not in known)
    return PlateBundle(bundle.plate, products=new)


# ------------------------------------------------------------------------------------------------- processes


class _Pool:
    """Processes that make plates; they are started anew, since this one has threads and connections."""

    def __init__(self, jobs: int, settings: Settings) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._jobs = jobs
        self._running: set[Future[Made]] = set()
        self._executor = ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(self._stop, settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, jobs: Iterator[tuple[str, list[Task]]]) -> Iterator[Made]:
        """What became of each plate, in the order in which they are done."""
        is_more = True
        while is_more or self._running:
            while is_more and len(self._running) < self._jobs * (1 + _WAITING):
                job = next(jobs, None)
                is_more = job is not None
                if job is not None:
                    self._running.add(self._executor.submit(_make_one, *job))
            for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                self._running.discard(future)
                yield self._result(future)

    def _result(self, future: Future[Made]) -> Made:
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise OperatorFault(
                "a process that makes files ended by itself (no memory left?); start again, with fewer --jobs: what "
                "is made stays"
            ) from error

    def stop(self) -> list[Made]:
        """End the processes soon; what they have not finished is removed, what they have is given."""
        self._stop.set()
        self._executor.shutdown(cancel_futures=True)
        ended = [one for one in self._running if not one.cancelled() and one.exception() is None]
        self._running.clear()
        return [one.result() for one in ended]


_own: list[tuple[Event, Settings]] = []


def _begin(stop: Event, settings: Settings) -> None:
    """A process begins: Ctrl-C reaches it too, and the first process decides."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _own.append((stop, settings))


def _make_one(plate_id: str, tasks: list[Task]) -> Made:
    try:
        return make_plate(plate_id, tasks, _check, _own[0][1])
    except StoppedError:
        return Made(plate_id)


def _check() -> None:
    if _own[0][0].is_set():
        raise StoppedError
