"""Reading parts of images: few bytes, in few calls, of files here, far away and gzipped; what is known is kept."""

from __future__ import annotations

import gzip
import io
import os
import threading
from pathlib import Path

import large_plates
import numpy as np
import pytest
from astropy.io import fits
from bytesources import Counting
from wcs_truth import header_text

from vo.dali.shapes import Circle
from vo.errors import OperatorFault
from vo.pixels.cutout import cut
from vo.pixels.read import Box, list_images, read_bands
from vo.pixels.remember import Remembered
from vo.pixels.source import LocalFile, OpenFile
from vo.pixels.wcs import load_solution

RANDOM = np.random.default_rng(1893)
MEGABYTE = 1_000_000


def write(path, data, index=0):
    head = fits.Header.fromstring(header_text(), sep="\n")
    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(data) for _ in range(index - 1)), fits.ImageHDU(data, head)]
    fits.HDUList([fits.PrimaryHDU(data, head)] if index == 0 else hdus).writeto(path)
    return path


def pixels(source, box, number=0):
    image = list_images(source)[number]
    content = b"".join(read_bands(source, image, box))
    return np.frombuffer(content, image.dtype).reshape(*image.planes[::-1], box.height, box.width)


# -- bytes (acceptance of the issue on plates: 3 MB in square tiles, 12 MB plain)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    return {
        "plain": large_plates.write_plain(folder / "plain.fits"),
        "squares": large_plates.write_squares(folder / "squares.fits"),
        "rows": large_plates.write_rows(folder / "rows.fits"),
    }


@pytest.mark.parametrize(
    ("form", "most"), [("plain", 12 * MEGABYTE), ("squares", 3 * MEGABYTE), ("rows", 25 * MEGABYTE)]
)
def test_a_cutout_of_a_large_plate_reads_little(large, form, most):
    """1000 x 1000 pixels of 20,000 x 20,000, nothing of which is known before; then again, when all is known."""
    plate = large[form]
    wcs = load_solution(large_plates.header_text(), " ", (large_plates.SIDE, large_plates.SIDE))
    # Not on the grid of tiles: five columns and five rows of them are touched.
    middle = wcs.to_sky(8192 + 600.0, 8192 + 900.0)
    shape = Circle(float(middle[0]), float(middle[1]), 499.5 / 3600)
    source = Counting(plate.path)
    made = cut(source, wcs, shape)
    assert min(made.box.width, made.box.height) >= 1000
    content = b"".join(made.stream())
    assert source.taken < most
    with fits.open(io.BytesIO(content)) as opened:
        box = made.box
        np.testing.assert_array_equal(opened[0].data, plate.truth(box.left, box.right, box.bottom, box.top))
    first = source.taken
    source.calls.clear()
    assert b"".join(cut(source, wcs, shape).stream()) == content
    assert source.taken < first - 2880, "headers and the table of tiles are read once"
    assert len(source.calls) <= (1 if form != "rows" else 6)
    if form == "plain":
        assert source.taken == box.width * box.height * 2


# -- rows


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.float32, np.float64])
def test_files_here_and_far_away_give_the_same(tmp_path, dtype):
    data = RANDOM.integers(0, 200, (3, 90, 110)).astype(dtype)
    path = write(tmp_path / "a.fits", data, index=2)
    zipped = tmp_path / "a.fits.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    for box in (Box(0, 110, 0, 90), Box(20, 61, 13, 80), Box(0, 110, 5, 6), Box(109, 110, 89, 90)):
        expected = data[:, box.bottom : box.top, box.left : box.right]
        with path.open("rb") as file:
            for source in (path, LocalFile(path), Counting(path), OpenFile(file), zipped, Counting(zipped)):
                np.testing.assert_array_equal(pixels(source, box, number=1), expected)


def test_rows_of_a_band_are_asked_for_in_one_call_and_alone(tmp_path, monkeypatch):
    path = write(tmp_path / "a.fits", RANDOM.integers(0, 200, (90, 110)).astype(np.int16))
    source = Counting(path)
    image = list_images(source)[0]
    source.calls.clear()
    pixels(source, Box(20, 61, 13, 80))
    begin = image.offset + (13 * 110 + 20) * 2
    assert source.calls == [[(begin + row * 220, 82) for row in range(67)]]
    source.calls.clear()
    pixels(source, Box(0, 110, 13, 80))
    assert source.calls == [[(image.offset + 13 * 220, 67 * 220)]], "whole rows are one part"
    monkeypatch.setattr("vo.pixels.read.BAND_BYTES", 820)
    source.calls.clear()
    pixels(source, Box(20, 61, 13, 80))
    assert [len(call) for call in source.calls] == [10, 10, 10, 10, 10, 10, 7]


def test_maps_are_copied_in_strips(tmp_path, monkeypatch):
    monkeypatch.setattr("vo.pixels.source._STRIP_BYTES", 1000)
    data = RANDOM.integers(0, 200, (90, 110)).astype(np.int16)
    path = write(tmp_path / "a.fits", data)
    np.testing.assert_array_equal(pixels(path, Box(3, 100, 2, 90)), data[2:90, 3:100])
    file = LocalFile(path)
    assert file.read_rows(0, 5, 10, 0) == b""
    with pytest.raises(OperatorFault, match="shorter"):
        file.read_rows(0, 100, file.size, 2)


def test_parts_of_a_file_stay_readable_when_more_is_read(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)) * 4096)
    file = LocalFile(path)
    first, second, third = file.read([(0, 500_000), (500_000, 6), (0, 3)])
    assert bytes(second) == bytes((500_000 + number) % 256 for number in range(6))
    assert bytes(third) == bytes(range(3))
    file.read([(500_000, 256)])
    assert bytes(first) == (bytes(range(256)) * 4096)[:500_000]


