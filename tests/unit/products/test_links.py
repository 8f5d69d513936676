"""Links in Datalink's words: DLK-04, DLK-08, DLK-10 to DLK-13, DSC-06."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import plates
import pytest
import vocabulary
from astropy.io import fits

from vo.db.records import Scan
from vo.products.headers import header_text, header_url
from vo.products.links import DATALINK_TYPE, Link, file_url, links_url, list_links, list_plate_links, plate_url
from vo.products.mosaics.names import find_base

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
        here("clean.jpg", "plate_photo_clean"),
        here("page.jpg", "logbook"),
        here("notes.pdf", "documentation", "application/pdf", description="Notes of the observer"),
        here("calibration.asdf", "calibration", "application/x-asdf", scan_id="s1"),
        here("tiles.tar", "raw", "application/x-tar", scan_id="s1"),
        here("again.fits", "fits", "image/fits", scan_id="s2"),
        here("again.jpg", "preview", scan_id="s2"),
        here("again.asdf", "calibration", "application/x-asdf", scan_id="s2"),
    )
    exposures = (plates.exposure(), plates.exposure(exposure_id="2", target_name="NGC 2403"))
    return plates.bundle(exposures, products, scans=(Scan("tests", "p1", "s1"), Scan("tests", "p1", "s2")))


def links(bundle, this="fits", service_def=None) -> tuple[Link, ...]:
    return list_links(bundle, bundle.exposures[0], plates.collection(this), BASE, service_def)


def plate_links(bundle, this="fits", service_def=None) -> tuple[Link, ...]:
    return list_plate_links(bundle, plates.collection(this), BASE, service_def)


def kinds(rows) -> list[tuple[str, str, str]]:
    """What each row is and which file it leads to."""
    return [(row.semantics, row.local_semantics, (row.access_url or "").rpartition("/")[2]) for row in rows]


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
    assert kinds(links(everything)) == [
        ("#this", "fits", ""),
        ("#derivation", "fits-binned", "binned.fits"),
        ("#coderived", "fits", "again.fits"),
        ("#coderived", "preview", "again.jpg"),
        ("#preview", "preview", "preview.jpg"),
        ("#preview-image", "preview-image", "preview.jpg"),
        ("#thumbnail", "thumbnail", "small.jpg"),
        ("#coderived", "calibration", "again.asdf"),
        ("#calibration", "calibration", "calibration.asdf"),
        ("#documentation", "plate-photo", "plate.jpg"),
        ("#documentation", "plate-photo-clean", "clean.jpg"),
        ("#documentation", "jacket-photo", "jacket.jpg"),
        ("#documentation", "logbook-page", "page.jpg"),
        ("#documentation", "paper", "notes.pdf"),
        ("#progenitor", "raw", "tiles.tar"),
        ("#documentation", "plate-page", "p1"),
        ("#coderived", "whole-plate", links_url("", "ivo://vo-plates.example/tests?p1").rpartition("/")[2]),
        ("#coderived", "sibling-exposure", links_url("", plates.did("p1", "2")).rpartition("/")[2]),
    ]


def test_what_serves_another_scan_is_nothing_of_this_one(everything):
    """The preview of a rescan shows other pixels, and its calibration does not fit these."""
    by_file = {link.access_url.rpartition("/")[2]: link for link in links(everything) if link.access_url}
    assert by_file["again.asdf"].description == "Photometric calibration of the scan, scan s2"
    assert by_file["again.jpg"].description == "Preview of the scan, scan s2"


def test_only_data_of_the_sky_have_a_product_type(everything):
    qualified = {link.local_semantics for link in links(everything, service_def="soda") if link.content_qualifier}
    assert qualified == {"cutout", "fits", "fits-binned", "preview", "preview-image", "thumbnail"}
    assert {link.content_qualifier for link in links(everything) if link.content_qualifier} == {"#image"}


def test_documents_of_one_kind_can_be_told_apart(everything):
    documents = [link for link in links(everything) if link.semantics == "#documentation"]
    assert len({link.description for link in documents}) == len(documents) == 6
    assert len({link.local_semantics for link in documents}) == 6


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
    assert Counter(link.semantics for link in rows) == {"#this": 1, "#documentation": 2, "#coderived": 1}
    assert rows[-1].local_semantics == "whole-plate"


def test_a_scan_without_a_published_file_is_told_from_no_scan():
    rows = links(plates.bundle())
    assert "no FITS image of it is published here" in rows[0].error_message


def test_a_listed_file_that_is_gone_is_the_services_fault(tmp_path):
    gone = plates.product("p.jpg", "preview", "image/jpeg", location=(tmp_path / "p.jpg").as_uri())
    preview = next(link for link in links(plates.bundle(products=(gone,))) if link.semantics == "#preview")
    assert preview.error_message.startswith("FatalFault: the file of tests/p1/p.jpg")


def test_terms_are_those_of_the_core_vocabulary(everything):
    terms = vocabulary.read_terms().keys()
    rows = links(everything, "fits", "soda") + links(everything, "fits_binned") + plate_links(everything)
    assert {link.semantics.removeprefix("#") for link in rows} <= terms


def test_addresses_encode_what_identifiers_may_hold():
    did = "ivo://a.b/c?p 1+2/ü&#"
    assert links_url(BASE + "/", did) == f"{BASE}/datalink/links?ID=ivo%3A%2F%2Fa.b%2Fc%3Fp%201%2B2%2F%C3%BC%26%23"
    assert file_url(BASE, "c/p 1/a#b.fits") == f"{BASE}/files/c/p%201/a%23b.fits"
    assert plate_url(BASE, "c", "a/b") == f"{BASE}/plates/c/a%2Fb"


# -- solutions, mosaics


@pytest.fixture
def solved():
    """Two versions of the exposure's solution, one of a second exposure, one of nobody, one on another scan."""
    header = "CTYPE1  = 'RA---TAN'\nCTYPE2  = 'DEC--TAN'"
    made = dt.datetime(2020, 5, 6)  # noqa: DTZ001 - UTC without a zone, as the archive keeps it
    solutions = (
        plates.solution(version=1, is_current=False, header=header),
        plates.solution(version=2, header=header, made_date=made, residual=0.4321, star_count=812, pipeline="astro 2"),
        plates.solution(solution_id="1", exposure_id="2", header=header),
        plates.solution(solution_id="10", exposure_id=None, header=header),
        plates.solution(solution_id="7", scan_id="s0", header=header),
    )
    exposures = (plates.exposure(), plates.exposure(exposure_id="2"))
    return plates.bundle(exposures, solutions=solutions)


