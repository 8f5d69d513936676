"""The process of one search: pyVO's global discovery of images (``pyvo.discover``) against the server's own registry.

What it is told and tells is in :mod:`vo.web.discovery.order`. A process of its own, since pyVO holds what it finds in
memory, asks one service after the other for minutes, keeps its registry in variables of a module and cannot be
interrupted otherwise. Only this module and :mod:`vo.web.discovery.guard` know pyVO and requests.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import resource
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

import numpy as np

import vo
from vo.web.discovery.guard import Network, RefusedError, close_other_ways, make_session
from vo.web.discovery.order import BATCH_ROWS, LONGEST_LINE, LONGEST_VALUE, STOP, Bounds, Order, read_order

LOG = logging.getLogger(__name__)

#: How long a host may be silent, in seconds; pyVO's own default for discovery.
_SILENCE_SECONDS = 20.0

#: How long a search that was stopped waits for pyVO's own word of it, in seconds; less than what it has until its end.
_LAST_WORD_SECONDS = 2.0

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")

#: Numbers of a circle as DALI writes it (1.1, section 3.3.6).
_CIRCLE = 3


def main() -> int:
    """Do what standard input says, and tell it on standard output."""
    order = read_order(sys.stdin.readline())
    _bound_memory(order.bounds)
    # Whatever else writes to the standard output must not end up among the messages.
    speaker = Speaker(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    warnings.simplefilter("ignore")  # which are about other people's tables
    close_other_ways()
    network = Network(order.own, order.bounds)
    try:
        search = Search(order, network, speaker)
        threading.Thread(target=_listen, args=[search], name="listener", daemon=True).start()
        speaker.say(end=search.run())
    finally:
        network.end()
    return 0


def _bound_memory(bounds: Bounds) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = bounds.memory if hard == resource.RLIM_INFINITY else min(bounds.memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _listen(search: Search) -> None:
    for line in sys.stdin:
        if line.strip() == STOP:
            search.stop()
    os._exit(1)  # the server is gone, or wants no more: whatever is being waited for


class Speaker:
    """Writes messages."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._lock = threading.Lock()

    def say(self, **message: Any) -> None:
        """Write one message."""
        with self._lock:
            self._file.write(json.dumps(message, allow_nan=False) + "\n")
            self._file.flush()


class Search:
    """One search, and what has been told of it."""

    def __init__(self, order: Order, network: Network, speaker: Speaker) -> None:
        self._order = order
        self._network = network
        self._say = speaker.say
        self._discoverer = _make_discoverer(order, network, self._heed)
        self._titles: dict[str, str] = {}
        self._lines = 0
        self._told_rows = 0
        self._total = 0
        self._is_stopped = False
        self._stopped = threading.Event()
        self._is_full = False
        # pyVO calls back from whichever thread it is called in.
        self._telling = threading.RLock()

    def run(self) -> str:
        """Search; gives how it ended."""
        try:
            self._say(now="Looking up services in the registry")
            self._network.begin_service()
            self._discoverer.discover_services()
            self._note_services()
            if self._total:
                self._discoverer.query_services()
            else:
                more = "" if self._order.question.inclusive else " among those that say what they hold"
                self._say(log=f"No service of the registry can hold an answer to this{more}.")
        except Exception as error:  # noqa: BLE001  whatever others answer is told
            if not self._is_stopped:
                self._say(log=_clean(f"The search ended early: {error}"))
                return "failed"
        if self._is_stopped:  # what is said of it comes from the other thread, which may be the slower one
            self._stopped.wait(_LAST_WORD_SECONDS)
        self._tell()
        return "stopped" if self._is_stopped else "done"

    def stop(self) -> None:
        """Ask no more services, and wait for none; from another thread."""
        self._is_stopped = True
        self._network.close()
        try:
            self._discoverer.reset_services()
        finally:
            self._stopped.set()

    def _heed(self, _discoverer: object, message: str) -> None:
        """Pass on what pyVO says; it says it before and after each service that it asks."""
        if message.startswith("Querying "):
            self._network.begin_service()
            self._say(now=_clean(message))
        self._tell()
        # To stop is said within pyVO's lock, which its own way to end would wait for.
        if self._told_rows >= self._order.bounds.rows and not self._is_full and not self._is_stopped:
            self._is_full = True
            self._say(log=f"Ended at {self._told_rows} rows, the most that one search keeps (discovery_rows).")
            self._discoverer.reset_services()

    def _tell(self) -> None:
        """Tell the lines, counts and rows that are new."""
        with self._telling:
            discoverer = self._discoverer
            lines = discoverer.log_messages[self._lines :]
            for line in lines:
                self._say(log=_clean(line))
            self._lines += len(lines)  # pyVO may have added more by now, from the other thread
            left = self._order.bounds.rows - self._told_rows
            new = discoverer.results[self._told_rows :][:left]
            for start in range(0, len(new), BATCH_ROWS):
                self._say(rows=[self._row(found) for found in new[start : start + BATCH_ROWS]])
            self._told_rows += len(new)
            if self._total:
                _, queried, failed = discoverer.get_query_stats()
                self._say(counts={"services": self._total, "queried": queried, "failed": failed})

    def _note_services(self) -> None:
        found = self._discoverer
        asked = [*found.obscore_recs, *found.sia2_recs, *found.sia1_recs]
        self._titles = {one.ivoid: _clean(str(one.title or one.ivoid)) for one in asked}
        self._total = len(asked)
        self._tell()

    def _row(self, found: Any) -> dict[str, Any]:
        row = {
            name: _CONVERT[kind](value)
            for name, kind in self._order.columns
            if (value := getattr(found, name, None)) is not None
        }
        service = _clean(str(found.origin_service))
        shown = {**row, "service": service, "service_title": self._titles.get(service, service)}
        return {name: value for name, value in shown.items() if value is not None}


