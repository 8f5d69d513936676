"""Solutions on the pixels of files: turned, binned, or of another grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plates
import pytest
from wcs_truth import separation, tpv_header

from vo.pixels.wcs import read_solutions
from vo.products.grid import file_wcs

#: The base file is 403 x 309 pixels; its solutions are written for it turned.
WIDTH, HEIGHT = 403, 309


def scan_of(turn):
    return replace(plates.bundle().scans[0], turn_deg=turn, width=WIDTH, height=HEIGHT)


def solution_of(turn):
    width, height = (WIDTH, HEIGHT) if turn % 180 == 0 else (HEIGHT, WIDTH)
    (wcs,) = read_solutions(tpv_header(83.0, 40.0, width=width, height=height, angle=20.0, bend=0.01))
    return wcs, plates.solution(header=wcs.header_text(), width=width, height=height)


@pytest.mark.parametrize("turn", [0, 90, 180, -90])
def test_a_star_of_a_turned_base_file_is_found_on_its_binned_one(turn):
    """A square of 16 x 16 pixels of the base is one pixel of the binned one; numpy's turn says where its sky is."""
    wcs, solution = solution_of(turn)
    base = np.zeros((HEIGHT, WIDTH))
    base[7 * 16 : 8 * 16, 11 * 16 : 12 * 16] = 1.0
    rows, columns = np.nonzero(np.rot90(base, k=-turn // 90))
    sky = wcs.to_sky(columns.mean(), rows.mean())
    whole = plates.product("a.fits", "fits", width=WIDTH, height=HEIGHT, is_base=True)
    small = plates.product("b.fits", "fits_binned", width=25, height=19, bin_factor=16, is_base=True)
    found = file_wcs(solution, whole, scan_of(turn))
    assert found.shape == (WIDTH, HEIGHT)
    assert separation(found.to_sky(11 * 16 + 7.5, 7 * 16 + 7.5), sky) < 1e-6
    assert separation(file_wcs(solution, small, scan_of(turn)).to_sky(11.0, 7.0), sky) < 1e-6


def test_a_file_with_coordinates_of_its_own_is_not_turned():
    wcs, solution = solution_of(0)
    product = plates.product("a.fits", "fits", width=WIDTH, height=HEIGHT)
    assert file_wcs(solution, product, scan_of(90)) == wcs
    assert file_wcs(solution, replace(product, width=None), None) == wcs


def test_a_file_of_another_grid_has_none():
    _, solution = solution_of(0)
    assert file_wcs(solution, plates.product("a.fits", "fits", width=WIDTH, height=HEIGHT - 1), None) is None
    small = plates.product("b.fits", "fits_binned", width=25, height=21, bin_factor=16)
    assert file_wcs(solution, small, None) is None
    assert file_wcs(solution, replace(small, width=26, height=20), None).shape == (26, 20)
