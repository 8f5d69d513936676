"""The types that values have in ADQL, and how they meet in one expression (ADQL 2.1, section 3)."""

from __future__ import annotations

from enum import Enum

from vo.metadata.fields import Kind


class Type(Enum):
    """A type: the word for it in ADQL and in faults, and its name in PostgreSQL.

    NULL is the type of the bare word NULL, CONDITION that of what stands after WHERE, RANGE that of ``vo_range``.
    INTEGER ARRAY is what a histogram is; all arrays can be selected and compared with NULL alone. TIME_RANGE is the
    type of hidden columns.
    """

    NULL = ("NULL", "text")
    CONDITION = ("a condition", "boolean")
    BOOLEAN = ("BOOLEAN", "boolean")
    SMALLINT = ("SMALLINT", "int2")
    INTEGER = ("INTEGER", "int4")
    BIGINT = ("BIGINT", "int8")
    REAL = ("REAL", "float4")
    DOUBLE = ("DOUBLE PRECISION", "float8")
    TEXT = ("VARCHAR", "text")
    TIMESTAMP = ("TIMESTAMP", "timestamp")
    POINT = ("POINT", "spoint")
    CIRCLE = ("CIRCLE", "scircle")
    POLYGON = ("POLYGON", "spoly")
    RANGE = ("a range of longitude and latitude", "sbox")
    MOC = ("MOC", "smoc")
    BOOLEAN_ARRAY = ("BOOLEAN ARRAY", "boolean[]")
    SMALLINT_ARRAY = ("SMALLINT ARRAY", "int2[]")
    INTEGER_ARRAY = ("INTEGER ARRAY", "int4[]")
    BIGINT_ARRAY = ("BIGINT ARRAY", "int8[]")
    REAL_ARRAY = ("REAL ARRAY", "float4[]")
    DOUBLE_ARRAY = ("DOUBLE PRECISION ARRAY", "float8[]")
    TIME_RANGE = ("a range of times", "vo.mjd_range")

    def __init__(self, label: str, sql: str) -> None:
        self.label = label
        self.sql = sql

    def __str__(self) -> str:
        return self.label


INTEGERS = frozenset({Type.SMALLINT, Type.INTEGER, Type.BIGINT})
FLOATS = frozenset({Type.REAL, Type.DOUBLE})
NUMBERS = INTEGERS | FLOATS
ARRAYS = frozenset(
    {Type.BOOLEAN_ARRAY, Type.SMALLINT_ARRAY, Type.INTEGER_ARRAY, Type.BIGINT_ARRAY, Type.REAL_ARRAY, Type.DOUBLE_ARRAY}
)
SHAPES = frozenset({Type.POINT, Type.CIRCLE, Type.POLYGON, Type.RANGE})
#: Types whose values can be sorted, grouped and compared for equality.
PLAIN = NUMBERS | {Type.TEXT, Type.TIMESTAMP, Type.BOOLEAN, Type.NULL}

_OF_KIND = {
    Kind.BOOLEAN: Type.BOOLEAN,
    Kind.SMALLINT: Type.SMALLINT,
    Kind.INTEGER: Type.INTEGER,
    Kind.BIGINT: Type.BIGINT,
    Kind.REAL: Type.REAL,
    Kind.DOUBLE: Type.DOUBLE,
    Kind.CHAR: Type.TEXT,
    Kind.TIMESTAMP: Type.TIMESTAMP,
    Kind.POINT: Type.POINT,
    Kind.CIRCLE: Type.CIRCLE,
    Kind.POLYGON: Type.POLYGON,
    Kind.MOC: Type.MOC,
    Kind.BOOLEANS: Type.BOOLEAN_ARRAY,
    Kind.SMALLINTS: Type.SMALLINT_ARRAY,
    Kind.INTEGERS: Type.INTEGER_ARRAY,
    Kind.BIGINTS: Type.BIGINT_ARRAY,
    Kind.REALS: Type.REAL_ARRAY,
    Kind.DOUBLES: Type.DOUBLE_ARRAY,
}
_KIND = {type_: kind for kind, type_ in _OF_KIND.items()} | {Type.NULL: Kind.CHAR}


def type_of(kind: Kind) -> Type:
    """The type of a column of this kind."""
    return _OF_KIND[kind]


def kind_of(type_: Type) -> Kind:
    """The kind that a result column of this type has; a bare NULL is shown as text."""
    return _KIND[type_]


_RANK = (Type.SMALLINT, Type.INTEGER, Type.BIGINT)


def numeric_result(left: Type, right: Type) -> Type:
    """The type of ``left + right`` for numbers: PostgreSQL's rule, which widens an integer beside a REAL to DOUBLE."""
    if left in INTEGERS and right in INTEGERS:
        return max(left, right, key=_RANK.index)
    return Type.REAL if left is right is Type.REAL else Type.DOUBLE


def common_type(left: Type, right: Type) -> Type | None:
    """The type in which values of both can stand in one column, None when there is none."""
    if left is right or right is Type.NULL:
        return left
    if left is Type.NULL:
        return right
    if left in NUMBERS and right in NUMBERS:
        return numeric_result(left, right)
    return None


def described(types: frozenset[Type]) -> str:
    """What a set of types is called in a fault: ``a number``, ``POINT``, ``CIRCLE or POLYGON``."""
    if types == INTEGERS:
        return "an integer"
    names = sorted(type_.label for type_ in types - NUMBERS)
    return " or ".join(["a number", *names] if types >= NUMBERS else names)
