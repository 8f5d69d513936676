"""The language as tables for docs/adql.md: made from the tables of functions, types, words and features.

What the grammar alone knows (clauses, joins, predicates, casts) is listed in ``forms/*.txt`` with an example each;
tests run every example, and look for each word of the grammar among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vo.adql.functions import ALL_FUNCTIONS, FEATURES, Function, Group, Result
from vo.adql.kinds import Type, kind_of
from vo.metadata.fields import votable_type
from vo.metadata.words import ADQL_WORDS, SQL_WORDS

#: Most arguments are numbers; the page says so once.
NUMBER = " DOUBLE PRECISION"
FOLDER = Path(__file__).parent / "forms"


@dataclass(frozen=True)
class Construct:
    """Something that can be written: its form, what it means, and a query that needs it."""

    form: str
    meaning: str
    example: str


def read(name: str) -> tuple[Construct, ...]:
    """The constructs of a file: blocks of a form, its meaning, and an example, which may take several lines."""
    blocks = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").strip().split("\n\n")
    return tuple(Construct(*block.split("\n", 2)) for block in blocks)


_TITLES = {
    Group.BASE: "Mathematics",
    Group.GEOMETRY: "Geometry",
    Group.STRING: "Texts",
    Group.CONDITIONAL: "Choice",
    Group.UNIT: "Units",
    Group.EXTRA: "Beyond the standard",
    Group.UDF: "User-defined functions",
}


def forms(name: str) -> str:
    return _table(("Written", "Meaning"), [(_code(row.form), row.meaning) for row in read(name)])


def functions() -> str:
    """All functions by group: a row for each name, with every way to call it."""
    parts = []
    for group, title in _TITLES.items():
        names: dict[str, list[Function]] = {}
        for function in ALL_FUNCTIONS:
            if function.group is group:
                names.setdefault(function.name, []).append(function)
        rows = [_function_row(entries) for _, entries in sorted(names.items(), key=lambda pair: pair[0].lower())]
        parts.append(f"### {title}\n\n" + _table(("Function", "Result", "Unit", "What it gives"), rows))
    known = {function.group for function in ALL_FUNCTIONS}
    if not known <= set(_TITLES):
        raise ValueError(f"these groups of functions need a title: {known - set(_TITLES)}")
    return "\n\n".join(parts)


def _function_row(entries: list[Function]) -> tuple[str, ...]:
    calls = dict.fromkeys(_code(_call(entry)) for entry in entries)
    results = dict.fromkeys(_result(entry) for entry in entries)
    said = dict.fromkeys(entry.description for entry in entries if entry.description != "The same.")
    units = dict.fromkeys("as the argument" if entry.keeps_unit else entry.unit or "" for entry in entries)
    return "<br>".join(calls), ", ".join(results), ", ".join(filter(None, units)), " ".join(said)


def _call(function: Function) -> str:
    parameters = [f"{parameter.name} {parameter.word}".removesuffix(NUMBER) for parameter in function.parameters]
    if function.repeats:
        parameters.append("...")
    return f"{function.name}({', '.join(parameters)})"


def _result(function: Function) -> str:
    if isinstance(function.result, Result):
        return function.result.value
    return function.result.label


def types() -> str:
    """What each type of a result is in VOTable."""
    rows = []
    for type_ in Type:
        try:
            datatype, arraysize, xtype = votable_type(kind_of(type_))
        except KeyError:  # no column has this type: conditions, ranges
            continue
        if type_ is not Type.NULL:
            rows.append((_code(str(type_)), datatype, arraysize or "", xtype or ""))
    return _table(("Type", "datatype", "arraysize", "xtype"), rows)


def features() -> str:
    """The groups of optional features with the keys that TAP's capabilities give them."""
    rows = []
    for group in FEATURES:
        names = dict.fromkeys(feature.form.split("(")[0] for feature in group.features)
        rows.append((_code(group.key), ", ".join(names)))
    return _table(("Key", "Features"), rows)


def words() -> str:
    """All reserved words, in lines that fit a page."""
    lines, line = [], ""
    for word in sorted(SQL_WORDS | ADQL_WORDS):
        if len(line) + len(word) > 110:
            lines.append(line)
            line = ""
        line += f"{word} "
    return "\n".join(text.rstrip() for text in (*lines, line))


#: Each part of docs/adql.md that is made from the code, by the word in its markers.
PARTS = {
    "clauses": lambda: forms("clauses"),
    "joins": lambda: forms("joins"),
    "operators": lambda: forms("operators"),
    "functions": functions,
    "types": types,
    "casts": lambda: forms("casts"),
    "features": features,
    "words": words,
}


def _code(text: str) -> str:
    return f"`{text}`".replace("|", r"\|")


def _table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
