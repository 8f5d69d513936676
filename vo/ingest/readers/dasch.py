"""DASCH's lists of exposures: as daschlab writes them (ECSV), and as the web API answers (JSON list of CSV lines).

What the columns mean is described at https://dasch.cfa.harvard.edu/dr7/exposurelist-columns/ . docs/ingest.md tells
what was found out about the values and how each repair is justified.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

from vo.db.records import Exposure, Plate, PlateBundle, Product, Scan
from vo.errors import OperatorFault
from vo.ingest.bands import COLOURS
from vo.ingest.dates import as_datetime, is_possible, mjd_of_jd, parse_date
from vo.ingest.readers import Reader, Source
from vo.ingest.report import Report
from vo.ingest.series import Series, load_series
from vo.obscore.identifiers import publisher_did

#: Exposures above this cannot be one night's (some are near 1,440 min: the end was logged before the start).
LONGEST_MINUTES = 600.0
#: Positions that DASCH flags as unknown.
UNKNOWN_RA, UNKNOWN_DEC = 999.0, 99.0
#: From here on a digit in the plate class tells the colour (1 yellow, 2 red), https://library.cfa.harvard.edu/plate-classes
CLASSES_REVISED = parse_date("1934-01-01").mjd
SCAN_ZONE = "America/New_York"
_LARGEST = 9_999_999

_MINUTES = {"min": 1.0, "s": 1.0 / 60.0, "h": 60.0}
_COMMON = ("series", "platenum", "scannum", "mosnum", "expnum", "solnum", "class", "exptime", "wcssource")
_ECSV = (*_COMMON, "obs_date", "pos.ra", "pos.dec")
_API = (*_COMMON, "expdate", "ra", "dec")


@dataclass(frozen=True, slots=True)
class _Row:
    """One row, in units of its own: minutes, degrees, MJD of the middle of the exposure."""

    line: int
    series: str
    number: int
    scan: int | None
    mosaic: int | None
    exposure: int | None
    solution: int | None
    plate_class: str
    ra: float | None
    dec: float | None
    minutes: float | None
    middle: float | None
    wcs_source: str
    scan_date: dt.datetime | None
    mosaic_date: dt.datetime | None
    rotation: float | None
    repairs: tuple[str, ...]

    @property
    def plate_id(self) -> str:
        return f"{self.series}{self.number:05d}"


def _accepts(path: Path, head: bytes) -> bool:
    if not path.is_file():
        return False
    text = head.lstrip()
    if path.suffix.lower() == ".ecsv" or text.startswith(b"# %ECSV"):
        return b"platenum" in head or path.suffix.lower() == ".ecsv"
    return path.suffix.lower() == ".json" or text.startswith(b'["series')


def _read(source: Source) -> Iterator[PlateBundle]:
    rows = _ecsv_rows if _is_ecsv(source.path) else _api_rows
    plates: dict[str, list[_Row]] = {}
    total = 0
    for row in rows(source.path, source.report):
        plates.setdefault(row.plate_id, []).append(row)
        total += 1
    series = load_series(source.collection)
    unknown = sorted({rows[0].series for rows in plates.values()} - series.keys())
    for name in unknown:
        source.report.note(0, "", "series not described", f"series {name!r} is not in the series table: no footprints")
    done = 0
    for plate_id in sorted(plates):
        yield _bundle(plates[plate_id], series.get(plates[plate_id][0].series), source)
        done += len(plates[plate_id])
        source.progress(done, total)


def _is_ecsv(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix.lower() == ".ecsv" or file.read(20).lstrip().startswith(b"# %ECSV")


# ------------------------------------------------------------------------------------------------- the two forms


def _ecsv_rows(path: Path, report: Report) -> Iterator[_Row]:
    """Rows of daschlab's ECSV (astropy's APE 6): a YAML header in comments, then space-separated values."""
    units: dict[str, str] = {}
    with path.open(encoding="utf-8", newline="") as file:
        try:
            names, first = _ecsv_header(file, path, units)
            minutes = _MINUTES.get(units.get("exptime", "min"))
            if minutes is None:
                raise OperatorFault(f"{path}: exptime is in {units['exptime']!r}; s, min and h are understood")
            yield from _table(csv.reader(file, delimiter=" "), names, first, report, _from_ecsv(minutes))
        except (UnicodeDecodeError, csv.Error) as error:
            raise OperatorFault(f"{path} cannot be read as a table: {error}") from error


def _ecsv_header(file: Iterator[str], path: Path, units: dict[str, str]) -> tuple[list[str], int]:
    for line, text in enumerate(file, start=1):
        if not text.startswith("#"):
            names = next(csv.reader([text], delimiter=" "), [])
            _require(names, _ECSV, path, line)
            return names, line
        if match := re.fullmatch(r"# - (\{name: .*\})\s*", text):
            try:
                column = yaml.safe_load(match[1])
            except yaml.YAMLError:
                continue  # a description that YAML cannot read tells nothing about units
            if column.get("unit"):
                units[str(column["name"])] = str(column["unit"])
    raise OperatorFault(f"{path} has a header but no line of column names; is it cut off?")


def _api_rows(path: Path, report: Report) -> Iterator[_Row]:
    """Rows of the web API's answer: a JSON list of strings, each a line of CSV, the first the column names."""
    try:
        lines = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise OperatorFault(f"{path} is not JSON: {error}") from error
    if not isinstance(lines, list) or not lines or not all(isinstance(line, str) for line in lines):
        raise OperatorFault(f"{path} is not what DASCH's queryexps answers (a JSON list of CSV lines)")
    names = next(csv.reader([lines[0]]), [])
    _require(names, _API, path, 1)
    yield from _table(csv.reader(lines[1:]), names, 1, report, _from_api)


