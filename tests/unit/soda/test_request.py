"""What a SODA request asks for: SOD-01, SOD-02, SOD-05, and what Aladin and pyVO send."""

from __future__ import annotations

import pytest

from vo.dali.intervals import Interval
from vo.dali.parameters import Parameters
from vo.dali.shapes import Circle, Polygon, Range
from vo.errors import MultiValuedParamNotSupportedFault, UsageFault
from vo.soda.request import read_request

DID = "ivo://a.b/c?p/1"


def read(*pairs: tuple[str, str]):
    return read_request(Parameters([("ID", DID), *pairs]))


@pytest.mark.parametrize(
    ("name", "value", "shape"),
    [
        ("CIRCLE", "10 -5 0.5", Circle(10, -5, 0.5)),
        ("circle", "1e1 -5. .5", Circle(10, -5, 0.5)),
        ("POLYGON", "1 2 3 4 5 2", Polygon(((1, 2), (3, 4), (5, 2)))),
        ("POS", "CIRCLE 10 -5 0.5", Circle(10, -5, 0.5)),
        ("POS", "RANGE 10 12 -5 +Inf", Range(10, 12, -5, 90)),
        ("POS", "POLYGON 1 2 3 4 5 2", Polygon(((1, 2), (3, 4), (5, 2)))),
    ],
)
def test_each_shape_in_each_parameter(name, value, shape):
    assert read((name, value)).shape == shape


def test_the_id_is_kept_as_it_came_and_required():
    assert read().did == DID
    with pytest.raises(UsageFault, match="ID is missing"):
        read_request(Parameters([("CIRCLE", "1 2 3")]))


def test_empty_values_are_absent_ones_as_aladin_sends_them():
    request = read(("POS", "CIRCLE 10 -5 0.5"), ("TIME", ""), ("BAND", ""), ("POL", ""))
    assert (request.time, request.band, request.polarisation) == (None, None, ())


@pytest.mark.parametrize(
    "pairs",
    [
        [("CIRCLE", "1 2 3"), ("CIRCLE", "4 5 6")],
        [("CIRCLE", "1 2 3"), ("POS", "CIRCLE 1 2 3")],
        [("POLYGON", "1 2 3 4 5 2"), ("CIRCLE", "1 2 3")],
        [("ID", "ivo://a.b/other")],
        [("BAND", "1 2"), ("BAND", "3 4")],
        [("TIME", "1 2"), ("TIME", "3 4")],
    ],
)
def test_one_value_of_each_and_one_shape(pairs):
    with pytest.raises(MultiValuedParamNotSupportedFault):
        read(*pairs)


def test_the_other_axes():
    request = read(("BAND", "3e-7 +Inf"), ("TIME", "10000 10001"), ("POL", "I"), ("POL", "Q"))
    assert request.band == Interval(3e-7, float("inf"))
    assert request.time == Interval(10000, 10001)
    assert request.polarisation == ("I", "Q")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CIRCLE", "1 2"),
        ("CIRCLE", "1 95 1"),
        ("POLYGON", "1 2 3 4"),
        ("POS", "BOX 1 2 3 4"),
        ("BAND", "blue"),
        ("TIME", "2 1"),
        ("POL", "x"),
        ("RESPONSEFORMAT", "image/png"),
    ],
)
def test_a_bad_value_is_named_with_its_parameter(name, value):
    with pytest.raises(UsageFault, match=name):
        read((name, value))


@pytest.mark.parametrize(
    ("asked", "sent"), [("image/fits", "image/fits"), ("application/fits", "application/fits"), ("FITS", "image/fits")]
)
def test_formats(asked, sent):
    assert read(("RESPONSEFORMAT", asked)).media_type == sent
