"""A solution's cards for the image turned by a quarter or a half.

With pixels counted from 1, a counter-clockwise quarter turn of an image of W x H pixels puts pixel (x, y) to
(H + 1 - y, x). What acts on intermediate world coordinates (TPV, TNX, ZPX) stays; reference pixels, linear terms and
SIP's polynomials, which act on pixels, turn exactly: their numbers change places and signs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from vo.errors import UsageFault
from vo.pixels.cards import Value, keyword, make, renamed, replaced, value

_SIP = re.compile(r"([AB]P?)_(?:(ORDER|DMAX)|(\d)_(\d))")
_OTHER = {"A": "B", "B": "A", "AP": "BP", "BP": "AP"}

Matrix = tuple[tuple[float, float], tuple[float, float]]


def turned(images: Sequence[str], key: str, degrees: int, shape: tuple[int, int]) -> tuple[str, ...]:
    """The cards of the system ``key`` on the image of ``shape`` (width, height) turned by ``degrees`` (n x 90).

    ``images`` are of that system alone, with every card that its linear part has but for the standard's defaults.
    """
    if degrees % 90:
        raise UsageFault(f"an image can be turned by multiples of 90 degrees, not by {degrees}")
    width, height = shape
    for _ in range(degrees // 90 % 4):
        images = _quarter(images, key.strip(), height)
        width, height = height, width
    return tuple(images)


def _quarter(images: Sequence[str], letter: str, height: int) -> tuple[str, ...]:
    values = {keyword(image): value(image) for image in images}
    columns = _linear(values, letter)
    stem, old = columns
    new: dict[str, Value] = {
        f"CRPIX1{letter}": height + 1 - _number(values, f"CRPIX2{letter}", 0.0),
        f"CRPIX2{letter}": _number(values, f"CRPIX1{letter}", 0.0),
    }
    for row in (1, 2):
        new[f"{stem}{row}_1{letter}"] = -old[row - 1][1] + 0.0  # no -0.0
        new[f"{stem}{row}_2{letter}"] = old[row - 1][0]
    out: list[str] = []
    for image in images:
        name = keyword(image)
        if re.fullmatch(rf"CROTA[12]{letter}", name):
            continue
        if stem == "CD" and re.fullmatch(rf"(PC[12]_[12]|CDELT[12]){letter}", name):
            continue
        if name in new:
            out.append(replaced(image, new.pop(name)))
        elif found := _SIP.fullmatch(name):
            out.append(_sip(image, found))
        else:
            out.append(image)
    return (*out, *(make(name, content) for name, content in new.items()))


def _linear(values: dict[str, Value], letter: str) -> tuple[str, Matrix]:
    """The matrix that turns: CD, or PC beside CDELT; CROTA2 becomes a CD (FITS WCS paper II, section 6.1)."""
    if any(f"CD{i}_{j}{letter}" in values for i in (1, 2) for j in (1, 2)):
        return "CD", _matrix(values, "CD", letter, 0.0)
    angle = math.radians(_number(values, f"CROTA2{letter}", 0.0))
    if angle and not any(f"PC{i}_{j}{letter}" in values for i in (1, 2) for j in (1, 2)):
        one, two = (_number(values, f"CDELT{axis}{letter}", 1.0) for axis in (1, 2))
        cos, sin = math.cos(angle), math.sin(angle)
        return "CD", ((one * cos, -two * sin), (one * sin, two * cos))
    return "PC", _matrix(values, "PC", letter, 1.0)


def _matrix(values: dict[str, Value], stem: str, letter: str, diagonal: float) -> Matrix:
    a, b, c, d = (
        _number(values, f"{stem}{i}_{j}{letter}", diagonal if i == j else 0.0) for i in (1, 2) for j in (1, 2)
    )
    return (a, b), (c, d)


def _sip(image: str, found: re.Match[str]) -> str:
    """SIP adds A(u, v) to u and B(u, v) to v: on the turned image A'(u, v) = -B(v, -u) and B'(u, v) = A(v, -u)."""
    mine, whole, first, second = found[1], found[2], found[3], found[4]
    if whole:
        return renamed(image, f"{_OTHER[mine]}_{whole}")
    content = value(image)
    sign = (-1) ** int(second) * (-1 if mine.startswith("B") else 1)
    if isinstance(content, int | float):
        image = replaced(image, sign * content + 0.0)
    return renamed(image, f"{_OTHER[mine]}_{second}_{first}")


def _number(values: dict[str, Value], name: str, default: float) -> float:
    found = values.get(name)
    return float(found) if isinstance(found, int | float) else default
