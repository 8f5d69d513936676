"""Cutting the part of a plate that shows a shape on the sky (SODA 1.0, sections 3.3 and 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from vo.dali.shapes import Shape
from vo.errors import LimitFault, NotFoundFault, UsageFault
from vo.pixels.cutheader import ALONE, CutCard, Fellows, build_header
from vo.pixels.read import BLOCK, Box, ImageHDU, Source, list_images, read_bands
from vo.pixels.region import find_box
from vo.pixels.source import ByteSource, as_source
from vo.pixels.wcs import ImageWCS, find_solutions


@dataclass(frozen=True, slots=True)
class Cutout:
    """A FITS file in the making: ``box`` of the image, ``header`` (whole blocks), ``content_length`` in bytes."""

    box: Box
    header: bytes
    content_length: int
    _bands: Callable[[], Iterator[bytes]] = field(repr=False)

    def stream(self) -> Iterator[bytes]:
        """The file's bytes: the header, then pixels in pieces of some megabytes, read as they are sent."""
        yield self.header
        sent = len(self.header)
        for band in self._bands():
            sent += len(band)
            yield band
        if padding := self.content_length - sent:
            yield bytes(padding)


def cut(
    source: Source,
    wcs: ImageWCS,
    shape: Shape,
    cards: Sequence[CutCard] = (),
    budget: int = 100_000_000,
    *,
    hdu: int | None = None,
    fellows: Fellows = ALONE,
) -> Cutout | None:
    """The part of an image that shows ``shape`` (ICRS degrees), None when there is no overlap (SOD-03).

    ``source`` is where the bytes come from, a path, or a file open for reading bytes: plain, gzipped or tile-compressed
    FITS; ``hdu`` the image's HDU, the first image when None. ``wcs`` is the exposure's solution on this image's pixels,
    from the file's own header or from elsewhere; it becomes the cutout's untagged system, and ``fellows``, the plate's
    other solutions on these pixels, its lettered ones. ``cards`` are (keyword, value[, comment]) and tell the
    provenance. The box covers all of the shape that lies on the image, and little more (SOD-06).

    Before any pixel is read: LimitFault when the box has more than ``budget`` pixels, UsageFault when ``wcs`` is of
    another pixel grid, NotFoundFault when there is no such image, OperatorFault for a damaged file.
    """
    source = as_source(source)
    image = _image(source, hdu)
    if image.shape != wcs.shape:
        raise UsageFault(
            f"the solution is for {wcs.shape[0]} x {wcs.shape[1]} pixels and the image has "
            f"{image.shape[0]} x {image.shape[1]}; scale the solution with binned() first"
        )
    box = find_box(wcs, shape)
    if box is None:
        return None
    pixels = box.width * box.height * image.depth
    if pixels > budget:
        size = " x ".join(str(length) for length in (box.width, box.height, *image.planes))
        raise LimitFault(
            f"this cutout would have {size} = {pixels:,} pixels; the limit (cutout_pixels) is "
            f"{budget:,}: ask for a smaller region, or take the whole file"
        )
    header = build_header(image, _own_solutions(image), wcs, box, cards, source.name, fellows)
    length = pixels * image.dtype.itemsize
    return Cutout(
        box=box,
        header=header,
        content_length=len(header) + -(-length // BLOCK) * BLOCK,
        _bands=lambda: read_bands(source, image, box),
    )


def _image(source: ByteSource, hdu: int | None) -> ImageHDU:
    images = list_images(source)
    if not images:
        raise NotFoundFault(f"{source.name} holds no image")
    if hdu is None:
        return images[0]
    found = next((image for image in images if image.index == hdu), None)
    if found is None:
        known = ", ".join(str(image.index) for image in images)
        raise NotFoundFault(f"HDU {hdu} of {source.name} is no image; images are in {known}")
    return found


@lru_cache(maxsize=256)
def _own_solutions(image: ImageHDU) -> tuple[ImageWCS, ...]:
    return find_solutions(image.cards, image.shape).solutions
