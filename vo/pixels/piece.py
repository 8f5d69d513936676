"""An image in the making, as FITS: its header at hand, its pixels read as they are asked for.

Several make one multi-extension file, whose length is known before any pixel is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Protocol

import numpy as np

from vo.pixels.cards import Cards, Value
from vo.pixels.cutheader import CutCard, as_extension, empty_primary, split
from vo.pixels.read import BLOCK

_TYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


class FitsStream(Protocol):
    """A FITS file of one HDU on its way, such as :class:`vo.pixels.cutout.Cutout`."""

    @property
    def header(self) -> bytes:
        """Whole blocks."""

    def stream(self) -> Iterator[bytes]:
        """The header, then pixels, then what fills the last block."""


@dataclass(frozen=True)
class Piece:
    """An image and its header, that of a primary HDU in whole blocks.

    ``pixels()`` gives the stored numbers in pieces of any size, row after row and plane after plane.
    """

    header: bytes
    pixels: Callable[[], Iterator[bytes]]

    @cached_property
    def cards(self) -> Cards:
        """The header's cards as they stand."""
        return Cards(split(self.header))

    @cached_property
    def _values(self) -> dict[str, Value]:
        return self.cards.values()

    @cached_property
    def axes(self) -> tuple[int, ...]:
        """NAXIS1, NAXIS2 and further lengths."""
        return tuple(self._whole(f"NAXIS{axis}") for axis in range(1, self._whole("NAXIS") + 1))

    @cached_property
    def dtype(self) -> np.dtype[np.generic]:
        """The stored numbers, most significant byte first."""
        return np.dtype(_TYPES[self._whole("BITPIX")])

    @property
    def length(self) -> int:
        """Bytes of the pixels."""
        return prod(self.axes) * self.dtype.itemsize

    @property
    def content_length(self) -> int:
        """Bytes of the file."""
        return len(self.header) + _filled(self.length)

    def number(self, key: str) -> float | None:
        """The value of a card that holds a number."""
        found = self._values.get(key)
        return found if isinstance(found, int | float) and not isinstance(found, bool) else None

    def stream(self) -> Iterator[bytes]:
        """The file's bytes."""
        yield self.header
        yield from self.pixels()
        yield bytes(_filled(self.length) - self.length)

    def _whole(self, key: str) -> int:
        found = self._values.get(key)
        return found if isinstance(found, int) else 0


def piece_of(made: FitsStream) -> Piece:
    """A file of one HDU as a piece."""

    def pixels() -> Iterator[bytes]:
        skip, left = len(made.header), piece.length
        for chunk in made.stream():
            part = chunk[skip : skip + left]
            skip -= min(skip, len(chunk))
            left -= len(part)
            if part:
                yield part

    piece = Piece(made.header, pixels)
    return piece


@dataclass(frozen=True, slots=True)
class Joined:
    """Several images as one file: an empty primary HDU, then an image extension for each."""

    primary: bytes
    headers: tuple[bytes, ...]
    pieces: tuple[Piece, ...]

    @property
    def content_length(self) -> int:
        """Bytes of the file."""
        images = zip(self.headers, self.pieces, strict=True)
        return len(self.primary) + sum(len(header) + _filled(piece.length) for header, piece in images)

    def stream(self) -> Iterator[bytes]:
        """The file's bytes, one image after the other."""
        yield self.primary
        for header, piece in zip(self.headers, self.pieces, strict=True):
            yield header
            yield from piece.pixels()
            yield bytes(_filled(piece.length) - piece.length)


def join(pieces: Sequence[Piece], cards: Iterable[CutCard]) -> Joined:
    """Put images into one file; ``cards`` are those of the primary HDU. Each piece has its own EXTNAME and EXTVER."""
    return Joined(empty_primary(cards), tuple(as_extension(piece.header) for piece in pieces), tuple(pieces))


def blocks(chunks: Iterator[bytes], sizes: Iterable[int]) -> Iterator[bytes]:
    """The bytes cut anew, into blocks of these sizes."""
    held = bytearray()
    for size in sizes:
        while len(held) < size:
            held += next(chunks)
        yield bytes(held[:size])
        del held[:size]


def _filled(length: int) -> int:
    return -(-length // BLOCK) * BLOCK
