"""From the cards of a header to the cards of one world coordinate system, mended where plates' headers are broken.

What wcslib gets to see is only what belongs to the system asked for, so that stray cards cannot spoil it:
SuperCOSMOS writes XPIXELSZ, which wcslib takes for a DSS plate polynomial and fails on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from vo.pixels import cards as fits_cards
from vo.pixels.cards import Cards, Value

KEYS = " ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_LINEAR = re.compile(
    r"(WCSAXES|WCSNAME|RADESYS|EQUINOX|LONPOLE|LATPOLE"
    r"|(CTYPE|CRVAL|CRPIX|CDELT|CUNIT|CROTA|CRDER|CSYER)[1-9]|(CD|PC)[1-9]_[1-9]|P[VS][1-9]_\d{1,2})([A-Z]?)"
)
_OLD = ("RADECSYS", "EPOCH")  # the untagged system's only
_SIP = re.compile(r"(A|B|AP|BP)_(ORDER|DMAX|\d_\d)")
_WAT = re.compile(r"WAT[0-9]_\d{3}")
_DSS = re.compile(r"PLTRA[HMS]|PLTDEC(SN|[DMS])|PPO[1-6]|[XY]PIXELSZ|CNPIX[12]|AMD[XY]\d{1,2}")
_TABLES = re.compile(r"(CPDIS|CQDIS|D2IMDIS)[1-9][A-Z]?")
#: Without these there is no plate polynomial.
_DSS_NEEDS = (
    *("PLTRAH", "PLTRAM", "PLTRAS", "PLTDECD", "PLTDECM", "PLTDECS", "XPIXELSZ", "YPIXELSZ", "PPO3", "PPO6"),
    *("CNPIX1", "CNPIX2", "AMDX1", "AMDX2", "AMDX3", "AMDY1", "AMDY2", "AMDY3"),
)
_LONGITUDES = ("RA--", "GLON", "ELON", "SLON")
_LATITUDES = ("DEC-", "GLAT", "ELAT", "SLAT")
_TAN_TERMS = 4  # PV1_0 to PV1_4 are paper II's; beyond that and on axis 2 TAN has none


@dataclass(frozen=True, slots=True)
class Selection:
    """The cards of one system: ``kind`` is DSS, SIP, TPV, TNX, ZPX or the projection's three letters."""

    key: str
    kind: str
    images: tuple[str, ...]
    repairs: tuple[str, ...]


class IncompleteError(ValueError):
    """A system that is announced but cannot be used; the text says why."""


@dataclass(slots=True)
class _Work:
    """The values under repair; ``changed`` are cards to be written anew."""

    key: str
    values: dict[str, Value]
    repairs: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    changed: dict[str, Value] = field(default_factory=dict)

    def set(self, name: str, value: Value) -> None:
        self.values[name] = value
        self.changed[name] = value

    def drop(self, names: list[str]) -> None:
        for name in names:
            del self.values[name]
            self.dropped.add(name)


def keys_in(values: dict[str, Value]) -> tuple[str, ...]:
    """The letters of the systems that a header announces with celestial axes, or should."""
    found = [key for key in KEYS[1:] if is_celestial(values, key)]
    if is_celestial(values, " ") or has_plate_polynomial(values) or (not _ctypes(values, " ") and "CRVAL1" in values):
        found.insert(0, " ")
    return tuple(found)


def is_celestial(values: dict[str, Value], key: str) -> bool:
    """Whether one axis of the system is a longitude or latitude on the sky."""
    return any(name.startswith((*_LONGITUDES, *_LATITUDES)) for name in _ctypes(values, key))


def has_plate_polynomial(values: dict[str, Value]) -> bool:
    """Whether a header has the plate polynomial of the Digitized Sky Survey, or at least its coefficients."""
    return "AMDX1" in values or "AMDY1" in values


def belongs(name: str, key: str) -> bool:
    """Whether a keyword is part of the system with this letter, as far as its name says."""
    if found := _LINEAR.fullmatch(name):
        return found[4] == key.strip()
    if key != " ":
        return False
    return name in _OLD or any(pattern.fullmatch(name) for pattern in (_SIP, _WAT, _DSS))


def lettered(name: str) -> bool:
    """Whether a keyword of an untagged system has a form with a letter (CRVAL1 has, AMDX1 has not)."""
    found = _LINEAR.fullmatch(name)
    return found is not None and not found[4]


