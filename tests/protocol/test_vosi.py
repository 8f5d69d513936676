"""VOSI documents over HTTP: valid against the IVOA's schemas, true, equal to TAP_SCHEMA (STANDARDS 7, 16)."""

from __future__ import annotations

import io
import socket
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import xsd
from astropy.io import votable
from patience import PATIENCE
from serving import running

from vo.db.connect import external
from vo.settings import Settings
from vo.vosi import availability as watching
from vo.vosi import checks
from vo.vosi.availability import FRESH_SECONDS

SERVICES = {
    "tap": ("ivo://ivoa.net/std/TAP", "1.1"),
    "sia2": ("ivo://ivoa.net/std/SIA#query-2.0", "2.0"),
    "datalink": ("ivo://ivoa.net/std/DataLink#links-1.1", "1.1"),
    "soda": ("ivo://ivoa.net/std/SODA#sync-1.0", "1.0"),
}
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def capabilities(server, service, read=xsd.parse):
    response = server.get(f"/{service}/capabilities")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/xml")
    return read(response.content)


@pytest.mark.parametrize("service", SERVICES)
def test_capabilities_are_valid_and_name_the_service(server, service):
    standard_id, version = SERVICES[service]
    root = capabilities(server, service, xsd.validate)
    (own,) = (one for one in root.iterfind("capability") if one.get("standardID") == standard_id)
    interface = own.find("interface")
    assert interface.get(TYPE) == "vs:ParamHTTP"
    assert (interface.get("role"), interface.get("version")) == ("std", version)
    assert interface.findtext("accessURL").startswith(f"{server.url}/{service}")
    assert own.find(".//securityMethod") is None


@pytest.mark.parametrize("service", SERVICES)
def test_vosi_endpoints_are_named_and_there_vsi_02(server, service):
    root = capabilities(server, service)
    named = {one.get("standardID"): one.findtext("interface/accessURL") for one in root.iterfind("capability")}
    endpoints = {key.partition("#")[2]: url for key, url in named.items() if key.startswith("ivo://ivoa.net/std/VOSI#")}
    assert set(endpoints) >= {"capabilities", "availability"}
    assert ("tables-1.1" in endpoints) is (service == "tap")
    for url in endpoints.values():
        response = server.client.get(url)
        assert response.status_code == 200
        xsd.parse(response.content)


def test_tap_says_what_it_can(server):
    root = capabilities(server, "tap")
    (tap,) = (one for one in root.iterfind("capability") if one.get("standardID") == "ivo://ivoa.net/std/TAP")
    assert tap.get(TYPE) == "tr:TableAccess"
    assert tap.find("interface/accessURL").get("use") == "base"
    assert tap.findtext("interface/accessURL") == f"{server.url}/tap"
    model = tap.find("dataModel")
    assert (model.text, model.get("ivo-id")) == ("ObsCore-1.1", "ivo://ivoa.net/std/ObsCore#core-1.1")
    language = tap.find("language")
    assert language.findtext("name") == "ADQL"
    assert {(one.text, one.get("ivo-id")) for one in language.iterfind("version")} == {
        ("2.0", "ivo://ivoa.net/std/ADQL#v2.0"),
        ("2.1", "ivo://ivoa.net/std/ADQL#v2.1"),
    }
    assert {one.get("ivo-id") for one in tap.iterfind("uploadMethod")} == {
        f"ivo://ivoa.net/std/TAPRegExt#upload-{method}" for method in ("inline", "http", "https")
    }
    assert {limit.get("unit"): int(limit.text) for limit in tap.find("uploadLimit")} == {
        "row": server.settings.upload_rows,
        "byte": server.settings.upload_bytes,
    }
    limits = {limit.tag: (limit.text, limit.get("unit")) for limit in tap.find("outputLimit")}
    assert limits == {
        "default": (str(server.settings.maxrec_default), "row"),
        "hard": (str(server.settings.maxrec_hard), "row"),
    }
    assert tap.findtext("executionDuration/default") == str(server.settings.async_seconds_default)
    assert tap.findtext("executionDuration/hard") == str(server.settings.async_seconds_hard)
    assert tap.findtext("retentionPeriod/default") == str(round(server.settings.retention_days_default * 86400))
    assert tap.findtext("retentionPeriod/hard") == str(round(server.settings.retention_days_hard * 86400))
    mimes = {one.text for one in tap.iterfind("outputFormat/*") if one.tag in ("mime", "alias")}
    assert {"application/x-votable+xml", "text/csv", "votable", "csv"} <= mimes


