"""What has been made in the database, and of which text: a digest each in ``vo.applied``."""

from __future__ import annotations

import hashlib

from psycopg import Connection
from psycopg.rows import TupleRow


def is_applied(connection: Connection[TupleRow], name: str, text: str) -> bool:
    """Whether what is called ``name`` was last made of this text."""
    row = connection.execute("SELECT digest FROM vo.applied WHERE name = %s", (name,)).fetchone()
    return row == (_digest(text),)


def remember(connection: Connection[TupleRow], name: str, text: str) -> None:
    """What is called ``name`` has been made of this text."""
    connection.execute(
        "INSERT INTO vo.applied (name, digest) VALUES (%s, %s) "
        "ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, applied = now() "
        "WHERE applied.digest <> excluded.digest",
        (name, _digest(text)),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
