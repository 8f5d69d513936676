"""DASCH's mosaic packages: what is read of them, and that what cannot be read is told with its place."""

import base64
import copy
import gzip
import json
from dataclasses import replace

import numpy as np
import packages
import pytest
from astropy.io import fits as astrofits
from hypothesis import HealthCheck, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from vo.db.records import Exposure, Plate, PlateBundle
from vo.errors import OperatorFault
from vo.ingest.readers import plate_documents
from vo.ingest.readers.solved import AMBIGUOUS
from vo.ingest.readers.tpv_headers import LONGEST_HEADER
from vo.pixels.wcs import load_solution

READER = plate_documents.READER
TWO = packages.Package(exposures=(packages.exposure(2), packages.exposure(0), packages.exposure(1, 265.4, 84.98)))


@pytest.fixture
def written(tmp_path):
    """Write a document as a file."""

    def write(document, name="plate.json"):
        path = tmp_path / name
        path.write_text(json.dumps(document))
        return path

    return write


def loaded(solution):
    return load_solution(solution.header, solution.wcs_key, (solution.width, solution.height))


def reasons(report, what="noted"):
    return [(line.kind, line.reason) for line in report.lines if line.what == what]


def test_a_package_is_a_plate_with_its_scan_files_and_solutions(read, written):
    (bundle,), report = read(READER, written(TWO.document()))
    assert (bundle.plate.plate_id, bundle.plate.series, bundle.plate.plate_number) == ("ai07801", "ai", "7801")
    (scan,) = bundle.scans
    assert (scan.scan_id, scan.width, scan.height, scan.turn_deg) == ("00", 480, 640, 0)
    assert scan.pixel_scale == pytest.approx(12.0, rel=1e-3)
    assert scan.made_date.isoformat() == "2019-10-12T07:20:46"  # written in the local time of Harvard
    full, binned = bundle.products
    assert full.product_id == "dasch/ai07801/ai07801_00_01.fits"
    assert (full.role, full.checksum, full.content_length) == ("fits", "md5:" + "11" * 16, 600_000_000)
    assert (full.width, full.height, full.is_base, full.location) == (480, 640, True, None)
    assert (binned.role, binned.checksum, binned.width, binned.height) == ("fits_binned", "md5:" + "22" * 16, 30, 40)
    assert [one.result_id for one in bundle.solutions] == [TWO.result] * 2
    assert [(one.solution_id, one.version, one.is_current) for one in bundle.solutions] == [
        ("s0", 1, True),
        ("s1", 1, True),
    ]
    assert not report.lines


def test_exposures_belong_to_the_solutions_in_their_order(read, written):
    """ai07801: the first solution is of exposure 2, the second of exposure 0, exposure 1 has none."""
    (bundle,), _ = read(READER, written(TWO.document()))
    assert [one.exposure_id for one in bundle.solutions] == ["e2", "e0"]
    by_name = {one.exposure_id: one for one in bundle.exposures}
    assert set(by_name) == {"e0", "e1", "e2"}
    for name, solution in (("e2", TWO.solutions[0]), ("e0", TWO.solutions[1])):
        assert (by_name[name].ra, by_name[name].dec) == pytest.approx((solution.ra, solution.dec), abs=1e-3)
        assert (by_name[name].scan_id, by_name[name].has_imaging) == ("00", True)
    assert (by_name["e1"].position_origin, by_name["e1"].has_imaging, by_name["e1"].scan_id) == ("logbook", False, None)
    assert by_name["e2"].exptime == 1200.0


@pytest.mark.parametrize("turn", [None, 0, 90, 180, -90, -180])
def test_solutions_are_those_that_astropy_reads(read, written, turn):
    package = replace(TWO, turn=turn)
    (bundle,), _ = read(READER, written(package.document()))
    assert bundle.scans[0].turn_deg == {-180: 180}.get(turn, turn)
    assert (bundle.scans[0].width, bundle.scans[0].height) == package.shape
    xs, ys = np.meshgrid(np.linspace(0, package.grid[0] - 1, 7), np.linspace(0, package.grid[1] - 1, 7))
    for record, solution in zip(bundle.solutions, package.solutions, strict=True):
        assert (record.width, record.height) == package.grid
        ra, dec = loaded(record).to_sky(xs, ys)
        x, y = solution.wcs(package.grid).all_world2pix(ra, dec, 0, tolerance=1e-9, maxiter=100)
        assert np.hypot(x - xs, y - ys).max() < 1e-6


