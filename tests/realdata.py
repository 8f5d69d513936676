"""Where the real plates are: public files that are test input and no part of this repository.

Databases with all catalogues of them are copies of one, which is loaded once in a run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import PostgresServer

    from vo.db.connect import Database
    from vo.settings import Settings

ROOT = Path(os.environ.get("VO_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))

#: The catalogues of whole archives, with the number of their exposures, by the collection that publishes them.
CATALOGUES = {
    "dasch": ("dasch/exposures.ecsv", 25_556),
    "poss1": ("poss1/headers.jsonl", 466),
    "ukst": ("ukst_catalog.txt", 17_886),
}

#: All FITS files among them, by their paths.
IMAGES = (
    "fits/astropydata_HorseHead.fits",
    "fits/astropydata_M6707HH.fits",
    "fits/astropytut_dss_hd219829.fits",
    "fits/kete_19501206-NGC2403-reduced.fits.gz",
    "fits/scos_1979_XB_J_5523.fits",
    "fits/scos_1984_QA_OR_17358.fits",
    "fits/scos_1990_MU_I12285.fits",
    "fits/scos_6743_P-L_2_J_10439.fits",
    "dasch/b02312_bin16.fits",
)


def path(name: str) -> Path:
    """The file or folder of this name; without it the test is skipped with a line that says so."""
    found = ROOT / name
    if not found.exists():
        pytest.skip(f"real data missing: {name} (set VO_TEST_DATA to the folder that holds it)")
    return found


@pytest.fixture(scope="session")
def _loaded(postgres: PostgresServer, template: str, settings: Settings) -> Iterator[str]:
    """The name of a database that holds every catalogue; it is only copied, and nobody is connected to it."""
    from vo.ingest.load import ingest  # late, for tests that load nothing start without it

    sources = {collection: path(source) for collection, (source, _) in CATALOGUES.items()}
    name = f"vo_real_{os.getpid()}"
    postgres.create(name, template)
    database = postgres.open(name)
    for collection, source in sources.items():
        ingest(database, settings, collection, source)
    database.close()
    yield name
    postgres.drop(name)


@pytest.fixture(scope="module")
def real_database(fresh_database: Callable[..., Database], _loaded: str) -> Callable[[], Database]:
    """Make databases of one's own that hold every catalogue of real plates; they go with the module."""
    return lambda: fresh_database(_loaded)
