"""What a SODA request asks for (SODA 1.0, section 3), and the two parameters of our own, MASK and ORIENT (SOD-11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vo.dali.intervals import Interval, parse_interval
from vo.dali.parameters import Parameters, response_format
from vo.dali.shapes import Polygon, Shape, parse_circle, parse_polygon, parse_pos
from vo.errors import LimitFault, MultiValuedParamNotSupportedFault, UsageFault

#: What RESPONSEFORMAT may be, and the form it names; a media type is answered as it was asked (DALI-05).
FORMATS = {
    "image/fits": "image/fits",
    "application/fits": "application/fits",
    "fits": "image/fits",
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "image/png": "image/png",
    "png": "image/png",
}

#: The polarisation states of SODA 1.0, section 3.3.7.
POL_STATES = frozenset({"I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA"})

_PARSERS = {"POS": parse_pos, "CIRCLE": parse_circle, "POLYGON": parse_polygon}
_SWITCH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class AskedShape:
    """A shape (ICRS degrees), and ``text`` as it was asked, for people."""

    shape: Shape
    text: str


@dataclass(frozen=True, slots=True)
class Filters:
    """What the axes that an image does not have are filtered by: ``band`` in m, ``time`` in MJD."""

    band: Interval | None = None
    time: Interval | None = None
    polarisation: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """What a cutout comes as: ``is_masked`` blanks what lies outside of the shape, ``is_north_up`` turns a picture."""

    media_type: str = "image/fits"
    is_masked: bool = False
    is_north_up: bool = False

    @property
    def is_picture(self) -> bool:
        """Whether it is for people, and not FITS."""
        return self.media_type in ("image/jpeg", "image/png")


@dataclass(frozen=True, slots=True)
class CutRequest:
    """A synchronous request: ``dids`` as they came, at most one shape."""

    dids: tuple[str, ...]
    shape: AskedShape | None
    filters: Filters
    output: Output


def read_request(parameters: Parameters, most_ids: int = 1000, most_vertices: int = 1000) -> CutRequest:
    """Check and type the parameters; each fault names the parameter and what to write instead.

    ID may be repeated, up to ``most_ids`` times; every other parameter takes one value, and POL several (SOD-05).
    LimitFault for more IDs, and for a polygon of more than ``most_vertices``.
    """
    dids = read_ids(parameters)
    if not dids:
        raise UsageFault(
            "ID is missing: give the obs_publisher_did of an exposure, or the identifier of a plate, and CIRCLE, "
            "POLYGON or POS for the part to cut"
        )
    if len(dids) > most_ids:
        raise LimitFault(
            f"{len(dids)} IDs came; the limit for one synchronous request (cutout_ids) is {most_ids}: send several "
            "requests, or a job to /soda/async"
        )
    shapes = read_shapes(parameters, most_vertices)
    if len(shapes) > 1:
        asked = ", ".join(one.text for one in shapes)
        raise MultiValuedParamNotSupportedFault(
            f"one shape in a synchronous request, please, and not {len(shapes)} ({asked[:200]}); send a request for "
            "each, or a job to /soda/async"
        )
    filters = Filters(_interval(parameters, "BAND"), _interval(parameters, "TIME"), read_polarisation(parameters))
    return CutRequest(dids, shapes[0] if shapes else None, filters, read_output(parameters))


def read_ids(parameters: Parameters) -> tuple[str, ...]:
    """The values of ID in their order; the same one again, as in the address and in the body, is harmless."""
    return tuple(dict.fromkeys(parameters.many("ID")))


def read_shapes(parameters: Parameters, most_vertices: int) -> tuple[AskedShape, ...]:
    """The shapes of POS, CIRCLE and POLYGON, each once; LimitFault for a polygon of more than ``most_vertices``.

    Each side of a polygon is compared with each part of an image.
    """
    asked = [(name, value) for name in _PARSERS for value in dict.fromkeys(parameters.many(name))]
    shapes = tuple(AskedShape(_PARSERS[name](value, name), f"{name}={value}") for name, value in asked)
    longest = max((len(one.shape.vertices) for one in shapes if isinstance(one.shape, Polygon)), default=0)
    if longest > most_vertices:
        raise LimitFault(
            f"a polygon came with {longest:,} vertices; the limit (cutout_vertices) is {most_vertices:,}: draw it with "
            "fewer, or ask for a CIRCLE around it"
        )
    return shapes


def read_intervals(parameters: Parameters, name: str) -> Sequence[Interval]:
    """The values of BAND or TIME, each once."""
    return tuple(parse_interval(value, name) for value in dict.fromkeys(parameters.many(name)))


def read_polarisation(parameters: Parameters) -> tuple[str, ...]:
    """The values of POL, of which any one may be met."""
    states = parameters.many("POL")
    for state in states:
        if state not in POL_STATES:
            raise UsageFault(f"POL={state[:40]!r} is no polarisation state; one of {', '.join(sorted(POL_STATES))}")
    return states


def read_output(parameters: Parameters) -> Output:
    """What RESPONSEFORMAT, MASK and ORIENT say."""
    output = Output(_media_type(parameters), _is_masked(parameters), _is_north_up(parameters))
    if output.is_north_up and not output.is_picture:
        raise UsageFault(
            "ORIENT=north turns pictures; pixels of FITS files stay as they were measured, and their WCS tells where "
            "north is: leave ORIENT out, or ask with RESPONSEFORMAT=image/png"
        )
    return output


def _interval(parameters: Parameters, name: str) -> Interval | None:
    text = parameters.one(name)
    return None if text is None else parse_interval(text, name)


def _media_type(parameters: Parameters) -> str:
    asked = response_format(parameters)
    if asked is None:
        return "image/fits"
    media_type = FORMATS.get(asked.strip().lower())
    if media_type is None:
        raise UsageFault(
            f"RESPONSEFORMAT={asked[:_SHOWN]!r} is not made here; leave it out or ask for image/fits, image/jpeg or "
            "image/png"
        )
    return media_type


def _is_masked(parameters: Parameters) -> bool:
    asked = parameters.one("MASK")
    if asked is None:
        return False
    found = _SWITCH.get(asked.strip().lower())
    if found is None:
        raise UsageFault(
            f"MASK={asked[:_SHOWN]!r} is not understood; write MASK=1 to blank what lies outside, or MASK=0"
        )
    return found


def _is_north_up(parameters: Parameters) -> bool:
    asked = parameters.one("ORIENT")
    word = "native" if asked is None else asked.strip().lower()
    if word not in ("native", "north"):
        raise UsageFault(
            f"ORIENT={word[:_SHOWN]!r} is not understood; write ORIENT=north for north up and east to the left, or "
            "ORIENT=native for the pixels as they lie"
        )
    return word == "north"
