"""The services of a server, in the words of VOSI and the registry: what the server answers and records advertise."""

from __future__ import annotations

from dataclasses import dataclass

import vo.datalink.capabilities
import vo.sia2.capabilities
import vo.soda.capabilities
import vo.tap.capabilities
from vo.dali.service import Service
from vo.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """Each of them by its name."""

    tap: Service
    sia2: Service
    datalink: Service
    soda: Service

    def all(self) -> tuple[Service, ...]:
        """All of them."""
        return self.tap, self.sia2, self.datalink, self.soda


def make_services(settings: Settings, *, has_examples: bool) -> Services:
    """The services of a server with these settings; ``has_examples`` when there are example queries for TAP."""
    return Services(
        tap=Service(
            "/tap",
            lambda base: vo.tap.capabilities.capability(settings, base),
            has_tables=True,
            has_examples=has_examples,
        ),
        sia2=Service("/sia2", vo.sia2.capabilities.capability),
        datalink=Service("/datalink", vo.datalink.capabilities.capability),
        soda=Service(
            "/soda",
            vo.soda.capabilities.capability,
            others=lambda base: (vo.soda.capabilities.async_capability(base),),
        ),
    )
