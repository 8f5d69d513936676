"""What a cutout has to be, found without the project's own pixel code: astropy and numpy on the whole file."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS


def open_image(path: Path, hdu: int = 0) -> tuple[np.ndarray, fits.Header]:
    """Raw pixels (no BSCALE, BZERO) and header of a file; a compressed one is unpacked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # broken cards are what these files are about
        with fits.open(path, do_not_scale_image_data=True) as hdus:
            return np.array(hdus[hdu].data), hdus[hdu].header.copy()


def open_answer(content: bytes) -> tuple[np.ndarray, fits.Header]:
    """The same of a cutout as the service sent it; it has to satisfy astropy's verification."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(io.BytesIO(content), do_not_scale_image_data=True) as hdus:
            assert len(hdus) == 1
            return np.array(hdus[0].data), hdus[0].header.copy()


def read_wcs(header: fits.Header, key: str = " ") -> WCS:
    """The WCS as astropy has it, without the two cards by which wcslib takes SuperCOSMOS scans for DSS plates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return WCS(header, key=key)
        except Exception:  # noqa: BLE001  wcslib's own exceptions differ between versions
            mended = header.copy()
            for card in ("XPIXELSZ", "YPIXELSZ"):
                mended.remove(card, ignore_missing=True)
            return WCS(mended, key=key)


def separation(ra: np.ndarray, dec: np.ndarray, ra0: float, dec0: float) -> np.ndarray:
    """Degrees between positions (haversine)."""
    a, d, a0, d0 = np.radians(ra), np.radians(dec), np.radians(ra0), np.radians(dec0)
    h = np.sin((d - d0) / 2) ** 2 + np.cos(d) * np.cos(d0) * np.sin((a - a0) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(np.clip(h, 0, 1))))


def sky_of(wcs: WCS, shape: tuple[int, int], step: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, y, lon, lat (in the frame of the header) of every ``step``-th pixel of an image of this (rows, columns)."""
    y, x = np.mgrid[0 : shape[0] : step, 0 : shape[1] : step]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lon, lat = wcs.all_pix2world(x.ravel(), y.ravel(), 0)
    return x.ravel(), y.ravel(), lon, lat


def find_offset(part: np.ndarray, wcs_of_part: WCS, wcs: WCS) -> tuple[int, int]:
    """Where the first pixel of the part is in the whole, by the two coordinate systems; whole numbers to 0.01 pixel."""
    rows, columns = part.shape
    x = np.array([0.0, columns - 1, 0.0, columns - 1, (columns - 1) / 2])
    y = np.array([0.0, 0.0, rows - 1, rows - 1, (rows - 1) / 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lon, lat = wcs_of_part.all_pix2world(x, y, 0)
        # The inverse is found on the whole image by Newton's method, from the place where it must be.
        start = wcs.wcs_world2pix(lon, lat, 0) if wcs.sip is None else wcs.all_world2pix(lon, lat, 0)
    left, bottom = np.asarray(start[0]) - x, np.asarray(start[1]) - y
    assert np.ptp(left) < 0.01
    assert np.ptp(bottom) < 0.01
    found = round(float(left.mean())), round(float(bottom.mean()))
    assert abs(left - found[0]).max() < 0.01
    assert abs(bottom - found[1]).max() < 0.01
    return found


def assert_same_pixels(part: np.ndarray, whole: np.ndarray, offset: tuple[int, int]) -> None:
    """The part is the whole's pixels there, of the same type."""
    left, bottom = offset
    assert left >= 0
    assert bottom >= 0
    expected = whole[bottom : bottom + part.shape[0], left : left + part.shape[1]]
    assert part.dtype.kind == expected.dtype.kind
    assert part.dtype.itemsize == expected.dtype.itemsize
    np.testing.assert_array_equal(part, expected)


def assert_covers(part: np.ndarray, offset: tuple[int, int], x: np.ndarray, y: np.ndarray, *, slack: int) -> None:
    """All pixels that were asked for are in the part, and it goes at most ``slack`` pixels beyond them (SOD-06)."""
    left, bottom = offset
    rows, columns = part.shape
    assert left <= x.min() <= x.max() < left + columns
    assert bottom <= y.min() <= y.max() < bottom + rows
    assert x.min() - left <= slack
    assert left + columns - 1 - x.max() <= slack
    assert y.min() - bottom <= slack
    assert bottom + rows - 1 - y.max() <= slack
