"""Paired text fixtures: a query, and the SQL and fields it becomes or the fault it meets.

A file holds cases separated by a line of ``====``; in each a title (``# ...``), the query, a line ``----``, and what is
expected: SQL with one line ``name datatype arraysize xtype unit ucd`` for each field, or ``!`` and the fault's text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from adql.tables import CATALOGUE

from vo.adql import compile_query
from vo.errors import UsageFault

FOLDER = Path(__file__).parent
_BETWEEN_CASES = "\n====\n"
_BETWEEN_SIDES = "\n----\n"
_CLAUSES = (" FROM ", " WHERE ", " GROUP BY ", " HAVING ", " ORDER BY ", " LIMIT ", " AND ")


@dataclass(frozen=True)
class Case:
    file: str
    title: str
    query: str
    expected: str


def read(path: Path) -> Iterator[Case]:
    for block in path.read_text(encoding="utf-8").strip("\n").split(_BETWEEN_CASES):
        head, _, expected = block.partition(_BETWEEN_SIDES)
        title, _, query = head.strip("\n").partition("\n")
        yield Case(path.name, title.removeprefix("# "), query, expected.strip("\n"))


def write(path: Path, cases: list[Case]) -> None:
    blocks = [f"# {case.title}\n{case.query}{_BETWEEN_SIDES}{case.expected}" for case in cases]
    path.write_text(_BETWEEN_CASES.join(blocks) + "\n", encoding="utf-8")


def files() -> list[Path]:
    return sorted(FOLDER.glob("*.txt"))


def answer(query: str) -> str:
    """What the translator makes of a query, in the fixtures' form."""
    try:
        compiled = compile_query(query, CATALOGUE, base_url="https://plates.example")
    except UsageFault as fault:
        return f"! {fault.text}"
    fields = [
        " ".join([repr(f.name), *(value or "-" for value in (f.datatype, f.arraysize, f.xtype, f.unit, f.ucd))])
        for f in compiled.fields
    ]
    return "\n".join([_broken(compiled.sql), *fields])


def _broken(sql: str) -> str:
    """The SQL with a line break before each clause; joined by spaces it is the same again."""
    for clause in _CLAUSES:
        sql = sql.replace(clause, f"\n{clause[1:]}")
    return sql


def answered(case: Case) -> Case:
    return replace(case, expected=answer(case.query))
