"""Files that no source lists: a collection's templates say where they are for every scanned plate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

from psycopg import Connection, sql
from psycopg.rows import TupleRow, class_row

from vo.db.records import Exposure, PlateBundle, Product, Scan
from vo.ingest.report import Report
from vo.metadata.collection import Collection, ProductTemplate
from vo.metadata.templates import EXPOSURE_FIELDS, SCAN_FIELDS, fill_template

_COLUMNS = sql.SQL(", ").join(sql.Identifier(one.name) for one in fields(Product))
_ARCHIVED = sql.SQL("SELECT {} FROM archive.product WHERE collection = %s AND plate_id = ANY(%s)").format(_COLUMNS)

_KIND = "file without an address"


@dataclass(frozen=True, slots=True)
class Added:
    """A plate with the files of the templates, and why some could not be told."""

    bundle: PlateBundle
    problems: tuple[str, ...] = ()


def add_to_new(collection: Collection, bundles: list[PlateBundle], report: Report) -> list[PlateBundle]:
    """Add the files of the templates to plates that the archive does not have."""
    if not collection.products.templates:
        return bundles
    return [_told(add_products(bundle, collection.products.templates, ()), report) for bundle in bundles]


def add_to_known(
    connection: Connection[TupleRow], collection: Collection, bundles: Iterable[PlateBundle], report: Report
) -> list[PlateBundle]:
    """Add the files of the templates to plates that the archive may have with files of its own."""
    bundles = list(bundles)
    templates = collection.products.templates
    if not templates:
        return bundles
    archived: dict[str, list[Product]] = {}
    with connection.cursor(row_factory=class_row(Product)) as cursor:
        names = [bundle.plate.plate_id for bundle in bundles]
        for product in cursor.execute(_ARCHIVED, (collection.name, names)):
            archived.setdefault(product.plate_id, []).append(product)
    return [
        _told(add_products(bundle, templates, archived.get(bundle.plate.plate_id, ())), report) for bundle in bundles
    ]


def _told(added: Added, report: Report) -> PlateBundle:
    for problem in added.problems:
        report.note(0, added.bundle.plate.plate_id, _KIND, problem)
    return added.bundle


def add_products(bundle: PlateBundle, templates: Sequence[ProductTemplate], archived: Sequence[Product]) -> Added:
    """The plate with a product for each template that applies to it and that neither it nor the archive has yet.

    A product is the same when role, binning, scan and exposure are; one that is known but not held gets the template's
    location and keeps its identifier. Plates without a scan get none.
    """
    if not bundle.scans:
        return Added(bundle)
    own = {product.product_id: product for product in (*archived, *bundle.products)}
    made: dict[str, Product] = {}
    problems: list[str] = []
    for template in templates:
        for scan, exposure in _targets(bundle, template):
            try:
                product = _product(bundle, template, scan, exposure)
            except ValueError as error:
                problems.append(f"{template.file_name}: {error}")
                continue
            if product.product_id in made:
                problems.append(f"{template.file_name}: another file is called {product.product_id}")
                continue
            chosen = _merge(product, own.values())
            if chosen is not None:
                own[chosen.product_id] = made[chosen.product_id] = chosen
    others = (product for product in bundle.products if product.product_id not in made)
    return Added(replace(bundle, products=(*others, *made.values())), tuple(problems))


def _targets(bundle: PlateBundle, template: ProductTemplate) -> Iterator[tuple[Scan | None, Exposure | None]]:
    """What a template is filled for: exposures, scans, or the plate (with its scan where there is one alone)."""
    names = template.fields()
    scans = {scan.scan_id: scan for scan in bundle.scans}
    if names.intersection(EXPOSURE_FIELDS):
        yield from ((scans.get(one.scan_id or ""), one) for one in bundle.exposures if one.scan_id is not None)
    elif names.intersection(SCAN_FIELDS):
        yield from ((scan, None) for scan in bundle.scans)
    else:
        yield (bundle.scans[0] if len(bundle.scans) == 1 else None), None


def _product(bundle: PlateBundle, template: ProductTemplate, scan: Scan | None, exposure: Exposure | None) -> Product:
    plate = bundle.plate
    number = None if exposure is None or exposure.exposure_number is None else str(exposure.exposure_number)
    values = {
        "collection": plate.collection,
        "plate_id": plate.plate_id,
        "series": plate.series,
        "plate_number": plate.plate_number,
        "scan_id": None if scan is None else scan.scan_id,
        "exposure_id": None if exposure is None else exposure.exposure_id,
        "exposure_number": number,
    }
    name = fill_template(template.file_name, values, is_address=False)
    return Product(
        f"{plate.collection}/{plate.plate_id}/{name}",
        plate.collection,
        plate.plate_id,
        template.role,
        template.content_type,
        scan_id=None if scan is None else scan.scan_id,
        exposure_id=None if exposure is None else exposure.exposure_id,
        location=fill_template(template.location, values, is_address=True),
        hdu=template.hdu,
        bin_factor=template.bin_factor,
        description=template.description,
        is_base=template.is_base,
    )


def _merge(made: Product, known: Iterable[Product]) -> Product | None:
    """What becomes of a template's product beside those that are known; None when one of them is it."""
    key = (made.role, made.bin_factor, made.exposure_id)
    same = [
        one
        for one in known
        if one.product_id == made.product_id
        or ((one.role, one.bin_factor, one.exposure_id) == key and (one.scan_id or made.scan_id) == made.scan_id)
    ]
    if any(one.location is not None for one in same):
        return None
    if not same:
        return made
    return replace(
        same[0],
        location=made.location,
        content_type=made.content_type,
        hdu=made.hdu,
        is_base=made.is_base,
        description=same[0].description or made.description,
        missing_date=None,
    )
