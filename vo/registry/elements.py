"""Elements of registry records: ri:Resource with canonical prefixes and places of schemas (OAI-13).

vo-models makes the capabilities, which VOSI has as well; all else is written with lxml, since its classes for resources
know neither ORCID iDs nor relationships with several resources.
"""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree
from vo_models.voresource.models import Capability
from vo_models.vosi.capabilities.models import VOSICapabilities

from vo.metadata.xmltext import writable

RI = "http://www.ivoa.net/xml/RegistryInterface/v1.0"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"

#: The namespaces of records by their canonical prefixes.
NAMESPACES = {
    "ri": RI,
    "vr": "http://www.ivoa.net/xml/VOResource/v1.0",
    "vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "vg": "http://www.ivoa.net/xml/VORegistry/v1.0",
    "tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0",
    "xsi": _XSI,
}
RESOURCE = f"{{{RI}}}Resource"
XSI_TYPE = f"{{{_XSI}}}type"
_SCHEMA_LOCATION = f"{{{_XSI}}}schemaLocation"


def make_resource(kind: str) -> etree._Element:
    """An empty ri:Resource of a kind such as ``vs:CatalogService``; whoever stamps it gives its dates (VOR-01)."""
    prefixes = dict.fromkeys(("ri", "vr", kind.partition(":")[0], "xsi"))
    if kind == "vs:CatalogService":
        prefixes["tr"] = None  # a TAP service's capability
    used = {prefix: NAMESPACES[prefix] for prefix in prefixes}
    places = " ".join(f"{used[prefix]} {used[prefix]}" for prefix in used if prefix != "xsi")
    return etree.Element(RESOURCE, {XSI_TYPE: kind, _SCHEMA_LOCATION: places, "version": "1.1"}, nsmap=used)


def add(
    parent: etree._Element, name: str, text: str | None = None, attributes: dict[str, str | None] | None = None
) -> etree._Element:
    """Append an element; attributes that are None are left out, what XML cannot write becomes a replacement sign."""
    given = {key: writable(value) for key, value in (attributes or {}).items() if value is not None}
    element = etree.SubElement(parent, name, given)
    if text is not None:
        element.text = writable(text)
    return element


def add_known(parent: etree._Element, name: str, text: str | None) -> None:
    """Append an element when there is something to say."""
    if text:
        add(parent, name, text)


def add_capabilities(parent: etree._Element, capabilities: Iterable[Capability]) -> None:
    """Append capability elements, with the record's own prefixes."""
    document = VOSICapabilities(capability=list(capabilities)).to_xml(skip_empty=True)
    for element in etree.fromstring(document):
        _copy(parent, element)


def _copy(parent: etree._Element, element: etree._Element) -> None:
    # Element by element, since lxml would bring the namespaces of the other document along.
    copy = etree.SubElement(parent, element.tag, {str(name): str(value) for name, value in element.items()})
    copy.text = element.text
    for child in element:
        _copy(copy, child)
