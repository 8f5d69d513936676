"""/tap/async over HTTP: UWS 1.1 and what DALI and TAP say of jobs (STANDARDS 3, 5, 8)."""

from __future__ import annotations

import datetime as dt
import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import xsd
from documents import read
from jobs import (
    HREF,
    LONG,
    NIL,
    QUICK,
    SLOW,
    UWS,
    clean,
    create,
    document,
    ended,
    message,
    phase,
    running_queries,
)
from patience import PATIENCE, eventually
from serving import running
from xsd import parse

from vo.work import working

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")


@pytest.fixture(scope="module")
def client(server, worker):
    """A client with cookies of its own."""
    with httpx.Client(base_url=server.url, timeout=PATIENCE, follow_redirects=False) as own:
        yield own


@pytest.fixture
def jobs(client):
    with clean(client) as urls:
        yield urls


@pytest.fixture
def pending(client, jobs):
    url = create(client)
    jobs.append(url)
    return url


@pytest.fixture
def slow(client, jobs, server):
    """A job whose query runs in the database."""
    url = create(client, SLOW, PHASE="RUN")
    jobs.append(url)
    eventually(lambda: running_queries(server.database.admin_dsn) > 0)
    return url


# -- a job from its beginning to its end


def test_a_job_runs_and_has_its_result_tap_16(client, jobs):
    url = create(client)
    jobs.append(url)
    assert phase(client, url) == "PENDING"
    assert client.get(f"{url}/results/result").status_code == 404
    told = client.post(f"{url}/phase", data={"PHASE": "RUN"})
    assert (told.status_code, told.headers["location"]) == (303, url)
    assert phase(client, url) != "PENDING"
    job = ended(client, url)
    assert job.findtext(f"{UWS}phase") == "COMPLETED"
    (result,) = job.iter(f"{UWS}result")
    assert result.get("id") == "result"
    assert result.get(HREF) == f"{url}/results/result"
    response = client.get(result.get(HREF))
    assert response.status_code == 200
    assert response.headers["content-type"] == result.get("mime-type") == "application/x-votable+xml"
    assert response.headers["content-length"] == result.get("size") == str(len(response.content))
    found = read(response)
    assert len(found.rows) == 3
    assert found.statuses == ["OK"]


def test_created_with_phase_run_it_begins_at_once(client, jobs):
    url = create(client, PHASE="RUN")
    jobs.append(url)
    assert phase(client, url) != "PENDING"
    assert ended(client, url).findtext(f"{UWS}phase") == "COMPLETED"


def test_the_result_is_what_sync_answers(client, jobs, server):
    url = create(client, QUICK + " ORDER BY obs_id", RESPONSEFORMAT="text/csv", PHASE="RUN")
    jobs.append(url)
    ended(client, url)
    response = client.get(f"{url}/results/result")
    assert response.headers["content-type"] == "text/csv"
    assert response.text == server.query(QUICK + " ORDER BY obs_id", RESPONSEFORMAT="text/csv").text


def test_a_result_without_rows_is_a_result_tap_16(client, jobs):
    for values in ({}, {"MAXREC": "0"}):
        url = create(client, "SELECT obs_id FROM ivoa.obscore WHERE 1 = 0", PHASE="RUN", **values)
        jobs.append(url)
        ended(client, url)
        assert read(client.get(f"{url}/results/result")).rows == []


def test_overflow_is_told_in_the_result_dali_07(client, jobs):
    url = create(client, "SELECT obs_id FROM ivoa.obscore", MAXREC="2", PHASE="RUN")
    jobs.append(url)
    ended(client, url)
    assert read(client.get(f"{url}/results/result")).statuses == ["OK", "OVERFLOW"]


def test_results_are_sent_in_parts_and_only_when_they_are_new(client, jobs):
    url = create(client, PHASE="RUN")
    jobs.append(url)
    ended(client, url)
    whole = client.get(f"{url}/results/result")
    part = client.get(f"{url}/results/result", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert "etag" in whole.headers
    head = client.head(f"{url}/results/result")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(whole.content)))


# -- documents


