"""Tile-compressed images: the numbers that astropy gives, the tiles needed alone, and no belief in damaged files."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from astropy.io import fits
from bytesources import Counting
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vo.errors import OperatorFault
from vo.pixels import tiles
from vo.pixels.read import Box, list_images, read_bands

RANDOM = np.random.default_rng(1888)
SIDES = (150, 203)
BOXES = [
    Box(0, 203, 0, 150),
    Box(40, 121, 33, 97),
    Box(0, 1, 0, 1),
    Box(202, 203, 149, 150),
    Box(63, 65, 10, 140),
    Box(5, 190, 64, 65),
]


def stars(dtype, sides=SIDES):
    """A sky with noise and some stars, in numbers of this type."""
    y, x = np.mgrid[0 : sides[0], 0 : sides[1]]
    sky = RANDOM.normal(90.0, 4.0, sides)
    for _ in range(12):
        at, on = RANDOM.uniform(0, sides[1]), RANDOM.uniform(0, sides[0])
        sky += RANDOM.uniform(10, 60) * np.exp(-((x - at) ** 2 + (y - on) ** 2) / 6.0)
    return sky.astype(dtype) if np.issubdtype(dtype, np.floating) else np.rint(sky).astype(dtype)


def write(path, data, **how):
    """A compressed image behind an empty primary HDU."""
    with np.errstate(all="ignore"):
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, **how)]).writeto(path)
    return path


def ours(source, box):
    image = list_images(source)[0]
    content = b"".join(read_bands(source, image, box))
    return np.frombuffer(content, dtype=image.dtype).reshape(*image.planes[::-1], box.height, box.width)


def astropys(path):
    with fits.open(path, do_not_scale_image_data=True) as opened:
        return np.array(opened[1].data)


def assert_same(path, boxes=BOXES, source=None):
    whole = astropys(path)
    for box in boxes:
        expected = whole[..., box.bottom : box.top, box.left : box.right]
        found = ours(source or path, box)
        assert found.astype(expected.dtype).tobytes() == expected.tobytes(), box


SQUARE, ROWS, ODD = (64, 64), (1, 203), (38, 51)
INTEGERS = [
    (kind, dtype, shape)
    for kind in ("RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1", "NOCOMPRESS")
    for dtype in (np.uint8, np.int16, np.int32)
    for shape in (SQUARE, ROWS, ODD)
    if not (kind == "HCOMPRESS_1" and shape == ROWS)
]


@pytest.mark.parametrize(("kind", "dtype", "shape"), INTEGERS)
def test_integers_of_every_coding(tmp_path, kind, dtype, shape):
    assert_same(write(tmp_path / "a.fits", stars(dtype), compression_type=kind, tile_shape=shape))


@pytest.mark.parametrize("kind", ["GZIP_1", "GZIP_2", "NOCOMPRESS"])
@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
def test_numbers_without_loss(tmp_path, kind, dtype):
    data = stars(dtype)
    if np.issubdtype(dtype, np.floating):
        data[30:40, 20:90] = np.nan
    assert_same(
        write(tmp_path / "a.fits", data, compression_type=kind, tile_shape=SQUARE, quantize_level=0.0),
    )


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1"])
@pytest.mark.parametrize("method", [-1, 1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_made_whole(tmp_path, kind, method, dtype):
    """ZQUANTIZ: no dithering, subtractive dithering 1 and 2, with blanks, with zeros, and with tiles left as floats."""
    data = stars(dtype)
    data[10:20, 100:130] = np.nan
    data[70:74, 5:60] = 0.0
    data[64:128, 128:192] = 3.25  # no noise: astropy packs this tile without loss
    how = {"compression_type": kind, "tile_shape": SQUARE, "quantize_level": 4.0, "quantize_method": method}
    path = write(tmp_path / "a.fits", data, **how, dither_seed=17)
    with fits.open(path, disable_image_compression=True) as opened:
        assert (opened[1].data["ZSCALE"] == 0).any()
    assert_same(path)


def test_a_random_sequence_that_begins_anew_within_a_tile(tmp_path):
    """A tile has more pixels than the sequence has numbers, and the last seed is followed by the first."""
    data = stars(np.float32, (300, 203))
    for seed in (1, 9999, 10000):
        how = {"compression_type": "RICE_1", "tile_shape": (150, 203), "quantize_method": 1, "dither_seed": seed}
        path = write(tmp_path / f"{seed}.fits", data, **how)
        assert_same(path, [Box(0, 203, 0, 300), Box(100, 180, 120, 160)])


def test_planes_in_tiles_of_several(tmp_path):
    data = np.stack([stars(np.int16) for _ in range(5)])
    for number, shape in enumerate([(1, 64, 64), (2, 64, 64), (5, 1, 203)]):
        path = write(tmp_path / f"{number}.fits", data, compression_type="RICE_1", tile_shape=shape)
        assert_same(path, BOXES[:3])
    four = np.stack([data, data[::-1] + 1])
    path = write(tmp_path / "four.fits", four, compression_type="GZIP_1", tile_shape=(2, 3, 40, 64))
    assert_same(path, BOXES[:3])


def test_a_sky_that_has_no_noise(tmp_path):
    for kind in ("RICE_1", "HCOMPRESS_1", "PLIO_1", "GZIP_2"):
        path = write(tmp_path / f"{kind}.fits", np.zeros(SIDES, np.int16), compression_type=kind, tile_shape=SQUARE)
        assert_same(path, BOXES[:2])


def test_numbers_that_fill_their_type(tmp_path):
    data = RANDOM.integers(-(2**31), 2**31 - 1, SIDES).astype(np.int32)
    data[:10], data[10:20] = 2**31 - 1, -(2**31)
    for kind in ("RICE_1", "GZIP_2"):
        assert_same(write(tmp_path / f"{kind}.fits", data, compression_type=kind, tile_shape=SQUARE))


def test_blanks_of_whole_numbers_stay_as_stored(tmp_path):
    data = stars(np.int32)
    data[20:40, 30:60] = -99
    path = write(tmp_path / "a.fits", data, compression_type="RICE_1", tile_shape=SQUARE)
    with fits.open(path, mode="update", disable_image_compression=True) as opened:
        opened[1].header["ZBLANK"] = -99
    assert_same(path)


# -- what is read


def test_the_tiles_needed_are_read_in_one_call_and_nothing_twice(tmp_path):
    path = write(tmp_path / "a.fits", stars(np.int16), compression_type="RICE_1", tile_shape=(50, 50))
    source = Counting(path)
    ours(source, BOXES[1])
    with fits.open(path, disable_image_compression=True) as opened:
        table = np.frombuffer(path.read_bytes(), ">i4", 2 * len(opened[1].data), opened[1]._data_offset)
    lengths = table.reshape(-1, 2)[:, 0].reshape(3, 5)
    source.calls.clear()
    assert_same(path, [BOXES[1]], source)
    assert len(source.calls) == 1, "neither headers nor the table of tiles are read again"
    assert source.taken == lengths[0:2, 0:3].sum()
    source.calls.clear()
    other = Counting(path)
    ours(other, BOXES[2])
    assert other.taken == lengths[0, 0], "what is known is known of the file, not of one who reads it"


def test_a_file_that_changes_is_read_anew(tmp_path):
    path = write(tmp_path / "a.fits", stars(np.int16), compression_type="RICE_1", tile_shape=(50, 50))
    assert_same(path)
    path.unlink()
    write(path, stars(np.int16) + 3, compression_type="GZIP_1", tile_shape=(37, 41))
    assert_same(path)


def test_long_rows_of_tiles_are_read_in_parts(tmp_path, monkeypatch):
    path = write(tmp_path / "a.fits", stars(np.int16), compression_type="RICE_1", tile_shape=ROWS)
    monkeypatch.setattr(tiles, "_READ_BYTES", 4000)
    source = Counting(path)
    assert_same(path, BOXES, source)
    assert max(sum(length for _, length in call) for call in source.calls[3:]) <= 4000


@pytest.mark.parametrize("kind", ["RICE_1", "HCOMPRESS_1", "GZIP_2"])
def test_many_at_the_same_time(tmp_path, kind):
    """Hcompress' decoder in astropy keeps its place in variables of the process; none may see another's."""
    paths = [
        write(tmp_path / f"{number}.fits", stars(np.int16), compression_type=kind, tile_shape=SQUARE)
        for number in range(4)
    ]
    expected = [astropys(path) for path in paths]
    wrong = []

    def cut(number):
        for box in BOXES * 5:
            part = expected[number][box.bottom : box.top, box.left : box.right]
            if not np.array_equal(ours(paths[number], box), part):
                wrong.append(box)

    threads = [threading.Thread(target=cut, args=(number % 4,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# -- damaged files


def edited(path, edit):
    """The file with its table of tiles changed: [tiles, 2] of lengths and places in the heap."""
    content = bytearray(path.read_bytes())
    with fits.open(path, disable_image_compression=True) as opened:
        head = opened[1].header
        begin, rows, width = opened[1]._data_offset, head["NAXIS2"], head["NAXIS1"]
    table = np.frombuffer(bytes(content[begin : begin + rows * width]), dtype=np.uint8).reshape(rows, width).copy()
    pairs = table[:, :8].copy().view(">i4")
    edit(pairs)
    table[:, :8] = pairs.view(np.uint8)
    content[begin : begin + rows * width] = table.tobytes()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "HCOMPRESS_1"])
@pytest.mark.parametrize(
    ("column", "number"), [(0, 2**31 - 1), (0, -5), (1, 2**31 - 1), (1, -1), (0, 2_000_000), (0, 0)]
)
def test_a_table_that_cannot_be_is_told_before_anything_is_read(tmp_path, kind, column, number):
    def edit(pairs):
        pairs[3, column] = number

    path = write(tmp_path / "a.fits", stars(np.int16), compression_type=kind, tile_shape=SQUARE)
    assert_same(path, [Box(0, 60, 0, 60)])
    source = Counting(edited(path, edit), version=f"{kind} {column} {number}")
    with pytest.raises(OperatorFault, match=r"tile 4 of a\.fits .*damaged"):
        ours(source, BOXES[0])
    assert source.taken < 40_000
    assert ours(source, Box(0, 60, 0, 60)).shape == (60, 60), "what is whole can still be cut"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1"])
def test_damaged_tiles_give_numbers_or_a_fault(tmp_path, kind, data):
    """Bytes changed, filled and cut off anywhere among the tiles' data: never a crash, never another exception."""
    original = tmp_path / "whole.fits"
    if not original.exists():
        write(original, stars(np.int16), compression_type=kind, tile_shape=SQUARE)
    content = bytearray(original.read_bytes())
    with fits.open(original, disable_image_compression=True) as opened:
        begin = opened[1]._data_offset + opened[1]._theap
    first = data.draw(st.integers(begin, len(content) - 1))
    if data.draw(st.booleans()):
        length = data.draw(st.integers(1, 4000))
        filling = data.draw(st.sampled_from([b"\0", b"\xff", b"\x80", b"\xdd\x99"]))
        content[first : first + length] = (filling * length)[:length][: len(content) - first]
    else:
        for at in data.draw(st.lists(st.integers(begin, len(content) - 1), min_size=1, max_size=20)):
            content[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.fits"
    path.write_bytes(content)
    source = Counting(path, version=f"{kind} {hash(bytes(content))}")
    try:
        found = ours(source, BOXES[0])
    except OperatorFault as fault:
        assert "damaged" in fault.text  # noqa: PT017  both ends are right
    else:
        assert found.shape == SIDES


HEADERS = [
    ("ZTILE1", 0, "tiles of"),
    ("ZTILE1", -64, "tiles of"),
    ("ZTILE2", 32, "should have 20 tiles"),
    ("ZNAXIS1", 10**9, "tiles and its table has"),
    ("ZVAL1", 0, "BLOCKSIZE"),
    ("ZVAL1", 10**6, "BLOCKSIZE"),
    ("ZVAL2", 3, "BYTEPIX"),
    ("ZCMPTYPE", "ZSTD_9", "known are"),
    ("ZQUANTIZ", "ROUNDED", "SUBTRACTIVE_DITHER_1"),
    ("TFORM1", "1PZ(9)", "no array of numbers"),
    ("TFORM1", "1J", "columns"),
    ("TTYPE1", "OTHER", "columns"),
    ("PCOUNT", 10**12, "shorter"),
    ("PCOUNT", -(10**12), "below zero"),
    ("THEAP", -5000, "cannot be"),
    ("THEAP", 10**12, "cannot be"),
    ("NAXIS2", 10**12, "shorter"),
]


@pytest.mark.parametrize(("key", "value", "text"), HEADERS)
def test_headers_that_cannot_be(tmp_path, key, value, text):
    path = write(tmp_path / "a.fits", stars(np.int16), compression_type="RICE_1", tile_shape=SQUARE)
    content = path.read_bytes()
    with fits.open(path, disable_image_compression=True) as opened:
        head, offset = opened[1].header.copy(), opened[1]._data_offset
        before = opened[1]._header_offset
    head[key] = value
    written = head.tostring().encode()
    path.write_bytes(content[:before] + written + content[offset:])
    with pytest.raises(OperatorFault, match=text):
        ours(path, BOXES[0])


def test_tiles_too_large_to_unpack(tmp_path, monkeypatch):
    monkeypatch.setattr("vo.pixels.tiling._MOST_TILE_PIXELS", 10_000)
    path = write(tmp_path / "a.fits", stars(np.int16), compression_type="RICE_1", tile_shape=SIDES)
    with pytest.raises(OperatorFault, match=r"30,450 pixels.*256 x 256"):
        ours(path, BOXES[1])


def test_a_tile_that_unpacks_to_far_more_than_its_pixels(tmp_path):
    """A gzip bomb in the place of a tile: unpacking ends at what the tile's pixels can be."""
    import gzip

    path = write(tmp_path / "a.fits", stars(np.int32), compression_type="GZIP_1", tile_shape=SQUARE)
    bomb = gzip.compress(bytes(30_000_000), 9)

    def edit(pairs):
        pairs[0] = len(bomb), pairs[-1, 0] + pairs[-1, 1]

    edited(path, edit)
    content = path.read_bytes()
    with fits.open(path, disable_image_compression=True) as opened:
        head, offset, before = opened[1].header.copy(), opened[1]._data_offset, opened[1]._header_offset
    end = offset + head["NAXIS1"] * head["NAXIS2"] + head["PCOUNT"]
    head["PCOUNT"] += len(bomb)
    path.write_bytes(content[:before] + head.tostring().encode() + content[offset:end] + bomb)
    with pytest.raises(OperatorFault, match="more than its pixels have"):
        ours(path, Box(0, 10, 0, 10))