def select(header: Cards, key: str) -> Selection:
    """The cards of the system ``key``, repaired; IncompleteError when it cannot be used."""
    values = header.values()
    work = _Work(key, {name: value for name, value in values.items() if _wanted(name, values, key)})
    _tell_doubles(header, work)
    if any(_TABLES.fullmatch(name) and name[5:].endswith(key.strip()) for name in values):
        raise IncompleteError("its distortion is kept in tables (CPDIS, D2IMDIS), which are not read here")
    kind = _kind(work)
    if kind == "TPV":
        _mend_terms(work)
    _need_linear(work, kind)
    _mend_frame(work)
    return Selection(key, kind, _written(header, work), (*header.repairs, *work.repairs))


def _wanted(name: str, values: dict[str, Value], key: str) -> bool:
    if belongs(name, key) or name in ("NAXIS", "NAXIS1", "NAXIS2", "ZNAXIS1", "ZNAXIS2"):
        return True
    if name in ("MJD-OBS", "DATE-OBS"):
        return True
    # SIP's cards have no letter; a lettered system that says -SIP shares them
    return bool(_SIP.fullmatch(name)) and any(text.endswith("-SIP") for text in _ctypes(values, key))


def _ctypes(values: dict[str, Value], key: str) -> list[str]:
    found = [values.get(f"CTYPE{axis}{key.strip()}") for axis in (1, 2)]
    return [text.strip().upper() for text in found if isinstance(text, str) and text.strip()]


def _kind(work: _Work) -> str:
    """Settle what the system is, dropping the cards of what it is not."""
    dss = [name for name in work.values if _DSS.fullmatch(name)]
    if has_plate_polynomial(work.values):
        missing = [name for name in _DSS_NEEDS if name not in work.values]
        if not missing:
            _drop_distortions(work)
            return "DSS"
        if not _ctypes(work.values, work.key):
            raise IncompleteError(f"its DSS plate polynomial lacks {', '.join(missing)}")
        work.repairs.append(f"incomplete DSS plate polynomial left out: {', '.join(missing)} missing")
    elif any(name in ("XPIXELSZ", "YPIXELSZ") for name in dss):
        work.repairs.append("XPIXELSZ, YPIXELSZ left out: they belong to no plate polynomial")
    work.drop(dss)
    return _projection(work)


def _projection(work: _Work) -> str:
    types = _ctypes(work.values, work.key)
    if len(types) < 2:  # noqa: PLR2004  two axes
        missing = [name for name in _names(work, "CTYPE") if not work.values.get(name)]
        raise IncompleteError(f"{', '.join(missing)} missing")
    code = types[0][5:8]
    if types[1][5:8] != code:
        raise IncompleteError(f"its axes disagree: {types[0]} and {types[1]}")
    if not any(types[0].startswith(own) for own in (*_LONGITUDES, *_LATITUDES)) or len(code) < 3:  # noqa: PLR2004  as TAN
        raise IncompleteError(f"{types[0]} and {types[1]} are no celestial axes with a projection")
    sip = [name for name in work.values if _SIP.fullmatch(name)]
    pv = [name for name in work.values if re.fullmatch(rf"PV[12]_\d+{work.key.strip()}", name)]
    wat = [name for name in work.values if _WAT.fullmatch(name)]
    if code not in ("TNX", "ZPX"):
        work.drop(wat)
    match code:
        case "TNX" | "ZPX" | "TPV":
            if sip:
                work.repairs.append(f"SIP cards left out: CTYPE says {code}")
            work.drop(sip)
            return code
        case _:
            return _sip_or_scamp(work, code, types, sip, pv)


def _sip_or_scamp(work: _Work, code: str, types: list[str], sip: list[str], pv: list[str]) -> str:
    scamp = code == "TAN" and any(name.startswith("PV2") or _term(name) > _TAN_TERMS for name in pv)
    if any(name in ("A_ORDER", "B_ORDER") for name in sip):
        if not all(text.endswith("-SIP") for text in types):
            for name, text in zip(_names(work, "CTYPE"), types, strict=True):
                work.set(name, text.removesuffix("-SIP") + "-SIP")
            work.repairs.append("-SIP added to CTYPE: the header has SIP coefficients")
        if scamp:
            work.repairs.append("PV cards left out: SIP coefficients say the same")
            work.drop(pv)
        return "SIP"
    work.drop(sip)
    if any(text.endswith("-SIP") for text in types):
        raise IncompleteError("CTYPE says -SIP, and A_ORDER, B_ORDER are missing")
    if not scamp:
        return code
    for name, text in zip(_names(work, "CTYPE"), types, strict=True):
        work.set(name, text.replace("TAN", "TPV"))
    work.repairs.append("CTYPE changed from TAN to TPV: the PV cards are those of a TPV (as old SCAMP writes them)")
    return "TPV"


