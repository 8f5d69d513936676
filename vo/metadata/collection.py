"""A collection's descriptor: ``resources/<name>/collection.toml``, checked and typed.

It says what the registry, the pages and ObsCore should say of the plates, and how ingest finds its way in the
sources. Keys that are not described here are refused, with the file and the key in the fault's text.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    model_validator,
)

from vo.errors import OperatorFault
from vo.metadata.templates import check_template, parse_template
from vo.metadata.toml_file import read_toml
from vo.metadata.words import RESERVED_WORDS
from vo.settings import Settings

DESCRIPTOR = "collection.toml"

#: Schemas that a collection may not take the name of.
TAKEN = frozenset(
    {"archive", "ivoa", "public", "queue", "registry", "rr", "tap_schema", "tap_upload", "uws", "vo"}
    | {"information_schema"}
)

#: Resources of a server's own, which collections stand beside under the same authority, and the page of the authority's
#: own record (docs/registry.md).
SERVICES = frozenset({"authority", "organisation", "registry", "tap", "obscore", "sia2"})


def check_name(name: str) -> str:
    """The name, when a collection can be called so; else ``ValueError`` says why not."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise ValueError("a collection's name is its schema: lower-case letters, digits and _, at most 40")
    if name in TAKEN | SERVICES or name.startswith("pg_") or name.upper() in RESERVED_WORDS:
        raise ValueError(f"{name!r} is taken by the database, by a service or by ADQL; choose another name")
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


def _ivoid(text: str) -> str:
    # IVOA Identifiers 2.0, section 2.3: an authority of three characters or more, and a path
    if not re.fullmatch(r"ivo://[A-Za-z0-9][A-Za-z0-9._!~*'()+=-]{2,}(/[A-Za-z0-9._!~*'()+=-]+)+", text):
        raise ValueError("write the identifier of a registry record, such as ivo://org.skyview/plates")
    return text


def _doi(text: str) -> str:
    if not re.fullmatch(r"10\.[0-9]{4,9}/\S+", text):
        raise ValueError("write a DOI without anything in front of it, such as 10.5281/zenodo.1234")
    return text


