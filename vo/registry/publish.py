"""From data to published records: compute, check, compare with what is published, stamp, store (``vo publish``)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lxml import etree
from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.connect import Database
from vo.db.registry import Record, find_record, lock_stamps, read_records
from vo.metadata.collection import Collection
from vo.metadata.fields import Catalogue
from vo.metadata.ivoids import collection_id, service_id
from vo.registry.check import Missing, check_documents, find_missing
from vo.registry.facts import read_facts
from vo.registry.records import MadeRecord, Server, Services, make_records
from vo.registry.store import store
from vo.settings import Settings

#: Called with what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]

What = Literal["new", "changed", "unchanged", "deleted"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record, and when it changed last (UTC)."""

    identifier: str
    what: What
    datestamp: dt.datetime


@dataclass(frozen=True, slots=True)
class Published:
    """What was done: each record's outcome, what the records lack, and what of them ``rr`` could not take over."""

    outcomes: tuple[Outcome, ...]
    missing: tuple[Missing, ...]
    troubles: tuple[str, ...] = ()

    def count(self, what: What) -> int:
        """How many records this happened to."""
        return sum(one.what == what for one in self.outcomes)


def publish_records(
    database: Database,
    settings: Settings,
    collections: Sequence[Collection],
    catalogue: Catalogue,
    services: Services,
    base_url: str,
    *,
    only: Sequence[str] = (),
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Published:
    """Make the records of all ``collections`` and of the server's services, and store those that changed.

    ``base_url`` is the address of the server, without a slash at its end: it stands in the records. Records that are
    no longer made become deleted. With ``only``, records of other collections than these stay as they are. With
    ``dry_run`` nothing is stored. All is one transaction, which sees one state of the data; who publishes at the same
    time waits. :class:`vo.errors.OperatorFault` when a record is not valid: then nothing is stored.
    """
    tell = progress or _silent
    with database.owner() as connection:
        # Before anything else is asked: the state that the transaction sees is that after it waited.
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("LOCK TABLE registry.record IN SHARE ROW EXCLUSIVE MODE")
        tell("reading the data", 0, 1)
        facts = read_facts(connection, collections, catalogue)
        tell("reading the data", 1, 1)
        made = make_records(Server(settings, catalogue, services, base_url, facts))
        check_documents(settings, made)
        left_alone = {collection_id(settings, one).lower() for one in collections if only and one.name not in only}
        lock_stamps(connection)
        now = dt.datetime.now(dt.UTC).replace(microsecond=0, tzinfo=None)
        records, outcomes = _compare(connection, [one for one in made if one.identifier.lower() not in left_alone], now)
        kept = left_alone | {one.identifier.lower() for one in made}
        gone = [one for one in read_records(connection) if one.ivoid not in kept and one.status != "deleted"]
        records += [replace(one, status="deleted", document=None, datestamp=now, digest="") for one in gone]
        outcomes += [Outcome(one.identifier, "deleted", now) for one in gone]
        troubles: tuple[str, ...] = ()
        if not dry_run:
            tell("storing records", 0, len(records))
            troubles = store(connection, records)
            tell("storing records", len(records), len(records))
    return Published(tuple(outcomes), find_missing(settings, facts, base_url), troubles)


def published_base(connection: Connection[TupleRow], settings: Settings) -> str | None:
    """The server's address as published records have it; None when none are published.

    A database that was made before there were records has none either.
    """
    if connection.execute("SELECT to_regclass('registry.record')").fetchone() == (None,):
        return None
    record = find_record(connection, service_id(settings, "tap"))
    if record is None or record.document is None:
        return None
    address = etree.fromstring(record.document).findtext("capability/interface/accessURL") or ""
    return address.strip().removesuffix("/tap")


def _compare(
    connection: Connection[TupleRow], made: Iterable[MadeRecord], now: dt.datetime
) -> tuple[list[Record], list[Outcome]]:
    """The records to store, and what becomes of each."""
    published = {one.ivoid: one for one in read_records(connection)}
    records: list[Record] = []
    outcomes: list[Outcome] = []
    for one in made:
        before = published.get(one.identifier.lower())
        digest = _digest(one.resource)
        if before is not None and before.status == "active" and before.digest == digest:
            outcomes.append(Outcome(before.identifier, "unchanged", before.datestamp))
            continue
        created = now if before is None else before.created
        document = _stamped(one.resource, created, now)
        records.append(Record(one.identifier, "", "active", created, now, digest, document))
        what: What = "new" if before is None or before.status == "deleted" else "changed"
        outcomes.append(Outcome(one.identifier, what, now))
    return records, outcomes


def _digest(resource: etree._Element) -> str:
    """Of what a record says, its dates left aside."""
    return hashlib.sha256(etree.tostring(resource, method="c14n")).hexdigest()


def _stamped(resource: etree._Element, created: dt.datetime, updated: dt.datetime) -> str:
    resource.set("created", f"{created.isoformat()}Z")
    resource.set("updated", f"{updated.isoformat()}Z")
    return etree.tostring(resource, encoding="unicode", pretty_print=True)


def _silent(_what: str, _done: int, _total: int) -> None:
    return