def test_the_headers_of_an_exposures_solutions_begin_with_the_one_in_use(solved):
    rows = [link for link in links(solved) if link.semantics == "#detached-header"]
    assert [link.access_url.partition("/headers/")[2] for link in rows] == [
        "tests/p1/s1/0/2.hdr",
        "tests/p1/s0/7/1.hdr",
        "tests/p1/s1/0/1.hdr",
    ]
    assert [link.local_semantics for link in rows] == ["wcs-header", "wcs-header", "former-wcs-header"]
    assert rows[0].description == (
        "WCS header of exposure 1 on scan s1: solution 0 version 2, made 2020-05-06, by astro 2, "
        "residual of 812 stars 0.432 arcsec"
    )
    assert (rows[0].content_type, rows[0].content_length) == ("text/plain", len(header_text(solved.solutions[1])))
    assert (rows[0].link_auth, rows[0].link_authorized) == ("false", True)


def test_a_plate_lists_the_headers_of_all_its_solutions(solved):
    rows = [link for link in plate_links(solved) if link.semantics == "#detached-header"]
    places = ["s0/7/1", "s1/0/2", "s1/1/1", "s1/10/1", "s1/0/1"]
    assert [link.access_url.partition("/headers/tests/p1/")[2] for link in rows] == [f"{one}.hdr" for one in places]
    assert rows[3].description.startswith("WCS header of no known exposure on scan s1: solution 10")


def test_a_header_is_read_by_astropy_and_tells_what_it_is():
    """Acceptance: astropy reads everything; the text is the record's, whatever else it holds."""
    header = "CTYPE1A = 'RA---TAN'\n" + "CRVAL1A =                 10.5".ljust(80) + "\n\nEND"
    solution = plates.solution(header=header, wcs_key="A", pipeline="ä" + "long " * 40, residual=1.0)
    text = header_text(solution)
    assert {len(line) for line in text.decode("ascii").splitlines()} == {80}
    read = fits.Header.fromstring(text.decode(), sep="\n")
    assert (read["CTYPE1A"], read["CRVAL1A"]) == ("RA---TAN", 10.5)
    told = "".join(line.ljust(72) for line in read["HISTORY"])
    assert "Plate p1, scan s1, collection tests" in told
    assert "solution 0 version 1" in told
    assert "1000 x 800 pixels; its cards end in A" in told
    assert text.count(b"END ") == 1
    assert text == header_text(solution)


def test_addresses_of_headers_encode_names():
    assert header_url(BASE, plates.solution("a/b c", scan_id="s#1")).endswith("/headers/tests/a%2Fb%20c/s%231/0/1.hdr")


@pytest.fixture
def base_files(tmp_path):
    """Base files, whose coordinates are in the archive alone."""
    rows = (("p1.fits.fz", "fits", 1), ("p1_bin16.fits", "fits_binned", 16))
    for name, _, _ in rows:
        (tmp_path / name).write_bytes(b"base")
    return [
        plates.product(name, role, bin_factor=factor, is_base=True, location=(tmp_path / name).as_uri())
        for name, role, factor in rows
    ]


