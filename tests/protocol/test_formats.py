"""Every form of answers over HTTP: media types, what a client reads, overflow (DALI-05 to DALI-07)."""

from __future__ import annotations

import csv
import io
import warnings

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from answers import end
from astropy.io import fits, votable
from lxml import etree

from vo.tables.formats import FORMATS

ROWS = "SELECT TOP 7 obs_publisher_did, s_ra, s_region, t_exptime, obs_id FROM ivoa.obscore ORDER BY obs_publisher_did"
NAMES = [form.names[-1] for form in FORMATS]


def first_column(name, body):
    """The identifiers, as an independent reader has them."""
    match name:
        case "csv" | "tsv":
            lines = csv.reader(io.StringIO(body.decode()), delimiter="," if name == "csv" else "\t")
            found = [row[0] for row in lines][1:]
        case "fits":
            with fits.open(io.BytesIO(body)) as file:
                file.verify("exception")
                found = file[1].data["obs_publisher_did"].tolist()
        case "parquet":
            found = pq.read_table(io.BytesIO(body))["obs_publisher_did"].to_pylist()
        case "arrow":
            found = pa.ipc.open_stream(body).read_all()["obs_publisher_did"].to_pylist()
        case "json":
            import json

            found = [row[0] for row in json.loads(body)["data"]]
        case "html":
            page = etree.fromstring(body, etree.HTMLParser())
            found = ["".join(row[0].itertext()) for row in page.iterfind(".//tbody/tr")]
        case "text":
            found = [line.split(" | ")[0].strip() for line in body.decode().split("\n") if line.startswith("ivo:")]
        case _:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # astropy has its own taste in units and UCDs
                found = list(votable.parse(io.BytesIO(body)).get_first_table().array["obs_publisher_did"])
    return found


@pytest.fixture(scope="module")
def expected(server):
    return first_column("csv", server.query(ROWS, RESPONSEFORMAT="csv").content)


@pytest.mark.parametrize("name", NAMES)
def test_each_form_has_the_same_rows(server, expected, name):
    assert len(expected) == 7
    response = server.query(ROWS, RESPONSEFORMAT=name)
    assert response.status_code == 200, response.text
    assert first_column(name, response.content) == expected


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_were_cut_off_are_told_dali_07(server, expected, name):
    response = server.query(ROWS, RESPONSEFORMAT=name, MAXREC=3)
    assert first_column(name, response.content) == expected[:3]
    if name not in ("csv", "tsv"):
        status, text = end(name, response.content)
        assert status == "OVERFLOW"
        assert "Cut after 3 rows (MAXREC)" in text


@pytest.mark.parametrize(
    "asked",
    [
        *sorted({name for form in FORMATS for name in form.names if "/" in name and not name.startswith("votable/")}),
        "application/x-votable+xml;serialization=TABLEDATA;version=1.5",
        "Text/HTML; charset=UTF-8",
    ],
)
def test_a_media_type_is_echoed_dali_05(server, asked):
    response = server.query(ROWS, RESPONSEFORMAT=asked)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == asked


@pytest.mark.parametrize(("asked", "version"), [("votable/td", "1.4"), ("text/xml;version=1.5", "1.5")])
def test_the_version_of_votable_vot_01(server, asked, version):
    assert etree.fromstring(server.query(ROWS, RESPONSEFORMAT=asked).content).get("version") == version


@pytest.mark.parametrize("name", ["fits", "parquet", "arrow", "json", "html", "text"])
def test_a_query_that_cannot_run_is_told_in_a_votable_tap_11(server, name):
    response = server.query("SELECT nonsense FROM ivoa.obscore", RESPONSEFORMAT=name)
    assert (response.status_code, response.headers["content-type"]) == (400, "application/x-votable+xml")


@pytest.mark.parametrize("name", ["fits", "parquet"])
def test_the_votable_in_a_binary_file_has_origin_and_services(server, name):
    body = server.query(ROWS, RESPONSEFORMAT=name).content
    if name == "fits":
        with fits.open(io.BytesIO(body)) as file:
            text = file[0].data.tobytes()
            assert any(comment.startswith("query: SELECT TOP 7") for comment in file[1].header["COMMENT"])
    else:
        text = pq.read_metadata(io.BytesIO(body)).metadata[b"IVOA.VOTable-Parquet.content"]
    root = etree.fromstring(text)
    infos = {info.get("name"): info.get("value") for info in root.iter("{*}INFO")}
    assert infos["query"] == ROWS
    assert {"publisher", "server_software", "request_date", "citation"} <= infos.keys()
    assert [resource.get("ID") for resource in root.iter("{*}RESOURCE")] == [None, "datalink", "soda"]
    assert root.find(".//{*}FIELD[@name='s_ra']").get("ucd") == "pos.eq.ra"
