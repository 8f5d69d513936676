"""Tiles packed by Hcompress or PLIO, which astropy unpacks: they are handed to it as a small FITS file of their own.

Its decoders (CFITSIO's) believe what they read, and Hcompress' keeps its place in variables of the whole process while
other threads run. So a tile's own head is looked at first, zeros follow its data for as far as they may be read, and
one thread unpacks at a time.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from astropy.io import fits

from vo.errors import OperatorFault
from vo.pixels.unpack import Coding, Packed, Pixels, damaged

RARE = frozenset({"HCOMPRESS_1", "PLIO_1"})

#: Pixels that are unpacked at once.
_AT_ONCE = 1_000_000
_MAGIC = b"\xdd\x99"
_HEAD = 25
_MOST_PLANES = 64
_lock = threading.Lock()

#: Width and height of a tile, and its data.
Shaped = tuple[int, int, Packed]


def unpack_by_astropy(coding: Coding, tiles: Sequence[Shaped], name: str) -> Iterator[Pixels]:
    """The numbers of each tile, flat; OperatorFault when one is damaged."""
    for _, same in groupby(tiles, key=lambda tile: tile[:2]):
        group = list(same)
        step = max(1, _AT_ONCE // (group[0][0] * group[0][1]))
        for first in range(0, len(group), step):
            yield from _unpack(coding, group[first : first + step], name)


def _unpack(coding: Coding, tiles: Sequence[Shaped], name: str) -> Iterator[Pixels]:
    """Tiles of one shape, as an image in which they lie above each other."""
    width, height, _ = tiles[0]
    if coding.name == "HCOMPRESS_1":
        packed = [_checked_hcompress(width, height, data, name) for _, _, data in tiles]
    else:
        packed = [_checked_plio(data, name) for _, _, data in tiles]
    content = _small_file(coding, width, height, packed)
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with fits.open(io.BytesIO(content), do_not_scale_image_data=True) as opened:
                image = np.asarray(opened[1].data)
        except Exception as error:
            raise damaged(name, error) from error
    for number in range(len(tiles)):
        yield image[number * height : (number + 1) * height].ravel()


def _checked_hcompress(width: int, height: int, data: Packed, name: str) -> bytes:
    """The data with zeros behind: every plane of bits takes four bits a pixel at most (Huffman codes and quad trees).

    The head: two bytes that say what it is, two lengths, a scale, the sum of all pixels, the planes of three quadrants.
    """
    head = bytes(data[:_HEAD])
    sides = (int.from_bytes(head[2:6], "big"), int.from_bytes(head[6:10], "big"))
    planes = max(head[22:25], default=0)
    if len(head) < _HEAD or not head.startswith(_MAGIC) or sides != (height, width) or planes > _MOST_PLANES:
        raise damaged(name, f"it says that it has {sides[1]} x {sides[0]} pixels of {planes} bits")
    return bytes(data) + bytes((planes + 2) * (width + 4) * (height + 4) // 2 + 64)


def _checked_plio(data: Packed, name: str) -> bytes:
    """The list of instructions, which tells its own length: in word 2, or in words 3 and 4 (IRAF's plio)."""
    words = np.frombuffer(data, dtype=">i2", count=len(data) // 2).astype(int)
    if len(words) < 3:  # noqa: PLR2004  the shorter head
        raise damaged(name, "it ends too soon")
    if words[2] > 0:
        first, length = 3, int(words[2])
    else:
        if len(words) < 5:  # noqa: PLR2004  the longer head
            raise damaged(name, "it ends too soon")
        first, length = int(words[1]), (int(words[4]) << 15) + int(words[3])
    if not 0 <= length <= len(words) or first < 0:
        raise damaged(name, f"it says that it has {length:,} words and has {len(words):,}")
    return bytes(data) + bytes(4)


def _small_file(coding: Coding, width: int, height: int, packed: Sequence[bytes]) -> bytes:
    table = np.zeros((len(packed), 2), dtype=">i4")
    item = 2 if coding.name == "PLIO_1" else 1
    lengths = np.array([len(one) for one in packed])
    table[:, 0] = lengths // item
    table[1:, 1] = np.cumsum(lengths)[:-1]
    heap = b"".join(packed)
    cards: list[tuple[str, object]] = [
        ("XTENSION", "BINTABLE"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", 8), ("NAXIS2", len(packed)),
        ("PCOUNT", len(heap)), ("GCOUNT", 1), ("TFIELDS", 1), ("TTYPE1", "COMPRESSED_DATA"),
        ("TFORM1", f"1P{'I' if item > 1 else 'B'}({int(table[:, 0].max())})"),
        ("ZIMAGE", True), ("ZBITPIX", 32), ("ZNAXIS", 2), ("ZNAXIS1", width), ("ZNAXIS2", height * len(packed)),
        ("ZTILE1", width), ("ZTILE2", height), ("ZCMPTYPE", coding.name),
        ("ZNAME1", "SCALE"), ("ZVAL1", coding.scale), ("ZNAME2", "SMOOTH"), ("ZVAL2", coding.smooth),
    ]  # fmt: skip
    head = str(fits.PrimaryHDU().header.tostring()) + str(fits.Header([fits.Card(*card) for card in cards]).tostring())
    body = table.tobytes() + heap
    return head.encode("ascii") + body + bytes(-len(body) % 2880)


def check_hcompress(width: int, height: int, depth: int, name: str) -> None:
    """OperatorFault for tiles that are not two-dimensional."""
    if depth != 1 or min(width, height) < 1:
        raise OperatorFault(f"{name} is compressed by Hcompress in tiles of more than two dimensions")
