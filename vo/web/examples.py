"""The page of example queries, for people and for the clients that read it (DALI 1.1 section 2.3, DALI-19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from vo.adql.functions import FEATURES
from vo.adql.functions.features import Feature
from vo.metadata.collection import Collection
from vo.metadata.examples import Example, Upload

#: Rows that a page shows of a query.
SHOWN_ROWS = 100

#: What people call the groups of functions; the keys are TAPRegExt's (after the ``#``).
_TITLES = {
    "features-udf": "Functions",
    "features-adqlgeo": "Geometry",
    "features-adql-string": "Texts",
    "features-adql-common-table": "Queries before the query",
    "features-adql-sets": "Sets",
    "features-adql-type": "Types",
    "features-adql-conditional": "Nulls",
    "features-adql-unit": "Units",
    "features-adql-offset": "Parts of a result",
    "extra-adql-keywords": "Beyond the standard",
}


@dataclass(frozen=True, slots=True)
class UploadFile:
    """A table to upload, written as CSV."""

    name: str
    csv: str


@dataclass(frozen=True, slots=True)
class TableLink:
    """A table that an example is about."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An example as the page shows it; ``url`` runs it, None when it needs an upload.

    What is not ``for_clients`` has no RDFa: clients that check queries by ADQL 2.0 would call it faulty.
    """

    example: Example
    for_clients: bool
    url: str | None
    tables: tuple[TableLink, ...]
    uploads: tuple[UploadFile, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """The examples of one collection, or those of every server."""

    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Functions and words of one kind."""

    title: str
    features: tuple[Feature, ...]


def list_chapters(examples: Sequence[Example], collections: Sequence[Collection], base: str) -> tuple[Chapter, ...]:
    """Every collection that has examples, after those of all; ``base`` is the server's address."""
    titles: list[tuple[str | None, str]] = [(None, "All collections"), *((one.name, one.title) for one in collections)]
    chapters = []
    for name, title in titles:
        entries = tuple(_entry(example, base) for example in examples if example.collection == name)
        if entries:
            chapters.append(Chapter(title, entries))
    return tuple(chapters)


def list_groups() -> tuple[Group, ...]:
    """What ADQL offers here beyond its core, for people."""
    return tuple(
        Group(_TITLES.get(key := group.key.rpartition("#")[2], key), group.features)
        for group in FEATURES
        if group.features
    )


def run_url(query: str, base: str) -> str:
    """The address that shows a query's first rows in a browser."""
    words = {"LANG": "ADQL", "MAXREC": SHOWN_ROWS, "RESPONSEFORMAT": "html", "QUERY": query}
    return f"{base}/tap/sync?{urlencode(words)}"


def _entry(example: Example, base: str) -> Entry:
    return Entry(
        example=example,
        for_clients=example.adql == "2.0",
        url=None if example.uploads else run_url(example.query, base),
        tables=tuple(TableLink(name, f"{base}/tap/tables/{name}") for name in example.tables),
        uploads=tuple(UploadFile(upload.name, _csv(upload)) for upload in example.uploads),
    )


def _csv(upload: Upload) -> str:
    rows = (",".join(f"{number:.15g}" for number in row) for row in upload.rows)
    return "\n".join((",".join(upload.columns), *rows))
