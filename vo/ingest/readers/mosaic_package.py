"""DASCH's mosaic packages: what its web API tells of a plate's scan (``POST /dasch/dr7/mosaic_package``), as JSON.

A package has the sizes and checksums of a mosaic's two base files, the astrometric solutions of the full one, and the
exposures in the solutions' order: the first belongs to the first solution, and so on; null is a solution that no
exposure is known for; exposures behind the last solution have none. So the package itself says what belongs together,
and that is taken as it is. ``baseFitsUrl`` is signed and gone after some minutes: it is not kept.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vo.db.records import Exposure, PlateBundle, Product, Scan, Solution
from vo.errors import Fault
from vo.ingest.dates import parse_date
from vo.ingest.readers import Source
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
)
from vo.ingest.readers.json_values import Values
from vo.ingest.readers.solved import AMBIGUOUS, ambiguous, filled, pipeline_of, residuals, stays_aside, versions
from vo.ingest.readers.tpv_headers import HeaderSolutions, read_solutions, unpack
from vo.ingest.series import Series
from vo.pixels.inspect import inspect
from vo.pixels.wcs import ImageWCS

PIPELINE = "DASCH astrometry"
#: Binning of the two files of a mosaic, as their keys and names have it.
_FILES = {1: "01", 16: "16"}
_MD5_BYTES = 16
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_TURNS = {0: 0, 90: 90, -90: -90, 180: 180, -180: 180, 270: -90, -270: 90}
_WIDEST = 1_000_000
_NONE = HeaderSolutions((), {}, ())


def is_package(document: Mapping[str, object]) -> bool:
    """Whether a JSON object is a mosaic package, or the ``metadata`` of one alone."""
    metadata = document.get("metadata")
    return isinstance(metadata if isinstance(metadata, dict) else document, dict) and "mosaic" in (
        metadata if isinstance(metadata, dict) else document
    )


@dataclass(frozen=True, slots=True)
class _Mosaic:
    """The scan of a package: ``size`` (width, height) of the base file's pixels, ``grid`` of those turned."""

    number: int
    size: tuple[int, int]
    turn: int | None
    values: Values

    @property
    def grid(self) -> tuple[int, int]:
        """The grid that solutions are written for."""
        return self.size[::-1] if self.turn in (90, -90) else self.size


def read_package(
    document: Mapping[str, object], path: Path, source: Source, series: Mapping[str, Series]
) -> PlateBundle:
    """The plate of a package; ValueError, with the key's place, for what cannot be understood."""
    top = Values(document, "")
    metadata = top.part("metadata") or top
    top.pass_over("baseFitsUrl", "baseFitsSize", "plate_id")
    name, number = (metadata.text("series") or "").lower(), metadata.small("plateNumber")
    if not SERIES_NAME.fullmatch(name) or number is None or number < 0:
        raise ValueError(f"series {name!r} and plateNumber {number!r} name no plate")
    mosaic_values = metadata.part("mosaic")
    if mosaic_values is None:
        raise ValueError("metadata.mosaic is null: the plate has no scan, so there is nothing to read here")
    astrometry = metadata.part("astrometry")
    mosaic = _read_mosaic(mosaic_values, astrometry)
    found = _read_astrometry(astrometry, mosaic)
    metadata.pass_over("photometry")
    plate_id = f"{name}{number:05d}"
    for text in found.repairs:
        source.report.repair(0, plate_id, "header repaired", f"{path.name}: {text}")
    listed = astrometry.parts("exposures") if astrometry else ()
    rows = tuple(_named(_rows(plate_id, name, number, mosaic, found.solutions, listed), plate_id, path, source))
    made = _bundle(rows, mosaic, found, astrometry, source, series.get(name))
    _tell_unread((top, metadata, mosaic_values, astrometry, *listed), plate_id, path, source)
    return replace(made, products=tuple(_held(one, path, source) for one in made.products))


# ------------------------------------------------------------------------------------------------- the JSON


def _read_mosaic(values: Values, astrometry: Values | None) -> _Mosaic:
    number = values.small("mosNum")
    if number is None or not 0 <= number <= 99:  # noqa: PLR2004 -- two digits of the file's name
        raise ValueError(f"{values.place}.mosNum is {number}, not the number of a mosaic (0 to 99)")
    width, height = values.small("b01Width"), values.small("b01Height")
    if width is None or height is None or not (0 < width <= _WIDEST and 0 < height <= _WIDEST):
        raise ValueError(f"{values.place}.b01Width and b01Height are {width} and {height}: no size of an image")
    values.pass_over("s3KeyTemplate", "scanNum", "resultId", "legacyComment", "legacyRotation", "scanDate")
    return _Mosaic(number, (width, height), _turn(astrometry), values)


