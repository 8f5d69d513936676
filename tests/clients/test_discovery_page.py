"""The discovery page for real: Chromium, pyVO's global discovery, this server's registry, and a SAMP hub."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import xmlrpc.client

import elsewhere
import httpx
import needs
import pytest
from astropy.io.votable import parse
from browser import chromium, keep
from patience import PATIENCE, eventually
from registering import publish
from serving import running

MS = PATIENCE * 1000

COMET = {"place": "214.62 28.41", "radius": "0.1", "time": "1941-02-03"}


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def others(registered, tmp_path_factory):
    secret = tmp_path_factory.mktemp("secret") / "secret.bin"
    secret.write_bytes(b"SECRET" * 100)
    with elsewhere.services(secret) as started:
        yield started


@pytest.fixture(scope="module")
def open_server(registered):
    """The same archive behind a server that asks private networks, too, and waits for nobody long."""
    values = {"port": 0, "discovery_private": True, "discovery_bytes": 1_000_000, "discovery_service_seconds": 300.0}
    with running(registered.settings.model_copy(update=values), registered.database) as started:
        yield started


def fill(page, **values):
    for name, value in values.items():
        page.fill(f"#{name}", value)


def begin(browser, server, **values):
    page = browser.open(f"{server.url}/discover")
    fill(page, **{**COMET, **values})
    return page


def start(page):
    page.click("text=Search")
    page.wait_for_url(re.compile("/discover/runs/"))


def lines(page):
    return page.locator("#log li").all_inner_texts()


def saved(page, folder):
    with page.expect_download() as download:
        page.click("#save")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return parse(path, verify="exception")


def log_of(votable):
    return [info.value for info in votable.resources[0].infos if info.name == "discovery_log"]


def test_the_comet_is_found_by_who_knows_nothing_but_place_and_time(browser, registered, others, tmp_path):
    """Acceptance: run, watch the log grow, save; the server is its own registry, nothing else is asked."""
    with elsewhere.known(registered.database, others.records("good")):
        page = begin(browser, registered)
        keep(page, "discovery-form")
        start(page)
        page.wait_for_selector("#rows tr", timeout=MS)
        page.wait_for_selector("#stop", state="hidden", timeout=MS)
    assert "comet" in page.locator("#rows tr").first.inner_text().lower()
    assert page.locator("#rows a").first.get_attribute("href") == f"{registered.url}/plates/demo/comet_1941"
    assert page.locator("#rows img").first.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    told = lines(page)
    assert any("Skipping ivo://vo-plates.example/sia2 because it is served by" in line for line in told)
    assert any(re.search(r"Obscore .*: 1 records", line) for line in told)
    assert any("elsewhere.example/good skipped" in line and "private network" in line for line in told)
    assert not others.asked, "a private address is not asked, whoever registered it"
    assert "Done in" in page.locator("#words").inner_text()
    keep(page, "discovery")
    votable = saved(page, tmp_path)
    assert log_of(votable) == told
    rows = votable.get_first_table().to_table()
    assert list(rows["obs_id"]) == ["comet_1941"]
    assert list(rows["service"]) == ["ivo://vo-plates.example/obscore"]
    assert rows["s_region"][0].startswith("POLYGON ICRS")
    assert rows["access_url"][0].startswith(f"{registered.url}/datalink/links?")
    assert not [said for said in browser.said if said.startswith("error")]


def test_a_search_is_watched_and_stopped(browser, open_server, others, tmp_path):
    """One archive answers, one never does: the log and the table grow, Stop ends it at once, what is there stays."""
    names = ("good", "broken", "large", "astray", "moved", "slow")
    others.release.clear()
    with elsewhere.known(open_server.database, others.records(*names)):
        page = begin(browser, open_server)
        start(page)
        # pyVO takes services from the end of its list; the slow one is among them somewhere.
        eventually(lambda: any("/slow/" in path for path in others.asked), lambda: lines(page))
        before = len(lines(page))
        assert not page.locator("#stop").is_hidden()
        eventually(lambda: page.locator("#progress").evaluate("element => element.max") == 7, lambda: lines(page))
        keep(page, "discovery-running")
        page.click("#stop button")
        page.wait_for_selector("#stop", state="hidden", timeout=MS)  # though the archive goes on saying nothing
        assert not others.release.is_set()
    told = lines(page)
    assert len(told) > before
    assert "since you stopped it" in page.locator("#words").inner_text()
    assert any("Cancelling queries" in line for line in told), told
    votable = saved(page, tmp_path)
    assert log_of(votable) == told
    states = [info.value for info in votable.resources[0].infos if info.name == "QUERY_STATUS"]
    assert states == ["OK", "OVERFLOW"], "a table of a search that was stopped says that it is not whole"


def run_to_the_end(server, **values):
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        response = client.post("/discover/runs", data={**COMET, **values})
        assert response.status_code == 303, response.text
        path = response.headers["location"].removeprefix(server.url)
        with client.stream("GET", f"{path}/events") as stream:
            assert "event: end" in list(stream.iter_lines())
        return path, client.get(f"{path}/result").content


def test_what_other_archives_do_is_survived(open_server, others, tmp_path):
    names = ("good", "broken", "large", "astray", "moved")
    with elsewhere.known(open_server.database, others.records(*names)):
        _, document = run_to_the_end(open_server)
    file = tmp_path / "result.vot"
    file.write_bytes(document)
    votable = parse(file, verify="exception")
    told = {name: next(line for line in log_of(votable) if f"/{name} " in line) for name in names[1:]}
    assert "500" in told["broken"]
    assert "discovery_bytes" in told["large"]
    assert "not fetched here" in told["astray"]
    assert "does not answer" in told["moved"]
    assert b"SECRET" not in document
    rows = votable.get_first_table().to_table()
    by_service = dict(zip(rows["service"], rows, strict=True))
    assert set(by_service) == {"ivo://vo-plates.example/obscore", "ivo://elsewhere.example/good"}
    found = by_service["ivo://elsewhere.example/good"]
    assert found["service_title"] == "Archive good"
    assert found["target_name"] == "Com\N{LATIN SMALL LETTER E WITH GRAVE}te & moon"
    assert found["s_region"] == "POLYGON ICRS 214.0 28.0 215.0 28.0 215.0 29.0"
    assert rows.mask["calib_level"].any(), "null stays null"
    assert rows.mask["t_exptime"].any(), "NaN is null"


def test_an_answer_that_fills_the_memory_ends_that_service_alone(registered, others, tmp_path):
    values = {"port": 0, "discovery_private": True, "discovery_bytes": 10**9, "discovery_memory_bytes": 300_000_000}
    settings = registered.settings.model_copy(update=values)
    known = elsewhere.known(registered.database, others.records("good", "vast"))
    with known, running(settings, registered.database) as server:
        _, document = run_to_the_end(server)
    file = tmp_path / "result.vot"
    file.write_bytes(document)
    votable = parse(file, verify="exception")
    assert any("/vast skipped" in line and "memory" in line.lower() for line in log_of(votable)), log_of(votable)
    assert len(votable.get_first_table().array) == 2


def test_what_no_coverage_holds_is_asked_of_nobody(registered, tmp_path):
    with httpx.Client(base_url=registered.url, timeout=PATIENCE) as client:
        response = client.post("/discover/runs", data={"place": "214.62 28.41", "time": "1700..1700"})
        assert response.status_code == 400
    _, document = run_to_the_end(registered, time="2050")
    assert b"No service of the registry can hold an answer to this among those that say what they hold." in document
    assert b"OVERFLOW" not in document


def test_behind_a_proxy_the_server_asks_itself_where_it_listens(settings, fresh_database, tmp_path):
    """The public address, which the records name, leads nowhere from here; registry and ObsCore answer all the same."""
    public = "https://plates.example/archive"
    database = fresh_database()
    publish(settings, database, public)
    with running(settings.model_copy(update={"port": 0, "base_url": public}), database) as server:
        response = server.client.post("/discover/runs", data={**COMET, "inclusive": "1"})
        path = response.headers["location"].removeprefix(public)
        assert path.startswith("/discover/runs/")
        with server.client.stream("GET", f"{path}/events") as stream:
            assert "event: end" in list(stream.iter_lines())
        file = tmp_path / "result.vot"
        file.write_bytes(server.get(f"{path}/result").content)
    told = log_of(parse(file, verify="exception"))
    assert any(re.fullmatch("Obscore .*: 0 records", line) for line in told), told
    assert not any("skipped:" in line for line in told), told


def test_without_scripts_it_works_as_well(browser, registered, tmp_path):
    with browser.without_scripts() as plain:
        page = plain.open(f"{registered.url}/discover")
        fill(page, place="nowhere")
        page.click("text=Search")
        assert page.locator("#place-wrong").inner_text()
        fill(page, **COMET)
        start(page)
        page.wait_for_selector("#rows tr", timeout=MS)  # the page loads itself again
        page.wait_for_selector("text=Done in", timeout=MS)
        assert saved(page, tmp_path).get_first_table().to_table()["obs_id"][0] == "comet_1941"
        assert page.locator("#send").is_hidden(), "what needs a script is not offered"


def test_the_keyboard_is_enough(browser, registered):
    page = begin(browser, registered)
    page.focus("#place")
    order = []
    for _ in range(7):
        order.append(page.evaluate("document.activeElement.name || document.activeElement.textContent.trim()"))
        page.keyboard.press("Tab")
    assert order == ["place", "radius", "time", "wavelength", "unit", "inclusive", "Search"]
    page.focus("#time")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/discover/runs/"))
    page.wait_for_selector("#stop", state="hidden", timeout=MS)


# -- Web SAMP


@pytest.fixture
def hub():
    """pyVO's hub (once astropy's) with the Web Profile, whose user says yes; and a client that takes tables."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 21012))
        except OSError:
            needs.missing("port 21012, which SAMP's Web Profile is fixed to, is taken here: Web SAMP is not tested")
    from pyvo.samp import SAMPHubServer, SAMPIntegratedClient, conf
    from pyvo.samp.hub import WebProfileDialog

    class Yes(WebProfileDialog):
        asked: list[str]

        def show_dialog(self, name, *_details):
            self.asked.append(name)
            self.consent()

    dialog = Yes()
    dialog.asked = []
    ended = threading.Event()

    def poll():
        while not ended.wait(0.05):
            dialog.handle_queue()

    with conf.set_temp("use_internet", False):
        started = SAMPHubServer(web_profile=True, mode="multiple", pool_size=1, web_profile_dialog=dialog)
        started.start()
        threading.Thread(target=poll, daemon=True).start()
        client = SAMPIntegratedClient(metadata={"samp.name": "Table program"})
        client.connect(hub=started, pool_size=1)
        received = []
        client.bind_receive_notification(
            "table.load.votable", lambda _key, _sender, _mtype, params, _extra: received.append(params)
        )
        try:
            yield received, dialog, client
        finally:
            client.disconnect()
            ended.set()
            started.stop()


