"""Typed descriptions of tables and collections, read once from YAML and TOML."""
