"""How a collection's own list of plates is read: ``resources/<name>/mapping.toml``, checked and typed.

The list may be a table of any usual kind (:data:`FORMATS`). The mapping says which of its columns hold what, and how
they write it; docs/mapping.md is the reference for curators. :mod:`vo.ingest.readers.table` reads by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date as calendar_date
from fnmatch import fnmatch
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from vo.metadata.collection import Collection, Pattern
from vo.metadata.forms import parse_angle_form, parse_date_form
from vo.metadata.mistakes import MistakesFault
from vo.metadata.toml_file import read_toml

MAPPING = "mapping.toml"
#: A curator's own reader of rows, beside the mapping.
READER = "reader.py"

Format = Literal["fixed", "csv", "tsv", "ecsv", "votable", "fits", "parquet"]

#: What stands in a template: a column's name in braces, with a width to fill up to where one is wanted.
FIELD = re.compile(r"\{([^{}]+?)(?::([^{}<>^]?[<>^]?\d{1,3}))?\}")

#: What units there are of each kind of quantity, in the archive's own unit of it.
UNITS: dict[str, dict[str, float]] = {
    "time": {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0},
    "angle": {"deg": 1.0, "arcmin": 1.0 / 60.0, "arcsec": 1.0 / 3600.0, "h": 15.0, "rad": 57.29577951308232},
    "length": {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4},
    "wavelength": {"m": 1.0, "um": 1e-6, "nm": 1e-9, "angstrom": 1e-10},
    "scale": {"arcsec/mm": 1.0, "arcmin/mm": 60.0, "deg/mm": 3600.0, "arcmin/cm": 6.0, "deg/cm": 360.0},
}

_UNIT = re.compile(r"(?:(\d+(?:\.\d+)?)\s+)?(\S+)")
_COLUMNS = re.compile(r"(\d+)(?:-(\d+)?)?")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def read_unit(kind: str, text: str) -> float:
    """How many of the archive's units one of these is (``0.1 min`` is 6 s); ``ValueError`` names the known ones."""
    match = _UNIT.fullmatch(text.strip())
    factor = UNITS[kind].get(match[2]) if match else None
    if match is None or factor is None or float(match[1] or 1) == 0.0:
        raise ValueError(f"{text!r} is no unit of this; write {', '.join(UNITS[kind])}, or a part of one (0.1 min)")
    return factor * float(match[1] or 1)


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_several)]


class Rule(_Section):
    """How one value is found in a row.

    It is the first of the ``column`` s that has something, or a ``template`` of columns in braces with text between,
    cut out by ``pattern`` where there is one; ``names`` replaces a whole text by another. A text of ``null`` counts as
    nothing. Where nothing is found stands ``value``.
    """

    column: Texts = ()
    template: str | None = None
    pattern: Pattern | None = None
    names: dict[str, str] = {}
    null: Texts = ()
    value: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Rule:
        if self.column and self.template is not None:
            raise ValueError("column and template exclude each other")
        if not self.column and self.template is None and self.value is None:
            raise ValueError("say where the value is: a column, a template, or one value for all rows")
        if self.template is not None:
            rest = FIELD.sub("", self.template)
            if "{" in rest or "}" in rest:
                raise ValueError(f"{self.template!r}: write each column's name in a pair of braces, such as {{number}}")
            if rest == self.template:
                raise ValueError(f"{self.template!r} names no column in braces; a text for all rows is 'value'")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        if self.template is None:
            return self.column
        return tuple(match[1] for match in FIELD.finditer(self.template))


def _as_rule(value: object) -> object:
    if not isinstance(value, str):
        return value
    return {"template": value} if "{" in value else {"column": value}


TextRule = Annotated[Rule, BeforeValidator(_as_rule)]


