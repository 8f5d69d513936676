"""SODA over HTTP, judged by astropy and numpy on the demo's files: SOD-01 to SOD-10."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pixels_by_hand as hand
import pytest
from astropy.io import fits
from regions_by_hand import in_polygon
from serving import running

import vo.soda.routes
from vo.products.store import describe

STEP = 5  # every fifth pixel of each axis is looked at


@pytest.fixture(scope="module")
def plate(server):
    """The exposure (publisher DID, centre), #this file's pixels, header and WCS of a demo plate."""
    from vo.db.archive import read_bundles

    def find(plate_id: str, number: int = 1, role: str = "fits"):
        with server.database.read() as connection:
            (bundle,) = read_bundles(connection, [("demo", plate_id)])
        (exposure,) = (one for one in bundle.exposures if one.exposure_number == number)
        (product,) = (one for one in bundle.products if one.role == role)
        data, header = hand.open_image(describe(product).path, product.hdu)
        key = " ABCDEFGHIJ"[number - 1]
        wcs = hand.read_wcs(header, key) if f"CTYPE1{key.strip()}" in header else None
        return exposure, data, header, wcs

    return find


def ask(server, did: str, method: str = "GET", **values):
    values = {"ID": did, **values}
    if method == "GET":
        return server.client.get("/soda/sync", params=values)
    return server.client.post("/soda/sync", data=values)


def inside_circle(wcs, shape, ra, dec, radius):
    x, y, lon, lat = hand.sky_of(wcs, shape, STEP)
    chosen = hand.separation(lon, lat, ra, dec) <= radius
    return x[chosen], y[chosen]


@pytest.mark.parametrize(
    ("plate_id", "number", "d_ra", "d_dec", "radius"),
    [
        ("comet_1941", 1, 0.12, 0.11, 0.2),
        ("pole", 1, 0.0, 1.6, 0.5),  # the pole itself is inside
        ("ra_zero", 1, -0.3, 0.0, 0.5),  # across right ascension 0
        ("mirrored", 1, 0.0, 0.0, 0.3),
        ("tpv", 1, 3.0, 1.0, 0.3),
        ("sip", 1, 1.5, -1.5, 0.3),
        ("rice", 1, 0.0, 0.0, 0.2),
        ("eleven", 1, 0.0, 0.0, 0.3),
        ("eleven", 7, 0.5, 0.5, 0.3),
        ("two_fields", 2, 0.0, 0.0, 0.3),
        ("wide", 1, 20.0, 10.0, 2.0),
    ],
)
def test_a_circle_is_cut_by_the_exposures_own_solution(server, plate, plate_id, number, d_ra, d_dec, radius):
    exposure, data, _, wcs = plate(plate_id, number)
    ra, dec = (exposure.ra + d_ra) % 360, min(exposure.dec + d_dec, 90.0)
    response = ask(server, exposure.publisher_did, CIRCLE=f"{ra} {dec} {radius}")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/fits"
    part, header = hand.open_answer(response.content)
    offset = hand.find_offset(part, hand.read_wcs(header), wcs)
    hand.assert_same_pixels(part, data, offset)
    hand.assert_covers(part, offset, *inside_circle(wcs, data.shape, ra, dec, radius), slack=STEP + 2)


def test_a_polygon_a_range_and_pos_are_cut_alike(server, plate):
    exposure, data, _, wcs = plate("comet_1941")
    ra, dec = exposure.ra, exposure.dec
    box = (ra - 0.2, ra + 0.3, dec - 0.1, dec + 0.25)
    x, y, lon, lat = hand.sky_of(wcs, data.shape, STEP)
    chosen = (lon >= box[0]) & (lon <= box[1]) & (lat >= box[2]) & (lat <= box[3])
    corners = f"{box[0]} {box[2]} {box[1]} {box[2]} {box[1]} {box[3]} {box[0]} {box[3]}"
    asked = {
        "POLYGON": corners,
        "POS": f"RANGE {box[0]} {box[1]} {box[2]} {box[3]}",
        "pos": f"POLYGON {corners}",
    }
    for name, value in asked.items():
        part, header = hand.open_answer(ask(server, exposure.publisher_did, **{name: value}).content)
        offset = hand.find_offset(part, hand.read_wcs(header), wcs)
        hand.assert_same_pixels(part, data, offset)
        # A polygon's upper edge is a great circle, which bulges a little beyond the parallel.
        hand.assert_covers(part, offset, x[chosen], y[chosen], slack=STEP + 4)


