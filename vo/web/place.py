"""A place on a plate: where a pixel of the scan lies on the sky by each exposure's solution, and how to cut it out.

Pixels count from 1 at the middle of the first, as FITS and the programs that show it have it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np

from vo.db.records import IMAGE_ROLES, Exposure, PlateBundle, Solution
from vo.errors import NotFoundFault, UsageFault
from vo.pixels.wcs import ImageWCS, load_solution
from vo.web.grid import Stage

#: Radii of cutouts that are offered, in degrees, and which share of the plate's longer side the usual one takes.
_RADII = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_USUAL = 1 / 40

#: Larger cutouts are not shown at once: a page is no place to look at them.
_SHOWN_PIXELS = 4_000_000


#: Pixels along a side that no picture and no scan has.
_LONGEST_SIDE = 10_000_000


@dataclass(frozen=True, slots=True)
class Solved:
    """An exposure with its current solution; ``can_cut`` when pixels are here."""

    exposure: Exposure
    name: str
    solution: Solution
    wcs: ImageWCS
    can_cut: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request names: a pixel of the scan (FITS, from 1) and the cutout's radius in degrees, if any."""

    x: float
    y: float
    radius: float | None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another exposure: what of the sky it has at the same pixel, and at which pixel it has the same place of the sky.

    ``ra`` and ``dec`` (degrees ICRS) are None off its sky, ``x`` and ``y`` (FITS) off the plate.
    """

    exposure_id: str
    name: str
    ra: float | None
    dec: float | None
    x: float | None
    y: float | None
    fits: str | None

    @property
    def sexagesimal(self) -> tuple[str, str] | None:
        """RA and Dec in words."""
        return None if self.ra is None or self.dec is None else write_sexagesimal(self.ra, self.dec)


@dataclass(frozen=True, slots=True)
class Place:
    """A pixel (``x``, ``y``; FITS) and its position in degrees ICRS; ``fits`` and ``picture`` lead to cutouts."""

    exposure_id: str
    name: str
    solution: str
    x: float
    y: float
    ra: float
    dec: float
    radius: float
    fits: str | None
    picture: str | None
    elsewhere: tuple[Elsewhere, ...]

    @property
    def sexagesimal(self) -> tuple[str, str]:
        """RA and Dec in hours, minutes, seconds and degrees, minutes, seconds."""
        return write_sexagesimal(self.ra, self.dec)

    @property
    def circle(self) -> str:
        """The cutout as SODA's CIRCLE."""
        return write_circle(self.ra, self.dec, self.radius)


def load_solved(bundle: PlateBundle, exposure: Exposure, name: str, *, can_cut: bool) -> Solved | None:
    """The exposure's solution, ready for use; None without one, or when its header cannot be used any more.

    Pixels are those of the scan's files: where these are turned against the grid that solutions are written for, so is
    the solution, and so are previews, which are made of them.
    """
    solution = bundle.solution_of(exposure)
    if solution is None:
        return None
    try:
        wcs = load_solution(solution.header, solution.wcs_key, (solution.width, solution.height))
        return Solved(exposure, name, solution, wcs.turned(-_turn(bundle, solution.scan_id)), can_cut)
    except UsageFault:
        return None


def _turn(bundle: PlateBundle, scan_id: str) -> int:
    """By how much a scan's files have to be turned to lie as its solutions have it, in degrees counter-clockwise."""
    scan = next((scan for scan in bundle.scans if scan.scan_id == scan_id), None)
    files = [one for one in bundle.products if one.role in IMAGE_ROLES and one.scan_id in (None, scan_id)]
    finest = min(files, key=lambda one: (one.bin_factor, one.product_id), default=None)
    if scan is None or finest is None or not finest.is_base:
        return 0
    return scan.turn_deg or 0


def read_asked(values: Mapping[str, str]) -> Asked | None:
    """Read ``x``, ``y`` and ``radius``, or what a picture that is a button sends: ``at.x``, ``at.y`` with its ``size``.

    ``size`` is the picture's width and height and the scan's, in pixels: ``320x400of1600x2000``. None when no place is
    named; UsageFault when one is and cannot be read.
    """
    if "at.x" in values or "at.y" in values:
        return _from_button(values)
    if not values.get("x", "").strip() and not values.get("y", "").strip():
        return None
    return Asked(_number(values, "x"), _number(values, "y"), _radius(values))


