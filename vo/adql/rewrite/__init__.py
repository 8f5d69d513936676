"""Exchanges conditions for ones that the indexes answer; what is asked for never changes.

A pass is one function from SELECT to SELECT. Any of them may be left out: the answer stays the same, it takes longer.
"""

from __future__ import annotations

from collections.abc import Callable

from vo.adql.plan import SelectPlan
from vo.adql.rewrite.cone import use_cones
from vo.adql.rewrite.constants import fold_constants
from vo.adql.rewrite.coverage import use_coverage_indexes
from vo.adql.rewrite.letter_case import compare_lower_case
from vo.adql.rewrite.nearest import ask_nearest
from vo.adql.rewrite.negation import push_negations
from vo.adql.rewrite.time_range import add_time_ranges
from vo.adql.rewrite.truth import unwrap_truths

Pass = Callable[[SelectPlan], SelectPlan]

#: In this order: the first three bring conditions into the form that the others know.
PASSES: tuple[Pass, ...] = (
    fold_constants,
    unwrap_truths,
    push_negations,
    ask_nearest,
    use_cones,
    use_coverage_indexes,
    compare_lower_case,
    add_time_ranges,
)


def rewriter(passes: tuple[Pass, ...] = PASSES) -> Pass:
    """All passes in one."""

    def rewrite(select: SelectPlan) -> SelectPlan:
        for change in passes:
            select = change(select)
        return select

    return rewrite


__all__ = [
    "PASSES",
    "Pass",
    "add_time_ranges",
    "ask_nearest",
    "compare_lower_case",
    "fold_constants",
    "push_negations",
    "rewriter",
    "unwrap_truths",
    "use_cones",
    "use_coverage_indexes",
]