def _web_address(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        raise ValueError("write an address of the web, such as https://creativecommons.org/licenses/by/4.0/")
    return text


def _orcid(text: str) -> str:
    # ISO 7064 MOD 11-2, as https://support.orcid.org tells of the last character
    if re.fullmatch(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", text):
        total = 0
        for digit in text.replace("-", "")[:-1]:
            total = (total + int(digit)) * 2
        if "0123456789X"[(12 - total % 11) % 11] == text[-1]:
            return text
    raise ValueError("write an ORCID iD without anything in front of it, such as 0000-0002-1825-0097")


def _email(text: str) -> str:
    if not re.fullmatch(r"[^\s@]+@[^\s@]+", text):
        raise ValueError("write an e-mail address, such as archive@skyview.example")
    return text


WebAddress = Annotated[str, AfterValidator(_web_address)]
#: A word of a list, which says something.
Word = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Person(_Section):
    """Who made or helped to make a collection: ``name`` as ``Family, G.`` or that of an institute.

    In collection.toml a name alone is enough. ``orcid`` is the bare identifier (``0000-0002-1825-0097``), ``ivoid``
    that of an organisation's registry record.
    """

    name: str = Field(min_length=1)
    orcid: Annotated[str, AfterValidator(_orcid)] | None = None
    ivoid: Annotated[str, AfterValidator(_ivoid)] | None = None


def _as_person(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


Someone = Annotated[Person, BeforeValidator(_as_person)]


class Contact(_Section):
    """Whom to ask about a collection (VOResource 1.1, section 3.1.2); what is not given is the server's."""

    name: str = Field(min_length=1)
    email: Annotated[str, AfterValidator(_email)] | None = None
    address: str | None = None
    telephone: str | None = None


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


class ProductTemplate(_Section):
    """Where a kind of file is for every scanned plate.

    ``location`` and ``file_name`` are templates (:data:`TEMPLATE_FIELDS` in braces, with a width where it is to be
    filled up: ``{plate_number:0>5}``); the name is the last part of the location when not given. A template with a
    field of a scan is for each scan, one with a field of an exposure for each exposure, any other for the plate.
    ``bin_factor``, ``hdu`` and ``is_base`` are those of a product (:class:`vo.db.records.Product`).
    """

    role: Literal[
        "fits",
        "fits_binned",
        "preview",
        "thumbnail",
        "plate_photo",
        "plate_photo_clean",
        "jacket_photo",
        "logbook",
        "calibration",
        "raw",
        "documentation",
    ]
    location: str
    content_type: str = Field(pattern=r"^[a-z]+/[!-~]+( *; *[!-~]+)*$")
    file_name: str = ""
    bin_factor: int = Field(default=1, ge=1)
    hdu: int = Field(default=0, ge=0)
    is_base: bool = False
    description: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: object) -> object:
        if isinstance(values, dict) and not values.get("file_name"):
            return {**values, "file_name": unquote(str(values.get("location", "")).rpartition("/")[2])}
        return values

    @model_validator(mode="after")
    def _sound(self) -> ProductTemplate:
        # Fields stand in the path alone: what a plate is called does not choose the server or the bucket.
        if not re.match(r"(file:///|s3://[^/{}?#]+/|https?://[^/{}?#]+/)[^/]", self.location):
            raise ValueError("location begins with file:///, s3://bucket/ or https://host/, and has a path")
        check_template("location", self.location)
        check_template("file_name", self.file_name)
        if not self.file_name or not re.fullmatch(r"[^/?#\\\0]+", self.file_name):
            raise ValueError("file_name is a name without / ? # and \\; give one where the location ends in none")
        return self

    def fields(self) -> frozenset[str]:
        """The fields that it needs."""
        return frozenset(one.name for text in (self.location, self.file_name) for one in parse_template(text))


class ProductRules(_Section):
    """Which product is ``#this`` in Datalink (and hence what access_estsize, s_xel1/2 and s_pixel_scale describe).

    ``templates`` tell where files are that no source lists.
    """

    this: Literal["fits", "fits_binned"] = "fits"
    templates: tuple[ProductTemplate, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> ProductRules:
        names = [one.file_name for one in self.templates]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two templates name their files {twice!r}; names are permanent links, so they differ")
        return self


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
    COLLECTION use; empty: ``name`` in upper case. ``ivoid`` names the collection's registry record where it is not
    ``ivo://<authority>/<name>``, ``doi`` the data set. ``original_date`` is when the original appeared elsewhere,
    ``publication_date`` when this archive first published it; ``is_derived_from`` names (IVOID, DOI, bibcode) what it
    was made from. ``short_name`` is for tables of results, ``content_types`` and ``content_levels`` are VOResource's
    words; ``region_of_regard`` is how far (degrees) a position may be off by its astrometry. ``readers`` names the
    ingest readers its sources are tried with, in this order; empty: all.
    ``series_file`` is a table in the folder with the series' telescopes, scales and plate sizes. ``synthetic`` marks
    plates that no telescope ever took.
    """

    name: Annotated[str, AfterValidator(check_name)]
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    obs_collection: str = ""
    short_name: str | None = Field(default=None, min_length=1, max_length=16)
    creators: tuple[Someone, ...] = Field(min_length=1)
    contributors: tuple[Someone, ...] = ()
    contact: Contact | None = None
    ivoid: Annotated[str, AfterValidator(_ivoid)] | None = None
    doi: Annotated[str, AfterValidator(_doi)] | None = None
    resource_version: str | None = Field(default=None, min_length=1)
    original_date: dt.date | None = None
    publication_date: dt.date | None = None
    is_derived_from: tuple[Word, ...] = ()
    rights: str = ""
    rights_uri: WebAddress | None = None
    data_rights: Literal["public", "secure", "proprietary"] = "public"
    bib_reference: str | None = None
    reference_url: WebAddress | None = None
    facility_name: str | None = None
    instrument_name: str | None = None
    subjects: tuple[Word, ...] = ()
    content_types: tuple[Word, ...] = ("Archive",)
    content_levels: tuple[Literal["General", "Amateur", "Research"], ...] = ("Research",)
    region_of_regard: PositiveFloat | None = None
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
    def creator_names(self) -> str:
        """Who made it, in one line."""
        return "; ".join(one.name for one in self.creators)

    @property
    def columns_file(self) -> Path | None:
        """The Felis file that adds columns of its own to ``<collection>.plates``, if there is one."""
        path = self.folder / "columns.yaml"
        return path if path.is_file() else None


def load_collection(settings: Settings, name: str) -> Collection:
    """Read ``resources/<name>/collection.toml``.

    :class:`vo.metadata.mistakes.MistakesFault` has every mistake with its line; without a descriptor it is an
    :class:`OperatorFault`.
    """
    folder = settings.resources_dir / name
    path = folder / DESCRIPTOR
    if not path.is_file():
        known = ", ".join(list_collections(settings)) or "none"
        raise OperatorFault(
            f"no collection {name!r}: {path} does not exist (collections here: {known}). "
            "Make the folder with a collection.toml, or set VO_RESOURCES_DIR to the folder that holds it."
        )
    file = read_toml(path)
    mistakes = []
    if "folder" in file.values:
        mistakes.append(file.mistake(("folder",), "is not a key of a collection"))
    if isinstance(file.values.get("name"), str) and file.values["name"].strip() != name:
        said = f"is {file.values['name']!r} but the folder is {name!r}; they must be the same"
        mistakes.append(file.mistake(("name",), said))
    return file.validate(Collection, "a collection", mistakes, folder=folder)


def list_collections(settings: Settings) -> tuple[str, ...]:
    """Names of the collections that have a descriptor in ``resources_dir``, sorted."""
    if not settings.resources_dir.is_dir():
        return ()
    return tuple(sorted(path.parent.name for path in settings.resources_dir.glob(f"*/{DESCRIPTOR}")))
