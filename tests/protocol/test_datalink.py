"""The {links} endpoint over HTTP: DLK-01 to DLK-13, DSC-01 to DSC-06, and golden documents for each kind of plate."""

from __future__ import annotations

import dataclasses
import re

import documents
import numpy as np
import plates
import psycopg
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from vo.db.archive import find_plates, merge_records
from vo.db.records import Plate, Scan
from vo.products.headers import header_text, header_url
from vo.products.store import describe

TYPE = "application/x-votable+xml;content=datalink"
COLUMNS = [
    "ID",
    "access_url",
    "service_def",
    "error_message",
    "description",
    "semantics",
    "content_type",
    "content_length",
    "content_qualifier",
    "local_semantics",
    "link_auth",
    "link_authorized",
]


@pytest.fixture(scope="module")
def did(server):
    """DIDs of the demo's plates, by plate and exposure number."""
    with server.database.read() as connection:
        rows = connection.execute("SELECT plate_id, exposure_number, obs_publisher_did FROM demo.plates").fetchall()
    found = {(plate, number): name for plate, number, name in rows}
    return lambda plate, number=1: found[plate, number]


def plate_did(exposure_did: str) -> str:
    """The identifier of an exposure's plate: its beginning, up to the slash."""
    return exposure_did.rpartition("/")[0]


def ask(server, *ids: str, method: str = "GET", **values):
    pairs = [("ID", name) for name in ids] + list(values.items())
    if method == "GET":
        return server.client.get("/datalink/links", params=pairs)
    data = {}
    for name, value in pairs:
        data.setdefault(name, []).append(value)
    return server.client.post("/datalink/links", data=data)


def test_no_id_gives_an_empty_table_with_all_columns(server):
    response = ask(server)
    assert (response.status_code, response.headers["content-type"]) == (200, TYPE)
    read = documents.read(response)
    assert (read.rows, read.fields) == ([], COLUMNS)
    assert read.statuses == ["OK"]


def test_the_document_says_which_standard_it_follows(server, did):
    read = documents.read(ask(server, did("pole")))
    assert ("standardID", "ivo://ivoa.net/std/DataLink#links-1.1") in read.infos


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_rows_of_an_exposure_with_files(server, did, method):
    rows = documents.read(ask(server, did("pole"), method=method)).rows
    assert [row["semantics"] for row in rows[:2]] == ["#cutout", "#this"]
    assert {row["semantics"] for row in rows} == {
        *("#cutout", "#this", "#derivation", "#preview", "#preview-image", "#thumbnail", "#documentation"),
        *("#detached-header", "#calibration"),
    }
    for row in rows:
        assert row["ID"] == did("pole")
        assert sum(row[name] is not None for name in ("access_url", "service_def", "error_message")) == 1


def test_every_address_answers_with_the_type_and_size_it_promises(server, did):
    for row in documents.read(ask(server, did("mirrored"), did("rice"))).rows:
        if row["access_url"] is None:
            continue
        response = server.client.head(row["access_url"], follow_redirects=True)
        assert response.status_code == 200, row["access_url"]
        assert response.headers["content-type"].partition(";")[0] == row["content_type"].partition(";")[0]
        if row["local_semantics"] != "plate-page":
            assert int(response.headers["content-length"]) == row["content_length"]


def test_the_type_is_the_canonical_one_whatever_is_accepted(server, did):
    accept = {"Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"}
    response = server.client.get("/datalink/links", params={"ID": did("pole")}, headers=accept)
    assert response.headers["content-type"] == TYPE


@pytest.mark.parametrize(
    "asked", ["votable", "application/x-votable+xml", "application/x-votable+xml;content=datalink"]
)
def test_votable_is_the_only_format(server, did, asked):
    response = ask(server, did("pole"), RESPONSEFORMAT=asked)
    assert (response.status_code, response.headers["content-type"]) == (200, TYPE)


def test_another_format_is_refused_in_a_votable(server, did):
    response = ask(server, did("pole"), RESPONSEFORMAT="csv")
    assert response.status_code == 400
    assert documents.read(response).statuses == ["ERROR"]
    assert "UsageFault: RESPONSEFORMAT" in response.text


