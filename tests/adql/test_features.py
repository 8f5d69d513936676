"""Every function and every declared feature answers an example; what is taken away is missed.

The expected values were worked out by hand, stand in a standard, or come from numpy, as said beside them.
"""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from adql.tables import CATALOGUE

from vo.adql import compile_query
from vo.adql.functions import ALL_FUNCTIONS, FEATURES, FUNCTIONS
from vo.errors import ADQLFault
from vo.tap.capabilities import capability

UDF = "ivo://ivoa.net/std/TAPRegExt#features-udf"
#: COALESCE's group is in no standards record, so that validators refuse it in capabilities.
UNSAID = {"COALESCE"}


def moved(ra, dec, parallax, pmra, pmdec, rv, years):
    """Where a star on a straight line stands after some years: [ra, dec] in degrees, by vectors in AU."""
    a, d = np.radians([ra, dec])
    out = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    east = np.array([-np.sin(a), np.cos(a), 0])
    north = np.cross(out, east)
    mas = np.radians(1 / 3.6e6)
    distance = 1 / (parallax * mas)
    across = distance * mas * (pmra * east + pmdec * north)
    along = rv * (365.25 * 86400 / 149597870.7) * out
    x, y, z = distance * out + years * (across + along)
    return [float(np.degrees(np.arctan2(y, x)) % 360), float(np.degrees(np.arctan2(z, np.hypot(x, y))))]


SQUARE = "POLYGON(10, -1, 12, -1, 12, 1, 10, 1)"

