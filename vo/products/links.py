"""What belongs to an exposure, in Datalink's words (DataLink 1.1, section 3; terms of the vocabulary datalink/core).

Rows are made from a plate's records alone; the Datalink service turns them into a table, the plate pages into HTML.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from vo.db.records import Exposure, PlateBundle, Product
from vo.errors import Fault
from vo.metadata.collection import Collection
from vo.products.images import Images, find_images
from vo.products.store import describe

DATALINK_TYPE = "application/x-votable+xml;content=datalink"


@dataclass(frozen=True, slots=True)
class Link:
    """One link: exactly one of ``access_url``, ``service_def`` and ``error_message`` is set (DLK-04).

    ``semantics`` is ``#term`` of the core vocabulary, ``content_length`` in bytes, ``content_qualifier`` ``#term`` of
    the vocabulary of product types, ``local_semantics`` a word of ours that the same kind of link has everywhere.
    """

    semantics: str
    description: str
    local_semantics: str
    access_url: str | None = None
    service_def: str | None = None
    error_message: str | None = None
    content_type: str | None = None
    content_length: int | None = None
    content_qualifier: str | None = None
    link_auth: str | None = "false"
    link_authorized: bool | None = True


#: Semantics, local semantics and description of the files that are no FITS images, in the order they are listed.
#: The preview stands under both terms: #preview-image is the exact one, and clients that compare
#: semantics as plain text, without the vocabulary, look for #preview.
_PICTURES: tuple[tuple[str, str, str, str], ...] = (
    ("preview", "#preview", "preview", "JPEG preview of the scan"),
    ("preview", "#preview-image", "preview-image", "JPEG preview of the scan, an image of the whole plate"),
    ("thumbnail", "#thumbnail", "thumbnail", "Small JPEG of the scan"),
    ("plate_photo", "#documentation", "plate-photo", "Photograph of the plate with its markings"),
    ("jacket_photo", "#documentation", "jacket-photo", "Photograph of the plate's jacket"),
    ("logbook", "#documentation", "logbook-page", "Logbook page of the plate"),
)


def file_url(base_url: str, product_id: str) -> str:
    """The permanent address of a product."""
    return f"{base_url.rstrip('/')}/files/{quote(product_id, safe='/')}"


def plate_url(base_url: str, collection: str, plate_id: str) -> str:
    """The address of a plate's page."""
    return f"{base_url.rstrip('/')}/plates/{quote(collection, safe='')}/{quote(plate_id, safe='')}"


def links_url(base_url: str, publisher_did: str) -> str:
    """The address of an exposure's Datalink document."""
    return f"{base_url.rstrip('/')}/datalink/links?ID={quote(publisher_did, safe='')}"


def list_links(
    bundle: PlateBundle, exposure: Exposure, collection: Collection, base_url: str, service_def: str | None = None
) -> tuple[Link, ...]:
    """All links of one exposure, the cutout service first (DSC-06), then ``#this``.

    ``service_def`` is the XML ID of the exposure's SODA descriptor, None when nothing can be cut. A file that is not
    here has a row with the reason instead of an address.
    """
    return (
        *_service(exposure, service_def),
        *_images(bundle, exposure, collection, base_url),
        *_pictures(bundle, exposure, base_url),
        _plate_page(bundle, base_url),
        *_siblings(bundle, exposure, base_url),
    )


def _service(exposure: Exposure, service_def: str | None) -> Iterator[Link]:
    if service_def is None:
        return
    yield Link(
        semantics="#cutout",
        local_semantics="cutout",
        description=f"Cutouts of the scan with the WCS of {_name(exposure)}",
        service_def=service_def,
        content_type="image/fits",
        content_qualifier="#image",
    )