def test_documents_are_valid_uws_01(client, jobs):
    """Skips without the schemas; all other tests validate what they read when the schemas are there."""
    jobs += [create(client, RUNID="mine"), create(client, PHASE="RUN"), create(client, "SELECT", PHASE="RUN")]
    for url in jobs[1:]:
        ended(client, url)
    for url in jobs:
        for path in ("", "/parameters", "/results"):
            xsd.validate(client.get(f"{url}{path}").content)
    xsd.validate(client.get("/tap/async").content)


def test_a_pending_job_is_valid_and_says_what_is_unset_uws_01_02_08(client, pending):
    job = document(client, pending)
    assert job.get("version") == "1.1"
    for name in ("quote", "startTime", "endTime", "ownerId"):
        assert job.find(f"{UWS}{name}").get(NIL) == "true"
        assert not job.find(f"{UWS}{name}").text
    for name in ("creationTime", "destruction"):
        assert TIME.fullmatch(job.findtext(f"{UWS}{name}"))
    order = [etree.tag.removeprefix(UWS) for etree in job]
    wanted = "jobId ownerId phase quote creationTime startTime endTime executionDuration destruction parameters results"
    assert order == wanted.split()


def test_single_values_are_text_and_those_of_the_document_uws_03(client, pending, server):
    job = document(client, pending)
    for path, element in {
        "phase": "phase",
        "executionduration": "executionDuration",
        "destruction": "destruction",
        "quote": "quote",
        "owner": "ownerId",
    }.items():
        response = client.get(f"{pending}/{path}")
        assert response.headers["content-type"].startswith("text/plain")
        assert response.text == (job.findtext(f"{UWS}{element}") or "")
    assert job.findtext(f"{UWS}executionDuration") == str(server.settings.async_seconds_default)
    assert pending.endswith(job.findtext(f"{UWS}jobId"))


def test_parameters_are_told_as_they_came_uws_12(client, jobs):
    told = [
        ("LANG", "ADQL"),
        ("query", "SELECT '<&\x01é>' AS x FROM tap_schema.schemas"),
        ("UPLOAD", "a,b"),
        ("UPLOAD", "c,d"),
    ]
    made = client.post("/tap/async", content=httpx.QueryParams(told).__str__(), headers=FORM)
    url = made.headers["location"]
    jobs.append(url)
    root = parse(client.get(f"{url}/parameters").content)
    shown = [(one.get("id"), one.text) for one in root.iter(f"{UWS}parameter")]
    assert shown == [(name, value.replace("\x01", "\N{REPLACEMENT CHARACTER}")) for name, value in told]
    job = document(client, url)
    assert [(one.get("id"), one.text) for one in job.iter(f"{UWS}parameter")] == shown


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_results_and_parameters_have_documents_of_their_own(client, jobs):
    url = create(client, PHASE="RUN")
    jobs.append(url)
    ended(client, url)
    results = parse(client.get(f"{url}/results").content)
    assert [one.get(HREF) for one in results] == [f"{url}/results/result"]
    assert client.get(f"{url}/results/other").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["", "/phase", "/executionduration", "/destruction", "/quote", "/owner", "/parameters", "/results", "/error"],
)
def test_unknown_jobs_are_404_and_head_works_dali_14(client, pending, path):
    assert client.get(f"/tap/async/{'0' * 32}{path}").status_code == 404
    assert client.get(f"/tap/async/x{path}").status_code == 404
    assert client.get(f"/tap/async/%00{path}").status_code == 404
    head = client.head(f"{pending}{path}")
    assert head.status_code == (404 if path == "/error" else 200)
    assert head.content == b""


def test_unknown_children_are_404(client, pending):
    assert client.get(f"{pending}/nothing").status_code == 404
    assert client.get(f"{pending}/results/result/more").status_code == 404


def test_ids_cannot_be_guessed(client, jobs):
    for _ in range(5):
        jobs.append(create(client))
    ids = {url.rpartition("/")[2] for url in jobs}
    assert len(ids) == 5
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


# -- changes


