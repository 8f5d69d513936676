"""Plans are read, and large tables that no index helps with are named; a low limit makes a small table large."""

from __future__ import annotations

import time

import numpy as np
import pytest
from adql.tables import CATALOGUE, ddl
from patience import PATIENCE

from vo.adql import compile_query
from vo.context import Context, find_hints
from vo.db.advice import advise, indexed_forms
from vo.db.explain import Scan, draw_plan, explain, find_scans, steps_below
from vo.errors import FatalFault, TimeLimitFault, UsageFault

ROWS = 3000
STARS = 400
LIMIT = 1000


@pytest.fixture(scope="module")
def database(fresh_database):
    """Plates all over the sky and the century, and fewer stars; counted by ANALYZE."""
    rng = np.random.default_rng(8)
    made = fresh_database()
    with made.owner() as connection:
        connection.execute(ddl().encode())
        copy = "COPY sky.plates (id, name, ra, dec, n, t_min, t_max, shape, shape_text) FROM STDIN"
        with connection.cursor().copy(copy.encode()) as rows:
            for number in range(ROWS):
                ra, dec = rng.uniform(1, 358), rng.uniform(-80, 80)
                begin = rng.uniform(20000, 50000)
                shape = f"{{({ra}d,{dec}d),({ra + 1}d,{dec}d),({ra}d,{dec + 1}d)}}"
                rows.write_row((number, f"p{number}", ra, dec, number % 7, begin, begin + 0.1, shape, ""))
        with connection.cursor().copy("COPY sky.stars (id, ra, dec, mag, epoch) FROM STDIN") as rows:
            for number in range(STARS):
                row = (number, rng.uniform(0, 360), rng.uniform(-80, 80), rng.uniform(5, 9), rng.uniform(20000, 50000))
                rows.write_row(row)
        connection.execute(
            "GRANT USAGE ON SCHEMA sky TO vo_service; GRANT SELECT ON ALL TABLES IN SCHEMA sky TO vo_service"
        )
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE sky.plates, sky.stars")
    return made


def scans(database, query, limit=LIMIT, max_rows=None):
    with database.read() as connection:
        return find_scans(connection, compile_query(query, CATALOGUE, max_rows=max_rows).sql, limit)


@pytest.mark.parametrize(
    ("condition", "columns"),
    [
        ("mag > 3", ("mag",)),
        ("n + 1 = 3 AND name LIKE '%7'", ("name", "n")),
        ("UPPER(name) = 'P7'", ("name",)),
        ("1 = CONTAINS(POINT(dec, ra), CIRCLE(1, 2, 3))", ("ra", "dec")),
        ("DISTANCE(POINT(ra, dec), POINT(1, 2)) < n", ("ra", "dec", "n")),
        ("name LIKE '%7'", ("name",)),
    ],
)
def test_a_table_read_for_some_of_its_rows_is_named_with_the_columns_asked(database, condition, columns):
    assert scans(database, f"SELECT id FROM sky.plates p WHERE {condition}") == (Scan("sky.plates", ROWS, columns),)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM sky.plates",
        "SELECT COUNT(*), MAX(ra) FROM sky.plates",
        "SELECT id FROM sky.plates WHERE 1 = CONTAINS(POINT(10, 20), shape)",
        "SELECT id FROM sky.plates WHERE 1 = CONTAINS(POINT(10, 20), shape) AND n = 2",
        "SELECT id FROM sky.plates WHERE DISTANCE(ra, dec, 10, 20) < 1",
        "SELECT id FROM sky.plates WHERE name = 'p7'",
        "SELECT id FROM sky.plates WHERE name LIKE 'p71%'",
        "SELECT id FROM sky.stars WHERE mag < 6",  # smaller than the limit
        "SELECT id FROM sky.plates WHERE n >= 2",  # five sevenths of all: reading them all is right
        "SELECT TOP 3 id FROM sky.plates WHERE n = 2",  # found at once
        "SELECT s.id FROM sky.stars s JOIN sky.plates p ON 1 = CONTAINS(POINT(s.ra, s.dec), p.shape)",
        "SELECT s.id FROM sky.stars s JOIN sky.plates p ON s.id = p.n",  # by hashing
        "SELECT id FROM sky.plates WHERE id IN (SELECT id FROM sky.stars)",
    ],
)
def test_what_an_index_answers_or_must_be_read_gets_no_hint(database, query):
    assert scans(database, query) == ()


