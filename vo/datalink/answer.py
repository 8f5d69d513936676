"""From identifiers to a {links} document (DataLink 1.1, sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vo.context import Context, origin
from vo.dali.parameters import Parameters, response_format
from vo.datalink.bounds import bounds_of
from vo.datalink.fields import FIELDS
from vo.db.archive import FoundPlate, Outline, find_outlined
from vo.db.records import Exposure, PlateBundle
from vo.errors import UsageFault
from vo.metadata.collection import Collection
from vo.products.images import find_cut_source
from vo.products.links import DATALINK_TYPE, Link, list_links, list_plate_links, plate_did
from vo.tables.descriptor import ServiceDescriptor, soda_descriptor, soda_jobs_descriptor
from vo.tables.votable import Document, write_rows

STANDARD_ID = "ivo://ivoa.net/std/DataLink#links-1.1"

#: What RESPONSEFORMAT may be, without its parameters: a VOTable in TABLEDATA is all there is (DLK-02).
_FORMATS = frozenset({"votable", "application/x-votable+xml", "text/xml"})

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """An exposure, or a plate (``exposure`` is None), and the XML ID of its SODA descriptor; None: nothing can be cut.

    ``outlines`` are those of what can be cut.
    """

    bundle: PlateBundle
    exposure: Exposure | None
    collection: Collection
    outlines: tuple[Outline, ...]
    service_id: str | None

    @property
    def did(self) -> str:
        """Its identifier as it is published."""
        return plate_did(self.bundle.exposures[0]) if self.exposure is None else self.exposure.publisher_did


@dataclass(frozen=True, slots=True)
class Links:
    """A {links} document and the media type it is sent with."""

    media_type: str
    body: bytes


def answer(context: Context, parameters: Parameters, base_url: str, request_url: str) -> Links:
    """List the links of every ID, in the order asked, each ID's rows together (DLK-05).

    An unknown ID has a row that says so (DLK-06). Of more IDs than the limit, the first ones are answered whole and
    OVERFLOW is said (DLK-07). :class:`UsageFault` when another format than VOTable is asked for.
    """
    media_type = _media_type(parameters)
    # The same ID twice would have its rows twice.
    asked = tuple(dict.fromkeys(parameters.many("ID")))
    limit = context.settings.ids_per_call
    document, rows = _collect(context, asked[:limit], base_url, request_url)
    return Links(media_type, write_rows(document, rows, overflow=len(asked) > limit))


def _media_type(parameters: Parameters) -> str:
    asked = response_format(parameters)
    if asked is None:
        return DATALINK_TYPE
    name = asked.partition(";")[0].strip().lower()
    if name not in _FORMATS:
        raise UsageFault(f"RESPONSEFORMAT={asked[:80]!r} is not made here; leave it out or ask for votable")
    return "text/xml" if name == "text/xml" else DATALINK_TYPE


def _collect(context: Context, ids: Sequence[str], base_url: str, request_url: str) -> tuple[Document, list[Row]]:
    with context.database.read() as connection:
        plates = find_outlined(connection, ids, [collection.name for collection in context.collections])
    found = _find(context, plates)
    rows = [row for did in ids for row in _rows(did, found.get(did), base_url)]
    document = Document(
        fields=FIELDS,
        infos=origin(context, _credited(context, found), protocol=STANDARD_ID, request=request_url),
        descriptors=_descriptors(list(found.values()), base_url),
        overflow_text=(
            f"Only the first {context.settings.ids_per_call} IDs are answered, the most in one request (ids_per_call); "
            "ask for the others in further requests."
        ),
    )
    return document, rows


def _credited(context: Context, found: dict[str, Found]) -> tuple[Collection, ...]:
    """The collections of these exposures: their credits stand in the answer."""
    names = {item.collection.name for item in found.values()}
    return tuple(one for one in context.collections if one.name in names)


def _find(context: Context, plates: dict[str, FoundPlate]) -> dict[str, Found]:
    collections = {collection.name: collection for collection in context.collections}
    found: dict[str, Found] = {}
    for did, plate in plates.items():
        collection = collections.get(plate.bundle.plate.collection)
        if collection is None:
            continue
        exposures = plate.bundle.exposures if plate.exposure is None else (plate.exposure,)
        cut = {one.publisher_did for one in exposures if find_cut_source(plate.bundle, one, collection) is not None}
        outlines = tuple(one for one in plate.outlines if one.publisher_did in cut)
        service_id = f"soda{len(found) + 1}" if cut else None
        found[did] = Found(plate.bundle, plate.exposure, collection, outlines, service_id)
    return found


def _rows(asked: str, found: Found | None, base_url: str) -> list[Row]:
    if found is None:
        unknown = Link(
            semantics="#this",
            local_semantics="unknown",
            description="No dataset of this identifier",
            error_message=f"NotFoundFault: {asked} is no identifier of an exposure (obs_publisher_did) or a plate here",
            link_auth=None,
            link_authorized=None,
        )
        return [_row(asked, unknown)]
    if found.exposure is None:
        links = list_plate_links(found.bundle, found.collection, base_url, found.service_id)
    else:
        links = list_links(found.bundle, found.exposure, found.collection, base_url, found.service_id)
    return [_row(asked, link) for link in links]


def _row(asked: str, link: Link) -> Row:
    return (
        asked,
        link.access_url,
        link.service_def,
        link.error_message,
        link.description,
        link.semantics,
        link.content_type,
        link.content_length,
        link.content_qualifier,
        link.local_semantics,
        link.link_auth,
        link.link_authorized,
    )


def _descriptors(found: Sequence[Found], base_url: str) -> tuple[ServiceDescriptor, ...]:
    """A SODA descriptor for all that can be cut, with its own identifier and bounds (SOD-09).

    A document of several IDs begins with one that takes the ID from each row: pyVO's ``processed()`` always
    uses the first descriptor of a document, and would cut the first exposure in place of the others. The last one
    is that of jobs.
    """
    own = tuple(
        soda_descriptor(
            base_url,
            did=item.did,
            bounds=bounds_of(item.outlines),
            id=item.service_id,
            name=item.service_id.replace("soda", "cutout"),
        )
        for item in found
        if item.service_id is not None
    )
    if not own:
        return ()
    if len(found) == 1:
        return (*own, soda_jobs_descriptor(base_url, did=found[0].did, bounds=bounds_of(found[0].outlines)))
    each = soda_descriptor(base_url, ref="ID", id="soda", name="cutout")
    return (each, *own, soda_jobs_descriptor(base_url, ref="ID"))
