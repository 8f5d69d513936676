"""A plate's files as its page lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vo.db.records import Exposure, PlateBundle, Product
from vo.errors import Fault
from vo.products.links import file_url
from vo.products.mosaics import list_mosaics, mosaic_url
from vo.products.store import describe

# The names that people know for what records call by a role.
_ROLES = {
    "fits": "FITS image of the scan",
    "fits_binned": "FITS image, binned",
    "preview": "Preview",
    "thumbnail": "Thumbnail",
    "plate_photo": "Photograph of the plate",
    "plate_photo_clean": "Photograph of the plate after cleaning",
    "jacket_photo": "Photograph of the jacket",
    "logbook": "Logbook page",
    "calibration": "Photometric calibration",
    "raw": "Raw data of the scan",
    "documentation": "Document",
}

#: The photographs that are shown, in this order, so that the plate before and after cleaning stand side by side.
_PHOTOS = ("plate_photo", "plate_photo_clean", "jacket_photo", "logbook")
_SHOWN = ("image/jpeg", "image/png", "image/gif", "image/webp")


@dataclass(frozen=True, slots=True)
class File:
    """A product with its address; ``missing`` says why there is none.

    ``mosaic`` is the address of what is made of a base file: the same pixels with coordinates in the header.
    """

    product: Product
    title: str
    name: str
    content_type: str
    size: str | None
    pixels: str | None
    url: str | None
    missing: str | None
    mosaic: str | None

    @property
    def is_picture(self) -> bool:
        """Whether it is here and browsers show it."""
        return self.url is not None and self.content_type in _SHOWN


def list_files(bundle: PlateBundle, base: str) -> tuple[File, ...]:
    """Every file, those that are not here with the reason; a plate that was cleaned has photographs from before."""
    was_cleaned = any(product.role == "plate_photo_clean" for product in bundle.products)
    mosaics = list_mosaics(bundle)
    return tuple(_file(product, base, mosaics, was_cleaned=was_cleaned) for product in bundle.products)


def choose_preview(files: Sequence[File], exposure: Exposure | None) -> File | None:
    """The picture of the scan: a preview, else a thumbnail; one that fits the exposure, else any.

    A picture that names no scan or exposure is of any.
    """
    pictures = [file for role in ("preview", "thumbnail") for file in files if file.product.role == role]
    shown = [file for file in pictures if file.is_picture]
    if exposure is None:
        return next(iter(shown), None)
    return next((file for file in shown if fits_exposure(file, exposure)), next(iter(shown), None))


def fits_exposure(file: File, exposure: Exposure) -> bool:
    """Whether a file is of the exposure and of the scan that shows it best; one that names none is of all."""
    product = file.product
    return product.scan_id in (None, exposure.scan_id) and product.exposure_id in (None, exposure.exposure_id)


def list_photos(files: Sequence[File]) -> tuple[File, ...]:
    """The photographs and logbook pages that can be shown."""
    return tuple(file for role in _PHOTOS for file in files if file.product.role == role and file.is_picture)


def _file(product: Product, base: str, mosaics: frozenset[str], *, was_cleaned: bool) -> File:
    url: str | None = file_url(base, product.product_id)
    missing: str | None = None
    size = product.content_length
    try:
        size = describe(product).size
    except Fault as fault:
        url, missing = None, fault.text
    has_pixels = product.width is not None and product.height is not None
    return File(
        product=product,
        title=_title(product, was_cleaned=was_cleaned),
        name=product.product_id.rpartition("/")[2],
        content_type=product.content_type,
        size=write_size(size),
        pixels=f"{product.width} x {product.height}" if has_pixels else None,
        url=url,
        missing=missing,
        mosaic=mosaic_url(base, product) if url and product.product_id in mosaics else None,
    )


def _title(product: Product, *, was_cleaned: bool) -> str:
    title = _ROLES[product.role]
    if product.role == "plate_photo" and was_cleaned:
        title += " before cleaning"
    if product.bin_factor > 1:
        title += f" {product.bin_factor} x {product.bin_factor}"
    return title


def write_size(length: int | None) -> str | None:
    """Bytes for people, in powers of 1000 as ObsCore's kbyte."""
    if length is None:
        return None
    value, unit = float(length), "byte"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:  # noqa: PLR2004 - decimal units
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "byte" or value >= 10 else f"{value:.1f} {unit}"  # noqa: PLR2004 - two digits are enough
