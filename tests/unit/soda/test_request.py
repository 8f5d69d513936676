"""What a SODA request asks for: SOD-01, SOD-02, SOD-05, and what Aladin and pyVO send."""

from __future__ import annotations

import math

import pytest

from vo.dali.intervals import Interval
from vo.dali.parameters import Parameters
from vo.dali.shapes import Circle, Polygon, Range
from vo.errors import LimitFault, MultiValuedParamNotSupportedFault, UsageFault
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
    asked = read((name, value)).shape
    assert (asked.shape, asked.text) == (shape, f"{name.upper()}={value}")


def test_the_id_is_kept_as_it_came_and_required():
    assert read().dids == (DID,)
    with pytest.raises(UsageFault, match="ID is missing"):
        read_request(Parameters([("CIRCLE", "1 2 3")]))


def test_empty_values_are_absent_ones_as_aladin_sends_them():
    request = read(("POS", "CIRCLE 10 -5 0.5"), ("TIME", ""), ("BAND", ""), ("POL", "")).filters
    assert (request.time, request.band, request.polarisation) == (None, None, ())


@pytest.mark.parametrize(
    "pairs",
    [
        [("CIRCLE", "1 2 3"), ("CIRCLE", "4 5 6")],
        [("CIRCLE", "1 2 3"), ("POS", "CIRCLE 1 2 3")],
        [("POLYGON", "1 2 3 4 5 2"), ("CIRCLE", "1 2 3")],
        [("BAND", "1 2"), ("BAND", "3 4")],
        [("TIME", "1 2"), ("TIME", "3 4")],
    ],
)
def test_one_value_of_each_and_one_shape(pairs):
    with pytest.raises(MultiValuedParamNotSupportedFault):
        read(*pairs)


def test_the_other_axes():
    request = read(("BAND", "3e-7 +Inf"), ("TIME", "10000 10001"), ("POL", "I"), ("POL", "Q")).filters
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
        ("RESPONSEFORMAT", "image/tiff"),
        ("MASK", "polygon"),
        ("ORIENT", "south"),
        ("ORIENT", "north"),  # FITS stays as it is
    ],
)
def test_a_bad_value_is_named_with_its_parameter(name, value):
    with pytest.raises(UsageFault, match=name):
        read((name, value))


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("image/fits", "image/fits"),
        ("application/fits", "application/fits"),
        ("FITS", "image/fits"),
        ("jpg", "image/jpeg"),
        ("image/png", "image/png"),
    ],
)
def test_formats(asked, sent):
    output = read(("RESPONSEFORMAT", asked)).output
    assert output.media_type == sent
    assert output.is_picture == (sent in ("image/jpeg", "image/png"))


def test_mask_and_orientation_are_off_unless_asked_for():
    plain = read(("MASK", "0"), ("ORIENT", "native")).output
    assert plain == read().output
    assert not plain.is_masked
    both = read(("mask", "1"), ("orient", "North"), ("RESPONSEFORMAT", "png")).output
    assert (both.is_masked, both.is_north_up) == (True, True)


def test_ids_keep_their_order_and_their_number_is_limited():
    assert read(("ID", "ivo://a.b/c?q/2"), ("ID", DID)).dids == (DID, "ivo://a.b/c?q/2")
    with pytest.raises(LimitFault, match="cutout_ids"):
        read_request(Parameters([("ID", str(number)) for number in range(4)]), 3)


@pytest.mark.parametrize("form", ["POLYGON", "POS"])
def test_the_vertices_of_a_polygon_are_limited(form):
    def asked(count):
        rim = " ".join(f"{100 + math.cos(0.1 * one):.6f} {math.sin(0.1 * one):.6f}" for one in range(count))
        return Parameters([("ID", DID), (form, rim if form == "POLYGON" else f"POLYGON {rim}")])

    assert read_request(asked(20), 1, 20).shape is not None
    with pytest.raises(LimitFault, match=r"21 vertices; the limit \(cutout_vertices\) is 20"):
        read_request(asked(21), 1, 20)
