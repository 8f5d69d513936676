"""What is wrong in a Felis file, in our words: all of it, with lines.

The Felis library stops at the first datatype that it does not know, with an error that has no place. So where it
refuses a file, each column is shown to it alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from felis import datamodel
from pydantic import BaseModel, ValidationError

from vo.metadata.mistakes import Mistake, MistakesFault, suggest
from vo.metadata.yaml_lines import YamlFile, read_yaml

_Loc = tuple[int | str, ...]

#: What the lists of a Felis file have in them.
_KINDS: Mapping[str, type[BaseModel]] = {
    "tables": datamodel.Table,
    "columns": datamodel.Column,
    "indexes": datamodel.Index,
}
_CONTEXT = {"id_generation": True, "dereference_resources": True}


def explain(path: Path, error: Exception) -> MistakesFault:
    """Everything that is wrong in a file which Felis refused with this error."""
    try:
        file = read_yaml(path)
    except MistakesFault as fault:
        return fault
    mistakes = list(dict.fromkeys((*_shape(file), *_columns(file))))
    if isinstance(error, ValidationError):
        mistakes += [one for one in _explained(file, error, (), datamodel.Schema) if not _is_told(one, mistakes)]
    return MistakesFault(sorted(mistakes or [Mistake(path, 0, "", _said(str(error)))], key=lambda one: one.line))


@dataclass(frozen=True, slots=True)
class Places:
    """Where the tables and columns of a Felis file are, by their names; read only when something is wrong."""

    path: Path

    def mistake(self, table: str, column: str, text: str, advice: str = "", key: str = "name") -> Mistake:
        """A mistake of a column, or of a table where ``column`` is empty; at the file where neither is in it."""
        file = read_yaml(self.path)
        loc: _Loc = ()
        for number, one in _tables(file):
            if one.get("name") == table:
                loc = ("tables", number)
                found = (at for at, each in _columns_of(one) if each.get("name") == column)
                loc = next(((*loc, "columns", at, key) for at in found), (*loc, "name"))
        return file.mistake(loc, f"{table}.{column}" if column else table, text, advice)


def _tables(file: YamlFile) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The tables of a file, as far as they are of the right shape."""
    tables = file.values.get("tables") if isinstance(file.values, dict) else None
    for number, table in enumerate(tables if isinstance(tables, list) else ()):
        if isinstance(table, dict):
            yield number, table


def _columns_of(table: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    columns = table.get("columns")
    for number, column in enumerate(columns if isinstance(columns, list) else ()):
        if isinstance(column, dict):
            yield number, column


def _shape(file: YamlFile) -> Iterator[Mistake]:
    """Lists and maps where others should be, which Felis stumbles over."""
    if not isinstance(file.values, dict) or not isinstance(file.values.get("tables"), list):
        yield Mistake(file.path, 0, "", "a Felis file is a map with name, description and a list of tables")
        return
    for number, table in enumerate(file.values["tables"]):
        loc: _Loc = ("tables", number)
        if not isinstance(table, dict) or not isinstance(table.get("columns", []), list):
            yield file.mistake(loc, "tables", "a table is a map with name, description and a list of columns")
            continue
        for at, column in enumerate(table.get("columns", [])):
            if not isinstance(column, dict):
                said = "a column is a map with name, datatype and description"
                yield file.mistake((*loc, "columns", at), str(table.get("name", "tables")), said)


def _columns(file: YamlFile) -> Iterator[Mistake]:
    """What is wrong with each column, shown to Felis by itself."""
    known = [one.value for one in datamodel.DataType]
    for number, table in _tables(file):
        for at, column in _columns_of(table):
            loc: _Loc = ("tables", number, "columns", at)
            name = f"{table.get('name', '')}.{column.get('name', at)}"
            datatype = column.get("datatype")
            if datatype is not None and datatype not in known:
                said = f"datatype {datatype!r} is none that Felis knows"
                advice = suggest(str(datatype), known) or f"there are {', '.join(known)}"
                yield file.mistake((*loc, "datatype"), name, said, advice)
            known_type = {} if datatype in known or datatype is None else {"datatype": "int"}
            try:
                datamodel.Column.model_validate({"@id": "#column", **column, **known_type}, context=dict(_CONTEXT))
            except ValidationError as error:
                yield from _explained(file, error, loc, datamodel.Column, name)
            except (ValueError, TypeError, AttributeError) as error:
                yield file.mistake(loc, name, _said(str(error)))


def _explained(
    file: YamlFile, error: ValidationError, around: _Loc, model: type[BaseModel], name: str = ""
) -> Iterator[Mistake]:
    for item in error.errors(include_url=False):
        loc = (*around, *item["loc"])
        key = ".".join(part for part in (name, *_words(item["loc"])) if part)
        if item["type"] == "extra_forbidden":
            known = _keys(model, item["loc"][:-1])
            yield file.mistake(loc, key, "is not a key of Felis", suggest(str(loc[-1]), known))
        elif item["type"] == "missing":
            yield file.mistake(loc, key, "is required and not there")
        else:
            yield file.mistake(loc, key, _said(str(item["msg"])))


def _words(loc: Sequence[int | str]) -> Iterator[str]:
    return (f"{part + 1}" if isinstance(part, int) else part for part in loc)


def _keys(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """The keys of the table, column or schema that is meant."""
    names = [part for part in loc if isinstance(part, str)]
    meant: type[BaseModel] = _KINDS.get(names[-1], model) if names else model
    return [field.alias or name for name, field in meant.model_fields.items()]


def _is_told(mistake: Mistake, told: Sequence[Mistake]) -> bool:
    return any(one.line == mistake.line and one.text == mistake.text for one in told)


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")
