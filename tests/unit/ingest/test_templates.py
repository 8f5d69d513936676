"""Files that no source lists, by the templates of a collection."""

from __future__ import annotations

import string
from dataclasses import replace
from typing import get_args

import plates
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vo.db.archive import read_bundles
from vo.db.records import ROLES, Scan
from vo.ingest import bulk
from vo.ingest.load import load_bundles
from vo.ingest.templates import add_products
from vo.metadata.collection import ProductTemplate, load_collection
from vo.metadata.templates import TEMPLATE_FIELDS, fill_template
from vo.products.places import BucketPlace, LocalPlace, WebPlace, find_place

SCANS = (Scan(plates.NAME, "p1", "s1"), Scan(plates.NAME, "p1", "s2"))


def template(location="s3://plates/{plate_id}.fits", role="fits", content_type="image/fits", **values):
    return ProductTemplate(role=role, location=location, content_type=content_type, **values)


def added(bundle, *templates, archived=()):
    return add_products(bundle, templates, archived)


def test_a_plate_gets_a_file_for_each_template():
    made = added(
        plates.bundle(series="a", plate_number="17"),
        template("s3://plates/{series}/{plate_number:0>5}/{plate_id}.fits.fz", is_base=True, hdu=1),
        template("https://a.example/16/{plate_id}.fits", "fits_binned", bin_factor=16, file_name="binned.fits"),
    )
    assert made.problems == ()
    full, binned = made.bundle.products
    assert full == plates.product(
        "p1.fits.fz", "fits", location="s3://plates/a/00017/p1.fits.fz", is_base=True, hdu=1, scan_id="s1"
    )
    assert binned == plates.product(
        "binned.fits", "fits_binned", location="https://a.example/16/p1.fits", bin_factor=16, scan_id="s1"
    )


def test_a_template_of_scans_is_for_each_scan_and_one_of_exposures_for_each_exposure():
    exposures = (
        plates.exposure(exposure_id="1", scan_id="s1", exposure_number=7),
        plates.exposure(exposure_id="2", scan_id="s2"),
        plates.exposure(exposure_id="3", scan_id=None),
    )
    bundle = plates.bundle(exposures, scans=SCANS)
    scans = added(bundle, template("file:///plates/{plate_id}_{scan_id}.fits")).bundle.products
    assert [(one.scan_id, one.exposure_id, one.location) for one in scans] == [
        ("s1", None, "file:///plates/p1_s1.fits"),
        ("s2", None, "file:///plates/p1_s2.fits"),
    ]
    shown = added(bundle, template("s3://plates/{plate_id}_{exposure_id}.asdf", "calibration")).bundle.products
    assert [(one.scan_id, one.exposure_id) for one in shown] == [("s1", "1"), ("s2", "2")]
    numbered = added(bundle, template("s3://plates/{plate_id}_{exposure_number}.jpg", "preview"))
    assert [one.exposure_id for one in numbered.bundle.products] == ["1"]
    assert numbered.problems == ("{plate_id}_{exposure_number}.jpg: exposure_number is not known",)
    # Of two scans the plate's file is neither's alone.
    assert added(bundle, template()).bundle.products[0].scan_id is None


def test_an_unscanned_plate_gets_none():
    assert added(plates.bundle(scans=()), template()).bundle.products == ()


def test_what_is_there_already_stays():
    held = plates.product("scan.fits", "fits", location="file:///scans/scan.fits")
    assert added(plates.bundle(products=(held,)), template()).bundle.products == (held,)
    assert added(plates.bundle(), template(), archived=(held,)).bundle.products == ()
    again = added(plates.bundle(), template()).bundle.products
    assert added(plates.bundle(), template(), archived=again).bundle.products == ()
    # Another binning, another scan are other files.
    for other in (replace(held, bin_factor=16), replace(held, scan_id="s2"), replace(held, role="preview")):
        assert len(added(plates.bundle(products=(other,)), template()).bundle.products) == 2


@pytest.mark.parametrize("where", ["source", "archive"])
def test_a_file_that_is_known_but_not_held_gets_the_location_and_keeps_its_address(where):
    known = plates.product("p1_s1_01.fits", "fits", content_length=5)
    is_own = where == "source"
    bundle = plates.bundle(products=(known,) if is_own else ())
    made = added(bundle, template(is_base=True), archived=() if is_own else (known,)).bundle
    assert made.products == (replace(known, location="s3://plates/p1.fits", is_base=True),)


def test_a_name_is_given_once():
    made = added(plates.bundle(scans=SCANS), template("s3://plates/{scan_id}/a.fits"))
    assert [one.location for one in made.bundle.products] == ["s3://plates/s1/a.fits"]
    assert made.problems == ("a.fits: another file is called tests/p1/a.fits",)


VALUES = st.text(min_size=1, max_size=12)


