"""The rendered plates: one for each thing about plates that software gets wrong.

resources/demo/README.md lists them for people.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Literal

from vo.demo.series import SERIES, Series

Distortion = Literal["none", "sip", "tpv"]


@dataclass(frozen=True, slots=True)
class Pointing:
    """One exposure of a rendered plate: where the telescope looked (ICRS degrees), when (UTC) and how long.

    ``rotation`` is the position angle of the image's upward direction, degrees east of north.
    """

    ra: float
    dec: float
    rotation: float
    start: dt.datetime
    minutes: float
    target_name: str | None
    observer: str | None


@dataclass(frozen=True, slots=True)
class Comet:
    """A comet on a plate: its head (ICRS degrees), the tail's position angle (degrees) and length (degrees)."""

    ra: float
    dec: float
    tail_angle: float
    tail_length: float


@dataclass(frozen=True, slots=True)
class RenderedPlate:
    """A plate whose files are made.

    ``width`` and ``height`` are the scan's pixels, multiples of 16; 0 for a plate without a scan. ``solved`` says
    whether a solution is published (stars are drawn by the true WCS all the same).
    """

    plate_id: str
    shows: str
    series: Series
    width: int
    height: int
    pointings: tuple[Pointing, ...]
    solved: bool = True
    mirrored: bool = False
    distortion: Distortion = "none"
    compressed: bool = False
    comet: Comet | None = None

    @property
    def is_scanned(self) -> bool:
        """Whether there is a digital image of it."""
        return self.width > 0

    @property
    def pixel_scale(self) -> float:
        """Of the full scan, in arcsec per pixel (0 for an unscanned plate)."""
        return self.series.plate_scale * self.series.width_mm / self.width if self.width else 0.0

    @property
    def field_radius(self) -> float:
        """Radius in degrees within which everything on the plate lies, for one pointing."""
        width, height = self.series.width_mm, self.series.height_mm
        return 0.55 * math.hypot(width, height) * self.series.plate_scale / 3600.0


def _utc(year: int, month: int, day: int, hour: int, minute: int) -> dt.datetime:
    return dt.datetime(year, month, day, hour, minute, tzinfo=dt.UTC)


def _eleven() -> tuple[Pointing, ...]:
    """Eleven short exposures of one field, the telescope moved a little to the south after each."""
    start = _utc(1899, 11, 16, 2, 0)
    return tuple(
        Pointing(
            ra=66.2,
            dec=15.9 - 0.12 * number,
            rotation=0.0,
            start=start + dt.timedelta(minutes=12 * number),
            minutes=5.0,
            target_name=f"Demo cluster, exposure {number + 1}",
            observer="María Núñez",
        )
        for number in range(11)
    )


PLATES: tuple[RenderedPlate, ...] = (
    RenderedPlate(
        "comet_1941", "a comet near perihelion, found by its position and date", SERIES["na"], 2400, 2400,
        (Pointing(214.5, 28.3, 1.5, _utc(1941, 2, 3, 1, 30), 60.0, "Comet Example 1941 (synthetic)", "Åse Sørensen"),),
        comet=Comet(214.62, 28.41, 305.0, 0.7),
    ),
    RenderedPlate(
        "pole", "a field over the north celestial pole", SERIES["nb"], 1600, 2000,
        (Pointing(40.0, 88.4, 25.0, _utc(1907, 9, 30, 23, 15), 30.0, "Pole", "J. Müller"),),
    ),
    RenderedPlate(
        "ra_zero", "a field across right ascension 0", SERIES["nb"], 1600, 2000,
        (Pointing(0.3, -12.0, -4.0, _utc(1912, 10, 8, 0, 5), 30.0, None, "J. Müller"),),
    ),
    RenderedPlate(
        "wide", "70 degrees wide: in demo.plates, not in ivoa.obscore", SERIES["mc"], 2048, 2048,
        (Pointing(262.0, -38.0, 12.0, _utc(1944, 7, 19, 1, 0), 120.0, "Milky Way", "田中 花"),),
    ),
    RenderedPlate(
        "eleven", "eleven exposures with eleven solutions on one plate", SERIES["nb"], 1600, 2000, _eleven(),
    ),
    RenderedPlate(
        "two_fields", "two exposures whose fields are seven degrees apart", SERIES["nb"], 1600, 2000,
        (
            Pointing(120.0, 20.0, 2.0, _utc(1903, 2, 20, 2, 0), 15.0, "Demo field A", "A. Example"),
            Pointing(127.4, 20.2, 2.0, _utc(1903, 2, 20, 2, 40), 15.0, "Demo field B", "A. Example"),
        ),
    ),
    RenderedPlate(
        "mirrored", "scanned through the glass: east is to the right", SERIES["sb"], 1600, 2000,
        (Pointing(83.8, -5.4, -8.0, _utc(1921, 1, 4, 3, 30), 45.0, "M 42 field", "Łucja Żak"),),
        mirrored=True,
    ),
    RenderedPlate(
        "tpv", "a solution with TPV distortion", SERIES["ss"], 2208, 2208,
        (Pointing(13.2, -72.8, 0.7, _utc(1975, 8, 12, 4, 20), 50.0, "SMC field", "B. Example"),),
        distortion="tpv",
    ),
    RenderedPlate(
        "sip", "a solution with SIP distortion", SERIES["ss"], 2208, 2208,
        (Pointing(187.7, 12.4, 181.0, _utc(1968, 4, 22, 22, 10), 55.0, "Virgo field", "B. Example"),),
        distortion="sip",
    ),
    RenderedPlate(
        "rice", "a Rice-compressed FITS file", SERIES["na"], 2560, 2560,
        (Pointing(10.7, 41.3, -1.0, _utc(1934, 10, 5, 23, 40), 75.0, "M 31 field", "Åse Sørensen"),),
        compressed=True,
    ),
    RenderedPlate(
        "unsolved", "scanned, but without a solution: the logbook's position only", SERIES["sb"], 1600, 2000,
        (Pointing(266.4, -29.0, 33.0, _utc(1927, 6, 1, 2, 0), 40.0, "Galactic centre field", None),),
        solved=False,
    ),
    RenderedPlate(
        "unscanned", "never scanned: photographs and the logbook only", SERIES["na"], 0, 0,
        (Pointing(56.8, 24.1, 0.0, _utc(1898, 12, 10, 22, 0), 60.0, "Pleiades field", "María Núñez"),),
        solved=False,
    ),
)  # fmt: skip  # a table is read by its columns

BY_ID: dict[str, RenderedPlate] = {plate.plate_id: plate for plate in PLATES}
