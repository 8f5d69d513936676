"""Spherical trigonometry: in Python for constants, in SQL for what pgSphere 1.2.0 lacks or gets wrong.

pgSphere's ``sbox && spoly`` misses overlaps across a parallel (14 of 4,000 random pairs, most near a pole), so a range
of longitude and latitude is met with :func:`range_overlaps`, which is exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

LonLat = tuple[float, float]
Vector = tuple[float, float, float]

SQUARE_DEGREES = (180 / math.pi) ** 2

#: SQL names of our own inside the templates below; no alias of a query may hide them.
OWN_ALIASES = frozenset({"vo_array", "vo_vertex", "vo_edge", "vo_parallel", "vo_side", "vo_value"})


def vector(place: LonLat) -> Vector:
    """The unit vector of a longitude and latitude in degrees."""
    lon, lat = math.radians(place[0]), math.radians(place[1])
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def place(v: Vector) -> LonLat:
    """Longitude (0 to 360) and latitude in degrees of a vector of any length."""
    return math.degrees(math.atan2(v[1], v[0])) % 360, math.degrees(math.atan2(v[2], math.hypot(v[0], v[1])))


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


#: What rounding makes of a point that lies on an edge.
_ON_THE_EDGE = 1e-15


#: A great-circle arc: its two ends, and the pole of its circle.
Arc = tuple[Vector, Vector, Vector]


def arc(first: LonLat, last: LonLat) -> Arc:
    """The arc from one position to another, degrees."""
    a, b = vector(first), vector(last)
    return a, b, _cross(a, b)


def arcs_cross(first: Arc, second: Arc) -> bool:
    """Whether two great-circle arcs cross at a point inside both."""
    a, b, pole_ab = first
    c, d, pole_cd = second
    ab_c, ab_d = _dot(pole_ab, c), _dot(pole_ab, d)
    # most pairs end here: both ends of one arc on the same side of the other, or on it
    if abs(ab_c) < _ON_THE_EDGE or abs(ab_d) < _ON_THE_EDGE or (ab_c > 0) == (ab_d > 0):
        return False
    cd_a, cd_b = -_dot(pole_cd, a), -_dot(pole_cd, b)
    if abs(cd_a) < _ON_THE_EDGE or abs(cd_b) < _ON_THE_EDGE or (cd_a > 0) == (cd_b > 0):
        return False
    # and not on opposite halves of the sphere
    return (ab_c > 0) == (cd_a > 0)


#: Narrower than this, in radians (0.2 mas), a shape has no inside for pgSphere.
_FLAT = 1e-9


def on_great_circle(places: Sequence[LonLat]) -> bool:
    """Whether all positions lie on one great circle, so that a polygon of them has no inside."""
    first, *others = (vector(place) for place in places)
    poles = [_cross(first, other) for other in others]
    pole = max(poles, key=lambda pole: math.hypot(*pole))
    # seen from the first position; near its antipode a pole would be as uncertain
    return all(abs(_dot(pole, other)) <= _FLAT * math.hypot(*pole) for other in others)


def too_wide(places: Sequence[LonLat]) -> bool:
    """Whether pgSphere refuses a polygon of these vertices for its width.

    It wants all of them less than 90 degrees from the middle of the box around them in space; so it refuses all that
    fill a hemisphere, and some that come near it.
    """
    vectors = [vector(place) for place in places]
    x, y, z = ((min(axis) + max(axis)) / 2 for axis in zip(*vectors, strict=True))
    return any(_dot((x, y, z), v) <= _FLAT for v in vectors)


def box_corners(lon: float, lat: float, width: float, height: float) -> list[LonLat]:
    """The corners, counter-clockwise from south-west as seen from inside, of a box in the tangent plane; degrees."""
    x, y = math.tan(math.radians(width) / 2), math.tan(math.radians(height) / 2)
    sine, cosine = math.sin(math.radians(lat)), math.cos(math.radians(lat))
    corners = []
    for east, north in ((x, -y), (x, y), (-x, y), (-x, -y)):
        inward = cosine - north * sine
        corner_lon = lon + math.degrees(math.atan2(east, inward))
        corner_lat = math.degrees(math.atan2(sine + north * cosine, math.hypot(inward, east)))
        corners.append((corner_lon % 360, corner_lat))
    return corners


BOX = "vo.box({0}, {1}, {2}, {3})"
BOX_AROUND = "vo.box({0}, {1}, {2})"

#: The same corners of the box {0} {1} {2} {3} as points.
BOX_CORNERS = tuple(
    f"vo.box_corner({{0}}, {{1}}, {{2}}, {{3}}, {east}, {north})"
    for east, north in ((1, -1), (1, 1), (-1, 1), (-1, -1))
)

#: The numbers of a polygon's text form: longitude and latitude of each vertex, radians.
_NUMBERS = "string_to_array(translate({0:p}::text, '{{}}() ', ''), ',')::float8[]"

#: One row for each edge of the polygon {0}: unit vectors a and c of its ends.
_EDGES = (
    "(SELECT x AS ax, y AS ay, z AS az, coalesce(lead(x) OVER w, first_value(x) OVER w) AS cx,"
    " coalesce(lead(y) OVER w, first_value(y) OVER w) AS cy, coalesce(lead(z) OVER w, first_value(z) OVER w) AS cz"
    " FROM (SELECT n, cos(v[2*n-1])*cos(v[2*n]) AS x, sin(v[2*n-1])*cos(v[2*n]) AS y, sin(v[2*n]) AS z"
    f" FROM (SELECT {_NUMBERS} AS v) AS vo_array, generate_series(1, cardinality(v) / 2) AS n) AS vo_vertex"
    " WINDOW w AS (ORDER BY n)) AS vo_edge"
)


#: The polygon {0} as array of degrees: lon, lat, lon, lat ...
VERTICES = "vo.vertices({0})"


def full_circle(lon_min: float, lon_max: float) -> bool:
    """Whether the longitudes go all the way round."""
    return abs(lon_max - lon_min) >= 360  # noqa: PLR2004 - degrees


def _radians(degrees: float) -> str:
    return f"{math.radians(degrees)!r}::float8"


def _point(lon: float, lat: float) -> str:
    return f"spoint({_radians(lon)}, {_radians(lat)})"


def range_box(lon_min: float, lon_max: float, lat_min: float, lat_max: float) -> str:
    """The range as sbox, whose point tests are right; pgSphere takes equal longitudes for all of them."""
    if full_circle(lon_min, lon_max):
        lon_min, lon_max = 0.0, 360.0
    elif (lon_max - lon_min) % 360 == 0:
        lon_max = lon_min + 1e-9
    return f"sbox({_point(lon_min, lat_min)}, {_point(lon_max, lat_max)})"


def range_overlaps(shape: str, lon_min: float, lon_max: float, lat_min: float, lat_max: float) -> str:
    """SQL condition: the polygon ``shape`` (an SQL operand) shares a point with the range.

    First a circle around the range, for the index; then exactly: the polygon meets one of the range's meridians, or
    one of its vertices lies in the range, or one of its edges crosses one of the range's parallels within it.
    """
    if full_circle(lon_min, lon_max):
        return _band_overlaps(shape, lat_min, lat_max)
    width = (lon_max - lon_min) % 360
    if lat_min < lat_max:
        meridians = [f"sline({_point(lon, lat_min)}, {_point(lon, lat_max)})" for lon in (lon_min, lon_max)]
        sides = " OR ".join(f"{meridian} && {shape}" for meridian in meridians)
    else:
        sides = " OR ".join(f"{_point(lon, lat_min)} <@ {shape}" for lon in (lon_min, lon_max))
    middle, half = math.radians(lon_min + width / 2), math.radians(width / 2)
    # no farther from the middle meridian than half the width; a pole lies on all meridians
    in_longitudes = (
        f"{{x}}*{math.cos(middle)!r}::float8 + {{y}}*{math.sin(middle)!r}::float8"
        f" >= {math.cos(half)!r}::float8*sqrt({{x}}*{{x}} + {{y}}*{{y}})"
    )
    vertex = in_longitudes.format(x="ax", y="ay")
    crossing = in_longitudes.format(x="x", y="y")
    south, north = (f"{math.sin(math.radians(lat))!r}::float8" for lat in (lat_min, lat_max))
    inner = (
        f"EXISTS (SELECT FROM {_EDGES.format(_Operand(shape))} WHERE az BETWEEN {south} AND {north} AND {vertex})"
        f" OR EXISTS (SELECT FROM {_CROSSINGS.format(_Operand(shape), south=south, north=north)} WHERE {crossing})"
    )
    exact = f"({sides} OR {inner})"
    cover = _cover(lon_min, width, lat_min, lat_max)
    return exact if cover is None else f"({shape} && {cover} AND {exact})"


class _Operand(str):
    """An operand that is already safe to stand anywhere."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return str(self)


