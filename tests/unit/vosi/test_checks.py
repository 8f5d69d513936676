"""What availability looks at: disks, the operator's announcement, the database."""

from __future__ import annotations

import datetime as dt
import os
from types import SimpleNamespace

import psycopg
import pytest

from vo.db.jobpool import LEASE
from vo.vosi import checks
from vo.vosi.availability import Condition
from vo.vosi.checks import Announcement, look_at_database, look_at_disk, make_checks, read_announcement

NOW = dt.datetime(2026, 5, 1, 10, tzinfo=dt.UTC)


# -- disks


def test_a_disk_with_room_is_not_spoken_of(tmp_path):
    assert look_at_disk("results", [tmp_path], 0) == ()
    assert look_at_disk("results", [tmp_path / "not" / "made" / "yet"], 0) == ()


def test_a_disk_below_the_reserve_is_nearly_full(tmp_path):
    (condition,) = look_at_disk("results", [tmp_path], 10**18)
    assert not condition.is_down
    assert condition.note.startswith("The disk of the results is nearly full: ")
    assert str(tmp_path) not in condition.note


@pytest.fixture
def space(monkeypatch):
    """Let a folder's disk have so many bytes left: what root alone could bring about."""
    left: dict[str, tuple[int, int]] = {}

    def statvfs(path):
        available, flag = left.get(path.name, (10**12, 0))
        return SimpleNamespace(f_bavail=available // 512, f_frsize=512, f_flag=flag)

    monkeypatch.setattr(checks.os, "statvfs", statvfs)
    return left


def test_a_full_disk_means_down(tmp_path, space):
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    assert look_at_disk("results", [tmp_path, jobs], 10**9) == ()
    space["jobs"] = (1_000_000, 0)
    assert look_at_disk("results", [tmp_path, jobs], 10**9) == (
        Condition("The disk of the results is full.", is_down=True),
    )


def test_a_disk_that_can_only_be_read_is_told(tmp_path, space):
    space[tmp_path.name] = (10**12, os.ST_RDONLY)
    (condition,) = look_at_disk("results", [tmp_path], 10**9)
    assert "can only be read" in condition.note
    assert not condition.is_down


def test_a_reserve_of_0_asks_for_no_room(tmp_path, space):
    space[tmp_path.name] = (0, 0)
    assert look_at_disk("results", [tmp_path], 0) == ()


# -- announcements


@pytest.mark.parametrize(
    ("down_at", "back_at", "is_down"),
    [
        (None, None, False),
        (11, 12, False),
        (9, 12, True),
        (9, None, True),
        (None, 12, True),
        (11, None, False),
    ],
)
def test_an_announcement_means_down_between_its_times(down_at, back_at, is_down):
    times = {name: NOW.replace(hour=hour) for name, hour in (("down_at", down_at), ("back_at", back_at)) if hour}
    condition = Announcement(note="Work.", **times).condition(NOW)
    assert condition == Condition("Work.", is_down, times.get("down_at"), times.get("back_at"))


def test_what_is_over_is_not_spoken_of():
    over = Announcement(note="Work.", down_at=NOW.replace(hour=8), back_at=NOW.replace(hour=9))
    assert over.condition(NOW) is None


def test_times_without_a_zone_are_utc_and_others_become_it():
    announcement = Announcement(down_at="2026-05-01T08:00:00", back_at="2026-05-01T13:00:00+02:00")
    condition = announcement.condition(NOW)
    assert condition.down_at == NOW.replace(hour=8)
    assert condition.back_at.isoformat() == "2026-05-01T11:00:00+00:00"
    assert condition.is_down


def test_the_file_is_read_anew_each_time(tmp_path):
    path = tmp_path / checks.ANNOUNCEMENT
    assert read_announcement(path) == ()
    path.write_text('note = "New disks on Monday."')
    assert read_announcement(path) == (Condition("New disks on Monday."),)
    path.write_text('down_at = 2026-01-01\nnote = "Moving."')
    (condition,) = read_announcement(path)
    assert (condition.is_down, condition.down_at) == (True, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


@pytest.mark.parametrize("text", ["note = ", "downat = 2026-01-01", 'back_at = "soon"', 'note = ""'])
def test_a_file_that_cannot_be_understood_changes_nothing_but_is_told(tmp_path, text, caplog):
    path = tmp_path / checks.ANNOUNCEMENT
    path.write_text(text)
    (condition,) = read_announcement(path)
    assert "cannot be understood" in condition.note
    assert not condition.is_down
    assert str(path) in caplog.text


# -- all of them


def test_a_database_that_answers_is_not_spoken_of(database):
    assert look_at_database(database) == ()


def test_a_private_cluster_has_its_disk_watched(settings, database):
    def named(is_private):
        context = SimpleNamespace(settings=settings, database=SimpleNamespace(is_private=is_private))
        return [check.name for check in make_checks(context)]

    assert "The disk of the database" in named(is_private=True)
    assert "The disk of the database" not in named(is_private=False)


def test_the_disk_is_watched_that_results_are_kept_on(settings, space, tmp_path):
    def conditions(store):
        kept = settings.model_copy(update={"jobs_store": store, "data_dir": tmp_path})
        context = SimpleNamespace(settings=kept, database=SimpleNamespace(is_private=False))
        (check,) = (check for check in make_checks(context) if check.name == "The disk of the results")
        return check.look()

    (tmp_path / "jobs").mkdir()
    (tmp_path / "elsewhere").mkdir()
    space["elsewhere"] = (1_000_000, 0)
    assert conditions(None) == conditions("s3://bucket/jobs") == ()
    assert conditions(str(tmp_path / "elsewhere")) == (Condition("The disk of the results is full.", is_down=True),)


def test_jobs_that_nobody_takes_up_are_told(fresh_database):
    database = fresh_database()
    with database.owner() as connection:
        connection.execute(
            "INSERT INTO uws.job (id, kind, phase, client, queued_time, destruction, execution_seconds, parameters, "
            "base_url, request) VALUES ('x', 'tap', 'QUEUED', '', now() - interval '1 min', now(), 1, '[]', '', '')"
        )
    (condition,) = look_at_database(database)
    assert "no worker is running" in condition.note
    assert not condition.is_down
    with psycopg.connect(database.owner_dsn) as living:
        living.execute("SELECT pg_advisory_lock(%s, 1)", (LEASE,))
        assert look_at_database(database) == ()
