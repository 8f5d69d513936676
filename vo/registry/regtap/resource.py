"""The resource itself: what it is, who is behind it, what belongs to it, what it covers (RegTAP 1.2, 8.1 to 8.17)."""

from __future__ import annotations

import datetime as dt
import math

from vo.adql.sky.geometry import BadArgument
from vo.adql.sky.moc import normalised
from vo.registry.regtap.node import NOTHING, Node, joined, lower, timestamp
from vo.registry.regtap.sheet import Sheet

#: Words of the IVOA's vocabularies (voresource/relationship_type, voresource/date_role) that are no longer in use, and
#: those that stand for them, in lower case (RegTAP 1.2, section 4.5).
_REPLACED = {
    "mirror-of": "isidenticalto",
    "service-for": "isservicefor",
    "served-by": "isservedby",
    "derived-from": "isderivedfrom",
    "representative": "collected",
    "creation": "created",
    "update": "updated",
}


def add_resource(sheet: Sheet, root: Node) -> None:
    """The row of the resource."""
    content = root.one("content") or NOTHING
    curation = root.one("curation") or NOTHING
    coverage = root.one("coverage") or NOTHING
    source = content.one("source") or NOTHING
    rights = root.one("rights") or NOTHING
    creators = [name for creator in curation.all("creator") for name in creator.texts("name")]
    sheet.add(
        "resource",
        res_type=root.type or "vr:resource",
        created=_date(sheet, root.attribute("created"), "created"),
        short_name=root.text("shortName"),
        res_title=root.text("title"),
        updated=_date(sheet, root.attribute("updated"), "updated"),
        content_level=lower(joined(content.texts("contentLevel"))),
        res_description=content.text("description"),
        reference_url=content.text("referenceURL"),
        creator_seq="; ".join(creators) or None,
        content_type=lower(joined(content.texts("type"))),
        source_format=lower(source.attribute("format")),
        source_value=source.own_text,
        res_version=curation.text("version"),
        region_of_regard=_number(sheet, coverage.text("regionOfRegard"), "regionOfRegard"),
        waveband=lower(joined(coverage.texts("waveband"))),
        rights=rights.own_text,
        rights_uri=rights.attribute("rightsURI"),
    )
    for subject in content.texts("subject"):
        sheet.add("res_subject", res_subject=subject)


def add_curation(sheet: Sheet, root: Node) -> None:
    """Who is behind the resource, its dates and its other identifiers."""
    curation = root.one("curation") or NOTHING
    for creator in curation.all("creator"):
        _add_role(sheet, "creator", creator.one("name"), creator, ("logo",))
    for contact in curation.all("contact"):
        _add_role(sheet, "contact", contact.one("name"), contact, ("address", "email", "telephone", "logo"))
    for role in ("publisher", "contributor"):
        for entity in curation.all(role):
            _add_role(sheet, role, entity, entity, ())
    for date in curation.all("date"):
        value = _date(sheet, date.own_text, "date")
        if value is not None:
            sheet.add("res_date", date_value=value, value_role=_current(date.attribute("role")))
    people = [person for role in ("creator", "contributor", "contact", "publisher") for person in curation.all(role)]
    for identifier in dict.fromkeys(text for node in (root, *people) for text in node.texts("altIdentifier")):
        sheet.add("alt_identifier", alt_identifier=identifier)


def _add_role(sheet: Sheet, role: str, named: Node | None, entity: Node, known: tuple[str, ...]) -> None:
    """A person or organisation; of the details only those that VOResource gives the role (RegTAP 1.2, section 8.2)."""
    details = {name: entity.text(name) if name in known else None for name in ("address", "email", "telephone", "logo")}
    sheet.add(
        "res_role",
        role_name=None if named is None else named.own_text,
        role_ivoid=None if named is None else lower(named.attribute("ivo-id")),
        street_address=details["address"],
        email=details["email"],
        telephone=details["telephone"],
        logo=details["logo"],
        base_role=role,
    )


def add_relationships(sheet: Sheet, root: Node) -> None:
    """A row for each resource that is related."""
    for relation in (root.one("content") or NOTHING).all("relationship"):
        kind = _current(relation.text("relationshipType"))
        if kind is None:
            sheet.tell("a relationship has no relationshipType")
            continue
        for related in relation.all("relatedResource"):
            sheet.add(
                "relationship",
                relationship_type=kind,
                related_id=lower(related.attribute("ivo-id")),
                related_name=related.own_text,
            )


def add_coverage(sheet: Sheet, root: Node) -> None:
    """What is covered in place, time and energy. Coverage in STC, as records before VODataService 1.2 have it, is left.

    There is always a row of ``stc_spatial``: clients that want resources of unknown coverage, too, ask for null.
    """
    coverage = root.one("coverage") or NOTHING
    sheet.add("stc_spatial", coverage=_moc(sheet, coverage.one("spatial")), ref_system_name=None)
    for interval in _intervals(sheet, coverage, "temporal"):
        sheet.add("stc_temporal", time_start=interval[0], time_end=interval[1])
    for interval in _intervals(sheet, coverage, "spectral"):
        sheet.add("stc_spectral", spectral_start=interval[0], spectral_end=interval[1])


def _moc(sheet: Sheet, spatial: Node | None) -> str | None:
    """The MOC of the sky; one of a planet's surface, which has a frame, is none (VODataService 1.2, section 3.2)."""
    written = None if spatial is None or spatial.attribute("frame") is not None else spatial.own_text
    if written is None:
        return None
    try:
        return normalised(written)
    except BadArgument as error:
        sheet.tell(f"the spatial coverage cannot be read: {error}")
        return None


def _intervals(sheet: Sheet, coverage: Node, name: str) -> list[tuple[float, float]]:
    read = []
    for text in coverage.texts(name):
        numbers = [_finite(word) for word in text.split()]
        if len(numbers) == 2 and numbers[0] is not None and numbers[1] is not None:  # noqa: PLR2004 - two ends
            low, high = sorted((numbers[0], numbers[1]))
            read.append((low, high))
            if low != numbers[0]:
                sheet.tell(f"the {name} coverage {text!r} has its ends the wrong way round; they were turned")
        else:
            sheet.tell(f"the {name} coverage {text[:80]!r} is no interval of two numbers")
    return read


def _number(sheet: Sheet, text: str | None, name: str) -> float | None:
    if text is None:
        return None
    number = _finite(text)
    if number is None:
        sheet.tell(f"{name} is {text[:80]!r}, not a number")
    return number


def _finite(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(sheet: Sheet, text: str | None, name: str) -> dt.datetime | None:
    if text is None:
        return None
    read = timestamp(text)
    if read is None:
        sheet.tell(f"{name} is {text[:80]!r}, not a date such as 2012-04-20 or 2012-04-20T15:34:45Z")
    return read


def _current(term: str | None) -> str | None:
    """The term in lower case, or the one that replaces it."""
    lowered = lower(term)
    return None if lowered is None else _REPLACED.get(lowered, lowered)
