"""Answers in the making, when clients leave and servers stop at any moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from patience import PATIENCE, eventually

from vo.dali.work import Body, Work
from vo.errors import TransientFault, UsageFault


class Query:
    """Stands for a query: after its rows it waits to be cancelled. It notes what happens to it, in order."""

    def __init__(self, *rows: bytes) -> None:
        self.rows = rows
        self.happened: list[str] = []
        self.waiting = threading.Event()
        self.cancelled = threading.Event()

    def body(self) -> Body:
        self.happened.append("begun")
        return Body("text/csv", self._blocks(), self._close, self._cancel)

    def _blocks(self) -> Iterator[bytes]:
        try:
            yield from self.rows
            self.waiting.set()
            assert self.cancelled.wait(2 * PATIENCE), "nobody cancelled it"
            self.happened.append("ended")
            raise TransientFault("the query was cancelled")
        finally:
            self.happened.append("finished")

    def _cancel(self) -> None:
        self.happened.append("cancelled")
        self.cancelled.set()

    def _close(self) -> None:
        self.happened.append("closed")


def in_thread(call) -> tuple[threading.Thread, list[object]]:
    """Run a step as a worker does; the list gets what it gives or raises."""
    given: list[object] = []

    def run() -> None:
        try:
            given.append(call())
        except Exception as error:  # noqa: BLE001  the test looks at it
            given.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, given


def test_closing_amid_a_step_ends_the_step_first():
    """As when a server stops: whoever waited for the step is gone, but its thread is not."""
    query = Query(b"a,b\n")
    work = Work(query.body, None)
    assert work.first(1).body == b"a,b\n"
    thread, given = in_thread(work.next)
    assert query.waiting.wait(PATIENCE)
    work.close()
    thread.join(PATIENCE)
    assert query.happened == ["begun", "cancelled", "ended", "finished", "closed"]
    assert isinstance(given[0], TransientFault)
    work.close()
    assert query.happened.count("closed") == 1


def test_closing_amid_the_first_step():
    query = Query()
    work = Work(query.body, None)
    thread, given = in_thread(lambda: work.first(1))
    assert query.waiting.wait(PATIENCE)
    work.close()
    thread.join(PATIENCE)
    assert query.happened == ["begun", "cancelled", "ended", "finished", "closed"]
    assert isinstance(given[0], TransientFault)


def test_closing_while_an_answer_begins():
    """What begins slowly (a table is fetched elsewhere) is closed when it has begun."""
    query, going = Query(b"a"), threading.Event()

    def begin() -> Body:
        going.set()
        time.sleep(0.2)
        return query.body()

    work = Work(begin, None)
    thread, given = in_thread(lambda: work.first(1))
    assert going.wait(PATIENCE)
    work.close()
    thread.join(PATIENCE)
    assert query.happened == ["begun", "closed"]
    assert isinstance(given[0], TransientFault)


def test_a_cancel_that_comes_to_nothing_is_repeated():
    """PostgreSQL forgets one that comes between two statements."""
    query, lost = Query(), []

    def body() -> Body:
        made = query.body()
        return Body(made.media_type, made.chunks, made.close, lambda: made.cancel() if lost else lost.append(True))

    work = Work(body, None)
    thread, given = in_thread(lambda: work.first(1))
    assert query.waiting.wait(PATIENCE)
    assert not work.leave()
    assert not query.cancelled.is_set()
    work.close()
    thread.join(PATIENCE)
    assert query.happened == ["begun", "cancelled", "ended", "finished", "closed"]
    assert isinstance(given[0], TransientFault)
    assert work.leave()


def test_who_leaves_before_the_beginning_costs_nothing_more():
    query = Query(b"a")
    work = Work(query.body, None)
    work.leave()
    with pytest.raises(TransientFault):
        work.first(1)
    work.close()
    assert query.happened == ["begun", "closed"]


def test_a_server_that_stops_says_so_instead_of_what_the_query_says():
    query = Query()
    work = Work(query.body, None)
    thread, given = in_thread(lambda: work.first(1))
    assert query.waiting.wait(PATIENCE)
    work.stop()
    thread.join(PATIENCE)
    (fault,) = given
    assert isinstance(fault, TransientFault)
    assert "being stopped" in fault.text
    assert fault.retry_after


def test_a_fault_of_the_users_stays_one_when_the_server_stops():
    def begin() -> Body:
        raise UsageFault("QUERY is missing")

    work = Work(begin, None)
    work.stop()
    with pytest.raises(UsageFault, match="QUERY is missing"):
        work.first(1)


@pytest.mark.parametrize("coding", [None, "gzip", "zstd"])
def test_any_order_of_steps_leaving_and_closing(coding):
    """Each answer is closed once, after everything else, wherever the client's leaving falls."""
    for turn in range(100):
        query = Query(*[b"1,2\n" * 500] * 5)
        work = Work(query.body, coding)

        def steps(work: Work = work) -> None:
            work.first(3000)
            while work.next() is not None:
                pass

        thread, given = in_thread(steps)
        time.sleep(turn * 1e-5)
        leaving, _ = in_thread(work.leave)
        work.close()
        thread.join(PATIENCE)
        leaving.join(PATIENCE)
        work.close()
        assert not thread.is_alive()
        assert query.happened.count("begun") == query.happened.count("closed") == 1
        if "finished" in query.happened:
            assert query.happened.index("finished") < query.happened.index("closed")
        assert given[0] is None or isinstance(given[0], TransientFault)


# -- blocks that are made ahead


def blocks(made: list[int], most: int, failing_at: int = 0) -> Iterator[bytes]:
    for number in range(1, most + 1):
        if number == failing_at:
            raise UsageFault("no more")
        made.append(number)
        yield b"x" * 100


def aheads() -> int:
    return sum(thread.name.startswith("ahead") for thread in threading.enumerate())


def test_a_block_is_made_while_the_one_before_is_sent():
    made: list[int] = []
    work = Work(lambda: Body("text/plain", blocks(made, 10)), None)
    assert not work.first(100).is_all
    time.sleep(0.05)
    assert made == [1]  # who asks for the head alone needs no more
    work.next()
    eventually(lambda: len(made) >= 3)
    time.sleep(0.05)
    assert made == [1, 2, 3]
    work.close()
    assert aheads() == 0


def test_a_small_answer_needs_no_thread():
    work = Work(lambda: Body("text/plain", blocks([], 3)), None)
    begun = work.first(1000)
    assert begun.is_all
    assert len(begun.body) == 300
    assert aheads() == 0


def test_a_fault_comes_after_the_blocks_before_it():
    work = Work(lambda: Body("text/plain", blocks([], 10, failing_at=4)), None)
    work.first(100)
    assert [work.next(), work.next()] == [b"x" * 100] * 2
    time.sleep(0.05)
    with pytest.raises(UsageFault, match="no more"):
        work.next()
    work.close()
    assert aheads() == 0


def test_closing_cancels_a_block_that_is_in_the_making():
    cancelled, closed = threading.Event(), []

    def slow() -> Iterator[bytes]:
        yield b"a" * 100
        yield b"b" * 100
        cancelled.wait(2 * PATIENCE)
        yield b"c" * 100

    body = Body("text/plain", slow(), close=lambda: closed.append(cancelled.is_set()), cancel=cancelled.set)
    work = Work(lambda: body, None)
    work.first(100)
    assert work.next() == b"b" * 100
    began = time.monotonic()
    work.close()
    assert time.monotonic() - began < PATIENCE
    assert closed == [True]
    assert aheads() == 0
