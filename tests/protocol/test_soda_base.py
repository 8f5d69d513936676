"""Cutouts of base scans, whose headers have no coordinates: turned on the scanner, and solved anew (acceptance 3)."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace

import numpy as np
import plates
import pytest
from astropy.io import fits
from pixels_by_hand import read_wcs
from serving import running
from wcs_truth import separation, tpv_header

from vo.db.archive import merge_records
from vo.db.records import Plate, PlateBundle, Scan
from vo.pixels.wcs import read_solutions

TURNS = {"t0": 0, "t90": 90, "t180": 180, "t-90": -90}
WIDTH, HEIGHT = 403, 309
#: A star, as numpy has the base file: row and column.
ROW, COLUMN = 150, 260


def solved(plate_id, turn, number, ra, *, version=1, is_current=True):
    """A solution written for the turned scan, and its WCS there."""
    width, height = (WIDTH, HEIGHT) if turn % 180 == 0 else (HEIGHT, WIDTH)
    (wcs,) = read_solutions(tpv_header(ra, 40.0, width=width, height=height, angle=20.0 * number, bend=0.01))
    record = plates.solution(
        plate_id, str(number), solution_id=str(number), header=wcs.header_text(), width=width, height=height,
        version=version, is_current=is_current,
    )  # fmt: skip
    return replace(record, collection="demo"), wcs


def star_on_sky(turn, wcs):
    """Where the star is by a solution: numpy turns the scan as the solution has it."""
    data = np.zeros((HEIGHT, WIDTH))
    data[ROW, COLUMN] = 1.0
    (row,), (column,) = np.nonzero(np.rot90(data, k=-turn // 90))
    return [float(axis) for axis in wcs.to_sky(column, row)]


@pytest.fixture(scope="module")
def places(fresh_database, settings, tmp_path_factory):
    """A server, and the (solution, WCS)s of each plate's two exposures."""
    folder = tmp_path_factory.mktemp("bases")
    database, truth = fresh_database(), {}
    with database.owner() as connection:
        for plate_id, turn in TURNS.items():
            data = np.random.default_rng(7).integers(0, 50, (HEIGHT, WIDTH)).astype(np.int16)
            data[ROW, COLUMN] = 3000
            path = folder / f"{plate_id}.fits"
            fits.PrimaryHDU(data).writeto(path)
            truth[plate_id] = [solved(plate_id, turn, 1, 80.0), solved(plate_id, turn, 2, 87.0)]
            product = plates.product(
                f"{plate_id}.fits", "fits", plate_id=plate_id, is_base=True, width=WIDTH, height=HEIGHT,
                location=path.as_uri(),
            )  # fmt: skip
            bundle = PlateBundle(
                Plate("demo", plate_id),
                (Scan("demo", plate_id, "s1", width=WIDTH, height=HEIGHT, turn_deg=turn),),
                tuple(
                    replace(plates.exposure(plate_id, str(number), exposure_number=number), collection="demo")
                    for number in (1, 2)
                ),
                tuple(record for record, _ in truth[plate_id]),
                (replace(product, collection="demo"),),
            )
            merge_records(connection, bundle.records())
    changed = settings.model_copy(update={"host": "127.0.0.1", "port": 0})
    with running(changed, database) as server:
        yield server, truth, folder


def cut(server, did, ra, dec):
    response = server.client.get("/soda/sync", params={"ID": did, "CIRCLE": f"{ra} {dec} 0.02"})
    assert response.status_code == 200, response.text
    with fits.open(io.BytesIO(response.content)) as hdus:
        hdus.verify("exception")
        return [(hdu.data.copy(), hdu.header.copy()) for hdu in hdus if hdu.data is not None]


def assert_star(data, header, ra, dec, scale):
    """The star is in the cutout, where astropy has it by the cutout's own header."""
    rows, columns = np.nonzero(data == 3000)
    assert len(rows) == 1
    found = read_wcs(header).all_pix2world(columns, rows, 0)
    assert separation(np.ravel(found), (ra, dec)) < 0.01 * scale


@pytest.mark.parametrize("plate_id", TURNS)
def test_a_turned_scan_is_cut_where_its_solutions_say(places, plate_id):
    server, truth, _ = places
    for number, (_, wcs) in enumerate(truth[plate_id], start=1):
        ra, dec = star_on_sky(TURNS[plate_id], wcs)
        ((data, header),) = cut(server, plates.did(plate_id, str(number)), ra, dec)
        assert_star(data, header, ra, dec, wcs.pixel_scale)
        other = read_wcs(header, "A").all_pix2world(*np.nonzero(data == 3000)[::-1], 0)
        there = star_on_sky(TURNS[plate_id], truth[plate_id][2 - number][1])
        assert separation(np.ravel(other), there) < 0.01 * wcs.pixel_scale, "the other exposure's, under a letter"


def test_cutouts_follow_a_better_solution_at_once_and_back(places):
    server, truth, folder = places
    did, path = plates.did("t90", "1"), folder / "t90.fits"
    before = hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324  as DASCH tells its files
    (first, old), _ = truth["t90"]
    better, new = solved("t90", 90, 1, 80.05, version=2)
    old_place, new_place = star_on_sky(90, old), star_on_sky(90, new)
    for records, place, version in (
        ([first], old_place, 1),
        ([replace(first, is_current=False), better], new_place, 2),
        ([replace(better, is_current=False), first], old_place, 1),
    ):
        with server.database.owner() as connection:
            for record in records:
                merge_records(connection, [record])
        ((data, header),) = cut(server, did, *place)
        assert_star(data, header, *place, old.pixel_scale)
        assert header["SOLVERS"] == version
        assert [key for key in "ABCDE" if f"CTYPE1{key}" in header] == ["A"], "versions that are not current stay away"
    assert hashlib.md5(path.read_bytes()).hexdigest() == before  # noqa: S324
