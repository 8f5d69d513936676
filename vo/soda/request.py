"""What a SODA request asks for (SODA 1.0, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

from vo.dali.intervals import Interval, parse_interval
from vo.dali.parameters import Parameters
from vo.dali.shapes import Shape, parse_circle, parse_polygon, parse_pos
from vo.errors import MultiValuedParamNotSupportedFault, UsageFault

#: What RESPONSEFORMAT may be; a media type is answered as it was asked (DALI-05).
FITS_FORMATS = {"image/fits": "image/fits", "application/fits": "application/fits", "fits": "image/fits"}

#: The polarisation states of SODA 1.0, section 3.3.7.
POL_STATES = frozenset({"I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA"})


@dataclass(frozen=True, slots=True)
class CutRequest:
    """One cutout: ``did`` as it came, at most one ``shape`` (ICRS degrees), filters of the other axes.

    ``band`` in m, ``time`` in MJD; ``text`` is the shape as it was asked, for the provenance cards.
    """

    did: str
    shape: Shape | None
    text: str
    band: Interval | None
    time: Interval | None
    polarisation: tuple[str, ...]
    media_type: str


def read_request(parameters: Parameters) -> CutRequest:
    """Check and type the parameters; each fault names the parameter and what to write instead."""
    did = parameters.one("ID")
    if did is None:
        raise UsageFault(
            "ID is missing: give the obs_publisher_did of an exposure, and CIRCLE, POLYGON or POS for the part to cut"
        )
    shape, text = _shape(parameters)
    return CutRequest(
        did=did,
        shape=shape,
        text=text,
        band=_interval(parameters, "BAND"),
        time=_interval(parameters, "TIME"),
        polarisation=_polarisation(parameters),
        media_type=_media_type(parameters),
    )


def _shape(parameters: Parameters) -> tuple[Shape | None, str]:
    asked = [(name, value) for name in ("POS", "CIRCLE", "POLYGON") for value in dict.fromkeys(parameters.many(name))]
    if not asked:
        return None, ""
    if len(asked) > 1:
        shapes = ", ".join(f"{name}={value}" for name, value in asked)
        raise MultiValuedParamNotSupportedFault(
            f"one shape in a request, please, and not {len(asked)} ({shapes[:200]}); send a request for each"
        )
    (name, value), parsers = asked[0], {"POS": parse_pos, "CIRCLE": parse_circle, "POLYGON": parse_polygon}
    return parsers[name](value, name), f"{name}={value}"


def _interval(parameters: Parameters, name: str) -> Interval | None:
    text = parameters.one(name)
    return None if text is None else parse_interval(text, name)


def _polarisation(parameters: Parameters) -> tuple[str, ...]:
    states = parameters.many("POL")
    for state in states:
        if state not in POL_STATES:
            raise UsageFault(f"POL={state[:40]!r} is no polarisation state; one of {', '.join(sorted(POL_STATES))}")
    return states


def _media_type(parameters: Parameters) -> str:
    asked = parameters.one("RESPONSEFORMAT")
    if asked is None:
        return "image/fits"
    media_type = FITS_FORMATS.get(asked.strip().lower())
    if media_type is None:
        raise UsageFault(f"RESPONSEFORMAT={asked[:80]!r} is not made here; leave it out or ask for image/fits")
    return media_type