#: For each function a list with an example for each of its entries in the table, in their order: an expression over the
#: one row of sky.plates with id 1 and its value, or a query and its rows. A lambda gives what must be near, to 1e-9.
FUNCTION_EXAMPLES = {
    "ABS": [("ABS(-3.5)", 3.5)],
    "CEILING": [("CEILING(1.2)", 2.0)],
    "DEGREES": [("DEGREES(PI())", 180.0)],
    "EXP": [("EXP(1)", 2.718281828459045)],
    "FLOOR": [("FLOOR(-1.2)", -2.0)],
    "LOG": [("LOG(EXP(2))", 2.0)],
    "LOG10": [("LOG10(0.001)", -3.0)],
    "MOD": [("MOD(-7, 3)", -1), ("MOD(-7.5, 2)", -1.5)],
    "PI": [("PI()", 3.141592653589793)],
    "POWER": [("POWER(2, 10)", 1024.0)],
    "RADIANS": [("RADIANS(90)", 1.5707963267948966)],
    "RAND": [
        ("SELECT id FROM sky.plates WHERE id = 1 AND RAND() BETWEEN 0 AND 1", [(1,)]),
        ("SELECT id FROM sky.plates WHERE id = 1 AND RAND(5) BETWEEN 0 AND 1", [(1,)]),
    ],
    "ROUND": [("ROUND(-2.5)", -3.0), ("ROUND(2.345, 2)", 2.35)],
    "SQRT": [("SQRT(6.25)", 2.5)],
    "TRUNCATE": [("TRUNCATE(-2.9)", -2.0), ("TRUNCATE(2.567, 2)", 2.56)],
    "ACOS": [("ACOS(0)", 1.5707963267948966)],
    "ASIN": [("ASIN(1)", 1.5707963267948966)],
    "ATAN": [("ATAN(1)", 0.7853981633974483)],
    "ATAN2": [("ATAN2(-1, 0)", -1.5707963267948966)],
    "COS": [("COS(PI())", -1.0)],
    "COT": [("COT(PI() / 4)", 1.0)],
    "SIN": [("SIN(PI() / 6)", 0.5)],
    "TAN": [("TAN(PI() / 4)", 1.0)],
    # an octant is an eighth of the sky, 4 pi steradians or 41252.96 square degrees
    "AREA": [
        ("AREA(POLYGON(0, 0, 90, 0, 0, 90))", 360 * 360 / 3.141592653589793 / 8),
        ("AREA(MOC('0/0-5'))", 360 * 360 / 3.141592653589793 / 2),
    ],
    "BOX": [
        ("CONTAINS(POINT(11, 0.4), BOX(10, 0, 4, 1))", 1),
        ("CONTAINS(POINT(11, 0.6), BOX(POINT(10, 0), 4, 1))", 0),
    ],
    "CENTROID": [("CENTROID(CIRCLE(10, 20, 3))", [10.0, 20.0])],
    "CIRCLE": [("CIRCLE(10, 20, 3)", [10.0, 20.0, 3.0]), ("CIRCLE(place, 3)", [10.0, 20.0, 3.0])],
    "CONTAINS": [(f"CONTAINS(POINT(11, 0), {SQUARE})", 1), ("CONTAINS(place, MOC('0/4'))", 1)],
    "COORD1": [("COORD1(place)", 10.0)],
    "COORD2": [("COORD2(place)", 20.0)],
    "COORDSYS": [("COORDSYS(place)", "ICRS")],
    "DISTANCE": [("DISTANCE(POINT(10, 80), place)", 60.0), ("DISTANCE(0, 90, 77, 20)", 70.0)],
    "INTERSECTS": [
        (f"INTERSECTS(CIRCLE(13, 0, 1.5), {SQUARE})", 1),
        ("INTERSECTS(MOC('1/0-3'), MOC('0/0'))", 1),
    ],
    "MOC": [("MOC('1/0-3 9')", "0/0 1/9"), ("MOC(0, POINT(45, 40))", "0/0")],
    # the order at the end is the finest one that was looked at (MOC 2.0, section 4.3.2)
    "gavo_mocintersect": [("gavo_mocintersect(MOC('0/0-3'), MOC('1/12-20'))", "0/3 1/")],
    "gavo_mocunion": [("gavo_mocunion(MOC('1/0-2'), MOC('1/3'))", "0/0 1/")],
    "vo_moc_union": [("SELECT vo_moc_union(MOC(0, POINT(45, 40))) FROM sky.plates", [("0/0",)])],
    "POINT": [("POINT(350, -5)", [350.0, -5.0])],
    "POLYGON": [
        ("POLYGON(0, 0, 5, 0, 0, 5)", [0.0, 0.0, 5.0, 0.0, 0.0, 5.0]),
        ("POLYGON(POINT(0, 0), POINT(5, 0), POINT(0, 5))", [0.0, 0.0, 5.0, 0.0, 0.0, 5.0]),
    ],
    "REGION": [("CONTAINS(place, REGION('CIRCLE ICRS 10 21 1.5'))", 1)],
    "LOWER": [("LOWER('PLATE 7')", "plate 7")],
    "UPPER": [("UPPER('plate 7')", "PLATE 7")],
    "COALESCE": [("COALESCE(NULL, n, id)", 1)],
    "IN_UNIT": [("IN_UNIT(ra, 'arcmin')", 600.0)],
    "ivo_dms_to_degrees": [("ivo_dms_to_degrees('-12:30:36')", -12.51)],
    "ivo_hms_to_degrees": [("ivo_hms_to_degrees('01:30:00')", 22.5)],
    "ivo_epoch_prop_pos": [
        (
            "ivo_epoch_prop_pos(269.45, 4.69, 547, -802, 10362, -110.6, 2000.0, 2050.0)",
            lambda: moved(269.45, 4.69, 547, -802, 10362, -110.6, 50),
        )
    ],
    # the catalogue of user-defined functions: ICRS (120, -23) is (241.121831, 3.627858) in the Galaxy
    "ivo_geom_transform": [
        ("ROUND(COORD1(ivo_geom_transform('ICRS', 'GALACTIC', POINT(120, -23))), 5)", 241.12183),
        ("ROUND(COORD2(CENTROID(ivo_geom_transform('ICRS', 'GALACTIC', CIRCLE(120, -23, 1)))), 5)", 3.62786),
        (
            "CONTAINS(POINT(241, 3.6), ivo_geom_transform('ICRS', 'GALACTIC', POLYGON(119, -23, 121, -24, 120, -22)))",
            1,
        ),
    ],
    "gavo_transform": [
        ("ROUND(COORD2(gavo_transform('ICRS', 'GALACTIC', POINT(120, -23))), 5)", 3.62786),
        ("ROUND(COORD1(CENTROID(gavo_transform('ICRS', 'GALACTIC', CIRCLE(120, -23, 1)))), 5)", 241.12183),
        (
            "CONTAINS(POINT(241, 3.6), gavo_transform('ICRS', 'GALACTIC', POLYGON(119, -23, 121, -24, 120, -22)))",
            1,
        ),
    ],
    "ivo_hashlist_has": [("ivo_hashlist_has('optical#radio', 'Radio')", 1)],
    "ivo_hasword": [("ivo_hasword('Plates of the 30-inch telescope', 'INCH plates')", 1)],
    # the catalogue of user-defined functions
    "ivo_healpix_center": [("ivo_healpix_center(0, 6)", [180.0, 0.0])],
    "ivo_healpix_index": [
        ("ivo_healpix_index(17, 359, -1)", 73009064944),
        ("ivo_healpix_index(17, POINT(1, 1))", 81609757711),
    ],
    "ivo_histogram": [("SELECT ivo_histogram(id, 0, 4, 2) FROM sky.plates", [([0, 1, 2, 1],)])],
    "gavo_histogram": [("SELECT gavo_histogram(id, 0, 4, 2) FROM sky.plates", [([0, 1, 2, 1],)])],
    "ivo_interval_overlaps": [("ivo_interval_overlaps(1, 2, 2, 3)", 1)],
    "ivo_nocasematch": [("ivo_nocasematch('Blue plate', 'BLUE%')", 1)],
    "ivo_normal_random": [
        ("SELECT id FROM sky.plates WHERE id = 1 AND ivo_normal_random(1000, 1) BETWEEN 900 AND 1100", [(1,)])
    ],
    "gavo_normal_random": [
        ("SELECT id FROM sky.plates WHERE id = 1 AND gavo_normal_random(1000, 1) BETWEEN 900 AND 1100", [(1,)])
    ],
    "ivo_string_agg": [("SELECT ivo_string_agg(id, '+') FROM sky.plates WHERE id = 1", [("1",)])],
    "ivo_to_jd": [("ivo_to_jd('2000-01-01T12:00:00')", 2451545.0)],
    "ivo_to_mjd": [("ivo_to_mjd('1910-12-31T06:00:00')", 19036.25)],
    "gavo_to_jd": [("gavo_to_jd('2000-01-01T12:00:00')", 2451545.0)],
    "gavo_to_mjd": [("gavo_to_mjd(taken)", 19036.25)],
    # a degree a year to the north, for five years
    "gavo_apply_pm": [("ROUND(COORD2(gavo_apply_pm(10, 20, 0, 0.001, 5)), 6)", 20.005)],
    "gavo_match": [("gavo_match('^B[0-9]+', 'B0123')", 1)],
    "gavo_specconv": [
        ("gavo_specconv(gavo_specconv(599.584916, 'THz', 'nm'), 'Angstrom')", 5000.0),
        ("ROUND(gavo_specconv(500, 'nm', 'THz'), 6)", 599.584916),
    ],
    "vo_range": [("SELECT id FROM sky.plates WHERE CONTAINS(place, vo_range(350, 11, 19, 21)) = 1", [(1,)])],
}