def test_post_pos_circle_and_circle_give_the_same_file(server, plate):
    exposure, *_ = plate("rice")
    circle = f"{exposure.ra} {exposure.dec} 0.05"
    first = hand.open_answer(ask(server, exposure.publisher_did, CIRCLE=circle).content)[0]
    second = hand.open_answer(ask(server, exposure.publisher_did, "POST", POS=f"CIRCLE {circle}").content)[0]
    third = hand.open_answer(
        ask(server, exposure.publisher_did.upper(), circle=circle, POS="", TIME="", BAND="").content
    )[0]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)


def test_at_an_edge_only_the_overlap_comes(server, plate):
    exposure, data, _, wcs = plate("mirrored")
    lon, lat = (float(value) for value in wcs.all_pix2world(0, data.shape[0] / 2, 0))
    radius = 0.2
    part, header = hand.open_answer(ask(server, exposure.publisher_did, CIRCLE=f"{lon} {lat} {radius}").content)
    offset = hand.find_offset(part, hand.read_wcs(header), wcs)
    assert offset[0] == 0
    hand.assert_same_pixels(part, data, offset)
    hand.assert_covers(part, offset, *inside_circle(wcs, data.shape, lon, lat, radius), slack=STEP + 2)


@pytest.mark.parametrize("circle", ["10 -60 0.1", "34.5 -28.3 1", "214.5 40 0.1"])
def test_off_the_image_there_is_nothing(server, plate, circle):
    exposure, *_ = plate("comet_1941")
    response = ask(server, exposure.publisher_did, CIRCLE=circle)
    assert (response.status_code, response.content) == (204, b"")


def test_other_axes_filter_but_do_not_cut(server, plate):
    exposure, *_ = plate("comet_1941")
    circle = f"{exposure.ra} {exposure.dec} 0.05"
    everything = ask(server, exposure.publisher_did, CIRCLE=circle)
    overlapping = ask(server, exposure.publisher_did, CIRCLE=circle, TIME=f"{exposure.t_min} +Inf", POL="I")
    np.testing.assert_array_equal(*(hand.open_answer(one.content)[0] for one in (everything, overlapping)))
    for values in ({"TIME": "-Inf 10000"}, {"BAND": "1e-3 1e-2"}, {"POL": "V"}):
        assert ask(server, exposure.publisher_did, CIRCLE=circle, **values).status_code == 204


def test_without_a_shape_the_whole_file_comes(server, plate):
    exposure, data, *_ = plate("comet_1941")
    response = ask(server, exposure.publisher_did)
    assert response.status_code == 303
    part, _ = hand.open_answer(server.client.get(response.headers["location"], follow_redirects=True).content)
    np.testing.assert_array_equal(part, data)


def test_the_header_tells_where_the_cutout_comes_from(server, plate):
    exposure, *_ = plate("eleven", 3)
    value = f"{exposure.ra} {exposure.dec} 0.05"
    response = ask(server, exposure.publisher_did, CIRCLE=value)
    assert 'filename="eleven_3_cutout.fits"' in response.headers["content-disposition"]
    _, header = hand.open_answer(response.content)
    assert header["ORIGIN"] == server.settings.publisher
    assert header["PUBDID"] == exposure.publisher_did
    history = " ".join(str(header["HISTORY"]).split())
    assert "Plate eleven, exposure 3 of collection demo" in history
    assert f"CIRCLE={value}" in history
    assert "solution 3 version 1" in history
    assert header["SYNTHET"] is True  # the plate's own cards stay


