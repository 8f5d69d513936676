"""Publisher identifiers: plates are ``ivo://<authority>/<collection>?<plate>``, exposures add ``/<exposure>``.

IVOA Identifiers 2.0, section 4.1: a dataset identifier is the collection's identifier with a query part.
"""

from __future__ import annotations

from urllib.parse import quote

#: What stands unencoded in the query part besides letters and digits; no ``+``, which forms turn into a blank.
_SAFE = "-._~"

#: What becomes of each ASCII character; a table is three times as quick as ``quote``.
_ENCODED = {code: quote(chr(code), safe=_SAFE) for code in range(128)}

LINKS_PATH = "/datalink/links"
DATALINK_FORMAT = "application/x-votable+xml;content=datalink"


def publisher_did(authority: str, collection: str, plate_id: str, exposure_id: str) -> str:
    """Name one exposure; plate and exposure are percent-encoded, so that ``/`` and ``#`` in names are safe."""
    return f"ivo://{authority}/{collection}?{_encoded(plate_id)}/{_encoded(exposure_id)}"


def plate_did(exposure_did: str) -> str:
    """The identifier of a plate, from that of any of its exposures."""
    return exposure_did.rpartition("/")[0]


def links_path(did: str) -> str:
    """The path, below the server's address, of the Datalink document of an exposure."""
    return f"{LINKS_PATH}?ID={_encoded(did)}"


def _encoded(text: str) -> str:
    """Percent-encode all but :data:`_SAFE`, letters and digits; most names need none of it, which is found quickly."""
    if not text.isascii():
        return quote(text, safe=_SAFE)
    return text if text.isalnum() else text.translate(_ENCODED)
