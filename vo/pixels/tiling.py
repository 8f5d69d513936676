"""How a compressed image is divided into tiles, and where in its file each lies (FITS 4.0, sections 10.1 and 7.3.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from vo.errors import OperatorFault
from vo.pixels.cards import Value
from vo.pixels.hdus import ImageHDU, whole
from vo.pixels.rare import check_hcompress
from vo.pixels.source import ByteSource, too_short
from vo.pixels.unpack import Coding, Dither, check_rice

#: What a tile's data are: packed by the image's own coding, zipped without loss, plain, or none that can be read.
PACKED, ZIPPED, PLAIN, MISSING, WRONG = range(5)

_KNOWN = frozenset({"RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1", "NOCOMPRESS"})
_DITHERS = {"": 0, "NONE": 0, "NO_DITHER": 0, "SUBTRACTIVE_DITHER_1": 1, "SUBTRACTIVE_DITHER_2": 2}
_MOST_TABLE_BYTES = 256_000_000
#: A tile is unpacked as a whole: eight bytes a pixel at most.
_MOST_TILE_PIXELS = 32_000_000
#: More than any coding needs for a pixel, and for what stands at a tile's head.
_PIXEL_BYTES, _HEAD_BYTES = 16, 4096
_FORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])([LXBIJKAEDCM]?)")
_SIZES = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}
_NUMBERS = {"B": ">u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}

Whole = NDArray[np.int64]
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tiling:
    """The tiles of an image, counted from 0; lengths of axes stand in FITS's order, NAXIS1 first.

    ``starts`` (in the file) and ``lengths`` are of each tile's data in bytes, ``kinds`` what they are, ``codings`` how
    those of each kind are packed. ``scales``, ``zeros``, ``blanks`` and ``dither`` make floats of whole numbers.
    """

    axes: tuple[int, ...]
    tile: tuple[int, ...]
    starts: Whole
    lengths: Whole
    kinds: NDArray[np.uint8]
    codings: tuple[Coding, ...]
    is_quantised: bool
    scales: Reals
    zeros: Reals
    blanks: Whole | None
    dither: Dither

    @property
    def coding(self) -> Coding:
        """The image's own."""
        return self.codings[PACKED]

    @property
    def counts(self) -> tuple[int, ...]:
        """Tiles along each axis."""
        return _counts(self.axes, self.tile)

    def check(self, numbers: Whole, name: str) -> None:
        """OperatorFault when one of these tiles cannot be there."""
        kinds = self.kinds[numbers]
        if kinds.max(initial=0) < MISSING:
            return
        number = int(numbers[int(np.argmax(kinds >= MISSING))])
        if self.kinds[number] == MISSING:
            raise OperatorFault(f"tile {number + 1} of {name} has no data; the copy here is damaged")
        raise OperatorFault(
            f"tile {number + 1} of {name} is said to have {int(self.lengths[number]):,} bytes at "
            f"{int(self.starts[number]):,}, which cannot be; the copy here is damaged"
        )


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table: where it begins within a row, and its format's letters."""

    at: int
    letter: str
    inner: str


def find_tiling(source: ByteSource, image: ImageHDU) -> tuple[Tiling, int]:
    """Read the table of tiles; the tiling and the memory that it takes.

    OperatorFault when the table is damaged, or when the image is compressed in a way that is not known.
    """
    values, name = image.cards.values(), source.name
    axes = (*image.shape, *image.planes)
    tile = _tile(values, axes, name)
    coding = _coding(values, tile, image, name)
    columns = _columns(values, name)
    rows = prod(_counts(axes, tile))
    table = _table(source, image, values, rows)
    starts, lengths, kinds, plain = _places(source, image, values, columns, table, prod(tile))
    scales, zeros = (_reals(values, columns, table, key) for key in ("ZSCALE", "ZZERO"))
    is_quantised = image.bitpix < 0 and scales is not None and zeros is not None
    tiling = Tiling(
        axes=axes,
        tile=tile,
        starts=starts,
        lengths=lengths,
        kinds=kinds,
        codings=(
            Coding(
                coding.name,
                coding.item,
                coding.block,
                coding.scale,
                coding.smooth,
                not is_quantised and image.bitpix < 0,
            ),
            Coding("GZIP_1", is_float=image.bitpix < 0),
            Coding("NOCOMPRESS", item=plain, is_float=image.bitpix < 0),
        ),
        is_quantised=is_quantised,
        scales=scales if scales is not None else np.empty(0),
        zeros=zeros if zeros is not None else np.empty(0),
        blanks=_blanks(values, columns, table) if is_quantised else None,
        dither=_dither(values, name),
    )
    return tiling, 60 * rows + 1000


