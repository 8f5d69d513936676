"""Records into the database: the documents, and the rows of RegTAP that are made from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from lxml import etree
from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.registry import Record, read_records, write_records
from vo.db.rr import replace_rows
from vo.errors import OperatorFault
from vo.registry.regtap.rows import Rows, rows
from vo.registry.regtap.sheet import TABLES

#: Records that are stored at a time.
_CHUNK = 200


def store(connection: Connection[TupleRow], records: Sequence[Record]) -> tuple[str, ...]:
    """Write these records and what the schema ``rr`` says of them, in the connection's transaction (of the owner).

    Resources that are not active are not in ``rr`` (RegTAP 1.2, section 8.1). Returns what could not be taken over into
    it, each with its record. :class:`OperatorFault`, before anything is written, names a record that is no VOResource
    document, or another resource's. Of several records of one resource the last counts.
    """
    records = list({record.ivoid: record for record in records}.values())
    made = [_read(record) for record in records if record.status == "active" and record.document is not None]
    write_records(connection, records)
    replace_rows(connection, [record.ivoid for record in records], TABLES, [one.tables for one in made])
    return tuple(f"{one.ivoid}: {trouble}" for one in made for trouble in one.troubles)


def refill(connection: Connection[TupleRow]) -> Iterator[str]:
    """Make the schema ``rr`` anew from all records that are stored, ours and harvested ones, as :func:`store` does.

    For an upgrade that reads records otherwise than before, when what they say has not changed.
    """
    connection.execute("LOCK TABLE registry.record IN SHARE ROW EXCLUSIVE MODE")
    records = read_records(connection, None)
    while chunk := list(islice(records, _CHUNK)):
        yield from store(connection, chunk)


def _read(record: Record) -> Rows:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    try:
        made = rows(etree.fromstring((record.document or "").encode(), parser))
    except etree.XMLSyntaxError as error:
        raise OperatorFault(f"{record.identifier}: the record is no XML: {error}") from error
    except OperatorFault as fault:
        raise OperatorFault(f"{record.identifier}: {fault.text}") from fault
    if made.ivoid != record.ivoid:
        raise OperatorFault(f"{record.identifier}: the record says that it is {made.ivoid}")
    return made
