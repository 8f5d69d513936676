"""The records of a server, made from its settings, its descriptors and its data (VOResource 1.1, VODataService 1.2).

Which records there are and what each must hold: docs/registry.md. The order of elements is that of the XML schemas.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from lxml import etree
from pydantic.networks import AnyUrl
from vo_models.voresource.models import Capability

from vo.dali.service import Service
from vo.metadata.collection import Collection
from vo.metadata.fields import Catalogue, Schema
from vo.metadata.ivoids import OAI_PATH, collection_id, organisation_id, record_path, service_id
from vo.metadata.tableset import add_schema
from vo.registry.content import Content, add_head, add_rights
from vo.registry.coverage import Coverage
from vo.registry.elements import XSI_TYPE, add, add_capabilities, make_resource
from vo.registry.facts import CollectionFacts, Facts
from vo.registry.wavebands import find_wavebands
from vo.settings import Settings

_HARVEST = "ivo://ivoa.net/std/Registry"
_TAP_AUX = "ivo://ivoa.net/std/TAP#aux"
_SIA_AUX = "ivo://ivoa.net/std/SIA#query-aux-2.0"
_OBSCORE = "ivo://ivoa.net/std/obscore#table-1.1"


class Services(Protocol):
    """The services that records are about: :class:`vo.services.Services`, which stands above this package."""

    @property
    def tap(self) -> Service:
        """TAP."""
        ...

    @property
    def sia2(self) -> Service:
        """SIA2."""
        ...

    @property
    def datalink(self) -> Service:
        """Datalink, which has no record of its own."""
        ...

    @property
    def soda(self) -> Service:
        """SODA, which has no record of its own."""
        ...


@dataclass(frozen=True, slots=True)
class Server:
    """What records are made of: ``base_url`` without a slash at its end, the ``facts`` read from the database."""

    settings: Settings
    catalogue: Catalogue
    services: Services
    base_url: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class MadeRecord:
    """A record without its dates: ``resource`` is an ri:Resource that lacks ``created`` and ``updated``."""

    identifier: str
    resource: etree._Element


def make_records(server: Server) -> tuple[MadeRecord, ...]:
    """All records of a server: authorities, organisation, registry, services, and one for each collection."""
    made = [
        *(_authority(server, one) for one in managed_authorities(server.settings, _collections(server))),
        *(() if server.settings.publisher_ivoid else (_organisation(server),)),
        _registry(server),
        _tap(server),
        _obscore(server),
        _sia2(server),
        *(_collection(server, one) for one in server.facts.collections),
    ]
    return tuple(MadeRecord(_identifier(resource), resource) for resource in made)


def managed_authorities(settings: Settings, collections: Iterable[Collection]) -> tuple[str, ...]:
    """The authorities of all identifiers that are published here, the server's own first (OAI-06)."""
    named = (collection_id(settings, one).lower().removeprefix("ivo://").partition("/")[0] for one in collections)
    return tuple(dict.fromkeys((settings.authority, *named)))


def page_url(settings: Settings, base_url: str, identifier: str) -> str:
    """The page for people of one of the server's records (REC-05)."""
    return f"{base_url}{record_path(settings.authority, identifier)}"


def _collections(server: Server) -> tuple[Collection, ...]:
    return tuple(one.collection for one in server.facts.collections)


def _identifier(resource: etree._Element) -> str:
    return resource.findtext("identifier") or ""


def _authority(server: Server, authority: str) -> etree._Element:
    resource = make_resource("vg:Authority")
    settings = server.settings
    content = Content(
        title=f"Naming authority {authority}",
        identifier=f"ivo://{authority}",
        description=f"The naming authority of the identifiers that begin with ivo://{authority}: of the plate archives "
        f"that {settings.publisher} publishes, their services and their plates.",
        subjects=("virtual-observatories",),
        types=("Other",),
    )
    _add_own_head(server, resource, content)
    add(resource, "managingOrg", settings.publisher, {"ivo-id": organisation_id(settings)})
    return resource


