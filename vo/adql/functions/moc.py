"""MOCs in ADQL: no standard has them yet, these are DaCHS' functions, which registry clients send.

``MOC`` and what CONTAINS, INTERSECTS and AREA do with it are announced by the word MOC among the extra keywords.
"""

from __future__ import annotations

from vo.adql.functions.function import Function, Group, Parameter, integer, shape, text
from vo.adql.functions.geometric import ANY_SHAPE
from vo.adql.kinds import Type
from vo.adql.sky import moc
from vo.adql.sky.spherical import SQUARE_DEGREES


def _coverage(name: str = "moc") -> Parameter:
    return shape(name, Type.MOC)


_MOC_OR_SHAPE = (*ANY_SHAPE, Type.MOC)

MOC = (
    Function(
        "MOC",
        (text("ascii"),),
        Type.MOC,
        description="The MOC of a literal text such as '4/30-33 38 52 7/324-934'.",
        group=Group.EXTRA,
        build=moc.literal,
        ucd="pos.outline",
    ),
    Function(
        "MOC",
        (integer("order"), shape("shape", Type.POINT, Type.CIRCLE, Type.POLYGON, Type.MOC)),
        Type.MOC,
        description="The cells of an order, 0 to 29, that a shape touches; of a MOC, the MOC in this order.",
        group=Group.EXTRA,
        build=moc.of_shape,
        ucd="pos.outline",
    ),
    Function(
        "AREA",
        (_coverage("shape"),),
        Type.DOUBLE,
        f"(area({{0}}) * {SQUARE_DEGREES!r}::float8)",
        "Area in square degrees.",
        Group.GEOMETRY,
        unit="deg**2",
        ucd="phys.angArea",
    ),
    Function(
        "CONTAINS",
        (shape("inner", *_MOC_OR_SHAPE), shape("outer", *_MOC_OR_SHAPE)),
        Type.INTEGER,
        description="1 when all of the first shape lies in the second one, else 0.",
        group=Group.GEOMETRY,
        build=moc.contains,
    ),
    Function(
        "INTERSECTS",
        (shape("a", *_MOC_OR_SHAPE), shape("b", *_MOC_OR_SHAPE)),
        Type.INTEGER,
        description="1 when the shapes share a point, else 0.",
        group=Group.GEOMETRY,
        build=moc.intersects,
    ),
    Function(
        "gavo_mocintersect",
        (_coverage("moc1"), _coverage("moc2")),
        Type.MOC,
        "({0:p} & {1:p})",
        "The cells that two MOCs share.",
        Group.UDF,
        ucd="pos.outline",
    ),
    Function(
        "gavo_mocunion",
        (_coverage("moc1"), _coverage("moc2")),
        Type.MOC,
        "({0:p} | {1:p})",
        "The cells that are in one of two MOCs or in both.",
        Group.UDF,
        ucd="pos.outline",
    ),
    Function(
        "vo_moc_union",
        (_coverage(),),
        Type.MOC,
        "sum({0})",
        "Aggregate: the cells that are in any MOC of a group; nulls are left out.",
        Group.UDF,
        aggregate=True,
        ucd="pos.outline",
    ),
)
