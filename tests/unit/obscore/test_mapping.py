import datetime as dt
import json
import math
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import settings as checked
from hypothesis import strategies as st

from vo.db.records import Exposure, Plate, PlateBundle, Product, Scan, Solution
from vo.metadata.collection import Collection
from vo.obscore.identifiers import links_path, publisher_did
from vo.obscore.mapping import nominal_outlines, rows
from vo.settings import Settings

SCANNED = dt.datetime.fromisoformat("2010-01-02")
SETTINGS = Settings(authority="test.example", _env_file=None)


def collection(**changes):
    values = {
        "name": "trial",
        "title": "Trial plates",
        "description": "made for tests",
        "creators": ("A", "B"),
        "bib_reference": "2000A&A...123..456X",
        "wide": {"max_plate_scale": 400.0},
        "defaults": {"em_min": 3.5e-7, "em_max": 5.0e-7, "s_stat_error": 300.0},
        "folder": "/nowhere",
    }
    return Collection.model_validate({**values, **changes})


def header(ra=83.0, dec=-5.0, scale=0.01, size=(60, 40)):
    cards = fits.Header()
    cards["NAXIS"], cards["NAXIS1"], cards["NAXIS2"] = 2, *size
    for axis, value, kind in ((1, ra, "RA---TAN"), (2, dec, "DEC--TAN")):
        cards[f"CTYPE{axis}"] = kind
        cards[f"CRVAL{axis}"] = value
        cards[f"CRPIX{axis}"] = (size[axis - 1] + 1) / 2
    cards["CD1_1"], cards["CD1_2"], cards["CD2_1"], cards["CD2_2"] = -scale, 0.0, 0.0, scale
    return cards.tostring(sep="\n", endcard=False, padding=False)


def exposure(number=1, **changes):
    name = str(number)
    known = {
        "publisher_did": publisher_did("test.example", "trial", "p1", name),
        "exposure_number": number,
        "ra": 83.1,
        "dec": -5.1,
        "position_origin": "logbook",
        "t_min": 20000.0,
        "t_max": 20000.05,
        "exptime": 3600.0,
        "t_calib_status": "calibrated",
        "target_name": "M 42",
        "scan_id": "1",
        "has_imaging": True,
    }
    return Exposure("trial", "p1", name, **{**known, **changes})


def bundle(*exposures, solved=True, **plate):
    known = {"plate_scale": 100.0, "width_mm": 200.0, "height_mm": 250.0}
    solutions = [
        Solution("trial", "p1", "1", "s0", 1, "1", header(), " ", 60, 40),
        Solution("trial", "p1", "1", "s0", 0, "1", header(ra=10.0), " ", 60, 40, is_current=False),
    ]
    product = Product(
        "trial/p1/p1.fits", "trial", "p1", "fits", "image/fits", scan_id="1", location="file:///p1.fits",
        content_length=4801, width=60, height=40, pixel_scale=36.0,
    )  # fmt: skip
    binned = replace(
        product, product_id="trial/p1/p1_bin4.fits", role="fits_binned", content_length=600, width=15, height=10,
        pixel_scale=144.0, bin_factor=4,
    )  # fmt: skip
    scan = Scan("trial", "p1", "1", 60, 40, 36.0, scan_date=SCANNED)
    return PlateBundle(
        Plate("trial", "p1", **{**known, **plate}),
        (scan,),
        exposures or (exposure(),),
        tuple(solutions) if solved else (),
        (product, binned),
    )


def obscore(made):
    (row,) = made.obscore
    return row


def test_a_row_of_a_solved_plate():
    row = obscore(rows(bundle(), collection(), SETTINGS))
    told = {
        "dataproduct_type": "image",
        "dataproduct_subtype": "plate.direct",
        "calib_level": 2,
        "obs_collection": "TRIAL",
        "obs_id": "p1",
        "obs_publisher_did": "ivo://test.example/trial?p1/1",
        "access_format": "application/x-votable+xml;content=datalink",
        "access_estsize": 5,
        "target_name": "M 42",
        "s_xel1": 60,
        "s_xel2": 40,
        "s_pixel_scale": 36.0,
        "s_calib_status": "calibrated",
        "s_stat_error": None,
        "footprint_origin": "solution",
        "position_origin": "solution",
        "t_min": 20000.0,
        "t_max": 20000.05,
        "t_exptime": 3600.0,
        "t_resolution": 3600.0,
        "t_xel": 1,
        "em_min": 3.5e-7,
        "em_max": 5.0e-7,
        "em_xel": 1,
        "o_ucd": "phys.transmission",
        "pol_states": None,
        "pol_xel": 0,
        "obs_creation_date": SCANNED,
        "obs_creator_name": "A; B",
        "data_rights": "public",
        "obs_release_date": SCANNED,
        "solution_id": "s0",
    }
    assert {name: row[name] for name in told} == told
    # of the current solution, not of the older one, nor of the logbook
    assert (row["s_ra"], row["s_dec"]) == (pytest.approx(83.0), pytest.approx(-5.0))
    assert row["s_fov"] == pytest.approx(math.hypot(0.6, 0.4), rel=1e-3)


