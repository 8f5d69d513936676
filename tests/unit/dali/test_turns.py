"""Whose query runs next."""

from __future__ import annotations

import anyio
import pytest

from vo.dali.turns import Turns
from vo.errors import TooManyFault, TransientFault

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def hold(turns: Turns, client: str, order: list[str], release: anyio.Event) -> None:
    async with turns.take(client):
        order.append(client)
        await release.wait()


async def settle() -> None:
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


async def test_turns_come_as_others_end():
    turns, order, release = Turns(2, 2, 5), [], anyio.Event()
    async with anyio.create_task_group() as tasks:
        for client in "abc":
            tasks.start_soon(hold, turns, client, order, release)
            await settle()
        assert order == ["a", "b"]
        release.set()
    assert order == ["a", "b", "c"]


async def test_one_clients_own_do_not_take_all():
    turns, order, release = Turns(3, 2, 5), [], anyio.Event()
    async with anyio.create_task_group() as tasks:
        for client in ("a", "a", "a", "b"):
            tasks.start_soon(hold, turns, client, order, release)
            await settle()
        assert order == ["a", "a", "b"]
        release.set()
    assert order == ["a", "a", "b", "a"]


async def test_whoever_has_the_fewest_goes_first():
    turns, order = Turns(2, 2, 5), []
    first, second, rest = anyio.Event(), anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold, turns, "a", order, first)
        tasks.start_soon(hold, turns, "a", order, second)
        await settle()
        for client in ("a", "a", "b"):
            tasks.start_soon(hold, turns, client, order, rest)
            await settle()
        first.set()
        await settle()
        assert order == ["a", "a", "b"]
        second.set()
        rest.set()


async def test_waiting_ends_with_a_fault_that_says_why():
    turns, order, release = Turns(2, 1, 0.05), [], anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold, turns, "a", order, release)
        await settle()
        with pytest.raises(TooManyFault, match=r"1 queries of yours.*client_queries") as own:
            async with turns.take("a"):
                raise AssertionError("it has no turn")
        tasks.start_soon(hold, turns, "b", order, release)
        await settle()
        with pytest.raises(TransientFault, match="query_connections") as all_:
            async with turns.take("c"):
                raise AssertionError("it has no turn")
        release.set()
    assert (own.value.status, all_.value.status) == (429, 503)
    assert own.value.retry_after
    assert all_.value.retry_after


async def test_whoever_leaves_while_waiting_keeps_nothing():
    turns, order, release = Turns(1, 1, 5), [], anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold, turns, "a", order, release)
        await settle()
        with anyio.move_on_after(0.02):
            await hold(turns, "b", order, release)
        release.set()
    assert order == ["a"]
    async with turns.take("b"):
        order.append("again")
    assert order == ["a", "again"]


async def test_a_fault_gives_the_turn_back():
    turns = Turns(1, 1, 0.05)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with turns.take("a"):
                raise ZeroDivisionError
