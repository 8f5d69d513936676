"""Reading VOResource documents of anybody: texts, types with canonical prefixes, flags, dates (RegTAP 1.2, 4 and 5)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable

from lxml import etree

_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"

#: Namespaces of VOResource and its extensions, versions left out, and the prefixes that stand for them (RegTAP 1.2,
#: table 1; those of newer extensions are what their schemas recommend).
_PREFIXES = {
    "http://www.ivoa.net/xml/ConeSearch/": "cs",
    "http://www.ivoa.net/xml/DocRegExt/": "doc",
    "http://www.ivoa.net/xml/RegistryInterface/": "ri",
    "http://www.ivoa.net/xml/SIA/": "sia",
    "http://www.ivoa.net/xml/SLAP/": "slap",
    "http://www.ivoa.net/xml/SSA/": "ssap",
    "http://www.ivoa.net/xml/StandardsRegExt/": "vstd",
    "http://www.ivoa.net/xml/TAPRegExt/": "tr",
    "http://www.ivoa.net/xml/VODataService/": "vs",
    "http://www.ivoa.net/xml/VORegistry/": "vg",
    "http://www.ivoa.net/xml/VOResource/": "vr",
}
_VERSION = re.compile(r"v?[0-9.]+$")


class Node:
    """An element, its children sorted by their names without namespaces.

    VOResource's own elements have no namespace, but some registries put one on them all the same.
    """

    __slots__ = ("_children", "_element")

    def __init__(self, element: etree._Element) -> None:
        self._element = element
        children: dict[str, list[etree._Element]] = {}
        for child in element:
            if isinstance(child.tag, str):  # neither a comment nor a processing instruction
                children.setdefault(child.tag.rpartition("}")[2], []).append(child)
        self._children = children

    def all(self, name: str) -> list[Node]:
        """The children of this name."""
        return [Node(child) for child in self._children.get(name, ())]

    def one(self, name: str) -> Node | None:
        """The first child of this name, None when there is none."""
        found = self._children.get(name)
        return Node(found[0]) if found else None

    def text(self, name: str) -> str | None:
        """The text of the first child of this name; None when it is missing or has none."""
        found = self._children.get(name)
        return _own_text(found[0]) if found else None

    def texts(self, name: str) -> list[str]:
        """The texts of the children of this name, those without any left out."""
        return [text for child in self._children.get(name, ()) if (text := _own_text(child)) is not None]

    @property
    def own_text(self) -> str | None:
        """The element's own text, white space made single blanks; None when there is none (RegTAP 1.2, 4.1 and 4.2)."""
        return _own_text(self._element)

    def attribute(self, name: str) -> str | None:
        """An attribute without namespace; None when it is missing or blank."""
        return _clean(self._element.get(name))

    @property
    def type(self) -> str | None:
        """The xsi:type in lower case, with the canonical prefix of its namespace (RegTAP 1.2, section 5)."""
        written = _clean(self._element.get(_TYPE))
        if written is None:
            return None
        prefix, _, name = written.rpartition(":")
        namespace = self._element.nsmap.get(prefix or None) or ""
        prefix = _PREFIXES.get(_VERSION.sub("", namespace), prefix)
        return (f"{prefix}:{name}" if prefix else name).lower()


#: Stands for an element that is not there.
NOTHING = Node(etree.Element("nothing"))


def _own_text(element: etree._Element) -> str | None:
    parts = [element.text or "", *(child.tail or "" for child in element)]
    return _clean(" ".join(parts) if len(parts) > 1 else parts[0])


def _clean(text: str | None) -> str | None:
    return " ".join(text.split()) or None if text else None


def lower(text: str | None) -> str | None:
    """In lower case (RegTAP 1.2, section 4.3)."""
    return None if text is None else text.lower()


def joined(texts: Iterable[str]) -> str | None:
    """Several values in one, ``#`` between them; None when there are none."""
    return "#".join(dict.fromkeys(texts)) or None


def flag(text: str | None) -> int | None:
    """A boolean attribute as 0 or 1; None when it is missing or neither."""
    return {"true": 1, "1": 1, "false": 0, "0": 0}.get((text or "").lower())


def timestamp(text: str) -> dt.datetime | None:
    """A date, or a date and time, as UTC without zone and in whole seconds; None when it is neither."""
    try:
        read = dt.datetime.fromisoformat(text)
        if read.tzinfo is not None:
            read = read.astimezone(dt.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return read.replace(microsecond=0)
