"""Bounds of cutouts come from the footprints that searches use."""

from __future__ import annotations

import plates
import pytest

from vo.datalink.bounds import parse_region, read_bounds


def test_a_regions_vertices_are_read():
    assert parse_region("POLYGON ICRS 1.5 -2 359.5 -2 0 +1e-3") == ((1.5, -2.0), (359.5, -2.0), (0.0, 0.001))


def test_nothing_is_asked_for_no_exposures(database):
    with database.read() as connection:
        assert read_bounds(connection, []) == {}


@pytest.mark.parametrize("names", [("demo",), ("demo", "dasch", "poss1")])
def test_exposures_without_a_footprint_are_left_out(database, names):
    exposures = [plates.Exposure(name, "p", "1", f"ivo://nowhere/{name}") for name in names]
    with database.read() as connection:
        assert read_bounds(connection, exposures) == {}