#: Features that are words of the grammar, each with a query that cannot be said without it.
WORD_EXAMPLES = {
    "ILIKE": ("SELECT id FROM sky.plates WHERE name ILIKE 'BLUE%'", [(1,)]),
    "WITH": ("WITH few AS (SELECT id FROM sky.plates WHERE id < 3) SELECT MAX(id) FROM few", [(2,)]),
    "UNION": ("SELECT id FROM sky.plates WHERE id < 3 UNION SELECT 2 FROM sky.plates ORDER BY 1", [(1,), (2,)]),
    "EXCEPT": ("SELECT id FROM sky.plates EXCEPT SELECT 2 FROM sky.plates ORDER BY 1", [(1,), (3,), (5,)]),
    "INTERSECT": ("SELECT id FROM sky.plates INTERSECT SELECT 2 FROM sky.plates", [(2,)]),
    "CAST": ("SELECT CAST('12' AS INTEGER) + 1 FROM sky.plates WHERE id = 1", [(13,)]),
    "OFFSET": ("SELECT id FROM sky.plates ORDER BY id OFFSET 2", [(3,), (5,)]),
    "CASE": ("SELECT CASE WHEN id > 1 THEN 'b' ELSE 'a' END FROM sky.plates WHERE id < 3 ORDER BY 1", [("a",), ("b",)]),
    "TABLESAMPLE": ("SELECT COUNT(*) FROM sky.plates TABLESAMPLE(100)", [(4,)]),
}


