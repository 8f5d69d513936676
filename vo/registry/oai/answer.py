"""Answers: what the database has, as OAI-PMH tells it."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from lxml import etree
from psycopg import Connection
from psycopg.rows import TupleRow

from vo.context import Context
from vo.dali.work import Body
from vo.db.registry import (
    OWN,
    Record,
    await_stamps,
    count_records,
    earliest_datestamp,
    find_record,
    page_records,
)
from vo.metadata.ivoids import service_id
from vo.registry.oai.dates import now as this_second
from vo.registry.oai.dates import written
from vo.registry.oai.document import END, MEDIA_TYPE, beginning, element, errors, header, spliced
from vo.registry.oai.dublin import dublin_core
from vo.registry.oai.problems import Problem, RefusedError, shown
from vo.registry.oai.request import (
    Asked,
    GetRecord,
    Identify,
    ListFormats,
    ListMany,
    ListSets,
    Resume,
    echoed,
    read_request,
)
from vo.registry.oai.tokens import LIFE, Position, write_token
from vo.registry.oai.words import MANAGED, Prefix

#: Name, schema and namespace of each format (OAI-04).
_FORMATS = (
    (
        "ivo_vor",
        "http://www.ivoa.net/xml/RegistryInterface/v1.0",
        "http://www.ivoa.net/xml/RegistryInterface/v1.0",
    ),
    (
        "oai_dc",
        "http://www.openarchives.org/OAI/2.0/oai_dc.xsd",
        "http://www.openarchives.org/OAI/2.0/oai_dc/",
    ),
)

#: An address as OAI-PMH.xsd has it; whoever has set none is asked to, by an address that leads nowhere (RFC 2606).
_EMAIL = re.compile(r"\S+@(\S+\.)+\S+")
_NO_EMAIL = "no-contact-is-set@registry.invalid"

#: Before all records: PostgreSQL and Python agree on it.
_EVER = dt.datetime(1, 1, 1)  # noqa: DTZ001  times of records are UTC and have no zone


def answer(context: Context, arguments: Sequence[tuple[str, str]], address: str) -> Body:
    """The answer to a request with these arguments at ``address``, the registry's own (Identify's baseURL).

    Whatever the arguments are, it is a document of OAI-PMH; a database that is away is a TransientFault.
    """
    now = this_second()
    try:
        chunks = _told(context, read_request(arguments, now), address, now)
    except RefusedError as error:
        return refusal(error.problems, arguments, address, now)
    return _body(beginning(address, now, arguments), chunks)


def refusal(
    problems: Sequence[Problem],
    arguments: Iterable[tuple[str, str]],
    address: str,
    now: dt.datetime | None = None,
) -> Body:
    """The answer that tells errors."""
    begun = beginning(address, now or this_second(), echoed(arguments, problems))
    return _body(begun, iter((errors(problems),)))


def _body(begun: str, chunks: Iterator[str]) -> Body:
    def encoded() -> Iterator[bytes]:
        yield begun.encode()
        for chunk in chunks:
            yield chunk.encode()
        yield END.encode()

    return Body(MEDIA_TYPE, encoded())


def _told(context: Context, asked: Asked, address: str, now: dt.datetime) -> Iterator[str]:
    """The verb's element in pieces; all that the database has to say is read before it is returned."""
    match asked:
        case Identify():
            return iter((_identify(context, address, now),))
        case ListFormats(identifier):
            if identifier is not None:
                _find(context, identifier)
            return iter((_formats(),))
        case ListSets():
            return iter((_sets(),))
        case GetRecord(identifier, prefix):
            return _wrapped("GetRecord", [_record(_find(context, identifier), prefix)])
        case ListMany() | Resume():
            return _list(context, asked, now)


def _wrapped(verb: str, pieces: Iterable[str]) -> Iterator[str]:
    yield f"<{verb}>\n"
    for piece in pieces:
        yield f"{piece}\n"
    yield f"</{verb}>\n"


def _identify(context: Context, address: str, now: dt.datetime) -> str:
    settings = context.settings
    with context.database.read() as connection:
        earliest = earliest_datestamp(connection)
        own = find_record(connection, service_id(settings, "registry"))
    document = own.document if own is not None and own.source == OWN else None
    record = None if document is None else etree.fromstring(document)
    title = None if record is None else record.findtext("title")
    told = [
        element("repositoryName", title or f"Publishing registry of {settings.publisher}"),
        element("baseURL", address),
        element("protocolVersion", "2.0"),
        element("adminEmail", _email(settings.contact, record)),
        element("earliestDatestamp", written(earliest or now)),
        element("deletedRecord", "persistent"),
        element("granularity", "YYYY-MM-DDThh:mm:ssZ"),
        element("compression", "gzip"),
    ]
    if document is not None:
        told.append(f"<description>{spliced(document)}</description>")
    return "".join(_wrapped("Identify", told))


