"""Asks an OAI-PMH endpoint, politely and within limits (OAI-PMH 2.0; IVOA Registry Interfaces 1.1)."""

from __future__ import annotations

import datetime as dt
import email.utils
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit, urlunsplit

from vo.dali.fetch import FetchLimits, FetchWords, StatusFault, fetch
from vo.errors import LimitFault, UsageFault
from vo.registry.harvest.pages import Identity, OAIFault, Page, read_identity, read_page, read_sets
from vo.settings import Settings

PREFIX = "ivo_vor"
MANAGED_SET = "ivo_managed"

_WORDS = FetchWords(
    label="harvest",
    thing="an answer of a registry",
    bytes_setting="VO_HARVEST_BYTES",
    seconds_setting="VO_HARVEST_SECONDS",
    instead="set VO_HARVEST_PRIVATE=true when it is yours",
    slow="try again later, or set a larger limit",
)
#: Statuses that ask for patience (OAI-PMH 2.0, section 3.1.2.2; RFC 6585).
_WAIT = frozenset({429, 503})
_SHORTEST_WAIT = 1.0


def normalise(url: str) -> str:
    """The address of an endpoint as it is remembered: without a fragment, an empty question, capitals in its host.

    UsageFault when it is none of http or https.
    """
    parts = urlsplit(url.strip())
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc:
        raise UsageFault(f"{url[:200]!r} is no http or https address of an OAI-PMH endpoint")
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path or "/", parts.query, ""))


@dataclass(slots=True)
class Client:
    """Asks one endpoint. ``pause`` waits where its server asks for patience; ``waited`` are the seconds so far."""

    url: str
    settings: Settings
    pause: Callable[[float], None] = time.sleep
    waited: float = field(default=0.0, init=False)

    def identify(self) -> Identity:
        """What it says of itself; UsageFault when it is no OAI-PMH 2.0."""
        identity = read_identity(self._ask(verb="Identify"))
        if identity.protocol != "2.0":
            raise UsageFault(f"it speaks OAI-PMH {identity.protocol or 'of no version'}; 2.0 is understood here")
        return identity

    def has_set(self, name: str) -> bool:
        """Whether it lists a set of this name (OAI-05)."""
        asked: dict[str, str] = {}
        tokens: set[str] = set()
        while True:
            try:
                sets, token = read_sets(self._ask(verb="ListSets", **asked))
            except OAIFault as fault:
                if fault.code == "noSetHierarchy":
                    return False
                raise
            if name in sets or not token or token in tokens:
                return name in sets
            tokens.add(token)
            asked = {"resumptionToken": token}

    def pages(self, since: dt.datetime | None, wanted_set: str, *, by_second: bool) -> Iterator[Page]:
        """All records from a date on (both ends count, OAI-10), page by page; a list that has none gives no page.

        UsageFault when a token comes again, LimitFault beyond VO_HARVEST_PAGES: such a list may have no end.
        """
        asked = {"metadataPrefix": PREFIX}
        if wanted_set:
            asked["set"] = wanted_set
        if since is not None:
            asked["from"] = f"{since:%Y-%m-%dT%H:%M:%SZ}" if by_second else f"{since:%Y-%m-%d}"
        tokens: set[str] = set()
        for _ in range(self.settings.harvest_pages):
            try:
                page = read_page(self._ask(verb="ListRecords", **asked))
            except OAIFault as fault:
                if fault.code == "noRecordsMatch" and not tokens:
                    return
                raise
            yield page
            if not page.token:
                return
            if page.token in tokens:
                raise UsageFault("its list goes round in a circle: the same resumption token came twice")
            tokens.add(page.token)
            asked = {"resumptionToken": page.token}
        raise LimitFault(
            f"its list has more than {self.settings.harvest_pages} pages (VO_HARVEST_PAGES), if it has an end at all"
        )

    def _ask(self, **asked: str) -> bytes:
        limits = FetchLimits(
            bytes=self.settings.harvest_bytes,
            seconds=self.settings.harvest_seconds,
            private=self.settings.harvest_private,
            packed=True,
        )
        joint = "&" if urlsplit(self.url).query else "?"
        while True:
            try:
                with fetch(f"{self.url.removesuffix('?')}{joint}{urlencode(asked)}", limits, _WORDS) as got:
                    return got.file.read()
            except StatusFault as fault:
                self._wait(fault)

    def _wait(self, fault: StatusFault) -> None:
        """Wait as long as the server asks for; any other status, or too long a time, stays the fault that it is."""
        seconds = _seconds(fault.wait) if fault.answered in _WAIT else None
        if seconds is None:
            raise fault
        seconds = max(seconds, _SHORTEST_WAIT)
        if self.waited + seconds > self.settings.harvest_wait_seconds:
            raise LimitFault(
                f"its server asks to wait {seconds:.0f} s, {self.waited + seconds:.0f} s in all, and "
                f"{self.settings.harvest_wait_seconds:g} s is the limit here (VO_HARVEST_WAIT_SECONDS): try again later"
            )
        self.waited += seconds
        self.pause(seconds)


def _seconds(text: str | None) -> float | None:
    """The seconds of a Retry-After, which may be a date (RFC 9110, section 10.2.3); None when there is none."""
    if text is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}\s*", text):
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - time.time())
