"""Resumption tokens (OAI-PMH 2.0, section 3.5): a token says itself where its list goes on.

Nothing is kept for it, so that it outlives a restart and any server behind one address understands it. It carries a
checksum and no signature: it says nothing that arguments could not ask for as well, so nobody gains by forging one,
and all that it says is checked.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import NonNegativeInt, PlainValidator, PositiveInt, StringConstraints, TypeAdapter, ValidationError

from vo.registry.oai.dates import read, written
from vo.registry.oai.words import ListVerb, Prefix

#: How long a token is good.
LIFE = dt.timedelta(days=1)

_CHECK_BYTES = 9
_LONGEST = 2000


def _moment(text: object) -> dt.datetime:
    stretch = read(text) if isinstance(text, str) else None
    if stretch is None or stretch.is_day:
        raise ValueError("no moment")
    return stretch.first


_Moment = Annotated[dt.datetime, PlainValidator(_moment)]
_Ivoid = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
_Told = tuple[
    Literal["1"],  # another version says other things
    ListVerb,
    Prefix,
    _Moment,
    _Moment,
    _Moment,
    _Ivoid,
    NonNegativeInt,
    PositiveInt,
    _Moment,
]
_TOLD: TypeAdapter[_Told] = TypeAdapter(_Told)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a list goes on: after the record of this ``datestamp`` and ``ivoid``.

    ``verb`` and ``prefix`` are those of the request that began the list, ``first`` and ``last`` its limits: ``last`` is
    never later than its beginning, so that what changes meanwhile belongs to the next harvest. ``cursor`` is how many
    records came before, ``size`` how many the list had when it began.
    """

    verb: ListVerb
    prefix: Prefix
    first: dt.datetime
    last: dt.datetime
    datestamp: dt.datetime
    ivoid: str
    cursor: int
    size: int


def write_token(position: Position, expires: dt.datetime) -> str:
    """The token of a position; letters, digits, ``-`` and ``_`` alone."""
    told = [
        "1",
        position.verb,
        position.prefix,
        written(position.first),
        written(position.last),
        written(position.datestamp),
        position.ivoid,
        position.cursor,
        position.size,
        written(expires),
    ]
    body = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(_check(body) + body).rstrip(b"=").decode()


def read_token(token: str, now: dt.datetime) -> Position | None:
    """The position of a token; None when it was not made here, has been changed, or has expired."""
    body = _body(token)
    if body is None:
        return None
    try:
        _, verb, prefix, first, last, datestamp, ivoid, cursor, size, expires = _TOLD.validate_json(body, strict=True)
    except ValidationError:
        return None
    return None if expires < now else Position(verb, prefix, first, last, datestamp, ivoid, cursor, size)


def _body(token: str) -> bytes | None:
    if not token.isascii() or len(token) > _LONGEST:
        return None
    try:
        whole = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    # The last character may hold bits that belong to no byte.
    if base64.urlsafe_b64encode(whole).rstrip(b"=").decode() != token:
        return None
    body = whole[_CHECK_BYTES:]
    return body if whole[:_CHECK_BYTES] == _check(body) else None


def _check(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_CHECK_BYTES]
