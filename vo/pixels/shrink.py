"""Smaller versions of large images, made band by band: binned FITS files, and grids for pictures.

A plate of 20,000 x 20,000 pixels is read once for all of them, and no more of it than a band is in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import vo
from vo.errors import OperatorFault, UsageFault
from vo.pixels.cards import keyword, make
from vo.pixels.cutheader import STALE, STRUCTURE, padded, with_added
from vo.pixels.read import BLOCK, Box, ImageHDU, Source, read_bands
from vo.pixels.rescale import rescaled
from vo.pixels.select import keys_in

Pixels = NDArray[np.generic]
Rows = NDArray[np.float64]

#: Rows of a wide image that are summed at a time: their numbers are held as float64 meanwhile.
_STRIP_BYTES = 8_000_000


def read_rows(source: Source, image: ImageHDU) -> Iterator[Pixels]:
    """All rows of an image in bands [rows, width], the stored numbers as they are; OperatorFault for stacks."""
    width, height = image.shape
    if int(np.prod(image.planes, dtype=np.int64)) != 1:
        axes = " x ".join(str(length) for length in (width, height, *image.planes))
        raise OperatorFault(f"an image of {axes} pixels is a stack of planes, which cannot be made smaller here")
    for band in read_bands(source, image, Box(0, width, 0, height)):
        yield np.frombuffer(band, dtype=image.dtype).reshape(-1, width)


class Binner:
    """Means of ``factor`` x ``factor`` pixels, from bands of rows; incomplete ones at the far edges are left out.

    Pixels that are not known (NaN, BLANK) do not count; a mean of none is NaN.
    """

    def __init__(self, image: ImageHDU, factor: int) -> None:
        self.factor = factor
        self.width, self.height = (length // factor for length in image.shape)
        if min(self.width, self.height) < 1:
            raise UsageFault(f"an image of {image.shape[0]} x {image.shape[1]} pixels cannot be binned by {factor}")
        self._blank = blank_of(image)
        self._is_float = image.bitpix < 0
        self._pending: list[Pixels] = []
        self._held = 0

    def add(self, band: Pixels) -> Rows:
        """Take rows in; give the binned rows [rows, width] that are complete now."""
        self._pending.append(band)
        self._held += len(band)
        if self._held < self.factor:
            return np.empty((0, self.width))
        rows = self._pending[0] if len(self._pending) == 1 else np.concatenate(self._pending)
        whole = len(rows) - len(rows) % self.factor
        # A copy: a view would keep the whole band.
        self._pending, self._held = [rows[whole:].copy()], len(rows) - whole
        step = max(1, _STRIP_BYTES // (8 * rows.shape[1] * self.factor)) * self.factor
        parts = [self._means(rows[first : min(first + step, whole)]) for first in range(0, whole, step)]
        return np.concatenate(parts) if parts else np.empty((0, self.width))

    def _means(self, rows: Pixels) -> Rows:
        blocks = rows[:, : self.width * self.factor].reshape(-1, self.factor, self.width, self.factor)
        if not self._is_float and self._blank is None:
            # Rows first, which numpy adds whole.
            sums = blocks.sum(axis=1, dtype=np.int64).sum(axis=2)
            return np.asarray(sums / self.factor**2, dtype=np.float64)
        known = np.isfinite(blocks) if self._is_float else blocks != self._blank
        counts = known.sum(axis=1, dtype=np.int64).sum(axis=2)
        sums = np.where(known, blocks, 0).sum(axis=1, dtype=np.float64).sum(axis=2)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(sums / counts, dtype=np.float64)


def blank_of(image: ImageHDU) -> int | None:
    """The number that stands for a pixel which is not known, in images of integers (FITS 4.0, section 5.3)."""
    values = image.cards.values()
    found = values.get("ZBLANK", values.get("BLANK")) if image.compression else values.get("BLANK")
    return found if image.bitpix > 0 and isinstance(found, int) else None


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written: ``shape`` is (width, height), ``checksum`` as a product's."""

    shape: tuple[int, int]
    content_length: int
    checksum: str


