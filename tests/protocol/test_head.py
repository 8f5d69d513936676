"""HEAD gives what GET gives but the body, at every address; browsers may ask from other origins (RFC 9110, 9.3.2)."""

from __future__ import annotations

import time

import httpx
import pytest
from patience import PATIENCE
from serving import running

from vo.app import _routes
from vo.context import make_context
from vo.uws.service import JobService
from vo.web.discovery.runs import Runs

DID = "ivo://vo-plates.example/demo?comet_1941/1"

#: An address for each route, and the status that it gives.
ADDRESSES = {
    "/": ("/", 200),
    "/collections/{collection}": ("/collections/demo", 200),
    "/plates/{collection}/{plate_id:path}": ("/plates/demo/comet_1941", 200),
    "/plates/{collection}/{plate_id:path}/at": ("/plates/demo/comet_1941/at?x=100&y=100", None),
    "/static": ("/static/vo.css", 200),
    "/tap": ("/tap", 303),
    "/tap/sync": ("/tap/sync?LANG=ADQL&QUERY=SELECT+TOP+5+*+FROM+ivoa.obscore", 200),
    "/tap/async": ("/tap/async", 200),
    "/tap/async/{job}": ("/tap/async/nosuch", 404),
    "/tap/async/{job}/phase": ("/tap/async/nosuch/phase", 404),
    "/tap/async/{job}/executionduration": ("/tap/async/nosuch/executionduration", 404),
    "/tap/async/{job}/destruction": ("/tap/async/nosuch/destruction", 404),
    "/tap/async/{job}/quote": ("/tap/async/nosuch/quote", 404),
    "/tap/async/{job}/owner": ("/tap/async/nosuch/owner", 404),
    "/tap/async/{job}/error": ("/tap/async/nosuch/error", 404),
    "/tap/async/{job}/parameters": ("/tap/async/nosuch/parameters", 404),
    "/tap/async/{job}/results": ("/tap/async/nosuch/results", 404),
    "/tap/async/{job}/results/{result}": ("/tap/async/nosuch/results/result", 404),
    "/discover": ("/discover", 200),
    "/discover/runs": ("/discover/runs", 303),
    "/discover/runs/{run_id}": ("/discover/runs/nosuch", 404),
    "/discover/runs/{run_id}/events": ("/discover/runs/nosuch/events", 404),
    "/discover/runs/{run_id}/stop": ("/discover/runs/nosuch/stop", 404),
    "/discover/runs/{run_id}/result": ("/discover/runs/nosuch/result", 404),
    "/records": ("/records", 200),
    "/records/{record:path}": ("/records/nosuch", 404),
    "/tap/tables": ("/tap/tables", 200),
    "/tap/tables/{name}": ("/tap/tables/ivoa.obscore", 200),
    "/tap/examples": ("/tap/examples", 200),
    "/tap/capabilities": ("/tap/capabilities", 200),
    "/tap/availability": ("/tap/availability", 200),
    "/sia2/query": ("/sia2/query?POS=CIRCLE+214.62+28.41+0.1", 200),
    "/sia2/capabilities": ("/sia2/capabilities", 200),
    "/sia2/availability": ("/sia2/availability", 200),
    "/datalink/links": (f"/datalink/links?ID={DID.replace('?', '%3F')}", 200),
    "/datalink/capabilities": ("/datalink/capabilities", 200),
    "/datalink/availability": ("/datalink/availability", 200),
    "/soda/sync": (f"/soda/sync?CIRCLE=214.62+28.41+0.1&ID={DID.replace('?', '%3F')}", 200),
    "/soda/async": ("/soda/async", 200),
    "/soda/async/{job}": ("/soda/async/nosuch", 404),
    "/soda/async/{job}/phase": ("/soda/async/nosuch/phase", 404),
    "/soda/async/{job}/executionduration": ("/soda/async/nosuch/executionduration", 404),
    "/soda/async/{job}/destruction": ("/soda/async/nosuch/destruction", 404),
    "/soda/async/{job}/quote": ("/soda/async/nosuch/quote", 404),
    "/soda/async/{job}/owner": ("/soda/async/nosuch/owner", 404),
    "/soda/async/{job}/error": ("/soda/async/nosuch/error", 404),
    "/soda/async/{job}/parameters": ("/soda/async/nosuch/parameters", 404),
    "/soda/async/{job}/results": ("/soda/async/nosuch/results", 404),
    "/soda/async/{job}/results/{result}": ("/soda/async/nosuch/results/cutout-00001", 404),
    "/soda/capabilities": ("/soda/capabilities", 200),
    "/soda/availability": ("/soda/availability", 200),
    "/oai": ("/oai?verb=Identify", 200),
    "/files/{product_id:path}": ("/files/demo/comet_1941/comet_1941.jpg", 307),
    "/signed/{product_id:path}": ("/signed/demo/comet_1941/comet_1941.jpg?expires=1&signature=x", 403),
    "/headers/{collection}/{plate_id:path}/{scan_id}/{solution_id}/{version}.hdr": (
        "/headers/demo/comet_1941/1/1/1.hdr",
        200,
    ),
    "/mosaics/{collection}/{plate_id:path}/{name}": ("/mosaics/demo/comet_1941/1.fits", 404),
    "/{path:path}/": ("/tap/tables/", 307),
}
ADDRESSES |= {
    route.replace("/tap/", "/soda/"): (address.replace("/tap/", "/soda/"), status)
    for route, (address, status) in ADDRESSES.items()
    if route.startswith("/tap/async")
}

