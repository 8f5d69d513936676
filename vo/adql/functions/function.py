"""What a function is, as data, and the kinds of parameters that functions share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from vo.adql.kinds import INTEGERS, NUMBERS, PLAIN, Type
from vo.adql.plan import Expression

_TAPREGEXT = "ivo://ivoa.net/std/TAPRegExt#features-"


class Group(Enum):
    """Groups of optional features, with their TAPRegExt keys (ADQL 2.1, section 4).

    BASE is always there; EXTRA is what GAVO's services have in common beyond the standard.
    """

    BASE = ""
    UDF = _TAPREGEXT + "udf"
    GEOMETRY = _TAPREGEXT + "adqlgeo"
    STRING = _TAPREGEXT + "adql-string"
    COMMON_TABLE = _TAPREGEXT + "adql-common-table"
    SETS = _TAPREGEXT + "adql-sets"
    TYPE = _TAPREGEXT + "adql-type"
    CONDITIONAL = _TAPREGEXT + "adql-conditional"
    UNIT = _TAPREGEXT + "adql-unit"
    OFFSET = _TAPREGEXT + "adql-offset"
    EXTRA = "ivo://org.gavo.dc/std/exts#extra-adql-keywords"


class Result(Enum):
    """Results that depend on the arguments."""

    FIRST = "the type of the first argument"
    COMMON = "the type that all arguments fit"
    WIDEST = "the wider type of two integers"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: the types it takes and the one it is converted to (None: it stays as it is)."""

    name: str
    takes: frozenset[Type]
    becomes: Type | None
    word: str


@dataclass(frozen=True, slots=True)
class Function:
    """One way to call a function.

    ``template`` is SQL with {0}, {1} ... for the arguments ({0:p} in brackets where needed); with ``build`` the plan's
    own nodes are made instead. ``is_test`` marks a template that is a condition: the function gives 1 or 0.
    ``repeats`` is the number of times at least that all parameters are given, when they may be repeated.
    ``has_frame`` allows a coordinate system string in front. ``keeps_unit`` means that the result has the unit
    of the first argument; ``unit`` and ``ucd`` are the result's own.
    """

    name: str
    parameters: tuple[Parameter, ...]
    result: Type | Result
    template: str = ""
    description: str = ""
    group: Group = Group.BASE
    build: Callable[[tuple[Expression, ...]], Expression] | None = None
    is_test: bool = False
    aggregate: bool = False
    volatile: bool = False
    repeats: int = 0
    has_frame: bool = False
    keeps_unit: bool = False
    unit: str | None = None
    ucd: str | None = None

    @property
    def signature(self) -> str:
        """``name(parameter TYPE, ...) -> TYPE``, as TAPRegExt wants it (section 2.3, TRE-04)."""
        parameters = ", ".join(f"{parameter.name} {parameter.word}" for parameter in self.parameters)
        result = self.result.label if isinstance(self.result, Type) else self.parameters[0].word
        return f"{self.name}({parameters}) -> {result}"


def number(name: str = "x") -> Parameter:
    """A number, made a DOUBLE PRECISION."""
    return Parameter(name, NUMBERS, Type.DOUBLE, "DOUBLE PRECISION")


def any_number(name: str = "x") -> Parameter:
    """A number of any type, which stays as it is."""
    return Parameter(name, NUMBERS, None, "DOUBLE PRECISION")


def integer(name: str = "n") -> Parameter:
    """An integer, made an INTEGER."""
    return Parameter(name, INTEGERS, Type.INTEGER, "INTEGER")


def wide_integer(name: str) -> Parameter:
    """An integer, made a BIGINT."""
    return Parameter(name, INTEGERS, Type.BIGINT, "BIGINT")


def text(name: str) -> Parameter:
    """A text."""
    return Parameter(name, frozenset({Type.TEXT}), Type.TEXT, "VARCHAR")


def printable(name: str) -> Parameter:
    """Any plain value, made a text."""
    return Parameter(name, PLAIN, Type.TEXT, "VARCHAR")


def time(name: str) -> Parameter:
    """A timestamp; a literal text is read as one."""
    return Parameter(name, frozenset({Type.TIMESTAMP}), Type.TIMESTAMP, "TIMESTAMP")


def shape(name: str, *types: Type) -> Parameter:
    """A shape of one of these types."""
    return Parameter(name, frozenset(types), None, types[0].label if len(types) == 1 else "REGION")


def point(name: str = "position") -> Parameter:
    """A position."""
    return shape(name, Type.POINT)