def test_an_unknown_id_has_a_row_that_says_so_and_the_others_are_answered(server, did):
    unknown = "ivo://nowhere/at?all & <more>"
    read = documents.read(ask(server, unknown, did("pole")))
    assert read.rows[0]["ID"] == unknown
    assert read.rows[0]["error_message"].startswith("NotFoundFault: ")
    assert {row["ID"] for row in read.rows[1:]} == {did("pole")}


def test_ids_come_back_byte_for_byte_and_each_in_one_block(server, did):
    asked = [did("pole").upper(), did("eleven", 3), did("pole"), did("eleven", 3), "spam"]
    rows = documents.read(ask(server, *asked)).rows
    blocks = [
        name for number, name in enumerate(row["ID"] for row in rows) if number == 0 or rows[number - 1]["ID"] != name
    ]
    assert blocks == list(dict.fromkeys(asked))
    by_id = {name: [row["semantics"] for row in rows if row["ID"] == name] for name in blocks}
    assert by_id[did("pole").upper()] == by_id[did("pole")]


def test_too_many_ids_are_cut_after_a_whole_one_and_said(server, did, monkeypatch):
    limit = server.settings.ids_per_call
    asked = [f"ivo://nowhere/{number}" for number in range(limit)] + [did("pole")]
    read = documents.read(ask(server, *asked, method="POST"))
    assert read.statuses == ["OK", "OVERFLOW"]
    assert len(read.rows) == limit


def test_as_many_ids_as_the_limit_are_no_overflow(server):
    asked = [f"ivo://nowhere/{number}" for number in range(server.settings.ids_per_call)]
    assert documents.read(ask(server, *asked, method="POST")).statuses == ["OK"]


def test_an_unscanned_plate_answers_with_what_exists(server, did):
    rows = documents.read(ask(server, did("unscanned"))).rows
    assert (rows[0]["semantics"], rows[0]["error_message"]) == (
        "#this",
        "NotFoundFault: plate unscanned has not been scanned",
    )
    assert {row["local_semantics"] for row in rows[1:]} == {"plate-photo", "jacket-photo", "plate-page"}


def test_a_plate_without_a_solution_has_files_but_no_cutouts(server, did):
    read = documents.read(ask(server, did("unsolved")))
    semantics = [row["semantics"] for row in read.rows]
    assert "#this" in semantics
    assert "#cutout" not in semantics
    assert read.descriptors() == []


def test_the_other_exposures_of_a_plate_are_linked(server, did):
    rows = documents.read(ask(server, did("eleven", 4))).rows
    (plate,) = [row for row in rows if row["local_semantics"] == "whole-plate"]
    assert documents.read(server.client.get(plate["access_url"])).rows[0]["ID"] == plate_did(did("eleven"))
    siblings = [row for row in rows if row["local_semantics"] == "sibling-exposure"]
    assert len(siblings) == 10
    first = documents.read(server.client.get(siblings[0]["access_url"]))
    assert first.rows[0]["ID"] == did("eleven", 1)


def test_each_exposure_has_a_descriptor_with_its_own_id_and_bounds(server, did):
    read = documents.read(ask(server, did("two_fields", 1), did("two_fields", 2)))
    services = {row["ID"]: row["service_def"] for row in read.rows if row["service_def"]}
    by_id = {resource.get("ID"): documents.params(resource) for resource in read.descriptors()}
    for number, ra, dec in ((1, 120.0, 20.0), (2, 127.4, 20.2)):
        name = did("two_fields", number)
        params = by_id[services[name]]
        assert params["ID"].get("value") == name
        assert params["standardID"].get("value") == "ivo://ivoa.net/std/SODA#sync-1.0"
        assert "?" not in params["accessURL"].get("value")
        circle = [float(word) for word in params["CIRCLE"].find(f".//{documents.NAMESPACE}MAX").get("value").split()]
        assert circle[0] == pytest.approx(ra, abs=0.1)
        assert circle[1] == pytest.approx(dec, abs=0.1)
        assert 6 < circle[2] < 9
        polygon = params["POLYGON"].find(f".//{documents.NAMESPACE}MAX").get("value").split()
        assert len(polygon) >= 8


