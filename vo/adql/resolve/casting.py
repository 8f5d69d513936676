"""CAST: which values become which types; what is wrong with a literal is told at once (ADQL 2.1, section 4.7.1)."""

from __future__ import annotations

import math
import re

from vo.adql.kinds import INTEGERS, NUMBERS, SHAPES, Type
from vo.adql.plan import Constant, Convert, Expression, Minus
from vo.adql.resolve.convert import timestamp
from vo.adql.sky import geometry
from vo.adql.sky.geometry import BadArgument
from vo.adql.syntax import tree
from vo.adql.syntax.tree import Problem

_TARGETS = {
    "SMALLINT": Type.SMALLINT,
    "INTEGER": Type.INTEGER,
    "BIGINT": Type.BIGINT,
    "REAL": Type.REAL,
    "DOUBLE PRECISION": Type.DOUBLE,
    "CHAR": Type.TEXT,
    "VARCHAR": Type.TEXT,
    "TIMESTAMP": Type.TIMESTAMP,
    "POINT": Type.POINT,
    "CIRCLE": Type.CIRCLE,
    "POLYGON": Type.POLYGON,
}
_DRAWN = frozenset({Type.POINT, Type.CIRCLE, Type.POLYGON})
_FROM: dict[Type, frozenset[Type]] = {
    **dict.fromkeys(NUMBERS, NUMBERS | {Type.TEXT}),
    Type.TEXT: NUMBERS | {Type.TEXT, Type.TIMESTAMP} | _DRAWN,
    Type.TIMESTAMP: frozenset({Type.TEXT, Type.TIMESTAMP}),
    Type.BOOLEAN: INTEGERS | {Type.TEXT},
    **{shape: frozenset({Type.TEXT, shape}) for shape in _DRAWN},
    Type.MOC: frozenset({Type.TEXT}),
}

#: Words with which a literal text may begin (STC-S).
_WORDS = frozenset({"POSITION", "CIRCLE", "BOX", "POLYGON"})

#: The longest text that a length can be given for.
_LONGEST_TEXT = 10_000_000

_RANGES = {Type.SMALLINT: 2**15, Type.INTEGER: 2**31, Type.BIGINT: 2**63}
#: Beyond these a number is no float4 any more: halfway to the next one, up and down.
_LARGEST_REAL = 3.4028235677973366e38
_SMALLEST_REAL = 7.006492321624085e-46

_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def cast(node: tree.CastTo, operand: Expression) -> Expression:
    """The operand as the type that CAST names; :class:`Problem` when its type, or its literal, cannot become one.

    Doubles become integers by rounding to the nearest, a half to the even one; texts are cut at the length, CHAR with
    a length is filled with blanks to it. The text of a shape is DALI's: its numbers in degrees (1.1, section 3.3).
    """
    target = _TARGETS[node.type]
    _check_length(node)
    if operand.type is Type.NULL:
        return Constant(target, None)
    if target not in _FROM.get(operand.type, ()):
        raise Problem(
            node.at, f"values of type {operand.type} cannot be cast to {node.type}{_hint(operand.type, target)}"
        )
    if isinstance(operand, Constant) and isinstance(operand.value, str):
        if target is Type.TIMESTAMP:
            return timestamp(node.operand.at, operand.value)
        if target in SHAPES:
            return _drawn(node.operand.at, operand, target)
        _check_text(node.operand.at, operand.value, target)
    number = _literal(operand)
    if number is not None:
        _check_number(node.operand.at, number, target)
    if operand.type is target and target is not Type.TEXT:
        return operand
    return Convert(target, operand, node.length, padded=node.type == "CHAR" and node.length is not None)


def _check_length(node: tree.CastTo) -> None:
    if node.length is None:
        return
    if node.type not in ("CHAR", "VARCHAR"):
        raise Problem(node.at, f"{node.type} takes no length")
    if not 1 <= node.length <= _LONGEST_TEXT:
        raise Problem(node.at, f"the length of a text runs from 1 to {_LONGEST_TEXT}")


