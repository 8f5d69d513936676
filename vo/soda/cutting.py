"""From targets and a shape to the bytes of a cutout: one image, several in one file, or a picture."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vo.context import Context
from vo.db.records import Exposure, Product, Solution
from vo.errors import Fault, LimitFault, UsageFault
from vo.pixels.cutheader import CutCard, Fellows
from vo.pixels.cutout import cut
from vo.pixels.mask import mask
from vo.pixels.picture import draw
from vo.pixels.piece import Piece, join, piece_of
from vo.pixels.read import Box
from vo.pixels.source import ByteSource
from vo.pixels.wcs import ImageWCS
from vo.products.grid import file_wcs
from vo.products.images import CutSource
from vo.products.store import open_source
from vo.soda.provenance import image_cards, primary_cards, solution_name
from vo.soda.request import AskedShape, Filters, Output
from vo.soda.targets import Target, find_source, other_grid, passing

_FORMS = {"image/jpeg": ("JPEG", "jpg"), "image/png": ("PNG", "png")}


@dataclass(frozen=True, slots=True)
class Cutting:
    """A file on its way, ``size`` bytes long."""

    media_type: str
    filename: str
    size: int
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of an exposure's image that shows a shape: its pixels, and where they are by which solution."""

    exposure: Exposure
    piece: Piece
    box: Box
    wcs: ImageWCS


def make(
    context: Context, targets: Sequence[tuple[str, Target]], shape: AskedShape, filters: Filters, output: Output
) -> Cutting | None:
    """Cut a shape out of each target (with its ID as asked), None when nothing of it is in the data (SOD-03).

    One exposure gives an image in the primary HDU. A plate, or several IDs, give a file of extensions, one for each
    exposure that shows the shape, in the order of the IDs.

    Faults: :class:`NotFoundFault` for a plate whose image is not here, :class:`UsageFault` for an exposure without a
    solution, :class:`vo.errors.LimitFault` for too many pixels or bytes.
    """
    is_single = len(targets) == 1 and not targets[0][1].is_plate
    cutter = _Cutter(context, shape, filters, is_single)
    shown = [one for did, target in targets for one in cutter.show(did, target)]
    if not shown:
        return None
    _check_pixels(context, shown, output)
    if output.is_masked:
        shown = [replace(one, piece=mask(one.piece, one.box, one.wcs, shape.shape)) for one in shown]
    if output.is_picture:
        return _picture(shown, shape, output)
    name = _filename(targets, "fits")
    if is_single:
        piece = shown[0].piece
        _check_bytes(context, piece.content_length)
        return Cutting(output.media_type, name, piece.content_length, piece.stream())
    joined = join([one.piece for one in shown], primary_cards(context, shape.text, cutter.notes))
    _check_bytes(context, joined.content_length)
    return Cutting(output.media_type, name, joined.content_length, joined.stream())


class _Cutter:
    """Cuts one shape out of exposures; ``notes`` say what several of them do not show, and why."""

    def __init__(self, context: Context, shape: AskedShape, filters: Filters, is_single: bool) -> None:  # noqa: FBT001  told by what was asked
        self.notes: list[str] = []
        self._context = context
        self._shape = shape
        self._filters = filters
        self._is_single = is_single
        self._names: Counter[str] = Counter()
        self._sources: dict[str, ByteSource] = {}

    def show(self, did: str, target: Target) -> Iterator[Shown]:
        """The parts of a target's exposures that show the shape; a fault when none of them can be cut."""
        sources: list[tuple[Exposure, CutSource, ImageWCS]] = []
        faults: list[Fault] = []
        for exposure in passing(target, self._filters):
            try:
                source = find_source(target, exposure)
                sources.append((exposure, source, _own_wcs(target, exposure, source)))
            except Fault as fault:
                faults.append(fault)
        if faults and not sources:
            raise faults[0]
        parts = [self._cut(target, *one) for one in sources]
        shown = [part for part in parts if part is not None]
        self.notes.append(f"ID={did}: {len(shown)} of {len(target.exposures)} exposures show it")
        self.notes += [f"left out: {fault.text}" for fault in faults]
        yield from shown

    def _cut(self, target: Target, exposure: Exposure, source: CutSource, wcs: ImageWCS) -> Shown | None:
        made = cut(
            self._open(source.product),
            wcs,
            self._shape.shape,
            (
                *(() if self._is_single else self._extension_cards(exposure)),
                *image_cards(self._context, self._shape.text, exposure, source.solution),
            ),
            self._context.settings.cutout_pixels,
            hdu=source.product.hdu,
            fellows=_fellows(target, source),
        )
        if made is None:
            return None
        self._names[_extension_name(exposure)] += 1
        return Shown(exposure, piece_of(made), made.box, wcs)

    def _open(self, product: Product) -> ByteSource:
        """The exposures of a plate are cut from one file."""
        if product.product_id not in self._sources:
            self._sources[product.product_id] = open_source(product, self._context.settings)
        return self._sources[product.product_id]

    def _extension_cards(self, exposure: Exposure) -> tuple[CutCard, ...]:
        """An exposure that comes twice, by its own ID and by its plate's, gets another EXTVER."""
        name, number = _extension_name(exposure), exposure.exposure_number
        return (
            ("EXTNAME", name, "plate and exposure"),
            ("EXTVER", self._names[name] + 1),
            *((("EXPNUM", number, "exposure of the plate"),) if number is not None else ()),
        )


