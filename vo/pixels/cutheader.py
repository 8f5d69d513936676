"""The header of a cutout: the file's own, with the exposure's coordinate system moved to the new corner.

Nothing is lost on the way: the file's other coordinate systems move too (CRPIX; CNPIX of DSS plate polynomials; LTV of
IRAF's physical coordinates), its other cards stay as they are, and what has to go is told in HISTORY.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from astropy.io import fits

from vo.pixels import select
from vo.pixels.cards import CARD, Cards, Value, keyword, make, replaced, value
from vo.pixels.read import BLOCK, Box, ImageHDU
from vo.pixels.rescale import shifted
from vo.pixels.wcs import ImageWCS, as_primary, relettered

CutCard = tuple[str, Value] | tuple[str, Value, str]

#: What describes how the whole was stored, not what it shows.
_STRUCTURE = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BLOCKED|INHERIT"
    r"|TFIELDS|THEAP|T(TYPE|FORM|UNIT|NULL|SCAL|ZERO|DISP|DIM)\d+"
    r"|Z(IMAGE|CMPTYPE|BITPIX|NAXIS\d*|TILE\d+|NAME\d+|VAL\d+|MASKCMP|SIMPLE|TENSION|EXTEND|BLOCKED|PCOUNT|GCOUNT"
    r"|QUANTIZ|DITHER0|SCALE|ZERO|BLANK|HECKSUM|DATASUM)"
)
#: True of the whole image only.
_STALE = frozenset({"CHECKSUM", "DATASUM", "DATAMIN", "DATAMAX"})
#: No letter can follow their cards, so they cannot stand beside another primary system.
_UNLETTERED = frozenset({"DSS", "TNX", "ZPX"})
_TEXT = 72
_ANY_SYSTEM = ("CTYPE", "CRVAL", "CDELT")


@dataclass(frozen=True, slots=True)
class _Base:
    """What the headers of all cutouts of an image by one solution share.

    ``moving`` are the places in ``images`` of cards that depend on the corner, ``anchors`` the keywords of missing
    reference pixels with their axis.
    """

    images: tuple[str, ...]
    moving: tuple[int, ...]
    anchors: tuple[tuple[str, int], ...]
    history: tuple[str, ...]


def build_header(
    image: ImageHDU, own: tuple[ImageWCS, ...], wcs: ImageWCS, box: Box, cards: Iterable[CutCard], name: str
) -> bytes:
    """The header of the part ``box`` of an image, padded to whole blocks.

    ``wcs`` becomes the untagged system, which programs look for. ``own`` are the file's systems: when ``wcs`` is one of
    them, the others stay under letters; when it comes from elsewhere, it stands instead of them all.
    """
    base = _base(image, own, wcs)
    body = list(base.images)
    for at in base.moving:
        changed = shifted(keyword(body[at]), value(body[at]), box.left, box.bottom)
        body[at] = body[at] if changed is None else replaced(body[at], changed)
    body += [make(key, -(box.left, box.bottom)[axis - 1]) for key, axis in base.anchors]
    told = [_part(image, box, name), *base.history]
    images = [*_structure(image, box), *_with_added(body, [*cards, *(("HISTORY", line) for line in told)])]
    text = "".join(images) + "END".ljust(CARD)
    return text.ljust(-(-len(text) // BLOCK) * BLOCK).encode("ascii", "replace")


def _structure(image: ImageHDU, box: Box) -> list[str]:
    axes = (box.width, box.height, *image.planes)
    return [
        make("SIMPLE", content=True, comment="conforms to FITS standard"),
        make("BITPIX", image.bitpix, "as in the whole image"),
        make("NAXIS", len(axes)),
        *(make(f"NAXIS{number}", length) for number, length in enumerate(axes, start=1)),
    ]


@lru_cache(maxsize=256)
def _base(image: ImageHDU, own: tuple[ImageWCS, ...], wcs: ImageWCS) -> _Base:
    values = image.cards.values()
    history = _stale(image)
    is_own = wcs in own
    gone = {one.key for one in own} if is_own else set(select.keys_in(values))
    gone.add(" ")  # cards of a plate polynomial that is none would spoil any system
    rest, place, taken = _without(image.cards, gone)
    new = [*_system(as_primary(wcs), values), *(_others(own, wcs, history) if is_own else ())]
    names = {keyword(one) for one in new}
    lost = [one for one in taken if keyword(one) not in names and keyword(one) != "RADECSYS"]
    if not is_own:
        history.append("the coordinates come from the exposure's solution, not from the file's own header")
    elif lost:
        left = ", ".join(f"{keyword(one)} = {value(one)}" for one in lost)
        history.append(f"cards left out because they would mislead readers of the coordinates: {left}")
    blank = values.get("ZBLANK")
    if image.compression and image.bitpix > 0 and isinstance(blank, int) and "BLANK" not in values:
        new.append(make("BLANK", blank))
    images = (*rest[:place], *new, *rest[place:])
    moving = tuple(at for at, one in enumerate(images) if shifted(keyword(one), value(one), 1, 1) is not None)
    return _Base(images, moving, _anchors(images), tuple(history))


def _without(cards: Cards, gone: set[str]) -> tuple[list[str], int, list[str]]:
    """The cards that stay, where the first that goes stood, and those of the systems that go."""
    rest: list[str] = []
    taken: list[str] = []
    place: int | None = None
    has_equinox = "EQUINOX" in cards.values()  # then EPOCH is the epoch of observation, as SuperCOSMOS and DSS write it
    for image in cards.images:
        name = keyword(image)
        if _STRUCTURE.fullmatch(name) or name in _STALE or (name == "EXTNAME" and value(image) == "COMPRESSED_IMAGE"):
            continue
        if any(select.belongs(name, key) for key in gone) and not (name == "EPOCH" and has_equinox):
            place = len(rest) if place is None else place
            taken.append(image)
        else:
            rest.append(image)
    while rest and not rest[-1].strip():
        rest.pop()  # reserved space at the end of the header
    return rest, min(len(rest) if place is None else place, len(rest)), taken


def _system(wcs: ImageWCS, values: dict[str, Value]) -> list[str]:
    """A system's cards, without those that the file's header holds anyway."""
    return [
        image
        for image in wcs.images
        if not _STRUCTURE.fullmatch(keyword(image))
        and not (keyword(image) in ("MJD-OBS", "DATE-OBS") and keyword(image) in values)
    ]


def _others(own: Sequence[ImageWCS], wcs: ImageWCS, history: list[str]) -> list[str]:
    """The cards of the file's other systems; the one that was untagged takes the letter that has become free."""
    out: list[str] = []
    for other in own:
        if other == wcs:
            continue
        clash = other.kind in _UNLETTERED or (other.kind == "SIP" and wcs.kind != "SIP")
        if other.key == " " and clash:
            history.append(
                f"the file's untagged coordinate system ({other.kind}) left out: it cannot be given a letter"
            )
            continue
        images = relettered(other.images, " ", wcs.key) if other.key == " " else other.images
        out += [
            image
            for image in images
            if not _STRUCTURE.fullmatch(keyword(image))
            and re.search(r"[A-Z]$", keyword(image))
            and "-" not in keyword(image)
        ]
    return out


