"""The demo collection: what it promises in resources/demo/README.md, judged by astropy alone."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from pathlib import Path

import astropy.units as u
import cdshealpix
import numpy as np
import pytest
from astropy.coordinates import Latitude, Longitude, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

from vo.demo import files as demo_files
from vo.demo import make
from vo.demo.files import make_files
from vo.demo.plates import BY_ID, PLATES
from vo.demo.sky import brightest_within
from vo.errors import OperatorFault
from vo.metadata.collection import load_collection

SCANNED = [plate for plate in PLATES if plate.is_scanned]


@pytest.fixture(scope="module")
def bundles(settings):
    """Every plate of the demo by its name; the files are made once for the session."""
    return {bundle.plate.plate_id: bundle for bundle in make(settings)}


@pytest.fixture(scope="module")
def folder(settings, bundles):
    return settings.data_dir / "demo"


@pytest.fixture(scope="module")
def exposures(bundles):
    return [exposure for bundle in bundles.values() for exposure in bundle.exposures]


def product(bundle, role):
    found = [one for one in bundle.products if one.role == role]
    assert len(found) == 1
    return found[0]


def image_of(folder, plate):
    name = f"{plate.plate_id}.fits.fz" if plate.compressed else f"{plate.plate_id}.fits"
    with fits.open(folder / plate.plate_id / name) as hdus:
        hdu = hdus[1 if plate.compressed else 0]
        return np.asarray(hdu.data), hdu.header


def mjd(year, month=1, day=1):
    """MJD of a calendar day's beginning, counted by Python's calendar."""
    return dt.date(year, month, day).toordinal() - dt.date(1858, 11, 17).toordinal()


# -- the logbooks


def test_it_has_about_two_thousand_exposures_of_1885_to_1990(exposures):
    assert 1900 <= len(exposures) <= 2100
    starts = [one.t_min for one in exposures if one.t_min is not None]
    assert mjd(1885) <= min(starts) < mjd(1890)
    assert mjd(1985) < max(starts) < mjd(1991)


def test_it_covers_the_whole_sky(exposures):
    placed = [(one.ra, one.dec) for one in exposures if one.ra is not None]
    lon, lat = (np.array(values) for values in zip(*placed, strict=True))
    assert lon.min() >= 0
    assert lon.max() < 360
    cells = cdshealpix.nested.lonlat_to_healpix(Longitude(lon, u.deg), Latitude(lat, u.deg), 2)
    assert len(set(cells.tolist())) > 180  # of 192


def test_identifiers_are_unique_whatever_the_case(exposures):
    assert max(Counter(one.publisher_did.lower() for one in exposures).values()) == 1


def test_times_are_in_order_and_pauses_lengthen_the_span(exposures):
    timed = [one for one in exposures if one.t_min is not None]
    spans = np.array([(one.t_max - one.t_min) * 86400 - one.exptime for one in timed])
    assert spans.min() > -0.01
    assert (spans > 1).any()


def test_logbooks_lack_things_as_real_ones_do(bundles, exposures):
    assert any(one.observer and not one.observer.isascii() for one in exposures)
    assert any(one.observer is None for one in exposures)
    assert any(one.target_name is None for one in exposures)
    assert any(one.ra is None for one in exposures)
    assert any(one.t_min is None for one in exposures)
    unscanned = [one for one in bundles.values() if not one.scans]
    assert 0.1 < len(unscanned) / len(bundles) < 0.3


def test_everything_is_labelled_synthetic(settings, bundles):
    collection = load_collection(settings, "demo")
    assert collection.synthetic
    assert "SYNTHETIC" in collection.title
    assert "SYNTHETIC" in collection.description
    for bundle in bundles.values():
        assert bundle.plate.plate_class == "SYNTHETIC"
        assert "SYNTHETIC" in bundle.plate.comment
        assert all("SYNTHETIC" in product.description for product in bundle.products)


def test_the_same_plates_come_every_time(settings, bundles):
    assert {bundle.plate.plate_id: bundle for bundle in make(settings)} == bundles


def test_the_guide_lists_the_rendered_plates(settings):
    text = (settings.resources_dir / "demo" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE) == [plate.plate_id for plate in PLATES]


# -- the files


def test_a_plate_is_made_into_the_same_bytes_again(folder, tmp_path):
    for name in ("mirrored", "unscanned"):
        make_files(BY_ID[name], tmp_path)
        for path in sorted((folder / name).iterdir()):
            assert (tmp_path / name / path.name).read_bytes() == path.read_bytes()


def test_whole_files_are_left_alone_and_broken_ones_made_again(folder, tmp_path, monkeypatch):
    plate = BY_ID["unscanned"]
    made = make_files(plate, tmp_path)
    monkeypatch.setattr(demo_files, "_render", lambda *_: pytest.fail("rendered again"))
    make_files(plate, tmp_path)
    monkeypatch.undo()
    whole = made.jacket_photo.read_bytes()
    made.jacket_photo.write_bytes(whole[:1000])
    make_files(plate, tmp_path)
    assert made.jacket_photo.read_bytes() == whole
    (tmp_path / plate.plate_id / "contents.json").write_text("{}")
    make_files(plate, tmp_path)
    made.plate_photo.unlink()
    make_files(plate, tmp_path)
    assert made.plate_photo.is_file()
    assert [path.name for path in tmp_path.iterdir()] == [plate.plate_id]


def test_a_folder_that_cannot_be_written_is_told_in_words(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OperatorFault, match="--data"):
        make_files(BY_ID["unscanned"], tmp_path / "file")


@pytest.mark.parametrize("plate", PLATES, ids=lambda plate: plate.plate_id)
def test_records_describe_the_files(bundles, plate):
    bundle = bundles[plate.plate_id]
    held = [one for one in bundle.products if one.location]
    assert len(held) == (8 if plate.is_scanned else 2)
    for one in held:
        path = Path(one.location.removeprefix("file://"))
        assert path.stat().st_size == one.content_length
        if one.content_type == "image/jpeg":
            with Image.open(path) as picture:
                assert picture.format == "JPEG"
            continue
        if one.role == "calibration":
            assert "SYNTHETIC" in path.read_text(encoding="utf-8")
            continue
        with fits.open(path) as hdus:
            header = hdus[one.hdu].header
            assert (header["NAXIS1"], header["NAXIS2"]) == (one.width, one.height)
            assert header["BITPIX"] == 16
            assert header["SYNTHET"] is True
            assert "SYNTHETIC" in header["ORIGIN"]


@pytest.mark.parametrize("plate", SCANNED, ids=lambda plate: plate.plate_id)
def test_the_binned_image_is_the_mean_of_the_scan(folder, plate):
    data, _ = image_of(folder, plate)
    with fits.open(folder / plate.plate_id / f"{plate.plate_id}_bin16.fits") as hdus:
        binned = np.asarray(hdus[0].data)
    assert binned.shape == (plate.height // 16, plate.width // 16)
    for row, column in ((0, 0), (3, 5), (binned.shape[0] - 1, binned.shape[1] - 1)):
        block = data[16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
        assert abs(binned[row, column] - block.mean()) <= 0.5


@pytest.mark.parametrize("plate", [plate for plate in SCANNED if plate.solved], ids=lambda plate: plate.plate_id)
def test_stars_stand_where_astropy_reads_them_from_the_header(folder, plate):
    data, header = image_of(folder, plate)
    with fits.open(folder / plate.plate_id / f"{plate.plate_id}_bin16.fits") as hdus:
        binned_header = hdus[0].header
    for number, pointing in enumerate(plate.pointings):
        key = " ABCDEFGHIJ"[number]
        wcs = WCS(header, key=key)
        stars = brightest_within(pointing.ra, pointing.dec, 0.8 * plate.field_radius, 150)
        x, y = wcs.all_world2pix(stars.ra, stars.dec, 0)
        seen = _centroids(data, x, y)
        assert len(seen) >= 15
        assert np.median(np.abs(seen)) < 0.1
        # and the binned image's own solution means the same places: FITS pixel p becomes (p - 0.5) / 16 + 0.5
        binned_x, binned_y = WCS(binned_header, key=key).all_world2pix(stars.ra, stars.dec, 1)
        assert np.allclose(binned_x, (x + 0.5) / 16 + 0.5, atol=1e-3)
        assert np.allclose(binned_y, (y + 0.5) / 16 + 0.5, atol=1e-3)


def _centroids(data, x, y, reach=5):
    """How far the light near each predicted place is from it, in pixels, for stars that stand alone."""
    offsets = []
    height, width = data.shape
    border = width // 50 + 2 * reach
    for star_x, star_y in zip(x, y, strict=True):
        if not (border < star_x < width - border and border + width // 20 < star_y < height - border):
            continue
        distance = np.hypot(x - star_x, y - star_y)
        if np.sort(distance)[1] < 6 * reach:
            continue
        column, row = round(float(star_x)), round(float(star_y))
        patch = data[row - reach : row + reach + 1, column - reach : column + reach + 1].astype(float)
        patch = np.clip(patch - np.median(patch) - 400, 0, None)
        if patch.sum() < 2000:
            continue
        rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        offsets.append((columns * patch).sum() / patch.sum() + column - star_x)
        offsets.append((rows * patch).sum() / patch.sum() + row - star_y)
    return np.array(offsets)


@pytest.mark.parametrize("plate", SCANNED, ids=lambda plate: plate.plate_id)
def test_synthetic_is_written_into_the_image(folder, plate):
    """Dark letters stand in the lower left corner of every scan, in rows that hold nothing else so dense."""
    data, _ = image_of(folder, plate)
    corner = data[: plate.height // 12, : plate.width // 2]
    assert (corner > 10000).sum() > 0.002 * corner.size
    elsewhere = data[plate.height // 2 :, plate.width // 2 :]
    assert (elsewhere > 10000).sum() < 0.002 * elsewhere.size


# -- the hostile cases


def footprint(bundles, name, number=0):
    """Sky positions along the scan's edge by astropy, from the published solution's own header."""
    solution = bundles[name].solutions[number]
    wcs = WCS(fits.Header.fromstring(solution.header, sep="\n"), key=solution.wcs_key)
    along = np.linspace(0.5, 1, 3)
    x = np.concatenate([along * solution.width, [0, 0, solution.width]]) + 0.5
    y = np.concatenate([0 * along, [0, solution.height, solution.height]]) + 0.5
    return wcs, SkyCoord(*wcs.all_pix2world(x, y, 1), unit="deg")


def test_the_pole_is_on_its_plate(bundles):
    wcs, _ = footprint(bundles, "pole")
    x, y = wcs.all_world2pix(0, 90, 1)
    assert 0 < x < bundles["pole"].scans[0].width
    assert 0 < y < bundles["pole"].scans[0].height


def test_right_ascension_zero_is_on_its_plate(bundles):
    _, edge = footprint(bundles, "ra_zero")
    assert edge.ra.deg.min() < 5
    assert edge.ra.deg.max() > 355


def test_the_wide_plate_is_seventy_degrees_wide_and_ruled_wide(settings, bundles):
    wcs, _ = footprint(bundles, "wide")
    scan = bundles["wide"].scans[0]
    ra, dec = wcs.all_pix2world([0.5, scan.width + 0.5], [scan.height / 2, scan.height / 2], 1)
    width = SkyCoord(ra[0], dec[0], unit="deg").separation(SkyCoord(ra[1], dec[1], unit="deg"))
    assert abs(width.deg - 70) < 0.5
    assert load_collection(settings, "demo").is_wide(bundles["wide"].plate.plate_scale)


def test_eleven_exposures_have_eleven_solutions(bundles):
    bundle = bundles["eleven"]
    assert [one.wcs_key for one in bundle.solutions] == list(" ABCDEFGHIJ")
    assert {one.exposure_id for one in bundle.solutions} == {one.exposure_id for one in bundle.exposures}
    for solution, exposure in zip(bundle.solutions, bundle.exposures, strict=True):
        wcs = WCS(fits.Header.fromstring(solution.header, sep="\n"), key=solution.wcs_key)
        x, y = wcs.all_world2pix(exposure.ra, exposure.dec, 1)
        assert abs(x - (solution.width + 1) / 2) < 1e-6
        assert abs(y - (solution.height + 1) / 2) < 1e-6


def test_two_fields_are_seven_degrees_apart(bundles):
    first, second = (SkyCoord(one.ra, one.dec, unit="deg") for one in bundles["two_fields"].exposures)
    assert 6.5 < first.separation(second).deg < 7.5


def test_only_the_mirrored_scan_is_mirrored(bundles):
    for plate in SCANNED:
        for number in range(len(bundles[plate.plate_id].solutions)):
            wcs, _ = footprint(bundles, plate.plate_id, number)
            assert (np.linalg.det(wcs.pixel_scale_matrix) > 0) == (plate.plate_id == "mirrored")


def test_distortions_are_real(folder):
    """At the corner the distorted solution and its linear part differ by more than a pixel."""
    for name in ("sip", "tpv"):
        _, header = image_of(folder, BY_ID[name])
        assert name.upper() in header["CTYPE1"]
        plain = fits.Header([card for card in header.copy().cards if not re.match("PV|[AB]_", card.keyword)])
        plain["CTYPE1"], plain["CTYPE2"] = "RA---TAN", "DEC--TAN"
        ra, dec = WCS(header).all_pix2world(20, 20, 1)
        x, y = WCS(plain).all_world2pix(ra, dec, 1)
        assert 2 < np.hypot(x - 20, y - 20) < 40


def test_the_compressed_file_is_rice_without_loss(folder):
    path = folder / "rice" / "rice.fits.fz"
    with fits.open(path, disable_image_compression=True) as hdus:
        assert hdus[1].header["ZCMPTYPE"] == "RICE_1"
        assert hdus[1].header["ZBITPIX"] == 16
    data, _ = image_of(folder, BY_ID["rice"])
    assert path.stat().st_size < 0.8 * data.nbytes


def test_plates_without_solution_or_scan(bundles):
    unsolved, unscanned = bundles["unsolved"], bundles["unscanned"]
    assert unsolved.scans
    assert not unsolved.solutions
    assert unsolved.exposures[0].position_origin == "logbook"
    assert product(unsolved, "fits").location
    assert not unscanned.scans
    assert not unscanned.exposures[0].has_imaging
    assert {one.role for one in unscanned.products} == {"plate_photo", "jacket_photo"}


def test_the_unsolved_scan_tells_no_solution(folder):
    _, header = image_of(folder, BY_ID["unsolved"])
    assert "CTYPE1" not in header


def test_the_comet_is_on_its_plate(bundles, folder):
    plate = BY_ID["comet_1941"]
    data, header = image_of(folder, plate)
    x, y = WCS(header).all_world2pix(214.62, 28.41, 0)
    column, row = round(float(x)), round(float(y))
    assert data[row, column] > 10000
    exposure = bundles["comet_1941"].exposures[0]
    assert exposure.t_min < mjd(1941, 2, 3) + 2 / 24 < exposure.t_max
    # the tail: light all along its length, none on the other side of the head
    tail = SkyCoord(214.62, 28.41, unit="deg").directional_offset_by(305 * u.deg, np.array([0.1, 0.2, 0.3]) * u.deg)
    other = SkyCoord(214.62, 28.41, unit="deg").directional_offset_by(125 * u.deg, np.array([0.1, 0.2, 0.3]) * u.deg)
    along, against = (_light(data, WCS(header), places) for places in (tail, other))
    assert (along > against + 100).all()


def _light(data, wcs, places):
    x, y = wcs.all_world2pix(places.ra.deg, places.dec.deg, 0)
    return np.array(
        [
            np.median(data[round(row) - 5 : round(row) + 6, round(column) - 5 : round(column) + 6])
            for column, row in zip(x.tolist(), y.tolist(), strict=True)
        ]
    )


def test_the_calibration_gives_the_magnitudes_of_the_stars(folder):
    """Bright stars near the middle: their middle pixels by the formulas of the file, and the magnitudes known."""
    plate = BY_ID["sip"]
    text = (folder / "sip" / "sip.asdf").read_text(encoding="utf-8")
    assert text.startswith("#ASDF 1.0.0\n")
    known = {
        name: float(value)
        for name, value in re.findall(r"^[- ]*(black|zero_point): ([0-9.]+)$", text, flags=re.MULTILINE)
    }
    data, header = image_of(folder, plate)
    stars = brightest_within(plate.pointings[0].ra, plate.pointings[0].dec, 1.0, 60)
    x, y = WCS(header).all_world2pix(stars.ra, stars.dec, 0)
    errors = []
    for star_x, star_y, magnitude in zip(x.round().astype(int), y.round().astype(int), stars.magnitude, strict=True):
        box = data[star_y - 25 : star_y + 26, star_x - 25 : star_x + 26].astype(float)
        density, sky = box[25, 25], np.median(box)
        light = -known["black"] * np.log(1 - (density - sky) / (known["black"] - sky))
        errors.append(known["zero_point"] - 2.5 * np.log10(light) - magnitude)
    assert len(errors) == 60
    assert abs(np.median(errors)) < 0.15  # a pixel's middle is not the star's


def test_a_cleaned_plate_has_lost_what_was_written_on_it(folder):
    before = np.asarray(Image.open(folder / "pole" / "pole_plate.jpg"), dtype=float)
    after = np.asarray(Image.open(folder / "pole" / "pole_plate_clean.jpg"), dtype=float)
    changed = (np.abs(before - after).max(axis=2) > 60).mean()
    assert 0.002 < changed < 0.2
