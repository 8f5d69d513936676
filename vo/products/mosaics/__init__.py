"""Value-added mosaics: base files of scans with the plate's current solutions put in on the way out."""

from __future__ import annotations

from vo.products.mosaics.names import find_mosaics, list_mosaics, mosaic_url

__all__ = ["find_mosaics", "list_mosaics", "mosaic_url"]
