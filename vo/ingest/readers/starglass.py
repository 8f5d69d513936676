"""Starglass' plate records: what Harvard's plate stacks tell of a plate (``GET /plates/p/<plate_id>``), as JSON.

https://starglass.cfa.harvard.edu/docs/api/plates.html describes them. They bring photographs of plate and jacket, the
curators' remarks, who mentions the plate in which notebook, and exposures of plates that no list has brought. Their
solutions are linear sketches of the real ones, which come with mosaic packages: they are not taken for solutions.
The addresses of photographs are signed and gone after some minutes: only those that are not are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, unquote, urlsplit

from vo.db.records import Exposure, Plate, PlateBundle, Product, Scan
from vo.ingest.dates import Date, parse_date
from vo.ingest.readers import Source
from vo.ingest.readers.dasch_rows import Row, exposure_name, known_position, make_exposure, make_plate
from vo.ingest.readers.json_values import Values
from vo.ingest.readers.solved import filled
from vo.ingest.series import Series

_KEYS = ("jacket_images", "plate_images", "catalog_exposures", "mosaics", "mentions")
_PLATE = re.compile(r"([a-z]{1,10})0*(\d{1,7})")
_MOSAIC = re.compile(r"\d{1,2}")
_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".tif": "image/tiff", ".tiff": "image/tiff"}
#: Parameters of signed addresses: of S3, CloudFront and their kin.
_SIGNED = ("signature", "expires", "x-amz-", "x-goog-", "key-pair-id", "policy", "token")
_BINNINGS = {1: "fits", 16: "fits_binned"}
_CLEAN = re.compile(r"(?<![a-z])(un)?clean", re.IGNORECASE)
_ROLES = {"jacket_images": "jacket_photo", "plate_images": "plate_photo", "logbook_images": "logbook"}


def is_record(document: Mapping[str, object]) -> bool:
    """Whether a JSON object is a plate record."""
    return isinstance(document.get("plate_id"), str) and any(key in document for key in _KEYS)


def read_record(
    document: Mapping[str, object], path: Path, source: Source, series: Mapping[str, Series]
) -> PlateBundle:
    """The plate of a record; ValueError, with the key's place, for what cannot be understood."""
    top = Values(document, "")
    name = (top.text("plate_id") or "").lower()
    found = _PLATE.fullmatch(name)
    if found is None:
        raise ValueError(f"plate_id is {name!r}: no series and number of a plate")
    plate_id, number = f"{found[1]}{int(found[2]):05d}", int(found[2])
    archived = source.find_plate(plate_id)
    top.pass_over("jacket_thumbnail", "plate_thumbnail", "has_imaging", "title", "series", "plate_number")
    rows = tuple(_rows(top, plate_id, found[1], number))
    plate = _plate(top, rows, plate_id, found[1], number, source, series.get(found[1]), archived)
    scans, images = _mosaics(top, plate, archived)
    exposures = tuple(_exposures(rows, scans, archived, source, series.get(found[1])))
    photos = tuple(product for key in _ROLES for product in _photos(top, key, plate, path, archived))
    unread = sorted(top.unread())
    if unread:
        source.report.note(0, plate_id, "keys not understood", f"{path.name}: {', '.join(unread)}")
    return PlateBundle(plate, scans, exposures, (), (*images, *photos))


# ------------------------------------------------------------------------------------------------- the plate


def _plate(
    top: Values,
    rows: Sequence[Row],
    plate_id: str,
    series_name: str,
    number: int,
    source: Source,
    series: Series | None,
    archived: PlateBundle | None,
) -> Plate:
    row = rows[0] if rows else _row(plate_id, series_name, number)
    plate_class = top.text("class")
    made = make_plate(row._replace(plate_class=plate_class or ""), series, source.collection.name)
    location, telescope = top.part("location"), top.text("telescope")
    made = replace(
        made,
        facility_name=made.facility_name or (location.text("name") if location else None),
        instrument_name=made.instrument_name or telescope,
    )
    comment = "; ".join(_remarks(top)) or None
    if archived is None:
        return replace(made, comment=comment)
    return replace(
        filled(archived.plate, made),
        plate_class=plate_class or archived.plate.plate_class,
        comment=comment or archived.plate.comment,
    )