def test_a_base_file_is_what_its_mosaic_was_made_from(base_files):
    rows = links(plates.bundle(products=base_files, solutions=(plates.solution(),)))[:4]
    assert kinds(rows) == [
        ("#this", "mosaic", "s1.fits.fz"),
        ("#progenitor", "fits", "p1.fits.fz"),
        ("#derivation", "mosaic-binned", "s1_bin16.fits"),
        ("#derivation", "fits-binned", "p1_bin16.fits"),
    ]
    assert rows[0].access_url == f"{BASE}/mosaics/tests/p1/s1.fits.fz"
    assert (rows[0].content_length, rows[1].content_length) == (None, 4)
    assert "with all current solutions" in rows[0].description
    assert "without coordinates" in rows[1].description


def test_two_base_files_of_one_scan_do_not_share_the_address_of_a_mosaic(base_files, tmp_path):
    (tmp_path / "again.fits.fz").write_bytes(b"again")
    again = plates.product("again.fits.fz", "fits", is_base=True, location=(tmp_path / "again.fits.fz").as_uri())
    bundle = plates.bundle(products=(*base_files, again), solutions=(plates.solution(),))
    found = [row for row in links(bundle) if row.local_semantics in ("mosaic", "fits")]
    assert kinds(found) == [
        ("#this", "mosaic", "s1.fits.fz"),
        ("#progenitor", "fits", "again.fits.fz"),
        ("#coderived", "fits", "p1.fits.fz"),
    ]
    assert find_base(bundle, "s1.fits.fz") is again


def test_a_base_file_without_solutions_is_all_there_is(base_files):
    rows = links(plates.bundle(products=base_files))
    assert kinds(rows)[:2] == [("#this", "fits", "p1.fits.fz"), ("#derivation", "fits-binned", "p1_bin16.fits")]
    assert rows[0].description.endswith("without coordinates in its header")


def test_a_mosaic_whose_base_is_gone_is_an_error(base_files, tmp_path):
    (tmp_path / "p1.fits.fz").unlink()
    rows = links(plates.bundle(products=base_files, solutions=(plates.solution(),)))
    assert [row.access_url for row in rows[:2]] == [None, None]
    assert all(row.error_message.startswith("FatalFault: ") for row in rows[:2])


# -- whole plates


def test_a_plates_own_scans_are_all_this_and_its_exposures_have_documents(everything):
    rows = plate_links(everything, service_def="soda")
    assert (rows[0].semantics, rows[0].service_def) == ("#cutout", "soda")
    by_term = Counter(link.semantics for link in rows)
    assert [link.local_semantics for link in rows if link.semantics == "#this"] == ["fits", "fits"]
    assert by_term["#preview"] == by_term["#calibration"] == 2
    assert [link.access_url for link in rows[-2:]] == [links_url(BASE, plates.did("p1", number)) for number in "12"]
    assert {(link.semantics, link.local_semantics) for link in rows[-2:]} == {("#coderived", "exposure")}
    for link in rows:
        assert sum(value is not None for value in (link.access_url, link.service_def, link.error_message)) == 1


def test_files_of_one_exposure_are_the_plates_too():
    own = plates.product("first.fits", "fits", exposure_id="1", location="file:///nowhere/first.fits")
    bundle = plates.bundle((plates.exposure(), plates.exposure(exposure_id="2")), (own,))
    assert plate_links(bundle)[0].semantics == "#this"
    assert "first.fits" in plate_links(bundle)[0].error_message


def test_an_unscanned_plate_has_papers_and_documents_of_its_exposures():
    unscanned = plates.exposure(scan_id=None, has_imaging=False)
    rows = plate_links(plates.bundle((unscanned,), scans=()))
    assert rows[0].error_message == "NotFoundFault: plate p1 has not been scanned"
    assert {(link.semantics, link.local_semantics) for link in rows[1:]} == {
        ("#documentation", "plate-page"),
        ("#documentation", "exposure"),
    }


# -- files in stores


def test_of_a_file_in_a_store_the_record_tells_and_nothing_is_asked(monkeypatch):
    """A list of a thousand plates must not become thousands of requests."""
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was asked"))
    far = plates.product("far.fits", "fits", location="s3://bucket/far.fits", content_length=2**33)
    preview = plates.product("far.jpg", "preview", "image/jpeg", location="https://plates.example/far.jpg")
    this, first, *_ = links(plates.bundle(products=(far, preview)))
    assert (this.access_url, this.content_length) == (f"{BASE}/files/tests/p1/far.fits", 2**33)
    assert (first.semantics, first.access_url, first.content_length) == (
        "#preview",
        file_url(BASE, preview.product_id),
        None,
    )
    assert (this.link_auth, this.link_authorized) == ("false", True)


def test_of_a_file_that_was_looked_for_in_vain_it_is_said():
    when = dt.datetime(2026, 3, 4)  # noqa: DTZ001 - UTC without a zone, as the archive keeps it
    gone = plates.product("far.fits", "fits", location="s3://bucket/far.fits", missing_date=when)
    this = links(plates.bundle(products=(gone,)))[0]
    assert this.access_url is None
    assert this.error_message.startswith("FatalFault: tests/p1/far.fits was looked for on 2026-03-04")
    assert (this.link_auth, this.link_authorized) == (None, None)
