"""Lines on a drawing: cut at a frame, written as SVG paths; points along great circles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle of a drawing, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def grown(self, by: float) -> Frame:
        """The frame with this much more on every side."""
        return Frame(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies inside or on the edge."""
        return self.left <= x <= self.right and self.top <= y <= self.bottom


def clip(points: Array, frame: Frame) -> list[Array]:
    """The parts of a line [n, 2] that lie in the frame, cut exactly at its edges.

    A point that is not a number breaks the line. Each segment by itself (Liang & Barsky 1984, ACM Transactions on
    Graphics 3, 1), what follows on each other joined again.
    """
    starts, ends = points[:-1], points[1:]
    enter, leave = _inside(starts, ends, frame)
    kept = np.flatnonzero(enter < leave)
    parts: list[list[Array]] = []
    previous = -2
    for index in kept:
        step = ends[index] - starts[index]
        if index != previous + 1 or enter[index] > 0.0 or leave[previous] < 1.0:
            parts.append([starts[index] + enter[index] * step])
        parts[-1].append(ends[index] if leave[index] == 1.0 else starts[index] + leave[index] * step)
        previous = int(index)
    return [np.array(part) for part in parts]


def _inside(starts: Array, ends: Array, frame: Frame) -> tuple[Array, Array]:
    """Which share of each segment lies in the frame: from, to; none where the first is not the smaller one."""
    enter, leave = np.zeros(len(starts)), np.ones(len(starts))
    for axis, (low, high) in enumerate(((frame.left, frame.right), (frame.top, frame.bottom))):
        start, step = starts[:, axis], ends[:, axis] - starts[:, axis]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            at_low, at_high = (low - start) / step, (high - start) / step
        level = step == 0.0
        within = (start >= low) & (start <= high)
        first = np.where(level, np.where(within, 0.0, 2.0), np.minimum(at_low, at_high))
        last = np.where(level, np.where(within, 1.0, -1.0), np.maximum(at_low, at_high))
        enter, leave = np.maximum(enter, first), np.minimum(leave, last)
    unknown = ~(np.isfinite(starts).all(axis=1) & np.isfinite(ends).all(axis=1))
    enter[unknown] = 2.0
    return enter, leave


def write_path(points: Array, *, closed: bool = False) -> str:
    """A line as the ``d`` of an SVG path."""
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points) + ("Z" if closed else "")


def densify(vectors: Array, count: int = 12) -> Array:
    """Points along the great circles between the vertices (unit vectors [n, 3]) of a closed outline.

    Each arc gives ``count`` points, its beginning among them and its end not.
    """
    following = np.roll(vectors, -1, axis=0)
    steps = np.linspace(0.0, 1.0, count, endpoint=False)[None, :, None]
    points: Array = (vectors[:, None] + (following - vectors)[:, None] * steps).reshape(-1, 3)
    length: Array = np.linalg.norm(points, axis=1, keepdims=True)
    return points / length
