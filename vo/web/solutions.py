"""A plate's solutions and their versions, as its page lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vo.db.records import Solution
from vo.products.headers import header_url


@dataclass(frozen=True, slots=True)
class SolutionLine:
    """One version of a solution; ``exposure`` names the one that it is matched with, ``header`` leads to its cards."""

    solution: Solution
    header: str
    exposure: str | None
    date: str | None
    residual: str | None
    stars: str | None


def list_solutions(solutions: Sequence[Solution], names: Mapping[str, str], base: str) -> tuple[SolutionLine, ...]:
    """All versions, the newest of each first, in the order of the solutions; ``names`` are those of the exposures."""
    in_order = sorted(solutions, key=lambda one: (one.scan_id, one.order, -one.version))
    return tuple(_line(one, names, base) for one in in_order)


def _line(solution: Solution, names: Mapping[str, str], base: str) -> SolutionLine:
    exposure = solution.exposure_id
    return SolutionLine(
        solution=solution,
        header=header_url(base, solution),
        exposure=None if exposure is None else names.get(exposure, exposure),
        date=None if solution.made_date is None else f"{solution.made_date:%Y-%m-%d}",
        residual=None if solution.residual is None else f"{solution.residual:.3g}\N{DOUBLE PRIME}",
        stars=None if solution.star_count is None else f"{solution.star_count:,}",
    )
