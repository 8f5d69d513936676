"""The parser's tables, and the loop that follows them.

lark reads ``grammar.lark``, checks it (LALR(1), strict) and computes the tables; that takes it a quarter of a second.
So they are kept in ``grammar.json`` beside the grammar, and shipped with it. When the two do not belong together, as
after an edit of the grammar, they are computed anew; a test asks for tables that belong to the grammar.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from vo.adql.syntax.lexer import Token

# with os.path: pathlib takes 10 ms to import, hashlib 5
_FOLDER = os.path.dirname(__file__)  # noqa: PTH120 - see above
GRAMMAR = os.path.join(_FOLDER, "grammar.lark")  # noqa: PTH118 - see above
#: The tables as JSON.
KEPT = os.path.join(_FOLDER, "grammar.json")  # noqa: PTH118 - see above

#: The terminal that stands behind a query's last token.
END = "$END"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the grammar, and what is made of the ``size`` values that it takes together.

    ``children`` are the places of those that are kept, None for an optional one that was not written. A value at one
    of the places ``repeated`` is a list of children. ``name`` is the builder's method that is given the children; with
    an empty one they stay a list. ``passes_one`` means that a single child is handed on as it is.
    """

    origin: str
    size: int
    name: str
    children: tuple[int | None, ...]
    repeated: tuple[int, ...]
    passes_one: bool


@dataclass(frozen=True)
class Tables:
    """What a grammar becomes.

    ``terminals`` are names and regular expressions in the order in which they are tried, ``ignored`` the names of those
    between tokens. ``actions`` has for each state what to do at a terminal: go to a state (0 or more), or follow
    the rule ``~action``. ``gotos`` has for each state where to go after a rule, by the rule's ``origin``.
    """

    grammar: str
    terminals: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]
    rules: tuple[Rule, ...]
    actions: tuple[dict[str, int], ...]
    gotos: tuple[dict[str, int], ...]
    end: int

    @cached_property
    def pattern(self) -> str:
        """All terminals in one regular expression; the group that matched names the terminal."""
        return "|".join(f"(?P<{name}>{expression})" for name, expression in self.terminals)

    def dump(self) -> str:
        """The tables as JSON, one state or rule on a line."""
        parts = []
        for key, value in asdict(self).items():
            text = json.dumps(value)
            if isinstance(value, tuple) and value and not isinstance(value[0], str):
                text = "[\n" + ",\n".join(json.dumps(item) for item in value) + "\n]"
            parts.append(f"{json.dumps(key)}: {text}")
        return "{\n" + ",\n".join(parts) + "\n}\n"


class Unexpected(Exception):
    """A token that cannot stand where it stands; ``accepted`` are the terminals that can."""

    def __init__(self, token: Token, accepted: set[str]) -> None:
        super().__init__(token)
        self.token = token
        self.accepted = accepted


class Parser:
    """Follows the tables; ``builder`` has a method for each rule, which gets the list of the rule's children."""

    def __init__(self, tables: Tables, builder: object) -> None:
        self._tables = tables
        self._makers: list[Callable[[list[Any]], Any]] = [
            getattr(builder, rule.name) if rule.name else _as_they_are for rule in tables.rules
        ]

    def parse(self, tokens: Iterable[Token]) -> Any:
        """What the builder makes of the grammar's first rule; :class:`Unexpected` when the tokens do not fit it.

        The last token must be the :data:`END`.
        """
        tables, makers = self._tables, self._makers
        rules, actions, gotos = tables.rules, tables.actions, tables.gotos
        states = [0]
        values: list[Any] = []
        for token in tokens:
            kind = token.type
            while True:
                action = actions[states[-1]].get(kind)
                if action is None:
                    raise Unexpected(token, self._accepted(states))
                if action >= 0:
                    states.append(action)
                    values.append(token)
                    break
                rule = rules[~action]
                first = len(values) - rule.size
                children = _children(rule, values[first:])
                made = children[0] if rule.passes_one and len(children) == 1 else makers[~action](children)
                del values[first:], states[first + 1 :]
                values.append(made)
                states.append(gotos[states[-1]][rule.origin])
                if kind == END and states[-1] == tables.end:
                    return made
        raise ValueError("the last token is not the end")

    def _accepted(self, states: list[int]) -> set[str]:
        """The terminals that can come next: those that are taken, not only looked at before a rule is followed."""
        return {kind for kind in self._tables.actions[states[-1]] if self._takes(list(states), kind)}

    def _takes(self, states: list[int], kind: str) -> bool:
        tables = self._tables
        while True:
            action = tables.actions[states[-1]].get(kind)
            if action is None or action >= 0:
                return action is not None
            rule = tables.rules[~action]
            del states[len(states) - rule.size :]
            states.append(tables.gotos[states[-1]][rule.origin])
            if kind == END and states[-1] == tables.end:
                return True