def test_nulls_among_the_exposures(read, written):
    package = replace(TWO, exposures=(None, packages.exposure(0), None, packages.exposure(4, 1.0, 2.0)))
    (bundle,), _ = read(READER, written(package.document()))
    assert [one.exposure_id for one in bundle.solutions] == ["m0s0", "e0"]
    assert {one.exposure_id: one.origin for one in bundle.exposures} == {
        "m0s0": "found",
        "e0": "logged",
        "e4": "logged",
    }


def test_exposures_of_the_same_number_get_names_as_lists_give_them(read, written):
    package = replace(TWO, exposures=(packages.exposure(0), packages.exposure(0)))
    (bundle,), _ = read(READER, written(package.document()))
    assert [one.exposure_id for one in bundle.solutions] == ["e0", "e0m0s1"]


def test_exposures_that_nothing_names_are_told_and_not_used(read, written):
    more = (packages.exposure(-1), packages.exposure(0), packages.exposure(5), packages.exposure(5))
    package = replace(TWO, exposures=(*TWO.exposures[:2], *more))
    (bundle,), report = read(READER, written(package.document()))
    assert sorted(one.exposure_id for one in bundle.exposures) == ["e0", "e2", "e5"]
    told = [reason for kind, reason in reasons(report) if kind == "exposure not used"]
    assert [reason.removeprefix("plate.json: an exposure without solution has ") for reason in told] == [
        "no number",
        "the number 0 of another one",
        "the number 5 of another one",
    ]


def test_a_lone_solution_has_no_letter(read, written):
    package = replace(TWO, solutions=TWO.solutions[:1], exposures=(), extra=(("WCSSEP", 1.5), ("WCSMATCH", 840)))
    (bundle,), _ = read(READER, written(package.document()))
    (solution,) = bundle.solutions
    assert (solution.residual, solution.star_count) == (1.5, 840)
    assert loaded(solution).centre == pytest.approx((package.solutions[0].ra, package.solutions[0].dec), abs=1e-3)


def test_a_plate_without_solution_keeps_its_logged_exposures(read, written):
    document = TWO.document()
    document["metadata"]["astrometry"] |= {"b01HeaderGz": None, "nSolutions": 0}
    (bundle,), _ = read(READER, written(document))
    assert not bundle.solutions
    assert [one.has_imaging for one in bundle.exposures] == [False] * 3


def test_an_unmatched_solution_near_logged_exposures_is_told_and_not_guessed(read, written):
    """As c21534, if it were solved: many exposures at one position, and nobody says which is which."""
    here = TWO.solutions[0]
    listed = [packages.exposure(number, here.ra, here.dec + 0.001 * number) for number in range(3)]
    package = replace(TWO, exposures=(None, None, *listed))
    (bundle,), report = read(READER, written(package.document()))
    assert [one.exposure_id for one in bundle.solutions] == ["m0s0", "m0s1"]
    (reason,) = [reason for kind, reason in reasons(report) if kind == AMBIGUOUS]
    assert reason.startswith("scan 00: solution s0 may belong to e0 (0.00")
    for number in range(3):
        assert f"e{number} (0.00" in reason


def test_what_a_list_has_told_stays(read, written):
    known = PlateBundle(
        Plate("dasch", "ai07801", series="ai", emulsion="Seed 27", comment="a remark"),
        exposures=(
            Exposure("dasch", "ai07801", "e0", "ivo://test.example/dasch?ai07801/e0", 0, t_min=1.0, t_max=2.0),
            Exposure("dasch", "ai07801", "e7", "ivo://test.example/dasch?ai07801/e7", 7),
        ),
    )
    (bundle,), _ = read(READER, written(TWO.document()), known={"ai07801": known})
    assert (bundle.plate.emulsion, bundle.plate.comment) == ("Seed 27", "a remark")
    (first,) = [one for one in bundle.exposures if one.exposure_id == "e0"]
    assert (first.t_min, first.t_max, first.position_origin, first.has_imaging) == (1.0, 2.0, "solution", True)


def test_the_signed_address_is_not_kept(read, written):
    (bundle,), _ = read(READER, written(TWO.document()))
    assert "X-Amz" not in repr(bundle)


