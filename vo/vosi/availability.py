"""The availability document (VOSI 1.1 section 2.2): whether questions can be answered right now.

What is to be known is found out by checks, which run at the same time, each in a thread of its own. One that has not
ended after a moment is told as not answering and is left behind: nobody who asks for availability waits for a database
that hangs. What was found holds for a moment, so that no crowd of monitors burdens the database.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vo_models.vosi.availability.models import Availability

_log = logging.getLogger(__name__)

#: How long a check may take before it counts as not answering, and how long what was found is told again, in seconds.
LOOK_SECONDS = 2.0
FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Condition:
    """Something to be known: ``note`` for people; ``is_down`` when questions are not answered because of it.

    ``down_at`` and ``back_at`` (UTC) announce when that begins and ends.
    """

    note: str | None = None
    is_down: bool = False
    down_at: dt.datetime | None = None
    back_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A way to find conditions; ``name`` is what a note says of it when it does not answer.

    The service is down when one that ``is_vital`` does not answer.
    """

    name: str
    look: Callable[[], Sequence[Condition]]
    is_vital: bool = True


class Watch:
    """Says whether the service is available; asked from any thread, it answers within :data:`LOOK_SECONDS`."""

    def __init__(self, checks: Sequence[Check], started: dt.datetime) -> None:
        self._checks = tuple(checks)
        self._up_since: dt.datetime | None = started
        self._looks: dict[Check, _Look] = {}
        self._lock = threading.Lock()
        self._document = b""
        self._made = float("-inf")

    def document(self) -> bytes:
        """Look at everything, or tell what was found a moment ago."""
        with self._lock:
            if time.monotonic() - self._made > FRESH_SECONDS:
                self._document = _document(self._judge(self._look()))
                self._made = time.monotonic()
            return self._document

    def _look(self) -> list[Condition]:
        """Start every check that is not still at work, and gather what they find in time."""
        for check in self._checks:
            before = self._looks.get(check)
            if before is None or not before.is_alive():  # what one found that came too late may be long over
                self._looks[check] = _Look(check)
                self._looks[check].start()
        found: list[Condition] = []
        for check in self._checks:
            look = self._looks[check]
            look.join(max(0.0, look.deadline - time.monotonic()))
            if look.is_alive():
                found.append(Condition(f"{check.name} does not answer.", is_down=check.is_vital))
            else:
                found += look.found
        return found

    def _judge(self, found: Sequence[Condition]) -> Availability:
        is_up = not any(condition.is_down for condition in found)
        if not is_up:
            self._up_since = None
        elif self._up_since is None:
            self._up_since = dt.datetime.now(dt.UTC)
        return Availability(
            available=is_up,
            up_since=self._up_since,
            down_at=min((one.down_at for one in found if one.down_at), default=None),
            back_at=max((one.back_at for one in found if one.back_at), default=None),
            note=list(dict.fromkeys(condition.note for condition in found if condition.note)),
        )


class _Look(threading.Thread):
    """One run of a check; a daemon, since one that hangs must not keep the server from stopping."""

    def __init__(self, check: Check) -> None:
        super().__init__(name=f"availability: {check.name}", daemon=True)
        self._check = check
        self.found: Sequence[Condition] = ()
        self.deadline = time.monotonic() + LOOK_SECONDS

    def run(self) -> None:
        try:
            self.found = self._check.look()
        except Exception:  # noqa: BLE001 - whatever it is, the others have to be told
            _log.exception("the check of %s failed", self._check.name)
            self.found = (Condition(f"{self._check.name} could not be checked.", is_down=self._check.is_vital),)


def _document(availability: Availability) -> bytes:
    text = availability.to_xml(skip_empty=True, encoding="UTF-8", xml_declaration=True)
    return text if isinstance(text, bytes) else text.encode()