def _remarks(top: Values) -> Iterator[str]:
    """What people have to say of a plate: the curator's remark, its markings, names and notebooks."""
    if text := top.text("plate_comment") or top.text("comments"):
        yield text
    marked, cleaned = top.flag("has_markings"), top.flag("markings_cleaned")
    if marked or cleaned:
        yield "handwritten markings" + (", erased before the scan" if cleaned else "")
    if names := top.texts("comment_astronomers"):
        yield f"names: {', '.join(names)}"
    for mention in top.parts("mentions"):
        if mention is None:
            continue
        author, notebook, page = mention.text("author"), mention.text("notebook"), mention.small("page_num")
        told = [author or "", f"notebook {notebook}" if notebook else "", "" if page is None else f"page {page}"]
        yield f"mentioned by {', '.join(part for part in told if part)}"


# ------------------------------------------------------------------------------------------------- exposures


def _rows(top: Values, plate_id: str, series: str, number: int) -> Iterator[Row]:
    """The exposures of the logbook, then those that only solutions tell of."""
    solved = [one for one in top.parts("exposures") if one is not None]
    logged: set[int] = set()
    for told in top.parts("catalog_exposures"):
        if told is None:
            continue
        exposure = told.small("exposure_num")
        if exposure is None or exposure < 0 or exposure in logged:
            raise ValueError(f"{told.place}.exposure_num is {exposure}: each has a number of its own")
        logged.add(exposure)
        place = next((one for one in solved if one.small("exposure_num") == exposure), None)
        row = _row(plate_id, series, number, exposure, _date(told), told.number("exposure_length"))
        if place is None:
            yield _placed(row, told)._replace(wcs_source="logbook")
            continue
        solved.remove(place)
        yield _placed(row, place)
    for told in solved:
        exposure = told.small("exposure_num")
        known = exposure if exposure is not None and exposure >= 0 else None
        row = _row(plate_id, series, number, known, _date(told), told.number("exposure"))
        yield _placed(row, told)


def _placed(row: Row, told: Values) -> Row:
    """The row at the position, and with the solution, of a part of the record."""
    ra, dec = known_position(told.number("ctr_ra"), told.number("ctr_dec"))
    return row._replace(ra=ra, dec=dec, solution=told.small("solution_num"), wcs_source="imwcs")


def _row(
    plate_id: str,
    series: str,
    number: int,
    exposure: int | None = None,
    date: Date | None = None,
    minutes: float | None = None,
) -> Row:
    repairs = (date.repair,) if date and date.repair else ()
    return Row(
        0, plate_id, series, number, None, None, exposure, None, "", None, None, minutes, date.mjd if date else None,
        "none", None, None, None, repairs,
    )  # fmt: skip


def _date(told: Values) -> Date | None:
    text = told.text("datetime")
    return parse_date(text) if text else None


def _exposures(
    rows: Sequence[Row],
    scans: Sequence[Scan],
    archived: PlateBundle | None,
    source: Source,
    series: Series | None,
) -> Iterator[Exposure]:
    """Exposures that nothing else has told of; others only get what they lack.

    Which mosaic a solution is of is not said: it is known when there is one mosaic.
    """
    known = {one.exposure_id: one for one in archived.exposures} if archived else {}
    mosaic = int(scans[0].scan_id) if len(scans) == 1 else None
    taken: set[str] = set()
    for row in rows:
        placed = row._replace(mosaic=mosaic) if row.wcs_source == "imwcs" else row
        nameless = placed.exposure is None or f"e{placed.exposure}" in taken
        if nameless and (placed.mosaic is None or placed.solution is None):
            text = (
                f"solution {placed.solution}: it is of no logged exposure, and of which mosaic the record does not say"
            )
            source.report.note(0, row.plate_id, "exposure not used", text)
            continue
        name = exposure_name(placed, taken)
        taken.add(name)
        made = make_exposure(placed, name, series, source)
        yield filled(known[name], made) if name in known else made


