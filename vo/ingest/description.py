"""A collection's folder as a whole: everything that is wrong in its files, found without a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from vo.ingest.load import READERS
from vo.ingest.series import Series, load_series
from vo.metadata import examples
from vo.metadata.collection import DESCRIPTOR, Collection, load_collection
from vo.metadata.examples import Example, read_examples
from vo.metadata.felis import load_catalogue, load_schema
from vo.metadata.fields import Catalogue
from vo.metadata.mapping import MAPPING, READER, ListMapping, load_mapping
from vo.metadata.mistakes import Mistake, MistakesFault, nearest, suggest
from vo.metadata.toml_file import TomlFile, read_toml
from vo.settings import Settings

COLUMNS = "columns.yaml"

#: Files of a folder that something reads, or people.
_FILES = (DESCRIPTOR, MAPPING, READER, COLUMNS, examples.FILE, "stations.csv", "README.md")

#: How much alike names of files must be to be taken for one another: plates.csv is not stations.csv.
_ALIKE = 0.85

Part = TypeVar("Part")


@dataclass(slots=True)
class Description:
    """What a folder says, as far as it can be understood; ``mistakes`` is what cannot.

    ``collection`` is None when collection.toml cannot be used, ``catalogue`` when the tables cannot be described.
    """

    folder: Path
    mistakes: list[Mistake] = field(default_factory=list)
    collection: Collection | None = None
    catalogue: Catalogue | None = None
    series: Mapping[str, Series] = field(default_factory=dict)
    mapping: ListMapping | None = None
    examples: tuple[Example, ...] = ()


def read_description(settings: Settings, name: str) -> Description:
    """Read all files of ``resources/<name>``.

    :class:`vo.errors.OperatorFault` when there is no such folder. Whether example queries fit the tables is
    :func:`vo.tap.examples.find_mistakes`.
    """
    found = Description(settings.resources_dir / name)
    found.collection = _part(found, lambda: load_collection(settings, name))
    collection = found.collection or _stand_in(found.folder)
    if collection is None:
        if (found.folder / COLUMNS).is_file():
            _part(found, lambda: load_schema(found.folder / COLUMNS))
        return found
    found.catalogue = _part(found, lambda: load_catalogue(settings, (collection,)))
    found.series = _part(found, lambda: load_series(collection)) or {}
    found.mapping = _part(found, lambda: load_mapping(collection))
    found.examples = _part(found, lambda: read_examples(settings, (collection,))) or ()
    found.mistakes += [*_across(found, collection), *_misnamed(found.folder, collection)]
    return found


def _part(found: Description, read: Callable[[], Part]) -> Part | None:
    try:
        return read()
    except MistakesFault as fault:
        found.mistakes += fault.mistakes
        return None


def _stand_in(folder: Path) -> Collection | None:
    """A collection by which the other files can be looked at when its own one is not sound."""
    try:
        values = read_toml(folder / DESCRIPTOR).values
    except MistakesFault:
        values = {}
    series = values.get("series_file")
    more: dict[str, object] = {"series_file": series} if isinstance(series, str) else {}
    readers = values.get("readers")
    if isinstance(readers, list) and all(isinstance(one, str) for one in readers):
        more["readers"] = tuple(readers)
    words = {"title": "-", "description": "-", "creators": ("-",)}
    try:
        return Collection.model_validate({"name": folder.name, "folder": folder, **words, **more})
    except ValidationError:
        return None


# ------------------------------------------------------------------------------------------------- between files


def _across(found: Description, collection: Collection) -> Iterator[Mistake]:
    """What is wrong only when several files are held together."""
    known = [reader.name for reader in READERS]
    for number, name in enumerate(collection.readers):
        if name not in known:
            file = read_toml(found.folder / DESCRIPTOR)
            advice = suggest(name, known) or f"there are {', '.join(known)}"
            yield file.mistake(("readers", number), f"{name!r} is no reader", advice)
    if (found.folder / READER).is_file() and not (found.folder / MAPPING).is_file():
        yield Mistake(found.folder / READER, 0, "", f"is not used without {MAPPING}", "say there what its columns are")
    if found.mapping is not None:
        yield from _of_mapping(found, found.mapping, read_toml(found.folder / MAPPING))


def _of_mapping(found: Description, mapping: ListMapping, file: TomlFile) -> Iterator[Mistake]:
    """A mapping fills columns of columns.yaml alone, each of which has a rule at most."""
    if found.catalogue is None:
        return
    name = found.folder.name
    own = _own_columns(found.catalogue, name, found.folder)
    for column in mapping.own:
        if column not in own:
            if not (found.folder / COLUMNS).is_file():
                advice = f"describe it in {COLUMNS}"
            else:
                advice = suggest(column, own) or f"{COLUMNS} has {', '.join(own)}"
            yield file.mistake(("own", column), f"is no column of {COLUMNS}", advice)


def _own_columns(catalogue: Catalogue, name: str, folder: Path) -> Sequence[str]:
    if not (folder / COLUMNS).is_file():
        return ()
    described = {column.name for table in load_schema(folder / COLUMNS).tables for column in table.columns}
    return [column.name for column in catalogue.by_name[f"{name}.plates"].columns if column.name in described]


def _misnamed(folder: Path, collection: Collection) -> Iterator[Mistake]:
    """Files that nothing reads and whose names are nearly those of files that something does."""
    known = {*_FILES, *((collection.series_file,) if collection.series_file else ())}
    missing = [name for name in known if not (folder / name).exists()]
    for path in sorted(folder.iterdir()):
        likely = nearest(path.name, missing, _ALIKE)
        if path.is_file() and path.name not in known and likely is not None:
            yield Mistake(path, 0, "", "nothing reads a file of this name", f"did you mean {likely}?")
