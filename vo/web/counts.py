"""What is published, counted and listed, for the front page and the collections' pages."""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from dataclasses import dataclass

from vo.context import Context
from vo.metadata.collection import Collection

#: Plates on one screen of a collection's page.
PAGE = 100

#: Pictures on a collection's page.
PICTURES = 6

_FRESH_SECONDS = 60.0

_MJD_ZERO = dt.datetime(1858, 11, 17, tzinfo=dt.UTC)

_COUNTS = """
SELECT (SELECT count(*) FROM archive.plate WHERE collection = %(name)s),
       (SELECT count(DISTINCT plate_id) FROM archive.scan WHERE collection = %(name)s),
       count(*), count(*) FILTER (WHERE has_imaging), min(t_min), max(t_max),
       (SELECT count(*) FROM archive.product WHERE collection = %(name)s AND location IS NOT NULL)
FROM archive.exposure WHERE collection = %(name)s
"""

_PICTURES = """
SELECT plate_id, min(product_id) FROM archive.product
WHERE collection = %(name)s AND role = 'preview' AND location IS NOT NULL
GROUP BY plate_id ORDER BY plate_id LIMIT %(limit)s
"""

# Ordered by the key itself, so that a page costs the same wherever it is in the list.
_PLATES = """
SELECT p.plate_id, p.series, p.plate_class, count(e.exposure_id), min(e.t_min), coalesce(bool_or(e.has_imaging), false)
FROM (SELECT collection, plate_id, series, plate_class FROM archive.plate
      WHERE collection = %(name)s AND plate_id > %(after)s AND strpos(lower(plate_id), lower(%(search)s)) > 0
      ORDER BY plate_id LIMIT %(limit)s) AS p
LEFT JOIN archive.exposure AS e USING (collection, plate_id)
GROUP BY p.plate_id, p.series, p.plate_class ORDER BY p.plate_id
"""

_EXAMPLE = """
SELECT s_ra, s_dec FROM ivoa.obscore WHERE s_ra IS NOT NULL AND s_dec IS NOT NULL
ORDER BY calib_level DESC, abs(s_dec), obs_publisher_did LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Summary:
    """A collection in numbers: ``first`` and ``last`` year of an exposure, and ``pictures`` of some plates."""

    collection: Collection
    plates: int
    scanned: int
    exposures: int
    imaging: int
    files: int
    first: int | None
    last: int | None
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A plate with a preview that is here."""

    plate_id: str
    product_id: str


@dataclass(frozen=True, slots=True)
class PlateLine:
    """A plate in a list; ``date`` is the day of its first exposure."""

    plate_id: str
    series: str | None
    plate_class: str | None
    exposures: int
    date: str | None
    has_imaging: bool


class Summaries:
    """The collections in numbers, counted at most once in :data:`_FRESH_SECONDS`: large archives take a second."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Summary]] = {}

    def of(self, collection: Collection) -> Summary:
        """Count a collection, or tell what was counted a moment ago."""
        with self._lock:
            made, summary = self._known.get(collection.name, (-math.inf, None))
            if summary is None or time.monotonic() - made > _FRESH_SECONDS:
                summary = _summarise(self._context, collection)
                self._known[collection.name] = time.monotonic(), summary
            return summary


def _summarise(context: Context, collection: Collection) -> Summary:
    with context.database.read() as connection:
        row = connection.execute(_COUNTS, {"name": collection.name}).fetchone()
        pictures = connection.execute(_PICTURES, {"name": collection.name, "limit": PICTURES}).fetchall()
    if row is None:
        raise AssertionError("an aggregate always gives a row")
    plates, scanned, exposures, imaging, first, last, files = row
    shown = tuple(Picture(*picture) for picture in pictures)
    return Summary(collection, plates, scanned, exposures, imaging, files, _year(first), _year(last), shown)


def list_plates(context: Context, collection: Collection, search: str, after: str) -> tuple[list[PlateLine], bool]:
    """Plates whose id contains ``search``, after the id ``after``; and whether there are more."""
    if "\0" in search + after:  # which PostgreSQL cannot hold in a text, so no id has it
        return [], False
    values = {"name": collection.name, "search": search, "after": after, "limit": PAGE + 1}
    with context.database.read() as connection:
        rows = connection.execute(_PLATES, values).fetchall()
    lines = [
        PlateLine(plate_id, series, plate_class, exposures, format_mjd(first, with_time=False), has_imaging)
        for plate_id, series, plate_class, exposures, first, has_imaging in rows[:PAGE]
    ]
    return lines, len(rows) > PAGE


def example_position(context: Context) -> tuple[float, float] | None:
    """A place on the sky (degrees ICRS) where something is found; None while nothing is published."""
    with context.database.read() as connection:
        row = connection.execute(_EXAMPLE).fetchone()
    return None if row is None else (float(row[0]), float(row[1]))


def format_mjd(mjd: float | None, *, with_time: bool = True) -> str | None:
    """A date for people: ``1910-05-19 03:12`` or ``1910-05-19`` (UTC)."""
    if mjd is None:
        return None
    moment = _MJD_ZERO + dt.timedelta(days=mjd)
    return f"{moment:%Y-%m-%d %H:%M}" if with_time else f"{moment:%Y-%m-%d}"


def _year(mjd: float | None) -> int | None:
    return None if mjd is None else (_MJD_ZERO + dt.timedelta(days=mjd)).year