def test_base_mosaics_beside_the_package_are_found(read, tmp_path):
    file = TWO.write_base(tmp_path)
    (bundle,), report = read(READER, TWO.describe(tmp_path))
    full, binned = bundle.products
    assert (full.location, full.content_length, full.is_base) == (file.as_uri(), file.stat().st_size, True)
    assert full.checksum.startswith("md5:")
    assert binned.location is None
    assert not report.lines


@pytest.mark.parametrize("name", ["base_mosaics/ai07801_01.fits.fz", "ai07801_00_01.fits.fz"])
def test_packed_base_mosaics_where_daschlab_puts_them(read, tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    image = astrofits.CompImageHDU(packages.marked(TWO.shape, []), compression_type="RICE_1")
    astrofits.HDUList([astrofits.PrimaryHDU(), image]).writeto(file)
    (bundle,), _ = read(READER, TWO.write(tmp_path))
    full, _ = bundle.products
    assert (full.location, full.hdu, full.is_base) == (file.as_uri(), 1, True)
    assert full.product_id == "dasch/ai07801/ai07801_00_01.fits"


def test_a_file_of_another_length_has_no_checksum(read, tmp_path):
    TWO.write_base(tmp_path)
    (bundle,), report = read(READER, TWO.write(tmp_path))
    assert bundle.products[0].checksum is None
    assert [kind for kind, _ in reasons(report)] == ["another file than described"]


def test_a_file_of_another_size_is_a_fault(read, tmp_path):
    replace(TWO, shape=(480, 641)).write_base(tmp_path)
    with pytest.raises(OperatorFault, match=r"ai07801_00_01\.fits has 480 x 641 pixels, the package says 480 x 640"):
        read(READER, TWO.write(tmp_path))


# ------------------------------------------------------------------------------------------------- what is wrong


def changed(*path, to):
    """TWO's document with one value changed."""
    document = copy.deepcopy(TWO.document())
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return document


def with_header(text):
    return changed("metadata", "astrometry", "b01HeaderGz", to=packages.packed(text))


GOOD = packages.header_text(TWO.solutions, TWO.grid)
BOMB = base64.b64encode(gzip.compress(b" " * (40 * LONGEST_HEADER))).decode()
HEADER = ("metadata", "astrometry", "b01HeaderGz")
MOSAIC = ("metadata", "mosaic")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (changed(*HEADER, to="no base64!"), r"astrometry\.b01HeaderGz: not base64"),
        (changed(*HEADER, to=base64.b64encode(b"plain").decode()), r"b01HeaderGz: not gzip"),
        (changed(*HEADER, to=BOMB), r"b01HeaderGz: it unpacks to more than 1,000,000 bytes"),
        (
            changed(*HEADER, to=base64.b64encode(gzip.compress(GOOD.encode())[:-20]).decode()),
            "its gzip stream is cut off",
        ),
        (with_header(GOOD.replace("PV1_11A", "PV1_41A")), "solution A cannot be used: PV1_41A is no term of a TPV"),
        (with_header(GOOD.replace("PV2_9B ", "PV3_9B ")), "solution B cannot be used: PV3_9B is no term of a TPV"),
        (with_header(GOOD.replace("CRVAL2B", "CRVAX2B")), "solution B cannot be used: CRVAL2B is missing"),
        (with_header(GOOD.replace("RA---TAN", "RA---TNX")), "solution A cannot be used: CTYPE1A is 'RA---TNX'"),
        (with_header(GOOD.replace("CTYPE1B", "CTYPE1C")), "CTYPE1B is missing, though there is a CTYPE1C"),
        (with_header(GOOD.replace("CTYPE1A", "CTYPE1D")), "nSolutions is 2, but b01HeaderGz holds 1"),
        (changed("metadata", "astrometry", "nSolutions", to=3), r"nSolutions is 3, but b01HeaderGz holds 2"),
        (changed("metadata", "astrometry", "rotationDelta", to=45), "rotationDelta is 45"),
        (changed("metadata", "astrometry", "exposures", to={}), r"metadata\.astrometry\.exposures is {}, not a list"),
        (changed("metadata", "astrometry", "exposures", to=[3]), r"exposures\[0\] is 3, not an object"),
        (
            changed("metadata", "astrometry", "exposures", 0, "durMin", to="long"),
            r"metadata\.astrometry\.exposures\[0\]\.durMin is 'long', not a number",
        ),
        (changed(*MOSAIC, "b01Width", to=0), "b01Width and b01Height are 0 and 640: no size of an image"),
        (changed(*MOSAIC, "b01Height", to=None), "no size of an image"),
        (changed(*MOSAIC, "b01OrigFileMD5", to="MzMz"), "b01OrigFileMD5 has 3 bytes, not 16"),
        (changed(*MOSAIC, "b16OrigFileSize", to=-5), "b16OrigFileSize is -5: no size of a file"),
        (changed(*MOSAIC, "mosNum", to=-1), "mosNum is -1"),
        (changed("metadata", "mosaic", to=None), "the plate has no scan"),
        (changed("metadata", "series", to=None), "name no plate"),
    ],
)
def test_what_cannot_be_understood_is_a_fault_with_its_place(read, written, document, told):
    with pytest.raises(OperatorFault, match=told):
        read(READER, written(document))


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (GOOD.replace("\nEND", "\n").rstrip(), "the header has no END card"),
        (GOOD.replace("\nEND", "\nCOMMENT Hale\u0301\nEND"), "the header holds bytes that are not ASCII"),
    ],
)
def test_headers_that_are_odd_and_whole_are_read_and_told(read, written, header, told):
    whole, _ = read(READER, written(with_header(GOOD)))
    bundles, report = read(READER, written(with_header(header)))
    assert bundles[0].solutions == whole[0].solutions
    assert any(told in reason for _, reason in reasons(report, "repaired"))


