"""What a registry record says, for people: read from a document of anybody, so that nothing of it is trusted.

Addresses become links only when they are http or https, so that no record can run a script on a page of this server;
all else is text, which the templates escape.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"

#: What people call the kinds of resources, by the type's name without its prefix.
_KINDS = {
    "authority": "naming authority",
    "catalogresource": "data collection",
    "catalogservice": "service for tables",
    "datacollection": "data collection",
    "dataresource": "data collection",
    "dataservice": "service",
}
_SERVICES = {
    "ivo://ivoa.net/std/tap": "TAP: questions in ADQL",
    "ivo://ivoa.net/std/tap#aux": "TAP: questions in ADQL",
    "ivo://ivoa.net/std/sia#query-2.0": "SIA2: images by place and time",
    "ivo://ivoa.net/std/sia#query-aux-2.0": "SIA2: images by place and time",
    "ivo://ivoa.net/std/datalink#links-1.1": "Datalink: the files of an exposure",
    "ivo://ivoa.net/std/soda#sync-1.0": "SODA: cutouts",
    "ivo://ivoa.net/std/soda#async-1.0": "SODA: cutouts as jobs",
    "ivo://ivoa.net/std/conesearch": "cone search",
    "ivo://ivoa.net/std/registry": "OAI-PMH: records for harvesters",
    "ivo://ivoa.net/std/vosi#capabilities": "VOSI capabilities",
    "ivo://ivoa.net/std/vosi#availability": "VOSI availability",
    "ivo://ivoa.net/std/vosi#tables-1.1": "VOSI tables",
    "ivo://ivoa.net/std/dali#examples": "examples",
}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_ORCID = re.compile(r"(?:(?:https?://)?orcid\.org/|orcid:)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])", re.IGNORECASE)
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)(10\.\d+/\S+)", re.IGNORECASE)
_MAIL = re.compile(r"[^\s<>@?&]+@[^\s<>@?&]+")
#: h c in J m.
_HC = 1.98644586e-25
_LENGTHS = (("m", 1.0), ("mm", 1e-3), ("\N{MICRO SIGN}m", 1e-6), ("nm", 1e-9), ("pm", 1e-12))
_MJD_ZERO = dt.date(1858, 11, 17)


@dataclass(frozen=True, slots=True)
class Link:
    """A text and where it leads; ``url`` is None when it leads nowhere that is safe."""

    text: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """What the resource is to others: their names and identifiers (None where a record gives none)."""

    name: str
    others: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that a resource can do and the addresses where it does it."""

    name: str
    standard: str | None
    addresses: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    description: str | None
    unit: str | None
    ucd: str | None
    kind: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its columns; ``rows`` is the number as it is written."""

    name: str
    description: str | None
    rows: str | None
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """All that is shown of a record; empty where it says nothing."""

    kind: str
    title: str
    short_name: str | None
    description: tuple[str, ...]
    creators: tuple[Link, ...]
    contributors: tuple[str, ...]
    publisher: tuple[str, str | None] | None
    contacts: tuple[tuple[str, str | None, str | None], ...]
    dois: tuple[Link, ...]
    dates: tuple[tuple[str, str], ...]
    version: str | None
    subjects: tuple[str, ...]
    types: tuple[str, ...]
    levels: tuple[str, ...]
    source: Link | None
    reference: Link | None
    rights: tuple[Link, ...]
    relations: tuple[Relation, ...]
    capabilities: tuple[Capability, ...]
    facilities: tuple[str, ...]
    instruments: tuple[str, ...]
    authorities: tuple[str, ...]
    spatial: str | None
    temporal: tuple[str, ...]
    spectral: tuple[str, ...]
    wavebands: tuple[str, ...]
    tables: tuple[Table, ...]
    created: str | None
    updated: str | None

    def citation(self, identifier: str) -> str:
        """How to cite the resource: who, when, what, which version, who publishes it, under which identifier."""
        year = next((day[:4] for role in ("issued", "updated") for name, day in self.dates if name == role), None)
        year = year or (self.updated or "")[:4]
        who = "; ".join(creator.text for creator in self.creators) or (self.publisher[0] if self.publisher else "")
        parts = [f"{who} ({year})" if year else who, self.title]
        parts += [f"Version {self.version}"] if self.version else []
        parts += [self.publisher[0]] if self.publisher else []
        parts.append(self.dois[0].text if self.dois else identifier)
        return ". ".join(part.rstrip(".") for part in parts if part)


def read_told(document: str) -> Told:
    """What an ri:Resource says; lxml.etree.XMLSyntaxError when it is no XML."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=True, remove_comments=True, remove_pis=True
    )
    root = etree.fromstring(document.encode(), parser)
    curation, content, coverage = (_one(root, name) for name in ("curation", "content", "coverage"))
    source, publisher = _one(content, "source"), _one(curation, "publisher")
    reference = _text(content, "referenceURL")
    return Told(
        kind=kind_name(root.get(_TYPE)),
        title=_text(root, "title") or _text(root, "identifier") or "a resource without a title",
        short_name=_text(root, "shortName"),
        description=_paragraphs(_text(content, "description") or ""),
        creators=tuple(Link(_text(one, "name") or "?", _orcid(one)) for one in _all(curation, "creator")),
        contributors=_texts(curation, "contributor"),
        publisher=None if publisher is None else (_own(publisher) or "?", publisher.get("ivo-id")),
        contacts=tuple(_contact(one) for one in _all(curation, "contact")),
        dois=_dois(root),
        dates=tuple(((one.get("role") or "date").lower(), _own(one) or "") for one in _all(curation, "date")),
        version=_text(curation, "version"),
        subjects=_texts(content, "subject"),
        types=_texts(content, "type"),
        levels=_texts(content, "contentLevel"),
        source=_source(source),
        reference=Link(reference, safe_url(reference)) if reference else None,
        rights=tuple(_right(one) for one in _all(root, "rights")),
        relations=tuple(_relation(one) for one in _all(content, "relationship")),
        capabilities=tuple(_capability(one) for one in _all(root, "capability")),
        facilities=_texts(root, "facility"),
        instruments=_texts(root, "instrument"),
        authorities=(*_texts(root, "managedAuthority"), *_texts(root, "managingOrg")),
        spatial=_text(coverage, "spatial"),
        temporal=tuple(_days(text) for text in _texts(coverage, "temporal")),
        spectral=tuple(_lengths(text) for text in _texts(coverage, "spectral")),
        wavebands=_texts(coverage, "waveband"),
        tables=tuple(_tables(root)),
        created=root.get("created"),
        updated=root.get("updated"),
    )


