"""Shapes on the sphere: what geometry functions become, frames, coverages (MOCs)."""
