"""Functions of texts (ADQL 2.1, section 4.4)."""

from __future__ import annotations

from vo.adql.functions.function import Function, Group, text
from vo.adql.kinds import Type

STRINGS = (
    Function("LOWER", (text("text"),), Type.TEXT, "lower({0})", "The text in lower case.", Group.STRING),
    Function("UPPER", (text("text"),), Type.TEXT, "upper({0})", "The text in upper case.", Group.STRING),
)
