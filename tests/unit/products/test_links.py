"""Links in Datalink's words: DLK-04, DLK-08, DLK-10 to DLK-13, DSC-06."""

from __future__ import annotations

from collections import Counter

import plates
import pytest
import vocabulary

from vo.db.records import Scan
from vo.products.links import DATALINK_TYPE, Link, file_url, links_url, list_links, plate_url

BASE = "https://plates.example/vo"


@pytest.fixture
def everything(tmp_path):
    """A plate with every kind of file, all of them here but the full FITS."""

    def here(name, role, content_type="image/jpeg", **values):
        path = tmp_path / name
        path.write_bytes(name.encode())
        return plates.product(name, role, content_type, location=path.as_uri(), **values)

    products = (
        plates.product("full.fits", "fits", width=1000, height=800, description="at Harvard"),
        here("binned.fits", "fits_binned", "image/fits", bin_factor=16, width=63, height=50),
        here("preview.jpg", "preview"),
        here("small.jpg", "thumbnail"),
        here("plate.jpg", "plate_photo"),
        here("jacket.jpg", "jacket_photo"),
        here("page.jpg", "logbook"),
        here("again.fits", "fits", "image/fits", scan_id="s2"),
    )
    exposures = (plates.exposure(), plates.exposure(exposure_id="2", target_name="NGC 2403"))
    return plates.bundle(exposures, products, scans=(Scan("tests", "p1", "s1"), Scan("tests", "p1", "s2")))


def links(bundle, this="fits", service_def=None) -> tuple[Link, ...]:
    return list_links(bundle, bundle.exposures[0], plates.collection(this), BASE, service_def)


def test_every_link_is_either_an_address_a_service_or_an_error(everything):
    for link in links(everything, service_def="soda"):
        assert sum(value is not None for value in (link.access_url, link.service_def, link.error_message)) == 1


def test_the_cutout_service_comes_first_and_then_this(everything):
    first, second, *_ = links(everything, service_def="soda")
    assert (first.semantics, first.service_def, first.content_qualifier) == ("#cutout", "soda", "#image")
    assert second.semantics == "#this"


def test_without_a_solution_there_is_no_service(everything):
    assert "#cutout" not in {link.semantics for link in links(everything)}


def test_a_file_that_is_not_here_is_an_error_that_says_where_it_is(everything):
    this = links(everything)[0]
    assert this.error_message == "NotFoundFault: tests/p1/full.fits is not held here: at Harvard"
    assert this.link_authorized is None


def test_binned_pixels_derive_from_full_ones_and_full_ones_are_their_progenitor(everything):
    semantics = {link.local_semantics: link.semantics for link in links(everything, "fits") if link.access_url}
    assert semantics["fits-binned"] == "#derivation"
    by_binned = links(everything, "fits_binned")
    assert (by_binned[0].semantics, by_binned[0].local_semantics) == ("#this", "fits-binned")
    assert (by_binned[1].semantics, by_binned[1].local_semantics) == ("#progenitor", "fits")


def test_each_kind_of_picture_has_its_place(everything):
    kinds = {(link.local_semantics, link.semantics) for link in links(everything)}
    assert kinds >= {
        ("preview", "#preview"),
        ("preview-image", "#preview-image"),
        ("thumbnail", "#thumbnail"),
        ("plate-photo", "#documentation"),
        ("jacket-photo", "#documentation"),
        ("logbook-page", "#documentation"),
        ("plate-page", "#documentation"),
        ("sibling-exposure", "#coderived"),
    }


def test_documents_of_one_kind_can_be_told_apart(everything):
    documents = [link for link in links(everything) if link.semantics == "#documentation"]
    assert len({link.description for link in documents}) == len(documents) == 4
    assert len({link.local_semantics for link in documents}) == 4


def test_sizes_and_types_are_those_of_the_files(everything):
    preview = next(link for link in links(everything) if link.semantics == "#preview")
    assert (preview.content_type, preview.content_length) == ("image/jpeg", len("preview.jpg"))
    assert preview.access_url == f"{BASE}/files/tests/p1/preview.jpg"
    assert (preview.link_auth, preview.link_authorized) == ("false", True)


def test_a_sibling_is_a_datalink_document(everything):
    (sibling,) = (link for link in links(everything) if link.local_semantics == "sibling-exposure")
    assert sibling.access_url == links_url(BASE, plates.did("p1", "2"))
    assert sibling.content_type == DATALINK_TYPE
    assert "NGC 2403" in sibling.description


def test_an_unscanned_plate_answers_with_what_exists(tmp_path):
    path = tmp_path / "jacket.jpg"
    path.write_bytes(b"x")
    jacket = plates.product("jacket.jpg", "jacket_photo", "image/jpeg", location=path.as_uri())
    unscanned = {"scan_id": None, "has_imaging": False}
    exposures = (plates.exposure(**unscanned), plates.exposure(exposure_id="2", **unscanned))
    rows = links(plates.bundle(exposures, (jacket,), scans=()))
    assert rows[0].error_message == "NotFoundFault: plate p1 has not been scanned"
    assert Counter(link.semantics for link in rows) == {"#this": 1, "#documentation": 2}


def test_a_scan_without_a_published_file_is_told_from_no_scan():
    rows = links(plates.bundle())
    assert "no FITS image of it is published here" in rows[0].error_message


def test_a_listed_file_that_is_gone_is_the_services_fault(tmp_path):
    gone = plates.product("p.jpg", "preview", "image/jpeg", location=(tmp_path / "p.jpg").as_uri())
    preview = next(link for link in links(plates.bundle(products=(gone,))) if link.semantics == "#preview")
    assert preview.error_message.startswith("FatalFault: the file of tests/p1/p.jpg")


def test_terms_are_those_of_the_core_vocabulary(everything):
    terms = vocabulary.read_terms().keys()
    rows = links(everything, "fits", "soda") + links(everything, "fits_binned")
    assert {link.semantics.removeprefix("#") for link in rows} <= terms


def test_addresses_encode_what_identifiers_may_hold():
    did = "ivo://a.b/c?p 1+2/ü&#"
    assert links_url(BASE + "/", did) == f"{BASE}/datalink/links?ID=ivo%3A%2F%2Fa.b%2Fc%3Fp%201%2B2%2F%C3%BC%26%23"
    assert file_url(BASE, "c/p 1/a#b.fits") == f"{BASE}/files/c/p%201/a%23b.fits"
    assert plate_url(BASE, "c", "a/b") == f"{BASE}/plates/c/a%2Fb"
