"""What requests want of jobs."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo.dali.parameters import Parameters
from vo.errors import UsageFault
from vo.uws.request import merge_parameters, read_asked, read_filter, read_wait

NAMES = st.sampled_from(["QUERY", "query", "LANG", "UPLOAD", "Upload", "MAXREC"])
PAIRS = st.lists(st.tuples(NAMES, st.text(max_size=3)), max_size=6)


def asked(**values):
    return read_asked(Parameters(values.items()))


def test_words_of_uws_are_no_parameters_of_the_service():
    found = asked(
        QUERY="q", phase="run", RunId="mine", EXECUTIONDURATION="1.2", Destruction="2026-01-02", LANG="", action=""
    )
    assert found.parameters == (("QUERY", "q"), ("LANG", ""))
    assert (found.phase, found.run_id, found.seconds, found.action) == ("RUN", "mine", 2, None)
    assert found.destruction == dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678000+00:00"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05+00:00"),
    ],
)
def test_times_are_utc_uws_02(text, wanted):
    assert asked(DESTRUCTION=text).destruction.isoformat() == wanted


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "0001-01-01T00:00:00+14:00", "-1"])
def test_what_is_no_time_is_told(text):
    with pytest.raises(UsageFault, match="DESTRUCTION"):
        asked(DESTRUCTION=text)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e300", "ten", "2147483648"])
def test_what_is_no_duration_is_told(text):
    with pytest.raises(UsageFault, match="EXECUTIONDURATION"):
        asked(EXECUTIONDURATION=text)


def test_waiting_is_capped_and_minus_one_is_the_cap_uws_05():
    assert read_wait(Parameters([("WAIT", "-1")]), 8.0) == (8.0, None)
    assert read_wait(Parameters([("wait", "3"), ("phase", "queued")]), 8.0) == (3.0, "QUEUED")
    assert read_wait(Parameters([("WAIT", "100000000000000000000")]), 8.0) == (8.0, None)
    assert read_wait(Parameters([("PHASE", "QUEUED")]), 8.0) == (0.0, None)
    with pytest.raises(UsageFault):
        read_wait(Parameters([("WAIT", "-2")]), 8.0)


def test_filters_of_the_list():
    found = read_filter(Parameters([("PHASE", "error"), ("phase", "ABORTED"), ("LAST", "3"), ("AFTER", "2026-01-02")]))
    assert found.phases == ("ERROR", "ABORTED")
    assert (found.last, found.after) == (3, dt.datetime(2026, 1, 2, tzinfo=dt.UTC))
    with pytest.raises(UsageFault, match="ARCHIVED"):
        read_filter(Parameters([("PHASE", "DONE")]))


@given(PAIRS, PAIRS)
def test_merging_replaces_by_name_in_any_case_and_gathers_what_adds_up(held, new):
    merged = merge_parameters(held, new, frozenset({"UPLOAD"}))
    by_name = {name: [pair for pair in merged if pair[0].upper() == name] for name in ("QUERY", "LANG", "UPLOAD")}
    for name, found in by_name.items():
        before, after = ([pair for pair in pairs if pair[0].upper() == name] for pairs in (held, new))
        assert found == (before + after if name == "UPLOAD" else after or before)
    assert merged[len(merged) - len(new) :] == tuple(new)
