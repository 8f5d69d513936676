"""A look at a list of plates that nobody has described yet: which form it has, which columns, what stands in them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import yaml

from vo.errors import Fault, OperatorFault
from vo.metadata.mapping import Format
from vo.tables.reading.open import open_table
from vo.tables.reading.table import ReadLimits

#: Rows that are looked at, and lines of a list of fixed width.
_ROWS = 200
_HEAD = 4096
_MEDIA_TYPES: dict[Format, str] = {
    "votable": "application/x-votable+xml",
    "fits": "application/fits",
    "parquet": "application/vnd.apache.parquet",
}
_LIMITS = ReadLimits(rows=1 << 40, columns=10_000, cell_bytes=64 << 20, table_bytes=1 << 44)


@dataclass(frozen=True, slots=True)
class SurveyedColumn:
    """A column of a list: ``values`` are those of the first rows that have one, ``place`` its span (fixed width)."""

    name: str
    values: tuple[str, ...]
    unit: str | None = None
    ucd: str | None = None
    place: str | None = None

    @property
    def is_number(self) -> bool:
        """Whether all values are numbers."""
        try:
            return bool([float(one) for one in self.values])
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Survey:
    """A list's form and columns; ``delimiter`` only where it is not the form's own."""

    path: Path
    format: Format
    columns: tuple[SurveyedColumn, ...]
    encoding: str = "utf-8"
    delimiter: str | None = None


def survey(path: Path) -> Survey:
    """Look at the beginning of a list; :class:`OperatorFault` when it is none."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise OperatorFault(f"{path} cannot be read: {error.strerror}") from error
    if not head.strip():
        raise OperatorFault(f"{path} is empty")
    binary = _binary_format(head)
    if binary is not None:
        return Survey(path, binary, _table_columns(path, binary))
    if b"\0" in head:  # UTF-16, which spreadsheets call Unicode text, or no text at all
        said = f"{path} is no table of a known kind, and no text in UTF-8 or Latin 1"
        raise OperatorFault(f"{said}: save it as CSV UTF-8")
    encoding, lines = _text(path)
    if lines[0].startswith("# %ECSV"):
        return Survey(path, "ecsv", _ecsv_columns(lines))
    first = lines[0]
    if "\t" in first:
        return Survey(path, "tsv", _csv_columns(lines, "\t"), encoding)
    for delimiter in (",", ";", "|"):
        if first.count(delimiter) and all(delimiter in line for line in lines[:5]):
            own = None if delimiter == "," else delimiter
            return Survey(path, "csv", _csv_columns(lines, delimiter), encoding, own)
    return Survey(path, "fixed", _fixed_columns(lines), encoding)


def _binary_format(head: bytes) -> Format | None:
    if head.startswith(b"SIMPLE  ="):
        return "fits"
    if head.startswith(b"PAR1"):
        return "parquet"
    return "votable" if re.search(rb"<(?:\w+:)?VOTABLE\b", head) else None


def _text(path: Path) -> tuple[str, list[str]]:
    """The encoding, and the first lines that have something on them."""
    for encoding in ("utf-8-sig", "latin-1"):
        try:
            with path.open(encoding=encoding) as file:
                lines = [line.rstrip("\r\n") for line in islice(file, _ROWS) if line.strip()]
        except UnicodeDecodeError:
            continue
        return "utf-8" if encoding == "utf-8-sig" else encoding, lines
    raise OperatorFault(f"{path} is no text")  # not reached: every byte is a character of Latin 1


def _csv_columns(lines: Sequence[str], delimiter: str) -> tuple[SurveyedColumn, ...]:
    names, *rows = csv.reader(lines, delimiter=delimiter)
    return tuple(
        SurveyedColumn(name.strip(), _filled(row[place] for row in rows if len(row) > place))
        for place, name in enumerate(names)
        if name.strip()
    )


def _filled(values: object) -> tuple[str, ...]:
    return tuple(text for value in values if value is not None and (text := str(value).strip()))  # type: ignore[attr-defined]


def _ecsv_columns(lines: Sequence[str]) -> tuple[SurveyedColumn, ...]:
    header = [line[1:].removeprefix(" ") for line in lines if line.startswith("#")]
    try:
        told = yaml.safe_load("\n".join(line for line in header[1:] if not line.startswith("---"))) or {}
    except yaml.YAMLError:
        told = {}
    told = told if isinstance(told, dict) else {}
    units = {str(one.get("name")): one.get("unit") for one in told.get("datatype", []) if isinstance(one, dict)}
    body = [line for line in lines if not line.startswith("#")]
    found = _csv_columns(body, str(told.get("delimiter", " "))) if body else ()
    return tuple(SurveyedColumn(one.name, one.values, units.get(one.name)) for one in found)


def _table_columns(path: Path, form: Format) -> tuple[SurveyedColumn, ...]:
    try:
        with path.open("rb") as file:
            table = open_table(file, media_type=_MEDIA_TYPES[form], filename=path.name, limits=_LIMITS)
            rows = list(islice((row for batch in table.batches for row in batch.to_pylist()), _ROWS))
            return tuple(
                SurveyedColumn(field.name, _filled(row.get(field.name) for row in rows), field.unit, field.ucd)
                for field in table.fields
            )
    except Fault as fault:
        raise OperatorFault(f"{path}: {fault.text}") from fault


def _fixed_columns(lines: Sequence[str]) -> tuple[SurveyedColumn, ...]:
    """Columns between places that are blank in nearly all lines; what runs together comes as one."""
    width = max(map(len, lines))
    inked = Counter(place for line in lines for place, letter in enumerate(line) if letter != " ")
    spans: list[tuple[int, int]] = []
    for place in range(width):
        if inked[place] <= len(lines) // 100:
            continue
        if spans and spans[-1][1] == place - 1:
            spans[-1] = (spans[-1][0], place)
        else:
            spans.append((place, place))
    return tuple(
        SurveyedColumn(
            f"column{number}",
            _filled(line[first : last + 1] for line in lines),
            place=f"{first + 1}-{last + 1}",
        )
        for number, (first, last) in enumerate(spans, start=1)
    )
