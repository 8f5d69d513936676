"""Each pass alone: what it adds, and that the rest stays as it was."""

from __future__ import annotations

from adql.tables import CATALOGUE

from vo.adql import compile_query
from vo.adql.rewrite import add_time_ranges, push_negations, unwrap_truths, use_cones


def where(condition: str, *passes) -> str:
    sql = compile_query(f"SELECT id FROM sky.plates WHERE {condition}", CATALOGUE, passes=passes).sql
    return sql.split(" WHERE ")[1]


def test_without_passes_nothing_is_bare():
    assert where("1 = CONTAINS(place, shape)") == "1 = (plates.place <@ plates.shape)::int"


def test_truths():
    assert where("1 = CONTAINS(place, shape)", unwrap_truths) == "plates.place <@ plates.shape"
    assert where("CONTAINS(place, shape) = 0", unwrap_truths) == "(plates.place <@ plates.shape) IS FALSE"
    assert where("CONTAINS(place, shape) = 2", unwrap_truths) == "(plates.place <@ plates.shape)::int = 2"


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
    """A little wider than what is written; a radius that rows decide gets two, for pgSphere ends at 90 degrees."""
    cone = "plates.place <@ scircle(spoint(radians(1.0::float8), radians(2.0::float8)), radians(0.5000002::float8))"
    written = "vo.separation(degrees(long(plates.place)), degrees(lat(plates.place)), 1.0::float8, 2.0::float8)"
    for condition in ("DISTANCE(place, POINT(1, 2)) <= 0.5", "1 = CONTAINS(place, CIRCLE(1, 2, 0.5))"):
        assert where(condition, unwrap_truths, use_cones) == f"{cone} AND {written} <= 0.5::float8"
    assert where("DISTANCE(place, POINT(1, 2)) < 0.5").endswith(f"{written} < 0.5::float8")
    text = where("DISTANCE(place, POINT(1, 2)) < mag", use_cones)
    assert text.startswith("(plates.place <@ scircle(")
    assert text.count(" OR plates.place <@ scircle(") == 1
    assert text.endswith(f" AND {written} < plates.mag")


def test_what_must_not_be_asked_twice_gets_no_cone():
    assert "scircle" not in where("DISTANCE(place, POINT(1, 2)) < RAND()", use_cones)
    assert "scircle" not in where("DISTANCE(place, POINT(1, 2)) < (SELECT MAX(mag) FROM sky.stars)", use_cones)


def test_time_ranges_stand_beside_the_written_condition():
    assert where("5 BETWEEN t_min AND t_max", add_time_ranges) == (
        "plates.t_range @> 5.0::float8 AND 5 BETWEEN plates.t_min AND plates.t_max"
    )
    assert where("t_min < 5", add_time_ranges) == "plates.t_min < 5"
