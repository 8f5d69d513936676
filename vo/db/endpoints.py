"""Registries that records are harvested from, as the database remembers them (schema ``registry``)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from vo.db.registry import Record, Status

#: Any number, the same for all: who decides whose a record is waits for others who do.
_LOCK = 0x766F5F7267


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint at ``url``. ``registry`` is its registry's IVOID ('' when it has not told), in lower case.

    ``harvested`` is the UTC time, by its own clock, from which the next harvest asks; None before the first one came to
    its end. ``is_complete`` tells that the last one did. ``managed`` are the authorities that its registry manages.
    """

    url: str
    registry: str
    name: str
    wanted_set: str
    harvested: dt.datetime | None
    is_complete: bool
    managed: list[str]


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of a record that is there already; ``managed`` are the authorities of whoever it came from."""

    ivoid: str
    source: str
    status: Status
    datestamp: dt.datetime
    created: dt.datetime
    digest: str
    managed: list[str]


_COLUMNS = "url, registry, name, wanted_set, harvested, is_complete, managed"


def read_endpoints(connection: Connection[TupleRow]) -> list[tuple[Endpoint, int]]:
    """All endpoints by address, each with the number of its records that are not deleted."""
    counted = connection.execute(
        "SELECT source, count(*) FROM registry.record WHERE status <> 'deleted' GROUP BY source"
    )
    counts: dict[str, int] = dict(counted.fetchall())
    with connection.cursor(row_factory=class_row(Endpoint)) as cursor:
        found = cursor.execute(f"SELECT {_COLUMNS} FROM registry.endpoint ORDER BY url").fetchall()
    return [(one, counts.get(one.url, 0)) for one in found]


def find_endpoint(connection: Connection[TupleRow], url: str) -> Endpoint | None:
    """The endpoint at an address; None when nothing was asked of it."""
    with connection.cursor(row_factory=class_row(Endpoint)) as cursor:
        return cursor.execute(f"SELECT {_COLUMNS} FROM registry.endpoint WHERE url = %s", (url,)).fetchone()


def write_endpoint(connection: Connection[TupleRow], endpoint: Endpoint) -> None:
    """Remember an endpoint, or what is new of it."""
    connection.execute(
        f"INSERT INTO registry.endpoint ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (url) DO UPDATE SET registry = excluded.registry, name = excluded.name, "
        "wanted_set = excluded.wanted_set, harvested = excluded.harvested, is_complete = excluded.is_complete, "
        "managed = excluded.managed",
        (
            endpoint.url,
            endpoint.registry,
            endpoint.name,
            endpoint.wanted_set,
            endpoint.harvested,
            endpoint.is_complete,
            endpoint.managed,
        ),
    )


def forget_endpoint(connection: Connection[TupleRow], url: str) -> None:
    """Forget an endpoint and what is left of its records, which the registry has to have put aside before."""
    connection.execute("DELETE FROM registry.record WHERE source = %s", (url,))
    connection.execute("DELETE FROM registry.endpoint WHERE url = %s", (url,))


def lock_claims(connection: Connection[TupleRow]) -> None:
    """Let nobody else decide whose records are, until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


def find_held(connection: Connection[TupleRow], ivoids: Sequence[str]) -> dict[str, Held]:
    """What is known of those of these records (identifiers in lower case) that are there."""
    with connection.cursor(row_factory=class_row(Held)) as cursor:
        rows = cursor.execute(
            "SELECT r.ivoid, r.source, r.status, r.datestamp, r.created, r.digest, "
            "coalesce(e.managed, ARRAY[]::text[]) AS managed "
            "FROM registry.record r LEFT JOIN registry.endpoint e ON e.url = r.source WHERE r.ivoid = ANY(%s)",
            (list(ivoids),),
        )
        return {row.ivoid: row for row in rows}


def live_records(connection: Connection[TupleRow], source: str) -> Iterator[Record]:
    """The records of a source that are not deleted, without their documents' texts."""
    with connection.cursor(row_factory=class_row(Record)) as cursor:
        yield from cursor.execute(
            "SELECT identifier, source, status, created, datestamp, digest, NULL AS document FROM registry.record "
            "WHERE source = %s AND status <> 'deleted' ORDER BY ivoid",
            (source,),
        )