def _anchors(images: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """CRPIX cards that systems lack: the standard's default of 0 moves too."""
    names = {keyword(image) for image in images}
    systems = [key.strip() for key in select.KEYS if any(f"{stem}1{key.strip()}" in names for stem in _ANY_SYSTEM)]
    wanted = [(f"CRPIX{axis}{letter}", axis) for letter in systems for axis in (1, 2)]
    return tuple(one for one in wanted if one[0] not in names)


def _part(image: ImageHDU, box: Box, name: str) -> str:
    """Which part of which image this is; pixels counted from 1 as FITS does."""
    part = f"[{box.left + 1}:{box.right},{box.bottom + 1}:{box.top}]"
    return f"pixels {part} of HDU {image.index} of {name}, {image.shape[0]} x {image.shape[1]} pixels"


def _stale(image: ImageHDU) -> list[str]:
    stale = [keyword(one) for one in image.cards.images if keyword(one) in _STALE]
    return [f"cards left out because they were of the whole image: {', '.join(stale)}"] if stale else []


def _with_added(body: list[str], added: Iterable[CutCard]) -> list[str]:
    """The cards with provenance behind them; a value of the file that is replaced goes into HISTORY."""
    plain: list[str] = []
    history: list[str] = []
    for card in added:
        key, content = card[0].upper(), card[1]
        if key in ("HISTORY", "COMMENT"):
            history += _wrapped(key, str(content))
            continue
        former = [image for image in body if keyword(image) == key]
        body = [image for image in body if keyword(image) != key]
        history += [line for image in former for line in _wrapped("HISTORY", f"of the file: {image.strip()}")]
        plain += _card(key, content, card[2] if len(card) > 2 else "")  # noqa: PLR2004  with a comment
    return [*body, *plain, *history]


def _card(key: str, content: Value, comment: str) -> list[str]:
    """A card, or several when the text is long (CONTINUE, FITS 4.0 section 4.2.1.2)."""
    ready = _ascii(content) if isinstance(content, str) else content
    text = str(fits.Card(key, ready, _ascii(comment)))
    return [text[start : start + CARD] for start in range(0, len(text), CARD)]


def _wrapped(key: str, text: str) -> list[str]:
    lines = textwrap.wrap(_ascii(text), _TEXT, break_on_hyphens=False) or [""]
    return [f"{key:<8}{line}".ljust(CARD) for line in lines]


def _ascii(text: str) -> str:
    """What FITS allows in a header: printable ASCII; accents are dropped, other signs become question marks."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return "".join(sign if " " <= sign <= "~" else "?" for sign in plain)
