"""Makes the files of the rendered plates, once: a plate's folder appears when all its files are whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vo.demo.astrometry import binned_header, header
from vo.demo.calibration import write_calibration
from vo.demo.drawing import draw_jacket, draw_plate
from vo.demo.painting import paint
from vo.demo.plates import RenderedPlate
from vo.errors import OperatorFault
from vo.pixels.render import bin_image, write_fits, write_jpeg
from vo.pixels.wcs import read_solutions

#: Counts up when the same plate is made into different files.
EDITION = 5

BINNING = 16
PREVIEW_SIZE, THUMBNAIL_SIZE = 1000, 200
CONTENTS = "contents.json"


@dataclass(frozen=True, slots=True)
class PlateFiles:
    """Where the files of a plate are; an unscanned one, which nobody cleaned, has the two photographs alone."""

    plate_photo: Path
    jacket_photo: Path
    plate_photo_clean: Path
    calibration: Path
    fits: Path
    fits_binned: Path
    preview: Path
    thumbnail: Path


def make_files(plate: RenderedPlate, folder: Path) -> PlateFiles:
    """The plate's files in ``folder/<plate_id>``, made when they are not there whole; the same bytes every time."""
    home = folder / plate.plate_id
    if not _is_whole(plate, home):
        part = folder / f".{plate.plate_id}.part"
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            _render(plate, part)
            _write_contents(plate, part)
            shutil.rmtree(home, ignore_errors=True)
            part.rename(home)
        except OSError as error:
            raise OperatorFault(
                f"the files of plate {plate.plate_id} could not be written in {folder}: {error.strerror or error}. "
                "They need 150 MB; --data names another folder."
            ) from error
    return _files(plate, home)


def _files(plate: RenderedPlate, home: Path) -> PlateFiles:
    name = plate.plate_id
    return PlateFiles(
        plate_photo=home / f"{name}_plate.jpg",
        jacket_photo=home / f"{name}_jacket.jpg",
        plate_photo_clean=home / f"{name}_plate_clean.jpg",
        calibration=home / f"{name}.asdf",
        fits=home / (f"{name}.fits.fz" if plate.compressed else f"{name}.fits"),
        fits_binned=home / f"{name}_bin{BINNING}.fits",
        preview=home / f"{name}.jpg",
        thumbnail=home / f"{name}_thumb.jpg",
    )


def _recipe(plate: RenderedPlate) -> str:
    return hashlib.sha256(f"{EDITION} {plate!r}".encode()).hexdigest()


def _is_whole(plate: RenderedPlate, home: Path) -> bool:
    """Whether every file is there in its full length, made by the present recipe."""
    try:
        contents = json.loads((home / CONTENTS).read_text(encoding="utf-8"))
        if contents["recipe"] != _recipe(plate):
            return False
        return all((home / name).stat().st_size == size for name, size in contents["files"].items())
    except (OSError, ValueError, KeyError):
        return False


def _write_contents(plate: RenderedPlate, part: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in sorted(part.iterdir())}
    text = json.dumps({"recipe": _recipe(plate), "files": sizes}, indent=1)
    (part / CONTENTS).write_text(text + "\n", encoding="utf-8")


def _render(plate: RenderedPlate, part: Path) -> None:
    files = _files(plate, part)
    scan = _render_scan(plate, files) if plate.is_scanned else None
    write_jpeg(files.plate_photo, draw_plate(plate, scan))
    write_jpeg(files.jacket_photo, draw_jacket(plate))


def _render_scan(plate: RenderedPlate, files: PlateFiles) -> NDArray[np.int16]:
    """Write the scan in all its forms; returns its pixels. Stars follow the true solution, published or not."""
    solutions = read_solutions(header(plate, solved=True))
    scan = paint(plate, solutions)
    own, binned = header(plate, solved=plate.solved), bin_image(scan, BINNING)
    write_fits(files.fits, scan, own, compress="RICE_1" if plate.compressed else None)
    write_fits(files.fits_binned, binned, binned_header(plate, solutions, BINNING))
    write_jpeg(files.preview, scan, PREVIEW_SIZE)
    write_jpeg(files.thumbnail, bin_image(scan, BINNING // 2), THUMBNAIL_SIZE)
    write_jpeg(files.plate_photo_clean, draw_plate(plate, scan, is_clean=True))
    write_calibration(files.calibration, plate)
    return scan
