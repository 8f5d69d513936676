"""Plates with several solutions, and solutions that get better, over HTTP: astropy's places are the truth.

The base mosaics carry a mark at each place that is asked for; what is looked for in every answer is the mark.
"""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import replace

import documents
import numpy as np
import packages
import pixels_by_hand as hand
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from serving import running

from vo.ingest.choose import use_version
from vo.ingest.load import ingest
from vo.metadata.collection import load_collection

#: A hundredth of a pixel, as the archive promises it.
CLOSE = 0.01
SCALE = 60.0
#: Fields of 8 x 11 degrees; the middles are 7 degrees apart.
SEVEN = packages.Package(
    "md00007",
    solutions=(
        packages.Tpv(150.0, 40.0, SCALE, turn=3.0, cubic=2e-4),
        packages.Tpv(150.0, 47.0, SCALE, turn=5.0, cubic=2e-4),
    ),
    exposures=(packages.exposure(1), packages.exposure(0)),
)
#: The same on a scan that has to be turned.
TURNED = replace(SEVEN, plate_id="md00090", turn=90)
#: Eleven exposures a sixth of a degree apart, as polar sequences have them.
ELEVEN = packages.Package(
    "md00011",
    solutions=tuple(
        packages.Tpv(150.0 + 0.17 * (number % 4), 43.0 + 0.15 * (number // 4), SCALE, turn=4.0, cubic=2e-4)
        for number in range(11)
    ),
    exposures=tuple(packages.exposure(number) for number in range(11)),
)
PLATES = {plate.plate_id: plate for plate in (SEVEN, TURNED, ELEVEN)}
PLACE = SkyCoord(150.3, 43.5, unit=units.deg)
#: A place of the grid that every solution puts somewhere else on the sky.
PIXEL = (200.0, 260.0)


def place_of(package, number, sky=PLACE):
    """Where a solution has a place of the sky, in pixels of the grid."""
    x, y = package.solutions[number].wcs(package.grid).all_world2pix(sky.ra.deg, sky.dec.deg, 0, tolerance=1e-10)
    return float(x), float(y)


def on_base(package, place):
    """The same place on the base file, which the value-added one is turned from (as daschlab turns)."""
    if not package.turn:
        return place
    width, height = package.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    turned = [np.rot90(one, k=-package.turn // 90) for one in (columns, rows)]
    x, y = round(place[0]), round(place[1])
    return float(turned[0][y, x]), float(turned[1][y, x])


def marks(package):
    """The marks of a plate: where each solution has PLACE, and the pixel that all of them have."""
    places = [place_of(package, number) for number in range(len(package.solutions))]
    return [on_base(package, place) for place in (*places, PIXEL)]


@pytest.fixture(scope="module")
def server(fresh_database, settings, tmp_path_factory):
    """The three plates behind a live server; the folder with their files."""
    folder = tmp_path_factory.mktemp("plates")
    database = fresh_database()
    for package in PLATES.values():
        package.write_base(folder, marks(package))
        package.describe(folder)
    ingest(database, settings, "dasch", folder)
    with running(settings.model_copy(update={"host": "127.0.0.1", "port": 0}), database) as started:
        yield started, folder


def did(server, package, number):
    """The identifier of the exposure that a package matches with solution ``number``."""
    return f"ivo://{server.settings.authority}/dasch?{package.plate_id}/e{package.exposures[number]['number']}"


def cut(server, package, number, sky, radius=0.25):
    """A cutout about a place of the sky: pixels, coordinates (astropy's)."""
    asked = {"ID": did(server, package, number), "CIRCLE": f"{sky.ra.deg} {sky.dec.deg} {radius}"}
    response = server.client.get("/soda/sync", params=asked)
    assert response.status_code == 200, response.text
    data, header = hand.open_answer(response.content)
    return data, hand.read_wcs(header)


def mark_in(data, number):
    """The middle of a mark in a cutout, 0-based (x, y)."""
    rows, columns = np.nonzero(data == 2000 + number)
    assert len(rows) == packages.MARK**2, f"mark {number} is not (wholly) in the cutout"
    return float(columns.mean()), float(rows.mean())


def sky_of(wcs, place):
    ra, dec = wcs.all_pix2world(*place, 0)
    return SkyCoord(float(ra), float(dec), unit=units.deg)


SOLUTIONS = [(name, number) for name, package in PLATES.items() for number in range(len(package.solutions))]


@pytest.mark.parametrize(("name", "number"), SOLUTIONS)
def test_one_place_on_the_sky_is_found_at_the_right_pixels_of_each_exposure(server, name, number):
    running_server, _ = server
    package = PLATES[name]
    data, wcs = cut(running_server, package, number, PLACE)
    mark = mark_in(data, number)
    # the mark lies on whole pixels, so the place is up to half a pixel beside its middle, by a known bit
    x, y = place_of(package, number)
    truth = sky_of(package.solutions[number].wcs(package.grid), (round(x), round(y)))
    assert sky_of(wcs, mark).separation(truth).arcsec < CLOSE * SCALE
    back = wcs.all_world2pix(truth.ra.deg, truth.dec.deg, 0, tolerance=1e-10)
    assert np.hypot(back[0] - mark[0], back[1] - mark[1]) < CLOSE


@pytest.mark.parametrize("name", PLATES)
def test_those_pixels_are_different_ones(name):
    package = PLATES[name]
    places = np.array([place_of(package, number) for number in range(len(package.solutions))])
    apart = np.hypot(*(places[:, None] - places[None, :]).transpose(2, 0, 1))
    assert apart[~np.eye(len(places), dtype=bool)].min() > packages.MARK


@pytest.mark.parametrize(("name", "number"), SOLUTIONS)
def test_one_pixel_has_the_right_place_on_the_sky_in_each_exposure(server, name, number):
    running_server, _ = server
    package = PLATES[name]
    truth = sky_of(package.solutions[number].wcs(package.grid), PIXEL)
    data, wcs = cut(running_server, package, number, truth)
    found = sky_of(wcs, mark_in(data, len(package.solutions)))
    assert found.separation(truth).arcsec < CLOSE * SCALE
    for other, solution in enumerate(package.solutions):
        if other != number:
            assert found.separation(sky_of(solution.wcs(package.grid), PIXEL)).arcsec > 5 * SCALE


def test_the_close_ones_are_flagged(server):
    running_server, _ = server
    asked = running_server.query(
        "SELECT plate_id, COUNT(*) AS n, MIN(close_exposures) AS fewest, MIN(nearest_exposure_deg) AS nearest "
        "FROM dasch.plates GROUP BY plate_id ORDER BY plate_id",
        RESPONSEFORMAT="csv",
    )
    rows = list(csv.reader(io.StringIO(asked.text)))[1:]
    assert [row[:3] for row in rows] == [["md00007", "2", "0"], ["md00011", "11", "10"], ["md00090", "2", "0"]]
    assert float(rows[0][3]) == pytest.approx(7.0, abs=0.01)
    centres = SkyCoord([(one.ra, one.dec) for one in ELEVEN.solutions], unit=units.deg)
    apart = [centres[0].separation(other).deg for other in centres[1:]]
    assert float(rows[1][3]) == pytest.approx(min(apart), abs=0.02)


# ------------------------------------------------------------------------------------------------- a better solution


def sums(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.fits"))}


def footprint(server, identifier):
    """The footprint as TAP has it, in ObsCore and in the collection's own table."""
    tables = [
        server.query(
            f"SELECT s_region FROM {table} WHERE obs_publisher_did = '{identifier}'", RESPONSEFORMAT="csv"
        ).text
        for table in ("ivoa.obscore", "dasch.plates")
    ]
    assert tables[0] == tables[1]
    return tables[0]


def offered(server, identifier):
    """What Datalink says can be cut: the largest values of the SODA descriptors' parameters."""
    read = documents.read(server.client.get("/datalink/links", params={"ID": identifier}))
    found = [
        (name, largest.get("value"))
        for descriptor in read.descriptors()
        for name, param in documents.params(descriptor).items()
        for largest in param.iter(f"{documents.NAMESPACE}MAX")
    ]
    assert found
    return found


def test_a_better_solution_is_followed_at_once_and_left_again(server, settings, tmp_path):
    """Footprints, Datalink and cutouts of a running server; the files stay; compare tells the shift; and back."""
    running_server, folder = server
    identifier = did(running_server, SEVEN, 0)
    files = sums(folder)

    def seen():
        data, wcs = cut(running_server, SEVEN, 0, PLACE)
        found = sky_of(wcs, mark_in(data, 0))
        return footprint(running_server, identifier), offered(running_server, identifier), found

    collection = load_collection(settings, "dasch")
    before = seen()
    better = SEVEN.better(300.0)
    ingest(running_server.database, settings, "dasch", better.write(tmp_path))
    after = seen()
    assert after[0] != before[0]
    assert after[1] != before[1]
    x, y = place_of(SEVEN, 0)
    truth = sky_of(better.solutions[0].wcs(better.grid), (round(x), round(y)))
    assert after[2].separation(truth).arcsec < CLOSE * SCALE
    assert after[2].separation(before[2]).arcsec > 200
    assert sums(folder) == files

    told = running_server.query(
        "SELECT centre_shift, corner_shift, rotation FROM archive.solution_change JOIN archive.solution "
        "USING (collection, plate_id, scan_id, solution_id, version) "
        "WHERE plate_id = 'md00007' AND solution_id = 's0' AND is_current = 'True'",
        RESPONSEFORMAT="csv",
    ).text
    (numbers,) = [[float(cell) for cell in row] for row in list(csv.reader(io.StringIO(told)))[1:]]
    shape = SEVEN.grid
    corners = np.array([(x, y) for x in (0, shape[0] - 1) for y in (0, shape[1] - 1)]).T
    places = [solution.wcs(shape).all_pix2world(*corners, 0) for solution in (SEVEN.solutions[0], better.solutions[0])]
    shifts = SkyCoord(*places[0], unit=units.deg).separation(SkyCoord(*places[1], unit=units.deg)).arcsec
    assert numbers == pytest.approx([300.0, shifts.max(), 0.05], rel=2e-3)

    choice = use_version(running_server.database, settings, collection, SEVEN.plate_id, "s0", 1)
    assert choice.change.centre_shift == pytest.approx(300.0, rel=2e-3)
    back = seen()
    assert back[:2] == before[:2]
    assert back[2].separation(before[2]).arcsec < 1e-6
    use_version(running_server.database, settings, collection, SEVEN.plate_id, "s0", 2)
    assert seen()[:2] == after[:2]
    assert sums(folder) == files
