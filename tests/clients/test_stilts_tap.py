"""STILTS, and with it TOPCAT, as clients of TAP: queries with uploads, matches by position, and TOPCAT's own requests.

What comes out is read with astropy, and compared with the same question in Python.
"""

from __future__ import annotations

import io

import documents
import httpx
import numpy as np
import pytest
from astropy.io import votable
from astropy.table import Table
from stilts import run


def stilts(task: str, *words: str) -> Table:
    """Run a task that writes a VOTable."""
    done = run(task, *words, "out=-", "ofmt=votable-tabledata")
    return Table.read(io.BytesIO(done.stdout), format="votable")


@pytest.fixture(scope="module")
def exposures(server) -> Table:
    """Where and when every exposure of the demo was taken, with its identifier."""
    query = "SELECT obs_publisher_did, s_ra, s_dec FROM ivoa.obscore WHERE s_ra IS NOT NULL ORDER BY obs_publisher_did"
    rows = documents.read(server.query(query)).rows
    return Table(rows=rows)


@pytest.fixture(scope="module")
def tables(tmp_path_factory, exposures):
    """Two tables on disk: numbers with places, and names for the numbers."""
    folder = tmp_path_factory.mktemp("tables")
    places = Table({"Nr": np.arange(3), "RA": exposures["s_ra"][:3] + 0.001, "Dec": exposures["s_dec"][:3]})
    places.write(folder / "places.fits")
    names = Table({"Nr": np.array([0, 2, 9]), "name": np.array(["erster", "dritter", "keiner"])})
    names.write(folder / "words.csv")
    return folder


@pytest.mark.parametrize("compress", ["true", "false"])
@pytest.mark.parametrize("form", ["TABLEDATA", "BINARY", "BINARY2"])
def test_two_uploads_in_one_query(server, tables, form, compress):
    found = stilts(
        "tapquery",
        f"tapurl={server.url}/tap",
        "sync=true",
        "nupload=2",
        f"upload1={tables}/places.fits",
        "upname1=places",
        f"upload2={tables}/words.csv",
        "ufmt2=csv",
        "upname2=Words",
        f"upvotformat={form}",
        f"compress={compress}",
        "adql=SELECT p.Nr, p.RA, n.name FROM TAP_UPLOAD.places AS p JOIN tap_upload.words AS n ON p.Nr = n.Nr",
    )
    assert sorted(zip(found["Nr"], found["name"], strict=True)) == [(0, "erster"), (2, "dritter")]
    assert found["RA"].dtype == np.float64


def test_a_match_by_position(server, tables, exposures):
    """tapskymatch sends block after block of positions and joins them with a table of ours."""
    found = stilts(
        "tapskymatch",
        f"in={tables}/places.fits",
        "inlon=RA",
        "inlat=Dec",
        f"tapurl={server.url}/tap",
        "taptable=ivoa.obscore",
        "taplon=s_ra",
        "taplat=s_dec",
        "tapcols=obs_publisher_did,s_ra,s_dec",
        "sr=0.01",
        "find=all",
        "blocksize=2",
    )
    near = [
        (number, did)
        for number in range(3)
        for did, ra, dec in exposures.iterrows()
        if np.hypot(
            (ra - exposures["s_ra"][number] - 0.001) * np.cos(np.radians(dec)), dec - exposures["s_dec"][number]
        )
        < 0.01
    ]
    assert sorted(zip(found["Nr"], found["obs_publisher_did"], strict=True)) == sorted(near)
    assert len(near) >= 3


def test_a_fault_is_told(server):
    query = "adql=SELECT nonsense FROM ivoa.obscore"
    done = run("tapquery", f"tapurl={server.url}/tap", query, "sync=true", check=False)
    assert done.returncode != 0
    assert b"nonsense" in done.stderr


# -- requests as TOPCAT sends them

