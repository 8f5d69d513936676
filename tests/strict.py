"""A client that believes nothing: it asks TAP while something breaks, and says whether what came may be taken as whole.

An answer is whole when its transfer ended in order and its form can be parsed. It is honest when it is whole and says
OK with every row, or is not whole, or says itself that it is not.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import answers
import httpx
from patience import PATIENCE

#: Every form of answers. The first ones close with an ERROR, those of BREAKING break off, FITS begins at its end.
CLOSING = ("votable", "votable/td", "votable/b", "json", "html", "text")
BREAKING = ("csv", "tsv", "parquet", "arrow")
FORMS = (*CLOSING, *BREAKING, "fits")

_BEGINNING = 100_000
#: What a client has not read waits at the server, not in megabytes of the system's.
SMALL_BUFFER = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)]


@dataclass(frozen=True)
class Outcome:
    """What a client had in the end: ``status`` None when not even headers came."""

    status: int | None
    document: bytes
    is_whole: bool

    def says(self, form: str) -> str:
        """``broken``, ``fault``, or what the document says of its rows; a document that cannot be parsed raises."""
        if not self.is_whole:
            return "broken"
        if self.status != 200:
            ((value, text),) = answers.statuses(self.document)
            assert value == "ERROR"
            assert text
            return "fault"
        if form in ("csv", "tsv"):  # which have no place to say anything
            answers.numbers(form, self.document)
            return "OK"
        return answers.end(form, self.document)[0]


class Download(threading.Thread):
    """Asks for a table, takes the beginning of the answer, and the rest after ``go`` was set."""

    def __init__(self, url: str, data: dict[str, str], files: list[tuple[str, object]] | None = None) -> None:
        super().__init__(daemon=True)
        self.begun = threading.Event()
        self.go = threading.Event()
        self.outcome: Outcome | None = None
        self._url = url
        self._data = data
        self._files = files

    def run(self) -> None:
        status, blocks, is_whole = None, [], False
        try:
            transport = httpx.HTTPTransport(socket_options=SMALL_BUFFER)
            with (
                httpx.Client(timeout=2 * PATIENCE, transport=transport) as client,
                client.stream("POST", f"{self._url}/tap/sync", data=self._data, files=self._files) as response,
            ):
                status = response.status_code
                size = 0
                for block in response.iter_bytes():
                    blocks.append(block)
                    size += len(block)
                    if size > _BEGINNING:
                        self.begun.set()
                        self.go.wait(2 * PATIENCE)
                is_whole = True
        except httpx.TransportError:
            pass
        finally:
            self.outcome = Outcome(status, b"".join(blocks), is_whole)
            self.begun.set()


@contextmanager
def downloads(
    url: str, data: dict[str, str], files: list[tuple[str, object]] | None = None, forms: tuple[str, ...] = FORMS
) -> Iterator[dict[str, Download]]:
    """The same query in every form at once, each in the middle of its rows; all are read to their ends afterwards."""
    running = {form: Download(url, {**data, "RESPONSEFORMAT": form}, files) for form in forms}
    for form, one in running.items():
        if form != "fits":
            one.start()
    try:
        for form, one in running.items():
            assert form == "fits" or one.begun.wait(PATIENCE), form
        if "fits" in running:  # whose rows are collected before the first is sent, as fast as may be
            running["fits"].start()
            time.sleep(0.3)
        for form, one in running.items():
            assert one.outcome is None, (form, one.outcome)
        yield running
    finally:
        for one in running.values():
            one.go.set()
        for form, one in running.items():
            if one.ident is not None:
                one.join(2 * PATIENCE)
            assert not one.is_alive(), form
