"""Where the real plates are: public files that are test input and no part of this repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("VO_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))


def path(name: str) -> Path:
    """The file or folder of this name; without it the test is skipped with a line that says so."""
    found = ROOT / name
    if not found.exists():
        pytest.skip(f"real data missing: {name} (set VO_TEST_DATA to the folder that holds it)")
    return found
