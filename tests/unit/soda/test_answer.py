"""The parts of a SODA answer that need neither database nor pixels."""

from __future__ import annotations

import numpy as np
import plates
import pytest

from vo.dali.parameters import Parameters
from vo.products.images import CutSource
from vo.soda.answer import _filename, exposure_wcs, overlaps
from vo.soda.request import read_request

BLUE = {"em_min": 3.5e-7, "em_max": 5e-7}


def filters(*pairs):
    return read_request(Parameters([("ID", "x"), *pairs]))


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
    assert _filename(plates.exposure("a/b c", 'x"\n1')) == "a_b_c_x_1_cutout.fits"


HEADER = """\
CTYPE1  = 'RA---TAN'
CTYPE2  = 'DEC--TAN'
CRVAL1  = 10.0
CRVAL2  = 20.0
CRPIX1  = 500.5
CRPIX2  = 400.5
CDELT1  = -0.001
CDELT2  = 0.001
RADESYS = 'ICRS'
"""


@pytest.mark.parametrize(("factor", "size"), [(1, (1000, 800)), (16, (62, 50)), (16, (63, 50)), (16, None)])
def test_a_solution_is_put_on_the_files_own_pixels(factor, size):
    """The middle of binned pixel n is that of the n-th block of full ones (counted from 0)."""
    width, height = size or (None, None)
    product = plates.product("a.fits", "fits", width=width, height=height, bin_factor=factor)
    source = CutSource(product, None, plates.solution(header=HEADER), factor)
    wcs = exposure_wcs(source)
    assert wcs.shape == (size or (62, 50))
    full = exposure_wcs(CutSource(product, None, plates.solution(header=HEADER), 1))
    middle = [factor * 7 + (factor - 1) / 2, factor * 9 + (factor - 1) / 2]
    np.testing.assert_allclose(wcs.to_sky(7, 9), full.to_sky(*middle), rtol=0, atol=1e-9)