class NumberRule(Rule):
    """A number: ``unit`` is the list's, ``form`` that of times and angles which are no decimal number.

    Values below ``least`` or above ``most`` (in the list's unit) are left empty.
    """

    unit: str | None = None
    form: str | None = None
    least: float | None = None
    most: float | None = None

    @model_validator(mode="after")
    def _sound_form(self) -> NumberRule:
        if self.form is not None:
            parse_angle_form(self.form)
            if self.unit is not None:
                raise ValueError("a form has its unit within it; leave unit out")
        return self


class FlagRule(Rule):
    """Yes or no; ``yes`` lists the texts that mean yes, all else is no."""

    yes: Texts = ("yes", "y", "true", "t", "1", "x")


class OwnRule(NumberRule):
    """A column of the collection's own: a number is multiplied by ``factor``, an angle or time read by ``form``.

    Of which type it is says columns.yaml.
    """

    unit: None = None
    factor: float = 1.0
    yes: Texts = ("yes", "y", "true", "t", "1", "x")


def _quantity(kind: str) -> AfterValidator:
    def check(rule: NumberRule | None) -> NumberRule | None:
        if rule is not None and rule.unit is not None:
            read_unit(kind, rule.unit)
        if rule is not None and rule.form is not None and kind not in ("time", "angle"):
            raise ValueError("only times and angles have a form")
        return rule

    return AfterValidator(check)


_Number = Annotated[NumberRule, BeforeValidator(_as_rule)]
TimeRule = Annotated[_Number, _quantity("time")]
AngleRule = Annotated[_Number, _quantity("angle")]
LengthRule = Annotated[_Number, _quantity("length")]
WavelengthRule = Annotated[_Number, _quantity("wavelength")]
ScaleRule = Annotated[_Number, _quantity("scale")]


class SourceRules(_Section):
    """What kind of table the list is.

    ``files`` are patterns of the names of files that are such lists (``*.txt``); none: every file of the kind.
    ``decimal`` stands before the decimals of numbers.
    """

    format: Format | None = None
    files: Texts = ()
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    header_lines: int = Field(default=0, ge=0)
    column_names: tuple[str, ...] = ()
    comment: str | None = Field(default=None, min_length=1)
    null: Texts = ()

    def takes(self, file_name: str) -> bool:
        """Whether a file of this name is such a list."""
        return not self.files or any(fnmatch(file_name, pattern) for pattern in self.files)


class PlateRules(_Section):
    """The plate: what :class:`vo.db.records.Plate` has."""

    plate_id: TextRule
    series: TextRule | None = None
    plate_number: TextRule | None = None
    facility_name: TextRule | None = None
    instrument_name: TextRule | None = None
    plate_class: TextRule | None = None
    emulsion: TextRule | None = None
    filter: TextRule | None = None
    comment: TextRule | None = None
    em_min: WavelengthRule | None = None
    em_max: WavelengthRule | None = None
    plate_scale: ScaleRule | None = None
    width_mm: LengthRule | None = None
    height_mm: LengthRule | None = None


class ExposureRules(_Section):
    """The exposure: what :class:`vo.db.records.Exposure` has besides its place and time."""

    exposure_id: TextRule | None = None
    exposure_number: TextRule | None = None
    exptime: TimeRule | None = None
    target_name: TextRule | None = None
    observer: TextRule | None = None
    rotation_deg: AngleRule | None = None


def _form(text: str) -> str:
    parse_angle_form(text)
    return text


AngleFormText = Annotated[str, AfterValidator(_form)]


def _as_value(value: object) -> object:
    return {"value": str(value)} if isinstance(value, (str, int, float)) else value