def _extension_name(exposure: Exposure) -> str:
    return f"{exposure.plate_id}/{exposure.exposure_id}"


def _own_wcs(target: Target, exposure: Exposure, source: CutSource) -> ImageWCS:
    found = _wcs(target, source.solution, source.product)
    if found is None:
        raise other_grid(exposure, source.product)
    return found


def _wcs(target: Target, solution: Solution, product: Product) -> ImageWCS | None:
    scan = next((one for one in target.bundle.scans if one.scan_id == solution.scan_id), None)
    return file_wcs(solution, product, scan)


def _fellows(target: Target, source: CutSource) -> Fellows:
    """The other solutions of the same scan, on the file's pixels: current ones, and those that were replaced."""
    current, former = [], []
    for one in sorted(target.bundle.solutions, key=lambda one: (one.order, one.version)):
        if one == source.solution or one.scan_id != source.solution.scan_id:
            continue
        try:
            wcs = _wcs(target, one, source.product)
        except UsageFault:  # it cannot be used, or not be turned as the file lies
            continue
        if wcs is None:
            continue
        if one.is_current:
            exposure = "" if one.exposure_id is None else f" (exposure {one.exposure_id})"
            current.append((f"{solution_name(one)}{exposure}", wcs))
        else:
            former.append(wcs)
    return Fellows(tuple(current), tuple(former))


def _check_pixels(context: Context, shown: Sequence[Shown], output: Output) -> None:
    """The limits of all images of an answer together; a single one was checked when it was cut."""
    most, setting = context.settings.cutout_pixels, "cutout_pixels"
    if output.is_picture:
        most, setting = context.settings.picture_pixels, "picture_pixels"
    pixels = sum(one.piece.length // one.piece.dtype.itemsize for one in shown)
    if pixels > most:
        images = f"{len(shown)} images with {pixels:,} pixels together" if len(shown) > 1 else f"{pixels:,} pixels"
        remedy = "or for FITS" if output.is_picture else "or for fewer exposures"
        raise LimitFault(
            f"this cutout would have {images}; the limit ({setting}) is {most:,}: ask for a smaller region, {remedy}"
        )


def _check_bytes(context: Context, size: int) -> None:
    most = context.settings.cutout_bytes
    if size > most:
        raise LimitFault(
            f"this cutout would have {size:,} bytes; the limit (cutout_bytes) is {most:,}: ask for a smaller "
            "region, or take the whole file"
        )


def _picture(shown: Sequence[Shown], shape: AskedShape, output: Output) -> Cutting:
    if len(shown) > 1:
        names = ", ".join(one.exposure.publisher_did for one in shown[:12])
        raise UsageFault(
            f"a picture shows one exposure, and {len(shown)} show this region; ask for one of them by its ID "
            f"({names}), or for image/fits, which has them all"
        )
    (only,) = shown
    form, ending = _FORMS[output.media_type]
    north = (only.wcs, only.box) if output.is_north_up else None
    text = f"{only.exposure.publisher_did} {shape.text}"
    content = draw(only.piece, "JPEG" if form == "JPEG" else "PNG", text, north=north)
    name = f"{_plain(f'{only.exposure.plate_id}_{only.exposure.exposure_id}')}_cutout.{ending}"
    return Cutting(output.media_type, name, len(content), iter([content]))


def _filename(targets: Sequence[tuple[str, Target]], ending: str) -> str:
    """A name that every file system takes."""
    if len(targets) > 1:
        return f"cutouts.{ending}"
    target = targets[0][1]
    name = target.plate.plate_id
    if not target.is_plate:
        name = f"{name}_{target.exposures[0].exposure_id}"
    return f"{_plain(name)}_cutout.{ending}"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name)
