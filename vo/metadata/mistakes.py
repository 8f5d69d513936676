"""What is wrong in a file that a curator wrote: every mistake with its file, line and key, all of them at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vo.errors import OperatorFault


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong.

    ``line`` counts from 1; 0 means the whole file. ``key`` is dotted, empty where none is meant. ``text`` says what is
    wrong, ``advice`` what to do instead, where ``text`` alone does not.
    """

    file: Path
    line: int
    key: str
    text: str
    advice: str = ""

    def __str__(self) -> str:
        """File, line, key, what is wrong and what to do, as one line."""
        place = f"{self.file}, line {self.line}" if self.line else str(self.file)
        said = f"{self.key}: {self.text}" if self.key else self.text
        return f"{place}: {said} ({self.advice})" if self.advice else f"{place}: {said}"


class MistakesFault(OperatorFault):
    """Files of a collection that cannot be used as they are; ``mistakes`` has all that is wrong, at least one."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(str(one) for one in self.mistakes))


def read_text(path: Path) -> str:
    """The text of a UTF-8 file with or without a mark at its beginning; lines end in newlines, however it writes them.

    :class:`MistakesFault` names the line that is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MistakesFault([Mistake(path, 0, "", f"cannot be read: {error.strerror}")]) from error
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MistakesFault([Mistake(path, line, "", "is not UTF-8", "save the file as UTF-8")]) from error


def suggest(word: str, known: Iterable[str]) -> str:
    """``did you mean ...?`` with the nearest of the known words; empty when none is near."""
    found = nearest(word, known)
    return "" if found is None else f"did you mean {found}?"


def nearest(word: str, known: Iterable[str], least: float = 0.7) -> str | None:
    """The known word that is most like this one, whatever its letters' case; None when none is near.

    ``least`` is how much alike they must be, from 0 to 1 (:class:`difflib.SequenceMatcher`).
    """
    by_lower = {one.lower(): one for one in known}
    found: Sequence[str] = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=least)
    return by_lower[found[0]] if found else None