def test_parameters_may_be_added_while_pending_dali_15(client, jobs):
    made = client.post("/tap/async", data={"LANG": "ADQL"})
    url = made.headers["location"]
    jobs.append(url)
    told = client.post(f"{url}/parameters", data={"QUERY": "SELECT 1 AS a FROM tap_schema.schemas"})
    assert (told.status_code, told.headers["location"]) == (303, url)
    client.post(f"{url}/parameters", data={"query": QUICK, "RUNID": "mine"})
    job = document(client, url)
    assert [(one.get("id"), one.text) for one in job.iter(f"{UWS}parameter")] == [("LANG", "ADQL"), ("query", QUICK)]
    assert job.findtext(f"{UWS}runId") == "mine"
    client.post(f"{url}/phase", data={"PHASE": "RUN"})
    assert ended(client, url).findtext(f"{UWS}phase") == "COMPLETED"
    refused = client.post(f"{url}/parameters", data={"QUERY": "SELECT 2"})
    assert refused.status_code == 403
    assert "PENDING" in read(refused).root.findtext(".//{*}INFO")


def test_uploads_add_up_other_parameters_are_replaced_tap_17(client, pending):
    client.post(f"{pending}/parameters", data={"UPLOAD": "a,param:a"}, files={"a": ("a.xml", b"<VOTABLE/>")})
    client.post(f"{pending}/parameters", data={"UPLOAD": "b,param:b", "LANG": "ADQL-2.1"}, files={"b": ("b.xml", b"x")})
    shown = [(one.get("id"), one.text) for one in document(client, pending).iter(f"{UWS}parameter")]
    assert shown == [("QUERY", QUICK), ("UPLOAD", "a,param:a"), ("UPLOAD", "b,param:b"), ("LANG", "ADQL-2.1")]


