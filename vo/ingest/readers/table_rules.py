"""Rules of a mapping, made into functions that find values in rows (docs/mapping.md, "Rules")."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Iterable, Mapping

from vo.ingest.readers.table_forms import angle_reader
from vo.metadata.fields import Column, Kind
from vo.metadata.forms import parse_angle_form
from vo.metadata.mapping import FIELD, UNITS, FlagRule, NumberRule, OwnRule, Rule, read_unit

#: A row of a list: column names to what stands there.
Row = Mapping[str, object]
Find = Callable[[Row], str | None]
#: Finds a number or raises ValueError with the reason.
FindNumber = Callable[[Row], float | None]
#: A value of a column of the collection's own.
Own = str | float | int | bool | None

_INTEGERS = (Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT)


def as_text(value: object) -> str:
    """What a cell holds as text; whole numbers without a fraction, nothing for null and NaN."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)  # noqa: PLR2004 -- exact
    return str(value)


class Nulls:
    """The texts that mean nothing, as texts and as numbers."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = frozenset(("", *texts))
        self._numbers = frozenset(number for text in self._texts if (number := _as_number(text)) is not None)

    def __contains__(self, text: object) -> bool:
        return text in self._texts or (isinstance(text, str) and _as_number(text) in self._numbers)


def make_nulls(texts: Iterable[str]) -> Container[str]:
    """The texts that mean nothing; a plain set, which is quicker, where none of them is a number."""
    every = frozenset(("", *texts))
    return Nulls(every) if any(_as_number(text) is not None for text in every) else every


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def make_finder(rule: Rule | None, nulls: Iterable[str], *, keeps_blanks: bool = False) -> Find:
    """Make the function that finds a rule's text in a row, stripped, None when there is none.

    ``nulls`` are texts that mean nothing in any column. With ``keeps_blanks`` a column's text keeps the blanks around
    it, by which forms of fixed width are read.
    """
    if rule is None:
        return _nothing
    null = make_nulls((*nulls, *rule.null))
    is_plain = rule.pattern is None and not rule.names and rule.value is None
    if is_plain and not keeps_blanks and rule.template is None and len(rule.column) == 1:
        return _text_of(rule.column[0], null)
    find = _template(rule.template, null) if rule.template is not None else _column(rule.column, null)
    if is_plain:
        return find if keeps_blanks else _stripped(find)
    pattern = None if rule.pattern is None else re.compile(rule.pattern)
    names, otherwise = rule.names, rule.value

    def cut(row: Row) -> str | None:
        text = find(row)
        if text is not None and not (keeps_blanks and pattern is None):
            text = text.strip()
        if text is not None and pattern is not None:
            match = pattern.search(text)
            text = (match[pattern.groups] or "").strip() or None if match else None
        if text is None:
            return otherwise
        return names.get(text.strip(), text) if names else text

    return cut


def _nothing(_row: Row) -> None:
    return None


def _stripped(find: Find) -> Find:
    def strip(row: Row) -> str | None:
        text = find(row)
        return None if text is None else text.strip()

    return strip


def _column(names: tuple[str, ...], null: Container[str]) -> Find:
    if len(names) == 1:
        return _one_column(names[0], null)

    def find(row: Row) -> str | None:
        for name in names:
            text = as_text(row[name])
            if text.strip() not in null:
                return text
        return None

    return find


def _one_column(name: str, null: Container[str]) -> Find:
    def find(row: Row) -> str | None:
        value = row[name]
        text = value if type(value) is str else as_text(value)
        return None if text.strip() in null else text

    return find


def _text_of(name: str, null: Container[str]) -> Find:
    """What most rules are, a column's text without blanks around it, without a call within a call."""

    def find(row: Row) -> str | None:
        value = row[name]
        text = (value if type(value) is str else as_text(value)).strip()
        return None if text in null else text

    return find


def _template(template: str, null: Container[str]) -> Find:
    parts: list[tuple[str, str, str]] = []  # text before, column, width
    place = 0
    for match in FIELD.finditer(template):
        parts.append((template[place : match.start()], match[1], match[2] or ""))
        place = match.end()
    rest = template[place:]

    def find(row: Row) -> str | None:
        made: list[str] = []
        is_empty = True
        for before, name, width in parts:
            text = as_text(row[name]).strip()
            if text in null:
                made.append(before)
                continue
            is_empty = False
            made += before, format(text, width) if width else text
        return None if is_empty else "".join(made) + rest

    return find