def _mend_terms(work: _Work) -> None:
    """A TPV axis without a linear term is undistorted in that (PVi_1 = 1); wcslib would put all pixels at one place."""
    for axis in (1, 2):
        names = [f"PV{axis}_{term}{work.key.strip()}" for term in (1, 2)]
        if not any(name in work.values for name in names):
            work.set(names[0], 1.0)
            work.repairs.append(f"{names[0]} missing: read as 1")


def _term(name: str) -> int:
    found = re.search(r"_(\d+)", name)
    return int(found[1]) if found else 0


def _names(work: _Work, stem: str) -> tuple[str, str]:
    letter = work.key.strip()
    return f"{stem}1{letter}", f"{stem}2{letter}"


def _drop_distortions(work: _Work) -> None:
    """With a plate polynomial the other distortions say nothing."""
    work.drop([name for name in work.values if _SIP.fullmatch(name) or _WAT.fullmatch(name)])


def _need_linear(work: _Work, kind: str) -> None:
    """Name the cards without which wcslib would go on with zeros and ones."""
    if kind == "DSS":
        return
    letter = work.key.strip()
    missing = [
        name for stem in ("CRVAL", "CRPIX") for name in _names(work, stem) if not _is_number(work.values.get(name))
    ]
    has_cd = any(f"CD{i}_{j}{letter}" in work.values for i in (1, 2) for j in (1, 2))
    if not has_cd:
        missing += [name for name in _names(work, "CDELT") if not _is_number(work.values.get(name))]
    if missing:
        raise IncompleteError(f"{', '.join(missing)} missing" + ("" if has_cd else " (or a CD matrix)"))
    if has_cd:
        a, b, c, d = (work.values.get(f"CD{i}_{j}{letter}", 0) for i in (1, 2) for j in (1, 2))
        if not all(_is_number(term) for term in (a, b, c, d)) or float(a or 0) * float(d or 0) == float(b or 0) * float(
            c or 0
        ):
            raise IncompleteError("its CD matrix is singular (wcslib would take one of zeros for 1 degree per pixel)")


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mend_frame(work: _Work) -> None:
    """Bring RADESYS and EQUINOX to their present names and types."""
    letter = work.key.strip()
    radesys, equinox = f"RADESYS{letter}", f"EQUINOX{letter}"
    for old, new in (("RADECSYS", radesys), ("EPOCH", equinox)):
        if old in work.values:
            if new not in work.values:
                work.set(new, work.values[old])
                work.repairs.append(f"{old} read as {new}")
            work.drop([old])
    if isinstance(name := work.values.get(radesys), str) and name != name.strip().upper():
        work.set(radesys, name.strip().upper())
    text = work.values.get(equinox)
    if isinstance(text, str):
        found = re.fullmatch(r"\s*[JB]?(\d{4}(\.\d*)?)\s*", text)
        if found:
            work.set(equinox, float(found[1]))
            work.repairs.append(f"{equinox}: text {text.strip()!r} read as a number")
        else:
            work.drop([equinox])
            work.repairs.append(f"{equinox}: {text.strip()!r} is no year; left out")


def _tell_doubles(header: Cards, work: _Work) -> None:
    seen: dict[str, Value] = {}
    for image in header.images:
        name = fits_cards.keyword(image)
        if name not in work.values:
            continue
        value = fits_cards.value(image)
        if name in seen and seen[name] != value:
            work.repairs.append(f"{name} stands twice; the last, {value}, is used")
        seen[name] = value


def _written(header: Cards, work: _Work) -> tuple[str, ...]:
    """The kept cards as they stand in the header, changed ones written anew, each name once."""
    last = {fits_cards.keyword(image): image for image in header.images}
    out = []
    for name, image in last.items():
        if name not in work.values:
            continue
        out.append(fits_cards.replaced(image, work.changed[name]) if name in work.changed else image)
    out += [
        fits_cards.make(name, value) for name, value in work.changed.items() if name not in last and name in work.values
    ]
    return tuple(out)
