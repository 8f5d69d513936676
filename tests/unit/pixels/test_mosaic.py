"""Solutions put into base files on their way out: read back by astropy and by ourselves, pixels unchanged."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass, field

import numpy as np
import pytest
import realdata
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from pixels_by_hand import read_wcs
from wcs_truth import header_text, separation, tpv_header

from vo.errors import NotFoundFault, OperatorFault
from vo.pixels.bintable import TableColumn, table_hdu
from vo.pixels.mosaic import build, place
from vo.pixels.source import LocalFile
from vo.pixels.wcs import find_solutions, read_solutions

WIDTH, HEIGHT = 400, 300
CARDS = (("ORIGIN", "A very long name of an observatory, longer than one card can hold: Sternwarte Großschwabhausen"),)


@dataclass
class Counted:
    """A file of this machine that tells what was read of it."""

    file: LocalFile
    reads: list[tuple[int, int]] = field(default_factory=list)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def read(self, ranges):
        self.reads += ranges
        return self.file.read(ranges)


def pixels(width=WIDTH, height=HEIGHT):
    return np.random.default_rng(5).integers(0, 4000, (height, width)).astype(np.int16)


def write_base(path, *, compressed=False, cards=(), data=None):
    """A base file as DASCH has them: scanner's cards, no coordinates."""
    data = pixels() if data is None else data
    header = fits.Header([("SCANNUM", 3, "the scan"), ("S_OPER", "Mary"), *cards, ("COMMENT", "kept as it is")])
    if compressed:
        image = fits.CompImageHDU(data, header, compression_type="RICE_1", tile_shape=(100, 100))
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(path, checksum=True)
    else:
        fits.PrimaryHDU(data, header).writeto(path, checksum=True)
    return LocalFile(path)


def tpv(number, **values):
    (wcs,) = read_solutions(
        tpv_header(80.0 + 7.0 * number, -5.0 + number, angle=11.0 * number, bend=0.004, width=WIDTH, height=HEIGHT)
    )
    return f"solution {number}", wcs


def whole(mosaic):
    content = b"".join(bytes(piece) for piece in mosaic.stream())
    assert len(content) == mosaic.size
    assert mosaic.size % 2880 == 0
    return content


def opened(content):
    return fits.open(io.BytesIO(content), do_not_scale_image_data=True, checksum=True)


def assert_astropy_finds(header, placed, *, worst=0.01):
    """Every 40th pixel of the image lies where the solution has it, in pixels, for each letter."""
    y, x = np.mgrid[0 : placed[0].wcs.shape[1] : 40, 0 : placed[0].wcs.shape[0] : 40]
    for one in placed:
        found = read_wcs(header, one.key).all_pix2world(x.ravel(), y.ravel(), 0)
        distance = separation(np.array(found), np.array(one.wcs.to_sky(x.ravel(), y.ravel())))
        assert (distance / one.wcs.pixel_scale).max() < worst, one.key


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("count", [1, 2, 11])
def test_every_solution_is_in_the_header_and_the_pixels_are_the_base_files(tmp_path, compressed, count):
    base = write_base(tmp_path / "base.fits", compressed=compressed)
    placed = place([tpv(number) for number in range(count)])
    assert [one.key for one in placed] == list(" ABCDEFGHIJ")[:count]
    content = whole(build(base, int(compressed), placed, CARDS, []))
    with opened(content) as hdus:
        hdus.verify("exception")
        image = hdus[int(compressed)]
        assert np.array_equal(image.data, pixels())
        assert (image.header["SCANNUM"], image.header["S_OPER"]) == (3, "Mary")
        assert image.header["ORIGIN"].endswith("Grosschwabhausen") or "Gro?schwabhausen" in image.header["ORIGIN"]
        assert_astropy_finds(image.header, placed)
        found = find_solutions(image.header, (WIDTH, HEIGHT))
    assert not found.problems
    assert [one.key for one in found.solutions] == [one.key for one in placed]
    x, y = np.array([0.0, 399.0, 0.0, 399.0, 200.0]), np.array([0.0, 0.0, 299.0, 299.0, 150.0])
    for one, known in zip(found.solutions, placed, strict=True):
        assert (separation(one.to_sky(x, y), known.wcs.to_sky(x, y)) / one.pixel_scale).max() < 0.01
        back = known.wcs.to_pixel(*one.to_sky(x, y))
        assert np.abs(np.array(back) - np.array([x, y])).max() < 0.01


def test_data_of_a_compressed_base_are_passed_on_as_they_are(tmp_path):
    base = write_base(tmp_path / "base.fits.fz", compressed=True)
    content = whole(build(base, 1, place([tpv(0)]), CARDS, []))
    before = (tmp_path / "base.fits.fz").read_bytes()
    with fits.open(tmp_path / "base.fits.fz", disable_image_compression=True) as hdus:
        info = hdus[1].fileinfo()
    data = before[info["datLoc"] : info["datLoc"] + info["datSpan"]]
    assert len(data) > 10_000
    assert data in content
    with fits.open(io.BytesIO(content), disable_image_compression=True, checksum=True) as hdus:
        assert hdus[1].header["DATASUM"]
        assert "CHECKSUM" not in hdus[1].header


