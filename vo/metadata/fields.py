"""What a column is: the words that TAP_SCHEMA, VOTable FIELDs, /tables and the DDL share.

Everything here is read once from Felis YAML (:mod:`vo.metadata.felis`) and never changes afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What a value is in ADQL and PostgreSQL; each kind has one SQL type.

    VOTable's words for it (datatype, arraysize, xtype) stand in :class:`Field`, since a geometry column
    may be shown in more than one way.
    """

    BOOLEAN = "boolean"
    SMALLINT = "smallint"
    INTEGER = "integer"
    BIGINT = "bigint"
    REAL = "real"
    DOUBLE = "double precision"
    CHAR = "text"
    TIMESTAMP = "timestamp"
    POINT = "spoint"
    CIRCLE = "scircle"
    POLYGON = "spoly"
    MOC = "smoc"
    BOOLEANS = "boolean[]"
    SMALLINTS = "smallint[]"
    INTEGERS = "integer[]"
    BIGINTS = "bigint[]"
    REALS = "real[]"
    DOUBLES = "double precision[]"

    @property
    def is_geometry(self) -> bool:
        """Whether values are shapes on the sphere that a GiST index takes."""
        return self in (Kind.POINT, Kind.CIRCLE, Kind.POLYGON)


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a result, in VOTable's words (VOTable 1.4, section 4.1).

    ``datatype``, ``arraysize`` and ``xtype`` are VOTable's; ``arraysize`` is None for scalars, never "1";
    a text of one character is no scalar (ADQL 2.1, section 3.3.1: CHAR(1) has "1").
    """

    name: str
    datatype: str
    arraysize: str | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a published table.

    ``name`` is the name as stored (unquoted); ``length`` is the maximal number of characters, None when any.
    ``text_column`` names the hidden column that holds a geometry's text form, ready to be selected (turning
    an spoly into text costs 2.5 s for a million rows). ``is_path`` marks an address that is stored without
    the server's base address, which the renderer puts in front: one table serves behind any proxy.
    ``is_unicode`` declares text that may go beyond ASCII, which VOTable's char must not (VOT-09).
    ``indexed_lower`` says that there is an index over its lower case.

    A column of an uploaded table has its own FIELD in ``shown``, under which its values go out again, and the name
    ``stored`` in the database, since people's names may be anything; where the stored value is not what was uploaded (a
    point made of two numbers, a time of a text), the hidden column ``original`` has that.
    """

    name: str
    kind: Kind
    length: int | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str | None = None
    nullable: bool = True
    principal: bool = False
    std: bool = False
    indexed: bool = False
    text_column: str | None = None
    is_path: bool = False
    is_unicode: bool = False
    indexed_lower: bool = False
    shown: Field | None = None
    stored: str | None = None
    original: str | None = None

    def field(self) -> Field:
        """How this column stands in a result that selects it plainly."""
        if self.shown is not None:
            return self.shown
        datatype, arraysize, xtype = _VOTABLE[self.kind]
        if self.kind is Kind.POLYGON and self.text_column is not None:
            datatype, arraysize, xtype = "char", "*", "adql:REGION"
        if self.is_unicode:
            datatype = "unicodeChar"
        if self.kind is Kind.CHAR and self.length is not None:
            arraysize = f"{self.length}*"
        return Field(
            name=self.name,
            datatype=datatype,
            arraysize=arraysize,
            xtype=self.xtype or xtype,
            unit=self.unit,
            ucd=self.ucd,
            utype=self.utype,
            description=self.description,
        )


_VOTABLE: dict[Kind, tuple[str, str | None, str | None]] = {
    # ADQL 2.1 section 3 and DALI 1.1 section 3.3
    Kind.BOOLEAN: ("boolean", None, None),
    Kind.SMALLINT: ("short", None, None),
    Kind.INTEGER: ("int", None, None),
    Kind.BIGINT: ("long", None, None),
    Kind.REAL: ("float", None, None),
    Kind.DOUBLE: ("double", None, None),
    Kind.CHAR: ("char", "*", None),
    Kind.TIMESTAMP: ("char", "*", "timestamp"),
    Kind.POINT: ("double", "2", "point"),
    Kind.CIRCLE: ("double", "3", "circle"),
    Kind.POLYGON: ("double", "*", "polygon"),
    Kind.MOC: ("char", "*", "moc"),  # DALI 1.2, xtype moc
    Kind.BOOLEANS: ("boolean", "*", None),
    Kind.SMALLINTS: ("short", "*", None),
    Kind.INTEGERS: ("int", "*", None),
    Kind.BIGINTS: ("long", "*", None),
    Kind.REALS: ("float", "*", None),
    Kind.DOUBLES: ("double", "*", None),
}


def votable_type(kind: Kind) -> tuple[str, str | None, str | None]:
    """VOTable's (datatype, arraysize, xtype) for values of this kind."""
    return _VOTABLE[kind]


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A declared way to join two published tables (TAP_SCHEMA.keys and key_columns)."""

    key_id: str
    from_table: str
    target_table: str
    columns: tuple[tuple[str, str], ...]
    description: str | None = None
    utype: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """One index: ``parts`` are column names or SQL expressions, ``method`` is ``btree``, ``gist`` or ``gin``.

    ``fillfactor`` is the percentage to which its pages are filled, None as the method has it.
    """

    name: str
    parts: tuple[str, ...]
    method: str = "btree"
    unique: bool = False
    fillfactor: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One published table or view; ``schema`` and ``name`` are as stored, unquoted.

    ``time_range`` names the hidden range column over (t_min, t_max) where the table has one, with the two
    columns it is made of: the rewriter turns questions of time into its index. ``primary_key`` and ``indexes`` are for
    the DDL; a view is the rows of ``view_of`` (a table of its schema) that fulfil ``view_condition`` (SQL), or those of
    ``view_query`` (SQL, tables of its schema). An uploaded table is in the database under the names ``stored`` (schema,
    table).
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    description: str | None = None
    utype: str | None = None
    is_view: bool = False
    keys: tuple[ForeignKey, ...] = ()
    time_range: tuple[str, str, str] | None = None
    primary_key: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    view_of: str | None = None
    view_condition: str | None = None
    view_query: str | None = None
    stored: tuple[str, str] | None = None
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {column.name.lower(): column for column in self.columns})

    @property
    def qualified(self) -> str:
        """``schema.table``, as TAP_SCHEMA.tables has it (TSC-06)."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Schema:
    """One published schema with its tables."""

    name: str
    tables: tuple[Table, ...]
    description: str | None = None
    utype: str | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All that a query may name: the published schemas, in display order."""

    schemas: tuple[Schema, ...]
    by_name: dict[str, Table] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tables = {table.qualified.lower(): table for schema in self.schemas for table in schema.tables}
        object.__setattr__(self, "by_name", tables)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of every schema, in display order."""
        return tuple(table for schema in self.schemas for table in schema.tables)