def test_each_declared_format_and_alias_works(server):
    root = capabilities(server, "tap")
    for name in root.iterfind("capability/outputFormat/*"):
        response = server.query("SELECT TOP 1 s_ra FROM ivoa.obscore", RESPONSEFORMAT=name.text)
        assert response.status_code == 200, f"{name.text}: {response.text}"


def test_each_declared_geometry_function_is_understood(server):
    root = capabilities(server, "tap")
    features = {
        group.get("type").partition("#")[2].lower(): {one.findtext("form") for one in group.iterfind("feature")}
        for group in root.iterfind("capability/language/languageFeatures")
    }
    assert {"POINT", "CIRCLE", "POLYGON", "CONTAINS", "INTERSECTS"} <= features["features-adqlgeo"]


def test_clients_hear_when_nothing_changed(server):
    for path in ("/tap/capabilities", "/tap/tables", "/tap/tables/ivoa.obscore"):
        first = server.get(path)
        again = server.client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert server.client.get(path, headers={"If-None-Match": '"other"'}).content == first.content
        tag = first.headers["etag"]
        for held in (f'"old", {tag}', f"W/{tag}", f'W/"old",W/{tag} , "older"', "*"):
            assert server.client.get(path, headers={"If-None-Match": held}).status_code == 304, held
            assert server.client.head(path, headers={"If-None-Match": held}).status_code == 304, held
    assert server.get("/tap/capabilities").headers["last-modified"].endswith("GMT")


def test_tables_with_and_without_columns_vsi_04(server):
    names, full = (xsd.parse(server.get("/tap/tables", detail=detail).content) for detail in ("min", "max"))
    assert [one.text for one in names.iterfind("schema/table/name")] == [
        one.text for one in full.iterfind("schema/table/name")
    ]
    assert not names.findall("schema/table/column")
    assert full.findall("schema/table/column")
    assert server.get("/tap/tables").content == server.get("/tap/tables", DETAIL="max").content
    assert server.client.get("/tap/tables?detail=").content == server.get("/tap/tables").content
    assert server.get("/tap/tables", detail="some").status_code == 400


@pytest.mark.parametrize("detail", ["min", "max", "MIN", "Max"])
def test_detail_is_read_in_any_case_and_every_document_is_valid(server, detail):
    root = xsd.validate(server.get("/tap/tables", detail=detail).content)
    tables = [name.text for name in root.iterfind("schema/table/name")]
    assert len(tables) == len(set(tables)) > 10
    for table in tables:
        assert xsd.validate(server.get(f"/tap/tables/{table}").content).findtext("name") == table


@pytest.mark.parametrize("detail", ["some", "min,max", "0"])
def test_a_detail_that_is_not_known_is_a_fault_that_says_what_is(server, detail):
    response = server.client.get("/tap/tables", params={"detail": detail})
    assert response.status_code == 400
    assert "min (names only) or max" in response.text


def test_order_of_schemas_and_tables_is_that_of_tap_schema_vsi_07(server):
    shown = [name.text for name in xsd.parse(server.get("/tap/tables").content).iterfind("schema/table/name")]
    query = (
        "SELECT t.table_name FROM tap_schema.tables AS t JOIN tap_schema.schemas AS s USING (schema_name) "
        "ORDER BY s.schema_index, t.table_index"
    )
    assert server.query(query, FORMAT="csv").text.split()[1:] == shown


def test_one_table_by_name(server):
    root = xsd.parse(server.get("/tap/tables/ivoa.obscore").content)
    assert root.findtext("name") == "ivoa.obscore"
    assert server.get("/tap/tables/IVOA.ObsCore").content == server.get("/tap/tables/ivoa.obscore").content
    for name in ('"ivoa"."obscore"', 'IVOA."obscore"', "%69voa%2Eobscore", "%22ivoa%22.obscore"):
        assert server.get(f"/tap/tables/{name}").content == server.get("/tap/tables/ivoa.obscore").content
    for name in ("ivoa", "obscore", "ivoa.obscore.s_ra", "ivoa.obscore%00", "a/b", "ivoa/obscore", '"ivoa.obscor"'):
        assert server.get(f"/tap/tables/{name}").status_code == 404, name
    missing = server.get("/tap/tables/ivoa.obscura")
    assert missing.status_code == 404
    assert "ivoa.obscura" in missing.text
    assert server.get("/tap/tables/archive.product").status_code == 404, "locations are nobody's business"


