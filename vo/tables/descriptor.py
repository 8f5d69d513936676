"""Service descriptors: how a document tells which service takes its rows further (DataLink 1.1 section 4).

One class serves Datalink and SODA descriptors in query results and link documents, and a service's description of
itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lxml import etree

DATALINK_ID = "ivo://ivoa.net/std/DataLink#links-1.1"
SODA_ID = "ivo://ivoa.net/std/SODA#sync-1.0"
SODA_JOBS_ID = "ivo://ivoa.net/std/SODA#async-1.0"


@dataclass(frozen=True, slots=True)
class Param:
    """One input parameter of a service, in VOTable's words.

    ``ref`` is the name of the result's column that gives the value; ``value`` a fixed value; with neither the user
    gives it. ``min``, ``max`` and ``options`` bound what the user may give.
    """

    name: str
    datatype: str = "char"
    arraysize: str | None = "*"
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    value: str = ""
    ref: str | None = None
    min: str | None = None
    max: str | None = None
    options: tuple[str, ...] = ()
    description: str | None = None

    def __post_init__(self) -> None:
        if self.ref is not None and (self.value or self.min or self.max or self.options):
            raise ValueError(f"PARAM {self.name}: ref goes with neither value nor VALUES (DSC-02)")


@dataclass(frozen=True, slots=True)
class ServiceDescriptor:
    """A service that takes a document's rows further.

    ``id`` is the XML ID that Datalink's service_def names, None for a description of the service itself
    (``utype`` "adhoc:this"). ``access_url`` carries no ``?`` (Aladin appends its own).
    """

    id: str | None
    name: str
    description: str
    standard_id: str | None
    access_url: str
    parameters: tuple[Param, ...]
    utype: str = "adhoc:service"

    def __post_init__(self) -> None:
        if "?" in self.access_url:
            raise ValueError(f"the accessURL {self.access_url!r} of a descriptor must not hold a '?'")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a cutout of one dataset can cover, degrees ICRS: a covering circle, and its outline where known."""

    circle: tuple[float, float, float]
    polygon: tuple[tuple[float, float], ...] = ()


#: What SODA 1.0 does not have, or leaves open, is declared with the values that it takes (SOD-11). All are char: pyVO
#: fails on an optional number without a value.
_OUTPUT_PARAMS = (
    Param(
        "RESPONSEFORMAT",
        ucd="meta.code.mime",
        options=("image/fits", "image/jpeg", "image/png"),
        description="Form of the cutout: FITS, which is the default, or a picture for people",
    ),
    Param("MASK", ucd="meta.code", options=("0", "1"), description="1: what lies outside of the shape becomes blank"),
    Param(
        "ORIENT",
        ucd="meta.code",
        options=("native", "north"),
        description="Pictures only: as the pixels lie (the default), or north up and east to the left",
    ),
)


def datalink_descriptor(base_url: str, ref: str) -> ServiceDescriptor:
    """How to get the links of each row: ``ref`` is the column that holds the identifiers (SIA-06)."""
    return ServiceDescriptor(
        id="datalink",
        name="links",
        description="All files of a plate, and the services that work on them.",
        standard_id=DATALINK_ID,
        access_url=f"{base_url}/datalink/links",
        parameters=(Param("ID", ucd="meta.id;meta.main", ref=ref, description="The publisher's identifier"),),
    )


def soda_descriptor(
    base_url: str,
    *,
    ref: str | None = None,
    did: str | None = None,
    bounds: Bounds | None = None,
    id: str = "soda",  # noqa: A002  the XML attribute's name
    name: str = "cutout",
) -> ServiceDescriptor:
    """How to cut out of each row's plate (``ref``, a column of the document) or out of the one called ``did``.

    A link document needs ``did``: there ``ref`` would name a column that pyVO looks for in the query's result. Several
    descriptors in one document need an ``id`` and a ``name`` each.
    """
    if (ref is None) == (did is None):
        raise ValueError("a SODA descriptor needs either ref or did")
    identifier = Param(
        "ID",
        ucd="meta.ref.url;meta.curation",
        ref=ref,
        value=did or "",
        description="The publisher's identifier of the exposure or plate to cut from",
    )
    return ServiceDescriptor(
        id=id,
        name=name,
        description="Cuts a region of the sky out of the plate's scan.",
        standard_id=SODA_ID,
        access_url=f"{base_url}/soda/sync",
        parameters=(identifier, *_shape_params(bounds), *_OUTPUT_PARAMS),
    )


