"""Cutouts: pixels and BITPIX as in the file, coordinates moved, provenance, and no more read than needed."""

from __future__ import annotations

import gzip
import io
import math
from pathlib import Path

import numpy as np
import pytest
import realdata
from astropy.io import fits
from astropy.wcs import WCS
from wcs_truth import header_text, separation

from vo.dali.shapes import Circle, Polygon, Range
from vo.errors import LimitFault, NotFoundFault, OperatorFault, UsageFault
from vo.pixels import tiles
from vo.pixels.cutout import cut
from vo.pixels.inspect import inspect
from vo.pixels.source import OpenFile
from vo.pixels.wcs import find_solutions, read_solutions

RANDOM = np.random.default_rng(1891)
HERE = Circle(150.1, 20.05, 0.1)


def header(**changes):
    return fits.Header.fromstring(header_text(**changes), sep="\n")


def pixels(dtype=np.int16, shape=(300, 400)):
    if np.issubdtype(dtype, np.floating):
        data = RANDOM.normal(1000, 50, shape).astype(dtype)
        data[100:110, 150:160] = np.nan
        return data
    return RANDOM.integers(0, 200, shape).astype(dtype)


def write(path, data, head=None, **compressed):
    head = header() if head is None else head
    if compressed:
        image = fits.CompImageHDU(data, head, **compressed)
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(path, checksum=True)
    else:
        fits.PrimaryHDU(data, head).writeto(path, checksum=True)
    return path


def stored(source, index=0):
    """The numbers as stored and the header, by astropy."""
    with fits.open(source, do_not_scale_image_data=True, memmap=False) as opened:
        opened.verify("exception")
        return np.array(opened[index].data), opened[index].header.copy()


def made(cutout):
    content = b"".join(cutout.stream())
    assert len(content) == cutout.content_length
    assert len(content) % 2880 == 0
    return content


def assert_is_part(path, index, cutout, wcs):
    """Pixels, type and scaling as in the whole; coordinates within 0.01 pixel, read by us and by astropy."""
    content = made(cutout)
    part, part_header = stored(io.BytesIO(content))
    whole, whole_header = stored(path, index)
    box = cutout.box
    expected = whole[..., box.bottom : box.top, box.left : box.right]
    assert part.dtype == expected.dtype.newbyteorder(">")
    assert part.tobytes() == expected.astype(part.dtype).tobytes()
    for key in ("BITPIX", "BSCALE", "BZERO", "BLANK"):
        assert part_header.get(key) == whole_header.get(key), key
    x, y = np.array([0.0, 3.0, box.width - 1.0]), np.array([0.0, 5.0, box.height - 1.0])
    moved = inspect(io.BytesIO(content))[0].solutions[0]
    assert moved.key == " "
    there = wcs.to_sky(x + box.left, y + box.bottom)
    assert separation(moved.to_sky(x, y), there).max() < 0.01 * wcs.pixel_scale
    return part_header


TYPES = [np.uint8, np.int16, np.int32, np.float32, np.float64, np.uint16, np.uint32]
FORMS = [{}, {"compression_type": "RICE_1", "tile_shape": (64, 64)}, {"compression_type": "GZIP_2"}]


@pytest.mark.parametrize(("dtype", "form"), [(np.int64, {}), *((dtype, form) for dtype in TYPES for form in FORMS)])
def test_every_type_of_pixel(tmp_path, dtype, form):
    if form.get("compression_type") == "RICE_1" and np.issubdtype(dtype, np.floating):
        form = {**form, "quantize_level": 16.0}  # Rice needs integers: lossy, and equal to the file all the same
    elif form and np.issubdtype(dtype, np.floating):
        form = {**form, "quantize_level": 0.0}
    path = write(tmp_path / "plate.fits", pixels(dtype), **form)
    wcs = read_solutions(header())[0]
    assert_is_part(path, 1 if form else 0, cut(path, wcs, HERE), wcs)


