"""STILTS' datalinklint over documents of every kind (section 22.2 of the requirements lists what it looks for)."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
import stilts

#: Terms of the present vocabulary that STILTS 3.4.7 calls unknown: it has the 16 terms of DataLink 1.0 built in
#: and does not read the vocabulary. tests/unit/products/test_links.py checks our terms against the vocabulary itself.
NEWER_TERMS = ("thumbnail", "documentation", "coderived", "detached-header")
UNKNOWN_TERM = re.compile(r"^E-SMCO-\d+ Unknown predicate '([a-z-]+)' from core DataLink vocabulary at row \d+$")


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
def test_documents_of_exposures_have_no_errors(server, plates):
    ids = exposures_of(server, plates) + ["ivo://nowhere/at?all"] * ("unknown" in plates)
    assert_clean(f"{server.url}/datalink/links", ids)


@pytest.mark.parametrize(
    "plates",
    [["comet_1941"], ["eleven"], ["unscanned"], ["two_fields", "unsolved", "rice"]],
    ids="+".join,
)
def test_documents_of_plates_have_no_errors(server, plates):
    ids = {did.rpartition("/")[0] for did in exposures_of(server, plates)}
    assert_clean(f"{server.url}/datalink/links", sorted(ids))


def test_a_document_of_plates_and_exposures_has_no_errors(server):
    exposures = exposures_of(server, ["eleven", "unscanned", "mirrored"])
    plates = {did.rpartition("/")[0] for did in exposures}
    assert_clean(f"{server.url}/datalink/links", [*exposures, *sorted(plates), "ivo://nowhere/at?all"])


def exposures_of(server, plates):
    with server.database.read() as connection:
        rows = connection.execute(
            "SELECT obs_publisher_did FROM demo.plates WHERE plate_id = ANY(%s) ORDER BY 1", (plates,)
        ).fetchall()
    return [row[0] for row in rows]


def assert_clean(service, ids):
    address = f"{service}?{urlencode([('ID', name) for name in ids])}"
    done = stilts.run("datalinklint", f"votable={address}", "maxrepeat=100000")
    said = (done.stdout + done.stderr).decode()
    assert "Totals: " in said
    assert [line for line in said.splitlines() if is_complaint(line)] == [], said


def is_complaint(line: str) -> bool:
    """Whether the line is an error, failure or warning of ours."""
    known = UNKNOWN_TERM.match(line)
    return re.match(r"[EFW]-", line) is not None and not (known and known[1] in NEWER_TERMS)
