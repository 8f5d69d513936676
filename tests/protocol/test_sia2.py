"""SIA2 over HTTP, judged by filtering all rows of ivoa.obscore in Python: SIA-01 to SIA-12, DSC-03, DALI-06/07."""

from __future__ import annotations

import math

import documents
import pytest

MANDATORY = 30
INF = math.inf


@pytest.fixture(scope="module")
def everything(server):
    """All rows of ivoa.obscore, as the database has them."""
    with server.database.read() as connection:
        cursor = connection.execute("SELECT * FROM ivoa.obscore")
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def ask(server, *pairs: tuple[str, str], maxrec: int | None = 5000):
    values = [*pairs, *([("MAXREC", str(maxrec))] if maxrec is not None else [])]
    return server.client.get("/sia2/query", params=values)


def found(server, *pairs) -> set[str]:
    response = ask(server, *pairs)
    assert response.status_code == 200, response.text
    return {row["obs_publisher_did"] for row in documents.read(response).rows}


def plates(server, *pairs) -> set[str]:
    return {row["obs_id"] for row in documents.read(ask(server, *pairs)).rows}


def test_all_columns_of_obscore_come_in_their_order(server):
    columns = [column.name for column in make_table(server).columns]
    read = documents.read(ask(server, maxrec=3))
    assert read.fields == columns
    assert len(read.fields) >= MANDATORY
    assert len(read.rows) == 3


def make_table(server):
    from vo.context import make_context

    return make_context(server.settings, server.database).catalogue.by_name["ivoa.obscore"]


@pytest.mark.parametrize(
    ("position", "plate"),
    [
        ("CIRCLE 214.62 28.41 0.01", "comet_1941"),
        ("CIRCLE 214.62 28.41 0", "comet_1941"),
        ("CIRCLE 123 90 0.01", "pole"),
        ("CIRCLE 0 -12 0.01", "ra_zero"),
        ("CIRCLE 359.9 -12 0.01", "ra_zero"),
        ("RANGE 214.6 214.7 28.3 28.4", "comet_1941"),
        ("RANGE 0 360 89.9 +Inf", "pole"),
        ("POLYGON 214.6 28.3 214.7 28.3 214.7 28.4", "comet_1941"),
        ("POLYGON 214.7 28.4 214.7 28.3 214.6 28.3", "comet_1941"),  # the other winding
    ],
)
def test_plates_are_found_where_they_lie(server, position, plate):
    assert plate in plates(server, ("POS", position))


def test_plates_are_not_found_elsewhere(server):
    assert "comet_1941" not in plates(server, ("POS", "CIRCLE 214.5 34 1"))
    assert "pole" not in plates(server, ("POS", "CIRCLE 40 80 1"))
    assert "ra_zero" not in plates(server, ("POS", "CIRCLE 180 12 5"))


def test_the_whole_sky_finds_all_that_have_a_footprint(server, everything):
    expected = {row["obs_publisher_did"] for row in everything if row["s_region"] is not None}
    assert found(server, ("POS", "RANGE -Inf +Inf -Inf +Inf")) == expected


@pytest.mark.parametrize("position", ["CIRCLE 0 0 180", "RANGE 0 360 -90 90"])
def test_so_does_every_other_way_to_say_it(server, everything, position):
    assert len(found(server, ("POS", position))) == sum(row["s_region"] is not None for row in everything)


@pytest.mark.parametrize(
    "position",
    [
        "CIRCLE 0 0 120",
        "RANGE 10 10 5 5",
        "RANGE 0 360 90 90",
        "RANGE 0 360 0 0",
        "RANGE 10 350 -80 80",
        "POLYGON 0 89 120 89 240 89",
        "POLYGON 10 10 10 10 11 10 11 11",
    ],
)
def test_odd_positions_are_answered(server, position):
    assert found(server, ("POS", position))


