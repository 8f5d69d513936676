"""Which mosaics there are, and their permanent addresses: ``/mosaics/<collection>/<plate_id>/<name>``."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from vo.db.records import IMAGE_ROLES, Exposure, PlateBundle, Product
from vo.errors import NotFoundFault
from vo.metadata.collection import Collection


def mosaic_url(base_url: str, product: Product) -> str:
    """The permanent address of the mosaic that is made of a base file."""
    parts = (product.collection, product.plate_id, mosaic_name(product))
    return f"{base_url.rstrip('/')}/mosaics/{'/'.join(quote(part, safe='') for part in parts)}"


def mosaic_name(product: Product) -> str:
    """``<scan_id>.fits``, with ``_bin<factor>`` when it is binned and ``.fz`` behind it when the base is compressed."""
    binned = f"_bin{product.bin_factor}" if product.bin_factor > 1 else ""
    packed = ".fz" if product.product_id.lower().endswith(".fz") else ""
    return f"{product.scan_id}{binned}.fits{packed}"


def find_mosaics(bundle: PlateBundle, exposure: Exposure, collection: Collection) -> tuple[Product, ...]:
    """The base files that show the exposure on its scan and can be had with coordinates, the best choice first.

    Each of them has an address of its own as a file, without coordinates, beside its :func:`mosaic_url`.
    """
    possible = list_mosaics(bundle)
    return tuple(one for one in bundle.images_of(exposure, collection.products.this) if one.product_id in possible)


def find_base(bundle: PlateBundle, name: str) -> Product:
    """The base file of the mosaic of this name; NotFoundFault when there is no such mosaic of the plate."""
    possible = list_mosaics(bundle)
    bases = [one for one in bundle.products if one.product_id in possible]
    found = next((one for one in bases if mosaic_name(one) == name), None)
    if found is not None:
        return found
    known = ", ".join(sorted(map(mosaic_name, bases))) or "none"
    raise NotFoundFault(f"plate {bundle.plate.plate_id} has no mosaic {name[:200]!r}; its mosaics are: {known}")


def list_mosaics(bundle: PlateBundle) -> frozenset[str]:
    """Product identifiers of base files that are held here plain or tile-compressed and whose scan has a solution.

    Of several that would have one address the first is meant; the others can be had as they are.
    """
    return frozenset(_possible(bundle))


def _possible(bundle: PlateBundle) -> Iterator[str]:
    solved = {solution.scan_id for solution in bundle.solutions if solution.is_current}
    taken: set[str] = set()
    for product in sorted(bundle.products, key=lambda one: one.product_id):
        is_image = product.role in IMAGE_ROLES and product.is_base and product.location is not None
        if not is_image or product.scan_id not in solved or product.product_id.lower().endswith(".gz"):
            continue
        if mosaic_name(product) not in taken:
            taken.add(mosaic_name(product))
            yield product.product_id