class PositionRules(_Section):
    """Where the exposure looked.

    ``equinox`` is one for all rows (``B1950``, ``J2000``, ``1875``), ``date`` for that of the exposure, or a rule.
    ``epoch`` says for which time an FK4 position holds: its equinox' or the exposure's.
    """

    ra: TextRule
    dec: TextRule
    ra_form: AngleFormText = "deg"
    dec_form: AngleFormText = "deg"
    frame: Literal["ICRS", "FK5", "FK4", "Galactic"]
    equinox: Annotated[Rule | None, BeforeValidator(_as_value)] = None
    epoch: Literal["equinox", "date"] = "equinox"

    @model_validator(mode="after")
    def _sound(self) -> PositionRules:
        if (self.equinox is None) == (self.frame in ("FK4", "FK5")):
            raise ValueError("FK4 and FK5 have an equinox (B1950, J2000, date); ICRS and Galactic have none")
        if self.equinox is not None and not self.equinox.columns and self.equinox.value != "date":
            read_equinox(self.equinox.value or "")
        if self.epoch == "date" and self.frame != "FK4":
            raise ValueError("only FK4 has an epoch")
        if self.dec_form in ("hours", "h m s") or self.dec_form.startswith("h"):
            raise ValueError("dec_form: a declination or latitude is in degrees")
        return self


def read_equinox(text: str) -> float:
    """The year of an equinox as it is written: ``B1950.0``, ``J2000``, ``1875``; ``ValueError`` when it is none."""
    match = re.fullmatch(r"\s*[BJ]?\s*(\d{4}(?:\.\d*)?)\s*", text)
    if match is None or not 1700.0 <= float(match[1]) <= 2100.0:  # noqa: PLR2004 -- what catalogues are for
        raise ValueError(f"{text!r} is no equinox; write B1950, J2000, 1875, or date for that of the exposure")
    return float(match[1])


class SiteRules(_Section):
    """Where the telescope stood: degrees, longitude positive to the east."""

    longitude: float = Field(ge=-180.0, le=360.0)
    latitude: float = Field(ge=-90.0, le=90.0)


def _zone(value: str | float) -> str | float:
    if isinstance(value, str):
        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError(f"{value!r} is no time zone; write hours east of Greenwich, or Europe/Berlin") from error
        return value
    if not -15.0 <= value <= 15.0:  # noqa: PLR2004 -- hours
        raise ValueError("a zone is at most 15 hours from Greenwich")
    return value


class TimeRules(_Section):
    """When the exposure was; docs/mapping.md, "Dates and times", tells what the words mean.

    ``clock`` is the time of day, in the ``system``: Universal Time, the time of a ``zone``, the mean solar or sidereal
    time of the site. ``day`` tells which date it belongs to. ``first_year`` is the first of the hundred years that
    two-digit years are of. Until ``astronomical_until`` the day of astronomers began at noon.
    """

    date: TextRule
    date_form: str = "yyyy-mm-dd"
    first_year: int | None = Field(default=None, ge=1800, le=2000)
    clock: TextRule | None = None
    clock_form: AngleFormText = "h m s"
    system: Literal["UT", "zone", "local mean", "sidereal"] = "UT"
    day: Literal["midnight", "evening", "noon", "astronomical", "UT"] = "midnight"
    astronomical_until: calendar_date = calendar_date(1925, 1, 1)
    zone: Annotated[float | str, AfterValidator(_zone)] | None = None
    site: TextRule | None = None
    means: Literal["start", "middle", "end"] = "start"

    @model_validator(mode="after")
    def _sound(self) -> TimeRules:
        form = parse_date_form(self.date_form)
        if form.has_short_year != (self.first_year is not None):
            raise ValueError("first_year goes with two-digit years (yy): the first of the hundred years they are of")
        if (self.zone is None) == (self.system == "zone"):
            raise ValueError('zone goes with system = "zone"')
        if self.clock is not None and self.date_form in ("jd", "mjd", "year"):
            raise ValueError(f"{self.date_form} has the time of day within it; leave clock out")
        if self.clock is not None and self.clock_form in ("deg", "rad", "d m s"):
            raise ValueError("clock_form is a form of times: h m s, hours, hhmm")
        if self.system == "sidereal" and form.is_moment:
            raise ValueError(f"date_form {self.date_form} does not go with sidereal time")
        return self


