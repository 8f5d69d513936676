"""Streaming writers of result tables, and VOTable service descriptors."""
