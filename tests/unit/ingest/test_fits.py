import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits as astrofits
from astropy.wcs import WCS

from vo.db.records import Exposure, Plate, PlateBundle
from vo.errors import OperatorFault
from vo.ingest.readers import fits, headers
from vo.ingest.readers.solved import AMBIGUOUS
from vo.metadata.collection import Collection


@pytest.fixture
def collection(tmp_path):
    return Collection(
        name="trial",
        title="Trial",
        description="made for tests",
        creators=("nobody",),
        folder=tmp_path,
        defaults={"em_min": 3.5e-7, "em_max": 5.0e-7},
        fits={"plate_id": {"keywords": ["PLATE"], "file_pattern": r"^([a-z0-9]+)"}, "exptime_unit": "min",
              "binned_file_pattern": r"_bin4\.fits", "bin_factor": 4,
              "companions": {"logbook": "_log.jpg"}},
    )  # fmt: skip


def tan(ra, dec, letter="", scale=0.01, size=(60, 40)):
    header = astrofits.Header()
    for axis, value, kind in ((1, ra, "RA---TAN"), (2, dec, "DEC--TAN")):
        header[f"CTYPE{axis}{letter}"] = kind
        header[f"CRVAL{axis}{letter}"] = value
        header[f"CRPIX{axis}{letter}"] = (size[axis - 1] + 1) / 2
    header[f"CD1_1{letter}"], header[f"CD2_2{letter}"] = -scale, scale
    header[f"CD1_2{letter}"], header[f"CD2_1{letter}"] = 0.0, 0.0
    return header


@pytest.fixture
def write(tmp_path):
    def make(name, *solutions, size=(60, 40), folder=tmp_path, **cards):
        header = astrofits.Header()
        for one in solutions:
            header.update(one)
        for key, value in cards.items():
            header[key.replace("_", "-")] = value
        folder.mkdir(exist_ok=True)
        path = folder / name
        astrofits.PrimaryHDU(np.zeros(size[::-1], dtype=np.int16), header).writeto(path, overwrite=True)
        return path

    return make


def read_one(read, path, collection, known=None):
    bundles, report = read(fits.READER, path, collection, known)
    (bundle,) = bundles
    return bundle, report


def archived(*bundles):
    """What the archive would have after these, the later ones over the earlier."""
    merged = {}
    for bundle in bundles:
        before = merged.get(bundle.plate.plate_id)
        if before is None:
            merged[bundle.plate.plate_id] = bundle
            continue

        def over(name, key, old=before, new=bundle):
            kept = {key(one): one for one in getattr(old, name)} | {key(one): one for one in getattr(new, name)}
            return tuple(kept.values())

        merged[bundle.plate.plate_id] = replace(
            bundle,
            scans=over("scans", lambda one: one.scan_id),
            exposures=over("exposures", lambda one: one.exposure_id),
            solutions=over("solutions", lambda one: (one.scan_id, one.solution_id, one.version)),
            products=over("products", lambda one: one.product_id),
        )
    return merged


def test_a_file_is_plate_scan_exposure_solution_and_product(read, write, collection):
    path = write(
        "p1.fits", tan(83.0, -5.0), DATE_OBS="1951-08-09T09:50:00", EXPTIME=30, EMULSION="103aO", OBJECT="M 42"
    )
    bundle, report = read_one(read, path, collection)
    assert (bundle.plate.plate_id, bundle.plate.emulsion, bundle.plate.em_max) == ("p1", "103aO", 5.0e-7)
    (scan,), (exposure,), (solution,), (product,) = bundle.scans, bundle.exposures, bundle.solutions, bundle.products
    assert (scan.width, scan.height, scan.pixel_scale) == (60, 40, pytest.approx(36.0, rel=1e-4))
    assert (exposure.ra, exposure.dec) == (pytest.approx(83.0), pytest.approx(-5.0))
    assert (exposure.position_origin, exposure.has_imaging, exposure.target_name) == ("solution", True, "M 42")
    assert (exposure.t_max - exposure.t_min) * 1440 == pytest.approx(30.0)
    assert exposure.exptime == 1800.0
    assert (solution.exposure_id, solution.version, solution.is_current) == ("1", 1, True)
    assert astrofits.Header.fromstring(solution.header, sep="\n")["CRVAL1"] == 83.0
    assert (product.product_id, product.role, product.hdu) == ("trial/p1/p1.fits", "fits", 0)
    assert product.location == path.as_uri()
    assert product.content_length == path.stat().st_size
    assert report.lines == []