def _hint(source: Type, target: Type) -> str:
    if source is Type.TIMESTAMP and target in NUMBERS:
        return "; ivo_to_mjd and ivo_to_jd make numbers of timestamps"
    if source in NUMBERS and target is Type.TIMESTAMP:
        return "; a TIMESTAMP is made of a text such as '1910-12-31T06:00:00'"
    if source in NUMBERS and target in SHAPES:
        return f"; write {target}(..) with numbers, or cast a text"
    return ""


def _literal(operand: Expression) -> int | float | None:
    """The number of a literal, with its sign."""
    if isinstance(operand, Minus):
        inner = _literal(operand.operand)
        return None if inner is None else -inner
    if isinstance(operand, Constant) and isinstance(operand.value, int | float) and operand.type in NUMBERS:
        return operand.value
    return None


def _check_text(at: int, text: str, target: Type) -> None:
    """Refuse a text that the database would not read as a number of this type."""
    written = text.strip()
    if target in INTEGERS:
        if not _INTEGER.fullmatch(written):
            raise Problem(at, f"{text!r} is no {target}; only digits and a sign can be read as one")
        _check_number(at, _integer(written), target)
    elif target in NUMBERS:
        if not _NUMBER.fullmatch(written):
            raise Problem(at, f"{text!r} is no number")
        value = float(written)
        if value == 0 and re.search("[1-9]", re.split("[eE]", written)[0]):
            raise Problem(at, f"{text} is too small for a {target}")
        _check_number(at, value, target)


def _integer(written: str) -> int | float:
    # Python refuses to read thousands of digits, and none of them fits
    return int(written) if len(written) < 100 else math.inf  # noqa: PLR2004 - more than any range has


def _check_number(at: int, value: float, target: Type) -> None:
    """Refuse a number that does not fit: a value too large for its type is an error, says the standard."""
    if target in INTEGERS:
        limit = _RANGES[target]
        if not math.isfinite(value) or not -limit <= round(value) < limit:
            written = value if math.isfinite(value) else "this number"
            raise Problem(at, f"{written} does not fit {target}, which runs from {-limit} to {limit - 1}")
    elif target is Type.REAL and (abs(value) >= _LARGEST_REAL or 0 < abs(value) <= _SMALLEST_REAL):
        raise Problem(at, f"{value} does not fit REAL; use DOUBLE PRECISION")
    elif target is Type.DOUBLE and math.isinf(value):
        raise Problem(at, "this number is too large for a DOUBLE PRECISION")


def _drawn(at: int, operand: Constant, target: Type) -> Expression:
    """The shape that a literal text describes: DALI's numbers, or a word of STC-S and numbers."""
    text = str(operand.value)
    words = text.split()
    try:
        is_named = bool(words) and words[0].upper() in _WORDS
        shape = geometry.region((operand,)) if is_named else _from_numbers(text, words, target)
    except BadArgument as fault:
        raise Problem(at, fault.text) from None
    if shape.type is not target:
        raise Problem(at, f"{text!r} is a {shape.type}, not a {target}")
    return shape


def _from_numbers(text: str, words: list[str], target: Type) -> Expression:
    odd = next((word for word in words if not _NUMBER.fullmatch(word) or not math.isfinite(float(word))), None)
    if odd is not None:
        raise BadArgument(f"{odd!r} in {text!r} is no number")
    numbers = [geometry.double(float(word)) for word in words]
    if target is Type.POLYGON:
        if len(numbers) < 6 or len(numbers) % 2:  # noqa: PLR2004 - a triangle
            raise BadArgument(
                f"a POLYGON is made of three or more pairs of numbers, {text!r} has {len(numbers)} numbers"
            )
        return geometry.polygon_of_numbers(numbers)
    make, count = (geometry.point, 2) if target is Type.POINT else (geometry.circle, 3)
    if len(numbers) != count:
        raise BadArgument(
            f"a {target} is made of {count} numbers with blanks between them, {text!r} has {len(numbers)}"
        )
    return make(numbers)
