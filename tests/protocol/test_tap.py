"""TAP's sync endpoint over HTTP: parameters, forms, limits, faults (STANDARDS 3, 5; ids in the tests' names)."""

from __future__ import annotations

import io
import threading
import time
import warnings

import anyio
import golden
import httpx
import pytest
from astropy.io import votable
from astropy.io.votable import dataorigin
from patience import PATIENCE, eventually
from serving import running
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.app import create_app

ROWS = "SELECT TOP 7 obs_id, s_ra, t_min FROM ivoa.obscore ORDER BY obs_publisher_did"


def parse(response: httpx.Response) -> votable.tree.VOTableFile:
    assert response.status_code == 200, response.text
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy has its own taste in units and UCDs; taplint judges ours
        return votable.parse(io.BytesIO(response.content))


def infos(document: votable.tree.VOTableFile, name: str) -> list[str]:
    return [info.value for resource in document.resources for info in resource.infos if info.name == name]


def rows(document: votable.tree.VOTableFile) -> int:
    return len(document.get_first_table().array)


def fault(response: httpx.Response, status: int = 400) -> str:
    """The text of a fault document, which has no table (TAP-11)."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/x-votable+xml"
    document = votable.parse(io.BytesIO(response.content))
    assert not list(document.iter_tables())
    (info,) = (info for info in document.resources[0].infos if info.name == "QUERY_STATUS")
    assert info.value == "ERROR"
    return info.content


def test_get_post_and_multipart_say_the_same_dali_02(server):
    values = {"LANG": "ADQL", "QUERY": ROWS, "FORMAT": "csv"}
    asked = [
        server.client.get("/tap/sync", params=values),
        server.client.post("/tap/sync", data=values),
        server.client.post("/tap/sync", files={name: (None, value) for name, value in values.items()}),
    ]
    texts = {response.text for response in asked}
    assert len(texts) == 1
    lines = texts.pop().splitlines()
    assert lines[0] == "obs_id,s_ra,t_min"
    assert len(lines) == 8


def test_names_in_any_case_and_unknown_ones_are_harmless_dali_01_dali_04_tap_10(server):
    response = server.get(
        "/tap/sync", request="doQuery", VERSION="1.0", Lang="ADQL", query=ROWS, runid="x", PHASE="RUN", NONSENSE="1"
    )
    assert rows(parse(response)) == 7


@pytest.mark.parametrize("language", ["ADQL", "ADQL-2.0", "ADQL-2.1"])
def test_languages_tap_07(server, language):
    assert rows(parse(server.get("/tap/sync", LANG=language, QUERY=ROWS))) == 7


def test_lang_may_be_left_out(server):
    assert rows(parse(server.get("/tap/sync", QUERY=ROWS))) == 7


@pytest.mark.parametrize(
    ("asked", "shown", "serialisation"),
    [
        (None, "application/x-votable+xml", b"<BINARY2>"),
        ("votable", None, b"<BINARY2>"),
        ("application/x-votable+xml;serialization=tabledata", None, b"<TABLEDATA>"),
        ("votable/td", None, b"<TABLEDATA>"),
        ("text/xml", "text/xml", b"<BINARY2>"),
    ],
)
@pytest.mark.parametrize("parameter", ["FORMAT", "RESPONSEFORMAT"])
def test_votable_in_every_form_tap_08_tap_09_dali_05(server, asked, shown, serialisation, parameter):
    response = server.query(ROWS, **({} if asked is None else {parameter: asked}))
    assert serialisation in response.content
    if shown is not None or "/x-" in (asked or ""):
        assert response.headers["content-type"] == (shown or asked)
    document = parse(response)
    assert rows(document) == 7
    assert infos(document, "QUERY_STATUS") == ["OK"]


def test_unknown_format_is_a_fault(server):
    text = fault(server.query(ROWS, FORMAT="application/pdf"))
    assert all(word in text for word in ("application/x-votable+xml", "csv", "parquet", "fits"))


def test_maxrec_cuts_and_says_so_dali_07(server):
    document = parse(server.query("SELECT obs_id FROM ivoa.obscore", MAXREC=5))
    assert rows(document) == 5
    assert infos(document, "QUERY_STATUS") == ["OK", "OVERFLOW"]


@pytest.mark.parametrize("maxrec", [7, 8, 1000])
def test_top_is_no_overflow_tap_13(server, maxrec):
    document = parse(server.query(ROWS, MAXREC=maxrec))
    assert rows(document) == 7
    assert infos(document, "QUERY_STATUS") == ["OK"]


def test_maxrec_below_top_cuts_tap_13(server):
    document = parse(server.query(ROWS, MAXREC=6))
    assert rows(document) == 6
    assert infos(document, "QUERY_STATUS") == ["OK", "OVERFLOW"]


def test_maxrec_0_gives_the_columns_alone_dali_06(server):
    document = parse(server.query(ROWS, MAXREC=0))
    assert [field.name for field in document.get_first_table().fields] == ["obs_id", "s_ra", "t_min"]
    assert rows(document) == 0
    assert infos(document, "QUERY_STATUS") == ["OK", "OVERFLOW"]


def test_the_servers_own_limits_hold(server):
    limited = server.settings.model_copy(update={"port": 0, "maxrec_default": 3, "maxrec_hard": 5, "query_length": 200})
    with running(limited, server.database) as small:
        assert rows(parse(small.query("SELECT obs_id FROM ivoa.obscore"))) == 3
        document = parse(small.query("SELECT obs_id FROM ivoa.obscore", MAXREC=1000))
        assert rows(document) == 5
        assert infos(document, "QUERY_STATUS") == ["OK", "OVERFLOW"]
        assert "query_length" in fault(small.query("SELECT obs_id FROM ivoa.obscore" + " " * 200), 413)


def test_columns_are_declared_as_in_the_catalogue_tap_14(server):
    query = "SELECT TOP 1 s_region, t_min AS began, s_ra, s_ra + 1, em_min FROM ivoa.obscore"
    fields = parse(server.query(query)).get_first_table().fields
    assert [field.name for field in fields][:3] == ["s_region", "began", "s_ra"]
    assert len({field.name for field in fields}) == 5
    region, began, right_ascension, *_ = fields
    assert (region.datatype, region.arraysize, region.xtype) == ("char", "*", "adql:REGION")
    assert (str(began.unit), began.ucd) == ("d", "time.start;obs.exposure")
    assert began.utype == "obscore:Char.TimeAxis.Coverage.Bounds.Limits.StartTime"
    assert right_ascension.ucd == "pos.eq.ra"
    assert right_ascension.description


FAULTS = {
    "no_query": {},
    "language": {"LANG": "PQL", "QUERY": ROWS},
    "request": {"REQUEST": "getCapabilities", "QUERY": ROWS},
    "syntax": {"QUERY": "SELECT TOP 5 FROM ivoa.obscore"},
    "column": {"QUERY": "SELECT obs_idd FROM ivoa.obscore"},
    "table": {"QUERY": "SELECT * FROM ivoa.obscor"},
    "upload": {"QUERY": "SELECT * FROM TAP_UPLOAD.mine", "UPLOAD": "mine,param:mine"},
    "maxrec": {"QUERY": ROWS, "MAXREC": "many"},
    "format": {"QUERY": ROWS, "FORMAT": "application/pdf"},
    "division": {"QUERY": "SELECT 1 / (calib_level - calib_level) FROM ivoa.obscore"},
    "hidden": {"QUERY": "SELECT location FROM archive.product"},
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_documents_with_helpful_texts_tap_11(server, name, update_golden):
    response = server.get("/tap/sync", **FAULTS[name])
    fault(response)
    golden.compare(f"tap_faults/{name}.xml", response.text, update=update_golden)


def test_a_parameter_twice_is_a_fault_dali_03(server):
    twice = [("QUERY", ROWS), ("QUERY", "SELECT 1"), ("LANG", "ADQL")]
    assert "QUERY" in fault(server.client.get("/tap/sync", params=twice))


def test_a_slow_query_ends_at_its_limit(server):
    limited = server.settings.model_copy(update={"port": 0, "sync_seconds": 0.3})
    slow = "SELECT COUNT(*) FROM ivoa.obscore a, ivoa.obscore b, ivoa.obscore c WHERE a.s_ra + b.s_ra < c.s_ra"
    with running(limited, server.database) as small:
        started = time.monotonic()
        text = fault(small.query(slow), 408)
        assert time.monotonic() - started < PATIENCE
    assert "0.3 s" in text


def test_a_client_that_goes_away_ends_its_query(server):
    name = "gone away"
    slow = (
        f"SELECT COUNT(*), '{name}' FROM ivoa.obscore a, ivoa.obscore b, ivoa.obscore c WHERE a.s_ra + b.s_ra < c.s_ra"
    )

    def running_queries() -> int:
        with server.database.owner() as connection:
            return connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() "
                "AND strpos(query, %s) > 0",
                (name,),
            ).fetchone()[0]

    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{server.url}/tap/sync", params={"QUERY": slow}, timeout=httpx.Timeout(PATIENCE, read=1.0))
    eventually(lambda: running_queries() == 0, seconds=server.settings.sync_seconds / 2)  # not for its time's being up


def test_many_at_once(server):
    """More clients than query connections: all get the same answer."""
    answers: list[bytes] = []

    def ask() -> None:
        with httpx.Client(base_url=patient.url, timeout=PATIENCE) as client:
            answers.extend(client.get("/tap/sync", params={"QUERY": ROWS, "FORMAT": "csv"}).content for _ in range(3))

    settings = server.settings.model_copy(update={"port": 0, "query_wait_seconds": PATIENCE})
    with running(settings, server.database) as patient:
        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == 48
    assert len(set(answers)) == 1


def test_the_answer_says_where_it_comes_from(server):
    """Data Origin 1.2, read by astropy's reader of it."""
    document = parse(server.get("/tap/sync", QUERY=ROWS))
    origin = dataorigin.extract_data_origin(document)
    assert origin.query.publisher == server.settings.publisher
    assert origin.query.service_protocol == "ivo://ivoa.net/std/TAP"
    assert origin.query.request.startswith(f"{server.url}/tap/sync?")
    assert origin.query.query == ROWS
    assert origin.query.request_date.endswith("Z")
    assert origin.origin[0].citation


