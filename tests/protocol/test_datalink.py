"""The {links} endpoint over HTTP: DLK-01 to DLK-13, DSC-01 to DSC-06, and golden documents for each kind of plate."""

from __future__ import annotations

import re

import documents
import pytest

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
        *("#cutout", "#this", "#derivation", "#preview", "#preview-image", "#thumbnail", "#documentation")
    }
    for row in rows:
        assert row["ID"] == did("pole")
        assert sum(row[name] is not None for name in ("access_url", "service_def", "error_message")) == 1


def test_every_address_answers_with_the_type_and_size_it_promises(server, did):
    for row in documents.read(ask(server, did("mirrored"), did("rice"))).rows:
        if row["access_url"] is None:
            continue
        response = server.client.head(row["access_url"])
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


def test_a_document_of_one_exposure_has_one_descriptor_with_a_fixed_id(server, did):
    (resource,) = documents.read(ask(server, did("pole"))).descriptors()
    assert documents.params(resource)["ID"].get("value") == did("pole")
    assert documents.params(resource)["ID"].get("ref") is None


def test_a_document_of_many_begins_with_a_descriptor_that_takes_each_rows_id(server, did):
    first, *_ = documents.read(ask(server, did("pole"), did("ra_zero"))).descriptors()
    assert documents.params(first)["ID"].get("ref") == "ID"


def test_all_plates_of_a_batch_are_looked_up_at_once(server, did, monkeypatch):
    import vo.datalink.answer as module

    asked = []
    original = module.find_plates

    def counting(connection, dids):
        asked.append(tuple(dids))
        return original(connection, dids)

    monkeypatch.setattr(module, "find_plates", counting)
    ids = [did("eleven", number) for number in range(1, 12)]
    ask(server, *ids)
    assert asked == [tuple(ids)]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("one", [("comet_1941", 1)]),
        ("rice", [("rice", 1)]),
        ("many", [("two_fields", 1), ("two_fields", 2)]),
        ("unsolved", [("unsolved", 1)]),
        ("unscanned", [("unscanned", 1)]),
        ("unknown", []),
    ],
)
def test_documents_are_as_they_were(server, did, update_golden, name, asked):
    """The document but for what differs from machine to machine: addresses, dates, sizes of JPEGs, last digits."""
    ids = [did(*key) for key in asked] or ["ivo://nowhere/at?all"]
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
