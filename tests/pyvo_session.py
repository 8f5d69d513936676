"""One HTTP session for all that pyVO asks in a module, closed at its end.

pyVO makes a session for each service and result and closes none: their sockets would warn whenever they are collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pyvo.utils.http


@contextmanager
def one_session() -> Iterator[None]:
    """Let pyVO use one session until the end of the block."""
    with (
        pyvo.utils.http.create_session() as session,
        mock.patch("pyvo.utils.http.create_session", return_value=session),
    ):
        yield


def first_bytes(stream, count: int) -> bytes:
    """The beginning of a stream, which is then closed."""
    try:
        return stream.read(count)
    finally:
        stream.close()
