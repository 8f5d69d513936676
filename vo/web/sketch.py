"""A small drawing of footprints on the sky, as paths for inline SVG.

Projection: zenithal equidistant about the middle of all footprints (Calabretta & Greisen 2002, section 5.1.3),
north up and east to the left as one sees the sky. It shows poles, RA 0 and fields of 70 degrees without special
cases.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vo.web.curves import Array, densify

#: The drawing is a square of this many units, of which the footprints fill what the margin leaves.
SIZE = 400.0
_MARGIN = 0.82
_LABEL_INSET = 6.0
_RA_ROOM, _DEC_ROOM = 42.0, 14.0

_DEC_STEPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
#: In degrees: from 4 s to 3 h of right ascension, steps that are round in hours and minutes.
_RA_STEPS = (1 / 60, 1 / 24, 1 / 12, 0.25, 0.5, 1.25, 2.5, 5.0, 7.5, 15.0, 30.0, 45.0)
_LINES_WANTED = 4


@dataclass(frozen=True, slots=True)
class Outline:
    """One footprint: ``name`` for people, ``path`` for SVG."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class GridLine:
    """One line of the grid; ``x`` and ``y`` say where its label stands, None when the line leaves no room for one."""

    path: str
    label: str
    x: float | None
    y: float | None
    is_ra: bool


@dataclass(frozen=True, slots=True)
class Sketch:
    """What a template needs to draw: all in units of a square of :data:`SIZE`, y downwards."""

    size: float
    outlines: tuple[Outline, ...]
    grid: tuple[GridLine, ...]
    width_deg: float

    @property
    def opacity(self) -> float:
        """Of one footprint's filling: many on top of each other still let the grid show."""
        return round(max(0.02, 0.12 / len(self.outlines)), 3)


def draw(footprints: Sequence[tuple[str, Array]]) -> Sketch | None:
    """Draw footprints: (name, vertices[n, 2] in degrees ICRS). None when there is nothing to draw."""
    shapes = [(name, _vectors(vertices)) for name, vertices in footprints if len(vertices) >= 3]  # noqa: PLR2004 - fewer is no area
    if not shapes:
        return None
    plane = _Plane.around([vectors for _, vectors in shapes])
    outlines = tuple(Outline(name, _path(plane.project(densify(vectors)), closed=True)) for name, vectors in shapes)
    return Sketch(SIZE, outlines, tuple(_thin(_grid(plane))), 2.0 * math.degrees(plane.half_width))


def parse_region(text: str) -> Array:
    """Vertices [n, 2] (degrees) of ``POLYGON ICRS lon lat ...``."""
    numbers = [word for word in text.split() if word[0] in "+-.0123456789"]
    return np.array(numbers, dtype=float).reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class _Plane:
    """The projection: unit vectors of its centre, east and north; ``half_width`` in radians."""

    centre: Array
    east: Array
    north: Array
    half_width: float

    @classmethod
    def around(cls, shapes: Sequence[Array]) -> _Plane:
        total = np.sum([shape.mean(axis=0) for shape in shapes], axis=0)
        if np.linalg.norm(total) < 1e-3:  # noqa: PLR2004 - footprints on opposite sides have no middle: show the first
            total = shapes[0].mean(axis=0)
        centre = total / np.linalg.norm(total)
        east = np.array([-centre[1], centre[0], 0.0])
        if np.linalg.norm(east) < 1e-9:  # noqa: PLR2004 - at the pole itself any direction will do as east
            east = np.array([0.0, 1.0, 0.0])
        east = east / np.linalg.norm(east)
        plane = cls(centre, east, np.cross(centre, east), 1.0)
        reach = max(float(np.abs(plane._angles(shape)).max()) for shape in shapes)
        return cls(plane.centre, plane.east, plane.north, max(reach, 1e-6) / _MARGIN)

    def _angles(self, vectors: Array) -> Array:
        """Offsets in radians, east and north, [n, 2]."""
        east, north = vectors @ self.east, vectors @ self.north
        sine = np.hypot(east, north)
        angle = np.arctan2(sine, vectors @ self.centre)
        stretch = np.divide(angle, sine, out=np.ones_like(angle), where=sine > 1e-12)  # noqa: PLR2004 - the centre itself
        return np.column_stack([east * stretch, north * stretch])

    def project(self, vectors: Array) -> Array:
        """Places in the drawing, [n, 2]."""
        offsets = self._angles(vectors) / self.half_width
        return np.column_stack([1.0 - offsets[:, 0], 1.0 - offsets[:, 1]]) * (SIZE / 2)


def _vectors(vertices: Array) -> Array:
    ra, dec = np.radians(np.asarray(vertices, dtype=float)).T
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def _path(points: Array, *, closed: bool = False) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + ("Z" if closed else "")


