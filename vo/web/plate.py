"""One plate as its page shows it, made from the archive's records and the footprints that searches use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vo.context import Context
from vo.db.archive import read_bundles
from vo.db.records import Exposure, Plate, PlateBundle
from vo.errors import NotFoundFault
from vo.metadata.collection import Collection
from vo.pixels.frames import separation as centres_apart
from vo.products.images import find_cut_source
from vo.products.links import links_url, plate_did
from vo.web.counts import format_mjd
from vo.web.curves import Array
from vo.web.files import File, choose_preview, fits_exposure, list_files, list_photos
from vo.web.grid import Stage
from vo.web.overlay import Field, Overlay, draw_overlay
from vo.web.place import Asked, Place, Solved, find_place, list_radii, load_solved, mark_of, usual_radius
from vo.web.sketch import Sketch, draw, parse_region
from vo.web.solutions import SolutionLine, list_solutions
from vo.web.timeline import Span, Timeline, draw_timeline

#: Radius of the cutout that the form proposes, in degrees.
_CUT_RADIUS = 0.05

#: A preview whose shape differs by more than this from the scan's does not show all of it.
_SAME_SHAPE = 0.02


@dataclass(frozen=True, slots=True)
class Line:
    """One exposure in the table; ``distance`` in degrees from the chosen one, None where that is not known."""

    exposure: Exposure
    index: int
    name: str
    place: str | None
    date: str | None
    exptime: str | None
    links: str
    has_solution: bool
    can_cut: bool
    is_chosen: bool
    distance: str | None


@dataclass(frozen=True, slots=True)
class Picture:
    """The preview with what is drawn on it.

    ``overlay`` is None when nothing can be drawn, and then ``reason`` says why. ``width`` and ``height`` are those of
    the small picture for those without scripts.
    """

    file: File
    overlay: Overlay | None
    reason: str | None
    radii: tuple[float, ...]
    radius: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Marks:
    """The place that was asked for, in the drawing: ``own`` and, by exposure, where others have the same sky."""

    own: tuple[float, float] | None
    others: tuple[tuple[str, tuple[float, float]], ...]


@dataclass(frozen=True, slots=True)
class PlatePage:
    """What the template shows; ``chosen`` is the exposure whose grid is drawn, ``cutting`` the one the form cuts."""

    bundle: PlateBundle
    collection: Collection
    lines: tuple[Line, ...]
    files: tuple[File, ...]
    picture: Picture | None
    photos: tuple[File, ...]
    sketch: Sketch | None
    timeline: Timeline
    solutions: tuple[SolutionLine, ...]
    close: tuple[tuple[str, str, str], ...]
    chosen: Line | None
    cutting: Line | None
    plate_did: str | None
    plate_links: str | None
    circle: str
    place: Place | None
    marks: Marks
    summary: str

    @property
    def cuttable(self) -> tuple[Line, ...]:
        """The exposures that cutouts can be made of."""
        return tuple(line for line in self.lines if line.can_cut)


@dataclass(frozen=True, slots=True)
class Known:
    """A plate as it was read: ``regions`` on the sky by exposures' identifiers, solutions by exposure.

    ``close`` has the exposures that searches call close to another one, and how far that is, in degrees.
    """

    bundle: PlateBundle
    regions: dict[str, Array]
    close: dict[str, float]
    solved: dict[str, Solved]

    def chosen(self, exposure_id: str | None) -> Exposure | None:
        """The exposure asked for; without a wish the first that has a solution, else the first of all."""
        exposures = self.bundle.exposures
        if exposure_id:
            found = next((one for one in exposures if one.exposure_id == exposure_id), None)
            if found is None:
                raise NotFoundFault(f"plate {self.bundle.plate.plate_id} has no exposure {exposure_id[:80]!r}")
            return found
        return next((one for one in exposures if one.exposure_id in self.solved), exposures[0] if exposures else None)

    def companions(self, chosen: Solved) -> list[Solved]:
        """The other solved exposures on the same scan."""
        return [
            other
            for other in self.solved.values()
            if other.exposure.exposure_id != chosen.exposure.exposure_id
            and other.solution.scan_id == chosen.solution.scan_id
        ]


def read_known(context: Context, collection: Collection, plate_id: str) -> Known:
    """Read one plate; :class:`NotFoundFault` when the collection has none of this id."""
    if "\0" in plate_id:  # which PostgreSQL cannot hold in a text
        raise NotFoundFault(f"no plate {plate_id!r} in {collection.title}")
    with context.database.read() as connection:
        bundle = next(iter(read_bundles(connection, [(collection.name, plate_id)])), None)
        if bundle is None:
            raise NotFoundFault(f"no plate {plate_id!r} in {collection.title}")
        dids = [exposure.publisher_did for exposure in bundle.exposures]
        rows = connection.execute(
            "SELECT obs_publisher_did, s_region_text, nearest_exposure_deg, close_exposures"
            f' FROM "{collection.name}".plates WHERE obs_publisher_did = ANY(%s)',
            (dids,),
        ).fetchall()
    return Known(
        bundle,
        regions={did: parse_region(region) for did, region, _, _ in rows if region is not None},
        close={did: nearest for did, _, nearest, count in rows if count},
        solved=_solve(bundle, collection),
    )


def read_place(
    context: Context, collection: Collection, plate_id: str, exposure_id: str | None, asked: Asked, base: str
) -> tuple[Place, Stage]:
    """Where a pixel of a plate lies; faults as :func:`read_known`, and when the exposure has no solution."""
    known = read_known(context, collection, plate_id)
    exposure = known.chosen(exposure_id)
    solved = None if exposure is None else known.solved.get(exposure.exposure_id)
    if solved is None:
        raise NotFoundFault("this exposure has no astrometric solution, which would tell where a pixel lies on the sky")
    companions = known.companions(solved)
    return find_place(solved, companions, asked, base, context.settings.picture_pixels), Stage(solved.wcs)


def read_plate(
    context: Context, collection: Collection, plate_id: str, exposure_id: str | None, asked: Asked | None, base: str
) -> PlatePage:
    """Read one plate and draw it; faults as :func:`read_place`."""
    known = read_known(context, collection, plate_id)
    bundle, exposure = known.bundle, known.chosen(exposure_id)
    solved = None if exposure is None else known.solved.get(exposure.exposure_id)
    lines = tuple(_line(known, index, exposure, base) for index in range(len(bundle.exposures)))
    chosen = next((line for line in lines if line.is_chosen), None)
    place = None
    if asked is not None:
        if solved is None:
            raise NotFoundFault("there is no astrometric solution that would tell where this pixel lies on the sky")
        place = find_place(solved, known.companions(solved), asked, base, context.settings.picture_pixels)
    did = plate_did(bundle.exposures[0]) if bundle.exposures else None
    files = list_files(bundle, base)
    cutting = _choose_cut(lines, chosen)
    return PlatePage(
        bundle=bundle,
        collection=collection,
        lines=lines,
        files=files,
        picture=_picture(known, lines, exposure, files),
        photos=list_photos(files),
        sketch=draw(
            [(line.name, known.regions[one]) for line in lines if (one := line.exposure.publisher_did) in known.regions]
        ),
        timeline=draw_timeline([_span(line) for line in lines]),
        solutions=list_solutions(bundle.solutions, {line.exposure.exposure_id: line.name for line in lines}, base),
        close=_close(known, lines),
        chosen=chosen,
        cutting=cutting,
        plate_did=did,
        plate_links=None if did is None else links_url(base, did),
        circle=_circle(cutting) if place is None else place.circle,
        place=place,
        marks=_marks(place, solved),
        summary=_summary(bundle, collection, lines),
    )


def _solve(bundle: PlateBundle, collection: Collection) -> dict[str, Solved]:
    made = (
        load_solved(
            bundle,
            exposure,
            _number(exposure),
            can_cut=find_cut_source(bundle, exposure, collection) is not None,
        )
        for exposure in bundle.exposures
    )
    return {solved.exposure.exposure_id: solved for solved in made if solved is not None}


def _number(exposure: Exposure) -> str:
    return exposure.exposure_id if exposure.exposure_number is None else str(exposure.exposure_number)


def _line(known: Known, index: int, chosen: Exposure | None, base: str) -> Line:
    exposure = known.bundle.exposures[index]
    place = None if exposure.ra is None or exposure.dec is None else f"{exposure.ra:.4f} {exposure.dec:+.4f}"
    is_chosen = exposure is chosen
    distance = None if chosen is None or is_chosen else separation(exposure, chosen)
    solved = known.solved.get(exposure.exposure_id)
    return Line(
        exposure=exposure,
        index=index,
        name=_number(exposure),
        place=place,
        date=format_mjd(exposure.t_min),
        exptime=_duration(exposure.exptime),
        links=links_url(base, exposure.publisher_did),
        has_solution=solved is not None,
        can_cut=solved is not None and solved.can_cut,
        is_chosen=is_chosen,
        distance=None if distance is None else write_angle(distance),
    )


def _choose_cut(lines: Sequence[Line], chosen: Line | None) -> Line | None:
    """The exposure that the form cuts: the chosen one, else the first that can be cut."""
    if chosen is not None and chosen.can_cut:
        return chosen
    return next((line for line in lines if line.can_cut), None)


def _circle(line: Line | None) -> str:
    if line is None or line.exposure.ra is None or line.exposure.dec is None:
        return ""
    return f"{line.exposure.ra:.5f} {line.exposure.dec:.5f} {_CUT_RADIUS}"


def _picture(known: Known, lines: Sequence[Line], exposure: Exposure | None, files: Sequence[File]) -> Picture | None:
    solved = None if exposure is None else known.solved.get(exposure.exposure_id)
    file = choose_preview(files, exposure)
    if file is None:
        return None
    reason = _not_drawn(file, exposure, solved)
    if solved is None or exposure is None or reason is not None:
        return Picture(file, None, reason, (), 0.0, 0, 0)
    wcs = solved.wcs
    fields = {line.exposure.exposure_id: _field(known, line) for line in lines}
    own = fields.pop(exposure.exposure_id)
    scale = 320 / max(wcs.shape)
    return Picture(
        file=file,
        overlay=draw_overlay(wcs, own, tuple(fields.values())),
        reason=None,
        radii=list_radii(wcs),
        radius=usual_radius(wcs),
        width=max(1, round(wcs.shape[0] * scale)),
        height=max(1, round(wcs.shape[1] * scale)),
    )


def _not_drawn(file: File, exposure: Exposure | None, solved: Solved | None) -> str | None:
    """Why nothing is drawn on a preview; None when something can be."""
    if exposure is None:
        return "No exposure of this plate is known, so nothing is drawn on its picture."
    if solved is None:
        return (
            f"Exposure {_number(exposure)} has no astrometric solution, so no coordinates are drawn on its picture and "
            "nothing can be cut out by position."
        )
    if not fits_exposure(file, exposure):
        return f"The picture is not of the scan that shows exposure {_number(exposure)} best; nothing is drawn on it."
    product = file.product
    if product.width is None or product.height is None or product.height == 0:
        return None
    columns, rows = solved.wcs.shape
    shape = product.width / product.height * rows / columns
    # One pixel of a small picture may be a large share of it.
    if abs(shape - 1.0) > max(_SAME_SHAPE, 2.0 / min(product.width, product.height)):
        return "The picture has not the shape of the scan that was measured, so nothing is drawn on it."
    return None


def _field(known: Known, line: Line) -> Field:
    exposure = line.exposure
    solved = known.solved.get(exposure.exposure_id)
    centre = None if exposure.ra is None or exposure.dec is None else (exposure.ra, exposure.dec)
    return Field(
        name=line.name,
        index=line.index,
        vertices=known.regions.get(exposure.publisher_did),
        centre=centre if solved is None else solved.wcs.centre,
    )


def _span(line: Line) -> Span:
    exposure = line.exposure
    end = exposure.t_max if exposure.t_max is not None and exposure.t_max > (exposure.t_min or 0.0) else None
    said = [text for text in (exposure.target_name, line.exptime and f"exposed {line.exptime}") if text]
    return Span(line.name, line.index, exposure.t_min, end, ", ".join(said))


def _close(known: Known, lines: Sequence[Line]) -> tuple[tuple[str, str, str], ...]:
    """Exposures that searches call close to another one: (name, name of the nearest one, distance)."""
    found = []
    for line in lines:
        distance = known.close.get(line.exposure.publisher_did)
        if distance is None:
            continue
        others = (other for other in lines if other is not line)
        nearest = min(others, key=lambda other: _far(line.exposure, other.exposure))
        found.append((line.name, nearest.name, write_angle(distance)))
    return tuple(found)


def _far(one: Exposure, two: Exposure) -> float:
    distance = separation(one, two)
    return math.inf if distance is None else distance


def separation(one: Exposure, two: Exposure) -> float | None:
    """The angle between two exposures' centres in degrees, None where one is not known."""
    if one.ra is None or one.dec is None or two.ra is None or two.dec is None:
        return None
    return centres_apart((one.ra, one.dec), (two.ra, two.dec))


