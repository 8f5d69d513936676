"""Unpacking one tile of a compressed image (FITS 4.0, sections 10.2 and 10.4): from its bytes to its numbers.

What a damaged tile says is not believed: unpacking ends at the size that a tile of so many pixels has.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from vo.errors import OperatorFault

Pixels = NDArray[np.generic]
Packed = bytes | memoryview

_RICE_TYPES: dict[int, np.dtype[np.generic]] = {1: np.dtype(np.uint8), 2: np.dtype(np.int16), 4: np.dtype(np.int32)}
_INTEGERS = {1: ">u1", 2: ">i2", 4: ">i4", 8: ">i8"}
_FLOATS = {4: ">f4", 8: ">f8"}
_MOST_BLOCK = 1024
#: Rice's decoder looks for its end after each block of pixels only. No pixel takes more than eight bytes of these.
_BEHIND = b"\xff" * (8 * _MOST_BLOCK + 64)
_GZIP = 31
_DAMAGES: tuple[Any, ...] = (isal_zlib.IsalError, ValueError, EOFError)

#: Of the sequence of random numbers by which floats were dithered (FITS 4.0, appendix I).
_RANDOMS, _STEPS = 10_000, 500
_ZERO = -2147483646


@dataclass(frozen=True, slots=True)
class Coding:
    """How tiles are packed: ZCMPTYPE's word and its parameters.

    ``item`` is the size of the packed numbers in bytes, 0 where the data tell, ``block`` Rice's block of pixels;
    ``scale`` and ``smooth`` are Hcompress'. ``is_float`` when the numbers are the floats themselves.
    """

    name: str
    item: int = 0
    block: int = 32
    scale: int = 0
    smooth: int = 0
    is_float: bool = False


@dataclass(frozen=True, slots=True)
class Sizes:
    """A tile has ``count`` pixels; ``needed`` of them are needed, in an array of ``room`` at least."""

    count: int
    needed: int
    room: int


def unpack(coding: Coding, data: Packed, sizes: Sizes, name: str) -> Pixels:
    """A tile's numbers, as many as are needed; what stands behind them means nothing. OperatorFault when damaged."""
    if coding.name in ("RICE_1", "RICE_ONE"):
        return _rice(coding, data, sizes, name)
    if coding.name in ("GZIP_1", "GZIP_2"):
        return _gzip(coding, data, sizes.count, name)
    return _numbers(coding, data, sizes.count, name)


def _rice(coding: Coding, data: Packed, sizes: Sizes, name: str) -> Pixels:
    pixels: Pixels = np.empty(sizes.room, dtype=_RICE_TYPES[coding.item])
    packed = memoryview(b"".join((data, _BEHIND)))[: len(data)]
    try:
        imagecodecs.rcomp_decode(packed, nblock=coding.block, out=pixels[: sizes.needed])  # type: ignore[arg-type]  # any buffer serves
    except (RuntimeError, ValueError) as error:
        raise damaged(name, error) from error
    return pixels


def check_rice(coding: Coding, name: str) -> None:
    """OperatorFault for parameters that the decoder must not see."""
    if coding.item not in _RICE_TYPES or not 1 <= coding.block <= _MOST_BLOCK:
        raise OperatorFault(
            f"{name} is compressed with BYTEPIX={coding.item} and BLOCKSIZE={coding.block}; BYTEPIX has to be 1, 2 or "
            f"4 and BLOCKSIZE 1 to {_MOST_BLOCK}"
        )


def _gzip(coding: Coding, data: Packed, count: int, name: str) -> Pixels:
    most = 8 * count
    unzipper = isal_zlib.decompressobj(wbits=_GZIP)
    try:
        content = unzipper.decompress(data, most + 1)
    except _DAMAGES as error:
        raise damaged(name, error) from error
    if not unzipper.eof:
        raise damaged(name, "more than its pixels have" if len(content) > most else "it ends too soon")
    if coding.name == "GZIP_2" and count and len(content) % count == 0:
        shuffled = np.frombuffer(content, dtype=np.uint8).reshape(-1, count)  # the high bytes of all numbers first
        content = shuffled.T.tobytes()
    return _numbers(coding, content, count, name)


def _numbers(coding: Coding, data: Packed, count: int, name: str) -> Pixels:
    """Numbers as they are, their size told by their length (as CFITSIO does it)."""
    types = _FLOATS if coding.is_float else _INTEGERS
    size = coding.item or len(data) // max(count, 1)
    if size not in types or len(data) != size * count:
        raise damaged(name, f"{len(data):,} bytes for {count:,} pixels")
    return np.frombuffer(data, dtype=types[size])


@dataclass(frozen=True, slots=True)
class Dither:
    """How floats were made whole numbers: ZQUANTIZ's method (0: without random numbers, 1 or 2) and ZDITHER0."""

    method: int = 0
    seed: int = 0

    def offsets(self, tile: int, count: int) -> NDArray[np.float32]:
        """The random numbers of a tile's pixels; ``tile`` counts from 0."""
        randoms = _randoms()
        at = (tile + self.seed - 1) % _RANDOMS
        pieces, length = [], 0
        while length < count:
            piece = randoms[int(randoms[at] * _STEPS) :]
            pieces.append(piece)
            length += len(piece)
            at = (at + 1) % _RANDOMS
        return np.concatenate(pieces)[:count] if pieces else randoms[:0]


def as_floats(
    numbers: Pixels, scale: float, zero: float, blank: int | None, dither: Dither, offsets: Pixels | None
) -> NDArray[np.float64]:
    """The floats that whole numbers stand for (FITS 4.0, section 10.2); ``blank`` becomes NaN.

    ``offsets`` are the random numbers of these very pixels.
    """
    values = numbers.astype(np.float64)
    if offsets is not None:
        values -= offsets.astype(np.float64)
        values += 0.5
    values *= scale
    values += zero
    if dither.method == 2:  # noqa: PLR2004  SUBTRACTIVE_DITHER_2 keeps zeros
        values[numbers == _ZERO] = 0.0
    if blank is not None:
        values[numbers == blank] = np.nan
    return values


@cache
def _randoms() -> NDArray[np.float32]:
    """The generator of FITS 4.0, appendix I (Park & Miller 1988, CACM 31, 1192), whose last seed is 1043618065."""
    seed, values = 1, []
    for _ in range(_RANDOMS):
        seed = 16807 * seed % 2147483647
        values.append(seed / 2147483647.0)
    return np.array(values, dtype=np.float32)


def damaged(name: str, why: object) -> OperatorFault:
    """A tile that cannot be unpacked."""
    return OperatorFault(f"a tile of {name} cannot be unpacked ({why}); the copy here is damaged")
