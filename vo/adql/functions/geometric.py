"""The geometry functions of ADQL 2.1 (section 4.2); :mod:`vo.adql.sky.geometry` makes shapes of them."""

from __future__ import annotations

from collections.abc import Callable

from vo.adql.functions.function import Function, Group, Parameter, number, point, shape, text
from vo.adql.kinds import Type
from vo.adql.plan import Expression
from vo.adql.sky import geometry

ANY_SHAPE = (Type.POLYGON, Type.CIRCLE, Type.POINT, Type.RANGE)


def _geometry(
    name: str,
    parameters: tuple[Parameter, ...],
    result: Type,
    description: str,
    build: Callable[[tuple[Expression, ...]], Expression] | None = None,
    template: str = "",
    *,
    has_frame: bool = False,
    repeats: int = 0,
    unit: str | None = None,
    ucd: str | None = None,
) -> Function:
    return Function(
        name,
        parameters,
        result,
        template,
        description,
        Group.GEOMETRY,
        build,
        has_frame=has_frame,
        repeats=repeats,
        unit=unit,
        ucd=ucd,
    )


LON_LAT = (number("lon"), number("lat"))
SIZES = (number("width"), number("height"))

GEOMETRIC = (
    _geometry(
        "AREA",
        (shape("shape", Type.POLYGON, Type.CIRCLE, Type.POINT),),
        Type.DOUBLE,
        "Area in square degrees.",
        geometry.area,
        unit="deg**2",
        ucd="phys.angArea",
    ),
    _geometry(
        "BOX",
        (*LON_LAT, *SIZES),
        Type.POLYGON,
        "Box around a position, its sides great circles; sizes in degrees on the sky.",
        geometry.box,
        has_frame=True,
    ),
    _geometry("BOX", (point("centre"), *SIZES), Type.POLYGON, "The same.", geometry.box, has_frame=True),
    _geometry(
        "CENTROID",
        (shape("shape", Type.POLYGON, Type.CIRCLE, Type.POINT),),
        Type.POINT,
        "Centre of area of a shape.",
        geometry.centroid,
    ),
    _geometry(
        "CIRCLE",
        (*LON_LAT, number("radius")),
        Type.CIRCLE,
        "Circle around a position, degrees.",
        geometry.circle,
        has_frame=True,
    ),
    _geometry("CIRCLE", (point("centre"), number("radius")), Type.CIRCLE, "The same.", geometry.circle, has_frame=True),
    _geometry(
        "CONTAINS",
        (shape("inner", *ANY_SHAPE), shape("outer", *ANY_SHAPE)),
        Type.INTEGER,
        "1 when all of the first shape lies in the second one, else 0.",
        geometry.contains,
    ),
    _geometry(
        "COORD1",
        (point(),),
        Type.DOUBLE,
        "Longitude of a point, degrees.",
        lambda arguments: geometry.coordinate(1, arguments[0]),
        unit="deg",
        ucd="pos.eq.ra",
    ),
    _geometry(
        "COORD2",
        (point(),),
        Type.DOUBLE,
        "Latitude of a point, degrees.",
        lambda arguments: geometry.coordinate(2, arguments[0]),
        unit="deg",
        ucd="pos.eq.dec",
    ),
    _geometry(
        "COORDSYS",
        (shape("shape", Type.POLYGON, Type.CIRCLE, Type.POINT),),
        Type.TEXT,
        "The coordinate system: ICRS.",
        template="CASE WHEN {0:p} IS NOT NULL THEN 'ICRS'::text END",
    ),
    _geometry(
        "DISTANCE",
        (point("a"), point("b")),
        Type.DOUBLE,
        "Angle between two positions, degrees.",
        geometry.distance,
        unit="deg",
        ucd="pos.angDistance",
    ),
    _geometry(
        "DISTANCE",
        (number("lon1"), number("lat1"), number("lon2"), number("lat2")),
        Type.DOUBLE,
        "The same.",
        geometry.distance,
        unit="deg",
        ucd="pos.angDistance",
    ),
    _geometry(
        "INTERSECTS",
        (shape("a", *ANY_SHAPE), shape("b", *ANY_SHAPE)),
        Type.INTEGER,
        "1 when the shapes share a point, else 0.",
        geometry.intersects,
    ),
    _geometry("POINT", LON_LAT, Type.POINT, "A position, degrees.", geometry.point, has_frame=True),
    _geometry(
        "POLYGON",
        LON_LAT,
        Type.POLYGON,
        "Great-circle edges between positions in either direction; inside is the smaller side.",
        geometry.polygon_of_numbers,
        has_frame=True,
        repeats=3,
    ),
    _geometry(
        "POLYGON",
        (point("vertex"),),
        Type.POLYGON,
        "The same.",
        geometry.polygon_of_points,
        has_frame=True,
        repeats=3,
    ),
    _geometry(
        "REGION",
        (text("stc_s"),),
        Type.POLYGON,
        "A shape in a text: POSITION, CIRCLE, BOX or POLYGON with degrees; a frame may stand before them.",
        geometry.region,
    ),
)
