"""The parameter UPLOAD: which tables come with a request, under which names (DALI 1.1, section 3.4.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from vo.dali.parameters import Parameters
from vo.errors import UsageFault

#: The schema under which a query names uploaded tables (TAP 1.1, section 2.5).
SCHEMA = "tap_upload"

#: Tables with one query.
MOST_TABLES = 20

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Several in one value stood between semicolons in TAP 1.0; an address may hold semicolons and commas, too.
_BETWEEN = re.compile(r";(?=\s*[A-Za-z][A-Za-z0-9_]*,)")
_LONGEST_NAME = 100
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """A table that comes along: ``name`` in the query (TAP_UPLOAD.name), and where it is.

    ``part`` names a part of the request itself, ``url`` an http or https address; one of the two is None.
    """

    name: str
    part: str | None = None
    url: str | None = None


def read_uploads(parameters: Parameters) -> tuple[UploadRequest, ...]:
    """Read every UPLOAD, in order (TAP-17); :class:`UsageFault` says which cannot be used and why."""
    values = (value for text in parameters.many("UPLOAD") for value in _BETWEEN.split(text))
    requests = tuple(_request(value.strip()) for value in values if value.strip())
    names = [request.name.lower() for request in requests]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageFault(f"UPLOAD: two tables are called {twice}; names are compared without case, give each its own")
    if len(requests) > MOST_TABLES:
        raise UsageFault(f"UPLOAD: {len(requests)} tables came, the limit is {MOST_TABLES}; join some before uploading")
    return requests


def _request(value: str) -> UploadRequest:
    name, comma, uri = (part.strip() for part in value.partition(","))
    if not comma or not uri:
        raise UsageFault(
            f"UPLOAD={value[:_SHOWN]!r} is not understood; write UPLOAD=name,param:part for a part of the request, "
            "or UPLOAD=name,https://... for a table elsewhere"
        )
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise UsageFault(
            f"UPLOAD: {name[:_SHOWN]!r} cannot be the name of a table; use letters, digits and _, a letter first, "
            f"at most {_LONGEST_NAME} of them"
        )
    scheme = urlsplit(uri).scheme.lower() if "://" in uri or uri.lower().startswith("param:") else ""
    if scheme == "param":
        return UploadRequest(name, part=uri[len("param:") :])
    if scheme in ("http", "https"):
        return UploadRequest(name, url=uri)
    raise UsageFault(f"UPLOAD: {uri[:_SHOWN]!r} is fetched from nowhere; tables come by param:, http: or https:")
