"""Identifiers of this server's own resources (IVOA Identifiers 2.0), and where its records are shown and harvested."""

from __future__ import annotations

from urllib.parse import quote

from vo.metadata.collection import Collection
from vo.settings import Settings

#: Where the publishing registry answers.
OAI_PATH = "/oai"
#: Where records have their pages.
RECORDS_PATH = "/records"

#: The page of the authority's own record, which has no path: no collection is called so.
AUTHORITY_PAGE = "authority"

#: What stands in a path as it is (RFC 3986, section 3.3).
_PATH = "/!$&'()*+,;=:@"


def authority_id(settings: Settings) -> str:
    """The naming authority's own record (vg:Authority)."""
    return f"ivo://{settings.authority}"


def service_id(settings: Settings, name: str) -> str:
    """A resource of the server: ``organisation``, ``registry``, ``tap``, ``obscore`` or ``sia2``."""
    return f"ivo://{settings.authority}/{name}"


def collection_id(settings: Settings, collection: Collection) -> str:
    """A collection's record."""
    return collection.ivoid or f"ivo://{settings.authority}/{collection.name}"


def organisation_id(settings: Settings) -> str:
    """The publisher's record, here or in another registry."""
    return settings.publisher_ivoid or service_id(settings, "organisation")


def record_path(authority: str, identifier: str) -> str:
    """The path of a record's page at a server of ``authority``; identifiers of others keep theirs in it (REC-05)."""
    own = f"ivo://{authority}"
    rest = identifier.removeprefix("ivo://")
    if identifier.lower() == own:
        rest = AUTHORITY_PAGE
    elif identifier.lower().startswith(f"{own}/"):
        rest = identifier[len(own) + 1 :]
    return f"{RECORDS_PATH}/{quote(rest, safe=_PATH)}"


def named_by(authority: str, path: str) -> tuple[str, ...]:
    """The identifiers that a page's path, without :data:`RECORDS_PATH`, may stand for, the likeliest first."""
    own = f"ivo://{authority}"
    return (*((own,) if path == AUTHORITY_PAGE else ()), f"{own}/{path}", f"ivo://{path}")