def soda_jobs_descriptor(
    base_url: str, *, ref: str | None = None, did: str | None = None, bounds: Bounds | None = None
) -> ServiceDescriptor:
    """How to make a job of many cutouts (UWS), of what :func:`soda_descriptor` would cut one from.

    No row need name it: clients that know jobs look for the standard's identifier.
    """
    one = soda_descriptor(base_url, ref=ref, did=did, bounds=bounds, id="soda_async", name="cutouts")
    return replace(
        one,
        description="Cuts many regions out of many scans as one job.",
        standard_id=SODA_JOBS_ID,
        access_url=f"{base_url}/soda/async",
    )


def _shape_params(bounds: Bounds | None) -> tuple[Param, ...]:
    # The UCDs are those of SODA 1.0, table 4: the meaning of a parameter is its name, UCD and unit together (SOD-01).
    circle = Param(
        "CIRCLE",
        datatype="double",
        arraysize="3",
        xtype="circle",
        unit="deg",
        ucd="pos.outline;obs",
        max=_numbers_text(bounds.circle) if bounds else None,
        description="Longitude, latitude and radius of a circle, ICRS",
    )
    polygon = Param(
        "POLYGON",
        datatype="double",
        arraysize="*",
        xtype="polygon",
        unit="deg",
        ucd="pos.outline;obs",
        max=_numbers_text([value for vertex in bounds.polygon for value in vertex]) if bounds else None,
        description="Longitudes and latitudes of a polygon's vertices, ICRS",
    )
    pos = Param("POS", ucd="pos.outline;obs", description="CIRCLE, RANGE or POLYGON with its numbers, degrees ICRS")
    return circle, polygon, pos


def _numbers_text(values: Sequence[float]) -> str | None:
    return " ".join(repr(float(value)) for value in values) or None


def add_descriptor(parent: etree._Element, descriptor: ServiceDescriptor, ids: Mapping[str, str]) -> None:
    """Append a descriptor's RESOURCE; ``ids`` gives the XML ID of each column by its name in lower case.

    Raises ValueError when a ref names a column that the document does not have (DSC-03).
    """
    resource = etree.SubElement(parent, "RESOURCE", type="meta", utype=descriptor.utype, name=descriptor.name)
    if descriptor.id is not None:
        resource.set("ID", descriptor.id)
    etree.SubElement(resource, "DESCRIPTION").text = descriptor.description
    # Every PARAM outside the group is char: pyVO calls .lower() on each value.
    if descriptor.standard_id is not None:
        _add_param(resource, Param("standardID", value=descriptor.standard_id), ids)
    _add_param(resource, Param("accessURL", ucd="meta.ref.url", value=descriptor.access_url), ids)
    group = etree.SubElement(resource, "GROUP", name="inputParams")
    for param in descriptor.parameters:
        _add_param(group, param, ids)


def _add_param(parent: etree._Element, param: Param, ids: Mapping[str, str]) -> None:
    element = etree.SubElement(parent, "PARAM", name=param.name, datatype=param.datatype)
    optional = (("arraysize", param.arraysize), ("xtype", param.xtype), ("unit", param.unit), ("ucd", param.ucd))
    for name, value in optional:
        if value is not None:
            element.set(name, value)
    if param.ref is not None:
        if param.ref.lower() not in ids:
            raise ValueError(f"PARAM {param.name} refers to the column {param.ref!r}, which is not in this document")
        element.set("ref", ids[param.ref.lower()])
    element.set("value", param.value)
    if param.description is not None:
        etree.SubElement(element, "DESCRIPTION").text = param.description
    if param.min is None and param.max is None and not param.options:
        return
    values = etree.SubElement(element, "VALUES")
    if param.min is not None:
        etree.SubElement(values, "MIN", value=param.min)
    if param.max is not None:
        etree.SubElement(values, "MAX", value=param.max)
    for option in param.options:
        etree.SubElement(values, "OPTION", value=option)
