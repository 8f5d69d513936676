"""A synchronous SODA request and its answer (SODA 1.0, sections 2 and 4)."""

from __future__ import annotations

from dataclasses import dataclass

from vo.context import Context
from vo.dali.parameters import Parameters
from vo.errors import UsageFault
from vo.products.links import file_url
from vo.soda.cutting import Cutting, make
from vo.soda.request import CutRequest, read_request
from vo.soda.targets import Target, find_targets, passing, unknown, whole_file


@dataclass(frozen=True, slots=True)
class Whole:
    """Nothing is to be cut: the file is at ``url``."""

    url: str


def answer(context: Context, parameters: Parameters, base_url: str) -> Whole | Cutting | None:
    """Cut the part of the plates that was asked for; None when nothing of it is in the data (SOD-03).

    Faults: :class:`NotFoundFault` for an unknown ID and for a plate whose image is not here, :class:`UsageFault` for
    bad parameters and for an exposure without a solution, :class:`vo.errors.LimitFault` for too many pixels.
    """
    request = read_request(parameters, context.settings.cutout_ids, context.settings.cutout_vertices)
    found = find_targets(context, request.dids)
    missing = next((did for did in request.dids if did not in found), None)
    if missing is not None:
        raise unknown(missing)
    targets = [(did, found[did]) for did in request.dids]
    if request.shape is None:
        return _whole(request, targets, base_url)
    return make(context, targets, request.shape, request.filters, request.output)


def _whole(request: CutRequest, targets: list[tuple[str, Target]], base_url: str) -> Whole | None:
    (_, target), *others = targets
    if others:
        raise UsageFault(
            f"{len(targets)} IDs came without a shape; give CIRCLE, POLYGON or POS for the part to cut, or ask for one "
            "whole file at a time"
        )
    if request.output.is_picture or request.output.is_masked:
        raise UsageFault(
            "without a shape the whole file is sent as it is; give CIRCLE, POLYGON or POS for RESPONSEFORMAT and MASK "
            "to work on, or take the preview that the Datalink document lists"
        )
    if not passing(target, request.filters):
        return None
    return Whole(file_url(base_url, whole_file(target).product_id))
