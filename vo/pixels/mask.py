"""Cutouts in which what lies outside of the shape is blank.

A pixel belongs to the shape when its middle does. Whole blocks of pixels that the shape's rim does not come near are
settled by one look at the sky; only those along the rim are looked up pixel by pixel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from vo.dali.shapes import Circle, Polygon, Range, Shape
from vo.errors import UsageFault
from vo.pixels.cards import CARD, keyword, make
from vo.pixels.cutheader import padded
from vo.pixels.frames import apart, unit
from vo.pixels.piece import Piece, blocks
from vo.pixels.read import Box
from vo.pixels.region import contains
from vo.pixels.wcs import ImageWCS

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Pixels along each side of a block.
_BLOCK = 32
#: How much farther than its corners a block may reach, for distortions.
_MARGIN = 1.1
#: Types up to this width have all their numbers counted, where neither end is free.
_WIDEST_COUNT = 16
#: Bytes of pixels looked at together; whole numbers of every type fit.
_BAND_BYTES = 4 << 20


def mask(piece: Piece, box: Box, wcs: ImageWCS, shape: Shape) -> Piece:
    """The same image with pixels outside of ``shape`` undefined: NaN, or the number that the card BLANK names.

    ``box`` is the part of the image of ``wcs`` that ``piece`` shows. Integers without BLANK get one: a number that no
    pixel has, for which all pixels are read once before; so do those whose BLANK their type cannot hold. UsageFault
    when they leave none for it.
    """
    known = _known_blank(piece)
    blank = _free_number(piece) if known is None else known
    header = piece.header if known is not None else _with_blank(piece, int(blank))
    rows = _BLOCK * max(1, _BAND_BYTES // (_BLOCK * box.width * piece.dtype.itemsize))
    firsts = [first for _ in range(prod(piece.axes[2:])) for first in range(0, box.height, rows)]

    def pixels() -> Iterator[bytes]:
        inside = Inside(wcs, shape, box)
        sizes = [(min(first + rows, box.height) - first) * box.width * piece.dtype.itemsize for first in firsts]
        for first, band in zip(firsts, blocks(piece.pixels(), sizes), strict=True):
            values = np.frombuffer(band, dtype=piece.dtype).reshape(-1, box.width).copy()
            values[~inside.rows(first, first + len(values))] = blank
            yield values.tobytes()

    return Piece(header, pixels)


class Inside:
    """Which pixels of a box lie in a shape; asked for rows in any order."""

    def __init__(self, wcs: ImageWCS, shape: Shape, box: Box) -> None:
        self._wcs = wcs
        self._shape = shape
        self._box = box

    def rows(self, first: int, behind: int) -> Flags:
        """Flags [rows, width] of the box's rows from ``first`` on, counted from its own lowest."""
        box = self._box
        height, width = behind - first, box.width
        found = np.zeros((height, width), dtype=bool)
        blocks = _Blocks(self._wcs, box.left, box.bottom + first, width, height)
        safe = blocks.radius * _MARGIN < _to_rim(self._shape, blocks.ra, blocks.dec)
        whole = safe & contains(self._shape, blocks.ra.ravel(), blocks.dec.ravel()).reshape(safe.shape)
        for row, column in np.argwhere(whole):
            found[blocks.part(row, column)] = True
        for row, column in np.argwhere(~safe):
            part = blocks.part(row, column)
            found[part] = self._look_up(part, first)
        return found

    def _look_up(self, part: tuple[slice, slice], first: int) -> Flags:
        y, x = np.mgrid[part]
        ra, dec = self._wcs.to_sky(x.ravel() + self._box.left, y.ravel() + self._box.bottom + first)
        return contains(self._shape, ra, dec).reshape(x.shape)


class _Blocks:
    """Blocks of pixels: where their middles lie on the sky, and how far in radians they reach from there."""

    def __init__(self, wcs: ImageWCS, left: int, bottom: int, width: int, height: int) -> None:
        self._width, self._height = width, height
        x, y = _edges(width) + left - 0.5, _edges(height) + bottom - 0.5
        middle_x, middle_y = np.meshgrid((x[:-1] + x[1:]) / 2, (y[:-1] + y[1:]) / 2)
        self.ra, self.dec = wcs.to_sky(middle_x, middle_y)
        corner_x, corner_y = np.meshgrid(x, y)
        corners = unit(*wcs.to_sky(corner_x, corner_y))
        middles = unit(self.ra, self.dec)
        reach = [apart(middles, corners[rows, columns]) for rows in _SIDES for columns in _SIDES]
        # a block with a corner off the sky is looked up pixel by pixel
        self.radius = np.where(np.isfinite(reach).all(axis=0), np.max(reach, axis=0), np.inf)

    def part(self, row: int, column: int) -> tuple[slice, slice]:
        """The block's rows and columns."""
        ends = (min((row + 1) * _BLOCK, self._height), min((column + 1) * _BLOCK, self._width))
        return slice(row * _BLOCK, ends[0]), slice(column * _BLOCK, ends[1])


