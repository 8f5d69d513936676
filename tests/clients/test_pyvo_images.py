"""SIA2, Datalink and SODA as people use them with pyVO."""

from __future__ import annotations

import astropy.units as u
import pixels_by_hand as hand
import pytest
import pyvo
import vocabulary
from astropy.time import Time
from pyvo_session import first_bytes, one_session

from vo.db.archive import find_plates
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
