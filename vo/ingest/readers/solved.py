"""From the solutions in a header to the records of a plate, matched with what the archive already has of it.

Which solution belongs to which logged exposure is never guessed:

1. a solution that the archive already matches with an exposure stays matched;
2. a plate with one exposure and a scan with one solution: they are the same;
3. with several, an exposure and a solution belong together when their centres agree within a tenth of the field, and
   neither agrees with another;
4. what is left over stays: solutions become exposures of their own (origin ``found``), exposures stay without solution.

Where a solution agrees with several exposures, or shares one with another solution, that is told with the distances.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from vo.db.records import Exposure, Plate, PlateBundle, Product, Scan, Solution
from vo.ingest.readers.described import Described
from vo.pixels.frames import separation
from vo.pixels.wcs import ImageWCS

#: Centres agree when they are nearer than this part of the field's diagonal.
_NEAR = 0.1
#: How the report calls what cannot be decided.
AMBIGUOUS = "ambiguous match"
#: The status of a version in whose place another was chosen.
SET_ASIDE = "set aside"
_LARGEST = 2**31
#: What a source may tell of a solution beside its coordinates.
_TOLD = ("result_id", "pipeline", "made_date", "residual", "star_count")
#: What the solutions of binned images have in their names.
_BINNED = "-bin"

Record = TypeVar("Record", Plate, Scan, Exposure)


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
        scan = filled(scan, known) if image.factor == 1 else filled(known, scan)
    plate = described.plate()
    if archived is not None:
        plate = _with_band(filled(plate, archived.plate), archived.plate)
    names = _solution_ids(image)
    matches = _match(image, names, scan_id, archived)
    made = [
        _solution(described, *one) for one in zip(image.solutions, [scan_id] * len(names), names, matches, strict=True)
    ]
    solutions = tuple(record for one in made for record in versions(one, archived))
    kept = {one.exposure_id for one in solutions if stays_aside(one)}
    exposures = tuple(_exposures(image, matches, archived, kept))
    return PlateBundle(plate, (scan,), exposures, solutions, (_product(image, archived),))


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
        left = [number for number in open_solutions if found[number] is None]
        for text in ambiguous(image.solutions, names, left, [one for one in free if one.exposure_id not in found]):
            image.described.told.notes.append((AMBIGUOUS, f"scan {scan_id}: {text}"))
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


def ambiguous(
    solutions: Sequence[ImageWCS], names: Sequence[str], numbers: Sequence[int], exposures: Sequence[Exposure]
) -> Iterator[str]:
    """Tell each of the unmatched solutions ``numbers`` that agrees with unmatched exposures, and how far each is."""
    for number in numbers:
        near = [(distance, one) for one in exposures if (distance := _distance(solutions[number], one)) is not None]
        agreeing = sorted(
            ((distance, one.exposure_id) for distance, one in near if distance < _reach(solutions[number]))
        )
        if agreeing:
            listed = ", ".join(f"{name} ({distance:.4f} deg)" for distance, name in agreeing)
            yield f"solution {names[number]} may belong to {listed}; it is matched with none of them"


def _agrees(wcs: ImageWCS, exposure: Exposure) -> bool:
    distance = _distance(wcs, exposure)
    return distance is not None and distance < _reach(wcs)


def _reach(wcs: ImageWCS) -> float:
    """How far an exposure's position may be from the solution's, in degrees."""
    return float(_NEAR * np.hypot(*wcs.shape) * wcs.pixel_scale / 3600.0)


def _distance(wcs: ImageWCS, exposure: Exposure) -> float | None:
    """Degrees between the middle of the image and the exposure's position, None when that is unknown."""
    if exposure.ra is None or exposure.dec is None:
        return None
    return separation(wcs.centre, (exposure.ra, exposure.dec))


def _free_name(own: str, number: int, count: int, taken: set[str]) -> str:
    """A name for an exposure that only its solution tells of."""
    name = own if count == 1 or number == 0 else f"{own}-s{number}"
    return name if name not in taken else f"{own}-found-s{number}"


# ------------------------------------------------------------------------------------------------- records


