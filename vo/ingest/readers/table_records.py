"""From a row of a list to plate and exposure, by the rules of a mapping; what is repaired or missing is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from vo.db.records import Exposure, Plate, Scan
from vo.errors import OperatorFault
from vo.ingest.bands import COLOURS, bounds
from vo.ingest.dates import is_possible
from vo.ingest.readers import Source
from vo.ingest.readers.table_places import Place, Sky
from vo.ingest.readers.table_rules import (
    Find,
    FindNumber,
    Own,
    Row,
    make_finder,
    make_flag_finder,
    make_number_finder,
    make_own_finder,
    make_written_finder,
)
from vo.ingest.readers.table_times import Clock, Moment, exposed, sun_altitude
from vo.ingest.series import Series, load_series
from vo.metadata.collection import Collection
from vo.metadata.felis import load_schema
from vo.metadata.fields import Column, Kind
from vo.metadata.forms import parse_date_form
from vo.metadata.mapping import MAPPING, ListMapping, SiteRules
from vo.obscore.identifiers import publisher_did

_PLATE_TEXTS = (
    *("series", "plate_number", "facility_name", "instrument_name", "plate_class", "emulsion", "filter", "comment"),
)
_PLATE_NUMBERS = {
    "em_min": "wavelength",
    "em_max": "wavelength",
    "plate_scale": "scale",
    "width_mm": "length",
    "height_mm": "length",
}
#: What the columns of a collection's own may be that a mapping fills.
_OWN_KINDS = (Kind.BOOLEAN, Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.REAL, Kind.DOUBLE, Kind.CHAR)


class Entry(NamedTuple):
    """What a row told: of the exposure all but name and position, which many rows are given at a time.

    ``exposure_id`` is None where no rule names it.
    """

    line: int
    plate: Plate
    exposure_id: str | None
    exposure: Mapping[str, Any]
    scan: Scan | None
    place: Place | None


@dataclass(slots=True)
class _Told:
    """What was repaired in one row, and where to tell of it."""

    source: Source
    line: int
    plate_id: str
    repairs: list[str]

    def repair(self, kind: str, reason: str) -> None:
        self.repairs.append(reason)
        self.source.report.repair(self.line, self.plate_id, kind, reason)

    def note(self, kind: str, reason: str) -> None:
        self.source.report.note(self.line, self.plate_id, kind, reason)


class Records:
    """Makes entries of rows; ``units`` are those that the list itself tells."""

    def __init__(self, source: Source, mapping: ListMapping, units: Mapping[str, str]) -> None:
        self._source = source
        self._collection = source.collection
        self._mapping = mapping
        self._series = load_series(source.collection)
        null, decimal = mapping.source.null, mapping.source.decimal
        plate, exposure = mapping.plate, mapping.exposure
        self.plate_id = make_finder(plate.plate_id, null)
        self._texts: dict[str, Find] = {
            name: make_finder(rule, null) for name in _PLATE_TEXTS if (rule := getattr(plate, name)) is not None
        }
        self._numbers: dict[str, FindNumber] = {
            name: make_number_finder(rule, kind, null, units, decimal)
            for name, kind in _PLATE_NUMBERS.items()
            if (rule := getattr(plate, name)) is not None
        }
        self._own = _own_finders(source.collection, mapping)
        self._exposure_id = make_finder(exposure.exposure_id, null)
        self._number = make_finder(exposure.exposure_number, null)
        self._target = make_finder(exposure.target_name, null)
        self._observer = make_finder(exposure.observer, null)
        self._exptime = make_number_finder(exposure.exptime, "time", null, units, decimal)
        self._rotation = make_number_finder(exposure.rotation_deg, "angle", null, units, decimal)
        self._when = None if mapping.time is None else _When(mapping, null)
        self._where = None if mapping.position is None else _Where(mapping, null)
        scan = mapping.scan
        self._scanned = None if scan is None or scan.scanned is None else make_flag_finder(scan.scanned, null)
        self._scan_id = make_finder(scan.scan_id if scan else None, null)

    @property
    def sky(self) -> Sky | None:
        """What brings positions to ICRS, None when the list has none."""
        return None if self._where is None else self._where.sky

    def entry(self, line: int, plate_id: str, row: Row) -> Entry:
        """What a row tells; the report hears of what is wrong with it."""
        told = _Told(self._source, line, plate_id, [])
        plate = self._plate(plate_id, row, told)
        exptime = self._open_shutter(row, told)
        moment = self._moment(row, told)
        times = (None, None, None) if moment is None or self._mapping.time is None else exposed(
            moment, exptime, self._mapping.time.means
        )  # fmt: skip
        self._tell_daylight(row, times, moment, told)
        place = self._place(row, times[0], told)
        scan = self._scan(plate_id, row)
        told_of_exposure: dict[str, Any] = {
            "exposure_number": self._exposure_number(row, told),
            "position_origin": None if place is None else "logbook",
            "rotation_deg": self._quantity("rotation_deg", self._rotation, row, told),
            "t_min": times[0],
            "t_max": times[1],
            "exptime": exptime,
            "t_calib_status": times[2],
            "target_name": self._target(row),
            "observer": self._observer(row),
            "scan_id": None if scan is None else scan.scan_id,
            "has_imaging": scan is not None,
            "repair": "; ".join(told.repairs) or None,
        }
        return Entry(line, plate, self._exposure_id(row), told_of_exposure, scan, place)

    def named(self, entry: Entry, exposure_id: str, position: tuple[float, float] | None) -> Exposure:
        """The exposure with its name and its position (ICRS degrees)."""
        name = entry.plate.plate_id
        did = publisher_did(self._source.authority, self._collection.name, name, exposure_id)
        ra, dec = position or (None, None)
        return Exposure(self._collection.name, name, exposure_id, did, ra=ra, dec=dec, **entry.exposure)

    # --------------------------------------------------------------------------------------------- plate

    def _plate(self, plate_id: str, row: Row, told: _Told) -> Plate:
        texts = {name: find(row) for name, find in self._texts.items()}
        numbers = {name: self._quantity(name, find, row, told, positive=True) for name, find in self._numbers.items()}
        own: dict[str, Own] = {}
        for name, find in self._own.items():
            try:
                own[name] = find(row)
            except ValueError as error:
                told.repair("value not understood", f"{name}: {error}; left empty")
                own[name] = None
        known = self._series.get((texts.get("series") or "").lower(), Series(""))
        number = texts.get("plate_number")
        station = known.facility(int(number)) if number and _is_count(number) else known.facility_name
        low, high = self._band(texts, numbers, known, told)
        return Plate(
            self._collection.name,
            plate_id,
            series=texts.get("series"),
            plate_number=number,
            facility_name=texts.get("facility_name") or station,
            instrument_name=texts.get("instrument_name") or known.instrument_name,
            plate_class=texts.get("plate_class"),
            emulsion=texts.get("emulsion"),
            filter=texts.get("filter"),
            em_min=low,
            em_max=high,
            plate_scale=numbers.get("plate_scale") or known.plate_scale,
            width_mm=numbers.get("width_mm") or known.width_mm,
            height_mm=numbers.get("height_mm") or known.height_mm,
            comment=texts.get("comment"),
            own=own,
        )

    def _band(
        self, texts: Mapping[str, str | None], numbers: Mapping[str, float | None], known: Series, told: _Told
    ) -> tuple[float | None, float | None]:
        """Wavelengths that the list tells, else those of emulsion and filter, else of the series' colour."""
        low, high = numbers.get("em_min"), numbers.get("em_max")
        if low is not None and high is not None:
            if low <= high:
                return low, high
            told.repair("value not understood", f"em_min {low:g} m is larger than em_max {high:g} m; left empty")
        defaults = self._collection.defaults
        emulsion = texts.get("emulsion") or defaults.emulsion
        if band := bounds(emulsion, texts.get("filter") or defaults.filter):
            return band
        if known.name and known.colour in COLOURS:
            return COLOURS[known.colour]
        if defaults.em_min is None:
            reason = "no emulsion is told" if emulsion is None else f"emulsion {emulsion!r} is not known here"
            told.note("unknown wavelengths", f"{reason}: the plate is not found by BAND")
        return None, None

    # --------------------------------------------------------------------------------------------- exposure

    def _quantity(self, name: str, find: FindNumber, row: Row, told: _Told, *, positive: bool = False) -> float | None:
        try:
            value = find(row)
        except ValueError as error:
            told.repair("value not understood", f"{name}: {error}; left empty")
            return None
        if positive and value is not None and value <= 0:
            told.repair("value not understood", f"{name} is {value:g}, not above 0; left empty")
            return None
        return value

    def _exposure_number(self, row: Row, told: _Told) -> int | None:
        text = self._number(row)
        if text is None:
            return None
        if not _is_count(text):
            told.repair("value not understood", f"exposure_number is {text!r}, not a number; left empty")
            return None
        return int(text)

    def _open_shutter(self, row: Row, told: _Told) -> float | None:
        value = self._quantity("exptime", self._exptime, row, told)
        if value is not None and value <= 0:
            kind = "zero exposure time" if value == 0 else "negative exposure time"
            told.repair(kind, f"exposure time {value:g} s is left empty")
            return None
        return value

    def _moment(self, row: Row, told: _Told) -> Moment | None:
        if self._when is None:
            return None
        try:
            moment = self._when.moment(row)
        except ValueError as error:
            told.repair("date not understood", f"{error}; left empty")
            return None
        if moment is None:
            told.note("unknown date", "no date is known")
            return None
        if not is_possible(moment.mjd):
            told.repair("date not understood", f"MJD {moment.mjd:g} is no date of a plate; left empty")
            return None
        for kind, reason in moment.repairs:
            told.repair(kind, reason)
        for kind, reason in moment.notes:
            told.note(kind, reason)
        return moment

    def _tell_daylight(
        self,
        row: Row,
        times: tuple[float, float, str] | tuple[None, None, None],
        moment: Moment | None,
        told: _Told,
    ) -> None:
        if self._when is None or moment is None or moment.end is not None or not self._when.is_exact:
            return
        start, end, _ = times
        site = self._when.site(row)
        if site is None or start is None or end is None:
            return
        altitude = sun_altitude((start + end) / 2.0, site)
        if altitude > 0.0:
            told.note("in daylight", f"the Sun stands {altitude:.0f} degrees above the horizon amid the exposure")

    def _place(self, row: Row, date: float | None, told: _Told) -> Place | None:
        if self._where is None:
            return None
        try:
            found = self._where.place(row, date)
        except ValueError as error:
            told.repair("position not understood", f"{error}; left empty")
            return None
        if found is None:
            told.note("unknown position", "no position is known: no footprint")
            return None
        place, carried = found
        if carried:
            told.repair("position carried over", "minutes or seconds of 60 in the position are carried over")
        return place

    def _scan(self, plate_id: str, row: Row) -> Scan | None:
        name = self._scan_id(row)
        if self._mapping.scan is None or (name is None if self._scanned is None else not self._scanned(row)):
            return None
        return Scan(self._collection.name, plate_id, name or "0")


