"""What availability looks at: the database, the disks, and what the operator has announced."""

from __future__ import annotations

import datetime as dt
import logging
import os
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vo.context import Context
from vo.db.connect import Database
from vo.db.health import ask_health
from vo.uws.files import JobFiles
from vo.vosi.availability import Check, Condition

_log = logging.getLogger(__name__)

#: The operator's file in the data folder.
ANNOUNCEMENT = "availability.toml"

#: A disk with less than this left, in bytes, is full: PostgreSQL writes its log in pieces of 16 MB.
FULL_BYTES = 64_000_000


def make_checks(context: Context) -> tuple[Check, ...]:
    """All checks of a server."""
    settings = context.settings
    data_dir = settings.data_dir.absolute()
    results = JobFiles(settings).folder  # None: a bucket, of whose room nothing can be known
    disks: dict[str, tuple[Path, ...]] = {"results": (data_dir,) if results is None else (data_dir, results)}
    if context.database.is_private:
        disks["database"] = (data_dir / "cluster",)
    return (
        Check("The operator's announcement", lambda: read_announcement(data_dir / ANNOUNCEMENT), is_vital=False),
        Check("The database", lambda: look_at_database(context.database)),
        *(_disk_check(name, folders, settings.disk_reserve_bytes) for name, folders in disks.items()),
    )


def look_at_database(database: Database) -> tuple[Condition, ...]:
    """Down when it answers no query; a note while nothing can be written to it, and while nobody runs jobs."""
    health = ask_health(database)
    if health.trouble is not None:
        return (Condition(health.trouble, is_down=True),)
    if health.is_read_only:
        note = "The database can only be read for now: queries are answered, asynchronous jobs and uploads may not be."
        return (Condition(note),)
    if health.jobs_wait:
        return (Condition("Queries are answered, but asynchronous jobs wait: no worker is running (vo work)."),)
    return ()


def look_at_disk(name: str, folders: Iterable[Path], reserve: int) -> tuple[Condition, ...]:
    """A note when a disk that these folders are on has less than ``reserve`` bytes left; down when one is full.

    ``name`` says for people what is kept there: paths are nobody's business.
    """
    found = [os.statvfs(_existing(folder)) for folder in folders]
    left = min(disk.f_bavail * disk.f_frsize for disk in found)
    if left < min(FULL_BYTES, reserve):
        return (Condition(f"The disk of the {name} is full.", is_down=True),)
    if any(disk.f_flag & os.ST_RDONLY for disk in found):
        return (Condition(f"The disk of the {name} can only be read for now: asynchronous jobs are not kept."),)
    if left < reserve:
        return (Condition(f"The disk of the {name} is nearly full: {left / 1e6:,.0f} MB are left."),)
    return ()


class Announcement(BaseModel):
    """What an operator may write into :data:`ANNOUNCEMENT`; times without a zone are UTC (VSI-03).

    With ``down_at`` or ``back_at`` the service is called unavailable between the two; without ``back_at`` until the
    file is changed, without ``down_at`` from now on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    down_at: dt.datetime | None = Field(default=None, description="when the service will stop answering")
    back_at: dt.datetime | None = Field(default=None, description="when it will answer again")
    note: str | None = Field(default=None, min_length=1, description="what to say about it")

    def condition(self, now: dt.datetime) -> Condition | None:
        """What it means at this moment; None when all is over."""
        down_at, back_at = _utc(self.down_at), _utc(self.back_at)
        if back_at is not None and back_at <= now:
            return None
        begun = down_at is None or down_at <= now
        is_down = begun and not (down_at is None and back_at is None)
        return Condition(self.note, is_down, down_at, back_at)


def read_announcement(path: Path) -> tuple[Condition, ...]:
    """Read the operator's file anew, so that it needs no restart; a file that cannot be read is told, no more."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    try:
        announcement = Announcement.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        _log.warning("%s cannot be understood and is left aside: %s", path, error)
        return (Condition("The operator's announcement cannot be understood; the server's log says why."),)
    condition = announcement.condition(dt.datetime.now(dt.UTC))
    return () if condition is None else (condition,)


def _disk_check(name: str, folders: Sequence[Path], reserve: int) -> Check:
    return Check(f"The disk of the {name}", lambda: look_at_disk(name, folders, reserve))


def _existing(folder: Path) -> Path:
    """The folder, or the one that it would be made in."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _utc(moment: dt.datetime | None) -> dt.datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
