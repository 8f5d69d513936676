"""What precedes the parts of a resource's own kind: title, identifiers, curation, content (VOResource 1.1, VOR-02)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Self

from lxml import etree

from vo.metadata.collection import Collection, Contact, Person
from vo.metadata.ivoids import organisation_id
from vo.registry.elements import add, add_known
from vo.registry.facts import CollectionFacts
from vo.settings import Settings

#: Of collections whose descriptor names no subject: the Thesaurus has no concept for plates.
NO_SUBJECT = "astrophotography"

_LONGEST_SHORT_NAME = 16


@dataclass(frozen=True, slots=True)
class Content:
    """What is said of a resource whatever it is.

    ``dates`` are days with roles of the vocabulary voresource/date_role; ``served_by`` pairs of identifier and name,
    ``derived_from`` identifiers of any kind. ``creators``, ``contact`` and ``reference_url`` are the publisher's where
    they are not given.
    """

    title: str
    identifier: str
    description: str
    subjects: tuple[str, ...]
    types: tuple[str, ...]
    short_name: str | None = None
    doi: str | None = None
    creators: tuple[Person, ...] = ()
    contributors: tuple[Person, ...] = ()
    dates: tuple[tuple[str, dt.date], ...] = ()
    version: str | None = None
    contact: Contact | None = None
    bibcode: str | None = None
    reference_url: str | None = None
    levels: tuple[str, ...] = ("Research",)
    served_by: tuple[tuple[str, str], ...] = ()
    derived_from: tuple[str, ...] = ()

    @classmethod
    def of_collection(cls, facts: CollectionFacts, identifier: str) -> Self:
        """What a collection's descriptor says, and when its exposures were taken."""
        told = facts.collection
        dates = (
            ("Created", told.original_date),
            ("Issued", told.publication_date),
            ("Collected", facts.first),
            ("Collected", None if facts.last == facts.first else facts.last),
        )
        return cls(
            title=told.title,
            identifier=identifier,
            description=told.description,
            subjects=told.subjects or (NO_SUBJECT,),
            types=told.content_types,
            short_name=told.short_name or told.obs_collection[:_LONGEST_SHORT_NAME],
            doi=told.doi,
            creators=told.creators,
            contributors=told.contributors,
            dates=tuple((role, day) for role, day in dates if day is not None),
            version=told.resource_version,
            contact=told.contact,
            bibcode=told.bib_reference,
            reference_url=told.reference_url,
            levels=told.content_levels,
        )


def add_head(resource: etree._Element, settings: Settings, content: Content) -> None:
    """Put it into a resource, in the schema's order, which ends before rights and capabilities."""
    resource.set("status", "active")
    add(resource, "title", content.title)
    add_known(resource, "shortName", content.short_name)
    add(resource, "identifier", content.identifier)
    add_known(resource, "altIdentifier", content.doi and f"doi:{content.doi}")
    _add_curation(add(resource, "curation"), settings, content)
    _add_content(add(resource, "content"), content)


def add_rights(resource: etree._Element, collection: Collection) -> None:
    """The conditions of use, with the address of the licence (VOR-07)."""
    if collection.rights or collection.rights_uri:
        text = collection.rights or collection.rights_uri
        add(resource, "rights", text, {"rightsURI": collection.rights_uri})


def _add_curation(curation: etree._Element, settings: Settings, content: Content) -> None:
    add(curation, "publisher", settings.publisher, {"ivo-id": organisation_id(settings)})
    for person in content.creators or (Person(name=settings.publisher, ivoid=organisation_id(settings)),):
        creator = add(curation, "creator", attributes={"ivo-id": person.ivoid})
        add(creator, "name", person.name)
        add_known(creator, "altIdentifier", person.orcid and f"https://orcid.org/{person.orcid}")
    for person in content.contributors:
        # no place for an ORCID iD here
        add(curation, "contributor", person.name, {"ivo-id": person.ivoid})
    for role, day in content.dates:
        add(curation, "date", day.isoformat(), {"role": role})
    add_known(curation, "version", content.version)
    _add_contact(add(curation, "contact"), settings, content.contact)


def _add_contact(element: etree._Element, settings: Settings, contact: Contact | None) -> None:
    whom = contact or Contact(name=settings.contact_name or settings.publisher)
    add(element, "name", whom.name)
    add_known(element, "address", whom.address)
    add_known(element, "email", whom.email or settings.contact)
    add_known(element, "telephone", whom.telephone)


def _add_content(element: etree._Element, content: Content) -> None:
    for subject in content.subjects:
        add(element, "subject", subject)
    add(element, "description", content.description.strip())
    if content.bibcode:
        add(element, "source", content.bibcode, {"format": "bibcode"})
    add(element, "referenceURL", content.reference_url)
    for word in content.types:
        add(element, "type", word)
    for level in content.levels:
        add(element, "contentLevel", level)
    for identifier, name in content.served_by:
        _add_relationship(element, "IsServedBy", name, identifier)
    for identifier in content.derived_from:
        _add_relationship(element, "IsDerivedFrom", identifier, identifier)


def _add_relationship(element: etree._Element, kind: str, name: str, identifier: str) -> None:
    relationship = add(element, "relationship")
    add(relationship, "relationshipType", kind)
    ivoid = identifier if identifier.startswith("ivo://") else None
    add(relationship, "relatedResource", name, {"ivo-id": ivoid})