TABLE = b"""<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>
<FIELD name="n" datatype="int"/><DATA><TABLEDATA><TR><TD>7</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""


def test_uploads_of_several_requests_are_joined_when_the_job_runs_and_go_with_its_end_tap_17(client, jobs, server):
    query = "SELECT a.n + b.n AS total FROM TAP_UPLOAD.a AS a, TAP_UPLOAD.b AS b"
    made = client.post("/tap/async", data={"QUERY": query, "UPLOAD": "a,param:one"}, files={"one": ("a.xml", TABLE)})
    url = made.headers["location"]
    jobs.append(url)
    client.post(f"{url}/parameters", data={"UPLOAD": "b,param:two"}, files={"two": ("b.xml", TABLE)})
    folder = server.settings.data_dir / "jobs" / url.rpartition("/")[2] / "uploads"
    assert len(list(folder.iterdir())) == 2
    client.post(f"{url}/phase", data={"PHASE": "RUN"})
    assert message(ended(client, url)) == ""
    assert read(client.get(f"{url}/results/result")).rows == [{"total": 14}]
    eventually(lambda: not folder.exists())


def test_runid_is_shown_and_may_be_posted_again_uws_13(client, jobs):
    url = create(client, RUNID="first")
    jobs.append(url)
    assert document(client, url).findtext(f"{UWS}runId") == "first"
    client.post(f"{url}/parameters", data={"RUNID": "second"})
    assert document(client, url).findtext(f"{UWS}runId") == "second"
    long = client.post("/tap/async", data={"RUNID": "x" * 65})
    assert long.status_code == 400
    assert "64" in read(long).root.findtext(".//{*}INFO")


def test_execution_duration_is_set_within_the_limit(client, pending, server):
    assert client.post(f"{pending}/executionduration", data={"EXECUTIONDURATION": "77"}).status_code == 303
    assert client.get(f"{pending}/executionduration").text == "77"
    for asked in ("0", "999999999"):
        client.post(f"{pending}/executionduration", data={"EXECUTIONDURATION": asked})
        assert client.get(f"{pending}/executionduration").text == str(server.settings.async_seconds_hard)
    assert client.post(f"{pending}/executionduration", data={"EXECUTIONDURATION": "long"}).status_code == 400
    url = create(client, EXECUTIONDURATION="5.5")
    assert client.get(f"{url}/executionduration").text == "6"


def test_destruction_is_set_within_the_limit_uws_09(client, pending, server):
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    assert (
        client.post(f"{pending}/destruction", data={"DESTRUCTION": soon.strftime("%Y-%m-%dT%H:%M:%S")}).status_code
        == 303
    )
    assert client.get(f"{pending}/destruction").text == soon.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    client.post(f"{pending}/destruction", data={"DESTRUCTION": "2999-01-01T00:00:00Z"})
    shown = dt.datetime.fromisoformat(client.get(f"{pending}/destruction").text)
    hard = dt.timedelta(days=server.settings.retention_days_hard)
    assert abs(shown - (dt.datetime.now(dt.UTC) + hard)) < dt.timedelta(minutes=1)
    assert client.post(f"{pending}/destruction", data={"DESTRUCTION": "tomorrow"}).status_code == 400


def test_a_destruction_that_is_over_is_redirected_like_others_uws_04(client, pending):
    told = client.post(f"{pending}/destruction", data={"DESTRUCTION": "2000-01-01T00:00:00Z"})
    assert (told.status_code, told.headers["location"]) == (303, pending)
    assert client.get(pending).status_code == 404


def test_a_job_goes_at_its_destruction_with_its_files_uws_09(client, server):
    later = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=1)
    url = create(client, PHASE="RUN", DESTRUCTION=later.isoformat())
    ended(client, url)
    assert dt.datetime.fromisoformat(client.get(f"{url}/destruction").text) == later
    folder = server.settings.data_dir / "jobs" / url.rpartition("/")[2]
    assert (folder / "1" / "result").is_file()
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1.5)
    client.post(f"{url}/destruction", data={"DESTRUCTION": soon.isoformat()})
    eventually(lambda: client.get(url).status_code == 404)
    assert dt.datetime.now(dt.UTC) >= soon
    eventually(lambda: not folder.exists())
    assert client.get(f"{url}/results/result").status_code == 404


@pytest.mark.parametrize("how", ["DELETE", "ACTION"])
def test_a_job_is_deleted_uws_04(client, how, server):
    url = create(client, PHASE="RUN")
    ended(client, url)
    told = client.delete(url) if how == "DELETE" else client.post(url, data={"ACTION": "DELETE"})
    assert (told.status_code, told.headers["location"]) == (303, f"{server.url}/tap/async")
    assert client.get(url).status_code == 404
    assert client.delete(url).status_code == 404
    eventually(lambda: not (server.settings.data_dir / "jobs" / url.rpartition("/")[2]).exists())


def test_ended_jobs_do_not_run_again(client, jobs):
    url = create(client, PHASE="RUN")
    jobs.append(url)
    ended(client, url)
    assert client.post(f"{url}/phase", data={"PHASE": "RUN"}).status_code == 403
    assert client.post(f"{url}/phase", data={"PHASE": "ABORT"}).status_code == 303
    assert phase(client, url) == "COMPLETED"
    assert client.post(f"{url}/executionduration", data={"EXECUTIONDURATION": "7"}).status_code == 403


def test_what_cannot_be_understood_is_400(client, pending):
    assert client.post(f"{pending}/phase", data={"PHASE": "WALK"}).status_code == 400
    assert client.post(pending, data={"ACTION": "KEEP"}).status_code == 400
    assert client.get(pending, params={"WAIT": "long"}).status_code == 400
    assert client.post("/tap/async", data={"PHASE": "ABORT"}).status_code == 400
    assert client.get("/tap/async", params={"PHASE": "ASLEEP"}).status_code == 400
    assert client.get("/tap/async", params={"AFTER": "then"}).status_code == 400


# -- ending

#: Promised is a second, which a machine at work on much else cannot keep.
AT_ONCE = 10


def test_abort_stops_the_query_in_the_database_within_a_second_uws_11(client, slow, server):
    assert phase(client, slow) == "EXECUTING"
    assert client.post(f"{slow}/phase", data={"PHASE": "ABORT"}).status_code == 303
    assert phase(client, slow) == "ABORTED"
    eventually(lambda: running_queries(server.database.admin_dsn) == 0, seconds=AT_ONCE)
    job = document(client, slow)
    assert TIME.fullmatch(job.findtext(f"{UWS}endTime"))
    assert client.get(f"{slow}/results/result").status_code == 404


def test_delete_stops_the_query_in_the_database_within_a_second(client, slow, server):
    assert client.delete(slow).status_code == 303
    eventually(lambda: running_queries(server.database.admin_dsn) == 0, seconds=AT_ONCE)


def test_abort_amid_a_result_leaves_no_file(client, jobs, server):
    url = create(client, LONG, PHASE="RUN", RESPONSEFORMAT="votable", MAXREC="9000000")
    jobs.append(url)
    folder = server.settings.data_dir / "jobs" / url.rpartition("/")[2] / "1"
    eventually(lambda: folder.exists() and any(folder.iterdir()))
    assert client.get(f"{url}/results/result").status_code == 404
    client.post(f"{url}/phase", data={"PHASE": "ABORT"})
    eventually(lambda: running_queries(server.database.admin_dsn) == 0, seconds=AT_ONCE)
    eventually(lambda: not folder.exists())


def test_a_pending_job_can_be_aborted(client, pending):
    client.post(f"{pending}/phase", data={"PHASE": "ABORT"})
    assert phase(client, pending) == "ABORTED"


def test_beyond_its_duration_a_job_is_aborted_and_says_so(client, jobs, server):
    url = create(client, SLOW, EXECUTIONDURATION="1", PHASE="RUN")
    jobs.append(url)
    job = ended(client, url)
    assert job.findtext(f"{UWS}phase") == "ABORTED"
    assert "execution duration of 1 s" in message(job)
    assert str(server.settings.async_seconds_hard) in message(job)
    assert job.find(f"{UWS}errorSummary").get("type") == "transient"
    assert running_queries(server.database.admin_dsn) == 0


def test_a_bad_query_makes_a_job_that_fails_tap_12(client, jobs):
    url = create(client, "SELECT obs_idd FROM ivoa.obscore", PHASE="RUN")
    jobs.append(url)
    job = ended(client, url)
    assert job.findtext(f"{UWS}phase") == "ERROR"
    summary = job.find(f"{UWS}errorSummary")
    assert (summary.get("type"), summary.get("hasDetail")) == ("fatal", "true")
    assert "line 1, column 8" in message(job)
    told = client.get(f"{url}/error")
    assert (told.status_code, told.headers["content-type"]) == (200, "application/x-votable+xml")
    found = read(told)
    assert found.statuses == ["ERROR"]
    assert found.root.findtext(".//{*}INFO") == message(job)
    assert client.get(f"{url}/results/result").status_code == 404


@pytest.mark.parametrize("form", ["votable", "csv"])
def test_a_fault_amid_the_rows_fails_the_job(client, jobs, server, form):
    """The database finds it after many rows, when the document has begun."""
    query = (
        "SELECT a.column_name, b.column_index AS x FROM tap_schema.columns AS a, tap_schema.columns AS b "
        "WHERE b.table_name LIKE 'rr.%' "
        "UNION ALL SELECT column_name, 1 / (column_index - column_index) AS x FROM tap_schema.columns"
    )
    amid = server.query(query, RESPONSEFORMAT="votable", MAXREC="9000000")
    assert read(amid).statuses == ["OK", "ERROR"]
    url = create(client, query, PHASE="RUN", RESPONSEFORMAT=form, MAXREC="9000000")
    jobs.append(url)
    job = ended(client, url)
    assert job.findtext(f"{UWS}phase") == "ERROR"
    assert "zero" in message(job)
    assert list(job.iter(f"{UWS}result")) == []
    assert client.get(f"{url}/results/result").status_code == 404


def test_missing_parameters_are_told_when_it_runs(client, jobs):
    made = client.post("/tap/async", data={"PHASE": "RUN"})
    jobs.append(made.headers["location"])
    assert "QUERY is missing" in message(ended(client, jobs[0]))


def test_a_running_job_says_how_far_it_is(client, jobs):
    url = create(client, LONG, PHASE="RUN", MAXREC="9000000")
    jobs.append(url)

    def written() -> int:
        return int(document(client, url).findtext(f"{UWS}jobInfo/bytesWritten") or 0)

    eventually(lambda: written() > 0)
    first = written()
    eventually(lambda: written() > first)


# -- waiting


LONGER = int(2 * PATIENCE)


@pytest.fixture(scope="module")
def patient(server):
    """A client whose patience is at an end before its server's: each answer that it gets has come sooner."""
    settings = server.settings.model_copy(update={"port": 0, "wait_seconds": LONGER})
    with running(settings, server.database) as other:
        yield other.client


