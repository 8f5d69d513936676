"""A service as VOSI and the registry describe it: where it is, and what it can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic.networks import AnyUrl
from vo_models.voresource.models import AccessURL, Capability, WebBrowser

from vo.dali.capability import capability

_CAPABILITIES = "ivo://ivoa.net/std/VOSI#capabilities"
_AVAILABILITY = "ivo://ivoa.net/std/VOSI#availability"
_TABLES = "ivo://ivoa.net/std/VOSI#tables-1.1"
_EXAMPLES = "ivo://ivoa.net/std/DALI#examples"


def _no_others(_base: str) -> Sequence[Capability]:
    return ()


@dataclass(frozen=True, slots=True)
class Service:
    """A service at ``path`` (such as ``/tap``); ``capability`` makes its own capability from the base address.

    ``has_tables`` and ``has_examples`` say whether ``<path>/tables`` and ``<path>/examples`` answer; ``others`` makes
    further capabilities of its own.
    """

    path: str
    capability: Callable[[str], Capability]
    has_tables: bool = False
    has_examples: bool = False
    others: Callable[[str], Sequence[Capability]] = _no_others

    def capabilities(self, base: str) -> tuple[Capability, ...]:
        """All capabilities of the service on the server at ``base``: its own, then the VOSI endpoints (VSI-02)."""
        url = f"{base}{self.path}"
        listed = [
            self.capability(base),
            *self.others(base),
            capability(_CAPABILITIES, f"{url}/capabilities", version="1.0"),
            capability(_AVAILABILITY, f"{url}/availability", version="1.0"),
        ]
        if self.has_tables:
            listed.append(capability(_TABLES, f"{url}/tables", version="1.1"))
        if self.has_examples:
            # A page for people, too: VOResource's word for that is WebBrowser.
            page = WebBrowser(access_url=[AccessURL(value=AnyUrl(f"{url}/examples"), use="full")])
            listed.append(Capability(standard_id=AnyUrl(_EXAMPLES), interface=[page]))
        return tuple(listed)