def _organisation(server: Server) -> etree._Element:
    resource = make_resource("vr:Organisation")
    settings = server.settings
    content = Content(
        title=settings.publisher,
        identifier=service_id(settings, "organisation"),
        description=f"{settings.publisher} publishes archives of photographic plates to the Virtual Observatory.",
        subjects=("virtual-observatories",),
        types=("Organisation",),
        reference_url=settings.publisher_url,
    )
    _add_own_head(server, resource, content)
    return resource


def _registry(server: Server) -> etree._Element:
    resource = make_resource("vg:Registry")
    settings = server.settings
    content = Content(
        title=f"Publishing registry of {settings.publisher}",
        short_name="Plates Registry",
        identifier=service_id(settings, "registry"),
        description="The registry that publishes the records of this server's plate archives and services, for "
        "harvesting by OAI-PMH.",
        subjects=("virtual-observatories",),
        types=("Registry",),
    )
    _add_own_head(server, resource, content)
    harvest = add(resource, "capability", attributes={XSI_TYPE: "vg:Harvest", "standardID": _HARVEST})
    interface = add(harvest, "interface", attributes={XSI_TYPE: "vg:OAIHTTP", "role": "std", "version": "1.0"})
    add(interface, "accessURL", f"{server.base_url}{OAI_PATH}", {"use": "base"})
    add(harvest, "maxRecords", str(settings.oai_records))
    add(resource, "full", "true" if settings.full_registry else "false")
    for authority in managed_authorities(settings, _collections(server)):
        add(resource, "managedAuthority", authority)
    return resource


def _tap(server: Server) -> etree._Element:
    """The TAP service, with all tables and no coverage: found by place, it would be taken for ObsCore's service."""
    resource = make_resource("vs:CatalogService")
    names = [f"{one.title} ({one.name}.plates)" for one in _collections(server)]
    content = Content(
        title=f"TAP service of {server.settings.publisher}",
        short_name="Plates TAP",
        identifier=service_id(server.settings, "tap"),
        description="Queries in ADQL, with geometry and uploads, on archives of photographic plates: in ivoa.obscore "
        f"all that are digitised, in a table of its own each collection. {'; '.join(names)}.",
        subjects=_subjects(server),
        types=("Catalog", "Archive"),
    )
    _add_own_head(server, resource, content)
    add_capabilities(resource, server.services.tap.capabilities(server.base_url))
    _add_tableset(resource, server.catalogue.schemas, server.facts)
    return resource


def _obscore(server: Server) -> etree._Element:
    """The table ivoa.obscore as a resource of its own, which is how global discovery finds it (REC-01)."""
    resource = make_resource("vs:CatalogResource")
    settings = server.settings
    content = Content(
        title=f"Digitised photographic plates of {settings.publisher} (ObsCore)",
        short_name="Plates ObsCore",
        identifier=service_id(settings, "obscore"),
        description="The table ivoa.obscore: one row for each exposure on a digitised photographic plate, with its "
        "footprint on the sky, times and wavelengths, and a link to its files. "
        f"It has plates of: {_in_obscore(server)}.",
        subjects=_subjects(server),
        types=("Archive",),
        served_by=(_tap_relation(server),),
    )
    _add_own_head(server, resource, content)
    add_capabilities(resource, (_auxiliary(server.services.tap, server.base_url, _TAP_AUX),))
    _add_coverage(resource, server.facts.coverage)
    (schema,) = (one for one in server.catalogue.schemas if one.name == "ivoa")
    tables = tuple(replace(one, utype=_OBSCORE) for one in schema.tables if one.name == "obscore")
    _add_tableset(resource, (replace(schema, tables=tables),), server.facts)
    return resource


