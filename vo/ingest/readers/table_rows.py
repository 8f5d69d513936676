"""The rows of a list, whatever form it has: one by one, with their lines, in constant memory.

Texts (fixed width, CSV, TSV, ECSV) come as they are written, VOTable, FITS and Parquet as
:mod:`vo.tables.reading` reads them. A folder's own ``reader.py`` takes the place of all of these.
"""

from __future__ import annotations

import csv
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO, cast

import yaml

from vo.errors import Fault, OperatorFault
from vo.ingest.readers.table_rules import Row, known_units
from vo.metadata.mapping import READER, Format, ListMapping, SourceRules
from vo.tables.reading.open import open_table
from vo.tables.reading.table import ReadLimits

#: Tables of one's own have no limits but those of the machine.
_LIMITS = ReadLimits(rows=1 << 40, columns=10_000, cell_bytes=64 << 20, table_bytes=1 << 44)
_MEDIA_TYPES: dict[Format, str] = {
    "votable": "application/x-votable+xml",
    "fits": "application/fits",
    "parquet": "application/vnd.apache.parquet",
}
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that is none, and why."""

    kind: str
    reason: str


#: PostgreSQL holds neither in a text.
_NO_TEXT = Bad("value not understood", "a NUL character, or half of a character, in it")

#: A row and its line in the file (its number, in tables without lines), counted from 1.
Numbered = tuple[int, Row | Bad]


@dataclass(frozen=True, slots=True)
class Rows:
    """A list: ``read`` gives its rows anew at each call, with at least the columns asked for.

    ``units`` are those that the list itself tells.
    """

    read: Callable[[Collection[str]], Iterator[Numbered]]
    units: Mapping[str, str]


def open_rows(path: Path, mapping: ListMapping, folder: Path) -> Rows:
    """Open a list by its mapping; :class:`OperatorFault` names the file, and columns that it lacks."""
    own = folder / READER
    if own.is_file():
        return Rows(lambda _: _own_rows(own, path, mapping), {})
    source = mapping.source
    if source.format == "fixed":
        return Rows(lambda names: _guarded(path, _fixed_rows(path, mapping, names)), {})
    if source.format in ("csv", "tsv"):
        return Rows(lambda _: _guarded(path, _csv_rows(path, mapping)), {})
    if source.format == "ecsv":
        return Rows(lambda _: _guarded(path, _ecsv_rows(path, mapping)), known_units(_ecsv_header(path)[0]))
    return Rows(lambda names: _guarded(path, _table_rows(path, mapping, names)), _table_units(path, source))


def _guarded(path: Path, rows: Iterator[Numbered]) -> Iterator[Numbered]:
    try:
        yield from rows
    except UnicodeDecodeError as error:
        raise OperatorFault(
            f'{path} is not {error.encoding} ({error.reason}); say encoding = "latin-1" under [source] in mapping.toml'
        ) from error
    except (csv.Error, OSError) as error:
        raise OperatorFault(f"{path} cannot be read: {error}") from error


def _is_text(values: Iterable[object]) -> bool:
    for value in values:
        if isinstance(value, str):
            if "\0" in value:
                return False
            if not value.isascii():
                try:
                    value.encode()
                except UnicodeEncodeError:
                    return False
    return True


# ------------------------------------------------------------------------------------------------- text


def _lines(file: IO[str], source: SourceRules) -> Iterator[tuple[int, str]]:
    """Lines with something on them, behind the header and without comments."""
    for number, line in enumerate(file, start=1):
        text = line.rstrip("\r\n")
        if number <= source.header_lines or not text.strip():
            continue
        if source.comment is None or not text.startswith(source.comment):
            yield number, text


def _fixed_rows(path: Path, mapping: ListMapping, names: Collection[str]) -> Iterator[Numbered]:
    slices = [mapping.span(name) for name in names]
    # newlines of other kinds are no ends of lines: a form feed amid a remark must not cut it
    with path.open(encoding=_signed(mapping.source), newline="\n") as file:
        for number, text in _lines(file, mapping.source):
            if "\0" in text:
                yield number, _NO_TEXT
            else:
                yield number, dict(zip(names, map(text.__getitem__, slices), strict=True))


def _csv_rows(path: Path, mapping: ListMapping) -> Iterator[Numbered]:
    source = mapping.source
    with path.open(encoding=_signed(source), newline="") as file:
        for _ in range(source.header_lines):
            next(file, None)
        lines = _csv_reader(file, source)
        names = list(source.column_names) or _names(lines, path, source.header_lines + 1)
        _require(path, names, mapping)
        yield from _records(lines, names, source)


def _records(lines: _CsvReader, names: list[str], source: SourceRules) -> Iterator[Numbered]:
    first = source.header_lines
    for values in lines:
        if not values or (source.comment is not None and values[0].startswith(source.comment)):
            continue
        number = first + lines.line_num
        if len(values) != len(names):
            yield number, Bad("wrong number of values", f"{len(values)} values for {len(names)} columns")
        elif any("\0" in value for value in values):
            yield number, _NO_TEXT
        else:
            yield number, dict(zip(names, values, strict=True))


class _CsvReader:
    """``csv.reader`` with a type: rows and the line where the last one ended."""

    def __init__(self, lines: Iterator[str], delimiter: str, *, has_quotes: bool = True) -> None:
        if has_quotes:
            self._reader = csv.reader(lines, delimiter=delimiter)
        else:
            self._reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)

    def __iter__(self) -> Iterator[list[str]]:
        return self._reader

    @property
    def line_num(self) -> int:
        return self._reader.line_num


def _csv_reader(file: IO[str], source: SourceRules) -> _CsvReader:
    if source.format == "tsv":
        return _CsvReader(file, source.delimiter or "\t", has_quotes=False)
    return _CsvReader(file, source.delimiter or ",")


def _signed(source: SourceRules) -> str:
    """UTF-8 may come with a byte order mark, which spreadsheets write."""
    return "utf-8-sig" if source.encoding == "utf-8" else source.encoding


def _names(lines: _CsvReader, path: Path, line: int) -> list[str]:
    for values in lines:
        if values:
            names = [name.strip() for name in values]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise OperatorFault(f"{path}, line {line}: two columns are called {twice!r}")
            return names
    raise OperatorFault(f"{path} has no line with the names of its columns")


def _require(path: Path, names: list[str], mapping: ListMapping) -> None:
    missing = sorted(mapping.used_columns.difference(names))
    if missing:
        more = " ..." if len(names) > _SHOWN else ""
        raise OperatorFault(
            f"{path} has no column {', '.join(missing)}, which mapping.toml names; "
            f"its columns are {', '.join(names[:_SHOWN])}{more}"
        )


# ------------------------------------------------------------------------------------------------- ECSV


def _ecsv_header(path: Path) -> tuple[dict[str, str | None], str, int]:
    """The columns' units, the delimiter, and how many lines the YAML header has (astropy's APE 6)."""
    header: list[str] = []
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                if not line.startswith("#"):
                    break
                header.append(line[1:].removeprefix(" "))
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorFault(f"{path} cannot be read: {error}") from error
    if not header or not header[0].startswith("%ECSV"):
        raise OperatorFault(f"{path} is not ECSV: its first line is not '# %ECSV 1.0'")
    units: dict[str, str | None] = {}
    delimiter = " "
    for text in header[1:]:
        # Line by line: tags in its `meta` are of no concern, and YAML without them is not
        if text.startswith("delimiter:"):
            delimiter = str(_yaml(text).get("delimiter", " "))
        elif text.startswith("- {name:") and "name" in (column := _yaml(text[2:])):
            units[str(column["name"])] = column.get("unit")
    return units, delimiter, len(header)


def _yaml(text: str) -> dict[str, str]:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}  # a column that YAML cannot read has no unit that is known
    return value if isinstance(value, dict) else {}


def _ecsv_rows(path: Path, mapping: ListMapping) -> Iterator[Numbered]:
    _, delimiter, header = _ecsv_header(path)
    with path.open(encoding="utf-8", newline="") as file:
        for _ in range(header):
            next(file, None)
        lines = _CsvReader(file, delimiter)
        names = _names(lines, path, header + 1)
        _require(path, names, mapping)
        yield from _records(lines, names, SourceRules(header_lines=header))


# ------------------------------------------------------------------------------------------------- binary tables


def _table_units(path: Path, source: SourceRules) -> dict[str, str]:
    if source.format not in _MEDIA_TYPES:
        raise OperatorFault(f"{path}: mapping.toml does not say its format")
    try:
        with path.open("rb") as file:
            table = open_table(file, media_type=_MEDIA_TYPES[source.format], filename=path.name, limits=_LIMITS)
            return known_units({field.name: field.unit for field in table.fields})
    except OSError as error:
        raise OperatorFault(f"{path} cannot be read: {error}") from error
    except Fault as fault:
        raise OperatorFault(f"{path}: {fault.text}") from fault


def _table_rows(path: Path, mapping: ListMapping, names: Collection[str]) -> Iterator[Numbered]:
    source = mapping.source
    media_type = _MEDIA_TYPES.get(source.format or "csv")
    number = 0
    try:
        with path.open("rb") as file:
            table = open_table(file, media_type=media_type, filename=path.name, limits=_LIMITS)
            _require(path, [field.name for field in table.fields], mapping)
            for batch in table.batches:
                for row in batch.select(list(names)).to_pylist():
                    number += 1
                    yield number, row
    except OperatorFault:
        raise
    except Fault as fault:
        raise OperatorFault(f"{path}: {fault.text}") from fault


# ------------------------------------------------------------------------------------------------- reader.py


def _own_rows(own: Path, path: Path, mapping: ListMapping) -> Iterator[Numbered]:
    """The rows that the folder's own reader gives; what goes wrong in it is told with its line."""
    number = 0
    try:
        for number, row in enumerate(_load(own)(path), start=1):
            if number == 1:
                _check_row(own, row, mapping)
            yield number, _complete(row, mapping)
    except OperatorFault:
        raise
    except Exception as error:
        raise OperatorFault(_told(own, error, number)) from error