def test_several_systems_in_one_header_are_several_exposures(read, write, collection):
    path = write("p1.fits", tan(83.0, -5.0), tan(120.0, 30.0, "A"), tan(121.0, 31.0, "B"))
    bundle, _ = read_one(read, path, collection)
    assert [(one.exposure_id, round(one.ra)) for one in bundle.exposures] == [("1", 83), ("1-s1", 120), ("1-s2", 121)]
    assert [(one.solution_id, one.exposure_id, one.wcs_key) for one in bundle.solutions] == [
        ("s0", "1", " "),
        ("s1", "1-s1", "A"),
        ("s2", "1-s2", "B"),
    ]


def test_what_may_be_matched_in_several_ways_is_told_with_the_distances(read, write, collection):
    """Two exposures at one place, two solutions near it: who belongs to whom is not known."""
    places = {"a": (83.0, -5.0), "b": (83.0, -5.01), "far": (120.0, 30.0)}
    known = PlateBundle(
        Plate("trial", "p1"),
        exposures=tuple(
            Exposure("trial", "p1", name, f"ivo://x/trial?p1/{name}", ra=ra, dec=dec, position_origin="logbook")
            for name, (ra, dec) in places.items()
        ),
    )
    path = write("p1.fits", tan(83.0, -5.0), tan(83.01, -5.0, "A"), tan(120.0, 30.0, "B"))
    bundle, report = read_one(read, path, collection, {"p1": known})
    assert [one.exposure_id for one in bundle.solutions][2] == "far"
    assert not {one.exposure_id for one in bundle.solutions} & {"a", "b"}
    first, second = [line.reason for line in report.lines if line.kind == AMBIGUOUS]
    assert "solution s0 may belong to a (0.0000 deg), b (0.0100 deg); it is matched with none of them" in first
    assert "solution s1 may belong to a (0.0100 deg), b (0.0141 deg)" in second


def test_without_a_solution_there_is_a_plate_with_a_file(read, write, collection):
    path = write("p1.fits", DATE_OBS="1951-08-09", RA="05:35:00", DEC="-05:23:00", EQUINOX=1950.0)
    bundle, report = read_one(read, path, collection)
    (exposure,) = bundle.exposures
    assert bundle.solutions == ()
    assert (exposure.position_origin, exposure.has_imaging) == ("logbook", True)
    # B1950 to ICRS: half a degree of precession
    assert (exposure.ra, exposure.dec) == (pytest.approx(84.36, abs=0.02), pytest.approx(-5.36, abs=0.02))
    assert (exposure.t_min, exposure.t_max, exposure.t_calib_status) == (33867.0, 33868.0, "uncalibrated")
    assert report.counted("noted")["no solution"] == 1


def test_a_solution_that_cannot_be_used_is_told(read, write, collection):
    header = tan(10.0, 10.0)
    del header["CRVAL2"]
    bundle, report = read_one(read, write("p1.fits", header), collection)
    assert bundle.solutions == ()
    assert "CRVAL2" in next(line.reason for line in report.lines if line.kind == "solution not usable")


def test_the_same_file_again_gives_the_same_records(read, write, collection):
    path = write("p1.fits", tan(83.0, -5.0), tan(120.0, 30.0, "A"), DATE_OBS="1951-08-09T09:50:00")
    first, _ = read_one(read, path, collection)
    second, _ = read_one(read, path, collection, archived(first))
    assert second == first


def test_a_new_solution_is_a_new_version(read, write, collection):
    old, _ = read_one(read, write("p1.fits", tan(83.0, -5.0)), collection)
    new, _ = read_one(read, write("p1.fits", tan(83.1, -5.0)), collection, archived(old))
    assert [(one.version, one.is_current) for one in new.solutions] == [(1, False), (2, True)]
    assert new.solutions[0].header == old.solutions[0].header
    assert new.exposures[0].ra == pytest.approx(83.1)
    again, _ = read_one(read, write("p1.fits", tan(83.0, -5.0)), collection, archived(old, new))
    assert [(one.version, one.is_current) for one in again.solutions] == [(2, False), (1, True)]


def test_full_and_binned_scan_share_scan_and_exposure(read, write, collection):
    full, _ = read_one(read, write("p1_full.fits", tan(83.0, -5.0)), collection)
    binned_path = write("p1_bin4.fits", tan(83.0, -5.0, scale=0.04, size=(15, 10)), size=(15, 10))
    both, _ = read_one(read, binned_path, collection, archived(full))
    assert (both.products[0].role, both.products[0].bin_factor) == ("fits_binned", 4)
    assert both.products[0].scan_id == full.products[0].scan_id
    assert both.exposures == full.exposures
    assert (both.scans[0].width, both.scans[0].height) == (
        60,
        40,
    )  # the full scan's, which the binned one does not know
    assert [one.solution_id for one in both.solutions] == ["s0-bin4"]