_SIDES = (slice(None, -1), slice(1, None))


def _edges(size: int) -> Array:
    return np.append(np.arange(0, size, _BLOCK), size).astype(np.float64)


def _to_rim(shape: Shape, ra: Array, dec: Array) -> Array:
    """At most how far positions are from the rim of a shape, in radians; never more than it is."""
    places = unit(ra, dec)
    match shape:
        case Circle():
            found = np.abs(apart(places, unit(np.array(shape.ra), np.array(shape.dec))) - math.radians(shape.radius))
        case Range():
            parallels = [np.abs(np.radians(dec - lat)) for lat in (shape.lat_min, shape.lat_max)]
            meridians = [_to_meridian(places, lon) for lon in (shape.lon_min, shape.lon_max)]
            found = np.min([*parallels, *meridians], axis=0)
        case Polygon():
            corners = unit(*(np.array(axis) for axis in zip(*shape.vertices, strict=True)))
            arcs = zip(corners, np.roll(corners, -1, axis=0), strict=True)
            found = np.min([_to_arc(places, start, end) for start, end in arcs], axis=0)
    return np.where(np.isfinite(found), found, -1.0)


def _to_meridian(places: Array, lon: float) -> Array:
    """Distance to the great circle that a meridian is half of."""
    pole = np.array([-math.sin(math.radians(lon)), math.cos(math.radians(lon)), 0.0])
    return np.asarray(np.abs(np.arcsin(np.clip(places @ pole, -1.0, 1.0))))


def _to_arc(places: Array, start: Array, end: Array) -> Array:
    """Distance to a great-circle arc."""
    pole = np.cross(start, end)
    length = float(np.linalg.norm(pole))
    ends = np.minimum(apart(places, start), apart(places, end))
    if length < 1e-15:  # noqa: PLR2004  two vertices at one place
        return ends
    pole /= length
    across = np.abs(np.arcsin(np.clip(places @ pole, -1.0, 1.0)))
    beside = (places @ np.cross(pole, start) >= 0.0) & (places @ np.cross(end, pole) >= 0.0)
    return np.where(beside, across, ends)


def _known_blank(piece: Piece) -> float | int | None:
    """What undefined pixels are stored as; None when the header does not say, or names what no pixel can be."""
    if piece.dtype.kind == "f":
        return math.nan
    known = piece.number("BLANK")
    lowest, highest = _ends(piece)
    return int(known) if known is not None and lowest <= known <= highest else None


def _ends(piece: Piece) -> tuple[int, int]:
    """The lowest and the highest number of a type."""
    bits = piece.dtype.itemsize * 8
    lowest = 0 if piece.dtype.kind == "u" else -(1 << (bits - 1))
    return lowest, lowest + (1 << bits) - 1


def _free_number(piece: Piece) -> int:
    """A number that no pixel has: the lowest of the type, the highest, or one between."""
    bits = piece.dtype.itemsize * 8
    lowest, highest = _ends(piece)
    low, high = highest, lowest
    seen = np.zeros(1 << bits, dtype=bool) if bits <= _WIDEST_COUNT else np.ones(1, dtype=bool)
    sizes = [min(_BAND_BYTES, piece.length - at) for at in range(0, piece.length, _BAND_BYTES)]
    for chunk in blocks(piece.pixels(), sizes):
        values = np.frombuffer(chunk, dtype=piece.dtype)
        low, high = min(low, int(values.min())), max(high, int(values.max()))
        if bits <= _WIDEST_COUNT:
            seen[values.astype(np.int64) - lowest] = True
    if low > lowest:
        return lowest
    if high < highest:
        return highest
    if seen.all():
        raise UsageFault(
            f"these pixels use every number of their {bits} bits, or both its ends, so that none is left for those "
            "outside of the shape: ask without MASK"
        )
    return int(seen.argmin()) + lowest


def _with_blank(piece: Piece, blank: int) -> bytes:
    """The header with a BLANK card, before what tells the history; one that was there is told in it."""
    images = [one for one in piece.cards.images if keyword(one) != "BLANK"]
    former = [one for one in piece.cards.images if keyword(one) == "BLANK"]
    at = next((at for at, one in enumerate(images) if keyword(one) in ("HISTORY", "COMMENT")), len(images))
    images.insert(at, make("BLANK", blank, "stored for pixels outside of the shape"))
    images += [f"HISTORY of the file: {one.strip()}"[:CARD].ljust(CARD) for one in former]
    assert all(len(one) == CARD for one in images)  # noqa: S101  as read_cards gives them
    return padded(images)
