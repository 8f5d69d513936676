"""What the server and the process of a search tell each other: one JSON document a line.

The server writes an :class:`Order`, then perhaps ``stop``; the end of its lines means that nobody listens any more. The
process writes messages, each an object with one of these keys:

- ``log``: a line for people, which is kept with the result;
- ``now``: what it does at the moment;
- ``counts``: how many services there are to ask (``services``), have been asked (``queried``) and failed (``failed``);
- ``rows``: exposures found, as objects of ObsCore's columns, ``service`` (identifier) and ``service_title``;
- ``end``: the last one: ``done``, ``stopped`` or ``failed``.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from vo.web.discovery.question import Question

STOP = "stop"

#: No text of others is kept beyond this, in characters.
LONGEST_VALUE = 4000
LONGEST_LINE = 600

#: Rows of one message.
BATCH_ROWS = 100

#: More bytes than a message has: a hundred rows of some fifty values.
LONGEST_MESSAGE = 1 << 25


@dataclass(frozen=True, slots=True)
class Own:
    """How the process reaches the server that started it.

    ``host`` and ``port`` are where that listens; addresses below any of ``bases`` are asked for there, whatever a name
    means on this machine and whichever proxy stands before it. ``headers`` say how the visitor calls the server, so
    that the addresses in its answers are the visitor's.
    """

    host: str
    port: int
    bases: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def url(self) -> str:
        """Its address as this machine reaches it."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a search may cost: ``bytes`` of one answer, ``memory`` of the process; ``private`` networks, too."""

    service_seconds: float
    rows: int
    bytes: int
    memory: int
    private: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is to do; ``columns`` are those of ObsCore to give, by what they hold (text, integer, float)."""

    question: Question
    own: Own
    bounds: Bounds
    columns: tuple[tuple[str, str], ...]


def write_order(order: Order) -> str:
    """An order as a line."""
    return json.dumps(dataclasses.asdict(order)) + "\n"


def read_order(line: str) -> Order:
    """The order of a line."""
    told: dict[str, Any] = json.loads(line)
    question, own = told["question"], told["own"]
    return Order(
        Question(
            space=_pair(question["space"]),
            time=_pair(question["time"]),
            spectrum=question["spectrum"],
            inclusive=question["inclusive"],
        ),
        Own(own["host"], own["port"], tuple(own["bases"]), tuple(map(_pair, own["headers"]))),
        Bounds(**told["bounds"]),
        tuple(map(_pair, told["columns"])),
    )


def _pair(values: list[Any] | None) -> Any:
    return None if values is None else tuple(values)
