"""What identifiers name: an exposure, or a plate with all of its exposures, and the files to cut from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vo.context import Context
from vo.dali.intervals import Interval
from vo.db.archive import find_plates
from vo.db.records import Exposure, Plate, PlateBundle, Product
from vo.errors import Fault, NotFoundFault, UsageFault
from vo.metadata.collection import Collection
from vo.products.images import CutSource, find_cut_source, find_images
from vo.products.store import describe
from vo.soda.request import Filters


@dataclass(frozen=True, slots=True)
class Target:
    """What an ID names. ``exposures`` is that very one, or all of the plate when the ID is a plate's (``is_plate``)."""

    bundle: PlateBundle
    exposures: tuple[Exposure, ...]
    collection: Collection
    is_plate: bool

    @property
    def plate(self) -> Plate:
        """The glass."""
        return self.bundle.plate


def find_targets(context: Context, dids: Sequence[str]) -> dict[str, Target]:
    """What each identifier names, by the identifier as it was given; an unknown one is left out."""
    with context.database.read() as connection:
        found = find_plates(connection, dids)
    collections = {collection.name: collection for collection in context.collections}
    targets = {}
    for did, (bundle, exposure) in found.items():
        collection = collections.get(bundle.plate.collection)
        if collection is not None:
            exposures = bundle.exposures if exposure is None else (exposure,)
            targets[did] = Target(bundle, exposures, collection, exposure is None)
    return targets


def unknown(did: str) -> NotFoundFault:
    """The fault for an identifier that names nothing (SOD-08)."""
    return NotFoundFault(
        f"ID={did[:200]!r} is not the identifier of an exposure (obs_publisher_did) or plate here; SIA2 and TAP find "
        "them"
    )


def passing(target: Target, filters: Filters) -> tuple[Exposure, ...]:
    """The exposures that the filters of the axes let pass which an image does not have.

    A plate holds all of its light and time in one: what overlaps is not cut, what does not leaves nothing. What is not
    known filters nothing. Emulsions record intensity, which is Stokes I.
    """
    return tuple(one for one in target.exposures if overlaps(filters, target.plate, one, target.collection))


def overlaps(filters: Filters, plate: Plate, exposure: Exposure, collection: Collection) -> bool:
    """Whether the filters let one exposure pass; see :func:`passing`."""
    em_min, em_max = plate.em_min, plate.em_max
    if em_min is None or em_max is None:
        em_min, em_max = collection.defaults.em_min, collection.defaults.em_max
    return (
        _meets(filters.band, em_min, em_max)
        and _meets(filters.time, exposure.t_min, exposure.t_max)
        and (not filters.polarisation or "I" in filters.polarisation)
    )


def _meets(asked: Interval | None, low: float | None, high: float | None) -> bool:
    if asked is None or low is None or high is None:
        return True
    return asked.low <= high and low <= asked.high


def whole_file(target: Target) -> Product:
    """The file that the collection calls #this, or the first of the others that is here."""
    held = first_held(_images(target))
    if held is None:
        raise _no_file(target)
    return held


def find_source(target: Target, exposure: Exposure) -> CutSource:
    """The file to cut an exposure from; the fault says why there is none."""
    source = find_cut_source(target.bundle, exposure, target.collection)
    if source is not None:
        return source
    solution = target.bundle.solution_of(exposure)
    if solution is None:
        raise UsageFault(
            f"{exposure.publisher_did} has no astrometric solution here, which would tell the pixels of this part "
            "of the sky; ask without a shape for the whole scan, or choose another exposure in its Datalink document"
        )
    held = first_held(find_images(target.bundle, exposure, target.collection))
    if held is not None:
        raise other_grid(exposure, held)
    raise _no_file(target)


def other_grid(exposure: Exposure, product: Product) -> UsageFault:
    """The fault for a solution that no file here fits."""
    return UsageFault(
        f"the solution of {exposure.publisher_did} is for another pixel grid than {product.product_id} has; "
        "please tell the operator of this service"
    )


def first_held(products: Iterable[Product]) -> Product | None:
    """The first of these files that can be had."""
    for product in products:
        try:
            describe(product)
        except Fault:
            continue
        return product
    return None


def _images(target: Target) -> Iterable[Product]:
    found = (one for exposure in target.exposures for one in find_images(target.bundle, exposure, target.collection))
    return {one.product_id: one for one in found}.values()


def _no_file(target: Target) -> Fault:
    """Why no image of the plate can be read."""
    for product in _images(target):
        try:
            describe(product)
        except Fault as fault:
            return fault
    return NotFoundFault(f"no FITS image of plate {target.plate.plate_id} is here")