@dataclass(slots=True)
class BinnedFile:
    """A binned FITS file in the making: rows of means in, bytes out.

    Pixels have the type that they have in the image; integers are rounded. The header is the image's, its coordinate
    systems on the binned grid.
    """

    path: Path
    image: ImageHDU
    factor: int
    name: str
    _binner: Binner = field(init=False)
    _digest: hashlib._Hash = field(init=False)
    _length: int = 0

    def __post_init__(self) -> None:
        self._binner = Binner(self.image, self.factor)
        self._digest = hashlib.md5(usedforsecurity=False)
        self.path.write_bytes(b"")
        self._write(binned_header(self.image, self.factor, self.name))

    def add(self, band: Pixels) -> None:
        """Take a band of the image's rows in."""
        means = self._binner.add(band)
        if self.image.bitpix > 0:
            blank = blank_of(self.image)
            means = np.rint(means)
            if blank is not None:
                means[np.isnan(means)] = blank
        self._write(means.astype(self.image.dtype).tobytes())

    def finish(self) -> Written:
        """Fill the last block; all rows have to be there."""
        self._write(bytes(-self._length % BLOCK))
        shape = self._binner.width, self._binner.height
        return Written(shape, self._length, f"md5:{self._digest.hexdigest()}")

    def _write(self, content: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(content)
        self._digest.update(content)
        self._length += len(content)


def binned_header(image: ImageHDU, factor: int, name: str) -> bytes:
    """The header of an image binned by ``factor``: its own cards, every coordinate system on the new grid."""
    width, height = (length // factor for length in image.shape)
    structure = [
        make("SIMPLE", content=True, comment="conforms to FITS standard"),
        make("BITPIX", image.bitpix),
        make("NAXIS", 2),
        make("NAXIS1", width),
        make("NAXIS2", height),
    ]
    kept = [one for one in image.cards.images if not STRUCTURE.fullmatch(keyword(one)) and not _is_stale(one)]
    while kept and not kept[-1].strip():
        kept.pop()
    blank = blank_of(image)
    if blank is not None and "BLANK" not in image.cards.values():
        kept.append(make("BLANK", blank))
    told = f"means of {factor} x {factor} pixels of {name}, made by vo-plates {vo.__version__}"
    return padded([*structure, *with_added(list(rescaled(kept, factor)), [("HISTORY", told)])])


def _is_stale(image: str) -> bool:
    return keyword(image) in STALE or "COMPRESSED_IMAGE" in image


def has_coordinates(image: ImageHDU) -> bool:
    """Whether an image's header announces celestial coordinates."""
    return bool(keys_in(image.cards.values()))


def _grid_factor(shape: tuple[int, int], size: int) -> int:
    """By how much to bin an image so that its longer side has between ``size`` and twice as many pixels."""
    return max(1, max(shape) // size)


def shrink(
    source: Source, image: ImageHDU, files: Sequence[BinnedFile], size: int | None, check: Callable[[], None]
) -> NDArray[np.float32] | None:
    """Feed an image to binned files, in one pass; give it binned to about ``size`` pixels for pictures as well.

    ``check`` is called before each band: what it raises ends the work.
    """
    grid = None if size is None else Binner(image, min(_grid_factor(image.shape, size), *image.shape))
    rows: list[NDArray[np.float32]] = []
    for band in read_rows(source, image):
        check()
        for file in files:
            file.add(band)
        if grid is not None:
            rows.append(grid.add(band).astype(np.float32))
    if grid is None:
        return None
    scale = image.cards.values().get("BSCALE")
    is_negative = isinstance(scale, int | float) and scale < 0
    return np.concatenate(rows) * np.float32(-1.0 if is_negative else 1.0)
