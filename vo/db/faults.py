"""What the database says, turned into faults with our own words; its text goes to the log only."""

from __future__ import annotations

import logging

from adbc_driver_manager import AdbcStatusCode

from vo.errors import FatalFault, Fault, TimeLimitFault, TransientFault, UsageFault

LOG = logging.getLogger(__name__)

CANCELED = "57014"
_INTERNAL = "XX000"
_OUT_OF_RANGE = "22003"
_DISK_FULL = "53100"

_SHAPE = (
    "a shape is not valid: a polygon needs three corners or more, must not cross itself and not fill a hemisphere; "
    "the radius of a circle lies between 0 and 90 degrees; no coordinate is NaN or infinite"
)

#: pgSphere's own checks have no code of their own: words of polygons, of circles, and of shapes made from NaN.
_PGSPHERE = ("spher", "radius must be", "parsing: syntax error")

#: What PostgreSQL says when an operator ends a query; with the time limit it shares one SQLSTATE.
_BY_A_PERSON = "due to user request"

#: What PostgreSQL says, without a code, when two texts together have more than a gigabyte.
_TOO_LARGE = "invalid memory alloc request size"

#: By SQLSTATE: what a query's data or size did wrong, and what to do.
_USAGE = {
    "22012": "a division by zero: leave out rows whose divisor is zero by a condition in WHERE",
    "22003": "a number is out of the range of its type (too large, or too close to zero): cast to a larger type, or"
    " leave such rows out",
    "22008": "a date or time is out of range",
    "22007": "a text cannot be read as date or time",
    "22P02": "a text cannot be read as the number (or other type) it is compared or cast to",
    "2201E": "the argument of a logarithm must be larger than zero",
    "2201F": "a power or root is not a real number: a negative number to a broken power, the root of one, or zero to a"
    " negative power",
    "22013": "the frame of a window function is wrong",
    "22011": "a substring's length is negative",
    "22019": "the ESCAPE of a LIKE must be one character, and no pattern ends in it",
    "22025": "the ESCAPE of a LIKE must be one character, and no pattern ends in it",
    "2201B": "a regular expression is not valid",
    "2201W": "TOP and LIMIT must not be negative",
    "2201X": "OFFSET must not be negative",
    "22021": "a text holds a character that the database cannot keep",
    "22023": "an argument of a function is out of its range",
    "22000": _SHAPE,
    "21000": "a subquery that stands for one value gave more than one row",
    "42883": "a function or operator does not take values of these types",
    "42804": "values of different types stand where one type is needed",
    "42P18": "the type of a value cannot be told: cast it",
    "53200": "it needs more memory than a query may have: make or collect fewer or shorter texts and other values",
    "53400": "it needs more room on disk than a query may have: leave fewer rows to join and sort",
    "54000": "a text or other value grows beyond what the database can hold: make it of fewer or shorter values",
    "54001": "the query is nested too deep: write it flatter",
    "54011": "the result has too many columns",
    "54023": "a function has too many arguments",
    # our own, raised by the functions of schema/sql
    "VO001": "ivo_epoch_prop_pos needs ra, dec, ref_epoch and out_epoch: leave out rows where one is null",
    "VO002": "the lower bound of ivo_histogram must be below the upper one, and neither may be null",
    "VO011": "the order of a MOC runs from 0 to 29",
    "VO012": "a MOC of this order would have more than 200000 cells along the edge of a shape: take a lower order",
}
#: Words of the database that say which function was given a number outside its domain; they share one SQLSTATE.
_DOMAINS = (
    ("input is out of range", "ASIN and ACOS take numbers from -1 to 1, the other trigonometric functions finite ones"),
    ("Healpix level", "the order of a HEALPix cell runs from 0 to 29"),
    ("Healpix index", "a HEALPix cell of order n has a number from 0 to 12 * 4**n - 1"),
)
#: Classes of SQLSTATE that mean that the server is away or short of something: later it may work.
_TRANSIENT = ("08", "53", "57P", "40", "55P03", "58")


class LostFault(TransientFault):
    """The connection has gone; a new one may do better."""


def sqlstate_of(error: Exception) -> str:
    """The SQLSTATE of a driver's error, "" where it has none.

    Of its own questions to the database, when they are cancelled, the driver keeps no SQLSTATE, but says so.
    """
    state: str | None = getattr(error, "sqlstate", None)
    is_cancelled = getattr(error, "status_code", None) == AdbcStatusCode.CANCELLED
    return state or (CANCELED if is_cancelled else "")


def is_lost(sqlstate: str | None) -> bool:
    """Whether an error means that its connection is of no more use."""
    return not sqlstate or sqlstate.startswith(("08", "57P", "XX", "58"))


def translate(sqlstate: str | None, raw: str, *, seconds: float | None = None, cancelled: bool = False) -> Fault:
    """Make the fault for an error of the database; ``raw`` is its own text, which is logged and never shown.

    ``seconds`` is the query's time limit; ``cancelled`` tells that we ended it ourselves.
    """
    state = sqlstate or ""
    LOG.info("the database says %s: %s", state or "(no code)", raw.strip())
    if state == CANCELED:
        is_cancelled = cancelled or _BY_A_PERSON in raw
        return TransientFault("the query was cancelled") if is_cancelled else _too_long(seconds)
    words = _USAGE.get(state)
    if state == _OUT_OF_RANGE:
        words = next((better for said, better in _DOMAINS if said in raw), words)
    if state == _INTERNAL and any(words in raw for words in _PGSPHERE):
        words = _SHAPE
    if state == _INTERNAL and _TOO_LARGE in raw:
        words = _USAGE["54000"]
    if words is None and state.startswith("22"):
        words = "a value does not fit the function or type it is used with"
    if words is not None:
        return UsageFault(f"the query failed on its data: {words}")
    if state == _DISK_FULL:
        return TransientFault("the database has no room on its disk: ask for fewer rows to join and sort, or later")
    if not state or state.startswith(_TRANSIENT):
        kind = LostFault if is_lost(state) else TransientFault
        return kind("the database does not answer at the moment: try again soon", retry_after=10)
    LOG.error("a query failed unexpectedly with %s: %s", state, raw.strip())
    return FatalFault("the query failed inside the database; the server's log has the reason")


def _too_long(seconds: float | None) -> TimeLimitFault:
    limit = "its time limit" if seconds is None else f"the limit of {seconds:g} s"
    return TimeLimitFault(
        f"the query took longer than {limit}: use a narrower query, with a smaller region, a shorter time or more "
        "conditions"
    )
