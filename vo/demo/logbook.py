"""The demo's logbooks: some 1,900 plates of invented series, as a curator's catalogue would tell of them.

Their scans are said to exist elsewhere: no file of them is made, so their solutions' centres and nominal footprints
are all there is, as with the greater part of a real archive.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator

import numpy as np

from vo.db.records import Exposure, Plate, PlateBundle, Product, Scan
from vo.demo.series import SERIES, Series
from vo.obscore.identifiers import publisher_did

SEED = 19411207
PLATE_COUNT = 1860
COLLECTION = "demo"

#: Pixels of the invented scanner are this wide, in mm.
PIXEL_MM = 0.011

OBSERVERS = ("A. Example", "B. Example", "J. Müller", "María Núñez", "Åse Sørensen", "Łucja Żak", "田中 花", None)

#: Well-known places of the sky (ICRS degrees) that the logbooks visit now and then.
TARGETS = (
    ("M 31", 10.68, 41.27), ("SMC", 13.16, -72.80), ("Pleiades", 56.75, 24.12), ("LMC", 80.89, -69.76),
    ("M 42", 83.82, -5.39), ("Praesepe", 130.10, 19.67), ("M 81", 148.89, 69.07), ("3C 273", 187.28, 2.05),
    ("Coma cluster", 194.95, 27.98), ("omega Cen", 201.70, -47.48), ("M 13", 250.42, 36.46), ("T CrB", 239.88, 25.92),
    ("Galactic centre", 266.42, -29.01), ("Vega", 279.23, 38.78), ("61 Cyg", 316.72, 38.75), ("RX And", 16.15, 41.30),
)  # fmt: skip  # a table is read by its columns


def mjd(moment: dt.datetime) -> float:
    """MJD (UTC) of a moment in UTC."""
    midnight = dt.datetime(1858, 11, 17, tzinfo=dt.UTC)
    return (moment - midnight) / dt.timedelta(days=1)


def archive_plate(plate_id: str, number: str | None, series: Series, comment: str | None) -> Plate:
    """The record of a plate of this series."""
    return Plate(
        collection=COLLECTION,
        plate_id=plate_id,
        series=series.code,
        plate_number=number,
        facility_name=series.facility_name,
        instrument_name=series.instrument_name,
        plate_class="SYNTHETIC",
        emulsion=series.emulsion,
        filter=series.filter,
        em_min=series.em_min,
        em_max=series.em_max,
        plate_scale=series.plate_scale,
        width_mm=series.width_mm,
        height_mm=series.height_mm,
        comment=comment,
    )


def logged_plates(authority: str) -> Iterator[PlateBundle]:
    """Every plate of the logbooks, in order of series and number; the same on every call."""
    draw = np.random.Generator(np.random.PCG64(SEED))
    for series in SERIES.values():
        for number in range(1, round(series.share * PLATE_COUNT) + 1):
            yield _plate(draw, series, number, authority)


def _plate(draw: np.random.Generator, series: Series, number: int, authority: str) -> PlateBundle:
    plate_id = f"{series.code}{number:05d}"
    scanned = draw.random() < 0.8
    scans: tuple[Scan, ...] = ()
    products: tuple[Product, ...] = ()
    if scanned:
        scan, product = _scan(series, plate_id)
        scans, products = (scan,), (product,)
    scan_id = scans[0].scan_id if scans else None
    return PlateBundle(
        plate=archive_plate(plate_id, str(number), series, "SYNTHETIC: a line of an invented logbook."),
        scans=scans,
        exposures=tuple(_exposures(draw, series, plate_id, scan_id, authority)),
        products=products,
    )


def _scan(series: Series, plate_id: str) -> tuple[Scan, Product]:
    width, height = round(series.width_mm / PIXEL_MM), round(series.height_mm / PIXEL_MM)
    scale = series.plate_scale * PIXEL_MM
    scan = Scan(COLLECTION, plate_id, scan_id="1", width=width, height=height, pixel_scale=scale)
    product = Product(
        product_id=f"{COLLECTION}/{plate_id}/{plate_id}.fits",
        collection=COLLECTION,
        plate_id=plate_id,
        role="fits",
        content_type="image/fits",
        scan_id="1",
        content_length=2 * width * height,
        width=width,
        height=height,
        pixel_scale=scale,
        description="SYNTHETIC: a scan that is only spoken of; this demo makes no file of it",
    )
    return scan, product


def _exposures(
    draw: np.random.Generator, series: Series, plate_id: str, scan_id: str | None, authority: str
) -> Iterator[Exposure]:
    """One exposure, seldom two or three, of one field."""
    target, ra, dec = _field(draw, series)
    moment = _moment(draw, series)
    observer = OBSERVERS[int(draw.integers(len(OBSERVERS)))]
    count = 1 + int(draw.random() < 0.05) + int(draw.random() < 0.02)
    unknown_place, unknown_time = draw.random() < 0.005, draw.random() < 0.005
    for number in range(1, count + 1):
        seconds = round(60.0 * series.minutes * float(np.exp(0.5 * draw.standard_normal())))
        pauses = round(seconds * 0.2) if draw.random() < 0.03 else 0
        begin = None if unknown_time else mjd(moment)
        yield Exposure(
            collection=COLLECTION,
            plate_id=plate_id,
            exposure_id=str(number),
            publisher_did=publisher_did(authority, COLLECTION, plate_id, str(number)),
            exposure_number=number,
            origin="logged",
            ra=None if unknown_place else ra,
            dec=None if unknown_place else dec,
            position_origin=None if unknown_place else ("solution" if scan_id else "logbook"),
            rotation_deg=None if unknown_place else round(float(4.0 * draw.standard_normal()), 2),
            t_min=begin,
            t_max=None if begin is None else begin + (seconds + pauses) / 86400.0,
            exptime=float(seconds),
            t_calib_status=None if unknown_time else "calibrated",
            target_name=target,
            observer=observer,
            scan_id=scan_id,
            has_imaging=scan_id is not None,
        )
        moment += dt.timedelta(seconds=seconds + pauses + 120)


def _field(draw: np.random.Generator, series: Series) -> tuple[str | None, float, float]:
    """Target name and centre (ICRS degrees): a known place now and then, else even over the reachable sky."""
    reachable = [target for target in TARGETS if series.dec_min <= target[2] <= series.dec_max]
    if reachable and draw.random() < 0.15:
        name, ra, dec = reachable[int(draw.integers(len(reachable)))]
        return name, round(ra + float(draw.normal(0.0, 0.3)), 4) % 360.0, round(dec + float(draw.normal(0.0, 0.3)), 4)
    low, high = math.sin(math.radians(series.dec_min)), math.sin(math.radians(series.dec_max))
    ra = round(360.0 * float(draw.random()), 4) % 360.0
    dec = round(math.degrees(math.asin(low + (high - low) * float(draw.random()))), 4)
    if draw.random() < 0.2:
        return None, ra, dec
    return f"Demo field {int(ra / 15):02d}{dec:+03.0f}", ra, dec


def _moment(draw: np.random.Generator, series: Series) -> dt.datetime:
    first = dt.datetime(series.first, 1, 1, tzinfo=dt.UTC)
    days = (dt.datetime(series.last + 1, 1, 1, tzinfo=dt.UTC) - first).days - 1
    night = first + dt.timedelta(days=int(draw.integers(days)))
    return night + dt.timedelta(minutes=int(draw.integers(24 * 60 - 720)))
