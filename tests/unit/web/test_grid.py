"""The grid on a plate: every point of a line has, by astropy, the coordinate that its name says."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from wcs_truth import header_text

from vo.pixels.wcs import load_solution
from vo.web.grid import PLATE, Stage, draw_grid, name_dec, name_ra


def both(**cards):
    """A solution, and astropy's of the same header."""
    text = header_text(**cards)
    header = fits.Header.fromstring(text, sep="\n")
    return load_solution(text, " ", (header["NAXIS1"], header["NAXIS2"])), WCS(header)


def tan(ra, dec, rotation=0.0, scale=60.0, parity=-1.0, width=400, height=300):
    """A TAN plate; ``scale`` in arcsec per pixel, north turned by ``rotation`` degrees."""
    sine, cosine = np.sin(np.radians(rotation)), np.cos(np.radians(rotation))
    scale /= 3600.0
    return both(
        NAXIS1=width,
        NAXIS2=height,
        CRPIX1=(width + 1) / 2,
        CRPIX2=(height + 1) / 2,
        CRVAL1=ra,
        CRVAL2=dec,
        CD1_1=float(parity * scale * cosine),
        CD1_2=float(scale * sine),
        CD2_1=float(-parity * scale * sine),
        CD2_2=float(scale * cosine),
    )


def parts(path):
    return [np.array(re.findall(r"-?[0-9.]+", part), dtype=float).reshape(-1, 2) for part in path.split("M")[1:]]


def value(name):
    """Degrees of a line's name."""
    kind, _, text = name.rpartition("ion ")
    numbers = {unit: float(number) for number, unit in re.findall("([0-9.]+)([hms°\N{PRIME}″])", text)}
    if kind.startswith("right"):
        return 15.0 * (numbers["h"] + numbers.get("m", 0.0) / 60 + numbers.get("s", 0.0) / 3600)
    return (-1 if "\N{MINUS SIGN}" in text else 1) * (
        numbers["°"] + numbers.get("\N{PRIME}", 0.0) / 60 + numbers.get("″", 0.0) / 3600
    )


def sky(points, shape, truth):
    """Where points of the drawing lie on the sky, by astropy."""
    scale = max(shape) / PLATE
    x, y = points[:, 0] * scale - 0.5, shape[1] - 0.5 - points[:, 1] * scale
    return truth.all_pix2world(x, y, 0)


def check(wcs, truth):
    grid = draw_grid(Stage(wcs))
    assert grid
    degrees = wcs.pixel_scale / 3600.0 * max(wcs.shape) / PLATE  # of a unit
    for line in grid:
        for points in parts(line.path):
            ra, dec = sky(points, wcs.shape, truth)
            off = (ra - value(line.name) + 180.0) % 360.0 - 180.0 if line.is_ra else dec - value(line.name)
            off = off * np.cos(np.radians(dec)) if line.is_ra else off
            assert np.abs(off).max() < 0.5 * degrees * 1.5  # a pixel at the edge of a wide TAN is smaller
            # and so are the middles of the straight pieces between them
            ra, dec = sky((points[1:] + points[:-1]) / 2, wcs.shape, truth)
            off = (ra - value(line.name) + 180.0) % 360.0 - 180.0 if line.is_ra else dec - value(line.name)
            off = off * np.cos(np.radians(dec)) if line.is_ra else off
            assert np.abs(off).max() < 0.5 * degrees * 1.5
    return grid


@settings(max_examples=60, deadline=None)
@given(
    ra=st.floats(0, 360, exclude_max=True),
    dec=st.floats(-90, 90),
    rotation=st.floats(-180, 180),
    width=st.floats(0.1, 70.0),
    parity=st.sampled_from([-1.0, 1.0]),
)
def test_lines_lie_where_their_names_say(ra, dec, rotation, width, parity):
    wcs, truth = tan(ra, dec, rotation, width * 9.0, parity)  # 400 pixels
    check(wcs, truth)


