from __future__ import annotations

import pytest

from vo.errors import TooManyFault
from vo.products.allowance import Allowance


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_what_was_taken_drains_within_an_hour(clock):
    allowance = Allowance(0, 1000, 4, clock)
    allowance.take("a", 1000)
    with pytest.raises(TooManyFault) as caught:
        allowance.take("a", 500)
    assert caught.value.retry_after == 1800
    clock.now += 1799
    with pytest.raises(TooManyFault):
        allowance.take("a", 500)
    clock.now += 1
    allowance.take("a", 500)


def test_a_file_larger_than_an_hour_allows_can_be_had_by_who_has_taken_nothing(clock):
    allowance = Allowance(0, 1000, 4, clock)
    allowance.take("a", 3000)
    with pytest.raises(TooManyFault) as caught:
        allowance.take("a", 3000)
    clock.now += caught.value.retry_after
    allowance.take("a", 3000)


def test_a_download_that_ended_early_counts_as_far_as_it_came(clock):
    allowance = Allowance(0, 1000, 4, clock)
    allowance.take("a", 1000)
    allowance.settle("a", -900)
    allowance.take("a", 900)


def test_downloads_at_a_time_are_of_each_client(clock):
    allowance = Allowance(0, 1000, 2, clock)
    with allowance.running("a"), allowance.running("a"):
        with pytest.raises(TooManyFault, match="client_full_plates") as caught, allowance.running("a"):
            pass
        assert caught.value.retry_after
        with allowance.running("b"):
            pass
    with allowance.running("a"):
        pass
    assert not allowance._running


def test_clients_are_forgotten_when_nothing_counts_against_them(clock):
    allowance = Allowance(0, 1000, 2, clock)
    for number in range(10_000):
        allowance.take(str(number), 1)
    clock.now += 3600
    allowance.take("one more", 1)
    assert len(allowance._taken) == 1


@pytest.mark.parametrize(("size", "counts"), [(None, False), (999, False), (1000, False), (1001, True)])
def test_small_files_never_count(size, counts):
    assert Allowance(1000, 1, 1).counts(size) is counts