def _images(bundle: PlateBundle, exposure: Exposure, collection: Collection, base_url: str) -> Iterator[Link]:
    images = find_images(bundle, exposure, collection)
    if images.this is None:
        yield _missing_this(bundle)
        return
    yield _image(images.this, "#this", base_url)
    for product in images.others:
        yield _image(product, _relation(product, images), base_url)
    for product in images.rescans:
        yield _image(product, "#coderived", base_url)


def _relation(product: Product, images: Images) -> str:
    """Binned pixels derive from the full ones; two files at one binning come from the same scan."""
    if images.this is None or product.bin_factor == images.this.bin_factor:
        return "#coderived"
    return "#derivation" if product.bin_factor > images.this.bin_factor else "#progenitor"


def _missing_this(bundle: PlateBundle) -> Link:
    plate = bundle.plate
    unscanned = not bundle.scans
    reason = "has not been scanned" if unscanned else "has been scanned, but no FITS image of it is published here"
    return Link(
        semantics="#this",
        local_semantics="fits",
        description="The FITS image of the plate",
        error_message=f"NotFoundFault: plate {plate.plate_id} {reason}",
        link_auth=None,
        link_authorized=None,
    )


def _image(product: Product, semantics: str, base_url: str) -> Link:
    return _file(product, semantics, product.role.replace("_", "-"), _image_text(product), base_url, "#image")


def _image_text(product: Product) -> str:
    what = "FITS image of the scan"
    if product.scan_id is not None:
        what = f"FITS image of scan {product.scan_id}"
    if product.bin_factor > 1:
        what += f", binned {product.bin_factor} x {product.bin_factor}"
    elif product.role == "fits":
        what += " at full resolution"
    if product.width is not None and product.height is not None:
        what += f" ({product.width} x {product.height} pixels)"
    return what


def _pictures(bundle: PlateBundle, exposure: Exposure, base_url: str) -> Iterator[Link]:
    for role, semantics, local, text in _PICTURES:
        for product in sorted(bundle.products, key=lambda product: product.product_id):
            if product.role != role or product.exposure_id not in (None, exposure.exposure_id):
                continue
            yield _file(product, semantics, local, text, base_url)


def _file(product: Product, semantics: str, local: str, text: str, base_url: str, qualifier: str | None = None) -> Link:
    description = f"{text}. {product.description}" if product.description else text
    try:
        held = describe(product)
    except Fault as fault:
        return Link(
            semantics=semantics,
            local_semantics=local,
            description=description,
            error_message=f"{fault.word}: {fault.text}",
            content_type=product.content_type,
            content_length=product.content_length,
            content_qualifier=qualifier,
            link_auth=None,
            link_authorized=None,
        )
    return Link(
        semantics=semantics,
        local_semantics=local,
        description=description,
        access_url=file_url(base_url, product.product_id),
        content_type=product.content_type,
        content_length=held.size,
        content_qualifier=qualifier,
    )


def _plate_page(bundle: PlateBundle, base_url: str) -> Link:
    plate = bundle.plate
    return Link(
        semantics="#documentation",
        local_semantics="plate-page",
        description=f"Page of plate {plate.plate_id}: pictures, exposures, links",
        access_url=plate_url(base_url, plate.collection, plate.plate_id),
        content_type="text/html",
    )


def _siblings(bundle: PlateBundle, exposure: Exposure, base_url: str) -> Iterator[Link]:
    """The other exposures in the same emulsion; those without a scan have no data to be derived."""
    for sibling in bundle.exposures:
        if sibling.exposure_id == exposure.exposure_id or sibling.scan_id is None:
            continue
        yield Link(
            semantics="#coderived",
            local_semantics="sibling-exposure",
            description=f"The same plate, {_name(sibling)}",
            access_url=links_url(base_url, sibling.publisher_did),
            content_type=DATALINK_TYPE,
        )


def _name(exposure: Exposure) -> str:
    number = exposure.exposure_id if exposure.exposure_number is None else exposure.exposure_number
    target = f" ({exposure.target_name})" if exposure.target_name else ""
    return f"exposure {number}{target}"
