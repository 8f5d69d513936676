"""Lines of right ascension and declination on a plate, where they meet its edge and what they are called.

The lines are the solution's own, distortion included: places on the sky put onto the plate by ``ImageWCS.to_pixel``,
so close together that the straight pieces between them stay within a tenth of a pixel of the preview.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vo.pixels.wcs import ImageWCS
from vo.web.curves import Array, Frame, clip, write_path

#: The longer side of a plate in the drawing's units, which are about the pixels of a preview.
PLATE = 1000.0

_LINES_WANTED = 6.5
#: In degrees: steps of declination that are round in degrees and minutes of arc.
_DEC_STEPS = (*(minutes / 60 for minutes in (0.5, 1, 2, 5, 10, 20, 30)), 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
#: In seconds of time: steps of right ascension that are round in hours, minutes and seconds.
_RA_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
_MESH = 41
_SAMPLES = 181
_LABEL_GAP, _LETTER = 12.0, 15.0


@dataclass(frozen=True, slots=True)
class Label:
    """The name of a line: ``turned`` runs upwards (beside the plate), ``inside`` stands on the plate."""

    x: float
    y: float
    text: str
    turned: bool = False
    inside: bool = False


@dataclass(frozen=True, slots=True)
class GridLine:
    """A line of the grid; its parts as one path. ``name`` is complete."""

    path: str
    name: str
    is_ra: bool
    label: Label | None


@dataclass(frozen=True, slots=True)
class Stage:
    """A plate in a drawing, in the pixel grid of one solution: first row at the bottom, as previews show it."""

    wcs: ImageWCS

    @property
    def scale(self) -> float:
        """Units of the drawing for one pixel."""
        return PLATE / max(self.wcs.shape)

    @property
    def frame(self) -> Frame:
        """The outer edges of the plate's image."""
        width, height = self.wcs.shape
        return Frame(0.0, 0.0, width * self.scale, height * self.scale)

    def place(self, ra: Array, dec: Array) -> Array:
        """Where positions (ICRS degrees) lie in the drawing, [n, 2]; NaN where the solution has no place for them."""
        return self.from_pixels(*self.wcs.to_pixel(ra, dec))

    def from_pixels(self, x: Array, y: Array) -> Array:
        """Where pixels (counted from 0 at their middles) lie in the drawing, [n, 2]."""
        return np.column_stack([(x + 0.5) * self.scale, (self.wcs.shape[1] - 0.5 - y) * self.scale])


def draw_grid(stage: Stage) -> tuple[GridLine, ...]:
    """The lines of a solution over the plate, about six in each direction, twelve meridians around a pole."""
    sky = _Reach.of(stage)
    if sky is None:
        return ()
    labels = _Labels(stage.frame)
    return (*_parallels(stage, sky, labels), *_meridians(stage, sky, labels))


@dataclass(frozen=True, slots=True)
class _Reach:
    """The part of the sky that a plate shows, in degrees: ``west`` to ``east`` may pass 360; all of it at a pole."""

    south: float
    north: float
    west: float
    east: float
    has_pole: bool

    @classmethod
    def of(cls, stage: Stage) -> _Reach | None:
        width, height = stage.wcs.shape
        x, y = np.meshgrid(np.linspace(-0.5, width - 0.5, _MESH), np.linspace(-0.5, height - 0.5, _MESH))
        ra, dec = (values.ravel() for values in stage.wcs.to_sky(x, y))
        known = np.isfinite(ra) & np.isfinite(dec)
        if np.count_nonzero(known) < 3:  # noqa: PLR2004 - fewer show no part of the sky
            return None
        poles = stage.place(np.array([0.0, 0.0]), np.array([90.0, -90.0]))
        north_pole, south_pole = (stage.frame.holds(*pole) for pole in poles)
        south, north = float(dec[known].min()), float(dec[known].max())
        spare = 0.03 * (north - south)
        south = -90.0 if south_pole else max(-90.0, south - spare)
        north = 90.0 if north_pole else min(90.0, north + spare)
        west, east = (0.0, 360.0) if north_pole or south_pole else _span(ra[known])
        return cls(south, north, west, east, north_pole or south_pole)


def _span(ra: Array) -> tuple[float, float]:
    """The shortest range of right ascensions that holds all of these, and a little more on both sides."""
    ordered = np.sort(ra)
    gaps = np.diff(np.append(ordered, ordered[0] + 360.0))
    widest = int(np.argmax(gaps))
    west = float(ordered[(widest + 1) % len(ordered)])
    length = 360.0 - float(gaps[widest])
    spare = min(0.03 * length, (360.0 - length) / 2)
    return west - spare, west + length + spare


