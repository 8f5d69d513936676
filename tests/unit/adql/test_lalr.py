"""The parser's tables: kept beside the grammar, the same as lark computes, and followed as lark follows them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from adql import fixtures
from lark import Lark, Transformer
from lark.exceptions import UnexpectedToken

from vo.adql import Limits
from vo.adql.syntax import lalr
from vo.adql.syntax.build import builder
from vo.adql.syntax.lexer import Token, token
from vo.adql.syntax.parse import parse
from vo.errors import UsageFault

GRAMMAR = Path(lalr.GRAMMAR).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tables() -> lalr.Tables:
    return lalr.compute(GRAMMAR)


def test_the_kept_tables_are_those_of_the_grammar(tables, update_golden):
    """After an edit of the grammar: pytest tests/unit/adql/test_lalr.py --update-golden."""
    if update_golden:
        Path(lalr.KEPT).write_text(tables.dump(), encoding="utf-8")
    assert Path(lalr.KEPT).read_text(encoding="utf-8") == tables.dump(), (
        "grammar.json is not of this grammar: use --update-golden"
    )
    assert lalr.load() == tables


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_same_grammar_gives_the_same_tables(tables, seed):
    code = "import sys; from vo.adql.syntax import lalr; sys.stdout.write(lalr.compute(sys.stdin.read()).dump())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=GRAMMAR,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    assert done.stdout == tables.dump()


def test_tables_of_another_grammar_are_not_used(monkeypatch, tmp_path, tables):
    (tmp_path / "grammar.lark").write_text(GRAMMAR + "\n// a comment more\n", encoding="utf-8")
    stale = json.loads(Path(lalr.KEPT).read_text(encoding="utf-8")) | {"rules": []}
    (tmp_path / "grammar.json").write_text(json.dumps(stale), encoding="utf-8")
    monkeypatch.setattr(lalr, "GRAMMAR", str(tmp_path / "grammar.lark"))
    monkeypatch.setattr(lalr, "KEPT", str(tmp_path / "grammar.json"))
    assert lalr.load().rules == tables.rules


def _lark() -> Lark:
    """Lark's own parser with our builder: what the tables must agree with."""
    methods = {name: getattr(builder(), name) for name in dir(builder()) if not name.startswith("_")}
    transformer = type("Methods", (Transformer,), {name: staticmethod(method) for name, method in methods.items()})()
    return Lark(
        GRAMMAR, parser="lalr", lexer="basic", strict=True, transformer=transformer, lexer_callbacks={"NAME": _word}
    )


def _word(word):
    from vo.adql.syntax.parse import _TERMINALS

    word.type = _TERMINALS.get(word.upper(), word.type)
    return word


def test_trees_are_those_that_lark_makes():
    lark = _lark()
    compared = 0
    for path in fixtures.files():
        for case in fixtures.read(path):
            try:
                ours = parse(case.query, Limits())
            except UsageFault:
                continue
            assert ours == lark.parse(case.query), case.query
            compared += 1
    assert compared > 150


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT",
        "SELECT a b c FROM t",
        "SELECT a FROM t WHERE",
        "SELECT (a FROM t",
        "SELECT f(1 2) FROM t",
        "SELECT a FROM t JOIN",
    ],
)
def test_what_is_expected_is_what_lark_expects(text):
    from vo.adql.syntax.parse import _machines

    with pytest.raises(UnexpectedToken) as lark:
        _lark().parse(text)
    lexer, parser = _machines()
    with pytest.raises(lalr.Unexpected) as ours:
        parser.parse([*lexer.tokens(text, Limits()), token(lalr.END, "", 0)])
    assert ours.value.accepted == lark.value.accepts
    assert ours.value.token.type == lark.value.token.type


def test_tokens_that_stop_without_an_end_are_an_error(tables):
    with pytest.raises(ValueError, match="not the end"):
        lalr.Parser(tables, builder()).parse([])


def test_a_token_is_text_with_a_place():
    made = token("NAME", "Plates", 7)
    assert isinstance(made, Token)
    assert (made, made.type, made.start_pos, made.upper()) == ("Plates", "NAME", 7, "PLATES")


def test_translating_needs_no_library_but_pythons_own():
    """What vo adql and each worker wait for when they start."""
    code = """
import sys
from vo.adql import Limits, compile_query
from vo.adql.syntax.parse import parse
parse("SELECT a, POINT(1, 2) FROM t WHERE b = 1", Limits())
print(*{name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    libraries = {name for name in done.stdout.split() if not name.startswith("_")} - {"vo"}
    assert not libraries