def _require(names: list[str], wanted: tuple[str, ...], path: Path, line: int) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise OperatorFault(
            f"{path}, line {line}: no column {', '.join(missing)}; this is not a DASCH list of exposures "
            f"(columns: {', '.join(names[:12])}{' ...' if len(names) > 12 else ''})"  # noqa: PLR2004 -- enough to see
        )


def _table(
    lines: Iterator[list[str]],
    names: list[str],
    header_line: int,
    report: Report,
    convert: Callable[[int, Mapping[str, str]], _Row],
) -> Iterator[_Row]:
    seen: dict[tuple[str, int, int | None, int | None, int | None], int] = {}
    for line, values in enumerate(lines, start=header_line + 1):
        if not values:
            continue
        report.read += 1
        if len(values) != len(names):
            report.refuse(line, "", "wrong number of values", f"{len(values)} values for {len(names)} columns")
            continue
        try:
            _check_text(values)
            row = convert(line, dict(zip(names, (value.strip() for value in values), strict=True)))
        except ValueError as error:
            report.refuse(line, "", "value not understood", str(error))
            continue
        key = (row.series, row.number, row.exposure, row.mosaic, row.solution)
        if key in seen:
            report.refuse(line, row.plate_id, "row there twice", f"the same exposure and solution as line {seen[key]}")
            continue
        seen[key] = line
        report.used += 1
        yield row


def _check_text(values: list[str]) -> None:
    """Refuse what PostgreSQL cannot hold in a text."""
    text = "".join(values)
    if "\0" in text:
        raise ValueError("a NUL character in it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a character that is no text in it: {error}") from error


# ------------------------------------------------------------------------------------------------- one row


def _from_ecsv(minutes: float) -> Callable[[int, Mapping[str, str]], _Row]:
    def convert(line: int, raw: Mapping[str, str]) -> _Row:
        date = _float(raw, "obs_date")
        return _row(
            line,
            raw,
            position=(_float(raw, "pos.ra"), _float(raw, "pos.dec")),
            minutes=None if (exptime := _float(raw, "exptime")) is None else exptime * minutes,
            middle=None if date is None else mjd_of_jd(date),
            scan_date=_moment(raw.get("scan_date")),
            mosaic_date=_moment(raw.get("mos_date")),
            repairs=(),
        )

    return convert


def _from_api(line: int, raw: Mapping[str, str]) -> _Row:
    date = parse_date(raw["expdate"]) if raw["expdate"] else None
    return _row(
        line,
        raw,
        position=(_float(raw, "ra"), _float(raw, "dec")),
        minutes=_float(raw, "exptime"),
        middle=date.mjd if date else None,
        scan_date=_moment(raw.get("scandate"), SCAN_ZONE),
        mosaic_date=_moment(raw.get("mosdate"), SCAN_ZONE),
        repairs=(date.repair,) if date and date.repair else (),
    )


