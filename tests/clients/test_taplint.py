"""STILTS's TAP validator against the live server, its registry (RegTAP) included: no errors, no failures."""

from __future__ import annotations

import re

import pytest
import stilts

# All of TAP's; LOC, of which a newer STILTS has more, judges tables of planned observations (ObsLocTAP).
STAGES = "TMV TME TMS TMC CPV CAP AVV QGE QPO QAS UWS MDQ OBS UPL EXA"

#: Warnings that are the validator's own: pyVO's registry search wants this feature type, which STILTS does not know.
OWN = re.compile(r'W-CAP-CULF-1 Custom feature type "ivo://org\.gavo\.dc/std/exts#extra-adql-keywords"')


@pytest.mark.timeout(600)
def test_taplint(registered, worker):
    warnings = stilts.taplint(registered.url, STAGES, "maxtable=20")
    assert [line for line in warnings if not OWN.match(line)] == []
