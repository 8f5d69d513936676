"""Waiting for what has to come to be: a slow machine, or one at work on much else, is no reason to fail."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

#: Seconds that only a hang exceeds. How quick things are is measured in tests/bench, on an idle machine.
PATIENCE = 60.0


def eventually(
    holds: Callable[[], object], what: Callable[[], object] = lambda: "", *, seconds: float = PATIENCE
) -> None:
    """Wait until something holds; it has to within these seconds, else ``what()`` is told."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it does not come to be: {what()}"
        time.sleep(0.02)


def read_until(connection: socket.socket, words: bytes) -> bytes:
    """What comes up to these words at least, or to the end: an answer may come in parts."""
    told = b""
    while words not in told and (block := connection.recv(10_000)):
        told += block
    return told


def files_below(folder: Path) -> list[Path]:
    """The files of a folder and its folders, of which any may be deleted meanwhile: `Path.rglob` would raise."""
    return [Path(place, name) for place, _, names in os.walk(folder) for name in names]