def _tile(values: dict[str, Value], axes: tuple[int, ...], name: str) -> tuple[int, ...]:
    """The tiles' lengths; rows of the image when the header does not say."""
    default = (axes[0], *(1 for _ in axes[1:]))
    lengths = [values.get(f"ZTILE{axis}", default[axis - 1]) for axis in range(1, len(axes) + 1)]
    tile = tuple(
        min(length, axis) if isinstance(length, int) else 0 for length, axis in zip(lengths, axes, strict=True)
    )
    if min(tile) < 1:
        raise OperatorFault(f"{name} is said to be compressed in tiles of {lengths} pixels")
    if prod(tile) > _MOST_TILE_PIXELS:
        raise OperatorFault(
            f"{name} is compressed in tiles of {prod(tile):,} pixels, which are unpacked as a whole; parts are cut "
            f"from tiles of {_MOST_TILE_PIXELS:,} at most: compress it anew, in tiles of 256 x 256"
        )
    return tile


def _counts(axes: tuple[int, ...], tile: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-(-length // side) for length, side in zip(axes, tile, strict=True))


def _coding(values: dict[str, Value], tile: tuple[int, ...], image: ImageHDU, name: str) -> Coding:
    kind = image.compression or ""
    if kind not in _KNOWN:
        raise OperatorFault(f"{name} is compressed by {kind!r}; known are {', '.join(sorted(_KNOWN))}")
    settings: dict[str, int] = {}
    number = 1
    while isinstance(key := values.get(f"ZNAME{number}"), str):
        content = values.get(f"ZVAL{number}")
        settings[key.upper()] = int(content) if isinstance(content, int | float) else 0
        number += 1
    if kind in ("RICE_1", "RICE_ONE"):
        coding = Coding(kind, item=settings.get("BYTEPIX", 4), block=settings.get("BLOCKSIZE", 32))
        check_rice(coding, name)
        return coding
    if kind == "HCOMPRESS_1":
        check_hcompress(tile[0], tile[1], prod(tile[2:]), name)
    return Coding(kind, scale=settings.get("SCALE", 0), smooth=settings.get("SMOOTH", 0))


def _columns(values: dict[str, Value], name: str) -> dict[str, _Column]:
    columns: dict[str, _Column] = {}
    at = 0
    for number in range(1, min(whole(values, "TFIELDS"), 999) + 1):
        form = _FORM.match(str(values.get(f"TFORM{number}", "")).strip())
        if form is None:
            raise OperatorFault(f"{name}: TFORM{number} of its table of tiles cannot be read")
        repeat = int(form[1] or 1)
        columns[str(values.get(f"TTYPE{number}", "")).strip().upper()] = _Column(at, form[2], form[3])
        at += -(-repeat // 8) if form[2] == "X" else repeat * _SIZES[form[2]]
    if at != whole(values, "NAXIS1") or not any(name in columns for name in _DATA):
        raise OperatorFault(f"{name}: its table of tiles has not the columns that its header tells")
    return columns


#: The columns with data, in the order in which they are looked at.
_DATA = {"COMPRESSED_DATA": PACKED, "GZIP_COMPRESSED_DATA": ZIPPED, "UNCOMPRESSED_DATA": PLAIN}


def _table(source: ByteSource, image: ImageHDU, values: dict[str, Value], rows: int) -> NDArray[np.uint8]:
    """The rows of the table as bytes [rows, bytes of a row]."""
    width, length = whole(values, "NAXIS1"), whole(values, "NAXIS2")
    if length != rows:
        raise OperatorFault(f"{source.name} should have {rows:,} tiles and its table has {length:,} rows")
    if width * length > _MOST_TABLE_BYTES:
        raise OperatorFault(
            f"the table of tiles of {source.name} has {width * length:,} bytes; compress in larger tiles"
        )
    (content,) = source.read([(image.offset, width * length)])
    return np.frombuffer(content, dtype=np.uint8).reshape(rows, width)


def _places(
    source: ByteSource,
    image: ImageHDU,
    values: dict[str, Value],
    columns: dict[str, _Column],
    table: NDArray[np.uint8],
    pixels: int,
) -> tuple[Whole, Whole, NDArray[np.uint8], int]:
    """Starts, lengths and kinds of all tiles, and the size of plain numbers. What cannot be is WRONG, not believed."""
    heap = whole(values, "THEAP") or table.size
    if heap < table.size:
        raise OperatorFault(f"{source.name}: THEAP={heap} lies within its table of tiles, which cannot be")
    begin = image.offset + heap
    end = image.offset + table.size + whole(values, "PCOUNT")
    if end > source.size:
        raise too_short(source.name)
    kinds = np.full(len(table), MISSING, dtype=np.uint8)
    starts, lengths, plain = np.zeros(len(table), np.int64), np.zeros(len(table), np.int64), 0
    for name, kind in _DATA.items():
        column = columns.get(name)
        if column is None:
            continue
        if column.letter not in "PQ" or column.inner not in _NUMBERS:
            raise OperatorFault(f"{source.name}: column {name} of its table of tiles is no array of numbers")
        item = _SIZES[column.inner]
        plain = item if kind == PLAIN else plain
        size = 4 if column.letter == "P" else 8
        pair = _cells(table, column.at, 2 * size).view(f">i{size}").astype(np.int64)
        taken = (kinds == MISSING) & (pair[:, 0] != 0)
        most = pixels * _PIXEL_BYTES + _HEAD_BYTES
        count, offset = pair[:, 0], pair[:, 1]
        is_right = (count > 0) & (count <= most // item) & (offset >= 0) & (offset <= end)
        is_right &= begin + np.where(is_right, offset, 0) + np.where(is_right, count, 0) * item <= end
        kinds[taken] = np.where(is_right, kind, WRONG)[taken]
        starts[taken] = (begin + np.where(is_right, offset, 0))[taken]
        lengths[taken] = np.where(is_right, count * item, 0)[taken]
    return starts, lengths, kinds, plain


def _cells(table: NDArray[np.uint8], at: int, length: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(table[:, at : at + length])


def _reals(values: dict[str, Value], columns: dict[str, _Column], table: NDArray[np.uint8], key: str) -> Reals | None:
    """A column of numbers, or the same number for all tiles from the header."""
    if (column := columns.get(key)) is not None and column.letter in _NUMBERS:
        kind = np.dtype(_NUMBERS[column.letter])
        return _cells(table, column.at, kind.itemsize).view(kind)[:, 0].astype(np.float64)
    found = values.get(key)
    return np.full(len(table), float(found)) if isinstance(found, int | float) else None


def _blanks(values: dict[str, Value], columns: dict[str, _Column], table: NDArray[np.uint8]) -> Whole | None:
    column = columns.get("ZBLANK")
    if column is not None and column.letter in "BIJK":
        kind = np.dtype(_NUMBERS[column.letter])
        return _cells(table, column.at, kind.itemsize).view(kind)[:, 0].astype(np.int64)
    found = values.get("ZBLANK", values.get("BLANK"))
    return np.full(len(table), found, dtype=np.int64) if isinstance(found, int) and abs(found) < 2**62 else None


def _dither(values: dict[str, Value], name: str) -> Dither:
    method = str(values.get("ZQUANTIZ", "")).strip().upper()
    if method not in _DITHERS:
        raise OperatorFault(f"{name}: ZQUANTIZ={method!r} is not known; known are {', '.join(_DITHERS)[2:]}")
    return Dither(_DITHERS[method], whole(values, "ZDITHER0"))
