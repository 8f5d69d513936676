"""A collection's descriptor: ``resources/<name>/collection.toml``, checked and typed.

It says what the registry, the pages and ObsCore should say of the plates, and how ingest finds its way in the
sources. Keys that are not described here are refused, with the file and the key in the fault's text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    ValidationError,
    model_validator,
)

from vo.errors import OperatorFault
from vo.metadata.words import RESERVED_WORDS
from vo.settings import Settings

DESCRIPTOR = "collection.toml"

#: Schemas that a collection may not take the name of.
TAKEN = frozenset({"archive", "ivoa", "public", "tap_schema", "tap_upload", "vo", "information_schema", "rr"})


def _schema_name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise ValueError("a collection's name is its schema: lower-case letters, digits and _, at most 40")
    if name in TAKEN or name.startswith("pg_") or name.upper() in RESERVED_WORDS:
        raise ValueError(f"{name!r} is taken by the database or by ADQL; choose another name")
    return name


def _pattern(text: str) -> str:
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    if compiled.groups > 1:
        raise ValueError("a pattern has at most one group: the value")
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class FootprintRule(_Section):
    """What is known of every plate when neither its solution nor its own record says it.

    ``shape`` is the exposed area of the glass: ``rectangle`` (``width_mm`` by ``height_mm``) or ``circle``
    (diameter ``width_mm``). ``plate_scale`` in arcsec/mm. ``orientation_deg`` is the position angle of the plate's
    upper edge (degrees east of north) where no record gives it.
    """

    shape: Literal["rectangle", "circle"] = "rectangle"
    width_mm: PositiveFloat | None = None
    height_mm: PositiveFloat | None = None
    plate_scale: PositiveFloat | None = None
    orientation_deg: float = 0.0


class WideRule(_Section):
    """Plates whose scale is above ``max_plate_scale`` (arcsec/mm) stay out of ivoa.obscore and ``narrow_plates``.

    None keeps all in. A plate of unknown scale counts as narrow.
    """

    max_plate_scale: PositiveFloat | None = None


class ProductRules(_Section):
    """Which product is ``#this`` in Datalink (and hence what access_estsize, s_xel1/2 and s_pixel_scale describe)."""

    this: Literal["fits", "fits_binned"] = "fits"


class HeaderRule(_Section):
    """How one value is found in a file.

    The first of ``keywords`` whose card is there and fits ``pattern`` gives it, else ``file_pattern`` on the file's
    name, else ``value``. A pattern is searched in the text (``re.search``); its group, or the whole match where it
    has no group, is the value. ``names`` replaces what was found: the first key that the text begins with gives the
    value (``{UKST = "UK Schmidt Telescope"}``).
    """

    keywords: tuple[str, ...] = ()
    pattern: Pattern | None = None
    file_pattern: Pattern | None = None
    value: str | None = None
    names: dict[str, str] = Field(default={})

    def find(self, header: Mapping[str, object], file_name: str) -> str | None:
        """Return the value in this header or file name, stripped; None when nothing gives one."""
        found = self._found(header, file_name)
        if found is None:
            return None
        return next((name for start, name in self.names.items() if found.startswith(start)), found)

    def _found(self, header: Mapping[str, object], file_name: str) -> str | None:
        for keyword in self.keywords:
            card = header.get(keyword)
            text = "" if card is None else str(card).strip()
            found = _search(self.pattern, text)
            if found:
                return found
        if self.file_pattern is not None and (found := _search(self.file_pattern, file_name)):
            return found
        return self.value


def _search(pattern: str | None, text: str) -> str | None:
    if pattern is None:
        return text or None
    match = re.search(pattern, text)
    if match is None:
        return None
    return (match[match.re.groups] or "").strip() or None


class FitsRules(_Section):
    """Where FITS headers of this collection keep things; the defaults are the FITS standard's words.

    ``exptime_unit`` is the unit of the exposure time in these headers; ``date_is_start`` whether the date is the
    start of the exposure (else its middle). ``time_of_day`` is read where the date has none. ``ra``, ``dec`` and
    ``equinox`` give the logged position of a plate without a solution. Files whose name fits ``binned_file_pattern``
    are scans binned by ``bin_factor``; others are full scans.
    """

    plate_id: HeaderRule = HeaderRule(keywords=("PLATEID", "PLATE-ID", "PLATENUM"), file_pattern=r"^([^.]+)")
    exposure_id: HeaderRule = HeaderRule(value="1")
    series: HeaderRule = HeaderRule()
    plate_number: HeaderRule = HeaderRule()
    date: HeaderRule = HeaderRule(keywords=("DATE-OBS",))
    exptime: HeaderRule = HeaderRule(keywords=("EXPTIME", "EXPOSURE"))
    exptime_unit: Literal["s", "min", "h"] = "s"
    date_is_start: bool = True
    emulsion: HeaderRule = HeaderRule(keywords=("EMULSION",))
    filter: HeaderRule = HeaderRule(keywords=("FILTER",))
    target_name: HeaderRule = HeaderRule(keywords=("OBJECT",))
    observer: HeaderRule = HeaderRule(keywords=("OBSERVER",))
    facility_name: HeaderRule = HeaderRule(keywords=("TELESCOP",))
    instrument_name: HeaderRule = HeaderRule(keywords=("INSTRUME",))
    comment: HeaderRule = HeaderRule()
    scan_id: HeaderRule = HeaderRule(keywords=("SCANNUM",), value="0")
    scan_date: HeaderRule = HeaderRule(keywords=("DATE-SCN", "DATE-MES"))
    time_of_day: HeaderRule = HeaderRule(keywords=("UT", "TIME-OBS"))
    plate_scale: HeaderRule = HeaderRule(keywords=("PLTSCALE",))
    ra: HeaderRule = HeaderRule(keywords=("RA", "OBJCTRA"))
    dec: HeaderRule = HeaderRule(keywords=("DEC", "OBJCTDEC"))
    equinox: HeaderRule = HeaderRule(keywords=("EQUINOX",))
    binned_file_pattern: Pattern | None = None
    bin_factor: int = Field(default=1, ge=1)
    companions: dict[Literal["preview", "thumbnail", "plate_photo", "jacket_photo", "logbook"], str] = Field(
        default={}, description="endings of pictures beside a file, after the plate's name, by role"
    )

    def is_binned(self, file_name: str) -> bool:
        """Whether a file of this name is a binned scan."""
        return self.binned_file_pattern is not None and re.search(self.binned_file_pattern, file_name) is not None


