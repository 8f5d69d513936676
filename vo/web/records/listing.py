"""Records of the database for the list of all of them, searched by words."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.web.records.document import kind_name

#: Records on one screen.
PAGE = 100

# Ours come first. RegTAP has those that are active.
_RECORDS = """
SELECT r.identifier, r.source, r.datestamp, t.res_title, t.res_type
FROM registry.record AS r JOIN rr.resource AS t USING (ivoid)
WHERE r.status <> 'deleted' AND (r.source <> '', r.ivoid) > (%(is_foreign)s, %(after)s)
  AND NOT EXISTS (
    SELECT FROM unnest(%(words)s::text[]) AS word
    WHERE strpos(lower(concat_ws(' ', r.ivoid, t.res_title, t.short_name, t.res_description, t.creator_seq,
        (SELECT string_agg(s.res_subject, ' ') FROM rr.res_subject AS s WHERE s.ivoid = r.ivoid))), word) = 0)
ORDER BY r.source <> '', r.ivoid LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class RecordLine:
    """A record in a list; ``source`` is where it was harvested, empty for one of this server."""

    identifier: str
    source: str
    day: str
    title: str
    kind: str


def list_records(connection: Connection[TupleRow], text: str, after: tuple[bool, str]) -> tuple[list[RecordLine], bool]:
    """Records in which all words of a text stand, and whether there are more.

    Words are looked for in identifiers, titles, descriptions, creators and subjects. The records come after ``after``:
    whether a record was harvested, and its ivoid.
    """
    words = text.lower().replace("\0", "").split()
    asked = {"words": words, "is_foreign": after[0], "after": after[1].replace("\0", ""), "limit": PAGE + 1}
    rows = connection.execute(_RECORDS, asked).fetchall()
    lines = [
        RecordLine(identifier, source, f"{datestamp:%Y-%m-%d}", title or identifier, kind_name(kind))
        for identifier, source, datestamp, title, kind in rows[:PAGE]
    ]
    return lines, len(rows) > PAGE


def known_records(connection: Connection[TupleRow], ivoids: list[str]) -> set[str]:
    """Which of these identifiers, in lower case, have records here that are not deleted."""
    rows = connection.execute(
        "SELECT ivoid FROM registry.record WHERE ivoid = ANY(%s) AND status <> 'deleted'", (ivoids,)
    )
    return {ivoid for (ivoid,) in rows}