@pytest.mark.parametrize("form", [{}, {"compression_type": "RICE_1", "tile_shape": (50, 50)}])
def test_scaled_integers_with_blank_stay_as_stored(tmp_path, form):
    data = pixels(np.int16)
    data[120:140, 150:190] = -32768
    head = header(BSCALE=0.25, BZERO=12.5, BLANK=-32768)
    path = tmp_path / "plate.fits"
    if form:
        image = fits.CompImageHDU(data, header(), **form)
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
        with fits.open(path, mode="update", disable_image_compression=True, do_not_scale_image_data=True) as opened:
            for key, value in (("BSCALE", 0.25), ("BZERO", 12.5), ("ZBLANK", -32768)):
                opened[1].header[key] = value
    else:
        fits.PrimaryHDU(data).writeto(path)
        text = (
            "".join(line.ljust(80) for line in header_text(BSCALE=0.25, BZERO=12.5, BLANK=-32768).splitlines()) + "END"
        )
        path.write_bytes(text.ljust(2880).encode() + data.astype(">i2").tobytes() + bytes(-data.nbytes % 2880))
    wcs = read_solutions(head)[0]
    content = made(cut(path, wcs, HERE))
    with fits.open(io.BytesIO(content), do_not_scale_image_data=True) as opened:
        part, part_header = np.array(opened[0].data), opened[0].header
        box = cut(path, wcs, HERE).box
        assert part.dtype == ">i2"
        assert np.array_equal(part, data[box.bottom : box.top, box.left : box.right])
        assert (part == -32768).any()
        assert (part_header["BSCALE"], part_header["BZERO"], part_header["BLANK"]) == (0.25, 12.5, -32768)


def test_gzipped_files_and_open_files(tmp_path):
    path = write(tmp_path / "plate.fits", pixels())
    zipped = tmp_path / "plate.fits.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    wcs = read_solutions(header())[0]
    plain = made(cut(path, wcs, HERE))
    assert_is_part(zipped, 0, cut(zipped, wcs, HERE), wcs)
    for source in (path, zipped):
        with source.open("rb") as file:
            content = made(cut(file, wcs, HERE))
            assert not file.closed
        assert stored(io.BytesIO(content))[0].tobytes() == stored(io.BytesIO(plain))[0].tobytes()


