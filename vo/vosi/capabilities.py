"""The capabilities document (VOSI 1.1 section 2.1)."""

from __future__ import annotations

from collections.abc import Sequence

from vo_models.voresource.models import Capability
from vo_models.vosi.capabilities.models import VOSICapabilities


def document(capabilities: Sequence[Capability]) -> bytes:
    """The document of a service with these capabilities (:meth:`vo.dali.service.Service.capabilities`)."""
    text = VOSICapabilities(capability=list(capabilities)).to_xml(
        skip_empty=True, encoding="UTF-8", xml_declaration=True
    )
    return text if isinstance(text, bytes) else text.encode()