def _make_discoverer(order: Order, network: Network, heed: Callable[[object, str], None]) -> Any:
    """PyVO's discoverer of this question, over connections that ``network`` watches."""
    os.environ["IVOA_REGISTRY"] = f"{order.own.url}/tap"
    # Late, since pyVO reads this variable when it is imported.
    import pyvo.utils.http  # noqa: PLC0415
    from astropy import units  # noqa: PLC0415
    from astropy.time import Time  # noqa: PLC0415
    from astropy.utils import data, iers  # noqa: PLC0415
    from pyvo.discover.image import ImageDiscoverer, ImageFound  # noqa: PLC0415

    def read_found(service: str, result: Any) -> Iterator[Any]:
        table = result.to_table()
        names = [name for name in table.colnames if name in ImageFound.attr_names]
        for values in zip(*(table[name].tolist() for name in names), strict=True):
            yield ImageFound(service, dict(zip(names, values, strict=True)))

    # pyVO's own (1.9.1) takes whole numbers without their mask: null is whatever number stands for it in the document.
    ImageFound.from_obscore_recs = staticmethod(read_found)
    data.conf.allow_internet = False
    iers.conf.auto_download = False
    pyvo.utils.http.setup_user_agent(primary_component=f"vo-plates/{vo.__version__}")
    session = make_session(network, pyvo.utils.http.USER_AGENT, _SILENCE_SECONDS)
    pyvo.utils.http.create_session = lambda: session  # for the registry, too
    question = order.question
    discoverer = ImageDiscoverer(
        space=question.space,
        spectrum=None if question.spectrum is None else question.spectrum * units.m,
        time=None if question.time is None else tuple(Time(mjd, format="mjd") for mjd in question.time),
        inclusive=question.inclusive,
        watcher=heed,
    )
    discoverer.session = session
    return discoverer


# -- values of others


def _clean(text: str) -> str:
    """A line without controls, of bounded length; our own refusals need no name of a Python class."""
    line = _CONTROLS.sub(" ", text).replace(f"{RefusedError.__name__}: ", "").strip()
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..."


def _text(value: Any) -> str | None:
    if value is np.ma.masked:
        return None
    if isinstance(value, bytes):
        text = value.decode("utf-8", "replace")
    elif isinstance(value, np.ndarray | list | tuple):
        text = _shape(value)
    else:
        text = str(value)
    text = text.strip()
    return text if text and len(text) <= LONGEST_VALUE else None


def _shape(values: Iterable[Any]) -> str:
    """A DALI circle or polygon as the text that ObsCore's s_region is elsewhere; other lists are their items."""
    items = [str(value) for value in values if value is not np.ma.masked]
    if not all(_NUMBER.fullmatch(item) for item in items):
        return " ".join(items)
    return " ".join((("CIRCLE" if len(items) == _CIRCLE else "POLYGON"), "ICRS", *items))


_NUMBER = re.compile(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?")


def _float(value: Any) -> float | None:
    if value is np.ma.masked:
        return None
    try:
        number = float(getattr(value, "value", value))
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _integer(value: Any) -> int | None:
    number = _float(value)
    return None if number is None or abs(number) >= 2.0**53 else round(number)


_CONVERT: dict[str, Callable[[Any], Any]] = {"text": _text, "float": _float, "integer": _integer}


if __name__ == "__main__":
    sys.exit(main())