def _exposures(
    image: Image, matches: Sequence[str], archived: PlateBundle | None, kept: Collection[str | None]
) -> Iterator[Exposure]:
    """The exposures of the image's solutions; those ``kept`` stay where the version in use puts them."""
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
        elif exposure_id in kept:
            yield known[exposure_id]
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
    residual, star_count = residuals(header)
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
        pipeline=pipeline_of(header),
        residual=residual,
        star_count=star_count,
    )


def pipeline_of(header: Mapping[str, object]) -> str | None:
    """The software that a header says solved it."""
    name = header.get("IMWCS") or header.get("ORIGIN")
    return str(name).strip() if name else None


def residuals(header: Mapping[str, object]) -> tuple[float | None, int | None]:
    """Root mean square distance in arcsec of the reference stars from their catalogue places, and their number.

    Read are SCAMP's ASTRRMS1, ASTRRMS2 (degrees along the axes) and ASTROMN, and imwcs' WCSSEP (arcsec) and WCSMATCH.
    """
    along = [_positive(header.get(name)) for name in ("ASTRRMS1", "ASTRRMS2")]
    if along[0] is not None and along[1] is not None:
        found: float | None = float(np.hypot(along[0], along[1])) * 3600.0
    else:
        found = _positive(header.get("WCSSEP"))
    stars = _positive(header.get("ASTROMN")) or _positive(header.get("WCSMATCH"))
    return found, int(stars) if stars is not None and stars.is_integer() else None


def _positive(value: object) -> float | None:
    """A number above zero; headers write 0 for unknown."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LARGEST:
        return None
    return float(value)


def versions(made: Solution, archived: PlateBundle | None) -> Iterator[Solution]:
    """The solution as a new version, with the older ones no longer current; the known one when it is the same.

    A version that was set aside by choice stays so when it comes again: a source that is read once more does not undo
    what somebody decided (:mod:`vo.ingest.choose`).
    """
    old = [
        one
        for one in (archived.solutions if archived else ())
        if (one.scan_id, one.solution_id) == (made.scan_id, made.solution_id)
    ]
    same = next((one for one in old if _content(one) == _content(made)), None)
    if same is not None:
        told = {name: getattr(made, name) for name in _TOLD if getattr(made, name) is not None}
        same = replace(same, exposure_id=made.exposure_id, **told)
    if same is not None and (same.is_current or same.status == SET_ASIDE):
        yield same
        return
    yield from (replace(one, is_current=False) for one in old if one.is_current)
    if same is not None:
        yield replace(same, is_current=True)
        return
    yield replace(made, version=1 + max((one.version for one in old), default=0))


def stays_aside(solution: Solution) -> bool:
    """Whether a record that :func:`versions` made stays out of use, since another version was chosen."""
    return not solution.is_current and solution.status == SET_ASIDE


def _content(solution: Solution) -> tuple[object, ...]:
    return solution.header, solution.wcs_key, solution.width, solution.height


def _product(image: Image, archived: PlateBundle | None) -> Product:
    """The file, under the name by which the archive knows it already when only the file itself was missing.

    A base mosaic, whose solutions the archive has, stays one when its file comes.
    """
    product = image.product
    for known in archived.products if archived else ():
        same = (known.scan_id, known.role, known.bin_factor) == (product.scan_id, product.role, product.bin_factor)
        arrives = known.location is None and product.location is not None
        if same and (arrives or known.location == product.location):
            checksum = known.checksum if known.content_length == product.content_length else product.checksum
            is_base = known.is_base and not image.solutions
            return replace(product, product_id=known.product_id, is_base=is_base, checksum=checksum)
    return product


def _with_band(made: Plate, known: Plate) -> Plate:
    """A header without an emulsion does not know the wavelengths better than a list that knew the plate's class."""
    if made.emulsion is not None or known.em_min is None:
        return made
    return replace(made, em_min=known.em_min, em_max=known.em_max)


def filled(made: Record, known: Record) -> Record:
    """``made`` with the values that only ``known`` has."""
    return replace(
        made,
        **{
            one.name: getattr(known, one.name)
            for one in fields(made)
            if getattr(made, one.name) is None and getattr(known, one.name) is not None
        },
    )