def _sia2(server: Server) -> etree._Element:
    resource = make_resource("vs:CatalogService")
    settings = server.settings
    content = Content(
        title=f"Image search (SIA2) of {settings.publisher}",
        short_name="Plates SIA2",
        identifier=service_id(settings, "sia2"),
        description="Images of photographic plates by position, time, wavelength and more (SIA 2.0), with Datalink to "
        f"their files and cutouts by SODA. It finds plates of: {_in_obscore(server)}.",
        subjects=_subjects(server),
        types=("Archive",),
        served_by=((service_id(settings, "obscore"), "the table ivoa.obscore, which has the same images"),),
    )
    _add_own_head(server, resource, content)
    base, soda = server.base_url, server.services.soda
    beside = (server.services.datalink.capability(base), soda.capability(base), *soda.others(base))
    add_capabilities(resource, (*server.services.sia2.capabilities(base), *beside))
    _add_coverage(resource, server.facts.coverage)
    return resource


def _collection(server: Server, facts: CollectionFacts) -> etree._Element:
    resource = make_resource("vs:CatalogResource")
    settings, base, collection = server.settings, server.base_url, facts.collection
    identifier = collection_id(settings, collection)
    served = [_tap_relation(server)]
    auxiliary = [_auxiliary(server.services.tap, base, _TAP_AUX)]
    if facts.obscore_rows:
        served.append((service_id(settings, "sia2"), "image search"))
        auxiliary.append(_auxiliary(server.services.sia2, base, _SIA_AUX))
    content = replace(
        Content.of_collection(facts, identifier), served_by=tuple(served), derived_from=collection.is_derived_from
    )
    page = page_url(settings, base, identifier)
    add_head(resource, settings, replace(content, reference_url=content.reference_url or page))
    add_rights(resource, collection)
    add_capabilities(resource, auxiliary)
    for name in facts.facilities or _known(collection.facility_name):
        add(resource, "facility", name)
    for name in facts.instruments or _known(collection.instrument_name):
        add(resource, "instrument", name)
    _add_coverage(resource, facts.coverage, collection.region_of_regard)
    _add_tableset(resource, [one for one in server.catalogue.schemas if one.name == collection.name], server.facts)
    return resource


def _known(text: str | None) -> tuple[str, ...]:
    return (text,) if text else ()


def _add_own_head(server: Server, resource: etree._Element, content: Content) -> None:
    """What precedes a resource's own parts, of the server's resources: their makers are the publisher."""
    page = content.reference_url or page_url(server.settings, server.base_url, content.identifier)
    add_head(resource, server.settings, replace(content, reference_url=page))


def _subjects(server: Server) -> tuple[str, ...]:
    named = (subject for one in _collections(server) for subject in one.subjects)
    return tuple(dict.fromkeys((*named, "virtual-observatories")))


def _in_obscore(server: Server) -> str:
    titles = [one.collection.title for one in server.facts.collections if one.obscore_rows]
    return "; ".join(titles) or "no collection yet"


def _tap_relation(server: Server) -> tuple[str, str]:
    return service_id(server.settings, "tap"), f"TAP service of {server.settings.publisher}"


def _auxiliary(service: Service, base: str, standard_id: str) -> Capability:
    """A capability that points to a service's own interfaces, literally (REC-03, REC-04)."""
    return Capability(standard_id=AnyUrl(standard_id), interface=service.capability(base).interface)


def _add_coverage(resource: etree._Element, coverage: Coverage, region_of_regard: float | None = None) -> None:
    """Coverage in all axes that are known (VDS-04 to VDS-07, VDS-09 and VDS-10, VDS-12)."""
    element = etree.Element("coverage")
    if coverage.spatial:
        add(element, "spatial", coverage.spatial)
    for lower, upper in coverage.temporal:
        add(element, "temporal", f"{lower!r} {upper!r}")
    for lower, upper in coverage.spectral:
        add(element, "spectral", f"{lower!r} {upper!r}")
    for waveband in find_wavebands(coverage.spectral):
        add(element, "waveband", waveband)
    if region_of_regard is not None:
        add(element, "regionOfRegard", repr(region_of_regard))
    if len(element):
        resource.append(element)


def _add_tableset(resource: etree._Element, schemas: Sequence[Schema], facts: Facts) -> None:
    tableset = add(resource, "tableset")
    for schema in schemas:
        add_schema(tableset, schema, columns=True, counts=facts.counts)
