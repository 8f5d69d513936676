"""Where the images of a FITS file lie (FITS 4.0, section 3): from header to header, without reading data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from vo.errors import OperatorFault
from vo.pixels.cards import CARD, Cards, Value, read_cards
from vo.pixels.remember import Remembered
from vo.pixels.source import ByteSource, Source, as_source, too_short
from vo.pixels.unzip import GZIP, Unzipped, measure

BLOCK = 2880
_TYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_MOST_HEADER_BLOCKS = 2000
#: Read at once where a header begins: few have more.
_HEADER_BYTES = 10 * BLOCK
#: What is known of files takes no more memory than this.
_KNOWN_BYTES = 32_000_000


@dataclass(frozen=True)
class ImageHDU:
    """One image of a FITS file.

    ``shape`` is (width, height), ``planes`` the lengths of NAXIS3 and further axes, ``cards`` the header as it stands
    in the file (a compressed image's is that of its table). ``offset`` is where the pixels (or that table) begin,
    ``compression`` ZCMPTYPE, None when there is none.
    """

    index: int
    shape: tuple[int, int]
    planes: tuple[int, ...]
    bitpix: int
    cards: Cards
    offset: int
    compression: str | None = None

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The stored numbers, most significant byte first as FITS has them."""
        return np.dtype(_TYPES[self.bitpix])

    @property
    def depth(self) -> int:
        """The number of planes, 1 when there are only two axes."""
        return prod(self.planes)


@dataclass(frozen=True, slots=True)
class HDU:
    """One HDU: where its header begins (``start``) and its data (``offset``), of ``length`` bytes without padding."""

    index: int
    cards: Cards
    start: int
    offset: int
    length: int

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.offset + -(-self.length // BLOCK) * BLOCK


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


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file: its images, and its length when it is unzipped (None for one that is not gzipped)."""

    images: tuple[ImageHDU, ...]
    unzipped: int | None


_known: Remembered[Known] = Remembered(_KNOWN_BYTES)


def list_images(source: Source) -> tuple[ImageHDU, ...]:
    """The two-dimensional images (or stacks of them) of a FITS file; OperatorFault when it is none, or cut off.

    What is known of a file is kept until it changes: a second look reads nothing.
    """
    return _look(as_source(source)).images


def plain_bytes(source: Source) -> ByteSource:
    """The file's bytes, unzipped where it is gzipped."""
    opened = as_source(source)
    unzipped = _look(opened).unzipped
    return opened if unzipped is None else Unzipped(opened, unzipped)


def _look(source: ByteSource) -> Known:
    return _known.get(source.version, lambda: _find(source))


def _find(source: ByteSource) -> tuple[Known, int]:
    unzipped = None
    if source.size >= len(GZIP) and bytes(source.read([(0, len(GZIP))])[0]) == GZIP:
        unzipped = measure(source)
        source = Unzipped(source, unzipped)
    images = tuple(_images(source))
    return Known(images, unzipped), 1000 + sum(200 * len(image.cards.images) for image in images)


class _Headers:
    """The blocks of headers; some are read at once."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._start = 0
        self._held = b""

    def block(self, start: int) -> bytes:
        """The block that begins here; what the file has of it."""
        within = start - self._start
        if not 0 <= within <= len(self._held) - BLOCK:
            length = max(0, min(_HEADER_BYTES, self._source.size - start))
            self._start, within = start, 0
            self._held = bytes(self._source.read([(start, length)])[0]) if length else b""
        return self._held[within : within + BLOCK]


def walk(source: ByteSource) -> Iterator[HDU]:
    """Every HDU of a file that is not gzipped; OperatorFault when it is no FITS file.

    Whether the file is long enough for the data is the caller's to say: the last block's padding is often left out.
    """
    headers, start, index = _Headers(source), 0, 0
    while (cards := _header_at(headers, start, source.name, first=index == 0)) is not None:
        offset = start + -(-(len(cards.images) + 1) * CARD // BLOCK) * BLOCK
        length = _data_bytes(cards.values())
        if length < 0:
            raise OperatorFault(f"{source.name}: the header of HDU {index} gives its data a length below zero")
        hdu = HDU(index, cards, start, offset, length)
        yield hdu
        start, index = hdu.end, index + 1


def _images(source: ByteSource) -> Iterator[ImageHDU]:
    for hdu in walk(source):
        if image := _image(hdu.cards.values(), hdu.cards, hdu.index, hdu.offset):
            if hdu.offset + hdu.length > source.size:
                raise too_short(source.name)
            yield image


def _header_at(headers: _Headers, position: int, name: str, *, first: bool) -> Cards | None:
    """The cards of the header that begins here, None at the end of the file. Blank cards count, so they are kept."""
    images: list[str] = []
    for number in range(_MOST_HEADER_BLOCKS):
        block = headers.block(position + number * BLOCK)
        if first and not images and not block.startswith(b"SIMPLE  ="):
            raise OperatorFault(f"{name} is no FITS file: it does not begin with SIMPLE")
        if len(block) < BLOCK or (not images and not block.startswith((b"SIMPLE", b"XTENSION"))):
            if images:
                raise too_short(name)
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
    axes = [whole(values, f"{prefix}NAXIS{axis}") for axis in range(1, whole(values, f"{prefix}NAXIS") + 1)]
    bitpix = whole(values, f"{prefix}BITPIX")
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
    )


def _data_bytes(values: dict[str, Value]) -> int:
    """The length of an HDU's data (FITS 4.0, equation 2), without the padding."""
    axes = [whole(values, f"NAXIS{axis}") for axis in range(1, whole(values, "NAXIS") + 1)]
    if not axes:
        return 0
    if axes[0] == 0 and values.get("GROUPS") is True:
        axes = axes[1:]
    groups = whole(values, "GCOUNT") if "GCOUNT" in values else 1
    return abs(whole(values, "BITPIX")) // 8 * groups * (whole(values, "PCOUNT") + prod(axes))


def whole(values: dict[str, Value], name: str) -> int:
    """A whole number of a header, 0 when there is none."""
    found = values.get(name)
    return found if isinstance(found, int) else 0
