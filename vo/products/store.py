"""Where files are: opens and describes the locations of products.

Locations are nobody's business but the operator's, so faults name the product; the log names the location.
"""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vo.db.records import Product
from vo.errors import NotFoundFault, OperatorFault

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A file that is here now: its path (for memory maps and range reads) and what the file system says of it."""

    path: Path
    status: os.stat_result

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.status.st_size


def describe(product: Product) -> Held:
    """Find a product's file.

    :class:`NotFoundFault` when the file is known but kept elsewhere (no location); :class:`OperatorFault` when it
    should be here and is not, or when its location is of a kind that this version cannot open.
    """
    if product.location is None:
        raise NotFoundFault(f"{product.product_id} is not held here{_where(product)}")
    path = _path(product)
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
    return Held(path, status)


def _where(product: Product) -> str:
    return f": {product.description}" if product.description else ""


def _path(product: Product) -> Path:
    """The path of a ``file:`` location (RFC 8089: ``file:/path``, ``file:///path``, ``file://localhost/path``)."""
    location = product.location or ""
    parts = urlsplit(location)
    if parts.scheme != "file":
        log.warning("product %s: cannot open location %s", product.product_id, location)
        raise OperatorFault(
            f"{product.product_id} is kept in a store ({parts.scheme or 'no scheme'}) that this version of vo-plates "
            "cannot open; it opens file: locations"
        )
    path = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not path.is_absolute():
        log.warning("product %s: location %s is no absolute path of this machine", product.product_id, location)
        raise OperatorFault(
            f"the location of {product.product_id} is no absolute file: path of this machine; "
            "please tell the operator of this service"
        )
    return path
