"""Binned files, previews and thumbnails of scans: what is wanted of a plate, and making it.

Files appear whole or not at all. Beside those of a scan stands a record (``.<name>.json``) of what they were made from,
so that work that was stopped goes on where it was, and a scan that changed is made anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from glob import escape
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from vo.db.records import PlateBundle, Product
from vo.errors import Fault, OperatorFault
from vo.pixels.read import ImageHDU, list_images
from vo.pixels.render import write_jpeg
from vo.pixels.shrink import BinnedFile, Pixels, has_coordinates, shrink
from vo.pixels.source import ByteSource
from vo.products.store import open_source
from vo.settings import Settings

log = logging.getLogger(__name__)

Kind = Literal["bin", "preview", "thumbnail"]
KINDS: tuple[Kind, ...] = ("bin", "preview", "thumbnail")

_ROLES: dict[Kind, str] = {"bin": "fits_binned", "preview": "preview", "thumbnail": "thumbnail"}
#: Longer side of the pictures, in pixels.
_SIZES: dict[Kind, int] = {"preview": 1200, "thumbnail": 200}
_PACKED = (".fz", ".gz")
_FITS = (".fits", ".fit", ".fts")
#: Raised when files have to be made anew although their scans are the same.
_EDITION = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to be made: what it is, and its product but for what is known when it is there."""

    kind: Kind
    product: Product
    path: Path


@dataclass(frozen=True, slots=True)
class Task:
    """What is wanted of one scan file."""

    source: Product
    wanted: tuple[Wanted, ...]

    @property
    def record(self) -> Path:
        """The file that tells what the others were made from."""
        folder = self.wanted[0].path.parent
        return folder / f".{_stem(self.source)}.json"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a file once it is there."""

    content_length: int
    checksum: str
    width: int | None = None
    height: int | None = None
    is_base: bool = False


@dataclass(slots=True)
class Made:
    """What became of a plate: its products, how many of them had to be made, and for each bad scan the reason."""

    plate_id: str
    products: list[Product] = field(default_factory=list)
    made: int = 0
    faults: list[str] = field(default_factory=list)


class StoppedError(Exception):
    """The work has to end before it is done."""


def products_folder(settings: Settings, collection: str) -> Path:
    """Where the files that are made of a collection's scans are."""
    return (settings.products_dir or settings.data_dir / "products").absolute() / _safe(collection)


def plan(bundle: PlateBundle, folder: Path, kinds: Sequence[Kind], factor: int) -> list[Task]:
    """What is wanted of a plate: of each scan the finest FITS file that is held is looked at.

    What came with the scan (a binned file of this factor, a preview) is not made again.
    """
    groups: dict[tuple[str | None, str | None], list[Product]] = {}
    for product in bundle.products:
        if product.role in ("fits", "fits_binned") and product.location is not None:
            groups.setdefault((product.scan_id, product.exposure_id), []).append(product)
    tasks: list[Task] = []
    for products in groups.values():
        source = min(products, key=lambda one: (one.bin_factor, one.product_id))
        wanted = tuple(_wanted(bundle, source, folder / _safe(bundle.plate.plate_id), kinds, factor))
        if wanted:
            tasks.append(Task(source, wanted))
    return tasks


def _wanted(bundle: PlateBundle, source: Product, folder: Path, kinds: Sequence[Kind], factor: int) -> Iterator[Wanted]:
    for kind in kinds:
        product = _product(source, kind, factor)
        if kind == "bin" and source.bin_factor != 1:
            continue
        if not any(_is_instead(other, product) for other in bundle.products):
            yield Wanted(kind, product, folder / _safe(product.product_id.rpartition("/")[2]))


def _is_instead(other: Product, wanted: Product) -> bool:
    """Whether a file that was not made here is what is wanted, or has its name."""
    if other.product_id == wanted.product_id:
        return other.role != wanted.role
    return (
        other.role == wanted.role
        and other.location is not None
        and other.scan_id in (None, wanted.scan_id)
        and other.exposure_id in (None, wanted.exposure_id)
        and (other.role != "fits_binned" or other.bin_factor == wanted.bin_factor)
    )


def _product(source: Product, kind: Kind, factor: int) -> Product:
    begin = source.product_id.rpartition("/")[0]
    ending = f"_bin{factor}.fits" if kind == "bin" else f"_{kind}.jpg"
    is_image = kind == "bin"
    return Product(
        product_id=f"{begin}/{_stem(source)}{ending}",
        collection=source.collection,
        plate_id=source.plate_id,
        role=_ROLES[kind],
        content_type=source.content_type if is_image else "image/jpeg",
        scan_id=source.scan_id,
        exposure_id=source.exposure_id,
        pixel_scale=source.pixel_scale * factor if is_image and source.pixel_scale is not None else None,
        bin_factor=factor if is_image else 1,
        is_base=source.is_base and is_image,
    )


def _stem(product: Product) -> str:
    """A product's file name without what says that it is FITS."""
    name = product.product_id.rpartition("/")[2]
    for endings in (_PACKED, _FITS):
        found = next((ending for ending in endings if name.lower().endswith(ending)), "")
        name = name[: len(name) - len(found)]
    return name