@pytest.mark.parametrize(
    ("values", "status", "word"),
    [
        ({"CIRCLE": "1 2"}, 400, "UsageError: CIRCLE"),
        ({"POS": "BOX 1 2 3 4"}, 400, "UsageError: POS"),
        ({"POLYGON": "1 2 3 4"}, 400, "UsageError: POLYGON"),
        ({"CIRCLE": "1 2 3", "POS": "CIRCLE 1 2 3"}, 400, "MultiValuedParamNotSupported: "),
        ({"CIRCLE": ["1 2 3", "4 5 6"]}, 400, "MultiValuedParamNotSupported: "),
        ({"CIRCLE": "1 2 3", "RESPONSEFORMAT": "image/tiff"}, 400, "UsageError: RESPONSEFORMAT"),
        ({"RESPONSEFORMAT": "image/png"}, 400, "UsageError: without a shape"),
        ({"CIRCLE": "1 2 3", "MASK": "maybe"}, 400, "UsageError: MASK"),
        ({"CIRCLE": "1 2 3", "ORIENT": "north"}, 400, "UsageError: ORIENT"),
        ({"TIME": "2 1"}, 400, "UsageError: TIME"),
    ],
)
def test_faults_are_text_in_sodas_words(server, plate, values, status, word):
    exposure, *_ = plate("comet_1941")
    response = ask(server, exposure.publisher_did, **values)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/plain")
    assert response.text.startswith(word)


def test_an_unknown_id_is_not_found(server):
    response = ask(server, "ivo://nowhere/at?all", CIRCLE="1 2 3")
    assert (response.status_code, response.text.startswith("UsageError: ID=")) == (404, True)


def test_without_an_id_there_is_nothing_to_cut(server):
    assert server.get("/soda/sync", CIRCLE="1 2 3").text.startswith("UsageError: ID is missing")


def test_without_a_solution_there_are_no_cutouts_but_the_whole_scan(server):
    with server.database.read() as connection:
        row = connection.execute("SELECT obs_publisher_did FROM demo.plates WHERE plate_id = 'unsolved'").fetchone()
    response = ask(server, row[0], CIRCLE="266.4 -29 0.1")
    assert response.status_code == 400
    assert "has no astrometric solution" in response.text
    assert ask(server, row[0]).status_code == 303


@pytest.mark.parametrize("plate_id", ["unscanned", "na00001"])
def test_a_plate_without_a_file_here_says_so(server, plate_id):
    with server.database.read() as connection:
        row = connection.execute(
            "SELECT obs_publisher_did FROM demo.plates WHERE plate_id = %s ORDER BY 1 LIMIT 1", (plate_id,)
        ).fetchone()
    response = ask(server, row[0])
    assert response.status_code == 404
    assert "here" in response.text


def test_too_many_pixels_are_refused_with_the_limit(server):
    from serving import running

    small = server.settings.model_copy(update={"cutout_pixels": 10_000, "port": 0})
    with running(small, server.database) as limited, limited.database.read() as connection:
        row = connection.execute("SELECT obs_publisher_did FROM demo.plates WHERE plate_id = 'comet_1941'").fetchone()
        response = ask(limited, row[0], CIRCLE="214.5 28.3 1")
        assert response.status_code == 413
        assert response.text.startswith("UsageError: ")
        assert "10000" in response.text.replace(",", "").replace("_", "")
        assert ask(limited, row[0], CIRCLE="214.5 28.3 0.01").status_code == 200


def test_capabilities_lead_to_the_endpoint(server):
    text = server.get("/soda/capabilities").text
    assert "ivo://ivoa.net/std/SODA#sync-1.0" in text
    assert f"{server.url}/soda/sync" in text


# -- plates, and several IDs


def plate_did(exposure) -> str:
    return exposure.publisher_did.rpartition("/")[0]


def open_extensions(content: bytes) -> fits.HDUList:
    """A file of extensions, which has to satisfy astropy's verification."""
    hdus = fits.open(io.BytesIO(content), do_not_scale_image_data=True)
    hdus.verify("exception")
    assert hdus[0].data is None
    assert all(isinstance(one, fits.ImageHDU) for one in hdus[1:])
    return hdus


def showing(plate, plate_id, count, ra, dec, radius):
    """The exposures of a plate whose solutions put some of the circle on it, and which pixels those are; by astropy."""
    found = {}
    for number in range(1, count + 1):
        _, data, _, wcs = plate(plate_id, number)
        x, y = inside_circle(wcs, data.shape, ra, dec, radius)
        if len(x):
            found[number] = (x, y)
    return found


