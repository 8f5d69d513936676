"""World coordinate systems of plate images: reading them from headers, pixels to sky and back.

FITS WCS papers I (Greisen & Calabretta 2002) and II (Calabretta & Greisen 2002), and the conventions that plates come
with: SIP, TPV, TNX, ZPX and the Digitized Sky Survey's plate polynomial. The sky is ICRS in degrees, whatever the
header's frame; pixels count from 0, with integers in the middle of pixels, x along NAXIS1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vo.errors import UsageFault
from vo.pixels.cards import AnyHeader, Cards, make, read_cards, renamed
from vo.pixels.engine import Engine, build
from vo.pixels.frames import unit
from vo.pixels.rescale import rescaled
from vo.pixels.select import IncompleteError, Selection, keys_in, lettered, select
from vo.pixels.turn import turned

Array = NDArray[np.float64]

#: Two systems of one header whose images agree to this many pixels are the same solution.
_SAME = 0.01


class NoWCSFault(UsageFault):
    """A header holds no usable celestial coordinate system; the text says which cards are missing."""


@dataclass(frozen=True)
class ImageWCS:
    """One solution: the celestial coordinate system of one image.

    ``key`` is its alternate letter (" " for the untagged one), ``kind`` DSS, SIP, TPV, TNX, ZPX or the projection's
    letters (TAN, ...), ``shape`` (width, height) in pixels. ``images`` are its cards, ``repairs`` what was mended.
    """

    key: str
    kind: str
    shape: tuple[int, int]
    images: tuple[str, ...]
    repairs: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def _engine(self) -> Engine:
        return build(Selection(self.key, self.kind, self.images, ()), self.shape)

    def to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """ICRS ra [0, 360) and dec of pixels, in the shape of the arguments; NaN where a pixel lies off the sky."""
        pixels, shape = _columns(x, y)
        world = self._engine.to_world(pixels)
        ra, dec = self._engine.frame.to_icrs(world[:, 0], world[:, 1])
        return ra.reshape(shape), dec.reshape(shape)

    def to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Array, Array]:
        """Pixels of ICRS positions, in the shape of the arguments.

        They may lie outside the image. NaN where a position has no place on the image's plane: the other hemisphere
        of a TAN, or far outside, where a distortion polynomial folds over or leads nowhere.
        """
        places, shape = _columns(ra, dec)
        lon, lat = self._engine.frame.from_icrs(places[:, 0], places[:, 1])
        pixels = self._engine.to_pixel(np.stack([lon, lat], axis=1))
        return pixels[:, 0].reshape(shape), pixels[:, 1].reshape(shape)

    @cached_property
    def centre(self) -> tuple[float, float]:
        """ICRS position of the middle of the image."""
        ra, dec = self.to_sky((self.shape[0] - 1) / 2, (self.shape[1] - 1) / 2)
        return float(ra), float(dec)

    @cached_property
    def _jacobian(self) -> Array:
        """Derivatives [east, north][x, y] in degrees per pixel in the middle of the image."""
        x, y = (self.shape[0] - 1) / 2, (self.shape[1] - 1) / 2
        ra, dec = self.to_sky(x + np.array([0.5, -0.5, 0.0, 0.0]), y + np.array([0.0, 0.0, 0.5, -0.5]))
        vectors = unit(ra, dec)
        ra0, dec0 = np.radians(self.centre)
        east = np.array([-np.sin(ra0), np.cos(ra0), 0.0])
        north = np.array([-np.sin(dec0) * np.cos(ra0), -np.sin(dec0) * np.sin(ra0), np.cos(dec0)])
        along = np.stack([vectors[0] - vectors[1], vectors[2] - vectors[3]], axis=1)
        derivatives: Array = np.degrees(np.stack([east, north]) @ along)
        return derivatives

    @property
    def pixel_scale(self) -> float:
        """Arcsec per pixel in the middle of the image: the root of a pixel's area."""
        return float(np.sqrt(abs(np.linalg.det(self._jacobian))) * 3600.0)

    @property
    def mirrored(self) -> bool:
        """Whether the image shows the sky mirrored: with north up, east lies to the right."""
        return bool(np.linalg.det(self._jacobian) > 0.0)

    def header_text(self) -> str:
        """The cards of this solution, 80 characters each, joined by newlines: what a Solution record keeps.

        :func:`load_solution` reads them back to an equal ImageWCS.
        """
        return Cards(self.images).text()

    def binned(self, factor: int, shape: tuple[int, int] | None = None) -> ImageWCS:
        """The same sky on an image whose pixels cover ``factor`` of these along each axis.

        ``shape`` is the binned image's (width, height); without it incomplete pixels at the far edges are left out.
        """
        return self._on_grid(float(factor), shape or (self.shape[0] // factor, self.shape[1] // factor))

    def unbinned(self, factor: int, shape: tuple[int, int] | None = None) -> ImageWCS:
        """The same sky on the image that this one was binned from."""
        return self._on_grid(1.0 / factor, shape or (self.shape[0] * factor, self.shape[1] * factor))

    def turned(self, degrees: int) -> ImageWCS:
        """The same sky on the image turned counter-clockwise, as it is displayed with its first row at the bottom.

        ``degrees`` is a multiple of 90 (numpy's ``rot90`` of the pixels with ``k = -degrees // 90``). Exact for all
        kinds but DSS: a UsageFault for a plate polynomial, whose terms have no turned counterparts.
        """
        if degrees == 0:
            return self
        if self.kind == "DSS":
            raise UsageFault(
                "a plate polynomial of the Digitized Sky Survey cannot be turned: it has no terms for that"
            )
        shape = self.shape if degrees % 180 == 0 else self.shape[::-1]
        images = _with_size(turned(self.images, self.key, degrees, self.shape), shape)
        return replace(self, shape=shape, images=images)

    def _on_grid(self, factor: float, shape: tuple[int, int]) -> ImageWCS:
        if min(shape) < 1:
            raise UsageFault(f"an image of {self.shape[0]} x {self.shape[1]} pixels cannot be binned that far")
        images = _with_size(rescaled(self.images, factor), shape)
        return replace(self, shape=shape, images=images)


@dataclass(frozen=True, slots=True)
class Found:
    """What a header holds: the usable solutions, and for each unusable one a line that says why."""

    solutions: tuple[ImageWCS, ...]
    problems: tuple[str, ...]


def read_solutions(header: AnyHeader, shape: tuple[int, int] | None = None) -> tuple[ImageWCS, ...]:
    """Every celestial coordinate system of a header, the untagged one first.

    ``shape`` (width, height) is needed where the header does not say it. Raises NoWCSFault when there is none to use;
    :func:`find_solutions` tells the reasons for each instead.
    """
    found = find_solutions(header, shape)
    if not found.solutions:
        raise NoWCSFault(
            "; ".join(found.problems) or "no celestial coordinates: CTYPE1, CTYPE2, CRVAL1, CRVAL2 missing"
        )
    return found.solutions


def find_solutions(header: AnyHeader, shape: tuple[int, int] | None = None) -> Found:
    """Every celestial coordinate system of a header, and why others cannot be used; raises nothing for bad headers."""
    cards = header if isinstance(header, Cards) else read_cards(header)
    values = cards.values()
    solutions: list[ImageWCS] = []
    problems: list[str] = []
    for key in keys_in(values):
        name = "its coordinate system" if key == " " else f"its coordinate system {key}"
        try:
            made = _solution(cards, key, shape)
        except IncompleteError as fault:
            problems.append(f"{name} cannot be used: {fault}")
            continue
        twin = next((other for other in solutions if is_same(other, made)), None)
        if twin is None:
            solutions.append(made)
            continue
        note = f"{name} left out: the same as {'the untagged one' if twin.key == ' ' else twin.key}"
        solutions[solutions.index(twin)] = replace(twin, repairs=(*twin.repairs, note))
    return Found(tuple(solutions), tuple(problems))


@lru_cache(maxsize=512)
def load_solution(text: str, key: str, shape: tuple[int, int]) -> ImageWCS:
    """The solution that a record keeps (header text, alternate letter, pixel grid); the last ones stay in memory."""
    try:
        return _solution(read_cards(text), key, shape)
    except IncompleteError as fault:
        name = "untagged coordinate system" if key == " " else f"coordinate system {key}"
        raise NoWCSFault(f"the {name} cannot be used: {fault}") from fault


def as_primary(wcs: ImageWCS) -> ImageWCS:
    """The same solution under no letter, as programs look for it first."""
    if wcs.key == " ":
        return wcs
    return replace(wcs, key=" ", images=relettered(wcs.images, wcs.key, " "))


def relettered(images: Sequence[str], old: str, new: str) -> tuple[str, ...]:
    """Cards of a system under another letter; those without a letter (NAXIS, SIP's) stay."""
    out = []
    for image in images:
        name = image[:8].strip()
        if old != " " and name.endswith(old) and name != "NAXIS":
            name = name[:-1]
        elif old != " " or not lettered(name):
            out.append(image)
            continue
        out.append(renamed(image, name + new.strip()))
    return tuple(out)


def _solution(cards: Cards, key: str, shape: tuple[int, int] | None) -> ImageWCS:
    chosen = select(cards, key)
    size = shape or _size(cards)
    images = _with_size(chosen.images, size)
    made = ImageWCS(key, chosen.kind, size, images)
    engine = made._engine  # noqa: SLF001  built here once, so that a bad header is told now
    made = replace(made, repairs=(*chosen.repairs, *engine.notes))
    made.__dict__["_engine"] = engine
    if not np.isfinite(made.centre).all():
        raise IncompleteError("the middle of the image has no place on the sky")
    return made


def _size(cards: Cards) -> tuple[int, int]:
    values = cards.values()
    sizes = [values.get(f"ZNAXIS{axis}", values.get(f"NAXIS{axis}")) for axis in (1, 2)]
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise IncompleteError("NAXIS1, NAXIS2 missing: the size of the image is not known")
    return int(sizes[0] or 0), int(sizes[1] or 0)


def _with_size(images: Sequence[str], shape: tuple[int, int]) -> tuple[str, ...]:
    """The cards with this image size in front, so that the text stands by itself."""
    rest = [image for image in images if image[:8].rstrip() not in ("NAXIS", "NAXIS1", "NAXIS2", "ZNAXIS1", "ZNAXIS2")]
    return (make("NAXIS", 2), make("NAXIS1", shape[0]), make("NAXIS2", shape[1]), *rest)


def _columns(first: ArrayLike, second: ArrayLike) -> tuple[Array, tuple[int, ...]]:
    one, two = np.broadcast_arrays(np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64))
    return np.stack([one.ravel(), two.ravel()], axis=1), one.shape


def is_same(one: ImageWCS, two: ImageWCS) -> bool:
    """Whether two solutions put corners, middle and edge middles of one image at the same places, to 0.01 pixel."""
    xs, ys = np.meshgrid(*(np.linspace(0.0, size - 1.0, 3) for size in one.shape))
    a, b = unit(*one.to_sky(xs, ys)), unit(*two.to_sky(xs, ys))
    distance = np.degrees(np.linalg.norm(a - b, axis=-1)) * 3600.0
    return bool(np.nanmax(distance) < _SAME * one.pixel_scale)