def test_a_document_of_one_exposure_has_descriptors_with_a_fixed_id(server, did):
    resource, jobs = documents.read(ask(server, did("pole"))).descriptors()
    for one, standard, path in ((resource, "SODA#sync-1.0", "/soda/sync"), (jobs, "SODA#async-1.0", "/soda/async")):
        params = documents.params(one)
        assert params["ID"].get("value") == did("pole")
        assert params["ID"].get("ref") is None
        assert params["standardID"].get("value") == f"ivo://ivoa.net/std/{standard}"
        assert params["accessURL"].get("value") == f"{server.url}{path}"


def test_a_document_of_many_begins_with_a_descriptor_that_takes_each_rows_id(server, did):
    first, *_, jobs = documents.read(ask(server, did("pole"), did("ra_zero"))).descriptors()
    assert documents.params(first)["ID"].get("ref") == "ID"
    assert documents.params(jobs)["ID"].get("ref") == "ID"
    assert documents.params(jobs)["standardID"].get("value") == "ivo://ivoa.net/std/SODA#async-1.0"


def test_the_document_of_a_plate_is_about_all_of_it(server, did):
    asked = plate_did(did("two_fields"))
    read = documents.read(ask(server, asked.upper(), plate_did(did("pole")), plate_did(did("unscanned"))))
    rows = [row for row in read.rows if row["ID"] == asked.upper()]
    assert [row["semantics"] for row in rows[:2]] == ["#cutout", "#this"]
    exposures = [row for row in rows if row["local_semantics"] == "exposure"]
    for number, row in enumerate(exposures, start=1):
        assert row["semantics"] == "#coderived"
        assert documents.read(server.client.get(row["access_url"])).rows[0]["ID"] == did("two_fields", number)
    assert len(exposures) == 2
    assert len([row for row in rows if row["semantics"] == "#detached-header"]) == 2
    unscanned = [row for row in read.rows if row["ID"] == plate_did(did("unscanned"))]
    assert unscanned[0]["error_message"] == "NotFoundFault: plate unscanned has not been scanned"


def test_a_plates_descriptor_has_the_plates_id_and_a_circle_around_all_exposures(server, did):
    """SOD-09: the two fields are seven degrees apart; no one polygon is around both and little else."""
    resource, _ = documents.read(ask(server, plate_did(did("two_fields")))).descriptors()
    params = documents.params(resource)
    assert params["ID"].get("value") == plate_did(did("two_fields"))
    circle = [float(word) for word in params["CIRCLE"].find(f".//{documents.NAMESPACE}MAX").get("value").split()]
    assert circle[0] == pytest.approx(123.7, abs=0.3)
    assert circle[1] == pytest.approx(20.2, abs=0.3)
    assert 8 < circle[2] < 13
    assert params["POLYGON"].find(f".//{documents.NAMESPACE}MAX") is None
    resource, _ = documents.read(ask(server, plate_did(did("pole")))).descriptors()
    assert documents.params(resource)["POLYGON"].find(f".//{documents.NAMESPACE}MAX") is not None


# -- detached headers


def headers_of(server, name):
    rows = documents.read(ask(server, name)).rows
    return [row for row in rows if row["semantics"] == "#detached-header"]


def test_a_detached_header_says_the_same_sky_as_the_file(server, did):
    """Truth is astropy's WCS of the file itself."""
    number = 2
    (row,) = headers_of(server, did("two_fields", number))
    response = server.client.get(row["access_url"])
    assert response.headers["content-type"] == "text/plain"
    assert len(response.content) == row["content_length"]
    wcs = WCS(fits.Header.fromstring(response.text, sep="\n"), key="A")
    with server.database.read() as connection:
        ((bundle, _),) = find_plates(connection, [did("two_fields", number)]).values()
    (product,) = (one for one in bundle.products if one.role == "fits")
    file = WCS(fits.getheader(describe(product).path), key="A")
    x, y = np.meshgrid([0.0, 700.0, 1599.0], [0.0, 900.0, 1999.0])
    np.testing.assert_allclose(wcs.all_pix2world(x, y, 0), file.all_pix2world(x, y, 0), rtol=0, atol=1e-9)