#: How TOPCAT finds out how many tables and columns there are, and what it then reads of them.
METADATA = (
    "SELECT COUNT(*) AS nrow FROM TAP_SCHEMA.columns",
    "SELECT COUNT(*) FROM TAP_SCHEMA.tables",
    "SELECT schema_name, description, utype FROM TAP_SCHEMA.schemas",
    "SELECT schema_name, table_name, table_type, description, utype FROM TAP_SCHEMA.tables",
    "SELECT * FROM TAP_SCHEMA.tables WHERE schema_name = 'ivoa'",
    "SELECT * FROM TAP_SCHEMA.columns WHERE table_name = 'ivoa.obscore'",
    'SELECT table_name, column_name, description, unit, ucd, utype, datatype, "size", indexed FROM TAP_SCHEMA.columns',
    "SELECT key_id, from_table, target_table, description, utype FROM TAP_SCHEMA.keys",
    "SELECT key_id, from_column, target_column FROM TAP_SCHEMA.key_columns",
    "SELECT TOP 1 * FROM TAP_SCHEMA.tables",
)


@pytest.mark.parametrize("query", METADATA)
def test_topcats_questions_for_metadata(server, query):
    data = {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "votable", "MAXREC": "100000", "QUERY": query}
    response = server.client.post("/tap/sync", data=data, headers={"Accept-Encoding": "gzip"})
    assert response.status_code == 200, response.text
    read = documents.read(response)
    assert read.rows
    assert "OVERFLOW" not in read.statuses


HEADERS = {
    "plain": {"Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "Accept-Encoding": "identity"},
    "packed": {"Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "Accept-Encoding": "gzip"},
}


@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("serialisation", ["tabledata", "binary", "binary2"])
def test_an_upload_as_topcat_sends_it(server, serialisation, headers):
    """A body of chunks without a length, parts with the media type and no file name of use, Java's Accept."""
    content = io.BytesIO()
    table = Table({"RAJ2000": np.array([1.5, 2.5]), "Name": np.array(["a", "b"])})
    votable.writeto(votable.from_table(table), content, tabledata_format=serialisation)
    boundary = "<<<<<<<<<<<<<<<<<<<<MULTIPART-1>>>>>>>>>>>>>>>>>>>>"
    fields = {
        "REQUEST": "doQuery",
        "LANG": "ADQL",
        "FORMAT": "votable",
        "QUERY": "SELECT t1.RAJ2000, Name FROM TAP_UPLOAD.t1",
        "UPLOAD": "t1,param:t1",
    }
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts.append(
        b'Content-Type: application/x-votable+xml\r\nContent-Disposition: form-data; name="t1"; filename="t1"\r\n'
        b"Content-Type: application/x-votable+xml\r\n\r\n" + content.getvalue()
    )
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    whole = body + b"--" + boundary.encode() + b"--\r\n"
    request = httpx.Request(
        "POST",
        f"{server.url}/tap/sync",
        content=(whole[start : start + 300] for start in range(0, len(whole), 300)),
        headers={"Content-Type": f'multipart/form-data; boundary="{boundary}"', **HEADERS[headers]},
    )
    response = server.client.send(request)
    assert response.status_code == 200, response.text
    assert response.headers.get("content-encoding") in (None, HEADERS[headers]["Accept-Encoding"])
    assert documents.read(response).rows == [{"RAJ2000": 1.5, "Name": "a"}, {"RAJ2000": 2.5, "Name": "b"}]


def test_the_metadata_documents_that_topcat_reads(server):
    """Its ways to read metadata: detail=max, and detail=min followed by one document a table."""
    whole = server.get("/tap/tables", detail="max")
    assert whole.status_code == 200
    assert b"<column" in whole.content
    brief = server.get("/tap/tables", detail="min")
    assert b"<column" not in brief.content
    assert b"<column" in server.get("/tap/tables/ivoa.obscore").content
    assert server.get("/tap/tables/no.table").status_code == 404
