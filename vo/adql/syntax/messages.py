"""Faults of text that is not ADQL: where it stops being so, what could stand there, and what may have been meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass

from vo.adql.syntax.habits import ADVICE, TAKEN_FOR_ALIAS, sign_at
from vo.adql.syntax.lalr import END
from vo.adql.syntax.lexer import Token
from vo.errors import ADQLFault
from vo.metadata.words import RESERVED_WORDS

#: How terminals are called in a fault; words stand for themselves.
_CALLED = {
    "NAME": "a name",
    "DELIMITED": "a name",
    "TABLESAMPLE": "a name",
    "STRING": "a text",
    "INTEGER_LITERAL": "a number",
    "DECIMAL_LITERAL": "a number",
    "HEX_LITERAL": "a number",
    "COMPARISON": "a comparison",
    "FUNCTION": "a function",
    "SHAPE": "a function",
    "AGGREGATE": "a function",
    "TYPE": "a type",
    "CONCAT": "'||'",
    "PLUS": "'+'",
    "MINUS": "'-'",
    "STAR": "'*'",
    "SLASH": "'/'",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "DOT": "'.'",
    "SEMICOLON": "';'",
    END: "the end of the query",
}

#: Quotation marks of word processors.
_TYPOGRAPHIC = "\u2018\u2019\u201c\u201d\u00b4"

#: A longer list of what was expected leaves out what everybody knows.
_LONG_LIST = 8

#: Terminals of names.
_NAMES = {"NAME", "DELIMITED", "TABLESAMPLE"}

#: What can stand behind a table that must get a name.
_ALIAS = {"_AS", "NAME", "DELIMITED", "TABLESAMPLE"}

#: So much of the text in front of a fault is looked at.
_LOOK_BACK = 300


@dataclass(frozen=True, slots=True)
class _Slip:
    """Words in an order that is nearly ADQL's.

    ``kinds`` are terminals that cannot stand where they do (empty: any), ``accepted`` some that could, ``before`` a
    regular expression for the text in front.
    """

    kinds: frozenset[str]
    accepted: frozenset[str]
    before: str
    hint: str


def _slip_of(kinds: str, accepted: str, before: str, hint: str) -> _Slip:
    return _Slip(frozenset(kinds.split()), frozenset(accepted.split()), before, hint)


_CLAUSES = "SELECT, FROM, WHERE, GROUP BY, HAVING, ORDER BY, OFFSET"
_JOIN_KINDS = r"\s+(?:(?:INNER|LEFT|RIGHT|FULL|OUTER)\s+)*JOIN\b(?!.*\bJOIN\b)"

_SLIPS = (
    _slip_of("", "_ON _USING", "", "a JOIN needs ON or USING behind it, or NATURAL in front of it"),
    _slip_of("ON USING", END, rf"(?s)\bNATURAL{_JOIN_KINDS}", "a NATURAL JOIN takes neither ON nor USING"),
    _slip_of("ON USING", END, rf"(?s)\bCROSS{_JOIN_KINDS}", "a CROSS JOIN takes neither ON nor USING"),
    _slip_of("ON", "", r"\bDISTINCT\s*$", "DISTINCT holds for the whole select list; use GROUP BY"),
    _slip_of("DISTINCT", "", r"\bTOP\s+\d+\s*$", "DISTINCT stands in front of TOP"),
    _slip_of("OUTER", "", "", "LEFT, RIGHT or FULL stands in front of OUTER"),
    _slip_of("TABLESAMPLE", "_JOIN", "", "TABLESAMPLE stands behind a table of this service, and once"),
    _slip_of("NAME", "", r"\bTABLESAMPLE\s*$", "a percentage stands behind TABLESAMPLE: TABLESAMPLE(10)"),
    _slip_of("LPAR", "", r"\bTOP\s*$", "the number behind TOP stands without brackets"),
    _slip_of("LPAR", "TABLESAMPLE _JOIN", "", "FROM takes tables, joins and sub-queries, no functions"),
    _slip_of("RPAR", "", r"\bCOUNT\s*\(\s*$", "write COUNT(*) for the number of rows"),
    _slip_of(
        "COMPARISON BETWEEN IN IS LIKE ILIKE",
        "_FROM",
        "",
        "a condition cannot be selected; write CASE WHEN .. THEN 1 ELSE 0 END",
    ),
    _slip_of("COMPARISON BETWEEN IN IS LIKE ILIKE", "RPAR COMMA", r"\bI?IF\s*\([^()]*$", ADVICE["IF"]),
    _slip_of("COMPARISON", "_AND", "", "comparisons cannot be chained; write a < b AND b < c"),
    _slip_of("RPAR", END, "", "no bracket is open in front of it"),
    _slip_of("COMMA", END, r"\d$", "decimals stand behind a point, as in 1.5"),
    _slip_of("ALL", "", r"[<>=]\s*$", "ADQL has neither ALL nor ANY; compare with (SELECT MAX(..) ..) or MIN"),
    _slip_of("SELECT", END, r";\s*$", "only one query can be asked at a time"),
    _slip_of("FROM", "STAR", "", "what to select is missing in front of it; * stands for all columns"),
    _slip_of("TOP", "", r"\bSELECT\b", "TOP stands at the beginning of the select list: SELECT TOP 10 .."),
    _slip_of("UNION EXCEPT INTERSECT", END, "", "a query with ORDER BY or OFFSET stands in brackets in front of it"),
    _slip_of("WHERE GROUP HAVING ORDER OFFSET", END, "", f"the clauses stand in this order: {_CLAUSES}"),
    _slip_of("WHERE GROUP HAVING ORDER OFFSET", "RPAR _OFFSET", "", f"the clauses stand in this order: {_CLAUSES}"),
    _slip_of(f"FROM WHERE GROUP HAVING ORDER OFFSET {END}", "RPAR", "", "a bracket is not closed in front of it"),
    _slip_of(END, "_FROM", "", "every query needs FROM and a table"),
)


def place(text: str, at: int) -> tuple[int, int]:
    """Line and column, counted from 1, of an offset in the text."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def bad_character(text: str, at: int) -> ADQLFault:
    """The fault of a character at which no token begins."""
    sign = sign_at(text, at)
    if sign is not None:
        at, written, instead = sign
        return _fault(text, at, f"{written!r} cannot stand here; {instead}")
    character = text[at]
    hint = ""
    if character == "'":
        hint = "; a text that begins here does not end: write ' at its end, and '' for a ' inside"
    elif character == '"':
        hint = '; a delimited name that begins here is empty or does not end with "'
    elif character in _TYPOGRAPHIC:
        hint = "; write texts in straight quotes ' and delimited names in straight double quotes"
    elif character.isdigit():
        hint = "; a number cannot be followed at once by letters"
    elif character == "_":
        hint = "; a name begins with a letter, or stands in double quotes"
    elif not character.isascii() or character.isalpha():
        hint = '; a name has letters from a to z, digits and _, or stands in double quotes "'
    return _fault(text, at, f"{character!r} cannot stand here{hint}")


