"""The availability document: what conditions make of it, and that nobody waits for a check that hangs (VSI-03)."""

from __future__ import annotations

import datetime as dt
import threading
import time

import pytest
import xsd
from patience import PATIENCE, eventually

from vo.vosi import availability
from vo.vosi.availability import Check, Condition, Watch

SPACE = "{http://www.ivoa.net/xml/VOSIAvailability/v1.0}"
STARTED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def read(watch):
    root = xsd.parse(watch.document())
    return {
        "available": root.findtext(f"{SPACE}available"),
        "upSince": root.findtext(f"{SPACE}upSince"),
        "downAt": root.findtext(f"{SPACE}downAt"),
        "backAt": root.findtext(f"{SPACE}backAt"),
        "notes": [note.text for note in root.iterfind(f"{SPACE}note")],
    }


@pytest.fixture
def fresh(monkeypatch):
    """Every look is a new one."""
    monkeypatch.setattr(availability, "FRESH_SECONDS", -1.0)


def finding(*conditions, is_vital=True):
    return Check("It", lambda: conditions, is_vital=is_vital)


def test_without_conditions_it_is_available_since_its_start():
    assert read(Watch([finding()], STARTED)) == {
        "available": "true",
        "upSince": "2026-01-01T00:00:00.000Z",
        "downAt": None,
        "backAt": None,
        "notes": [],
    }


def test_a_note_alone_leaves_it_available():
    found = read(Watch([finding(Condition("Slow.")), finding(Condition("Slow."), Condition("Small."))], STARTED))
    assert (found["available"], found["notes"]) == ("true", ["Slow.", "Small."])


def test_one_condition_is_enough_to_be_down():
    found = read(Watch([finding(Condition("Fine.")), finding(Condition("Broken.", is_down=True))], STARTED))
    assert (found["available"], found["upSince"], found["notes"]) == ("false", None, ["Fine.", "Broken."])


def test_announced_times_are_utc_and_in_the_order_of_the_schema():
    down, back = dt.datetime(2026, 5, 1, 8, tzinfo=dt.UTC), dt.datetime(2026, 5, 1, 12, 30, tzinfo=dt.UTC)
    found = read(Watch([finding(Condition("New disks.", down_at=down, back_at=back))], STARTED))
    assert (found["downAt"], found["backAt"]) == ("2026-05-01T08:00:00.000Z", "2026-05-01T12:30:00.000Z")


def test_up_since_begins_anew_after_it_was_down(fresh):
    conditions = [Condition(is_down=True)]
    watch = Watch([Check("It", lambda: conditions)], STARTED)
    before = dt.datetime.now(dt.UTC)
    assert read(watch)["upSince"] is None
    conditions.clear()
    since = read(watch)["upSince"]
    assert dt.datetime.fromisoformat(since) >= before.replace(microsecond=0)
    assert read(watch)["upSince"] == since


@pytest.mark.parametrize("is_vital", [True, False])
def test_a_check_that_hangs_is_told_and_not_waited_for(fresh, is_vital):
    gate, entered = threading.Event(), []

    def hang():
        entered.append(1)
        gate.wait(PATIENCE)
        return ()

    watch = Watch([Check("The thing", hang, is_vital=is_vital), finding(Condition("Else."))], STARTED)
    begun = time.monotonic()
    found = [read(watch) for _ in range(3)]
    assert time.monotonic() - begun < PATIENCE / 2
    for one in found:
        assert one["available"] == ("false" if is_vital else "true")
        assert one["notes"] == ["The thing does not answer.", "Else."]
    assert len(entered) == 1, "a check that hangs must not be piled up"
    gate.set()
    eventually(lambda: read(watch)["notes"] == ["Else."])
    read(watch)
    assert len(entered) >= 2, "it is asked again once it has ended"


@pytest.mark.parametrize("is_vital", [True, False])
def test_a_check_that_fails_is_told(is_vital, caplog):
    def fail():
        raise RuntimeError("secret detail")

    found = read(Watch([Check("The thing", fail, is_vital=is_vital)], STARTED))
    assert found["available"] == ("false" if is_vital else "true")
    assert found["notes"] == ["The thing could not be checked."]
    assert "secret detail" in caplog.text


def test_a_crowd_of_monitors_looks_once(monkeypatch):
    monkeypatch.setattr(availability, "FRESH_SECONDS", PATIENCE)
    looked = []

    def look():
        looked.append(1)
        time.sleep(0.05)
        return ()

    watch = Watch([Check("It", look)], STARTED)
    threads = [threading.Thread(target=watch.document) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looked) == 1
    monkeypatch.setattr(availability, "FRESH_SECONDS", 0.0)
    watch.document()
    assert len(looked) == 2


def test_checks_run_at_the_same_time(monkeypatch):
    monkeypatch.setattr(availability, "LOOK_SECONDS", PATIENCE)
    both = threading.Barrier(2)

    def meet():
        both.wait(PATIENCE / 2)
        return ()

    assert read(Watch([Check("One", meet), Check("Two", meet)], STARTED))["available"] == "true"