def _parallels(stage: Stage, sky: _Reach, labels: _Labels) -> Iterator[GridLine]:
    step = _step(_DEC_STEPS, (sky.north - sky.south) / _LINES_WANTED)
    ra = np.linspace(sky.west, sky.east, 2 * _SAMPLES - 1 if sky.has_pole else _SAMPLES)
    for dec in _multiples(step, sky.south, sky.north):
        if abs(dec) >= 90.0:  # noqa: PLR2004 - the pole is a point
            continue
        text = name_dec(dec)
        yield from _line(stage, ra, np.full_like(ra, dec), text, labels, is_ra=False)


def _meridians(stage: Stage, sky: _Reach, labels: _Labels) -> Iterator[GridLine]:
    step = 30.0 if sky.has_pole else _step([one / 240.0 for one in _RA_STEPS], (sky.east - sky.west) / _LINES_WANTED)
    dec = np.linspace(sky.south, sky.north, _SAMPLES)
    for ra in _multiples(step, sky.west, sky.east - (1e-6 if sky.has_pole else 0.0)):
        yield from _line(stage, np.full_like(dec, ra % 360.0), dec, name_ra(ra), labels, is_ra=True)


def _line(stage: Stage, ra: Array, dec: Array, text: str, labels: _Labels, *, is_ra: bool) -> Iterator[GridLine]:
    parts = clip(stage.place(ra, dec), stage.frame)
    if not parts:
        return
    name = f"{'right ascension' if is_ra else 'declination'} {text}"
    yield GridLine("".join(map(write_path, parts)), name, is_ra, labels.place(parts, text, is_ra=is_ra))


class _Labels:
    """Finds room for the names of lines along the plate's edges, where two would run into each other for only one."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._taken: dict[str, list[tuple[float, float]]] = {}

    def place(self, parts: Sequence[Array], text: str, *, is_ra: bool) -> Label | None:
        """Beside the edge that a line meets; on the line itself, at its highest point, when it meets none."""
        order = ("bottom", "top", "left", "right") if is_ra else ("left", "right", "bottom", "top")
        ends = [end for part in parts for end in (part[0], part[-1])]
        for edge in order:
            for x, y in ends:
                along = self._along(edge, float(x), float(y))
                if along is not None and self._take(edge, along, text):
                    return self._label(edge, along, text)
        if is_ra or any(self._along(edge, float(x), float(y)) is not None for edge in order for x, y in ends):
            return None
        points = np.concatenate(parts)
        x, y = points[np.argmin(points[:, 1])]
        return Label(round(float(x), 1), round(float(y), 1), text, inside=True)

    def _along(self, edge: str, x: float, y: float) -> float | None:
        """The place along an edge, None for a point that does not lie on it."""
        frame = self._frame
        off = {"left": x - frame.left, "right": x - frame.right, "top": y - frame.top, "bottom": y - frame.bottom}
        if abs(off[edge]) > 1e-3:  # noqa: PLR2004 - of a unit: rounding
            return None
        return x if edge in ("top", "bottom") else y

    def _take(self, edge: str, along: float, text: str) -> bool:
        half = _LETTER * len(text) / 2
        length = self._frame.right if edge in ("top", "bottom") else self._frame.bottom
        taken = self._taken.setdefault(edge, [])
        if not half / 2 <= along <= length - half / 2 or any(abs(along - at) < half + other for at, other in taken):
            return False
        taken.append((along, half))
        return True

    def _label(self, edge: str, along: float, text: str) -> Label:
        at, frame = round(along, 1), self._frame
        match edge:
            case "bottom":
                return Label(at, round(frame.bottom + 2.6 * _LABEL_GAP, 1), text)
            case "top":
                return Label(at, -_LABEL_GAP, text)
            case "left":
                return Label(-_LABEL_GAP, at, text, turned=True)
            case _:
                return Label(round(frame.right + 2.6 * _LABEL_GAP, 1), at, text, turned=True)


def _step(steps: Sequence[float], wanted: float) -> float:
    return next((step for step in steps if step >= wanted), steps[-1])


def _multiples(step: float, low: float, high: float) -> list[float]:
    return [index * step for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def name_ra(ra: float) -> str:
    """Right ascension (degrees) in hours and what else it takes, such as ``5h 20m``."""
    hours, rest = divmod(round(ra * 240.0) % 86_400, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{hours}h", f"{minutes}m" if minutes or seconds else "", f"{seconds}s" if seconds else ""]
    return " ".join(part for part in parts if part)


def name_dec(dec: float) -> str:
    """Declination (degrees) in degrees and, where it takes them, minutes and seconds of arc."""
    degrees, rest = divmod(round(abs(dec) * 3600.0), 3600)
    minutes, seconds = divmod(rest, 60)
    sign = "" if degrees == minutes == seconds == 0 else "+" if dec > 0 else "\N{MINUS SIGN}"
    tail = (f" {minutes}\N{PRIME}" if minutes or seconds else "") + (f" {seconds}\N{DOUBLE PRIME}" if seconds else "")
    return f"{sign}{degrees}\N{DEGREE SIGN}{tail}"