def _from_button(values: Mapping[str, str]) -> Asked:
    shown, _, scan = values.get("size", "").partition("of")
    try:
        (width, height), (columns, rows) = (tuple(map(int, text.split("x"))) for text in (shown, scan))
    except ValueError:
        width = height = columns = rows = 0
    if min(width, height, columns, rows) < 1 or max(width, height, columns, rows) > _LONGEST_SIDE:
        raise UsageFault("size has to be the picture's and the scan's pixels, such as 320x400of1600x2000")
    # A pixel of the picture is meant by its middle.
    across, down = (_number(values, "at.x") + 0.5) / width, (_number(values, "at.y") + 0.5) / height
    return Asked(across * columns + 0.5, (1.0 - down) * rows + 0.5, _radius(values))


def _number(values: Mapping[str, str], name: str) -> float:
    text = values.get(name, "")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageFault(f"{name}={text[:40]!r} is not a number; x and y are a pixel of the scan, counted from 1")
    return number


def _radius(values: Mapping[str, str]) -> float | None:
    if not values.get("radius", "").strip():
        return None
    radius = _number(values, "radius")
    if not 0.0 < radius <= 90.0:  # noqa: PLR2004 - degrees
        raise UsageFault(f"radius={radius:g} has to be above 0 and not above 90 degrees")
    return radius


def find_place(chosen: Solved, others: Sequence[Solved], asked: Asked, base: str, picture_pixels: int) -> Place:
    """Where a pixel lies by the chosen exposure's solution, and what the other exposures of its scan have there.

    There is a picture of the cutout when it is small and has no more than ``picture_pixels``.
    UsageFault for a pixel that is not on the scan; :class:`NotFoundFault` for one that has no place on the sky.
    """
    wcs = chosen.wcs
    if not _is_on(wcs, asked.x, asked.y):
        width, height = wcs.shape
        raise UsageFault(
            f"pixel {asked.x:g}, {asked.y:g} is not on the scan, which has {width} x {height} of them, counted from 1"
        )
    ra, dec = (float(value) for value in wcs.to_sky(asked.x - 1.0, asked.y - 1.0))
    if not (math.isfinite(ra) and math.isfinite(dec)):
        raise NotFoundFault(f"pixel {asked.x:g}, {asked.y:g} has no place on the sky by this solution")
    radius = asked.radius or usual_radius(wcs)
    return Place(
        exposure_id=chosen.exposure.exposure_id,
        name=chosen.name,
        solution=f"{chosen.solution.solution_id}, version {chosen.solution.version}",
        x=asked.x,
        y=asked.y,
        ra=ra,
        dec=dec,
        radius=radius,
        fits=_cutout(chosen, ra, dec, radius, base),
        picture=_picture(chosen, ra, dec, radius, base, picture_pixels),
        elsewhere=tuple(_elsewhere(chosen, other, asked, (ra, dec), radius, base) for other in others),
    )


def _elsewhere(
    chosen: Solved, other: Solved, asked: Asked, sky: tuple[float, float], radius: float, base: str
) -> Elsewhere:
    to_other = _ratio(chosen.wcs, other.wcs)
    own_x, own_y = (_rescaled(value, to_other) for value in (asked.x, asked.y))
    ra, dec = (_known(value) for value in other.wcs.to_sky(own_x - 1.0, own_y - 1.0))
    x, y = (_rescaled(float(value) + 1.0, 1.0 / to_other) for value in other.wcs.to_pixel(*sky))
    is_on = _is_on(chosen.wcs, x, y)
    return Elsewhere(
        exposure_id=other.exposure.exposure_id,
        name=other.name,
        ra=ra,
        dec=dec,
        x=x if is_on else None,
        y=y if is_on else None,
        fits=_cutout(other, *sky, radius, base) if is_on else None,
    )


def _is_on(wcs: ImageWCS, x: float, y: float) -> bool:
    """Whether a FITS pixel lies on the image, whose edges are half a pixel from the middles of the outermost ones."""
    return all(abs(at - (length + 1) / 2) <= length / 2 for at, length in zip((x, y), wcs.shape, strict=True))


