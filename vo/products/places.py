"""What the location of a product means: a file of this machine, an object in a bucket, a file on the web.

Locations are addresses: what is not plain in them is percent-encoded (``file:///plates/a%20plate.fits``,
``s3://bucket/a%20plate.fits``). They are nobody's business but the operator's, so faults name the product; the log
names the location.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

from vo.db.records import Product
from vo.errors import NotFoundFault, OperatorFault

log = logging.getLogger(__name__)

#: What stays as it is in an address that stands in a header of HTTP (RFC 3986, section 2); all else is encoded.
_PLAIN = "%:/?#[]@!$&'()*+,;=-._~"


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A file of this machine."""

    path: Path


@dataclass(frozen=True, slots=True)
class BucketPlace:
    """An object of an S3 bucket, or of one that understands S3."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class WebPlace:
    """A file that anybody can fetch at ``url``; ``server`` and ``path`` (not encoded) are its parts.

    ``path`` is None when the address has a query, which a store cannot ask.
    """

    url: str
    server: str
    path: str | None


Place = LocalPlace | BucketPlace | WebPlace


def find_place(product: Product) -> Place:
    """Where a product is kept; nothing is looked at.

    :class:`NotFoundFault` when the file is known but kept elsewhere (no location), :class:`OperatorFault` when its
    location is none that can be opened.
    """
    if product.location is None:
        where = f": {product.description}" if product.description else ""
        raise NotFoundFault(f"{product.product_id} is not held here{where}")
    try:
        parts = urlsplit(product.location)
    except ValueError:
        raise _refused(product, "is no address") from None
    match parts.scheme:
        case "file":
            return _local(product, parts)
        case "s3":
            return _bucket(product, parts)
        case "https" | "http":
            return _web(product, parts)
        case scheme:
            raise _refused(
                product,
                f"is of a kind ({scheme or 'no scheme'}) that vo-plates cannot open: it opens file:, s3:, https:",
            )


def _local(product: Product, parts: SplitResult) -> LocalPlace:
    """The path of a ``file:`` address (RFC 8089: ``file:/path``, ``file:///path``, ``file://localhost/path``)."""
    path = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not path.is_absolute():
        raise _refused(product, "is no absolute file: path of this machine")
    return LocalPlace(path)


def _bucket(product: Product, parts: SplitResult) -> BucketPlace:
    key = unquote(parts.path).removeprefix("/")
    if not parts.netloc or not key or parts.query or parts.fragment:
        raise _refused(product, "is no s3://bucket/key")
    return BucketPlace(parts.netloc, key)


def _web(product: Product, parts: SplitResult) -> WebPlace:
    try:
        is_whole = bool(parts.hostname) and parts.port != 0 and parts.username is None and parts.netloc.isascii()
    except ValueError:
        is_whole = False
    if not is_whole:
        raise _refused(product, "names no host of the web (in ASCII), or a user")
    path = None if parts.query else unquote(parts.path).removeprefix("/")
    # Taken from its parts: line ends are left out there, and must not stand in a header.
    return WebPlace(quote(parts.geturl(), safe=_PLAIN), f"{parts.scheme}://{parts.netloc}", path or None)


def _refused(product: Product, why: str) -> OperatorFault:
    log.warning("product %s: location %s %s", product.product_id, product.location, why)
    return OperatorFault(f"the location of {product.product_id} {why}; please tell the operator of this service")
