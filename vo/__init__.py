"""vo-plates: publishes archives of photographic plates to the Virtual Observatory."""

from __future__ import annotations

import functools


def __getattr__(name: str) -> str:
    """``vo.__version__``, looked up when it is asked for: that takes 30 ms, and most imports of vo do not need it."""
    if name == "__version__":
        return _version()
    raise AttributeError(name)


@functools.cache
def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - the slow part of it

    return version("vo-plates")
