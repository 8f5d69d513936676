"""Files in stores far away: S3 and what understands it, and the web. Their parts are read with few requests.

A file's length and version (entity tag) are asked once and remembered for some minutes; each part that comes is held
against them, so that parts of two versions are never mixed.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import (
    BaseError,
    InvalidPathError,
    NotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import HTTPStore, S3Store

from vo.dali.addresses import find_addresses, is_public
from vo.db.records import Product
from vo.errors import Fault, OperatorFault, TransientFault
from vo.pixels.source import ByteSource, Range
from vo.products.buckets import Bucket, read_buckets
from vo.products.places import BucketPlace, WebPlace
from vo.settings import Settings

if TYPE_CHECKING:
    from obstore import ObjectMeta

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Parts that lie closer than this are read in one request, which takes no longer than the request saved; not when more
#: would be read for nothing than is wanted, and always when they are nearly side by side.
_GAP_BYTES = 64 * 1024
_SMALL_GAP_BYTES = 4 * 1024
#: A request asks for no more than this; what is longer is asked for in pieces, at the same time.
_PIECE_BYTES = 8 * 1024**2
#: Requests of this process that are under way at the same time.
_REQUESTS = 32
#: What is remembered of so many files.
_REMEMBERED = 10_000

#: How obstore says that it asked for a part and got an answer of status 200.
_WHOLE = "non-partial response"

_RETRIES = 2
_CONNECT_SECONDS = 5
_RETRY_SECONDS = 10

_pool = ThreadPoolExecutor(_REQUESTS, thread_name_prefix="store")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a store said of a file, until when (monotonic clock) that is believed."""

    size: int
    tag: str
    until: float

    def is_of(self, found: ObjectMeta) -> bool:
        return self.size == found["size"] and self.tag == _tag(found)


