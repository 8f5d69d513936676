"""From the solutions in a header to the records of a plate, matched with what the archive already has of it.

Which solution belongs to which logged exposure is never guessed:

1. a solution that the archive already matches with an exposure stays matched;
2. a plate with one exposure and a scan with one solution: they are the same;
3. with several, an exposure and a solution belong together when their centres agree within a tenth of the field, and
   neither agrees with another;
4. what is left over stays: solutions become exposures of their own (origin ``found``), exposures stay without solution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from vo.db.records import Exposure, Plate, PlateBundle, Product, Scan, Solution
from vo.ingest.readers.described import Described
from vo.pixels.wcs import ImageWCS

#: Centres agree when they are nearer than this part of the field's diagonal.
_NEAR = 0.1
#: What the solutions of binned images have in their names.
_BINNED = "-bin"

Record = TypeVar("Record", Plate, Scan)


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a scan, here or elsewhere.

    ``width`` and ``height`` in pixels, ``factor`` how many pixels of the full scan one of these covers along each axis.
    """

    described: Described
    width: int
    height: int
    factor: int
    solutions: tuple[ImageWCS, ...]
    product: Product


def bundle(image: Image, archived: PlateBundle | None) -> PlateBundle:
    """The plate with this image: the records to merge into the archive, whose state ``archived`` is."""
    described = image.described
    scan_id = described.scan_id()
    scale = image.solutions[0].pixel_scale / image.factor if image.solutions else None
    full = (image.width, image.height) if image.factor == 1 else (None, None)
    scan = replace(described.scan(image.width, image.height, scale), width=full[0], height=full[1])
    known = next((one for one in archived.scans if one.scan_id == scan_id), None) if archived else None
    if known is not None:
        scan = _filled(scan, known) if image.factor == 1 else _filled(known, scan)
    plate = described.plate()
    if archived is not None:
        plate = _with_band(_filled(plate, archived.plate), archived.plate)
    names = _solution_ids(image)
    matches = _match(image, names, scan_id, archived)
    exposures = tuple(_exposures(image, matches, archived))
    solutions = tuple(
        record
        for wcs, name, match in zip(image.solutions, names, matches, strict=True)
        for record in _versions(_solution(described, wcs, scan_id, name, match), archived)
    )
    return PlateBundle(plate, (scan,), exposures, solutions, (_product(image.product, archived),))


def _solution_ids(image: Image) -> tuple[str, ...]:
    """``s0``, ``s1`` ... in the header's order; solutions of binned images have names of their own."""
    tail = "" if image.factor == 1 else f"{_BINNED}{image.factor}"
    return tuple(f"s{number}{tail}" for number in range(len(image.solutions)))


# ------------------------------------------------------------------------------------------------- matching


def _match(image: Image, names: Sequence[str], scan_id: str, archived: PlateBundle | None) -> tuple[str, ...]:
    """The exposure of each solution, in their order."""
    found: list[str | None] = [_matched_before(name, scan_id, archived) for name in names]
    open_solutions = [number for number, match in enumerate(found) if match is None]
    free = [one for one in (archived.exposures if archived else ()) if one.exposure_id not in found]
    if (
        len(image.solutions) == 1
        and len(open_solutions) == 1
        and len(free) == 1
        and archived
        and len(archived.exposures) == 1
    ):
        found[0] = free[0].exposure_id
    else:
        for number, exposure_id in _by_place(image.solutions, open_solutions, free):
            found[number] = exposure_id
    own = image.described.find("exposure_id") or "1"
    taken = {one.exposure_id for one in (archived.exposures if archived else ())} | {one for one in found if one}
    made: list[str] = []
    for number, match in enumerate(found):
        name = match or _free_name(own, number, len(found), taken)
        taken.add(name)
        made.append(name)
    return tuple(made)


def _matched_before(name: str, scan_id: str, archived: PlateBundle | None) -> str | None:
    if archived is None:
        return None
    for solution in archived.solutions:
        if (solution.scan_id, solution.solution_id) == (scan_id, name) and solution.is_current:
            return solution.exposure_id
    return None


def _by_place(
    solutions: Sequence[ImageWCS], numbers: Sequence[int], exposures: Sequence[Exposure]
) -> Iterator[tuple[int, str]]:
    """Pairs whose centres agree, each with nobody else."""
    near = {number: [one.exposure_id for one in exposures if _agrees(solutions[number], one)] for number in numbers}
    for number, candidates in near.items():
        if len(candidates) == 1 and sum(candidates[0] in other for other in near.values()) == 1:
            yield number, candidates[0]


def _agrees(wcs: ImageWCS, exposure: Exposure) -> bool:
    if exposure.ra is None or exposure.dec is None:
        return False
    ra, dec = np.radians(wcs.centre)
    ra2, dec2 = np.radians((exposure.ra, exposure.dec))
    haversine = np.sin((dec - dec2) / 2) ** 2 + np.cos(dec) * np.cos(dec2) * np.sin((ra - ra2) / 2) ** 2
    distance = np.degrees(2.0 * np.arcsin(np.sqrt(min(1.0, float(haversine)))))
    field = np.hypot(*wcs.shape) * wcs.pixel_scale / 3600.0
    return bool(distance < _NEAR * field)


