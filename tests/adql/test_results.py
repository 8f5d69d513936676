"""What queries answer, compared with judges that share no code with us: sqlite, numpy, astropy, cdshealpix.

Files in ``results/`` hold queries of plain SQL: a title, the ADQL, a line ``----``, and the SQL that sqlite is asked
(``same``: the same text). After the dashes may stand ``ordered`` (rows come in this order), ``empty`` (there is none;
otherwise there must be some), or ``count`` (the number of rows is given, as any will do).
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

import pytest
from adql import truth
from adql.fixtures import FOLDER, files, read
from adql.tables import CATALOGUE

from vo.adql import compile_query

FILES = sorted((FOLDER / "results").glob("*.txt"))


@dataclass(frozen=True)
class Case:
    title: str
    query: str
    how: str
    judge: str


def cases(path):
    for block in path.read_text(encoding="utf-8").strip().split("\n====\n"):
        found = re.fullmatch(r"# (.*)\n((?:.|\n)+)\n---- ?(ordered|empty|count)?\n((?:.|\n)+)", block)
        assert found, f"{path.name}: {block}"
        title, query, how, judge = found.groups()
        yield Case(title, query, how or "", query if judge == "same" else judge)


def all_cases():
    return [(path, case) for path in FILES for case in cases(path)]


@pytest.fixture(scope="module", autouse=True)
def rows(connection):
    truth.fill_postgres(connection)
    connection.execute("ANALYZE")


@pytest.fixture(scope="module")
def run(connection):
    """Rows of an ADQL query, numbers as they are: a REAL in text form has too few digits to be widened."""

    def ask(query):
        with connection.cursor(binary=True) as cursor:
            return cursor.execute(compile_query(query, CATALOGUE, base_url="https://h").sql.encode()).fetchall()

    return ask


@pytest.fixture(scope="module")
def judge():
    connection = truth.fill_sqlite()
    yield connection
    connection.close()


def agree(got, wanted, *, ordered=False):
    if not ordered:
        got, wanted = sorted(got, key=truth.key), sorted(wanted, key=truth.key)
    assert len(got) == len(wanted)
    for mine, theirs in zip(got, wanted, strict=True):
        assert len(mine) == len(theirs)
        for one, other in zip(mine, theirs, strict=True):
            if isinstance(one, float) and isinstance(other, int | float):
                assert one == pytest.approx(other, rel=1e-12, abs=1e-12), (mine, theirs)
            else:
                assert one == other, (mine, theirs)


@pytest.mark.parametrize(("case"), [pytest.param(case, id=f"{path.stem}: {case.title}") for path, case in all_cases()])
def test_sqlite_answers_the_same(run, judge, case):
    got = run(case.query)
    if case.how == "count":
        assert len(got) == int(case.judge)
        return
    wanted = judge.execute(case.judge).fetchall()
    assert (case.how == "empty") == (not wanted)
    agree(got, wanted, ordered=case.how == "ordered")


def test_the_judge_is_as_strict_as_needed(judge):
    """A comparison that takes anything would prove nothing."""
    with pytest.raises(AssertionError):
        agree([(1, 2.0)], [(1, 2.0 + 1e-9)])
    with pytest.raises(AssertionError):
        agree([(1,), (2,)], [(2,), (1,)], ordered=True)
    with pytest.raises(AssertionError):
        agree([("a",)], [("A",)])
    with pytest.raises(AssertionError):
        agree([(None,)], [(0,)])
    assert judge.execute("SELECT COUNT(*) FROM sky.plates WHERE name IS NULL").fetchone()[0] > 20
    assert judge.execute("SELECT COUNT(*) FROM sky.plates WHERE n < 0 AND mag < 0").fetchone()[0] > 20
    assert sqlite3.sqlite_version_info > (3, 30)  # NULLS LAST


def test_there_are_as_many_cases_as_promised():
    """400 accepted queries and 150 refused ones with what becomes of them, 200 with answers that others computed."""
    written = {case.query: case.expected for path in files() for case in read(path)}
    refused = [query for query, expected in written.items() if expected.startswith("!")]
    assert len(written) - len(refused) >= 400
    assert len(refused) >= 150
    assert len({" ".join(case.query.split()) for _, case in all_cases()}) >= 200
