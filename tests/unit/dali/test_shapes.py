from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vo.dali.intervals import Interval, parse_interval
from vo.dali.shapes import Circle, Polygon, Range, parse_circle, parse_polygon, parse_pos
from vo.errors import UsageFault

LON = st.floats(0, 360)
LAT = st.floats(-90, 90)


@settings(max_examples=50, deadline=None)
@given(LON, LAT, st.floats(0, 180))
def test_circle_reads_back_what_was_written(ra, dec, radius):
    assert parse_circle(f"{ra!r} {dec!r} {radius!r}") == Circle(ra, dec, radius)
    assert parse_pos(f" circle  {ra!r}\t{dec!r} {radius!r} ") == Circle(ra, dec, radius)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(LON, LAT), min_size=3, max_size=30, unique=True))
def test_polygon_reads_back_what_was_written(vertices):
    text = " ".join(f"{ra!r} {dec!r}" for ra, dec in vertices)
    assert parse_polygon(text).vertices == tuple(vertices)
    assert parse_pos(f"POLYGON {text}") == Polygon(tuple(vertices))
    closed = f"{text} {vertices[0][0]!r} {vertices[0][1]!r}"
    assert parse_polygon(closed).vertices == tuple(vertices)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("RANGE 12 12.5 34 36", Range(12, 12.5, 34, 36)),
        ("RANGE 0 360 89 +Inf", Range(0, 360, 89, 90)),
        ("RANGE -Inf +Inf -Inf +Inf", Range(0, 360, -90, 90)),
        ("range 0 360.0 -2 2", Range(0, 360, -2, 2)),
        ("CIRCLE 5 -3 0", Circle(5, -3, 0)),
    ],
)
def test_edges_of_pos_SIA_07(text, shape):  # noqa: N802  the assertion's id
    assert parse_pos(text) == shape


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "CIRCLE <longitude>"),
        ("CIRCLE", "CIRCLE <longitude> <latitude> <radius>"),
        ("CIRCLE 1 2", "CIRCLE <longitude> <latitude> <radius>"),
        ("CIRCLE ICRS 1 2 3", "CIRCLE <longitude> <latitude> <radius>"),
        ("CIRCLE NaN 2 3", "CIRCLE <longitude> <latitude> <radius>"),
        ("CIRCLE 1 2 inf", "between 0 and 180"),
        ("CIRCLE 361 2 3", "longitude 361 does not lie between 0 and 360"),
        ("CIRCLE -1 2 3", "longitude -1 does not lie"),
        ("CIRCLE 1 -91 3", "latitude -91 does not lie between -90 and 90"),
        ("CIRCLE 1 2 -3", "radius is -3"),
        ("RANGE 350 10 0 1", "RANGE 350 360 0 1 and RANGE 0 10 0 1"),
        ("RANGE 1 2 4 3", "write the lower first"),
        ("RANGE 1 2 3", "RANGE <lon1>"),
        ("RANGE 1 2 3 95", "latitude 95"),
        ("POLYGON 1 2 3 4 5", "POLYGON <lon1>"),
        ("POLYGON 1 2 3 4", "POLYGON <lon1>"),
        ("POLYGON 1 2 3 4 1 2", "POLYGON <lon1>"),
        ("POLYGON 1 2 3 4 500 6", "longitude 500"),
        ("BOX 1 2 3 4", "names no shape known here"),
        ("CIRCLE 1_0 2 3", "CIRCLE <longitude>"),
    ],
)
def test_a_bad_shape_is_told_the_right_form(text, advice):
    with pytest.raises(UsageFault) as caught:
        parse_pos(text)
    assert advice in caught.value.text
    assert caught.value.text.startswith("POS=")


def test_a_long_value_is_not_shown_whole():
    with pytest.raises(UsageFault) as caught:
        parse_pos("x" * 100_000)
    assert len(caught.value.text) < 500


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("3e-7 5e-7", (3e-7, 5e-7)),
        ("5.5e-7", (5.5e-7, 5.5e-7)),
        ("-Inf 5", (-math.inf, 5)),
        ("-inf 5", (-math.inf, 5)),
        ("5 +Inf", (5, math.inf)),
        ("5 inf", (5, math.inf)),
        ("-Inf +Inf", (-math.inf, math.inf)),
        (" .5  1. ", (0.5, 1)),
        ("2415020.5 2415020.5", (2415020.5, 2415020.5)),
    ],
)
def test_intervals_SIA_12(text, interval):  # noqa: N802  the assertion's id
    assert parse_interval(text, "BAND") == Interval(*interval)


@pytest.mark.parametrize(
    "text", ["", "a", "1 2 3", "NaN 1", "5 4", "1/2", "Inf", "Inf Inf", "-Inf -Inf", "1_0 20", "+ 1"]
)
def test_what_is_no_interval(text):
    with pytest.raises(UsageFault, match="BAND="):
        parse_interval(text, "BAND")


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_shape_or_a_usage_fault(text):
    for parse in (parse_pos, parse_circle, parse_polygon, parse_interval):
        try:
            parse(text)
        except UsageFault:
            continue