def _free_name(own: str, number: int, count: int, taken: set[str]) -> str:
    """A name for an exposure that only its solution tells of."""
    name = own if count == 1 or number == 0 else f"{own}-s{number}"
    return name if name not in taken else f"{own}-found-s{number}"


# ------------------------------------------------------------------------------------------------- records


def _exposures(image: Image, matches: Sequence[str], archived: PlateBundle | None) -> Iterator[Exposure]:
    known = {one.exposure_id: one for one in archived.exposures} if archived else {}
    described = image.described
    if not matches and not known:
        yield described.exposure(described.find("exposure_id") or "1", found=False)
        return
    if not matches:
        yield from _unsolved(described, known.values())
        return
    for wcs, exposure_id in zip(image.solutions, matches, strict=True):
        made = described.exposure(exposure_id, found=True)
        made = replace(made, ra=wcs.centre[0], dec=wcs.centre[1], position_origin="solution", has_imaging=True)
        if exposure_id not in known:
            yield made
        elif image.factor > 1 and _has_full_solution(archived, exposure_id, described.scan_id()):
            yield known[exposure_id]  # the full scan has told its place better
        else:
            yield _joined(made, known[exposure_id])


def _has_full_solution(archived: PlateBundle | None, exposure_id: str, scan_id: str) -> bool:
    return archived is not None and any(
        one.is_current and one.exposure_id == exposure_id and one.scan_id == scan_id and _BINNED not in one.solution_id
        for one in archived.solutions
    )


def _unsolved(described: Described, known: Iterable[Exposure]) -> Iterator[Exposure]:
    """The exposure of a scan without solution, when the archive has one that was made from this same file."""
    own = described.find("exposure_id") or "1"
    for one in known:
        if one.exposure_id == own and one.origin == "found":
            yield described.exposure(own, found=False)


def _joined(made: Exposure, known: Exposure) -> Exposure:
    """One exposure by header and archive: the logbook's word for time and target, the solution's for the place.

    An exposure that came from a header before is replaced as a whole.
    """
    if known.origin == "found" and known.exposure_number is None:
        return replace(made, publisher_did=known.publisher_did)
    timed = made if known.t_min is None else known
    return replace(
        known,
        t_min=timed.t_min,
        t_max=timed.t_max,
        exptime=timed.exptime,
        t_calib_status=timed.t_calib_status,
        ra=made.ra,
        dec=made.dec,
        position_origin="solution",
        scan_id=made.scan_id,
        has_imaging=True,
        target_name=known.target_name or made.target_name,
        observer=known.observer or made.observer,
    )


def _solution(described: Described, wcs: ImageWCS, scan_id: str, name: str, exposure_id: str) -> Solution:
    header = described.header
    pipeline = header.get("IMWCS") or header.get("ORIGIN")
    return Solution(
        described.collection.name,
        described.plate_id(),
        scan_id,
        name,
        1,
        exposure_id,
        wcs.header_text(),
        wcs.key,
        *wcs.shape,
        pipeline=str(pipeline).strip() if pipeline else None,
    )


def _versions(made: Solution, archived: PlateBundle | None) -> Iterator[Solution]:
    """The solution as a new version, with the older ones no longer current; the known one when it is the same."""
    old = [
        one
        for one in (archived.solutions if archived else ())
        if (one.scan_id, one.solution_id) == (made.scan_id, made.solution_id)
    ]
    same = next((one for one in old if _content(one) == _content(made)), None)
    if same is not None and same.is_current:
        yield replace(same, exposure_id=made.exposure_id)
        return
    yield from (replace(one, is_current=False) for one in old if one.is_current)
    if same is not None:
        yield replace(same, is_current=True, exposure_id=made.exposure_id)
        return
    yield replace(made, version=1 + max((one.version for one in old), default=0))


def _content(solution: Solution) -> tuple[object, ...]:
    return solution.header, solution.wcs_key, solution.width, solution.height


def _product(product: Product, archived: PlateBundle | None) -> Product:
    """The file, under the name by which the archive knows it already when only the file itself was missing."""
    for known in archived.products if archived else ():
        same = (known.scan_id, known.role, known.bin_factor) == (product.scan_id, product.role, product.bin_factor)
        if same and known.location is None and product.location is not None:
            return replace(product, product_id=known.product_id)
        if same and known.location == product.location:
            return replace(product, product_id=known.product_id)
    return product


def _with_band(made: Plate, known: Plate) -> Plate:
    """A header without an emulsion does not know the wavelengths better than a list that knew the plate's class."""
    if made.emulsion is not None or known.em_min is None:
        return made
    return replace(made, em_min=known.em_min, em_max=known.em_max)


def _filled(made: Record, known: Record) -> Record:
    """``made`` with the values that only ``known`` has."""
    return replace(
        made,
        **{
            one.name: getattr(known, one.name)
            for one in fields(made)
            if getattr(made, one.name) is None and getattr(known, one.name) is not None
        },
    )
