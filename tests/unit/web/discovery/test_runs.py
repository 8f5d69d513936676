"""The manager of searches, with a process that stands in for the real one."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
import standin_search

from vo.errors import NotFoundFault, TooManyFault, TransientFault
from vo.settings import Settings
from vo.web.discovery import routes
from vo.web.discovery import runs as module
from vo.web.discovery.order import Bounds, Order, Own, read_order, write_order
from vo.web.discovery.question import Question
from vo.web.discovery.runs import Rows, Runs

ORDER = Order(
    Question((214.62, 28.41, 0.1), (30028.0, 30029.0), 4.4e-7, inclusive=True),
    Own("::1", 8080, ("http://a", "http://b"), (("Host", "a"),)),
    Bounds(20.0, 100, 1000, 1000),
    (("s_ra", "float"), ("obs_id", "text")),
)
BASE = "http://vo.example"


def settings(**values) -> Settings:
    return Settings(_env_file=None, **values)


def command(kind: str) -> tuple[str, ...]:
    return sys.executable, standin_search.__file__, kind


@pytest.fixture(autouse=True)
def _paths(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[4]))


def with_runs(kind, scenario, **values):
    async def main():
        async with Runs(settings(**values), command(kind)) as runs:
            await scenario(runs)

    asyncio.run(main())


async def until(run, holds):
    while not holds():
        assert not run.is_over, (run.phase, run.lines)
        await run.changed.wait()


async def ended(run):
    while not run.is_over:
        await run.changed.wait()


def test_an_order_comes_back_as_it_was_written():
    assert read_order(write_order(ORDER)) == ORDER
    assert ORDER.own.url == "http://[::1]:8080"
    bare = Order(Question(), Own("127.0.0.1", 80, ()), ORDER.bounds, ())
    assert read_order(write_order(bare)) == bare


def test_a_search_ends_with_rows_log_and_counts():
    async def scenario(runs):
        run = await runs.start(ORDER, "client", BASE)
        assert runs.find(run.id) is run
        await ended(run)
        assert (run.phase, run.reason) == ("done", "")
        assert run.lines == ["radius 0.1", "Obscore Archive & sons: 2 records"]
        assert (run.counts.services, run.counts.queried, run.counts.failed) == (3, 3, 1)
        assert [row["obs_id"] for row in run.rows.read(0, 3)] == ["image 0", "image 1", "image 2"]
        assert [row["obs_id"] for row in run.rows.read(1, 2)] == ["image 1"]
        assert [(entry.start, entry.stop) for entry in run.entries if hasattr(entry, "start")] == [(0, 2), (2, 3)]
        with pytest.raises(NotFoundFault):
            runs.find("nosuch")

    with_runs("quick", scenario)


def test_a_search_that_is_stopped_keeps_what_it_has():
    async def scenario(runs):
        run = await runs.start(ORDER, "client", BASE)
        await until(run, lambda: len(run.rows) >= 3)
        runs.stop(run)
        assert run.phase == "stopping"
        runs.stop(run)  # once more does no harm
        await ended(run)
        assert run.phase == "stopped"
        assert run.lines[-2:] == ["Cancelling queries", "Ended: you stopped it."]
        assert len(run.rows) >= 3

    with_runs("slow", scenario)


def test_a_process_that_does_not_listen_is_killed(monkeypatch):
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.1)

    async def scenario(runs):
        run = await runs.start(ORDER, "client", BASE)
        await until(run, lambda: len(run.rows) >= 1)
        process = runs._processes[run.id]
        runs.stop(run)
        await ended(run)
        assert run.phase == "stopped"
        assert process.returncode == -9

    with_runs("deaf", scenario)


def test_a_search_ends_when_its_time_is_up(monkeypatch):
    async def scenario(runs):
        run = await runs.start(ORDER, "client", BASE)
        await ended(run)
        assert run.phase == "stopped"
        assert "longer than 1.5 s (discovery_seconds)" in run.lines[-1]

    with_runs("slow", scenario, discovery_seconds=1.5)


@pytest.mark.parametrize(
    ("kind", "phase", "word"), [("crash", "failed", "status 3"), ("broken", "failed", "broke off")]
)
def test_a_process_that_dies_is_told(kind, phase, word):
    async def scenario(runs):
        run = await runs.start(ORDER, "client", BASE)
        await ended(run)
        assert run.phase == phase
        assert word in run.lines[-1]

    with_runs(kind, scenario)


def test_no_more_rows_are_kept_than_allowed():
    async def scenario(runs):
        run = await runs.start(ORDER, "client", BASE)
        await ended(run)
        assert len(run.rows) == 25

    with_runs("many", scenario, discovery_rows=25)


def test_clients_and_the_server_have_limits():
    async def scenario(runs):
        first = await runs.start(ORDER, "one", BASE)
        with pytest.raises(TooManyFault, match="client_discoveries") as told:
            await runs.start(ORDER, "one", BASE)
        assert told.value.status == 429
        assert told.value.retry_after > 0
        second = await runs.start(ORDER, "two", BASE)
        with pytest.raises(TransientFault, match=r"\(discoveries\)"):
            await runs.start(ORDER, "three", BASE)
        runs.drop(second)
        with pytest.raises(NotFoundFault):
            runs.find(second.id)
        third = await runs.start(ORDER, "three", BASE)
        runs.stop(first)
        await ended(first)
        await runs.start(ORDER, "one", BASE)
        assert not third.is_over

    with_runs("slow", scenario, discoveries=2, client_discoveries=1)


def test_ids_cannot_be_guessed():
    async def scenario(runs):
        made = {(await runs.start(ORDER, str(number), BASE)).id for number in range(3)}
        assert len(made) == 3
        assert all(len(one) >= 24 for one in made)

    with_runs("quick", scenario)


def test_finished_searches_are_forgotten():
    async def scenario(runs):
        run = await runs.start(ORDER, "client", BASE)
        await ended(run)
        reading = run.rows.read(0, 3)
        assert next(reading)["obs_id"] == "image 0"
        while run.id in runs._runs:  # noqa: ASYNC110  nobody is told
            await asyncio.sleep(0.01)
        # Whoever reads it goes on reading.
        assert [row["obs_id"] for row in reading] == ["image 1", "image 2"]

    with_runs("quick", scenario, discovery_minutes=0.001)


def test_old_ones_make_room(monkeypatch):
    monkeypatch.setattr(module, "_MOST_KEPT", 1)

    async def scenario(runs):
        first = await runs.start(ORDER, "client", BASE)
        await ended(first)
        second = await runs.start(ORDER, "client", BASE)
        await ended(second)
        assert list(runs._runs) == [second.id]

    with_runs("quick", scenario)


def test_processes_end_with_the_server():
    told = {}

    async def scenario(runs):
        run = await runs.start(ORDER, "client", BASE)
        await until(run, lambda: len(run.rows) >= 1)
        told["process"], told["run"] = runs._processes[run.id], run

    with_runs("slow", scenario)
    assert told["process"].returncode is not None
    assert "the server was stopped" in told["run"].lines[-1]


def test_those_who_follow_come_back_at_each_change_and_at_the_end():
    async def scenario(runs):
        run = await runs.start(ORDER, "client", BASE)
        seen = [len(run.entries) async for _ in runs.follow(run, 60)]
        assert seen[-1] == len(run.entries) == 4
        assert seen == sorted(seen)

    with_runs("quick", scenario)


@pytest.mark.parametrize("kind", ["quick", "slow"])
def test_who_hears_of_a_state_has_all_lines_before_it(kind, monkeypatch):
    """While the first line is sent more come, and the end."""
    monkeypatch.setattr(routes.found, "show_rows", lambda *_: ())  # which asks the database

    async def scenario(runs):
        run = await runs.start(ORDER, "client", BASE)
        await until(run, lambda: run.lines)
        heard: list[str] = []
        async for event in routes._events(None, runs, run, 0):
            name = event.partition("\n")[0].removeprefix("event: ")
            if name == "log" and "log" not in heard:
                run.log("meanwhile")
                runs.stop(run)
                await ended(run)
            heard.append(name)
            if name in ("state", "end") and '"over": true' in event:
                assert heard.count("log") == len(run.lines)
        assert heard[-1] == "end"
        assert heard.count("log") == len(run.lines)

    with_runs(kind, scenario)


def test_long_logs_are_cut(monkeypatch):
    monkeypatch.setattr(module, "_MOST_LINES", 5)

    async def scenario(runs):
        run = await runs.start(ORDER, "client", BASE)
        await until(run, lambda: run.lost_lines >= 2)
        assert "more lines were not kept" in run.lines[-1]
        assert sum(isinstance(entry, module.Line) for entry in run.entries) <= 5

    with_runs("slow", scenario)


def test_a_program_that_is_not_there_is_a_fault():
    async def main():
        async with Runs(settings(), ("/no/such/program",)) as runs:
            with pytest.raises(TransientFault, match="no search can be started"):
                await runs.start(ORDER, "client", BASE)
            assert not runs._runs

    asyncio.run(main())


def test_processes_inherit_no_secrets_and_no_proxies(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    monkeypatch.setenv("VO_SIGNING_KEY", "x" * 40)
    assert not {"HTTPS_PROXY", "VO_SIGNING_KEY"} & set(module._ENVIRONMENT)
    assert {"PATH", "PYTHONPATH"} <= set(module._ENVIRONMENT)
    assert os.environ["HTTPS_PROXY"]


def test_rows_come_back_in_any_slice():
    rows = Rows()
    for number in range(5):
        rows.add({"number": number, "text": "\N{GREEK SMALL LETTER ALPHA}" * number})
    assert [row["number"] for row in rows.read(0, 99)] == [0, 1, 2, 3, 4]
    assert [row["number"] for row in rows.read(3, 5)] == [3, 4]
    assert list(rows.read(5, 9)) == list(rows.read(7, 3)) == []
    file = rows._file
    del rows
    assert file.closed


def test_who_holds_a_search_reads_its_rows_when_it_is_forgotten():
    async def scenario(runs):
        run = await runs.start(ORDER, "client", BASE)
        run.rows.add({"number": 1})
        runs.drop(run)
        await asyncio.wait(list(runs._tasks.values()))
        assert not runs._runs
        assert next(run.rows.read(0, 9)) == {"number": 1}

    with_runs("slow", scenario)
