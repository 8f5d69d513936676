"""Parts of files and copies that are still good, as clients ask for them (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re

from vo.errors import UsageFault

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)


class RangeFault(UsageFault):
    """A part that lies behind the end of a file (RFC 9110, section 15.5.17)."""

    status = 416


def find_range(asked: str | None, if_range: str | None, etag: str, size: int) -> tuple[int, int] | None:
    """The bytes (first, behind the last) that the headers Range and If-Range ask for; None: the whole file.

    A Range that cannot be read is ignored, as the standard has it; so is one of several parts, which is allowed. An
    If-Range with anything but this strong tag means the whole file. RangeFault when nothing of the file is in it.
    """
    found = _RANGE.fullmatch(asked or "")
    if found is None or (if_range is not None and if_range.strip() != etag):
        return None
    first, last = found[1], found[2]
    if first and last and int(last) < int(first):
        return None
    if not first and not last:
        return None
    if not first:
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), size if not last else min(int(last) + 1, size)
    if start >= stop:
        raise RangeFault(f"the file has {size} bytes; the part asked for ({asked}) lies behind its end")
    return start, stop


def is_unchanged(if_none_match: str | None, etag: str) -> bool:
    """Whether the client's copy is this one (RFC 9110, section 13.1.2); weak comparison."""
    if if_none_match is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or etag in tags
