"""Tile-compressed images (FITS 4.0, section 10): the tiles that a part touches are read and unpacked, no others.

The table that says where each tile lies is read once and remembered. Rice and gzip tiles are unpacked on as many cores
as are idle (``vo.pixels.unpack``), the others by astropy (``vo.pixels.rare``). All give the numbers that astropy gives.
Nothing that a damaged table or tile says is believed: where a tile lies, how long it is and how much it unpacks to are
held against the file's length and the image's size first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vo.pixels.abreast import each
from vo.pixels.hdus import Box, ImageHDU
from vo.pixels.rare import RARE, unpack_by_astropy
from vo.pixels.remember import Remembered
from vo.pixels.source import ByteSource
from vo.pixels.tiling import PACKED, Tiling, find_tiling
from vo.pixels.unpack import Coding, Packed, Pixels, Sizes, as_floats, unpack

#: Compressed bytes that are read at once, unless one row of tiles has more.
_READ_BYTES = 4_000_000
#: Tables of tiles that are remembered take no more memory than this together.
_REMEMBERED_BYTES = 64_000_000

_tilings: Remembered[Tiling] = Remembered(_REMEMBERED_BYTES)
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Job:
    """One tile of which a part is needed.

    ``count`` is the number of its pixels, ``skip`` of those in planes before the one that is needed; ``width`` is that
    of its rows. ``rows`` and ``columns`` are the part within the tile, ``target`` its place in the band.
    """

    number: int
    coding: Coding
    start: int
    length: int
    count: int
    skip: int
    width: int
    rows: slice
    columns: slice
    target: tuple[slice, slice]

    def cut(self, pixels: Pixels) -> Pixels:
        """The part that is needed, of numbers of the tile's pixels up to it."""
        flat = pixels[self.skip : self.skip + self.rows.stop * self.width]
        return flat.reshape(self.rows.stop, self.width)[self.rows, self.columns]

    @property
    def room(self) -> int:
        """The tile's pixels up to the end of the last row that is needed."""
        return self.skip + int(self.rows.stop) * self.width

    @property
    def needed(self) -> int:
        """The tile's pixels up to the last that is needed: a row of a whole plate has many behind it."""
        return self.room - self.width + int(self.columns.stop)


def read_tiles(source: ByteSource, image: ImageHDU, box: Box, band_bytes: int) -> Iterator[bytes]:
    """The pixels of a part, row after row and plane after plane, in pieces of about ``band_bytes``.

    OperatorFault when the file is damaged, or compressed in a way that is not known.
    """
    tiling = _tilings.get((source.version, image.index), lambda: find_tiling(source, image))
    for place in np.ndindex(image.planes[::-1]):
        plane = tuple(place[::-1])
        for first, behind in _bands(tiling, image, box, plane, band_bytes):
            yield _band(source, image, tiling, Box(box.left, box.right, first, behind), plane)


