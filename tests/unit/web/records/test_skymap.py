"""The map of the sky: its projection against wcslib's, what is filled against the centres of cells."""

from __future__ import annotations

import itertools
import re

import astropy.units as u
import numpy as np
import pytest
from astropy.wcs import WCS
from cdshealpix.nested import healpix_to_lonlat
from mocpy import MOC

from vo.adql.sky.geometry import BadArgument
from vo.web.records.skymap import HEIGHT, WIDTH, draw_map, project, read_cells

#: Degrees of wcslib's plane from edge to edge.
_PLANE = 4 * np.sqrt(2) * 180 / np.pi


def by_wcslib(ra, dec):
    """Places in the drawing, by Mollweide's projection of wcslib."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---MOL", "DEC--MOL"]
    wcs.wcs.crval = [180, 0]
    wcs.wcs.crpix = [0, 0]
    wcs.wcs.cdelt = [-1, 1]
    x, y = wcs.wcs_world2pix(ra, dec, 1)
    return np.column_stack([WIDTH * (0.5 + x / _PLANE), HEIGHT * (0.5 - y / _PLANE * 2)])


def read_path(path: str):
    """The closed lines of a path that is written in steps."""
    for part in path.removesuffix("z").split("z"):
        start, _, steps = part.removeprefix("M").partition("l")
        numbers = np.array(re.findall(r"-?[\d.]+", f"{start} {steps}"), dtype=float).reshape(-1, 2)
        yield np.cumsum(numbers, axis=0)


def filled(path: str, points):
    """Which points a path fills, even-odd."""
    inside = np.zeros(len(points), dtype=bool)
    x, y = points.T
    for line in read_path(path):
        for (x1, y1), (x2, y2) in itertools.pairwise([*line, line[0]]):
            if y1 != y2:
                inside ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return inside


def test_places_are_those_of_wcslib():
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0.01, 359.99, 3000), np.degrees(np.arcsin(rng.uniform(-1, 1, 3000)))
    dec[:4] = [90, -90, 89.999, -89.9]
    assert np.abs(project(ra, dec) - by_wcslib(ra, dec)).max() < 0.01


def around(ra, dec, radius, inner=None):
    """A circle, or a ring."""
    if inner is None:
        return MOC.from_cone(ra * u.deg, dec * u.deg, radius=radius * u.deg, max_depth=6)
    radii = {"internal_radius": inner * u.deg, "external_radius": radius * u.deg}
    return MOC.from_ring(ra * u.deg, dec * u.deg, **radii, max_depth=6)


MOCS = {
    "over 0h": around(0, 10, 12),
    "at the north pole": around(50, 88, 9),
    "around the south pole": around(200, -89, 20, 8),
    "with holes": around(120, -30, 40, 10),
    "all but a circle at 0h": around(359, -45, 30).complement(),
    "a few cells": MOC.from_string("3/5 700 6/1 3 40000 40003 49151", "ascii"),
}


@pytest.mark.parametrize("moc", MOCS.values(), ids=MOCS)
def test_the_centres_of_covered_cells_are_filled_and_no_others(moc):
    picture = draw_map(moc.to_string("ascii"))
    cells = np.random.default_rng(3).choice(12 * 4**6, 4000, replace=False)
    own = moc.to_order(6).flatten()
    cells = np.union1d(cells, np.random.default_rng(4).choice(own, min(len(own), 1500), replace=False)).astype(
        np.uint64
    )
    lon, lat = healpix_to_lonlat(cells, 6)
    covered = np.isin(cells, own)
    places = by_wcslib(lon.deg, lat.deg)
    # at the very edge of the drawing a cell is narrower than what its outline is rounded to
    half = WIDTH / 2 * np.sqrt(np.clip(1 - (places[:, 1] / HEIGHT * 2 - 1) ** 2, 0, 1))
    is_clear = half - np.abs(places[:, 0] - WIDTH / 2) > 0.3
    wrong = (filled(picture.path, places) != covered) & is_clear
    assert not wrong.any(), cells[wrong]
    assert covered.any()
    assert is_clear.mean() > 0.99
    assert picture.share == pytest.approx(moc.sky_fraction)


def test_the_whole_sky_is_filled():
    picture = draw_map("0/0-11 6/")
    assert picture.share == 1.0
    rng = np.random.default_rng(5)
    points = by_wcslib(rng.uniform(0.5, 359.5, 2000), np.degrees(np.arcsin(rng.uniform(-0.999, 0.999, 2000))))
    # between the outlines of two base cells there may be a tenth of a unit
    assert filled(picture.path, points).mean() > 0.995
    assert len(picture.path) < 10_000


def test_finer_cells_are_drawn_as_the_ones_they_lie_in():
    assert np.flatnonzero(read_cells("8/16-17 32 20/")).tolist() == [1, 2]
    assert np.flatnonzero(read_cells("29/0")).tolist() == [0]
    assert read_cells("0/0-11").all()


def test_right_ascension_increases_to_the_left():
    (east, west) = project(np.array([200.0, 160.0]), np.array([0.0, 0.0]))
    assert east[0] < west[0]
    labels = {line.label: line.x for line in draw_map("6/0").lines if line.is_ra and line.label}
    assert labels["21h"] < labels["12h"] < labels["3h"]


@pytest.mark.parametrize("text", ["nonsense", "6/99999", '{"6": [1]}', "6/5-3"])
def test_what_is_no_moc_is_told(text):
    with pytest.raises(BadArgument):
        draw_map(text)
