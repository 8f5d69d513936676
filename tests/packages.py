"""Mosaic packages and plate records as Harvard's web API answers them, with the base mosaics they tell of.

Solutions are TPV systems with a distortion that is felt (tens of pixels at the corners); base mosaics show a mark at
each of some places: a small square of a value of its own.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

#: Pixels of a mark along each axis, an odd number.
MARK = 5
_BACKGROUND = 1000


@dataclass(frozen=True)
class Tpv:
    """One solution of a mosaic: the place of the middle pixel, arcsec per pixel, and how far the image is turned.

    ``turn`` is in degrees from north to east; ``cubic`` is the distortion's third-order term per square degree;
    ``distortion`` multiplies all of it, 0 leaves a TAN.
    """

    ra: float
    dec: float
    scale: float = 12.0
    turn: float = 0.0
    cubic: float = 2e-3
    distortion: float = 1.0

    def cards(self, shape: tuple[int, int], letter: str = "", ctype: str = "TPV") -> list[tuple[str, Any]]:
        """The cards of the system for an image of ``shape`` (width, height)."""
        angle, scale = math.radians(self.turn), self.scale / 3600.0
        cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
        bent = {0: 1e-4, 2: 3e-4, 4: 5e-4, 7: self.cubic, 9: self.cubic, 11: self.cubic / 10}
        terms = {1: 1.0, **{term: value * self.distortion for term, value in bent.items()}}
        return [
            (f"CTYPE1{letter}", f"RA---{ctype}"),
            (f"CTYPE2{letter}", f"DEC--{ctype}"),
            (f"CRVAL1{letter}", self.ra),
            (f"CRVAL2{letter}", self.dec),
            (f"CRPIX1{letter}", (shape[0] + 1) / 2),
            (f"CRPIX2{letter}", (shape[1] + 1) / 2),
            (f"CD1_1{letter}", -cos),
            (f"CD1_2{letter}", sin),
            (f"CD2_1{letter}", sin),
            (f"CD2_2{letter}", cos),
            *((f"PV{axis}_{term}{letter}", value) for axis in (1, 2) for term, value in terms.items()),
        ]

    def wcs(self, shape: tuple[int, int]) -> WCS:
        """What astropy makes of it: the truth of tests."""
        header = fits.Header()
        header["NAXIS"], header["NAXIS1"], header["NAXIS2"] = 2, *shape
        for key, value in (*self.cards(shape), ("CUNIT1", "deg"), ("CUNIT2", "deg"), ("RADESYS", "ICRS")):
            header[key] = value
        return WCS(header)


def header_text(
    solutions: Sequence[Tpv], shape: tuple[int, int], ctype: str = "TAN", extra: Mapping[str, Any] = {}
) -> str:
    """The header of a mosaic, as the pipeline keeps it: one system without a letter, or many and the last one again."""
    header = fits.Header()
    if len(solutions) > 1:
        for number, solution in enumerate(solutions):
            header.extend(solution.cards(shape, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number], ctype))
    if solutions:
        header.extend(solutions[-1].cards(shape, "", ctype))
    for key, value in extra.items():
        header[key] = value
    return header.tostring(sep="\n", padding=False)


def packed(text: str) -> str:
    """A header as the API sends it."""
    return base64.b64encode(gzip.compress(text.encode())).decode()


def base64_of(digits: str) -> str:
    """Hexadecimal digits as the API sends bytes."""
    return base64.b64encode(bytes.fromhex(digits)).decode()


@dataclass(frozen=True)
class Package:
    """A plate's package: ``shape`` (width, height) of the base mosaic, ``exposures`` in the solutions' order."""

    plate_id: str = "ai07801"
    shape: tuple[int, int] = (480, 640)
    solutions: tuple[Tpv, ...] = (Tpv(84.764775, 78.206096), Tpv(104.0, 72.0))
    exposures: tuple[Mapping[str, Any] | None, ...] = ()
    mosaic: int = 0
    turn: int | None = 0
    result: str = "00112233445566778899aabb"
    extra: tuple[tuple[str, Any], ...] = ()

    @property
    def grid(self) -> tuple[int, int]:
        """The grid of the solutions."""
        return self.shape[::-1] if self.turn in (90, -90) else self.shape

    def better(self, shift: float = 20.0) -> Package:
        """The same plate solved anew: each solution moved by ``shift`` arcsec to the north and turned by 0.05 deg."""
        moved = tuple(replace(one, dec=one.dec + shift / 3600, turn=one.turn + 0.05) for one in self.solutions)
        return replace(self, solutions=moved, result="ffeeddccbbaa998877665544")

    def document(self) -> dict[str, Any]:
        """The package as JSON has it."""
        series = self.plate_id.rstrip("0123456789")
        astrometry = {
            "b01HeaderGz": packed(header_text(self.solutions, self.grid, extra=dict(self.extra))),
            "resultId": base64_of(self.result),
            "rotationDelta": self.turn,
            "nSolutions": len(self.solutions),
            "exposures": list(self.exposures),
        }
        return {
            "baseFitsUrl": "https://bucket.example/x.fits.fz?X-Amz-Signature=abc",
            "baseFitsSize": 12345,
            "metadata": {
                "series": series,
                "plateNumber": int(self.plate_id.removeprefix(series)),
                "mosaic": {
                    "b01Width": self.shape[0],
                    "b01Height": self.shape[1],
                    "b01OrigFileMD5": base64_of("11" * 16),
                    "b01OrigFileSize": 600_000_000,
                    "b16OrigFileMD5": base64_of("22" * 16),
                    "b16OrigFileSize": 2_500_000,
                    "creationDate": "2019-10-12T03:20:46",
                    "legacyComment": None,
                    "legacyRotation": 0,
                    "mosNum": self.mosaic,
                    "scanNum": 0,
                    "resultId": base64_of("33" * 12),
                    "s3KeyTemplate": "mosaics/{bin}/x",
                },
                "astrometry": astrometry,
                "photometry": None,
            },
        }

    def write(self, folder: Path, name: str | None = None) -> Path:
        """The package as a file of a folder."""
        path = folder / (name or f"{self.plate_id}.json")
        path.write_text(json.dumps(self.document()))
        return path

    def describe(self, folder: Path) -> Path:
        """The package as a file, with sizes and checksums of the base mosaics beside it."""
        document = self.document()
        for key in ("01", "16"):
            file = folder / f"{self.plate_id}_{self.mosaic:02d}_{key}.fits"
            if file.is_file():
                held = document["metadata"]["mosaic"]
                held[f"b{key}OrigFileSize"] = file.stat().st_size
                held[f"b{key}OrigFileMD5"] = base64_of(
                    hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
                )
        path = folder / f"{self.plate_id}.json"
        path.write_text(json.dumps(document))
        return path

    def write_base(self, folder: Path, marks: Sequence[tuple[float, float]] = ()) -> Path:
        """The full base mosaic: no coordinates in its header, a mark about each of the pixels (of the base file)."""
        path = folder / f"{self.plate_id}_{self.mosaic:02d}_01.fits"
        base = fits.PrimaryHDU(marked(self.shape, marks))
        base.header["S_OPER"] = "nobody"
        base.writeto(path)
        return path


def marked(shape: tuple[int, int], marks: Sequence[tuple[float, float]]) -> NDArray[np.int16]:
    """Pixels [y, x] with a square about each mark (0-based x, y); mark ``n`` has the value 2000 + n."""
    data = np.full(shape[::-1], _BACKGROUND, dtype=np.int16)
    half = MARK // 2
    for number, (x, y) in enumerate(marks):
        column, row = round(x), round(y)
        data[max(row - half, 0) : row + half + 1, max(column - half, 0) : column + half + 1] = 2000 + number
    return data


def exposure(number: int, ra: float | None = None, dec: float | None = None, **values: Any) -> dict[str, Any]:
    """An exposure of a package; without more it was made by night for twenty minutes."""
    return {
        "number": number,
        "raDeg": ra,
        "decDeg": dec,
        "centerSource": "imwcs" if ra is None else "logbook",
        "dateAccDays": 0.01,
        "dateSource": "logbook",
        "durMin": 20.0,
        "midpointDate": f"1909-05-01T{2 + number // 3:02d}:{20 * (number % 3):02d}:00Z",
        **values,
    }


def record(plate_id: str = "ai07801", **values: Any) -> dict[str, Any]:
    """A plate record of Starglass."""

    def photo(portion: str, kind: str, url: str, *, thumbnail: bool = False) -> dict[str, Any]:
        return {
            "plate_id": plate_id,
            "portion": portion,
            "url": url,
            "thumbnail": thumbnail,
            "thumbnail_ratio": 10 if thumbnail else 1,
            "image_type": kind,
        }

    base = "https://photos.example/plates"
    signed = "?X-Amz-Expires=60&X-Amz-Signature=a"
    night = "1909-05-01T07:36:00Z"
    return {
        "plate_id": plate_id,
        "class": "M",
        "plate_comment": "Comet 1908c",
        "comment_astronomers": ["Leavitt"],
        "telescope": "1.5-inch Cooke lens",
        "location": {"name": "Cambridge", "lat": 42.38, "lon": -71.13, "elevation": 24.0},
        "has_markings": True,
        "markings_cleaned": True,
        "mentions": [{"author": "Cannon", "notebook": "phaedra1234", "page_num": 17}, None],
        "jacket_images": [photo("front", "jacket", f"{base}/{plate_id}_j_front.jpg{signed}")],
        "plate_images": [
            photo("whole", "plate", f"{base}/{plate_id}_p_whole.jpg"),
            photo("whole", "plate", f"{base}/{plate_id}_p_whole_clean.jpg"),
            photo("whole", "plate", f"{base}/{plate_id}_p_small.jpg", thumbnail=True),
        ],
        "jacket_thumbnail": [],
        "plate_thumbnail": [],
        "mosaics": [
            {"plate_id": plate_id, "bin_factor": "01", "flags": "ww_tnx", "rotation": "none", "mosaic_num": "00"},
            {"plate_id": plate_id, "bin_factor": "16", "flags": "ww_tnx", "rotation": "none", "mosaic_num": "00"},
        ],
        "exposures": [
            {"ctr_ra": 84.76, "ctr_dec": 78.2, "exposure_num": 0, "solution_num": 1, "exposure": 20.0,
             "datetime": night, "naxis1": 480, "naxis2": 640, "crpix1": 240.0, "crpix2": 320.0},
        ],
        "catalog_exposures": [
            {"ctr_ra": 84.0, "ctr_dec": 78.0, "datetime": night, "exposure_num": 0, "exposure_length": 20},
            {"ctr_ra": 265.4, "ctr_dec": 84.98, "datetime": None, "exposure_num": 1, "exposure_length": None},
        ],
        **values,
    }  # fmt: skip