def test_wait_returns_as_soon_as_the_phase_changes_uws_05(patient, pending):
    here = httpx.URL(pending).path
    with ThreadPoolExecutor() as pool:
        began = time.monotonic()
        waiting = pool.submit(patient.get, here, params={"WAIT": "-1"})
        time.sleep(0.3)
        patient.post(f"{here}/phase", data={"PHASE": "ABORT"})
        job = parse(waiting.result().content)
    assert job.findtext(f"{UWS}phase") == "ABORTED"
    assert time.monotonic() - began > 0.3


def test_wait_is_over_after_its_time_or_the_servers(patient, pending, server):
    here = httpx.URL(pending).path
    began = time.monotonic()
    assert document(patient, here, WAIT=1).findtext(f"{UWS}phase") == "PENDING"
    assert time.monotonic() - began > 0.9
    quick = server.settings.model_copy(update={"port": 0, "wait_seconds": 0.5})
    with running(quick, server.database) as other:
        for seconds in (-1, LONGER):
            began = time.monotonic()
            assert document(other.client, here, WAIT=seconds).findtext(f"{UWS}phase") == "PENDING"
            assert 0.4 < time.monotonic() - began < server.settings.wait_seconds


def test_wait_returns_at_once_when_there_is_nothing_to_wait_for_uws_06(patient, pending):
    here = httpx.URL(pending).path
    document(patient, here, WAIT=LONGER, PHASE="QUEUED")
    patient.post(f"{here}/phase", data={"PHASE": "ABORT"})
    document(patient, here, WAIT=LONGER)
    document(patient, here, WAIT=0)


