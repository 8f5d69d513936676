"""From SIA2's parameters to a table of ivoa.obscore (SIA 2.0, sections 2 and 3)."""

from __future__ import annotations

from vo.context import Answer, Context, answer_query
from vo.dali.parameters import Parameters, maxrec, response_format
from vo.errors import ADQLFault, UsageFault
from vo.sia2.capabilities import STANDARD_ID
from vo.sia2.description import describe_service
from vo.sia2.query import build_query
from vo.tables import formats


def answer(context: Context, parameters: Parameters, base_url: str, request_url: str) -> Answer:
    """Find the images; with MAXREC=0 say what can be asked instead (SIA-05, SIA-08).

    :class:`vo.errors.UsageFault` names the parameter whose value is bad.
    """
    chosen = formats.find(response_format(parameters) or "votable")
    rows = maxrec(parameters, context.settings)
    try:
        return answer_query(
            context,
            build_query(parameters),
            base_url=base_url,
            format=chosen,
            maxrec=rows,
            protocol=STANDARD_ID,
            request=request_url,
            descriptors=(describe_service(context, base_url),) if rows == 0 else (),
        )
    except ADQLFault as fault:
        # Its place in a query that the client never wrote is of no use to anybody.
        raise UsageFault(fault.text.removeprefix(f"line {fault.line}, column {fault.column}: ")) from fault