def _numbers(tiling: Tiling, box: Box, plane: tuple[int, ...]) -> Numbers:
    """The tiles that a part of a plane touches, [rows of tiles, columns of tiles]; they are counted from 0."""
    width, height, *depths = tiling.tile
    above, step = 0, tiling.counts[0] * tiling.counts[1]
    for at, depth, count in zip(plane, depths, tiling.counts[2:], strict=True):
        above += at // depth * step
        step *= count
    rows = np.arange(box.bottom // height, -(-box.top // height))
    columns = np.arange(box.left // width, -(-box.right // width))
    return np.asarray(above + rows[:, None] * tiling.counts[0] + columns)


def _bands(
    tiling: Tiling, image: ImageHDU, box: Box, plane: tuple[int, ...], band_bytes: int
) -> Iterator[tuple[int, int]]:
    """Rows (first, behind the last): whole rows of tiles, of so many bytes, and no more than may be read at once."""
    height = tiling.tile[1]
    packed = tiling.lengths[_numbers(tiling, box, plane)].sum(axis=1).tolist()
    first, reading = box.bottom, 0
    for row, more in enumerate(packed, start=box.bottom // height):
        low, high = max(row * height, box.bottom), min((row + 1) * height, box.top)
        is_much = (high - first) * box.width * image.dtype.itemsize > band_bytes or reading + more > _READ_BYTES
        if low > first and is_much:
            yield first, low
            first, reading = low, 0
        reading += more
    yield first, box.top


def _band(source: ByteSource, image: ImageHDU, tiling: Tiling, box: Box, plane: tuple[int, ...]) -> bytes:
    """The pixels of a part, all of whose tiles are read in one call."""
    numbers = _numbers(tiling, box, plane)
    tiling.check(numbers.ravel(), source.name)
    jobs = list(_jobs(tiling, box, plane, numbers))
    parts = source.read([(job.start, job.length) for job in jobs])
    band = np.empty((box.height, box.width), dtype=image.dtype)
    work = list(zip(jobs, parts, strict=True))
    rare = [one for one in work if one[0].coding.name in RARE]
    if rare:
        work = [one for one in work if one[0].coding.name not in RARE]
        shaped = [(job.width, job.count // job.width, part) for job, part in rare]
        for (job, _), pixels in zip(rare, unpack_by_astropy(tiling.coding, shaped, source.name), strict=True):
            _put(band, tiling, job, pixels)
    each(partial(_unpack, source.name, band, tiling), work)
    return band.tobytes()


def _jobs(tiling: Tiling, box: Box, plane: tuple[int, ...], numbers: Numbers) -> Iterator[Job]:
    width, height, *depths = tiling.tile
    shapes = [min(d, n - p // d * d) for p, d, n in zip(plane, depths, tiling.axes[2:], strict=True)]
    skip, step = 0, 1
    for at, depth, shape in zip(plane, depths, shapes, strict=True):
        skip += at % depth * step
        step *= shape
    row, column = box.bottom // height, box.left // width
    for down, line in enumerate(numbers.tolist()):
        bottom = (row + down) * height
        tall = min(height, tiling.axes[1] - bottom)
        low, high = max(box.bottom - bottom, 0), min(box.top - bottom, tall)
        target = slice(bottom + low - box.bottom, bottom + high - box.bottom)
        for along, number in enumerate(line):
            left = (column + along) * width
            wide = min(width, tiling.axes[0] - left)
            near, far = max(box.left - left, 0), min(box.right - left, wide)
            yield Job(
                number=number,
                coding=tiling.codings[tiling.kinds[number]],
                start=int(tiling.starts[number]),
                length=int(tiling.lengths[number]),
                count=wide * tall * step,
                skip=skip * wide * tall,
                width=wide,
                rows=slice(low, high),
                columns=slice(near, far),
                target=(target, slice(left + near - box.left, left + far - box.left)),
            )


def _unpack(name: str, band: Pixels, tiling: Tiling, work: tuple[Job, Packed]) -> None:
    job, part = work
    _put(band, tiling, job, unpack(job.coding, part, Sizes(job.count, job.needed, job.room), name))


def _put(band: Pixels, tiling: Tiling, job: Job, pixels: Pixels) -> None:
    """A tile's part to its place; whole numbers that stand for floats become those."""
    part = job.cut(pixels)
    if not (tiling.is_quantised and tiling.kinds[job.number] == PACKED):
        band[job.target] = part
        return
    scale, zero = float(tiling.scales[job.number]), float(tiling.zeros[job.number])
    blank = None if tiling.blanks is None else int(tiling.blanks[job.number])
    offsets = None
    if tiling.dither.method:
        offsets = job.cut(tiling.dither.offsets(job.number, job.room))
    with np.errstate(over="ignore", invalid="ignore"):
        band[job.target] = as_floats(part, scale, zero, blank, tiling.dither, offsets)