@pytest.mark.parametrize(
    ("plate_id", "count", "ra", "dec", "radius"),
    [("eleven", 11, 66.2, 15.3, 0.1), ("two_fields", 2, 120.0, 20.0, 0.3), ("two_fields", 2, 123.7, 20.1, 0.3)],
)
def test_a_plate_shows_a_position_wherever_one_of_its_exposures_does(server, plate, plate_id, count, ra, dec, radius):
    """Acceptance 2: the same place of the sky lies at several places of one plate, each by its own solution."""
    expected = showing(plate, plate_id, count, ra, dec, radius)
    exposure, data, *_ = plate(plate_id)
    response = ask(server, plate_did(exposure), CIRCLE=f"{ra} {dec} {radius}")
    if not expected:
        assert response.status_code == 204
        return
    assert response.status_code == 200, response.text
    assert int(response.headers["content-length"]) == len(response.content)
    assert f'filename="{plate_id}_cutout.fits"' in response.headers["content-disposition"]
    hdus = open_extensions(response.content)
    assert [hdu.header["EXPNUM"] for hdu in hdus[1:]] == list(expected)
    offsets = set()
    for hdu, (number, places) in zip(hdus[1:], expected.items(), strict=True):
        one, _, _, wcs = plate(plate_id, number)
        assert (hdu.name, hdu.ver) == (f"{plate_id}/{one.exposure_id}", 1)
        assert hdu.header["PUBDID"] == one.publisher_did
        offset = hand.find_offset(hdu.data, hand.read_wcs(hdu.header), wcs)
        hand.assert_same_pixels(hdu.data, data, offset)
        hand.assert_covers(hdu.data, offset, *places, slack=STEP + 2)
        offsets.add(offset)
    assert len(offsets) == len(expected), "each exposure has a place of its own"


def test_a_plate_off_whose_exposures_all_lies_gives_nothing(server, plate):
    exposure, *_ = plate("eleven")
    response = ask(server, plate_did(exposure), CIRCLE="10 -60 0.1")
    assert (response.status_code, response.content) == (204, b"")


def test_the_time_chooses_among_the_exposures_of_a_plate(server, plate):
    third, *_ = plate("eleven", 3)
    circle = f"{third.ra} {third.dec} 0.1"
    response = ask(server, plate_did(third), CIRCLE=circle, TIME=f"{third.t_min} {third.t_max}")
    assert [hdu.header["EXPNUM"] for hdu in open_extensions(response.content)[1:]] == [3]


def test_a_plate_without_a_shape_is_its_file(server, plate):
    exposure, data, *_ = plate("two_fields")
    response = ask(server, plate_did(exposure))
    assert response.status_code == 303
    part, _ = hand.open_image(
        io.BytesIO(server.client.get(response.headers["location"], follow_redirects=True).content)
    )
    np.testing.assert_array_equal(part, data)


def test_several_ids_come_in_their_order(server, plate):
    second, first = plate("eleven", 4)[0], plate("eleven", 2)[0]
    away = plate("mirrored")[0]
    circle = f"{first.ra} {first.dec} 0.1"
    dids = [second.publisher_did, away.publisher_did, first.publisher_did, plate_did(first)]
    hdus = open_extensions(ask(server, dids, CIRCLE=circle).content)
    assert [hdu.header["EXPNUM"] for hdu in hdus[1:3]] == [4, 2]
    assert len({(hdu.name, hdu.ver) for hdu in hdus[1:]}) == len(hdus) - 1, "names that tell them apart"
    history = " ".join(str(hdus[0].header["HISTORY"]).split())
    assert "mirrored/1: 0 of 1 exposures show it" in history
    unknown = ask(server, [first.publisher_did, "ivo://nowhere/at?all"], CIRCLE=circle)
    assert (unknown.status_code, "ivo://nowhere/at?all" in unknown.text) == (404, True)
    several = ask(server, [first.publisher_did, second.publisher_did])
    assert (several.status_code, several.text.startswith("UsageError: 2 IDs")) == (400, True)


def test_the_other_exposures_solutions_come_along_under_letters(server, plate):
    """Whichever exposure is asked for is untagged; the other ten stay, and say the same sky as before."""
    exposure, _, _, wcs = plate("eleven", 3)
    part, header = hand.open_answer(
        ask(server, exposure.publisher_did, CIRCLE=f"{exposure.ra} {exposure.dec} 0.05").content
    )
    left, bottom = hand.find_offset(part, hand.read_wcs(header), wcs)
    letters = [key for key in "ABCDEFGHIJKLM" if f"CTYPE1{key}" in header]
    assert len(letters) == 10
    systems = [hand.read_wcs(header, key) for key in letters]
    found = sorted(tuple(np.round(one.all_pix2world(10, 20, 0), 7)) for one in systems)
    others = [plate("eleven", number)[3] for number in range(1, 12) if number != 3]
    expected = sorted(tuple(np.round(one.all_pix2world(10 + left, 20 + bottom, 0), 7)) for one in others)
    np.testing.assert_allclose(found, expected, atol=2e-7)