@pytest.mark.parametrize(
    ("query", "column"),
    [
        ("SELECT TOP 1 * FROM ivoa.obscore", "obs_publisher_did"),
        ("SELECT TOP 1 s_ra, obs_publisher_did AS name FROM ivoa.obscore", "name"),
        (
            "SELECT TOP 1 obs_publisher_did, p.plate_id FROM ivoa.obscore JOIN demo.plates p USING (obs_publisher_did)",
            "obs_publisher_did",
        ),
    ],
)
def test_identifiers_bring_the_services_along_sia_06_dsc_03(server, query, column):
    document = parse(server.query(query))
    services = {resource.ID: resource for resource in document.resources if resource.utype == "adhoc:service"}
    assert set(services) == {"datalink", "soda"}
    (field,) = (field for field in document.get_first_table().fields if field.name == column)
    for service in services.values():
        (identifier,) = (param for param in service.groups[0].entries if param.name == "ID")
        assert identifier.ref == field.ID


def test_without_identifiers_no_services(server):
    document = parse(server.query("SELECT TOP 1 s_ra FROM ivoa.obscore"))
    assert [resource.type for resource in document.resources] == ["results"]


def test_the_base_address_leads_to_people_s_pages_tap_22(server):
    response = server.get("/tap")
    assert response.status_code == 303
    assert server.client.get(response.headers["location"]).status_code == 200


