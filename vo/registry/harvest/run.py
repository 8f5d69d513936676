"""One harvest: from an endpoint's list to records in the database.

Each page is a transaction of its own: its records are whole by themselves, and what a long list has brought is not lost
when it breaks off. That the list is not whole stands in ``registry.endpoint`` until a harvest comes to its end: only
then the date moves from which the next one asks, and only then records that are listed no more are deleted.

Whose a record is: our own are never touched. Of two endpoints that list the same record, the one whose registry
manages its authority has it, else the one that came first; the other's is refused, and reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.connect import Database
from vo.db.endpoints import (
    Endpoint,
    Held,
    find_endpoint,
    find_held,
    forget_endpoint,
    live_records,
    lock_claims,
    read_endpoints,
    write_endpoint,
)
from vo.db.registry import OWN, Record
from vo.errors import Fault, LimitFault, NotFoundFault, OperatorFault, UsageFault
from vo.registry.harvest.client import MANAGED_SET, Client, normalise
from vo.registry.harvest.pages import Identity, Page
from vo.registry.harvest.records import Refusal, authority_of, read_record
from vo.registry.harvest.report import Harvest
from vo.registry.store import store
from vo.settings import Settings

#: Called with what is going on, how many records are done, and how many there are as far as is known.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Own:
    """Which records are ours: those of our authority, and these (in lower case)."""

    authority: str
    ivoids: frozenset[str] = frozenset()

    def has(self, ivoid: str) -> bool:
        """Whether a record (in lower case) is ours to make, whether it is made or not."""
        return authority_of(ivoid) == self.authority.lower() or ivoid in self.ivoids


def harvest(
    database: Database,
    settings: Settings,
    url: str,
    *,
    own_ivoids: Iterable[str] = (),
    wanted_set: str | None = None,
    anew: bool = False,
    progress: Progress | None = None,
    client: Client | None = None,
) -> Harvest:
    """Read what is new at an OAI-PMH endpoint, or with ``anew`` everything, into the database.

    ``wanted_set`` None means ivo_managed where the endpoint lists it (what its registry itself publishes, OAI-05), ''
    means all sets. ``own_ivoids`` are identifiers of ours that have another authority than the settings'.

    UsageFault, LimitFault when the endpoint cannot be read to its end; a report of what came before is written all the
    same.
    """
    began = time.monotonic()
    done = Harvest(normalise(url))
    asked = client or Client(done.url, settings)
    own = Own(settings.authority, frozenset(one.lower() for one in own_ivoids))
    try:
        _harvest(_Work(database, settings, asked, own, done, progress or _tell_nobody), wanted_set, anew=anew)
    finally:
        done.seconds = time.monotonic() - began
        done.write(settings.data_dir / "reports")
    return done


def forget(database: Database, url: str) -> int:
    """Remove an endpoint and its records; how many there were. NotFoundFault when it is not known."""
    url = normalise(url)
    with database.owner() as connection:
        lock_claims(connection)
        if find_endpoint(connection, url) is None:
            known = ", ".join(one.url for one, _ in read_endpoints(connection)) or "none"
            raise NotFoundFault(f"nothing was harvested from {url}; known are: {known}")
        live = list(live_records(connection, url))
        store(connection, [_deleted(record) for record in live])
        forget_endpoint(connection, url)
    return len(live)


@dataclass(frozen=True, slots=True)
class _Work:
    """A harvest at work; ``seen`` are the identifiers that the list has had so far."""

    database: Database
    settings: Settings
    client: Client
    own: Own
    done: Harvest
    tell: Progress
    seen: set[str] = field(default_factory=set)


def _harvest(work: _Work, wanted_set: str | None, *, anew: bool) -> None:
    identity = work.client.identify()
    _check_identity(work, identity)
    if wanted_set is None:
        wanted_set = MANAGED_SET if work.client.has_set(MANAGED_SET) else ""
    endpoint = _begin(work, identity, wanted_set)
    work.done.registry, work.done.wanted_set = identity.registry, wanted_set
    if not anew and identity.deletes in ("transient", "persistent"):
        work.done.since = endpoint.harvested
    starts, is_whole = None, True
    for page in work.client.pages(work.done.since, wanted_set, by_second=identity.by_second):
        starts = starts or page.answered
        is_whole = is_whole and not page.broken
        _take(work, endpoint, page, anew=anew)
    _end(work, replace(endpoint, harvested=starts or endpoint.harvested, is_complete=is_whole))


def _check_identity(work: _Work, identity: Identity) -> None:
    if identity.registry and work.own.has(identity.registry):
        raise UsageFault(
            f"it is the registry {identity.registry}, whose authority {work.settings.authority} is this server's own: "
            "its records are made here, by `vo publish` (VO_AUTHORITY tells whose a database is)"
        )
    with work.database.read() as connection:
        for known, _ in read_endpoints(connection):
            if identity.registry and known.registry == identity.registry and known.url != work.done.url:
                raise UsageFault(
                    f"its registry {identity.registry} is harvested at {known.url} already; use that address, or "
                    f"forget it first: vo harvest --forget {known.url}"
                )


def _begin(work: _Work, identity: Identity, wanted_set: str) -> Endpoint:
    """Remember that a harvest is under way; a list of another set than before is asked for as a whole."""
    with work.database.owner() as connection:
        known = find_endpoint(connection, work.done.url)
        harvested = known.harvested if known is not None and known.wanted_set == wanted_set else None
        endpoint = Endpoint(
            url=work.done.url,
            registry=identity.registry,
            name=identity.name,
            wanted_set=wanted_set,
            harvested=harvested,
            is_complete=False,
            managed=sorted(identity.managed),
        )
        write_endpoint(connection, endpoint)
    return endpoint


def _take(work: _Work, endpoint: Endpoint, page: Page, *, anew: bool) -> None:
    """Take a page's records into the database, in one transaction."""
    done = work.done
    done.pages += 1
    done.read += len(page.entries) + len(page.broken)
    if done.read > work.settings.harvest_records:
        raise LimitFault(
            f"it has more than {work.settings.harvest_records} records (VO_HARVEST_RECORDS); --set chooses some of them"
        )
    for broken in page.broken:
        done.refuse(broken.identifier, "no XML", broken.reason)
    found: dict[str, Record] = {}
    for entry in page.entries:
        work.seen.add(entry.identifier.lower())
        try:
            record = read_record(entry, done.url)
        except Refusal as refusal:
            done.refuse(entry.identifier, refusal.kind, refusal.reason)
            continue
        if record.ivoid in found:
            done.note(record.identifier, "listed twice", "a page has it twice; the later one is used")
        found[record.ivoid] = record
    with work.database.owner() as connection:
        lock_claims(connection)
        held = find_held(connection, list(found))
        wanted = [one for one in found.values() if _is_wanted(work, endpoint, one, held.get(one.ivoid), anew=anew)]
        for record in _store(connection, wanted, done):
            _count(done, record, held.get(record.ivoid))
    work.tell("records", done.read, max(page.size or 0, done.read))


