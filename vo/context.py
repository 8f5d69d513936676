"""What every protocol is given, and the one way from ADQL text to a streamed table that TAP and SIA2 share."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import vo
from vo.adql import Compiled, Limits, Translator, compile_query
from vo.dali.parameters import overflow_text
from vo.dali.turns import Turns
from vo.db.advice import advise
from vo.db.connect import Database
from vo.db.explain import find_scans
from vo.db.migrate import initialised_collections
from vo.db.stream import BatchStream
from vo.db.uploads import UploadedTable
from vo.errors import Fault, TimeLimitFault, TransientFault, UsageFault
from vo.metadata.collection import Collection, load_collection
from vo.metadata.felis import load_catalogue
from vo.metadata.fields import Catalogue, Field, Schema
from vo.metadata.ivoids import service_id
from vo.metadata.origin import dataset_origin, registry_origin
from vo.settings import Settings
from vo.tables.descriptor import ServiceDescriptor, datalink_descriptor, soda_descriptor
from vo.tables.formats import Format
from vo.tables.votable import Document
from vo.uploads.received import Upload
from vo.uploads.request import SCHEMA

#: What identifies an exposure in a result, whatever the column is called there (ObsCore 1.1, table 5).
_DID_UTYPE = "obscore:curation.publisherdid"
_DID_UCD = "meta.ref.ivoid"

_ASK_FOR_LESS = "ask for less: a smaller region, a shorter time, more conditions"

#: Schemas whose tables have rows of every collection.
_SHARED = frozenset({"ivoa", "archive"})


@dataclass(frozen=True, slots=True)
class Context:
    """A running server: its settings, its open database, and what it publishes.

    ``translator`` compiles queries of the catalogue, ``turns`` says whose runs next.
    """

    settings: Settings
    database: Database
    catalogue: Catalogue
    collections: tuple[Collection, ...]
    translator: Translator = field(init=False, repr=False, compare=False)
    turns: Turns = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        settings = self.settings
        turns = Turns(settings.query_connections, settings.client_queries, settings.query_wait_seconds)
        object.__setattr__(self, "turns", turns)
        object.__setattr__(self, "translator", Translator(self.catalogue, query_limits(settings)))


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
    ``cancel`` ends the query from any thread, while another may be waiting for it. ``failure`` gives, after the last
    chunk, the fault that ended the rows before their end; a VOTable tells it by itself and looks complete otherwise.
    """

    media_type: str
    chunks: Iterator[bytes]
    close: Callable[[], None]
    cancel: Callable[[], None]
    failure: Callable[[], Fault | None]


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
    uploads: Sequence[Upload] = (),
    on_close: Callable[[], None] | None = None,
    limit: TimeLimit | None = None,
) -> Answer:
    """Compile ADQL, run it on the query role and write its rows, at most ``maxrec`` of them.

    ``protocol`` is the standardID of the service that was asked, ``request`` the address it was asked at; both go into
    the answer with the data's origin (:func:`origin`), before ``infos``. A result that has the exposures' identifiers
    carries the Datalink and SODA descriptors, then ``descriptors``. ``uploads`` are tables for this query alone, whose
    files ``on_close`` lets go; the answer's ``close`` calls it. ``limit`` is that of a synchronous query unless given.

    Raises :class:`vo.errors.ADQLFault`; what the database has to say first is raised by the answer's first chunk, later
    faults stand at the end of the table.
    """
    settings = context.settings
    # One row more than is sent tells whether there are more, at no cost; nothing is ever counted.
    compiled = _compile(context, text, base_url, maxrec + 1, uploads)
    document = Document(
        fields=compiled.fields,
        infos=(
            *origin(context, _credited(context, compiled), protocol=protocol, request=request, query=text),
            *(registry_origin(settings) if compiled.schemas & _REGISTRY else ()),
            *infos,
        ),
        descriptors=(*row_services(compiled.fields, base_url), *descriptors),
        overflow_text=overflow_text(maxrec, settings),
    )
    query = _Query(
        context.database,
        compiled.sql,
        limit or sync_limit(settings),
        tuple(upload.stored for upload in uploads),
        on_close or _nothing,
    )
    # The columns alone (MAXREC=0, DALI-06) need no database.
    chunks = query.write(format, document, maxrec, settings.result_bytes) if maxrec else format.write(document, (), 0)
    return Answer(format.media_type, chunks, query.close, query.cancel, query.failure)


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """How long a query may run, in seconds, and what its fault advises to do when it runs longer."""

    seconds: float
    advice: str = _ASK_FOR_LESS


