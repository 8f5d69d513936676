"""Names that differ by their case only, and names of other alphabets."""

from __future__ import annotations

import pytest

from vo.adql import compile_query
from vo.adql.render.quoting import identifier, literal
from vo.errors import ADQLFault
from vo.metadata.fields import Catalogue, Column, Kind, Schema, Table

ODD = Table(
    "Odd Schema",
    'T"1',
    (Column("a", Kind.INTEGER), Column("A", Kind.CHAR), Column("größe", Kind.DOUBLE), Column("select", Kind.INTEGER)),
)
CATALOGUE = Catalogue((Schema("Odd Schema", (ODD,)),))


def sql(query: str) -> str:
    return compile_query(query, CATALOGUE).sql


def test_delimited_names_reach_what_regular_ones_cannot():
    assert sql('SELECT "A", "a", "größe" FROM "Odd Schema"."T""1"') == (
        'SELECT t."A" AS "A", t.a AS "a_2", t."größe" AS "größe" FROM "Odd Schema"."T""1" AS t'
    )
    with pytest.raises(ADQLFault, match=r"ambiguous: T\"1\.a, T\"1\.A"):
        sql('SELECT a FROM "T""1"')


def test_names_that_only_postgresql_reserves_are_quoted():
    assert sql('SELECT "select" AS "user" FROM "T""1" AS analyse WHERE "select" = 1') == (
        'SELECT "analyse"."select" AS "user" FROM "Odd Schema"."T""1" AS "analyse" WHERE "analyse"."select" = 1'
    )


@pytest.mark.parametrize(
    ("name", "quoted"),
    [("a1", "a1"), ("A", '"A"'), ('a"b', '"a""b"'), ("user", '"user"'), ("é", '"é"'), ("1a", '"1a"')],
)
def test_identifiers(name, quoted):
    assert identifier(name) == quoted


@pytest.mark.parametrize(("text", "quoted"), [("a'b", "'a''b'"), ("\\'", "E'\\\\'''"), ("", "''"), ("\n", "'\n'")])
def test_literals(text, quoted):
    assert literal(text) == quoted
