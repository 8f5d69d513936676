"""What a collection knows of its plate series: telescope, scale, size of the plates, stations.

``series.csv`` in the collection's folder has one row for a series; ``stations.csv`` beside it, which may be missing,
says which plate numbers of a series were taken where.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from vo.errors import OperatorFault
from vo.metadata.collection import Collection

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

    :class:`OperatorFault` names file and line of what cannot be read.
    """
    if collection.series_file is None:
        return {}
    path = collection.folder / collection.series_file
    stations = _stations(path.with_name("stations.csv"))
    found: dict[str, Series] = {}
    for line, row in _rows(path, COLUMNS):
        name = row["series"].strip().lower()
        if not name or name in found:
            raise OperatorFault(f"{path}, line {line}: series {name!r} is empty or there twice")
        found[name] = Series(
            name,
            instrument_name=row["instrument_name"] or None,
            plate_scale=_number(path, line, row, "plate_scale"),
            width_mm=_number(path, line, row, "width_mm"),
            height_mm=_number(path, line, row, "height_mm"),
            rotation_deg=_number(path, line, row, "rotation_deg", signed=True) or 0.0,
            facility_name=row["facility_name"] or None,
            colour=row["colour"] or "blue",
            stations=tuple(stations.get(name, ())),
        )
    return found


def _stations(path: Path) -> dict[str, list[Station]]:
    if not path.is_file():
        return {}
    found: dict[str, list[Station]] = {}
    for line, row in _rows(path, STATION_COLUMNS):
        first, last = _number(path, line, row, "first_plate"), _number(path, line, row, "last_plate")
        if first is None or last is None or last < first or not row["facility_name"]:
            raise OperatorFault(
                f"{path}, line {line}: first_plate, last_plate (not below it) and facility_name go together"
            )
        found.setdefault(row["series"].lower(), []).append(Station(int(first), int(last), row["facility_name"]))
    return found


def _rows(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise OperatorFault(f"{path}, line 1: column {', '.join(missing)} is missing")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OperatorFault(f"cannot read the series table {path}: {error}") from error
    for line, row in rows:
        if any(value is None for value in row.values()) or None in row:
            raise OperatorFault(f"{path}, line {line}: not as many values as columns")
    return rows


def _number(path: Path, line: int, row: dict[str, str], name: str, *, signed: bool = False) -> float | None:
    text = row[name].strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (abs(value) < float("inf")) or (value <= 0 and not signed):
        raise OperatorFault(f"{path}, line {line}: {name} is {text!r}, not a {'' if signed else 'positive '}number")
    return value