def sync_limit(settings: Settings) -> TimeLimit:
    """The limit of a query whose client waits for it."""
    return TimeLimit(
        settings.sync_seconds,
        f"send it to /tap/async, where a query may run longer and its result waits for you, or {_ASK_FOR_LESS}",
    )


def _compile(context: Context, text: str, base_url: str, max_rows: int, uploads: Sequence[Upload]) -> Compiled:
    if not uploads:
        return context.translator.compile(text, base_url=base_url, max_rows=max_rows)
    schema = Schema(SCHEMA, tuple(upload.table for upload in uploads))
    catalogue = Catalogue((*context.catalogue.schemas, schema))
    limits = query_limits(context.settings)
    return compile_query(text, catalogue, base_url=base_url, max_rows=max_rows, limits=limits)


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

    def __init__(
        self,
        database: Database,
        sql: str,
        limit: TimeLimit,
        uploads: Sequence[UploadedTable],
        on_close: Callable[[], None],
    ) -> None:
        self._database = database
        self._sql = sql
        self._limit = limit
        self._uploads = uploads
        self._on_close = on_close
        self._stream: BatchStream | None = None
        self._is_cancelled = False
        self._failure: Fault | None = None

    def write(
        self,
        format: Format,  # noqa: A002 - DALI's word
        document: Document,
        maxrec: int,
        most_bytes: int,
    ) -> Iterator[bytes]:
        # Faults of the beginning come from here, before the first byte; the writer keeps later ones within the table.
        with self._advised():
            stream = self._database.stream(self._sql, self._limit.seconds, self._begin, self._uploads)
        yield from format.write(document, self._watched(stream), maxrec, most_bytes)

    def cancel(self) -> None:
        self._is_cancelled = True
        if self._stream is not None:
            self._stream.cancel()

    def close(self) -> None:
        try:
            if self._stream is not None:
                self._stream.close()
        finally:
            self._on_close()

    def failure(self) -> Fault | None:
        return self._failure

    def _watched(self, stream: BatchStream) -> Iterator[Any]:
        try:
            with self._advised():
                yield from stream
        except Fault as fault:
            self._failure = fault
            raise

    @contextlib.contextmanager
    def _advised(self) -> Iterator[None]:
        """A query that took too long is told what to do instead."""
        try:
            yield
        except TimeLimitFault as fault:
            text = f"the query took longer than the limit of {self._limit.seconds:g} s: {self._limit.advice}"
            raise TimeLimitFault(text) from fault

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


#: The registry record that a service is described in, by the standard it keeps: links and cutouts go with SIA2.
_SERVICES = {
    "ivo://ivoa.net/std/TAP": "tap",
    "ivo://ivoa.net/std/SIA#query-2.0": "sia2",
    "ivo://ivoa.net/std/DataLink#links-1.1": "sia2",
    "ivo://ivoa.net/std/SODA#sync-1.0": "sia2",
    "ivo://ivoa.net/std/SODA#async-1.0": "sia2",
}

#: Schemas that tell of tables and resources, not of plates.
_REGISTRY = frozenset({"rr", "tap_schema"})


def _credited(context: Context, compiled: Compiled) -> tuple[Collection, ...]:
    """The collections whose tables a query names; all of them where it names one that they share."""
    shared = compiled.schemas & _SHARED
    return tuple(one for one in context.collections if shared or one.name in compiled.schemas)


def origin(
    context: Context,
    collections: Sequence[Collection],
    *,
    protocol: str | None,
    request: str,
    query: str | None = None,
) -> tuple[tuple[str, str], ...]:
    """Where an answer comes from, as INFOs (Data Origin 1.2; DALI-11, DALI-12).

    What is said of the data is said of each of the ``collections`` in turn, since a result may be of any of them.
    ``protocol`` is None for an answer of no service of the VO.
    """
    settings = context.settings
    service = (
        ("standardID", protocol),
        ("service_protocol", protocol),
        ("service_ivoid", service_id(settings, _SERVICES[protocol]) if protocol in _SERVICES else None),
        ("publisher", settings.publisher),
        ("server_software", f"vo-plates/{vo.__version__}"),
        ("request", request),
        ("query", query),
        ("request_date", dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
        ("contact", settings.contact),
    )
    data = (pair for collection in collections for pair in dataset_origin(collection, settings))
    return tuple((name, value) for name, value in (*service, *data) if value)


def query_limits(settings: Settings) -> Limits:
    """What a query may ask of the translator here."""
    return Limits(length=settings.query_length, terms=settings.query_terms, depth=settings.query_depth)
