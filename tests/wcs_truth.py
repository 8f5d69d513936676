"""World coordinates evaluated by hand from the definitions, independently of wcslib and of vo.pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

#: TPV's terms in xi, eta and r, by number (FITS registry of conventions, tpv.html), as powers.
TPV_TERMS = [
    *((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 0, 0), (1, 1, 0), (0, 2, 0)),
    *((3, 0, 0), (2, 1, 0), (1, 2, 0), (0, 3, 0), (0, 0, 3)),
    *((4, 0, 0), (3, 1, 0), (2, 2, 0), (1, 3, 0), (0, 4, 0)),
]


def header_text(**values: object) -> str:
    """Cards of a TAN image 400 x 300, 10 arcsec/px at (150, 20), joined by newlines, with changes; None leaves one out.

    ``__`` in a name stands for a hyphen.
    """
    base: dict[str, object] = {
        "SIMPLE": True,
        "BITPIX": 16,
        "NAXIS": 2,
        "NAXIS1": 400,
        "NAXIS2": 300,
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": 150.0,
        "CRVAL2": 20.0,
        "CRPIX1": 200.5,
        "CRPIX2": 150.5,
        "CD1_1": -10 / 3600,
        "CD1_2": 0.0,
        "CD2_1": 0.0,
        "CD2_2": 10 / 3600,
        "RADESYS": "ICRS",
    }
    base.update({key.replace("__", "-"): value for key, value in values.items()})
    return "\n".join(_card(key, value) for key, value in base.items() if value is not None)


def _card(key: str, value: object) -> str:
    if isinstance(value, bool):
        text = "T" if value else "F"
    elif isinstance(value, str):
        text = f"'{value:8s}'"
    else:
        text = repr(value).upper()
    return f"{key:8s}= {text if isinstance(value, str) else text.rjust(20)}".ljust(80)


def deproject(xi, eta, ra0: float, dec0: float):
    """Sky of gnomonic plane coordinates in degrees."""
    x, y = np.radians(xi), np.radians(eta)
    d0 = math.radians(dec0)
    ra = np.arctan2(x, math.cos(d0) - y * math.sin(d0))
    dec = np.arctan2(math.sin(d0) + y * math.cos(d0), np.hypot(x, math.cos(d0) - y * math.sin(d0)))
    return (np.degrees(ra) + ra0) % 360.0, np.degrees(dec)


def linear(values: Mapping[str, float], x, y):
    """Intermediate world coordinates of 0-based pixels."""
    u, v = x + 1 - values["CRPIX1"], y + 1 - values["CRPIX2"]
    return values["CD1_1"] * u + values["CD1_2"] * v, values["CD2_1"] * u + values["CD2_2"] * v


def sip(values: Mapping[str, float], x, y):
    """Sky of pixels by Shupe et al. 2005."""
    u, v = x + 1 - values["CRPIX1"], y + 1 - values["CRPIX2"]
    du, dv = (
        sum(
            value * u ** int(name[2]) * v ** int(name[4])
            for name, value in values.items()
            if len(name) == 5 and name[0] == letter and name[1] == "_" and name[3] == "_"
        )
        for letter in "AB"
    )
    xi, eta = linear(values, x + du, y + dv)
    return deproject(xi, eta, values["CRVAL1"], values["CRVAL2"])


def tpv(values: Mapping[str, float], x, y):
    """Sky of pixels by the registered TPV convention."""
    xi, eta = linear(values, x, y)
    r = np.hypot(xi, eta)
    new = []
    for axis, (a, b) in ((1, (xi, eta)), (2, (eta, xi))):
        terms = {
            number: values.get(f"PV{axis}_{number}", 1.0 if number == 1 else 0.0) for number in range(len(TPV_TERMS))
        }
        new.append(sum(terms[n] * a**i * b**j * r**k for n, (i, j, k) in enumerate(TPV_TERMS)))
    return deproject(new[0], new[1], values["CRVAL1"], values["CRVAL2"])


def tnx(values: Mapping[str, float], lngcor: list[float], latcor: list[float], x, y):
    """Sky of pixels by IRAF's TNX: lists as in the WAT cards; half cross terms, polynomial (3) or Chebyshev (1)."""
    xi, eta = linear(values, x, y)
    return deproject(
        xi + _surface(lngcor, xi, eta), eta + _surface(latcor, xi, eta), values["CRVAL1"], values["CRVAL2"]
    )


