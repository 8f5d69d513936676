"""Finds one product by its permanent identifier."""

from __future__ import annotations

import dataclasses

from psycopg import Connection, sql
from psycopg.rows import TupleRow, class_row

from vo.db.records import Product
from vo.errors import NotFoundFault

_COLUMNS = sql.SQL(", ").join(sql.Identifier(field.name) for field in dataclasses.fields(Product))
_BY_ID = sql.SQL("SELECT {} FROM archive.product WHERE product_id = %s").format(_COLUMNS)


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
