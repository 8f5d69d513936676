"""Which data models the TAP service declares."""

from __future__ import annotations

import pytest

from vo.settings import Settings
from vo.tap.capabilities import capability

OBSCORE = "ivo://ivoa.net/std/ObsCore#core-1.1"


@pytest.mark.parametrize(("full", "expected"), [(False, [OBSCORE]), (True, [OBSCORE, "ivo://ivoa.net/std/RegTAP#1.2"])])
def test_only_a_registry_of_everything_declares_regtap(full, expected):
    made = capability(Settings(full_registry=full, _env_file=None), "http://127.0.0.1")
    assert [str(model.ivo_id) for model in made.data_model] == expected
