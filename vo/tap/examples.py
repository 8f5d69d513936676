"""Whether example queries fit the tables that are published (DALI 1.1 section 2.3, TAP 1.1 section 2.4.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from vo.adql import Limits, compile_query
from vo.errors import ADQLFault
from vo.metadata.examples import Example, Upload
from vo.metadata.fields import Catalogue, Column, Kind, Schema, Table
from vo.metadata.mistakes import Mistake, MistakesFault, suggest
from vo.uploads.request import SCHEMA


def check_examples(examples: Iterable[Example], catalogue: Catalogue, limits: Limits) -> None:
    """Translate every query; :class:`MistakesFault` has file and line of each that is not ADQL.

    The tables that an example names have to be published, too.
    """
    mistakes = find_mistakes(examples, catalogue, limits)
    if mistakes:
        raise MistakesFault(mistakes)


def find_mistakes(examples: Iterable[Example], catalogue: Catalogue, limits: Limits) -> tuple[Mistake, ...]:
    """What is wrong with the queries."""
    return tuple(mistake for example in examples for mistake in _wrong(example, catalogue, limits))


def with_uploads(catalogue: Catalogue, uploads: Sequence[Upload]) -> Catalogue:
    """The catalogue as a query sees it that comes with these tables."""
    tables = tuple(
        Table(SCHEMA, upload.name, tuple(Column(name, Kind.DOUBLE) for name in upload.columns)) for upload in uploads
    )
    return Catalogue((*catalogue.schemas, Schema(SCHEMA, tables))) if tables else catalogue


def _wrong(example: Example, catalogue: Catalogue, limits: Limits) -> Iterator[Mistake]:
    key = f"example {example.name!r}"
    try:
        compile_query(example.query, with_uploads(catalogue, example.uploads), limits=limits)
    except ADQLFault as fault:
        line = example.line + max(fault.line, 1) - 1
        yield Mistake(example.path, line, key, fault.text.removeprefix(f"line {fault.line}, "))
    for name in example.tables:
        if name.lower() not in catalogue.by_name:
            said = f"names the table {name!r}, which is not published"
            yield Mistake(example.path, example.line, key, said, suggest(name, catalogue.by_name))
