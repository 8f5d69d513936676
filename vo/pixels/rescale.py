"""A solution's cards for another pixel grid: binned by a factor, or cut out of the image."""

from __future__ import annotations

import re
from collections.abc import Iterable

from vo.pixels.cards import Value, keyword, replaced, value

_SIP = re.compile(r"(?:A|B|AP|BP)_(\d)_(\d)")


def rescaled(images: Iterable[str], factor: float) -> tuple[str, ...]:
    """The cards on a grid whose pixels are ``factor`` times as long.

    With pixels counted from 1, p' = (p - 0.5) / factor + 0.5. TPV, TNX and ZPX act on intermediate world coordinates
    and stay; SIP's coefficients act on pixels; a DSS plate polynomial on mm, which the pixel size leads to.
    """
    return tuple(_rescaled(image, factor) for image in images)


def shifted(name: str, content: Value, left: int, bottom: int) -> Value:
    """The value of a card for the image that begins ``left`` and ``bottom`` pixels further in; None: no change."""
    if not isinstance(content, int | float) or isinstance(content, bool):
        return None
    if re.fullmatch(r"CRPIX[12][A-Z]?|LTV[12]", name):
        return content - (left if name.startswith(("CRPIX1", "LTV1")) else bottom)
    if name in ("CNPIX1", "CNPIX2"):
        return content + (left if name == "CNPIX1" else bottom)
    return None


def _rescaled(image: str, factor: float) -> str:
    name, content = keyword(image), value(image)
    if not isinstance(content, int | float) or isinstance(content, bool):
        return image
    changed = _new_value(name, float(content), factor)
    return image if changed is None else replaced(image, changed)


def _new_value(name: str, old: float, factor: float) -> float | None:
    if re.fullmatch(r"(CRPIX|LTV)[1-9][A-Z]?", name):
        return (old - 0.5) / factor + 0.5
    if re.fullmatch(r"CD[1-9]_[1-9][A-Z]?|CDELT[1-9][A-Z]?|[XY]PIXELSZ", name):
        return old * factor
    if re.fullmatch(r"CNPIX[12]|LTM[1-9]_[1-9]|[AB]P?_DMAX", name):
        return old / factor
    if found := _SIP.fullmatch(name):
        return float(old * factor ** (int(found[1]) + int(found[2]) - 1))
    return None
