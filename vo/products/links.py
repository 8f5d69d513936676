"""What belongs to an exposure or a plate, in Datalink's words (DataLink 1.1, section 3; vocabulary datalink/core).

Rows are made from a plate's records alone; the Datalink service turns them into a table. docs/datalink.md lists them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from vo.db.records import Exposure, PlateBundle, Product, Solution
from vo.errors import Fault
from vo.metadata.collection import Collection
from vo.products.headers import HEADER_TYPE, describe_solution, header_text, header_url
from vo.products.images import Images, find_images, group_images
from vo.products.mosaics import list_mosaics, mosaic_url
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


@dataclass(frozen=True, slots=True)
class _Kind:
    """What files of one role are; those ``of_scan`` show or serve one scan, and are no help with another."""

    role: str
    semantics: str
    local: str
    text: str
    of_scan: bool = False
    qualifier: str | None = None


#: The files that are no FITS images of scans, in the order they are listed.
#: The preview stands under both terms: #preview-image is the exact one, and clients that compare
#: semantics as plain text, without the vocabulary, look for #preview.
_KINDS: tuple[_Kind, ...] = (
    _Kind("preview", "#preview", "preview", "Preview of the scan", of_scan=True, qualifier="#image"),
    _Kind("preview", "#preview-image", "preview-image", "Preview of the whole scan", of_scan=True, qualifier="#image"),
    _Kind("thumbnail", "#thumbnail", "thumbnail", "Small picture of the scan", of_scan=True, qualifier="#image"),
    _Kind("calibration", "#calibration", "calibration", "Photometric calibration of the scan", of_scan=True),
    _Kind("plate_photo", "#documentation", "plate-photo", "Photograph of the plate with its markings, before cleaning"),
    _Kind("plate_photo_clean", "#documentation", "plate-photo-clean", "Photograph of the plate after it was cleaned"),
    _Kind("jacket_photo", "#documentation", "jacket-photo", "Photograph of the plate's jacket"),
    _Kind("logbook", "#documentation", "logbook-page", "Logbook page of the plate"),
    _Kind("documentation", "#documentation", "paper", "Document about the plate"),
    _Kind("raw", "#progenitor", "raw", "Raw data that the scan was made of", of_scan=True),
)


def file_url(base_url: str, product_id: str) -> str:
    """The permanent address of a product."""
    return f"{base_url.rstrip('/')}/files/{quote(product_id, safe='/')}"


def plate_url(base_url: str, collection: str, plate_id: str) -> str:
    """The address of a plate's page."""
    return f"{base_url.rstrip('/')}/plates/{quote(collection, safe='')}/{quote(plate_id, safe='')}"


def links_url(base_url: str, publisher_did: str) -> str:
    """The address of the Datalink document of an exposure or a plate."""
    return f"{base_url.rstrip('/')}/datalink/links?ID={quote(publisher_did, safe='')}"


def plate_did(exposure: Exposure) -> str:
    """The identifier of an exposure's plate."""
    return exposure.publisher_did.rpartition("/")[0]


def list_links(
    bundle: PlateBundle, exposure: Exposure, collection: Collection, base_url: str, service_def: str | None = None
) -> tuple[Link, ...]:
    """All links of one exposure, the cutout service first (DSC-06), then ``#this``.

    ``service_def`` is the XML ID of the exposure's SODA descriptor, None when nothing can be cut. A file that is not
    here has a row with the reason instead of an address.
    """
    images = find_images(bundle, exposure, collection)
    chosen = bundle.solution_of(exposure)
    solutions = [one for one in bundle.solutions if one.exposure_id == exposure.exposure_id]
    return (
        *_service(f"Cutouts of the scan with the WCS of {_name(exposure)}", service_def),
        *_images(bundle, (images,), base_url),
        *_files(bundle, exposure, base_url),
        *_headers(sorted(solutions, key=lambda one: (one is not chosen, *_newest_first(one))), base_url),
        _plate_page(bundle, base_url),
        *_whole_plate(bundle, exposure, base_url),
        *_siblings(bundle, exposure, base_url),
    )


def list_plate_links(
    bundle: PlateBundle, collection: Collection, base_url: str, service_def: str | None = None
) -> tuple[Link, ...]:
    """All links of a whole plate: the cutout service, each scan (``#this``), the files, each exposure's document.

    ``service_def`` is the XML ID of the plate's SODA descriptor, None when nothing can be cut.
    """
    text = "Cutouts of the scan, one image for each exposure that shows the place"
    return (
        *_service(text, service_def),
        *_images(bundle, group_images(bundle, collection), base_url),
        *_files(bundle, None, base_url),
        *_headers(sorted(bundle.solutions, key=_newest_first), base_url),
        _plate_page(bundle, base_url),
        *(_exposure(exposure, base_url) for exposure in bundle.exposures),
    )


def _service(text: str, service_def: str | None) -> Iterator[Link]:
    if service_def is None:
        return
    yield Link(
        semantics="#cutout",
        local_semantics="cutout",
        description=text,
        service_def=service_def,
        content_type="image/fits",
        content_qualifier="#image",
    )


# ------------------------------------------------------------------------------------------------- images


