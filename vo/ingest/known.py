"""Lists of exposures over what files have told before: a logbook's word does not undo a solution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.archive import read_bundles
from vo.db.records import Exposure, PlateBundle, Product, Scan

_KNOWN = """
SELECT DISTINCT plate_id FROM (
    SELECT plate_id FROM archive.solution WHERE collection = %(collection)s AND plate_id = ANY(%(plates)s)
    UNION ALL
    SELECT plate_id FROM archive.product
    WHERE collection = %(collection)s AND plate_id = ANY(%(plates)s)
    AND (location IS NOT NULL OR is_base OR checksum IS NOT NULL OR role NOT IN ('fits', 'fits_binned'))
) AS known
"""


def keep_known(
    connection: Connection[TupleRow], collection: str, bundles: Sequence[PlateBundle]
) -> Iterator[PlateBundle]:
    """The bundles, with what the archive knows better and they do not bring themselves.

    An exposure that a list gives by its logged position keeps place and scan of the solution that the archive matches
    with it; a plate of a list keeps emulsion, filter and the like from its files; a file that is held stays held.
    """
    names = [bundle.plate.plate_id for bundle in bundles]
    found = connection.execute(_KNOWN, {"collection": collection, "plates": names}).fetchall()
    known = {one.plate.plate_id: one for one in read_bundles(connection, [(collection, name) for (name,) in found])}
    for bundle in bundles:
        archived = known.get(bundle.plate.plate_id)
        yield bundle if archived is None else _kept(bundle, archived)


def _kept(bundle: PlateBundle, archived: PlateBundle) -> PlateBundle:
    products = tuple(_held(product, archived) for product in bundle.products)
    if bundle.solutions:
        return replace(bundle, products=products)
    empty = {
        one.name: getattr(archived.plate, one.name)
        for one in fields(bundle.plate)
        if getattr(bundle.plate, one.name) is None
    }
    scans = tuple(_measured(scan, archived) for scan in bundle.scans)
    exposures = tuple(_placed(exposure, archived) for exposure in bundle.exposures)
    return replace(bundle, plate=replace(bundle.plate, **empty), scans=scans, exposures=exposures, products=products)


def _measured(scan: Scan, archived: PlateBundle) -> Scan:
    """Give the scan what its file told."""
    before = next((one for one in archived.scans if one.scan_id == scan.scan_id), scan)
    return replace(
        scan,
        width=scan.width or before.width,
        height=scan.height or before.height,
        pixel_scale=scan.pixel_scale or before.pixel_scale,
        scan_date=before.scan_date or scan.scan_date,
        made_date=scan.made_date or before.made_date,
        turn_deg=before.turn_deg if scan.turn_deg is None else scan.turn_deg,
    )


def _held(product: Product, archived: PlateBundle) -> Product:
    """A file that is held stays so; of one that is not, what was told before stays known.

    A file that brought no coordinates is a base mosaic once somebody says so.
    """
    same = next((one for one in archived.products if one.product_id == product.product_id), None)
    if same is None:
        return product
    if product.location is not None:
        return _checked(product, same)
    if same.location is not None:
        solved = any(one.scan_id == same.scan_id for one in archived.solutions)
        return replace(same, is_base=same.is_base or (product.is_base and not solved))
    told = {one.name: getattr(same, one.name) for one in fields(product) if getattr(product, one.name) is None}
    return replace(product, **told, is_base=product.is_base or same.is_base)


def _checked(product: Product, before: Product) -> Product:
    """Keep what `vo products check` found, unless another file lies there now; who gives a length has seen the file."""
    if product.location != before.location or product.content_length not in (None, before.content_length):
        return product
    return replace(
        product,
        content_length=before.content_length,
        checksum=product.checksum or before.checksum,
        missing_date=before.missing_date if product.content_length is None else None,
    )


def _placed(exposure: Exposure, archived: PlateBundle) -> Exposure:
    before = next((one for one in archived.exposures if one.exposure_id == exposure.exposure_id), None)
    matched = any(one.is_current and one.exposure_id == exposure.exposure_id for one in archived.solutions)
    if before is None or not matched:
        return exposure
    return replace(
        exposure,
        ra=before.ra,
        dec=before.dec,
        position_origin=before.position_origin,
        scan_id=before.scan_id,
        has_imaging=before.has_imaging,
    )
