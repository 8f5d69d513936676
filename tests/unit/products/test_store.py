from __future__ import annotations

import datetime as dt

import plates
import pytest

from vo.errors import NotFoundFault, OperatorFault
from vo.products.places import BucketPlace, WebPlace, find_place
from vo.products.store import describe, open_source


def test_a_file_is_described_by_its_path_and_size(tmp_path):
    path = tmp_path / "a plate + 100%.fits"  # which an address must encode
    path.write_bytes(b"12345")
    held = describe(plates.product("a.fits", "fits", location=path.as_uri()))
    assert held.path == path
    assert held.size == 5


@pytest.mark.parametrize("prefix", ["file:", "file://", "file://localhost"])
def test_every_form_of_a_file_address_is_understood(tmp_path, prefix):
    path = tmp_path / "a.fits"
    path.write_bytes(b"1")
    product = plates.product("a.fits", "fits", location=prefix + str(path))
    assert describe(product).path == path
    assert bytes(open_source(product).read([(0, 1)])[0]) == b"1"


def test_a_file_kept_elsewhere_is_not_found_and_the_fault_says_where():
    product = plates.product("a.fits", "fits", description="at Harvard, on tape 7")
    with pytest.raises(NotFoundFault, match=r"tests/p1/a.fits is not held here: at Harvard, on tape 7"):
        describe(product)


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("s3://plates/a/b%20c%25.fits", BucketPlace("plates", "a/b c%.fits")),
        ("s3://plates/a b.fits", BucketPlace("plates", "a b.fits")),
        (
            "https://a.example/x/y%20z.fits",
            WebPlace("https://a.example/x/y%20z.fits", "https://a.example", "x/y z.fits"),
        ),
        ("https://a.example:81/x?id=1", WebPlace("https://a.example:81/x?id=1", "https://a.example:81", None)),
    ],
)
def test_stores_are_described_by_their_records_without_being_asked(location, place):
    product = plates.product("a.fits", "fits", location=location, content_length=12)
    assert find_place(product) == place
    held = describe(product)
    assert (held.size, held.local) == (12, None)
    with pytest.raises(OperatorFault, match="store elsewhere"):
        _ = held.path


def test_what_was_looked_for_in_vain_is_told_with_its_date():
    when = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    with pytest.raises(OperatorFault, match=r"tests/p1/a.fits was looked for on 2026-03-01"):
        describe(plates.product("a.fits", "fits", location="s3://plates/a.fits", missing_date=when))


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("ftp://a.example/a.fits", "of a kind"),
        ("plates/a.fits", "of a kind"),
        ("s3:b.fits", "no s3://bucket/key"),
        ("s3://plates", "no s3://bucket/key"),
        ("s3://plates/", "no s3://bucket/key"),
        ("s3://plates/a.fits#1", "no s3://bucket/key"),
        ("https:///a.fits", "names no host"),
        ("https://[a.fits", "no address"),
        ("https://user@a.example/a.fits", "or a user"),
        ("https://a.example:x/a.fits", "names no host"),
        ("https://a\u0142.example/a.fits", "names no host"),
    ],
)
def test_locations_that_cannot_be_opened_are_refused_in_words(location, reason, caplog):
    with pytest.raises(OperatorFault, match=reason) as caught:
        describe(plates.product("a.fits", "fits", location=location))
    assert location not in caught.value.text
    assert location in caplog.text


@pytest.mark.parametrize("location", ["file:a.fits", "file://otherhost/a.fits"])
def test_a_location_that_is_no_path_of_this_machine_is_refused(location):
    with pytest.raises(OperatorFault, match="no absolute"):
        describe(plates.product("a.fits", "fits", location=location))


def test_a_missing_file_is_said_without_its_path_and_logged_with_it(tmp_path, caplog):
    path = tmp_path / "gone.fits"
    with pytest.raises(OperatorFault, match="No such file") as caught:
        describe(plates.product("a.fits", "fits", location=path.as_uri()))
    assert str(tmp_path) not in caught.value.text
    assert str(path) in caplog.text


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(OperatorFault, match="not a file"):
        describe(plates.product("a.fits", "fits", location=tmp_path.as_uri()))


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("https://a.example/a%20b.fits?x=1&y=%2F", "https://a.example/a%20b.fits?x=1&y=%2F"),
        ("https://a.example/p\u0142yta 1.fits", "https://a.example/p%C5%82yta%201.fits"),
        ("https://a.example/a.fits\r\nSet-Cookie: a=b", "https://a.example/a.fitsSet-Cookie:%20a=b"),
    ],
)
def test_an_address_that_clients_are_sent_to_can_stand_in_a_header(location, url):
    place = find_place(plates.product("a.fits", "fits", location=location))
    assert isinstance(place, WebPlace)
    assert place.url == url
