"""All functions in one table, by name."""

from __future__ import annotations

from vo.adql.functions.conditional import CONDITIONAL
from vo.adql.functions.function import Function
from vo.adql.functions.geometric import GEOMETRIC
from vo.adql.functions.mathematical import MATHEMATICAL
from vo.adql.functions.moc import MOC
from vo.adql.functions.strings import STRINGS
from vo.adql.functions.unit import UNITS
from vo.adql.functions.user_defined import USER_DEFINED

ALL_FUNCTIONS: tuple[Function, ...] = (
    *MATHEMATICAL,
    *GEOMETRIC,
    *MOC,
    *STRINGS,
    *CONDITIONAL,
    *UNITS,
    *USER_DEFINED,
)


def _by_name() -> dict[str, tuple[Function, ...]]:
    table: dict[str, tuple[Function, ...]] = {}
    for function in ALL_FUNCTIONS:
        key = function.name.upper()
        table[key] = (*table.get(key, ()), function)
    return table


#: The ways to call each function, by its name in upper case.
FUNCTIONS: dict[str, tuple[Function, ...]] = _by_name()
