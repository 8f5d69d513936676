"""pyVO's jobs against the live server, as its users call them; STILTS's validator of jobs."""

from __future__ import annotations

import datetime as dt

import pytest
import pyvo
import stilts
from jobs import SLOW
from patience import PATIENCE
from pyvo.dal.exceptions import DALQueryError, DALServiceError
from pyvo_session import one_session

QUERY = "SELECT obs_publisher_did, s_ra, s_dec, t_min, access_url, access_format FROM ivoa.obscore"


@pytest.fixture(scope="module")
def tap(server, worker):
    with one_session():
        yield pyvo.dal.TAPService(f"{server.url}/tap")


def test_run_async_gives_what_run_sync_gives(tap):
    query = f"{QUERY} WHERE calib_level = 2 ORDER BY obs_publisher_did"
    asked = tap.run_async(query).to_table()
    assert len(asked) > 5
    assert list(asked["obs_publisher_did"]) == list(tap.run_sync(query).to_table()["obs_publisher_did"])


def test_run_async_does_not_sleep_between_its_questions(tap, monkeypatch):
    """It sleeps a second after each answer that says EXECUTING."""

    def sleeps() -> int:
        slept: list[float] = []
        monkeypatch.setattr(pyvo.dal.tap, "sleep", slept.append)
        tap.run_async("SELECT TOP 1 obs_id FROM ivoa.obscore")
        return len(slept)

    assert min(sleeps() for _ in range(10)) == 0


def test_submit_job_step_by_step(tap):
    job = tap.submit_job(QUERY, maxrec=4)
    assert job.phase == "PENDING"
    assert job.query == QUERY
    assert job.quote is None
    assert job.owner is None
    assert job.uws_version == "1.1"
    job.execution_duration = 300
    assert job.execution_duration.sec == 300
    later = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=2)
    job.destruction = later
    assert job.destruction == later
    job.query = "SELECT TOP 2 obs_id FROM ivoa.obscore"
    job.run().wait(timeout=PATIENCE)
    assert job.phase == "COMPLETED"
    assert job.result.mimetype == "application/x-votable+xml"
    assert job.result_uri == f"{job.url}/results/result"
    assert len(job.fetch_result()) == 2
    job.delete()


def test_submit_job_that_runs_at_once(tap):
    with tap.submit_job(QUERY, maxrec=4, phase="RUN") as job:
        job.wait(timeout=PATIENCE)
        assert len(job.fetch_result()) == 4
        url = job.url
    with pytest.raises(DALServiceError, match="404"):
        pyvo.dal.AsyncTAPJob(url)


def test_faults_arrive_as_texts(tap):
    with pytest.raises(DALQueryError, match=r"line 1, column 8.*obs_idd"):
        tap.run_async("SELECT obs_idd FROM ivoa.obscore")


def test_abort(tap):
    with tap.submit_job(SLOW) as job:
        job.run()
        job.abort()
        assert job.phase == "ABORTED"
        with pytest.raises(DALServiceError, match="not active"):
            job.wait()


def test_the_job_list_has_the_jobs_of_this_session(tap):
    with tap.submit_job(QUERY, runid="listed") as job:
        listed = {one.jobid: one for one in tap.get_job_list(last=5)}
        assert listed[job.job_id].runid == "listed"
        assert tap.get_job(job.job_id).phase == "PENDING"
        assert [one.jobid for one in tap.get_job_list(phases=["PENDING"], last=1)] == [job.job_id]


def test_taplint_of_jobs(server, worker):
    assert stilts.taplint(server.url, "QAS UWS") == []
