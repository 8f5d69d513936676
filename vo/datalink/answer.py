"""From identifiers to a {links} document (DataLink 1.1, sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vo.context import Context, origin
from vo.dali.parameters import Parameters, response_format
from vo.datalink.bounds import read_bounds
from vo.datalink.fields import FIELDS
from vo.db.archive import find_plates
from vo.db.records import Exposure, PlateBundle
from vo.errors import UsageFault
from vo.metadata.collection import Collection
from vo.products.images import find_cut_source
from vo.products.links import DATALINK_TYPE, Link, list_links
from vo.tables.descriptor import Bounds, ServiceDescriptor, soda_descriptor
from vo.tables.votable import Document, write_rows

STANDARD_ID = "ivo://ivoa.net/std/DataLink#links-1.1"

#: What RESPONSEFORMAT may be, without its parameters: a VOTable in TABLEDATA is all there is (DLK-02).
_FORMATS = frozenset({"votable", "application/x-votable+xml", "text/xml"})

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """An exposure and the XML ID of its SODA descriptor, None when nothing can be cut from it."""

    bundle: PlateBundle
    exposure: Exposure
    collection: Collection
    service_id: str | None


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
        plates = find_plates(connection, ids) if ids else {}
        found = _find(context, ids, plates)
        bounds = read_bounds(connection, (item.exposure for item in found.values() if item.service_id))
    rows = [row for did in ids for row in _rows(did, found.get(did), base_url)]
    document = Document(
        fields=FIELDS,
        infos=origin(_credited(context, found), protocol=STANDARD_ID, request=request_url),
        descriptors=_descriptors(list(found.values()), bounds, base_url),
        overflow_text=(
            f"Only the first {context.settings.ids_per_call} IDs are answered, the most in one request (ids_per_call); "
            "ask for the others in further requests."
        ),
    )
    return document, rows


def _credited(context: Context, found: dict[str, Found]) -> Context:
    """The context with just the collections of these exposures: their credits stand in the answer."""
    names = {item.collection.name for item in found.values()}
    return replace(context, collections=tuple(one for one in context.collections if one.name in names))


def _find(context: Context, ids: Sequence[str], plates: dict[str, tuple[PlateBundle, Exposure]]) -> dict[str, Found]:
    collections = {collection.name: collection for collection in context.collections}
    found: dict[str, Found] = {}
    for did in ids:
        bundle, exposure = plates.get(did, (None, None))
        collection = None if bundle is None else collections.get(bundle.plate.collection)
        if bundle is None or exposure is None or collection is None:
            continue
        can_cut = find_cut_source(bundle, exposure, collection) is not None
        found[did] = Found(bundle, exposure, collection, f"soda{len(found) + 1}" if can_cut else None)
    return found


def _rows(asked: str, found: Found | None, base_url: str) -> list[Row]:
    if found is None:
        unknown = Link(
            semantics="#this",
            local_semantics="unknown",
            description="No dataset of this identifier",
            error_message=f"NotFoundFault: {asked} is not the identifier (obs_publisher_did) of an exposure here",
            link_auth=None,
            link_authorized=None,
        )
        return [_row(asked, unknown)]
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


def _descriptors(found: Sequence[Found], bounds: dict[str, Bounds], base_url: str) -> tuple[ServiceDescriptor, ...]:
    """A SODA descriptor for every exposure that can be cut, with its own identifier and bounds (SOD-09).

    A document of several exposures begins with one that takes the ID from each row: pyVO's ``processed()`` always
    uses the first descriptor of a document, and would cut the first exposure in place of the others.
    """
    own = tuple(
        soda_descriptor(
            base_url,
            did=item.exposure.publisher_did,
            bounds=bounds.get(item.exposure.publisher_did),
            id=item.service_id,
            name=item.service_id.replace("soda", "cutout"),
        )
        for item in found
        if item.service_id is not None
    )
    if len(found) == 1 or not own:
        return own
    return (soda_descriptor(base_url, ref="ID", id="soda", name="cutout"), *own)
