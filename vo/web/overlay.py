"""What is drawn on a plate's preview: the grid of one exposure's solution, and where the others' fields lie by it.

Every exposure of a plate covers the whole plate; by the solution of one of them the fields of the others lie beside it.
All in units of a drawing in which the plate's longer side is :data:`vo.web.grid.PLATE` long, so that it fits a preview
of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vo.pixels.frames import lonlat, unit
from vo.pixels.wcs import ImageWCS
from vo.web.curves import Array, Frame, clip, densify, write_path
from vo.web.grid import GridLine, Stage, draw_grid

#: Room around the plate for labels and for what leaves it.
MARGIN = 56.0


@dataclass(frozen=True, slots=True)
class Field:
    """An exposure's region on the sky: ``vertices`` [n, 2] and ``centre`` in degrees ICRS, None where unknown.

    ``index`` is its place among the plate's exposures, which decides its colour and pattern.
    """

    name: str
    index: int
    vertices: Array | None
    centre: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of the drawing; ``side`` is where its name stands: ``start`` to the right of it, ``end`` to the left."""

    x: float
    y: float
    side: str


@dataclass(frozen=True, slots=True)
class Outline:
    """A field in the drawing: ``path`` is empty when no part of its edge is in sight."""

    name: str
    index: int
    path: str
    centre: Mark | None
    is_own: bool


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a template needs: a plate ``width`` x ``height``, of ``columns`` x ``rows`` pixels each ``scale`` long."""

    width: float
    height: float
    margin: float
    scale: float
    columns: int
    rows: int
    grid: tuple[GridLine, ...]
    outlines: tuple[Outline, ...]

    @property
    def view_box(self) -> str:
        """The whole drawing with its margin, for SVG."""
        return f"{-self.margin:g} {-self.margin:g} {self.width + 2 * self.margin:g} {self.height + 2 * self.margin:g}"


def draw_overlay(wcs: ImageWCS, own: Field, others: Sequence[Field]) -> Overlay:
    """Draw the grid of a solution, the plate's edge as ``own`` field, and the other exposures' fields."""
    stage = Stage(wcs)
    frame = stage.frame
    outlines = [Outline(own.name, own.index, _rectangle(frame), _mark(stage, own), is_own=True)]
    outlines += [Outline(one.name, one.index, _edge(stage, one), _mark(stage, one), is_own=False) for one in others]
    return Overlay(
        width=round(frame.right, 3),
        height=round(frame.bottom, 3),
        margin=MARGIN,
        scale=stage.scale,
        columns=wcs.shape[0],
        rows=wcs.shape[1],
        grid=draw_grid(stage),
        outlines=tuple(outlines),
    )


def trace_field(stage: Stage, vertices: Array) -> Array:
    """A region's closed outline in the drawing, [n, 2]: points along its great circles, NaN where there is no place."""
    ra, dec = lonlat(densify(unit(vertices[:, 0], vertices[:, 1])))
    points = stage.place(ra, dec)
    return np.concatenate([points, points[:1]])


def _edge(stage: Stage, field: Field) -> str:
    if field.vertices is None or len(field.vertices) < 3:  # noqa: PLR2004 - fewer are no area
        return ""
    sight = stage.frame.grown(MARGIN)
    return "".join(write_path(part) for part in clip(trace_field(stage, field.vertices), sight))


def _mark(stage: Stage, field: Field) -> Mark | None:
    """The centre of a field; names of neighbours stand to its left and right in turn, so that both can be read."""
    if field.centre is None:
        return None
    ((x, y),) = stage.place(np.array([field.centre[0]]), np.array([field.centre[1]]))
    if not stage.frame.holds(float(x), float(y)):
        return None
    return Mark(round(float(x), 2), round(float(y), 2), "end" if field.index % 2 else "start")


def _rectangle(frame: Frame) -> str:
    corners = [
        (frame.left, frame.top),
        (frame.right, frame.top),
        (frame.right, frame.bottom),
        (frame.left, frame.bottom),
    ]
    return write_path(np.array(corners), closed=True)
