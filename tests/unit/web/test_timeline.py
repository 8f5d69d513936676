"""The timeline: bars where their times are, nights apart, and exposures whose times are not known."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo.web.timeline import WIDTH, Span, draw_timeline


def mjd(text):
    return (dt.datetime.fromisoformat(f"{text}Z") - dt.datetime(1858, 11, 17, tzinfo=dt.UTC)).total_seconds() / 86_400


def span(name, start, end, detail=""):
    return Span(name, int(name), start and mjd(start), end and mjd(end), detail)


def test_one_exposure():
    timeline = draw_timeline([span("1", "1907-09-30T23:15", "1907-09-30T23:45", "Pole")])
    (night,) = timeline.nights
    (bar,) = night.bars
    assert night.heading == "1907-09-30"
    assert bar.title == "Exposure 1: 1907-09-30 23:15 to 23:45 UTC, Pole"
    labels = {tick.text: tick.x for tick in night.ticks}
    assert labels["23:15"] == pytest.approx(bar.x, abs=0.1)
    assert labels["23:45"] == pytest.approx(bar.x + bar.width, abs=0.1)


def test_eleven_close_together_stand_side_by_side_to_scale():
    begin = mjd("1899-11-16T02:00")
    spans = [Span(str(n + 1), n, begin + n * 12 / 1440, begin + (n * 12 + 5) / 1440, "") for n in range(11)]
    (night,) = draw_timeline(spans).nights
    assert [bar.name for bar in night.bars] == [str(n + 1) for n in range(11)]
    starts = [bar.x for bar in night.bars]
    steps = [second - first for first, second in itertools.pairwise(starts)]
    assert steps == pytest.approx([steps[0]] * 10, abs=0.05)
    assert night.bars[0].width == pytest.approx(steps[0] * 5 / 12, abs=0.05)


def test_across_midnight_is_one_night():
    timeline = draw_timeline(
        [
            span("1", "1941-02-03T23:30", "1941-02-04T00:30"),
            span("2", "1941-02-04T00:40", "1941-02-04T01:00"),
        ]
    )
    (night,) = timeline.nights
    assert night.heading == "1941-02-03 to 1941-02-04"
    assert "00:00" in {tick.text for tick in night.ticks}
    assert night.bars[0].title == "Exposure 1: 1941-02-03 23:30 to 1941-02-04 00:30 UTC"


def test_years_apart_are_rows_with_scales_of_their_own():
    timeline = draw_timeline(
        [
            span("2", "1931-05-01T01:00", "1931-05-01T02:00"),
            span("1", "1899-11-16T02:00", "1899-11-16T02:05"),
            span("3", "1899-11-16T02:10", "1899-11-16T02:15"),
        ]
    )
    assert [night.heading for night in timeline.nights] == ["1899-11-16", "1931-05-01"]
    assert [[bar.name for bar in night.bars] for night in timeline.nights] == [["1", "3"], ["2"]]


def test_unknown_times_are_told():
    timeline = draw_timeline([span("1", None, None), span("2", "1899-11-16T02:00", None), span("3", None, None)])
    assert timeline.unknown == ("1", "3")
    ((bar,),) = (night.bars for night in timeline.nights)
    assert bar.is_open
    assert bar.title == "Exposure 2: from 1899-11-16 02:00 UTC, end unknown"
    assert draw_timeline([]).nights == ()


def test_an_end_before_the_start_is_a_moment():
    (night,) = draw_timeline([span("1", "1899-11-16T02:00", "1899-11-15T02:00")]).nights
    assert night.bars[0].width == 3.0


def test_a_date_known_to_the_year_only():
    (night,) = draw_timeline([span("1", "1899-01-01T00:00", "1900-01-01T00:00")]).nights
    assert all(len(tick.text) in (0, 10) for tick in night.ticks)
    assert sum(bool(tick.text) for tick in night.ticks) >= 3


SPANS = st.lists(
    st.tuples(st.one_of(st.none(), st.floats(-20_000, 70_000)), st.one_of(st.none(), st.floats(-1, 500))), max_size=20
)


@given(SPANS)
def test_every_bar_lies_in_the_drawing_and_none_covers_another(times):
    spans = [
        Span(str(index), index, start, None if start is None or length is None else start + length, "")
        for index, (start, length) in enumerate(times)
    ]
    timeline = draw_timeline(spans)
    shown = [bar.name for night in timeline.nights for bar in night.bars]
    assert sorted([*shown, *timeline.unknown]) == sorted(span.name for span in spans)
    for night in timeline.nights:
        assert 2 <= len(night.ticks) <= 20
        for bar in night.bars:
            assert bar.x >= 0
            assert bar.x + bar.width <= WIDTH
            assert bar.y >= 0
            assert bar.y + bar.height <= night.axis
        for one in night.bars:
            for two in night.bars:
                assert one is two or one.y != two.y or one.x + one.width <= two.x or two.x + two.width <= one.x
