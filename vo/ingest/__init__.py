"""Readers of plate lists and headers, and the loader."""
