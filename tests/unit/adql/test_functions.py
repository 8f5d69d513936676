"""The table of functions: what the standard asks for is there, and capabilities list what it says."""

from __future__ import annotations

import re

import pytest

from vo.adql.functions import ALL_FUNCTIONS, FEATURES, FUNCTIONS, Group, Result
from vo.adql.syntax.parse import AGGREGATES

BASE = """ABS CEILING DEGREES EXP FLOOR LOG LOG10 MOD PI POWER RADIANS RAND ROUND SQRT TRUNCATE
    ACOS ASIN ATAN ATAN2 COS COT SIN TAN"""
GEOMETRY = "AREA BOX CENTROID CIRCLE CONTAINS COORD1 COORD2 COORDSYS DISTANCE INTERSECTS POINT POLYGON REGION"
KEY = "ivo://ivoa.net/std/TAPRegExt#features-"


def forms(key: str) -> list[str]:
    (group,) = [group for group in FEATURES if group.key == KEY + key]
    return [feature.form for feature in group.features]


@pytest.mark.parametrize("name", BASE.split())
def test_functions_that_every_service_has(name):
    assert all(function.group is Group.BASE for function in FUNCTIONS[name])


def test_aggregates_are_the_standard_ones():
    assert set(AGGREGATES) == {"AVG", "COUNT", "MAX", "MIN", "SUM"}


def test_features_have_the_keys_and_words_of_the_standard():
    """TRE-03, TRE-05: keys of TAPRegExt; bare names for geometry."""
    assert sorted(forms("adqlgeo")) == GEOMETRY.split()
    assert sorted(forms("adql-string")) == ["ILIKE", "LOWER", "UPPER"]
    assert forms("adql-common-table") == ["WITH"]
    assert sorted(forms("adql-sets")) == ["EXCEPT", "INTERSECT", "UNION"]
    assert forms("adql-type") == ["CAST"]
    assert forms("adql-conditional") == ["COALESCE"]
    assert forms("adql-offset") == ["OFFSET"]
    assert all(group.key.startswith(KEY) for group in FEATURES if group.key != Group.EXTRA.value)


def test_words_beyond_the_standard_have_the_key_that_other_services_use_and_say_what_they_do():
    (extra,) = [group for group in FEATURES if group.key == "ivo://org.gavo.dc/std/exts#extra-adql-keywords"]
    (sample,) = [feature for feature in extra.features if feature.form == "TABLESAMPLE"]
    assert "percent" in (sample.description or "")


def test_user_defined_functions_have_full_signatures_and_descriptions():
    """TRE-04: name(arg TYPE, ...) -> TYPE."""
    (udfs,) = [group for group in FEATURES if group.key == KEY + "udf"]
    argument = r"[A-Za-z]\w* [A-Z]+( PRECISION)?"
    for feature in udfs.features:
        assert re.fullmatch(rf"[a-z]\w*\(({argument}(, {argument})*)?\) -> [A-Za-z ]+", feature.form), feature
        assert feature.description
    assert {feature.form.split("(")[0] for feature in udfs.features} >= {"ivo_to_mjd", "ivo_healpix_index", "vo_range"}


def test_templates_use_all_their_arguments():
    for function in ALL_FUNCTIONS:
        assert (function.build is None) == bool(function.template), function
        if function.build is None and function.name != "RAND":
            used = {int(number) for number in re.findall(r"(?<!\{)\{(\d+)", function.template)}
            assert used == set(range(len(function.parameters))), function


def test_results_that_depend_on_arguments_have_arguments():
    for function in ALL_FUNCTIONS:
        if isinstance(function.result, Result):
            assert function.parameters
