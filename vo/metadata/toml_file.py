"""TOML files that curators write, held against a pydantic model: every mistake with the line it stands on."""

from __future__ import annotations

import re
import tomllib
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from vo.metadata import toml_lines
from vo.metadata.mistakes import Mistake, MistakesFault, nearest, read_text

Model = TypeVar("Model", bound=BaseModel)

_Loc = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A file that is TOML: its values, and the line of every key."""

    path: Path
    values: dict[str, Any]
    lines: Mapping[toml_lines.Path, int]

    def line(self, *key: str | int) -> int:
        """The line of a key (``"fits", "date"``; elements of arrays by number), 0 when only the whole file has one."""
        return toml_lines.find_line(self.lines, key)

    def mistake(self, key: _Loc, text: str, advice: str = "") -> Mistake:
        """A mistake at a key."""
        return Mistake(self.path, self.line(*key), _dotted(key), text, advice)

    def validate(self, model: type[Model], what: str, mistakes: Sequence[Mistake] = (), **more: object) -> Model:
        """The file's values as a model, which forbids keys of others' making.

        ``what`` is what the file describes (``a collection``), ``more`` are values that do not come from the file.
        :class:`MistakesFault` has everything that is wrong, and the ``mistakes`` that were found before.
        """
        try:
            made = model.model_validate({**self.values, **more})
        except ValidationError as error:
            found = dict.fromkeys((*self._explained(error, model, what), *mistakes))
            raise MistakesFault(sorted(found, key=lambda one: one.line)) from error
        if mistakes:
            raise MistakesFault(mistakes)
        return made

    def _explained(self, error: ValidationError, model: type[BaseModel], what: str) -> Iterator[Mistake]:
        items = error.errors(include_url=False)
        meant: set[_Loc] = set()
        for item in items:
            if item["type"] == "extra_forbidden":
                *table, word = item["loc"]
                known = _keys(model, table)
                likely = nearest(str(word), known)
                if likely is None or _has(self.values, (*table, likely)):
                    advice = f"there are {', '.join(known)}" if known else ""
                else:
                    meant.add((*table, likely))
                    advice = f"did you mean {likely}?"
                yield self.mistake(item["loc"], f"is not a key of {what}", advice)
        for item in items:
            loc = item["loc"]
            if item["type"] == "extra_forbidden" or (item["type"] == "missing" and loc in meant):
                continue  # the misspelt key was told already
            if item["type"] == "missing":
                yield self.mistake(loc, "is required and not there")
                continue
            # of a value that may be of several types, pydantic tells each type as a part of the key
            yield self.mistake(_there(self.values, loc), _said(str(item["msg"])))


def read_toml(path: Path) -> TomlFile:
    """Read a file; :class:`MistakesFault` names the line where it stops to be TOML."""
    text = read_text(path)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MistakesFault([_syntax(path, text, str(error))]) from error
    return TomlFile(path, values, toml_lines.key_lines(text))


#: What tomllib says, and what a curator may do about it.
_ADVICE = {
    "Invalid value": 'texts stand in quotation marks: title = "..."',
    "Illegal character '\\n'": 'close the quotation marks on the same line, or use three of them: """..."""',
    "Unescaped '\\' in a string": "write patterns and other texts with \\ between single quotes: '...'",
    "Cannot overwrite a value": "the key is there twice",
    "Cannot declare": "a [table] is begun once; put its keys together",
    "Expected '=' after a key": 'a line is: key = "value"',
}


def _syntax(path: Path, text: str, said: str) -> Mistake:
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", said, flags=re.DOTALL)
    if found is None:
        return Mistake(path, 0, "", f"is not TOML: {said}")
    message, line, column = found.groups()
    advice = next((advice for start, advice in _ADVICE.items() if message.startswith(start)), "")
    if line is None:
        return Mistake(path, text.rstrip("\n").count("\n") + 1, "", f"is not TOML: {message} at the end", advice)
    return Mistake(path, int(line), "", f"is not TOML: {message} at column {column}", advice)


def _said(message: str) -> str:
    """What pydantic says, as a sentence of ours goes."""
    message = message.removeprefix("Value error, ")
    if few := re.match(r"Tuple should have at least (\d+) item", message):
        return f"needs at least {few[1]}"
    return message if message[:2].upper() == message[:2] else message[:1].lower() + message[1:]  # FK4 stays FK4


def _dotted(key: _Loc) -> str:
    """``products.templates[0].role``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


def _there(values: object, key: _Loc) -> _Loc:
    """The part of a key that the file has."""
    return next((key[:length] for length in range(len(key), 0, -1) if _has(values, key[:length])), ())


def _has(values: Any, key: _Loc) -> bool:
    for part in key:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _keys(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """The keys that a table of a model may have; empty when it is none of a model's."""
    current: type[BaseModel] | None = model
    is_named = False
    for part in loc:
        if is_named or isinstance(part, int):
            is_named = False  # tables by names of the curator's, elements of an array: all are of the same kind
            continue
        if current is None or part not in current.model_fields:
            return []
        annotation = current.model_fields[part].annotation
        is_named = typing.get_origin(annotation) is dict
        current = _model_in(annotation)
    if current is None:
        return []
    return [name for name, field in current.model_fields.items() if not field.exclude]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model that a type is, or has inside (``tuple[Person, ...] | None``)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inside = (_model_in(one) for one in typing.get_args(annotation))
    return next((one for one in inside if one is not None), None)
