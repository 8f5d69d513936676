"""A record cut out of a page of others, as a document of its own that says the same (OAI-13)."""

from __future__ import annotations

import hashlib

from lxml import etree

from vo.errors import UsageFault

RI = "http://www.ivoa.net/xml/RegistryInterface/v1.0"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XSI_TYPE = f"{{{XSI}}}type"

#: Namespaces of registry records by the prefixes that their standards ask for; minor versions share them.
_PREFIXES = {
    RI: "ri",
    XSI: "xsi",
    "http://www.ivoa.net/xml/VOResource/v1.0": "vr",
    "http://www.ivoa.net/xml/VORegistry/v1.0": "vg",
    "http://www.ivoa.net/xml/VODataService/v1.0": "vs0",
    "http://www.ivoa.net/xml/VODataService/v1.1": "vs",
    "http://www.ivoa.net/xml/TAPRegExt/v1.0": "tr",
    "http://www.ivoa.net/xml/ConeSearch/v1.0": "cs",
    "http://www.ivoa.net/xml/SIA/v1.0": "sia0",
    "http://www.ivoa.net/xml/SIA/v1.1": "sia",
    "http://www.ivoa.net/xml/SSA/v1.0": "ssap0",
    "http://www.ivoa.net/xml/SSA/v1.1": "ssap",
    "http://www.ivoa.net/xml/SLAP/v1.0": "slap",
    "http://www.ivoa.net/xml/StandardsRegExt/v1.0": "vstd",
    "http://www.ivoa.net/xml/VOApplication/v1.0rc1": "va",
    "http://www.ivoa.net/xml/DocRegExt/v1": "doc",
}


def canonical(resource: etree._Element) -> str:
    """The record in canonical XML (C14N), with canonical prefixes, all declared in its first tag.

    Comments and processing instructions are left out. UsageFault when a type's prefix stands for nothing.
    """
    chosen = {RI: "ri", XSI: "xsi"}
    for element in resource.iter(etree.Element):
        for name in (element.tag, *element.attrib):
            _choose(chosen, etree.QName(name).namespace, element)
        if XSI_TYPE in element.attrib:
            _choose(chosen, _type_of(element)[0], element)
    prefixes = {prefix: namespace for namespace, prefix in chosen.items()}
    root = etree.Element(resource.tag, _attributes(resource, chosen), nsmap=prefixes)
    _copy_content(resource, root, chosen)
    return etree.tostring(root, method="c14n").decode()


def digest_of(document: str) -> str:
    """What a canonical record says as one number; its dates are left aside, since they say when and not what."""
    copy = etree.fromstring(document.encode())
    for name in ("created", "updated"):
        copy.attrib.pop(name, "")
    return hashlib.sha256(etree.tostring(copy, method="c14n")).hexdigest()


def _choose(chosen: dict[str, str], namespace: str | None, element: etree._Element) -> None:
    """Choose a prefix for a namespace that is met: the canonical one, else the record's own, else a number."""
    if not namespace or namespace in chosen or namespace == "http://www.w3.org/XML/1998/namespace":
        return
    taken = set(chosen.values()) | set(_PREFIXES.values())
    own = next((prefix for prefix, meant in element.nsmap.items() if prefix and meant == namespace), None)
    if namespace in _PREFIXES:
        chosen[namespace] = _PREFIXES[namespace]
    elif own and own not in taken:
        chosen[namespace] = own
    else:
        chosen[namespace] = f"n{len(chosen)}"


def _type_of(element: etree._Element) -> tuple[str, str]:
    """Namespace ('' for none) and name that an element's xsi:type means."""
    written = str(element.attrib[XSI_TYPE]).strip()
    prefix, colon, name = written.rpartition(":")
    namespace = element.nsmap.get(prefix or None)
    if namespace is None and colon:
        raise UsageFault(f"the type {written!r} has a prefix that stands for no namespace")
    return namespace or "", name


def _attributes(element: etree._Element, chosen: dict[str, str]) -> dict[str, str]:
    attributes = {str(name): str(value) for name, value in element.attrib.items()}
    if XSI_TYPE in attributes:
        namespace, name = _type_of(element)
        attributes[XSI_TYPE] = f"{chosen[namespace]}:{name}" if namespace else name
    return attributes


def _copy_content(element: etree._Element, copy: etree._Element, chosen: dict[str, str]) -> None:
    copy.text = element.text
    last: etree._Element | None = None
    for child in element:
        if isinstance(child.tag, str):
            last = etree.SubElement(copy, child.tag, _attributes(child, chosen))
            _copy_content(child, last, chosen)
            last.tail = child.tail
        elif last is None:
            copy.text = (copy.text or "") + (child.tail or "")
        else:
            last.tail = (last.tail or "") + (child.tail or "")
