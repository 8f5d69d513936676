"""What a search has found: as a VOTable with its log, and as rows of a page.

The columns are those of ObsCore that pyVO carries, in the words of this server's own ``ivoa.obscore``, and the service
each row came from.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from vo.context import Context, origin
from vo.db.archive import find_plates
from vo.db.records import PlateBundle
from vo.metadata.fields import Column, Field, Kind
from vo.products.links import DATALINK_TYPE, file_url, plate_url
from vo.tables.columns import arrow_type
from vo.tables.votable import Document
from vo.web.counts import format_mjd
from vo.web.discovery.question import Question
from vo.web.discovery.runs import Run

#: So many rows are shown on the page; all are in the table to save.
SHOWN_ROWS = 300

#: Rows of one batch of the table.
_BATCH_ROWS = 2000

_KINDS = {
    Kind.SMALLINT: "integer",
    Kind.INTEGER: "integer",
    Kind.BIGINT: "integer",
    Kind.REAL: "float",
    Kind.DOUBLE: "float",
}

#: Columns of ObsCore that pyVO has no place for.
_NOT_CARRIED = frozenset({"obs_creation_date"})

_SERVICE = (
    Field("service", "char", "*", ucd="meta.ref.ivoid", description="IVOA identifier of the service that has this row"),
    Field("service_title", "char", "*", ucd="meta.title", description="Name of that service in the registry"),
)

_LONG_EXPOSURE = 1.0


def list_columns(context: Context) -> tuple[Column, ...]:
    """The columns of ObsCore that a search gives."""
    return tuple(
        column
        for column in context.catalogue.by_name["ivoa.obscore"].columns
        if column.std and column.name not in _NOT_CARRIED
    )


def kinds(columns: Sequence[Column]) -> tuple[tuple[str, str], ...]:
    """What each column holds, for the process of a search."""
    return tuple((column.name, _KINDS.get(column.kind, "text")) for column in columns)


# -- the table


@dataclass(frozen=True, slots=True)
class Table:
    """A search as a table, as it was at one moment: what a writer takes."""

    document: Document
    batches: Iterator[Any]
    maxrec: int


def make_table(context: Context, run: Run, request: str) -> Table:
    """The rows so far with data origin, what was asked, and the log; ``request`` is the address it is asked at."""
    fields = (*map(_field, list_columns(context)), *_SERVICE)
    total, is_partial = len(run.rows), run.phase != "done"
    document = Document(
        fields=fields,
        infos=tuple(_list_infos(context, run, request)),
        description=(
            "Images found in the Virtual Observatory, by asking each service that a registry names for them. The "
            "columns are those of ObsCore 1.1, with the service that each row is from."
        ),
        overflow_text=_partial_text(run),
    )
    batches = _read_batches(fields, run, total, is_partial=is_partial)
    # No row at all is no limit of the caller's, which 0 would be (DALI-06).
    return Table(document, batches, total if is_partial else max(total, 1))


def _read_batches(fields: Sequence[Field], run: Run, total: int, *, is_partial: bool) -> Iterator[Any]:
    """The rows, as Arrow batches.

    One row too many stands at the end of a table that is not complete: it is cut off and makes the OVERFLOW (DALI-07).
    """
    schema = pa.schema([(field.name, arrow_type(field)) for field in fields])
    for start in range(0, total, _BATCH_ROWS):
        rows = list(run.rows.read(start, min(start + _BATCH_ROWS, total)))
        yield pa.RecordBatch.from_pylist(rows, schema)
    if is_partial:
        yield pa.RecordBatch.from_pylist([{}], schema)


def _partial_text(run: Run) -> str:
    asked = f"{run.counts.queried} of {run.counts.services} services had been asked"
    if run.is_over:
        return f"Partial: the search ended early ({run.reason}); {asked}."
    return f"Partial: the search was still going on; {asked}."


def file_name(run: Run) -> str:
    """What the table is called when it is saved."""
    return f"discovery_{run.began:%Y%m%dT%H%M%S}.vot"


def _field(column: Column) -> Field:
    # What ours says of its values, and how long they are, holds for those of no other service.
    field = replace(column.field(), description=None)
    return replace(field, datatype="char", arraysize="*") if field.datatype in ("char", "unicodeChar") else field


def _list_infos(context: Context, run: Run, request: str) -> Iterator[tuple[str, str]]:
    yield from origin(context, (), protocol=None, request=request, query=words(run.question))
    question = run.question
    if question.space is not None:
        yield "discovery_space", "CIRCLE ICRS {!r} {!r} {!r}".format(*question.space)
    if question.time is not None:
        yield "discovery_time", "{!r} {!r}".format(*question.time)
    if question.spectrum is not None:
        yield "discovery_wavelength", repr(question.spectrum)
    yield "discovery_inclusive", str(question.inclusive).lower()
    yield "discovery_registry", run.registry
    yield "discovery_began", f"{run.began:%Y-%m-%dT%H:%M:%SZ}"
    if run.ended is not None:
        yield "discovery_ended", f"{run.ended:%Y-%m-%dT%H:%M:%SZ}"
    yield "discovery_state", run.phase
    yield "discovery_services", f"{run.counts.queried} of {run.counts.services} asked, {run.counts.failed} failed"
    for line in run.lines:
        yield "discovery_log", line


def words(question: Question) -> str:
    """The question as pyVO is asked it."""
    parts: list[str] = []
    if question.space is not None:
        parts.append(f"space={question.space!r}")
    if question.time is not None:
        parts.append("time=(Time({!r}, format='mjd'), Time({!r}, format='mjd'))".format(*question.time))
    if question.spectrum is not None:
        parts.append(f"spectrum={question.spectrum!r}*u.m")
    parts.append(f"inclusive={question.inclusive!r}")
    return f"pyvo.discover.images_globally({', '.join(parts)})"


# -- rows of a page


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a row."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A row as the page shows it; ``picture`` is the address of a small picture, ``page`` that of the plate's page."""

    target: str
    place: str
    date: str
    instrument: str
    service: str
    links: tuple[Link, ...]
    page: str | None = None
    picture: str | None = None


