"""Random rows for the small catalogue, the same in every run, in PostgreSQL and in sqlite.

There are nulls, duplicates, negative numbers, odd texts and dates among them. Numbers of type REAL are exact in 4
bytes, so that nothing depends on how wide a computation is.
"""

from __future__ import annotations

import datetime as dt
import random
import sqlite3
from collections.abc import Sequence
from typing import Any

import psycopg
from adql.tables import CATALOGUE, ddl

PLATES = 900
STARS = 1500

_TEXTS = (
    "", " ", "a", "A", "ab", "aB%c", "a_b", "abc", "B", "b", "back\\slash", "it's", "'quoted'", "--", "%", "_", "10",
    "plate", "Plate", "PLATE", "Zürich", "zürich", "日本", "ß", "Éclair", "x y", "NULL", "null", "9", "tab\tbed",
)  # fmt: skip
_SERIES = ("a", "B", "plate", "zz", "Plate", "it's")

#: Columns of each table that sqlite has, too: all but the shapes.
COLUMNS = {
    "sky.plates": (
        "id", "name", "ra", "dec", "mag", "n", "size_kb", "scanned", "taken", "t_min", "t_max", "link", "size",
        "Odd Name",
    ),
    "sky.stars": ("id", "plate_id", "ra", "dec", "mag", "epoch", "name"),
    "lab.series": ("name", "n"),
    "lab.stars": ("id", "mag"),
}  # fmt: skip

Row = tuple[Any, ...]


def rows() -> dict[str, list[Row]]:
    """The rows of each table; times are texts in ISO form, truth values bool."""
    chance = random.Random(1909)  # noqa: S311 - no secret

    def maybe(value: Any, part: float = 0.1) -> Any:
        return None if chance.random() < part else value

    plates = []
    for number in range(1, PLATES + 1):
        taken = dt.datetime(1885, 1, 1) + dt.timedelta(seconds=chance.randrange(0, 3_300_000_000))  # noqa: DTZ001
        begin = chance.randrange(-5000, 5000) / 4
        plates.append(
            (
                number,
                maybe(chance.choice(_TEXTS)),
                maybe(chance.uniform(0, 360)),
                maybe(chance.uniform(-90, 90)),
                maybe(chance.randrange(-40, 160) / 8),
                maybe(chance.randrange(-5, 12)),
                maybe(chance.choice((0, 1, -7, 4096, 2**33 + 1, chance.randrange(10**12)))),
                maybe(chance.random() < 0.6, 0.2),
                maybe(taken.isoformat()),
                maybe(begin),
                maybe(begin + chance.choice((0.25, 1, 400))),
                maybe(f"/plates/{number}", 0.05),
                maybe(chance.randrange(0, 40), 0.3),
                maybe(chance.randrange(-3, 4)),
            )
        )
    stars = [
        (
            number,
            maybe(chance.randrange(1, PLATES + 60)),
            maybe(chance.uniform(0, 360), 0.05),
            maybe(chance.uniform(-90, 90), 0.05),
            maybe(chance.randrange(-16, 160) / 8),
            maybe(chance.randrange(-6000, 6000) / 4),
            maybe(chance.choice(_TEXTS)),
        )
        for number in range(1, STARS + 1)
    ]
    series = [(maybe(chance.choice(_SERIES)), maybe(chance.randrange(-5, 12))) for _ in range(40)]
    others = [(chance.randrange(1, STARS), maybe(chance.randrange(-16, 160) / 8)) for _ in range(200)]
    return {"sky.plates": plates, "sky.stars": stars, "lab.series": series, "lab.stars": others}


def column(table: str, name: str) -> list[Any]:
    """The values of one column."""
    place = COLUMNS[table].index(name)
    return [row[place] for row in rows()[table]]


def fill_postgres(connection: psycopg.Connection) -> None:
    """Make the small catalogue's tables anew, with these rows; plates with a place have shapes around it."""
    connection.execute(ddl().encode())
    for table, values in rows().items():
        names = ", ".join(f'"{name}"' for name in COLUMNS[table])
        with connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN".encode()) as copy:
            for row in values:
                copy.write_row(row)
    connection.execute(
        "UPDATE sky.plates SET place = spoint(radians(ra), radians(dec)),"
        " spot = scircle(spoint(radians(ra), radians(dec)), radians(5)) WHERE ra IS NOT NULL AND dec IS NOT NULL"
    )


def fill_sqlite() -> sqlite3.Connection:
    """The same rows in sqlite, under the same names of schemas, tables and columns."""
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA case_sensitive_like = on")
    for schema in CATALOGUE.schemas:
        connection.execute(f"ATTACH ':memory:' AS {schema.name}")
    for table, values in rows().items():
        names = ", ".join(f'"{name}"' for name in COLUMNS[table])
        connection.execute(f"CREATE TABLE {table} ({names})")
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(COLUMNS[table]))})", values)
    connection.execute("CREATE INDEX sky.plates_id ON plates (id)")
    connection.execute("CREATE INDEX sky.stars_plate_id ON stars (plate_id)")
    return connection


def key(row: Sequence[Any]) -> tuple[Any, ...]:
    """What rows are sorted by to be compared as sets: nulls first, numbers by nine digits."""
    found: list[tuple[int, Any]] = []
    for value in row:
        if value is None:
            found.append((0, 0))
        elif isinstance(value, str):
            found.append((2, value))
        else:
            found.append((1, float(f"{float(value):.9g}") + 0.0))
    return tuple(found)
