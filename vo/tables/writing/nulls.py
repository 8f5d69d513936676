"""Numbers that stand for null where a form has no other null for integers: VOTable's VALUES null, FITS' TNULL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from vo.metadata.fields import Field
from vo.tables import columns as cols

#: What stands there when nothing has been declared.
DEFAULT = {"unsignedByte": 255, "short": -(2**15), "int": -(2**31), "long": -(2**63)}

_LARGEST = {"short": 2**15 - 1, "int": 2**31 - 1, "long": 2**63 - 1}


def taken(field: Field, items: Any) -> frozenset[int]:
    """The numbers among these integers (a flat Arrow array) of those that could stand for null."""
    values = items.drop_null().to_numpy()
    if field.datatype == "unsignedByte":
        return frozenset(np.unique(values).tolist())
    bounds = DEFAULT[field.datatype], _LARGEST[field.datatype]
    return frozenset(bound for bound in bounds if (values == bound).any())


def free(field: Field, numbers: frozenset[int]) -> int | None:
    """A number that stands for null among integers that have all these; None when there is none left."""
    if field.datatype == "unsignedByte":
        return next((number for number in range(255, -1, -1) if number not in numbers), None)
    return next((one for one in (DEFAULT[field.datatype], _LARGEST[field.datatype]) if one not in numbers), None)


def choose(fields: Sequence[Field], first: Iterable[list[Any]], *, has_flags: bool) -> list[int | None]:
    """Choose what stands for null in each column, for what is found in the ``first`` rows; None where nothing has to.

    Items of arrays need a number when there are null ones. Without flags whole values need one, too, but arrays whose
    length varies: there null is an empty array.
    """
    found: list[frozenset[int]] = [frozenset()] * len(fields)
    has_null_items = [False] * len(fields)
    for columns in first:
        for index, (field, column) in enumerate(zip(fields, columns, strict=True)):
            if cols.is_integer(field) and (cols.is_array(field) or not has_flags):
                items = column.flatten() if cols.is_array(field) else column
                found[index] |= taken(field, items)
                has_null_items[index] |= items.null_count > 0
    return [
        _choose(field, numbers, has_nulls=has_nulls, may_have=not has_flags and cols.fixed_length(field) is not None)
        for field, numbers, has_nulls in zip(fields, found, has_null_items, strict=True)
    ]


def _choose(field: Field, numbers: frozenset[int], *, has_nulls: bool, may_have: bool) -> int | None:
    if not cols.is_integer(field) or not (has_nulls or may_have):
        return None
    number = free(field, numbers)
    return DEFAULT[field.datatype] if number is None and has_nulls else number
