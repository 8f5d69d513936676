from __future__ import annotations

import pytest

from vo.web.records.years import draw_years


def test_no_exposures_no_drawing():
    assert draw_years({}) is None


@pytest.mark.parametrize(
    "counts", [{1910: 1}, {1885: 3, 1989: 1151, 1900: 0x100}, {1: 5, 2000: 7}, {1950: 9, 1951: 10}]
)
def test_bars_have_the_heights_of_their_numbers(counts):
    years = draw_years(counts)
    assert len(years.bars) == len(counts)
    heights = {bar.title[: bar.title.index(":")]: bar.height for bar in years.bars}
    most = max(counts, key=counts.get)
    for year, count in counts.items():
        assert heights[str(year)] == pytest.approx(heights[str(most)] * count / counts[most], abs=0.02)
    for bar in years.bars:
        assert bar.y + bar.height == pytest.approx(years.base, abs=0.02)
        assert bar.x >= years.left
        assert bar.x + bar.width <= years.width
        assert bar.y >= 0
    assert 0 < len(years.ticks) <= 13


def test_the_level_beside_a_bar_is_its_number():
    years = draw_years({1900: 1000, 1901: 500})
    assert years.levels[0] == (years.bars[0].y, "1,000")
    assert years.levels[1] == (years.bars[1].y, "500")
    assert years.bars[0].title == "1900: 1,000 exposures"
