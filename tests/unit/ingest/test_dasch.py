import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vo.errors import OperatorFault
from vo.ingest.readers import dasch

READER = dasch.READER
API_NAMES = (
    *("series", "platenum", "scannum", "mosnum", "expnum", "solnum", "class", "ra", "dec", "exptime", "expdate"),
    *("wcssource", "scandate", "mosdate"),
)


def kinds(report, what):
    return dict(report.counted(what))


def test_a_solved_row_in_both_forms_is_the_same_plate(read, ecsv, api, solved):
    (first,), _ = read(READER, ecsv(solved))
    (second,), _ = read(READER, api(solved))
    assert first.plate.plate_id == "i01234"
    assert (first.plate.plate_scale, first.plate.width_mm, first.plate.height_mm) == (163.3, 191.0, 242.0)
    (exposure,) = first.exposures
    assert exposure.publisher_did == "ivo://test.example/dasch?i01234/e0"
    assert (exposure.ra, exposure.dec, exposure.position_origin) == (10.0, 60.0, "solution")
    assert (exposure.scan_id, exposure.has_imaging, exposure.origin) == ("01", True, "logged")
    assert first.scans[0].scan_date.isoformat() == "2019-10-01T18:32:56"
    # the API's scan dates are local time at Harvard, daschlab's UTC: the same moment
    assert second.scans[0].scan_date == first.scans[0].scan_date
    assert second.exposures == (replace(exposure, rotation_deg=0.0),)
    assert second.plate == first.plate


def test_dates_are_the_middle_of_the_exposure(read, ecsv, solved):
    (bundle,), _ = read(READER, ecsv(solved))
    (exposure,) = bundle.exposures
    assert (exposure.t_min + exposure.t_max) / 2 == pytest.approx(20000.0)
    assert (exposure.t_max - exposure.t_min) * 1440 == pytest.approx(60.0)
    assert (exposure.exptime, exposure.t_calib_status) == (3600.0, "calibrated")


@pytest.mark.parametrize(
    ("minutes", "kind", "span"),
    [
        (-1, "negative exposure time", 0.0),
        (-155, "negative exposure time", 0.0),
        (0, "zero exposure time", 0.0),
        (1440, "very long exposure time", 1440.0),
        (601, "very long exposure time", 601.0),
    ],
)
def test_impossible_exposure_times_are_left_empty_and_told(read, ecsv, solved, minutes, kind, span):
    (bundle,), report = read(READER, ecsv({**solved, "exptime": minutes}))
    (exposure,) = bundle.exposures
    assert exposure.exptime is None
    assert (exposure.t_max - exposure.t_min) * 1440 == pytest.approx(span, abs=1e-6)
    assert exposure.t_calib_status == "uncalibrated"
    assert str(abs(minutes)) in exposure.repair or minutes == 0
    assert kinds(report, "repaired") == {kind: 1}
    assert report.lines[0].line == 23  # the row's line in the file


def test_ten_hours_are_believed(read, ecsv, solved):
    (bundle,), report = read(READER, ecsv({**solved, "exptime": 600}))
    assert bundle.exposures[0].exptime == 36000.0
    assert report.lines == []


@pytest.mark.parametrize("flags", [{"ra": 999, "dec": 99}, {"ra": "999.0"}, {"dec": 99.0}, {"ra": "", "dec": ""}])
def test_flagged_positions_are_unknown(read, api, solved, flags):
    (bundle,), report = read(READER, api({**solved, **flags, "wcssource": "logbook"}))
    (exposure,) = bundle.exposures
    assert (exposure.ra, exposure.dec, exposure.position_origin) == (None, None, None)
    assert kinds(report, "noted") == {"unknown position": 1}


def test_seconds_of_sixty_are_carried_over(read, api, solved):
    (bundle,), report = read(READER, api({**solved, "expdate": "1913-08-21T23:59:60.0Z"}))
    (exposure,) = bundle.exposures
    assert (exposure.t_min + exposure.t_max) / 2 == pytest.approx(20001.0)
    assert kinds(report, "repaired") == {"time of day carried over": 1}
    assert "60.0Z" in exposure.repair


