"""What tests need that not every machine has: without it they are skipped, and fail where nothing may be missing."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

from vo.db.binaries import find_binaries
from vo.errors import OperatorFault


def missing(what: str) -> NoReturn:
    """Skip the test; where VO_TEST_COMPLETE is set, as by .ci/run, it fails: no skip hides there what is broken."""
    if os.environ.get("VO_TEST_COMPLETE"):
        pytest.fail(f"{what} (and VO_TEST_COMPLETE is set)", pytrace=False)
    pytest.skip(what)


def need_postgresql() -> None:
    """Programs of PostgreSQL with pgSphere; a private database that does not start with them is a fault of ours."""
    try:
        find_binaries()
    except OperatorFault as fault:
        missing(f"no private database here: {fault.text}")
