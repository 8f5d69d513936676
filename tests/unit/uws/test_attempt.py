"""One run of a job, with work of every kind of luck."""

import threading
from dataclasses import dataclass, replace

import pytest
from jobs import JOB
from patience import PATIENCE

from vo.dali.faults import TEXT_STYLE
from vo.db.jobrecords import Result, Upload
from vo.errors import FatalFault, TransientFault, UsageFault
from vo.uws.attempt import Attempt, Stop, Stopped
from vo.uws.files import JobFiles
from vo.uws.kind import JobKind


@dataclass
class Answer:
    """An answer in the hands of a test."""

    chunks: object
    fault: object = None
    media_type: str = "text/plain"
    closed: int = 0
    cancelled: int = 0

    def close(self):
        self.closed += 1

    def cancel(self):
        self.cancelled += 1

    def failure(self):
        return self.fault


@pytest.fixture
def files(settings, tmp_path):
    return JobFiles(settings.model_copy(update={"jobs_store": str(tmp_path / "jobs")}))


def attempt(files, execute, job=JOB, **more):
    return Attempt(job, JobKind("test", "/test", execute, TEXT_STYLE, **more), files)


def kept(files):
    return [path for path in files.folder.rglob("*") if path.is_file()] if files.folder.exists() else []


def test_a_result_is_stored_and_the_answer_closed(files):
    answer = Answer(iter([b"ab", b"c"]))
    done = attempt(files, lambda _work: answer)
    assert done.run() == (Result("result", "text/plain", 3, f"{JOB.id}/1/result"),)
    assert answer.closed == 1
    assert b"".join(files.stream(f"{JOB.id}/1/result")) == b"abc"
    assert done.info() == {"bytes": 3}


def test_work_gets_parameters_files_and_its_limit(files):
    files.write("up", iter([b"<VOTABLE/>"]))
    job = replace(JOB, parameters=(("Query", "q"),), uploads=(Upload("t", "t.xml", "text/xml", "up"),))
    seen = []

    def execute(work):
        part = work.parameters.parts["t"]
        seen.append((work.parameters.one("QUERY"), part.file.read(), part.filename, part.content_type, work.seconds))
        seen.append((work.base_url, work.request, part))
        return Answer(iter(()))

    assert [one.id for one in attempt(files, execute, job).run()] == ["result"]
    assert seen[0] == ("q", b"<VOTABLE/>", "t.xml", "text/xml", 60.0)
    assert seen[1][:2] == (JOB.base_url, JOB.request)
    assert seen[1][2].file.closed


def test_faults_at_the_beginning_amid_and_after_the_rows_fail_it_without_a_file(files):
    def at_once(_work):
        raise UsageFault("at once")

    def amid():
        yield b"x"
        raise TransientFault("amid")

    answers = [Answer(amid()), Answer(iter([b"looks complete"]), UsageFault("within"))]
    assert attempt(files, at_once).run().text == "at once"
    assert [attempt(files, lambda _work, one=one: one).run().text for one in answers] == ["amid", "within"]
    assert [answer.closed for answer in answers] == [1, 1]
    assert not kept(files)


def test_what_nobody_foresaw_is_told_by_a_number_alone(files, caplog):
    def execute(_work):
        raise ZeroDivisionError("a secret")

    outcome = attempt(files, execute).run()
    assert isinstance(outcome, FatalFault)
    assert "incident" in outcome.text
    assert "secret" not in outcome.text
    assert "a secret" in caplog.text


def test_stopped_amid_its_work_it_cancels_it_and_leaves_no_file(files):
    began, goes_on = threading.Event(), threading.Event()

    def chunks():
        yield b"x"
        began.set()
        goes_on.wait(PATIENCE)
        yield b"y"

    answer = Answer(chunks())
    running = attempt(files, lambda _work: answer)
    outcome = []

    def run():
        with pytest.raises(Stopped):
            running.run()
        outcome.append(running.stopped)

    thread = threading.Thread(target=run)
    thread.start()
    assert began.wait(PATIENCE)
    running.stop(Stop.VOID)
    running.stop(Stop.TIME)
    goes_on.set()
    thread.join(PATIENCE)
    assert outcome == [Stop.VOID]
    assert (answer.cancelled, answer.closed) == (2, 1)
    assert not kept(files)


