"""Coordinate frames: which there are, and how positions get from one to another; in Python for constants, else in SQL.

All frames are those of a barycentric observer without proper motions, at their usual equinox, as in IVOA's vocabulary
of reference frames (http://www.ivoa.net/rdf/refframe). A rotation is a matrix that multiplies unit vectors.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from vo.adql.sky.spherical import LonLat, Vector, place, vector

Matrix = tuple[Vector, Vector, Vector]

_ARCSEC = 1 / 3600
_MAS = _ARCSEC / 1000


def _about(axis: str, degrees: float) -> Matrix:
    """The matrix that turns the axes (not the vectors) about one of them by an angle, counter-clockwise."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    if axis == "x":
        return (1.0, 0.0, 0.0), (0.0, c, s), (0.0, -s, c)
    if axis == "y":
        return (c, 0.0, -s), (0.0, 1.0, 0.0), (s, 0.0, c)
    return (c, s, 0.0), (-s, c, 0.0), (0.0, 0.0, 1.0)


def _product(*matrices: Matrix) -> Matrix:
    """The product of matrices; the last one acts first."""
    first, *rest = matrices
    for matrix in rest:
        columns = _transposed(matrix)
        x, y, z = (tuple(sum(a * b for a, b in zip(row, column, strict=True)) for column in columns) for row in first)
        first = ((x[0], x[1], x[2]), (y[0], y[1], y[2]), (z[0], z[1], z[2]))
    return first


def _transposed(matrix: Matrix) -> Matrix:
    a, b, c = matrix
    return (a[0], b[0], c[0]), (a[1], b[1], c[1]), (a[2], b[2], c[2])


def _turned(matrix: Matrix, v: Vector) -> Vector:
    x, y, z = (row[0] * v[0] + row[1] * v[1] + row[2] * v[2] for row in matrix)
    return x, y, z


_IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

#: ICRS to the equator and equinox of FK5, J2000 (Kaplan 2005, USNO Circular 179, section 3.5): 0.02 arcsec.
_ICRS_TO_FK5 = _product(_about("x", 19.9 * _MAS), _about("y", 9.1 * _MAS), _about("z", -22.9 * _MAS))

#: FK4 without E-terms, B1950, to FK5, J2000 (Murray 1989, A&A 218, 325, equation 28).
_FK4_TO_FK5: Matrix = (
    (0.9999256794956877, -0.0111814832204662, -0.0048590038153592),
    (0.0111814832391717, 0.9999374848933135, -0.0000271625947142),
    (0.0048590037723143, -0.0000271702937440, 0.9999881946023742),
)

#: FK5 to galactic: the pole and node of Blaauw et al. 1960 (MNRAS 121, 123), carried to FK5, J2000 (Reid & Brunthaler
#: 2004, ApJ 616, 872, appendix, with all digits).
_FK5_TO_GALACTIC = _product(
    _about("z", 180 - 122.9319185680026), _about("y", 90 - 27.12825118085622), _about("z", 192.8594812065348)
)

#: Galactic to supergalactic (de Vaucouleurs et al. 1991, RC3): pole at l 47.37, b +6.32, origin at l 137.37, b 0.
_GALACTIC_TO_SUPERGALACTIC = _product(_about("z", 90), _about("y", 90 - 6.32), _about("z", 47.37))

#: ICRS to the mean ecliptic and equinox of J2000 (IAU 2006: Capitaine et al. 2003, A&A 412, 567; the angles of
#: Fukushima and Williams at J2000, with the frame bias).
_ICRS_TO_ECLIPTIC = _product(
    _about("z", 0.041775 * _ARCSEC), _about("x", 84381.412819 * _ARCSEC), _about("z", -0.052928 * _ARCSEC)
)

#: The E-terms of aberration of FK4 at B1950 (Seidelmann 1992, Explanatory Supplement, section 3.53): the part of annual
#: aberration that comes from the eccentricity of the Earth's orbit and that catalogues before 1984 left in.
E_TERMS: Vector = (-1.6255741516894347e-06, -3.191905371563791e-07, -1.384290671929659e-07)


@dataclass(frozen=True, slots=True)
class Frame:
    """A coordinate frame: its name in the vocabulary, the rotation to ICRS, and whether E-terms come off before it."""

    name: str
    to_icrs: Matrix
    has_e_terms: bool = False


_FK5_TO_ICRS = _transposed(_ICRS_TO_FK5)
_GALACTIC_TO_ICRS = _product(_FK5_TO_ICRS, _transposed(_FK5_TO_GALACTIC))

