"""STILTS' datalinklint over documents of every kind (section 22.2 of the requirements lists what it looks for)."""

from __future__ import annotations

import re
import shutil
import subprocess
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.skipif(shutil.which("stilts") is None, reason="stilts is missing (Debian package stilts)")


@pytest.mark.parametrize(
    "plates",
    [
        ["comet_1941"],
        ["eleven", "two_fields", "rice", "wide"],
        ["unscanned"],
        ["unsolved", "unknown"],
        ["unknown"],
        [],
    ],
    ids=lambda plates: "+".join(plates) or "none",
)
def test_documents_have_no_errors(server, plates):
    with server.database.read() as connection:
        rows = connection.execute(
            "SELECT obs_publisher_did FROM demo.plates WHERE plate_id = ANY(%s) ORDER BY 1", (plates,)
        ).fetchall()
    ids = [row[0] for row in rows] + ["ivo://nowhere/at?all"] * ("unknown" in plates)
    address = f"{server.url}/datalink/links?{urlencode([('ID', name) for name in ids])}"
    done = subprocess.run(
        ["stilts", "datalinklint", f"votable={address}"], capture_output=True, text=True, timeout=120, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert re.findall(r"^[EF]-.*$", said, re.MULTILINE) == [], said
    # Nor anything to warn of.
    assert re.findall(r"^W-.*$", said, re.MULTILINE) == [], said