def _grid(plane: _Plane) -> Iterable[GridLine]:
    middle_dec = math.degrees(math.asin(float(np.clip(plane.centre[2], -1.0, 1.0))))
    middle_ra = math.degrees(math.atan2(float(plane.centre[1]), float(plane.centre[0])))
    reach = math.degrees(plane.half_width)
    corner = reach * math.sqrt(2.0)
    has_pole = abs(middle_dec) + reach >= 90.0  # noqa: PLR2004 - degrees
    dec_step = _step(_DEC_STEPS, 2 * reach / _LINES_WANTED)
    ra_wanted = 2 * reach / _LINES_WANTED / max(math.cos(math.radians(middle_dec)), 0.02)
    ra_step = _step(_RA_STEPS, ra_wanted)
    ra_reach = 180.0 if has_pole else min(180.0, corner / max(math.cos(math.radians(middle_dec)), 1e-3) * 1.5)
    decs = np.linspace(max(-90.0, middle_dec - corner), min(90.0, middle_dec + corner), 120)
    ras = np.linspace(middle_ra - ra_reach, middle_ra + ra_reach, 361 if has_pole else 120)
    for dec in _multiples(dec_step, decs[0], decs[-1]):
        line = plane.project(_vectors(np.column_stack([ras, np.full_like(ras, dec)])))
        yield from _lines(line, _degrees(dec, dec_step), is_ra=False)
    meridians = np.arange(0.0, 360.0, 30.0) if has_pole else _multiples(ra_step, ras[0], ras[-1])
    for ra in meridians:
        line = plane.project(_vectors(np.column_stack([np.full_like(decs, ra), decs])))
        yield from _lines(line, _hours(ra % 360.0), is_ra=True)


def _thin(lines: Iterable[GridLine]) -> Iterable[GridLine]:
    """Leave out labels that would run into one another."""
    placed: dict[bool, list[float]] = {True: [], False: []}
    for line in lines:
        place = line.x if line.is_ra else line.y
        room = _RA_ROOM if line.is_ra else _DEC_ROOM
        if place is not None and any(abs(place - other) < room for other in placed[line.is_ra]):
            yield replace(line, x=None, y=None)
            continue
        if place is not None:
            placed[line.is_ra].append(place)
        yield line


def _step(steps: Sequence[float], wanted: float) -> float:
    return next((step for step in steps if step >= wanted), steps[-1])


def _degrees(dec: float, step: float) -> str:
    digits = 0 if step >= 1 else 1 if step >= 0.1 else 2  # noqa: PLR2004 - as many as the step needs
    return f"{dec:{'' if dec == 0 else '+'}.{digits}f}\N{DEGREE SIGN}"


def _multiples(step: float, low: float, high: float) -> list[float]:
    return [index * step for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _hours(ra: float) -> str:
    """Right ascension in hours and what else it takes, such as ``5h 20m``."""
    seconds = round(ra * 240.0) % 86_400
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{hours}h", f"{minutes}m" if minutes or rest else "", f"{rest}s" if rest else ""]
    return " ".join(part for part in parts if part)


def _lines(points: Array, label: str, *, is_ra: bool) -> Iterable[GridLine]:
    """Yield the parts of a line that lie in the drawing; the first that meets the label's edge carries the label."""
    inside = np.all((points > -SIZE * 0.2) & (points < SIZE * 1.2), axis=1)
    cuts = np.flatnonzero(np.diff(inside.astype(int)) != 0) + 1
    labelled = False
    for part in np.split(points, cuts):
        if len(part) < 2 or not np.all((part > -SIZE * 0.2) & (part < SIZE * 1.2)):  # noqa: PLR2004 - a line has two ends
            continue
        place = None if labelled else _crossing(part, is_ra=is_ra)
        labelled = labelled or place is not None
        x, y = place or (None, None)
        yield GridLine(_path(part), label, x, y, is_ra)


def _crossing(points: Array, *, is_ra: bool) -> tuple[float, float] | None:
    """Where a line meets the lower edge (RA) or the left edge (Dec) of the drawing, moved inside a little."""
    across, along = (1, 0) if is_ra else (0, 1)
    edge = SIZE - _LABEL_INSET if is_ra else _LABEL_INSET
    offset = points[:, across] - edge
    crossings = np.flatnonzero(np.diff(np.sign(offset)) != 0)
    for index in crossings:
        start, end = points[index], points[index + 1]
        share = offset[index] / (offset[index] - offset[index + 1])
        place = float(start[along] + share * (end[along] - start[along]))
        if 0.06 * SIZE < place < 0.94 * SIZE:
            return (round(place, 1), edge) if is_ra else (edge, round(place, 1))
    return None
