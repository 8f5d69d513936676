"""What an OAI-PMH endpoint answers, read from its bytes: no entities, no network, no surprises.

A page that is no XML (somebody's record was pasted into it as it is) need not cost its other records: it is cut at
the tags of its records, and what is sound by itself is used (:func:`_mend`).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from itertools import pairwise

from lxml import etree

from vo.errors import UsageFault

OAI = "http://www.openarchives.org/OAI/2.0/"

#: Date or date and time of OAI-PMH, always UTC (OAI-PMH 2.0, section 3.3); some write fractions of seconds.
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}:\d{2})(?:\.\d+)?Z?)?")

_ROOT = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?OAI-PMH)\b[^>]*>")
_LIST = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?ListRecords)\b[^>]*>")
_RECORD = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?record(?=[\s>])")
_RECORD_END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?record\s*>")
_IDENTIFIER = re.compile(rb"identifier\s*>\s*(ivo://[^<\s]{1,500})")
_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*encoding\s*=\s*["']([\w.-]+)["']""")


class OAIFault(UsageFault):
    """An error in OAI-PMH's own words (OAI-09); ``code`` is one of them."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {' '.join(text.split())[:500]}" if text.strip() else code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Identity:
    """What an endpoint says of itself (OAI-03); ``registry`` and ``managed`` are of its vg:Registry, in lower case."""

    name: str
    protocol: str
    by_second: bool
    deletes: str
    registry: str
    managed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a list, its header as it is written; ``content`` is what stands in its metadata."""

    identifier: str
    datestamp: str
    is_deleted: bool
    content: tuple[etree._Element, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """A piece of a page that is no XML: the identifier that can be read in it ('' for none) and what is wrong."""

    identifier: str
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to ListRecords; ``token`` asks for the next one and is '' at the end, ``size`` counts all records."""

    answered: dt.datetime
    entries: tuple[Entry, ...]
    token: str
    size: int | None
    broken: tuple[Broken, ...] = ()


def read_date(text: str) -> dt.datetime:
    """A date of OAI-PMH as UTC without a zone, whole seconds; UsageFault when it is none."""
    found = _DATE.fullmatch(text.strip())
    try:
        return dt.datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00:00'}") if found else _no_date(text)
    except ValueError:
        return _no_date(text)


def read_identity(document: bytes) -> Identity:
    """What Identify answers; :class:`UsageFault` says what is no OAI-PMH in it."""
    said = _verb(_parse(document), "Identify")
    registry = next(filter(_is_registry, said.iter(etree.Element)), None)
    managed = [] if registry is None else [_text(one) for one in registry.findall("managedAuthority")]
    return Identity(
        name=_text(said.find(f"{{{OAI}}}repositoryName")),
        protocol=_text(said.find(f"{{{OAI}}}protocolVersion")),
        by_second="T" in _text(said.find(f"{{{OAI}}}granularity")).upper(),
        deletes=_text(said.find(f"{{{OAI}}}deletedRecord")).lower(),
        registry="" if registry is None else _text(registry.find("identifier")).lower(),
        managed=frozenset(one.lower().removeprefix("ivo://") for one in managed if one),
    )


def read_sets(document: bytes) -> tuple[frozenset[str], str]:
    """The sets that ListSets answers with, and the token that asks for more of them."""
    said = _verb(_parse(document), "ListSets")
    return frozenset(_text(one) for one in said.iter(f"{{{OAI}}}setSpec")), _token(said)[0]


def read_page(document: bytes) -> Page:
    """What ListRecords answers; a page that is no XML is mended where that is safe.

    :class:`OAIFault` when it is an error of the protocol, :class:`UsageFault` when it cannot be read.
    """
    try:
        root = etree.fromstring(document, _parser())
    except etree.XMLSyntaxError as error:
        return _mend(document, error)
    return _page(_checked(root))


def _page(root: etree._Element, broken: tuple[Broken, ...] = ()) -> Page:
    said = _verb(root, "ListRecords")
    token, size = _token(said)
    entries = tuple(map(_entry, said.findall(f"{{{OAI}}}record")))
    return Page(read_date(_text(root.find(f"{{{OAI}}}responseDate"))), entries, token, size, broken)


def _entry(record: etree._Element) -> Entry:
    header = record.find(f"{{{OAI}}}header")
    metadata = record.find(f"{{{OAI}}}metadata")
    return Entry(
        identifier="" if header is None else _text(header.find(f"{{{OAI}}}identifier")),
        datestamp="" if header is None else _text(header.find(f"{{{OAI}}}datestamp")),
        is_deleted=header is not None and header.get("status") == "deleted",
        content=() if metadata is None else tuple(metadata.iterchildren(etree.Element)),
    )


def _token(said: etree._Element) -> tuple[str, int | None]:
    token = said.find(f"{{{OAI}}}resumptionToken")
    if token is None:
        return "", None
    size = token.get("completeListSize") or ""
    return _text(token), int(size) if re.fullmatch(r"\d{1,9}", size) else None


def _parse(document: bytes) -> etree._Element:
    try:
        return _checked(etree.fromstring(document, _parser()))
    except etree.XMLSyntaxError as error:
        raise UsageFault(f"its answer is no XML ({_said(error)}); is it the address of an OAI-PMH endpoint?") from None


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def _checked(root: etree._Element) -> etree._Element:
    """The root of an OAI-PMH document without a DTD; :class:`OAIFault` when it tells an error."""
    if root.getroottree().docinfo.doctype:  # type: ignore[attr-defined]  # the stubs lack it
        raise UsageFault("its answer has a document type declaration, which OAI-PMH knows none of")
    if root.tag != f"{{{OAI}}}OAI-PMH":
        raise UsageFault(f"its answer is no OAI-PMH 2.0 but {etree.QName(root).localname!r}")
    error = root.find(f"{{{OAI}}}error")
    if error is not None:
        raise OAIFault(error.get("code") or "error", error.text or "")
    return root


def _verb(root: etree._Element, name: str) -> etree._Element:
    said = root.find(f"{{{OAI}}}{name}")
    if said is None:
        raise UsageFault(f"its answer has no {name}")
    return said


def _mend(document: bytes, error: etree.XMLSyntaxError) -> Page:
    """The page without the records that are no XML.

    Each piece between two beginnings of records is read by itself, within the page's own first tags: it is sound XML
    from there to its end tag or is not used. What follows the last record tells whether the list goes on; a page that
    does not say so, or breaks off, cannot be used as a part of a whole.
    """
    encoding = _ENCODING.match(document)
    starts = [found.start() for found in _RECORD.finditer(document)]
    root, listing = _ROOT.search(document), _LIST.search(document)
    known = encoding is None or encoding[1].lower() in (b"utf-8", b"us-ascii")
    if not (starts and root and listing and known) or b"<!DOCTYPE" in document:
        raise UsageFault(f"its answer is no XML ({_said(error)})")
    head, end = document[root.start() : starts[0]], _end_of_records(document, starts[-1], listing[1])
    try:
        page = _page(_checked(etree.fromstring(head + document[end:], _parser())))
    except etree.XMLSyntaxError:
        raise UsageFault(f"its answer is no XML ({_said(error)}), and does not show how it goes on") from None
    closing = b"</" + listing[1] + b"></" + root[1] + b">"
    broken: list[Broken] = []
    entries: list[Entry] = []
    for start, stop in pairwise([*starts, end]):
        piece = document[start:stop]
        try:
            entries += _page(_checked(etree.fromstring(head + piece + closing, _parser()))).entries
        except etree.XMLSyntaxError as wrong:
            found = _IDENTIFIER.search(piece)
            name = found[1].decode("utf-8", "replace") if found else ""
            broken.append(Broken(name, f"it is no XML: {_said(wrong)}"))
    return Page(page.answered, tuple(entries), page.token, page.size, tuple(broken))


def _end_of_records(document: bytes, last: int, listing: bytes) -> int:
    """Where the record that begins at ``last`` ends; where it has no end, the place of the next that is the list's."""
    ends = list(_RECORD_END.finditer(document, last))
    if ends:
        return ends[-1].end()
    rest = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?resumptionToken\b|</" + re.escape(listing)).search(document, last)
    return rest.start() if rest else len(document)


def _said(error: etree.XMLSyntaxError) -> str:
    return " ".join(str(error.msg or "not well-formed").split())[:200]


def _is_registry(element: etree._Element) -> bool:
    kind = str(element.get("{http://www.w3.org/2001/XMLSchema-instance}type") or "")
    return kind.rpartition(":")[2] == "Registry" and element.find("identifier") is not None


def _text(element: etree._Element | None) -> str:
    return "" if element is None else "".join(map(str, element.itertext())).strip()


def _no_date(text: str) -> dt.datetime:
    raise UsageFault(f"{text[:50]!r} is no date of OAI-PMH")
