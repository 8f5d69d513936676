"""Intervals as DALI writes them (DALI 1.1 section 3.3.4): two numbers, low then high."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from vo.errors import UsageFault

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf|infinity)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Interval:
    """All numbers from ``low`` to ``high``, ends included; an open end is infinite."""

    low: float
    high: float


def parse_numbers(text: str) -> tuple[float, ...] | None:
    """The numbers of a text, separated by white space; None when one of them is no number (NaN is none)."""
    words = text.split()
    if not all(_NUMBER.fullmatch(word) for word in words):
        return None
    return tuple(float(word) for word in words)


def parse_interval(text: str, name: str = "the interval") -> Interval:
    """Read ``low high`` or a single number, which means itself (SIA 2.0 section 2.1.2, SIA-12).

    Open ends are written ``-Inf`` and ``+Inf`` in any case. ``name`` is the parameter's, for the fault.
    """
    numbers = parse_numbers(text)
    if numbers is None or len(numbers) not in (1, 2):
        raise UsageFault(
            f"{name}={text!r} is not an interval; write two numbers, low and high, such as '3e-7 5e-7' or "
            "'3e-7 +Inf', or a single number"
        )
    low, high = numbers[0], numbers[-1]
    if high < low:
        raise UsageFault(f"{name}={text!r} ends before it begins; write the lower number first")
    if low == math.inf or high == -math.inf:
        raise UsageFault(f"{name}={text!r} holds no number; an open interval is '-Inf 5' or '5 +Inf'")
    return Interval(low, high)
