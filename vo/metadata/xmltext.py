"""Texts as XML can hold them (XML 1.0, section 2.2)."""

from __future__ import annotations

import re

#: Characters that XML has no way to write: most control characters, halves of pairs, two that are none.
UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def writable(text: str) -> str:
    """The text with a replacement sign for each character that XML cannot write."""
    return UNWRITABLE.sub("\ufffd", text)