def test_files_that_are_cut_off_while_they_are_open(tmp_path):
    path = write(tmp_path / "a.fits", RANDOM.integers(0, 200, (900, 1100)).astype(np.int16))
    file = LocalFile(path)
    image = list_images(file)[0]
    os.truncate(path, 20_000)
    for box in (Box(20, 61, 600, 700), Box(0, 1100, 600, 700)):
        with pytest.raises(OperatorFault, match=r"a\.fits is shorter than its header says"):
            list(read_bands(file, image, box))


def test_files_are_closed_when_nobody_holds_them(tmp_path):
    path = write(tmp_path / "a.fits", RANDOM.integers(0, 200, (90, 110)).astype(np.int16))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        pixels(path, Box(20, 61, 13, 80))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


# -- gzipped files


def test_gzipped_files_in_several_members(tmp_path):
    data = RANDOM.integers(0, 30_000, (90, 110)).astype(np.int16)
    content = write(tmp_path / "a.fits", data).read_bytes()
    path = tmp_path / "a.fits.gz"
    path.write_bytes(gzip.compress(content[:7000]) + gzip.compress(content[7000:]) + bytes(100))
    np.testing.assert_array_equal(pixels(path, Box(3, 100, 2, 90)), data[2:90, 3:100])


def test_what_a_gzipped_file_costs(tmp_path):
    """Known once, a part costs the bytes up to its last row."""
    data = RANDOM.integers(0, 30_000, (2000, 1500)).astype(np.int16)
    path = tmp_path / "a.fits.gz"
    path.write_bytes(gzip.compress(write(tmp_path / "a.fits", data).read_bytes(), 1))
    source = Counting(path)
    list_images(source)
    source.calls.clear()
    np.testing.assert_array_equal(pixels(source, Box(3, 100, 2, 90)), data[2:90, 3:100])
    assert source.taken < source.size / 2


def test_gzipped_compressed_tiles(tmp_path):
    data = RANDOM.integers(0, 200, (90, 110)).astype(np.int16)
    plain = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, tile_shape=(20, 30))]).writeto(plain)
    path = tmp_path / "a.fits.gz"
    path.write_bytes(gzip.compress(plain.getvalue()))
    np.testing.assert_array_equal(pixels(path, Box(3, 100, 2, 90)), data[2:90, 3:100])


@pytest.mark.parametrize("cut_at", [0.5, 0.999])
def test_gzipped_files_that_are_cut_off_or_damaged(tmp_path, cut_at):
    data = RANDOM.integers(0, 30_000, (90, 110)).astype(np.int16)
    content = gzip.compress(write(tmp_path / "a.fits", data).read_bytes())
    path = tmp_path / "a.fits.gz"
    path.write_bytes(content[: int(len(content) * cut_at)])
    with pytest.raises(OperatorFault, match=r"a\.fits\.gz cannot be unzipped .*damaged"):
        list_images(path)
    path.write_bytes(content[:5000] + bytes(300) + content[5300:])
    with pytest.raises(OperatorFault, match=r"a\.fits\.gz cannot be unzipped .*damaged"):
        list_images(path)


def test_gzipped_files_that_never_end(tmp_path, monkeypatch):
    monkeypatch.setattr("vo.pixels.unzip._MOST_BYTES", 5_000_000)
    path = tmp_path / "a.fits.gz"
    path.write_bytes(gzip.compress(bytes(6_000_000)))
    with pytest.raises(OperatorFault, match="more than 5,000,000 bytes"):
        list_images(path)


# -- headers


def headed(**cards):
    head = fits.Header({"SIMPLE": True, "BITPIX": 16, "NAXIS": 2, "NAXIS1": 10, "NAXIS2": 10, **cards})
    return head.tostring().encode() + bytes(2880)


@pytest.mark.parametrize(
    ("cards", "text"),
    [
        ({"NAXIS1": 10**15}, "shorter"),
        ({"NAXIS1": 10, "PCOUNT": -(10**6)}, "below zero"),
        ({"NAXIS1": 10, "GCOUNT": -1}, "below zero"),
    ],
)
def test_lengths_that_cannot_be(cards, text):
    with pytest.raises(OperatorFault, match=text):
        list_images(io.BytesIO(headed(**cards)))


def test_headers_are_read_once_for_all_who_ask(tmp_path):
    path = write(tmp_path / "a.fits", np.zeros((90, 110), np.int16), index=3)
    first = Counting(path)
    assert len(list_images(first)) == 3
    assert first.calls
    again = Counting(path)
    assert list_images(again) is list_images(first)
    assert not again.calls


# -- what is remembered


def test_the_oldest_goes_when_there_is_no_more_room():
    held: Remembered[str] = Remembered(100)
    made = []

    def make(name, size=40):
        made.append(name)
        return name, size

    for name in ("a", "b", "a", "c", "a", "b"):
        assert held.get(name, lambda name=name: make(name)) == name
    assert made == ["a", "b", "c", "b"]
    assert held.get("large", lambda: make("large", 1000)) == "large"
    held.get("a", lambda: make("a"))
    assert made[-2:] == ["large", "a"], "what is larger than all room goes with the next"


def test_what_cannot_be_made_is_not_remembered():
    held: Remembered[int] = Remembered(100)
    with pytest.raises(ZeroDivisionError):
        held.get("a", lambda: (1 // 0, 1))
    assert held.get("a", lambda: (5, 1)) == 5


def test_many_threads_see_one_value():
    held: Remembered[object] = Remembered(1000)
    seen = []
    gate = threading.Barrier(8)

    def look():
        gate.wait()
        seen.append([held.get(number % 5, lambda: (object(), 10)) for number in range(200)])

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one == seen[0] for one in seen)
