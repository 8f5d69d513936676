"""Reading tables with the project's readers, to compare them with what they should be."""

from __future__ import annotations

import io
import math

import numpy as np

from vo.errors import Fault
from vo.metadata.fields import Field
from vo.tables.reading import ReadLimits, open_table

VOTABLE = "application/x-votable+xml"
LIMITS = ReadLimits(rows=1_000_000, columns=100, cell_bytes=1 << 20)


def read(
    data: bytes, media_type: str | None = VOTABLE, *, filename: str = "", limits: ReadLimits = LIMITS
) -> tuple[tuple[Field, ...], list[tuple]]:
    """All fields and rows of a table; None is null."""
    table = open_table(io.BytesIO(data), media_type=media_type, filename=filename, limits=limits)
    rows: list[tuple] = []
    for batch in table.batches:
        batch.validate(full=True)
        assert batch.schema.names == [field.name for field in table.fields]
        rows += zip(*(column.to_pylist() for column in batch.columns), strict=True)
    return table.fields, rows


def fault_of(data: bytes, media_type: str | None = VOTABLE) -> Fault | None:
    """The Fault that reading a table ends with, None when it ends well; any other exception is passed on."""
    try:
        read(data, media_type)
    except Fault as fault:
        return fault
    return None


def votable(fields: str, rows: str, *, data: str = "TABLEDATA", head: str = "", prefix: str = "") -> bytes:
    """A VOTable around FIELD elements and rows."""
    p = prefix
    table = f"<{p}TABLE>{fields}<{p}DATA><{p}{data}>{rows}</{p}{data}></{p}DATA></{p}TABLE>"
    return f'{head}<{p}VOTABLE version="1.4"><{p}RESOURCE>{table}</{p}RESOURCE></{p}VOTABLE>'.encode()


def is_same(a: object, b: object) -> bool:
    """Equality in which NaN equals NaN, and a tuple a list."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(is_same, a, b))
    if isinstance(a, (float, np.floating)) and isinstance(b, (float, np.floating)):
        return (math.isnan(a) and math.isnan(b)) or a == b
    return type(a) is type(b) and a == b
