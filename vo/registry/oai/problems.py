"""What OAI-PMH calls errors: they are told in an answer of status 200, several at a time (OAI-PMH 2.0, section 3.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Code = Literal[
    "badArgument",
    "badResumptionToken",
    "badVerb",
    "cannotDisseminateFormat",
    "idDoesNotExist",
    "noRecordsMatch",
]

#: With one of these an answer repeats none of the request's arguments (OAI-PMH 2.0, section 3.2).
NOT_ECHOED: frozenset[Code] = frozenset({"badVerb", "badArgument"})

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One error of a request; ``text`` says for people what is wrong and what to do instead."""

    code: Code
    text: str


class RefusedError(Exception):
    """A request that cannot be answered, for all these reasons."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{one.code}: {one.text}" for one in self.problems))


def shown(text: str) -> str:
    """What came from outside, as an answer repeats it: quoted, of printable characters, not too long."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
