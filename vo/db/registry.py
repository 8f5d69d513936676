"""Records of the registry as the database holds them (schema ``registry``)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

#: The source of records that are made here.
OWN = ""

Status = Literal["active", "inactive", "deleted"]

#: The number of the lock of those who stamp records, and how long those who list them wait for it, in milliseconds.
_STAMPS = 0x0A1_57A3B5
_WAIT_MS = 5000


@dataclass(frozen=True, slots=True)
class Record:
    """One record: ``document`` is an ri:Resource in UTF-8 without an XML declaration, None when it is deleted.

    ``identifier`` is its IVOID as written; ``ivoid`` in lower case. ``source`` is :data:`OWN` or the address of the
    registry that it was harvested from. Times are UTC, whole seconds, without a zone. ``digest`` is of what it says,
    its dates left aside.
    """

    identifier: str
    source: str
    status: Status
    created: dt.datetime
    datestamp: dt.datetime
    digest: str
    document: str | None
    ivoid: str = field(default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "ivoid", self.identifier.lower())


_COLUMNS = "identifier, source, status, created, datestamp, digest, document"


def read_records(connection: Connection[TupleRow], source: str | None = OWN) -> Iterator[Record]:
    """The records of one source, None: of all, deleted ones included, in the order of their datestamps."""
    with connection.cursor(row_factory=class_row(Record)) as cursor:
        yield from cursor.execute(
            f"SELECT {_COLUMNS} FROM registry.record "
            "WHERE %(source)s::text IS NULL OR source = %(source)s ORDER BY datestamp, ivoid",
            {"source": source},
        )


def find_record(connection: Connection[TupleRow], ivoid: str) -> Record | None:
    """The record of this identifier, written in any case; None when there is none."""
    with connection.cursor(row_factory=class_row(Record)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM registry.record WHERE ivoid = lower(%s)",
            (ivoid,),
        ).fetchone()


def lock_stamps(connection: Connection[TupleRow]) -> None:
    """Before the moment is taken that records will bear as their datestamp: who lists records waits for the commit.

    Else somebody could ask after that moment and before the commit, who would not see these records and would ask later
    for those that changed since: nobody would tell them of these (OAI-12).
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_STAMPS,))


def await_stamps(connection: Connection[TupleRow]) -> None:
    """Before records are listed: wait for who is about to commit some that bear an earlier moment.

    It ends the connection's transaction, as what is read next has to see what they committed. TransientFault, by
    :func:`vo.db.connect.faults`, when they do not within some seconds.
    """
    connection.execute(f"SET LOCAL lock_timeout = {_WAIT_MS}")
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_STAMPS,))
    connection.rollback()


def page_records(
    connection: Connection[TupleRow],
    first: dt.datetime,
    last: dt.datetime,
    after: tuple[dt.datetime, str],
    most: int,
    *,
    with_documents: bool,
) -> list[Record]:
    """At most ``most`` of our own records that changed last from ``first`` to ``last``, in the order of that.

    They come after the one of this datestamp and ivoid. Without documents these are None, also of those that have one.
    """
    document = "document" if with_documents else "NULL::text AS document"
    with connection.cursor(row_factory=class_row(Record)) as cursor:
        return cursor.execute(
            f"SELECT identifier, source, status, created, datestamp, digest, {document} FROM registry.record "
            "WHERE source = %(own)s AND datestamp BETWEEN %(first)s AND %(last)s "
            "AND (datestamp, ivoid) > (%(datestamp)s, %(ivoid)s) ORDER BY datestamp, ivoid LIMIT %(most)s",
            {"own": OWN, "first": first, "last": last, "datestamp": after[0], "ivoid": after[1], "most": most},
        ).fetchall()


def count_records(connection: Connection[TupleRow], first: dt.datetime, last: dt.datetime) -> int:
    """How many of our own records changed last from ``first`` to ``last``, deleted ones included."""
    found = connection.execute(
        "SELECT count(*) FROM registry.record WHERE source = %s AND datestamp BETWEEN %s AND %s", (OWN, first, last)
    ).fetchone()
    return int(found[0]) if found else 0


def earliest_datestamp(connection: Connection[TupleRow]) -> dt.datetime | None:
    """When the record of our own changed last that has not changed for longest; None when there are none."""
    found = connection.execute("SELECT min(datestamp) FROM registry.record WHERE source = %s", (OWN,)).fetchone()
    return found[0] if found else None


def write_records(connection: Connection[TupleRow], records: Iterable[Record]) -> None:
    """Insert these records, or replace what is there of the same identifiers."""
    statement = """
        INSERT INTO registry.record (ivoid, identifier, source, status, created, datestamp, digest, document)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (ivoid) DO UPDATE SET identifier = excluded.identifier, source = excluded.source,
            status = excluded.status, created = excluded.created, datestamp = excluded.datestamp,
            digest = excluded.digest, document = excluded.document"""
    rows = [(r.ivoid, r.identifier, r.source, r.status, r.created, r.datestamp, r.digest, r.document) for r in records]
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
