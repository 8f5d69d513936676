"""The guide for curators, taken apart: files to write, commands to run, and what they should say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

#: What a file is written in; other blocks are run, or are what was said.
_FILES = frozenset({"ini", "csv", "toml", "yaml"})

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A block of the guide: a file with its name, commands, Python, or what the one before should have said.

    ``line`` is where it begins in the guide.
    """

    kind: Literal["file", "sh", "python", "text"]
    text: str
    line: int
    name: str = ""


def steps(guide: str) -> Iterator[Step]:
    """All blocks in order; a file's name stands in the sentence before its block, which ends in a colon."""
    for found in _FENCE.finditer(guide):
        language, text = found.groups()
        line = guide.count("\n", 0, found.start()) + 1
        if language in _FILES:
            before = guide[: found.start()].rstrip().splitlines()[-1]
            name = re.search(r"`([\w./]+)`[^`]*:$", before)
            assert name is not None, f"line {line}: no name of a file before the block: {before!r}"
            yield Step("file", text, line, name[1])
        elif language in ("sh", "python", "text"):
            yield Step(language, text, line)
        else:
            raise AssertionError(f"line {line}: nobody knows what to do with {language}")


def unsaid(wanted: str, said: str) -> str | None:
    """The first line that was not said, in this order; None when all were.

    Blanks do not count, ``...`` stands for anything, and a line may be a part of a longer one.
    """
    place, plain = 0, _plain(said)
    for line in wanted.splitlines():
        pattern = ".*?".join(re.escape(_plain(part)) for part in line.split("..."))
        found = re.compile(pattern, re.DOTALL).search(plain, place)
        if found is None:
            return line
        place = found.end()
    return None


def _plain(text: str) -> str:
    """Without blanks and the colours of a terminal; lines of tables are all the same."""
    return re.sub(r"\s+", "", re.sub(r"\x1b\[[0-9;]*m", "", text))
