"""The service's description of itself, which MAXREC=0 answers (SIA 2.0, section 2.3; SIA-05)."""

from __future__ import annotations

from typing import Literal

from psycopg import sql

from vo.context import Context
from vo.sia2.capabilities import STANDARD_ID
from vo.sia2.query import POL_STATES
from vo.tables.descriptor import Param, ServiceDescriptor

#: More values than this are no help in a form.
_MOST_OPTIONS = 200


def describe_service(context: Context, base_url: str) -> ServiceDescriptor:
    """All parameters with units and UCDs, and the values that this archive has where they are few."""
    return ServiceDescriptor(
        id=None,
        utype="adhoc:this",
        name="this",
        description=(
            "Finds images of photographic plates, one row for each exposure, by SIA 2.0. Plates without a known "
            "position are in the collections' own tables, by TAP."
        ),
        standard_id=STANDARD_ID,
        access_url=f"{base_url}/sia2/query",
        parameters=(*_axes(), *_words(context), *_controls()),
    )


def _interval(name: str, unit: str | None, ucd: str, description: str) -> Param:
    return Param(name, "double", "2", "interval", unit=unit, ucd=ucd, description=description)


def _axes() -> tuple[Param, ...]:
    return (
        Param("POS", ucd="pos.outline;obs", description="CIRCLE, RANGE or POLYGON with its numbers, degrees ICRS"),
        _interval("BAND", "m", "em.wl;stat.interval", "Wavelengths (vacuum) the image responds to"),
        _interval("TIME", "d", "time.interval;obs.exposure", "Time of the exposure, MJD UTC"),
        Param("POL", ucd="meta.code;phys.polarization", options=POL_STATES, description="Polarisation state"),
        _interval("FOV", "deg", "phys.angSize;instr.fov", "Diameter of the field"),
        _interval("SPATRES", "arcsec", "pos.angResolution", "Spatial resolution"),
        _interval("SPECRP", None, "spect.resolution", "Spectral resolving power"),
        _interval("EXPTIME", "s", "time.duration;obs.exposure", "Exposure time"),
        _interval("TIMERES", "s", "time.resolution", "Time resolution"),
    )


def _words(context: Context) -> tuple[Param, ...]:
    collections = tuple(collection.obs_collection for collection in context.collections)
    return (
        Param("ID", ucd="meta.ref.ivoid", description="obs_publisher_did of an exposure, in any letter case"),
        Param("COLLECTION", ucd="meta.id", options=collections, description="Collection of plates"),
        Param("FACILITY", ucd="meta.id;instr.tel", options=_values(context, "facility_name"), description="Station"),
        Param("INSTRUMENT", ucd="meta.id;instr", options=_values(context, "instrument_name"), description="Telescope"),
        Param("DPTYPE", ucd="meta.code.class", options=("image", "cube"), description="Type of the data"),
        Param("CALIB", "int", None, ucd="meta.code;obs.calib", options=_levels(), description="Calibration level"),
        Param("TARGET", ucd="meta.id;src", description="Object or field as the logbook names it"),
        Param("FORMAT", ucd="meta.code.mime", description="Media type, such as image/fits"),
    )


def _levels() -> tuple[str, ...]:
    return tuple(str(level) for level in range(5))


def _controls() -> tuple[Param, ...]:
    return (
        Param("MAXREC", "int", None, ucd="meta.number", description="Most rows to send"),
        Param("RESPONSEFORMAT", ucd="meta.code.mime", description="Media type of the answer"),
    )


def _values(context: Context, column: Literal["facility_name", "instrument_name"]) -> tuple[str, ...]:
    """The values of a column; none at all when there are too many for a form."""
    statement = sql.SQL("SELECT DISTINCT {0} FROM ivoa.obscore WHERE {0} IS NOT NULL ORDER BY 1 LIMIT %s").format(
        sql.Identifier(column)
    )
    with context.database.read() as connection:
        rows = connection.execute(statement, (_MOST_OPTIONS + 1,)).fetchall()
    return () if len(rows) > _MOST_OPTIONS else tuple(row[0] for row in rows)
