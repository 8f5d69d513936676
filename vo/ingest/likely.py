"""Which column of a list holds what, as far as names, units, UCDs and the first values tell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vo.ingest.survey import Survey, SurveyedColumn
from vo.metadata.forms import parse_date_form

#: Keys of a mapping, and what columns that hold them are often called (without case, blanks and _).
_NAMES: Mapping[str, str] = {
    "plate.plate_id": r"(plate|plateid|plateno|platenum|platenumber|platename|id|name|wfpdbid)",
    "plate.series": r"(series|prefix|instrumentid)",
    "plate.emulsion": r"(emulsion|emul|plateemulsion)",
    "plate.filter": r"(filter|filt)",
    "plate.comment": r"(comments?|remarks?|notes?)",
    "plate.instrument_name": r"(telescope|instrument|camera)",
    "plate.facility_name": r"(observatory|facility|site)",
    "exposure.exptime": r"(exp|exptime|exposure|exposuretime|texp|duration|minutes|seconds|expt?min)",
    "exposure.target_name": r"(object|target|field|region|objectname|targetname)",
    "exposure.observer": r"(observer|observers|obs)",
    "position.ra": r"(_?ra|ra[jb]?\d{4}|raicrs|radeg|rightascension|alpha)",
    "position.dec": r"(_?dec?|dec?[jb]?\d{4}|dec?icrs|dec?deg|declination|delta)",
    "time.date": r"(date|dateobs|obsdate|obsday|day|jd|mjd)",
    "time.clock": r"(time|ut|utc|utstart|start|begin|tstart|timeobs|clock|hour)",
    "scan.scanned": r"(scanned|digitised|digitized|isscanned)",
}
_UCDS: Mapping[str, str] = {
    "position.ra": "pos.eq.ra",
    "position.dec": "pos.eq.dec",
    "exposure.exptime": "time.duration",
    "time.date": "time.epoch",
    "plate.plate_id": "meta.id",
}

#: Forms of dates by what they look like (docs/mapping.md).
_DATES: Sequence[tuple[str, str]] = (
    (r"\d{4}-\d\d-\d\dT.*", "iso"),
    (r"\d{4}-\d\d-\d\d", "yyyy-mm-dd"),
    (r"\d{4}/\d\d?/\d\d?", "yyyy/m/d"),
    (r"\d\d?\.\d\d?\.\d{4}", "d.m.yyyy"),
    (r"\d\d?/\d\d?/\d{4}", "d/m/yyyy"),
    (r"\d\d?\.\d\d?\.\d\d", "d.m.yy"),
    (r"\d\d?/\d\d?/\d\d", "d/m/yy"),
    (r"\d\d? [A-Za-z]{3,9} \d{4}", "d mon yyyy"),
    (r"\d{4} [A-Za-z]{3,9} \d\d?", "yyyy mon d"),
    (r"(1[89]|20)\d{6}", "yyyymmdd"),
    (r"24\d{5}(\.\d*)?", "jd"),
    (r"\d{5}(\.\d*)?", "mjd"),
    (r"\d{6}", "yymmdd"),
)
_CIRCLE = 24.0
#: Years that catalogues are for, and the first of FK5's.
_FIRST_EQUINOX, _LAST_EQUINOX, _FK5 = 1800, 2050, 1984


@dataclass(frozen=True, slots=True)
class Likely:
    """Columns by the key that they are likely to hold, and further keys of the mapping with their values."""

    columns: Mapping[str, str]
    settings: Mapping[str, str | int]
    left: tuple[SurveyedColumn, ...]


def find_likely(found: Survey) -> Likely:
    """Match columns with keys; each column is for one key at most, and no key but the plate's name is a must."""
    taken: dict[str, SurveyedColumn] = {}
    for key, pattern in _NAMES.items():
        free = [one for one in found.columns if one not in taken.values()]
        by_ucd = (one for one in free if key in _UCDS and (one.ucd or "").lower().startswith(_UCDS[key]))
        by_name = (one for one in free if re.fullmatch(pattern, re.sub(r"[\s_.()\[\]-]", "", one.name.lower())))
        match = next(by_name, None) or next(by_ucd, None)
        if match is not None:
            taken[key] = match
    if "plate.plate_id" not in taken and found.columns:
        free = [one for one in found.columns if one not in taken.values()]
        taken["plate.plate_id"] = (free or found.columns)[0]
    settings = _drop_doubtful(taken)
    left = tuple(one for one in found.columns if one not in taken.values())
    return Likely({key: one.name for key, one in taken.items()}, settings, left)


def _drop_doubtful(taken: dict[str, SurveyedColumn]) -> dict[str, str | int]:
    """Settings of what was found; a position or date whose form is not known is left to the curator."""
    settings: dict[str, str | int] = {}
    if "position.ra" in taken and "position.dec" in taken:
        settings |= _position(taken["position.ra"], taken["position.dec"])
    else:
        taken.pop("position.ra", None)
        taken.pop("position.dec", None)
    form = _date_form(taken["time.date"]) if "time.date" in taken else None
    if form is None:
        taken.pop("time.date", None)
        taken.pop("time.clock", None)
    else:
        settings["time.date_form"] = form
        if parse_date_form(form).has_short_year:
            settings["time.first_year"] = 1890
        if form in ("iso", "jd", "mjd"):
            taken.pop("time.clock", None)
    if "exposure.exptime" in taken:
        settings["exposure.exptime.unit"] = _time_unit(taken["exposure.exptime"])
    return settings


def _position(ra: SurveyedColumn, dec: SurveyedColumn) -> dict[str, str | int]:
    forms: dict[str, str | int] = {
        "position.ra_form": "deg" if ra.is_number and not _is_hours(ra) else "hours" if ra.is_number else "h m s",
        "position.dec_form": "deg" if dec.is_number else "d m s",
    }
    name = ra.name.lower()
    year = next((int(one) for one in re.findall(r"\d{4}", name) if _FIRST_EQUINOX <= int(one) <= _LAST_EQUINOX), None)
    if year is None:
        return {**forms, "position.frame": "ICRS"}
    if year < _FK5:
        return {**forms, "position.frame": "FK4", "position.equinox": f"B{year}"}
    return {**forms, "position.frame": "FK5", "position.equinox": f"J{year}"}


def _is_hours(ra: SurveyedColumn) -> bool:
    if ra.unit is not None:
        return ra.unit.strip().lower() in ("h", "hr", "hour", "hours", "hourangle")
    return bool(ra.values) and max(float(one) for one in ra.values) < _CIRCLE


def _date_form(date: SurveyedColumn) -> str | None:
    """The first form that all values look like; None when there is none."""
    if not date.values:
        return None
    return next((form for look, form in _DATES if all(re.fullmatch(look, one) for one in date.values)), None)


def _time_unit(column: SurveyedColumn) -> str:
    if column.unit is not None:
        unit = column.unit.strip().lower()
        return unit if unit in ("s", "min", "h", "d") else "s"
    name = column.name.lower()
    return "min" if "min" in name else "h" if "hour" in name else "s"
