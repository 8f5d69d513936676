"""What every protocol is given, and the one way from ADQL text to a streamed table that TAP and SIA2 share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import vo
from vo.adql import Limits, compile_query
from vo.dali.parameters import overflow_text
from vo.db.advice import advise
from vo.db.connect import Database
from vo.db.explain import find_scans
from vo.db.migrate import initialised_collections
from vo.db.stream import BatchStream
from vo.errors import TransientFault, UsageFault
from vo.metadata.collection import Collection, load_collection
from vo.metadata.felis import load_catalogue
from vo.metadata.fields import Catalogue, Field
from vo.settings import Settings
from vo.tables.descriptor import ServiceDescriptor, datalink_descriptor, soda_descriptor
from vo.tables.formats import Format
from vo.tables.votable import Document

#: What identifies an exposure in a result, whatever the column is called there (ObsCore 1.1, table 5).
_DID_UTYPE = "obscore:curation.publisherdid"
_DID_UCD = "meta.ref.ivoid"


@dataclass(frozen=True, slots=True)
class Context:
    """A running server: its settings, its open database, and what it publishes."""

    settings: Settings
    database: Database
    catalogue: Catalogue
    collections: tuple[Collection, ...]


def make_context(settings: Settings, database: Database) -> Context:
    """Read what is published, once: collections that the database knows, and the tables of all."""
    collections = published_collections(settings, database)
    return Context(settings, database, load_catalogue(settings, collections), collections)


def published_collections(settings: Settings, database: Database) -> tuple[Collection, ...]:
    """The collections of the settings; without any, those that the database has been initialised with."""
    names = settings.collections or initialised_collections(database)
    return tuple(load_collection(settings, name) for name in names)


@dataclass(frozen=True, slots=True)
class Answer:
    """A table on its way: ``chunks`` are the bytes of a document of this media type.

    ``close`` gives the query's connection back, and has to be called once when nothing reads ``chunks`` any more.
    ``cancel`` ends the query from any thread, while another may be waiting for it.
    """

    media_type: str
    chunks: Iterator[bytes]
    close: Callable[[], None]
    cancel: Callable[[], None]


def answer_query(
    context: Context,
    text: str,
    *,
    base_url: str,
    format: Format,  # noqa: A002 - DALI's word
    maxrec: int,
    protocol: str,
    request: str,
    infos: Sequence[tuple[str, str]] = (),
    descriptors: Sequence[ServiceDescriptor] = (),
) -> Answer:
    """Compile ADQL, run it on the query role and write its rows, at most ``maxrec`` of them.

    ``protocol`` is the standardID of the service that was asked, ``request`` the address it was asked at; both go into
    the answer with the data's origin (:func:`origin`), before ``infos``. A result that has the exposures' identifiers
    carries the Datalink and SODA descriptors, then ``descriptors``. Raises :class:`vo.errors.ADQLFault`; what the
    database has to say first is raised by the answer's first chunk, later faults stand at the end of the table.
    """
    settings = context.settings
    # One row more than is sent tells whether there are more, at no cost; nothing is ever counted.
    compiled = compile_query(
        text, context.catalogue, base_url=base_url, max_rows=maxrec + 1, limits=query_limits(settings)
    )
    document = Document(
        fields=compiled.fields,
        infos=(*origin(context, protocol=protocol, request=request, query=text), *infos),
        descriptors=(*row_services(compiled.fields, base_url), *descriptors),
        overflow_text=overflow_text(maxrec, settings),
    )
    if maxrec == 0:  # the columns alone, which need no database (DALI-06)
        return Answer(format.media_type, format.write(document, (), 0), _nothing, _nothing)
    query = _Query(context.database, compiled.sql, settings.sync_seconds)
    return Answer(format.media_type, query.write(format, document, maxrec), query.close, query.cancel)


def find_hints(context: Context, sql: str) -> tuple[str, ...]:
    """What a person should know of a compiled query before it runs: large tables that no index helps with.

    ``sql`` is that of :class:`vo.adql.Compiled`; each hint is a sentence or two for whoever wrote the query. Asking the
    database for its plan takes some milliseconds, so that jobs tell hints and synchronous answers do not.
    """
    try:
        with context.database.read() as connection:
            scans = find_scans(connection, sql, context.settings.hint_rows)
    except UsageFault:  # such as a division by zero among constants: the query will tell it when it runs
        return ()
    return advise(scans, context.catalogue)


def _nothing() -> None:
    return


class _Query:
    """A query that begins when its answer is first read: by then somebody watches whether the client is still there."""

    def __init__(self, database: Database, sql: str, seconds: float) -> None:
        self._database = database
        self._sql = sql
        self._seconds = seconds
        self._stream: BatchStream | None = None
        self._is_cancelled = False

    def write(self, format: Format, document: Document, maxrec: int) -> Iterator[bytes]:  # noqa: A002 - DALI's word
        # Faults of the beginning come from here, before the first byte; the writer keeps later ones within the table.
        stream = self._database.stream(self._sql, self._seconds, self._begin)
        yield from format.write(document, stream, maxrec)

    def cancel(self) -> None:
        self._is_cancelled = True
        if self._stream is not None:
            self._stream.cancel()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def _begin(self, stream: BatchStream) -> None:
        self._stream = stream
        if self._is_cancelled:
            raise TransientFault("the query was cancelled before it began")


def row_services(fields: Sequence[Field], base_url: str) -> tuple[ServiceDescriptor, ...]:
    """The services that take this result's rows further: Datalink and SODA where a column identifies exposures."""
    did = _did_field(fields)
    if did is None:
        return ()
    return datalink_descriptor(base_url, did.name), soda_descriptor(base_url, ref=did.name)


def _did_field(fields: Sequence[Field]) -> Field | None:
    by_utype = (field for field in fields if (field.utype or "").lower() == _DID_UTYPE)
    by_ucd = (field for field in fields if field.ucd == _DID_UCD)
    return next(by_utype, next(by_ucd, None))


def origin(context: Context, *, protocol: str, request: str, query: str | None = None) -> tuple[tuple[str, str], ...]:
    """Where an answer comes from, as INFOs (Data Origin 1.2; DALI-11, DALI-12).

    What is said of the data is said of each published collection in turn, since a result may be of any of them.
    """
    settings = context.settings
    service = (
        ("standardID", protocol),
        ("service_protocol", protocol),
        ("publisher", settings.publisher),
        ("server_software", f"vo-plates/{vo.__version__}"),
        ("request", request),
        ("query", query),
        ("request_date", dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
        ("contact", settings.contact),
    )
    data = (pair for collection in context.collections for pair in _credits(collection))
    return tuple((name, value) for name, value in (*service, *data) if value)


def _credits(collection: Collection) -> tuple[tuple[str, str | None], ...]:
    return (
        ("citation", collection.bib_reference or f"{collection.title}, {'; '.join(collection.creators)}"),
        ("creator", "; ".join(collection.creators)),
        ("rights", collection.rights),
        ("reference_url", collection.reference_url),
    )


def query_limits(settings: Settings) -> Limits:
    """What a query may ask of the translator here."""
    return Limits(length=settings.query_length, terms=settings.query_terms, depth=settings.query_depth)
