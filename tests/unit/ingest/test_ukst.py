"""The list of the UK Schmidt Telescope's plates, all 17,886 of them, each fact found again by other means."""

from __future__ import annotations

import itertools
import re
from collections import Counter

import footprints_by_hand
import numpy as np
import pytest
import realdata
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.time import Time
from astropy.utils import iers

from vo.ingest.load import ingest

NAME = "ukst_catalog.txt"
LONGITUDE = 149.0706

#: The layout that the list's own description gives, counted from 0.
CUTS = {
    "prefix": (0, 2), "plate": (2, 7), "prism": (7, 8), "survey": (8, 15), "field": (15, 20), "ra": (20, 25),
    "dec": (25, 30), "date": (30, 36), "lst": (36, 40), "emulsion": (40, 46), "filter": (46, 52), "minutes": (52, 56),
    "grade": (56, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def lines():
    """The list cut by hand, by the plate's name."""
    rows = realdata.path(NAME).read_text(encoding="latin-1").split("\n")[:17886]
    cut = [{name: row[start:end] for name, (start, end) in CUTS.items()} for row in rows]
    found = {(row["prefix"] + row["plate"] + row["prism"]).replace(" ", ""): row for row in cut}
    assert len(found) == len(rows) == 17886
    return found


@pytest.fixture(scope="module")
def own(fresh_database):
    return fresh_database()


@pytest.fixture(scope="module")
def loaded(own, settings):
    return ingest(own, settings, "ukst", realdata.path(NAME))


@pytest.fixture(scope="module")
def plates(loaded, own):
    """The published rows as mappings, by the plate's name."""
    names = "plate_id s_ra s_dec s_region_text t_min t_max t_exptime emulsion filter target_name prism grade survey"
    names += " lst_start ra_b1950 dec_b1950 s_fov footprint_origin s_calib_status em_min em_max repair t_calib_status"
    with own.owner() as connection:
        rows = connection.execute(f"SELECT {', '.join(names.split())} FROM ukst.plates").fetchall()
    return {row[0]: dict(zip(names.split(), row, strict=True)) for row in rows}


def signed(dec):
    number = int(dec[1:3].replace(" ", "0")) + int(dec[3:5].replace(" ", "0")) / 60
    return -number if dec[0] == "-" else number


def hours(ra):
    return int(ra[:2]) + (int(ra[2:4]) + int(ra[4]) / 10) / 60


def sidereal(lst):
    digits = lst.replace(" ", "0")
    return int(digits[:2]) + int(digits[2:]) / 60


def test_every_row_is_accounted_for(loaded, own, settings, plates, lines):
    assert (loaded.read, loaded.used, loaded.refused) == (17886, 17886, 0)
    assert (loaded.plates, loaded.exposures, loaded.without_imaging) == (17886, 17886, 17886)
    assert loaded.repaired == {"value not understood": 2, "zero exposure time": 5}
    assert loaded.noted == {"in daylight": 11, "unknown wavelengths": 134}
    assert plates.keys() == lines.keys()
    with own.owner() as connection:
        seen = connection.execute("SELECT count(*) FROM ivoa.obscore WHERE obs_collection = 'UKST'").fetchone()
    assert seen == (0,)
    assert ingest(own, settings, "ukst", realdata.path(NAME)).changed == 0


def test_the_report_names_line_plate_and_reason(loaded):
    text = loaded.report.read_text(encoding="utf-8")
    assert re.search(r",9043,IZ10309,repaired,value not understood,.*9999", text)
    assert re.search(r",17839,OR19358,noted,in daylight,", text)


def test_texts_are_the_lists(plates, lines):
    for name, row in lines.items():
        found = plates[name]
        assert found["emulsion"] == row["emulsion"].strip()
        assert found["filter"] == {"NONE": None}.get(row["filter"].strip(), row["filter"].strip())
        for column, cut in (("prism", "prism"), ("grade", "grade"), ("survey", "survey"), ("target_name", "field")):
            assert (found[column] or "") == row[cut].strip(), (name, column)
    assert Counter(row["prism"] for row in plates.values())[None] == 15851


def test_exposure_times(plates, lines):
    for name, row in lines.items():
        minutes = int(row["minutes"]) / 10
        wanted = None if minutes == 0 or minutes > 720 else minutes * 60
        found = plates[name]
        assert found["t_exptime"] == (None if wanted is None else pytest.approx(wanted))
        assert (found["t_max"] - found["t_min"]) * 86400 == pytest.approx(wanted or 0, abs=1e-3)
        assert (found["t_calib_status"] == "calibrated") == (wanted is not None)


def test_positions_are_astropys(plates, lines):
    """Every plate's, by one conversion of B1950 (FK4) that knows nothing of ours."""
    names = sorted(lines)
    ra = np.array([hours(lines[name]["ra"]) * 15 for name in names])
    dec = np.array([signed(lines[name]["dec"]) for name in names])
    wanted = SkyCoord(ra * units.deg, dec * units.deg, frame="fk4", equinox="B1950").icrs
    found = SkyCoord(
        [plates[name]["s_ra"] for name in names] * units.deg, [plates[name]["s_dec"] for name in names] * units.deg
    )
    assert wanted.separation(found).arcsec.max() < 0.01
    assert np.abs(np.array([plates[name]["dec_b1950"] for name in names]) - dec).max() < 1e-9
    assert np.abs(np.array([plates[name]["ra_b1950"] for name in names]) - ra).max() < 1e-9
    assert min(dec[np.array([lines[name]["dec"][0] for name in names]) == " "]) >= 0  # no sign is a plus


def test_times_are_those_at_which_the_sidereal_clock_showed_this(plates, lines):
    """Brute force: the sidereal time of every second minute of the date's UT day by astropy, for 60 plates."""
    names = sorted(lines)[::298]
    for name in names:
        row = lines[name]
        year = int(row["date"][:2])
        date = f"{1900 + year if year >= 50 else 2000 + year}-{row['date'][2:4]}-{row['date'][4:]}"
        with iers.conf.set_temp("auto_download", False):
            begin = Time(f"{date}T00:00:00", scale="ut1").mjd
            grid = begin + np.arange(721) / 720
            shown = Time(grid, format="mjd", scale="ut1").sidereal_time("mean", LONGITUDE * units.deg).hour
        apart = (shown - sidereal(row["lst"]) + 12) % 24 - 12
        before = np.flatnonzero((apart[:-1] <= 0) & (apart[1:] > 0) & (apart[1:] - apart[:-1] < 1))
        part = -apart[before] / (apart[before + 1] - apart[before])
        wanted = grid[before] + part / 720
        assert np.abs(wanted - plates[name]["t_min"]).min() * 86400 < 0.1, name
        assert plates[name]["lst_start"] == pytest.approx(sidereal(row["lst"]))


def test_plates_of_a_night_are_in_the_order_of_their_numbers(plates, lines):
    """What tells that dates are of UT and times are of the beginning (resources/ukst/README.md)."""
    rows = sorted(lines.items(), key=lambda one: int(one[1]["plate"]))
    starts = np.array([plates[name]["t_min"] for name, _ in rows])
    ends = np.array([plates[name]["t_max"] for name, _ in rows])
    same = np.array([one["date"] == two["date"] for (_, one), (_, two) in itertools.pairwise(rows)])
    assert ((np.diff(starts) <= 0) & same).sum() <= 10
    overlaps = same & (starts[1:] < ends[:-1] - 1 / 1440) & (np.diff(starts) > 0)
    assert overlaps.sum() < 30
    assert same.sum() > 13000


def test_footprints_are_six_and_a_half_degrees_a_side(plates):
    """Corners a quarter of a side's tangent away along the axes, and points inside and outside by brute force."""
    rng = np.random.default_rng(6)
    for name in sorted(plates)[::600]:
        row = plates[name]
        assert (row["footprint_origin"], row["s_calib_status"]) == ("nominal", "uncalibrated")
        corners = footprints_by_hand.polygon(row["s_region_text"])
        centre = footprints_by_hand.unit(np.array(row["s_ra"]), np.array(row["s_dec"]))
        half = np.tan(np.arctan(np.radians(6.5) / 2))
        lon, lat = np.radians(row["s_ra"]), np.radians(row["s_dec"])
        east = np.array([-np.sin(lon), np.cos(lon), 0])
        north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
        points = rng.uniform(-2 * half, 2 * half, (400, 2))
        directions = centre + points[:, :1] * east + points[:, 1:] * north
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        found, near = footprints_by_hand.inside(directions, corners)
        wanted = np.abs(points).max(axis=1) < half
        clear = np.abs(np.abs(points).max(axis=1) - half) > 2e-5
        assert ((found == wanted) | near | ~clear).all(), name
        assert row["s_fov"] == pytest.approx(2 * np.degrees(np.arctan(half * np.sqrt(2))), rel=1e-4)


def test_places_are_found_through_the_database(loaded, own, plates):
    """Plates over 3C 273 by pgSphere and by winding numbers."""
    with own.owner() as connection:
        rows = connection.execute(
            "SELECT plate_id FROM ukst.plates WHERE spoint(radians(187.28), radians(2.05)) <@ s_region"
        ).fetchall()
    point = footprints_by_hand.unit(np.array([187.28]), np.array([2.05]))
    near = [name for name, row in plates.items() if abs(row["s_dec"] - 2.05) < 5]
    outlines = {name: footprints_by_hand.polygon(plates[name]["s_region_text"]) for name in near}
    wanted = {name for name, outline in outlines.items() if footprints_by_hand.inside(point, outline)[0][0]}
    assert {name for (name,) in rows} == wanted
    assert len(wanted) > 20


def test_wavelengths(plates):
    assert (plates["J26"]["em_min"], plates["J26"]["em_max"]) == (3.95e-7, 5.4e-7)
    assert (plates["HA17655"]["em_min"], plates["HA17655"]["em_max"]) == (6.555e-7, 6.625e-7)
    unknown = Counter(row["emulsion"] for row in plates.values() if row["em_min"] is None)
    assert unknown.keys() == {"SRO", "IZ", "COLOUR", "R40", "4143", "FOMA-B", "C-FILM", "FILM", "T-100", "4421"}
