"""The archive's five things, as rows: plate, scan, exposure, solution, product (docs/design.md, "Words").

Each dataclass is one table of the schema ``archive``, field for column; :data:`KEYS` names their primary keys.
Readers make them, the loader writes them, Datalink and SODA read them back.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field

_NUMBER = re.compile(r"([0-9]+)")


@dataclass(frozen=True, slots=True)
class Plate:
    """The glass. Sizes in mm, ``plate_scale`` in arcsec/mm, wavelengths in m (vacuum).

    ``own`` holds what the collection's own columns need, by column name.
    """

    collection: str
    plate_id: str
    series: str | None = None
    plate_number: str | None = None
    facility_name: str | None = None
    instrument_name: str | None = None
    plate_class: str | None = None
    emulsion: str | None = None
    filter: str | None = None
    em_min: float | None = None
    em_max: float | None = None
    plate_scale: float | None = None
    width_mm: float | None = None
    height_mm: float | None = None
    comment: str | None = None
    own: dict[str, str | float | int | bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scan:
    """The digital image of a whole plate, whether or not its file is here; ``width`` and ``height`` in pixels.

    ``rotation_deg`` is how the plate lay on the scanner. ``turn_deg`` (0, 90, 180 or -90) is by how much the pixels of
    its base files have to be turned counter-clockwise, as they are displayed with the first row at the bottom, to lie
    on the grid that its solutions are written for.
    """

    collection: str
    plate_id: str
    scan_id: str
    width: int | None = None
    height: int | None = None
    pixel_scale: float | None = None
    rotation_deg: float | None = None
    scan_date: dt.datetime | None = None
    made_date: dt.datetime | None = None
    turn_deg: int | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """One opening of the shutter, logged or found by its solution.

    ``ra`` and ``dec`` are ICRS degrees, None when unknown; ``position_origin`` says where they come from:
    ``solution`` or ``logbook``. ``t_min`` and ``t_max`` are MJD UTC, ``exptime`` s. ``scan_id`` is the scan that
    shows it best, None when the plate is unscanned; ``has_imaging`` whether this exposure has a place in
    a scan. ``t_calib_status`` is ObsCore's (OBS-14). ``repair`` tells what ingest changed, for people.
    """

    collection: str
    plate_id: str
    exposure_id: str
    publisher_did: str
    exposure_number: int | None = None
    origin: str = "logged"
    ra: float | None = None
    dec: float | None = None
    position_origin: str | None = None
    rotation_deg: float | None = None
    t_min: float | None = None
    t_max: float | None = None
    exptime: float | None = None
    t_calib_status: str | None = None
    target_name: str | None = None
    observer: str | None = None
    scan_id: str | None = None
    has_imaging: bool = False
    repair: str | None = None


@dataclass(frozen=True, slots=True)
class Solution:
    """One WCS for one exposure on one scan: a versioned record apart from pixel files.

    ``header`` is the FITS header text (80-character cards joined by newlines) that holds the WCS,
    ``wcs_key`` its alternate letter (" " for the untagged one), ``width`` and ``height`` the pixel grid it is
    written for. ``exposure_id`` is the exposure it is matched with, None when none is known. Of the versions
    of one ``solution_id`` exactly one ``is_current``. ``residual`` is the root mean square distance in arcsec of its
    ``star_count`` reference stars from their catalogue places, where the pipeline told it.
    """

    collection: str
    plate_id: str
    scan_id: str
    solution_id: str
    version: int
    exposure_id: str | None
    header: str
    wcs_key: str
    width: int
    height: int
    is_current: bool = True
    status: str = "accepted"
    result_id: str | None = None
    pipeline: str | None = None
    made_date: dt.datetime | None = None
    residual: float | None = None
    star_count: int | None = None

    @property
    def order(self) -> tuple[str | int, ...]:
        """Sorts the solutions of a scan as their numbers tell: s2 before s10."""
        return tuple(int(part) if place % 2 else part for place, part in enumerate(_NUMBER.split(self.solution_id)))


@dataclass(frozen=True, slots=True)
class Product:
    """A file of a plate.

    ``role`` is one of :data:`ROLES`. ``location`` is ``file:``, ``s3:`` or ``https:``, None when the file is known to
    exist elsewhere but is not held here. ``bin_factor`` tells how many scan pixels one pixel of an image covers along
    each axis; ``hdu`` is the image's HDU in a FITS file. ``is_base`` marks an image whose header has no coordinates:
    the current solutions are put into it on its way out. ``checksum`` is ``<algorithm>:<hexadecimal digits>``.
    ``missing_date`` tells when it was looked for in vain, None while it is where it should be. ``product_id`` is
    ``<collection>/<plate>/<file name>``, permanent.
    """

    product_id: str
    collection: str
    plate_id: str
    role: str
    content_type: str
    scan_id: str | None = None
    exposure_id: str | None = None
    location: str | None = None
    content_length: int | None = None
    width: int | None = None
    height: int | None = None
    pixel_scale: float | None = None
    hdu: int = 0
    bin_factor: int = 1
    description: str | None = None
    is_base: bool = False
    checksum: str | None = None
    missing_date: dt.datetime | None = None


#: What a product is to its plate: full FITS, binned FITS, preview, thumbnail; photographs of the plate with its
#: markings and after it was cleaned, and of its jacket; logbook page; photometric calibration; raw data that the scan
#: was made of; other papers.
ROLES = (
    *("fits", "fits_binned", "preview", "thumbnail"),
    *("plate_photo", "plate_photo_clean", "jacket_photo", "logbook"),
    *("calibration", "raw", "documentation"),
)

#: The roles of a file whose pixels can be measured and cut.
IMAGE_ROLES = ("fits", "fits_binned")

Record = Plate | Scan | Exposure | Solution | Product

#: Table (in schema ``archive``) and primary key of each record type.
KEYS: dict[type[Record], tuple[str, tuple[str, ...]]] = {
    Plate: ("plate", ("collection", "plate_id")),
    Scan: ("scan", ("collection", "plate_id", "scan_id")),
    Exposure: ("exposure", ("collection", "plate_id", "exposure_id")),
    Solution: ("solution", ("collection", "plate_id", "scan_id", "solution_id", "version")),
    Product: ("product", ("product_id",)),
}


@dataclass(frozen=True, slots=True)
class PlateBundle:
    """A plate with all that belongs to it: what footprints, ObsCore rows, links and pages are made from."""

    plate: Plate
    scans: tuple[Scan, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    solutions: tuple[Solution, ...] = ()
    products: tuple[Product, ...] = ()

    def records(self) -> tuple[Record, ...]:
        """All of them, parents first."""
        return (self.plate, *self.scans, *self.exposures, *self.solutions, *self.products)

    def solution_of(self, exposure: Exposure) -> Solution | None:
        """The exposure's own current solution on the scan that shows it best, None when it has none.

        A solution of another scan does not fit the pixels of this one.
        """
        own = [
            solution
            for solution in self.solutions
            if solution.is_current
            and solution.exposure_id == exposure.exposure_id
            and solution.scan_id == exposure.scan_id
        ]
        return min(own, key=lambda solution: solution.solution_id, default=None)

    def images_of(self, exposure: Exposure, this: str) -> tuple[Product, ...]:
        """The FITS files that show the exposure on its scan: those of the role ``this`` first, then the finest.

        The first is what Datalink calls ``#this``. A file without exposure or scan is of all of the plate's.
        """
        own = [
            product
            for product in self.products
            if product.role in IMAGE_ROLES
            and product.exposure_id in (None, exposure.exposure_id)
            and (exposure.scan_id is None or product.scan_id in (None, exposure.scan_id))
        ]
        return tuple(sorted(own, key=lambda one: (one.role != this, one.bin_factor, one.product_id)))