class Stores:
    """The stores of the settings; nothing is opened before it is needed. One is enough for all threads."""

    def __init__(self, stores: dict[str, Bucket], seconds: float, remembered_seconds: float, *, private: bool) -> None:
        self._buckets = stores
        self._seconds = seconds
        self._remembered_seconds = remembered_seconds
        self._private = private
        self._opened: dict[tuple[str, bool], S3Store | HTTPStore] = {}
        self._seen: dict[str, _Seen] = {}
        self._lock = threading.Lock()

    def open(self, product: Product, place: BucketPlace | WebPlace) -> ByteSource:
        """A file's bytes; its length and version are asked unless that was done a moment ago.

        :class:`OperatorFault` when the file is not there or may not be read, :class:`TransientFault` when the store
        does not answer.
        """
        store, path = self._find(product, place)
        key = str(product.location)
        with self._lock:
            seen = self._seen.get(key)
        if seen is None or seen.until < time.monotonic():
            self._check_public(product, place)
            seen = self._look(product, store, path)
        return RemoteFile(product, store, path, seen, lambda: self._forget(key))

    def look(self, product: Product, place: BucketPlace | WebPlace) -> int:
        """Ask for a file's length now; faults as :meth:`open`, but :class:`FileNotFoundError` when it is not there."""
        store, path = self._find(product, place)
        self._check_public(product, place)
        return self._look(product, store, path, is_search=True).size

    def sign(self, product: Product, place: BucketPlace, method: str, seconds: int) -> str:
        """An address that lets anybody ask for this object with this method, for so long; no network is asked."""
        store = self._bucket(place.bucket, for_clients=True)
        try:
            signed = obstore.sign(store, method, place.key, dt.timedelta(seconds=seconds))  # type: ignore[call-overload]
        except (BaseError, ValueError, OSError) as error:
            raise _fault(product, error) from error
        return str(signed)

    def _find(self, product: Product, place: BucketPlace | WebPlace) -> tuple[S3Store | HTTPStore, str]:
        if isinstance(place, BucketPlace):
            return self._bucket(place.bucket), place.key
        if place.path is None:
            raise OperatorFault(f"{product.product_id} can be fetched, but not read here: its address has a query")
        return self._web(place.server), place.path

    def _look(self, product: Product, store: S3Store | HTTPStore, path: str, *, is_search: bool = False) -> _Seen:
        try:
            found = obstore.head(store, path)
        except (NotFoundError, FileNotFoundError) as error:
            if is_search:
                raise FileNotFoundError(product.location) from None
            raise _fault(product, error) from error
        except (BaseError, ValueError, OSError) as error:
            raise _fault(product, error) from error
        seen = _Seen(found["size"], _tag(found), time.monotonic() + self._remembered_seconds)
        with self._lock:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[str(product.location)] = seen
        return seen

    def _forget(self, key: str) -> None:
        with self._lock:
            self._seen.pop(key, None)

    def _bucket(self, name: str, *, for_clients: bool = False) -> S3Store:
        bucket = self._buckets.get(name, Bucket())
        options: dict[str, Any] = bucket.options(for_clients=for_clients)
        store = self._once((f"s3://{name}", for_clients), lambda: S3Store(name, **options, **self._how))
        assert isinstance(store, S3Store)  # noqa: S101 - the key says so
        return store

    def _web(self, server: str) -> HTTPStore:
        store = self._once((server, False), lambda: HTTPStore(server, **self._how))
        assert isinstance(store, HTTPStore)  # noqa: S101 - the key says so
        return store

    def _once(self, key: tuple[str, bool], make: Callable[[], S3Store | HTTPStore]) -> S3Store | HTTPStore:
        with self._lock:
            if key not in self._opened:
                try:
                    self._opened[key] = make()
                except (BaseError, ValueError) as error:
                    log.warning("store %s: %s", key[0], _said(error))
                    raise OperatorFault(
                        "a store of files is not set up rightly; please tell the operator of this service"
                    ) from error
            return self._opened[key]

    @cached_property
    def _how(self) -> dict[str, Any]:
        return {
            # Whether a store is asked without TLS is decided by the address that the operator wrote.
            "client_options": {
                "allow_http": True,
                "connect_timeout": dt.timedelta(seconds=min(_CONNECT_SECONDS, self._seconds)),
                "timeout": dt.timedelta(seconds=self._seconds),
            },
            "retry_config": {"max_retries": _RETRIES, "retry_timeout": dt.timedelta(seconds=self._seconds)},
        }

    def _check_public(self, product: Product, place: BucketPlace | WebPlace) -> None:
        """Ask no web server within the network that this service itself stands in, wherever a location came from.

        Where buckets are the operator alone says.
        """
        if self._private or isinstance(place, BucketPlace):
            return
        asked = urlsplit(place.url)
        try:
            addresses = find_addresses(asked.hostname or "", asked.port or (443 if asked.scheme == "https" else 80))
        except OSError as error:
            log.warning("product %s: %s: %s", product.product_id, product.location, error)
            raise TransientFault(
                f"the server that keeps {product.product_id} is not known here at the moment: try again later",
                retry_after=_RETRY_SECONDS,
            ) from error
        if not all(map(is_public, addresses)):
            log.warning("product %s: %s is in a private network", product.product_id, product.location)
            raise OperatorFault(
                f"{product.product_id} is kept in a private network, which is not asked here (store_private); "
                "please tell the operator of this service"
            )


@lru_cache(maxsize=16)
def _stores(settings: Settings) -> Stores:
    return Stores(
        read_buckets(settings.stores),
        settings.store_seconds,
        settings.store_remember_seconds,
        private=settings.store_private,
    )


def stores_of(settings: Settings) -> Stores:
    """The stores of these settings, opened once in a process.

    :class:`OperatorFault` when the file that describes them is wrong.
    """
    return _stores(settings)


