"""Whether the files of a collection are where the archive says: ``vo products check``.

What is found is written to the archive as it is found, so that a check that is stopped has not been for nothing.
Nothing is ever deleted.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import partial

from psycopg import sql
from psycopg.rows import class_row

from vo.db.connect import Database
from vo.db.records import IMAGE_ROLES, Product
from vo.errors import Fault, OperatorFault
from vo.products.places import LocalPlace, find_place
from vo.products.remote import stores_of
from vo.products.store import describe, open_source
from vo.settings import Settings

log = logging.getLogger(__name__)

#: Files that are looked at before what was found is written.
_CHUNK = 500
#: Files that are looked at the same time: looking is waiting. Reading them whole is not.
_LOOKING = 32
_READING = 4
_BLOCK = 8 * 1024**2

#: What a checksum that is made here is made with.
_ALGORITHM = "sha256"

_COLUMNS = sql.SQL(", ").join(sql.Identifier(one.name) for one in fields(Product))
_SCOPE = "location IS NOT NULL AND (%(collection)s::text IS NULL OR collection = %(collection)s)"
_COUNT = f"SELECT count(*) FROM archive.product WHERE {_SCOPE}"
_NEXT = sql.SQL(
    f"SELECT {{}} FROM archive.product WHERE {_SCOPE} AND product_id > %(after)s ORDER BY product_id LIMIT %(most)s"
).format(_COLUMNS)
#: Of a file that somebody has told anew since it was looked at, what was seen says nothing.
_RECORD = """
UPDATE archive.product SET content_length = %s, missing_date = %s, checksum = %s
WHERE product_id = %s AND (location, content_length, missing_date, checksum) IS NOT DISTINCT FROM (%s, %s, %s, %s)
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a file: ``kind`` is ``missing``, ``length``, ``checksum`` or ``not seen``."""

    product_id: str
    kind: str
    text: str


@dataclass(slots=True)
class Checked:
    """What a check found; ``resized`` are the plates (collection, plate_id) of images with another length than before.

    Their published rows say how much an image has.
    """

    looked: int = 0
    sound: int = 0
    recorded: int = 0
    resized: set[tuple[str, str]] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def counts(self) -> Iterator[tuple[str, int]]:
        """What was found, in words and numbers; what is wrong only where something is."""
        yield "files looked at", self.looked
        yield "  as recorded, or new to the record", self.sound
        kinds = Counter(one.kind for one in self.findings)
        for kind, words in _WORDS.items():
            if kinds[kind]:
                yield f"  {words}", kinds[kind]
        yield "records changed", self.recorded


_WORDS = {
    "missing": "missing",
    "length": "of another length than recorded",
    "checksum": "of another checksum than recorded",
    "not seen": "not seen: the store does not answer or refuses",
}


class _StoppedError(Exception):
    """The check was stopped while a file was read."""


def check_products(
    database: Database,
    settings: Settings,
    collection: str | None,
    *,
    checksums: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Checked:
    """Look at every product with a location, of one collection or of all, and record what is found.

    ``content_length`` becomes what is found, ``missing_date`` the time of this check where a file is not there. With
    ``checksums`` each file is read whole, and its checksum compared; where none is recorded one is (sha256).
    :class:`OperatorFault` when the collection has no such product.
    """
    checked = Checked()
    with database.read() as connection:
        row = connection.execute(_COUNT, {"collection": collection}).fetchone()
    total = row[0] if row else 0
    if not total:
        raise OperatorFault(f"no file of {collection or 'any collection'} has a location: there is nothing to check")
    stop = threading.Event()
    pool = ThreadPoolExecutor(_READING if checksums else _LOOKING, thread_name_prefix="check")
    try:
        for products in _chunks(database, collection):
            found: list[tuple[Product, list[Finding]]] = []
            try:
                for one in pool.map(partial(_check, settings, stop, checksums=checksums), products):
                    found.append(one)
                    checked.looked += 1
                    if progress is not None:
                        progress(checked.looked, total)
            finally:  # also when it is stopped
                _record(database, products[: len(found)], found, checked)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
    return checked


def _chunks(database: Database, collection: str | None) -> Iterator[list[Product]]:
    after = ""
    while True:
        with database.read() as connection, connection.cursor(row_factory=class_row(Product)) as cursor:
            asked = {"collection": collection, "after": after, "most": _CHUNK}
            products = cursor.execute(_NEXT, asked).fetchall()
        if not products:
            return
        yield products
        after = products[-1].product_id


def _check(
    settings: Settings, stop: threading.Event, product: Product, *, checksums: bool
) -> tuple[Product, list[Finding]]:
    """The record as it should be, and what is wrong with the file."""
    if stop.is_set():
        return product, []
    try:
        size = _look(settings, product)
        if size is None:
            missing = product.missing_date or dt.datetime.now(dt.UTC).replace(microsecond=0)
            return replace(product, missing_date=missing), [_wrong(product, "missing", "is not where it should be")]
        return _compare(settings, stop, product, size, checksums=checksums)
    except _StoppedError:
        return product, []
    except Fault as fault:
        return product, [_wrong(product, "not seen", fault.text)]


def _compare(
    settings: Settings, stop: threading.Event, product: Product, size: int, *, checksums: bool
) -> tuple[Product, list[Finding]]:
    wrong = []
    if product.content_length not in (None, size):
        wrong.append(_wrong(product, "length", f"has {size} bytes, and {product.content_length} were recorded"))
    made = product.checksum
    if checksums:
        algorithm, _, recorded = (product.checksum or _ALGORITHM).partition(":")
        digits = _digest(settings, stop, product, algorithm)
        if recorded and recorded.lower() != digits:
            wrong.append(_wrong(product, "checksum", f"has {algorithm} {digits}, and {recorded} was recorded"))
        made = product.checksum or f"{algorithm}:{digits}"
    return replace(product, content_length=size, missing_date=None, checksum=made), wrong


def _look(settings: Settings, product: Product) -> int | None:
    """The length of a file now, None when it is not there."""
    place = find_place(product)
    if isinstance(place, LocalPlace):
        if not place.path.exists():
            return None
        return describe(product).size
    try:
        return stores_of(settings).look(product, place)
    except FileNotFoundError:
        return None


def _digest(settings: Settings, stop: threading.Event, product: Product, algorithm: str) -> str:
    """The checksum of a file, read some megabytes at a time."""
    if algorithm not in hashlib.algorithms_guaranteed or algorithm.startswith("shake"):
        raise OperatorFault(f"its checksum is of a kind ({algorithm}) that is not known here")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    source = open_source(replace(product, missing_date=None), settings)
    for start in range(0, source.size, _BLOCK):
        if stop.is_set():
            raise _StoppedError
        (block,) = source.read([(start, min(_BLOCK, source.size - start))])
        digest.update(block)
    return digest.hexdigest()


def _wrong(product: Product, kind: str, text: str) -> Finding:
    log.info("product %s (%s): %s", product.product_id, product.location, text)
    return Finding(product.product_id, kind, text)


def _record(
    database: Database, before: list[Product], found: list[tuple[Product, list[Finding]]], checked: Checked
) -> None:
    changed = [(was, now) for was, (now, _) in zip(before, found, strict=True) if now != was]
    if changed:
        with database.owner() as connection, connection.cursor() as cursor:
            rows = [(*_state(now), now.product_id, was.location, *_state(was)) for was, now in changed]
            cursor.executemany(_RECORD, rows)
            checked.recorded += cursor.rowcount
    for was, (now, _) in zip(before, found, strict=True):
        if now.role in IMAGE_ROLES and now.content_length != was.content_length:
            checked.resized.add((now.collection, now.plate_id))
    checked.sound += sum(not wrong for _, wrong in found)
    for _, wrong in found:
        checked.findings += wrong


def _state(product: Product) -> tuple[int | None, dt.datetime | None, str | None]:
    return product.content_length, product.missing_date, product.checksum
