"""What a job is to cut: every combination of its parameters, and the rows of a table that came with it (SOD-05)."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vo.dali.parameters import Parameters
from vo.dali.shapes import Circle
from vo.errors import LimitFault, UsageFault
from vo.metadata.fields import Field
from vo.settings import Settings
from vo.soda.request import AskedShape, Filters, read_ids, read_intervals, read_polarisation, read_shapes
from vo.tables.reading import IncomingTable, open_table
from vo.uploads.receive import open_upload, read_limits
from vo.uploads.received import naming
from vo.uploads.request import read_uploads

#: What one unit of a radius is in degrees.
_DEGREES = {None: 1.0, "": 1.0, "deg": 1.0, "arcmin": 1 / 60, "arcsec": 1 / 3600, "rad": 180 / math.pi}
#: What a column may be called, in any case; the names of ObsCore do, too.
_NAMES = {
    "id": ("id", "obs_publisher_did"),
    "ra": ("ra", "s_ra"),
    "dec": ("dec", "s_dec"),
    "radius": ("radius",),
}
_NUMBERS = frozenset({"unsignedByte", "short", "int", "long", "float", "double"})


@dataclass(frozen=True, slots=True)
class Line:
    """One cutout of a job. ``problem`` says why its row cannot be one; then ``shape`` is None.

    ``text`` is the shape as it was asked.
    """

    number: int
    did: str
    text: str
    shape: AskedShape | None
    filters: Filters
    problem: str | None = None

    @property
    def name(self) -> str:
        """The id of its result: in the order of the lines, whichever of them are done."""
        return f"cutout-{self.number:05d}"


def read_lines(parameters: Parameters, settings: Settings) -> tuple[Line, ...]:
    """The lines of a job, those of its parameters first.

    A row of a table (UPLOAD) with columns ra, dec, radius, and id unless ID names what to cut, is a circle; what is
    wrong with a row is told by its line. Faults: UsageFault when there is nothing to cut or the table cannot be used,
    LimitFault beyond ``cutout_lines``.
    """
    lines: list[Line] = []
    for did, shape, filters, problem in _asked(parameters, settings):
        if len(lines) >= settings.cutout_lines:
            raise LimitFault(
                f"the job would have more than {settings.cutout_lines} cutouts, the most in one job (cutout_lines); "
                "make several jobs"
            )
        text = shape.text if isinstance(shape, AskedShape) else shape
        line = Line(len(lines) + 1, did, text, None if isinstance(shape, str) else shape, filters, problem)
        lines.append(line)
    if not lines:
        raise UsageFault(
            "there is nothing to cut: give ID (repeatable) with CIRCLE, POLYGON or POS (repeatable), or a table with "
            "the columns id, ra, dec and radius as UPLOAD=name,param:part"
        )
    return tuple(lines)


_Asked = tuple[str, AskedShape | str, Filters, str | None]


def _asked(parameters: Parameters, settings: Settings) -> Iterator[_Asked]:
    dids, shapes = read_ids(parameters), read_shapes(parameters, settings.cutout_vertices)
    filters = _filters(parameters)
    uploads = read_uploads(parameters)
    if dids and not shapes and not uploads:
        raise UsageFault(
            "a shape is missing: give CIRCLE, POLYGON or POS for the part to cut; whole files are listed in the "
            "Datalink documents"
        )
    if shapes and not dids:
        raise UsageFault("ID is missing: give the identifiers of exposures (obs_publisher_did) or plates to cut from")
    for did, shape, one in itertools.product(dids, shapes, filters):
        yield did, shape, one, None
    for upload in uploads:
        with contextlib.ExitStack() as files, naming(upload.name):
            file, media_type, filename = open_upload(upload, parameters, settings, files)
            table = open_table(file, media_type=media_type, filename=filename, limits=read_limits(settings))
            for did, asked, problem in _rows(table, dids):
                for one in filters:
                    yield did, asked, one, problem


def _filters(parameters: Parameters) -> Sequence[Filters]:
    bands = read_intervals(parameters, "BAND") or (None,)
    times = read_intervals(parameters, "TIME") or (None,)
    states = read_polarisation(parameters)
    return [Filters(band, time, states) for band, time in itertools.product(bands, times)]


def _rows(table: IncomingTable, dids: Sequence[str]) -> Iterator[tuple[str, AskedShape | str, str | None]]:
    columns = _columns(table.fields, has_ids=bool(dids))
    scale = _DEGREES[table.fields[columns["radius"]].unit]
    number = 0
    for batch in table.batches:
        values = {name: batch.column(at).to_pylist() for name, at in columns.items()}
        for at in range(batch.num_rows):
            number += 1
            row = {name: column[at] for name, column in values.items()}
            circle, problem = _circle(row, scale)
            text = f"row {number}: {_shown(row)}"
            own = str(row["id"]).strip() if row.get("id") is not None else ""
            for did in (own,) if "id" in columns else dids:
                if not did:
                    problem = problem or "its id is empty"
                yield did, text if circle is None else AskedShape(circle, text), problem


def _columns(fields: Sequence[Field], *, has_ids: bool) -> dict[str, int]:
    """Where the columns are; UsageFault names those that are missing, and units that are not those of the sky."""
    names = {field.name.lower(): at for at, field in enumerate(fields)}
    found = {name: next((names[one] for one in known if one in names), None) for name, known in _NAMES.items()}
    if has_ids and found["id"] is not None:
        raise UsageFault("the table has a column id and the request ID, too; leave one of them out")
    missing = [name for name, at in found.items() if at is None and not (name == "id" and has_ids)]
    if missing:
        raise UsageFault(
            f"the column {' and the column '.join(missing)} is missing; a table of cutouts has id (or the request ID), "
            "ra, dec and radius, in degrees (ICRS) unless their units say otherwise"
        )
    places = {name: at for name, at in found.items() if at is not None}
    for name in ("ra", "dec", "radius"):
        _check_column(fields[places[name]], is_radius=name == "radius")
    return places


def _check_column(field: Field, *, is_radius: bool) -> None:
    if field.datatype not in _NUMBERS or field.arraysize is not None:
        raise UsageFault(f"the column {field.name} holds no numbers (its datatype is {field.datatype})")
    known = _DEGREES if is_radius else {None: 1.0, "": 1.0, "deg": 1.0}
    if field.unit not in known:
        units = ", ".join(unit for unit in known if unit)
        raise UsageFault(f"the column {field.name} is in {field.unit}; it may be in {units}")


def _circle(row: Mapping[str, Any], scale: float) -> tuple[Circle | None, str | None]:
    numbers = [row[name] for name in ("ra", "dec", "radius")]
    if any(number is None or not math.isfinite(number) for number in numbers):
        return None, "ra, dec and radius have to be numbers"
    ra, dec, radius = float(numbers[0]), float(numbers[1]), float(numbers[2]) * scale
    if not (0.0 <= ra <= 360.0 and -90.0 <= dec <= 90.0 and 0.0 <= radius <= 180.0):  # noqa: PLR2004  degrees
        return None, "ra lies between 0 and 360 degrees, dec between -90 and 90, radius between 0 and 180"
    return Circle(ra, dec, radius), None


def _shown(row: Mapping[str, Any]) -> str:
    return "CIRCLE " + " ".join("null" if row[name] is None else repr(row[name]) for name in ("ra", "dec", "radius"))
