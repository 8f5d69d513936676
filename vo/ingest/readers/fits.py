"""FITS files, and folders of them: each file is an image of a plate, with the solutions in its header."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vo.db.records import PlateBundle, Product
from vo.errors import Fault, OperatorFault
from vo.ingest.readers import Reader, Source
from vo.ingest.readers.described import Described, Told
from vo.ingest.readers.solved import Image, bundle
from vo.ingest.series import Series, load_series
from vo.pixels.inspect import ImageInfo, inspect

_NAMES = (".fits", ".fit", ".fts")
_PACKED = ("", ".gz", ".fz")
_GZIP = b"\x1f\x8b"
_PICTURES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}


def _is_fits(path: Path) -> bool:
    return path.name.lower().endswith(tuple(name + packed for name in _NAMES for packed in _PACKED))


def _accepts(path: Path, head: bytes) -> bool:
    return (
        path.is_dir() or head.startswith(b"SIMPLE  =") or (head.startswith(_GZIP) and _is_fits(path)) or _is_fits(path)
    )


def _read(source: Source) -> Iterator[PlateBundle]:
    report = source.report
    files = _files(source.path)
    if not files:
        raise OperatorFault(f"{source.path} holds no FITS files (names ending in {', '.join(_NAMES)}, .gz and .fz too)")
    seen: dict[str, Path] = {}
    series = load_series(source.collection)
    for number, path in enumerate(files, start=1):
        report.read += 1
        name = str(path.relative_to(source.path)) if source.path.is_dir() else path.name
        try:
            made = _bundle(path, name, source, seen, series)
        except (ValueError, Fault) as error:
            report.refuse(0, "", "file not usable", f"{name}: {error}")
            continue
        report.used += 1
        yield made
        source.progress(number, len(files))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(one for one in path.rglob("*") if one.is_file() and _is_fits(one))


def _bundle(path: Path, name: str, source: Source, seen: dict[str, Path], series: Mapping[str, Series]) -> PlateBundle:
    report, collection = source.report, source.collection
    info, others = _choose(inspect(path))
    told = Told()
    described = Described(info.header(), path.name, collection, source.authority, told, series)
    plate_id = described.plate_id()
    product = _product(path, info, described)
    before = seen.setdefault(product.product_id, path)
    if before != path:
        raise ValueError(
            f"a file of this name was read for plate {plate_id} already ({before}); names are permanent links"
        )
    for other in others:
        report.note(
            0, plate_id, "image not used", f"{name}: HDU {other.index} is another image; only one of a file is used"
        )
    for problem in info.problems:
        report.note(0, plate_id, "solution not usable", f"{name}: {problem}")
    if not info.solutions:
        report.note(0, plate_id, "no solution", f"{name}: the header has no usable celestial coordinates")
    for repair in dict.fromkeys((*info.repairs, *(text for wcs in info.solutions for text in wcs.repairs))):
        report.repair(0, plate_id, "header repaired", f"{name}: {repair}")
    image = Image(described, *info.shape, product.bin_factor, info.solutions, product)
    made = bundle(image, source.find_plate(plate_id))
    for kind, reason in told.repairs:
        report.repair(0, plate_id, kind, f"{name}: {reason}")
    for kind, reason in told.notes:
        report.note(0, plate_id, kind, f"{name}: {reason}")
    return replace(made, products=(*made.products, *_companions(path, described)))


def _choose(images: Sequence[ImageInfo]) -> tuple[ImageInfo, list[ImageInfo]]:
    """The image of the plate: the first with a solution, else the first; and the others."""
    if not images:
        raise ValueError("no image in it")
    chosen = next((one for one in images if one.solutions), images[0])
    return chosen, [one for one in images if one is not chosen]


def _product(path: Path, info: ImageInfo, described: Described) -> Product:
    rules, collection, plate_id = described.rules, described.collection.name, described.plate_id()
    binned = rules.is_binned(path.name)
    factor = rules.bin_factor if binned else 1
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP
    return Product(
        f"{collection}/{plate_id}/{path.name}",
        collection,
        plate_id,
        "fits_binned" if binned else "fits",
        "application/gzip" if zipped else "image/fits",
        scan_id=described.scan_id(),
        location=path.absolute().as_uri(),
        content_length=path.stat().st_size,
        width=info.shape[0],
        height=info.shape[1],
        pixel_scale=info.solutions[0].pixel_scale if info.solutions else None,
        hdu=info.index,
        bin_factor=factor,
    )


def _companions(path: Path, described: Described) -> Iterator[Product]:
    """Pictures beside the file: photographs of plate and jacket, pages of the logbook."""
    collection, plate_id = described.collection.name, described.plate_id()
    for role, ending in described.rules.companions.items():
        picture = path.with_name(f"{plate_id}{ending}")
        if picture.is_file():
            yield Product(
                f"{collection}/{plate_id}/{picture.name}",
                collection,
                plate_id,
                role,
                _PICTURES.get(picture.suffix.lower(), "application/octet-stream"),
                location=picture.absolute().as_uri(),
                content_length=picture.stat().st_size,
            )


READER = Reader("fits", "FITS file or folder of FITS files", _accepts, _read)