def registered_names(client):
    """Names of the programs at the hub; one may leave between the two questions."""
    names = set()
    for one in client.get_registered_clients():
        with contextlib.suppress(xmlrpc.client.Fault):
            names.add(client.get_metadata(one).get("samp.name"))
    return names


def test_tables_go_to_programs_on_the_desktop(browser, registered, hub, tmp_path):
    """Register with consent, list who takes tables, notify; the address that the program gets delivers the table."""
    received, dialog, client = hub
    page = begin(browser, registered)
    start(page)
    page.wait_for_selector("#stop", state="hidden", timeout=MS)
    page.click("#send")
    page.wait_for_selector("#samp button", timeout=MS)
    assert dialog.asked == ["vo-plates discovery"]
    assert "vo-plates discovery" in registered_names(client)
    keep(page, "discovery-samp")
    page.click("#samp button:has-text('Table program')")
    eventually(lambda: received, lambda: page.locator("#samp").inner_text())
    (params,) = received
    assert set(params) == {"url", "table-id", "name"}
    file = tmp_path / "received.vot"
    file.write_bytes(httpx.get(params["url"], timeout=PATIENCE).content)
    assert list(parse(file, verify="exception").get_first_table().to_table()["obs_id"]) == ["comet_1941"]
    page.wait_for_selector("text=Sent to Table program", timeout=MS)
    page.goto(f"{registered.url}/discover")  # the page is left
    eventually(
        lambda: "vo-plates discovery" not in registered_names(client), lambda: "it stays registered with the hub"
    )


def test_without_a_hub_the_page_says_what_to_do(browser, registered):
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 21012)) == 0:
            needs.missing("a SAMP hub runs here: what the page says without one is not tested")
    page = begin(browser, registered)
    start(page)
    page.click("#send")
    page.wait_for_selector("text=No SAMP hub answers on this computer", timeout=MS)
