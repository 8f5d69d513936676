from __future__ import annotations

import io

import pytest

from vo.dali.parameters import Parameters, Part, maxrec, overflow_text, response_format
from vo.errors import MultiValuedParamNotSupportedFault, UsageFault
from vo.settings import Settings

SETTINGS = Settings(maxrec_default=200, maxrec_hard=5000)


def test_names_match_in_any_case_and_values_stay_DALI_01():  # noqa: N802  the assertion's id
    parameters = Parameters([("rEsPonseFormat", "Text/CSV"), ("query", "SELECT 1")])
    assert parameters.one("RESPONSEFORMAT") == "Text/CSV"
    assert parameters.one("Query") == "SELECT 1"
    assert parameters.one("LANG") is None
    assert parameters.names() == ("RESPONSEFORMAT", "QUERY")


def test_empty_values_are_absent_but_echoed():
    parameters = Parameters([("POS", "CIRCLE 1 2 3"), ("TIME", ""), ("BAND", " "), ("POL", "")])
    assert parameters.one("TIME") is None
    assert parameters.many("BAND") == ()
    assert parameters.names() == ("POS",)
    assert parameters.items()[1] == ("TIME", "")


def test_repeated_with_another_value_is_refused_DALI_03():  # noqa: N802  the assertion's id
    parameters = Parameters([("CIRCLE", "1 2 3"), ("circle", "4 5 6"), ("LANG", "ADQL"), ("LANG", "ADQL")])
    with pytest.raises(MultiValuedParamNotSupportedFault, match="CIRCLE takes one value and came with 2"):
        parameters.one("CIRCLE")
    assert parameters.many("CIRCLE") == ("1 2 3", "4 5 6")
    assert parameters.one("LANG") == "ADQL"


@pytest.mark.parametrize("text", ["1.5", "ten", "1_000", "٣", "0x10", "9" * 5000, "-1", "12"])
def test_integers_that_are_none_or_out_of_range(text):
    with pytest.raises(UsageFault, match=r"N=.*from 0 to 11"):
        Parameters([("N", text)]).integer("N", 0, 11)


def test_integer():
    assert Parameters([("n", " +7 ")]).integer("N") == 7
    assert Parameters([]).integer("N") is None


@pytest.mark.parametrize(("asked", "rows"), [(None, 200), ("0", 0), ("77", 77), ("999999999999999999999", 5000)])
def test_maxrec(asked, rows):
    pairs = [] if asked is None else [("MAXREC", asked)]
    assert maxrec(Parameters(pairs), SETTINGS) == rows


def test_negative_maxrec_is_refused():
    with pytest.raises(UsageFault, match="0 or more"):
        maxrec(Parameters([("MAXREC", "-1")]), SETTINGS)


def test_overflow_names_the_limit_that_cut():
    assert "larger MAXREC, up to 5000" in overflow_text(200, SETTINGS)
    assert "larger MAXREC" not in overflow_text(5000, SETTINGS)


def test_format_means_responseformat_only_where_asked_TAP_08():  # noqa: N802  the assertion's id
    parameters = Parameters([("FORMAT", "csv")])
    assert response_format(parameters, format_too=True) == "csv"
    assert response_format(parameters) is None
    both = Parameters([("FORMAT", "csv"), ("RESPONSEFORMAT", "tsv")])
    assert response_format(both, format_too=True) == "tsv"


def test_an_uploaded_part_is_closed_when_it_is_let_go():
    file = io.BytesIO(b"abc")
    parameters = Parameters([], [Part("table1", "t.vot", "text/xml", file)])
    assert parameters.parts["table1"].file.read() == b"abc"
    del parameters
    assert file.closed