def _as_they_are(children: list[Any]) -> list[Any]:
    return children


def _children(rule: Rule, values: list[Any]) -> list[Any]:
    """The values that the builder is to see."""
    if not rule.repeated:
        return [None if place is None else values[place] for place in rule.children]
    children: list[Any] = []
    for place in rule.children:
        if place not in rule.repeated:
            children.append(None if place is None else values[place])
        elif children:
            children += values[place]
        else:
            children = values[place]  # not copied: a long list grows in place
    return children


def load() -> Tables:
    """The tables of the grammar, from the file beside it where that fits."""
    grammar = _read(GRAMMAR)
    kept = json.loads(_read(KEPT))
    if kept["grammar"] != _digest(grammar):
        return compute(grammar)
    return Tables(
        kept["grammar"],
        tuple((name, expression) for name, expression in kept["terminals"]),
        tuple(kept["ignored"]),
        tuple(
            Rule(
                rule["origin"],
                rule["size"],
                rule["name"],
                tuple(rule["children"]),
                tuple(rule["repeated"]),
                rule["passes_one"],
            )
            for rule in kept["rules"]
        ),
        tuple(kept["actions"]),
        tuple(kept["gotos"]),
        kept["end"],
    )


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - see GRAMMAR
        return file.read()


def _digest(grammar: str) -> str:
    """What tells one text of the grammar from another; nobody is to be kept out by it."""
    return f"{len(grammar)}-{zlib.crc32(grammar.encode()):08x}"


def compute(grammar: str) -> Tables:
    """The tables of a grammar, computed by lark; always the same for the same grammar."""
    from lark import Lark  # noqa: PLC0415 - takes 30 ms, and the kept tables do without

    lark = Lark(grammar, parser="lalr", lexer="basic", strict=True)
    table = lark.parser.parser.parser.parse_table
    found: list[Any] = []  # lark's rules
    numbers = {table.start_states["start"]: 0}
    actions: list[dict[str, int]] = []
    gotos: list[dict[str, int]] = []
    # lark numbers states as its sets happen to be ordered; here they are numbered as they are reached
    for state in _growing(numbers):
        actions.append({})
        gotos.append({})
        for symbol, (action, target) in sorted(table.states[state].items()):
            if action.name != "Shift":
                if target not in found:
                    found.append(target)
                actions[-1][symbol] = ~found.index(target)
                continue
            number = numbers.setdefault(target, len(numbers))
            (actions if symbol.isupper() or symbol.startswith("$") else gotos)[-1][symbol] = number
    rules = tuple(map(_rule, found))
    terminals = sorted(lark.terminals, key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name))
    return Tables(
        _digest(grammar),
        tuple((terminal.name, terminal.pattern.to_regexp()) for terminal in terminals),
        tuple(sorted(lark.ignore_tokens)),
        rules,
        tuple(actions),
        tuple(_shortened(row, rules, actions) for row in gotos),
        numbers[table.end_states["start"]],
    )


def _growing(numbers: dict[int, int]) -> Iterable[int]:
    """The keys in order, also those that are added meanwhile."""
    done = 0
    while done < len(numbers):
        yield list(numbers)[done]
        done += 1


def _rule(rule: Any) -> Rule:
    """Lark's rule as ours."""
    written = iter(enumerate(rule.expansion))
    absent = rule.options.empty_indices or (False,) * len(rule.expansion)
    children: list[int | None] = []
    repeated = []
    for is_absent in absent:
        if is_absent:
            children.append(None)
            continue
        place, symbol = next(written)
        if symbol.is_term and symbol.filter_out:
            continue
        children.append(place)
        if _is_helper(symbol.name) and not symbol.is_term:
            repeated.append(place)
    passes_one = bool(rule.options.expand1) and not rule.alias
    needs_no_method = _is_helper(rule.origin.name) or (passes_one and len(children) == 1 and not repeated)
    name = "" if needs_no_method else str(rule.alias or rule.origin.name)
    return Rule(str(rule.origin.name), len(rule.expansion), name, tuple(children), tuple(repeated), passes_one)


def _is_helper(name: str) -> bool:
    """Whether lark made this rule of a part that may be repeated; its children are those of the rule that uses it."""
    return name.startswith("_")


def _shortened(row: dict[str, int], rules: tuple[Rule, ...], actions: list[dict[str, int]]) -> dict[str, int]:
    """Where to go after a rule, past states that do nothing but call a value by another rule's name.

    A number is a primary, which is a factor, which is a product ...: half of all steps would do no more than that.
    """

    def final(origin: str) -> int:
        state = row[origin]
        following = set(actions[state].values())
        if len(following) == 1 and (action := following.pop()) < 0:
            rule = rules[~action]
            if rule.size == 1 and rule.passes_one and rule.origin in row:
                return final(rule.origin)
        return state

    return {origin: final(origin) for origin in row}
