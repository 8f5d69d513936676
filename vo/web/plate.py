"""One plate as its page shows it, made from the archive's records and the footprints that searches use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vo.context import Context
from vo.db.archive import read_bundles
from vo.db.records import Exposure, Plate, PlateBundle, Product
from vo.errors import Fault, NotFoundFault
from vo.metadata.collection import Collection
from vo.products.images import find_cut_source
from vo.products.links import file_url, links_url
from vo.products.store import describe
from vo.web.counts import format_mjd
from vo.web.sketch import Array, Sketch, draw

# The names that people know for what records call by a role.
_ROLES = {
    "fits": "FITS image of the scan",
    "fits_binned": "FITS image, binned",
    "preview": "Preview",
    "thumbnail": "Thumbnail",
    "plate_photo": "Photograph of the plate",
    "jacket_photo": "Photograph of the jacket",
    "logbook": "Logbook page",
}
_PHOTOS = ("plate_photo", "jacket_photo", "logbook")
_SHOWN = ("image/jpeg", "image/png", "image/gif", "image/webp")

#: Radius of the cutout that the form proposes, in degrees.
_CUT_RADIUS = 0.05


@dataclass(frozen=True, slots=True)
class File:
    """A product with its address; ``missing`` says why there is none."""

    title: str
    name: str
    content_type: str
    size: str | None
    pixels: str | None
    url: str | None
    missing: str | None
    note: str | None
    role: str
    is_picture: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One exposure in the table."""

    exposure: Exposure
    name: str
    place: str | None
    date: str | None
    exptime: str | None
    links: str
    has_solution: bool
    can_cut: bool


@dataclass(frozen=True, slots=True)
class PlatePage:
    """What the template shows; ``chosen`` is the exposure that the cutout form is filled for."""

    bundle: PlateBundle
    collection: Collection
    lines: tuple[Line, ...]
    files: tuple[File, ...]
    preview: File | None
    photos: tuple[File, ...]
    sketch: Sketch | None
    chosen: Line | None
    circle: str

    @property
    def cuttable(self) -> tuple[Line, ...]:
        """The exposures that cutouts can be made of."""
        return tuple(line for line in self.lines if line.can_cut)


def read_plate(
    context: Context, collection: Collection, plate_id: str, exposure_id: str | None, base: str
) -> PlatePage:
    """Read one plate; :class:`NotFoundFault` when the collection has none of this id."""
    if "\0" in plate_id:  # which PostgreSQL cannot hold in a text
        raise NotFoundFault(f"no plate {plate_id!r} in {collection.title}")
    with context.database.read() as connection:
        bundle = next(iter(read_bundles(connection, [(collection.name, plate_id)])), None)
        if bundle is None:
            raise NotFoundFault(f"no plate {plate_id!r} in {collection.title}")
        dids = [exposure.publisher_did for exposure in bundle.exposures]
        regions = dict(
            connection.execute(
                f'SELECT obs_publisher_did, s_region_text FROM "{collection.name}".plates'
                " WHERE obs_publisher_did = ANY(%s) AND s_region_text IS NOT NULL",
                (dids,),
            ).fetchall()
        )
    lines = tuple(_line(bundle, exposure, collection, base) for exposure in bundle.exposures)
    files = tuple(_file(product, base) for product in bundle.products)
    chosen = _choose(lines, exposure_id)
    return PlatePage(
        bundle=bundle,
        collection=collection,
        lines=lines,
        files=files,
        preview=_preview(files),
        photos=tuple(file for role in _PHOTOS for file in files if file.role == role and file.url and file.is_picture),
        sketch=_sketch(lines, regions),
        chosen=chosen,
        circle=_circle(chosen),
    )


def parse_region(text: str) -> Array:
    """Vertices [n, 2] (degrees) of ``POLYGON ICRS lon lat ...``."""
    numbers = [word for word in text.split() if word[0] in "+-.0123456789"]
    return np.array(numbers, dtype=float).reshape(-1, 2)


def _sketch(lines: tuple[Line, ...], regions: dict[str, str]) -> Sketch | None:
    shapes = []
    for line in lines:
        region = regions.get(line.exposure.publisher_did)
        if region is not None:
            shapes.append((line.name, parse_region(region)))
    return draw(shapes)


