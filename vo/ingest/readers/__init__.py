"""Readers: one module for each kind of source, all with the same two functions.

``accepts(path, head)`` says whether the source is of this kind (``head`` is the beginning of the file, empty for a
folder), and ``read(source)`` yields :class:`vo.db.records.PlateBundle` one by one, telling the report about everything
it refuses or repairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vo.db.records import PlateBundle
from vo.ingest.report import Report
from vo.metadata.collection import Collection


@dataclass(frozen=True, slots=True)
class Source:
    """What a reader gets: the place to read, for whom, and where to tell.

    ``authority`` is the naming authority of the identifiers made here. ``find_plate`` looks a plate up in the archive
    as it is, None when it is not there. ``progress`` is told how much of how much is read. ``expect`` is told before
    the first bundle how many exposures are coming, by a reader that knows, gives each plate once, all of it together
    and in the order of the sky (:func:`vo.ingest.order.sky_order`), and does not look plates up: then a large source
    can be loaded in a quicker way.
    """

    path: Path
    collection: Collection
    authority: str
    report: Report
    find_plate: Callable[[str], PlateBundle | None]
    progress: Callable[[int, int], None] = lambda _done, _all: None
    expect: Callable[[int], None] = lambda _count: None


@dataclass(frozen=True, slots=True)
class Reader:
    """One kind of source; ``name`` is what a descriptor's ``readers`` lists.

    ``suits`` tells whether the reader is for this collection at all, and for a file of this name.
    """

    name: str
    describes: str
    accepts: Callable[[Path, bytes], bool]
    read: Callable[[Source], Iterator[PlateBundle]]
    suits: Callable[[Collection, Path], bool] = lambda _collection, _path: True
