"""From the archive's records of a plate to its rows in ``<collection>.plates`` and ``ivoa.obscore``.

A pure function: the same records and descriptor give the same rows. What each ObsCore column holds follows ObsCore 1.1
with Errata 1 and 2; what it means for a plate is said in docs/ingest.md.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from vo.db.records import Exposure, Plate, PlateBundle, Product, Scan, Solution
from vo.errors import UsageFault
from vo.metadata.collection import Collection
from vo.obscore import footprint as footprints
from vo.obscore.footprint import Footprint
from vo.obscore.identifiers import DATALINK_FORMAT, links_path
from vo.pixels.wcs import ImageWCS, load_solution
from vo.settings import Settings

Value = str | float | int | bool | dt.datetime | None
Row = dict[str, Value]
Outlines = Mapping[str, Footprint]

#: What a logbook writes when it has no name.
_NO_NAME = frozenset({"", "unknown", "none", "n/a", "-", "?"})
#: Sides (degrees: mm times scale) between which a flat plate is sound: 200 reach 68 degrees from the centre.
_SMALLEST, _LARGEST = 0.001, 200.0
#: MJDs below this (1584 to 2132) are surely within Python's calendar.
_CALENDAR = 100_000.0
#: Exposures nearer than this part of the field are close: what is matched by place cannot tell them apart.
_CLOSE = 0.1
_MJD_EPOCH = dt.datetime(1858, 11, 17)  # noqa: DTZ001  all times are UTC


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a row lacks, and why."""

    plate_id: str
    exposure_id: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Derived:
    """The rows of one plate: ``plates`` has all exposures, ``obscore`` those with imaging and no very wide field."""

    plates: tuple[Row, ...]
    obscore: tuple[Row, ...]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """What is known of where an exposure looked."""

    solution: Solution | None
    wcs: ImageWCS | None
    footprint: Footprint | None
    origin: str | None
    note: tuple[str, str] | None = None


def rows(
    bundle: PlateBundle, collection: Collection, settings: Settings, outlines: Outlines = MappingProxyType({})
) -> Derived:
    """Every exposure's row in ``plates``, and in ``obscore`` of those that are shown on a scan.

    ``outlines`` may have nominal footprints that :func:`nominal_outlines` made for many plates at once.
    """
    plates: list[Row] = []
    obscore: list[Row] = []
    notes: list[Note] = []
    wide = collection.is_wide(_plate_scale(bundle.plate, collection))
    exposures = bundle.exposures
    for exposure in exposures if len(exposures) == 1 else sorted(exposures, key=lambda one: one.exposure_id):
        place = _place(bundle, exposure, collection, settings, outlines)
        if place.note:
            notes.append(Note(bundle.plate.plate_id, exposure.exposure_id, *place.note))
        common = _common(bundle, exposure, collection, place)
        plates.append(_plates_row(common, bundle, exposure))
        if exposure.has_imaging and not wide:
            obscore.append(_obscore_row(common, bundle, exposure, collection, settings, place))
    if len(plates) > 1:
        notes += _tell_neighbours(plates)
    return Derived(tuple(plates), tuple(obscore), tuple(notes))


# ------------------------------------------------------------------------------------------------- places


def _plate_scale(plate: Plate, collection: Collection) -> float | None:
    return plate.plate_scale if plate.plate_scale is not None else collection.footprint.plate_scale


def _place(
    bundle: PlateBundle, exposure: Exposure, collection: Collection, settings: Settings, outlines: Outlines
) -> _Place:
    solution = bundle.solution_of(exposure)
    if solution is None:
        return _nominal(bundle.plate, exposure, collection, outlines)
    try:
        wcs = load_solution(solution.header, solution.wcs_key, (solution.width, solution.height))
        outline = footprints.from_solution(wcs, settings.footprint_tolerance)
        reason = footprints.problem(outline)
    except UsageFault as fault:
        wcs, reason = None, fault.text
    if reason is None:
        return _Place(solution, wcs, outline, "solution")
    nominal = _nominal(bundle.plate, exposure, collection, outlines)
    return replace(
        nominal, solution=solution, wcs=wcs, note=("footprint refused", f"solution {solution.solution_id}: {reason}")
    )


