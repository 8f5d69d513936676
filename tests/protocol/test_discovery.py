"""The discovery page over HTTP, with a process that stands in for pyVO: form, page, stream, table, limits."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

import httpx
import lxml.html
import pytest
import standin_search
from astropy.io.votable import parse
from patience import PATIENCE, eventually
from serving import running

import vo.app
from vo.web.discovery.runs import Runs

COMET = {"place": "214.62 28.41", "radius": "0.1", "time": "1941-02-03"}


@pytest.fixture(scope="module")
def served(server, tmp_path_factory):
    """Serve with the stand-in: ``served(kind, **settings)`` gives a context manager."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))

        def serve(kind, **values):
            command = (sys.executable, standin_search.__file__, kind)
            patch.setattr(vo.app, "Runs", functools.partial(Runs, command=command))
            settings = server.settings.model_copy(update={"port": 0, "host": "127.0.0.1", **values})
            return running(settings, server.database)

        yield serve


@pytest.fixture(scope="module")
def quick(served):
    with served("quick") as started:
        yield started


@pytest.fixture(scope="module")
def slow(served):
    with served("slow", discoveries=4, client_discoveries=2, publisher="A <plate> archive") as started:
        yield started


def begin(server, **values):
    response = server.client.post("/discover/runs", data={**COMET, **values})
    assert response.status_code == 303, response.text
    path = response.headers["location"].removeprefix(server.url)
    assert path.startswith("/discover/runs/")
    return path


def page(server, path, status=200):
    response = server.get(path)
    assert response.status_code == status, response.text
    return lxml.html.fromstring(response.text)


def table(server, path, tmp_path):
    response = server.get(f"{path}/result")
    assert response.status_code == 200
    file = tmp_path / "result.vot"
    file.write_bytes(response.content)
    return parse(file, verify="exception")


def infos(votable):
    return [(info.name, info.value) for info in votable.resources[0].infos]


def wait_for_the_end(server, path):
    eventually(lambda: "refresh" not in server.get(path).text, lambda: server.get(path).text)