@given(VALUES)
def test_no_value_leads_out_of_its_place(value):
    values = dict.fromkeys(TEMPLATE_FIELDS, value)
    for location, place in (
        ("file:///plates/{plate_id}/x{series}.fits", LocalPlace),
        ("s3://plates/a/{plate_id}/x{series}.fits", BucketPlace),
        ("https://a.example/a/{plate_id}/x{series}.fits", WebPlace),
    ):
        try:
            filled = fill_template(location, values, is_address=True)
        except ValueError:
            continue
        found = find_place(plates.product("a.fits", "fits", location=filled))
        assert isinstance(found, place)
        path = {LocalPlace: "path", BucketPlace: "key", WebPlace: "path"}[place]
        parts = str(getattr(found, path)).split("/")
        assert parts[-2:] == [value, f"x{value}.fits"]
        assert len(parts) == (4 if place is LocalPlace else 3)


@pytest.mark.parametrize("value", ["..", ".", "a/b", "../x", "a\\b", "a\nb", "a\0", "", None, "..."])
def test_values_that_could_are_refused(value):
    with pytest.raises(ValueError, match="plate_id"):
        fill_template("s3://plates/{plate_id}", {"plate_id": value}, is_address=True)


def test_dots_of_a_template_lead_nowhere_either():
    with pytest.raises(ValueError, match="leads out"):
        fill_template("file:///a/../{plate_id}", {"plate_id": "x"}, is_address=True)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"location": "s3://plates/{plate}.fits"}, "none of the fields"),
        ({"location": "s3://plates/{}.fits"}, "none of the fields"),
        ({"location": "s3://plates/{plate_id.__class__}.fits"}, "none of the fields"),
        ({"location": "s3://plates/{plate_id[0]}.fits"}, "none of the fields"),
        ({"location": "s3://plates/{plate_id!r}.fits"}, "a width"),
        ({"location": "s3://plates/{plate_id:{series}}.fits"}, "a width"),
        ({"location": "s3://plates/{plate_id:/>9}.fits"}, "a width"),
        ({"location": "s3://plates/{plate_id.fits"}, "location"),
        ({"location": "s3://{series}/{plate_id}.fits"}, "location begins with"),
        ({"location": "ftp://plates/{plate_id}.fits"}, "location begins with"),
        ({"location": "file://plates/{plate_id}.fits"}, "location begins with"),
        ({"location": "s3://plates/"}, "location begins with"),
        ({"location": "s3://plates/{plate_id}/"}, "file_name is a name"),
        ({"location": "https://a.example/get?id={plate_id}"}, "file_name is a name"),
        ({"file_name": "{plate_id}/a.fits"}, "file_name is a name"),
        ({"content_type": "fits"}, "content_type"),
        ({"role": "picture"}, "role"),
        ({"bin_factor": 0}, "bin_factor"),
    ],
)
def test_what_is_wrong_with_a_template_is_told_when_it_is_read(values, reason):
    with pytest.raises(ValidationError, match=reason):
        template(**values)


def test_roles_of_templates_are_those_of_products():
    assert set(get_args(ProductTemplate.model_fields["role"].annotation)) == set(ROLES)
    fields = {name for _, name, _, _ in string.Formatter().parse("".join(f"{{{one}}}" for one in TEMPLATE_FIELDS))}
    assert template(location=f"s3://p/{''.join(f'{{{one}}}' for one in TEMPLATE_FIELDS)}").fields() == fields


# -- by both ways of loading


def described(settings, tmp_path, templates):
    """A collection of the shipped samples' kind with templates of its own."""
    own = load_collection(settings, "samples")
    return own.model_copy(update={"products": own.products.model_copy(update={"templates": tuple(templates)})})


@pytest.mark.parametrize("is_large", [False, True])
def test_ingest_adds_them_once(settings, fresh_database, tmp_path, monkeypatch, is_large):
    monkeypatch.setattr(bulk, "is_worth_while", lambda *_: is_large)
    collection = described(settings, tmp_path, [template("s3://plates/{series}/{plate_id}.fits")])
    bundles = []
    for name, series in (("p1", "a"), ("p2", None), ("p3", "b/c")):
        one = plates.bundle(
            (plates.exposure(name),), scans=(Scan(plates.NAME, name, "s1"),), plate_id=name, series=series
        )
        bundles.append(_of(one, "samples"))
    database = fresh_database()
    for _ in range(2):
        summary = load_bundles(database, settings, collection, bundles, "a list")
        assert summary.noted["file without an address"] == 2
        with database.read() as connection:
            found = list(read_bundles(connection, [("samples", name) for name in ("p1", "p2", "p3")]))
        assert [one.location for bundle in found for one in bundle.products] == ["s3://plates/a/p1.fits"]


def _of(bundle, collection):
    """The same plate in another collection."""
    return replace(
        bundle,
        plate=replace(bundle.plate, collection=collection),
        scans=tuple(replace(one, collection=collection) for one in bundle.scans),
        exposures=tuple(replace(one, collection=collection) for one in bundle.exposures),
    )