def test_rows_without_imaging(read, ecsv, api, solved):
    unscanned = {"scannum": "", "mosnum": "", "solnum": "", "scan_date": "", "rotation_deg": "", "wcssource": "none"}
    (bundle,), _ = read(READER, ecsv({**solved, **unscanned}))
    (exposure,) = bundle.exposures
    assert (bundle.scans, bundle.products) == ((), ())
    assert (exposure.scan_id, exposure.has_imaging, exposure.position_origin) == (None, False, "logbook")
    (same,), _ = read(READER, api({**solved, "scannum": -1, "mosnum": -1, "solnum": -1, "wcssource": "NONE"}))
    assert same.exposures[0].has_imaging is False
    # scanned, but nobody found where on the scan the exposure is
    (logged,), _ = read(READER, ecsv({**solved, "wcssource": "logbook"}))
    assert (logged.exposures[0].scan_id, logged.exposures[0].has_imaging) == ("01", False)
    assert logged.exposures[0].position_origin == "logbook"


def test_two_solutions_and_an_unsolved_third_stay_apart(read, ecsv, solved):
    rows = [
        {**solved, "expnum": 0, "solnum": 1, "pos.ra": 84.76, "pos.dec": 88.21},
        {**solved, "expnum": 1, "scannum": "", "mosnum": "", "solnum": "", "wcssource": "none", "pos.dec": 84.98},
        {**solved, "expnum": 2, "solnum": 0, "pos.ra": 274.70, "pos.dec": 81.65},
    ]
    (bundle,), _ = read(READER, ecsv(*rows))
    assert [one.exposure_id for one in bundle.exposures] == ["e0", "e1", "e2"]
    assert [one.has_imaging for one in bundle.exposures] == [True, False, True]
    assert [one.dec for one in bundle.exposures] == [88.21, 84.98, 81.65]
    assert len(bundle.scans) == 1


def test_a_solution_of_no_logged_exposure_is_named_after_itself(read, api, solved):
    rows = [solved, {**solved, "expnum": -1, "solnum": 1, "dec": 50.0}]
    (bundle,), _ = read(READER, api(*rows))
    assert [(one.exposure_id, one.origin) for one in bundle.exposures] == [("e0", "logged"), ("m1s1", "found")]


def test_two_solutions_of_one_logged_exposure_are_two(read, api, solved):
    (bundle,), _ = read(READER, api(solved, {**solved, "solnum": 1, "dec": 50.0}))
    assert [one.exposure_id for one in bundle.exposures] == ["e0", "e0m1s1"]


def test_the_same_row_twice_is_refused(read, ecsv, solved):
    (bundle,), report = read(READER, ecsv(solved, solved))
    assert len(bundle.exposures) == 1
    assert kinds(report, "refused") == {"row there twice": 1}
    assert "line 23" in report.lines[0].reason


@pytest.mark.parametrize(
    "wrong",
    [
        {"platenum": "12x"},
        {"series": "i-9"},
        {"series": ""},
        {"pos.dec": -91.5},
        {"pos.ra": 400},
        {"exptime": "inf"},
        {"obs_date": "yesterday"},
        {"expnum": "first"},
        {"expnum": 10**12},
        {"class": "L\0"},
    ],
)
def test_a_malformed_row_is_refused_and_the_rest_goes_on(read, ecsv, solved, wrong):
    bundles, report = read(READER, ecsv({**solved, **wrong}, {**solved, "platenum": 2}))
    assert [one.plate.plate_id for one in bundles] == ["i00002"]
    (line,) = report.lines
    assert (line.what, line.line, line.kind) == ("refused", 23, "value not understood")


def test_a_cut_row_is_refused(read, ecsv, solved):
    path = ecsv(solved)
    path.write_text(path.read_text() + "i 77 0 0\n")
    bundles, report = read(READER, path)
    assert len(bundles) == 1
    assert kinds(report, "refused") == {"wrong number of values": 1}


@pytest.mark.parametrize("date", ["", 0.0, 1e12])
def test_impossible_dates_are_left_empty_and_told(read, ecsv, solved, date):
    (bundle,), report = read(READER, ecsv({**solved, "obs_date": date}))
    (exposure,) = bundle.exposures
    assert (exposure.t_min, exposure.t_max, exposure.exptime) == (None, None, 3600.0)
    assert kinds(report, "noted") == {"unknown date": 1}