class RemoteFile:
    """A file in a store. ``bytes_read`` and ``requests`` count what its parts have cost so far."""

    def __init__(
        self, product: Product, store: S3Store | HTTPStore, path: str, seen: _Seen, forget: Callable[[], None]
    ) -> None:
        self.name = product.product_id
        self.size = seen.size
        self.version = f"{product.location}:{seen.tag}:{seen.size}"
        self.bytes_read = 0
        self.requests = 0
        self._product = product
        self._store = store
        self._path = path
        self._seen = seen
        self._forget = forget
        self._lock = threading.Lock()

    def read(self, ranges: Sequence[Range]) -> Sequence[memoryview]:
        """The bytes of each range: neighbours come in one request, several requests go out at the same time.

        :class:`OperatorFault` when the file is shorter or was changed, :class:`TransientFault` when its store does not
        answer.
        """
        for start, length in ranges:
            if start < 0 or length < 0 or start + length > self.size:
                raise OperatorFault(f"{self.name} is shorter than its header says; the copy in its store is damaged")
        pieces = list(_pieces(_merge(ranges)))
        blocks = list(map(self._fetch, pieces)) if len(pieces) == 1 else list(_pool.map(self._fetch, pieces))
        return _cut(ranges, pieces, blocks)

    def _fetch(self, piece: Range) -> memoryview:
        start, length = piece
        try:
            found = obstore.get(self._store, self._path, options={"range": (start, start + length)})
            block = memoryview(found.bytes())
        except (BaseError, ValueError, OSError) as error:
            raise self._failed(error) from error
        with self._lock:
            self.requests += 1
            self.bytes_read += len(block)
        if not self._seen.is_of(found.meta) or len(block) != length:
            raise self._changed()
        return block

    def _failed(self, error: Exception) -> Fault:
        is_beyond = " 416 " in str(error)
        if is_beyond or isinstance(error, PreconditionError | NotFoundError | FileNotFoundError):
            self._forget()
        return self._changed() if is_beyond else _fault(self._product, error)

    def _changed(self) -> OperatorFault:
        self._forget()
        log.warning("product %s: %s was changed while it was read", self.name, self._product.location)
        return OperatorFault(f"{self.name} was changed in its store while it was read: ask again")


def _merge(ranges: Sequence[Range]) -> Iterator[Range]:
    """Join what overlaps or lies close together, in order of place."""
    last: Range | None = None
    for start, length in sorted(one for one in ranges if one[1]):
        if last is not None:
            gap = start - last[0] - last[1]
            if gap <= max(_SMALL_GAP_BYTES, min(_GAP_BYTES, last[1] + length)):
                last = last[0], max(last[1], start + length - last[0])
                continue
            yield last
        last = start, length
    if last is not None:
        yield last


def _pieces(ranges: Iterator[Range]) -> Iterator[Range]:
    for start, length in ranges:
        for at in range(0, length, _PIECE_BYTES):
            yield start + at, min(_PIECE_BYTES, length - at)


def _cut(ranges: Sequence[Range], pieces: Sequence[Range], blocks: Sequence[memoryview]) -> list[memoryview]:
    """Give each range its bytes; one that lies in several pieces is put together."""
    starts = [start for start, _ in pieces]
    found = []
    for start, length in ranges:
        parts = []
        first = max(bisect_right(starts, start) - 1, 0)
        for at in range(first, bisect_left(starts, start + length)):
            offset = start - starts[at]
            parts.append(blocks[at][max(offset, 0) : offset + length])
        found.append(parts[0] if len(parts) == 1 else memoryview(b"".join(parts)))
    return found


def _tag(found: ObjectMeta) -> str:
    # Some servers give no entity tag, or the same one for all.
    return f"{found['e_tag'] or ''} {found['last_modified'].isoformat()}"


def _said(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _fault(product: Product, error: Exception) -> Fault:
    """What an error of a store means."""
    name = product.product_id
    log.warning("product %s: %s: %s", name, product.location, _said(error))
    tell = "please tell the operator of this service"
    match error:
        case NotFoundError() | FileNotFoundError():
            return OperatorFault(f"the file of {name} is listed but is not in its store; {tell}")
        case PermissionDeniedError() | UnauthenticatedError():
            return OperatorFault(f"the store that keeps {name} does not let this service read it; {tell}")
        case InvalidPathError() | ValueError():
            return OperatorFault(f"the location of {name} is none that its store can have; {tell}")
        case _ if isinstance(error, NotSupportedError) or _WHOLE in str(error):
            return OperatorFault(f"the store that keeps {name} cannot give parts of a file; {tell}")
        case _:
            return TransientFault(
                f"the store that keeps {name} does not answer at the moment: try again later",
                retry_after=_RETRY_SECONDS,
            )
