"""Hints for queries that read a large table row by row: which table, and the conditions that its indexes answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from vo.db.explain import Scan
from vo.metadata.fields import Catalogue, Index, Kind, Table

_POSITION = re.compile(r"spoint\(radians\((\w+)\), radians\((\w+)\)\)")
_WORDS = re.compile(r"vo\.words\((\w+)\)")
_WORD = re.compile(r"\w+")


def advise(scans: Sequence[Scan], catalogue: Catalogue) -> tuple[str, ...]:
    """One hint, in words, for each table that is read row by row.

    What a view asks of its table by itself is no fault of the query's, so a scan for that alone gets no hint.
    """
    hints = []
    for scan in scans:
        table = catalogue.by_name.get(scan.table)
        if scan.others == 1 and table is not None and _is_of_view(scan, table, catalogue):
            continue
        hints.append(_hint(scan, table))
    return tuple(hints)


def _is_of_view(scan: Scan, table: Table, catalogue: Catalogue) -> bool:
    views = (one for one in catalogue.tables if one.schema == table.schema and one.view_of == table.name)
    return any(set(scan.columns) <= set(_WORD.findall(view.view_condition or "")) for view in views)


def _hint(scan: Scan, table: Table | None) -> str:
    size = f"{scan.table} ({scan.rows:,} rows) is read "
    size += "whole" if scan.others == 1 else f"row by row and compared with about {scan.others:,} rows each"
    if scan.columns:
        size += f": no index answers what is asked of {', '.join(scan.columns)}"
    forms = tuple(indexed_forms(table)) if table is not None else ()
    return f"{size}. These conditions use an index: {'; '.join(forms)}." if forms else f"{size}."


def indexed_forms(table: Table) -> Iterator[str]:
    """The conditions on a table that an index answers, as they are written in ADQL."""
    yield from dict.fromkeys(form for index in table.indexes if (form := _spatial(index, table)))
    words = (_WORDS.fullmatch(index.parts[0]) for index in table.indexes)
    yield from (f"1 = ivo_hasword({found[1]}, '...')" for found in words if found)
    plain = [table.primary_key[0]] if table.primary_key else []
    plain += [index.parts[0] for index in table.indexes if index.method == "btree"]
    columns = [name for name in dict.fromkeys(plain) if name in table.by_name]
    if columns:
        yield f"=, <, >, BETWEEN, IN and LIKE 'beginning%' with constants on {', '.join(columns)}"


def _spatial(index: Index, table: Table) -> str | None:
    """What a GiST or GIN index is for; None for one that no condition of a user's leads to."""
    if index.method not in ("gist", "gin"):
        return None
    first = index.parts[0]
    position = _POSITION.fullmatch(first)
    if position:
        point = f"POINT({position[1]}, {position[2]})"
        return f"1 = CONTAINS({point}, CIRCLE(...)) or DISTANCE({point}, POINT(...)) < r"
    if table.time_range is not None and first == table.time_range[0]:
        _, begin, end = table.time_range
        time = f"{begin} and {end} together (t BETWEEN {begin} AND {end})"
        return f"{time}, best with a position in {index.parts[1]}" if len(index.parts) > 1 else time
    column = table.by_name.get(first)
    if column is None:
        return None
    if column.kind is Kind.POINT:
        return f"1 = CONTAINS({first}, CIRCLE(...)) or DISTANCE({first}, POINT(...)) < r"
    return f"1 = CONTAINS(POINT(...), {first}) or 1 = INTERSECTS(CIRCLE(...), {first})"
