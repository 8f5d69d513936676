"""IRAF's TNX and ZPX: polynomial surfaces added to intermediate world coordinates, written in WAT cards.

https://fits.gsfc.nasa.gov/registry/tnx.html and zpxwcs.html. Our own evaluation, because wcslib reads only some
spellings of the WAT strings, drops others without a word and refuses still others; where it reads them, both agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.polynomial import chebyshev, legendre, polynomial
from numpy.typing import NDArray

from vo.pixels.cards import keyword, raw_string

Array = NDArray[np.float64]
_ATTRIBUTE = re.compile(r'(\w+)\s*=\s*("[^"]*"|\S+)')
_CHEBYSHEV, _LEGENDRE, _POLYNOMIAL = 1, 2, 3
_FULL_CROSS, _HALF_CROSS = 1, 2


@dataclass(frozen=True, slots=True)
class Surface:
    """One correction surface; ``coefficients[m, n]`` stands for xi**m eta**n (or the m-th, n-th polynomials).

    ``bounds`` (xi_min, xi_max, eta_min, eta_max) normalise Chebyshev and Legendre surfaces; all in degrees.
    """

    function: int
    bounds: tuple[float, float, float, float]
    coefficients: Array

    def at(self, xi: Array, eta: Array) -> Array:
        """The correction in degrees at intermediate world coordinates in degrees."""
        if self.function == _POLYNOMIAL:
            return np.asarray(polynomial.polyval2d(xi, eta, self.coefficients))
        left, right, bottom, top = self.bounds
        u = (2.0 * xi - (right + left)) / (right - left)
        v = (2.0 * eta - (top + bottom)) / (top - bottom)
        evaluate = chebyshev.chebval2d if self.function == _CHEBYSHEV else legendre.legval2d
        return np.asarray(evaluate(u, v, self.coefficients))


def attributes(images: Iterable[str], axis: int) -> dict[str, str]:
    """What the WAT cards of an axis say: ``wtype``, ``axtype``, ``lngcor``, ``projp3`` and so on, quotes removed."""
    own = sorted(image for image in images if re.fullmatch(rf"WAT{axis}_\d{{3}}", keyword(image)))
    whole = "".join(raw_string(image) for image in own)
    return {found[1].lower(): found[2].strip('"') for found in _ATTRIBUTE.finditer(whole)}


def projection_terms(words: dict[str, str]) -> dict[int, float]:
    """ZPX's ``projpN``: the coefficients of the radial polynomial, which are ZPN's PV2_N."""
    return {int(name[5:]): float(text) for name, text in words.items() if re.fullmatch(r"projp\d+", name)}


def surface(words: dict[str, str], name: Literal["lngcor", "latcor"]) -> Surface | None:
    """The correction surface of an axis, None when its WAT cards have none; ValueError when it cannot be read."""
    text = words.get(name)
    if text is None:
        return None
    numbers = [float(word) for word in text.replace(",", " ").split()]
    if len(numbers) < 8:  # noqa: PLR2004  the fixed part of a surface
        raise ValueError(f"{name} has {len(numbers)} numbers; a surface has eight and its coefficients")
    function, columns, rows, cross = (round(number) for number in numbers[:4])
    if function not in (_CHEBYSHEV, _LEGENDRE, _POLYNOMIAL) or min(columns, rows) < 1:
        raise ValueError(f"{name} is of an unknown kind: function {function}, orders {columns} and {rows}")
    terms = _terms(columns, rows, cross)
    given = numbers[8:]
    if len(given) < len(terms):
        raise ValueError(f"{name} has {len(given)} coefficients; its orders need {len(terms)}")
    coefficients = np.zeros((columns, rows))
    for (m, n), number in zip(terms, given, strict=False):
        coefficients[m, n] = number
    left, right, bottom, top = numbers[4:8]
    return Surface(function, (left, right, bottom, top), coefficients)


def _terms(columns: int, rows: int, cross: int) -> list[tuple[int, int]]:
    """The powers (m of xi, n of eta) in the order in which their coefficients stand; xi's run fastest."""
    if cross == _FULL_CROSS:
        return [(m, n) for n in range(rows) for m in range(columns)]
    if cross == _HALF_CROSS:
        highest = max(columns, rows)
        return [(m, n) for n in range(rows) for m in range(columns) if m + n < highest]
    return [*((m, 0) for m in range(columns)), *((0, n) for n in range(1, rows))]