def _line(bundle: PlateBundle, exposure: Exposure, collection: Collection, base: str) -> Line:
    place = None if exposure.ra is None or exposure.dec is None else f"{exposure.ra:.4f} {exposure.dec:+.4f}"
    number = exposure.exposure_id if exposure.exposure_number is None else str(exposure.exposure_number)
    return Line(
        exposure=exposure,
        name=number,
        place=place,
        date=format_mjd(exposure.t_min),
        exptime=_duration(exposure.exptime),
        links=links_url(base, exposure.publisher_did),
        has_solution=any(
            solution.is_current and solution.exposure_id == exposure.exposure_id for solution in bundle.solutions
        ),
        can_cut=find_cut_source(bundle, exposure, collection) is not None,
    )


def _choose(lines: tuple[Line, ...], exposure_id: str | None) -> Line | None:
    """The exposure that the form cuts: the one asked for, else the first that can be cut."""
    cuttable = [line for line in lines if line.can_cut]
    asked = (line for line in cuttable if line.exposure.exposure_id == exposure_id)
    return next(asked, cuttable[0] if cuttable else None)


def _circle(line: Line | None) -> str:
    if line is None or line.exposure.ra is None or line.exposure.dec is None:
        return ""
    return f"{line.exposure.ra:.5f} {line.exposure.dec:.5f} {_CUT_RADIUS}"


def _file(product: Product, base: str) -> File:
    url: str | None = file_url(base, product.product_id)
    missing: str | None = None
    size = product.content_length
    try:
        size = describe(product).size
    except Fault as fault:
        url, missing = None, fault.text
    title = _ROLES[product.role]
    if product.bin_factor > 1:
        title += f" {product.bin_factor} x {product.bin_factor}"
    has_pixels = product.width is not None and product.height is not None
    return File(
        title=title,
        name=product.product_id.rpartition("/")[2],
        content_type=product.content_type,
        size=_size(size),
        pixels=f"{product.width} x {product.height}" if has_pixels else None,
        url=url,
        missing=missing,
        note=product.description,
        role=product.role,
        is_picture=product.content_type in _SHOWN,
    )


def _preview(files: tuple[File, ...]) -> File | None:
    pictures = [file for role in ("preview", "thumbnail") for file in files if file.role == role]
    return next((file for file in pictures if file.url and file.is_picture), None)


def _size(length: int | None) -> str | None:
    """Bytes for people, in powers of 1000 as ObsCore's kbyte."""
    if length is None:
        return None
    value, unit = float(length), "byte"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:  # noqa: PLR2004 - decimal units
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "byte" or value >= 10 else f"{value:.1f} {unit}"  # noqa: PLR2004 - two digits are enough


def _duration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:g} s"
    return f"{seconds / 60:.4g} min"


def list_facts(plate: Plate) -> list[tuple[str, str]]:
    """What is known of the glass, in words: (name, value)."""
    size = None
    if plate.width_mm is not None and plate.height_mm is not None:
        size = f"{plate.width_mm:g} x {plate.height_mm:g} mm"
    band = None
    if plate.em_min is not None and plate.em_max is not None:
        band = f"{plate.em_min * 1e9:.0f} to {plate.em_max * 1e9:.0f} nm"
    known = (
        ("Series", plate.series),
        ("Number", plate.plate_number),
        ("Telescope", plate.instrument_name),
        ("Observatory", plate.facility_name),
        ("Class", plate.plate_class),
        ("Emulsion", plate.emulsion),
        ("Filter", plate.filter),
        ("Sensitive", band),
        ("Scale", None if plate.plate_scale is None else f"{plate.plate_scale:g} arcsec/mm"),
        ("Size", size),
        *(
            (name.replace("_", " ").capitalize(), None if value is None else str(value))
            for name, value in plate.own.items()
        ),
        ("Note", plate.comment),
    )
    return [(name, value) for name, value in known if value]


def _said(value: str | float | bool | None) -> str | None:  # noqa: FBT001 - a value of any of these types
    match value:
        case None:
            return None
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
