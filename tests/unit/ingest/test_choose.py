"""Versions of solutions: how far they differ stands in the archive, and another one can be brought into use."""

import json
from dataclasses import replace

import numpy as np
import packages
import pytest
from astropy import units
from astropy.coordinates import SkyCoord

from vo.errors import OperatorFault
from vo.ingest.choose import use_version
from vo.ingest.load import ingest

FIRST = packages.Package(
    "md01361",
    solutions=(packages.Tpv(84.764775, 78.206096), packages.Tpv(104.0, 72.0)),
    exposures=(packages.exposure(2), packages.exposure(0), packages.exposure(1, 265.4, 84.98)),
)
SECOND = FIRST.better()
PLACES = "SELECT exposure_id, s_ra, s_dec, s_region_text, solution_id FROM {} ORDER BY 1"


@pytest.fixture
def own(fresh_database):
    return fresh_database()


@pytest.fixture
def loaded(own, settings, tmp_path):
    """A plate whose two solutions have two versions, the second in use; and what was published of the first."""
    ingest(own, settings, "dasch", FIRST.write(tmp_path))
    published = {table: ask(own, PLACES.format(table)) for table in ("ivoa.obscore", "dasch.plates")}
    ingest(own, settings, "dasch", SECOND.write(tmp_path))
    return own, published


def ask(database, sql, *values):
    with database.owner() as connection:
        return connection.execute(sql, values).fetchall()


def current(database):
    return ask(database, "SELECT solution_id, version, status FROM archive.solution WHERE is_current ORDER BY 1")


def by_hand(before, after, shape):
    """The shifts of the middle and of the farthest corner, as astropy has them."""
    xs, ys = np.array([0, shape[0] - 1, 0, shape[0] - 1]), np.array([0, 0, shape[1] - 1, shape[1] - 1])
    xs, ys = np.append(xs, (shape[0] - 1) / 2), np.append(ys, (shape[1] - 1) / 2)
    places = [SkyCoord(*one.wcs(shape).all_pix2world(xs, ys, 0), unit=units.deg) for one in (before, after)]
    shifts = places[0].separation(places[1]).arcsec
    return shifts[-1], shifts[:4].max()


def test_the_archive_tells_how_far_versions_differ(loaded):
    database, _ = loaded
    rows = ask(
        database,
        "SELECT solution_id, version, other_version, centre_shift, corner_shift, rotation, scale_ratio "
        "FROM archive.solution_change ORDER BY 1, 2",
    )
    assert [row[:3] for row in rows] == [("s0", 1, 2), ("s0", 2, 1), ("s1", 1, 2), ("s1", 2, 1)]
    for name, centre, corner, rotation, ratio in [(row[0], *row[3:]) for row in rows if row[1] == 2]:
        number = int(name[1])
        expected = by_hand(FIRST.solutions[number], SECOND.solutions[number], FIRST.grid)
        assert (centre, corner) == pytest.approx(expected, abs=1e-4)
        assert rotation == pytest.approx(0.05, abs=1e-4)
        assert ratio == pytest.approx(1.0, abs=1e-5)
    assert [row[5] for row in rows[:2]] == pytest.approx([-rows[1][5], rows[1][5]], abs=1e-7)


def test_the_published_footprints_follow_the_choice_and_back(loaded, settings, dasch_collection):
    database, published = loaded
    newer = {table: ask(database, PLACES.format(table)) for table in published}
    assert newer["ivoa.obscore"] != published["ivoa.obscore"]
    for name in ("s0", "s1"):
        choice = use_version(database, settings, dasch_collection, "md01361", name, 1)
        assert (choice.before.version, choice.chosen.version) == (2, 1)
        assert choice.change.centre_shift == pytest.approx(20.0, abs=0.1)
        assert choice.rows in (3, 4)  # its row in both tables, and those of others whose nearest it is
    assert {table: ask(database, PLACES.format(table)) for table in published} == published
    for name in ("s0", "s1"):
        use_version(database, settings, dasch_collection, "md01361", name, 2)
    assert {table: ask(database, PLACES.format(table)) for table in published} == newer
    assert current(database) == [("s0", 2, "accepted"), ("s1", 2, "accepted")]