def show_rows(context: Context, run: Run, start: int, stop: int) -> list[Shown]:
    """Some rows as the page shows them; those of this server lead to their plates."""
    rows = list(run.rows.read(start, min(stop, SHOWN_ROWS)))
    own = _find_own(context, rows)
    return [_show(row, own.get(str(row.get("obs_publisher_did"))), run.base) for row in rows]


def _find_own(context: Context, rows: Sequence[dict[str, Any]]) -> dict[str, PlateBundle]:
    start = f"ivo://{context.settings.authority}/".lower()
    dids = {str(row.get("obs_publisher_did")) for row in rows}
    wanted = sorted(did for did in dids if did.lower().startswith(start))
    if not wanted:
        return {}
    known = {collection.name for collection in context.collections}
    with context.database.read() as connection:
        found = find_plates(connection, wanted)
    return {did: bundle for did, (bundle, _) in found.items() if bundle.plate.collection in known}


def _show(row: dict[str, Any], bundle: PlateBundle | None, base: str) -> Shown:
    instrument = [str(row[name]) for name in ("facility_name", "instrument_name") if row.get(name)]
    url = str(row.get("access_url") or "")
    links: list[Link] = []
    if url.lower().startswith(("http://", "https://")):
        is_datalink = str(row.get("access_format") or "").replace(" ", "").startswith(DATALINK_TYPE)
        links.append(Link("Files (Datalink)" if is_datalink else "Image", url))
    page = picture = None
    if bundle is not None:
        page = plate_url(base, bundle.plate.collection, bundle.plate.plate_id)
        picture = _find_picture(bundle, base)
    return Shown(
        target=str(row.get("target_name") or row.get("obs_title") or row.get("obs_id") or ""),
        place=_write_place(row),
        date=_write_date(row.get("t_min"), row.get("t_max")),
        instrument=", ".join(dict.fromkeys(instrument)),
        service=str(row.get("service_title") or row.get("service") or ""),
        links=tuple(links),
        page=page,
        picture=picture,
    )


def _find_picture(bundle: PlateBundle, base: str) -> str | None:
    small = (one for one in bundle.products if one.role == "thumbnail" and one.location is not None)
    chosen = next(small, None)
    return None if chosen is None else file_url(base, chosen.product_id)


def _write_place(row: dict[str, Any]) -> str:
    ra, dec = row.get("s_ra"), row.get("s_dec")
    return "" if ra is None or dec is None else f"{ra:.4f} {dec:+.4f}"


def _write_date(begin: float | None, end: float | None) -> str:
    """When an image was taken: a moment, or two days when it took longer than one."""
    try:
        if begin is None:
            return ""
        if end is not None and end - begin > _LONG_EXPOSURE:
            return f"{format_mjd(begin, with_time=False)} to {format_mjd(end, with_time=False)}"
        return format_mjd(begin) or ""
    except (OverflowError, ValueError):  # no day of the calendar
        return ""


def since(run: Run) -> dt.timedelta:
    """How long a search has taken, or took."""
    return (run.ended or dt.datetime.now(dt.UTC)) - run.began