def _ratio(one: ImageWCS, two: ImageWCS) -> float:
    """How many pixels of the grid of ``two`` make one of ``one``: solutions may be written for a binned scan."""
    longer, shorter = max(one.shape), max(two.shape)
    return 1.0 / round(longer / shorter) if longer >= shorter else float(round(shorter / longer))


def _rescaled(pixel: float, ratio: float) -> float:
    """A FITS pixel on a grid with ``ratio`` times as many of them."""
    return (pixel - 0.5) * ratio + 0.5


def _picture(solved: Solved, ra: float, dec: float, radius: float, base: str, most: int) -> str | None:
    address = _cutout(solved, ra, dec, radius, base)
    side = 2.0 * radius * 3600.0 / solved.wcs.pixel_scale + 2.0  # pixels that the circle only touches are cut, too
    return None if address is None or side**2 > min(most, _SHOWN_PIXELS) else f"{address}&RESPONSEFORMAT=image%2Fjpeg"


def _known(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _cutout(solved: Solved, ra: float, dec: float, radius: float, base: str) -> str | None:
    if not solved.can_cut:
        return None
    query = urlencode({"ID": solved.exposure.publisher_did, "CIRCLE": write_circle(ra, dec, radius)})
    return f"{base}/soda/sync?{query}"


def usual_radius(wcs: ImageWCS) -> float:
    """The radius (degrees) of a cutout that shows a small part of the plate."""
    wanted = max(wcs.shape) * wcs.pixel_scale / 3600.0 * _USUAL
    return min(_RADII, key=lambda radius: abs(math.log(radius / max(wanted, 1e-9))))


def list_radii(wcs: ImageWCS) -> tuple[float, ...]:
    """Radii (degrees) to choose from, the usual one among them."""
    at = _RADII.index(usual_radius(wcs))
    return _RADII[max(0, at - 2) : at + 3]


def write_circle(ra: float, dec: float, radius: float) -> str:
    """SODA's CIRCLE, to a ten-thousandth of an arcsecond."""
    return f"{ra:.8f} {dec:.8f} {radius:g}"


def write_sexagesimal(ra: float, dec: float) -> tuple[str, str]:
    """A position in hours, minutes, seconds and in degrees, minutes, seconds."""
    hundredths = round(ra * 24_000.0) % 8_640_000
    hours, rest = divmod(hundredths, 360_000)
    minutes, rest = divmod(rest, 6_000)
    tenths = round(abs(dec) * 36_000.0)
    degrees, arc = divmod(tenths, 36_000)
    arcmin, arcsec = divmod(arc, 600)
    sign = "\N{MINUS SIGN}" if dec < 0 and tenths else "+"
    return (
        f"{hours:02d}h {minutes:02d}m {rest / 100:05.2f}s",
        f"{sign}{degrees:02d}\N{DEGREE SIGN} {arcmin:02d}\N{PRIME} {arcsec / 10:04.1f}\N{DOUBLE PRIME}",
    )


def as_json(place: Place, stage: Stage) -> dict[str, Any]:
    """The place for the page's script: degrees ICRS, pixels as FITS counts them, marks in the drawing's units."""
    return {
        "exposure": place.exposure_id,
        "name": place.name,
        "solution": place.solution,
        "x": place.x,
        "y": place.y,
        "ra": place.ra,
        "dec": place.dec,
        "sexagesimal": place.sexagesimal,
        "radius": place.radius,
        "circle": place.circle,
        "fits": place.fits,
        "picture": place.picture,
        "mark": mark_of(stage, place.x, place.y),
        "elsewhere": [
            {
                "exposure": one.exposure_id,
                "name": one.name,
                "ra": one.ra,
                "dec": one.dec,
                "sexagesimal": one.sexagesimal,
                "x": one.x,
                "y": one.y,
                "fits": one.fits,
                "mark": mark_of(stage, one.x, one.y),
            }
            for one in place.elsewhere
        ],
    }


def mark_of(stage: Stage, x: float | None, y: float | None) -> tuple[float, float] | None:
    """A pixel (FITS) as a point of the drawing."""
    if x is None or y is None:
        return None
    ((across, down),) = stage.from_pixels(np.array([x - 1.0]), np.array([y - 1.0]))
    return round(float(across), 2), round(float(down), 2)
