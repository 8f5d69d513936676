import threading
import time

import pytest
from patience import PATIENCE, eventually

from vo.ahead import Ahead


class Source:
    """Gives 1, 2, ... up to ``most``; tells what was asked of it, and by how many threads at a time."""

    def __init__(self, most: int, failing_at: int = 0) -> None:
        self.most = most
        self.failing_at = failing_at
        self.given = 0
        self.inside = 0
        self.most_inside = 0
        self.threads: set[int] = set()

    def __call__(self) -> int | None:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.threads.add(threading.get_ident())
        time.sleep(0.002)
        self.inside -= 1
        if self.given == self.most:
            return None
        self.given += 1
        if self.given == self.failing_at:
            raise ValueError(self.given)
        return self.given


def wait_until(given: int, source: Source) -> None:
    eventually(lambda: source.given >= given)
    time.sleep(0.02)  # whoever would fetch too much has time to


@pytest.mark.parametrize("depth", [1, 4, 50])
def test_results_come_in_their_order_and_end(depth):
    source = Source(20)
    ahead = Ahead(source, depth)
    assert [ahead.next() for _ in range(22)] == [*range(1, 21), None, None]
    ahead.close()
    assert source.most_inside == 1
    assert source.threads.isdisjoint({threading.get_ident()})


@pytest.mark.parametrize("depth", [1, 4])
def test_it_is_so_many_calls_ahead_and_never_more(depth):
    source = Source(20)
    ahead = Ahead(source, depth)
    for asked in range(5):
        wait_until(asked + depth, source)
        assert source.given == asked + depth
        assert ahead.next() == asked + 1
    ahead.close()


@pytest.mark.parametrize("depth", [1, 4])
def test_a_failure_is_raised_in_its_place_and_ends_the_fetching(depth):
    source = Source(20, failing_at=3)
    ahead = Ahead(source, depth)
    assert [ahead.next(), ahead.next()] == [1, 2]
    for _ in range(2):
        with pytest.raises(ValueError, match="3"):
            ahead.next()
    ahead.close()
    assert source.given == 3


def test_no_thread_is_left_and_nothing_is_fetched_after_close():
    source = Source(1_000)
    before = threading.active_count()
    ahead = Ahead(source)
    ahead.next()
    assert threading.active_count() == before + 1
    ahead.close()
    ahead.close()
    assert threading.active_count() == before
    given = source.given
    time.sleep(0.02)
    assert source.given == given


def test_close_waits_for_the_call_that_is_under_way():
    may_end, has_ended = threading.Event(), threading.Event()

    def fetch() -> int:
        may_end.wait(PATIENCE)
        has_ended.set()
        return 1

    ahead = Ahead(fetch)
    timer = threading.Timer(0.1, may_end.set)
    timer.start()
    ahead.close()
    assert has_ended.is_set()
    timer.join()