def test_a_deleted_job_ends_the_waiting(patient, pending):
    here = httpx.URL(pending).path
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(patient.get, here, params={"WAIT": "-1"})
        time.sleep(0.2)
        patient.delete(here)
        assert waiting.result().status_code == 404


# -- the list


def test_the_list_shows_the_jobs_of_its_session_alone_uws_10(server, worker):
    with (
        httpx.Client(base_url=server.url, timeout=PATIENCE) as one,
        httpx.Client(base_url=server.url, timeout=PATIENCE) as other,
        clean(one) as mine,
    ):
        mine += [create(one), create(one, RUNID="second")]
        listed = parse(one.get("/tap/async").content)
        assert listed.get("version") == "1.1"
        assert [ref.get(HREF) for ref in listed] == mine
        assert [ref.get("id") for ref in listed] == [url.rpartition("/")[2] for url in mine]
        assert listed[1].findtext(f"{UWS}runId") == "second"
        assert listed[0].find(f"{UWS}ownerId").get(NIL) == "true"
        empty = other.get("/tap/async")
        assert empty.status_code == 200
        assert len(parse(empty.content)) == 0
        assert other.get(mine[0]).status_code == 200  # whoever knows the id may use the job


def test_the_cookie_of_the_list_is_kept_from_scripts_and_other_sites(server):
    made = server.client.post("/tap/async", data={"QUERY": QUICK}, headers={"Cookie": "vo_jobs="})
    cookie = made.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/tap/async;" in cookie
    assert len(re.search("vo_jobs=([^;]+)", made.headers["set-cookie"])[1]) >= 22
    server.client.delete(made.headers["location"])


def test_the_list_is_filtered_uws_07(server, worker):
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as one, clean(one) as mine:
        mine += [create(one), create(one, PHASE="RUN"), create(one)]
        ended(one, mine[1])
        one.post(f"{mine[2]}/phase", data={"PHASE": "ABORT"})

        def listed(*pairs: tuple[str, str]) -> list[str]:
            return [ref.get(HREF) for ref in parse(one.get("/tap/async", params=pairs).content)]

        assert listed() == mine
        assert listed(("PHASE", "COMPLETED")) == [mine[1]]
        assert listed(("PHASE", "COMPLETED"), ("phase", "aborted")) == mine[1:]
        assert listed(("PHASE", "ARCHIVED")) == []
        assert listed(("LAST", "2")) == mine[1:]
        assert listed(("LAST", "2"), ("PHASE", "PENDING")) == [mine[0]]
        assert listed(("LAST", "0")) == []
        first = document(one, mine[0]).findtext(f"{UWS}creationTime")
        later = (dt.datetime.fromisoformat(first) + dt.timedelta(milliseconds=1)).isoformat()
        assert listed(("AFTER", later)) == mine[1:]
        assert listed(("AFTER", later), ("PHASE", "ABORTED"), ("LAST", "5")) == [mine[2]]
        assert listed(("AFTER", "2999-01-01")) == []
        assert listed(("LAST", "9" * 28)) == mine


