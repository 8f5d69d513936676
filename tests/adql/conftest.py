"""A database of one's own with the small catalogue's tables, and ways to run ADQL on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from adql.tables import CATALOGUE, ddl

from vo.adql import compile_query
from vo.db.connect import Database

Run = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def connection(fresh_database: Callable[[], Database]) -> Iterator[psycopg.Connection]:
    """A connection, every statement on its own, to a database that holds the small catalogue's empty tables."""
    with fresh_database().owner() as connection:
        connection.execute(ddl())
        connection.commit()
        connection.autocommit = True
        yield connection


@pytest.fixture(scope="module")
def run(connection: psycopg.Connection) -> Run:
    """Rows of an ADQL query."""

    def rows(query: str) -> list[tuple[Any, ...]]:
        return connection.execute(compile_query(query, CATALOGUE, base_url="https://h").sql.encode()).fetchall()

    return rows
