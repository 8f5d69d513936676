"""A small catalogue for tests of ADQL, with one column of every kind, and the SQL that makes its tables."""

from __future__ import annotations

from vo.metadata.fields import Catalogue, Column, Kind, Schema, Table

PLATES = Table(
    "sky",
    "plates",
    (
        Column("id", Kind.INTEGER, ucd="meta.id;meta.main", nullable=False, principal=True, description="Number."),
        Column("name", Kind.CHAR, ucd="meta.id", description="Name of the plate."),
        Column("ra", Kind.DOUBLE, unit="deg", ucd="pos.eq.ra", indexed=True),
        Column("dec", Kind.DOUBLE, unit="deg", ucd="pos.eq.dec", indexed=True),
        Column("mag", Kind.REAL, unit="mag", ucd="phot.mag"),
        Column("n", Kind.SMALLINT, ucd="meta.number"),
        Column("size_kb", Kind.BIGINT, unit="kbyte", ucd="phys.size"),
        Column("scanned", Kind.BOOLEAN),
        Column("taken", Kind.TIMESTAMP, ucd="time.start"),
        Column("place", Kind.POINT, indexed=True),
        Column("spot", Kind.CIRCLE),
        Column("shape", Kind.POLYGON, xtype="adql:REGION", text_column="shape_text", ucd="pos.outline"),
        Column("hull", Kind.POLYGON),
        Column("t_min", Kind.DOUBLE, unit="d", ucd="time.start;obs.exposure"),
        Column("t_max", Kind.DOUBLE, unit="d", ucd="time.end;obs.exposure"),
        Column("link", Kind.CHAR, ucd="meta.ref.url", is_path=True),
        Column("size", Kind.INTEGER),
        Column("Odd Name", Kind.INTEGER),
    ),
    time_range=("t_range", "t_min", "t_max"),
)

STARS = Table(
    "sky",
    "stars",
    (
        Column("id", Kind.INTEGER, nullable=False),
        Column("plate_id", Kind.INTEGER),
        Column("ra", Kind.DOUBLE, unit="deg", ucd="pos.eq.ra"),
        Column("dec", Kind.DOUBLE, unit="deg", ucd="pos.eq.dec"),
        Column("mag", Kind.REAL, unit="mag", ucd="phot.mag"),
        Column("epoch", Kind.DOUBLE, unit="d"),
        Column("name", Kind.CHAR),
    ),
)

SERIES = Table("lab", "series", (Column("name", Kind.CHAR), Column("n", Kind.SMALLINT)))
OTHER_STARS = Table("lab", "stars", (Column("id", Kind.INTEGER), Column("mag", Kind.REAL)))

#: RegTAP's table of coverages (1.2, section 8.18), and one whose names are the word MOC.
COVERAGES = Table(
    "rr",
    "stc_spatial",
    (
        Column("ivoid", Kind.CHAR, ucd="meta.ref.ivoid"),
        Column("coverage", Kind.MOC, ucd="pos.outline", indexed=True, description="Where its data lie."),
        Column("ref_system_name", Kind.CHAR),
    ),
)
MOC = Table("rr", "moc", (Column("id", Kind.INTEGER), Column("moc", Kind.MOC), Column("n", Kind.SMALLINT)))

CATALOGUE = Catalogue(
    (Schema("sky", (PLATES, STARS)), Schema("lab", (SERIES, OTHER_STARS)), Schema("rr", (COVERAGES, MOC)))
)


def ddl() -> str:
    """SQL that makes the tables, their hidden columns and their indexes, anew."""
    statements = []
    for schema in CATALOGUE.schemas:
        statements += [f"DROP SCHEMA IF EXISTS {schema.name} CASCADE", f"CREATE SCHEMA {schema.name}"]
        statements += [_table(table) for table in schema.tables]
    statements += [
        "CREATE INDEX plates_point ON sky.plates USING gist (spoint(radians(ra), radians(dec)))",
        "CREATE INDEX plates_place ON sky.plates USING gist (place)",
        "CREATE INDEX plates_shape ON sky.plates USING gist (shape)",
        "CREATE INDEX plates_t_range_shape ON sky.plates USING gist (t_range, shape)",
        "CREATE INDEX plates_name ON sky.plates (name)",
        "CREATE INDEX stc_spatial_coverage ON rr.stc_spatial USING gin (coverage)",
    ]
    return ";\n".join(statements)


def _table(table: Table) -> str:
    lines = [f'"{column.name}" {column.kind.value}' for column in table.columns]
    lines += [f"{column.text_column} text" for column in table.columns if column.text_column]
    if table.time_range:
        name, begin, end = table.time_range
        made = f"CASE WHEN {begin} <= {end} THEN vo.mjd_range({begin}, {end}, '[]') END"
        lines.append(f"{name} vo.mjd_range GENERATED ALWAYS AS ({made}) STORED")
    return f"CREATE TABLE {table.schema}.{table.name} ({', '.join(lines)})"