def nominal_outlines(bundles: Iterable[PlateBundle], collection: Collection) -> Outlines:
    """The nominal footprints of many plates' exposures, by publisher DID, for :func:`rows`; only sound ones."""
    if collection.footprint.shape == "circle":
        return {}
    known = [
        (exposure.publisher_did, exposure.ra, exposure.dec, _rotation(exposure, collection), size.width, size.height)
        for bundle in bundles
        if (size := _size(bundle.plate, collection)).is_ordinary
        for exposure in bundle.exposures
        if exposure.ra is not None and exposure.dec is not None
    ]
    if not known:
        return {}
    dids, ra, dec, rotation, width, height = zip(*known, strict=True)
    made = footprints.nominal_many(ra, dec, width, height, rotation)
    return dict(zip(dids, made, strict=True))


@dataclass(frozen=True, slots=True)
class _Size:
    """A plate's sides on the sky, in degrees; what is ``missing`` to know them."""

    width: float
    height: float
    missing: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        return not self.missing

    @property
    def is_ordinary(self) -> bool:
        """Whether a flat rectangle of this size is sound, wherever it lies."""
        return self.known and min(self.width, self.height) > _SMALLEST and max(self.width, self.height) < _LARGEST


def _size(plate: Plate, collection: Collection) -> _Size:
    rule = collection.footprint
    scale = _plate_scale(plate, collection)
    width = plate.width_mm if plate.width_mm is not None else rule.width_mm
    height = plate.height_mm if plate.height_mm is not None else (rule.height_mm or width)
    if scale is None or width is None or height is None:
        found = {"plate scale": scale, "plate width": width, "plate height": height}
        return _Size(math.nan, math.nan, tuple(name for name, value in found.items() if value is None))
    return _Size(footprints.size_on_sky(width, scale), footprints.size_on_sky(height, scale))


def _rotation(exposure: Exposure, collection: Collection) -> float:
    return exposure.rotation_deg if exposure.rotation_deg is not None else collection.footprint.orientation_deg


def _nominal(plate: Plate, exposure: Exposure, collection: Collection, outlines: Outlines) -> _Place:
    """The plate's outline about the exposure's position, at the plate's scale."""
    if exposure.ra is None or exposure.dec is None:
        return _Place(None, None, None, None)
    outline = outlines.get(exposure.publisher_did)
    if outline is not None:
        return _Place(None, None, outline, "nominal")
    size = _size(plate, collection)
    if not size.known:
        return _Place(None, None, None, None, ("no footprint", f"{', '.join(size.missing)} not known"))
    if collection.footprint.shape == "circle":
        outline = footprints.circle(exposure.ra, exposure.dec, size.width / 2.0)
    else:
        outline = footprints.nominal(
            exposure.ra, exposure.dec, size.width, size.height, _rotation(exposure, collection)
        )
    reason = None if size.is_ordinary and collection.footprint.shape == "rectangle" else footprints.problem(outline)
    if reason is not None:
        return _Place(None, None, None, None, ("footprint refused", reason))
    return _Place(None, None, outline, "nominal")


# ------------------------------------------------------------------------------------------------- rows


