"""The results of a job that has many: each is kept as soon as it is complete, whatever becomes of its worker.

A job's files lie in the folder of its attempt, which goes with it when it comes to nothing. What is on the shelf
belongs to the job: an attempt that takes it up again finds what those before it have made. Names of files say what they
are, so that the store alone tells it. Two attempts that run at once, of which one is void, write the same under the
same name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from vo.db.jobrecords import Result
from vo.uws.files import JobFiles

#: The folder of a job in which its shelf is; the database throws it away with the job, or when it fails.
FOLDER = "parts"
_MARK = "@"
#: How the file is called that tells what the results are of; they themselves all have a mark in their names.
_PLAN = "plan-"
_SLASH = "--"


class Shelf:
    """Where a job with many results puts them; :attr:`results` are those of this attempt, in their order."""

    def __init__(self, files: JobFiles, job_id: str, check: Callable[[], None]) -> None:
        self.results: list[Result] = []
        self.progress: dict[str, Any] = {}
        self._files = files
        self._folder = f"{job_id}/{FOLDER}"
        self._check = check
        self._held: dict[str, Result] | None = None

    def check(self) -> None:
        """Raise what ends the attempt, when it was stopped."""
        self._check()

    def begin(self, plan: Iterable[str]) -> None:
        """Say what the results will be of, before any of them is asked for or put here.

        What an attempt before this one has made of anything else is thrown away: a table of another server, which is
        fetched by each attempt, may have other rows by now.
        """
        digest = hashlib.sha256()
        for part in plan:
            digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
        name = f"{_PLAN}{digest.hexdigest()}"
        found = self._files.list(self._folder)
        if name in found:
            return
        if found:
            self._files.remove(self._folder)
        self._files.write(f"{self._folder}/{name}", iter([b"1"]))

    def held(self, name: str) -> Result | None:
        """A result that an attempt before this one has made; it becomes one of this one's, too."""
        if self._held is None:
            files = self._files.list(self._folder).items()
            self._held = {made.id: made for made in (self._result(one) for one in files if _MARK in one[0])}
        found = self._held.get(name)
        if found is not None:
            self.results.append(found)
        return found

    def put(self, name: str, media_type: str, chunks: Iterator[bytes]) -> Result:
        """Store a result under its name (letters, digits, ``-``, ``_``); it is complete when this returns."""
        file = f"{self._folder}/{name}{_MARK}{media_type.replace('/', _SLASH)}"
        size = self._files.write(file, self._checked(chunks))
        made = Result(name, media_type, size, file)
        self.results.append(made)
        return made

    def read(self, result: Result) -> bytes:
        """All of a (small) result."""
        with self._files.open(result.file) as file:
            return file.read()

    def tell(self, **progress: int) -> None:
        """Say how far the work is; the job's document shows it while it runs."""
        self.progress = dict(progress)

    def _checked(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        self._check()
        for chunk in chunks:
            self._check()
            yield chunk
        self._check()

    def _result(self, found: tuple[str, int]) -> Result:
        file, size = found
        name, _, kind = file.partition(_MARK)
        return Result(name, kind.replace(_SLASH, "/", 1), size, f"{self._folder}/{file}")