def _is_count(text: str) -> bool:
    """Whether a text is a whole number that PostgreSQL's integers hold."""
    return text.isascii() and text.isdecimal() and len(text) < 10  # noqa: PLR2004 -- they hold ten digits, not all


class _When:
    """Finds and reads dates and times."""

    def __init__(self, mapping: ListMapping, null: tuple[str, ...]) -> None:
        if mapping.time is None:
            raise ValueError("the mapping has no times")
        rules = mapping.time
        self._clock_of = make_written_finder(rules.clock, null, mapping.source.decimal)
        # in other dates a comma is what the form says
        decimal = mapping.source.decimal if parse_date_form(rules.date_form).is_moment else "."
        self._date_of = make_written_finder(rules.date, null, decimal)
        self._site_of = make_finder(rules.site, null)
        self._clock = Clock(rules, mapping.sites)
        self.is_exact = parse_date_form(rules.date_form).text != "year"

    def site(self, row: Row) -> SiteRules | None:
        return self._clock.site(self._site_of(row))

    def moment(self, row: Row) -> Moment | None:
        date = self._date_of(row)
        return None if date is None else self._clock.moment(date, self._clock_of(row), self.site(row))


class _Where:
    """Finds and reads positions."""

    def __init__(self, mapping: ListMapping, null: tuple[str, ...]) -> None:
        if mapping.position is None:
            raise ValueError("the mapping has no positions")
        rules = mapping.position
        self._ra = make_written_finder(rules.ra, null, mapping.source.decimal)
        self._dec = make_written_finder(rules.dec, null, mapping.source.decimal)
        self._equinox = make_finder(rules.equinox, null)
        self.sky = Sky(rules)

    def place(self, row: Row, date: float | None) -> tuple[Place, bool] | None:
        ra, dec = self._ra(row), self._dec(row)
        if ra is None or dec is None:
            return None
        return self.sky.place(ra, dec, self._equinox(row), date)