def make_written_finder(rule: Rule | None, nulls: Iterable[str], decimal: str) -> Find:
    """Make the function that finds the text of a number, an angle or a time, with a point before its decimals.

    ``decimal`` is what stands there in the list.
    """
    find = make_finder(rule, nulls, keeps_blanks=True)
    if decimal == ".":
        return find

    def written(row: Row) -> str | None:
        text = find(row)
        return None if text is None else text.replace(decimal, ".")

    return written


def make_number_finder(
    rule: NumberRule | None, kind: str, nulls: Iterable[str], units: Mapping[str, str], decimal: str = "."
) -> FindNumber:
    """Make the function that finds a quantity in the archive's unit; ``units`` are those that the list gives itself."""
    if rule is None:
        return _nothing
    find = make_written_finder(rule, nulls, decimal)
    own_unit = next((units[name] for name in rule.columns if name in units), None)
    factor = 1.0 if rule.unit is None and own_unit is None else read_unit(kind, rule.unit or own_unit or "")
    if rule.form is None:
        return _bounded(rule, lambda row: _decimal(find(row)), factor)
    form = parse_angle_form(rule.form)
    read = angle_reader(form)
    # an angle of hours is 15 degrees for each, a time of degrees would be none: its form counts hours
    scale = {"time": 3600.0, "angle": 15.0 if form.is_hours else 1.0}[kind]
    return _bounded(rule, lambda row: None if (text := find(row)) is None else read(text)[0], scale)


def _decimal(text: str | None) -> float | None:
    if text is None:
        return None
    value = _as_number(text)
    if value is None or not math.isfinite(value):
        raise ValueError(f"{text.strip()!r} is not a number")
    return value


def _bounded(rule: NumberRule, find: FindNumber, factor: float) -> FindNumber:
    least = -math.inf if rule.least is None else rule.least
    most = math.inf if rule.most is None else rule.most

    def bounded(row: Row) -> float | None:
        value = find(row)
        if value is None:
            return None
        if not least <= value <= most:
            raise ValueError(f"{value:g} is not within {least:g} to {most:g}")
        return value * factor

    return bounded


def make_flag_finder(rule: FlagRule | OwnRule, nulls: Iterable[str]) -> Callable[[Row], bool | None]:
    """Make the function that finds yes or no, None where nothing is found."""
    find = make_finder(rule, nulls)
    yes = frozenset(text.strip().lower() for text in rule.yes)

    def flag(row: Row) -> bool | None:
        text = find(row)
        return None if text is None else text.lower() in yes

    return flag


def make_own_finder(rule: OwnRule, column: Column, nulls: Iterable[str], decimal: str = ".") -> Callable[[Row], Own]:
    """Make the function that finds the value of a column of the collection's own; it raises ValueError."""
    if column.kind is Kind.BOOLEAN:
        return make_flag_finder(rule, nulls)
    if column.kind not in (*_INTEGERS, Kind.REAL, Kind.DOUBLE):
        return make_finder(rule, nulls)
    find = make_written_finder(rule, nulls, decimal)
    if rule.form is None:
        number = _bounded(rule, lambda row: _decimal(find(row)), rule.factor)
    else:
        read = angle_reader(parse_angle_form(rule.form))
        number = _bounded(rule, lambda row: None if (text := find(row)) is None else read(text)[0], rule.factor)
    return _whole(number) if column.kind in _INTEGERS else number


def _whole(find: FindNumber) -> Callable[[Row], int | None]:
    def whole(row: Row) -> int | None:
        value = find(row)
        if value is None:
            return None
        if not value.is_integer():
            raise ValueError(f"{value!r} is not a whole number")
        return int(value)

    return whole


def known_units(units: Mapping[str, str | None]) -> dict[str, str]:
    """The units of a list's columns that a mapping knows; of others the rules say what they are."""
    names = {name for kind in UNITS.values() for name in kind}
    return {column: unit for column, unit in units.items() if unit in names}