#: The points (x, y) where edges of the polygon {0} cross the parallels of sines {south} and {north}:
#: with m the unit pole of the edge and h its part across the axis, p = -s m_z m/h2 -+ sqrt(h2 - s2) (m_y, -m_x)/h2,
#: kept when it lies between the edge's ends.
_CROSSINGS = (
    "(SELECT x, y FROM (SELECT *, (-s*mz*mx - sign*my*root) / h2 AS x, (-s*mz*my + sign*mx*root) / h2 AS y"
    " FROM (SELECT *, sqrt(h2 - s*s) AS root FROM (SELECT *, mx*mx + my*my AS h2"
    " FROM (SELECT ax, ay, az, cx, cy, cz, (ay*cz - az*cy)/size AS mx, (az*cx - ax*cz)/size AS my,"
    " (ax*cy - ay*cx)/size AS mz FROM (SELECT *, sqrt(power(ay*cz - az*cy, 2) + power(az*cx - ax*cz, 2)"
    " + power(ax*cy - ay*cx, 2)) AS size"
    f" FROM {_EDGES}) AS vo_side WHERE size > 0) AS vo_vertex) AS vo_array,"
    " (VALUES ({south}), ({north})) AS vo_parallel(s) WHERE h2 > s*s AND h2 > 0) AS vo_side,"
    " (VALUES (1), (-1)) AS vo_vertex(sign)) AS vo_array"
    " WHERE mx*(ay*s - az*y) + my*(az*x - ax*s) + mz*(ax*y - ay*x) >= 0"
    " AND mx*(y*cz - s*cy) + my*(s*cx - x*cz) + mz*(x*cy - y*cx) >= 0) AS vo_edge"
)