def _own_finders(collection: Collection, mapping: ListMapping) -> dict[str, Callable[[Row], Own]]:
    """What fills the collection's own columns; :class:`OperatorFault` when columns.yaml does not have one."""
    columns: dict[str, Column] = {}
    if collection.columns_file is not None:
        columns = {
            column.name: column for table in load_schema(collection.columns_file).tables for column in table.columns
        }
    place = collection.folder / MAPPING
    for name in mapping.own:
        if name not in columns:
            raise OperatorFault(f"{place}: own.{name}: columns.yaml beside it describes no column {name!r}")
        if columns[name].kind not in _OWN_KINDS:
            raise OperatorFault(f"{place}: own.{name}: a mapping fills columns of text, numbers and booleans only")
    source = mapping.source
    return {
        name: make_own_finder(rule, columns[name], source.null, source.decimal) for name, rule in mapping.own.items()
    }


def merged(first: Plate, other: Plate) -> tuple[Plate, tuple[str, ...]]:
    """A plate of two rows: what the first lacks is of the other; and the names of what differs."""
    found: dict[str, object] = {}
    differing: list[str] = []
    for one in fields(Plate):
        if one.name == "own":
            continue
        ours, theirs = getattr(first, one.name), getattr(other, one.name)
        if ours is None and theirs is not None:
            found[one.name] = theirs
        elif theirs is not None and ours != theirs:
            differing.append(one.name)
    own = {**other.own, **{name: value for name, value in first.own.items() if value is not None}}
    differing += [name for name, value in other.own.items() if value is not None and own[name] != value]
    return replace(first, own=own, **found), tuple(differing)  # type: ignore[arg-type]  # field by field, see above
