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
from pathlib import Path

import yaml

from vo.db.records import PlateBundle
from vo.errors import OperatorFault
from vo.ingest.dates import mjd_of_jd, parse_date
from vo.ingest.order import sky_order
from vo.ingest.readers import Reader, Source
from vo.ingest.readers.dasch_rows import (
    SCAN_ZONE,
    SERIES_NAME,
    Row,
    exposure_name,
    known_position,
    make_exposure,
    make_plate,
    make_products,
    make_scan,
    moment,
    scan_name,
)
from vo.ingest.report import Report
from vo.ingest.series import Series, load_series

_LARGEST = 9_999_999

_MINUTES = {"min": 1.0, "s": 1.0 / 60.0, "h": 60.0}
_COMMON = ("series", "platenum", "scannum", "mosnum", "expnum", "solnum", "class", "exptime", "wcssource")
_ECSV = (*_COMMON, "obs_date", "pos.ra", "pos.dec")
_API = (*_COMMON, "expdate", "ra", "dec")


def _accepts(path: Path, head: bytes) -> bool:
    if not path.is_file():
        return False
    text = head.lstrip()
    if path.suffix.lower() == ".ecsv" or text.startswith(b"# %ECSV"):
        return b"platenum" in head or path.suffix.lower() == ".ecsv"
    return path.suffix.lower() == ".json" or text.startswith(b'["series')


def _read(source: Source) -> Iterator[PlateBundle]:
    rows = _ecsv_rows if _is_ecsv(source.path) else _api_rows
    plates: dict[str, list[Row]] = {}
    total = 0
    for row in rows(source.path, source.report):
        plates.setdefault(row.plate_id, []).append(row)
        total += 1
    series = load_series(source.collection)
    unknown = sorted({rows[0].series for rows in plates.values()} - series.keys())
    for name in unknown:
        source.report.note(0, "", "series not described", f"series {name!r} is not in the series table: no footprints")
    source.expect(total)
    done = 0
    for plate_id in sky_order({name: _centre(plates[name]) for name in sorted(plates)}):
        own = plates.pop(plate_id)
        yield _bundle(own, series.get(own[0].series), source)
        done += len(own)
        source.progress(done, total)


def _centre(rows: list[Row]) -> tuple[float, float] | None:
    """The position of a plate's first exposure that has one; the rows come into their order."""
    if len(rows) > 1:
        rows.sort(key=lambda row: (row.exposure is None, row.exposure, row.mosaic is None, row.mosaic, row.solution))
    return next(((row.ra, row.dec) for row in rows if row.ra is not None and row.dec is not None), None)


def _is_ecsv(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix.lower() == ".ecsv" or file.read(20).lstrip().startswith(b"# %ECSV")


# ------------------------------------------------------------------------------------------------- the two forms


def _ecsv_rows(path: Path, report: Report) -> Iterator[Row]:
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


def _api_rows(path: Path, report: Report) -> Iterator[Row]:
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
    convert: Callable[[int, Mapping[str, str]], Row],
) -> Iterator[Row]:
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
            row = convert(line, dict(zip(names, [value.strip() for value in values], strict=True)))
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
    if text.isascii() and "\0" not in text:
        return
    if "\0" in text:
        raise ValueError("a NUL character in it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a character that is no text in it: {error}") from error


# ------------------------------------------------------------------------------------------------- one row


def _from_ecsv(minutes: float) -> Callable[[int, Mapping[str, str]], Row]:
    def convert(line: int, raw: Mapping[str, str]) -> Row:
        date = _float(raw, "obs_date")
        return _row(
            line,
            raw,
            position=(_float(raw, "pos.ra"), _float(raw, "pos.dec")),
            minutes=None if (exptime := _float(raw, "exptime")) is None else exptime * minutes,
            middle=None if date is None else mjd_of_jd(date),
            scan_date=moment(raw.get("scan_date")),
            mosaic_date=moment(raw.get("mos_date")),
            repairs=(),
        )

    return convert


def _from_api(line: int, raw: Mapping[str, str]) -> Row:
    date = parse_date(raw["expdate"]) if raw["expdate"] else None
    return _row(
        line,
        raw,
        position=(_float(raw, "ra"), _float(raw, "dec")),
        minutes=_float(raw, "exptime"),
        middle=date.mjd if date else None,
        scan_date=moment(raw.get("scandate"), SCAN_ZONE),
        mosaic_date=moment(raw.get("mosdate"), SCAN_ZONE),
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
) -> Row:
    series, number = raw["series"].lower(), _integer(raw, "platenum")
    if number is None or not SERIES_NAME.fullmatch(series):
        raise ValueError(f"series {raw['series']!r} and platenum {raw['platenum']!r} name no plate")
    return Row(
        line,
        f"{series}{number:05d}",
        series,
        number,
        _integer(raw, "scannum"),
        _integer(raw, "mosnum"),
        _integer(raw, "expnum"),
        _integer(raw, "solnum"),
        raw["class"],
        *known_position(*position),
        minutes,
        middle,
        raw["wcssource"].lower(),
        scan_date,
        mosaic_date,
        _float(raw, "rotation_deg") if "rotation_deg" in raw else None,
        repairs,
    )


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


# ------------------------------------------------------------------------------------------------- rows of a plate


def _bundle(rows: list[Row], series: Series | None, source: Source) -> PlateBundle:
    first, collection = rows[0], source.collection.name
    plate = make_plate(first, series, collection)
    scans = {scan_name(row): make_scan(row, collection) for row in rows if row.mosaic is not None}
    exposures = []
    taken: set[str] = set()
    for row in rows:
        exposure_id = exposure_name(row, taken)
        taken.add(exposure_id)
        exposures.append(make_exposure(row, exposure_id, series, source))
    products = tuple(product for scan in scans.values() for product in make_products(scan))
    return PlateBundle(plate, tuple(scans.values()), tuple(exposures), (), products)


READER = Reader("dasch", "DASCH exposure list (ECSV of daschlab, JSON of the web API)", _accepts, _read)