def test_only_the_tiles_needed_are_unpacked(tmp_path, monkeypatch):
    path = write(tmp_path / "plate.fits", pixels(), compression_type="RICE_1", tile_shape=(50, 50))
    unpacked = []
    real = tiles.unpack

    def counted(*args):
        unpacked.append(1)
        return real(*args)

    monkeypatch.setattr(tiles, "unpack", counted)
    cutout = cut(path, read_solutions(header())[0], HERE)
    made(cutout)
    box = cutout.box
    needed = (math.ceil(box.right / 50) - box.left // 50) * (math.ceil(box.top / 50) - box.bottom // 50)
    assert len(unpacked) == needed < 48


def test_only_the_rows_needed_are_read_from_a_file(tmp_path):
    path = write(tmp_path / "plate.fits", pixels())

    class Counting(io.FileIO):
        taken = 0

        def read(self, size=-1):
            content = super().read(size)
            Counting.taken += len(content)
            return content

    wcs = read_solutions(header())[0]
    with Counting(path) as file:
        source = OpenFile(file)
        content = made(cut(source, wcs, HERE))
        assert Counting.taken < len(content) + 11 * 2880
        Counting.taken = 0
        cutout = cut(source, wcs, HERE)
        assert made(cutout) == content
        assert Counting.taken == cutout.box.width * cutout.box.height * 2, "headers are not read again"


def test_planes_are_kept(tmp_path):
    data = RANDOM.integers(0, 200, (3, 300, 400)).astype(np.uint8)
    path = tmp_path / "colour.fits"
    fits.PrimaryHDU(data, header(NAXIS=3)).writeto(path)
    info = inspect(path)[0]
    assert (info.shape, info.planes) == ((400, 300), (3,))
    assert_is_part(path, 0, cut(path, info.solutions[0], HERE), info.solutions[0])


def test_a_large_cut_comes_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("vo.pixels.read.BAND_BYTES", 10_000)
    wcs = read_solutions(header())[0]
    for number, form in enumerate(({}, {"compression_type": "RICE_1", "tile_shape": (64, 64)})):
        path = write(tmp_path / f"{number}.fits", pixels(), **form)
        cutout = cut(path, wcs, Circle(150.1, 20.05, 0.3))
        assert len(list(cutout.stream())) > 4
        assert_is_part(path, number, cutout, wcs)


def test_no_overlap_is_none(tmp_path):
    path = write(tmp_path / "plate.fits", pixels())
    wcs = read_solutions(header())[0]
    for shape in (
        Circle(330.0, -20.0, 1.0),
        Circle(152.0, 20.0, 0.5),
        Range(10, 20, 0, 1),
        Polygon(((1, 1), (2, 1), (1, 2))),
    ):
        assert cut(path, wcs, shape) is None


def test_the_budget_is_checked_before_anything_is_read(tmp_path, monkeypatch):
    path = write(tmp_path / "plate.fits", pixels())
    wcs = read_solutions(header())[0]
    monkeypatch.setattr("vo.pixels.cutout.read_bands", lambda *_: pytest.fail("pixels were read"))
    with pytest.raises(LimitFault, match=r"400 x 300 = 120,000 pixels.*cutout_pixels.*100,000") as caught:
        cut(path, wcs, Circle(150.0, 20.0, 5.0), budget=100_000)
    assert caught.value.status == 413


def test_a_solution_of_another_grid_is_refused(tmp_path):
    path = write(tmp_path / "plate.fits", pixels())
    with pytest.raises(UsageFault, match="binned"):
        cut(path, read_solutions(header())[0].unbinned(16), HERE)


def test_images_are_chosen_by_hdu(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("A", "J", array=np.arange(9000))])
    first, second = pixels(), pixels()
    hdus = [fits.PrimaryHDU(), table, fits.ImageHDU(first, header()), fits.ImageHDU(second, header(CRVAL1=151.0))]
    path = tmp_path / "many.fits"
    fits.HDUList(hdus).writeto(path)
    infos = inspect(path)
    assert [info.index for info in infos] == [2, 3]
    wcs = infos[1].solutions[0]
    assert_is_part(path, 3, cut(path, wcs, Circle(151.1, 20.0, 0.1), hdu=3), wcs)
    assert_is_part(path, 2, cut(path, infos[0].solutions[0], HERE), infos[0].solutions[0])
    with pytest.raises(NotFoundFault, match=r"HDU 1 .* images are in 2, 3"):
        cut(path, wcs, HERE, hdu=1)


def test_damaged_files_are_told(tmp_path):
    path = write(tmp_path / "plate.fits", pixels())
    wcs = read_solutions(header())[0]
    short = tmp_path / "short.fits"
    short.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(OperatorFault, match="shorter than its header says"):
        made(cut(short, wcs, HERE))
    with short.open("rb") as file, pytest.raises(OperatorFault, match="shorter"):
        made(cut(file, wcs, Circle(150.0, 20.0, 3.0)))
    other = tmp_path / "text.fits"
    other.write_text("no FITS")
    with pytest.raises(OperatorFault, match="no FITS file"):
        cut(other, wcs, HERE)