def read_events(server, path, most=1000, **headers):
    """The events up to the end of the stream, or as many as asked for, as (kind, data, id)."""
    found = []
    with server.client.stream("GET", f"{path}/events", headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        event = {}
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            if line and name:
                event[name] = value
            elif not line and "event" in event:
                found.append((event["event"], json.loads(event["data"]), event.get("id")))
                event = {}
                if len(found) >= most:
                    break
    return found


# -- the form


def test_the_form_has_the_examples_values(quick):
    root = page(quick, "/discover?place=214.62+28.41&radius=0.2&time=1941-02-03&wavelength=440&unit=um&inclusive=1")
    values = {field.name: field.value for field in root.forms[0].inputs if field.name}
    assert values["place"] == "214.62 28.41"
    assert (values["unit"], values["inclusive"]) == ("um", "1")
    assert "<script" not in quick.get("/discover").text
    for link in root.xpath("//main//a/@href"):
        assert quick.client.get(link).status_code == 200


def test_what_is_wrong_is_told_beside_the_field(quick):
    values = {"place": "<script>", "radius": "99", "time": "1941-02-03"}
    response = quick.client.post("/discover/runs", data=values)
    assert response.status_code == 400
    assert "<script>" not in response.text
    root = lxml.html.fromstring(response.text)
    for name in ("place", "radius"):
        field = root.get_element_by_id(name)
        assert field.get("aria-invalid") == "true"
        assert f"{name}-wrong" in field.get("aria-describedby")
        assert root.get_element_by_id(f"{name}-wrong").text_content()
    assert root.get_element_by_id("place").value == "<script>"
    assert root.get_element_by_id("time").get("aria-invalid") is None


def test_a_form_that_asks_for_nothing_starts_nothing(quick):
    assert quick.client.post("/discover/runs", data={}).status_code == 400
    assert quick.get("/discover/runs").headers["location"].endswith("/discover")


# -- a search


def test_the_page_shows_rows_and_log_without_scripts(quick):
    path = begin(quick)
    wait_for_the_end(quick, path)
    root = page(quick, path)
    lines = [item.text for item in root.xpath("//ol[@id='log']/li")]
    assert lines == ["radius 0.1", "Obscore Archive & sons: 2 records"]
    rows = [[cell.text_content().strip() for cell in row.findall("td")] for row in root.xpath("//tbody[@id='rows']/tr")]
    assert [row[1] for row in rows] == ["<b>comet</b> 0", "<b>comet</b> 1", "<b>comet</b> 2"]
    assert rows[0][2:6] == [
        "1941-02-03 00:00",
        "214.6200 -0.5000",
        "Station, \N{GREEK CAPITAL LETTER SIGMA} camera",
        "Archive & sons",
    ]
    links = [row.xpath(".//a/@href") for row in root.xpath("//tbody[@id='rows']/tr")]
    assert links[0][0] == f"{quick.url}/plates/demo/comet_1941", "a row of ours leads to its plate"
    assert links[1] == [], "addresses are http or https, or no links"
    assert links[2] == ["https://archive.invalid/2"]
    (picture,) = root.xpath("//tbody[@id='rows']//img/@src")
    assert quick.client.get(picture, follow_redirects=True).headers["content-type"] == "image/jpeg"
    assert "Done" in root.get_element_by_id("words").text_content()


def test_the_page_may_reach_the_hub_and_nothing_else(quick):
    path = begin(quick)
    policy = quick.get(path).headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "connect-src 'self' http://localhost:21012 http://127.0.0.1:21012" in policy
    assert "21012" not in quick.get("/discover").headers["content-security-policy"]


def test_the_table_has_rows_log_question_and_origin(quick, tmp_path):
    path = begin(quick, wavelength="440", unit="nm", inclusive="1")
    wait_for_the_end(quick, path)
    found = table(quick, path, tmp_path)
    told = infos(found)
    assert ("QUERY_STATUS", "OK") in told
    assert ("QUERY_STATUS", "OVERFLOW") not in told
    assert [value for name, value in told if name == "discovery_log"] == [
        "radius 0.1",
        "Obscore Archive & sons: 2 records",
    ]
    values = dict(told)
    assert values["discovery_space"] == "CIRCLE ICRS 214.62 28.41 0.1"
    assert values["discovery_time"] == "30028.0 30029.0"
    assert float(values["discovery_wavelength"]) == pytest.approx(4.4e-7)
    assert values["discovery_inclusive"] == "true"
    assert values["discovery_registry"] == f"{quick.url}/tap"
    assert values["discovery_services"] == "3 of 3 asked, 1 failed"
    assert values["request"] == f"{quick.url}{path}/result"
    assert "images_globally" in values["query"]
    assert "standardID" not in values
    rows = found.get_first_table().to_table()
    assert list(rows["obs_id"]) == ["image 0", "image 1", "image 2"]
    assert rows["instrument_name"][0] == "\N{GREEK CAPITAL LETTER SIGMA} camera"
    assert rows["s_ra"].unit == "deg"
    assert list(rows["service"]) == ["ivo://elsewhere/x"] * 3
    assert rows["t_exptime"].mask.all()
    headers = quick.get(f"{path}/result").headers
    assert headers["content-type"] == "application/x-votable+xml"
    assert headers["content-disposition"].startswith('attachment; filename="discovery_')


def test_the_stream_tells_everything_and_ends(quick):
    path = begin(quick)
    events = read_events(quick, path)
    assert [data["text"] for kind, data, _ in events if kind == "log"][:1] == ["radius 0.1"]
    rows = [row for kind, data, _ in events if kind == "rows" for row in data]
    assert [row["target"] for row in rows] == ["<b>comet</b> 0", "<b>comet</b> 1", "<b>comet</b> 2"]
    assert rows[0]["page"] == f"{quick.url}/plates/demo/comet_1941"
    assert rows[1]["links"] == []
    kind, last, _ = events[-1]
    assert (kind, last["over"], last["phase"], last["rows"]) == ("end", True, "done", 3)
    numbers = [int(number) for *_, number in events if number is not None]
    assert numbers == list(range(1, len(numbers) + 1))
    # A browser that comes back is told the rest alone.
    later = read_events(quick, path, **{"Last-Event-ID": str(numbers[-2])})
    assert [kind for kind, *_ in later] == [events[[e[2] for e in events].index(str(numbers[-1]))][0], "state", "end"]
    assert quick.client.head(f"{path}/events").headers["content-type"].startswith("text/event-stream")


def test_a_search_goes_on_until_it_is_stopped(slow, tmp_path):
    path = begin(slow)
    assert "refresh" in slow.get(path).text
    events = read_events(slow, path, most=12)
    assert {"log", "rows", "state"} <= {kind for kind, *_ in events}
    found = table(slow, path, tmp_path)
    assert ("QUERY_STATUS", "OVERFLOW") in infos(found), "a table of a search that goes on says so"
    assert ("discovery_state", "running") in infos(found)
    assert slow.client.post(f"{path}/stop").headers["location"] == f"{slow.url}{path}"
    assert read_events(slow, path)[-1][1]["phase"] == "stopped"
    found = table(slow, path, tmp_path)
    assert ("QUERY_STATUS", "OVERFLOW") in infos(found)
    assert ("discovery_log", "Ended: you stopped it.") in infos(found)
    assert len(found.get_first_table().array) >= 2
    slow.client.delete(path)
    assert slow.get(path).status_code == 404


def test_delete_ends_and_forgets(slow):
    path = begin(slow)
    assert slow.client.delete(path).headers["location"] == f"{slow.url}/discover"
    for address in (path, f"{path}/events", f"{path}/result"):
        response = slow.get(address)
        assert response.status_code == 404
        assert "no search here" in response.text


def test_a_client_has_so_many_searches_at_a_time(slow):
    paths = [begin(slow), begin(slow)]
    response = slow.client.post("/discover/runs", data=COMET)
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 0
    assert "client_discoveries" in response.text
    for path in paths:
        slow.client.delete(path)
    slow.client.delete(begin(slow))


def test_what_has_found_nothing_is_no_overflow(served, tmp_path):
    with served("empty") as server:
        path = begin(server)
        wait_for_the_end(server, path)
        found = table(server, path, tmp_path)
        assert len(found.get_first_table().array) == 0
        assert ("QUERY_STATUS", "OVERFLOW") not in infos(found)
        assert "0 images" in page(server, path).get_element_by_id("words").text_content()


def test_an_open_page_does_not_keep_the_server_from_stopping(served):
    with served("slow") as server:
        path = begin(server)
        client = httpx.Client(base_url=server.url, timeout=PATIENCE)
        stream = client.stream("GET", f"{path}/events")
        response = stream.__enter__()
        lines = response.iter_lines()
        next(lines)
    # The server has stopped while the stream was open: it ended in order, saying why.
    rest = list(lines)
    ends = [line for line in rest if line.startswith("event: end")]
    assert len(ends) == 1
    stream.__exit__(None, None, None)
    client.close()