_CELLS = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.integers(),
    st.floats(),
    st.sampled_from(["", "-1", "999", "99.0", "nan", "imwcs", "1e400"]),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(API_NAMES), _CELLS))
def test_whatever_stands_in_a_cell_the_row_is_used_or_refused(read, tmp_path, solved, cells):
    row = {**solved, **cells}
    lines = io.StringIO()  # json writes halves of characters too
    csv.writer(lines).writerow([row.get(name, "") for name in API_NAMES])
    path = tmp_path / "fuzz.json"
    path.write_text(json.dumps([",".join(API_NAMES), lines.getvalue().rstrip("\r\n")]))
    bundles, report = read(READER, path)
    assert report.read == 1
    for exposure in (one for bundle in bundles for one in bundle.exposures):
        assert exposure.exptime is None or exposure.exptime > 0
        assert exposure.t_min is None or exposure.t_min <= exposure.t_max
        assert (exposure.ra is None) == (exposure.dec is None) == (exposure.position_origin is None)
        assert exposure.publisher_did.isascii()


def test_units_of_the_exposure_time_are_read(read, ecsv, solved):
    (bundle,), _ = read(READER, ecsv(solved, exptime_unit="s"))
    assert bundle.exposures[0].exptime == pytest.approx(60.0)
    with pytest.raises(OperatorFault, match="fortnight"):
        read(READER, ecsv(solved, exptime_unit="fortnight"))


def test_a_series_nobody_described_is_told(read, ecsv, solved):
    (bundle,), report = read(READER, ecsv({**solved, "series": "zz"}))
    assert (bundle.plate.plate_scale, bundle.plate.instrument_name) == (None, None)
    assert kinds(report, "noted") == {"series not described": 1}


def test_stations_and_colours(read, ecsv, solved):
    rows = [
        {**solved, "series": "b", "platenum": 2312},
        {**solved, "series": "b", "platenum": 30000},
        {**solved, "series": "b", "platenum": 60000},
        {**solved, "series": "dnr", "platenum": 1},
        {**solved, "platenum": 3, "class": "L2g", "obs_date": 2431000.5},
        {**solved, "platenum": 4, "class": "C1", "obs_date": 2431000.5},
        {**solved, "platenum": 5, "class": "C1", "obs_date": 2411000.5},  # before the classes were revised
    ]
    plates = {one.plate.plate_id: one.plate for one in read(READER, ecsv(*rows))[0]}
    assert plates["b02312"].facility_name == "Harvard College Observatory"
    assert plates["b30000"].facility_name == "Harvard Observatory, Arequipa"
    assert plates["b60000"].facility_name == "Boyden Observatory"
    assert plates["dnr00001"].em_min == 6.0e-7
    assert plates["i00003"].em_min == 6.0e-7
    assert plates["i00004"].em_max == 6.0e-7
    assert plates["i00005"].em_max == 5.0e-7


def test_other_tables_are_no_lists_of_exposures(read, tmp_path):
    other = tmp_path / "other.ecsv"
    other.write_text("# %ECSV 1.0\n# ---\n# datatype:\n# - {name: ra, datatype: float64}\nra\n1.0\n")
    with pytest.raises(OperatorFault, match=r"other\.ecsv, line 5: no column series, platenum"):
        read(READER, other)
    other.write_text("# %ECSV 1.0\n# ---\n")
    with pytest.raises(OperatorFault, match="cut off"):
        read(READER, other)


@pytest.mark.parametrize("text", ["{", "{}", "[]", "[1, 2]", '["ra,dec", "1,2"]', "\x00\xff"])
def test_other_json_is_no_list_of_exposures(read, tmp_path, text):
    path = tmp_path / "answer.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(OperatorFault, match="answer"):
        read(READER, path)


def test_products_are_known_but_not_held(read, ecsv, solved):
    (bundle,), _ = read(READER, ecsv(solved))
    assert [(one.product_id, one.role, one.bin_factor, one.location) for one in bundle.products] == [
        ("dasch/i01234/i01234_01_01.fits", "fits", 1, None),
        ("dasch/i01234/i01234_01_16.fits", "fits_binned", 16, None),
    ]
    assert {one.description for one in bundle.products} == {None}, "role and binning are said by Datalink"