def listed(bundle, *positions):
    """The plate as a list of exposures would give it: logged positions only."""
    exposures = tuple(
        replace(
            bundle.exposures[0],
            exposure_id=f"e{number}",
            publisher_did=f"ivo://x/trial?p1/e{number}",
            exposure_number=number,
            origin="logged",
            ra=ra,
            dec=dec,
            position_origin="logbook",
            t_min=15000.0,
            t_max=15000.1,
            scan_id=None,
            has_imaging=False,
        )
        for number, (ra, dec) in enumerate(positions)
    )
    return replace(bundle, exposures=exposures, solutions=(), products=(), scans=())


def test_one_exposure_and_one_solution_are_the_same_however_far_apart(read, write, collection):
    # b02312's logbook is 8 degrees off
    path = write("p1.fits", tan(83.0, -5.0))
    alone, _ = read_one(read, path, collection)
    bundle, _ = read_one(read, path, collection, archived(listed(alone, (91.0, -5.0))))
    (exposure,) = bundle.exposures
    assert (exposure.exposure_id, exposure.exposure_number, exposure.origin) == ("e0", 0, "logged")
    assert (exposure.ra, exposure.position_origin, exposure.has_imaging) == (pytest.approx(83.0), "solution", True)
    assert (exposure.t_min, exposure.scan_id) == (15000.0, "0")
    assert bundle.solutions[0].exposure_id == "e0"


def test_several_are_matched_by_place_only_where_nothing_else_fits(read, write, collection):
    path = write("p1.fits", tan(83.0, -5.0), tan(120.0, 30.0, "A"))
    alone, _ = read_one(read, path, collection)
    # the second solution fits exposure 0; the first fits none; exposure 1 stays without
    known = listed(alone, (120.01, 30.0), (200.0, 0.0))
    bundle, _ = read_one(read, path, collection, archived(known))
    assert {one.solution_id: one.exposure_id for one in bundle.solutions} == {"s0": "1", "s1": "e0"}
    assert {one.exposure_id: one.origin for one in bundle.exposures} == {"1": "found", "e0": "logged"}


def test_two_exposures_at_one_place_are_not_guessed_apart(read, write, collection):
    # c21534: eleven logged exposures at one position
    path = write("p1.fits", tan(83.0, -5.0))
    alone, _ = read_one(read, path, collection)
    known = listed(alone, *((83.0, -5.0),) * 11)
    bundle, _ = read_one(read, path, collection, archived(known))
    (exposure,) = bundle.exposures
    assert (exposure.exposure_id, exposure.origin) == ("1", "found")
    again, _ = read_one(
        read, path, collection, archived(known, replace(bundle, exposures=known.exposures + bundle.exposures))
    )
    assert again.exposures == bundle.exposures