@pytest.mark.parametrize(
    ("position", "word"),
    [("POLYGON 0 0 10 10 10 0 0 10", "crosses itself"), ("POLYGON 0 0 120 0 240 0", "one great circle")],
)
def test_polygons_that_mean_nothing_are_refused_in_words(server, position, word):
    response = ask(server, ("POS", position))
    assert response.status_code == 400
    assert word in response.text
    assert "column" not in response.text


def test_very_wide_plates_stay_out(server):
    assert "wide" not in plates(server, ("POS", "CIRCLE 262 -38 1"))


def overlap(low: str, high: str, start: float, end: float):
    def test(row):
        return row[low] is not None and row[high] is not None and row[low] <= end and row[high] >= start

    return test


def every(row):
    return True


def none(row):
    return False


def equal(column: str, *values):
    return lambda row: row[column] in values


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("TIME", "10000 12000")], overlap("t_min", "t_max", 10000, 12000)),
        ([("TIME", "-inf 9000")], overlap("t_min", "t_max", -INF, 9000)),
        ([("TIME", "30000 inf")], overlap("t_min", "t_max", 30000, INF)),
        ([("BAND", "4.5e-7 4.5e-7")], overlap("em_min", "em_max", 4.5e-7, 4.5e-7)),
        ([("BAND", "5.5e-7")], overlap("em_min", "em_max", 5.5e-7, 5.5e-7)),
        ([("BAND", "6e-7 +Inf")], overlap("em_min", "em_max", 6e-7, INF)),
        ([("FOV", "0 6")], overlap("s_fov", "s_fov", 0, 6)),
        ([("EXPTIME", "600 1200")], overlap("t_exptime", "t_exptime", 600, 1200)),
        ([("TIMERES", "-Inf 1200")], overlap("t_resolution", "t_resolution", -INF, 1200)),
        ([("SPECRP", "0 3")], overlap("em_res_power", "em_res_power", 0, 3)),
        ([("SPATRES", "0 1e9")], overlap("s_resolution", "s_resolution", 0, 1e9)),
        ([("CALIB", "1")], equal("calib_level", 1)),
        ([("CALIB", "1"), ("CALIB", "2")], equal("calib_level", 1, 2)),
        ([("DPTYPE", "image")], every),
        ([("DPTYPE", "cube")], none),
        ([("COLLECTION", "SYNTHETIC-DEMO")], every),
        ([("COLLECTION", "synthetic-demo")], none),
        ([("TARGET", "M 31"), ("TARGET", "Vega")], equal("target_name", "M 31", "Vega")),
        (
            [("TARGET", "M 31"), ("TIME", "-inf 15000")],
            lambda row: row["target_name"] == "M 31" and row["t_min"] <= 15000,
        ),
        ([("POL", "I")], none),
        ([("FORMAT", "image/fits")], lambda row: row["s_xel1"] is not None),
        ([("FORMAT", "application/x-votable+xml;content=datalink")], every),
        ([("FORMAT", "image/jpeg")], none),
        ([("TIME", ""), ("BAND", ""), ("SPAM", "eggs")], every),
    ],
)
def test_parameters_select_what_python_selects(server, everything, pairs, expected):
    assert found(server, *pairs) == {row["obs_publisher_did"] for row in everything if expected(row)}


@pytest.mark.parametrize("column", ["facility_name", "instrument_name"])
def test_names_are_those_of_the_rows(server, everything, column):
    name = next(row[column] for row in everything if row[column])
    expected = {row["obs_publisher_did"] for row in everything if row[column] == name}
    assert found(server, (column.removesuffix("_name").upper(), name)) == expected


def test_an_identifier_is_found_in_any_case(server, everything):
    did = everything[0]["obs_publisher_did"]
    assert found(server, ("ID", did.upper())) == {did}
    assert found(server, ("ID", did), ("ID", "ivo://nowhere")) == {did}