def _turn(astrometry: Values | None) -> int | None:
    delta = astrometry.small("rotationDelta") if astrometry else None
    if delta is None:
        return None
    if delta not in _TURNS:
        raise ValueError(f"astrometry.rotationDelta is {delta}; 0, 90, 180 and -90 are understood")
    return _TURNS[delta]


def _read_astrometry(values: Values | None, mosaic: _Mosaic) -> HeaderSolutions:
    text = values.text("b01HeaderGz") if values else None
    if values is None or text is None:
        return _NONE
    try:
        found = read_solutions(unpack(text), mosaic.grid)
    except ValueError as error:
        raise ValueError(f"{values.place}.b01HeaderGz: {error}") from error
    count = values.integer("nSolutions")
    if count is not None and count != len(found.solutions):
        raise ValueError(f"{values.place}.nSolutions is {count}, but b01HeaderGz holds {len(found.solutions)}")
    return found


def _rows(
    plate_id: str,
    series: str,
    number: int,
    mosaic: _Mosaic,
    solutions: Sequence[ImageWCS],
    listed: Sequence[Values | None],
) -> Iterator[Row]:
    """A row for each solution, in their order, and for each exposure that has none."""
    made_date = moment(mosaic.values.text("creationDate"), SCAN_ZONE)
    scan_date = moment(mosaic.values.text("scanDate"), SCAN_ZONE)
    turned = mosaic.values.small("legacyRotation")
    for place in range(max(len(solutions), len(listed))):
        told = listed[place] if place < len(listed) else None
        wcs = solutions[place] if place < len(solutions) else None
        if told is None and wcs is None:
            continue
        if told is not None:
            told.pass_over("centerSource", "dateSource", "dateAccDays")
        logged = known_position(told.number("raDeg"), told.number("decDeg")) if told else (None, None)
        date_text = told.text("midpointDate") if told else None
        date = parse_date(date_text) if date_text else None
        exposure = told.small("number") if told else None
        yield Row(
            line=0,
            plate_id=plate_id,
            series=series,
            number=number,
            scan=mosaic.values.small("scanNum"),
            mosaic=mosaic.number if wcs else None,
            exposure=exposure if exposure is not None and exposure >= 0 else None,
            solution=place if wcs else None,
            plate_class="",
            ra=wcs.centre[0] if wcs else logged[0],
            dec=wcs.centre[1] if wcs else logged[1],
            minutes=told.number("durMin") if told else None,
            middle=date.mjd if date else None,
            wcs_source="imwcs" if wcs else "logbook",
            scan_date=scan_date,
            mosaic_date=made_date,
            rotation=None if turned is None else float(turned),
            repairs=(date.repair,) if date and date.repair else (),
        )


def _named(rows: Iterable[Row], plate_id: str, path: Path, source: Source) -> Iterator[Row]:
    """The rows that can be told apart; an exposure without solution is known by its number alone."""
    taken: set[int] = set()
    for row in rows:
        if row.solution is None and (row.exposure is None or row.exposure in taken):
            which = "no number" if row.exposure is None else f"the number {row.exposure} of another one"
            text = f"{path.name}: an exposure without solution has {which}"
            source.report.note(0, plate_id, "exposure not used", text)
            continue
        if row.exposure is not None:
            taken.add(row.exposure)
        yield row


def _tell_unread(parts: Sequence[Values | None], plate_id: str, path: Path, source: Source) -> None:
    """Keys of a package that nobody asked for: the next version of the API may know what we do not."""
    unread = {f"{part.place}.{name}".lstrip(".") for part in parts if part for name in part.unread()}
    if unread:
        source.report.note(0, plate_id, "keys not understood", f"{path.name}: {', '.join(sorted(unread))}")


# ------------------------------------------------------------------------------------------------- the records


