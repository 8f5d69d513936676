"""Cutouts as pictures over HTTP: JPEG and PNG, as the pixels lie and with north up (SOD-11)."""

from __future__ import annotations

import io

import numpy as np
import pixels_by_hand as hand
import pytest
from PIL import Image

from vo.db.archive import read_bundles


@pytest.fixture(scope="module")
def exposures(server):
    with server.database.read() as connection:
        bundles = list(read_bundles(connection, [("demo", name) for name in ("eleven", "mirrored", "two_fields")]))
    return {bundle.plate.plate_id: bundle.exposures for bundle in bundles}


def ask(server, did, exposure, radius=0.2, **values):
    circle = f"{exposure.ra} {exposure.dec} {radius}"
    return server.client.get("/soda/sync", params={"ID": did, "CIRCLE": circle, **values})


@pytest.mark.parametrize(("media_type", "form"), [("image/jpeg", "JPEG"), ("image/png", "PNG")])
def test_a_picture_shows_the_pixels_of_the_cutout(server, exposures, media_type, form):
    one = exposures["mirrored"][0]
    response = ask(server, one.publisher_did, one, RESPONSEFORMAT=media_type)
    assert response.headers["content-type"] == media_type
    assert response.headers["x-content-type-options"] == "nosniff"
    assert int(response.headers["content-length"]) == len(response.content)
    picture = Image.open(io.BytesIO(response.content))
    assert picture.format == form
    data, _ = hand.open_answer(ask(server, one.publisher_did, one).content)
    assert picture.size == data.shape[::-1]
    shown = np.asarray(picture, dtype=float)
    assert np.corrcoef(shown.ravel(), np.clip(data[::-1], *np.percentile(data, [1, 99.5])).ravel())[0, 1] > 0.98


def test_north_up_mends_a_mirrored_plate(server, exposures):
    """astropy's positions of the brightest pixels are where the picture has them."""
    one = exposures["mirrored"][0]
    data, header = hand.open_answer(ask(server, one.publisher_did, one).content)
    wcs = hand.read_wcs(header)
    response = ask(server, one.publisher_did, one, RESPONSEFORMAT="png", ORIENT="north")
    picture = np.asarray(Image.open(io.BytesIO(response.content)), dtype=float)
    scale = np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix)))
    y, x = np.indices(data.shape)
    sky = wcs.pixel_to_world(x, y)
    middle = wcs.pixel_to_world((data.shape[1] - 1) / 2, (data.shape[0] - 1) / 2)
    east, north = (offset.deg / scale for offset in middle.spherical_offsets_to(sky))
    columns = np.rint((picture.shape[1] - 1) / 2 - east).astype(int)
    rows = np.rint((picture.shape[0] - 1) / 2 - north).astype(int)
    inner = (np.hypot(east, north) < min(picture.shape) / 2.5) & (rows >= 0) & (columns >= 0)
    low, high = np.percentile(data, [1, 99.5])
    shown = picture[rows[inner], columns[inner]]
    stored = np.clip(data[inner], low, high)
    assert np.corrcoef(shown, stored)[0, 1] > 0.8
    flipped = picture[:, ::-1][rows[inner], columns[inner]]
    assert np.corrcoef(flipped, stored)[0, 1] < 0.5


def test_a_masked_picture_is_black_outside(server, exposures):
    one = exposures["eleven"][0]
    response = ask(server, one.publisher_did, one, RESPONSEFORMAT="png", MASK="1")
    picture = np.asarray(Image.open(io.BytesIO(response.content)))
    corner = picture.shape[0] // 10
    for part in (picture[:corner, :corner], picture[-corner:, -corner:]):
        assert not part.any()
    assert picture[picture.shape[0] // 2].mean() > 20


def test_a_picture_of_a_plate_shows_the_one_exposure_there_or_names_those_there_are(server, exposures):
    several = exposures["eleven"]
    plate = several[0].publisher_did.rpartition("/")[0]
    refused = ask(server, plate, several[5], RESPONSEFORMAT="png")
    assert refused.status_code == 400
    assert several[3].publisher_did in refused.text
    first = exposures["two_fields"][0]
    alone = (first.ra - 1.5, first.dec)  # off the other field
    plate = first.publisher_did.rpartition("/")[0]
    response = server.client.get(
        "/soda/sync", params={"ID": plate, "CIRCLE": f"{alone[0]} {alone[1]} 0.1", "RESPONSEFORMAT": "image/jpeg"}
    )
    assert response.status_code == 200, response.text
    assert f'filename="two_fields_{first.exposure_id}_cutout.jpg"' in response.headers["content-disposition"]
    nothing = server.client.get("/soda/sync", params={"ID": plate, "CIRCLE": "10 -60 1", "RESPONSEFORMAT": "jpeg"})
    assert (nothing.status_code, nothing.content) == (204, b"")
