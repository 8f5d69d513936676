"""One HTTP session for all that pyVO asks in a module, closed at its end with all its answers.

pyVO makes a session for each service and result, streams the documents of jobs, and closes none of these: their sockets
would warn whenever they are collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import pyvo.utils.http


@contextmanager
def one_session() -> Iterator[None]:
    """Let pyVO use one session until the end of the block."""
    with ExitStack() as stack:

        def close_later(response, **_how) -> None:
            stack.callback(response.close)

        session = stack.enter_context(pyvo.utils.http.create_session())
        session.hooks["response"].append(close_later)
        stack.enter_context(mock.patch("pyvo.utils.http.create_session", return_value=session))
        yield


def first_bytes(stream, count: int) -> bytes:
    """The beginning of a stream, which is then closed."""
    try:
        return stream.read(count)
    finally:
        stream.close()