def test_provenance_goes_into_the_header(tmp_path):
    path = write(tmp_path / "plate.fits", pixels(), header(ORIGIN="Harvard", DATAMAX=199.0))
    cards = [
        ("ORIGIN", "Université de Strasbourg", "who cut it"),
        ("PUBDID", "ivo://example/plates?" + "b02312/" * 15),
        ("HISTORY", "Cut out for CIRCLE 150.1 20.05 0.1 " + "and more words " * 10),
        ("SOLVERS", 3),
    ]
    wcs = read_solutions(header())[0]
    head = assert_is_part(path, 0, cut(path, wcs, HERE, cards), wcs)
    assert head["ORIGIN"] == "Universite de Strasbourg"
    assert head["PUBDID"] == cards[1][1].rstrip()
    assert head["SOLVERS"] == 3
    history = " ".join(head["HISTORY"])
    assert "and more words" in history
    assert "of the file: ORIGIN  = 'Harvard" in history
    assert "[" in history
    assert "400 x 300 pixels" in history
    assert "DATAMAX" in history
    for stale in ("CHECKSUM", "DATASUM", "DATAMAX"):
        assert stale not in head


def test_every_system_of_the_file_moves(tmp_path):
    extra = {
        "CTYPE1A": "RA---TAN",
        "CTYPE2A": "DEC--TAN",
        "CRVAL1A": 40.0,
        "CRVAL2A": -10.0,
        "CRPIX1A": 100.25,
        "CRPIX2A": 100.0,
        "CDELT1A": -0.01,
        "CDELT2A": 0.01,
        "RADESYSA": "ICRS",
        "CTYPE1P": "PIXEL",
        "CTYPE2P": "PIXEL",
        "CRVAL1P": 5.0,
        "CRVAL2P": 6.0,
        "CDELT1P": 2.0,
        "CDELT2P": 2.0,
        "LTV1": 3.0,
        "LTV2": 4.0,
        "LTM1_1": 1.0,
        "LTM2_2": 1.0,
    }
    path = write(tmp_path / "plate.fits", pixels(), header(**extra))
    before = inspect(path)[0].solutions
    for wcs, shape in zip(before, (HERE, Circle(40.5, -9.5, 0.3)), strict=True):
        cutout = cut(path, wcs, shape)
        head = assert_is_part(path, 0, cutout, wcs)
        after = find_solutions(head).solutions
        assert [one.key for one in after] == [" ", "A"], "the exposure's own system is the untagged one"
        other = next(one for one in before if one != wcs)
        x, y = np.array([3.0, 50.0]), np.array([1.0, 20.0])
        there = other.to_sky(x + cutout.box.left, y + cutout.box.bottom)
        assert separation(after[1].to_sky(x, y), there).max() < 1e-6
        assert (head["LTV1"], head["LTV2"]) == (3.0 - cutout.box.left, 4.0 - cutout.box.bottom)
        assert (head["CRPIX1P"], head["CRPIX2P"]) == (-cutout.box.left, -cutout.box.bottom)


def test_a_solution_from_elsewhere_replaces_the_files(tmp_path):
    """The pipeline's solution is newer than the file; nothing of the old one may remain."""
    old = {
        "CTYPE1": "RA---TAN-SIP",
        "CTYPE2": "DEC--TAN-SIP",
        "A_ORDER": 2,
        "A_2_0": 1e-5,
        "B_ORDER": 2,
        "B_0_2": 1e-5,
        "CTYPE1B": "RA---TAN",
        "CTYPE2B": "DEC--TAN",
        "CRVAL1B": 1.0,
        "CRVAL2B": 1.0,
        "CRPIX1B": 1.0,
        "CRPIX2B": 1.0,
        "CDELT1B": 1.0,
        "CDELT2B": 1.0,
        "OBSERVER": "A. J. Cannon",
    }
    path = write(tmp_path / "plate.fits", pixels(), header(**old))
    new = read_solutions(
        header_text(CTYPE1="RA---TPV", CTYPE2="DEC--TPV", CRVAL1=150.05, PV1_1=1.001, PV2_1=1.001, PV1_7=0.01)
    )[0]
    head = assert_is_part(path, 0, cut(path, new, HERE), new)
    assert head["OBSERVER"] == "A. J. Cannon"
    assert not [key for key in head if key.startswith(("A_", "B_")) or key.endswith("B")]
    assert "exposure's solution" in " ".join(head["HISTORY"])


