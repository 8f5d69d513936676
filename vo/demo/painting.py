"""Paints the scan of a rendered plate: stars by the plate's own solution, a comet, grain, and what it is in words."""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vo.demo.plates import Comet, Pointing, RenderedPlate
from vo.demo.sky import brightest_within
from vo.pixels.wcs import ImageWCS

Density = NDArray[np.float32]

#: Densities of clear glass, of the night sky on it, and of the blackest grain.
GLASS, SKY, BLACK = 250.0, 1600.0, 14000.0
GRAIN = 55.0
#: The light in the middle of the image of an exposure's faintest star.
PEAK = 500.0
STARS_PER_FIELD = 2500
#: A star image's width, in pixels (sigma), and half the side of the square it is painted into.
SIGMA, REACH = 1.4, 8


def paint(plate: RenderedPlate, solutions: tuple[ImageWCS, ...]) -> NDArray[np.int16]:
    """The scan as int16[height, width], first row at the bottom; ``solutions`` in the order of the pointings.

    Values are a density: the more light fell on a place, the larger.
    """
    draw = np.random.Generator(np.random.PCG64(zlib.crc32(plate.plate_id.encode())))
    light = np.zeros((plate.height, plate.width), dtype=np.float32)
    for pointing, solution in zip(plate.pointings, solutions, strict=True):
        _stars(light, plate, pointing, solution)
    if plate.comet is not None:
        _comet(light, plate.comet, solutions[0])
    density = SKY * _vignette(plate) + (BLACK - SKY) * (1.0 - np.exp(-light / BLACK))
    density += GRAIN * draw.standard_normal(density.shape, dtype=np.float32)
    border = max(plate.width // 50, 16)
    frame = np.ones(density.shape, dtype=bool)
    frame[border:-border, border:-border] = False
    density[frame] = GLASS
    _words(density, plate, border)
    scan: NDArray[np.int16] = np.clip(density, 0, 32767).astype(np.int16)
    return scan


def faintest_star(plate: RenderedPlate, pointing: Pointing) -> float:
    """The magnitude of the faintest star that an exposure shows."""
    return float(brightest_within(pointing.ra, pointing.dec, plate.field_radius, STARS_PER_FIELD).magnitude.max())


def _vignette(plate: RenderedPlate) -> Density:
    """Sky light falls to two thirds in the corners."""
    x = np.linspace(-1.0, 1.0, plate.width, dtype=np.float32)
    y = np.linspace(-1.0, 1.0, plate.height, dtype=np.float32)
    vignette: Density = 1.0 - (x[np.newaxis, :] ** 2 + y[:, np.newaxis] ** 2) / np.float32(6.0)
    return vignette


def _stars(light: Density, plate: RenderedPlate, pointing: Pointing, solution: ImageWCS) -> None:
    stars = brightest_within(pointing.ra, pointing.dec, plate.field_radius, STARS_PER_FIELD)
    x, y = solution.to_pixel(stars.ra, stars.dec)
    faintest = faintest_star(plate, pointing)
    peak = PEAK * 10.0 ** (0.4 * np.minimum(faintest - stars.magnitude, 6.0))
    _add(light, x, y, peak, SIGMA, REACH)
    bright = stars.magnitude < faintest - 3.0
    _add(light, x[bright], y[bright], 0.04 * peak[bright], 4.0 * SIGMA, 4 * REACH)


def _add(
    light: Density, x: NDArray[np.float64], y: NDArray[np.float64], peak: NDArray[np.float64], sigma: float, reach: int
) -> None:
    """Add round Gaussian images; x and y are 0-based pixel centres, those off the plate (or NaN) are left out."""
    height, width = light.shape
    inside = np.isfinite(x) & np.isfinite(y)
    inside[inside] &= (x[inside] > -reach) & (x[inside] < width + reach)
    inside[inside] &= (y[inside] > -reach) & (y[inside] < height + reach)
    for star_x, star_y, star_peak in zip(x[inside], y[inside], peak[inside], strict=True):
        left, low = max(round(star_x) - reach, 0), max(round(star_y) - reach, 0)
        columns = np.arange(left, min(round(star_x) + reach + 1, width))
        rows = np.arange(low, min(round(star_y) + reach + 1, height))
        across = np.exp(-0.5 * ((columns - star_x) / sigma) ** 2)
        along = np.exp(-0.5 * ((rows - star_y) / sigma) ** 2)
        light[low : low + len(rows), left : left + len(columns)] += star_peak * np.outer(along, across)


def _comet(light: Density, comet: Comet, solution: ImageWCS) -> None:
    """A round head and a straight tail that widens and fades."""
    steps = np.linspace(0.0, 1.0, 160)
    ra, dec = offset(comet.ra, comet.dec, comet.tail_angle, comet.tail_length * steps)
    x, y = solution.to_pixel(ra, dec)
    for step, at_x, at_y in zip(steps, x, y, strict=True):
        width = 5.0 + 22.0 * float(step)
        one = np.array([900.0 * (1.0 - float(step)) ** 1.5])
        _add(light, np.array([at_x]), np.array([at_y]), one, width, math.ceil(3 * width))
    _add(light, x[:1], y[:1], np.array([16000.0]), 5.0, 20)
    _add(light, x[:1], y[:1], np.array([3000.0]), 16.0, 60)


def offset(
    ra: float, dec: float, angle: float, distance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The places ``distance`` degrees from (ra, dec) at a position angle (east of north); all in ICRS degrees."""
    lat, turn, way = math.radians(dec), math.radians(angle), np.radians(distance)
    sine = math.sin(lat) * np.cos(way) + math.cos(lat) * np.sin(way) * math.cos(turn)
    east = np.arctan2(math.sin(turn) * np.sin(way) * math.cos(lat), np.cos(way) - math.sin(lat) * sine)
    return (ra + np.degrees(east)) % 360.0, np.degrees(np.arcsin(sine))


def _words(density: Density, plate: RenderedPlate, border: int) -> None:
    """``SYNTHETIC`` and the plate's name in the lower left corner, readable with the first row at the bottom."""
    text = f"SYNTHETIC  {plate.plate_id}"
    font = ImageFont.load_default(size=plate.width // 28)
    left, top, right, bottom = font.getbbox(text)
    sheet = Image.new("L", (math.ceil(right - left) + 8, math.ceil(bottom - top) + 8), 0)
    ImageDraw.Draw(sheet).text((4 - left, 4 - top), text, fill=255, font=font)
    ink = np.asarray(sheet, dtype=np.float32)[::-1] / 255.0
    rows, columns = ink.shape
    low, start = border + 12, border + 12
    place = density[low : low + rows, start : start + columns]
    place += (BLACK - place) * ink
