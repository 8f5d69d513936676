"""FITS header cards as they stand in the file: 80 characters each (FITS 4.0, section 4.1).

Headers of plates are full of cards that a strict parser refuses or rewrites (open strings, IRAF's WAT cards whose
trailing blanks mean something), so what is kept is the card's image, and values are read from it when asked for.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from astropy.io import fits

CARD = 80
#: Longest string in one card: columns 12 to 79.
_STRING = 68
_KEYWORD = 8
_NOT_VALUES = frozenset({"", "COMMENT", "HISTORY", "END", "CONTINUE"})
_STRING_VALUE = re.compile(r"\s*'((?:[^']|'')*)'")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([EeDd][+-]?\d+)?")

Value = str | float | int | bool | None
AnyHeader: TypeAlias = fits.Header | str | bytes | Mapping[str, object] | Sequence[tuple[str, Value, str]]


@dataclass(frozen=True, slots=True)
class Cards:
    """The cards of one header, each 80 characters, without END; ``repairs`` tells what had to be mended."""

    images: tuple[str, ...]
    repairs: tuple[str, ...] = ()

    def values(self) -> dict[str, Value]:
        """The value of every keyword; of a keyword that stands twice, the last (as wcslib takes it)."""
        return {keyword(image): value(image) for image in self.images if keyword(image) not in _NOT_VALUES}

    def text(self) -> str:
        """The cards joined by newlines, as ``vo.db.records.Solution.header`` holds them."""
        return "\n".join(self.images)


def keyword(image: str) -> str:
    """The keyword of a card: its first eight columns, without the blanks."""
    return image[:8].strip().upper()


def value(image: str) -> Value:
    """The value of a card; None when it has none or one that cannot be read. D exponents are numbers too."""
    if image[8:10] != "= ":
        return None
    rest = image[10:]
    if found := _STRING_VALUE.match(rest):
        return found[1].replace("''", "'").rstrip()
    word = rest.split("/", 1)[0].strip()
    if word in ("T", "F"):
        return word == "T"
    return _number(word)


def _number(word: str) -> float | int | None:
    if not _NUMBER.fullmatch(word):
        return None
    if re.fullmatch(r"[+-]?\d+", word):
        return int(word)
    return float(word.upper().replace("D", "E"))


def raw_string(image: str) -> str:
    """A string value with its trailing blanks, which mean something in WAT cards (IRAF's)."""
    found = _STRING_VALUE.match(image[10:])
    return found[1].replace("''", "'") if found else ""


def make(key: str, content: Value, comment: str = "") -> str:
    """The card of a short value; numbers keep every digit (shortest text that reads back the same)."""
    if isinstance(content, bool):
        text = f"{'T' if content else 'F':>20}"
    elif isinstance(content, str):
        text = "'" + content.replace("'", "''").ljust(8) + "'"
    elif isinstance(content, int):
        text = f"{content:>20d}"
    elif content is None or not math.isfinite(content):
        text = ""
    else:
        text = f"{content!r:>20}".upper()
    image = f"{key:<8}= {text}"
    if comment and len(image) + 3 < CARD:
        image = f"{image} / {comment}"
    if len(image) > CARD and isinstance(content, str):
        return str(fits.Card(key, content, comment))
    return image[:CARD].ljust(CARD)


def replaced(image: str, content: Value) -> str:
    """The same card with another value, its comment kept where it fits."""
    rest = image[10:]
    found = _STRING_VALUE.match(rest)
    after = rest[found.end() :] if found else rest
    comment = after.split("/", 1)[1].strip() if "/" in after else ""
    return make(keyword(image), content, comment)


def renamed(image: str, key: str) -> str:
    """The same card under another keyword."""
    return f"{key:<8}{image[8:]}"


def read_cards(header: AnyHeader) -> Cards:
    """The cards of a header given as astropy Header, mapping of values, (keyword, value, comment)s, or text.

    Text is either cards of 80 characters without separators, or lines (which may be shorter than 80); bytes are
    the same in ASCII. Lines longer than a card are cut, and told; WAT strings are split anew.
    """
    if isinstance(header, fits.Header):
        return _from_astropy(header)
    if isinstance(header, Mapping):
        return _from_mapping(header)
    if not isinstance(header, str | bytes):
        return _from_astropy(fits.Header([fits.Card(*card) for card in header]))
    text = header.decode("ascii", "replace") if isinstance(header, bytes) else header
    lines = text.splitlines() if "\n" in text else [text[i : i + CARD] for i in range(0, len(text), CARD)]
    repairs: list[str] = []
    images = _joined_wat(_until_end(lines), repairs)
    return Cards(tuple(_image(line, repairs) for line in images), tuple(repairs))


def header_from_mapping(values: Mapping[str, object]) -> fits.Header:
    """An astropy Header from a mapping of keywords to values, as collections of headers in JSON have it.

    Lists (COMMENT, HISTORY) become one card each; names that FITS does not allow become HIERARCH cards.
    """
    header = fits.Header()
    for key, content in values.items():
        for item in content if isinstance(content, list | tuple) else (content,):
            name = key if len(key) <= _KEYWORD or key.startswith("HIERARCH ") else f"HIERARCH {key}"
            header.append(fits.Card(name, item if isinstance(item, str | int | float | bool) else None), end=True)
    return header


def _from_mapping(values: Mapping[str, object]) -> Cards:
    """Cards of the values under plain keywords; going through a Header would take ten times as long."""
    images = []
    for key, content in values.items():
        if len(key) <= _KEYWORD and (content is None or isinstance(content, str | int | float)):
            image = make(key.upper(), content)
            images += [image[start : start + CARD] for start in range(0, len(image), CARD)]
    return Cards(tuple(images))


def _from_astropy(header: fits.Header) -> Cards:
    """Cards of a Header; what astropy mends while it writes them is told as repairs."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        text = header.tostring(sep="", endcard=False, padding=False)
    found = read_cards(text)
    return Cards(found.images, (*(str(warning.message).split("\n")[0] for warning in caught), *found.repairs))


def _until_end(lines: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for line in lines:
        if line.rstrip() == "END":
            break
        if line.strip():
            kept.append(line.rstrip())
    return kept


def _joined_wat(lines: list[str], repairs: list[str]) -> list[str]:
    """Split the strings of an axis's WAT cards anew when one of them is longer than a card can be."""
    axes = {line[3] for line in lines if re.match(r"WAT\d_\d{3}=", line) and len(line) > CARD}
    for axis in sorted(axes):
        own = [index for index, line in enumerate(lines) if re.match(rf"WAT{axis}_\d{{3}}=", line)]
        whole = "".join(raw_string(lines[index]) for index in own)
        made = [
            f"WAT{axis}_{number + 1:03d}= '{whole[start : start + _STRING]}'"
            for number, start in enumerate(range(0, len(whole), _STRING))
        ]
        lines = [*lines[: own[0]], *made, *(line for line in lines[own[0] :] if not line.startswith(f"WAT{axis}_"))]
        repairs.append(f"WAT{axis}_nnn: strings longer than a card split anew")
    return lines


def _image(line: str, repairs: list[str]) -> str:
    """One line as a card of 80 characters."""
    name = line[:8].strip()
    if len(line) > CARD:
        content = line[10:].split("'")
        ends_in_string = line[10:].lstrip().startswith("'") and len("'".join(content[:2])) + 10 >= CARD
        repairs.append(
            f"{name}: a card of {len(line)} characters {'ends in its value' if ends_in_string else 'cut to 80'}"
        )
        line = line[:CARD]
    if line[8:10] == "= " and line[10:].lstrip().startswith("'") and not _STRING_VALUE.match(line[10:]):
        repairs.append(f"{name}: string without closing quote closed")
        line = line[: CARD - 1] + "'"
    return line.ljust(CARD)
