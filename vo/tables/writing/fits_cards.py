"""Cards of FITS headers (FITS 4.0, section 4), written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

BLOCK = 2880

_CARD = 80
_LONGEST_VALUE = 68
_LONGEST_COMMENT = 72


def header(cards: Iterable[str]) -> bytes:
    """Put cards together to a header, with its END and in whole blocks; what is not ASCII becomes "?"."""
    text = "".join((*cards, "END".ljust(_CARD)))
    return text.encode("ascii", "replace").ljust(-(-len(text) // BLOCK) * BLOCK)


def card(keyword: str, value: str | int | bool, comment: str = "") -> str:  # noqa: FBT001  a value of FITS
    """Write a value; a text that is too long for one card goes on in others (section 4.2.1.2)."""
    if isinstance(value, str):
        first, *rest = _quoted(value)
    else:
        first, rest = ("T" if value else "F") if isinstance(value, bool) else str(value), []
        first = f"{first:>20}"
    line = f"{keyword:<8}= {first}"
    if comment and not rest:
        line = f"{line:<30} / {comment}"[:_CARD]
    return "".join(one.ljust(_CARD) for one in (line, *(f"CONTINUE  {part}" for part in rest)))


def comment(text: str) -> str:
    """Write a text as COMMENT cards."""
    line = _printable(text)
    parts = [line[start : start + _LONGEST_COMMENT] for start in range(0, len(line), _LONGEST_COMMENT)]
    return "".join(f"COMMENT {part}".ljust(_CARD) for part in parts)


def _quoted(text: str) -> Sequence[str]:
    doubled = _printable(text).replace("'", "''")
    if len(doubled) <= _LONGEST_VALUE:
        return [f"'{doubled:<8}'"]
    # No part may end between the two quotes that stand for one; every part but the last ends with "&".
    parts = re.findall(rf"(?:''|[^']){{1,{_LONGEST_VALUE // 2}}}", doubled)
    return [*(f"'{part}&'" for part in parts[:-1]), f"'{parts[-1]}'"]


def _printable(text: str) -> str:
    """Give a text as cards can carry it: printable ASCII in one line."""
    return re.sub("[^ -~]", "?", " ".join(text.split()))
