"""Which FITS image belongs to an exposure: the collection's ``#this``, the others, and what a cutout is made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vo.db.records import IMAGE_ROLES, Exposure, PlateBundle, Product, Solution
from vo.errors import Fault
from vo.metadata.collection import Collection
from vo.products.grid import grid_factor
from vo.products.store import describe


@dataclass(frozen=True, slots=True)
class Images:
    """The FITS files of one exposure.

    ``this`` is the file that the collection calls ``#this``, None when the plate has no file at all; ``others``
    show the same scan at another binning; ``rescans`` are of other scans of the plate.
    """

    this: Product | None
    others: tuple[Product, ...] = ()
    rescans: tuple[Product, ...] = ()

    def __iter__(self) -> Iterator[Product]:
        """The images of the exposure's own scan, the best choice first."""
        if self.this is not None:
            yield self.this
        yield from self.others


@dataclass(frozen=True, slots=True)
class CutSource:
    """What a cutout is made from: the file, and the exposure's solution (:func:`vo.products.grid.file_wcs`)."""

    product: Product
    solution: Solution


def find_images(bundle: PlateBundle, exposure: Exposure, collection: Collection) -> Images:
    """Sort the plate's FITS files for this exposure (which file is ``#this`` is the collection's choice)."""
    own = bundle.images_of(exposure, collection.products.this)
    rescans = tuple(
        product
        for product in bundle.products
        if product.role in IMAGE_ROLES and product.exposure_id in (None, exposure.exposure_id) and product not in own
    )
    return Images(own[0] if own else None, own[1:], rescans)


def group_images(bundle: PlateBundle, collection: Collection) -> tuple[Images, ...]:
    """The plate's FITS files, a group for each scan that has any; scans that show exposures best come first.

    Each group begins with the scan's ``#this``.
    """
    shown = {exposure.scan_id for exposure in bundle.exposures}
    images = sorted(
        (product for product in bundle.products if product.role in IMAGE_ROLES),
        key=lambda one: (one.role != collection.products.this, one.bin_factor, one.product_id),
    )
    scans = sorted({one.scan_id for one in images}, key=lambda scan: (scan not in shown, scan or ""))
    groups = (tuple(one for one in images if one.scan_id == scan) for scan in scans)
    return tuple(Images(group[0], group[1:]) for group in groups)


def find_cut_source(bundle: PlateBundle, exposure: Exposure, collection: Collection) -> CutSource | None:
    """What a cutout of this exposure is made from: ``#this``, or another binning when only that is held here.

    None when the exposure has no solution or no image here; a file that should be here and is not is passed over
    (its own row in Datalink says so).
    """
    solution = bundle.solution_of(exposure)
    if solution is None:
        return None
    scan = next((one for one in bundle.scans if one.scan_id == solution.scan_id), None)
    for product in find_images(bundle, exposure, collection):
        if grid_factor(solution, product, scan) is None:
            continue
        try:
            describe(product)
        except Fault:
            continue
        return CutSource(product, solution)
    return None
