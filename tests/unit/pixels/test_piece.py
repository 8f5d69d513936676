"""Several images in one file, judged by astropy; bytes cut anew."""

from __future__ import annotations

import io

import numpy as np
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from vo.pixels.cutheader import empty_primary
from vo.pixels.piece import Piece, blocks, join, piece_of


def piece(data, **cards):
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(cards)
    return Piece(hdu.header.tostring().encode(), lambda: iter([data.tobytes()]))


def test_images_in_their_order_with_names_and_types():
    images = [np.arange(12, dtype=">i2").reshape(3, 4), np.ones((2, 5, 7), dtype=">f4"), np.zeros((1, 1), dtype=">f8")]
    many = {f"CARD{number}": number for number in range(33)}  # two cards more need another block
    pieces = [piece(data, EXTNAME="p/1", EXTVER=number, **many) for number, data in enumerate(images, start=1)]
    joined = join(pieces, [("ORIGIN", "here"), ("HISTORY", "why")])
    content = b"".join(joined.stream())
    assert len(content) == joined.content_length
    with fits.open(io.BytesIO(content)) as hdus:
        hdus.verify("exception")
        assert hdus[0].data is None
        assert (hdus[0].header["ORIGIN"], str(hdus[0].header["HISTORY"])) == ("here", "why")
        for number, data in enumerate(images, start=1):
            found = hdus["p/1", number]
            assert found is hdus[number]
            assert isinstance(found, fits.ImageHDU)
            np.testing.assert_array_equal(found.data, data)
            assert found.header["CARD32"] == 32


def test_a_stream_is_taken_apart_wherever_its_chunks_end():
    data = np.arange(5000, dtype=">i4").reshape(50, 100)
    whole = piece(data)
    content = b"".join(whole.stream())
    assert len(content) == whole.content_length
    assert len(content) % 2880 == 0

    class Stream:
        header = whole.header

        def __init__(self, size):
            self.size = size

        def stream(self):
            return iter([content[at : at + self.size] for at in range(0, len(content), self.size)])

    for size in (7, 2880, 4001, 10**6):
        assert b"".join(piece_of(Stream(size)).pixels()) == data.tobytes()


def test_an_empty_primary_stands_alone():
    with fits.open(io.BytesIO(empty_primary([("EXPOSURE", 3)]))) as hdus:
        hdus.verify("exception")
        assert hdus[0].header["EXPOSURE"] == 3


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(1, 9)))
def test_blocks_are_the_same_bytes(chunks, sizes):
    whole = b"".join(chunks)
    fitting, left = [], len(whole)
    for size in sizes:
        if size <= left:
            fitting.append(size)
            left -= size
    found = list(blocks(iter(chunks), fitting))
    assert [len(one) for one in found] == fitting
    assert b"".join(found) == whole[: sum(fitting)]
