"""How many exposures were taken in each year, as a drawing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from psycopg import Connection, sql
from psycopg.rows import TupleRow

#: Units of the drawing: its size, and the room for numbers at the left and for years below, the last at the right.
WIDTH, HEIGHT = 720.0, 220.0
_LEFT, _RIGHT, _BELOW, _ABOVE = 52.0, 18.0, 26.0, 8.0
#: Years between ticks; the first that leaves few enough of them is taken.
_STEPS = (1, 2, 5, 10, 20, 50, 100)
_MOST_TICKS = 13
#: A bar's share of the width of its year.
_BAR = 0.82

_YEARS = """
SELECT extract(year FROM date '1858-11-17' + floor(t_min)::integer)::integer, count(*) FROM {}
WHERE t_min BETWEEN -600000 AND 1000000 GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """A year with exposures."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Years:
    """The drawing, y downwards: ``ticks`` are years below, ``levels`` numbers of exposures at the left."""

    width: float
    height: float
    base: float
    left: float
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    levels: tuple[tuple[float, str], ...]
    text: str


def count_years(connection: Connection[TupleRow], collection: str) -> dict[int, int]:
    """Exposures of a collection in each year in which one began (UTC); those without a date are not counted."""
    rows = connection.execute(sql.SQL(_YEARS).format(sql.Identifier(collection, "plates"))).fetchall()
    return {int(year): int(count) for year, count in rows}


def draw_years(counts: Mapping[int, int]) -> Years | None:
    """Draw numbers of exposures by year; None when there are none."""
    if not counts:
        return None
    first, last, most = min(counts), max(counts), max(counts.values())
    pace = (WIDTH - _LEFT - _RIGHT) / (last - first + 1)
    base = HEIGHT - _BELOW
    top = _round_up(most)
    rise = (base - _ABOVE) / top
    bars = tuple(
        Bar(
            x=round(_LEFT + (year - first + (1.0 - _BAR) / 2) * pace, 2),
            y=round(base - count * rise, 2),
            width=round(_BAR * pace, 2),
            height=round(count * rise, 2),
            title=f"{year}: {count:,} exposure{'s' if count != 1 else ''}",
        )
        for year, count in sorted(counts.items())
    )
    ticks = tuple((round(_LEFT + (year - first + 0.5) * pace, 2), str(year)) for year in _ticks(first, last))
    levels = tuple((round(base - level * rise, 2), f"{level:,}") for level in dict.fromkeys((top, top // 2)) if level)
    total = sum(counts.values())
    text = f"{total:,} exposures from {first} to {last}; most in {max(counts, key=lambda year: counts[year])}: {most:,}"
    return Years(WIDTH, HEIGHT, base, _LEFT, bars, ticks, levels, text)


def _round_up(number: int) -> int:
    """The next number of one digit and zeros, or of 1, 1.5, 2, 2.5."""
    unit = 10 ** max(0, math.floor(math.log10(number)))
    return next(int(unit * step) for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if int(unit * step) >= number)


def _ticks(first: int, last: int) -> Iterator[int]:
    step = next((step for step in _STEPS if (last - first) / step < _MOST_TICKS), 1000)
    yield from range(-(-first // step) * step, last + 1, step)