def _email(contact: str, record: etree._Element | None) -> str:
    """Whom to write to: the setting's address, else that of the registry's own record."""
    candidates = [contact]
    if record is not None:
        candidates += [found.text or "" for found in record.iterfind("curation/contact/email")]
    return next((one.strip() for one in candidates if _EMAIL.fullmatch(one.strip())), _NO_EMAIL)


def _formats() -> str:
    listed = (
        f"<metadataFormat>{element('metadataPrefix', prefix)}{element('schema', schema)}"
        f"{element('metadataNamespace', namespace)}</metadataFormat>"
        for prefix, schema, namespace in _FORMATS
    )
    return "".join(_wrapped("ListMetadataFormats", listed))


def _sets() -> str:
    name = element("setName", "The records that are made and managed by this registry: all that it has")
    return "".join(_wrapped("ListSets", [f"<set>{element('setSpec', MANAGED)}{name}</set>"]))


def _find(context: Context, identifier: str) -> Record:
    """Our own record of this identifier, in any case (Identifiers 2.0, section 2.1); harvested ones are not ours."""
    with context.database.read() as connection:
        record = find_record(connection, identifier)
    if record is None or record.source != OWN:
        raise RefusedError([Problem("idDoesNotExist", f"identifier={shown(identifier)}: there is no such record here")])
    return record


def _record(record: Record, prefix: Prefix) -> str:
    if record.document is None:
        return f"<record>{header(record)}</record>"
    told = dublin_core(record.document) if prefix == "oai_dc" else spliced(record.document)
    return f"<record>{header(record)}<metadata>{told}</metadata></record>"


def _begun(connection: Connection[TupleRow], asked: ListMany, now: dt.datetime) -> Position:
    """The position before the first record of a new list."""
    since, until = asked.first or _EVER, min(asked.last or now, now)
    size = count_records(connection, since, until)
    if not size:
        text = "nothing has been published yet (vo publish)"
        if asked.first or asked.last:
            text = "no records changed last within from and until; Identify tells the earliestDatestamp"
        raise RefusedError([Problem("noRecordsMatch", text)])
    return Position(asked.verb, asked.prefix, since, until, since, "", 0, size)


def _list(context: Context, asked: ListMany | Resume, now: dt.datetime) -> Iterator[str]:
    """A part of a list, and the token for the next one (OAI-11)."""
    most, with_documents = context.settings.oai_records, asked.verb == "ListRecords"
    with context.database.read() as connection:
        await_stamps(connection)
        at = asked.position if isinstance(asked, Resume) else _begun(connection, asked, now)
        found = page_records(
            connection, at.first, at.last, (at.datestamp, at.ivoid), most + 1, with_documents=with_documents
        )
        if not found:
            found = [_last_told(connection, at)]
    part = found[:most]
    pieces = (_record(record, at.prefix) if with_documents else header(record) for record in part)
    return _wrapped(asked.verb, itertools.chain(pieces, _token(at, part, now, has_more=len(found) > most)))


def _last_told(connection: Connection[TupleRow], at: Position) -> Record:
    """The record that a token comes after.

    All that were to follow have changed since the list began, so that they belong to the next harvest. A list without
    records is not valid, and an error would spoil what has been harvested: the last record is told once more.
    """
    record = find_record(connection, at.ivoid)
    if record is None or record.source != OWN:  # such as another database than the one that began the list
        text = "the list that this resumptionToken continues is not here any more; begin it anew"
        raise RefusedError([Problem("badResumptionToken", text)])
    return record


def _token(at: Position, part: Sequence[Record], now: dt.datetime, *, has_more: bool) -> Iterator[str]:
    """Nothing when the list is whole in one part; an empty token with its last part (OAI-PMH 2.0, section 3.5)."""
    counted = [("completeListSize", str(at.size)), ("cursor", str(at.cursor))]
    if has_more:
        last, expires = part[-1], now + LIFE
        position = replace(at, datestamp=last.datestamp, ivoid=last.ivoid, cursor=at.cursor + len(part))
        told = write_token(position, expires)
        yield element("resumptionToken", told, [("expirationDate", written(expires)), *counted])
    elif at.cursor:
        yield element("resumptionToken", "", counted)
