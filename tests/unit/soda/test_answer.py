"""The parts of a SODA answer that need neither database nor pixels."""

from __future__ import annotations

import plates
import pytest
import realdata
from wcs_truth import header_text

from vo.dali.parameters import Parameters
from vo.db.records import Scan
from vo.errors import NotFoundFault, UsageFault
from vo.pixels.read import list_images
from vo.pixels.wcs import find_solutions
from vo.products.images import CutSource
from vo.soda.cutting import _fellows, _filename
from vo.soda.request import read_request
from vo.soda.targets import Target, find_source, overlaps

BLUE = {"em_min": 3.5e-7, "em_max": 5e-7}


def filters(*pairs):
    return read_request(Parameters([("ID", "x"), *pairs])).filters


@pytest.mark.parametrize(
    ("name", "value", "passes"),
    [
        ("BAND", "5e-7 6e-7", True),  # ends belong to an interval
        ("BAND", "5.1e-7 6e-7", False),
        ("BAND", "-Inf 3e-7", False),
        ("BAND", "4e-7", True),
        ("TIME", "10000.5 +Inf", True),
        ("TIME", "10001.5 +Inf", False),
        ("POL", "I", True),
        ("POL", "Q", False),
    ],
)
def test_what_does_not_overlap_leaves_nothing(name, value, passes):
    plate = plates.bundle(**BLUE).plate
    exposure = plates.exposure(t_min=10000.0, t_max=10001.0)
    assert overlaps(filters((name, value)), plate, exposure, plates.collection()) is passes


def test_the_collections_band_holds_for_plates_without_their_own():
    plate, collection = plates.bundle().plate, plates.collection(defaults=BLUE)
    assert overlaps(filters(("BAND", "4e-7")), plate, plates.exposure(), collection)
    assert not overlaps(filters(("BAND", "6e-7")), plate, plates.exposure(), collection)


def test_what_is_not_known_filters_nothing():
    plate = plates.bundle().plate
    asked = filters(("BAND", "6e-7"), ("TIME", "1 2"))
    assert overlaps(asked, plate, plates.exposure(), plates.collection())


def test_the_name_of_the_file_is_one_that_every_file_system_takes():
    one = plates.exposure("a/b c", 'x"\n1')
    bundle = plates.bundle(exposures=(one,), plate_id="a/b c")
    exposure = Target(bundle, (one,), plates.collection(), is_plate=False)
    plate = Target(bundle, (one,), plates.collection(), is_plate=True)
    assert _filename([("", exposure)], "fits") == "a_b_c_x_1_cutout.fits"
    assert _filename([("", plate)], "fits") == "a_b_c_cutout.fits"
    assert _filename([("", plate), ("", exposure)], "fits") == "cutouts.fits"


def test_a_solution_that_no_file_fits_is_told_and_not_that_there_is_none(tmp_path):
    (tmp_path / "a.fits").write_bytes(bytes(2880))
    one = plates.exposure()
    file = plates.product("a.fits", "fits", width=300, height=200, location=(tmp_path / "a.fits").as_uri())
    bundle = plates.bundle(exposures=(one,), products=(file,), solutions=(plates.solution(),))
    target = Target(bundle, (one,), plates.collection(), is_plate=False)
    with pytest.raises(UsageFault, match="another pixel grid"):
        find_source(target, one)
    away = plates.bundle(exposures=(one,), solutions=(plates.solution(),))
    with pytest.raises(NotFoundFault, match="no FITS image"):
        find_source(Target(away, (one,), plates.collection(), is_plate=False), one)
    unsolved = Target(plates.bundle(exposures=(one,)), (one,), plates.collection(), is_plate=False)
    with pytest.raises(UsageFault, match="no astrometric solution"):
        find_source(unsolved, one)


def test_another_solution_that_cannot_be_turned_is_left_out_and_hinders_no_cutout():
    (image, *_) = list_images(realdata.path("fits/astropydata_M6707HH.fits"))
    polynomial = next(one for one in find_solutions(image.cards, image.shape).solutions if one.kind == "DSS")
    grid = {"width": 400, "height": 300, "is_current": True}
    solutions = tuple(
        plates.solution(solution_id=str(number), exposure_id=str(number), header=header, wcs_key=key, **grid)
        for number, header, key in (
            (1, header_text(), " "),
            (2, header_text(CRVAL1=151.0), " "),
            (3, image.cards.text(), polynomial.key),
        )
    )
    file = plates.product("a.fits", "fits", width=300, height=400, is_base=True)
    scan = Scan(plates.NAME, "p1", "s1", turn_deg=90)
    one = plates.exposure()
    bundle = plates.bundle(exposures=(one,), products=(file,), solutions=solutions, scans=(scan,))
    target = Target(bundle, (one,), plates.collection(), is_plate=False)
    found = _fellows(target, CutSource(file, solutions[0]))
    assert [name for name, _ in found.current] == ["solution 2 version 1 (exposure 2)"]
