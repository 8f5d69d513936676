"""Lists of exposures and descriptors made up for the tests, with everything in them that goes wrong in real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vo.db.records import PlateBundle
from vo.ingest.readers import Reader, Source
from vo.ingest.report import Report
from vo.metadata.collection import Collection, load_collection
from vo.settings import Settings

AUTHORITY = "test.example"

#: Column, datatype and unit as daschlab writes them.
ECSV_COLUMNS = (
    ("series", "string", None),
    ("platenum", "uint32", None),
    ("scannum", "int8", None),
    ("mosnum", "int8", None),
    ("expnum", "int8", None),
    ("solnum", "int8", None),
    ("class", "string", None),
    ("exptime", "float32", "min"),
    ("obs_date", "float64", None),
    ("wcssource", "string", None),
    ("scan_date", "string", None),
    ("mos_date", "string", None),
    ("rotation_deg", "int16", None),
    ("pos.ra", "float64", None),
    ("pos.dec", "float64", None),
)
API_COLUMNS = (
    *("series", "platenum", "scannum", "mosnum", "expnum", "solnum", "class", "ra", "dec", "exptime", "expdate"),
    *("epoch", "wcssource", "scandate", "mosdate", "centerdist", "edgedist", "limMagApass"),
)


@pytest.fixture
def ecsv(tmp_path: Path) -> Callable[..., Path]:
    """Write a list as daschlab does; each row is a dict, what it lacks is empty."""

    def write(*rows: dict[str, Any], name: str = "exposures.ecsv", exptime_unit: str = "min") -> Path:
        lines = ["# %ECSV 1.0", "# ---", "# datatype:"]
        for column, datatype, unit in ECSV_COLUMNS:
            shown = exptime_unit if unit else None
            lines.append(f"# - {{name: {column}, {f'unit: {shown}, ' if shown else ''}datatype: {datatype}}}")
        lines += ["# meta: !!omap", "# - {daschlab_sess_key: test}", "# schema: astropy-2.0"]
        lines.append(" ".join(column for column, _, _ in ECSV_COLUMNS))
        for row in rows:
            values = [str(row.get(column, "")) for column, _, _ in ECSV_COLUMNS]
            lines.append(" ".join(f'"{value}"' if " " in value or not value else value for value in values))
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def api(tmp_path: Path) -> Callable[..., Path]:
    """Write a list as the web API answers it."""

    def write(*rows: dict[str, Any], name: str = "queryexps.json") -> Path:
        lines = [",".join(API_COLUMNS)]
        lines += [",".join(str(row.get(column, "")) for column in API_COLUMNS) for row in rows]
        path = tmp_path / name
        path.write_text(json.dumps(lines))
        return path

    return write


@pytest.fixture
def solved() -> dict[str, Any]:
    """One row of a list: an exposure with a solution, in the words of both forms."""
    return {
        "series": "i", "platenum": 1234, "scannum": 0, "mosnum": 1, "expnum": 0, "solnum": 0, "class": "L",
        "exptime": 60.0, "obs_date": 2420000.5, "expdate": "1913-08-21T00:00:00Z", "wcssource": "imwcs",
        "scan_date": "2019-10-01T18:32:56.000", "scandate": "2019-10-01T14:32:56", "rotation_deg": 0,
        "pos.ra": 10.0, "pos.dec": 60.0, "ra": 10.0, "dec": 60.0,
    }  # fmt: skip


@pytest.fixture(scope="session")
def dasch_collection(settings: Settings) -> Collection:
    return load_collection(settings, "dasch")


@pytest.fixture
def read(dasch_collection: Collection) -> Callable[..., tuple[list[PlateBundle], Report]]:
    """Run a reader over a source; ``known`` is what the archive has of plates."""

    def run(
        reader: Reader, path: Path, collection: Collection | None = None, known: dict[str, PlateBundle] | None = None
    ) -> tuple[list[PlateBundle], Report]:
        report = Report(str(path))
        source = Source(path, collection or dasch_collection, AUTHORITY, report, (known or {}).get)
        bundles = list(reader.read(source))
        assert report.read == report.used + report.refused
        return bundles, report

    return run