def _images(bundle: PlateBundle, groups: Sequence[Images], base_url: str) -> Iterator[Link]:
    """The FITS images: each group's ``#this``, its others, the images of scans that belong to no group."""
    mosaics = list_mosaics(bundle)
    if not any(images.this for images in groups):
        yield _missing_this(bundle)
    for images in groups:
        if images.this is not None:
            yield from _image(images.this, "#this", mosaics, base_url)
        for product in images.others:
            yield from _image(product, _relation(product, images), mosaics, base_url)
        for product in images.rescans:
            yield from _image(product, "#coderived", mosaics, base_url)


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


def _image(product: Product, semantics: str, mosaics: frozenset[str], base_url: str) -> Iterator[Link]:
    """An image, with coordinates where they can be had: a base file is what its mosaic is made from."""
    local, text = product.role.replace("_", "-"), _image_text(product)
    if product.product_id not in mosaics:
        bare = ", without coordinates in its header" if product.is_base else ""
        yield _file(product, semantics, local, text + bare, base_url, "#image")
        return
    # Its length is known when its headers have been read, which is too much for a list.
    made = _file(product, semantics, local.replace("fits", "mosaic"), text, base_url, "#image")
    made = replace(made, description=f"{text}, with all current solutions in its header", content_length=None)
    yield made if made.access_url is None else replace(made, access_url=mosaic_url(base_url, product))
    bare = f"Base file, without coordinates in its header: {text}"
    yield _file(product, "#progenitor" if semantics == "#this" else semantics, local, bare, base_url, "#image")


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


# ------------------------------------------------------------------------------------------------- other files


def _files(bundle: PlateBundle, exposure: Exposure | None, base_url: str) -> Iterator[Link]:
    """The files that are no images of scans; what belongs to another scan than the exposure's is ``#coderived``."""
    products = sorted(bundle.products, key=lambda product: product.product_id)
    several = len(bundle.scans) > 1
    for kind in _KINDS:
        for product in products:
            if product.role != kind.role or not _is_of(product, exposure):
                continue
            text = f"{kind.text}, scan {product.scan_id}" if several and kind.of_scan and product.scan_id else kind.text
            if not kind.of_scan or _is_of_scan(product, exposure):
                yield _file(product, kind.semantics, kind.local, text, base_url, kind.qualifier)
            elif kind.semantics != "#preview-image":
                yield _file(product, "#coderived", kind.local, text, base_url, kind.qualifier)


def _is_of(product: Product, exposure: Exposure | None) -> bool:
    return exposure is None or product.exposure_id in (None, exposure.exposure_id)


def _is_of_scan(product: Product, exposure: Exposure | None) -> bool:
    return exposure is None or exposure.scan_id is None or product.scan_id in (None, exposure.scan_id)


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


def _headers(solutions: Sequence[Solution], base_url: str) -> Iterator[Link]:
    """Solutions as headers without an image: current versions and former ones."""
    for solution in solutions:
        what = "WCS header" if solution.is_current else "Former WCS header"
        whose = "no known exposure" if solution.exposure_id is None else f"exposure {solution.exposure_id}"
        yield Link(
            semantics="#detached-header",
            local_semantics="wcs-header" if solution.is_current else "former-wcs-header",
            description=f"{what} of {whose} on scan {solution.scan_id}: {describe_solution(solution)}",
            access_url=header_url(base_url, solution),
            content_type=HEADER_TYPE,
            content_length=len(header_text(solution)),
        )


def _newest_first(solution: Solution) -> tuple[bool, str, tuple[str | int, ...], int]:
    """Current solutions before former ones, in their order, the newest version first."""
    return (not solution.is_current, solution.scan_id, solution.order, -solution.version)


# ------------------------------------------------------------------------------------------------- documents


def _plate_page(bundle: PlateBundle, base_url: str) -> Link:
    plate = bundle.plate
    return Link(
        semantics="#documentation",
        local_semantics="plate-page",
        description=f"Page of plate {plate.plate_id}: pictures, exposures, links",
        access_url=plate_url(base_url, plate.collection, plate.plate_id),
        content_type="text/html",
    )


def _whole_plate(bundle: PlateBundle, exposure: Exposure, base_url: str) -> Iterator[Link]:
    """The document of the plate, where it has more than this one."""
    if len(bundle.exposures) < 2:  # noqa: PLR2004 - several
        return
    yield Link(
        semantics="#coderived",
        local_semantics="whole-plate",
        description=f"The whole plate: its files, its {len(bundle.exposures)} exposures and all of their solutions",
        access_url=links_url(base_url, plate_did(exposure)),
        content_type=DATALINK_TYPE,
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


def _exposure(exposure: Exposure, base_url: str) -> Link:
    """One exposure of the plate that is asked for; without a scan its document tells of it and has no data."""
    return Link(
        semantics="#documentation" if exposure.scan_id is None else "#coderived",
        local_semantics="exposure",
        description=f"Links of {_name(exposure)} alone",
        access_url=links_url(base_url, exposure.publisher_did),
        content_type=DATALINK_TYPE,
    )


def _name(exposure: Exposure) -> str:
    number = exposure.exposure_id if exposure.exposure_number is None else exposure.exposure_number
    target = f" ({exposure.target_name})" if exposure.target_name else ""
    return f"exposure {number}{target}"
