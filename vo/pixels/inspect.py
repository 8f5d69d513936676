"""What a FITS file holds: its images with their coordinate systems, as ingest needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from astropy.io import fits

from vo.pixels.read import ImageHDU, Source, list_images
from vo.pixels.wcs import ImageWCS, find_solutions


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One image of a file: where it is, what it is made of, and the coordinate systems of its header.

    ``shape`` is (width, height); ``compression`` FITS's word (RICE_1, ...), None for plain pixels; ``repairs`` are of
    the header as a whole, each solution has its own; ``problems`` say why a coordinate system cannot be used.
    """

    index: int
    shape: tuple[int, int]
    planes: tuple[int, ...]
    bitpix: int
    compression: str | None
    header_text: str
    solutions: tuple[ImageWCS, ...]
    problems: tuple[str, ...]
    repairs: tuple[str, ...]

    def header(self) -> fits.Header:
        """The header as astropy has it; cards that astropy cannot read are left out."""
        return readable_header(self.header_text)


def inspect(source: Source) -> list[ImageInfo]:
    """The images of a FITS file in their order; OperatorFault when it is none. No pixel is read."""
    return [_info(image) for image in list_images(source)]


def readable_header(text: str) -> fits.Header:
    """An astropy Header of the cards that it can read."""
    header = fits.Header()
    for line in text.splitlines():
        card = fits.Card.fromstring(line)
        try:
            card.verify("exception")
            _ = card.value
        except fits.VerifyError:
            continue
        header.append(card, end=True)
    return header


def _info(image: ImageHDU) -> ImageInfo:
    found = find_solutions(image.cards, image.shape)
    return ImageInfo(
        index=image.index,
        shape=image.shape,
        planes=image.planes,
        bitpix=image.bitpix,
        compression=image.compression,
        header_text=image.cards.text(),
        solutions=found.solutions,
        problems=found.problems,
        repairs=image.cards.repairs,
    )
