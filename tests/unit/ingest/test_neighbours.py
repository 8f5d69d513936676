"""Exposures that lie close together on a plate: columns for astronomers, lines of the report for curators."""

import csv
import json

import numpy as np
import packages
import pytest
import realdata
from astropy import units
from astropy.coordinates import SkyCoord

from vo.ingest.load import ingest

#: Real plates: two solutions 7 degrees apart and an unsolved third; two 0.03 degrees apart; eleven at one place.
REAL = {"ai 7801": "ai07801", "md 1361": "md01361", "c 21534": "c21534"}


def ask(database, sql, *values):
    with database.owner() as connection:
        return connection.execute(sql, values).fetchall()


@pytest.fixture(scope="module")
def real(fresh_database, settings, tmp_path_factory):
    """The three plates out of DASCH's list, and the summary of their ingest."""
    lines = realdata.path("dasch/exposures.ecsv").read_text().splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    wanted = [line for line in lines[start + 1 :] if line.startswith(tuple(f"{name} " for name in REAL))]
    path = tmp_path_factory.mktemp("list") / "three.ecsv"
    path.write_text("".join([*lines[: start + 1], *wanted]))
    database = fresh_database()
    return database, ingest(database, settings, "dasch", path)


@pytest.mark.parametrize("plate", REAL.values())
def test_distances_are_astropys(real, plate):
    database, _ = real
    rows = ask(
        database,
        "SELECT s_ra, s_dec, s_fov, nearest_exposure_deg, close_exposures FROM dasch.plates WHERE plate_id = %s",
        plate,
    )
    places = SkyCoord([row[:2] for row in rows], unit=units.deg)
    distances = np.array([[one.separation(other).deg for other in places] for one in places])
    np.fill_diagonal(distances, np.inf)
    for row, own in zip(rows, distances, strict=True):
        assert row[3] == pytest.approx(own.min(), abs=1e-9)
        assert row[4] == (own < 0.1 * row[2]).sum()
    assert len(rows) == {"ai07801": 3, "md01361": 2, "c21534": 11}[plate]


def test_what_is_close_can_be_asked_for(real):
    database, _ = real
    sql = (
        "SELECT plate_id, max(close_exposures) FROM dasch.plates WHERE nearest_exposure_deg < 0.1 GROUP BY 1 ORDER BY 1"
    )
    assert ask(database, sql) == [("c21534", 10), ("md01361", 1)]
    # the patrol camera's field is 80 degrees wide: what lies within a tenth of it may be taken for each other, too
    sql = "SELECT min(nearest_exposure_deg), min(s_fov), min(close_exposures) FROM dasch.plates WHERE plate_id = %s"
    ((nearest, field, close),) = ask(database, sql, "ai07801")
    assert 3 < nearest < 0.1 * field
    assert close > 0


def test_what_is_close_is_told_with_the_distances(real):
    _, summary = real
    assert summary.noted["close exposures"] == 3
    with summary.report.open(newline="") as file:
        told = {line["plate"]: line["reason"] for line in csv.DictReader(file) if line["kind"] == "close exposures"}
    assert told["c21534"].startswith("exposure e0, e1, e10, e2, ")
    assert "0.0000 to 0.0000 deg from the nearest other one" in told["c21534"]
    apart = SkyCoord(16.953507, 61.05617, unit="deg").separation(SkyCoord(16.890369, 61.054503, unit="deg")).deg
    assert f"{apart:.4f} to {apart:.4f} deg" in told["md01361"]


def test_a_plate_of_one_exposure_has_no_neighbour(fresh_database, settings, tmp_path):
    database = fresh_database()
    package = packages.Package("md01362", solutions=(packages.Tpv(1.0, 2.0),), exposures=(packages.exposure(0),))
    ingest(database, settings, "dasch", package.write(tmp_path))
    sql = "SELECT nearest_exposure_deg, close_exposures FROM dasch.plates"
    assert ask(database, sql) == [(None, 0)]


def test_an_exposure_whose_place_nobody_knows_counts_for_nobody(fresh_database, settings, tmp_path):
    database = fresh_database()
    two = packages.Package(
        "md01361", exposures=(packages.exposure(1), packages.exposure(0), packages.exposure(2, 999, 99))
    )
    ingest(database, settings, "dasch", two.write(tmp_path))
    sql = "SELECT exposure_id, round(nearest_exposure_deg::numeric, 3), close_exposures FROM dasch.plates ORDER BY 1"
    places = [SkyCoord(one.ra, one.dec, unit=units.deg) for one in two.solutions]
    apart = round(places[0].separation(places[1]).deg, 2)
    rows = ask(database, sql)
    assert [(name, None if near is None else round(float(near), 2), count) for name, near, count in rows] == [
        ("e0", apart, 0),
        ("e1", apart, 0),
        ("e2", None, None),
    ]


@pytest.mark.parametrize("reversed_order", [False, True])
def test_the_real_list_and_packages_name_the_same_exposures(real, settings, tmp_path, reversed_order):
    """Packages of the three plates, matched as DASCH has matched them, meet the exposures of the list."""
    database, _ = real
    md = packages.Package(
        "md01361",
        solutions=(packages.Tpv(16.890369, 61.054503), packages.Tpv(16.953507, 61.05617)),
        exposures=(packages.exposure(1), packages.exposure(0)),
    )
    ai = packages.Package(
        "ai07801",
        solutions=(packages.Tpv(274.697766, 81.648162, 60.0), packages.Tpv(84.764775, 88.206096, 60.0)),
        exposures=(packages.exposure(2), packages.exposure(0), packages.exposure(1, 265.405933, 84.979744)),
    )
    for package in (ai, md) if reversed_order else (md, ai):
        ingest(database, settings, "dasch", package.write(tmp_path))
    matched = "SELECT plate_id, solution_id, exposure_id FROM archive.solution WHERE is_current ORDER BY 1, 2"
    assert ask(database, matched) == [
        ("ai07801", "s0", "e2"),
        ("ai07801", "s1", "e0"),
        ("md01361", "s0", "e1"),
        ("md01361", "s1", "e0"),
    ]
    assert ask(database, "SELECT count(*) FROM archive.exposure")[0] == (16,)
    unsolved = ask(
        database, "SELECT footprint_origin FROM dasch.plates WHERE plate_id = 'ai07801' AND exposure_id = 'e1'"
    )
    assert unsolved != [("solution",)]
    assert json.dumps(unsolved)
