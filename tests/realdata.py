"""Where the real plates are: public files that are test input and no part of this repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("VO_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))

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
