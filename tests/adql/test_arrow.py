"""Every published table and kind of expression leaves the database as Arrow, in the types that fields declare."""

from __future__ import annotations

import pyarrow as pa
import pytest

from vo.adql import compile_query

ARROW = {
    "boolean": pa.bool_(),
    "short": pa.int16(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "char": pa.string(),
    "unicodeChar": pa.string(),
}

EXPRESSIONS = (
    "COUNT(*), SUM(s_xel1), AVG(t_min), MIN(obs_creation_date), MAX(obs_id)",
    "POINT(s_ra, s_dec), CIRCLE(s_ra, s_dec, 1), CENTROID(s_region), AREA(s_region), BOX(s_ra, s_dec, 1, 1)",
    "ROUND(t_min, 3), MOD(calib_level, 2), MOD(t_min, 0.5), 1, 1.5, 'x', NULL, 3000000000, CAST(t_min AS REAL)",
    "CONTAINS(POINT(s_ra, s_dec), s_region), ivo_healpix_index(6, s_ra, s_dec), ivo_to_mjd(obs_creation_date)",
    "ivo_epoch_prop_pos(s_ra, s_dec, 1, 20, 30, 5, 2016, 1900), ivo_hasword(obs_id, 'a'), ivo_hms_to_degrees(obs_id)",
    "ivo_nocasematch(obs_id, 'a%'), ivo_hashlist_has(obs_id, 'a'), gavo_match('a', obs_id), ivo_dms_to_degrees(obs_id)",
    "gavo_specconv(em_min, 'Angstrom'), gavo_specconv(em_max, 'eV'), ivo_normal_random(t_min, 1), ROUND(s_fov, 2)",
    "CONTAINS(ivo_epoch_prop_pos(s_ra, s_dec, 1, 20, 30, 5, 2016, 1900), s_region)",
    "ivo_interval_overlaps(t_min, t_max, 0, 1), ivo_healpix_center(3, 4), gavo_apply_pm(s_ra, s_dec, 0.1, 0.1, 9)",
)


def check(database, compiled):
    with database.stream(compiled.sql, 20) as stream:
        names = stream.schema.names
        types = stream.schema.types
    assert names == [field.name for field in compiled.fields]
    for field, type_ in zip(compiled.fields, types, strict=True):
        is_array = field.datatype == "double" and field.arraysize is not None
        assert type_ == ARROW[field.datatype] if not is_array else type_.value_type == pa.float64(), field


def test_every_published_table(database, catalogue):
    for table in catalogue.tables:
        check(database, compile_query(f"SELECT * FROM {table.qualified}", catalogue, max_rows=5))


@pytest.mark.parametrize("items", EXPRESSIONS)
def test_expressions(database, catalogue, items):
    check(database, compile_query(f"SELECT {items} FROM ivoa.obscore", catalogue, max_rows=5))


def test_sets_of_footprints(database, catalogue):
    both = "SELECT s_region, obs_id FROM ivoa.obscore UNION SELECT s_region, obs_id FROM ivoa.obscore"
    check(database, compile_query(both, catalogue, max_rows=5))