def test_head_and_wrong_methods(server):
    head = server.client.head("/tap/sync", params={"QUERY": ROWS})
    assert head.status_code == 200
    assert head.content == b""
    assert "POST" in fault(server.client.delete("/tap/sync"), 405)
    assert fault(server.get("/tap/nothing"), 404)


def test_every_answer_names_the_software_and_is_open_to_scripts_tap_24(server):
    for path in ("/tap/sync", "/tap/capabilities", "/", "/nothing"):
        headers = server.client.get(path, headers={"Origin": "https://aladin.example"}).headers
        assert headers["server"].startswith("vo-plates/")
        assert "(IVOA-" in headers["server"]
        assert headers["access-control-allow-origin"] == "*"


def test_behind_a_proxy_all_addresses_are_the_public_ones(server):
    public = "https://plates.example/vault"
    told = server.settings.model_copy(update={"port": 0, "base_url": public})
    query = "SELECT TOP 1 access_url, obs_publisher_did FROM ivoa.obscore"
    with running(told, server.database) as behind:
        document = parse(behind.get("/tap/sync", QUERY=query))
        assert str(document.get_first_table().array["access_url"][0]).startswith(f"{public}/datalink/links?ID=")
        assert infos(document, "request")[0].startswith(f"{public}/tap/sync?")
        assert f'value="{public}/soda/sync"' in behind.query(query).text
        assert f">{public}/tap</accessURL>" in behind.get("/tap/capabilities").text
        assert f'href="{public}/static/vo.css"' in behind.get("/").text
        assert behind.get("/tap").headers["location"] == f"{public}/#services"


