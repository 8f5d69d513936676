"""Whether an entry of a list is a record that can be used, and the record that it is then."""

from __future__ import annotations

import re

from lxml import etree

from vo.db.registry import Record, Status
from vo.errors import UsageFault
from vo.registry.harvest.canonical import RI, XSI_TYPE, canonical, digest_of
from vo.registry.harvest.pages import OAI, Entry, read_date

#: IVOA Identifiers 2.0, section 2; a resource's has neither question mark nor number sign (VOR-03).
_IVOID = re.compile(r"ivo://[A-Za-z0-9][\w.!~*'()+=-]{2,}(/[\w.!~*'()+=@%:&$,;-]*)*", re.ASCII)
_STATUSES: dict[str, Status] = {"active": "active", "inactive": "inactive", "deleted": "deleted"}


class Refusal(Exception):
    """Why an entry is not used: ``kind`` is a short fixed phrase that can be counted, ``reason`` has the values."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind = kind
        self.reason = reason


def authority_of(ivoid: str) -> str:
    """The naming authority of an identifier, in lower case."""
    return ivoid.lower().removeprefix("ivo://").partition("/")[0]


def read_record(entry: Entry, source: str) -> Record:
    """The record of an entry, :class:`Refusal` when it is none that can be used (OAI-07, VOR-01 to VOR-03)."""
    if not _IVOID.fullmatch(entry.identifier):
        raise Refusal("no identifier", f"its header has {entry.identifier[:200]!r}, which is no IVOA identifier")
    try:
        datestamp = read_date(entry.datestamp)
    except UsageFault as fault:
        raise Refusal("no date", f"its header's datestamp: {fault.text}") from None
    if entry.is_deleted:
        return Record(entry.identifier, source, "deleted", datestamp, datestamp, "", None)
    resource = _resource(entry)
    status = _STATUSES.get(resource.get("status", "active"))
    if status is None:
        raise Refusal("no status", f"its status is {resource.get('status')!r}, not active, inactive or deleted")
    try:
        created = read_date(resource.get("created", entry.datestamp))
        document = canonical(resource)
    except UsageFault as fault:
        raise Refusal("no resource", fault.text) from None
    if status == "deleted":
        return Record(entry.identifier, source, status, created, datestamp, "", None)
    return Record(entry.identifier, source, status, created, datestamp, digest_of(document), document)


def _resource(entry: Entry) -> etree._Element:
    """The one ri:Resource of an entry, whose identifier is that of the header."""
    if len(entry.content) != 1:
        raise Refusal("no resource", f"its metadata has {len(entry.content)} elements, not one ri:Resource")
    (resource,) = entry.content
    if resource.tag != f"{{{RI}}}Resource":
        raise Refusal("no resource", f"its metadata has {str(resource.tag)[:200]!r}, not an ri:Resource")
    if XSI_TYPE not in resource.attrib:
        raise Refusal("no resource", "it does not say what it is: xsi:type is missing")
    if resource.find(f"{{{OAI}}}identifier") is not None:
        raise Refusal("no resource", "its elements are in the namespace of OAI-PMH; a record's own have none")
    identifiers = [(one.text or "").strip() for one in resource.findall("identifier")]
    if len(identifiers) != 1 or identifiers[0].lower() != entry.identifier.lower():
        told = ", ".join(identifiers)[:200] or "none"
        raise Refusal("another identifier", f"its header says {entry.identifier}, the resource {told}")
    if not (resource.findtext("title") or "").strip():
        raise Refusal("no resource", "it has no title")
    return resource
