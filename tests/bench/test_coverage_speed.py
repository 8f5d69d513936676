"""How long the cells of all footprints of a large archive take; nothing is read from a database."""

from __future__ import annotations

import time

import exposures
import numpy as np
import pytest

from vo.registry.cells import touched

pytestmark = pytest.mark.timeout(1200)

SECONDS = 15.0


def test_the_cells_of_every_footprint(lines, benchmark):
    regions = exposures.generate().texts
    polygons = [np.array(text.split()[2:], dtype=float).reshape(-1, 2) for text in regions if text != r"\N"]
    began = time.perf_counter()
    covered = benchmark.pedantic(touched, (polygons,), rounds=1, warmup_rounds=0)
    taken = time.perf_counter() - began
    assert covered.mean() > 0.99
    lines.add(f"coverage of {len(polygons):,} footprints", taken, "s", most=SECONDS)
    assert not lines.missed
