"""Where files are: tells of products, and opens them for reading, whether they are here or in a store far away."""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vo.db.records import Product
from vo.errors import OperatorFault
from vo.pixels.source import ByteSource, LocalFile
from vo.products.places import LocalPlace, find_place
from vo.products.remote import stores_of
from vo.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A file that can be had: its length in bytes where that is known, and for a file of this machine what it tells."""

    size: int | None
    local: Path | None = None
    status: os.stat_result | None = None

    @property
    def path(self) -> Path:
        """The path of a file of this machine; :class:`OperatorFault` when it is kept in a store elsewhere."""
        if self.local is None:
            raise OperatorFault("the file is kept in a store elsewhere, and this needs one of this machine")
        return self.local


def describe(product: Product) -> Held:
    """Find a product's file without asking any network.

    A file of this machine is looked at. Of one in a store its record says what ``vo products check`` found.

    :class:`vo.errors.NotFoundFault` when the file is known but kept elsewhere (no location); :class:`OperatorFault`
    when it should be here and is not, or when its location is of a kind that cannot be opened.
    """
    place = find_place(product)
    if isinstance(place, LocalPlace):
        return _look(product, place.path)
    if product.missing_date is not None:
        raise OperatorFault(
            f"{product.product_id} was looked for on {product.missing_date.date().isoformat()} and is not in its "
            "store; please tell the operator of this service"
        )
    return Held(product.content_length)


def open_source(product: Product, settings: Settings | None = None) -> ByteSource:
    """A product's bytes, to read parts of; ``settings`` say how stores are asked (those of the environment if None).

    Faults as :func:`describe`; :class:`vo.errors.TransientFault` when the store does not answer.
    """
    place = find_place(product)
    if isinstance(place, LocalPlace):
        return LocalFile(_look(product, place.path).path, product.product_id)
    return stores_of(settings or _own_settings()).open(product, place)


@cache
def _own_settings() -> Settings:
    """The settings of this process, which were read from the environment when it started."""
    return Settings()  # type: ignore[call-arg]  # each field has its default


def _look(product: Product, path: Path) -> Held:
    try:
        status = path.stat()
    except OSError as error:
        log.warning("product %s: %s: %s", product.product_id, product.location, error.strerror)
        raise OperatorFault(
            f"the file of {product.product_id} is listed but cannot be read here ({error.strerror}); "
            "please tell the operator of this service"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        log.warning("product %s: %s is not a file", product.product_id, product.location)
        raise OperatorFault(
            f"what is listed as {product.product_id} is not a file; please tell the operator of this service"
        )
    return Held(status.st_size, path, status)
