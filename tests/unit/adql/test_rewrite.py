"""Each pass alone: what it adds, and that the rest stays as it was."""

from __future__ import annotations

import pytest
from adql.tables import CATALOGUE

from vo.adql import compile_query
from vo.adql.kinds import Type
from vo.adql.plan import Operators
from vo.adql.rewrite import (
    PASSES,
    add_time_ranges,
    ask_nearest,
    compare_lower_case,
    fold_constants,
    push_negations,
    unwrap_truths,
    use_cones,
)
from vo.adql.rewrite.linear import as_sum, bound, is_harmless
from vo.adql.sky.geometry import double


def sql(query: str, *passes) -> str:
    return compile_query(query, CATALOGUE, passes=passes).sql


def where(condition: str, *passes) -> str:
    return sql(f"SELECT id FROM sky.plates WHERE {condition}", *passes).split(" WHERE ")[1]


def test_without_passes_nothing_is_bare():
    assert where("1 = CONTAINS(place, shape)") == "1 = (plates.place <@ plates.shape)::int"


def test_truths():
    assert where("1 = CONTAINS(place, shape)", unwrap_truths) == "plates.place <@ plates.shape"
    assert where("CONTAINS(place, shape) = 0", unwrap_truths) == "(plates.place <@ plates.shape) IS FALSE"
    assert where("CONTAINS(place, shape) = 2", unwrap_truths) == "(plates.place <@ plates.shape)::int = 2"


@pytest.mark.parametrize(
    "condition",
    [
        "{} IN (1)",
        "{} IN (1, 7)",
        "{} NOT IN (0)",
        "{} BETWEEN 1 AND 2",
        "{} - 1 = 0",
        "COALESCE({}, 0) > 0",
        "2 * {} = 2",
    ],
)
def test_more_ways_to_ask_for_a_truth(condition):
    passes = (unwrap_truths, push_negations)
    assert where(condition.format("CONTAINS(place, shape)"), *passes) == "plates.place <@ plates.shape"


@pytest.mark.parametrize("condition", ["COALESCE({}, 1) = 1", "{} = n", "{} IN (0, 1)", "{} / 2 = 0", "{} = {}"])
def test_what_is_no_question_of_one_truth_stays(condition):
    asked = condition.format("CONTAINS(place, shape)", "CONTAINS(place, hull)")
    assert where(asked, unwrap_truths) == where(asked)


def test_a_negation_that_stays_is_safe():
    """PostgreSQL would put pgSphere's wrong negator in the place of NOT over a bare operator."""
    text = where("NOT (1 = INTERSECTS(shape, hull) OR id = 1)", unwrap_truths)
    assert text == "NOT ((plates.shape && plates.hull)::int = 1 OR plates.id = 1)"
    text = where("NOT (1 = INTERSECTS(shape, hull) OR id = 1)", unwrap_truths, push_negations)
    assert text == "(plates.shape && plates.hull) IS FALSE AND plates.id <> 1"


def test_negations():
    assert where("NOT (id = 1 AND NOT (n < 2 OR id IS NULL))", push_negations) == (
        "plates.id <> 1 OR plates.n < 2 OR plates.id IS NULL"
    )


def test_cones_stand_beside_the_written_condition():
    cone = "plates.place <@ scircle(spoint(radians(1.0::float8), radians(2.0::float8)), radians("
    written = where("DISTANCE(place, POINT(1, 2)) < 0.5")
    text = where("DISTANCE(place, POINT(1, 2)) < 0.5", use_cones)
    assert text.startswith(cone)
    assert text.endswith(f" AND {written}")
    assert where("DISTANCE(place, POINT(1, 2)) < mag", use_cones) == where("DISTANCE(place, POINT(1, 2)) < mag")


def test_time_ranges_stand_beside_the_written_condition():
    assert where("5 BETWEEN t_min AND t_max", add_time_ranges) == (
        "plates.t_range @> 5.0::float8 AND 5 BETWEEN plates.t_min AND plates.t_max"
    )
    assert where("t_min < 5", add_time_ranges) == "plates.t_min < 5"


def test_constants():
    assert where("ra < 1 + 0.5", fold_constants) == "plates.ra < 1.5::float8"
    assert where("ra < 1 / 0", fold_constants) == "plates.ra < (1 / 0)"


def test_letter_case():
    """Only for columns with an index of their lower case, which these have not."""
    assert where("UPPER(name) = 'X'", compare_lower_case) == where("UPPER(name) = 'X'")


def test_the_nearest_are_asked_for_by_the_select_that_is_sorted():
    query = "SELECT TOP 3 id FROM sky.plates ORDER BY DISTANCE(ra, dec, 1, 2)"
    assert "vo_nearest" in sql(query, ask_nearest)
    for other in (
        "SELECT id",
        "SELECT DISTINCT TOP 3 ra, dec",
        "SELECT TOP 3 COUNT(*), ra, dec",
        "SELECT TOP 100000 id",
    ):
        changed = query.replace("SELECT TOP 3 id", other)
        changed = changed.replace(" ORDER", " GROUP BY ra, dec ORDER") if "COUNT" in other else changed
        if "DISTINCT" in other:
            changed = changed.replace("SELECT DISTINCT TOP 3", "SELECT DISTINCT TOP 3 DISTANCE(ra, dec, 1, 2) AS d,")
            changed = changed.replace("ORDER BY DISTANCE(ra, dec, 1, 2)", "ORDER BY d")
        assert sql(changed, ask_nearest) == sql(changed)


def test_each_pass_leaves_alone_what_it_does_not_know():
    query = (
        "SELECT name, COUNT(*) AS c FROM sky.plates WHERE name LIKE 'a%' GROUP BY name HAVING COUNT(*) > 3 ORDER BY c"
    )
    assert {sql(query, one) for one in PASSES} == {sql(query)}


def test_sums_are_widened_by_what_rounding_can_do():
    x = double(3.0)
    total = as_sum(Operators(Type.DOUBLE, x, (("*", double(2.0)), ("-", double(1e6)))))
    assert total is not None
    assert (total.terms, total.constant) == ((), 6 - 1e6)
    upper, lower = bound(total, upper=True), bound(total, upper=False)
    assert lower.value < 6 - 1e6 < upper.value
    assert upper.value - lower.value < 1e-5


def test_integers_that_are_divided_are_no_sum():
    seven, two = (as_number(value) for value in (7, 2))
    assert as_sum(Operators(Type.INTEGER, seven, (("/", two),))) is None
    assert not is_harmless(Operators(Type.DOUBLE, double(1), (("/", double(0)),)))


def as_number(value: int):
    from vo.adql.plan import Constant

    return Constant(Type.INTEGER, value)