def test_the_address_names_the_exposure_and_is_a_path():
    made = rows(bundle(exposure(1), exposure(2)), collection(), SETTINGS)
    urls = [row["access_url"] for row in made.plates]
    assert len(set(urls)) == 2
    parts = urlsplit(urls[0])
    assert (parts.scheme, parts.netloc, parts.path) == ("", "", "/datalink/links")
    assert parse_qs(parts.query) == {"ID": ["ivo://test.example/trial?p1/1"]}


@checked(max_examples=80)
@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_identifiers_survive_every_name(plate, name):
    try:
        did = publisher_did("test.example", "trial", plate, name)
    except UnicodeEncodeError:
        return  # a lone surrogate is no text
    assert did.isascii()
    assert not set(did) & set(" +#<>\"'\\{}|^`")
    assert did.count("/") == 4
    assert did.count("?") == 1
    assert parse_qs(urlsplit(links_path(did)).query)["ID"] == [did]


def test_the_collection_chooses_which_file_is_this():
    binned = collection(products={"this": "fits_binned"})
    row = obscore(rows(bundle(), binned, SETTINGS))
    assert (row["access_estsize"], row["s_xel1"], row["s_xel2"], row["s_pixel_scale"]) == (1, 15, 10, 144.0)
    only_full = replace(bundle(), products=bundle().products[:1])
    assert obscore(rows(only_full, binned, SETTINGS))["s_xel1"] == 60


def test_files_of_other_exposures_and_scans_are_not_this():
    one = bundle()
    foreign = replace(one.products[0], product_id="trial/p1/a.fits", exposure_id="2")
    rescan = replace(one.products[0], product_id="trial/p1/b.fits", scan_id="2")
    assert replace(one, products=(foreign, rescan)).images_of(one.exposures[0], "fits") == ()


def test_sampling_of_a_file_that_is_only_known():
    one = bundle()
    bare = replace(one.products[1], width=None, height=None, pixel_scale=None, content_length=None)
    row = obscore(rows(replace(one, products=(bare,)), collection(), SETTINGS))
    assert (row["s_xel1"], row["s_xel2"], row["access_estsize"]) == (15, 10, None)
    assert row["s_pixel_scale"] == pytest.approx(144.0, rel=1e-3)


def test_nominal_footprints_say_so():
    made = rows(bundle(solved=False), collection(), SETTINGS)
    row = obscore(made)
    assert (row["s_ra"], row["s_dec"]) == (pytest.approx(83.1), pytest.approx(-5.1))
    assert (row["footprint_origin"], row["s_calib_status"], row["s_stat_error"]) == ("nominal", "uncalibrated", 300.0)
    assert row["calib_level"] == 1
    assert row["s_fov"] == pytest.approx(2 * math.degrees(math.atan(math.radians(math.hypot(200, 250) / 36 / 2))))
    found = rows(bundle(exposure(position_origin="solution"), solved=False), collection(), SETTINGS)
    assert (obscore(found)["calib_level"], obscore(found)["s_stat_error"]) == (2, None)


def test_text_and_shape_of_a_region_are_the_same_polygon():
    row = obscore(rows(bundle(), collection(), SETTINGS))
    text = [float(word) for word in row["s_region_text"].removeprefix("POLYGON ICRS ").split()]
    shape = [float(word.strip("(d)")) for word in row["s_region"].strip("{}").split(",")]
    assert np.allclose(text, shape, atol=1e-8)


def test_wide_plates_are_in_plates_only():
    made = rows(bundle(plate_scale=400.1), collection(), SETTINGS)
    assert (len(made.plates), len(made.obscore)) == (1, 0)
    made = rows(bundle(plate_scale=400.0), collection(), SETTINGS)
    assert (len(made.plates), len(made.obscore)) == (1, 1)
    assert rows(bundle(plate_scale=9999.0), collection(wide={}), SETTINGS).obscore


def test_exposures_without_imaging_are_in_plates_only():
    made = rows(bundle(exposure(1), exposure(2, has_imaging=False, scan_id=None)), collection(), SETTINGS)
    assert [row["exposure_id"] for row in made.plates] == ["1", "2"]
    assert [row["exposure_id"] for row in made.obscore] == ["1"]
    assert {row["n_exposures"] for row in made.plates} == {2}
    assert made.plates[1]["access_url"] == links_path(exposure(2).publisher_did)


def test_without_a_position_all_four_are_empty():
    row = obscore(rows(bundle(exposure(ra=None, dec=None, position_origin=None), solved=False), collection(), SETTINGS))
    assert [row[name] for name in ("s_ra", "s_dec", "s_fov", "s_region", "s_region_text", "s_calib_status")] == [
        None
    ] * 6


