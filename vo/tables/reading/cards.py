"""Cards of a FITS header (FITS standard 4.0 section 4), as much of them as a table's description needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import BinaryIO

from vo.errors import LimitFault, UsageFault

#: The value of a card: a text, a logical, or a number.
Card = str | bool | int | float

#: A header, and the data behind it, fill whole blocks (section 3.1).
BLOCK = 2880

_CARD = 80
#: Longer headers are refused: 999 columns with all their keywords need less.
_MOST_BLOCKS = 1000

_TEXT = re.compile(r"\s*'((?:[^']|'')*)'")
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")


def read_header(file: BinaryIO) -> Mapping[str, Card] | None:
    """Read the header that begins here, up to the data behind it; the first of equal keywords counts.

    None at the end of the file (or where something else than a header follows). A UsageFault for a header without end.
    """
    cards: dict[str, Card] = {}
    open_key: str | None = None  # of a text that goes on in a CONTINUE
    for number in range(_MOST_BLOCKS):
        block = file.read(BLOCK)
        if number == 0 and not block.startswith((b"SIMPLE  =", b"XTENSION=")):
            return None
        if len(block) < BLOCK:
            raise UsageFault("the FITS file ends within a header")
        text = block.decode("latin-1")
        for at in range(0, BLOCK, _CARD):
            card = text[at : at + _CARD]
            key = card[:8].rstrip()
            if key == "END":
                return cards
            if key == "CONTINUE" and open_key is not None:
                open_key = _continue(cards, open_key, card)
                continue
            open_key = None
            value = _value(card[10:]) if card[8:10] == "= " else None
            if value is not None and key not in cards:
                cards[key] = value
                open_key = key if isinstance(value, str) and value.endswith("&") else None
    raise LimitFault(f"a FITS header has more than {_MOST_BLOCKS * BLOCK} bytes, the limit")


def _continue(cards: dict[str, Card], key: str, card: str) -> str | None:
    """Put a CONTINUE card behind a text (section 4.2.1.2); the key while it goes on."""
    more = _value(card[8:])
    if not isinstance(more, str):
        return None
    cards[key] = str(cards[key]).removesuffix("&") + more
    return key if more.endswith("&") else None


def _value(text: str) -> Card | None:
    match = _TEXT.match(text)
    if match:
        return match[1].replace("''", "'").rstrip()
    word = text.partition("/")[0].strip()
    if word in ("T", "F"):
        return word == "T"
    if _INTEGER.fullmatch(word):
        return int(word)
    try:
        return float(word.upper().replace("D", "E"))
    except ValueError:
        return None