def test_a_scan_that_is_turned_otherwise_than_before_is_told(read, written):
    (before,), report = read(READER, written(TWO.document()))
    known = {"ai07801": before}
    _, again = read(READER, written(TWO.document()), known=known)
    (after,), told = read(READER, written(replace(TWO, turn=180).document()), known=known)
    assert after.scans[0].turn_deg == 180
    unsolved = {"ai07801": replace(before, solutions=())}
    _, first = read(READER, written(replace(TWO, turn=180).document()), known=unsolved)
    kind = "turned otherwise than before"
    assert kind not in [name for name, _ in (*reasons(report), *reasons(again), *reasons(first))]
    (text,) = [reason for name, reason in reasons(told) if name == kind]
    assert "turned by 180 degrees, and were for 0" in text


def test_a_solution_without_terms_is_undistorted_and_that_is_told(read, written):
    header = "\n".join(line for line in GOOD.splitlines() if not line.startswith("PV"))
    (bundle,), report = read(READER, written(with_header(header)))
    assert [loaded(one).pixel_scale for one in bundle.solutions] == pytest.approx([12.0, 12.0], rel=1e-3)
    told = " ".join(reason for _, reason in reasons(report, "repaired"))
    assert "solution A: PV1_1 missing: read as 1" in told
    assert "solution B: PV2_1 missing: read as 1" in told


@pytest.mark.parametrize("text", ["{", '{"metadata": ', "{}", '{"metadata": 3}', "[" * 100_000])
def test_files_that_are_none(read, tmp_path, text):
    path = tmp_path / "plate.json"
    path.write_text("{" + text if text.startswith("[") else text)
    with pytest.raises(OperatorFault, match=r"plate\.json: "):
        read(READER, path)


def test_in_a_folder_one_bad_file_is_refused_and_the_others_are_read(read, tmp_path):
    TWO.write(tmp_path)
    replace(TWO, plate_id="md01361").write(tmp_path)
    (tmp_path / "cut.json").write_text('{"metadata": ')
    bundles, report = read(READER, tmp_path)
    assert sorted(one.plate.plate_id for one in bundles) == ["ai07801", "md01361"]
    ((kind, reason),) = reasons(report, "refused")
    assert kind == "file not usable"
    assert reason.startswith("cut.json: not JSON")


def test_keys_that_nobody_knows_are_told(read, written):
    document = changed("metadata", "astrometry", "fitQuality", to=0.5)
    _, report = read(READER, written(document))
    assert reasons(report) == [("keys not understood", "plate.json: metadata.astrometry.fitQuality")]


@with_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_stands_in_a_package_it_is_read_or_refused(read, written, data):
    """No value of any kind at any place leads to anything but a plate or a fault."""
    document = copy.deepcopy(TWO.document())
    place = document["metadata"]
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([]) | st.just({})
    place[key] = data.draw(values)
    try:
        read(READER, written(document))
    except OperatorFault as fault:
        assert "plate.json: " in fault.text  # noqa: PT017 -- either outcome is right
