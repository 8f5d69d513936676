"""What the Datalink service says of itself."""

from __future__ import annotations

from vo_models.voresource.models import Capability

from vo.dali.capability import capability as plain
from vo.datalink.answer import STANDARD_ID


def capability(base_url: str) -> Capability:
    """The capability of the {links} endpoint below ``base_url``, the server's address (DataLink 1.1, section 2.1)."""
    return plain(STANDARD_ID, f"{base_url}/datalink/links", version="1.1")