def write_angle(degrees: float) -> str:
    """An angle for people, in degrees, minutes or seconds of arc."""
    if degrees >= 1.0:
        return f"{degrees:.3g}\N{DEGREE SIGN}"
    if degrees >= 1 / 60:
        return f"{degrees * 60:.3g}\N{PRIME}"
    return f"{degrees * 3600:.3g}\N{DOUBLE PRIME}"


def _marks(place: Place | None, solved: Solved | None) -> Marks:
    if place is None or solved is None:
        return Marks(None, ())
    stage = Stage(solved.wcs)
    others = ((one.name, mark_of(stage, one.x, one.y)) for one in place.elsewhere)
    return Marks(mark_of(stage, place.x, place.y), tuple((name, mark) for name, mark in others if mark is not None))


def _summary(bundle: PlateBundle, collection: Collection, lines: Sequence[Line]) -> str:
    """One sentence about the plate, for search engines and previews of links."""
    dates = sorted(line.date[:10] for line in lines if line.date)
    count = f"{len(lines)} exposure{'' if len(lines) == 1 else 's'}"
    when = "" if not dates else f" of {dates[0]}" if dates[0] == dates[-1] else f" of {dates[0]} to {dates[-1]}"
    targets = list(dict.fromkeys(line.exposure.target_name for line in lines if line.exposure.target_name))[:3]
    what = f" ({', '.join(targets)})" if targets else ""
    return f"Photographic plate {bundle.plate.plate_id} of {collection.title}: {count}{when}{what}."


def _duration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:g} s"
    return f"{seconds / 60:.4g} min"


def list_facts(plate: Plate) -> list[tuple[str, str]]:
    """What is known of the glass, in words: (name, value)."""
    size = None
    if plate.width_mm is not None and plate.height_mm is not None:
        size = f"{plate.width_mm:g} x {plate.height_mm:g} mm"
    band = None
    if plate.em_min is not None and plate.em_max is not None:
        band = f"{plate.em_min * 1e9:.0f} to {plate.em_max * 1e9:.0f} nm"
    known = (
        ("Series", plate.series),
        ("Number", plate.plate_number),
        ("Telescope", plate.instrument_name),
        ("Observatory", plate.facility_name),
        ("Class", plate.plate_class),
        ("Emulsion", plate.emulsion),
        ("Filter", plate.filter),
        ("Sensitive", band),
        ("Scale", None if plate.plate_scale is None else f"{plate.plate_scale:g} arcsec/mm"),
        ("Size", size),
        *(
            (name.replace("_", " ").capitalize(), None if value is None else str(value))
            for name, value in plate.own.items()
        ),
        ("Note", plate.comment),
    )
    return [(name, value) for name, value in known if value]
