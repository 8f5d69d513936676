"""A value-added mosaic: a base image without coordinates, with solutions put into its header on the way out.

The file is a list of parts: headers and tables that are made here, and the base file's own bytes, which are passed on
unchanged. So its length and every byte's place are known before any pixel is read, and nothing of it is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vo.errors import NotFoundFault, OperatorFault
from vo.pixels import select
from vo.pixels.cards import Cards, Value, keyword, make, replaced, value
from vo.pixels.cutheader import CutCard, padded, with_added
from vo.pixels.hdus import HDU, walk, whole
from vo.pixels.source import ByteSource, Range, too_short
from vo.pixels.unzip import GZIP
from vo.pixels.wcs import ImageWCS, as_primary, relettered

#: Bytes of the base file that are passed on at a time.
PIECE_BYTES = 4_000_000
#: What was true of the header as it stood in the base file; sums of the data stay true.
_STALE = frozenset({"CHECKSUM", "ZHECKSUM"})
#: No letter can follow their cards.
_UNLETTERED = frozenset({"DSS", "TNX", "ZPX"})


@dataclass(frozen=True, slots=True)
class Placed:
    """A solution on the image's pixels and where its cards stand.

    ``key`` is its letter in the image's header (" ": untagged); None when it has an extension of its own there, of
    which ``extension`` is the EXTVER.
    """

    wcs: ImageWCS
    name: str
    key: str | None
    extension: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What a mosaic consists of: bytes that were made, and ranges of the base file.

    The file has ``size`` bytes; ``tag`` is another whenever one of them is.
    """

    size: int
    tag: str
    parts: tuple[bytes | Range, ...]

    @property
    def made_bytes(self) -> int:
        """How many bytes were made."""
        return sum(len(part) for part in self.parts if isinstance(part, bytes))


@dataclass(frozen=True, slots=True)
class Mosaic:
    """The file in the making: its layout, and the base file that its pixels come from."""

    source: ByteSource
    layout: Layout

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.layout.size

    @property
    def tag(self) -> str:
        """Another whenever one of the bytes is."""
        return self.layout.tag

    def stream(self, start: int = 0, stop: int | None = None) -> Iterator[bytes | memoryview]:
        """The bytes from ``start`` to before ``stop``, in pieces of at most PIECE_BYTES, read as they are taken."""
        stop = self.size if stop is None else stop
        begin = 0
        for part in self.layout.parts:
            length = len(part) if isinstance(part, bytes) else part[1]
            first, behind = max(start - begin, 0), min(stop - begin, length)
            if first < behind:
                yield from self._pieces(part, first, behind)
            begin += length

    def _pieces(self, part: bytes | Range, first: int, behind: int) -> Iterator[bytes | memoryview]:
        if isinstance(part, bytes):
            yield part[first:behind]
            return
        for at in range(first, behind, PIECE_BYTES):
            yield from self.source.read([(part[0] + at, min(PIECE_BYTES, behind - at))])


def place(solutions: Sequence[tuple[str, ImageWCS]]) -> tuple[Placed, ...]:
    """Decide where the cards of each solution, given with its name, stand: the first has no letter, then A, B, ...

    SIP's coefficients, IRAF's and DSS' surfaces have no letters (FITS WCS paper II knows none for them), so a second
    solution with ones of its own gets a header of its own, as does the 28th of all.
    """
    out: list[Placed] = []
    letters, extension = iter(select.KEYS[1:]), 0
    for name, wcs in solutions:
        key = " " if not out else (next(letters, None) if _fits_beside(out[0].wcs, wcs) else None)
        extension += key is None
        out.append(Placed(wcs, name, key, extension if key is None else None))
    return tuple(out)


def _fits_beside(first: ImageWCS, wcs: ImageWCS) -> bool:
    if wcs.kind in _UNLETTERED:
        return False
    return _sip(first) == _sip(wcs) and _epoch_is_safe(first, wcs)


def _sip(wcs: ImageWCS) -> dict[str, Value]:
    if wcs.kind != "SIP":
        return {}
    return {keyword(image): value(image) for image in wcs.images if image.startswith(("A_", "B_", "AP_", "BP_"))}


def _epoch_is_safe(first: ImageWCS, wcs: ImageWCS) -> bool:
    """Whether one MJD-OBS serves both: the FK4 frame depends on the time of observation."""
    frames = {str(value(image)) for image in wcs.images if keyword(image) == f"RADESYS{wcs.key.strip()}"}
    if not any(name.startswith("FK4") for name in frames):
        return True
    return _times(first) == _times(wcs)


def _times(wcs: ImageWCS) -> dict[str, Value]:
    return {keyword(image): value(image) for image in wcs.images if keyword(image) in ("MJD-OBS", "DATE-OBS")}