def _surface(numbers: list[float], xi, eta):
    kind, columns, rows, cross, left, right, bottom, top, *coefficients = numbers
    assert cross == 2
    a = (2 * xi - (left + right)) / (right - left)
    b = (2 * eta - (bottom + top)) / (top - bottom)
    total, at = 0.0, 0
    for n in range(int(rows)):
        for m in range(int(columns)):
            if m + n >= max(columns, rows):
                continue
            one = xi**m * eta**n if kind == 3 else _chebyshev(m, a) * _chebyshev(n, b)
            total = total + coefficients[at] * one
            at += 1
    return total


def _chebyshev(order: int, x):
    before, here = np.ones_like(x), x
    for _ in range(order):
        before, here = here, 2 * x * here - before
    return before


def dss(values: Mapping[str, float | str], x, y):
    """Sky of pixels by the plate polynomial of the Digitized Sky Survey (Guide Star Catalogue's astrometry)."""
    px = (values["PPO3"] - values["XPIXELSZ"] * (values["CNPIX1"] + x + 0.5)) / 1000.0
    py = (values["YPIXELSZ"] * (values["CNPIX2"] + y + 0.5) - values["PPO6"]) / 1000.0
    xi, eta = _plate("AMDX", values, px, py) / 3600.0, _plate("AMDY", values, py, px) / 3600.0
    ra0 = 15.0 * (values["PLTRAH"] + values["PLTRAM"] / 60.0 + values["PLTRAS"] / 3600.0)
    sign = -1.0 if str(values["PLTDECSN"]).strip() == "-" else 1.0
    dec0 = sign * (values["PLTDECD"] + values["PLTDECM"] / 60.0 + values["PLTDECS"] / 3600.0)
    return deproject(xi, eta, ra0, dec0)


def _plate(stem: str, values, a, b):
    c = [0.0, *(float(values.get(f"{stem}{number}", 0.0)) for number in range(1, 14))]
    r2 = a * a + b * b
    return (
        c[1] * a + c[2] * b + c[3] + c[4] * a**2 + c[5] * a * b + c[6] * b**2 + c[7] * r2
        + c[8] * a**3 + c[9] * a**2 * b + c[10] * a * b**2 + c[11] * b**3 + c[12] * a * r2 + c[13] * a * r2**2
    )  # fmt: skip


def separation(one, two):
    """Angles between positions (ra, dec in degrees), in arcsec."""
    a, b = (_vector(*place) for place in (one, two))
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(axis=-1))) * 3600.0


def _vector(ra, dec):
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def tpv_header(ra, dec, *, field=5.0, angle=0.0, mirrored=False, bend=0.0, width=4000, height=3000):
    """A TPV header; the longer side is ``field`` degrees, ``bend`` moves edges by that part of their distance."""
    scale = field / max(width, height)
    cos, sin = math.cos(math.radians(angle)) * scale, math.sin(math.radians(angle)) * scale
    side, cubic = 1.0 if mirrored else -1.0, bend / (field / 2.0) ** 2
    terms = {f"PV{axis}_{number}": cubic for axis in (1, 2) for number in (7, 9)}
    return header_text(
        NAXIS1=width, NAXIS2=height, CRVAL1=ra, CRVAL2=dec, CRPIX1=width / 2 + 0.5, CRPIX2=height / 2 + 0.5,
        CTYPE1="RA---TPV", CTYPE2="DEC--TPV", PV1_1=1.0, PV2_1=1.0, **terms,
        CD1_1=side * cos, CD1_2=sin, CD2_1=-side * sin, CD2_2=cos,
    )  # fmt: skip
