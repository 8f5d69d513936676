from __future__ import annotations

import plates
import pytest

from vo.db.records import Scan
from vo.products.grid import grid_factor
from vo.products.images import find_cut_source, find_images, group_images

FULL = plates.product("full.fits", "fits", width=1000, height=800)
BINNED = plates.product("binned.fits", "fits_binned", width=63, height=50, bin_factor=16)


@pytest.mark.parametrize(("this", "first", "second"), [("fits", FULL, BINNED), ("fits_binned", BINNED, FULL)])
def test_the_collection_chooses_which_file_is_this(this, first, second):
    images = find_images(plates.bundle(products=(BINNED, FULL)), plates.exposure(), plates.collection(this))
    assert images.this is first
    assert images.others == (second,)


def test_the_other_file_is_this_when_there_is_only_that():
    images = find_images(plates.bundle(products=(BINNED,)), plates.exposure(), plates.collection("fits"))
    assert images.this is BINNED


def test_files_of_another_scan_are_rescans_and_of_another_exposure_none():
    rescan = plates.product("again.fits", "fits", scan_id="s2")
    other = plates.product("other.fits", "fits", exposure_id="2")
    bundle = plates.bundle(products=(rescan, other, FULL))
    images = find_images(bundle, plates.exposure(), plates.collection())
    assert (images.this, images.others, images.rescans) == (FULL, (), (rescan,))


def test_the_solution_is_the_exposures_own_current_one_of_its_scan():
    right = plates.solution(version=2)
    others = (
        plates.solution(version=1, is_current=False),
        plates.solution(solution_id="1", exposure_id="2"),
        plates.solution(solution_id="2", scan_id="s2"),
        plates.solution(solution_id="3", exposure_id=None),
    )
    bundle = plates.bundle(solutions=(*others, right))
    assert bundle.solution_of(plates.exposure()) is right
    assert bundle.solution_of(plates.exposure(exposure_id="9")) is None


@pytest.mark.parametrize(
    ("width", "height", "bin_factor", "factor"),
    [
        (1000, 800, 1, 1),
        (62, 50, 16, 16),  # the last pixels dropped
        (63, 50, 16, 16),  # or kept
        (1000, 800, 16, 1),  # the solution was found in the binned file itself
        (64, 50, 16, None),
        (500, 400, 1, None),
        (None, None, 16, 16),
    ],
)
def test_how_the_solutions_grid_fits_the_file(width, height, bin_factor, factor):
    product = plates.product("x.fits", "fits", width=width, height=height, bin_factor=bin_factor)
    assert grid_factor(plates.solution(), product) == factor


@pytest.mark.parametrize(("turn", "factor"), [(90, 1), (-90, 1), (270, 1), (180, None), (0, None), (None, None)])
def test_base_files_of_a_turned_scan_fit_the_grid_turned(turn, factor):
    base = plates.product("x.fits", "fits", width=800, height=1000, is_base=True)
    scan = Scan("tests", "p1", "s1", turn_deg=turn)
    assert grid_factor(plates.solution(), base, scan) == factor
    own = plates.product("x.fits", "fits", width=1000, height=800)
    assert grid_factor(plates.solution(), own, scan) == 1  # a file with coordinates lies as they do


def test_a_base_file_of_a_turned_scan_can_be_cut(tmp_path):
    path = tmp_path / "base.fits"
    path.write_bytes(b"x")
    base = plates.product("x.fits", "fits", width=800, height=1000, is_base=True, location=path.as_uri())
    scan = Scan("tests", "p1", "s1", turn_deg=90)
    bundle = plates.bundle(products=(base,), solutions=(plates.solution(),), scans=(scan,))
    assert find_cut_source(bundle, plates.exposure(), plates.collection()).product is base


def test_a_plates_images_are_grouped_by_scan_the_shown_one_first():
    rescan, rescan_binned = (
        plates.product(name, role, scan_id="s0", bin_factor=factor)
        for name, role, factor in (("again.fits", "fits", 1), ("again_bin16.fits", "fits_binned", 16))
    )
    bundle = plates.bundle(products=(BINNED, rescan_binned, rescan, FULL))
    first, second = group_images(bundle, plates.collection("fits_binned"))
    assert (first.this, first.others) == (BINNED, (FULL,))
    assert (second.this, second.others) == (rescan_binned, (rescan,))
    assert group_images(plates.bundle(), plates.collection()) == ()


def test_a_cut_is_made_from_this_or_from_what_is_held_here(tmp_path):
    path = tmp_path / "binned.fits"
    path.write_bytes(b"x")
    here = plates.product("binned.fits", "fits_binned", width=63, height=50, bin_factor=16, location=path.as_uri())
    bundle = plates.bundle(products=(FULL, here), solutions=(plates.solution(),))
    source = find_cut_source(bundle, plates.exposure(), plates.collection("fits"))
    assert source is not None
    assert source.product == here


def test_nothing_can_be_cut_without_a_solution_or_a_file():
    assert find_cut_source(plates.bundle(products=(FULL,)), plates.exposure(), plates.collection()) is None
    solved = plates.bundle(products=(FULL,), solutions=(plates.solution(),))
    assert find_cut_source(solved, plates.exposure(), plates.collection()) is None
