"""The header of a cutout: the file's own, with the exposure's coordinate system moved to the new corner.

Nothing is lost on the way: the file's other coordinate systems move too (CRPIX; CNPIX of DSS plate polynomials; LTV of
IRAF's physical coordinates), the plate's other current solutions come along under letters, other cards stay as they
are, and what has to go is told in HISTORY.
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
from vo.pixels.wcs import ImageWCS, as_primary, is_same, relettered

CutCard = tuple[str, Value] | tuple[str, Value, str]

#: Keywords that describe how an image is stored, not what it shows.
STRUCTURE = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BLOCKED|INHERIT"
    r"|TFIELDS|THEAP|T(TYPE|FORM|UNIT|NULL|SCAL|ZERO|DISP|DIM)\d+"
    r"|Z(IMAGE|CMPTYPE|BITPIX|NAXIS\d*|TILE\d+|NAME\d+|VAL\d+|MASKCMP|SIMPLE|TENSION|EXTEND|BLOCKED|PCOUNT|GCOUNT"
    r"|QUANTIZ|DITHER0|SCALE|ZERO|BLANK|HECKSUM|DATASUM)"
)
#: True of the whole image only.
STALE = frozenset({"CHECKSUM", "DATASUM", "DATAMIN", "DATAMAX"})
#: No letter can follow their cards, so they cannot stand beside another primary system.
_UNLETTERED = frozenset({"DSS", "TNX", "ZPX"})
_TEXT = 72
#: What fits a card of a text and its comment.
_BESIDE = 64
_ANY_SYSTEM = ("CTYPE", "CRVAL", "CDELT")


@dataclass(frozen=True, slots=True)
class Fellows:
    """Other solutions of an image, on its pixels.

    ``current`` ones, each with a name for people, come along under letters. ``former`` ones have been replaced by
    better ones: a system of the file's header that says the same is left out.
    """

    current: tuple[tuple[str, ImageWCS], ...] = ()
    former: tuple[ImageWCS, ...] = ()


#: Nothing is known but what the file's header says.
ALONE = Fellows()


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
    image: ImageHDU,
    own: tuple[ImageWCS, ...],
    wcs: ImageWCS,
    box: Box,
    cards: Iterable[CutCard],
    name: str,
    fellows: Fellows = ALONE,
) -> bytes:
    """The header of the part ``box`` of an image, padded to whole blocks.

    ``wcs`` becomes the untagged system, which programs look for. ``own`` are the file's systems: when ``wcs`` is one of
    them, the others stay under letters unless a better solution has replaced them; when it comes from elsewhere, it
    stands instead of them all. ``fellows`` join it under letters.
    """
    base = _base(image, own, wcs, fellows)
    body = list(base.images)
    for at in base.moving:
        changed = shifted(keyword(body[at]), value(body[at]), box.left, box.bottom)
        body[at] = body[at] if changed is None else replaced(body[at], changed)
    body += [make(key, -(box.left, box.bottom)[axis - 1]) for key, axis in base.anchors]
    told = [_part(image, box, name), *base.history]
    return padded([*_structure(image, box), *with_added(body, [*cards, *(("HISTORY", line) for line in told)])])


def empty_primary(cards: Iterable[CutCard]) -> bytes:
    """The header of a primary HDU without data, before image extensions (FITS 4.0, section 4.4.1.1)."""
    structure = [
        make("SIMPLE", content=True, comment="conforms to FITS standard"),
        make("BITPIX", 8),
        make("NAXIS", 0, "the images are in the extensions"),
        make("EXTEND", content=True),
    ]
    return padded([*structure, *with_added([], cards)])


def as_extension(header: bytes) -> bytes:
    """The header of a primary HDU as that of an image extension (FITS 4.0, section 7.1)."""
    images = split(header)
    behind = 3 + int(value(images[2]) or 0)  # SIMPLE, BITPIX, NAXIS and its lengths
    begin = [make("XTENSION", "IMAGE", "image extension"), *images[1:behind], make("PCOUNT", 0), make("GCOUNT", 1)]
    return padded([*begin, *images[behind:]])


def split(header: bytes) -> tuple[str, ...]:
    """The cards of a header before its END, blank ones too."""
    text = header.decode("ascii")
    images = [text[at : at + CARD] for at in range(0, len(text), CARD)]
    return tuple(images[: images.index("END".ljust(CARD))])


def padded(images: Sequence[str]) -> bytes:
    """Cards as a header: END behind them, filled up to whole blocks."""
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
def _base(image: ImageHDU, own: tuple[ImageWCS, ...], wcs: ImageWCS, fellows: Fellows) -> _Base:
    values = image.cards.values()
    history = _stale(image)
    twin = next((one for one in own if one == wcs or is_same(one, wcs)), None)
    announced = set(select.keys_in(values))
    gone = announced if twin is None else {one.key for one in own}
    gone.add(" ")  # cards of a plate polynomial that is none would spoil any system
    rest, place, taken = _without(image.cards, gone)
    others = _Others(wcs, announced - gone, history)
    if twin is not None:
        others.add_own([one for one in own if one is not twin], twin.key, fellows)
    others.add_current(fellows)
    new = [*_system(as_primary(wcs), values), *others.images]
    names = {keyword(one) for one in new}
    lost = [one for one in taken if keyword(one) not in names and keyword(one) != "RADECSYS"]
    if twin is None:
        history.append("the coordinates come from the exposure's solution, not from the file's own header")
        if own:
            history.append("the coordinate systems of the file's own header left out: newer solutions stand for them")
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
        if STRUCTURE.fullmatch(name) or name in STALE or (name == "EXTNAME" and value(image) == "COMPRESSED_IMAGE"):
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
        if not STRUCTURE.fullmatch(keyword(image))
        and not (keyword(image) in ("MJD-OBS", "DATE-OBS") and keyword(image) in values)
    ]


class _Others:
    """Gathers the cards of the systems beside the untagged one; each has a letter of its own."""

    def __init__(self, wcs: ImageWCS, taken: set[str], history: list[str]) -> None:
        self.images: list[str] = []
        self._wcs = wcs
        self._taken = taken
        self._history = history
        self._systems: list[ImageWCS] = [wcs]

    def add_own(self, own: Sequence[ImageWCS], freed: str, fellows: Fellows) -> None:
        """The file's own systems; the one that was untagged takes the letter ``freed`` (" ": any)."""
        own = [one for one in own if not self._is_former(one, fellows)]
        self._taken |= {one.key for one in own} - {" "}
        for one in own:
            name = "the file's untagged coordinate system" if one.key == " " else ""
            self._add(one, one.key if one.key != " " else self._letter(freed), name)

    def add_current(self, fellows: Fellows) -> None:
        """The plate's other solutions, as far as they are not there yet."""
        for name, one in fellows.current:
            if not any(one.shape == other.shape and is_same(one, other) for other in self._systems):
                self._add(one, self._letter(one.key), name)

    def _is_former(self, one: ImageWCS, fellows: Fellows) -> bool:
        alive = any(is_same(one, other) for _, other in fellows.current if other.shape == one.shape)
        is_former = not alive and any(is_same(one, other) for other in fellows.former if other.shape == one.shape)
        if is_former:
            name = "untagged coordinate system" if one.key == " " else f"coordinate system {one.key}"
            self._history.append(f"the file's {name} left out: a better solution has replaced it")
        return is_former

    def _letter(self, wanted: str) -> str:
        free = (letter for letter in (wanted, *select.KEYS) if letter != " " and letter not in self._taken)
        return next(free, " ")

    def _add(self, one: ImageWCS, letter: str, name: str) -> None:
        """``name`` tells what it is, where its letter alone would not."""
        if letter == " " or not self._can_be_lettered(one):
            self._history.append(f"{name or 'a coordinate system'} ({one.kind}) left out: it cannot be given a letter")
            return
        self._taken.add(letter)
        self._systems.append(one)
        images = one.images if one.key == letter else relettered(as_primary(one).images, " ", letter)
        self.images += [
            image
            for image in images
            if select.belongs(keyword(image), letter) and not STRUCTURE.fullmatch(keyword(image))
        ]
        if name:
            self._history.append(f"WCS {letter}: {name}")

    def _can_be_lettered(self, one: ImageWCS) -> bool:
        """SIP's coefficients have no letters: systems of one header share them."""
        if one.kind in _UNLETTERED:
            return one.key != " "  # what stands under a letter in a file has no cards that could not
        return one.kind != "SIP" or (self._wcs.kind == "SIP" and _coefficients(one) == _coefficients(self._wcs))


