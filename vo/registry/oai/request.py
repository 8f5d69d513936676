"""Requests: from arguments to what is asked, with every error that the arguments alone tell (OAI-PMH 2.0, section 4).

Names, verbs and values are matched as they are, letter case included.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vo.metadata.xmltext import UNWRITABLE
from vo.registry.oai.dates import Stretch, read
from vo.registry.oai.problems import NOT_ECHOED, Problem, RefusedError, shown
from vo.registry.oai.tokens import Position, read_token
from vo.registry.oai.words import MANAGED, PREFIXES, ListVerb, Prefix


@dataclass(frozen=True, slots=True)
class Identify:
    """What this registry is."""


@dataclass(frozen=True, slots=True)
class ListFormats:
    """In which formats records are, or this one is."""

    identifier: str | None


@dataclass(frozen=True, slots=True)
class ListSets:
    """Which sets there are."""


@dataclass(frozen=True, slots=True)
class GetRecord:
    """One record."""

    identifier: str
    prefix: Prefix


@dataclass(frozen=True, slots=True)
class ListMany:
    """Records, or their headers, that changed last between ``first`` and ``last``; None: no limit."""

    verb: ListVerb
    prefix: Prefix
    first: dt.datetime | None
    last: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Resume:
    """The next part of a list."""

    verb: ListVerb
    position: Position


Asked = Identify | ListFormats | ListSets | GetRecord | ListMany | Resume


@dataclass(frozen=True, slots=True)
class _Rule:
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    exclusive: str | None = None


_LIST = _Rule(("metadataPrefix",), ("from", "until", "set"), "resumptionToken")
_RULES = {
    "Identify": _Rule(),
    "ListMetadataFormats": _Rule(optional=("identifier",)),
    "ListSets": _Rule(exclusive="resumptionToken"),
    "ListIdentifiers": _LIST,
    "ListRecords": _LIST,
    "GetRecord": _Rule(("identifier", "metadataPrefix")),
}

#: Names of formats and sets (OAI-PMH.xsd).
_NAME = r"[A-Za-z0-9\-_.!~*'()]+"
_PREFIX = re.compile(_NAME)
_SET = re.compile(rf"{_NAME}(:{_NAME})*")

# Identifiers of records are URIs (OAI-PMH 2.0, section 2.4): absolute, or not, as people try them (RFC 3986).
_PCHAR = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
_URI = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.\-]*:|(?![^/?#]*:))"  # without a scheme no colon comes before the first slash
    r"(?://(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+(?=[/?#]|$)|(?!//))"
    rf"(?:{_PCHAR}|/)*(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
)
_LONGEST = 2000


def echoed(arguments: Iterable[tuple[str, str]], problems: Iterable[Problem]) -> tuple[tuple[str, str], ...]:
    """The arguments that an answer repeats: all of them, or none with errors of verb or arguments (OAI-02)."""
    if any(problem.code in NOT_ECHOED for problem in problems):
        return ()
    # only tokens may hold what XML cannot write: they are told as they came
    return tuple((name, value) for name, value in arguments if not UNWRITABLE.search(value))


def read_request(arguments: Iterable[tuple[str, str]], now: dt.datetime) -> Asked:
    """What the arguments of a request ask for; RefusedError has everything that is wrong with them."""
    pairs = tuple(arguments)
    verbs = [value for name, value in pairs if name == "verb"]
    if len(verbs) != 1 or verbs[0] not in _RULES:
        raise RefusedError([_bad_verb(verbs)])
    given = tuple(pair for pair in pairs if pair[0] != "verb")
    _check_names(given, _RULES[verbs[0]])
    values = dict(given)
    if "resumptionToken" in values:
        return _resumed(verbs[0], values["resumptionToken"], now)
    _check_values(values)
    return _asked(verbs[0], values)


def _bad_verb(verbs: list[str]) -> Problem:
    known = ", ".join(_RULES)
    if not verbs:
        return Problem("badVerb", f"verb is missing; it is one of {known}: try ?verb=Identify")
    if len(verbs) > 1:
        return Problem("badVerb", f"verb came {len(verbs)} times; send it once")
    return Problem("badVerb", f"verb={shown(verbs[0])} is not known; verbs are {known}, written so")


def _check_names(given: tuple[tuple[str, str], ...], rule: _Rule) -> None:
    """Unknown, repeated and missing arguments, and company of an exclusive one; illegal values beside them (OAI-09)."""
    known = {*rule.required, *rule.optional, *([rule.exclusive] if rule.exclusive else [])}
    counts = Counter(name for name, _ in given)
    unknown = [name for name in counts if name not in known]
    repeated = [name for name, count in counts.items() if count > 1 and name in known]
    others = [name for name in counts if name in known and name != rule.exclusive]
    problems: list[Problem] = []
    if unknown:
        may = f"it takes {', '.join(sorted(known))}" if known else "it takes no other argument"
        problems.append(_bad(f"{_named(unknown)}: not an argument of this verb; {may}, written so"))
    if repeated:
        problems.append(_bad(f"{_named(repeated)}: came more than once; send it once"))
    if rule.exclusive in counts:
        if others:
            problems.append(_bad(f"{_named(others)}: {rule.exclusive} stands alone, as it says all of the list"))
    else:
        missing = [name for name in rule.required if name not in counts]
        problems += [_bad(f"{name} is missing; this verb needs it") for name in missing]
    if problems:
        raise RefusedError([*problems, *_illegal(dict(given))])


def _check_values(values: Mapping[str, str]) -> None:
    """Values that cannot be read, and those that name nothing here."""
    problems = list(_illegal(values))
    problems += _other_bounds(values)
    prefix, set_ = values.get("metadataPrefix"), values.get("set")
    if prefix is not None and _PREFIX.fullmatch(prefix) and prefix not in PREFIXES:
        formats = " and ".join(PREFIXES)
        problems.append(Problem("cannotDisseminateFormat", f"metadataPrefix={shown(prefix)}: formats are {formats}"))
    if set_ is not None and _SET.fullmatch(set_) and set_ != MANAGED:
        problems.append(Problem("noRecordsMatch", f"set={shown(set_)}: the one set here is {MANAGED}"))
    if problems:
        raise RefusedError(problems)


def _illegal(values: Mapping[str, str]) -> Iterable[Problem]:
    identifier = values.get("identifier")
    if identifier is not None and not (0 < len(identifier) <= _LONGEST and _URI.fullmatch(identifier)):
        yield _bad(f"identifier={shown(identifier)} is no URI; identifiers begin with ivo://")
    for name, form in (("metadataPrefix", _PREFIX), ("set", _SET)):
        value = values.get(name)
        if value is not None and not (len(value) <= _LONGEST and form.fullmatch(value)):
            yield _bad(f"{name}={shown(value)} is no name")
    for name in ("from", "until"):
        value = values.get(name)
        if value is not None and read(value) is None:
            yield _bad(f"{name}={shown(value)} is no date; write 2001-02-28 or 2001-02-28T12:34:56Z, in UTC")


def _other_bounds(values: Mapping[str, str]) -> Iterable[Problem]:
    first, last = _bound(values, "from"), _bound(values, "until")
    if first is None or last is None:
        return
    if first.is_day != last.is_day:
        yield _bad("from and until are of different granularity; write both to the day, or both to the second")
    elif first.first > last.last:
        yield _bad("from is later than until; exchange them")


def _bound(values: Mapping[str, str], name: str) -> Stretch | None:
    value = values.get(name)
    return None if value is None else read(value)


def _resumed(verb: str, token: str, now: dt.datetime) -> Resume:
    position = read_token(token, now)
    if position is None or position.verb != verb:
        text = f"resumptionToken={shown(token)} continues no list of this verb, or not any more; begin the list anew"
        raise RefusedError([Problem("badResumptionToken", text)])
    return Resume("ListRecords" if verb == "ListRecords" else "ListIdentifiers", position)


def _asked(verb: str, values: Mapping[str, str]) -> Asked:
    prefix: Prefix = "oai_dc" if values.get("metadataPrefix") == "oai_dc" else "ivo_vor"
    first, last = _bound(values, "from"), _bound(values, "until")
    match verb:
        case "Identify":
            return Identify()
        case "ListMetadataFormats":
            return ListFormats(values.get("identifier"))
        case "ListSets":
            return ListSets()
        case "GetRecord":
            return GetRecord(values["identifier"], prefix)
        case _:
            many: ListVerb = "ListRecords" if verb == "ListRecords" else "ListIdentifiers"
            return ListMany(many, prefix, first.first if first else None, last.last if last else None)


def _bad(text: str) -> Problem:
    return Problem("badArgument", text)


def _named(names: list[str]) -> str:
    most = 5
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(shown(name) for name in names[:most]) + more
