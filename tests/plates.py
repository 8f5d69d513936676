"""Records of small invented plates, for tests of what is made from them."""

from __future__ import annotations

from pathlib import Path

from vo.db.records import Exposure, Plate, PlateBundle, Product, Scan, Solution
from vo.metadata.collection import Collection

NAME = "tests"


def collection(this: str = "fits", **values) -> Collection:
    """A collection's descriptor without a folder of its own."""
    return Collection.model_validate(
        {
            "name": NAME,
            "title": "Plates for tests",
            "description": "Invented plates.",
            "creators": ("Tester",),
            "products": {"this": this},
            "folder": Path("/nowhere"),
            **values,
        }
    )


def did(plate_id: str, exposure_id: str) -> str:
    """The publisher DID of an exposure."""
    return f"ivo://vo-plates.example/{NAME}?{plate_id}/{exposure_id}"


def exposure(plate_id: str = "p1", exposure_id: str = "1", **values) -> Exposure:
    """A scanned exposure unless ``values`` say otherwise."""
    defaults = {"scan_id": "s1", "has_imaging": True, "publisher_did": did(plate_id, exposure_id)}
    return Exposure(NAME, plate_id, exposure_id, **{**defaults, **values})


def product(name: str, role: str, content_type: str = "image/fits", plate_id: str = "p1", **values) -> Product:
    """A product of scan s1."""
    defaults = {"scan_id": "s1" if role.startswith("fits") else None}
    return Product(f"{NAME}/{plate_id}/{name}", NAME, plate_id, role, content_type, **{**defaults, **values})


def solution(plate_id: str = "p1", exposure_id: str | None = "1", **values) -> Solution:
    """A solution whose header is of no interest."""
    defaults = {"solution_id": "0", "version": 1, "header": "", "wcs_key": " ", "width": 1000, "height": 800}
    return Solution(NAME, plate_id, values.pop("scan_id", "s1"), exposure_id=exposure_id, **{**defaults, **values})


def bundle(exposures=None, products=(), solutions=(), scans=None, plate_id: str = "p1", **values) -> PlateBundle:
    """A plate with one scan and one exposure unless told otherwise."""
    exposures = (exposure(),) if exposures is None else exposures
    scans = (Scan(NAME, plate_id, "s1"),) if scans is None else scans
    return PlateBundle(
        Plate(NAME, plate_id, **values), tuple(scans), tuple(exposures), tuple(solutions), tuple(products)
    )