def _bundle(
    rows: Sequence[Row],
    mosaic: _Mosaic,
    found: HeaderSolutions,
    astrometry: Values | None,
    source: Source,
    series: Series | None,
) -> PlateBundle:
    if not rows:
        raise ValueError("it tells neither of a solution nor of an exposure")
    archived = source.find_plate(rows[0].plate_id)
    collection = source.collection.name
    plate = make_plate(rows[0], series, collection)
    plate = replace(plate, comment=mosaic.values.text("legacyComment"))
    scan = _scan(rows[0]._replace(mosaic=mosaic.number), mosaic, found.solutions, archived, collection)
    names = tuple(_names(rows, archived))
    solutions = tuple(
        version
        for number, wcs in enumerate(found.solutions)
        for version in versions(_solution(scan, number, wcs, names[number], found, astrometry), archived)
    )
    kept = {one.exposure_id for one in solutions if stays_aside(one)}
    exposures = tuple(_exposures(rows, names, scan.scan_id, archived, kept, source, series))
    _tell_ambiguous(rows, found.solutions, scan.scan_id, exposures, archived, source)
    _tell_gone(solutions, scan.scan_id, archived, source)
    _tell_turned(scan, archived, source)
    products = tuple(_told(one, mosaic) for one in make_products(scan))
    return PlateBundle(filled(archived.plate, plate) if archived else plate, (scan,), exposures, solutions, products)


def _scan(
    row: Row, mosaic: _Mosaic, solutions: Sequence[ImageWCS], archived: PlateBundle | None, collection: str
) -> Scan:
    made = replace(
        make_scan(row, collection),
        width=mosaic.size[0],
        height=mosaic.size[1],
        pixel_scale=solutions[0].pixel_scale if solutions else None,
        turn_deg=mosaic.turn,
    )
    known = next((one for one in archived.scans if one.scan_id == made.scan_id), None) if archived else None
    return filled(made, known) if known else made


def _names(rows: Sequence[Row], archived: PlateBundle | None) -> Iterator[str]:
    """The exposures' names: those by which a list has brought them, else as a list would name them."""
    known = {one.exposure_id for one in archived.exposures} if archived else set()
    taken: set[str] = set()
    for row in rows:
        own = f"e{row.exposure}m{row.mosaic}s{row.solution}"
        name = own if row.exposure is not None and own in known else exposure_name(row, taken)
        taken.add(name)
        yield name


def _exposures(
    rows: Sequence[Row],
    names: Sequence[str],
    scan_id: str,
    archived: PlateBundle | None,
    kept: Collection[str | None],
    source: Source,
    series: Series | None,
) -> Iterator[Exposure]:
    """The exposures of the rows; those ``kept`` stay where the version in use puts them."""
    known = {one.exposure_id: one for one in archived.exposures} if archived else {}
    for row, name in zip(rows, names, strict=True):
        made = make_exposure(row, name, series, source)
        before = known.get(name)
        if before is None:
            yield made
        elif row.solution is None or name in kept or not _shows_best(before, scan_id, archived):
            yield filled(before, made)
        else:
            yield replace(
                filled(before, made),
                ra=made.ra,
                dec=made.dec,
                position_origin="solution",
                scan_id=scan_id,
                has_imaging=True,
            )


def _shows_best(exposure: Exposure, scan_id: str, archived: PlateBundle | None) -> bool:
    """Whether a scan is the one that the exposure's place is taken from: another that is solved stays so."""
    if exposure.scan_id in (None, scan_id) or archived is None:
        return True
    return not any(
        one.is_current and one.exposure_id == exposure.exposure_id and one.scan_id == exposure.scan_id
        for one in archived.solutions
    )


def _solution(
    scan: Scan, number: int, wcs: ImageWCS, exposure_id: str, found: HeaderSolutions, astrometry: Values | None
) -> Solution:
    residual, star_count = residuals(found.values) if len(found.solutions) == 1 else (None, None)
    date = found.values.get("DATE")
    return Solution(
        scan.collection,
        scan.plate_id,
        scan.scan_id,
        f"s{number}",
        1,
        exposure_id,
        wcs.header_text(),
        wcs.key,
        *wcs.shape,
        result_id=_hexadecimal(astrometry, "resultId") if astrometry else None,
        pipeline=pipeline_of(found.values) or PIPELINE,
        made_date=moment(date) if isinstance(date, str) else None,
        residual=residual,
        star_count=star_count,
    )


