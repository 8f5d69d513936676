"""How a fault looks in an answer: each protocol has its words and its kind of document.

VOTables are made by :mod:`vo.tables`, which this layer does not know; who wires a service hands in the function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vo.errors import Fault


@dataclass(frozen=True, slots=True)
class FaultStyle:
    """``message`` gives a fault's words, ``document`` makes the answer of them."""

    media_type: str
    message: Callable[[Fault], str]
    document: Callable[[str], bytes]


def tap_style(media_type: str, document: Callable[[str], bytes]) -> FaultStyle:
    """TAP: a VOTable with the plain message (TAP-11)."""
    return FaultStyle(media_type, lambda fault: fault.text, document)


def dali_style(media_type: str, document: Callable[[str], bytes]) -> FaultStyle:
    """SIA2 and Datalink: a VOTable whose message begins with the fault's word (SIA-02, DLK-13)."""
    return FaultStyle(media_type, lambda fault: f"{fault.word}: {fault.text}", document)


def _line(message: str) -> bytes:
    return f"{message}\n".encode()


#: SODA: plain text that begins with SODA's word (SOD-04).
SODA_STYLE = FaultStyle("text/plain; charset=utf-8", lambda fault: f"{fault.soda_word}: {fault.text}", _line)

#: Everything that no protocol rules: plain text.
TEXT_STYLE = FaultStyle("text/plain; charset=utf-8", lambda fault: fault.text, _line)