#: Questions that are answered by something else than an answer.
FAULTS = {
    "/tap/sync": 400,
    "/tap/sync?QUERY=SELECT+nothing+FROM+ivoa.obscore": 400,
    "/tap/sync?QUERY=SELECT+1/(calib_level-calib_level)+FROM+ivoa.obscore": 400,
    "/tap/tables/no.such": 404,
    "/tap/tables?detail=some": 400,
    "/sia2/query?POS=nowhere": 400,
    "/soda/sync?ID=ivo://nobody": 404,
    f"/soda/sync?CIRCLE=10+-80+0.1&ID={DID.replace('?', '%3F')}": 204,
    f"/soda/sync?ID={DID.replace('?', '%3F')}": 303,
    "/files/demo/none/none.fits": 404,
    "/plates/demo/none": 404,
    "/static/none.css": 404,
    "/nothing": 404,
}

#: What differs from answer to answer, or belongs to the body alone.
OWN = {"date", "transfer-encoding"}


def told(response):
    return {name: value for name, value in response.headers.items() if name not in OWN}


def assert_same(server, address, status):
    got, head = server.client.get(address), server.client.head(address)
    assert head.status_code == got.status_code
    assert status is None or got.status_code == status
    assert head.content == b""
    assert told(head) == told(got)


def test_no_route_is_left_out(server):
    context = make_context(server.settings, server.database)
    jobs = JobService(server.settings, server.database)
    assert {route.path for route in _routes(context, jobs, Runs(server.settings))} == set(ADDRESSES)


@pytest.mark.parametrize("route", ADDRESSES)
def test_head_gives_the_headers_of_get(server, route):
    assert_same(server, *ADDRESSES[route])


@pytest.mark.parametrize("address", FAULTS)
def test_head_gives_the_status_of_a_fault(server, address):
    assert_same(server, address, FAULTS[address])


def test_head_of_a_long_answer_ends_with_its_first_rows(server):
    """Every connection for queries is free again at once: of a product of tables that would take minutes."""
    query = "SELECT a.obs_id FROM ivoa.obscore AS a, ivoa.obscore AS b, ivoa.obscore AS c"
    for _ in range(2 * server.settings.query_connections):
        begun = time.monotonic()
        response = server.client.head("/tap/sync", params={"QUERY": query, "MAXREC": 10_000_000})
        assert response.status_code == 200
        assert time.monotonic() - begun < server.settings.sync_seconds / 2  # not for its time's being up


def test_head_of_a_cutout_reads_no_pixels(server, monkeypatch):
    from vo.pixels import cutout

    def read(*_arguments):
        raise AssertionError("pixels were read")
        yield

    monkeypatch.setattr(cutout, "read_bands", read)
    address = ADDRESSES["/soda/sync"][0]
    head = server.client.head(address)
    assert head.status_code == 200
    assert int(head.headers["content-length"]) > 2880


def test_head_of_a_file_says_how_long_it_is(server):
    address = ADDRESSES["/files/{product_id:path}"][0]
    head = server.client.head(address, follow_redirects=True)
    assert int(head.headers["content-length"]) == len(server.client.get(address, follow_redirects=True).content)
    part = server.client.head(address, headers={"Range": "bytes=0-9"}, follow_redirects=True)
    assert (part.status_code, part.content, part.headers["content-length"]) == (206, b"", "10")


@pytest.mark.parametrize("route", ADDRESSES)
def test_browsers_may_ask_from_anywhere(server, route):
    address = ADDRESSES[route][0]
    origin = {"Origin": "https://aladin.example"}
    for method in ("GET", "POST", "DELETE", "HEAD"):
        asked = {**origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type"}
        response = server.client.options(address, headers=asked)
        assert response.status_code == 200, response.text
        assert response.headers["access-control-allow-origin"] == "*"
        assert method in response.headers["access-control-allow-methods"]
    assert server.client.head(address, headers=origin).headers["access-control-allow-origin"] == "*"


def test_faults_that_nobody_foresaw_are_told_to_browsers_too(settings, database, monkeypatch):
    with running(settings.model_copy(update={"port": 0}), database) as server:
        monkeypatch.setattr("vo.tap.sync.answer", lambda *_arguments: 1 / 0)
        # Each on a connection of its own: the server closes one on which something broke.
        address = f"{server.url}/tap/sync?QUERY=SELECT+1"
        response = httpx.get(address, headers={"Origin": "https://a.example"}, timeout=PATIENCE)
        assert response.status_code == 500
        assert response.headers["access-control-allow-origin"] == "*"
        assert httpx.head(address, timeout=PATIENCE).status_code == 500