def _paragraphs(text: str) -> tuple[str, ...]:
    """What empty lines part; without a search for blanks, which would take the square of their number."""
    lines = "\n".join(line.strip() for line in text.splitlines())
    return tuple(part.strip("\n") for part in lines.split("\n\n") if part.strip("\n"))


def safe_url(text: str | None) -> str | None:
    """The address when a browser may be led there."""
    return text if text and re.match(r"https?://[^\s<>\"]+$", text, re.IGNORECASE) else None


def _all(parent: etree._Element | None, name: str) -> Iterator[etree._Element]:
    """Children of a name; some registries give VOResource's own elements a namespace."""
    for child in parent if parent is not None else ():
        if etree.QName(child).localname == name:
            yield child


def _one(parent: etree._Element | None, name: str) -> etree._Element | None:
    return next(_all(parent, name), None)


def _own(element: etree._Element | None) -> str | None:
    text = "" if element is None else "".join(str(part) for part in element.itertext()).strip()
    return text or None


def _text(parent: etree._Element | None, name: str) -> str | None:
    return _own(_one(parent, name))


def _texts(parent: etree._Element | None, name: str) -> tuple[str, ...]:
    return tuple(text for one in _all(parent, name) if (text := _own(one)))


def kind_name(written: str | None) -> str:
    """What people call a type such as ``vs:CatalogResource``, whose letters may be small."""
    name = (written or "").rpartition(":")[2]
    return _KINDS.get(name.lower()) or " ".join(word.lower() for word in _WORD.findall(name)) or "resource"