@pytest.mark.parametrize("dec", [90.0, -90.0, 89.0, -88.9])
def test_around_a_pole_there_are_twelve_meridians_and_closed_parallels(dec):
    grid = check(*tan(123.0, dec, 25.0, 90.0))  # 10 degrees wide
    assert {line.name for line in grid if line.is_ra} == {f"right ascension {hour}h" for hour in range(0, 24, 2)}
    closed = [points for line in grid if not line.is_ra for points in parts(line.path)]
    assert any(np.allclose(points[0], points[-1], atol=0.02) for points in closed)
    assert any(line.label and line.label.inside for line in grid if not line.is_ra)


def test_across_right_ascension_0():
    grid = check(*tan(0.2, -12.0, 0.0, 60.0))
    names = [line.name for line in grid if line.is_ra]
    assert "right ascension 0h" in names
    assert any("23h" in name for name in names)
    assert len(names) == len(set(names)) <= 8


def test_a_line_enters_and_leaves_at_the_edge():
    wcs, _ = tan(83.0, -5.0, 8.0)
    frame = Stage(wcs).frame
    for line in draw_grid(Stage(wcs)):
        for points in parts(line.path):
            for x, y in (points[0], points[-1]):
                assert min(abs(x), abs(x - frame.right), abs(y), abs(y - frame.bottom)) < 0.02
            assert points.min() >= 0
            assert points[:, 0].max() <= frame.right
            assert points[:, 1].max() <= frame.bottom


@settings(max_examples=60, deadline=None)
@given(dec=st.floats(-90, 90), rotation=st.floats(-180, 180), width=st.floats(0.2, 60.0))
def test_names_do_not_run_into_each_other(dec, rotation, width):
    wcs, _ = tan(150.0, dec, rotation, width * 9.0)
    labels = [line.label for line in draw_grid(Stage(wcs)) if line.label and not line.label.inside]
    frame = Stage(wcs).frame
    assert len(labels) >= 2
    for edge in (
        [one for one in labels if one.turned and one.x < 0],
        [one for one in labels if one.turned and one.x > frame.right],
        [one for one in labels if not one.turned and one.y < 0],
        [one for one in labels if not one.turned and one.y > frame.bottom],
    ):
        along = sorted((one.y if one.turned else one.x, len(one.text)) for one in edge)
        for (at, length), (next_at, next_length) in itertools.pairwise(along):
            assert next_at - at >= 7.0 * (length + next_length)


def test_there_are_enough_lines_but_not_a_thicket():
    for width in (0.05, 0.3, 1.0, 5.0, 10.0, 25.0, 60.0):
        wcs, _ = tan(83.0, 20.0, 3.0, width * 9.0)
        grid = draw_grid(Stage(wcs))
        for kind in (True, False):
            assert 2 <= sum(line.is_ra is kind for line in grid) <= 14, width


def test_a_solution_that_leaves_the_sky_draws_what_there_is():
    # An orthographic image whose corners lie beyond the limb.
    wcs, truth = both(
        CTYPE1="RA---SIN", CTYPE2="DEC--SIN", CD1_1=-0.45, CD1_2=0.0, CD2_1=0.0, CD2_2=0.45, CRVAL1=10.0, CRVAL2=5.0
    )
    grid = draw_grid(Stage(wcs))
    assert grid
    for line in grid:
        for points in parts(line.path):
            assert np.isfinite(points).all()
            assert np.isfinite(sky(points, wcs.shape, truth)).mean() > 0.9


def test_names():
    assert name_ra(80.0) == "5h 20m"
    assert name_ra(360.0) == "0h"
    assert name_ra(83.8125) == "5h 35m 15s"
    assert name_dec(-0.5) == "\N{MINUS SIGN}0° 30\N{PRIME}"
    assert name_dec(0.0) == "0°"
    assert name_dec(15.0) == "+15°"
    assert name_dec(1 / 120) == "+0° 0\N{PRIME} 30″"