def _common(bundle: PlateBundle, exposure: Exposure, collection: Collection, place: _Place) -> Row:
    """The columns that both tables have."""
    plate, defaults = bundle.plate, collection.defaults
    outline = place.footprint
    solved = place.solution is not None
    position = "solution" if solved else exposure.position_origin
    low, high = _band(plate, collection)
    calibrated = place.origin == "solution"
    return {
        "obs_publisher_did": exposure.publisher_did,
        "plate_id": plate.plate_id,
        "exposure_id": exposure.exposure_id,
        "exposure_number": exposure.exposure_number,
        "n_exposures": len(bundle.exposures),
        "series": plate.series,
        "plate_scale": _plate_scale(plate, collection),
        "emulsion": plate.emulsion or defaults.emulsion,
        "filter": plate.filter or defaults.filter,
        "facility_name": plate.facility_name or collection.facility_name,
        "instrument_name": plate.instrument_name or collection.instrument_name,
        "target_name": _name(exposure.target_name),
        "observer": exposure.observer,
        "s_ra": outline.centre[0] if outline else None,
        "s_dec": outline.centre[1] if outline else None,
        "s_fov": outline.fov if outline else None,
        "s_region": outline.spoly() if outline else None,
        "s_region_text": outline.stc() if outline else None,
        "s_calib_status": None if outline is None else ("calibrated" if calibrated else "uncalibrated"),
        "s_stat_error": defaults.s_stat_error if outline and position == "logbook" else None,
        "position_origin": position,
        "footprint_origin": place.origin,
        "t_min": exposure.t_min,
        "t_max": exposure.t_max,
        "t_exptime": exposure.exptime if exposure.exptime and exposure.exptime > 0 else None,
        "t_calib_status": exposure.t_calib_status or (defaults.t_calib_status if exposure.t_min is not None else None),
        "em_min": low,
        "em_max": high,
        "scan_id": exposure.scan_id,
        "solution_id": place.solution.solution_id if place.solution else None,
        "access_url": links_path(exposure.publisher_did),
        "access_format": DATALINK_FORMAT,
    }


def _tell_neighbours(rows: Sequence[Row]) -> Iterator[Note]:
    """Put into each row of a plate how far its nearest other exposure is, and how many are close; tell of these."""
    known = [(row, _direction(row["s_ra"], row["s_dec"])) for row in rows if _is_placed(row)]
    if len(known) < 2:  # noqa: PLR2004  a pair
        return
    close: list[tuple[str, float]] = []
    for row, place in known:
        distances = [_degrees(place, other) for one, other in known if one is not row]
        field = row["s_fov"]
        row["nearest_exposure_deg"] = nearest = min(distances)
        row["close_exposures"] = None
        if isinstance(field, float):
            row["close_exposures"] = count = sum(distance < _CLOSE * field for distance in distances)
            close += [(str(row["exposure_id"]), nearest)] if count else []
    if close:
        span = f"{min(one for _, one in close):.4f} to {max(one for _, one in close):.4f} deg"
        text = f"{span} from the nearest other one, less than a tenth of the field"
        yield Note(str(rows[0]["plate_id"]), ", ".join(name for name, _ in close), "close exposures", text)


def _is_placed(row: Row) -> bool:
    return isinstance(row["s_ra"], float) and isinstance(row["s_dec"], float)


