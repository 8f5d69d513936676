"""Values as other types, and texts as timestamps."""

from __future__ import annotations

import datetime as dt
import re

from vo.adql.kinds import Type
from vo.adql.plan import Constant, Convert, Expression, Minus
from vo.adql.syntax.tree import Problem


def to_timestamp(value: str) -> str | None:
    """A DALI timestamp (1.1, section 3.3.3) as PostgreSQL reads it, None when the text is none."""
    match = re.fullmatch(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)\d*Z?)?", value.strip())
    if match is None:
        return None
    written = f"{match[1]} {match[2] or '00:00:00'}"
    try:
        dt.datetime.fromisoformat(written.split(".", maxsplit=1)[0])
    except ValueError:
        return None
    return written


def convert(expression: Expression, target: Type) -> Expression:
    """The value as another type; constants are converted at once."""
    if expression.type is target:
        return expression
    if isinstance(expression, Constant):
        value = expression.value
        if value is None:
            return Constant(target, None)
        if target in (Type.DOUBLE, Type.REAL) and isinstance(value, int | float):
            return Constant(target, float(value))
    if isinstance(expression, Minus) and isinstance(expression.operand, Constant) and target is Type.DOUBLE:
        return Minus(convert(expression.operand, target))
    return Convert(target, expression)


def timestamp(at: int, text: str) -> Constant:
    """The literal text at this place as timestamp; :class:`Problem` when it is none."""
    value = to_timestamp(text)
    if value is None:
        raise Problem(at, f"{text!r} is no timestamp; write 'YYYY-MM-DDThh:mm:ss'")
    return Constant(Type.TIMESTAMP, value)


def typed(expression: Expression, type_: Type) -> Expression:
    """A bare NULL takes the type of what surrounds it."""
    return Constant(type_, None) if expression.type is Type.NULL else expression