def _is_wanted(work: _Work, endpoint: Endpoint, record: Record, held: Held | None, *, anew: bool) -> bool:
    """Whether a record is to be written; what is refused is reported, and what is known already is counted."""
    done, authority = work.done, authority_of(record.ivoid)
    if work.own.has(record.ivoid) or (held is not None and held.source == OWN):
        done.refuse(record.identifier, "one of our own", "it is made here, and no other registry changes it")
        return False
    if done.wanted_set == MANAGED_SET and authority not in endpoint.managed and record.document is not None:
        done.note(record.identifier, "not its authority", f"its registry does not say that it manages {authority}")
    if held is None or held.status == "deleted":
        if record.document is None:
            done.deleted += 1
        return record.document is not None
    if held.source != done.url:
        if authority not in endpoint.managed or authority in held.managed:
            done.refuse(record.identifier, "of another registry", f"it is there already, from {held.source}")
            return False
        done.note(
            record.identifier,
            "taken over",
            f"it was there from {held.source}, but the registry here manages {authority}",
        )
        return True
    if not anew and (held.digest, held.datestamp, held.status) == (record.digest, record.datestamp, record.status):
        done.same += 1
        return False
    return True


def _store(connection: Connection[TupleRow], records: Sequence[Record], done: Harvest) -> list[Record]:
    """Store records together, or where that fails one by one; gives those that are stored."""
    try:
        with connection.transaction():
            troubles = store(connection, records)
    except (Fault, psycopg.Error) as error:
        if connection.closed or _may_work_later(error):
            raise
        if len(records) > 1:
            return [one for record in records for one in _store(connection, [record], done)]
        done.refuse(records[0].identifier, "cannot be stored", _said(error))
        return []
    for trouble in troubles:
        ivoid, _, told = trouble.partition(": ")
        done.note(ivoid, "not all of it is searchable", told)
    return list(records)


def _may_work_later(error: Exception) -> bool:
    """Whether it is the database's trouble and not the record's, such as a full disk: no record is lost for that."""
    return isinstance(error, psycopg.OperationalError) and not isinstance(error, psycopg.errors.ProgramLimitExceeded)


def _said(error: Exception) -> str:
    if isinstance(error, Fault):
        return error.text
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return f"the database refuses it: {primary or error}"


def _count(done: Harvest, record: Record, held: Held | None) -> None:
    if record.document is None:
        done.deleted += 1
    elif held is None or held.status == "deleted":
        done.new += 1
    elif held.digest == record.digest:
        done.same += 1
    else:
        done.changed += 1


def _end(work: _Work, endpoint: Endpoint) -> None:
    """The list is at its end: delete what it has no more, and move the date from which the next harvest asks."""
    done = work.done
    with work.database.owner() as connection:
        lock_claims(connection)
        if done.since is None:
            _delete_vanished(connection, work, is_whole=endpoint.is_complete)
        known = find_endpoint(connection, done.url)
        if known is None:
            raise OperatorFault("it was forgotten (vo harvest --forget) while it was read: start again")
        if endpoint.is_complete:
            write_endpoint(connection, endpoint)
    done.is_complete = endpoint.is_complete


def _delete_vanished(connection: Connection[TupleRow], work: _Work, *, is_whole: bool) -> None:
    gone = [record for record in live_records(connection, work.done.url) if record.ivoid not in work.seen]
    if not gone:
        return
    if not work.seen:
        work.done.kept = (
            f"it lists no records now; the {len(gone)} that it had are kept (vo harvest --forget removes them)"
        )
    elif not is_whole:
        work.done.kept = f"{len(gone)} records are listed no more, or stand in what could not be read: they are kept"
    else:
        store(connection, [_deleted(record) for record in gone])
        work.done.vanished = len(gone)


def _deleted(record: Record) -> Record:
    return replace(record, status="deleted", document=None)


def _tell_nobody(_stage: str, _done: int, _total: int) -> None:
    pass
