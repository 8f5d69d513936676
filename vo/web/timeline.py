"""When a plate was exposed, as a drawing: one row for each night, a bar from the start to the end of each exposure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vo.web.counts import format_mjd

#: Units of the drawing: its width, room at its sides, height of a lane.
WIDTH = 640.0
_SIDE = 34.0
_LANE, _BAR = 24.0, 14.0
_AXIS = 34.0
_LEAST = 3.0
#: Room for a bar's name, by letter.
_LETTER, _GAP = 11.0, 8.0

#: What begins later than this after all before it has ended begins another row (days): half a day, so that nights part.
_APART = 0.5
_DAY = 86_400.0
#: Ticks stand this many seconds apart: from one minute to a day, then days, months and years on end.
_STEPS = (
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200),
    *(days * _DAY for days in (1, 2, 5, 10, 30, 91, 183, 365, 1826, 3652, 18_262)),
)
_TICKS_WANTED = 6


@dataclass(frozen=True, slots=True)
class Span:
    """One exposure: MJD UTC of its start and end (None where unknown); ``detail`` is what more there is to say."""

    name: str
    index: int
    start: float | None
    end: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Bar:
    """An exposure in the drawing; ``is_open`` when its end is unknown. The name stands at ``label_x``."""

    name: str
    index: int
    x: float
    y: float
    width: float
    height: float
    label_x: float
    title: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A time on the axis; ``text`` is empty where there is no room for it."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Night:
    """One row of the drawing with an axis of its own at ``axis``; ``text`` says in words what it shows."""

    heading: str
    text: str
    height: float
    axis: float
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All nights in order, and the names of exposures whose time is unknown."""

    width: float
    nights: tuple[Night, ...]
    unknown: tuple[str, ...]


def draw_timeline(spans: Sequence[Span]) -> Timeline:
    """Draw exposures; those years apart stand in rows of their own, each to its own scale."""
    known = sorted((span for span in spans if span.start is not None), key=lambda span: (_start(span), span.index))
    unknown = tuple(span.name for span in spans if span.start is None)
    return Timeline(WIDTH, tuple(_night(group) for group in _nights(known)), unknown)


def _nights(spans: Sequence[Span]) -> Iterator[list[Span]]:
    group: list[Span] = []
    latest = 0.0
    for span in spans:
        if group and _start(span) > latest + _APART:
            yield group
            group = []
        latest = max(latest, _end(span)) if group else _end(span)
        group.append(span)
    if group:
        yield group


def _night(spans: Sequence[Span]) -> Night:
    scale = _Scale.of(min(map(_start, spans)), max(map(_end, spans)))
    bars, lanes = _bars(spans, scale)
    axis = lanes * _LANE + 4.0
    first, last = (
        format_mjd(min(map(_start, spans)), with_time=False),
        format_mjd(max(map(_end, spans)), with_time=False),
    )
    heading = f"{first}" if first == last else f"{first} to {last}"
    return Night(
        heading=heading,
        text="; ".join(bar.title for bar in bars),
        height=axis + _AXIS,
        axis=axis,
        bars=tuple(bars),
        ticks=tuple(scale.ticks()),
    )


def _bars(spans: Sequence[Span], scale: _Scale) -> tuple[list[Bar], int]:
    """The bars, each in the first lane that has room for it and its name; and how many lanes that takes."""
    free: list[float] = []
    bars = []
    for span in spans:
        x = scale.x(_start(span))
        width = max(scale.x(_end(span)) - x, _LEAST)
        end = x + width + _GAP + _LETTER * len(span.name)
        lane = next((number for number, at in enumerate(free) if at <= x), len(free))
        free[lane : lane + 1] = [end + _GAP]
        bars.append(
            Bar(
                name=span.name,
                index=span.index,
                x=round(x, 2),
                y=lane * _LANE + (_LANE - _BAR) / 2,
                width=round(width, 2),
                height=_BAR,
                label_x=round(x + width + _GAP / 2, 2),
                title=_title(span),
                is_open=span.end is None,
            )
        )
    return bars, len(free)


def _title(span: Span) -> str:
    start, end = format_mjd(span.start), format_mjd(span.end)
    if end is not None and start is not None and end[:10] == start[:10]:
        end = end[11:]
    times = f"from {start} UTC, end unknown" if end is None else f"{start} to {end} UTC"
    return f"Exposure {span.name}: {times}" + (f", {span.detail}" if span.detail else "")


@dataclass(frozen=True, slots=True)
class _Scale:
    """From MJD to the drawing: from the tick at or before the first start to the one at or after the last end.

    ``step`` is in seconds; ``first`` counts steps since MJD 0.
    """

    step: float
    first: int
    count: int

    @classmethod
    def of(cls, start: float, end: float) -> _Scale:
        seconds = (end - start) * _DAY
        step = next((step for step in _STEPS if step * _TICKS_WANTED >= seconds), _STEPS[-1])
        first = math.floor(start * _DAY / step + 1e-6)
        count = max(1, math.ceil(end * _DAY / step - 1e-6) - first)
        return cls(step, first, count)

    def x(self, mjd: float) -> float:
        share = (mjd * _DAY / self.step - self.first) / self.count
        return _SIDE + share * (WIDTH - 2 * _SIDE)

    def ticks(self) -> Iterator[Tick]:
        every = -(-self.count // (2 * _TICKS_WANTED))
        for number in range(self.count + 1):
            mjd = (self.first + number) * self.step / _DAY
            yield Tick(round(self.x(mjd), 2), "" if number % every else self._name(mjd))

    def _name(self, mjd: float) -> str:
        moment = format_mjd(mjd + 0.5 / _DAY) or ""
        return moment[11:] if self.step < _DAY else moment[:10]


def _start(span: Span) -> float:
    return 0.0 if span.start is None else span.start


def _end(span: Span) -> float:
    """The end, or the start where no later end is known."""
    return max(_start(span), span.end or _start(span))
