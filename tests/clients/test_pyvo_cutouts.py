"""Plates, pictures and jobs of cutouts as pyVO and astropy see them (acceptance 6)."""

from __future__ import annotations

import io

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from jobs import ended
from PIL import Image
from pyvo.dal.adhoc import DatalinkResults
from pyvo.io.uws import parse_job


@pytest.fixture(scope="module")
def exposure(server):
    from vo.db.archive import read_bundles

    with server.database.read() as connection:
        (bundle,) = read_bundles(connection, [("demo", "eleven")])
    return bundle.exposures[0]


def links(server, did) -> DatalinkResults:
    return DatalinkResults.from_result_url(f"{server.url}/datalink/links?ID={did}")


def test_what_is_our_own_is_taken_by_its_name_from_the_descriptor(server, exposure):
    results = links(server, exposure.publisher_did)
    proc = results.get_first_proc()
    circle = (exposure.ra, exposure.dec, 0.1) * u.deg
    plain = proc.process(circle=circle).read()
    with fits.open(io.BytesIO(plain)) as hdus:
        hdus.verify("exception")
        assert WCS(hdus[0].header).has_celestial
        size = hdus[0].data.shape
    picture = proc.process(circle=circle, RESPONSEFORMAT="image/png", ORIENT="north").read()
    assert Image.open(io.BytesIO(picture)).format == "PNG"
    masked = proc.process(circle=circle, MASK="1").read()
    with fits.open(io.BytesIO(masked)) as hdus:
        assert hdus[0].data.shape == size
        assert np.isnan(hdus[0].data).sum() > 0.15 * hdus[0].data.size  # BLANK, read by astropy


def test_a_plates_document_cuts_all_of_its_exposures(server, exposure):
    plate = exposure.publisher_did.rpartition("/")[0]
    results = links(server, plate)
    proc = results.get_first_proc()
    content = proc.process(circle=(exposure.ra, exposure.dec - 0.5, 0.1) * u.deg).read()
    with fits.open(io.BytesIO(content)) as hdus:
        hdus.verify("exception")
        assert len(hdus) == 12
        systems = [WCS(hdu.header) for hdu in hdus[1:]]
        middles = [
            system.pixel_to_world(*(np.array(hdu.shape[::-1]) - 1) / 2)
            for system, hdu in zip(systems, hdus[1:], strict=True)
        ]
    there = [float(one.separation(middles[0]).deg) for one in middles]
    assert max(there) < 0.01  # the same sky, at eleven places of the plate
    assert len({str(one.wcs.crpix) for one in systems}) == 11


def test_pyvo_reads_the_job_of_many_cutouts(server, worker, exposure):
    data = {"ID": exposure.publisher_did, "CIRCLE": [f"{exposure.ra} {exposure.dec} 0.1", "10 -60 0.1"], "PHASE": "RUN"}
    url = server.client.post("/soda/async", data=data).headers["location"]
    try:
        ended(server.client, url)
        job = parse_job(io.BytesIO(server.client.get(url).content))
        assert job.phase == "COMPLETED"
        assert [result.id_ for result in job.results] == ["cutout-00001", "cutout-00002", "summary"]
        content = server.client.get(job.results[0].href).content
        with fits.open(io.BytesIO(content)) as hdus:
            hdus.verify("exception")
    finally:
        server.client.delete(url)