def test_what_was_set_aside_does_not_come_back_by_itself(loaded, settings, dasch_collection, tmp_path):
    database, _ = loaded
    use_version(database, settings, dasch_collection, "md01361", "s0", 1)
    expected = [("s0", 1, "accepted"), ("s1", 2, "accepted")]
    assert current(database) == expected
    assert ingest(database, settings, "dasch", SECOND.write(tmp_path)).changed == 0
    assert current(database) == expected
    third = replace(SECOND.better(5.0), result="aa" * 12)
    ingest(database, settings, "dasch", third.write(tmp_path))
    assert current(database) == [("s0", 3, "accepted"), ("s1", 3, "accepted")]
    counted = ask(database, "SELECT solution_id, count(*) FROM archive.solution_change GROUP BY 1 ORDER BY 1")
    assert counted == [("s0", 6), ("s1", 6)]


def test_what_is_in_use_already_changes_nothing(loaded, settings, dasch_collection):
    database, _ = loaded
    choice = use_version(database, settings, dasch_collection, "md01361", "s0", 2)
    assert (choice.before, choice.rows) == (choice.chosen, 0)


def test_a_version_of_another_grid_cannot_be_compared_but_used(own, settings, dasch_collection, tmp_path):
    ingest(own, settings, "dasch", FIRST.write(tmp_path))
    ingest(own, settings, "dasch", replace(SECOND, shape=(500, 640)).write(tmp_path))
    rows = ask(own, "SELECT DISTINCT centre_shift, corner_shift, rotation, scale_ratio FROM archive.solution_change")
    assert rows == [(None, None, None, None)]
    choice = use_version(own, settings, dasch_collection, "md01361", "s0", 1)
    assert (choice.change, choice.rows) == (None, 4)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("md01362", "s0", 1), "collection dasch has no plate 'md01362'"),
        (("md01361", "s9", 1), r"no solution 's9'; it has s0 \(scan 00\), s1 \(scan 00\)"),
        (("md01361", "s0", 3), "solution s0 of scan 00 has no version 3; it has 1, 2"),
        (("md01361", "s0", 1, "01"), "no solution 's0' on scan '01'"),
    ],
)
def test_nonsense_is_refused(loaded, settings, dasch_collection, asked, told):
    database, _ = loaded
    with pytest.raises(OperatorFault, match=told):
        use_version(database, settings, dasch_collection, *asked)
    assert current(database) == [("s0", 2, "accepted"), ("s1", 2, "accepted")]


def test_two_scans_of_a_plate_are_told_apart(loaded, settings, dasch_collection, tmp_path):
    database, _ = loaded
    ingest(database, settings, "dasch", replace(FIRST, mosaic=1).write(tmp_path))
    with pytest.raises(OperatorFault, match="on the scans 00, 01: name one with --scan"):
        use_version(database, settings, dasch_collection, "md01361", "s0", 1)
    choice = use_version(database, settings, dasch_collection, "md01361", "s0", 1, "00")
    assert choice.before.version == 2


def test_exposures_keep_the_scan_that_shows_them(loaded, settings, tmp_path):
    """A second scan's solutions are others of the same exposures; the rows stay those of the first."""
    database, _ = loaded
    before = ask(database, PLACES.format("ivoa.obscore"))
    ingest(database, settings, "dasch", replace(FIRST, mosaic=1).write(tmp_path))
    assert ask(database, PLACES.format("ivoa.obscore")) == before
    assert ask(database, "SELECT DISTINCT exposure_id FROM archive.solution WHERE scan_id = '01' ORDER BY 1") == [
        ("e0",),
        ("e2",),
    ]


def test_a_matching_that_turned_round_leads_back_with_the_versions(own, settings, dasch_collection, tmp_path):
    """As md01361: the new result has its solutions in the other order; each version keeps the exposure it is of."""
    ingest(own, settings, "dasch", FIRST.write(tmp_path))
    before = ask(own, PLACES.format("dasch.plates"))
    turned = replace(FIRST, solutions=FIRST.solutions[::-1], exposures=(FIRST.exposures[1], FIRST.exposures[0]))
    ingest(own, settings, "dasch", turned.write(tmp_path))
    again = ask(own, PLACES.format("dasch.plates"))
    assert [row[:4] for row in again] == [row[:4] for row in before]
    choice = use_version(own, settings, dasch_collection, "md01361", "s0", 1)
    assert choice.unsolved == ("e0",)
    assert use_version(own, settings, dasch_collection, "md01361", "s1", 1).unsolved == ()
    assert ask(own, PLACES.format("dasch.plates")) == before


def test_a_document_with_the_solutions_of_the_archive(loaded):
    """The header of a version is the one that came."""
    database, _ = loaded
    ((text,),) = ask(database, "SELECT header FROM archive.solution WHERE solution_id = 's1' AND version = 1")
    assert f"{json.dumps(FIRST.solutions[1].ra)}" in next(line for line in text.splitlines() if line[:6] == "CRVAL1")
