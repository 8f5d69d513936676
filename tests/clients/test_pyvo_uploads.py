"""pyVO's ways to send tables with a query, and to ask for other forms of answers."""

from __future__ import annotations

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
import pyvo
from astropy.io import votable
from astropy.table import MaskedColumn, Table
from pyvo.dal.exceptions import DALQueryError
from pyvo_session import one_session
from remote_table import serving_table
from serving import running

QUERY = "SELECT u.number, u.word, u.x FROM TAP_UPLOAD.mine AS u ORDER BY u.number"


@pytest.fixture(scope="module")
def tap(server):
    with one_session():
        yield pyvo.dal.TAPService(f"{server.url}/tap")


@pytest.fixture(scope="module")
def table() -> Table:
    return Table(
        {
            "number": np.array([1, 2, 3], np.int32),
            "word": np.array(["Ångström", "b <c>", ""]),
            "x": MaskedColumn([1.5, 0.0, -2.5e300], mask=[False, True, False]),
        }
    )


def check(result) -> None:
    found = result.to_table()
    assert list(found["number"]) == [1, 2, 3]
    assert [str(word) for word in found["word"].filled("")] == ["Ångström", "b <c>", ""]
    assert found["x"][0] == 1.5
    assert found["x"].mask[1]
    assert found["x"][2] == -2.5e300


def test_a_table_of_astropy(tap, table):
    check(tap.run_sync(QUERY, uploads={"mine": table}))
    check(tap.search(QUERY.lower(), uploads={"Mine": table}))


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # pyVO closes none that it opens
@pytest.mark.parametrize("form", ["tabledata", "binary", "binary2"])
def test_a_file_by_name_and_open(tap, table, form, tmp_path):
    path = tmp_path / "t.vot"
    votable.writeto(votable.from_table(table), str(path), tabledata_format=form)
    check(tap.run_sync(QUERY, uploads={"mine": str(path)}))
    check(tap.run_sync(QUERY, uploads={"mine": io.BytesIO(path.read_bytes())}))
    check(tap.run_sync(QUERY, uploads={"mine": io.StringIO(path.read_text())}))


def test_the_result_of_an_earlier_query(tap):
    first = tap.run_sync("SELECT TOP 7 obs_publisher_did, s_ra, s_dec FROM ivoa.obscore ORDER BY obs_publisher_did")
    query = (
        "SELECT o.obs_publisher_did, e.s_ra FROM TAP_UPLOAD.earlier AS e JOIN ivoa.obscore AS o "
        "ON o.obs_publisher_did = e.obs_publisher_did ORDER BY o.obs_publisher_did"
    )
    second = tap.run_sync(query, uploads={"earlier": first})
    assert list(second["obs_publisher_did"]) == list(first["obs_publisher_did"])
    assert np.array_equal(second["s_ra"], first["s_ra"], equal_nan=True)
    third = tap.run_sync(query, uploads={"earlier": second.to_table()})
    assert list(third["obs_publisher_did"]) == list(first["obs_publisher_did"])
    query = "SELECT COUNT(*) AS n FROM TAP_UPLOAD.a JOIN TAP_UPLOAD.b USING (obs_publisher_did)"
    assert tap.run_sync(query, uploads={"a": first, "b": second.to_table()})["n"][0] == 7


def test_a_table_at_an_address(server, table):
    content = io.BytesIO()
    votable.writeto(votable.from_table(table), content, tabledata_format="binary2")
    opened = server.settings.model_copy(update={"port": 0, "upload_private": True})
    with (
        serving_table(content.getvalue(), "application/x-votable+xml") as url,
        running(opened, server.database) as own,
        one_session(),
    ):
        check(pyvo.dal.TAPService(f"{own.url}/tap").run_sync(QUERY, uploads={"mine": url}))


def test_maxrec_of_a_query_with_an_upload(tap, table):
    result = tap.run_sync(QUERY, maxrec=2, uploads={"mine": table})
    assert len(result) == 2
    assert result.query_status == "OVERFLOW"


@pytest.mark.parametrize("form", ["parquet", "csv", "votable/td", "application/x-votable+xml;serialization=binary"])
def test_other_forms(tap, table, form):
    query = tap.create_query(QUERY, uploads={"mine": table}, RESPONSEFORMAT=form)
    content = query.execute_raw()
    if form == "parquet":
        assert pq.read_table(io.BytesIO(content))["word"].to_pylist() == ["Ångström", "b <c>", None]
    elif form == "csv":
        assert content.decode().splitlines()[1:] == ["1,Ångström,1.5", "2,b <c>,", "3,,-2.5e+300"]
    else:
        check(tap.run_sync(QUERY, uploads={"mine": table}, RESPONSEFORMAT=form))


def test_a_bad_upload_is_told(tap, table):
    with pytest.raises(DALQueryError, match=r"TAP_UPLOAD\.other"):
        tap.run_sync("SELECT * FROM TAP_UPLOAD.other", uploads={"mine": table})
    with pytest.raises(DALQueryError, match=r"TAP_UPLOAD\.mine"):
        tap.run_sync(QUERY, uploads={"mine": io.BytesIO(b"<VOTABLE><RESOURCE>")})