def _load(own: Path) -> Callable[[Path], Iterator[object]]:
    module = ModuleType("reader")
    module.__file__ = str(own)
    exec(compile(own.read_bytes(), str(own), "exec"), module.__dict__)  # noqa: S102 -- the operator's own file
    rows = getattr(module, "rows", None)
    if not callable(rows):
        raise OperatorFault(f"{own} has no function rows(path)")
    return cast("Callable[[Path], Iterator[object]]", rows)


def _complete(row: object, mapping: ListMapping) -> Row | Bad:
    if not isinstance(row, Mapping):
        return Bad("row not understood", f"{READER} gave {type(row).__name__}, not a mapping of columns to values")
    missing = [name for name in mapping.used_columns if name not in row]
    if missing:
        return Bad("wrong number of values", f"{READER} gave no column {', '.join(sorted(missing))}")
    return row if _is_text(row[name] for name in mapping.used_columns) else _NO_TEXT


def _check_row(own: Path, row: object, mapping: ListMapping) -> None:
    if isinstance(row, Mapping):
        _require(own, [str(name) for name in row], mapping)


def _told(own: Path, error: Exception, number: int) -> str:
    """Where in the curator's file something went wrong."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(own)]
    line = error.lineno if isinstance(error, SyntaxError) else (lines[-1] if lines else None)
    place = f"{own}, line {line}" if line else str(own)
    return f"{place}: {type(error).__name__}: {error} (behind row {number})"