# -- masks, budgets, what clients send


def test_a_masked_polygon_is_blank_outside(server, plate):
    exposure, data, _, wcs = plate("comet_1941")
    ra, dec = exposure.ra, exposure.dec
    corners = ((ra - 0.2, dec - 0.1), (ra + 0.3, dec - 0.05), (ra + 0.1, dec + 0.25))
    asked = {"POLYGON": " ".join(str(value) for corner in corners for value in corner), "MASK": "1"}
    part, header = hand.open_answer(ask(server, exposure.publisher_did, **asked).content)
    left, bottom = hand.find_offset(part, hand.read_wcs(header), wcs)
    y, x = np.indices(part.shape)
    inside = in_polygon(corners, *wcs.all_pix2world(x + left, y + bottom, 0))
    whole = data[bottom : bottom + part.shape[0], left : left + part.shape[1]]
    assert 0.2 < inside.mean() < 0.8
    np.testing.assert_array_equal(part, np.where(inside, whole, header["BLANK"]))


@pytest.mark.parametrize(
    ("limit", "values", "word"),
    [
        ({"cutout_bytes": 20_000}, {}, "cutout_bytes"),
        ({"cutout_pixels": 10_000}, {"plate": True}, "cutout_pixels"),
        ({"picture_pixels": 1000}, {"RESPONSEFORMAT": "image/png"}, "picture_pixels"),
        ({"cutout_ids": 1}, {"two": True}, "cutout_ids"),
    ],
)
def test_every_limit_is_named_with_its_value_and_what_to_do(server, plate, limit, values, word):
    from serving import running

    values = dict(values)
    exposure, *_ = plate("eleven", 1)
    dids = [exposure.publisher_did]
    if values.pop("plate", False):
        dids = [plate_did(exposure)]  # each image by itself would do
    if values.pop("two", False):
        dids.append(plate("eleven", 2)[0].publisher_did)
    small = server.settings.model_copy(update={**limit, "port": 0})
    with running(small, server.database) as limited:
        response = ask(limited, dids, CIRCLE=f"{exposure.ra} {exposure.dec - 0.3} 0.11", **values)
    assert response.status_code == 413
    assert response.text.startswith("UsageError: ")
    assert word in response.text
    assert str(next(iter(limit.values()))) in response.text.replace(",", "")


def test_as_aladin_asks(server, plate):
    exposure, *_ = plate("rice")
    url = f"/soda/sync?POS=CIRCLE%20{exposure.ra}%20{exposure.dec}%200.05&TIME=&BAND=&POL=&ID={exposure.publisher_did}"
    response = server.client.get(url)
    assert response.status_code == 200
    assert hand.open_answer(response.content)[0].size > 100


def test_cutouts_of_one_client_take_turns(server, plate, monkeypatch):
    exposure, *_ = plate("comet_1941")
    circle = {"CIRCLE": f"{exposure.ra} {exposure.dec} 0.01"}
    begun, go, make = threading.Event(), threading.Event(), vo.soda.routes._make

    def slow(*values):
        begun.set()
        assert go.wait(60)
        return make(*values)

    monkeypatch.setattr(vo.soda.routes, "_make", slow)
    few = server.settings.model_copy(update={"client_cutouts": 1, "query_wait_seconds": 0.05})
    with running(few, server.database) as own, ThreadPoolExecutor(1) as other:
        first = other.submit(ask, own, exposure.publisher_did, **circle)
        try:
            assert begun.wait(60)
            second = ask(own, exposure.publisher_did, **circle)
        finally:
            go.set()
        assert second.status_code == 429
        assert "1 cutouts of yours are running, the limit for one client (client_cutouts)" in second.text
        assert "/soda/async" in second.text
        assert int(second.headers["retry-after"]) > 0
        assert first.result().status_code == 200
        assert ask(own, exposure.publisher_did, **circle).status_code == 200