def _row(
    line: int,
    raw: Mapping[str, str],
    *,
    position: tuple[float | None, float | None],
    minutes: float | None,
    middle: float | None,
    scan_date: dt.datetime | None,
    mosaic_date: dt.datetime | None,
    repairs: tuple[str, ...],
) -> _Row:
    series, number = raw["series"].lower(), _integer(raw, "platenum")
    if not re.fullmatch(r"[a-z]{1,10}", series) or number is None:
        raise ValueError(f"series {raw['series']!r} and platenum {raw['platenum']!r} name no plate")
    return _Row(
        line,
        series,
        number,
        _integer(raw, "scannum"),
        _integer(raw, "mosnum"),
        _integer(raw, "expnum"),
        _integer(raw, "solnum"),
        raw["class"],
        *_position(*position),
        minutes,
        middle,
        raw["wcssource"].lower(),
        scan_date,
        mosaic_date,
        _float(raw, "rotation_deg") if "rotation_deg" in raw else None,
        repairs,
    )


def _position(ra: float | None, dec: float | None) -> tuple[float | None, float | None]:
    if ra is None or dec is None or ra == UNKNOWN_RA or dec == UNKNOWN_DEC:
        return None, None
    if not (0.0 <= ra <= 360.0 and -90.0 <= dec <= 90.0):  # noqa: PLR2004 -- limits of the sphere
        raise ValueError(f"position {ra} {dec} is not on the sky")
    return ra % 360.0, dec


def _integer(raw: Mapping[str, str], name: str) -> int | None:
    """The number, None when it is empty or negative (the API's sign for none); ValueError when it is no integer."""
    text = raw[name]
    if not text:
        return None
    try:
        value = int(text)
    except ValueError as error:
        raise ValueError(f"{name} is {text!r}, not an integer") from error
    if value > _LARGEST:
        raise ValueError(f"{name} is {text}, more than {_LARGEST}")
    return value if value >= 0 else None


def _float(raw: Mapping[str, str], name: str) -> float | None:
    text = raw[name]
    if not text or text.lower() == "nan":
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"{name} is {text!r}, not a number")
    return value


def _moment(text: str | None, zone: str | None = None) -> dt.datetime | None:
    """A date as naive UTC; the API's scan dates are local time at Harvard."""
    if not text:
        return None
    moment = as_datetime(parse_date(text).mjd)
    if zone is None or text.endswith("Z"):
        return moment
    return moment.replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC).replace(tzinfo=None)


# ------------------------------------------------------------------------------------------------- rows of a plate


def _bundle(rows: list[_Row], series: Series | None, source: Source) -> PlateBundle:
    rows.sort(key=lambda row: (row.exposure is None, row.exposure, row.mosaic is None, row.mosaic, row.solution))
    first, collection = rows[0], source.collection.name
    plate = _plate(first, series, collection)
    scans = {_scan_id(row): _scan(row, collection) for row in rows if row.mosaic is not None}
    exposures = []
    taken: set[str] = set()
    for row in rows:
        exposure_id = _exposure_id(row, taken)
        taken.add(exposure_id)
        exposures.append(_exposure(row, exposure_id, series, source))
    products = tuple(product for scan in scans.values() for product in _products(scan))
    return PlateBundle(plate, tuple(scans.values()), tuple(exposures), (), products)


def _exposure_id(row: _Row, taken: set[str]) -> str:
    """Logged exposures carry the logbook's number; a solution of no logged exposure carries its own numbers.

    The logbook's number outlives rescans and new solutions, which mosaic and solution numbers do not.
    """
    found = f"m{row.mosaic}s{row.solution}"
    if row.exposure is None:
        return found
    name = f"e{row.exposure}"
    return name if name not in taken else f"{name}{found}"


def _plate(row: _Row, series: Series | None, collection: str) -> Plate:
    colour = _colour(row, series)
    low, high = COLOURS.get(colour, COLOURS["blue"])
    return Plate(
        collection,
        row.plate_id,
        series=row.series,
        plate_number=str(row.number),
        facility_name=series.facility(row.number) if series else None,
        instrument_name=series.instrument_name if series else None,
        plate_class=row.plate_class or None,
        em_min=low,
        em_max=high,
        plate_scale=series.plate_scale if series else None,
        width_mm=series.width_mm if series else None,
        height_mm=series.height_mm if series else None,
    )


