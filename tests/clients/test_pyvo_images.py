"""SIA2, Datalink and SODA as people use them with pyVO."""

from __future__ import annotations

import io

import astropy.units as u
import numpy as np
import pixels_by_hand as hand
import pytest
import pyvo
import vocabulary
from astropy.io import fits
from astropy.time import Time
from pyvo_session import first_bytes, one_session
from serving import running

from vo.db.archive import find_plates
from vo.products.links import links_url
from vo.products.store import describe

COMET = (214.62, 28.41)

# astropy warns of every UTC before 1960, which is when plates were taken.
pytestmark = pytest.mark.filterwarnings("ignore:ERFA function .* yielded .*dubious year")


@pytest.fixture(scope="module", autouse=True)
def _pyvo(tmp_path_factory):
    with vocabulary.at_hand(tmp_path_factory.mktemp("cache")), one_session():
        yield


@pytest.fixture(scope="module")
def service(server):
    return pyvo.dal.SIA2Service(f"{server.url}/sia2")


@pytest.fixture(scope="module")
def truth(server):
    """Pixels and WCS of the #this file of an exposure, read by astropy."""

    def read(did: str):
        with server.database.read() as connection:
            bundle, exposure = find_plates(connection, [did])[did]
        product = next(one for one in bundle.products if one.role == "fits")
        data, header = hand.open_image(describe(product).path, product.hdu)
        return data, hand.read_wcs(header, " ABCDEFGHIJ"[exposure.exposure_number - 1])

    return read


def degrees(*values: float) -> tuple[u.Quantity, ...]:
    """Values with their unit, one by one as pyVO wants them."""
    return tuple(value * u.deg for value in values)


def semantics(links) -> list[str]:
    return [link.semantics for link in links]


def assert_cut(content: bytes, truth) -> None:
    data, wcs = truth
    part, header = hand.open_answer(content)
    hand.assert_same_pixels(part, data, hand.find_offset(part, hand.read_wcs(header), wcs))


def test_a_comet_is_found_by_position_and_date_and_cut_out(service, truth):
    rows = service.search(pos=(*COMET, 0.01), time=(Time("1941-02-03"), Time("1941-02-04")), maxrec=10)
    assert [row["obs_id"] for row in rows] == ["comet_1941"]
    row = rows[0]
    content = row.processed(circle=(*COMET, 0.1) * u.deg).read()
    data, wcs = truth(row["obs_publisher_did"])
    assert_cut(content, (data, wcs))
    part, _ = hand.open_answer(content)
    assert part.shape[0] < data.shape[0] / 4


def test_parameters_as_pyvo_writes_them(service):
    found = service.search(
        band=(3e-7 * u.m, 6e-7 * u.m),
        time=(Time("1885-01-01"), Time("1995-01-01")),
        field_of_view=(0 * u.deg, 20 * u.deg),
        exptime=(1, float("inf")),
        calib_level=2,
        data_type="image",
        collection="SYNTHETIC-DEMO",
        maxrec=5,
    )
    assert len(found) == 5
    assert len(service.search(exptime=(float("-inf"), 0))) == 0


def test_positions_as_pyvo_writes_them(service):
    ra, dec = COMET
    shapes = [
        degrees(ra, dec, 0.01),
        degrees(ra - 0.01, ra + 0.01, dec - 0.01, dec + 0.01),
        degrees(ra, dec, ra + 0.1, dec, ra + 0.1, dec + 0.1),
    ]
    for shape in shapes:
        assert "comet_1941" in {row["obs_id"] for row in service.search(pos=shape)}
    assert "comet_1941" in {row["obs_id"] for row in service.search(pos=shapes)}


def test_links_come_in_batches_and_every_cutout_is_of_its_own_exposure(service, truth):
    rows = service.search(pos=(66.2, 15.3, 0.01), time=(Time("1899-11-16"), Time("1899-11-17")))
    assert len(rows) == 11
    seen = set()
    for links in rows.iter_datalinks():
        this = next(links.bysemantics("#this"))
        ids = {link["ID"] for link in links}
        assert ids == {this["ID"]}
        seen |= ids
        if len(seen) not in (1, 5, 11):
            continue
        data, wcs = truth(this["ID"])
        ra, dec = (float(value) for value in wcs.all_pix2world(data.shape[1] / 2, data.shape[0] / 2, 0))
        circle = (ra, dec, 0.1) * u.deg
        assert_cut(this.processed(circle=circle).read(), (data, wcs))
        assert_cut(links.get_first_proc().process(circle=circle).read(), (data, wcs))
    assert seen == {row["obs_publisher_did"] for row in rows}


def test_links_of_a_row(service, server):
    (row,) = service.search(pos=(*COMET, 0.01), target_name="Comet Example 1941 (synthetic)")
    links = row.getdatalink()
    assert semantics(links)[:2] == ["#cutout", "#this"]
    this = next(links.bysemantics("#this"))
    assert (this.content_type, this.error_message) == ("image/fits", "")
    data, _ = hand.open_answer(this.getdataset().read())
    assert data.shape == (2400, 2400)
    found = list(links.bysemantics("#preview"))
    assert semantics(found) == ["#preview", "#preview-image", "#thumbnail"]  # the term and its narrower ones
    preview = found[0]
    assert first_bytes(preview.getdataset(), 3) == b"\xff\xd8\xff"  # a JPEG
    assert first_bytes(row.getdataset(), 6) == b"SIMPLE"


