"""Simple Dublin Core of a record (format ``oai_dc``), as Registry Interfaces maps VOResource to it."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from vo.registry.oai.document import element

_OPEN = (
    '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/oai_dc/ '
    'http://www.openarchives.org/OAI/2.0/oai_dc.xsd">'
)

#: Dublin Core's elements and where VOResource has what they say. Coverage is left out: a MOC is nothing to read.
_PATHS = (
    ("title", "title"),
    ("creator", "curation/creator/name"),
    ("subject", "content/subject"),
    ("description", "content/description"),
    ("publisher", "curation/publisher"),
    ("contributor", "curation/contributor"),
    ("date", "curation/date"),
    ("type", "content/type"),
    ("identifier", "identifier"),
    ("identifier", "altIdentifier"),
    ("identifier", "content/referenceURL"),
    ("source", "content/source"),
    ("rights", "rights"),
)


def dublin_core(document: str) -> str:
    """The element ``oai_dc:dc`` of a record's document; it uses the prefix ``xsi`` of the answer around it."""
    resource = etree.fromstring(document, etree.XMLParser(no_network=True, resolve_entities=False))
    told = "".join(element(f"dc:{name}", text) for name, text in _statements(resource))
    return f"{_OPEN}{told}</oai_dc:dc>"


def _statements(resource: etree._Element) -> Iterator[tuple[str, str]]:
    """Pairs of an element's name and its text, each once."""
    said = [(name, _text(found)) for name, path in _PATHS for found in resource.iterfind(path)]
    said += [("rights", found.get("rightsURI", "")) for found in resource.iterfind("rights")]
    related = resource.iterfind("content/relationship/relatedResource")
    said += [("relation", found.get("ivo-id") or _text(found)) for found in related]
    yield from dict.fromkeys((name, text) for name, text in said if text)


def _text(found: etree._Element) -> str:
    return " ".join("".join(str(part) for part in found.itertext()).split())