def test_post_answers_the_same(server):
    values = {"POS": ["CIRCLE 214.62 28.41 0.01", "CIRCLE 0 -12 0.01"], "MAXREC": "5000"}
    rows = documents.read(server.client.post("/sia2/query", data=values)).rows
    pairs = [("POS", position) for position in values["POS"]]
    assert {row["obs_publisher_did"] for row in rows} == found(server, *pairs)


def test_without_constraints_rows_come_up_to_maxrec_with_overflow(server, everything):
    read = documents.read(ask(server, maxrec=10))
    assert len(read.rows) == 10
    assert read.statuses == ["OK", "OVERFLOW"]
    assert documents.read(ask(server, maxrec=len(everything))).statuses == ["OK"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POS", "CIRCLE 400 0 1"),
        ("POS", "CIRCLE 0 95 1"),
        ("POS", "BOX 1 2 3 4"),
        ("BAND", "blue"),
        ("TIME", "2 1"),
        ("CALIB", "9"),
        ("DPTYPE", "spectrum"),
        ("MAXREC", "-1"),
        ("RESPONSEFORMAT", "word"),
    ],
)
def test_a_bad_value_is_a_votable_that_names_it(server, name, value):
    response = ask(server, (name, value), maxrec=None)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("application/x-votable+xml")
    read = documents.read(response)
    assert read.statuses == ["ERROR"]
    assert f">UsageFault: {name}" in response.text


def test_datalink_and_soda_descriptors_refer_to_the_identifiers(server):
    read = documents.read(ask(server, maxrec=1))
    standards = {}
    for resource in read.descriptors():
        params = documents.params(resource)
        standards[params["standardID"].get("value")] = params["ID"].get("ref")
    field = read.root.find(f".//{documents.NAMESPACE}FIELD[@name='obs_publisher_did']").get("ID")
    assert standards == {"ivo://ivoa.net/std/DataLink#links-1.1": field, "ivo://ivoa.net/std/SODA#sync-1.0": field}


def test_access_urls_are_the_datalink_documents(server):
    (row,) = documents.read(ask(server, ("POS", "CIRCLE 214.62 28.41 0.01"), ("TIME", "29000 31000"))).rows[:1]
    assert row["access_format"] == "application/x-votable+xml;content=datalink"
    links = documents.read(server.client.get(row["access_url"]))
    assert {link["ID"] for link in links.rows} == {row["obs_publisher_did"]}


def test_maxrec_0_describes_the_service(server):
    response = ask(server, maxrec=0)
    read = documents.read(response)
    assert read.rows == []
    assert read.statuses == ["OK", "OVERFLOW"]
    (this,) = (resource for resource in read.descriptors() if resource.get("utype") == "adhoc:this")
    assert this.get("name") == "this"
    params = documents.params(this)
    assert params["accessURL"].get("value") == f"{server.url}/sia2/query"
    assert params["standardID"].get("value") == "ivo://ivoa.net/std/SIA#query-2.0"
    units = {name: params[name].get("unit") for name in ("BAND", "TIME", "FOV", "SPATRES", "EXPTIME", "TIMERES")}
    assert units == {"BAND": "m", "TIME": "d", "FOV": "deg", "SPATRES": "arcsec", "EXPTIME": "s", "TIMERES": "s"}
    assert {params[name].get("xtype") for name in units} == {"interval"}
    assert options(params["COLLECTION"]) >= {"SYNTHETIC-DEMO"}
    assert options(params["CALIB"]) == {"0", "1", "2", "3", "4"}
    assert options(params["DPTYPE"]) == {"image", "cube"}
    assert options(params["FACILITY"])
    assert options(params["INSTRUMENT"])


def options(param) -> set[str]:
    return {option.get("value") for option in param.iter(f"{documents.NAMESPACE}OPTION")}


def test_capabilities_lead_to_the_endpoint(server):
    text = server.get("/sia2/capabilities").text
    assert "ivo://ivoa.net/std/SIA#query-2.0" in text
    assert f"{server.url}/sia2/query" in text
    assert server.get("/sia2/availability").status_code == 200