@pytest.fixture(scope="module", autouse=True)
def rows(connection):
    connection.execute(
        "INSERT INTO sky.plates (id, ra, name, n, place, taken)"
        " VALUES (1, 10, 'Blue plate', 1, '(10d,20d)', '1910-12-31 06:00:00')"
    )
    connection.execute("INSERT INTO sky.plates (id) VALUES (2), (3), (5)")


def whole(example):
    return example if re.match(r"SELECT|WITH", example) else f"SELECT {example} FROM sky.plates WHERE id = 1"


EXAMPLES = [(name, *example) for name, examples in FUNCTION_EXAMPLES.items() for example in examples]
EXAMPLES += [(word, *example) for word, example in WORD_EXAMPLES.items()]


@pytest.mark.parametrize(("feature", "example", "expected"), EXAMPLES, ids=[example for _, example, _ in EXAMPLES])
def test_every_feature_gives_the_expected_answer(run, feature, example, expected):
    assert feature in example
    wanted = expected() if callable(expected) else expected
    got = run(whole(example))
    if isinstance(wanted, list) and wanted and isinstance(wanted[0], tuple):
        assert got == wanted
        return
    ((value,),) = got
    if isinstance(wanted, float) or (isinstance(wanted, list) and isinstance(wanted[0], float)):
        assert value == pytest.approx(wanted, rel=1e-9 if callable(expected) else 1e-12)
    else:
        assert value == wanted
        assert type(value) is type(wanted)


def test_every_function_has_an_example_for_each_of_its_entries():
    declared = Counter(function.name for function in ALL_FUNCTIONS)
    assert {name: len(examples) for name, examples in FUNCTION_EXAMPLES.items()} == declared


#: Entries whose arguments a later entry of the name takes, too: it is the name that must not go.
COVERED = {("CONTAINS", 0), ("INTERSECTS", 0)}


@pytest.mark.parametrize(
    ("name", "number"), [(name, i) for name, examples in FUNCTION_EXAMPLES.items() for i in range(len(examples))]
)
def test_an_example_fails_without_its_entry(monkeypatch, name, number):
    """Each example needs the entry that it stands for: without it, the query is refused."""
    query = whole(FUNCTION_EXAMPLES[name][number][0])
    before = compile_query(query, CATALOGUE)
    entries = FUNCTIONS[name.upper()]
    if len(entries) == 1 or (name, number) in COVERED:
        monkeypatch.delitem(FUNCTIONS, name.upper())
    else:
        monkeypatch.setitem(FUNCTIONS, name.upper(), (*entries[:number], *entries[number + 1 :]))
    if (name, number) == ("MOD", 0):  # integers are taken by the other entry, and give a DOUBLE
        assert compile_query(query, CATALOGUE).fields != before.fields
        return
    with pytest.raises(ADQLFault):
        compile_query(query, CATALOGUE)


def forms():
    """The names of all declared features; of a UDF's signature its name."""
    return {feature.form.split("(")[0] for group in FEATURES for feature in group.features}


def test_every_declared_feature_has_an_example_and_nothing_else_has():
    optional = {function.name for function in ALL_FUNCTIONS if function.group.value}
    assert forms() == {name for name in FUNCTION_EXAMPLES if name in optional} | set(WORD_EXAMPLES)


def test_capabilities_declare_the_features_and_nothing_else(settings):
    document = capability(settings, "https://plates.example").to_xml(skip_empty=True)
    text = document.decode() if isinstance(document, bytes) else document
    declared = re.findall(r"<form>([^<]+)</form>", text)
    assert len(declared) == len(set(declared))
    assert {form.split("(")[0] for form in declared} == forms() - UNSAID
    udfs = [group for group in FEATURES if group.key == UDF]
    assert len(udfs) == 1
    for feature in udfs[0].features:
        assert re.fullmatch(r"\w+\((\w+ [A-Z ]+(, \w+ [A-Z ]+)*)?\) -> \w[\w ]*", feature.form), feature.form
        assert feature.description


def test_words_that_are_not_declared_are_refused():
    for query in (
        "SELECT MD5(name) FROM sky.plates",
        "SELECT SUBSTRING(name, 1, 2) FROM sky.plates",
        "SELECT pg_sleep(1) FROM sky.plates",
        "SELECT id FROM sky.plates LIMIT 3",
        "WITH RECURSIVE a AS (SELECT 1 FROM sky.plates) SELECT * FROM a",
    ):
        with pytest.raises(ADQLFault):
            compile_query(query, CATALOGUE)
