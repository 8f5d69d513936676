"""UWS documents: cheap, and legal whatever a job holds."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import HREF, JOB, NOW, UWS
from xsd import parse

from vo.db.jobrecords import JobError, Result
from vo.uws import documents

URL = "http://plates.example/tap/async/" + JOB.id


def test_times_are_utc_with_milliseconds_and_a_z_uws_02():
    assert documents.timestamp(NOW) == "2026-01-02T02:04:05.678Z"
    assert documents.timestamp(NOW.replace(microsecond=0)) == "2026-01-02T02:04:05.000Z"
    assert documents.timestamp(None) is None


@given(st.lists(st.tuples(st.text(min_size=1), st.text())), st.text(), st.text())
def test_whatever_a_job_holds_is_valid_xml(parameters, run_id, message):
    job = replace(JOB, parameters=tuple(parameters), run_id=run_id, error=JobError("fatal", message))
    root = parse(documents.job_document(job, URL))
    shown = [(one.get("id"), one.text or "") for one in root.iter(f"{UWS}parameter")]
    assert len(shown) == len(parameters)
    for (name, value), (id_, text) in zip(parameters, shown, strict=True):
        if all(letter.isprintable() for letter in name + value):
            assert (id_, text) == (name, value)
    parse(documents.parameters_document(job))
    parse(documents.list_document([job], URL))


def test_results_have_their_address_size_and_type():
    result = Result("result", "text/csv;header=present", 12, "file")
    job = replace(JOB, phase="COMPLETED", results=(result,))
    for root in (parse(documents.job_document(job, URL)), parse(documents.results_document(job, URL))):
        (one,) = root.iter(f"{UWS}result")
        assert one.get(HREF) == f"{URL}/results/result"
        assert (one.get("size"), one.get("mime-type")) == ("12", "text/csv;header=present")


def test_hints_stay_and_progress_goes_with_the_end():
    info = {"hints": ["use an index", "<really>"], "bytes": 7}
    running = parse(documents.job_document(replace(JOB, info=info), URL))
    assert [one.text for one in running.iter("hint")] == ["use an index", "<really>"]
    assert running.findtext(f"{UWS}jobInfo/bytesWritten") == "7"
    over = parse(documents.job_document(replace(JOB, info=info, phase="COMPLETED"), URL))
    assert [one.text for one in over.iter("hint")] == ["use an index", "<really>"]
    assert over.find(f"{UWS}jobInfo/bytesWritten") is None
    assert parse(documents.job_document(JOB, URL)).find(f"{UWS}jobInfo") is None


@pytest.mark.parametrize("kind", ["transient", "fatal"])
def test_errors_say_their_kind_and_that_there_is_more(kind):
    root = parse(documents.job_document(replace(JOB, phase="ERROR", error=JobError(kind, "why")), URL))
    summary = root.find(f"{UWS}errorSummary")
    assert (summary.get("type"), summary.get("hasDetail")) == (kind, "true")
    assert summary.findtext(f"{UWS}message") == "why"