def _colour(row: _Row, series: Series | None) -> str:
    if (
        row.middle is not None
        and row.middle >= CLASSES_REVISED
        and (match := re.match(r"[A-Z]+([12])", row.plate_class))
    ):
        return "yellow" if match[1] == "1" else "red"
    return series.colour if series else "blue"


def _scan_id(row: _Row) -> str:
    return f"{row.mosaic:02d}"


def _scan(row: _Row, collection: str) -> Scan:
    return Scan(
        collection,
        row.plate_id,
        _scan_id(row),
        rotation_deg=row.rotation,
        scan_date=row.scan_date,
        made_date=row.mosaic_date,
    )


def _products(scan: Scan) -> Iterator[Product]:
    """The two images that DASCH keeps of each mosaic; they are known, but not held here."""
    for role, suffix, factor in (("fits", "01", 1), ("fits_binned", "16", 16)):
        name = f"{scan.plate_id}_{scan.scan_id}_{suffix}.fits"
        yield Product(
            f"{scan.collection}/{scan.plate_id}/{name}",
            scan.collection,
            scan.plate_id,
            role,
            "image/fits",
            scan_id=scan.scan_id,
            bin_factor=factor,
        )


def _exposure(row: _Row, exposure_id: str, series: Series | None, source: Source) -> Exposure:
    repairs = list(row.repairs)
    for text in row.repairs:
        source.report.repair(row.line, row.plate_id, "time of day carried over", text)
    start, end, exptime, status = _times(row, repairs, source.report)
    if row.ra is None:
        source.report.note(row.line, row.plate_id, "unknown position", "no position is known: no footprint")
    solved = row.wcs_source == "imwcs"
    rotation = row.rotation if row.rotation is not None else (series.rotation_deg if series else None)
    return Exposure(
        source.collection.name,
        row.plate_id,
        exposure_id,
        publisher_did(source.authority, source.collection.name, row.plate_id, exposure_id),
        exposure_number=row.exposure,
        origin="found" if row.exposure is None else "logged",
        ra=row.ra,
        dec=row.dec,
        position_origin=None if row.ra is None else ("solution" if solved else "logbook"),
        rotation_deg=rotation,
        t_min=start,
        t_max=end,
        exptime=exptime,
        t_calib_status=status,
        scan_id=None if row.mosaic is None else _scan_id(row),
        has_imaging=solved and row.mosaic is not None,
        repair="; ".join(repairs) or None,
    )


def _times(
    row: _Row, repairs: list[str], report: Report
) -> tuple[float | None, float | None, float | None, str | None]:
    """Start and end (MJD), open shutter (s) and how well they are known, from the middle and the logged minutes."""
    minutes = row.minutes
    kind = None
    if minutes is not None and minutes < 0:
        kind, text = "negative exposure time", f"exposure time {minutes:g} min is left empty"
        minutes = None
    elif minutes == 0:
        kind, text = "zero exposure time", "exposure time 0 is left empty"
        minutes = None
    elif minutes is not None and minutes > LONGEST_MINUTES:
        kind = "very long exposure time"
        text = f"exposure time {minutes:g} min is left empty; t_min and t_max keep the logged span"
    if kind:
        repairs.append(text)
        report.repair(row.line, row.plate_id, kind, text)
    if row.middle is None or not is_possible(row.middle):
        reason = "no date is known" if row.middle is None else f"MJD {row.middle:g} is no date of a plate; left empty"
        report.note(row.line, row.plate_id, "unknown date", reason)
        return None, None, None if minutes is None or kind else minutes * 60.0, None
    half = (minutes or 0.0) / 2.0 / 1440.0
    known = minutes is not None and kind is None
    exptime = minutes * 60.0 if minutes is not None and known else None
    return row.middle - half, row.middle + half, exptime, "calibrated" if known else "uncalibrated"


READER = Reader("dasch", "DASCH exposure list (ECSV of daschlab, JSON of the web API)", _accepts, _read)