def build(
    source: ByteSource, hdu: int, placed: Sequence[Placed], cards: Sequence[CutCard], tables: Sequence[bytes]
) -> Mosaic:
    """Put solutions, provenance and further tables (whole HDUs) into a base file.

    ``hdu`` is the image's. Its header keeps all its cards but those that would spoil a solution, which are told in
    HISTORY; a compressed image's are in the header of its table and its data stay compressed. NotFoundFault when the
    base is gzipped or has no such image, OperatorFault when it is damaged.
    """
    hdus = _read_hdus(source)
    if hdu >= len(hdus):
        raise NotFoundFault(f"HDU {hdu} of {source.name} is no image: it has {len(hdus)}")
    image, last = hdus[hdu], hdus[-1]
    _check_image(source, image, placed)
    header = _image_header(image.cards, placed, cards, is_primary=hdu == 0)
    own = [_solution_header(one) for one in placed if one.key is None]
    end = min(last.end, source.size)
    parts: list[bytes | Range] = [
        (0, image.start),
        header,
        (image.offset, end - image.offset),
        bytes(last.end - end),  # the padding that some writers leave out
        *own,
        *tables,
    ]
    kept = tuple(part for part in parts if (len(part) if isinstance(part, bytes) else part[1]))
    digest = hashlib.sha256(source.version.encode())
    for part in kept:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
    size = sum(len(part) if isinstance(part, bytes) else part[1] for part in kept)
    return Mosaic(source, Layout(size, digest.hexdigest()[:32], kept))


# ------------------------------------------------------------------------------------------------- headers


def _image_header(base: Cards, placed: Sequence[Placed], cards: Sequence[CutCard], *, is_primary: bool) -> bytes:
    values = base.values()
    keys = {one.key for one in placed if one.key is not None} | set(select.keys_in(values)) | {" "}
    rest: list[str] = []
    taken: list[str] = []
    for image in base.images:
        name = keyword(image)
        if name in _STALE:
            continue
        spoils = any(select.belongs(name, key) for key in keys)
        (taken if spoils else rest).append(image)
    while rest and not rest[-1].strip():
        rest.pop()  # reserved space at the end of the header
    if is_primary:
        rest = _extended(rest)
    system = [image for one in placed if one.key is not None for image in _system(one, values)]
    told = [("HISTORY", f"of the base file: {image.strip()}") for image in taken]
    return padded(with_added([*rest, *system], [*cards, *told]))


def _extended(images: list[str]) -> list[str]:
    """The cards of a primary header with EXTEND = T behind its axes (FITS 4.0, section 4.4.2.1)."""
    for at, image in enumerate(images):
        if keyword(image) == "EXTEND":
            return [*images[:at], replaced(image, content=True), *images[at + 1 :]]
    behind = 3 + int(value(images[2]) or 0)  # SIMPLE, BITPIX, NAXIS and the lengths of the axes
    return [*images[:behind], make("EXTEND", content=True), *images[behind:]]


def _system(placed: Placed, values: dict[str, Value]) -> list[str]:
    """The cards of a solution under its letter, WCSAXES first; SIP's, which have none, stand with the first alone.

    Dates of the base file's header stay what they are.
    """
    letter = (placed.key or " ").strip()
    images = list(as_primary(placed.wcs).images)
    if letter:
        images = list(relettered(images, " ", letter))
    own = [image for image in images if select.belongs(keyword(image), placed.key or " ")]
    if not letter:
        own += [image for image in images if keyword(image) in ("MJD-OBS", "DATE-OBS") and keyword(image) not in values]
    own.sort(key=lambda image: keyword(image) != f"WCSAXES{letter}")
    if not any(keyword(image) == f"WCSNAME{letter}" for image in own):
        own.append(make(f"WCSNAME{letter}", placed.name))
    return own


def _solution_header(placed: Placed) -> bytes:
    """An extension without data that holds the cards of one solution, untagged (FITS 4.0, section 7.1)."""
    wcs = placed.wcs
    images = [
        make("XTENSION", "IMAGE", "image extension"),
        make("BITPIX", 8),
        make("NAXIS", 0, "no data: a solution of the image"),
        make("PCOUNT", 0),
        make("GCOUNT", 1),
        make("EXTNAME", "SOLUTION"),
        make("EXTVER", placed.extension),
        *_system(Placed(wcs, placed.name, " "), {}),
    ]
    told = f"for the image of {wcs.shape[0]} x {wcs.shape[1]} pixels in this file: its cards can have no letter"
    return padded(with_added(images, [("HISTORY", told)]))


# ------------------------------------------------------------------------------------------------- the base file


def _read_hdus(source: ByteSource) -> list[HDU]:
    if source.size >= len(GZIP) and bytes(source.read([(0, len(GZIP))])[0]) == GZIP:
        raise NotFoundFault(
            f"{source.name} is kept gzipped, so coordinates cannot be put into it on its way; take the file as it is, "
            "or a cutout"
        )
    hdus = list(walk(source))
    if any(hdu.offset + hdu.length > source.size for hdu in hdus):
        raise too_short(source.name)
    return hdus


def _check_image(source: ByteSource, image: HDU, placed: Sequence[Placed]) -> None:
    values = image.cards.values()
    is_packed = values.get("ZIMAGE") is True
    if not is_packed and (whole(values, "NAXIS") < 2 or values.get("XTENSION", "IMAGE") != "IMAGE"):  # noqa: PLR2004  an image has two axes
        raise NotFoundFault(f"HDU {image.index} of {source.name} is no image")
    prefix = "Z" if is_packed else ""
    shape = whole(values, f"{prefix}NAXIS1"), whole(values, f"{prefix}NAXIS2")
    wrong = next((one for one in placed if one.wcs.shape != shape), None)
    if wrong is not None:
        other = wrong.wcs.shape
        raise OperatorFault(
            f"{source.name} has {shape[0]} x {shape[1]} pixels; its {wrong.name} is for {other[0]} x {other[1]}"
        )
