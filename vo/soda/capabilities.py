"""What the SODA service says of itself."""

from __future__ import annotations

from vo_models.voresource.models import Capability

from vo.dali.capability import capability as plain

STANDARD_ID = "ivo://ivoa.net/std/SODA#sync-1.0"
ASYNC_ID = "ivo://ivoa.net/std/SODA#async-1.0"


def capability(base_url: str) -> Capability:
    """The capability of the {sync} endpoint below ``base_url``, the server's address (SODA 1.0, section 2)."""
    return plain(STANDARD_ID, f"{base_url}/soda/sync", version="1.0")


def async_capability(base_url: str) -> Capability:
    """The capability of the {async} endpoint (SODA 1.0, section 2)."""
    return plain(ASYNC_ID, f"{base_url}/soda/async", version="1.0")
