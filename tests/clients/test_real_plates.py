"""Real files, from ingest to a cutout in pyVO's hands, judged by astropy on the file itself."""

from __future__ import annotations

import warnings

import astropy.units as u
import pixels_by_hand as hand
import pytest
import pyvo
import realdata
from astropy.coordinates import SkyCoord
from pyvo_session import one_session
from serving import running

from vo.ingest.load import ingest

#: Each file with the collection that publishes it.
FILES = {
    "fits/kete_19501206-NGC2403-reduced.fits.gz": "samples",
    "fits/astropydata_HorseHead.fits": "samples",
    "fits/astropydata_M6707HH.fits": "samples",
    "fits/astropytut_dss_hd219829.fits": "samples",
    "fits/scos_1979_XB_J_5523.fits": "samples",
    "fits/scos_1984_QA_OR_17358.fits": "samples",
    "fits/scos_1990_MU_I12285.fits": "samples",
    "fits/scos_6743_P-L_2_J_10439.fits": "samples",
    "dasch/b02312_bin16.fits": "dasch",
}


@pytest.fixture(scope="module")
def service(fresh_database, settings):
    """SIA2 over all files that are there."""
    database = fresh_database()
    for name, collection in FILES.items():
        path = realdata.ROOT / name
        if path.exists():
            ingest(database, settings, collection, path)
    with one_session(), running(settings.model_copy(update={"port": 0}), database) as server:
        yield pyvo.dal.SIA2Service(f"{server.url}/sia2")


@pytest.fixture(params=FILES)
def plate(request):
    """A file's name, pixels, and WCS."""
    path = realdata.path(request.param)
    data, header = hand.open_image(path)
    return path.name, data, hand.read_wcs(header)


def sky(wcs, x: float, y: float) -> SkyCoord:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lon, lat = wcs.all_pix2world(x, y, 0)
    return SkyCoord(float(lon), float(lat), unit="deg")  # FK5 or ICRS: 0.02 arcsec apart


def find(service, name: str, place: SkyCoord):
    """The row whose #this is the file, None when the search does not find it."""
    rows = service.search(pos=(place.ra.deg, place.dec.deg, 0.0005))
    for row in rows:
        for link in row.getdatalink():
            if link.semantics == "#this" and link.access_url.endswith(f"/{name}"):
                return row
    return None


def centre(data, wcs) -> SkyCoord:
    return sky(wcs, (data.shape[1] - 1) / 2, (data.shape[0] - 1) / 2)


def test_it_is_found_at_its_centre_and_its_datalink_lists_it(service, plate):
    name, data, wcs = plate
    row = find(service, name, centre(data, wcs))
    assert row is not None
    assert (row["s_xel1"], row["s_xel2"]) == (data.shape[1], data.shape[0])


def test_it_is_not_found_one_degree_outside_its_edge(service, plate):
    name, data, wcs = plate
    rows, columns = data.shape
    middle = centre(data, wcs)
    for x in (0, (columns - 1) / 2, columns - 1):
        for y in (0, (rows - 1) / 2, rows - 1):
            edge = sky(wcs, x, y)
            distance = middle.separation(edge)
            if distance < 1 * u.arcsec:
                continue  # the centre itself
            outside = middle.directional_offset_by(middle.position_angle(edge), distance + 1 * u.deg)
            assert find(service, name, outside) is None, (x, y)
            # Just within, it is there: the footprint is neither too large nor too small.
            inside = middle.directional_offset_by(middle.position_angle(edge), distance * 0.99)
            assert find(service, name, inside) is not None, (x, y)


def test_the_link_to_this_gives_the_very_file(service, plate):
    name, data, wcs = plate
    links = find(service, name, centre(data, wcs)).getdatalink()
    (this,) = (link for link in links if link.semantics == "#this")
    content = this.getdataset().read()
    (path,) = (realdata.ROOT / known for known in FILES if known.endswith(name))
    assert content == path.read_bytes()
    assert this["content_length"] == len(content)


def test_a_cutout_at_its_centre_has_its_pixels_and_its_wcs(service, plate):
    name, data, wcs = plate
    middle = centre(data, wcs)
    quarter = sky(wcs, (data.shape[1] - 1) / 2, (data.shape[0] - 1) / 4)
    radius = middle.separation(quarter).deg
    row = find(service, name, middle)
    content = row.processed(circle=(middle.ra.deg, middle.dec.deg, radius) * u.deg).read()
    part, header = hand.open_answer(content)
    assert part.size < data.size
    offset = hand.find_offset(part, hand.read_wcs(header), wcs)
    hand.assert_same_pixels(part, data, offset)
    x, y, lon, lat = hand.sky_of(wcs, data.shape)
    # FK5 and ICRS differ by up to 0.02 arcsec, so the rim is left out.
    inside = hand.separation(lon, lat, middle.ra.deg, middle.dec.deg) <= radius * 0.999
    hand.assert_covers(part, offset, x[inside], y[inside], slack=4)
