"""Collections of FITS headers without the files: JSON lines, one header each.

A line is an object with ``file`` (the name) and ``header``, either the cards themselves as an object or, as header
exporters nest it, ``{"meta": {...}, "header": {cards}}``, where ``meta`` may tell ``source_file`` and ``size_bytes``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vo.db.records import PlateBundle, Product
from vo.errors import Fault, OperatorFault
from vo.ingest.readers import Reader, Source
from vo.ingest.readers.described import Described, Told
from vo.ingest.readers.solved import Image, bundle
from vo.pixels.wcs import find_solutions


@dataclass(frozen=True, slots=True)
class _Entry:
    file_name: str
    size: int | None
    cards: Mapping[str, object]


def _accepts(path: Path, head: bytes) -> bool:
    return path.is_file() and (path.suffix.lower() in (".jsonl", ".ndjson") or head.lstrip().startswith(b'{"file"'))


def _read(source: Source) -> Iterator[PlateBundle]:
    report = source.report
    total = source.path.stat().st_size
    done = 0
    with source.path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            done += len(line)
            if not line.strip():
                continue
            report.read += 1
            try:
                entry = _entry(line)
                found = _bundle(entry, number, source)
            except (ValueError, Fault) as error:
                report.refuse(number, "", "header not understood", str(error))
                continue
            report.used += 1
            yield found
            source.progress(done, total)
    if report.read == 0:
        raise OperatorFault(f"{source.path} is empty: a collection of headers has one JSON object a line")


def _entry(line: bytes) -> _Entry:
    try:
        content = json.loads(line)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not JSON: {error}") from error
    header = content.get("header") if isinstance(content, dict) else None
    if not isinstance(header, dict):
        raise ValueError('no object "header" in it')  # noqa: TRY004 -- what a source holds is a value, not a type
    meta = header.get("meta") if isinstance(header.get("header"), dict) else {}
    cards = header["header"] if isinstance(header.get("header"), dict) else header
    meta = meta if isinstance(meta, dict) else {}
    name = PurePosixPath(str(meta.get("source_file") or content.get("file") or "")).name
    if not name:
        raise ValueError('no "file" in it')
    size = meta.get("size_bytes")
    return _Entry(name, size if isinstance(size, int) and size > 0 else None, cards)


def _bundle(entry: _Entry, line: int, source: Source) -> PlateBundle:
    report, collection = source.report, source.collection
    told = Told()
    described = Described(entry.cards, entry.file_name, collection, source.authority, told)
    plate_id = described.plate_id()
    width, height = entry.cards.get("NAXIS1"), entry.cards.get("NAXIS2")
    if not isinstance(width, int) or not isinstance(height, int) or width < 1 or height < 1:
        raise ValueError(f"NAXIS1, NAXIS2 are {width!r}, {height!r}: the size of the image is not known")
    found = find_solutions(entry.cards, (width, height))
    for problem in found.problems:
        report.note(line, plate_id, "solution not usable", problem)
    if not found.solutions:
        report.note(line, plate_id, "no solution", "the header has no usable celestial coordinates")
    product = Product(
        f"{collection.name}/{plate_id}/{entry.file_name}",
        collection.name,
        plate_id,
        "fits",
        "image/fits",
        scan_id=described.scan_id(),
        content_length=entry.size,
        width=width,
        height=height,
        pixel_scale=found.solutions[0].pixel_scale if found.solutions else None,
    )
    made = bundle(Image(described, width, height, 1, found.solutions, product), source.find_plate(plate_id))
    for kind, reason in told.repairs:
        report.repair(line, plate_id, kind, reason)
    for kind, reason in told.notes:
        report.note(line, plate_id, kind, reason)
    return made


READER = Reader("headers", "collection of FITS headers (JSON lines)", _accepts, _read)