# -- limits


def test_too_many_jobs_of_one_client_are_429(server):
    few = server.settings.model_copy(update={"port": 0, "client_jobs": 2, "trust_forwarded": True})
    with running(few, server.database) as other, clean(other.client) as made:
        mine = {"X-Forwarded-For": "10.1.1.1, 192.0.2.1"}
        for _ in range(2):
            told = other.client.post("/tap/async", data={"QUERY": SLOW, "PHASE": "RUN"}, headers=mine)
            made.append(told.headers["location"])
        refused = other.client.post("/tap/async", data={"QUERY": QUICK, "PHASE": "RUN"}, headers=mine)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
        assert "2 jobs" in read(refused).root.findtext(".//{*}INFO")
        waiting = other.client.post("/tap/async", data={"QUERY": QUICK}, headers=mine)
        made.append(waiting.headers["location"])
        assert other.client.post(f"{made[2]}/phase", data={"PHASE": "RUN"}, headers=mine).status_code == 429
        assert phase(other.client, made[2]) == "PENDING"
        elsewhere = other.client.post(
            "/tap/async", data={"QUERY": QUICK, "PHASE": "RUN"}, headers={"X-Forwarded-For": "10.1.1.1, 192.0.2.2"}
        )
        assert elsewhere.status_code == 303
        made.append(elsewhere.headers["location"])
        other.client.post(f"{made[0]}/phase", data={"PHASE": "ABORT"})
        assert other.client.post(f"{made[2]}/phase", data={"PHASE": "RUN"}, headers=mine).status_code == 303


def test_too_many_pending_jobs_of_one_client_are_429(server):
    few = server.settings.model_copy(update={"port": 0, "client_pending": 2, "trust_forwarded": True})
    with running(few, server.database) as other, clean(other.client) as made:
        mine = {"X-Forwarded-For": "192.0.2.3"}
        for _ in range(2):
            made.append(other.client.post("/tap/async", data={"QUERY": QUICK}, headers=mine).headers["location"])
        refused = other.client.post("/tap/async", data={"UPLOAD": "t,param:t"}, headers=mine, files={"t": b"x"})
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
        assert "client_pending" in read(refused).root.findtext(".//{*}INFO")
        other.client.post(f"{made[0]}/phase", data={"PHASE": "ABORT"})
        made.append(other.client.post("/tap/async", data={"QUERY": QUICK}, headers=mine).headers["location"])
        assert phase(other.client, made[2]) == "PENDING"


def test_what_requests_add_to_a_job_is_no_more_than_one_may_bring_and_replaced_files_go(server):
    small = server.settings.model_copy(update={"port": 0, "request_bytes": 2000, "upload_bytes": 5000})
    with running(small, server.database) as other, clean(other.client) as made:
        made.append(other.client.post("/tap/async", data={"QUERY": QUICK}).headers["location"])
        url = f"{made[0]}/parameters"
        folder = server.settings.data_dir / "jobs" / made[0].rpartition("/")[2] / "uploads"
        for _ in range(4):  # each replaces the one before
            assert other.client.post(url, files={"a": ("a", b"x" * 4000)}).status_code == 303
        eventually(lambda: len(list(folder.iterdir())) == 1)
        refused = other.client.post(url, files={"b": ("b", b"x" * 4000)})
        assert refused.status_code == 413
        assert "7000 bytes" in read(refused).root.findtext(".//{*}INFO")
        eventually(lambda: len(list(folder.iterdir())) == 1)
        assert other.client.post(url, data={"UPLOAD": "a" * 1500}).status_code == 303
        assert other.client.post(url, data={"UPLOAD": "b" * 1500}).status_code == 413
        assert [one.text for one in document(other.client, made[0]).iter(f"{UWS}parameter")] == [QUICK, "a" * 1500]


