"""Table descriptions: Felis YAML read, checked by the Felis library, and turned into our typed tables.

Felis forbids keys of its own making, so what it cannot say follows from conventions:

- xtype ``adql:REGION`` on a text column: the column is an ``spoly``, its text form in a hidden column ``<name>_text``;
  xtype ``point`` or ``circle`` on a double column: an ``spoint`` or ``scircle``;
- xtype ``moc`` on a text column: the column is an ``smoc``; an index on it alone is a GIN index;
- ``votable:datatype: unicodeChar`` on a text column: people's names and remarks, which may go beyond ASCII;
- UCD ``meta.ref.url``: the value is a path of this server, shown with its base address in front;
- ``t_min`` and ``t_max`` in one table: a hidden generated column ``t_range``, an interval;
- an index over ``vo.words(x)`` is a GIN index of the words of a text, which ``ivo_hasword`` uses;
- a table ``x`` of a schema ``s`` is a view when beside the YAML there is ``views/s.x.sql``, which holds its SELECT;
- a table with a footprint or a position has the GiST indexes that point, region and point-and-time questions need;
- an index over ``lower(x)`` is unique when ``x`` is: identifiers never differ in case only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from felis import datamodel
from lsst.resources import ResourcePath

from vo.errors import OperatorFault
from vo.metadata.collection import Collection
from vo.metadata.felis_mistakes import Places, explain
from vo.metadata.fields import Catalogue, Column, ForeignKey, Index, Kind, Schema, Table
from vo.metadata.mistakes import Mistake, MistakesFault, suggest
from vo.metadata.words import is_regular
from vo.settings import Settings

TIME_RANGE = "t_range"
WORDS = re.compile(r"vo\.words\((\w+)\)")
NARROW = "narrow_plates"

_SCHEMAS = ("ivoa", "archive", "rr", "tap_schema")
#: PyYAML may have been built without its C library.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONTEXT = {"id_generation": True, "dereference_resources": True}
_KINDS: dict[tuple[str, str | None], Kind] = {
    ("text", "adql:REGION"): Kind.POLYGON,
    ("double", "point"): Kind.POINT,
    ("double", "circle"): Kind.CIRCLE,
    ("text", "moc"): Kind.MOC,
    ("char", "moc"): Kind.MOC,
    ("string", "moc"): Kind.MOC,
}
_PLAIN_KINDS: dict[str, Kind] = {
    "boolean": Kind.BOOLEAN,
    "short": Kind.SMALLINT,
    "int": Kind.INTEGER,
    "long": Kind.BIGINT,
    "float": Kind.REAL,
    "double": Kind.DOUBLE,
    "char": Kind.CHAR,
    "string": Kind.CHAR,
    "unicode": Kind.CHAR,
    "text": Kind.CHAR,
    "timestamp": Kind.TIMESTAMP,
}


def load_schema(path: Path) -> Schema:
    """Read one Felis file; :class:`vo.metadata.mistakes.MistakesFault` has everything that is wrong, with its line."""
    try:
        read = _read(path)
    except (yaml.YAMLError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise explain(path, error) from error  # Felis looks at maps and lists before it checks that they are
    places = Places(path)
    mistakes = _undescribed(read, places)
    tables = tuple(_table(read, table, places, mistakes) for table in read.tables)
    if mistakes:
        raise MistakesFault(sorted(mistakes, key=lambda one: one.line))
    return Schema(read.name, tables, read.description, read.votable_utype)


def _read(path: Path) -> Any:
    """What ``Schema.from_uri`` does, five times as fast: every command and every start of a server waits for it."""
    values = yaml.load(path.read_bytes(), Loader=_LOADER)  # noqa: S506  both of them are safe
    context = {**_CONTEXT, "resource_path": ResourcePath(str(path), forceDirectory=False)}
    return datamodel.Schema.model_validate(values, context=context)


def load_catalogue(settings: Settings, collections: Sequence[Collection]) -> Catalogue:
    """Describe all that is published: ivoa, each collection's tables, archive, rr and TAP_SCHEMA, in display order."""
    folder = settings.schema_dir
    ivoa, archive, rr, own = (load_schema(folder / f"{name}.yaml") for name in _SCHEMAS)
    template = load_schema(folder / "plates.yaml")
    schemas = [_keyed(ivoa), *(_keyed(_collection_schema(template, one)) for one in collections), archive, rr, own]
    names = [schema.name for schema in schemas]
    if len(set(names)) != len(names):
        raise OperatorFault(f"collections named more than once: {', '.join(sorted(names))}")
    return Catalogue(tuple(schemas))


