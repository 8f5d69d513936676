"""The store of results as they are made, and what a job's document says of them meanwhile."""

from dataclasses import replace

import pytest
from jobs import JOB, UWS
from lxml import etree

from vo.uws import documents
from vo.uws.files import JobFiles


@pytest.fixture(params=["folder", "memory:///"])
def files(request, settings, tmp_path):
    place = str(tmp_path / "a" / "b") if request.param == "folder" else request.param
    return JobFiles(settings.model_copy(update={"jobs_store": place}))


def test_a_folder_is_listed_with_lengths_and_only_what_is_complete(files):
    assert files.list("job/parts") == {}
    files.write("job/parts/a@image--fits", iter([b"abc"]))
    files.write("job/parts/b@text--plain", iter([b"x" * 20_000_000]))
    files.write("job/parts2/c", iter([b"c"]))
    files.write("job/parts/deeper/d", iter([b"d"]))

    def breaks_off():
        yield b"x" * 20_000_000
        assert set(files.list("job/parts")) == {"a@image--fits", "b@text--plain"}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        files.write("job/parts/e", breaks_off())
    assert files.list("job/parts") == {"a@image--fits": 3, "b@text--plain": 20_000_000}


def test_many_results_are_counted_while_they_are_made():
    job = replace(JOB, info={"progress": {"done": 3, "total": 500}})
    url = f"http://plates.example/soda/async/{JOB.id}"
    running = etree.fromstring(documents.job_document(job, url))
    assert [running.findtext(f"{UWS}jobInfo/{name}") for name in ("done", "total")] == ["3", "500"]
    over = etree.fromstring(documents.job_document(replace(job, phase="COMPLETED"), url))
    assert over.find(f"{UWS}jobInfo") is None