def _tell_ambiguous(
    rows: Sequence[Row],
    solutions: Sequence[ImageWCS],
    scan_id: str,
    exposures: Sequence[Exposure],
    archived: PlateBundle | None,
    source: Source,
) -> None:
    """Solutions without an exposure that agree with logged ones: which of them it is, nobody has said."""
    unmatched = [row.solution for row in rows if row.solution is not None and row.exposure is None]
    here = {one.exposure_id for one in exposures}
    earlier = [one for one in (archived.exposures if archived else ()) if one.exposure_id not in here]
    free = [one for one in (*exposures, *earlier) if one.origin == "logged" and one.position_origin == "logbook"]
    names = [f"s{number}" for number in range(len(solutions))]
    for text in ambiguous(solutions, names, unmatched, free):
        source.report.note(0, rows[0].plate_id, AMBIGUOUS, f"scan {scan_id}: {text}")


def _tell_gone(made: Sequence[Solution], scan_id: str, archived: PlateBundle | None, source: Source) -> None:
    """Solutions of the scan that this result does not have any more stay in use until somebody decides."""
    names = {one.solution_id for one in made}
    for one in archived.solutions if archived else ():
        if one.is_current and one.scan_id == scan_id and one.solution_id not in names and "-bin" not in one.solution_id:
            text = f"scan {scan_id}: solution {one.solution_id}, version {one.version}, is not in this result; it stays"
            source.report.note(0, one.plate_id, "solution not in the new result", text)


def _tell_turned(scan: Scan, archived: PlateBundle | None, source: Source) -> None:
    """One angle belongs to a scan: versions that were made for another do not fit its pixels any more."""
    solved = {one.scan_id for one in archived.solutions} if archived else set()
    for one in archived.scans if archived else ():
        if one.scan_id == scan.scan_id in solved and (one.turn_deg or 0) != (scan.turn_deg or 0):
            text = (
                f"scan {scan.scan_id}: solutions are for the scan turned by {scan.turn_deg or 0} degrees, and were for "
                f"{one.turn_deg or 0}; do not use earlier versions"
            )
            source.report.note(0, one.plate_id, "turned otherwise than before", text)


# ------------------------------------------------------------------------------------------------- the files


def _told(product: Product, mosaic: _Mosaic) -> Product:
    """What the package tells of a base file."""
    key = f"b{_FILES[product.bin_factor]}"
    size = mosaic.values.integer(f"{key}OrigFileSize")
    if size is not None and size <= 0:
        raise ValueError(f"{mosaic.values.place}.{key}OrigFileSize is {size}: no size of a file")
    md5 = _hexadecimal(mosaic.values, f"{key}OrigFileMD5", _MD5_BYTES)
    return replace(
        product,
        content_length=size,
        checksum=f"md5:{md5}" if md5 else None,
        width=mosaic.size[0] // product.bin_factor or None,
        height=mosaic.size[1] // product.bin_factor or None,
        is_base=True,
    )


def _held(product: Product, path: Path, source: Source) -> Product:
    """The base file, when it lies beside the package (``base_mosaics`` is where daschlab puts it)."""
    stem = product.product_id.rpartition("/")[2].removesuffix(".fits")
    own = (stem, f"{product.plate_id}_{_FILES[product.bin_factor]}")
    places = [path.parent / folder / f"{name}.fits{ending}" for folder in ("", "base_mosaics") for name in own
              for ending in (".fz", "")]  # fmt: skip
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        return product
    try:
        image = next(iter(inspect(file)), None)
    except Fault as fault:
        raise ValueError(f"{file.name}: {fault.text}") from fault
    if image is None or image.shape != (product.width, product.height):
        shape = "no image" if image is None else f"{image.shape[0]} x {image.shape[1]} pixels"
        raise ValueError(f"{file.name} has {shape}, the package says {product.width} x {product.height}")
    size = file.stat().st_size
    checksum = product.checksum
    if product.content_length not in (None, size):
        text = f"{file.name} has {size:,} bytes, the package tells of a file of {product.content_length:,}: no checksum"
        source.report.note(0, product.plate_id, "another file than described", text)
        checksum = None
    location = file.absolute().as_uri()
    return replace(product, location=location, content_length=size, checksum=checksum, hdu=image.index)


def _hexadecimal(values: Values, name: str, length: int | None = None) -> str | None:
    """Bytes that the API writes in base64 (and others in hexadecimal digits) as hexadecimal digits."""
    text = values.text(name)
    if text is None:
        return None
    if length == _MD5_BYTES and _MD5.fullmatch(text):
        return text.lower()
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{values.place}.{name} is {text!r}: not base64") from error
    if length is not None and len(found) != length:
        raise ValueError(f"{values.place}.{name} has {len(found)} bytes, not {length}")
    return found.hex() or None