def _safe(name: str) -> str:
    """A name as one part of a path, whatever signs it has."""
    quoted = quote(name, safe="()+,=@ ")
    return quoted.replace(".", "%2E", 1) if quoted.startswith(".") else quoted


# ------------------------------------------------------------------------------------------------- making


def make_plate(
    plate_id: str, tasks: Sequence[Task], check: Callable[[], None], settings: Settings | None = None
) -> Made:
    """Make what is not there or older than its scan; a scan that cannot be read is told and the next one tried.

    ``check`` is called all the time; what it raises ends the work and leaves no half file. ``settings`` say how stores
    far away are asked.
    """
    made = Made(plate_id)
    for task in tasks:
        try:
            products, count = _make(task, check, settings)
        except StoppedError:
            raise
        except Fault as fault:
            made.faults.append(f"{task.source.product_id}: {fault.text}")
            continue
        except Exception as error:
            log.info("%s", task.source.product_id, exc_info=error)
            made.faults.append(f"{task.source.product_id}: cannot be read ({type(error).__name__}: {error})")
            continue
        made.products += products
        made.made += count
    return made


def _make(task: Task, check: Callable[[], None], settings: Settings | None) -> tuple[list[Product], int]:
    check()
    source = open_source(task.source, settings)
    version = _version(task.source, source)
    known = _read_record(task.record, version)
    missing = [one for one in task.wanted if not _is_there(one, known)]
    if missing:
        task.record.parent.mkdir(parents=True, exist_ok=True)
        known |= _make_missing(task, source, missing, check)
        _write_record(task.record, version, known)
    return [_with(one, known[one.path.name]) for one in task.wanted], len(missing)


def _with(wanted: Wanted, facts: Facts) -> Product:
    return replace(wanted.product, location=wanted.path.as_uri(), **asdict(facts))


def _make_missing(
    task: Task, source: ByteSource, missing: Sequence[Wanted], check: Callable[[], None]
) -> dict[str, Facts]:
    """Make files under names of their own and give them theirs when all of them are whole."""
    image = _image(task.source, source)
    for one in missing:
        for left in one.path.parent.glob(f".{escape(one.path.name)}.*.part"):
            left.unlink(missing_ok=True)  # by a process that was killed
    parts = {one.path: one.path.with_name(f".{one.path.name}.{os.getpid()}.part") for one in missing}
    try:
        facts = _write(source, image, missing, parts, check)
        for path, part in parts.items():
            _sync(part)
            part.replace(path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return facts


def _write(
    source: ByteSource,
    image: ImageHDU,
    missing: Sequence[Wanted],
    parts: dict[Path, Path],
    check: Callable[[], None],
) -> dict[str, Facts]:
    binned = [
        (one, BinnedFile(parts[one.path], image, one.product.bin_factor, source.name))
        for one in missing
        if one.kind == "bin"
    ]
    pictures = [one for one in missing if one.kind != "bin"]
    size = max((_SIZES[one.kind] for one in pictures), default=None)
    grid = shrink(source, image, [file for _, file in binned], size, check)
    facts: dict[str, Facts] = {}
    for one, file in binned:
        written = file.finish()
        # Without coordinates in its header a binned file is one that solutions are put into on its way out.
        is_base = one.product.is_base or not has_coordinates(image)
        facts[one.path.name] = Facts(written.content_length, written.checksum, *written.shape, is_base=is_base)
    for one in pictures:
        facts[one.path.name] = _picture(grid, parts[one.path], _SIZES[one.kind])
    return facts


def _picture(grid: Pixels | None, path: Path, size: int) -> Facts:
    if grid is None:  # pragma: no cover - there is one when pictures are wanted
        raise TypeError(path)
    write_jpeg(path, grid, size)
    content = path.read_bytes()
    return Facts(len(content), f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}")


def _image(product: Product, source: ByteSource) -> ImageHDU:
    found = next((one for one in list_images(source) if one.index == product.hdu), None)
    if found is None:
        raise OperatorFault(f"HDU {product.hdu} of its file is no image")
    return found


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


# ------------------------------------------------------------------------------------------------- records


def _version(product: Product, source: ByteSource) -> str:
    text = f"{_EDITION} {product.product_id} {product.hdu} {source.version}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _read_record(path: Path, version: str) -> dict[str, Facts]:
    """What is known of the files that were made of this version of the scan, by name."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["version"] == version:
            return {str(name): Facts(**facts) for name, facts in record["files"].items()}
    return {}


def _write_record(path: Path, version: str, files: dict[str, Facts]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    told = {"version": version, "files": {name: asdict(facts) for name, facts in files.items()}}
    part.write_text(json.dumps(told, indent=1, sort_keys=True), encoding="utf-8")
    part.replace(path)


def _is_there(wanted: Wanted, known: dict[str, Facts]) -> bool:
    facts = known.get(wanted.path.name)
    try:
        return facts is not None and wanted.path.stat().st_size == facts.content_length
    except OSError:
        return False
