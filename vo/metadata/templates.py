"""Templates of addresses and names: text with fields in braces, a small part of what Python's ``str.format`` reads.

A field is one of :data:`TEMPLATE_FIELDS`, with a width to fill up to where one is wanted: ``{plate_number:0>5}``.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

#: What a template may name: of the plate, of a scan, of an exposure.
PLATE_FIELDS = ("collection", "plate_id", "series", "plate_number")
SCAN_FIELDS = ("scan_id",)
EXPOSURE_FIELDS = ("exposure_id", "exposure_number")
TEMPLATE_FIELDS = (*PLATE_FIELDS, *SCAN_FIELDS, *EXPOSURE_FIELDS)

#: Filling, side and width: ``0>5``.
_WIDTH = re.compile(r"([0-9A-Za-z_-]?[<>^])?[0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class TemplateField:
    """A field of a template and the width it is filled up to (as ``format`` reads it)."""

    name: str
    width: str


def parse_template(text: str) -> Iterator[TemplateField]:
    """The fields of a template; ``ValueError`` says what is wrong with it."""
    for _, name, width, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if name not in TEMPLATE_FIELDS:
            raise ValueError(f"{{{name}}} is none of the fields of a template: {', '.join(TEMPLATE_FIELDS)}")
        if conversion is not None or _WIDTH.fullmatch(width or "") is None:
            raise ValueError(f"{{{name}}} can have a width ({{{name}:0>5}}) and nothing else")
        yield TemplateField(name, width or "")


def check_template(key: str, text: str) -> None:
    """``ValueError`` when a text is no template."""
    try:
        list(parse_template(text))
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def fill_template(text: str, values: Mapping[str, str | None], *, is_address: bool) -> str:
    """Put values into a template, percent-encoded in an address.

    ``ValueError`` when a value is missing, or when it has what could lead out of its place in a path: a slash, a
    backslash, a control character, or nothing but dots.
    """
    parts: list[str] = []
    for literal, name, width, _ in string.Formatter().parse(text):
        parts.append(literal)
        if name is None:
            continue
        value = values[name]
        if not value:
            raise ValueError(f"{name} is not known")
        if re.search(r"[/\\\x00-\x1f\x7f]", value) or not value.strip("."):
            raise ValueError(f"{name} {value!r} cannot be a part of a path")
        made = format(value, width or "")
        parts.append(quote(made, safe="") if is_address else made)
    filled = "".join(parts)
    if any(part in (".", "..") for part in filled.split("/")):
        raise ValueError(f"{filled!r} leads out of its folder")
    return filled