def test_the_limit_counts(database):
    query = "SELECT id FROM sky.plates WHERE mag > 3"
    assert scans(database, query, ROWS - 1)
    assert not scans(database, query, ROWS)
    assert scans(database, "SELECT id FROM sky.stars WHERE mag < 5.4", STARS - 1)


def test_a_limit_helps_only_as_far_as_it_shortens_the_reading(database):
    assert scans(database, "SELECT TOP 3 id FROM sky.plates WHERE mag > 3") != ()  # rare: all may have to be read
    assert scans(database, "SELECT TOP 3 id FROM sky.plates WHERE n = 2 ORDER BY mag") != ()  # sorting needs all
    assert scans(database, "SELECT id FROM sky.plates WHERE n = 2", max_rows=3) == ()


def test_rows_compared_with_all_others_are_told_for_the_larger_table(database):
    query = "SELECT s.id FROM sky.stars s JOIN sky.plates p ON ABS(s.epoch - p.t_min) < 1"
    assert scans(database, query) == (Scan("sky.plates", ROWS, ("t_min",), STARS),)
    few = query.replace("sky.stars s", "(SELECT TOP 1 * FROM sky.stars) AS s").replace(
        "ABS(s.epoch - p.t_min)", "s.id + p.n"
    )
    assert scans(database, few, ROWS) == ()


def test_a_correlated_sub_query_counts_once_for_each_row(database):
    query = "SELECT s.id, (SELECT COUNT(*) FROM sky.plates p WHERE p.t_min < s.epoch AND p.n = 3) FROM sky.stars s"
    (scan,) = scans(database, query, 10 * ROWS)
    assert scan.table == "sky.plates"
    assert scan.others == pytest.approx(STARS, rel=0.05)


def test_plans_tell_index_condition_and_test(database):
    sql = compile_query(
        "SELECT id FROM sky.plates WHERE 1 = CONTAINS(POINT(10, 20), shape) AND n = 2 AND 3e4 BETWEEN t_min AND t_max",
        CATALOGUE,
    ).sql
    with database.read() as connection:
        plan = explain(connection, sql, seconds=10)
        ran = explain(connection, sql, seconds=10, analyze=True)
    assert [step.index for step in steps_below(plan.root) if step.index] == ["plates_t_range_shape"]
    assert plan.execution is None
    text = draw_plan(plan)
    assert "of sky.plates by index plates_t_range_shape" in text
    assert "plates.shape @> " in text.partition("by: ")[2].splitlines()[0]
    assert "(plates.n = 2)" in text.partition("test: ")[2]
    assert "took" not in text
    assert ran.execution is not None
    assert "took" in draw_plan(ran)
    assert ", run in " in draw_plan(ran)
    found = ran.root.found
    with database.read() as connection:
        assert found == len(connection.execute(sql.encode()).fetchall())


def test_a_plan_is_drawn_step_below_step(database):
    query = (
        "SELECT s.id FROM sky.stars s JOIN sky.plates p ON s.id = p.n WHERE s.mag < (SELECT AVG(mag) FROM sky.stars)"
    )
    with database.read() as connection:
        plan = explain(connection, compile_query(query, CATALOGUE).sql, seconds=10)
    lines = draw_plan(plan).splitlines()
    assert len([line for line in lines if "cost" in line]) == len(list(steps_below(plan.root)))
    assert any("(sub-query)" in line for line in lines)
    assert any(line.startswith("├─ ") for line in lines)
    assert any(line.startswith("└─ ") for line in lines)


def test_a_division_by_zero_while_planning_is_a_fault_in_our_words(database):
    sql = compile_query("SELECT 1 / 0 FROM sky.plates", CATALOGUE).sql
    with database.read() as connection, pytest.raises(UsageFault, match="division by zero"):
        explain(connection, sql, seconds=10)
    with database.read() as connection:  # the connection is of use again
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_running_for_times_has_a_limit(database):
    sql = "SELECT count(*) FROM sky.plates a, sky.plates b, sky.plates c WHERE a.ra + b.ra < c.ra"
    began = time.monotonic()
    with database.read() as connection, pytest.raises(TimeLimitFault, match=r"0\.2 s"):
        explain(connection, sql, seconds=0.2, analyze=True)
    assert time.monotonic() - began < PATIENCE


# -- words


