"""Bounds of cutouts come from the footprints that searches use."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from vo.datalink.bounds import bounds_of, parse_region
from vo.db.archive import Outline


def outline(ra: float, dec: float, half: float = 3.0) -> Outline:
    """A square on the sky; its corners stand ``half`` degrees from its centre along each axis of the tangent plane."""
    corners = SkyCoord(ra, dec, unit="deg").spherical_offsets_by(
        *(np.array(((1, 1), (-1, 1), (-1, -1), (1, -1))).T * half * u.deg)
    )
    text = " ".join(f"{place.ra.deg:.9f} {place.dec.deg:.9f}" for place in corners)
    return Outline(f"ivo://x/y?{ra}/{dec}", ra, dec, 2 * half * 2**0.5, f"POLYGON ICRS {text}")


def test_a_regions_vertices_are_read():
    assert parse_region("POLYGON ICRS 1.5 -2 359.5 -2 0 +1e-3") == ((1.5, -2.0), (359.5, -2.0), (0.0, 0.001))


def test_bounds_of_one_exposure_are_its_published_circle_and_outline():
    one = outline(10.0, 20.0)
    bounds = bounds_of([one])
    assert bounds.circle == (10.0, 20.0, one.fov / 2)
    assert bounds.polygon == parse_region(one.region)


def test_nothing_known_bounds_nothing():
    assert bounds_of([]) is None


@pytest.mark.parametrize(
    "places",
    [
        [(120.0, 20.0), (127.4, 20.2)],
        [(359.0, -12.0), (1.0, -12.0), (4.0, -14.0)],
        [(40.0, 88.4), (220.0, 88.0)],
        [(10.0, -89.0), (10.0, -89.0)],
        [(0.0, 0.0), (80.0, 0.0)],
    ],
)
def test_the_circle_of_several_covers_all_of_them_and_not_much_more(places):
    """DSC, SOD-09: truth is astropy's."""
    outlines = [outline(*place) for place in places]
    bounds = bounds_of(outlines)
    assert bounds.polygon == ()
    ra, dec, radius = bounds.circle
    vertices = np.array([vertex for one in outlines for vertex in parse_region(one.region)])
    points = SkyCoord(vertices[:, 0], vertices[:, 1], unit="deg")
    apart = points.separation(SkyCoord(ra, dec, unit="deg")).deg
    assert apart.max() <= radius + 1e-10
    largest = points[:, None].separation(points[None, :]).deg.max()
    assert radius <= largest


def test_exposures_all_over_the_sky_have_no_circle():
    assert bounds_of([outline(0.0, 0.0), outline(180.0, 0.0)]) is None