def test_a_header_has_a_tag_and_a_head_and_answers_other_pages(server, did):
    (row,) = headers_of(server, did("pole"))
    response = server.client.get(row["access_url"], headers={"Origin": "https://aladin.example"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert server.client.head(row["access_url"]).headers["content-length"] == str(len(response.content))
    again = server.client.get(row["access_url"], headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "demo/pole/1/1/2.hdr",
        "demo/pole/1/1/99999999999.hdr",
        "demo/pole/1/1/-9999999999.hdr",
        "demo/pole/%00/1/1.hdr",
        "demo/..%2F..%2Fetc/1/1/1.hdr",
        "demo/%ff/1/1/1.hdr",
        "demo/pole/1/1/one.hdr",
    ],
)
def test_a_header_that_is_not_there_is_told(server, path):
    response = server.client.get(f"/headers/{path}")
    assert (response.status_code, response.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert "solution" in response.text


@pytest.mark.parametrize("path", ["demo/pole/1/1/1.txt", "demo/pole/1/1.hdr", "x"])
def test_what_is_no_address_of_a_header_is_not_found(server, path):
    assert server.client.get(f"/headers/{path}").status_code == 404


def test_names_with_slashes_have_headers(fresh_database, settings):
    from serving import running

    database = fresh_database()
    strange = plates.solution("a/b c", None, scan_id="s#1/2", header="CTYPE1  = 'RA---TAN'")
    strange = dataclasses.replace(strange, collection="demo")
    with database.owner() as connection:
        merge_records(connection, [Plate("demo", "a/b c"), Scan("demo", "a/b c", "s#1/2"), strange])
    with running(settings.model_copy(update={"port": 0}), database) as started:
        response = started.client.get(header_url(started.url, strange))
        assert (response.status_code, response.content) == (200, header_text(strange))
        assert response.headers["content-disposition"] == 'inline; filename="a_b_c_s_1_2_0_v1.hdr"'


def test_all_ids_of_a_request_are_read_in_one_statement(server, did, monkeypatch):
    statements = []
    execute = psycopg.Cursor.execute

    def counting(cursor, query, *args, **how):
        if query:  # the pool asks an empty one whether a connection lives
            statements.append(query)
        return execute(cursor, query, *args, **how)

    ids = [did("eleven", number) for number in range(1, 12)] + [did("unscanned"), did("wide"), "ivo://nowhere/at?all"]
    monkeypatch.setattr(psycopg.Cursor, "execute", counting)
    rows = documents.read(ask(server, *ids, method="POST")).rows
    monkeypatch.undo()
    assert {row["ID"] for row in rows} == set(ids)
    assert len(statements) == 1, statements


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("one", [("comet_1941", 1)]),
        ("rice", [("rice", 1)]),
        ("many", [("two_fields", 1), ("two_fields", 2)]),
        ("unsolved", [("unsolved", 1)]),
        ("unscanned", [("unscanned", 1)]),
        ("plate", [("two_fields", None)]),
        ("unknown", []),
    ],
)
def test_documents_are_as_they_were(server, did, update_golden, name, asked):
    """The document but for what differs from machine to machine: addresses, dates, sizes of JPEGs, last digits."""
    ids = [did(*key) if key[1] else plate_did(did(key[0])) for key in asked] or ["ivo://nowhere/at?all"]
    text = ask(server, *ids).text.replace(server.url, "BASE")
    text = re.sub(r'(name="(?:request_date|server_software)" value=")[^"]*', r"\1...", text)
    text = re.sub(r"\s*\n\s*", "\n", text)
    text = re.sub(r"(image/jpeg</TD>\s*<TD>)\d+", r"\1...", text)
    text = re.sub(r"-?\d+\.\d{5,}(e-?\d+)?", lambda number: f"{float(number[0]):.4f}", text)
    documents.compare(f"datalink/{name}.xml", text, update=update_golden)


def test_capabilities_lead_to_the_endpoint(server):
    text = server.get("/datalink/capabilities").text
    assert "ivo://ivoa.net/std/DataLink#links-1.1" in text
    assert f"{server.url}/datalink/links" in text
