"""STILTS' datalinklint over documents of every kind (section 22.2 of the requirements lists what it looks for)."""

from __future__ import annotations

import re
import shutil
import subprocess
from urllib.parse import urlencode

import pytest

#: Terms of the present vocabulary that STILTS 3.4.7 calls unknown: it has the 16 terms of DataLink 1.0 built in
#: and does not read the vocabulary. tests/unit/products/test_links.py checks our terms against the vocabulary itself.
NEWER_TERMS = ("thumbnail", "documentation", "coderived")
UNKNOWN_TERM = re.compile(r"^E-SMCO-\d+ Unknown predicate '([a-z-]+)' from core DataLink vocabulary at row \d+$")

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
        ["stilts", "datalinklint", f"votable={address}", "maxrepeat=100000"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Totals: " in said
    assert [line for line in said.splitlines() if is_complaint(line)] == [], said


def is_complaint(line: str) -> bool:
    """Whether the line is an error, failure or warning of ours."""
    known = UNKNOWN_TERM.match(line)
    return re.match(r"[EFW]-", line) is not None and not (known and known[1] in NEWER_TERMS)