@pytest.mark.parametrize("kind", ["SIP", "TNX"])
def test_an_untagged_system_that_cannot_take_a_letter_is_told(tmp_path, kind):
    own = {
        "SIP": {
            "CTYPE1": "RA---TAN-SIP",
            "CTYPE2": "DEC--TAN-SIP",
            "A_ORDER": 2,
            "A_2_0": 1e-5,
            "B_ORDER": 2,
            "B_0_2": 1e-5,
        },
        "TNX": {"CTYPE1": "RA---TNX", "CTYPE2": "DEC--TNX"},
    }[kind]
    lettered = {
        "CTYPE1A": "RA---TAN",
        "CTYPE2A": "DEC--TAN",
        "CRVAL1A": 40.0,
        "CRVAL2A": -10.0,
        "CRPIX1A": 100.25,
        "CRPIX2A": 100.0,
        "CDELT1A": -0.01,
        "CDELT2A": 0.01,
    }
    path = write(tmp_path / "plate.fits", pixels(), header(**own, **lettered))
    untagged, second = inspect(path)[0].solutions
    assert untagged.kind == kind
    head = assert_is_part(path, 0, cut(path, second, Circle(40.5, -9.5, 0.3)), second)
    assert f"({kind}) left out" in " ".join(head["HISTORY"])
    head = assert_is_part(path, 0, cut(path, untagged, HERE), untagged)
    assert head["CTYPE1A"] == "RA---TAN"


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
@pytest.mark.parametrize("name", realdata.IMAGES)
def test_real_files(name, recwarn):
    """Issue line 5: pixels equal to the file's, coordinates to 0.01 pixel; read by plain astropy, without repairs."""
    path = realdata.path(name)
    (wcs,) = inspect(path)[0].solutions
    ra, dec = wcs.centre
    cutout = cut(path, wcs, Circle(ra, dec, min(wcs.shape) * wcs.pixel_scale / 3600 / 6), [("ORIGIN", "test")])
    assert_is_part(path, 0, cutout, wcs)
    with fits.open(io.BytesIO(made(cutout))) as opened:
        astropys = WCS(opened[0].header)
        x, y = np.array([0.0, 20.0, cutout.box.width - 1.0]), np.array([0.0, 7.0, cutout.box.height - 1.0])
        sky = astropys.pixel_to_world(x, y).icrs
    there = wcs.to_sky(x + cutout.box.left, y + cutout.box.bottom)
    assert separation((sky.ra.deg, sky.dec.deg), there).max() < 0.01 * wcs.pixel_scale
    assert abs(cutout.box.width - min(wcs.shape) / 3) < 4
    assert_middle_agrees_with_the_whole(path, cutout, astropys)
    recwarn.clear()


def assert_middle_agrees_with_the_whole(path, cutout, astropys):
    """The file's own header by astropy, SuperCOSMOS's two cards taken out."""
    whole = fits.getheader(path)
    if "AMDX1" not in whole:
        for key in ("XPIXELSZ", "YPIXELSZ"):
            whole.remove(key, ignore_missing=True)
    x, y = cutout.box.width / 2, cutout.box.height / 2
    before = WCS(whole).pixel_to_world(x + cutout.box.left, y + cutout.box.bottom)
    after = astropys.pixel_to_world(x, y)
    assert before.separation(after).deg < 1e-8


def test_nothing_of_a_header_is_lost():
    path = realdata.path("fits/scos_1979_XB_J_5523.fits")
    (wcs,) = inspect(path)[0].solutions
    head = stored(io.BytesIO(made(cut(path, wcs, Circle(*wcs.centre, 0.02)))))[1]
    before = fits.getheader(path)
    gone = {key for key in before if key and key not in head}
    assert gone <= {"EXTEND", "RADECSYS", "XPIXELSZ", "YPIXELSZ", "DATAMIN", "DATAMAX"}
    assert "XPIXELSZ = 9.99" in " ".join(head["HISTORY"])
    assert isinstance(path, Path)
