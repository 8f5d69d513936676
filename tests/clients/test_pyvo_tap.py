"""pyVO against the live server, as its users call it."""

from __future__ import annotations

import pytest
import pyvo
from pyvo.dal.exceptions import DALQueryError

QUERY = "SELECT obs_publisher_did, s_ra, s_dec, s_region, t_min, access_url, access_format FROM ivoa.obscore"


@pytest.fixture(scope="module")
def tap(server):
    return pyvo.dal.TAPService(f"{server.url}/tap")


def test_search(tap):
    result = tap.search(f"{QUERY} WHERE calib_level = 2")
    table = result.to_table()
    assert len(table) > 5
    assert str(table["s_ra"].unit) == "deg"
    assert set(table["access_format"]) == {"application/x-votable+xml;content=datalink"}
    assert all(str(region).startswith("POLYGON ICRS ") for region in table["s_region"])


def test_maxrec_and_overflow(tap):
    result = tap.search(QUERY, maxrec=3)
    assert len(result) == 3
    assert result.query_status == "OVERFLOW"


def test_both_forms_of_geometry_in_one_query(tap):
    ra, dec = next((row["s_ra"], row["s_dec"]) for row in tap.search(f"{QUERY} WHERE calib_level = 2"))
    result = tap.search(
        f"{QUERY} WHERE (CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', {ra}, {dec}, 0.1)) = 1 "
        f"OR INTERSECTS(CIRCLE({ra}, {dec}, 0.1), s_region) = 1) AND 1 = 1"
    )
    assert len(result) >= 1


def test_tables_and_their_columns(tap):
    names = [table.name for table in tap.tables]
    assert "ivoa.obscore" in names
    assert "tap_schema.columns" in names
    columns = {column.name: column for column in tap.tables["ivoa.obscore"].columns}
    assert columns["s_region"].datatype.content == "char"
    assert columns["t_min"].unit == "d"


def test_limits_and_functions_are_read_from_the_capabilities(tap, server):
    assert tap.maxrec == server.settings.maxrec_default
    assert tap.hardlimit == server.settings.maxrec_hard
    language = tap.get_tap_capability().get_adql()
    assert {"2.0", "2.1"} <= {version.content for version in language.versions}


def test_faults_arrive_as_texts(tap):
    with pytest.raises(DALQueryError, match=r"line 1, column 8.*obs_idd"):
        tap.search("SELECT obs_idd FROM ivoa.obscore")


def test_datalinks_of_a_result(tap, server):
    result = tap.search("SELECT s_ra, obs_publisher_did FROM ivoa.obscore WHERE plate_id = 'eleven'")
    assert len(result) == 11
    links = next(result.iter_datalinks())
    by_semantics = {row["semantics"]: row for row in links}
    assert by_semantics["#this"].access_url.startswith(server.url)
    assert by_semantics["#cutout"]["service_def"]
