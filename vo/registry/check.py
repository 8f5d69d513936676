"""What records lack, in words for whoever can mend it; and whether they are valid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lxml import etree

from vo.errors import OperatorFault
from vo.metadata.collection import DESCRIPTOR, Collection
from vo.metadata.ivoids import authority_id, collection_id, service_id
from vo.registry.content import NO_SUBJECT
from vo.registry.facts import CollectionFacts, Facts
from vo.registry.records import MadeRecord
from vo.registry.schemas import find_errors, load_schemas
from vo.settings import EXAMPLE_AUTHORITY, Settings

#: A description below this many characters tells nobody whether the plates are of use.
_SHORT_DESCRIPTION = 100

#: IVOA Identifiers 2.0, section 2: an authority alone, or with a path.
_IVOID = re.compile(r"ivo://[A-Za-z0-9][\w.!~*'()+=-]{2,}(/[\w.!~*'()+=-]+)*", re.ASCII)

#: Concepts of the Unified Astronomy Thesaurus as registries write them.
_SUBJECT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

#: Characters that a bibcode has (https://ui.adsabs.harvard.edu).
_BIBCODE = 19

#: Dates of the documents that are validated before they are stamped.
_SOME_DATE = "2000-01-01T00:00:00Z"


#: Keys of a descriptor that a good record needs: what is missing without, and what to do about it.
_WANTED = {
    "subjects": (
        f"no subjects are named; the record says {NO_SUBJECT}",
        "name concepts of the Unified Astronomy Thesaurus, such as sky-surveys or photographic-photometry",
    ),
    "contact": ("the collection has no contact of its own; the publisher's is given", "name whom to ask"),
    "rights": ("nothing says what may be done with the data", "name the licence or the conditions"),
    "rights_uri": (
        "the licence has no address, so programs cannot tell what may be done",
        "give one, such as https://creativecommons.org/licenses/by/4.0/",
    ),
    "doi": ("the data set has no DOI, so nobody can cite it for good", "get one, and name it"),
    "bib_reference": ("no paper describes it", "name the paper to cite by its bibcode"),
    "reference_url": ("no page tells more; the record's own page here is named", "give one if there is one"),
    "publication_date": ("nothing says when this archive published it", "give the day"),
}


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a record lacks: ``remedy`` says what to do about it, ``place`` in which file or setting."""

    identifier: str
    lack: str
    remedy: str
    place: str


def find_missing(settings: Settings, facts: Facts, base_url: str) -> tuple[Missing, ...]:
    """What would make the records better, the server's first; an empty answer is a good one."""
    return (
        *_missing_of_server(settings, base_url),
        *(one for collection in facts.collections for one in _missing_of_collection(settings, collection)),
    )


def find_missing_words(settings: Settings, collection: Collection) -> tuple[Missing, ...]:
    """What a collection's description lacks for a good record, before anything of it is loaded."""
    return tuple(_missing_in_description(settings, collection))


def check_documents(settings: Settings, made: Sequence[MadeRecord]) -> None:
    """Hold records against our own rules, and against the XML schemas of VO_XSD_DIR where it is set.

    :class:`OperatorFault` names every record that breaks one, and how.
    """
    schema = None if settings.xsd_dir is None else load_schemas(settings.xsd_dir)
    wrong: list[str] = []
    for one in made:
        found = list(_broken_rules(one.resource))
        if schema is not None:
            found += find_errors(schema, _dated(one.resource))
        wrong += [f"{one.identifier}: {text}" for text in found]
    names = [one.identifier.lower() for one in made]
    wrong += [f"{name}: two records have this identifier" for name in sorted(set(names)) if names.count(name) > 1]
    if wrong:
        raise OperatorFault("records are not valid, nothing was published: " + "; ".join(wrong))


def _dated(resource: etree._Element) -> bytes:
    copy = etree.fromstring(etree.tostring(resource))
    copy.set("created", _SOME_DATE)
    copy.set("updated", _SOME_DATE)
    return etree.tostring(copy, pretty_print=True)


def _broken_rules(resource: etree._Element) -> Iterator[str]:
    """Rules that no schema has, or that must hold without any (VOR-03, VOR-05, VDS-07, CLIENTS.md)."""
    for path in ("title", "content/description", "content/subject", "content/referenceURL", "curation/contact/name"):
        if not (resource.findtext(path) or "").strip():
            yield f"{path} is empty"
    if len(resource.findtext("shortName") or "") > 16:  # noqa: PLR2004 - VOResource's own number
        yield "shortName has more than 16 characters"
    for axis in ("temporal", "spectral"):
        for interval in resource.iterfind(f"coverage/{axis}"):
            lower, upper = map(float, (interval.text or "").split())
            if not lower <= upper:
                yield f"coverage/{axis} {interval.text}: the lower end stands first"
    for address in resource.iter("accessURL"):
        if not re.match(r"https?://[^\s/]+", address.text or ""):
            yield f"accessURL {address.text} is no address of the web"
    yield from (
        f"{one!r} is no identifier of a resource" for one in _identifiers(resource) if not _IVOID.fullmatch(one)
    )


