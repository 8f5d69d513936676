"""One fault family for everything that can go wrong in a user's or an operator's sight.

Code raises; only the edge (``vo.dali.routes``, ``vo.cli``) turns a fault into a document. A fault's text says
what was wrong and what to do instead; text of the database never reaches a user.
"""

from __future__ import annotations

import logging
import uuid
from typing import ClassVar


class Fault(Exception):
    """A failure with a place in the table below.

    ``word`` is DALI's (SIA 2.0 section 2.3, DataLink 1.1 section 3.4), ``soda_word`` SODA's (SODA 1.0 section 4.1.3),
    ``status`` the HTTP status, ``retry_after`` seconds after which another try makes sense.
    """

    word: ClassVar[str] = "DefaultFault"
    soda_word: ClassVar[str] = "Error"
    status: ClassVar[int] = 500

    def __init__(self, text: str, *, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.retry_after = retry_after


class UsageFault(Fault):
    """The caller asked for something that cannot be answered; asking again the same way is of no use."""

    word = "UsageFault"
    soda_word = "UsageError"
    status = 400


class MultiValuedParamNotSupportedFault(UsageFault):
    """A parameter that takes one value came more than once (DALI-03)."""

    soda_word = "MultiValuedParamNotSupported"


class NotFoundFault(UsageFault):
    """What was named does not exist here."""

    word = "NotFoundFault"
    status = 404


class ForbiddenFault(UsageFault):
    """What was asked for is not allowed as things are now."""

    status = 403


class LimitFault(UsageFault):
    """A limit of this service was reached; the text names it, its value and what to do instead."""

    status = 413


class TransientFault(Fault):
    """It may work later."""

    word = "TransientFault"
    soda_word = "ServiceUnavailable"
    status = 503


class TooManyFault(TransientFault):
    """The client has as much going on as it may have; ``retry_after`` says when to ask again (RFC 6585, section 4)."""

    status = 429


class TimeLimitFault(TransientFault):
    """A query, or the sending of a request, took longer than its limit."""

    status = 408


class FatalFault(Fault):
    """A fault of the service itself."""

    word = "FatalFault"
    status = 500


def unforeseen(error: Exception, log: logging.Logger, place: str) -> FatalFault:
    """The fault for an error that nobody foresaw: it is logged under a number, and clients see the number alone."""
    incident = uuid.uuid4().hex[:12]
    log.error("incident %s %s", incident, place, exc_info=error)
    return FatalFault(f"something went wrong in this service; its log has the details under incident {incident}")


#: A fault that repeats what was written repeats no more than this of it, in characters.
_LONGEST_TEXT = 1000


class ADQLFault(UsageFault):
    """A query that is not ADQL or does not fit the tables.

    ``line`` and ``column`` count from 1; 0 means that the whole query is meant.
    """

    def __init__(self, text: str, *, line: int = 0, column: int = 0) -> None:
        if len(text) > _LONGEST_TEXT:
            half = _LONGEST_TEXT // 2
            text = f"{text[:half]} ... {text[-half:]}"
        super().__init__(text if line == 0 else f"line {line}, column {column}: {text}")
        self.line = line
        self.column = column


class OperatorFault(Fault):
    """Something the person who runs the service has to mend: configuration, files, the database server."""

    word = "FatalFault"
