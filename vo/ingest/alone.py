"""One process at a time in a folder whose files it makes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vo.errors import OperatorFault


@contextmanager
def alone(lock: Path, work: str, elsewhere: str) -> Iterator[None]:
    """Hold a lock file, which is made with its folder: two at ``work`` (a command) would make the same files.

    OperatorFault when another process holds it, or when the folder cannot be written; ``elsewhere`` says how another
    folder is chosen. The system lets go of it whatever ends the process.
    """
    folder = lock.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise OperatorFault(
            f"the folder {folder} cannot be written ({error.strerror}); choose another with {elsewhere}"
        ) from error
    with os.fdopen(handle):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OperatorFault(
                f"another `{work}` is at work in {folder}; stop it, wait for its end, or choose another folder with "
                f"{elsewhere}"
            ) from error
        yield