def test_the_real_tpv_solution_comes_back(tmp_path):
    text = realdata.path("headers/tpvonly.hdr").read_text(encoding="ascii")
    (wcs,) = find_solutions(text).solutions
    base = write_base(tmp_path / "base.fits", data=np.zeros((4096, 2048), dtype=np.uint8))
    placed = place([("first", wcs.turned(180)), ("second", wcs)])
    with opened(whole(build(base, 0, placed, CARDS, []))) as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        assert header["PV2_10A"] == wcs_values(wcs)["PV2_10"]
        assert_astropy_finds(header, placed, worst=1e-5)
        assert len(find_solutions(header).solutions) == 2


def wcs_values(wcs):
    from vo.pixels.cards import read_cards

    return read_cards(wcs.header_text()).values()


def sip(**changes):
    text = header_text(
        CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP", A_ORDER=2, B_ORDER=2, A_2_0=2e-5, B_1_1=-1e-5, **changes
    )
    return read_solutions(text)[0]


def test_sips_coefficients_are_shared_when_they_are_the_same(tmp_path):
    base = write_base(tmp_path / "base.fits")
    placed = place([("one", sip()), ("two", sip(CRVAL1=160.0))])
    assert [one.key for one in placed] == [" ", "A"]
    with opened(whole(build(base, 0, placed, CARDS, []))) as hdus:
        assert hdus[0].header.count("A_2_0") == 1
        assert_astropy_finds(hdus[0].header, placed, worst=1e-5)


def test_what_can_have_no_letter_has_a_header_of_its_own(tmp_path):
    """SIP beside a TPV, and a DSS plate polynomial: each is there, and spoils no other."""
    from vo.pixels.read import list_images

    (image, *_) = list_images(realdata.path("fits/astropydata_M6707HH.fits"))
    dss = next(one for one in find_solutions(image.cards, (WIDTH, HEIGHT)).solutions if one.kind == "DSS")
    others = [("sip", sip()), ("dss", dss), tpv(2)]
    base = write_base(tmp_path / "base.fits")
    placed = place([tpv(0), *others])
    assert [(one.key, one.extension) for one in placed] == [(" ", None), (None, 1), (None, 2), ("A", None)]
    with opened(whole(build(base, 0, placed, CARDS, []))) as hdus:
        hdus.verify("exception")
        assert_astropy_finds(hdus[0].header, [one for one in placed if one.key])
        assert [hdu.name for hdu in hdus[1:]] == ["SOLUTION", "SOLUTION"]
        for one in placed[1:3]:
            header = hdus["SOLUTION", one.extension].header
            (found,) = find_solutions(header, one.wcs.shape).solutions
            assert found.kind == one.wcs.kind
            assert separation(found.to_sky(17.0, 33.0), one.wcs.to_sky(17.0, 33.0)) < 1e-6
            assert_astropy_finds(header, [Named(one.wcs)], worst=0.02)  # astropy stays in FK5, 0.03 arcsec from ICRS


@dataclass
class Named:
    wcs: object
    key: str = " "


