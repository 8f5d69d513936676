"""How far two solutions differ: against astropy, place by place."""

from dataclasses import replace

import numpy as np
import packages
import pytest
from astropy import units
from astropy.coordinates import SkyCoord

from vo.errors import UsageFault
from vo.pixels.compare import GRID, compare
from vo.pixels.frames import separation
from vo.pixels.wcs import read_solutions

SHAPE = (480, 640)


def ours(solution, shape=SHAPE):
    (wcs,) = read_solutions(packages.header_text([solution], shape, "TPV"), shape)
    return wcs


def places(solution, xs, ys):
    ra, dec = solution.wcs(SHAPE).all_pix2world(xs, ys, 0)
    return SkyCoord(ra * units.deg, dec * units.deg)


BASE = packages.Tpv(84.764775, 78.206096, turn=30.0)
PAIRS = {
    "shifted": (BASE, replace(BASE, ra=84.9, dec=78.21)),
    "turned": (BASE, replace(BASE, turn=30.4)),
    "larger": (BASE, replace(BASE, scale=12.06)),
    "all": (BASE, replace(BASE, ra=85.5, dec=78.4, turn=29.0, scale=11.9, cubic=1e-3)),
    "over the pole": (replace(BASE, dec=89.9), replace(BASE, ra=200.0, dec=89.95, turn=31.0)),
    "seven degrees": (BASE, replace(BASE, ra=104.0, dec=72.0, turn=12.0)),
    "right ascension 0": (replace(BASE, ra=359.99, dec=-20.0), replace(BASE, ra=0.01, dec=-20.0)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_shifts_are_astropys(name):
    one, two = PAIRS[name]
    change = compare(ours(one), ours(two))
    xs, ys = np.meshgrid(*(np.linspace(0, size - 1, GRID) for size in SHAPE))
    truth = places(one, xs, ys).separation(places(two, xs, ys)).arcsec
    corners = truth[0, 0], truth[0, -1], truth[-1, 0], truth[-1, -1]
    assert change.corner_shifts == pytest.approx(corners, abs=1e-4)
    assert change.centre_shift == pytest.approx(truth[GRID // 2, GRID // 2], abs=1e-4)
    assert change.largest_shift == pytest.approx(truth.max(), abs=1e-4)
    assert change.rms_shift == pytest.approx(np.sqrt((truth**2).mean()), abs=1e-4)
    assert change.largest_corner_shift == pytest.approx(max(corners), abs=1e-4)


@pytest.mark.parametrize("distortion", [0.0, 1.0])
@pytest.mark.parametrize("name", PAIRS)
def test_rotation_and_scale_are_astropys(name, distortion):
    """Turned is measured against the great circle between the two middles, which both images see."""
    one, two = (replace(solution, distortion=distortion) for solution in PAIRS[name])
    change = compare(ours(one), ours(two))
    middle = np.array([(size - 1) / 2 for size in SHAPE])
    xs, ys = middle[0] + np.array([0, 0]), middle[1] + np.array([-1.0, 1.0])
    a, b = places(one, *middle), places(two, *middle)
    ends = [places(solution, xs, ys) for solution in (one, two)]
    up = [start.position_angle(end[1]).deg for start, end in zip((a, b), ends, strict=True)]
    if a.separation(b).arcsec > 1e-3:
        up[0] -= a.position_angle(b).deg
        up[1] -= b.position_angle(a).deg + 180.0
    turned = (up[1] - up[0] + 180.0) % 360.0 - 180.0
    lengths = [end[0].separation(end[1]).arcsec for end in ends]
    tolerance = 2e-2 if distortion else 1e-5  # what the distortion adds to one axis, and less to the image as a whole
    assert change.rotation == pytest.approx(turned, abs=tolerance)
    assert change.scale_ratio == pytest.approx(lengths[1] / lengths[0], rel=2e-3 if distortion else 1e-6)


def test_the_same_solution_does_not_differ():
    change = compare(ours(BASE), ours(BASE))
    assert (change.centre_shift, change.largest_shift, change.rms_shift) == pytest.approx((0, 0, 0), abs=1e-9)
    assert (change.rotation, change.scale_ratio) == pytest.approx((0, 1), abs=1e-12)


def test_there_and_back_are_opposite():
    one, two = PAIRS["all"]
    there, back = compare(ours(one), ours(two)), compare(ours(two), ours(one))
    assert there.rms_shift == pytest.approx(back.rms_shift)
    assert there.rotation == pytest.approx(-back.rotation, abs=1e-4)
    assert there.scale_ratio * back.scale_ratio == pytest.approx(1, abs=1e-4)


def test_other_pixels_cannot_be_compared():
    with pytest.raises(UsageFault, match="480 x 640 and 640 x 480 pixels"):
        compare(ours(BASE), ours(BASE, SHAPE[::-1]))


def test_a_mirrored_image_has_no_rotation():
    text = packages.header_text([BASE], SHAPE, "TPV")
    values = {"CD1_1": -ours_value(text, "CD1_1"), "CD2_1": -ours_value(text, "CD2_1")}
    changed = "\n".join(
        f"{line[:8]:<8}= {values[line[:8].strip()]!r:>20}".ljust(80) if line[:8].strip() in values else line
        for line in text.splitlines()
    )
    (wcs,) = read_solutions(changed, SHAPE)
    change = compare(ours(BASE), wcs)
    assert (change.rotation, change.scale_ratio) == (None, None)


def ours_value(text, name):
    return float(next(line for line in text.splitlines() if line.startswith(name))[10:].split("/")[0])


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-3, 90.0, 179.999999, 180.0])
def test_separation_is_exact_at_all_sizes(angle):
    assert separation((10.0, -90.0), (200.0, -90.0 + angle)) == pytest.approx(angle, rel=1e-9, abs=1e-13)
