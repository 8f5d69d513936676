"""SIA2 parameters become ADQL: section 13 of the requirements, SIA-07, SIA-12, and what clients really send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo.dali.parameters import Parameters
from vo.errors import UsageFault
from vo.sia2.query import build_query

START = "SELECT * FROM ivoa.obscore WHERE dataproduct_type IN ('image', 'cube')"

HAS_FITS = "(s_xel1 IS NOT NULL OR access_estsize IS NOT NULL)"


def condition(*pairs: tuple[str, str]) -> str:
    text = build_query(Parameters(pairs))
    assert text.startswith(START)
    return text.removeprefix(START).removeprefix(" AND ")


def test_without_constraints_everything_is_asked_for():
    assert build_query(Parameters([])) == START


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("CIRCLE 10 -5 0.5", "INTERSECTS(CIRCLE(10.0, -5.0, 0.5), s_region) = 1"),
        ("circle 10 -5 0.5", "INTERSECTS(CIRCLE(10.0, -5.0, 0.5), s_region) = 1"),
        ("CIRCLE 10 -5 0", "CONTAINS(POINT(10.0, -5.0), s_region) = 1"),
        ("RANGE 10 12 -5 5", "INTERSECTS(vo_range(10.0, 12.0, -5.0, 5.0), s_region) = 1"),
        ("RANGE -Inf +Inf -Inf +Inf", "INTERSECTS(vo_range(0.0, 360.0, -90.0, 90.0), s_region) = 1"),
        ("RANGE 0 360 89 +Inf", "INTERSECTS(vo_range(0.0, 360.0, 89.0, 90.0), s_region) = 1"),
        ("POLYGON 1 2 3 4 5 2", "INTERSECTS(POLYGON(1.0, 2.0, 3.0, 4.0, 5.0, 2.0), s_region) = 1"),
    ],
)
def test_positions(value, expected):
    assert condition(("POS", value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3e-7 5e-7", "(em_min <= 5e-07 AND em_max >= 3e-07)"),
        ("4e-7", "(em_min <= 4e-07 AND em_max >= 4e-07)"),
        ("4e-7 4e-7", "(em_min <= 4e-07 AND em_max >= 4e-07)"),
        ("-inf 5e-7", "(em_min <= 5e-07 AND em_max IS NOT NULL)"),
        ("3e-7 inf", "(em_min IS NOT NULL AND em_max >= 3e-07)"),
        ("-Inf +Inf", "(em_min IS NOT NULL AND em_max IS NOT NULL)"),
    ],
)
def test_intervals_overlap_and_null_never_does(value, expected):
    assert condition(("BAND", value)) == expected


def test_time_is_written_as_the_rewriter_knows_it():
    assert condition(("TIME", "10000 10001.5")) == "(t_min <= 10001.5 AND t_max >= 10000.0)"


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("FOV", "s_fov"),
        ("SPATRES", "s_resolution"),
        ("SPECRP", "em_res_power"),
        ("EXPTIME", "t_exptime"),
        ("TIMERES", "t_resolution"),
    ],
)
def test_single_numbers_lie_in_the_interval(name, column):
    assert condition((name, "1 2")) == f"({column} <= 2.0 AND {column} >= 1.0)"


def test_values_of_one_parameter_are_ored_and_parameters_anded():
    text = condition(("TIME", "1 2"), ("FOV", "0 5"), ("TIME", "3 4"))
    assert (
        text
        == "((t_min <= 2.0 AND t_max >= 1.0) OR (t_min <= 4.0 AND t_max >= 3.0)) AND (s_fov <= 5.0 AND s_fov >= 0.0)"
    )


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("ID", "IVO://A.B/C?p1/E")], "LOWER(obs_publisher_did) = 'ivo://a.b/c?p1/e'"),
        ([("ID", "x"), ("id", "Y")], "LOWER(obs_publisher_did) IN ('x', 'y')"),
        ([("COLLECTION", "DASCH")], "obs_collection = 'DASCH'"),
        ([("FACILITY", "Harvard"), ("FACILITY", "Arequipa")], "facility_name IN ('Harvard', 'Arequipa')"),
        ([("INSTRUMENT", "8-inch")], "instrument_name = '8-inch'"),
        ([("TARGET", "Barnard's star")], "target_name = 'Barnard''s star'"),
        ([("DPTYPE", "image")], "dataproduct_type = 'image'"),
        ([("CALIB", "1"), ("CALIB", "2")], "(calib_level = 1 OR calib_level = 2)"),
        ([("POL", "I"), ("POL", "POLA")], "(pol_states LIKE '%/I/%' OR pol_states LIKE '%/POLA/%')"),
        ([("FORMAT", "image/fits")], HAS_FITS),
        (
            [("FORMAT", "application/x-votable+xml; content=datalink")],
            "access_format = 'application/x-votable+xml;content=datalink'",
        ),
        ([("FORMAT", "image/jpeg")], "access_format = 'image/jpeg'"),
        ([("pos", ""), ("SPAM", "eggs")], ""),
    ],
)
def test_words(pairs, expected):
    assert condition(*pairs) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POS", "CIRCLE 10 95 1"),
        ("POS", "BOX 1 2 3 4"),
        ("BAND", "5e-7 3e-7"),
        ("BAND", "blue"),
        ("TIME", "1950-01-01 1951-01-01"),
        ("EXPTIME", "1 2 3"),
        ("FOV", "nan nan"),
        ("POL", "i"),
        ("CALIB", "5"),
        ("DPTYPE", "spectrum"),
    ],
)
def test_a_bad_value_is_named_with_its_parameter(name, value):
    with pytest.raises(UsageFault, match=name):
        condition((name, value))


def test_nul_is_refused():
    with pytest.raises(UsageFault, match="NUL"):
        condition(("TARGET", "a\0b"))


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_no_text_leaves_its_quotes(text):
    written = condition(("TARGET", text))
    if not text.strip():
        assert written == ""
        return
    body = written.removeprefix("target_name = '").removesuffix("'")
    assert body.replace("''", "") == text.replace("'", "")
