"""Pictures of cutouts, for people: JPEG and PNG, as the pixels lie or with north up and east to the left."""

from __future__ import annotations

import io
import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from vo.errors import LimitFault
from vo.pixels.frames import lonlat, unit
from vo.pixels.piece import Piece
from vo.pixels.read import Box
from vo.pixels.wcs import ImageWCS

Array = NDArray[np.float64]
Form = Literal["JPEG", "PNG"]

#: Percentiles of the pixels that become black and white.
_BLACK, _WHITE = 1.0, 99.5
#: Pixels that the percentiles are taken of, and rows that are turned into grey at a time.
_SAMPLE = 1_000_000
_BAND_ROWS = 256
#: A turned picture is put together from squares of so many pixels; within one the sky is straight.
_CELL = 32
#: A picture turned by 45 degrees has twice the pixels; one of a strange projection must not have many more.
_MOST_GROWTH = 2.5
_LONGEST_JPEG = 65_500
_QUALITY = 90
#: A segment of a JPEG file holds no longer comment (two bytes tell its length, and count themselves).
_LONGEST_COMMENT = 65_533


def draw(piece: Piece, form: Form, text: str, *, north: tuple[ImageWCS, Box] | None = None) -> bytes:
    """A picture of an image (its first plane), its lowest pixels black, its highest white; undefined ones are black.

    The first row is at the bottom, as FITS has it. With ``north``, the solution and the part of its image that
    ``piece`` shows, north is up and east to the left in the middle. ``text`` goes into the file as its comment.
    LimitFault when a side is too long for JPEG.
    """
    picture = Image.fromarray(_grey(piece))
    if north is not None:
        picture = _turned(picture, *north)
    if form == "JPEG" and max(picture.size) > _LONGEST_JPEG:
        raise LimitFault(
            f"a JPEG has at most {_LONGEST_JPEG} pixels along a side and this would have {max(picture.size)}; "
            "ask for image/png, or for a smaller region"
        )
    file = io.BytesIO()
    if form == "JPEG":
        picture.save(file, "JPEG", quality=_QUALITY, comment=text.encode()[:_LONGEST_COMMENT])
    else:
        note = PngImagePlugin.PngInfo()
        note.add_itxt("Description", text)
        picture.save(file, "PNG", pnginfo=note)
    return file.getvalue()


def _grey(piece: Piece) -> NDArray[np.uint8]:
    """Grey levels [height, width], the first row at the bottom."""
    width, height = piece.axes[:2]
    plane = bytearray()
    for chunk in piece.pixels():
        plane += chunk
        if len(plane) >= width * height * piece.dtype.itemsize:
            break
    stored = np.frombuffer(plane, dtype=piece.dtype, count=width * height).reshape(height, width)
    step = max(1, math.isqrt(stored.size // _SAMPLE))
    sample = _physical(piece, stored[::step, ::step])
    known = sample[np.isfinite(sample)]
    grey = np.zeros(stored.shape, dtype=np.uint8)
    if not known.size:
        return grey
    low, high = np.percentile(known, [_BLACK, _WHITE])
    for first in range(0, height, _BAND_ROWS):
        band = (_physical(piece, stored[first : first + _BAND_ROWS]) - low) * (255.0 / ((high - low) or 1.0))
        levels = np.clip(np.nan_to_num(band, nan=0.0, posinf=255.0, neginf=0.0), 0.0, 255.0)
        grey[height - first - len(band) : height - first] = levels[::-1].astype(np.uint8)
    return grey


def _physical(piece: Piece, stored: NDArray[np.generic]) -> Array:
    """What the numbers stand for, NaN where they are undefined (FITS 4.0, section 4.4.2)."""
    scale, zero, blank = (piece.number(key) for key in ("BSCALE", "BZERO", "BLANK"))
    values = stored.astype(np.float64)
    if blank is not None and stored.dtype.kind != "f":
        values[values == blank] = np.nan
    return values * (1.0 if scale is None else scale) + (0.0 if zero is None else zero)


def _turned(picture: Image.Image, wcs: ImageWCS, box: Box) -> Image.Image:
    """The picture as the sky looks around the middle of the box: distances from there are kept (ARC projection)."""
    plane = _Plane(wcs, box)
    size, mesh = plane.mesh()
    return picture.transform(size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


class _Plane:
    """A plane that touches the sky in the middle of a box; as in pictures x goes to the west and y to the south."""

    def __init__(self, wcs: ImageWCS, box: Box) -> None:
        self._wcs, self._box = wcs, box
        ra, dec = wcs.to_sky((box.left + box.right - 1) / 2, (box.bottom + box.top - 1) / 2)
        lon, lat = math.radians(float(ra)), math.radians(float(dec))
        self._out = unit(ra, dec)
        self._east = np.array([-math.sin(lon), math.cos(lon), 0.0])
        self._north = np.array([-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)])
        self._scale = math.radians(wcs.pixel_scale / 3600.0)

    def mesh(self) -> tuple[tuple[int, int], list[tuple[tuple[int, int, int, int], tuple[float, ...]]]]:
        """The picture's size, and its squares with the corners (of the picture as it lies) that they show."""
        low, high = self._reach()
        growth = float(np.prod(high - low)) / (self._scale**2 * self._box.width * self._box.height * _MOST_GROWTH)
        step = self._scale * max(1.0, math.sqrt(growth))
        width, height = (max(1, math.ceil(length)) for length in (high - low) / step)
        x, y = (np.append(np.arange(0, size, _CELL), size) for size in (width, height))
        at_x, at_y = self._to_picture(*(low[axis] + step * grid for axis, grid in enumerate(np.meshgrid(x, y))))
        mesh = []
        for row in range(len(y) - 1):
            for column in range(len(x) - 1):
                # as Pillow has it: upper left, lower left, lower right, upper right
                corners = ((row, column), (row + 1, column), (row + 1, column + 1), (row, column + 1))
                quad = tuple(float(axis[corner]) for corner in corners for axis in (at_x, at_y))
                if all(map(math.isfinite, quad)):
                    square = (int(x[column]), int(y[row]), int(x[column + 1]), int(y[row + 1]))
                    mesh.append((square, quad))
        return (width, height), mesh

    def _reach(self) -> tuple[Array, Array]:
        """The least and greatest x and y of the box, in radians."""
        box = self._box
        x, y = np.meshgrid(
            np.linspace(box.left - 0.5, box.right - 0.5, 33), np.linspace(box.bottom - 0.5, box.top - 0.5, 33)
        )
        places = unit(*self._wcs.to_sky(x.ravel(), y.ravel()))
        places = places[np.isfinite(places).all(axis=1)]
        along = np.stack([places @ self._east, places @ self._north], axis=1)
        sine = np.linalg.norm(along, axis=1)
        angle = np.arctan2(sine, places @ self._out)
        flat = along * (angle / np.where(sine > 0.0, sine, 1.0))[:, None] * np.array([-1.0, -1.0])
        return flat.min(axis=0), flat.max(axis=0)

    def _to_picture(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Where points of the plane (radians) are in the picture as it lies, from its upper left corner."""
        angle = np.hypot(x, y)
        factor = np.sinc(angle / math.pi)[..., None]
        along = -x[..., None] * self._east - y[..., None] * self._north
        place = np.cos(angle)[..., None] * self._out + factor * along
        ra, dec = lonlat(place.reshape(-1, 3))
        at_x, at_y = self._wcs.to_pixel(ra, dec)
        left, top = at_x - self._box.left + 0.5, self._box.top - 0.5 - at_y
        return left.reshape(x.shape), top.reshape(y.shape)