class ScanRules(_Section):
    """Whether the plate is scanned, which is what makes it an image in ivoa.obscore.

    ``scanned`` is yes or no; ``scan_id`` names the scan (``0`` when not given). Of a plate without ``scanned`` the
    scan's name tells: where there is none, it is not scanned.
    """

    scanned: Annotated[FlagRule, BeforeValidator(_as_rule)] | None = None
    scan_id: TextRule | None = None

    @model_validator(mode="after")
    def _one(self) -> ScanRules:
        if self.scanned is None and self.scan_id is None:
            raise ValueError("[scan] needs scanned, scan_id, or both")
        return self


def _range(text: str) -> str:
    match = _COLUMNS.fullmatch(text.replace(" ", ""))
    if match is None or int(match[1]) < 1 or (match[2] and int(match[2]) < int(match[1])):
        raise ValueError(f"{text!r}: write the first and last place of the column, counted from 1, such as 8-15")
    return text.replace(" ", "")


class ListMapping(_Section):
    """All of a mapping; ``columns`` are those of a list of fixed width, ``sites`` the places of telescopes by name."""

    source: SourceRules = SourceRules()
    columns: dict[str, Annotated[str, AfterValidator(_range)]] = {}
    plate: PlateRules
    exposure: ExposureRules = ExposureRules()
    position: PositionRules | None = None
    time: TimeRules | None = None
    sites: dict[str, SiteRules] = {}
    scan: ScanRules | None = None
    own: dict[str, Annotated[OwnRule, BeforeValidator(_as_rule)]] = {}

    @model_validator(mode="after")
    def _sound(self) -> ListMapping:
        if (self.source.format == "fixed") != bool(self.columns):
            raise ValueError('[columns] (name = "8-15") goes with format = "fixed" and with nothing else')
        if self.columns and (unknown := sorted(self.used_columns - self.columns.keys())):
            raise ValueError(f"rules name columns that [columns] does not have: {', '.join(unknown)}")
        if self.time is not None and self.time.system in ("local mean", "sidereal"):
            if not self.sites:
                raise ValueError(f"{self.time.system} time needs [sites.<name>] with longitude and latitude")
            if len(self.sites) > 1 and self.time.site is None:
                raise ValueError("with several sites, [time] says which one: site")
        return self

    @property
    def used_columns(self) -> frozenset[str]:
        """Every column that a rule reads."""
        return frozenset(name for rule in _rules(self) for name in rule.columns)

    def span(self, name: str) -> slice:
        """Where a column of fixed width stands in a line, as Python counts."""
        match = _COLUMNS.fullmatch(self.columns[name])
        if match is None:
            raise KeyError(name)
        first = int(match[1])
        if "-" not in match[0]:
            return slice(first - 1, first)
        return slice(first - 1, int(match[2]) if match[2] else None)


def _rules(section: BaseModel) -> Iterator[Rule]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        inner = value.values() if isinstance(value, dict) else (value,)
        for one in inner:
            if isinstance(one, Rule):
                yield one
            elif isinstance(one, BaseModel):
                yield from _rules(one)


def has_mapping(collection: Collection) -> bool:
    """Whether the collection's folder has a mapping."""
    return (collection.folder / MAPPING).is_file()


def load_mapping(collection: Collection) -> ListMapping | None:
    """Read the collection's ``mapping.toml``, None when it has none.

    :class:`vo.metadata.mistakes.MistakesFault` has every mistake with its line.
    """
    path = collection.folder / MAPPING
    if not path.is_file():
        return None
    file = read_toml(path)
    mapping = file.validate(ListMapping, "a mapping")
    if mapping.source.format is None and not (collection.folder / READER).is_file():
        said = f"is required and not there: {', '.join(get_args(Format))}"
        raise MistakesFault([file.mistake(("source", "format"), said, f"or write a {READER} that gives the rows")])
    return mapping
