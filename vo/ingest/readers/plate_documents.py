"""Plates described one by one in JSON: DASCH's mosaic packages and Starglass' plate records, single or in folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from vo.db.records import PlateBundle
from vo.errors import Fault, OperatorFault
from vo.ingest.readers import Reader, Source, json_values
from vo.ingest.readers.mosaic_package import is_package, read_package
from vo.ingest.readers.starglass import is_record, read_record
from vo.ingest.series import Series, load_series

_Read = Callable[[Mapping[str, object], Path, Source, Mapping[str, Series]], PlateBundle]
_ENDING = ".json"


def _accepts(path: Path, head: bytes) -> bool:
    if path.is_dir():
        return any(_is_described(one) for one in _files(path))
    return path.suffix.lower() == _ENDING and head.lstrip().startswith(b"{")


def _is_described(path: Path) -> bool:
    try:
        return _kind(json_values.load(path)) is not None
    except (ValueError, OSError):
        return False


def _read(source: Source) -> Iterator[PlateBundle]:
    """Packages and records of plates; of a folder those that cannot be read are refused, one alone is a fault."""
    files = _files(source.path)
    series = load_series(source.collection)
    for number, path in enumerate(files, start=1):
        source.report.read += 1
        name = str(path.relative_to(source.path)) if source.path.is_dir() else path.name
        lines = len(source.report.lines)
        try:
            made = _bundle(path, source, series)
        except (ValueError, OSError, Fault) as error:
            if path == source.path:
                raise OperatorFault(f"{path}: {error}") from error
            del source.report.lines[lines:]  # what was told of it before
            source.report.refuse(0, "", "file not usable", f"{name}: {error}")
            continue
        source.report.used += 1
        yield made
        source.progress(number, len(files))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(one for one in path.rglob(f"*{_ENDING}") if one.is_file())


def _bundle(path: Path, source: Source, series: Mapping[str, Series]) -> PlateBundle:
    document = json_values.load(path)
    read = _kind(document)
    if read is None or not isinstance(document, dict):
        raise ValueError("neither a mosaic package (metadata.mosaic) nor a plate record (plate_id, plate_images)")
    return read(document, path, source, series)


def _kind(document: object) -> _Read | None:
    if not isinstance(document, dict):
        return None
    if is_package(document):
        return read_package
    return read_record if is_record(document) else None


READER = Reader(
    "dasch_plates",
    "DASCH mosaic packages and Starglass plate records (JSON files, folders of them)",
    _accepts,
    _read,
)