def _band_overlaps(shape: str, lat_min: float, lat_max: float) -> str:
    """A polygon, being connected, meets the band between two parallels when it meets both caps that make it."""
    terms = [_cap_overlaps(shape, 90, lat_min), _cap_overlaps(shape, -90, -lat_max)]
    written = [term for term in terms if term]
    return f"({' AND '.join(written)})" if written else f"({shape} = {shape})"


def _cap_overlaps(shape: str, pole: float, edge: float) -> str:
    """The polygon meets the cap around a pole that reaches to the latitude ``edge``, counted towards that pole."""
    radius = 90 - edge
    if radius >= 180:  # noqa: PLR2004 - the whole sphere
        return ""
    if radius <= 90:  # noqa: PLR2004 - what pgSphere has circles for
        return f"{shape} && scircle({_point(0, pole)}, {_radians(radius)})"
    return f"({shape} <@ scircle({_point(0, -pole)}, {_radians(180 - radius)}))::int = 0"


def _cover(lon_min: float, width: float, lat_min: float, lat_max: float) -> str | None:
    """A circle around the range, None when it would be wider than a hemisphere."""
    candidates = []
    if width <= 180:  # noqa: PLR2004 - then the farthest points are corners
        centre = (lon_min + width / 2, (lat_min + lat_max) / 2)
        middle = vector(centre)
        corners = [vector((lon, lat)) for lon in (lon_min, lon_min + width) for lat in (lat_min, lat_max)]
        radius = max(math.atan2(math.hypot(*_cross(middle, corner)), _dot(middle, corner)) for corner in corners)
        candidates.append((math.degrees(radius), centre))
    candidates.append((90 - lat_min, (0.0, 90.0)))
    candidates.append((90 + lat_max, (0.0, -90.0)))
    radius, centre = min(candidates)
    # a little wider, against rounding
    radius += 1e-6
    return None if radius > 90 else f"scircle({_point(*centre)}, {_radians(radius)})"  # noqa: PLR2004 - hemisphere
