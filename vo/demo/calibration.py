"""The photometric calibration of a rendered plate, which is known: it is how its stars were painted."""

from __future__ import annotations

import math
from pathlib import Path

from vo.demo.painting import BLACK, PEAK, SKY, faintest_star
from vo.demo.plates import RenderedPlate

#: An ASDF file (version 1.5.0 of its standard) without blocks: what is behind its first lines is YAML.
_HEAD = """\
#ASDF 1.0.0
#ASDF_STANDARD 1.5.0
%YAML 1.1
%TAG ! tag:stsci.edu:asdf/
--- !core/asdf-1.1.0
description: SYNTHETIC photometric calibration of plate {plate}
light: -black * ln(1 - (density - sky) / (black - sky)), sky being the density beside a star
magnitude: zero_point - 2.5 * log10(light in the middle of a star's image)
black: {black}
sky: {sky}
exposures:
"""
_EXPOSURE = """\
- exposure_number: {number}
  zero_point: {zero_point:.4f}
"""


def write_calibration(path: Path, plate: RenderedPlate) -> None:
    """Write how pixels of the full scan become magnitudes, for each exposure."""
    parts = [_HEAD.format(plate=plate.plate_id, black=BLACK, sky=SKY)]
    for number, pointing in enumerate(plate.pointings, start=1):
        zero_point = faintest_star(plate, pointing) + 2.5 * math.log10(PEAK)
        parts.append(_EXPOSURE.format(number=number, zero_point=zero_point))
    path.write_text("".join([*parts, "...\n"]), encoding="utf-8")
