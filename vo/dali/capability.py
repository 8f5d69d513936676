"""What a service says of itself: the capability elements of VOSI and the registry, as vo-models types.

vo-models covers VOSICapabilities, TAPRegExt's TableAccess and VODataService's ParamHTTP; here is only the shorthand
that every service's ``capabilities.py`` needs.
"""

from __future__ import annotations

from typing import Literal

from pydantic.networks import AnyUrl
from vo_models.vodataservice.models import ParamHTTP
from vo_models.voresource.models import AccessURL, Capability


def interface(
    url: str, *, use: Literal["full", "base"] = "full", role: str | None = None, version: str | None = None
) -> ParamHTTP:
    """A vs:ParamHTTP interface at this address (VODataService 1.2 section 3.3.3)."""
    return ParamHTTP(access_url=[AccessURL(value=AnyUrl(url), use=use)], role=role, version=version)


def capability(standard_id: str, url: str, *, role: str | None = "std", version: str | None = None) -> Capability:
    """A plain vr:Capability with one interface at this full address: VOSI, SIA2, Datalink and SODA need no more."""
    return Capability(standard_id=AnyUrl(standard_id), interface=[interface(url, role=role, version=version)])