def _coefficients(wcs: ImageWCS) -> dict[str, Value]:
    return {keyword(image): value(image) for image in wcs.images if re.match(r"(A|B|AP|BP)_", image)}


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
    stale = [keyword(one) for one in image.cards.images if keyword(one) in STALE]
    return [f"cards left out because they were of the whole image: {', '.join(stale)}"] if stale else []


def with_added(body: list[str], added: Iterable[CutCard]) -> list[str]:
    """The cards with provenance behind them; a value of the file that is replaced goes into HISTORY."""
    plain: list[str] = []
    history: list[str] = []
    names = {keyword(image) for image in body}
    for card in added:
        key, content = card[0].upper(), card[1]
        if key in ("HISTORY", "COMMENT"):
            history += _wrapped(key, str(content))
            continue
        if key in names:
            former = [image for image in body if keyword(image) == key]
            body = [image for image in body if keyword(image) != key]
            history += [line for image in former for line in _wrapped("HISTORY", f"of the file: {image.strip()}")]
        plain += _card(key, content, card[2] if len(card) > 2 else "")  # noqa: PLR2004  with a comment
    return [*body, *plain, *history]


def _card(key: str, content: Value, comment: str) -> list[str]:
    """A card, or several when the text is long (CONTINUE, FITS 4.0 section 4.2.1.2)."""
    ready = _ascii(content) if isinstance(content, str) else content
    beside = _ascii(comment)
    if isinstance(ready, str) and len(ready) + ready.count("'") + len(beside) > _BESIDE:
        beside = ""
    if not isinstance(ready, str) or len(ready) + ready.count("'") < _BESIDE:
        return [make(key, ready, beside)]
    text = str(fits.Card(key, ready, beside))
    return [text[start : start + CARD] for start in range(0, len(text), CARD)]


def _wrapped(key: str, text: str) -> list[str]:
    plain = _ascii(text)
    lines = [plain] if len(plain) <= _TEXT else textwrap.wrap(plain, _TEXT, break_on_hyphens=False)
    return [f"{key:<8}{line}".ljust(CARD) for line in lines]


def _ascii(text: str) -> str:
    """What FITS allows in a header: printable ASCII; accents are dropped, other signs become question marks."""
    if text.isascii() and text.isprintable():
        return text
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return "".join(sign if " " <= sign <= "~" else "?" for sign in plain)
