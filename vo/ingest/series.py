"""What a collection knows of its plate series: telescope, scale, size of the plates, stations.

``series.csv`` in the collection's folder has one row for a series; ``stations.csv`` beside it, which may be missing,
says which plate numbers of a series were taken where.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from vo.ingest.bands import COLOURS
from vo.metadata.collection import Collection
from vo.metadata.mistakes import Mistake, MistakesFault, nearest

COLUMNS = (
    "series",
    "instrument_name",
    "aperture_m",
    "plate_scale",
    "scale_origin",
    "width_mm",
    "height_mm",
    "rotation_deg",
    "size_origin",
    "facility_name",
    "colour",
)
STATION_COLUMNS = ("series", "first_plate", "last_plate", "station", "facility_name")


@dataclass(frozen=True, slots=True)
class Station:
    """Plates ``first`` to ``last`` of a series were taken by ``facility_name``."""

    first: int
    last: int
    facility_name: str


@dataclass(frozen=True, slots=True)
class Series:
    """The plates of one telescope.

    ``plate_scale`` in arcsec/mm; ``width_mm`` and ``height_mm`` the exposed area in the frame of the scan;
    ``rotation_deg`` how far the scan is usually turned to have north up; ``colour`` is ``blue``, ``yellow`` or ``red``.
    """

    name: str
    instrument_name: str | None = None
    plate_scale: float | None = None
    width_mm: float | None = None
    height_mm: float | None = None
    rotation_deg: float = 0.0
    facility_name: str | None = None
    colour: str = "blue"
    stations: tuple[Station, ...] = ()

    def facility(self, number: int) -> str | None:
        """Where plate ``number`` was taken, as far as is known."""
        for station in self.stations:
            if station.first <= number <= station.last:
                return station.facility_name
        return self.facility_name


def load_series(collection: Collection) -> dict[str, Series]:
    """The series of a collection by lower-case name; empty when its descriptor names no ``series_file``.

    :class:`vo.metadata.mistakes.MistakesFault` has everything that cannot be read, with file, line and column.
    """
    if collection.series_file is None:
        return {}
    path = collection.folder / collection.series_file
    mistakes: list[Mistake] = []
    stations = _stations(path.with_name("stations.csv"), mistakes)
    found: dict[str, Series] = {}
    for row in _rows(path, COLUMNS, mistakes):
        name = row["series"].lower()
        if not name or name in found:
            row.wrong("series", f"{name!r} is empty or there twice")
        if row["colour"] and row["colour"] not in COLOURS:
            row.wrong("colour", f"is {row['colour']!r}, none of {', '.join(COLOURS)}")
        found[name] = Series(
            name,
            instrument_name=row["instrument_name"] or None,
            plate_scale=row.number("plate_scale"),
            width_mm=row.number("width_mm"),
            height_mm=row.number("height_mm"),
            rotation_deg=row.number("rotation_deg", signed=True) or 0.0,
            facility_name=row["facility_name"] or None,
            colour=row["colour"] or "blue",
            stations=tuple(stations.get(name, ())),
        )
    if mistakes:
        raise MistakesFault(mistakes)
    return found


def _stations(path: Path, mistakes: list[Mistake]) -> dict[str, list[Station]]:
    found: dict[str, list[Station]] = {}
    if not path.is_file():
        return found
    for row in _rows(path, STATION_COLUMNS, mistakes):
        first, last = row.number("first_plate"), row.number("last_plate")
        if first is None or last is None or last < first or not row["facility_name"]:
            row.wrong("", "first_plate, last_plate (not below it) and facility_name go together")
            continue
        found.setdefault(row["series"].lower(), []).append(Station(int(first), int(last), row["facility_name"]))
    return found


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of a table; what is wrong with it goes to ``mistakes``."""

    path: Path
    line: int
    values: dict[str, str]
    mistakes: list[Mistake]

    def __getitem__(self, name: str) -> str:
        return self.values[name].strip()

    def wrong(self, column: str, text: str) -> None:
        self.mistakes.append(Mistake(self.path, self.line, column, text))

    def number(self, name: str, *, signed: bool = False) -> float | None:
        text = self[name]
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not (abs(value) < float("inf")) or (value <= 0 and not signed):
            self.wrong(name, f"is {text!r}, not a {'' if signed else 'positive '}number")
            return None
        return value


def _rows(path: Path, columns: tuple[str, ...], mistakes: list[Mistake]) -> list[_Row]:
    """The rows of a table that have all values; none when the table cannot be read or lacks a column."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or ()
            missing = [name for name in columns if name not in names]
            for name in missing:
                near = nearest(name, [one for one in names if one not in columns])
                advice = "" if near is None else f"is it the one named {near}?"
                mistakes.append(Mistake(path, 1, name, f"column {name} is missing", advice))
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        mistakes.append(Mistake(path, 0, "", f"cannot be read: {reason}"))
        return []
    for line, row in rows:
        if any(value is None for value in row.values()) or None in row:
            mistakes.append(Mistake(path, line, "", "not as many values as columns"))
    whole = [(line, row) for line, row in rows if None not in row and None not in row.values()]
    return [] if missing else [_Row(path, line, row, mistakes) for line, row in whole]