def _collection_schema(template: Schema, collection: Collection) -> Schema:
    plates = next(table for table in template.tables if table.name == "plates")
    extra = _own_columns(collection, plates)
    plates = replace(
        plates,
        schema=collection.name,
        columns=(*plates.columns, *extra.columns),
        indexes=(*plates.indexes, *extra.indexes),
        description=f"{collection.title}: {plates.description}",
    )
    limit = collection.wide.max_plate_scale
    about = next(table.description for table in template.tables if table.name == NARROW)
    narrow = replace(
        plates,
        name=NARROW,
        is_view=True,
        primary_key=(),
        indexes=(),
        view_of=plates.name,
        view_condition="true" if limit is None else f"plate_scale IS NULL OR plate_scale <= {limit!r}",
        description=f"{collection.title}: {about}" + ("" if limit is None else f" The limit is {limit:g} arcsec/mm."),
    )
    return Schema(collection.name, (plates, narrow), f"{collection.title}. {collection.description}")


def _own_columns(collection: Collection, plates: Table) -> Table:
    path = collection.columns_file
    if path is None:
        return Table(collection.name, plates.name, ())
    tables = load_schema(path).tables
    places = Places(path)
    if [table.name for table in tables] != [plates.name]:
        name = next((table.name for table in tables if table.name != plates.name), "")
        said = "the file may describe one table, 'plates', whose columns are added to ours"
        raise MistakesFault([places.mistake(name, "", said)])
    clash = [column.name for column in tables[0].columns if column.name.lower() in plates.by_name]
    if clash:
        said = "every collection has such a column already"
        raise MistakesFault(places.mistake(plates.name, name, said) for name in clash)
    return tables[0]


def _keyed(schema: Schema) -> Schema:
    """Declare how tables with obs_publisher_did join the archive's exposures."""
    return replace(schema, tables=tuple(_exposure_key(table) for table in schema.tables))


def _exposure_key(table: Table) -> Table:
    if "obs_publisher_did" not in table.by_name:
        return table
    key = ForeignKey(
        key_id=f"{table.qualified}.exposure",
        from_table=table.qualified,
        target_table="archive.exposure",
        columns=(("obs_publisher_did", "publisher_did"),),
        description="the exposure's own record",
    )
    return replace(table, keys=(*table.keys, key))


def _undescribed(schema: datamodel.Schema[Any], places: Places) -> list[Mistake]:
    found = [] if (schema.description or "").strip() else [places.mistake("", "", "has no description")]
    for table in schema.tables:
        if not (table.description or "").strip():
            found.append(places.mistake(table.name, "", "has no description"))
        bare = [column.name for column in table.columns if not (column.description or "").strip()]
        found += [places.mistake(table.name, name, "has no description") for name in bare]
    return found


def _table(schema: datamodel.Schema[Any], table: datamodel.Table, places: Places, mistakes: list[Mistake]) -> Table:
    columns = []
    for column in _ordered(table):
        wrong = _wrong_column(column)
        if wrong is None:
            columns.append(_column(column))
        else:
            mistakes.append(places.mistake(table.name, column.name, *wrong))
    names = {column.name for column in columns}
    time_range = (TIME_RANGE, "t_min", "t_max") if {"t_min", "t_max"} <= names else None
    primary_key = _names(table.primary_key)
    unique = [_names(one.columns) for one in table.constraints if isinstance(one, datamodel.UniqueConstraint)]
    mocs = {column.name for column in columns if column.kind is Kind.MOC}
    indexes = (*_spatial(table.name, columns, time_range), *_plain(table, primary_key, unique, mocs))
    used = [*primary_key, *(name for index in indexes for name in index.parts)]
    unknown = _unknown({one.name for one in table.columns}, used)
    if unknown:
        said = f"keys or indexes name columns that are not there: {', '.join(unknown)}"
        mistakes.append(places.mistake(table.name, "", said, suggest(unknown[0], names)))
    query = _view_query(places.path.parent / "views" / f"{schema.name}.{table.name}.sql")
    mixed = [one.name for one in indexes if not mocs.isdisjoint(one.parts) and not mocs.issuperset(one.parts)]
    if mixed:
        mistakes.append(places.mistake(table.name, "", f"a MOC needs an index of its own: {', '.join(mixed)}"))
    indexed = {name for index in indexes for name in _mentioned(index)} | set(primary_key)
    lower = {part for index in indexes for part in index.parts}
    return Table(
        schema=schema.name,
        name=table.name,
        columns=tuple(
            replace(column, indexed=column.name in indexed, indexed_lower=f"lower({column.name})" in lower)
            for column in columns
        ),
        description=table.description,
        utype=table.votable_utype,
        keys=tuple(
            _key(schema.name, table.name, one)
            for one in table.constraints
            if isinstance(one, datamodel.ForeignKeyConstraint)
        ),
        time_range=time_range,
        primary_key=primary_key,
        indexes=indexes,
        is_view=query is not None,
        view_query=query,
    )


def _unknown(names: set[str], parts: Sequence[str]) -> list[str]:
    return sorted({part for part in parts if part.isidentifier() and part not in names | {TIME_RANGE}})


