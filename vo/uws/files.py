"""Where the files of jobs are: results and uploads, in a folder or a bucket (setting ``jobs_store``).

A file is there when it is complete, never before. Paths are ``<job>/<attempt>/<result>``, ``<job>/parts/<result>``
(:mod:`vo.uws.shelf`) and ``<job>/uploads/<n>``.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, cast

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from vo.errors import OperatorFault, TransientFault
from vo.settings import Settings

LOG = logging.getLogger(__name__)

#: What is held in memory of a file that is written; smaller files go to the store in one piece.
_BUFFER_BYTES = 8 * 1024**2
_CHUNK_BYTES = 1024**2

#: How the operating system says that a disk, a quota or a file has reached its limit (ENOSPC, EDQUOT, EFBIG).
_FULL = ("os error 28", "os error 122", "os error 27", "[Errno 28]", "[Errno 122]", "[Errno 27]")
_NO_ROOM = "the store that keeps the results of jobs is full: ask for fewer rows or columns, or try again later"


class JobFiles:
    """The store of the settings; nothing is opened or made before it is needed.

    Everything may raise TransientFault: the store is full, or away.
    """

    def __init__(self, settings: Settings) -> None:
        place = settings.jobs_store or str(settings.data_dir / "jobs")
        self._url = place if "://" in place else None
        self._reserve = settings.disk_reserve_bytes
        self.folder = None if self._url is not None else Path(place).absolute()

    def write(self, path: str, chunks: Iterator[bytes]) -> int:
        """Write a file, which appears when it is complete; return its length in bytes.

        What ``chunks`` raises goes through, and there is no file.
        """
        size = looked = 0
        self._check_room()
        with self._written(path) as file:
            for chunk in chunks:
                with _faults():
                    file.write(chunk)
                size += len(chunk)
                if size - looked > _BUFFER_BYTES:
                    self._check_room()
                    looked = size
        return size

    def local_path(self, path: str) -> Path | None:
        """The path of a file in the file system, None when the store is not in one; the file may be missing."""
        return None if self.folder is None else self.folder / path

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading at its start; it can be sought in."""
        local = self.local_path(path)
        with _faults():
            if local is not None:
                return local.open("rb")
            found = obstore.get(self._store, path)
            copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
            try:
                for chunk in found.stream(min_chunk_size=_CHUNK_BYTES):
                    copy.write(chunk)
            except BaseException:
                copy.close()
                raise
            copy.seek(0)
            return cast("BinaryIO", copy)

    def stream(self, path: str) -> Iterator[bytes]:
        """The bytes of a file of a store that is no folder."""
        with _faults():
            found = obstore.get(self._store, path)
        for chunk in found.stream(min_chunk_size=_CHUNK_BYTES):
            yield bytes(chunk)

    def list(self, folder: str) -> dict[str, int]:
        """The complete files right in a folder of the store, by their names, with their lengths in bytes."""
        with _faults():
            found = [one for page in obstore.list(self._store, f"{folder}/") for one in page]
        names = {one["path"].removeprefix(f"{folder}/"): int(one["size"]) for one in found}
        return {name: size for name, size in names.items() if "/" not in name}

    def remove(self, path: str) -> None:
        """Remove the file or all files below a path; there may be none."""
        if self.folder is not None:
            local = self.folder / path
            if local.is_file():
                local.unlink(missing_ok=True)
            shutil.rmtree(local, ignore_errors=True)
            return
        with _faults():
            for page in obstore.list(self._store, path):
                obstore.delete(self._store, [found["path"] for found in page])
            with suppress(
                NotFoundError, FileNotFoundError
            ):  # a list of what is below a path leaves the path itself out
                obstore.delete(self._store, path)

    def _check_room(self) -> None:
        """Leave the last of a disk to others: PostgreSQL, which may be on the same one, ends without."""
        if self.folder is None:
            return
        place = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        if shutil.disk_usage(place).free < self._reserve:
            LOG.warning("the store of jobs: less than %d bytes (disk_reserve_bytes) are left", self._reserve)
            raise TransientFault(_NO_ROOM)

    @contextmanager
    def _written(self, path: str) -> Iterator[obstore.WritableFile]:
        with _faults():
            file = obstore.open_writer(self._store, path, buffer_size=_BUFFER_BYTES)
        # Not as a context manager: left by an exception it must not be closed, which would complete the file.
        yield file
        with _faults():
            file.close()
            if self.folder is not None:
                _sync(self.folder / path)

    @cached_property
    def _store(self) -> ObjectStore:
        with _faults():
            if self.folder is None:
                try:
                    return from_url(str(self._url))
                except ValueError as error:
                    raise OperatorFault(f"VO_JOBS_STORE is no address of a store: {error}") from error
            # What users send and get is nobody else's business on this machine.
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return LocalStore(self.folder)


def _sync(path: Path) -> None:
    """Wait until a file is on the disk: the record that names it will be."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        said = str(error).partition("\n")[0]
        LOG.warning("the store of jobs: %s", said)
        if any(words in said for words in _FULL):
            raise TransientFault(_NO_ROOM) from error
        raise TransientFault("the store that keeps the files of jobs does not work at the moment: try again") from error