# ------------------------------------------------------------------------------------------------- files


def _mosaics(top: Values, plate: Plate, archived: PlateBundle | None) -> tuple[tuple[Scan, ...], tuple[Product, ...]]:
    """Scans and their files; what the archive has of them already it knows better."""
    scans = {one.scan_id: one for one in archived.scans} if archived else {}
    held = {(one.scan_id, one.role, one.bin_factor) for one in archived.products} if archived else set()
    images: dict[str, Product] = {}
    for told in top.parts("mosaics"):
        if told is None:
            continue
        name, factor = told.values.get("mosaic_num"), told.small("bin_factor")
        if not _MOSAIC.fullmatch(str(name)):
            raise ValueError(f"{told.place}.mosaic_num is {name!r}: no number of a mosaic")
        if factor not in _BINNINGS:
            raise ValueError(f"{told.place}.bin_factor is {factor}; 1 and 16 are understood")
        scan_id = f"{int(str(name)):02d}"
        scans.setdefault(scan_id, Scan(plate.collection, plate.plate_id, scan_id))
        if (scan_id, _BINNINGS[factor], factor) in held:
            continue
        product_id = f"{plate.collection}/{plate.plate_id}/{plate.plate_id}_{scan_id}_{factor:02d}.fits"
        images[product_id] = Product(
            product_id, plate.collection, plate.plate_id, _BINNINGS[factor], "image/fits", scan_id, bin_factor=factor
        )
    return tuple(scans.values()), tuple(images.values())


def _photos(top: Values, key: str, plate: Plate, path: Path, archived: PlateBundle | None) -> Iterator[Product]:
    """The photographs of a list, without the small copies of them."""
    seen: set[str] = set()
    known = {one.product_id: one for one in archived.products} if archived else {}
    for number, told in enumerate(top.parts(key)):
        if told is None or told.flag("thumbnail"):
            continue
        address, portion = told.text("url"), told.text("portion")
        name = _file_name(address) or f"{plate.plate_id}_{_ROLES[key]}_{number}.jpg"
        if name in seen:
            raise ValueError(f"{told.place}.url names {name} a second time")
        seen.add(name)
        product_id = f"{plate.collection}/{plate.plate_id}/{name}"
        beside = path.parent / name
        location = beside.absolute().as_uri() if beside.is_file() else _lasting(address)
        if location is None and product_id in known:
            location = known[product_id].location
        words = " ".join(filter(None, (portion, told.text("image_type"), name)))
        yield Product(
            product_id,
            plate.collection,
            plate.plate_id,
            _role(key, words),
            _TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream"),
            location=location,
            content_length=beside.stat().st_size if beside.is_file() else None,
            description=portion,
        )


def _role(key: str, words: str) -> str:
    """Plates were photographed with their markings, and those that were cleaned once more."""
    found = _CLEAN.search(words)
    return "plate_photo_clean" if key == "plate_images" and found and not found[1] else _ROLES[key]


def _file_name(address: str | None) -> str | None:
    """The name of the file behind an address, as one that a folder may have."""
    name = PurePosixPath(unquote(urlsplit(address).path)).name if address else ""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or None


def _lasting(address: str | None) -> str | None:
    """The address, unless it is signed for some minutes, or none that can be followed by anybody."""
    if address is None:
        return None
    parts = urlsplit(address)
    signed = any(name.lower().startswith(_SIGNED) for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return address if parts.scheme == "https" and parts.hostname and not signed and not parts.username else None
