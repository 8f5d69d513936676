"""docs/adql.md says what the code does: its tables are made from the code, ``--update-golden`` writes them anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from adql import reference
from adql.tables import CATALOGUE
from exposures import with_uploads

from vo.adql import compile_query
from vo.adql.syntax import parse
from vo.metadata.words import RESERVED_WORDS

PAGE = Path(__file__).parents[2] / "docs" / "adql.md"
CONSTRUCTS = [one for path in sorted(reference.FOLDER.glob("*.txt")) for one in reference.read(path.stem)]


def marked(name):
    return re.compile(rf"(?<=<!-- {name}: made from the code -->\n).*?(?=<!-- end of {name} -->\n)", re.DOTALL)


@pytest.mark.parametrize("name", reference.PARTS)
def test_the_page_has_the_tables_of_the_code(name, update_golden):
    text = PAGE.read_text(encoding="utf-8")
    made = f"\n{reference.PARTS[name]()}\n\n"
    assert len(marked(name).findall(text)) == 1, f"docs/adql.md lost the markers of {name}"
    if update_golden:
        PAGE.write_text(marked(name).sub(lambda _: made, text), encoding="utf-8")
        return
    assert marked(name).findall(text) == [made], "run pytest tests/adql/test_reference.py --update-golden"


@pytest.mark.parametrize("construct", CONSTRUCTS, ids=lambda construct: construct.form)
def test_every_form_works(connection, construct):
    connection.execute(compile_query(construct.example, CATALOGUE).sql.encode())


def test_every_word_of_the_grammar_is_in_the_tables():
    used = set(re.findall(r"[A-Z]+", " ".join(construct.example for construct in CONSTRUCTS)))
    words = {*parse._KEPT.split(), *parse._DROPPED.split(), *parse.AGGREGATES, *parse.TYPES, *parse.SHAPES}
    assert words - used == set()
    assert words <= RESERVED_WORDS | {"ILIKE", "TABLESAMPLE"}


def test_every_form_shows_the_words_of_its_example():
    """A row must be about what it is proved with: the words of a form are in its example."""
    for construct in CONSTRUCTS:
        for word in re.findall(r"\b[A-Z]{2,}\b", construct.form):
            assert word in construct.example, construct.form


def test_the_queries_of_the_page_work(database, catalogue):
    """The examples for astronomers, on the tables as they are published."""
    queries = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(queries) >= 6
    with database.owner() as connection:
        # one of them joins an ephemeris that its reader has uploaded
        connection.execute("CREATE SCHEMA tap_upload")
        connection.execute("CREATE TABLE tap_upload.orbit (ra float8, dec float8, epoch float8)")
        for query in queries:
            connection.execute(compile_query(query, with_uploads(catalogue)).sql.encode())
        connection.rollback()
