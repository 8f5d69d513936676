"""What the archive knows of a file outlives a list that knows less."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import plates
import pytest

from vo.ingest.known import _held

WHEN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
BEFORE = plates.product(
    "a.fits", "fits", location="s3://plates/a.fits", content_length=5, checksum="md5:00", missing_date=WHEN
)


@pytest.mark.parametrize(
    ("now", "kept"),
    [
        ({"content_length": None, "checksum": None, "missing_date": None}, {}),
        ({"location": None, "content_length": None}, {}),
        ({"checksum": None, "missing_date": None}, {"missing_date": None}),
        ({"checksum": "md5:11", "content_length": None}, {"checksum": "md5:11"}),
    ],
)
def test_what_a_check_found_of_a_file_stays(now, kept):
    assert _held(replace(BEFORE, **now), plates.bundle(products=(BEFORE,))) == replace(BEFORE, **kept)


@pytest.mark.parametrize("now", [{"location": "s3://other/a.fits"}, {"content_length": 6}])
def test_of_another_file_nothing_is_kept(now):
    product = replace(BEFORE, **{"checksum": None, "missing_date": None, **now})
    assert _held(product, plates.bundle(products=(BEFORE,))) == product