def test_a_folder_is_read_file_by_file(read, write, collection, tmp_path):
    folder = tmp_path / "plates"
    write("a1.fits", tan(83.0, -5.0), folder=folder)
    write("b1.fit", tan(84.0, -5.0), folder=folder)
    (folder / "c1.fits.gz").write_bytes(gzip.compress(write("c1.fits", tan(85.0, -5.0)).read_bytes()))
    (folder / "d1.fits").write_text("this is no FITS file")
    (folder / "notes.txt").write_text("not looked at")
    bundles, report = read(fits.READER, folder, collection)
    assert [one.plate.plate_id for one in bundles] == ["a1", "b1", "c1"]
    assert bundles[2].products[0].content_type == "application/gzip"
    assert (report.read, report.used) == (4, 3)
    assert [one.reason.split(":")[0] for one in report.lines if one.what == "refused"] == ["d1.fits"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(OperatorFault, match="no FITS files"):
        read(fits.READER, tmp_path / "empty", collection)


def test_files_of_one_name_for_one_plate_are_not_mixed_up(read, write, collection, tmp_path):
    folder = tmp_path / "plates"
    folder.mkdir()
    write("x.fits", tan(83.0, -5.0), folder=folder / "one", PLATE="same")
    write("x.fits", tan(84.0, -5.0), folder=folder / "two", PLATE="same")
    bundles, report = read(fits.READER, folder, collection)
    assert len(bundles) == 1
    (refused,) = [one for one in report.lines if one.what == "refused"]
    assert "permanent" in refused.reason


def test_pictures_beside_the_file(read, write, collection, tmp_path):
    path = write("p1.fits", tan(83.0, -5.0))
    (tmp_path / "p1_log.jpg").write_bytes(b"\xff\xd8")
    bundle, _ = read_one(read, path, collection)
    assert [(one.role, one.content_type, one.content_length) for one in bundle.products[1:]] == [
        ("logbook", "image/jpeg", 2)
    ]


def test_compressed_image_extensions(read, collection, tmp_path):
    image = astrofits.CompImageHDU(np.arange(2400, dtype=np.int16).reshape(40, 60), tan(83.0, -5.0))
    path = tmp_path / "p1.fits.fz"
    astrofits.HDUList([astrofits.PrimaryHDU(), image]).writeto(path)
    bundle, _ = read_one(read, path, collection)
    (product,) = bundle.products
    assert (product.hdu, product.width, product.height, product.content_type) == (1, 60, 40, "image/fits")


def test_a_name_of_the_plate_must_be_found(read, write, collection, tmp_path):
    rules = collection.fits.model_copy(
        update={"plate_id": collection.fits.plate_id.model_copy(update={"file_pattern": None})}
    )
    nameless = collection.model_copy(update={"fits": rules})
    _, report = read(fits.READER, write("p1.fits", tan(83.0, -5.0)), nameless)
    assert [one.what for one in report.lines] == ["refused"]
    assert "[fits] plate_id" in report.lines[0].reason


# ------------------------------------------------------------------------------------------------- header collections


def line(name="p1.fits", **changes):
    header = {"SIMPLE": True, "NAXIS": 2, "NAXIS1": 60, "NAXIS2": 40, **dict(tan(83.0, -5.0)), **changes}
    return json.dumps(
        {"file": name, "header": {"meta": {"source_file": f"./x/{name}", "size_bytes": 7777}, "header": header}}
    )


def test_header_lines(read, collection, tmp_path):
    path = tmp_path / "headers.jsonl"
    bad = [
        "{",
        "[]",
        '{"file": "x.fits"}',
        '{"header": {"NAXIS1": 1}}',
        line("p2.fits", NAXIS1="wide"),
        line("p3.fits", NAXIS2=0),
    ]
    path.write_text("\n".join([line(), "", *bad, line("p4.fits", CTYPE1="???")]) + "\n")
    bundles, report = read(headers.READER, path, collection)
    assert [one.plate.plate_id for one in bundles] == ["p1", "p4"]
    (product,) = bundles[0].products
    assert (product.location, product.content_length, product.width) == (None, 7777, 60)
    solution = bundles[0].solutions[0]
    ours = WCS(astrofits.Header.fromstring(solution.header, sep="\n"))
    theirs = WCS(tan(83.0, -5.0))
    assert np.allclose(
        ours.all_pix2world([[0, 0], [60, 40]], 0), theirs.all_pix2world([[0, 0], [60, 40]], 0), atol=1e-12
    )
    assert [one.line for one in report.lines if one.what == "refused"] == [3, 4, 5, 6, 7, 8]
    assert (report.read, report.used, report.refused) == (8, 2, 6)
    assert bundles[1].solutions == ()


def test_an_empty_collection_of_headers(read, collection, tmp_path):
    path = tmp_path / "headers.jsonl"
    path.write_text("\n\n")
    with pytest.raises(OperatorFault, match="empty"):
        read(headers.READER, path, collection)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_that_is_cut_off_is_refused_and_the_others_go_on(read, write, collection, tmp_path, zipped):
    folder = tmp_path / "plates"
    content = write("a1.fits", tan(10, 20), size=(300, 200)).read_bytes()
    name = "a1.fits.gz" if zipped else "a1.fits"
    whole = gzip.compress(content) if zipped else content
    write("b1.fits", tan(30, 20), folder=folder)
    (folder / name).write_bytes(whole[: len(whole) * 2 // 3])
    bundles, report = read(fits.READER, folder, collection)
    assert [one.plate.plate_id for one in bundles] == ["b1"]
    (line,) = [line for line in report.lines if line.what == "refused"]
    assert name in line.reason
    assert "damaged" in line.reason


def test_padding_that_is_left_out_harms_nothing(read, write, collection):
    path = write("a1.fits", tan(10, 20))
    path.write_bytes(path.read_bytes()[: 2880 + 60 * 40 * 2])
    bundle, _ = read_one(read, path, collection)
    assert bundle.plate.plate_id == "a1"
