"""vo-plates: publishes archives of photographic plates to the Virtual Observatory."""

from importlib.metadata import version

__version__ = version("vo-plates")
