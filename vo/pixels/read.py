"""Where the images of a FITS file lie, and reading a part of one: the stored numbers, and no more than needed.

Plain images are read through a memory map, gzipped files as a stream, tile-compressed images by tile (astropy).
Nothing is scaled: BSCALE, BZERO and BLANK stay cards, so pixels and BITPIX of a part equal those of the whole.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from vo.errors import OperatorFault
from vo.pixels.cards import CARD, Cards, Value, read_cards

Source = Path | BinaryIO

BLOCK = 2880
#: Bytes of pixels that are read at once.
BAND_BYTES = 4_000_000
_TYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_MOST_HEADER_BLOCKS = 2000


@dataclass(frozen=True)
class ImageHDU:
    """One image of a FITS file.

    ``shape`` is (width, height), ``planes`` the lengths of NAXIS3 and further axes, ``cards`` the header as it stands
    in the file (a compressed image's is that of its table). ``offset`` is where the pixels begin, ``compression``
    ZCMPTYPE, None when there is none; ``tile_height`` the rows of one tile.
    """

    index: int
    shape: tuple[int, int]
    planes: tuple[int, ...]
    bitpix: int
    cards: Cards
    offset: int
    compression: str | None = None
    tile_height: int = 1

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The stored numbers, most significant byte first as FITS has them."""
        return np.dtype(_TYPES[self.bitpix])


@dataclass(frozen=True, slots=True)
class Box:
    """A part of an image in 0-based pixels: ``left <= x < right``, ``bottom <= y < top``."""

    left: int
    right: int
    bottom: int
    top: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.top - self.bottom


def list_images(source: Source) -> tuple[ImageHDU, ...]:
    """The two-dimensional images (or stacks of them) of a FITS file; OperatorFault when it is none, or cut off.

    What is known of a path is kept until the file changes.
    """
    try:
        if isinstance(source, Path):
            status = source.stat()
            return _known(source, status.st_mtime_ns, status.st_size)
        with _opened(source) as file:
            return tuple(_walk(file, _name(source)))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OperatorFault(f"{_name(source)} cannot be unzipped ({error}); the copy here is damaged") from error


@lru_cache(maxsize=256)
def _known(path: Path, _modified: int, _size: int) -> tuple[ImageHDU, ...]:
    with _opened(path) as file:
        return tuple(_walk(file, path.name))


def read_bands(source: Source, image: ImageHDU, box: Box) -> Iterator[bytes]:
    """The pixels of a part, row after row and plane after plane, as FITS stores them uncompressed."""
    if image.compression is not None:
        yield from _compressed_bands(source, image, box)
    elif isinstance(source, Path) and not _is_gzip_path(source):
        yield from _mapped_bands(source, image, box)
    else:
        yield from _streamed_bands(source, image, box)


def _bands(image: ImageHDU, box: Box) -> Iterator[tuple[int, int]]:
    """Rows (first, behind the last) of the bands: about BAND_BYTES each, whole tiles where there are tiles."""
    rows = max(1, BAND_BYTES // (box.width * image.dtype.itemsize))
    rows = max(image.tile_height, rows - rows % image.tile_height)
    first = box.bottom
    while first < box.top:
        behind = min((first // rows + 1) * rows, box.top)
        yield first, behind
        first = behind


def _mapped_bands(path: Path, image: ImageHDU, box: Box) -> Iterator[bytes]:
    width, height = image.shape
    depth = int(np.prod(image.planes, dtype=np.int64))
    try:
        pixels = np.memmap(path, dtype=image.dtype, mode="r", offset=image.offset, shape=(depth, height, width))
    except ValueError as fault:
        raise _too_short(path.name) from fault
    for plane in range(depth):
        for first, behind in _bands(image, box):
            yield pixels[plane, first:behind, box.left : box.right].tobytes()


def _streamed_bands(source: Source, image: ImageHDU, box: Box) -> Iterator[bytes]:
    """Row by row, so that of a file far away only the rows' own bytes are asked for."""
    width, height = image.shape
    item = image.dtype.itemsize
    with _opened(source) as file:
        for plane in range(int(np.prod(image.planes, dtype=np.int64))):
            for first, behind in _bands(image, box):
                rows = []
                for row in range(first, behind):
                    file.seek(image.offset + ((plane * height + row) * width + box.left) * item)
                    rows.append(file.read(box.width * item))
                band = b"".join(rows)
                if len(band) != (behind - first) * box.width * item:
                    raise _too_short(_name(source))
                yield band


def _compressed_bands(source: Source, image: ImageHDU, box: Box) -> Iterator[bytes]:
    with _opened(source) as file, fits.open(file, do_not_scale_image_data=True, memmap=False) as opened:
        section = opened[image.index].section
        for plane in np.ndindex(image.planes[::-1]):
            for first, behind in _bands(image, box):
                part: NDArray[np.generic] = section[(*plane, slice(first, behind), slice(box.left, box.right))]
                yield np.ascontiguousarray(part, dtype=image.dtype).tobytes()


@contextmanager
def _opened(source: Source) -> Iterator[BinaryIO]:
    """The bytes of a source, unzipped; a caller's own file stays open."""
    if isinstance(source, Path):
        if _is_gzip_path(source):
            with gzip.open(source, "rb") as unzipped:
                yield cast("BinaryIO", unzipped)  # in all that is used here
        else:
            with source.open("rb") as file:
                yield file
        return
    source.seek(0)
    zipped = source.read(2) == b"\x1f\x8b"
    source.seek(0)
    if zipped:
        with gzip.GzipFile(fileobj=source, mode="rb") as unzipped:
            yield cast("BinaryIO", unzipped)
    else:
        yield source


def _is_gzip_path(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _walk(file: BinaryIO, name: str) -> Iterator[ImageHDU]:
    """Go from header to header (FITS 4.0, section 3) without reading data."""
    position, index = 0, 0
    file.seek(0, io.SEEK_SET)
    while (cards := _header_at(file, position, name, first=index == 0)) is not None:
        values = cards.values()
        offset = position + -(-(len(cards.images) + 1) * CARD // BLOCK) * BLOCK
        length = _data_bytes(values)
        if image := _image(values, cards, index, offset):
            # The last block's padding is often left out, which harms no pixel.
            file.seek(offset + max(length, 1) - 1)
            if not file.read(1):
                raise _too_short(name)
            yield image
        position = offset + -(-length // BLOCK) * BLOCK
        index += 1


def _header_at(file: BinaryIO, position: int, name: str, *, first: bool) -> Cards | None:
    """The cards of the header that begins here, None at the end of the file. Blank cards count, so they are kept."""
    file.seek(position)
    images: list[str] = []
    for _ in range(_MOST_HEADER_BLOCKS):
        block = file.read(BLOCK)
        if first and not images and not block.startswith(b"SIMPLE  ="):
            raise OperatorFault(f"{name} is no FITS file: it does not begin with SIMPLE")
        if len(block) < BLOCK or (not images and not block.startswith((b"SIMPLE", b"XTENSION"))):
            if images:
                raise _too_short(name)
            return None  # the end, or special records that belong to no HDU
        text = block.decode("ascii", "replace")
        lines = [text[start : start + CARD] for start in range(0, BLOCK, CARD)]
        for line in lines:
            if line.rstrip() == "END":
                return Cards(tuple(images), read_cards("".join(images)).repairs)
            images.append(line)
    raise OperatorFault(f"{name}: a header without END")


def _image(values: dict[str, Value], cards: Cards, index: int, offset: int) -> ImageHDU | None:
    compressed = values.get("ZIMAGE") is True
    if not compressed and values.get("XTENSION", "IMAGE") != "IMAGE":
        return None
    prefix = "Z" if compressed else ""
    axes = [_whole(values, f"{prefix}NAXIS{axis}") for axis in range(1, _whole(values, f"{prefix}NAXIS") + 1)]
    bitpix = _whole(values, f"{prefix}BITPIX")
    if len(axes) < 2 or min(axes) < 1 or bitpix not in _TYPES:  # noqa: PLR2004  an image has two axes
        return None
    return ImageHDU(
        index=index,
        shape=(axes[0], axes[1]),
        planes=tuple(axes[2:]),
        bitpix=bitpix,
        cards=cards,
        offset=offset,
        compression=str(values.get("ZCMPTYPE", "")) if compressed else None,
        tile_height=max(1, _whole(values, "ZTILE2")) if compressed else 1,
    )


def _data_bytes(values: dict[str, Value]) -> int:
    """The length of an HDU's data (FITS 4.0, equation 2), without the padding."""
    axes = [_whole(values, f"NAXIS{axis}") for axis in range(1, _whole(values, "NAXIS") + 1)]
    if not axes:
        return 0
    if axes[0] == 0 and values.get("GROUPS") is True:
        axes = axes[1:]
    count = int(np.prod(axes, dtype=object))
    groups = _whole(values, "GCOUNT") if "GCOUNT" in values else 1
    return abs(_whole(values, "BITPIX")) // 8 * groups * (_whole(values, "PCOUNT") + count)


def _whole(values: dict[str, Value], name: str) -> int:
    found = values.get(name)
    return found if isinstance(found, int) else 0


def _name(source: Source) -> str:
    return source.name if isinstance(source, Path) else "the file"


def _too_short(name: str) -> OperatorFault:
    return OperatorFault(f"{name} is shorter than its header says; the copy here is damaged")
