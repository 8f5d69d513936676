"""What the process of a search makes of other people's values, before they go on as JSON."""

from __future__ import annotations

import io
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from vo.web.discovery import work
from vo.web.discovery.order import LONGEST_LINE, LONGEST_VALUE


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("text", "  plate ", "plate"),
        ("text", b"plate", "plate"),
        ("text", np.str_("plate"), "plate"),
        ("text", np.ma.masked, None),
        ("text", "", None),
        ("text", "x" * (LONGEST_VALUE + 1), None),
        ("text", 5, "5"),
        ("text", np.array([1.0, 2.0, 0.5]), "CIRCLE ICRS 1.0 2.0 0.5"),
        ("text", np.array([1.0, 2.0, 3.0, 2.0, 3.0, 4.0]), "POLYGON ICRS 1.0 2.0 3.0 2.0 3.0 4.0"),
        ("text", np.array(["I", "Q"]), "I Q"),
        ("float", np.float32(0.5), 0.5),
        ("float", 3 * u.m, 3.0),
        ("float", "1.5", 1.5),
        ("float", "many", None),
        ("float", math.nan, None),
        ("float", -math.inf, None),
        ("float", np.ma.masked, None),
        ("float", np.array([1.0, 2.0]), None),
        ("integer", np.int16(3), 3),
        ("integer", 2.0, 2),
        ("integer", 1e300, None),
        ("integer", "x", None),
    ],
)
def test_values_become_json(kind, value, expected):
    found = work._CONVERT[kind](value)
    assert found == expected
    assert type(found) in (type(None), str, float, int)
    json.dumps(found, allow_nan=False)


@given(st.text())
def test_lines_have_no_controls_and_an_end(text):
    line = work._clean(text)
    assert len(line) <= LONGEST_LINE + 3
    assert "\n" not in line
    assert "\x1b" not in line


def test_messages_are_lines():
    file = io.StringIO()
    speaker = work.Speaker(file)
    speaker.say(log="one\ntwo")
    speaker.say(end="done")
    assert [json.loads(line) for line in file.getvalue().splitlines()] == [{"log": "one\ntwo"}, {"end": "done"}]


def _search(monkeypatch, discoverer, say, rows=10):
    monkeypatch.setattr(work, "_make_discoverer", lambda *_: discoverer)
    order = SimpleNamespace(bounds=SimpleNamespace(rows=rows), columns=(("obs_id", "text"),))
    network = SimpleNamespace(close=lambda: None)
    return work.Search(order, network, SimpleNamespace(say=say))


def test_a_line_that_comes_while_others_are_told_is_not_lost(monkeypatch):
    """To stop is said by another thread, at any moment."""
    discoverer = SimpleNamespace(log_messages=["first"], results=[])
    told = []

    def say(log):
        if log == "first":
            discoverer.log_messages.append("Cancelling queries")
        told.append(log)

    search = _search(monkeypatch, discoverer, say)
    search._tell()
    search._tell()
    assert told == ["first", "Cancelling queries"]


def test_a_search_that_is_stopped_when_it_is_full_ends(monkeypatch):
    """pyVO calls back within its lock, which is not reentrant."""
    calls = []
    discoverer = SimpleNamespace(log_messages=[], results=[SimpleNamespace(obs_id="a", origin_service="ivo://x/y")])

    def reset():
        calls.append("reset")
        search._heed(discoverer, "Cancelling queries")

    discoverer.reset_services = reset
    search = _search(monkeypatch, discoverer, lambda **_: None, rows=1)
    search.stop()
    assert calls == ["reset"]