def test_a_hint_names_table_rows_columns_and_the_forms_that_use_an_index(catalogue):
    (hint,) = advise([Scan("ivoa.obscore", 500_000, ("observer",))], catalogue)
    assert hint.startswith("ivoa.obscore (500,000 rows) is read whole: no index answers what is asked of observer.")
    for form in (
        "1 = CONTAINS(POINT(...), s_region) or 1 = INTERSECTS(CIRCLE(...), s_region)",
        "1 = CONTAINS(POINT(s_ra, s_dec), CIRCLE(...)) or DISTANCE(POINT(s_ra, s_dec), POINT(...)) < r",
        "t BETWEEN t_min AND t_max",
        "on obs_publisher_did, obs_collection, obs_id, t_min",
    ):
        assert form in hint


def test_a_hint_for_a_join_tells_the_number_of_comparisons(catalogue):
    (hint,) = advise([Scan("ivoa.obscore", 500_000, ("t_min",), 1000)], catalogue)
    assert "(500,000 rows) is read row by row and compared with about 1,000 rows each" in hint


def test_a_table_that_is_not_published_is_named_without_forms(catalogue):
    assert advise([Scan("a.b", 200_000, ())], catalogue) == ("a.b (200,000 rows) is read whole.",)


def test_what_a_view_asks_by_itself_is_no_hint(catalogue):
    own = Scan("dasch.plates", 500_000, ("plate_scale",))
    assert advise([own], catalogue) == ()
    assert advise([Scan("dasch.plates", 500_000, ("plate_scale", "observer"))], catalogue) != ()
    assert advise([Scan("ivoa.obscore", 500_000, ("plate_id",))], catalogue) != ()


FILLERS = {"char": "'x'", "unicodeChar": "'x'", "double": "1e300"}


def test_every_form_of_a_hint_is_answered_by_an_index(fresh_database, catalogue):
    """What is advised must be true: each form, written out, makes the planner take an index of obscore."""
    table = catalogue.by_name["ivoa.obscore"]
    forms = list(indexed_forms(table))
    written = {
        "t_min and t_max": ["40000 BETWEEN t_min AND t_max"],
        "1 = CONTAINS(POINT(...), s_region)": [
            "1 = CONTAINS(POINT(1, 2), s_region)",
            "1 = INTERSECTS(CIRCLE(1, 2, 0.1), s_region)",
        ],
        "1 = CONTAINS(POINT(s_ra, s_dec)": [
            "1 = CONTAINS(POINT(s_ra, s_dec), CIRCLE(1, 2, 0.1))",
            "DISTANCE(POINT(s_ra, s_dec), POINT(1, 2)) < 0.1",
        ],
        "=, <, >": [],
    }
    assert [sum(form.startswith(key) for key in written) for form in forms] == [1] * len(written)
    columns = forms[-1].partition(" on ")[2].split(", ")
    for name in columns:
        value = FILLERS[table.by_name[name].field().datatype]
        written["=, <, >"] += [f"{name} = {value}"]
        if value == "'x'":
            written["=, <, >"] += [f"{name} LIKE 'x%'", f"{name} IN ('x', 'y')"]
        else:
            written["=, <, >"] += [f"{name} > {value}", f"{name} BETWEEN {value} AND {value}"]
    with fresh_database().read() as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        for condition in [condition for conditions in written.values() for condition in conditions]:
            sql = compile_query(f"SELECT obs_id FROM ivoa.obscore WHERE {condition}", catalogue).sql
            plan = explain(connection, sql, seconds=10)
            scanned = [step for step in steps_below(plan.root) if step.index and step.condition]
            assert scanned, condition


def test_context_gives_hints_for_compiled_queries(database, settings, catalogue):
    low = settings.model_copy(update={"hint_rows": LIMIT})
    context = Context(low, database, CATALOGUE, ())
    sql = compile_query("SELECT id FROM sky.plates WHERE mag > 3", CATALOGUE).sql
    (hint,) = find_hints(context, sql)
    assert hint.startswith("sky.plates (3,000 rows) is read whole: no index answers what is asked of mag.")
    assert find_hints(Context(settings, database, CATALOGUE, ()), sql) == ()
    assert find_hints(context, compile_query("SELECT 1 / 0 FROM sky.plates", CATALOGUE).sql) == ()
    with pytest.raises(FatalFault):  # SQL of our own that is wrong is a bug, and is not passed over
        find_hints(context, "SELECT 1 FROM nowhere")
