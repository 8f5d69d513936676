"""The capabilities document (VOSI 1.1 section 2.1): what a service is, and where its own VOSI documents are."""

from __future__ import annotations

from vo_models.voresource.models import Capability
from vo_models.vosi.capabilities.models import VOSICapabilities

from vo.dali.capability import capability

_CAPABILITIES = "ivo://ivoa.net/std/VOSI#capabilities"
_AVAILABILITY = "ivo://ivoa.net/std/VOSI#availability"
_TABLES = "ivo://ivoa.net/std/VOSI#tables-1.1"


def document(own: Capability, service_url: str, *, has_tables: bool) -> bytes:
    """The document of the service at ``service_url``: its own capability, then the VOSI endpoints (VSI-02)."""
    listed = [
        own,
        capability(_CAPABILITIES, f"{service_url}/capabilities", version="1.0"),
        capability(_AVAILABILITY, f"{service_url}/availability", version="1.0"),
    ]
    if has_tables:
        listed.append(capability(_TABLES, f"{service_url}/tables", version="1.1"))
    text = VOSICapabilities(capability=listed).to_xml(skip_empty=True, encoding="UTF-8", xml_declaration=True)
    return text if isinstance(text, bytes) else text.encode()
