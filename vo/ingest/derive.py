"""The published rows of plates, made from their records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vo.db.records import PlateBundle
from vo.ingest.report import Report
from vo.ingest.target import Target
from vo.obscore.mapping import Derived, nominal_outlines, rows


def derive(bundles: Sequence[PlateBundle], target: Target, report: Report) -> Iterator[Derived]:
    """Make the rows of each plate; what they lack is noted in the report."""
    outlines = nominal_outlines(bundles, target.collection)
    for bundle in bundles:
        derived = rows(bundle, target.collection, target.settings, outlines)
        for note in derived.notes:
            report.note(0, note.plate_id, note.kind, f"exposure {note.exposure_id}: {note.reason}")
        yield derived