ICRS = Frame("ICRS", _IDENTITY)

#: The frames by their names in IVOA's vocabulary.
FRAMES: dict[str, Frame] = {
    frame.name: frame
    for frame in (
        ICRS,
        Frame("FK5", _FK5_TO_ICRS),
        Frame("FK4", _product(_FK5_TO_ICRS, _FK4_TO_FK5), has_e_terms=True),
        Frame("GALACTIC", _GALACTIC_TO_ICRS),
        Frame("SUPER_GALACTIC", _product(_GALACTIC_TO_ICRS, _transposed(_GALACTIC_TO_SUPERGALACTIC))),
        Frame("ECLIPTIC", _transposed(_ICRS_TO_ECLIPTIC)),
    )
}

#: Other words for them, as STC-S (note 1.33, section 4.1) and users write; an unknown frame is taken as ICRS.
_OTHER_WORDS = {
    "UNKNOWN": "ICRS",
    "UNKNOWNFRAME": "ICRS",
    "J2000": "FK5",
    "B1950": "FK4",
    "GALACTIC_II": "GALACTIC",
    "SUPERGALACTIC": "SUPER_GALACTIC",
}
_EQUINOXES = {"FK4": "B1950", "FK5": "J2000", "ECLIPTIC": "J2000"}
_REFERENCE_POSITIONS = frozenset({"GEOCENTER", "BARYCENTER", "HELIOCENTER", "TOPOCENTER", "UNKNOWNREFPOS"})
_FLAVOURS = frozenset({"SPHERICAL2"})


def find_frame(text: str) -> Frame | None:
    """The frame that a coordinate system string means, None when it is not known.

    ``[frame [equinox]] [reference position] [flavour]`` in any case (ADQL 2.0, section 2.4.1); no frame means ICRS.
    Reference positions make no difference that a plate could show.
    """
    words = text.upper().split()
    name = _OTHER_WORDS.get(words[0], words[0]) if words else "ICRS"
    frame = FRAMES.get(name)
    if frame is None:
        frame = ICRS
    else:
        words = words[1:]
        if words and words[0] == _EQUINOXES.get(name):
            words = words[1:]
    return frame if all(word in _REFERENCE_POSITIONS | _FLAVOURS for word in words) else None


def to_icrs(position: LonLat, frame: Frame) -> LonLat:
    """A position in degrees of the frame as degrees ICRS; E-terms are taken off."""
    v = vector(position)
    return place(_turned(frame.to_icrs, _without_e_terms(v) if frame.has_e_terms else v))


def _without_e_terms(v: Vector) -> Vector:
    """``r - A + (r . A) r``, the first-order form (Explanatory Supplement 1992, section 3.53)."""
    along = v[0] * E_TERMS[0] + v[1] * E_TERMS[1] + v[2] * E_TERMS[2]
    x, y, z = (r - a + along * r for r, a in zip(v, E_TERMS, strict=True))
    return x, y, z


def rotated(position: LonLat, source: str, target: str) -> LonLat:
    """A position in degrees of one frame in degrees of another; rotation alone, so FK4 keeps its E-terms."""
    return place(_turned(_rotation(source, target), vector(position)))


@functools.cache
def _rotation(source: str, target: str) -> Matrix:
    return _product(_transposed(FRAMES[target].to_icrs), FRAMES[source].to_icrs)


#: Below this angle pgSphere loses digits of a rotation: it keeps the cosine of the second of Euler's angles.
_SMALL = 0.001


@functools.cache
def rotation_sql(source: str, target: str) -> str:
    """`` + strans(..)``: what, behind a point, circle or polygon of pgSphere, makes it one of another frame."""
    matrix = _rotation(source, target)
    if math.hypot(matrix[2][0], matrix[2][1]) >= _SMALL:
        return f" + {_strans(matrix)}"
    # by way of axes that are far from both
    detour = _about("x", 90)
    return f" + {_strans(detour)} + {_strans(_product(matrix, _transposed(detour)))}"


def _strans(matrix: Matrix) -> str:
    """PgSphere's transformation: turn by the first angle about z, by the second about x, by the third about z."""
    first = math.atan2(matrix[2][0], matrix[2][1])
    second = math.atan2(math.hypot(matrix[2][0], matrix[2][1]), matrix[2][2])
    third = math.atan2(matrix[0][2], -matrix[1][2])
    return f"strans({first!r}::float8, {second!r}::float8, {third!r}::float8)"
