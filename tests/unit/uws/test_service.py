"""The service's own rules of jobs, beside what its addresses say (tests/protocol/test_async.py)."""

from __future__ import annotations

import asyncio
import io

import pytest

from vo.dali.faults import TEXT_STYLE
from vo.dali.parameters import Part
from vo.uws.kind import JobKind
from vo.uws.request import Asked
from vo.uws.service import Client, JobService


def execute(_work):
    raise AssertionError("the job never runs")


KIND = JobKind("tap", "/tap/async", execute, TEXT_STYLE)


class Broken(io.BytesIO):
    def read(self, _size: int | None = -1, /) -> bytes:
        raise OSError("the disk fails")


def test_a_job_whose_second_file_cannot_be_kept_leaves_none(settings, database, tmp_path):
    own = settings.model_copy(update={"data_dir": tmp_path})
    parts = tuple(
        Part(name, f"{name}.csv", "text/csv", file) for name, file in (("a", io.BytesIO(b"n\n1\n")), ("b", Broken(b"")))
    )
    asked = Asked((("QUERY", "SELECT 1"),), parts, None, None, None, None, None)

    async def create() -> None:
        async with JobService(own, database) as service:
            await service.create(KIND, asked, Client("127.0.0.1", None, "http://127.0.0.1", "POST /tap/async"))

    with pytest.raises(OSError, match="the disk fails"):
        asyncio.run(create())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