def _view_query(path: Path) -> str | None:
    """The SELECT of a view, None when the table is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _ordered(table: datamodel.Table) -> list[datamodel.Column]:
    """The columns by their tap:column_index; those without one stay at the end, in the file's order."""
    last = len(table.columns)
    return sorted(table.columns, key=lambda one: one.tap_column_index if one.tap_column_index is not None else last)


def _kind(column: datamodel.Column) -> Kind | None:
    datatype = str(column.datatype)
    return _KINDS.get((datatype, column.votable_xtype)) or _PLAIN_KINDS.get(datatype)


def _wrong_column(column: datamodel.Column) -> tuple[str, str] | None:
    """What is wrong with a column and what to do, by rules of ours that Felis does not know."""
    if _kind(column) is None:
        return f"datatype {column.datatype} is not supported", f"use one of {', '.join(_PLAIN_KINDS)}"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", column.name) or column.name.endswith("_text"):
        return "a column's name is lower-case letters, digits and _, and does not end in _text", ""
    if not is_regular(column.name) and column.name != "size":
        return "the name is a reserved word of ADQL", "choose another"
    return None


def _column(column: datamodel.Column) -> Column:
    kind = _kind(column) or Kind.CHAR
    return Column(
        name=column.name,
        kind=kind,
        length=column.length if kind is Kind.CHAR else None,
        xtype=column.votable_xtype,
        unit=column.ivoa_unit,
        ucd=column.ivoa_ucd,
        utype=column.votable_utype,
        description=column.description,
        nullable=column.nullable,
        principal=bool(column.tap_principal),
        std=bool(column.tap_std),
        text_column=f"{column.name}_text" if kind is Kind.POLYGON else None,
        is_path=column.ivoa_ucd == "meta.ref.url",
        is_unicode=kind is Kind.CHAR and column.votable_datatype == "unicodeChar",
    )


def _spatial(table: str, columns: list[Column], time_range: tuple[str, str, str] | None) -> list[Index]:
    indexes: list[Index] = []
    for column in columns:
        if not column.kind.is_geometry:
            continue
        if time_range is not None:
            parts = (time_range[0], column.name)
            indexes.append(Index(f"{table}_{time_range[0]}_{column.name}", parts, "gist"))
        indexes.append(Index(f"{table}_{column.name}", (column.name,), "gist"))
    if time_range is not None and not indexes:
        indexes.append(Index(f"{table}_{time_range[0]}", (time_range[0],), "gist"))
    names = {column.name for column in columns}
    for ra, dec in (("s_ra", "s_dec"), ("ra", "dec")):
        if {ra, dec} <= names:
            point = f"spoint(radians({ra}), radians({dec}))"
            # pgSphere's class spoint3 orders by distance, too, but takes longer for cones. Of two indexes that promise
            # the same PostgreSQL takes the one made last, or the smaller one, and their sizes are chance: looser pages
            # make this one the larger
            indexes.append(Index(f"{table}_nearest", (f"{point} spoint3",), "gist", fillfactor=75))
            indexes.append(Index(f"{table}_position", (point,), "gist"))
    return indexes


def _plain(
    table: datamodel.Table, primary_key: tuple[str, ...], unique: list[tuple[str, ...]], mocs: set[str]
) -> list[Index]:
    keys = {*unique, primary_key}
    indexes = [Index(f"{table.name}_{'_'.join(columns)}", columns, unique=True) for columns in unique]
    for index in table.indexes:
        if index.columns is not None:
            parts = _names(index.columns)
            indexes.append(Index(index.name, parts, "btree" if mocs.isdisjoint(parts) else "gin"))
            continue
        parts = tuple(index.expressions or ())
        if len(parts) == 1 and WORDS.fullmatch(parts[0]):
            indexes.append(Index(index.name, parts, "gin"))
            continue
        lowered = re.fullmatch(r"lower\((\w+)\)", parts[0]) if len(parts) == 1 else None
        indexes.append(Index(index.name, parts, unique=lowered is not None and (lowered[1],) in keys))
    return indexes


def _mentioned(index: Index) -> set[str]:
    names = {name for part in index.parts for name in re.findall(r"[a-z_][a-z0-9_]*", part)}
    return names | ({"t_min", "t_max"} if TIME_RANGE in names else set())


def _key(schema: str, table: str, key: datamodel.ForeignKeyConstraint) -> ForeignKey:
    pairs = zip(_names(key.columns), _names(key.referenced_columns), strict=True)
    return ForeignKey(
        key_id=f"{schema}.{key.name}",
        from_table=f"{schema}.{table}",
        target_table=f"{schema}.{key.referenced_columns[0].lstrip('#').partition('.')[0]}",
        columns=tuple(pairs),
        description=key.description,
        utype=key.votable_utype,
    )


def _names(ids: str | Sequence[str] | None) -> tuple[str, ...]:
    """The column names in Felis ids (``#table.column``)."""
    several = [ids] if isinstance(ids, str) else ids or ()
    return tuple(one.rpartition(".")[2] for one in several)
