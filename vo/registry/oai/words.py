"""The words of the protocol that its parts share."""

from __future__ import annotations

from typing import Literal

Prefix = Literal["ivo_vor", "oai_dc"]
ListVerb = Literal["ListIdentifiers", "ListRecords"]

PREFIXES: tuple[Prefix, ...] = ("ivo_vor", "oai_dc")

#: The one set (Registry Interfaces 1.1; OAI-05): the records that are made here, which is all that are served.
MANAGED = "ivo_managed"