def bad_token(text: str, found: Token, accepted: set[str], is_function: Callable[[str], bool]) -> ADQLFault:
    """The fault of a token that cannot stand where it stands; ``accepted`` are the terminals that can.

    ``is_function`` tells words that are reserved for functions.
    """
    at = found.start_pos
    start = max(at - _LOOK_BACK, 0)
    match = re.search(r"(\w+)\s*$", text[start:at])
    before, before_at = (match[1], start + match.start()) if match else ("", 0)
    if accepted == {"LPAR"} and is_function(before):
        problem = (
            f'{before} is a function of ADQL and needs its arguments in brackets; as a name it is written "{before}"'
        )
        return _fault(text, before_at, problem)
    if before.upper() in TAKEN_FOR_ALIAS:
        return _fault(text, before_at, f"{before!r} cannot stand here; {ADVICE[before.upper()]}")
    if found.upper() in ADVICE and not accepted <= _NAMES:
        return _fault(text, at, f"{str(found)!r} cannot stand here; {ADVICE[found.upper()]}{_as_name(found, accepted)}")
    sign = sign_at(text, at)
    if sign is not None:
        return _fault(text, sign[0], f"{sign[1]!r} cannot stand here; {sign[2]}")
    if found.type == END and "_WITH" in accepted and "(" not in text:
        return _fault(text, at, "there is no query; one begins with SELECT or WITH")
    problem = "the query ends too early" if found.type == END else f"{str(found)!r} cannot stand here"
    hint = _slip(found, text[start:at], accepted)
    if accepted == _ALIAS and text[:at].rstrip().endswith(")"):
        hint = "a sub-query or join in FROM needs a name behind its brackets: (..) AS q"
    if hint is None:
        hint = f"expected {_expected(accepted)}{_meant(found, before, accepted)}"
    return _fault(text, at, f"{problem}; {hint}")


def _fault(text: str, at: int, problem: str) -> ADQLFault:
    line, column = place(text, at)
    return ADQLFault(problem, line=line, column=column)


def _slip(found: Token, before: str, accepted: set[str]) -> str | None:
    """What is said of words in an order that is nearly ADQL's, None for any other; ``before`` is the text in front."""
    kind = found.type.lstrip("_")
    for slip in _SLIPS:
        fits = not slip.kinds or kind in slip.kinds
        if fits and slip.accepted <= accepted and re.search(slip.before, before, re.IGNORECASE):
            return slip.hint
    return None


def _expected(accepted: set[str]) -> str:
    if accepted == {"INTEGER_LITERAL"}:
        return "a whole number"
    words = sorted({_called(terminal, accepted) for terminal in accepted - {"RESERVED"}})
    if len(words) > _LONG_LIST:
        telling = [word for word in words if word[0] != "'" and word not in ("NULL", "EXISTS", "CAST", "CASE")]
        words = telling or words
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else "".join(words)


def _called(terminal: str, accepted: set[str]) -> str:
    if terminal == "SHAPE" and "TYPE" in accepted:
        return "a type"
    if terminal == "TABLESAMPLE" and "NAME" not in accepted:
        return terminal
    return _CALLED.get(terminal, terminal.lstrip("_"))


def _as_name(found: Token, accepted: set[str]) -> str:
    is_reserved = "NAME" in accepted and found.upper() in RESERVED_WORDS
    return f'. As a name it is written "{found}"' if is_reserved else ""


def _meant(found: Token, before: str, accepted: set[str]) -> str:
    """What may have been meant, by the token or by the word in front of it, which may have passed for an alias."""
    if "NAME" in accepted and found.upper() in RESERVED_WORDS:
        return f'. {found.upper()} is a reserved word of ADQL; as a name it is written "{found}"'
    words = [terminal.lstrip("_") for terminal in accepted if terminal.lstrip("_") in RESERVED_WORDS]
    for word in (str(found).upper(), before.upper()):
        near = difflib.get_close_matches(word, words, n=1) if word not in RESERVED_WORDS else []
        if near:
            return f". Did you mean {near[0]}?"
    return ""
