"""The examples of docs/adql-internals.md are true: each is run, one after the other, and answers what the page says."""

from __future__ import annotations

import doctest
from pathlib import Path

from adql.tables import CATALOGUE

from vo.adql.functions import FUNCTIONS

PAGE = Path(__file__).parents[2] / "docs" / "adql-internals.md"


def test_the_examples_of_the_page_are_true(connection, monkeypatch):
    monkeypatch.delitem(FUNCTIONS, "VO_YEAR", raising=False)  # taken away again at the end, as it was not there
    monkeypatch.setitem(FUNCTIONS, "VO_YEAR", ())
    names = {"catalogue": CATALOGUE, "functions": FUNCTIONS}
    example = doctest.DocTestParser().get_doctest(PAGE.read_text(encoding="utf-8"), names, PAGE.name, str(PAGE), 0)
    assert len(example.examples) > 20
    said: list[str] = []
    results = doctest.DocTestRunner().run(example, out=said.append, clear_globs=False)
    assert results.failed == 0, "".join(said)
    connection.execute(example.globs["compiled"].sql.encode())
    assert "vo_year(taken)" in PAGE.read_text(encoding="utf-8")
