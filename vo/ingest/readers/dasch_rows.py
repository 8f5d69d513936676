"""DASCH's exposures as records: what lists of them and mosaic packages have in common.

docs/ingest.md tells what was found out about the values and how each repair is justified.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo

from vo.db.records import Exposure, Plate, Product, Scan
from vo.ingest.bands import COLOURS
from vo.ingest.dates import as_datetime, is_possible, parse_date
from vo.ingest.readers import Source
from vo.ingest.report import Report
from vo.ingest.series import Series
from vo.obscore.identifiers import publisher_did

#: Exposures above this cannot be one night's (some are near 1,440 min: the end was logged before the start).
LONGEST_MINUTES = 600.0
#: Positions that DASCH flags as unknown.
UNKNOWN_RA, UNKNOWN_DEC = 999.0, 99.0
#: From here on a digit in the plate class tells the colour (1 yellow, 2 red), https://library.cfa.harvard.edu/plate-classes
CLASSES_REVISED = parse_date("1934-01-01").mjd
SCAN_ZONE = "America/New_York"
SERIES_NAME = re.compile(r"[a-z]{1,10}")

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?", re.ASCII)
_COLOUR = re.compile(r"[A-Z]+([12])")


class Row(NamedTuple):
    """One row, in units of its own: minutes, degrees, MJD of the middle of the exposure.

    A tuple, since a list has half a million of them: it is made in half the time of a dataclass.
    """

    line: int
    plate_id: str
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


def known_position(ra: float | None, dec: float | None) -> tuple[float | None, float | None]:
    """A position in degrees, none when it is flagged as unknown; ValueError when it is nowhere on the sky."""
    if ra is None or dec is None or ra == UNKNOWN_RA or dec == UNKNOWN_DEC:
        return None, None
    if not (0.0 <= ra <= 360.0 and -90.0 <= dec <= 90.0):  # noqa: PLR2004 -- limits of the sphere
        raise ValueError(f"position {ra} {dec} is not on the sky")
    return ra % 360.0, dec


def moment(text: str | None, zone: str | None = None) -> dt.datetime | None:
    """A date as naive UTC; the API's scan dates are local time at Harvard."""
    if not text:
        return None
    found = _plain_moment(text) or as_datetime(parse_date(text).mjd)
    if zone is None or text.endswith("Z"):
        return found
    return found.replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC).replace(tzinfo=None)


def _plain_moment(text: str) -> dt.datetime | None:
    """The usual form with nothing to repair, read in a fifth of the time."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None


def exposure_name(row: Row, taken: set[str]) -> str:
    """Logged exposures carry the logbook's number; a solution of no logged exposure carries its own numbers.

    The logbook's number outlives rescans and new solutions, which mosaic and solution numbers do not.
    """
    found = f"m{row.mosaic}s{row.solution}"
    if row.exposure is None:
        return found
    name = f"e{row.exposure}"
    return name if name not in taken else f"{name}{found}"


def make_plate(row: Row, series: Series | None, collection: str) -> Plate:
    """The plate of a row, with what its series tells."""
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


def _colour(row: Row, series: Series | None) -> str:
    if row.middle is not None and row.middle >= CLASSES_REVISED and (match := _COLOUR.match(row.plate_class)):
        return "yellow" if match[1] == "1" else "red"
    return series.colour if series else "blue"


def scan_name(row: Row) -> str:
    """The mosaic's number, two digits."""
    return f"{row.mosaic:02d}"


def make_scan(row: Row, collection: str) -> Scan:
    """The scan whose mosaic the row names."""
    return Scan(
        collection,
        row.plate_id,
        scan_name(row),
        rotation_deg=row.rotation,
        scan_date=row.scan_date,
        made_date=row.mosaic_date,
    )


def make_products(scan: Scan) -> Iterator[Product]:
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


def make_exposure(row: Row, exposure_id: str, series: Series | None, source: Source) -> Exposure:
    """The exposure of a row; what is repaired or missing is told to the report."""
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
        scan_id=None if row.mosaic is None else scan_name(row),
        has_imaging=solved and row.mosaic is not None,
        repair="; ".join(repairs) or None,
    )


def _times(row: Row, repairs: list[str], report: Report) -> tuple[float | None, float | None, float | None, str | None]:
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
