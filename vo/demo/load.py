"""The demo collection as records, and its way into the database: the one that every collection takes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from vo.db.connect import Database
from vo.db.records import Exposure, PlateBundle, Product, Scan, Solution
from vo.demo.astrometry import header
from vo.demo.files import BINNING, PlateFiles, make_files
from vo.demo.logbook import COLLECTION, archive_plate, logged_plates, mjd
from vo.demo.plates import PLATES, Pointing, RenderedPlate
from vo.ingest.load import load_bundles
from vo.ingest.summary import Summary
from vo.obscore.identifiers import publisher_did
from vo.pixels.wcs import read_solutions
from vo.settings import Settings

#: Called with what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]

SCAN_ID = "1"


def make(settings: Settings, progress: Progress | None = None) -> Iterator[PlateBundle]:
    """Every plate of the demo, rendered ones first; their files are made in ``data_dir/demo`` where missing."""
    folder = settings.data_dir.absolute() / COLLECTION

    for done, plate in enumerate(PLATES):
        if progress is not None:
            progress("plates with files", done, len(PLATES))
        yield _bundle(plate, make_files(plate, folder), settings.authority)
    if progress is not None:
        progress("plates with files", len(PLATES), len(PLATES))
    yield from logged_plates(settings.authority)


def load_demo(database: Database, settings: Settings, progress: Progress | None = None) -> Summary:
    """Make the demo and load it into an initialised database; once it is there nothing changes."""
    bundles = make(settings, progress)
    summary = load_bundles(database, settings, COLLECTION, bundles, "vo demo", progress=progress)
    if summary.report is not None and not summary.changed:
        summary.report.unlink()  # it tells what the first one told
    return summary


def _bundle(plate: RenderedPlate, files: PlateFiles, authority: str) -> PlateBundle:
    return PlateBundle(
        plate=archive_plate(plate.plate_id, None, plate.series, f"SYNTHETIC: {plate.shows}."),
        scans=(_scan(plate),) if plate.is_scanned else (),
        exposures=tuple(
            _exposure(plate, pointing, number, authority) for number, pointing in enumerate(plate.pointings, start=1)
        ),
        solutions=tuple(_solutions(plate)),
        products=tuple(_products(plate, files)),
    )


def _scan(plate: RenderedPlate) -> Scan:
    return Scan(
        COLLECTION,
        plate.plate_id,
        SCAN_ID,
        width=plate.width,
        height=plate.height,
        pixel_scale=plate.pixel_scale,
        scan_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )


def _exposure(plate: RenderedPlate, pointing: Pointing, number: int, authority: str) -> Exposure:
    begin = mjd(pointing.start)
    return Exposure(
        collection=COLLECTION,
        plate_id=plate.plate_id,
        exposure_id=str(number),
        publisher_did=publisher_did(authority, COLLECTION, plate.plate_id, str(number)),
        exposure_number=number,
        origin="logged",
        ra=pointing.ra,
        dec=pointing.dec,
        position_origin="solution" if plate.solved else "logbook",
        rotation_deg=pointing.rotation,
        t_min=begin,
        t_max=begin + pointing.minutes / 1440.0,
        exptime=pointing.minutes * 60.0,
        t_calib_status="calibrated",
        target_name=pointing.target_name,
        observer=pointing.observer,
        scan_id=SCAN_ID if plate.is_scanned else None,
        has_imaging=plate.is_scanned,
    )


def _solutions(plate: RenderedPlate) -> Iterator[Solution]:
    if not plate.solved:
        return
    for number, solution in enumerate(read_solutions(header(plate, solved=True)), start=1):
        yield Solution(
            collection=COLLECTION,
            plate_id=plate.plate_id,
            scan_id=SCAN_ID,
            solution_id=str(number),
            version=1,
            exposure_id=str(number),
            header=solution.header_text(),
            wcs_key=solution.key,
            width=plate.width,
            height=plate.height,
            pipeline="vo-plates demo (SYNTHETIC)",
        )


def _products(plate: RenderedPlate, files: PlateFiles) -> Iterator[Product]:
    if plate.is_scanned:
        yield _image(plate, files.fits, "fits", factor=1, hdu=1 if plate.compressed else 0)
        yield _image(plate, files.fits_binned, "fits_binned", factor=BINNING, hdu=0)
        yield _picture(plate, files.preview, "preview")
        yield _picture(plate, files.thumbnail, "thumbnail")
        yield _picture(plate, files.plate_photo_clean, "plate_photo_clean")
        yield _calibration(plate, files.calibration)
    yield _picture(plate, files.plate_photo, "plate_photo")
    yield _picture(plate, files.jacket_photo, "jacket_photo")


def _image(plate: RenderedPlate, path: Path, role: str, *, factor: int, hdu: int) -> Product:
    return Product(
        product_id=f"{COLLECTION}/{plate.plate_id}/{path.name}",
        collection=COLLECTION,
        plate_id=plate.plate_id,
        role=role,
        content_type="image/fits",
        scan_id=SCAN_ID,
        location=path.as_uri(),
        content_length=path.stat().st_size,
        width=plate.width // factor,
        height=plate.height // factor,
        pixel_scale=plate.pixel_scale * factor,
        hdu=hdu,
        bin_factor=factor,
        description="SYNTHETIC",
    )


def _calibration(plate: RenderedPlate, path: Path) -> Product:
    return replace(_picture(plate, path, "calibration"), content_type="application/x-asdf")


def _picture(plate: RenderedPlate, path: Path, role: str) -> Product:
    return Product(
        product_id=f"{COLLECTION}/{plate.plate_id}/{path.name}",
        collection=COLLECTION,
        plate_id=plate.plate_id,
        role=role,
        content_type="image/jpeg",
        scan_id=SCAN_ID if plate.is_scanned else None,
        location=path.as_uri(),
        content_length=path.stat().st_size,
        description="SYNTHETIC",
    )
