"""Ingest: what curators have, read into the archive and from there into the published tables."""
