"""What goes into a value-added mosaic: solutions, provenance, a table of exposures and one of pictures."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import vo
from vo.db.records import Exposure, PlateBundle, Product, Scan, Solution
from vo.errors import NotFoundFault, UsageFault
from vo.pixels.bintable import TableColumn, table_hdu
from vo.pixels.cutheader import CutCard
from vo.pixels.mosaic import Layout, Mosaic, Placed, build, place
from vo.pixels.remember import Remembered
from vo.pixels.source import ByteSource
from vo.pixels.wcs import ImageWCS
from vo.products.grid import file_wcs
from vo.products.links import file_url, plate_url

#: What is told of a plate in pictures and papers, by role.
_PICTURES = (*("preview", "thumbnail", "plate_photo", "plate_photo_clean", "jacket_photo", "logbook", "documentation"),)


#: Headers and tables that are remembered take no more memory than this.
_KNOWN_BYTES = 16_000_000
_known: Remembered[Layout] = Remembered(_KNOWN_BYTES)


@dataclass(frozen=True, slots=True)
class _Solved:
    """A solution that fits the file, and where its cards stand."""

    solution: Solution
    placed: Placed

    @property
    def where(self) -> str:
        """``primary`` for the untagged system, a letter, or the extension that holds it."""
        if self.placed.key is None:
            return f"SOLUTION {self.placed.extension}"
        return self.placed.key.strip() or "primary"


def make_mosaic(bundle: PlateBundle, product: Product, source: ByteSource, publisher: str, base_url: str) -> Mosaic:
    """Put the current solutions of the plate's scan into a base file; see :func:`vo.pixels.mosaic.build` for faults.

    The same records and the same base give the same bytes, so that parts of the mosaic fit together whenever they are
    asked for: its date is that of the newest record. A solution that cannot be put in is told in HISTORY;
    NotFoundFault when none can. What was made is remembered for clients that fetch a large file part by part.
    """
    asked = repr((source.version, bundle, product, publisher, base_url, vo.__version__))

    def make() -> tuple[Layout, int]:
        layout = _make(bundle, product, source, publisher, base_url).layout
        return layout, layout.made_bytes

    return Mosaic(source, _known.get(hashlib.sha256(asked.encode()).digest(), make))


def _make(bundle: PlateBundle, product: Product, source: ByteSource, publisher: str, base_url: str) -> Mosaic:
    scan = next((one for one in bundle.scans if one.scan_id == product.scan_id), None)
    solved, problems = _solve(bundle, product, scan)
    if not solved:
        reasons = "; ".join(problems) or "it has none"
        raise NotFoundFault(f"no solution can be put into {product.product_id}: {reasons}")
    cards = [*_cards(bundle, product, scan, publisher, solved), *(("HISTORY", problem) for problem in problems)]
    page = plate_url(base_url, product.collection, product.plate_id)
    cards.append(("HISTORY", f"Page of the plate: {page}"))
    tables = [_exposures(bundle, solved), _pictures(bundle, base_url)]
    return build(source, product.hdu, [one.placed for one in solved], cards, tables)


def _solve(bundle: PlateBundle, product: Product, scan: Scan | None) -> tuple[list[_Solved], list[str]]:
    found: list[tuple[Solution, ImageWCS]] = []
    problems: list[str] = []
    for solution in sorted(bundle.solutions, key=lambda one: one.order):
        if not solution.is_current or solution.scan_id != product.scan_id:
            continue
        try:
            wcs = file_wcs(solution, product, scan)
        except UsageFault as fault:
            problems.append(f"{_name(solution)} left out: {fault.text}")
            continue
        if wcs is None:
            size = f"{solution.width} x {solution.height}"
            problems.append(f"{_name(solution)} left out: it is for {size} pixels, which do not fit this file's")
        else:
            found.append((solution, wcs))
    placed = place([(_name(solution), wcs) for solution, wcs in found])
    return [_Solved(solution, one) for (solution, _), one in zip(found, placed, strict=True)], problems


def _name(solution: Solution) -> str:
    return f"solution {solution.solution_id} version {solution.version}"


# ------------------------------------------------------------------------------------------------- cards


def _cards(
    bundle: PlateBundle, product: Product, scan: Scan | None, publisher: str, solved: Sequence[_Solved]
) -> Iterator[CutCard]:
    yield ("ORIGIN", publisher)
    if date := _date(scan, solved):
        yield ("DATE", date.strftime("%Y-%m-%dT%H:%M:%S"), "of the newest record that went in")
    yield ("VOCOLL", product.collection, "collection")
    yield ("VOPLATE", product.plate_id, "plate")
    yield ("VOSCAN", product.scan_id, "scan of the plate")
    yield ("VOBASE", product.product_id, "the base file")
    if product.checksum is not None:
        yield ("VOBASEMD", product.checksum, "checksum of the base file")
    yield ("VOBIN", product.bin_factor, "scan pixels along each axis of one pixel")
    yield ("VONSOL", len(solved), "solutions in this file")
    yield from _times(bundle.exposures)
    yield ("HISTORY", f"Value-added mosaic, made by vo-plates {vo.__version__} of the base file {product.product_id}:")
    yield ("HISTORY", "its pixels are unchanged; the solutions are those that were current on delivery")
    if scan is not None and scan.turn_deg:
        turn = f"turned by {scan.turn_deg} degrees counter-clockwise (first row at the bottom)"
        yield ("HISTORY", f"The solutions were made for the scan {turn};")
        yield ("HISTORY", "they are turned back here, since the pixels lie as in the base file")
    for one in solved:
        yield ("HISTORY", f"WCS {one.where}: {_told(one.solution)}")


def _told(solution: Solution) -> str:
    parts = [_name(solution), "no exposure is matched with it"]
    if solution.exposure_id is not None:
        parts[1] = f"exposure {solution.exposure_id}"
    parts.append(solution.status if solution.pipeline is None else f"{solution.status} by {solution.pipeline}")
    if solution.made_date is not None:
        parts.append(f"made {solution.made_date.date().isoformat()}")
    if solution.result_id is not None:
        parts.append(f"result {solution.result_id}")
    if solution.residual is not None:
        parts.append(f"residual {solution.residual:g} arcsec")
    return ", ".join(parts)


def _date(scan: Scan | None, solved: Sequence[_Solved]) -> dt.datetime | None:
    dates = [one.solution.made_date for one in solved]
    dates += [] if scan is None else [scan.made_date, scan.scan_date]
    return max((_utc(date) for date in dates if date is not None), default=None)


def _utc(date: dt.datetime) -> dt.datetime:
    return date.replace(tzinfo=dt.UTC) if date.tzinfo is None else date.astimezone(dt.UTC)


def _times(exposures: Sequence[Exposure]) -> Iterator[CutCard]:
    """When the plate was exposed, if it was once; the table of exposures has the others' times."""
    if len(exposures) != 1 or exposures[0].t_min is None or exposures[0].t_max is None:
        return
    yield ("TIMESYS", "UTC")
    yield ("MJD-BEG", exposures[0].t_min, "[d] start of the exposure")
    yield ("MJD-END", exposures[0].t_max, "[d] its end")
    if exposures[0].exptime is not None:
        yield ("XPOSURE", exposures[0].exptime, "[s] exposure time")


