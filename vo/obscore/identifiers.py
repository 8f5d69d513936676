"""Publisher identifiers of exposures: ``ivo://<authority>/<collection>?<plate>/<exposure>``.

IVOA Identifiers 2.0, section 4.1: a dataset identifier is the collection's identifier with a query part.
"""

from __future__ import annotations

from urllib.parse import quote

#: What stands unencoded in the query part besides letters and digits; no ``+``, which forms turn into a blank.
_SAFE = "-._~"

LINKS_PATH = "/datalink/links"
DATALINK_FORMAT = "application/x-votable+xml;content=datalink"


def publisher_did(authority: str, collection: str, plate_id: str, exposure_id: str) -> str:
    """Name one exposure; plate and exposure are percent-encoded, so that ``/`` and ``#`` in names are safe."""
    return f"ivo://{authority}/{collection}?{quote(plate_id, safe=_SAFE)}/{quote(exposure_id, safe=_SAFE)}"


def links_path(did: str) -> str:
    """The path, below the server's address, of the Datalink document of an exposure."""
    return f"{LINKS_PATH}?ID={quote(did, safe=_SAFE)}"