def test_a_row_found_by_tap_is_cut_through_its_datalink_document(server, truth):
    tap = pyvo.dal.TAPService(f"{server.url}/tap")
    rows = tap.search(
        "SELECT obs_publisher_did, access_url, access_format, s_ra, s_dec FROM ivoa.obscore WHERE obs_id = 'two_fields'"
    )
    assert len(rows) == 2
    for row in rows:
        content = row.processed(circle=(row["s_ra"], row["s_dec"], 0.1) * u.deg).read()
        assert_cut(content, truth(row["obs_publisher_did"]))


@pytest.mark.filterwarnings("ignore:Result set limited")  # what pyVO makes of OVERFLOW
@pytest.mark.parametrize("limit", [1000, 40])
def test_links_of_a_long_result_come_in_batches(server, monkeypatch, limit):
    """CLIENTS.md, Datalink: all IDs in one POST; where that are too many, OVERFLOW leads pyVO to ask for the others."""
    asked = []
    execute = pyvo.dal.adhoc.DatalinkQuery.execute
    monkeypatch.setattr(
        pyvo.dal.adhoc.DatalinkQuery,
        "execute",
        lambda query, **how: (asked.append(len(query["ID"])), execute(query, **how))[1],
    )
    few = server.settings.model_copy(update={"ids_per_call": limit, "port": 0})
    with running(few, server.database) as started:
        tap = pyvo.dal.TAPService(f"{started.url}/tap")
        rows = tap.search("SELECT TOP 150 obs_publisher_did, plate_id, access_url, access_format FROM demo.plates")
        assert len(rows) == 150
        found = {}
        for links in rows.iter_datalinks():
            (did,) = {link["ID"] for link in links}
            found[did] = links.original_row["plate_id"]
            this = next(links.bysemantics("#this"))
            assert bool(this["access_url"]) != bool(this["error_message"])
    assert found == {row["obs_publisher_did"]: row["plate_id"] for row in rows}
    assert asked == ([150] if limit == 1000 else [150, 40, 40, 30])


def test_links_of_a_plate(server, truth):
    """One document for all that the plate holds: files, exposures, each one's solution, cutouts by any of them."""
    plate = "ivo://vo-plates.example/demo?two_fields"
    links = pyvo.dal.adhoc.DatalinkResults.from_result_url(links_url(server.url, plate))
    assert semantics(links)[:2] == ["#cutout", "#this"]
    exposures = [link for link in links if link["local_semantics"] == "exposure"]
    own = [pyvo.dal.adhoc.DatalinkResults.from_result_url(link.access_url) for link in exposures]
    assert [next(iter(one))["ID"] for one in own] == [f"{plate}/1", f"{plate}/2"]
    headers = list(links.bysemantics("#detached-header"))
    for number, (link, key) in enumerate(zip(headers, " A", strict=True), start=1):
        wcs = hand.read_wcs(fits.Header.fromstring(link.getdataset().read().decode(), sep="\n"), key)
        _, expected = truth(f"{plate}/{number}")
        np.testing.assert_allclose(wcs.all_pix2world(10, 20, 0), expected.all_pix2world(10, 20, 0), rtol=0, atol=1e-9)
    assert {"#detached-header"} < set(semantics(links.bysemantics("#documentation")))  # the narrower term

    circle = degrees(*truth(f"{plate}/1")[1].all_pix2world(800, 1000, 0), 0.2)
    content = links.get_first_proc().process(circle=circle).read()
    with fits.open(io.BytesIO(content)) as hdus:
        shown = {hdu.header["PUBDID"] for hdu in hdus if "PUBDID" in hdu.header}
    assert f"{plate}/1" in shown


def test_without_a_descriptor_in_the_result_the_document_has_it(server, truth):
    tap = pyvo.dal.TAPService(f"{server.url}/tap")
    # Without the identifier there is no descriptor in the result: pyVO goes through access_url.
    (row,) = tap.search("SELECT access_url, access_format, s_ra, s_dec FROM ivoa.obscore WHERE obs_id = 'mirrored'")
    content = row.processed(circle=(row["s_ra"], row["s_dec"], 0.1) * u.deg).read()
    with server.database.read() as connection:
        found = connection.execute("SELECT obs_publisher_did FROM demo.plates WHERE plate_id = 'mirrored'").fetchone()
    assert_cut(content, truth(found[0]))


def test_a_polygon_is_cut_too(service, truth):
    (row,) = service.search(target_name="Comet Example 1941 (synthetic)")
    ra, dec = COMET
    corners = (ra, dec, ra + 0.1, dec, ra + 0.1, dec + 0.1)  # pyVO 1.9 takes three or six vertices only
    assert_cut(row.processed(polygon=corners * u.deg).read(), truth(row["obs_publisher_did"]))


def test_a_mistake_is_told(service):
    with pytest.raises(pyvo.dal.DALQueryError, match="UsageFault: CALIB"):
        service.search(CALIB="9")