def test_a_plate_of_unknown_size_is_told_and_keeps_its_position_in_plates():
    made = rows(bundle(solved=False, plate_scale=None, width_mm=None), collection(), SETTINGS)
    (note,) = made.notes
    assert (note.kind, note.reason) == ("no footprint", "plate scale, plate width not known")
    assert (made.plates[0]["s_ra"], made.plates[0]["s_region"]) == (83.1, None)
    assert [obscore(made)[name] for name in ("s_ra", "s_dec", "s_fov", "s_region")] == [None] * 4


def test_a_footprint_that_pgsphere_refuses_is_told_and_the_row_stands():
    one = bundle(exposure(ra=None, dec=None))
    # an all-sky camera: 240 degrees wide
    broken = replace(one.solutions[0], header=header(scale=4.0).replace("TAN", "ARC"))
    made = rows(replace(one, solutions=(broken,)), collection(), SETTINGS)
    (note,) = made.notes
    assert (note.plate_id, note.exposure_id, note.kind) == ("p1", "1", "footprint refused")
    assert made.plates[0]["s_region"] is None
    unreadable = replace(one.solutions[0], header="CTYPE1  = 'RA---TAN'")
    made = rows(replace(one, solutions=(unreadable,)), collection(), SETTINGS)
    assert made.notes[0].kind == "footprint refused"


def test_what_is_not_known_is_null_and_never_zero():
    bare = exposure(exptime=0.0, target_name=" Unknown ", t_min=None, t_max=None, t_calib_status=None)
    one = bundle(bare, em_min=None, em_max=None)
    row = obscore(rows(replace(one, scans=()), collection(defaults={}), SETTINGS))
    empty = (
        "t_exptime",
        "t_resolution",
        "t_min",
        "t_max",
        "t_calib_status",
        "target_name",
        "em_min",
        "em_max",
        "em_res_power",
    )
    assert [row[name] for name in empty] == [None] * len(empty)
    # both or neither (OBS-13): of a public plate without any date, neither
    assert (row["data_rights"], row["obs_release_date"]) == (None, None)


def test_rights():
    one = bundle()
    unscanned_date = replace(one, scans=(replace(one.scans[0], scan_date=None),))
    assert obscore(rows(unscanned_date, collection(), SETTINGS))["obs_release_date"] == dt.datetime.fromisoformat(
        "1913-08-22"
    )
    row = obscore(rows(one, collection(data_rights="proprietary"), SETTINGS))
    assert (row["data_rights"], row["obs_release_date"]) == ("proprietary", None)


def test_objective_prism_plates_have_no_spectral_pixel():
    row = obscore(rows(bundle(), collection(defaults={"dataproduct_subtype": "plate.objprism"}), SETTINGS))
    assert (row["dataproduct_type"], row["em_xel"], row["em_res_power"]) == ("image", None, None)


def test_every_column_of_the_tables_is_filled_or_null_by_decision(catalogue):
    made = rows(bundle(own={"quality": 3}), collection(), SETTINGS)
    for row, table, own in ((made.obscore[0], "ivoa.obscore", set()), (made.plates[0], "samples.plates", {"quality"})):
        known = catalogue.by_name[table]
        stored = {column.name for column in known.columns} | {
            one.text_column for one in known.columns if one.text_column
        }
        assert stored <= set(row)
        assert own <= set(row)
        if table == "samples.plates":
            assert set(row) == stored | own


def test_outlines_made_in_bulk_are_the_same():
    bundles = [
        replace(bundle(exposure(ra=ra, dec=dec, rotation_deg=turn), solved=False))
        for ra, dec, turn in ((0.1, 10.0, 0.0), (100.0, 89.9, 30.0), (359.9, -89.5, 270.0))
    ]
    for one in bundles:
        bulk = rows(one, collection(), SETTINGS, nominal_outlines([one], collection()))
        assert bulk == rows(one, collection(), SETTINGS)
    assert nominal_outlines([bundle(exposure(ra=None, dec=None))], collection()) == {}


def test_a_nominal_plate_over_the_pole_goes_around_it():
    row = obscore(rows(bundle(exposure(ra=40.0, dec=89.0), solved=False), collection(), SETTINGS))
    numbers = [float(word) for word in row["s_region_text"].split()[2:]]
    ras, decs = np.radians(numbers[0::2]), np.radians(numbers[1::2])
    # the polygon encloses the pole when its right ascensions go once around
    turns = np.diff(np.append(ras, ras[0]))
    assert abs(((turns + np.pi) % (2 * np.pi) - np.pi).sum()) == pytest.approx(2 * np.pi)
    assert decs.min() > np.radians(80.0)


def test_rows_are_of_plain_values():
    made = rows(bundle(), collection(), SETTINGS)
    json.dumps(made.plates + made.obscore, default=lambda value: value.isoformat())