class Defaults(_Section):
    """Values for plates and exposures that do not say it themselves.

    ``em_min`` and ``em_max`` in m (vacuum); ``o_ucd`` the UCD of a pixel's value; ``dataproduct_subtype`` the
    technique.
    """

    em_min: PositiveFloat | None = None
    em_max: PositiveFloat | None = None
    o_ucd: str | None = "phys.transmission"
    o_calib_status: Literal["absolute", "relative", "normalized", "any"] | None = None
    dataproduct_subtype: str | None = "plate.direct"
    t_calib_status: Literal["uncalibrated", "raw", "calibrated", "relative"] | None = None
    s_resolution: PositiveFloat | None = Field(
        default=None, description="seeing, emulsion and scanner together, arcsec"
    )
    s_stat_error: PositiveFloat | None = Field(default=None, description="of positions from a logbook, arcsec")
    emulsion: str | None = None
    filter: str | None = None
    width_px: int | None = Field(default=None, gt=0, description="pixels of a full scan where no record tells")
    height_px: int | None = Field(default=None, gt=0)
    pixel_scale: PositiveFloat | None = Field(
        default=None, description="arcsec per pixel of a full scan where none tells"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Defaults:
        if (self.em_min is None) != (self.em_max is None):
            raise ValueError("em_min and em_max go together")
        if self.em_min is not None and self.em_max is not None and self.em_min > self.em_max:
            raise ValueError("em_min is larger than em_max (metres of vacuum wavelength)")
        return self


class Collection(_Section):
    """What a curator says of a collection.

    ``name`` is the folder's name and the schema of its tables. ``obs_collection`` is the word that ObsCore and SIA2's
    COLLECTION use; empty: ``name`` in upper case. ``readers`` names the ingest readers its
    sources are tried with, in this order; empty: all. ``series_file`` is a table in the folder with the series'
    telescopes, scales and plate sizes. ``synthetic`` marks plates that no telescope ever took.
    """

    name: Annotated[str, AfterValidator(_schema_name)]
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    obs_collection: str = ""
    creators: tuple[str, ...] = Field(min_length=1)
    rights: str = ""
    data_rights: Literal["public", "secure", "proprietary"] = "public"
    bib_reference: str | None = None
    reference_url: str | None = None
    facility_name: str | None = None
    instrument_name: str | None = None
    subjects: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    series_file: str | None = None
    synthetic: bool = False
    footprint: FootprintRule = FootprintRule()
    wide: WideRule = WideRule()
    products: ProductRules = ProductRules()
    fits: FitsRules = FitsRules()
    defaults: Defaults = Defaults()
    folder: Path = Field(exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: dict[str, object]) -> dict[str, object]:
        if not values.get("obs_collection"):
            values["obs_collection"] = str(values.get("name", "")).upper()
        return values

    def is_wide(self, plate_scale: float | None) -> bool:
        """Whether a plate of this scale (arcsec/mm) is kept out of ivoa.obscore; an unknown scale is not wide."""
        limit = self.wide.max_plate_scale
        return limit is not None and plate_scale is not None and plate_scale > limit

    @property
    def columns_file(self) -> Path | None:
        """The Felis file that adds columns of its own to ``<collection>.plates``, if there is one."""
        path = self.folder / "columns.yaml"
        return path if path.is_file() else None


def load_collection(settings: Settings, name: str) -> Collection:
    """Read ``resources/<name>/collection.toml``; :class:`OperatorFault` names the file and every key that is wrong."""
    folder = settings.resources_dir / name
    path = folder / DESCRIPTOR
    if not path.is_file():
        known = ", ".join(list_collections(settings)) or "none"
        raise OperatorFault(
            f"no collection {name!r}: {path} does not exist (collections here: {known}). "
            "Make the folder with a collection.toml, or set VO_RESOURCES_DIR to the folder that holds it."
        )
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorFault(f"{path} is not TOML: {error}") from error
    if "folder" in values:
        raise OperatorFault(f"{path}: 'folder' is not a key of a collection")
    try:
        collection = Collection.model_validate({**values, "folder": folder})
    except ValidationError as error:
        raise OperatorFault(f"{path}: {_describe(error)}") from error
    if collection.name != name:
        raise OperatorFault(f"{path}: name is {collection.name!r} but the folder is {name!r}; they must be the same")
    return collection


def list_collections(settings: Settings) -> tuple[str, ...]:
    """Names of the collections that have a descriptor in ``resources_dir``, sorted."""
    if not settings.resources_dir.is_dir():
        return ()
    return tuple(sorted(path.parent.name for path in settings.resources_dir.glob(f"*/{DESCRIPTOR}")))


def _describe(error: ValidationError) -> str:
    lines = []
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in item["loc"]) or "the file"
        said = "is not a key of a collection" if item["type"] == "extra_forbidden" else item["msg"]
        lines.append(f"{key}: {said}")
    return "; ".join(lines)