def test_tables_and_tap_schema_agree_tsc_08(server):
    root = xsd.parse(server.get("/tap/tables").content)
    shown = {
        (table.findtext("name"), column.findtext("name")): (
            column.findtext("dataType"),
            column.find("dataType").get("arraysize"),
            column.find("dataType").get("extendedType"),
            column.findtext("unit"),
            column.findtext("ucd"),
            column.findtext("utype"),
            column.findtext("description"),
        )
        for table in root.iterfind("schema/table")
        for column in table.iterfind("column")
    }
    query = (
        "SELECT table_name, column_name, datatype, arraysize, xtype, unit, ucd, utype, description "
        "FROM tap_schema.columns"
    )
    response = server.query(query, FORMAT="votable/td")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = votable.parse(io.BytesIO(response.content)).get_first_table().to_table()
    stored = {(str(row[0]), str(row[1])): tuple(str(cell) or None for cell in list(row)[2:]) for row in table}
    assert stored == shown


def test_availability_tells_the_truth_vsi_03(server):
    root = xsd.parse(server.get("/tap/availability").content)
    space = "{http://www.ivoa.net/xml/VOSIAvailability/v1.0}"
    assert root.findtext(f"{space}available") == "true"
    assert root.findtext(f"{space}upSince").endswith("Z")


def test_availability_when_the_database_is_away():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    dsn = f"host=127.0.0.1 port={port} dbname=vo user=vo"
    settings = Settings(dsn=dsn, query_dsn=dsn, collections=("demo",), port=0, _env_file=None)
    database = external(settings)
    try:
        with running(settings, database) as alone:
            response = alone.get("/tap/availability")
            root = xsd.parse(response.content)
            assert response.status_code == 200
            assert root.findtext("{http://www.ivoa.net/xml/VOSIAvailability/v1.0}available") == "false"
            assert alone.get("/tap/capabilities").status_code == 200
            late = alone.query("SELECT TOP 1 s_ra FROM ivoa.obscore")
            assert late.status_code == 503
            assert "Retry-After" in late.headers
    finally:
        database.close()


def availability(server):
    root = xsd.parse(server.get("/tap/availability").content)
    space = "{http://www.ivoa.net/xml/VOSIAvailability/v1.0}"
    return root.findtext(f"{space}available"), [note.text for note in root.iterfind(f"{space}note")]


def test_availability_answers_at_once_while_everybody_waits_for_a_database_that_hangs(monkeypatch):
    looks = []
    look = checks.look_at_database
    monkeypatch.setattr(checks, "look_at_database", lambda database: looks.append(1) or look(database))
    monkeypatch.setattr(watching, "FRESH_SECONDS", PATIENCE)
    with socket.create_server(("127.0.0.1", 0), backlog=500) as silent:
        dsn = f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=vo user=vo"
        settings = Settings(dsn=dsn, query_dsn=dsn, collections=("demo",), port=0, _env_file=None)
        with (
            closing(external(settings)) as database,
            running(settings, database) as alone,
            ThreadPoolExecutor(60) as pool,  # it ends before the server does: nobody asks one that is gone
        ):
            clients = [pool.submit(alone.get, "/collections/demo") for _ in range(60)]
            time.sleep(0.5)  # more requests wait now than there are threads for them
            begun = time.monotonic()
            available, (note,) = availability(alone)
            assert time.monotonic() - begun < 10  # promised are two seconds, to which a machine at work adds some
            assert not all(client.done() for client in clients)
            assert available == "false"
            assert note.startswith("The database does not answer")  # after the check's time, or that of a connection
            assert availability(alone)[0] == "false"
            assert len(looks) == 1, "what was found holds for a moment"
        assert {client.result().status_code for client in clients} == {503}


def test_every_service_has_the_operators_announcement_without_a_restart(settings, database, tmp_path):
    with running(settings.model_copy(update={"port": 0, "data_dir": tmp_path}), database) as server:
        assert availability(server) == ("true", [])
        (tmp_path / "availability.toml").write_text('back_at = 2999-01-01\nnote = "Moving house."\n')
        time.sleep(FRESH_SECONDS + 0.1)
        for service in SERVICES:
            root = xsd.parse(server.get(f"/{service}/availability").content)
            assert [element.text for element in root] == ["false", "2999-01-01T00:00:00.000Z", "Moving house."]


def test_availability_is_never_kept_by_caches(server):
    assert server.get("/soda/availability").headers["cache-control"] == "no-store"


def test_tables_and_capabilities_need_no_database():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    dsn = f"host=127.0.0.1 port={port} dbname=vo user=vo"
    settings = Settings(dsn=dsn, query_dsn=dsn, collections=("demo",), port=0, _env_file=None)
    database = external(settings)
    try:
        with running(settings, database) as alone:
            for path in ("/tap/tables", "/tap/tables/demo.plates", "/tap/capabilities", "/tap/examples"):
                begun = time.monotonic()
                assert alone.get(path).status_code == 200
                assert time.monotonic() - begun < 5  # for so long waits who needs a connection
    finally:
        database.close()