def _direction(ra: Value, dec: Value) -> tuple[float, float, float]:
    """A place on the sky as a unit vector; most plates have two or three, for which numpy is ten times as slow."""
    lon, lat = math.radians(float(ra)), math.radians(float(dec))  # type: ignore[arg-type]  # see _is_placed
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def _degrees(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    """The angle between unit vectors, exact for small and large ones alike (Kahan's formula)."""
    apart = math.dist(a, b)
    together = math.hypot(a[0] + b[0], a[1] + b[1], a[2] + b[2])
    return math.degrees(2.0 * math.atan2(apart, together))


def _plates_row(common: Row, bundle: PlateBundle, exposure: Exposure) -> Row:
    plate = bundle.plate
    own: Row = {
        "plate_number": plate.plate_number,
        "plate_class": plate.plate_class,
        "has_imaging": exposure.has_imaging,
        "n_solutions": sum(solution.is_current for solution in bundle.solutions),
        "repair": exposure.repair,
        "comment": plate.comment,
        "nearest_exposure_deg": None,
        "close_exposures": None if len(bundle.exposures) > 1 else 0,
    }
    row = {**plate.own, **common, **own}
    if row["s_ra"] is None and exposure.ra is not None:
        # Without an outline the position is still worth having here; in ObsCore the four stand together.
        row["s_ra"], row["s_dec"] = exposure.ra, exposure.dec
    return row


def _obscore_row(
    common: Row,
    bundle: PlateBundle,
    exposure: Exposure,
    collection: Collection,
    settings: Settings,
    place: _Place,
) -> Row:
    defaults = collection.defaults
    scan = next((one for one in bundle.scans if one.scan_id == exposure.scan_id), None)
    this = next(iter(bundle.images_of(exposure, collection.products.this)), None)
    solved = place.solution is not None or exposure.position_origin == "solution"
    low, high = _band(bundle.plate, collection)
    rights, released = _rights(scan, exposure, collection)
    objective_prism = defaults.dataproduct_subtype in ("plate.objprism", "plate.spectrum")
    own: Row = {
        "dataproduct_type": "image",
        "dataproduct_subtype": defaults.dataproduct_subtype,
        "calib_level": 2 if solved else 1,
        "obs_collection": collection.obs_collection,
        "obs_id": bundle.plate.plate_id,
        "access_estsize": None if this is None else _kilobytes(this.content_length),
        **_sampling(this, scan, collection, place),
        "s_resolution": defaults.s_resolution,
        "t_resolution": common["t_exptime"],
        "t_xel": 1,
        "em_res_power": None
        if low is None or high is None or objective_prism or low == high
        else (low + high) / 2 / (high - low),
        "em_xel": None if objective_prism else 1,
        "o_ucd": defaults.o_ucd,
        "o_calib_status": defaults.o_calib_status,
        "pol_states": None,
        "pol_xel": 0,
        "obs_creation_date": None if scan is None else (scan.scan_date or scan.made_date),
        "obs_creator_name": collection.creator_names,
        "obs_title": _title(bundle, exposure, collection),
        "publisher_id": f"ivo://{settings.authority}",
        "bib_reference": collection.bib_reference,
        "data_rights": rights,
        "obs_release_date": released,
    }
    return {**common, **own}


def _band(plate: Plate, collection: Collection) -> tuple[float | None, float | None]:
    if plate.em_min is not None and plate.em_max is not None:
        return plate.em_min, plate.em_max
    return collection.defaults.em_min, collection.defaults.em_max


def _sampling(this: Product | None, scan: Scan | None, collection: Collection, place: _Place) -> Row:
    """Pixels of ``#this`` and its sampling: of the file itself, else what scan, solution or descriptor tell."""
    if this is None:
        return {"s_xel1": None, "s_xel2": None, "s_pixel_scale": None}
    factor, defaults = this.bin_factor, collection.defaults
    width, height = this.width, this.height
    if width is None or height is None:
        full_width = (scan.width if scan else None) or defaults.width_px
        full_height = (scan.height if scan else None) or defaults.height_px
        width = None if full_width is None else full_width // factor
        height = None if full_height is None else full_height // factor
    scale = this.pixel_scale
    if scale is None and place.wcs is not None and width is not None:
        scale = place.wcs.pixel_scale * max(1, round(place.wcs.shape[0] / width))
    if scale is None:
        full = (scan.pixel_scale if scan else None) or defaults.pixel_scale
        scale = None if full is None else full * factor
    return {"s_xel1": width, "s_xel2": height, "s_pixel_scale": scale}


def _rights(scan: Scan | None, exposure: Exposure, collection: Collection) -> tuple[str | None, dt.datetime | None]:
    """data_rights and obs_release_date, both or neither (OBS-13).

    A public plate is out since it was scanned, or, when that is not known, since it was exposed; a release date of null
    says proprietary, so a public plate of unknown dates has neither.
    """
    if collection.data_rights != "public":
        return collection.data_rights, None
    released = (scan.scan_date or scan.made_date) if scan else None
    if released is None and exposure.t_max is not None and abs(exposure.t_max) < _CALENDAR:
        released = _MJD_EPOCH + dt.timedelta(days=math.floor(exposure.t_max) + 1)
    return ("public", released) if released else (None, None)


def _title(bundle: PlateBundle, exposure: Exposure, collection: Collection) -> str:
    title = f"{collection.obs_collection} plate {bundle.plate.plate_id}"
    if len(bundle.exposures) > 1:
        title += f", exposure {exposure.exposure_id}"
    name = _name(exposure.target_name)
    return f"{title}, {name}" if name else title


def _name(name: str | None) -> str | None:
    text = (name or "").strip()
    return None if text.lower() in _NO_NAME else text


def _kilobytes(size: int | None) -> int | None:
    """Kilobytes of 1000 bytes, rounded up."""
    return None if size is None else -(-size // 1000)
