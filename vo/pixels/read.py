"""Reading a part of an image of a FITS file: the stored numbers, and no more than needed.

Of plain images the rows' own bytes are read, of tile-compressed ones the tiles that the part touches
(``vo.pixels.tiles``), gzipped files as a stream (``vo.pixels.unzip``). All parts that are needed at once are asked for
in one call, so that a store far away can send them at the same time.
Nothing is scaled: BSCALE, BZERO and BLANK stay cards, so pixels and BITPIX of a part equal those of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator

from vo.pixels.hdus import BLOCK, Box, ImageHDU, list_images, plain_bytes
from vo.pixels.source import ByteSource, LocalFile, Source
from vo.pixels.tiles import read_tiles

__all__ = ["BAND_BYTES", "BLOCK", "Box", "ImageHDU", "Source", "list_images", "read_bands"]

#: Bytes of pixels that are read at once.
BAND_BYTES = 4_000_000


def read_bands(source: Source, image: ImageHDU, box: Box) -> Iterator[bytes]:
    """The pixels of a part, row after row and plane after plane, as FITS stores them uncompressed.

    OperatorFault for a damaged file, TransientFault when the store that keeps it does not answer.
    """
    opened = plain_bytes(source)
    if image.compression is not None:
        yield from read_tiles(opened, image, box, BAND_BYTES)
        return
    for plane in range(image.depth):
        for first, behind in _bands(image, box):
            yield _rows(opened, image, box, plane * image.shape[1] + first, behind - first)


def _bands(image: ImageHDU, box: Box) -> Iterator[tuple[int, int]]:
    """Rows (first, behind the last) of about BAND_BYTES."""
    rows = max(1, BAND_BYTES // (box.width * image.dtype.itemsize))
    for first in range(box.bottom, box.top, rows):
        yield first, min(first + rows, box.top)


def _rows(source: ByteSource, image: ImageHDU, box: Box, first: int, count: int) -> bytes:
    """The box's part of rows; ``first`` counts over all planes."""
    item = image.dtype.itemsize
    stride, length = image.shape[0] * item, box.width * item
    start = image.offset + first * stride + box.left * item
    if isinstance(source, LocalFile):
        return source.read_rows(start, length, stride, count)
    if length == stride:
        return bytes(source.read([(start, length * count)])[0])
    return b"".join(source.read([(start + row * stride, length) for row in range(count)]))
