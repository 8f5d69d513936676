"""The part of the sky that cutouts of an exposure can cover, read from the footprints that searches use."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from vo.db.records import Exposure
from vo.tables.descriptor import Bounds

_ONE = sql.SQL(
    "SELECT obs_publisher_did, s_ra, s_dec, s_fov, s_region_text FROM {} "
    "WHERE obs_publisher_did = ANY(%s) AND s_region_text IS NOT NULL"
)


def read_bounds(connection: Connection[TupleRow], exposures: Iterable[Exposure]) -> dict[str, Bounds]:
    """Footprints by publisher DID, in one statement however many exposures and collections are asked for.

    An exposure whose footprint is not known (or was refused by ingest) is left out.
    """
    dids: dict[str, list[str]] = {}
    for exposure in exposures:
        dids.setdefault(exposure.collection, []).append(exposure.publisher_did)
    if not dids:
        return {}
    statement = sql.SQL(" UNION ALL ").join(_ONE.format(sql.Identifier(name, "plates")) for name in dids)
    rows = connection.execute(statement, list(dids.values())).fetchall()
    return {did: Bounds((ra, dec, fov / 2), parse_region(region)) for did, ra, dec, fov, region in rows}


def parse_region(text: str) -> tuple[tuple[float, float], ...]:
    """The vertices (degrees) of ``POLYGON ICRS lon lat lon lat ...``."""
    numbers = [float(word) for word in text.split() if word[0] in "+-.0123456789"]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))
