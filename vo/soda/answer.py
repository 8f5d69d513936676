"""From a SODA request to pixels: the exposure, its own solution, the file to cut (SODA 1.0, sections 2 and 4)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

import vo
from vo.context import Context
from vo.dali.intervals import Interval
from vo.dali.parameters import Parameters
from vo.dali.shapes import Shape
from vo.db.archive import find_plates
from vo.db.records import Exposure, Plate, PlateBundle, Product, Solution
from vo.errors import Fault, NotFoundFault, UsageFault
from vo.metadata.collection import Collection
from vo.pixels.cutout import cut
from vo.pixels.wcs import ImageWCS, load_solution
from vo.products.images import CutSource, find_cut_source, find_images
from vo.products.links import file_url
from vo.products.store import describe
from vo.soda.request import CutRequest, read_request


@dataclass(frozen=True, slots=True)
class Whole:
    """Nothing is to be cut: the file is at ``url``."""

    url: str


@dataclass(frozen=True, slots=True)
class Cutting:
    """A FITS file on its way, ``size`` bytes long."""

    media_type: str
    filename: str
    size: int
    chunks: Iterator[bytes]


def answer(context: Context, parameters: Parameters, base_url: str) -> Whole | Cutting | None:
    """Cut the part of an exposure's plate that was asked for; None when nothing of it is in the data (SOD-03).

    Faults: :class:`NotFoundFault` for an unknown ID and for a plate whose image is not here, :class:`UsageFault` for
    bad parameters and for an exposure without a solution, :class:`vo.errors.LimitFault` for too many pixels.
    """
    request = read_request(parameters)
    bundle, exposure, collection = _find(context, request.did)
    if not overlaps(request, bundle.plate, exposure, collection):
        return None
    if request.shape is None:
        return Whole(file_url(base_url, _whole_file(bundle, exposure, collection).product_id))
    source = find_cut_source(bundle, exposure, collection)
    if source is None:
        raise _no_source(bundle, exposure, collection)
    return _cut(context, request, request.shape, exposure, source)


def _find(context: Context, did: str) -> tuple[PlateBundle, Exposure, Collection]:
    with context.database.read() as connection:
        found = find_plates(connection, [did]).get(did)
    collections = {collection.name: collection for collection in context.collections}
    if found is None or found[0].plate.collection not in collections:
        raise NotFoundFault(
            f"ID={did[:200]!r} is not the identifier (obs_publisher_did) of an exposure here; SIA2 and TAP find them"
        )
    bundle, exposure = found
    return bundle, exposure, collections[bundle.plate.collection]


def overlaps(request: CutRequest, plate: Plate, exposure: Exposure, collection: Collection) -> bool:
    """Whether the filters of the axes that an image does not have let it pass.

    A plate holds all of its light and time in one: what overlaps is not cut, what does not leaves nothing. What is not
    known filters nothing. Emulsions record intensity, which is Stokes I.
    """
    em_min, em_max = plate.em_min, plate.em_max
    if em_min is None or em_max is None:
        em_min, em_max = collection.defaults.em_min, collection.defaults.em_max
    return (
        _meets(request.band, em_min, em_max)
        and _meets(request.time, exposure.t_min, exposure.t_max)
        and (not request.polarisation or "I" in request.polarisation)
    )


def _meets(asked: Interval | None, low: float | None, high: float | None) -> bool:
    if asked is None or low is None or high is None:
        return True
    return asked.low <= high and low <= asked.high


def _whole_file(bundle: PlateBundle, exposure: Exposure, collection: Collection) -> Product:
    """The file that the collection calls #this, or the first of the others that is here."""
    for product in find_images(bundle, exposure, collection):
        try:
            describe(product)
        except Fault:
            continue
        return product
    raise _no_file(bundle, exposure, collection)


def _no_source(bundle: PlateBundle, exposure: Exposure, collection: Collection) -> Fault:
    """Why nothing can be cut."""
    if bundle.solution_of(exposure) is None:
        return UsageFault(
            f"{exposure.publisher_did} has no astrometric solution here, which would tell the pixels of this part "
            "of the sky; ask without a shape for the whole scan, or choose another exposure in its Datalink document"
        )
    return _no_file(bundle, exposure, collection)


def _no_file(bundle: PlateBundle, exposure: Exposure, collection: Collection) -> Fault:
    """Why no image of the plate can be read."""
    for product in find_images(bundle, exposure, collection):
        try:
            describe(product)
        except Fault as fault:
            return fault
    return NotFoundFault(f"no FITS image of plate {bundle.plate.plate_id} is here")


def _cut(context: Context, request: CutRequest, shape: Shape, exposure: Exposure, source: CutSource) -> Cutting | None:
    made = cut(
        source.held.path,
        exposure_wcs(source),
        shape,
        provenance(context, request, exposure, source.solution),
        context.settings.cutout_pixels,
        hdu=source.product.hdu,
    )
    if made is None:
        return None
    return Cutting(request.media_type, _filename(exposure), made.content_length, made.stream())


def exposure_wcs(source: CutSource) -> ImageWCS:
    """The exposure's solution on the pixel grid of the file."""
    solution, product = source.solution, source.product
    wcs = load_solution(solution.header, solution.wcs_key, (solution.width, solution.height))
    if source.factor == 1:
        return wcs
    if product.width is None or product.height is None:
        return wcs.binned(source.factor)
    return wcs.binned(source.factor, (product.width, product.height))


def provenance(
    context: Context, request: CutRequest, exposure: Exposure, solution: Solution
) -> tuple[tuple[str, str], ...]:
    """What the cutout's header says of itself: who made it, of what, how and when (SOD-10).

    Plate and exposure stand in HISTORY: wcslib reads PLATEID (four letters) with the plate polynomial of DSS files, and
    refuses the whole system when another value stands there.
    """
    made = "" if solution.made_date is None else f", made {solution.made_date.date().isoformat()}"
    pipeline = "" if solution.pipeline is None else f" by {solution.pipeline}"
    return (
        ("ORIGIN", context.settings.publisher),
        ("DATE", dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")),
        ("PUBDID", exposure.publisher_did),
        ("HISTORY", f"Plate {exposure.plate_id}, exposure {exposure.exposure_id} of collection {exposure.collection}"),
        ("HISTORY", f"Cut out by vo-plates {vo.__version__} for {request.text}"),
        ("HISTORY", f"WCS: solution {solution.solution_id} version {solution.version} of scan {solution.scan_id}"),
        ("HISTORY", f"WCS: {solution.status}{pipeline}{made}"),
    )


def _filename(exposure: Exposure) -> str:
    """A name that every file system takes."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{exposure.plate_id}_{exposure.exposure_id}")
    return f"{plain}_cutout.fits"
