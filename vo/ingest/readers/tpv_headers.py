"""The solutions of a mosaic as DASCH keeps them: one header text, packed, with one or many TPV systems.

What they mean is what daschlab makes of them (``daschlab/mosaics.py``): a header with one system has it without a
letter; one with many has them under A, B, ..., and the last one again without a letter. CTYPE is always read as TPV
with ICRS, whatever stands there (imwcs writes TAN), since that is how the PV cards were fitted. The TPV convention:
https://fits.gsfc.nasa.gov/registry/tpvwcs/tpv.html
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import dataclass

from vo.pixels import cards as fits_cards
from vo.pixels.cards import Cards, Value, keyword, make, read_cards, renamed
from vo.pixels.wcs import ImageWCS, find_solutions

#: A header of 26 systems with all their terms has a quarter of this.
LONGEST_HEADER = 1_000_000
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LINEAR = ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")
_TERM = re.compile(r"PV(\d+)_(\d+)")
_AXES = 2
#: The highest term of a TPV.
_LAST_TERM = 39
_READABLE = ("TAN", "TPV")
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class HeaderSolutions:
    """The solutions of one header, in DASCH's order, and what the header tells of all of them."""

    solutions: tuple[ImageWCS, ...]
    values: dict[str, Value]
    repairs: tuple[str, ...]


def unpack(text: str) -> str:
    """The header text out of gzip in base64; ValueError says what is wrong with it. It is never let grow.

    A byte that is not ASCII becomes the sign for that: names of people have got into comments, which harm no number.
    """
    try:
        packed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not base64: {error}") from error
    work = zlib.decompressobj(_GZIP_WINDOW)
    try:
        held = work.decompress(packed, LONGEST_HEADER)
    except zlib.error as error:
        raise ValueError(f"not gzip: {error}") from error
    if work.unconsumed_tail or len(held) >= LONGEST_HEADER:
        raise ValueError(f"it unpacks to more than {LONGEST_HEADER:,} bytes, which no header has")
    if not work.eof:
        raise ValueError("its gzip stream is cut off")
    return held.decode("ascii", "replace")


def read_solutions(text: str, shape: tuple[int, int]) -> HeaderSolutions:
    """Every solution of a header for a grid of ``shape`` (width, height) pixels; ValueError for the first bad one.

    END may be missing: gzip's own checksum tells that the text is whole.
    """
    lines = text.splitlines() if "\n" in text else [text[start : start + 80] for start in range(0, len(text), 80)]
    cards = read_cards(text)
    values = cards.values()
    repairs = [*cards.repairs]
    if not any(line.rstrip() == "END" for line in lines):
        repairs.append("the header has no END card")
    if "\ufffd" in text:
        repairs.append("the header holds bytes that are not ASCII")
    made = tuple(_solution(cards, values, letter, shape, repairs) for letter in _letters(values))
    return HeaderSolutions(made, values, tuple(dict.fromkeys(repairs)))


def _letters(values: dict[str, Value]) -> tuple[str, ...]:
    """The letters of the systems in their order; of a lone one none, written as a blank."""
    if "CTYPE1A" not in values:
        if "CTYPE1" not in values and "CRVAL1" not in values:
            return ()
        return (" ",)
    count = next((number for number, letter in enumerate(_LETTERS) if f"CTYPE1{letter}" not in values), len(_LETTERS))
    stray = [letter for letter in _LETTERS[count:] if f"CTYPE1{letter}" in values]
    if stray:
        raise ValueError(f"CTYPE1{_LETTERS[count]} is missing, though there is a CTYPE1{stray[0]}")
    return tuple(_LETTERS[:count])


def _solution(
    cards: Cards, values: dict[str, Value], letter: str, shape: tuple[int, int], repairs: list[str]
) -> ImageWCS:
    name = "the solution" if letter == " " else f"solution {letter}"
    _check_projection(values, letter, name, repairs)
    images = [make("WCSAXES", _AXES), make("CTYPE1", "RA---TPV"), make("CTYPE2", "DEC--TPV")]
    images += [make("CUNIT1", "deg"), make("CUNIT2", "deg"), make("RADESYS", "ICRS")]
    images += [_linear(values, card, letter, name) for card in _LINEAR]
    images += _terms(cards, letter, name)
    found = find_solutions("\n".join(images), shape)
    if not found.solutions:
        raise ValueError(f"{name} cannot be used: {'; '.join(found.problems) or 'its cards make no coordinate system'}")
    repairs += [f"{name}: {text}" for text in found.solutions[0].repairs]
    return found.solutions[0]


def _check_projection(values: dict[str, Value], letter: str, name: str, repairs: list[str]) -> None:
    for axis in (1, 2):
        card = f"CTYPE{axis}{letter.strip()}"
        text = values.get(card)
        if text is None and letter == " ":
            continue  # what a lone solution is needs no saying
        if not isinstance(text, str) or text.strip().upper()[-3:] not in _READABLE:
            raise ValueError(f"{name} cannot be used: {card} is {text!r}, neither a TPV nor a TAN with PV cards")
    frame = values.get(f"RADESYS{letter.strip()}", values.get("RADECSYS") if letter == " " else None)
    if isinstance(frame, str) and frame.strip().upper() not in ("", "ICRS"):
        repairs.append(f"{name}: frame {frame.strip()} read as ICRS, as daschlab does")


def _linear(values: dict[str, Value], card: str, letter: str, name: str) -> str:
    own = card + letter.strip()
    value = values.get(own)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} cannot be used: {own} is {'missing' if value is None else repr(value)}")  # noqa: TRY004 -- of a source
    return make(card, float(value))


def _terms(cards: Cards, letter: str, name: str) -> list[str]:
    images = []
    for image in cards.images:
        own = keyword(image)
        if not own.startswith("PV") or own[-1].isdigit() != (letter == " ") or (letter != " " and own[-1] != letter):
            continue
        bare = own if letter == " " else own[:-1]
        found = _TERM.fullmatch(bare)
        if found is None or not 1 <= int(found[1]) <= _AXES or int(found[2]) > _LAST_TERM:
            raise ValueError(f"{name} cannot be used: {own} is no term of a TPV (PV1_0 to PV2_{_LAST_TERM})")
        value = fits_cards.value(image)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} cannot be used: {own} is no number")  # noqa: TRY004 -- of a source
        images.append(renamed(image, bare))
    return images