def test_stopped_before_there_is_anything_to_cancel_it_does_not_begin(files):
    answer = Answer(iter([b"x"]))
    running = None

    def execute(_work):
        running.stop(Stop.SHUTDOWN)
        return answer

    running = attempt(files, execute)
    with pytest.raises(Stopped):
        running.run()
    assert answer.closed == 1
    assert not kept(files)


def test_the_fault_of_a_cancelled_query_is_no_outcome(files):
    running = None

    def execute(_work):
        running.stop(Stop.TIME)
        raise TransientFault("the query was cancelled")

    running = attempt(files, execute)
    with pytest.raises(Stopped):
        running.run()


def test_hints_are_told_and_a_fault_among_them_is_not(files):
    told = attempt(files, None, hints=lambda _work: ["use an index"])
    told.look_for_hints()
    assert told.info() == {"bytes": 0, "hints": ["use an index"]}

    def wrong(_work):
        raise UsageFault("no plan")

    silent = attempt(files, None, hints=wrong)
    silent.look_for_hints()
    assert silent.info() == {"bytes": 0}


# -- many results


def two(work):
    """Work with two results, which makes no result that is there."""
    for number, name in enumerate(("one", "two"), start=1):
        if work.shelf.held(name) is None:
            work.shelf.put(name, "text/plain", iter([name.encode(), b"!"]))
        work.shelf.tell(done=number)


def test_many_results_come_from_the_shelf_in_their_order(files):
    done = attempt(files, two)
    folder = f"{JOB.id}/parts"
    assert done.run() == (
        Result("one", "text/plain", 4, f"{folder}/one@text--plain"),
        Result("two", "text/plain", 4, f"{folder}/two@text--plain"),
    )
    assert b"".join(files.stream(f"{folder}/two@text--plain")) == b"two!"
    assert done.info() == {"progress": {"done": 2}}


def test_what_an_attempt_before_has_put_there_is_taken_as_it_is(files):
    first = attempt(files, lambda work: work.shelf.put("two", "application/x-votable+xml", iter([b"before"])) and None)
    first.run()
    made = attempt(files, two, replace(JOB, attempts=2)).run()
    assert [(one.id, one.media_type, one.size) for one in made] == [
        ("one", "text/plain", 4),
        ("two", "application/x-votable+xml", 6),
    ]
    assert len(kept(files)) == 2


def test_what_was_made_of_something_else_is_made_anew(files):
    """A table of another server is fetched by each attempt, and may have other rows then."""
    made = []

    def run(plan, number):
        def execute(work):
            work.shelf.begin(plan)
            if work.shelf.held("one") is None:
                made.append(number)
                work.shelf.put("one", "text/plain", iter([f"{plan}".encode()]))

        (result,) = attempt(files, execute, replace(JOB, attempts=number)).run()
        return b"".join(files.stream(result.file)).decode()

    assert run(["a", "bc"], 1) == run(["a", "bc"], 2) == "['a', 'bc']"
    assert run(["ab", "c"], 3) == "['ab', 'c']"
    assert run(["a", "bc"], 4) == "['a', 'bc']"  # it is not mistaken for the first one's
    assert made == [1, 3, 4]


def test_a_stopped_one_keeps_what_is_complete_and_nothing_else(files):
    running = None

    def execute(work):
        work.shelf.put("one", "text/plain", iter([b"1"]))

        def chunks():
            yield b"2"
            running.stop(Stop.SHUTDOWN)
            yield b"22"

        work.shelf.put("two", "text/plain", chunks())

    running = attempt(files, execute)
    with pytest.raises(Stopped):
        running.run()
    assert [path.name for path in kept(files)] == ["one@text--plain"]
