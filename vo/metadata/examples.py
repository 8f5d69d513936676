"""Example queries: ``resources/examples.adql`` for every server, ``resources/<collection>/examples.adql`` for one.

In the file each example begins with comment lines that say what it is, and goes on to the next ``-- name:``::

    -- name: The comet of 1941
    -- about: Plates that show a moving object when it was there.
    --   A line that begins with no key continues the one before.
    -- table: demo.narrow_plates
    -- upload: orbit ra dec epoch
    -- row: 214.62 28.41 30028.08
    SELECT ... FROM demo.narrow_plates JOIN tap_upload.orbit ON ...

``name`` and a query are required; ``table`` and ``upload`` may be repeated. The columns of an upload are numbers
(double), and its rows are given so that the example can be tried as it is. ``-- adql: 2.1`` marks a query that ADQL 2.0
does not have: it is shown to people and kept from clients, many of which still check what they read by 2.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vo.metadata.collection import Collection
from vo.metadata.mistakes import Mistake, MistakesFault, read_text, suggest
from vo.metadata.words import is_regular
from vo.settings import Settings

FILE = "examples.adql"

#: What identifiers of examples that belong to no collection begin with.
GENERAL = "general"

_KEYS = ("name", "about", "adql", "table", "upload", "row")
_VERSIONS = ("2.0", "2.1")
_COMMENT = re.compile(r"\s*--(?:\s*(?P<key>[A-Za-z]+):(?=\s|$))?(?P<text>.*)")


@dataclass(frozen=True, slots=True)
class Upload:
    """A table that a query needs: ``TAP_UPLOAD.<name>`` with columns of numbers, and rows to try it with."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One query with its words; ``collection`` is None for those of every server.

    ``id`` is unique among all and an XML name. ``adql`` is the version of the language that it needs, 2.0 or 2.1.
    ``path`` and ``line`` say where the query begins.
    """

    id: str
    collection: str | None
    name: str
    about: str
    adql: str
    tables: tuple[str, ...]
    uploads: tuple[Upload, ...]
    query: str
    path: Path
    line: int


def read_examples(settings: Settings, collections: Sequence[Collection]) -> tuple[Example, ...]:
    """The examples of every server, then those of these collections; without a file there are none.

    :class:`MistakesFault` has every line of them that cannot be understood.
    """
    mistakes: list[Mistake] = []
    general = _read_file(settings.resources_dir / FILE, None, mistakes)
    own = [example for one in collections for example in _read_file(one.folder / FILE, one.name, mistakes)]
    if mistakes:
        raise MistakesFault(mistakes)
    return (*general, *own)


def _read_file(path: Path, collection: str | None, mistakes: list[Mistake]) -> tuple[Example, ...]:
    if not path.is_file():
        return ()
    try:
        text = read_text(path)
    except MistakesFault as fault:
        mistakes += fault.mistakes
        return ()
    wrong = _Wrong(path, mistakes)
    finished = (_finish(block, wrong, collection) for block in _blocks(text, wrong))
    found = tuple(example for example in finished if example is not None)
    named: dict[str, str] = {}
    for example in found:
        if example.id in named:
            said = f"{named[example.id]!r} and {example.name!r} are too much alike"
            wrong(example.line, said, "tell names of examples apart by letters or digits")
        named[example.id] = example.name
    return found


@dataclass(frozen=True, slots=True)
class _Wrong:
    """Where mistakes of a file are told."""

    path: Path
    mistakes: list[Mistake]

    def __call__(self, line: int, text: str, advice: str = "") -> None:
        self.mistakes.append(Mistake(self.path, line, "", text, advice))


@dataclass(slots=True)
class _Block:
    """An example while it is read: what each key said, with its line; then the lines of the query."""

    line: int
    said: list[tuple[str, str, int]] = field(default_factory=list)
    query: list[str] = field(default_factory=list)
    query_line: int = 0


def _blocks(text: str, wrong: _Wrong) -> Iterator[_Block]:
    block: _Block | None = None
    is_told = False
    for number, line in enumerate(text.splitlines(), start=1):
        comment = _COMMENT.fullmatch(line)
        key = (comment["key"] or "").lower() if comment else ""
        if key == "name":
            if block is not None:
                yield block
            block = _Block(number)
        if block is None:
            if line.strip() and comment is None and not is_told:
                wrong(number, "write `-- name: ...` before the query")
                is_told = True
        elif comment is None or block.query:
            _add_to_query(block, line, number)
        else:
            _add_to_head(block, key, comment["text"].strip(), number, wrong)
    if block is not None:
        yield block


def _add_to_query(block: _Block, line: str, number: int) -> None:
    if not block.query and line.strip():
        block.query_line = number
    if block.query or line.strip():
        block.query.append(line.rstrip())


def _add_to_head(block: _Block, key: str, text: str, number: int, wrong: _Wrong) -> None:
    if key in _KEYS:
        block.said.append((key, text, number))
    elif key:
        advice = suggest(key, _KEYS) or f"there are {', '.join(_KEYS)}"
        wrong(number, f"{key!r} is no key of an example", advice)
    else:
        last, said, begun = block.said.pop()
        block.said.append((last, f"{said} {text}".strip(), begun))


def _finish(block: _Block, wrong: _Wrong, collection: str | None) -> Example | None:
    name, *others = (text for key, text, _ in block.said if key == "name")
    query = "\n".join(block.query).strip().removesuffix(";").rstrip()
    slug = "-".join(re.findall(r"[a-z0-9]+", name.lower()))
    uploads = tuple(_uploads(block, wrong))
    if others or not slug:
        wrong(block.line, "an example needs one name with letters or digits in it")
    if not query:
        wrong(block.line, f"the example {name!r} has no query")
        return None
    version, at = next(((text, at) for key, text, at in block.said if key == "adql"), (_VERSIONS[0], block.line))
    if version not in _VERSIONS:
        wrong(at, f"`adql:` is one of {', '.join(_VERSIONS)}, not {version!r}")
    return Example(
        id=f"{collection or GENERAL}-{slug}",
        collection=collection,
        name=name,
        about=" ".join(text for key, text, _ in block.said if key == "about"),
        adql=version,
        tables=tuple(text for key, text, _ in block.said if key == "table"),
        uploads=uploads,
        query=query,
        path=wrong.path,
        line=block.query_line,
    )


def _uploads(block: _Block, wrong: _Wrong) -> Iterator[Upload]:
    found: list[tuple[str, tuple[str, ...], list[tuple[float, ...]]]] = []
    is_known = False
    for key, text, number in block.said:
        if key == "upload":
            name, *columns = text.split() or [""]
            is_known = bool(columns) and all(is_regular(word) for word in (name, *columns))
            found.append((name, tuple(columns), []))
            if not is_known:
                wrong(number, "write a name and columns after `upload:`, such as orbit ra dec epoch")
        elif key == "row" and not found:
            wrong(number, "a `row:` stands below the `upload:` it belongs to")
        elif key == "row" and is_known:
            _, known, rows = found[-1]
            numbers = _numbers(text)
            if len(numbers) != len(known):
                wrong(number, f"this row needs {len(known)} numbers, one for each column of its upload")
            rows.append(numbers)
    return (Upload(name, columns, tuple(rows)) for name, columns, rows in found)


def _numbers(text: str) -> tuple[float, ...]:
    """The numbers of a row; none when there is anything else in it."""
    try:
        return tuple(float(word) for word in text.split())
    except ValueError:
        return ()
