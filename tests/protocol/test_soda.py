"""SODA over HTTP, judged by astropy and numpy on the demo's files: SOD-01 to SOD-10."""

from __future__ import annotations

import numpy as np
import pixels_by_hand as hand
import pytest

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
    part, _ = hand.open_answer(server.client.get(response.headers["location"]).content)
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
        ({"CIRCLE": "1 2 3", "RESPONSEFORMAT": "image/png"}, 400, "UsageError: RESPONSEFORMAT"),
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


def test_no_id_and_two_ids_are_refused(server):
    assert server.get("/soda/sync", CIRCLE="1 2 3").text.startswith("UsageError: ID is missing")
    assert ask(server, ["ivo://a/b", "ivo://a/c"]).text.startswith("MultiValuedParamNotSupported: ID")


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
