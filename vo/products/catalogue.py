"""Finds one product, or one solution, by its permanent identifier."""

from __future__ import annotations

import dataclasses

from psycopg import Connection, sql
from psycopg.rows import TupleRow, class_row

from vo.db.records import Product, Solution
from vo.errors import NotFoundFault

_COLUMNS = sql.SQL(", ").join(sql.Identifier(field.name) for field in dataclasses.fields(Product))
_BY_ID = sql.SQL("SELECT {} FROM archive.product WHERE product_id = %s").format(_COLUMNS)
_SOLUTION = sql.SQL(
    "SELECT {} FROM archive.solution "
    "WHERE collection = %s AND plate_id = %s AND scan_id = %s AND solution_id = %s AND version = %s"
).format(sql.SQL(", ").join(sql.Identifier(field.name) for field in dataclasses.fields(Solution)))


def find_product(connection: Connection[TupleRow], product_id: str) -> Product:
    """Return the product of this very identifier; :class:`NotFoundFault` when there is none.

    The identifier is only ever compared with the database's, so no path on disk can be reached by what a client writes.
    """
    if "\0" in product_id:  # which PostgreSQL cannot hold in a text
        raise NotFoundFault(f"no file {product_id!r} here")
    with connection.cursor(row_factory=class_row(Product)) as cursor:
        product = cursor.execute(_BY_ID, (product_id,)).fetchone()
    if product is None:
        raise NotFoundFault(
            f"no file {product_id!r} here; the Datalink document of an exposure lists the files of its plate"
        )
    return product


def find_solution(
    connection: Connection[TupleRow], collection: str, plate_id: str, scan_id: str, solution_id: str, version: int
) -> Solution:
    """Return this very version of a solution; :class:`NotFoundFault` when there is none."""
    key = (collection, plate_id, scan_id, solution_id)
    found = None
    if not any("\0" in part for part in key) and abs(version) < 2**31:  # what PostgreSQL can hold
        with connection.cursor(row_factory=class_row(Solution)) as cursor:
            found = cursor.execute(_SOLUTION, (*key, version)).fetchone()
    if found is None:
        raise NotFoundFault(
            f"no version {version} of solution {solution_id[:99]!r} of scan {scan_id[:99]!r}, plate {plate_id[:99]!r}; "
            "the Datalink document of an exposure lists the solutions of its plate"
        )
    return found
