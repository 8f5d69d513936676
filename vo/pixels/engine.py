"""Pixels to sky and back for one system of cards: wcslib through astropy, and what wcslib leaves to us.

wcslib does projections, linear parts and the distortions SIP, TPV and DSS. Ours are the surfaces of TNX and ZPX (see
:mod:`vo.pixels.iraf`) and the inverse of every distortion: wcslib's raises for all points where one does not converge,
ours answers NaN for that one.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.wcs import Wcsprm
from numpy.typing import NDArray

from vo.pixels import iraf
from vo.pixels.cards import make
from vo.pixels.frames import EQUATORIAL, OTHER, Frame
from vo.pixels.select import IncompleteError, Selection

Array = NDArray[np.float64]

#: Newton steps of the inverse, and when it has arrived (pixels).
_STEPS, _ARRIVED = 30, 1e-7
#: Step of the finite differences (pixels).
_DIFFERENCE = 0.05
#: Beyond this many half diagonals from the image's middle a distortion says nothing.
_FARTHEST = 8.0


@dataclass(slots=True)
class Engine:
    """The evaluation of one system. wcslib's structures may not be shared between threads at the same time: a lock."""

    full: Any
    plane: Any
    frame: Frame
    surfaces: tuple[iraf.Surface | None, iraf.Surface | None]
    distorted: bool
    notes: tuple[str, ...]
    guess: Array
    shape: tuple[int, int]
    limit: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def to_plane(self, pixels: Array) -> Array:
        """Intermediate world coordinates (n, 2) in degrees, distortion included, of 0-based pixels (n, 2)."""
        with self.lock:
            plane = np.asarray(self.full.p2s(pixels + 1.0, 1)["imgcrd"])[:, [self.full.lng, self.full.lat]]
        xi, eta = plane[:, 0], plane[:, 1]
        return np.stack(
            [_corrected(own, base, xi, eta) for own, base in zip(self.surfaces, (xi, eta), strict=True)], axis=1
        )

    def to_world(self, pixels: Array) -> Array:
        """Longitude and latitude (n, 2) in the header's own frame of 0-based pixels (n, 2); NaN off the sky."""
        if not len(pixels):
            return pixels  # wcslib takes no empty lists
        if any(self.surfaces):
            plane = self.to_plane(pixels)
            with self.lock:
                found = self.plane.p2s(plane, 1)
            return _good(found["world"], found["stat"])
        with self.lock:
            found = self.full.p2s(pixels + 1.0, 1)
        return _good(np.asarray(found["world"])[:, [self.full.lng, self.full.lat]], found["stat"])

    def to_pixel(self, world: Array) -> Array:
        """0-based pixels (n, 2) of positions (n, 2) in the header's own frame; NaN where they have no place."""
        if not len(world):
            return world
        known = np.asarray(np.isfinite(world).all(axis=1))
        safe = np.where(known[:, None], world, 0.0)
        if not self.distorted:
            ordered = safe if self.full.lng == 0 else safe[:, ::-1]
            with self.lock:
                found = self.full.s2p(np.ascontiguousarray(ordered), 1)
            pixels = _good(found["pixcrd"], found["stat"]) - 1.0
        else:
            with self.lock:
                found = self.plane.s2p(np.ascontiguousarray(safe), 1)
            pixels = self._undistort(_good(found["pixcrd"], found["stat"]))
        pixels[~known] = np.nan
        return pixels

    def _undistort(self, target: Array) -> Array:
        """Newton's method from the linear part; a place beyond a fold of the polynomial is no place."""
        affine = self.guess
        pixels: Array = target @ affine[:2] + affine[2]
        sign = np.sign(np.linalg.det(affine[:2]))
        done = np.zeros(len(target), dtype=bool)
        active = np.flatnonzero(np.isfinite(target).all(axis=1))
        for _ in range(_STEPS):
            if not len(active):
                break
            here = pixels[active]
            value, jacobian = self._derivatives(here)
            determinant = jacobian[:, 0, 0] * jacobian[:, 1, 1] - jacobian[:, 0, 1] * jacobian[:, 1, 0]
            miss = target[active] - value
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step_x = (jacobian[:, 1, 1] * miss[:, 0] - jacobian[:, 0, 1] * miss[:, 1]) / determinant
                step_y = (jacobian[:, 0, 0] * miss[:, 1] - jacobian[:, 1, 0] * miss[:, 0]) / determinant
            step = np.stack([step_x, step_y], axis=1)
            pixels[active] = here + step
            length = np.abs(step).max(axis=1)
            arrived = (length < _ARRIVED * np.maximum(1.0, np.abs(here).max(axis=1) / 1e4)) & (
                np.sign(determinant) == sign
            )
            done[active[arrived]] = True
            active = active[~arrived & np.isfinite(length) & (length < 1e9)]  # noqa: PLR2004  runaway
        middle = (np.asarray(self.shape) - 1.0) / 2.0
        with np.errstate(invalid="ignore", over="ignore"):
            done &= np.linalg.norm(pixels - middle, axis=1) <= self._reach(sign)
        pixels[~done] = np.nan
        return pixels

    def _reach(self, sign: float) -> float:
        """How far from the image's middle the distortion can be believed, in pixels: to where it first folds over.

        Farther out, another fold may lead back onto the plane of the image, from the wrong side.
        """
        if self.limit is None:
            diagonal = float(np.hypot(*self.shape)) / 2.0
            along, turn = np.linspace(0.0, _FARTHEST, 81), np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
            rays = along[:, None, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
            middle = (np.asarray(self.shape) - 1.0) / 2.0
            jacobian = self._derivatives((middle + diagonal * rays).reshape(-1, 2))[1]
            folded = (np.sign(np.linalg.det(jacobian)) != sign).reshape(rays.shape[:2]).any(axis=1)
            whole = float(along[max(int(folded.argmax()) - 1, 0)]) if folded.any() else _FARTHEST
            self.limit = max(whole, 1.02) * diagonal
        return self.limit

    def _derivatives(self, pixels: Array) -> tuple[Array, Array]:
        """Plane coordinates and their derivatives [n, plane axis, pixel axis]."""
        shifts = np.array([[0.0, 0.0], [_DIFFERENCE, 0.0], [0.0, _DIFFERENCE]])
        values = self.to_plane((pixels[None] + shifts[:, None]).reshape(-1, 2)).reshape(3, -1, 2)
        jacobian: Array = np.stack([values[1] - values[0], values[2] - values[0]], axis=2) / _DIFFERENCE
        return values[0], jacobian


def build(selection: Selection, shape: tuple[int, int]) -> Engine:
    """The evaluation of a system on an image of ``shape`` (width, height); IncompleteError when wcslib refuses it."""
    images, surfaces, notes = _prepared(selection)
    try:
        full = Wcsprm(header="".join(images).encode("ascii", "replace"), key=selection.key, relax=True, warnings=False)
        if full.naxis > 2:  # noqa: PLR2004  planes of colour, single frequencies: only the sky matters here
            full = full.sub(["longitude", "latitude"])
        fixes = full.fix()
        full.set()
    except (ValueError, KeyError, RuntimeError, MemoryError) as fault:
        raise IncompleteError(_said(fault)) from fault
    if full.lng < 0 or full.lat < 0:
        raise IncompleteError("it has no pair of celestial axes")
    distorted = selection.kind in ("DSS", "SIP", "TPV") or any(surfaces)
    engine = Engine(
        full=full,
        plane=_plane(full),
        frame=_frame(full),
        surfaces=surfaces,
        distorted=distorted,
        notes=(*notes, *_told(fixes)),
        guess=np.zeros((3, 2)),
        shape=shape,
    )
    if distorted:
        engine.guess = _affine(engine, shape)
    return engine


def _corrected(own: iraf.Surface | None, base: Array, xi: Array, eta: Array) -> Array:
    return base if own is None else base + own.at(xi, eta)


def _good(values: Any, status: Any) -> Array:
    """Values (n, 2) with NaN where wcslib says that there is no such place."""
    bad = np.asarray(status, dtype=np.bool_).reshape(-1, 1)
    return np.where(~bad, np.asarray(values, dtype=np.float64), np.nan)


def _prepared(
    selection: Selection,
) -> tuple[list[str], tuple[iraf.Surface | None, iraf.Surface | None], list[str]]:
    """The cards for wcslib, and IRAF's surfaces in their stead."""
    if selection.kind not in ("TNX", "ZPX"):
        return list(selection.images), (None, None), []
    notes: list[str] = []
    words = [iraf.attributes(selection.images, axis) for axis in (1, 2)]
    latitude = next((one for one in words if one.get("axtype") == "dec"), words[1])
    longitude = words[1] if latitude is words[0] else words[0]
    try:
        surfaces = (iraf.surface(longitude, "lngcor"), iraf.surface(latitude, "latcor"))
        terms = iraf.projection_terms(latitude)
        other = iraf.projection_terms(longitude)
    except ValueError as fault:
        raise IncompleteError(f"its WAT cards cannot be read: {fault}") from fault
    images = [image.replace("TNX", "TAN").replace("ZPX", "ZPN") for image in selection.images if image[:3] != "WAT"]
    if selection.kind == "ZPX":
        if other and other != terms:
            notes.append("WAT cards give each axis its own projp terms; those of the latitude are used")
        latitude_axis = 1 if latitude is words[0] else 2
        images += [make(f"PV{latitude_axis}_{power}", number) for power, number in (terms or {1: 1.0}).items()]
    return images, surfaces, notes


def _plane(full: Any) -> Any:
    """Make wcslib's structure for the projection alone: its pixels are intermediate world coordinates in degrees."""
    plane = Wcsprm(naxis=2)
    order = [full.lng, full.lat]
    names = [full.ctype[axis][:8] for axis in order]
    plane.ctype = names
    plane.crval = [full.crval[axis] for axis in order]
    plane.crpix, plane.cdelt = [0.0, 0.0], [1.0, 1.0]
    plane.cunit = ["deg", "deg"]
    plane.lonpole, plane.latpole = full.lonpole, full.latpole
    plane.set_pv([(order.index(axis - 1) + 1, term, number) for axis, term, number in full.get_pv()])
    plane.set()
    return plane


def _frame(full: Any) -> Frame:
    """The frame by the rules of FITS WCS paper II, section 3.1.1, which wcslib has applied where cards were missing."""
    name = full.radesys.strip().upper()
    kind = full.lngtyp.strip()
    mjd = None if np.isnan(full.mjdobs) or full.mjdobs == 0.0 else float(full.mjdobs)
    equinox = float(full.equinox)
    if kind in OTHER:
        return Frame(kind, 2000.0 if np.isnan(equinox) else equinox)
    if kind != "RA":
        raise IncompleteError(f"{kind} is no coordinate on the sky known here")
    if name not in EQUATORIAL:
        raise IncompleteError(f"RADESYS is {name}; known are {', '.join(EQUATORIAL)}")
    if name == "ICRS":
        return Frame("ICRS", 2000.0)
    if name == "FK5":
        return Frame("FK5", 2000.0 if np.isnan(equinox) else equinox)
    return Frame(name, 1950.0 if np.isnan(equinox) else equinox, mjd)


def _affine(engine: Engine, shape: tuple[int, int]) -> Array:
    """The best linear map from plane to pixels over the image: where Newton's method begins."""
    xs, ys = (np.linspace(-0.5, size - 0.5, 5) for size in shape)
    pixels = np.stack([grid.ravel() for grid in np.meshgrid(xs, ys)], axis=1)
    plane = engine.to_plane(pixels)
    known = np.isfinite(plane).all(axis=1)
    if known.sum() < 3:  # noqa: PLR2004  a plane needs three points
        raise IncompleteError("its distortion gives no numbers on the image")
    matrix = np.column_stack([plane[known], np.ones(known.sum())])
    solved: Array = np.linalg.lstsq(matrix, pixels[known], rcond=None)[0]
    return solved


def _told(fixes: dict[str, str]) -> list[str]:
    """What wcslib mended, without what it only derives (MJD-OBS from DATE-OBS)."""
    lines = [line for text in fixes.values() if text != "No change" for line in text.split("\n")]
    joined = " ".join(line.strip() for line in lines if not line.startswith("Set MJD-OBS"))
    return [joined] if joined else []


def _said(fault: Exception) -> str:
    """The last line of wcslib's trace says what is wrong."""
    lines = [line.strip() for line in str(fault).strip().splitlines() if line.strip() and not line.startswith("ERROR")]
    return lines[-1] if lines else str(fault)