def test_forwarded_prefix_is_believed_only_when_told(server):
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "plates.example", "X-Forwarded-Prefix": "/vault"}
    told = server.settings.model_copy(update={"port": 0, "trust_forwarded": True})
    with running(told, server.database) as behind:
        shown = behind.client.get("/tap/capabilities", headers=headers).text
        assert ">https://plates.example/vault/tap</accessURL>" in shown
        moved = behind.client.get("/tap/?a=%C3%A9", headers=headers)
        assert moved.status_code == 307
        assert moved.headers["location"] == "https://plates.example/vault/tap?a=%C3%A9"
    assert f">{server.url}/tap</accessURL>" in server.client.get("/tap/capabilities", headers=headers).text


def test_mounted_below_a_root_path_everything_keeps_its_prefix(server):
    """An ASGI root_path, as `uvicorn --root-path` or a mount sets it."""
    app = create_app(server.settings, server.database)
    transport = httpx.ASGITransport(app, root_path="/vault")
    base = "http://plates.example/vault"

    async def check() -> None:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url=base, follow_redirects=False) as client,
        ):
            assert f">{base}/tap</accessURL>" in (await client.get("/tap/capabilities")).text
            document = parse(await client.get("/tap/sync", params={"QUERY": ROWS}))
            assert infos(document, "request")[0].startswith(f"{base}/tap/sync?")
            assert "QUERY is missing" in fault(await client.get("/tap/sync"))
            assert (await client.get("/tap")).headers["location"] == f"{base}/#services"
            assert f'href="{base}/static/vo.css"' in (await client.get("/")).text
            assert (await client.get("/static/vo.css")).status_code == 200
            assert (await client.get("/nothing")).headers["content-type"].startswith("text/html")
            assert (await client.get("/tap/")).headers["location"] == f"{base}/tap"

    anyio.run(check)


def test_a_slash_at_the_end_is_asked_for_again_without_it(server):
    moved = server.client.post("/tap/sync/", data={"QUERY": ROWS})
    assert (moved.status_code, moved.headers["location"]) == (307, f"{server.url}/tap/sync")
    odd = server.client.get(f"{server.url}//elsewhere.example/%22x/")
    assert odd.headers["location"] == f"{server.url}//elsewhere.example/%22x"
    assert server.get("/").status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_pages_of_other_servers_may_ask_with_headers_of_their_own(server, method):
    origin = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": method}
    allowed = server.client.options("/tap/sync", headers={**origin, "Access-Control-Request-Headers": "range"})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "*"
    assert method in allowed.headers["access-control-allow-methods"]
    assert allowed.headers["access-control-allow-headers"] == "range"


def test_what_nobody_foresaw_is_a_fault_that_every_client_can_read(server):
    """Pages of other servers (Aladin Lite) see no answer at all that has no CORS header, and so no reason."""

    def fail(_request: Request) -> Response:
        raise ZeroDivisionError("a secret of the code")

    app = create_app(server.settings, server.database)
    app.router.routes.insert(0, Route("/tap/broken", fail))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://plates.example") as client:
            return await client.get("/tap/broken", headers={"Origin": "https://elsewhere.example"})

    response = anyio.run(ask)
    assert "incident" in fault(response, 500)
    assert "secret" not in response.text
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["server"].startswith("vo-plates/")