def _identifiers(resource: etree._Element) -> tuple[str, ...]:
    """The resource's own identifier, and those of the people and resources that it names, each once."""
    named = (
        str(one.get("ivo-id")) for part in ("curation", "content") for one in resource.iterfind(f"{part}//*[@ivo-id]")
    )
    return tuple(dict.fromkeys((resource.findtext("identifier") or "", *named)))


def _missing_of_server(settings: Settings, base_url: str) -> Iterator[Missing]:
    server = authority_id(settings)
    if settings.authority == EXAMPLE_AUTHORITY:
        yield Missing(
            server,
            "the naming authority is the example's, which every new server has",
            "choose one of your own, such as the name of your institute's domain; identifiers of plates contain it, so "
            "ingest again afterwards",
            "VO_AUTHORITY",
        )
    if not settings.base_url:
        yield Missing(
            server,
            f"the addresses in the records begin with {base_url}, which is no public address",
            "name the address under which everybody reaches this server, and publish again",
            "VO_BASE_URL",
        )
    organisation = service_id(settings, "organisation")
    if settings.publisher == Settings.model_fields["publisher"].default:
        yield Missing(organisation, "nobody knows who publishes this", "name your institute", "VO_PUBLISHER")
    if not settings.contact:
        yield Missing(
            organisation, "nobody can be asked: there is no e-mail address", "give one that stays", "VO_CONTACT"
        )
    if not settings.publisher_url and not settings.publisher_ivoid:
        yield Missing(organisation, "the publisher has no web page", "give its address", "VO_PUBLISHER_URL")


def _missing_of_collection(settings: Settings, facts: CollectionFacts) -> Iterator[Missing]:
    told = facts.collection
    identifier, file = collection_id(settings, told), f"{told.name}/{DESCRIPTOR}"
    yield from _missing_in_description(settings, told)
    for key, lack, remedy in _missing_data(facts):
        yield Missing(identifier, lack, remedy, f"{file}: {key}" if key else file)


def _missing_in_description(settings: Settings, told: Collection) -> Iterator[Missing]:
    identifier, file = collection_id(settings, told), f"{told.name}/{DESCRIPTOR}"
    # plates that no telescope took need neither DOI nor paper, and belong into no registry of the world
    for key, lack, remedy in () if told.synthetic else _missing_words(told):
        yield Missing(identifier, lack, remedy, f"{file}: {key}")
    authority = identifier.removeprefix("ivo://").partition("/")[0]
    if authority.lower() != settings.authority:
        yield Missing(
            identifier,
            f"its identifier is of another authority ({authority}), which this registry says that it manages, too",
            "leave ivoid out, unless that authority is yours and no other registry manages it",
            f"{file}: ivoid",
        )


def _missing_words(told: Collection) -> Iterator[tuple[str, str, str]]:
    """Key, what is missing, what to do; of the descriptor alone."""
    if len(told.description.strip()) < _SHORT_DESCRIPTION:
        yield "description", "the description is short", "say which telescopes, years, sky and emulsions there are"
    if not any(one.orcid for one in told.creators):
        yield "creators", "no creator has an ORCID iD", 'write people as {name = "Family, G.", orcid = "..."}'
    if told.bib_reference is not None and len(told.bib_reference) != _BIBCODE:
        yield "bib_reference", f"{told.bib_reference!r} is no bibcode, which has 19 characters", "copy it from ADS"
    for subject in told.subjects:
        if not _SUBJECT.fullmatch(subject):
            yield (
                "subjects",
                f"the subject {subject!r} is not written as the Unified Astronomy Thesaurus does",
                "write the concept in lower case with - between words, as at https://www.ivoa.net/rdf/uat",
            )
    yield from ((key, lack, remedy) for key, (lack, remedy) in _WANTED.items() if not getattr(told, key))


def _missing_data(facts: CollectionFacts) -> Iterator[tuple[str, str, str]]:
    """Key, what is missing, what to do; of what the data tell."""
    coverage = facts.coverage
    if not facts.facilities and facts.collection.facility_name is None:
        yield "facility_name", "no observatory is named", "name it, or where headers have it (fits.facility_name)"
    if not facts.instruments and facts.collection.instrument_name is None:
        yield "instrument_name", "no telescope is named", "name it, or where headers have it (fits.instrument_name)"
    if not coverage.spatial:
        yield "", "no plate has a place on the sky, so no search by position finds it", "ingest plates with positions"
    if not coverage.temporal:
        yield "", "no plate has a date, so no search by time finds it", "ingest plates with dates"
    if not coverage.spectral:
        yield "defaults.em_min", "no wavelengths are known, so no search by them finds it", "give em_min and em_max"
