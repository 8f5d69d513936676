"""What the SIA2 service says of itself."""

from __future__ import annotations

from vo_models.voresource.models import Capability

from vo.dali.capability import capability as plain

STANDARD_ID = "ivo://ivoa.net/std/SIA#query-2.0"


def capability(base_url: str) -> Capability:
    """The capability of the {query} endpoint below ``base_url``, the server's address (SIA-04)."""
    return plain(STANDARD_ID, f"{base_url}/sia2/query", version="2.0")
