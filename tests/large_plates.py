"""Plates of 20,000 x 20,000 pixels of 16 bits: plain, in square Rice tiles, and with a tile for each row.

They are made in a second: noise and stars lie in the middle, where cutouts are made, and repeat; the rest is empty sky.
The Rice tiles are packed by imagecodecs, the table of tiles is written by hand (FITS 4.0, section 10).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from astropy.io import fits

SIDE = 20_000
TILE = 256
#: The part with noise, both ways.
BUSY = range(8192, 12288)
RA, DEC, SCALE = 150.0, 20.0, 1.0 / 3600.0
_SKY = 1000
_KINDS = 4
_LINES = 64
_CARDS = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRVAL1": RA,
    "CRVAL2": DEC,
    "CRPIX1": SIDE / 2 + 0.5,
    "CRPIX2": SIDE / 2 + 0.5,
    "CD1_1": -SCALE,
    "CD1_2": 0.0,
    "CD2_1": 0.0,
    "CD2_2": SCALE,
    "RADESYS": "ICRS",
    "OBJECT": "a large plate",
}


@dataclass(frozen=True)
class LargePlate:
    """A file, its HDU with the image, and what its pixels are: ``truth(left, right, bottom, top)``."""

    path: Path
    hdu: int
    truth: Callable[[int, int, int, int], np.ndarray]


def header_text() -> str:
    """The cards of the solution, joined by newlines, as a Solution record keeps them."""
    head = fits.Header({"NAXIS": 2, "NAXIS1": SIDE, "NAXIS2": SIDE, **_CARDS})
    return "\n".join(str(card) for card in head.cards)


def write_plain(path: Path) -> LargePlate:
    """Rows of numbers; what lies outside of the middle rows takes no room on the disk."""
    lines = _sky((_LINES, SIDE)).astype(">i2")
    with path.open("wb") as file:
        head = fits.Header({"SIMPLE": True, "BITPIX": 16, "NAXIS": 2, "NAXIS1": SIDE, "NAXIS2": SIDE, **_CARDS})
        begin = file.write(head.tostring().encode())
        file.seek(begin + BUSY.start * SIDE * 2)
        for _ in range(len(BUSY) // _LINES):
            file.write(lines.tobytes())
        end = begin + SIDE * SIDE * 2
        file.truncate(end + -end % 2880)
    return LargePlate(path, 0, lambda left, right, bottom, top: lines[np.arange(bottom, top) % _LINES, left:right])


def write_squares(path: Path) -> LargePlate:
    """Tiles of 256 x 256."""
    busy = [_sky((TILE, TILE)) for _ in range(_KINDS)]
    packed = [pack(one) for one in busy]
    empty = {shape: pack(np.full(shape, _SKY, np.int16)) for shape in _shapes()}
    count = -(-SIDE // TILE)

    def tile(row: int, column: int) -> bytes:
        if row * TILE in BUSY and column * TILE in BUSY:
            return packed[(row * 7 + column) % _KINDS]
        return empty[min(TILE, SIDE - row * TILE), min(TILE, SIDE - column * TILE)]

    def truth(left: int, right: int, bottom: int, top: int) -> np.ndarray:
        rows, columns = np.arange(bottom, top), np.arange(left, right)
        kinds = (rows[:, None] // TILE * 7 + columns // TILE) % _KINDS
        return np.stack(busy)[kinds, rows[:, None] % TILE, columns % TILE]

    _write_tiles(path, (TILE, TILE), [tile(row, column) for row in range(count) for column in range(count)])
    return LargePlate(path, 1, truth)


def write_rows(path: Path) -> LargePlate:
    """A tile for each row, as fpack makes them unless told otherwise."""
    lines = _sky((_LINES, SIDE))
    packed = [pack(line) for line in lines]
    empty = pack(np.full(SIDE, _SKY, np.int16))
    _write_tiles(path, (SIDE, 1), [packed[row % _LINES] if row in BUSY else empty for row in range(SIDE)])
    return LargePlate(path, 1, lambda left, right, bottom, top: lines[np.arange(bottom, top) % _LINES, left:right])


def pack(tile: np.ndarray) -> bytes:
    """A tile in Rice's coding."""
    return bytes(imagecodecs.rcomp_encode(tile.ravel(), nblock=32))


def _shapes() -> set[tuple[int, int]]:
    sides = (TILE, SIDE % TILE)
    return {(high, wide) for high in sides for wide in sides}


def _sky(shape: tuple[int, int]) -> np.ndarray:
    random = np.random.default_rng(shape)
    sky = random.normal(_SKY, 12.0, shape)
    for _ in range(shape[0] * shape[1] // 2000):
        row, column = random.integers(0, shape[0] - 3), random.integers(0, shape[1] - 3)
        sky[row : row + 3, column : column + 3] += random.exponential(800.0)
    return np.rint(sky).clip(0, 32000).astype(np.int16)


def _write_tiles(path: Path, tile: tuple[int, int], packed: list[bytes]) -> None:
    lengths = np.array([len(one) for one in packed])
    table = np.zeros((len(packed), 2), dtype=">i4")
    table[:, 0], table[1:, 1] = lengths, np.cumsum(lengths)[:-1]
    head = fits.Header(
        {
            "XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 8, "NAXIS2": len(packed),
            "PCOUNT": int(lengths.sum()), "GCOUNT": 1, "TFIELDS": 1, "TTYPE1": "COMPRESSED_DATA",
            "TFORM1": f"1PB({lengths.max()})", "ZIMAGE": True, "ZBITPIX": 16, "ZNAXIS": 2, "ZNAXIS1": SIDE,
            "ZNAXIS2": SIDE, "ZTILE1": tile[0], "ZTILE2": tile[1], "ZCMPTYPE": "RICE_1", "ZNAME1": "BLOCKSIZE",
            "ZVAL1": 32, "ZNAME2": "BYTEPIX", "ZVAL2": 2, **_CARDS,
        }
    )  # fmt: skip
    with path.open("wb") as file:
        file.write(fits.PrimaryHDU().header.tostring().encode())
        file.write(head.tostring().encode())
        file.write(table.tobytes())
        file.writelines(packed)
        file.write(bytes(-file.tell() % 2880))
