"""Starglass' plate records: photographs, remarks and exposures; nothing that lists and packages know better."""

import json

import packages
import pytest

from vo.db.records import Exposure, Plate, PlateBundle, Product, Scan
from vo.errors import OperatorFault
from vo.ingest.readers import plate_documents

READER = plate_documents.READER


@pytest.fixture
def written(tmp_path):
    """Write a record as a file."""

    def write(**values):
        path = tmp_path / "record.json"
        path.write_text(json.dumps(packages.record(**values)))
        return path

    return write


def test_photographs_have_roles_and_lasting_addresses_only(read, written):
    (bundle,), report = read(READER, written())
    photos = {one.product_id.rpartition("/")[2]: one for one in bundle.products if not one.role.startswith("fits")}
    assert {name: one.role for name, one in photos.items()} == {
        "ai07801_j_front.jpg": "jacket_photo",
        "ai07801_p_whole.jpg": "plate_photo",
        "ai07801_p_whole_clean.jpg": "plate_photo_clean",
    }
    assert photos["ai07801_j_front.jpg"].location is None  # signed for a minute
    assert photos["ai07801_p_whole.jpg"].location == "https://photos.example/plates/ai07801_p_whole.jpg"
    assert {one.content_type for one in photos.values()} == {"image/jpeg"}
    assert "X-Amz" not in repr(bundle)
    assert "keys not understood" not in report.counted("noted")


def test_a_photograph_beside_the_record_is_held(read, written, tmp_path):
    (tmp_path / "ai07801_j_front.jpg").write_bytes(b"jpeg")
    (bundle,), _ = read(READER, written())
    (jacket,) = [one for one in bundle.products if one.role == "jacket_photo"]
    assert (jacket.location, jacket.content_length) == ((tmp_path / "ai07801_j_front.jpg").as_uri(), 4)


def test_what_people_said_of_the_plate(read, written):
    (bundle,), _ = read(READER, written())
    assert bundle.plate.comment == (
        "Comet 1908c; handwritten markings, erased before the scan; names: Leavitt; "
        "mentioned by Cannon, notebook phaedra1234, page 17"
    )
    assert bundle.plate.plate_class == "M"


def test_scans_and_exposures_of_a_plate_nobody_has_told_of(read, written):
    (bundle,), _ = read(READER, written())
    assert [one.scan_id for one in bundle.scans] == ["00"]
    assert [(one.role, one.bin_factor, one.is_base) for one in bundle.products if one.role.startswith("fits")] == [
        ("fits", 1, False),
        ("fits_binned", 16, False),
    ]
    first, second = bundle.exposures
    assert (first.exposure_id, first.ra, first.position_origin, first.scan_id) == ("e0", 84.76, "solution", "00")
    assert (first.exptime, first.has_imaging) == (1200.0, True)
    assert (second.exposure_id, second.dec, second.position_origin, second.scan_id) == ("e1", 84.98, "logbook", None)
    assert not bundle.solutions  # a linear sketch is none


def test_solutions_of_no_logged_exposure(read, written):
    """Each has a place of its own where it is known which mosaic it is of; else it is told."""
    more = [{"ctr_ra": 5.0 + n, "ctr_dec": 1.0, "exposure_num": -1, "solution_num": n, "exposure": 1} for n in (2, 3)]
    again = {"ctr_ra": 8.0, "ctr_dec": 1.0, "exposure_num": 0, "solution_num": 4, "exposure": 1}
    exposures = [*packages.record()["exposures"], *more, again]
    (bundle,), _ = read(READER, written(exposures=exposures))
    assert [one.exposure_id for one in bundle.exposures] == ["e0", "e1", "m0s2", "m0s3", "e0m0s4"]
    mosaics = [{"mosaic_num": name, "bin_factor": "01"} for name in ("00", "01")]
    (bundle,), report = read(READER, written(exposures=exposures, mosaics=mosaics))
    assert [one.exposure_id for one in bundle.exposures] == ["e0", "e1"]
    assert report.counted("noted")["exposure not used"] == 3


def test_what_others_have_told_stays(read, written):
    did = "ivo://test.example/dasch?ai07801/e0"
    known = PlateBundle(
        Plate("dasch", "ai07801", emulsion="Seed 27", comment="older"),
        (Scan("dasch", "ai07801", "00", width=480, height=640, turn_deg=90),),
        (Exposure("dasch", "ai07801", "e0", did, 0, ra=84.7, dec=78.3, position_origin="solution", scan_id="00"),),
        products=(
            Product("dasch/ai07801/x.fits", "dasch", "ai07801", "fits", "image/fits", "00", is_base=True),
            Product("dasch/ai07801/ai07801_j_front.jpg", "dasch", "ai07801", "jacket_photo", "image/jpeg", location="file:///x"),
        ),
    )  # fmt: skip
    (bundle,), _ = read(READER, written(), known={"ai07801": known})
    assert (bundle.plate.emulsion, bundle.plate.comment[:11]) == ("Seed 27", "Comet 1908c")
    assert bundle.scans == known.scans
    assert (bundle.exposures[0].ra, bundle.exposures[0].dec) == (84.7, 78.3)
    assert bundle.exposures[0].exptime == 1200.0  # nobody had told
    assert {one.role for one in bundle.products if one.role.startswith("fits")} == {"fits_binned"}
    assert next(one for one in bundle.products if one.role == "jacket_photo").location == "file:///x"


@pytest.mark.parametrize("missing", list(packages.record()))
def test_every_key_may_be_null_but_the_name(read, written, missing):
    if missing == "plate_id":
        with pytest.raises(OperatorFault, match=r"record\.json: neither a mosaic package"):
            read(READER, written(plate_id=None))
        return
    (bundle,), _ = read(READER, written(**{missing: None}))
    assert bundle.plate.plate_id == "ai07801"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"plate_id": "7801"}, "plate_id is '7801': no series and number"),
        ({"mosaics": [{"mosaic_num": "x", "bin_factor": "01"}]}, r"mosaics\[0\]\.mosaic_num is 'x'"),
        ({"mosaics": [{"mosaic_num": "00", "bin_factor": "04"}]}, r"mosaics\[0\]\.bin_factor is 4"),
        ({"catalog_exposures": [{"exposure_num": None}]}, r"catalog_exposures\[0\]\.exposure_num is None"),
        ({"catalog_exposures": [{"exposure_num": 1, "ctr_ra": 5, "ctr_dec": 100}]}, "not on the sky"),
        ({"plate_images": "none"}, "plate_images is 'none', not a list"),
        ({"has_markings": "yes"}, "has_markings is 'yes', not true or false"),
    ],
)
def test_what_cannot_be_understood_is_a_fault_with_its_place(read, written, values, told):
    with pytest.raises(OperatorFault, match=told):
        read(READER, written(**values))


def test_keys_that_nobody_knows_are_told(read, written):
    _, report = read(READER, written(astrology="none"))
    assert [line.reason for line in report.lines if line.kind == "keys not understood"] == ["record.json: astrology"]


@pytest.mark.parametrize(
    "address",
    [
        "http://x.example/a.jpg",
        "https://u:p@x.example/a.jpg",
        "https://x.example/a.jpg?Signature=1",
        "../../etc/passwd",
    ],
)
def test_addresses_that_do_not_last_are_not_kept(read, written, address):
    image = {"url": address, "portion": "whole", "thumbnail": False}
    (bundle,), _ = read(READER, written(plate_images=[image]))
    (photo,) = [one for one in bundle.products if one.role == "plate_photo"]
    assert photo.location is None
    assert "/" not in photo.product_id.removeprefix("dasch/ai07801/")
