from __future__ import annotations

import gzip
import io
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from vo.dali.compress import CODINGS, choose, compress, is_compressible


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd, gzip", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip;q=0.5, zstd;q=0.5", "zstd"),
        ("gzip;q=0", None),
        ("gzip; q=0.0, zstd;q=0.001", "zstd"),
        ("*", "zstd"),
        ("*, zstd;q=0", "gzip"),
        ("*;q=0, gzip", "gzip"),
        ("*;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("identity;q=0, br", None),
        ("br, deflate", None),
        ("gzip;q=nonsense", None),
        ("gzip;q=2", None),
        (";,=;q", None),
    ],
)
def test_the_client_chooses_RFC_9110_12_5_3(accept, coding):  # noqa: N802  the section
    assert choose(accept) == coding


@given(st.text(max_size=60))
def test_no_header_is_too_odd(accept):
    assert choose(accept) in (None, *CODINGS)


def restore(coding, data):
    if coding == "gzip":
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()


@pytest.mark.parametrize("coding", CODINGS)
@given(chunks=st.lists(st.binary(max_size=200), max_size=8))
def test_what_was_compressed_reads_back(coding, chunks):
    pieces = list(compress(coding, iter(chunks)))
    assert restore(coding, b"".join(pieces)) == b"".join(chunks)
    assert all(pieces)


@pytest.mark.parametrize("coding", CODINGS)
def test_the_first_chunk_can_be_read_before_the_second_one_is_made(coding):
    def chunks():
        yield b"<VOTABLE>" + b"row " * 100
        raise AssertionError("the second one was asked for")

    first = next(compress(coding, chunks()))
    reader = zlib.decompressobj(31) if coding == "gzip" else zstandard.ZstdDecompressor().decompressobj()
    assert reader.decompress(first) == b"<VOTABLE>" + b"row " * 100


@pytest.mark.parametrize("coding", CODINGS)
def test_a_stream_that_breaks_off_has_no_end(coding):
    def chunks():
        yield b"row " * 100_000
        raise RuntimeError("gone")

    sent = []
    with pytest.raises(RuntimeError, match="gone"):
        sent.extend(compress(coding, chunks()))
    reader = zlib.decompressobj(31) if coding == "gzip" else zstandard.ZstdDecompressor().decompressobj()
    reader.decompress(b"".join(sent))
    assert not reader.eof


@pytest.mark.parametrize("coding", CODINGS)
def test_who_closes_the_stream_closes_what_makes_it(coding):
    closed = []

    def chunks():
        try:
            while True:
                yield b"x"
        finally:
            closed.append(True)

    stream = compress(coding, chunks())
    next(stream)
    stream.close()
    assert closed == [True]


def test_what_is_compressed_already_is_left_alone():
    small = ["application/vnd.apache.parquet", "Image/JPEG", "application/x-parquet; version=1"]
    large = ["application/x-votable+xml;serialization=binary2", "text/csv", "application/fits", "image/fits"]
    assert [is_compressible(media_type) for media_type in small + large] == [False] * 3 + [True] * 4
