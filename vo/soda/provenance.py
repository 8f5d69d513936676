"""What the header of a cutout says of itself: who made it, of what, how and when (SOD-10)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import vo
from vo.context import Context
from vo.db.records import Exposure, Solution
from vo.pixels.cutheader import CutCard


def image_cards(context: Context, asked: str, exposure: Exposure, solution: Solution) -> tuple[CutCard, ...]:
    """The cards of one exposure's image; ``asked`` is the question, as it was written.

    Plate and exposure stand in HISTORY: wcslib reads PLATEID (four letters) with the plate polynomial of DSS files, and
    refuses the whole system when another value stands there.
    """
    made = "" if solution.made_date is None else f", made {solution.made_date.date().isoformat()}"
    pipeline = "" if solution.pipeline is None else f" by {solution.pipeline}"
    result = "" if solution.result_id is None else f", result {solution.result_id}"
    return (
        *_origin(context),
        ("PUBDID", exposure.publisher_did),
        ("SODAQUER", asked, "what was cut out"),
        ("SOLUTION", solution.solution_id, "solution whose WCS this is"),
        ("SOLVERS", solution.version, "version of the solution"),
        ("HISTORY", f"Plate {exposure.plate_id}, exposure {exposure.exposure_id} of collection {exposure.collection}"),
        ("HISTORY", f"Cut out by vo-plates {vo.__version__} for {asked}"),
        ("HISTORY", f"WCS: {solution_name(solution)} of scan {solution.scan_id}"),
        ("HISTORY", f"WCS: {solution.status}{pipeline}{made}{result}"),
    )


def primary_cards(context: Context, asked: str, notes: Iterable[str]) -> tuple[CutCard, ...]:
    """The cards of the primary HDU before the images of several exposures; ``notes`` tell what is among them."""
    return (
        *_origin(context),
        ("SODAQUER", asked, "what was cut out"),
        ("HISTORY", f"Cut out by vo-plates {vo.__version__} for {asked}"),
        ("HISTORY", "One extension for each exposure that shows it, with the WCS of that exposure's own solution"),
        *(("HISTORY", note) for note in notes),
    )


def solution_name(solution: Solution) -> str:
    """A solution, for people."""
    return f"solution {solution.solution_id} version {solution.version}"


def _origin(context: Context) -> tuple[CutCard, ...]:
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return (("ORIGIN", context.settings.publisher), ("DATE", now))