def test_a_request_that_is_too_large_makes_no_job(client, server):
    large = "x" * (server.settings.request_bytes + 1)
    assert client.post("/tap/async", data={"a": large}).status_code == 413
    fields = {"a": (None, large)}
    assert client.post("/tap/async", files=fields).status_code == 413


# -- behind a proxy, without a worker, many at once


def test_addresses_are_those_that_clients_reach(server, worker):
    public = "https://plates.example/vault"
    told = server.settings.model_copy(update={"port": 0, "base_url": public})
    with running(told, server.database) as behind:
        made = behind.client.post("/tap/async", data={"QUERY": QUICK, "PHASE": "RUN"})
        location = made.headers["location"]
        assert location.startswith(f"{public}/tap/async/")
        assert "path=/vault/tap/async" in made.headers["set-cookie"].lower()
        assert "secure" in made.headers["set-cookie"].lower()
        here = location.removeprefix(public)
        job = ended(behind.client, here)
        assert next(job.iter(f"{UWS}result")).get(HREF) == f"{location}/results/result"
        infos = read(behind.client.get(f"{here}/results/result")).infos
        assert ("request", f"{public}/tap/async") in infos
        assert behind.client.delete(here).headers["location"] == f"{public}/tap/async"


def test_without_a_worker_jobs_wait_and_nothing_is_lost(server, fresh_database):
    database = fresh_database()
    settings = server.settings.model_copy(update={"port": 0})
    with running(settings, database) as other:
        url = create(other.client, "SELECT schema_name FROM tap_schema.schemas", PHASE="RUN")
        assert document(other.client, url, WAIT=1).findtext(f"{UWS}phase") == "QUEUED"
    with running(settings, database) as other, working(settings, database):
        here = f"/tap/async/{url.rpartition('/')[2]}"
        assert ended(other.client, here).findtext(f"{UWS}phase") == "COMPLETED"
        other.client.delete(here)


def test_a_worker_that_is_stopped_gives_its_jobs_back(server, fresh_database):
    database = fresh_database()
    settings = server.settings.model_copy(update={"port": 0})
    with running(settings, database) as other:
        with working(settings, database):
            url = create(other.client, SLOW, PHASE="RUN")
            eventually(lambda: phase(other.client, url) == "EXECUTING")
        assert phase(other.client, url) == "QUEUED"
        assert running_queries(database.admin_dsn) == 0
        with working(settings, database):
            eventually(lambda: phase(other.client, url) == "EXECUTING")
            other.client.delete(url)


def test_many_jobs_at_once_are_all_answered(client, jobs):
    def one(number: int) -> str:
        url = create(client, f"SELECT TOP 1 obs_id, {number} AS n FROM ivoa.obscore", PHASE="RUN")
        jobs.append(url)
        assert ended(client, url).findtext(f"{UWS}phase") == "COMPLETED"
        (row,) = read(client.get(f"{url}/results/result")).rows
        return str(row["n"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(24))) == [str(number) for number in range(24)]


@pytest.mark.parametrize("query", [QUICK, SLOW])
def test_of_run_abort_and_delete_at_once_each_is_answered_and_the_job_ends(client, server, query):
    """Whoever wins, nobody sees an error of the service, and nothing goes on running."""
    urls = [create(client, query) for _ in range(6)]

    def act(what: tuple[str, str]) -> int:
        url, how = what
        if how == "DELETE":
            return client.delete(url).status_code
        return client.post(f"{url}/phase", data={"PHASE": how}).status_code

    acts = [(url, how) for how in ("RUN", "ABORT", "RUN", "DELETE", "ABORT", "DELETE") for url in urls]
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(act, acts))
    assert set(statuses) <= {303, 403, 404}
    assert all(client.get(url).status_code == 404 for url in urls)
    eventually(lambda: running_queries(server.database.admin_dsn) == 0)
    for url in urls:
        eventually(lambda url=url: not (server.settings.data_dir / "jobs" / url.rpartition("/")[2]).exists())


def test_the_query_role_sees_nothing_of_jobs(server):
    for table in ("uws.job", "queue.procrastinate_jobs"):
        assert server.query(f"SELECT * FROM {table}").status_code == 400