def _orcid(person: etree._Element) -> str | None:
    written = _texts(person, "altIdentifier")
    found = next((match for text in written if (match := _ORCID.fullmatch(text))), None)
    return f"https://orcid.org/{found[1].upper()}" if found else None


def _contact(contact: etree._Element) -> tuple[str, str | None, str | None]:
    mail = _text(contact, "email")
    return _text(contact, "name") or "?", mail if mail and _MAIL.fullmatch(mail) else None, _text(contact, "address")


def _dois(root: etree._Element) -> tuple[Link, ...]:
    found = (_DOI.fullmatch(text) for text in _texts(root, "altIdentifier"))
    return tuple(Link(f"https://doi.org/{doi[1]}", safe_url(f"https://doi.org/{doi[1]}")) for doi in found if doi)


def _source(source: etree._Element | None) -> Link | None:
    text = _own(source)
    if source is None or text is None:
        return None
    if (source.get("format") or "").lower() == "bibcode" and re.fullmatch(r"[\w.&'+]{19}", text):
        return Link(text, f"https://ui.adsabs.harvard.edu/abs/{text.replace('&', '%26')}")
    return Link(text, safe_url(text))


def _right(rights: etree._Element) -> Link:
    address = rights.get("rightsURI")
    return Link(_own(rights) or address or "?", safe_url(address))


def _relation(relation: etree._Element) -> Relation:
    name = _text(relation, "relationshipType") or "related to"
    others = tuple(
        (_own(one) or one.get("ivo-id") or "?", one.get("ivo-id")) for one in _all(relation, "relatedResource")
    )
    return Relation(" ".join(word.lower() for word in _WORD.findall(name)) or name, others)


def _capability(capability: etree._Element) -> Capability:
    standard = capability.get("standardID")
    name = _SERVICES.get((standard or "").lower()) or kind_name(capability.get(_TYPE) or "other")
    texts = [text for one in _all(capability, "interface") for text in _texts(one, "accessURL")]
    return Capability(name, standard, tuple(Link(text, safe_url(text)) for text in texts))


def _tables(root: etree._Element) -> Iterator[Table]:
    for schema in _all(_one(root, "tableset"), "schema"):
        for table in _all(schema, "table"):
            columns = tuple(
                Column(
                    _text(one, "name") or "?",
                    _text(one, "description"),
                    _text(one, "unit"),
                    _text(one, "ucd"),
                    _text(one, "dataType"),
                )
                for one in _all(table, "column")
            )
            yield Table(_text(table, "name") or "?", _text(table, "description"), _text(table, "nrows"), columns)


def _pair(text: str) -> tuple[float, float] | None:
    try:
        low, high = map(float, text.split())
    except ValueError:
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _days(text: str) -> str:
    """MJD as days; what is none of a calendar's days stays as it is written."""
    pair = _pair(text)
    try:
        return text if pair is None else " to ".join(str(_MJD_ZERO + dt.timedelta(math.floor(day))) for day in pair)
    except OverflowError:
        return text


def _lengths(text: str) -> str:
    """Energies in joule, and the wavelengths that go with them."""
    pair = _pair(text)
    if pair is None or min(pair) <= 0.0:
        return text
    shortest, longest = _HC / max(pair), _HC / min(pair)
    name, unit = next(((name, unit) for name, unit in _LENGTHS if longest >= unit), _LENGTHS[-1])
    return f"{shortest / unit:.4g} to {longest / unit:.4g} {name} ({min(pair):.4g} to {max(pair):.4g} J)"