# ------------------------------------------------------------------------------------------------- tables


def _exposures(bundle: PlateBundle, solved: Sequence[_Solved]) -> bytes:
    """One row for each exposure of the plate and each solution on this scan that no exposure is matched with."""
    rows = list(_exposure_rows(bundle, solved))
    exposures = [exposure for exposure, _ in rows]
    solutions = [one.solution if one else None for _, one in rows]
    centres = [_centre(exposure, one) for exposure, one in rows]

    def of_exposure(name: str) -> list[str | float | int | None]:
        return [getattr(one, name) if one else None for one in exposures]

    def of_solution(name: str) -> list[str | float | int | None]:
        return [getattr(one, name) if one else None for one in solutions]

    columns = (
        TableColumn("exposure_id", "text", of_exposure("exposure_id"), comment="exposure of the plate"),
        TableColumn("exposure_number", "integer", of_exposure("exposure_number"), comment="its number"),
        TableColumn("obs_publisher_did", "text", of_exposure("publisher_did"), comment="its identifier"),
        TableColumn("t_min", "float", of_exposure("t_min"), "d", "its start, MJD UTC"),
        TableColumn("t_max", "float", of_exposure("t_max"), "d", "its end, MJD UTC"),
        TableColumn("exptime", "float", of_exposure("exptime"), "s", "exposure time"),
        TableColumn("ra", "float", [one[0] for one in centres], "deg", "centre, ICRS"),
        TableColumn("dec", "float", [one[1] for one in centres], "deg", "centre, ICRS"),
        TableColumn("position_origin", "text", [one[2] for one in centres], comment="where the centre is from"),
        TableColumn("wcs", "text", [one.where if one else None for _, one in rows], comment="where its WCS is"),
        TableColumn("solution_id", "text", of_solution("solution_id"), comment="its solution"),
        TableColumn("solution_version", "integer", of_solution("version"), comment="version of the solution"),
        TableColumn("result_id", "text", of_solution("result_id"), comment="the pipeline's name for it"),
        TableColumn("pipeline", "text", of_solution("pipeline"), comment="what made it"),
        TableColumn("residual", "float", of_solution("residual"), "arcsec", "rms distance of its stars"),
    )
    return table_hdu("EXPOSURES", columns)


def _exposure_rows(bundle: PlateBundle, solved: Sequence[_Solved]) -> Iterator[tuple[Exposure | None, _Solved | None]]:
    known = {exposure.exposure_id for exposure in bundle.exposures}
    for exposure in bundle.exposures:
        own: list[_Solved | None] = [one for one in solved if one.solution.exposure_id == exposure.exposure_id]
        yield from ((exposure, one) for one in own or [None])
    yield from ((None, one) for one in solved if one.solution.exposure_id not in known)


def _centre(exposure: Exposure | None, solved: _Solved | None) -> tuple[float | None, float | None, str | None]:
    if solved is not None:
        return (*solved.placed.wcs.centre, "solution")
    if exposure is None:
        return None, None, None
    return exposure.ra, exposure.dec, exposure.position_origin


def _pictures(bundle: PlateBundle, base_url: str) -> bytes:
    """Pictures and papers of the plate that are held here, by their permanent addresses."""
    held = [one for one in bundle.products if one.role in _PICTURES and one.location is not None]
    held.sort(key=lambda one: (_PICTURES.index(one.role), one.product_id))
    columns = (
        TableColumn("kind", "text", [one.role.replace("_", "-") for one in held], comment="what it shows"),
        TableColumn("description", "text", [one.description for one in held]),
        TableColumn("content_type", "text", [one.content_type for one in held]),
        TableColumn("url", "text", [file_url(base_url, one.product_id) for one in held], comment="permanent address"),
    )
    return table_hdu("PHOTOS", columns)