def test_more_solutions_than_letters(tmp_path):
    placed = place([tpv(number) for number in range(29)])
    assert [one.key for one in placed[:27]] == list(" ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert [one.extension for one in placed[27:]] == [1, 2]
    base = write_base(tmp_path / "base.fits")
    with opened(whole(build(base, 0, placed, CARDS, []))) as hdus:
        assert len(find_solutions(hdus[0].header).solutions) == 27
        assert len(hdus) == 3


def test_cards_that_would_spoil_a_solution_are_told_in_history(tmp_path):
    stray = [("CDELT1", 5.0), ("XPIXELSZ", 11.0), ("PV1_1", 3.0), ("EQUINOX", 1875.0)]
    base = write_base(tmp_path / "base.fits", cards=stray)
    placed = place([tpv(0)])
    with opened(whole(build(base, 0, placed, CARDS, []))) as hdus:
        header = hdus[0].header
        assert_astropy_finds(header, placed)
        history = str(header["HISTORY"])
    assert "CDELT1" not in header
    for name, number in stray:
        assert name in history
        assert str(number) in history


def test_two_plates_in_the_old_frame_of_different_times(tmp_path):
    """FK4 depends on MJD-OBS, of which a header has one: the second solution has its own."""
    old = {"RADESYS": "FK4", "EQUINOX": 1950.0}
    one, two = (
        read_solutions(header_text(**old, MJD__OBS=mjd, CRVAL1=ra))[0] for mjd, ra in ((10000.0, 5.0), (40000.0, 6.0))
    )
    placed = place([("one", one), ("two", two), ("three", read_solutions(header_text())[0])])
    assert [one.key for one in placed] == [" ", None, "A"]
    with opened(whole(build(write_base(tmp_path / "base.fits"), 0, placed, CARDS, []))) as hdus:
        for known, header in ((one, hdus[0].header), (two, hdus[1].header)):
            found = find_solutions(header, (WIDTH, HEIGHT)).solutions[0]
            assert separation(found.to_sky(5.0, 5.0), known.to_sky(5.0, 5.0)) < 1e-6


def test_further_hdus_of_the_base_stay_and_ours_follow(tmp_path):
    path = tmp_path / "base.fits"
    extra = fits.BinTableHDU.from_columns([fits.Column("wedge", "E", array=np.arange(7.0))], name="WEDGE")
    fits.HDUList([fits.PrimaryHDU(pixels()), extra]).writeto(path)
    padded = path.read_bytes()
    path.write_bytes(padded[:-2000])  # the last block's padding left out
    table = table_hdu("EXPOSURES", [TableColumn("id", "text", ["1", "Süd"]), TableColumn("ra", "float", [1.5, None])])
    with opened(whole(build(LocalFile(path), 0, place([tpv(0)]), CARDS, [table]))) as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "WEDGE", "EXPOSURES"]
        assert hdus[0].header["EXTEND"] is True
        assert hdus["WEDGE"].data["wedge"].tolist() == list(range(7))
        assert hdus["EXPOSURES"].data["id"].tolist() == ["1", "S?d"]
        assert np.isnan(hdus["EXPOSURES"].data["ra"][1])


@given(st.data())
def test_any_part_is_that_part_of_the_whole(tmp_path_factory, data):
    mosaic, content = _shared(tmp_path_factory)
    start = data.draw(st.integers(0, mosaic.size))
    stop = data.draw(st.integers(start, mosaic.size))
    assert b"".join(bytes(piece) for piece in mosaic.stream(start, stop)) == content[start:stop]


_SHARED: list = []


def _shared(factory):
    if not _SHARED:
        base = write_base(factory.mktemp("shared") / "base.fits.fz", compressed=True)
        mosaic = build(base, 1, place([tpv(number) for number in range(3)]), CARDS, [])
        _SHARED.append((mosaic, whole(mosaic)))
    return _SHARED[0]


def test_only_what_is_asked_for_is_read(tmp_path):
    """The headers to begin with; a small part of a large file costs that part."""
    path = tmp_path / "base.fits"
    write_base(path, data=np.zeros((4000, 3000), dtype=np.int16))
    base = Counted(LocalFile(path))
    (wcs,) = read_solutions(tpv_header(10.0, 20.0, width=3000, height=4000))
    mosaic = build(base, 0, place([("solution 0", wcs)]), CARDS, [])
    assert sum(length for _, length in base.reads) < 100_000
    base.reads.clear()
    assert sum(map(len, mosaic.stream(12_000_000, 12_050_000))) == 50_000
    assert base.reads == [(base.reads[0][0], 50_000)]
    base.reads.clear()
    assert all(len(piece) <= 4_000_000 for piece in mosaic.stream())
    assert len(base.reads) == 7


def test_the_same_input_gives_the_same_file_and_tag_and_another_solution_another(tmp_path):
    base = write_base(tmp_path / "base.fits")
    one, same = (build(base, 0, place([tpv(0)]), CARDS, []) for _ in range(2))
    assert (one.tag, whole(one)) == (same.tag, whole(same))
    assert build(base, 0, place([tpv(1)]), CARDS, []).tag != one.tag


def test_bases_that_cannot_be_used(tmp_path):
    placed = place([tpv(0)])
    write_base(tmp_path / "base.fits")
    content = (tmp_path / "base.fits").read_bytes()
    (tmp_path / "short.fits").write_bytes(content[:-9000])
    (tmp_path / "none.fits").write_bytes(b"no FITS" * 1000)
    (tmp_path / "zipped.fits.gz").write_bytes(gzip.compress(content))
    for name, fault, text in (
        ("short.fits", OperatorFault, "shorter than its header says"),
        ("none.fits", OperatorFault, "no FITS file"),
        ("zipped.fits.gz", NotFoundFault, "gzipped"),
    ):
        with pytest.raises(fault, match=text):
            build(LocalFile(tmp_path / name), 0, placed, CARDS, [])
    with pytest.raises(OperatorFault, match="400 x 300 pixels; its solution 0 is for 25 x 18"):
        build(LocalFile(tmp_path / "base.fits"), 0, place([("solution 0", tpv(0)[1].binned(16))]), CARDS, [])
    with pytest.raises(NotFoundFault, match="HDU 1"):
        build(LocalFile(tmp_path / "base.fits"), 1, placed, CARDS, [])
