"""Which FITS image belongs to an exposure: the collection's ``#this``, the others, and what a cutout is made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vo.db.records import IMAGE_ROLES, Exposure, PlateBundle, Product, Solution
from vo.errors import Fault
from vo.metadata.collection import Collection
from vo.products.store import Held, describe


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
    """What a cutout is made from: the file, the exposure's solution, and by how much the solution's grid is finer."""

    product: Product
    held: Held
    solution: Solution
    factor: int


def find_images(bundle: PlateBundle, exposure: Exposure, collection: Collection) -> Images:
    """Sort the plate's FITS files for this exposure (which file is ``#this`` is the collection's choice)."""
    own = bundle.images_of(exposure, collection.products.this)
    rescans = tuple(
        product
        for product in bundle.products
        if product.role in IMAGE_ROLES and product.exposure_id in (None, exposure.exposure_id) and product not in own
    )
    return Images(own[0] if own else None, own[1:], rescans)


def find_cut_source(bundle: PlateBundle, exposure: Exposure, collection: Collection) -> CutSource | None:
    """What a cutout of this exposure is made from: ``#this``, or another binning when only that is held here.

    None when the exposure has no solution or no image here; a file that should be here and is not is passed over
    (its own row in Datalink says so).
    """
    solution = bundle.solution_of(exposure)
    if solution is None:
        return None
    for product in find_images(bundle, exposure, collection):
        factor = grid_factor(solution, product)
        if factor is None:
            continue
        try:
            held = describe(product)
        except Fault:
            continue
        return CutSource(product, held, solution, factor)
    return None


def grid_factor(solution: Solution, product: Product) -> int | None:
    """How many pixels of the solution's grid one pixel of the file covers along each axis; None when they do not fit.

    A solution may be written for the whole scan or for the very file it was found in.
    """
    if product.width is None or product.height is None:
        return product.bin_factor
    if (solution.width, solution.height) == (product.width, product.height):
        return 1
    factor = product.bin_factor
    # Binning drops the last, incomplete pixels or keeps them.
    fits = all(
        full // factor <= binned <= -(-full // factor)
        for full, binned in ((solution.width, product.width), (solution.height, product.height))
    )
    return factor if fits else None
