"""UCDs of what is computed from columns (UCD1+ 1.6, controlled vocabulary of EN UCDlist 1.6).

The words added here, ``stat.min`` or ``arith.diff``, are secondary there (flag S): they stand behind the words of
the column. ``meta.main`` is not carried along, as a mean is not the main identifier or position of its row.
"""

from __future__ import annotations

import re

#: The words of UCD1+; UCD1 (``POS_EQ_RA_MAIN``) and a curator's inventions are not built upon.
_UCD = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?:;[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)*")

#: Points in time: sums and ratios of them mean nothing, differences are lengths of time.
_MOMENTS = frozenset(
    {"time", "time.start", "time.end", "time.epoch", "time.creation", "time.release", "time.processing"}
)

#: Frames that are not equatorial have a word.
_FRAMES = {"GALACTIC": "pos.galactic", "SUPER_GALACTIC": "pos.supergalactic", "ECLIPTIC": "pos.ecliptic"}


def with_word(ucd: str | None, word: str) -> str | None:
    """The UCD of a statistic of values that have this UCD."""
    if ucd is None or not _UCD.fullmatch(ucd):
        return None
    kept = [one for one in ucd.split(";") if one not in ("meta.main", word)]
    return ";".join([*kept, word]) if kept else None


def of_sum(ucd: str | None) -> str | None:
    """The UCD of SUM."""
    return None if _is_moment(ucd) else with_word(ucd, "arith.sum")


def of_difference(left: str | None, right: str | None) -> str | None:
    """The UCD of ``left - right``: of one UCD both, or of two times."""
    if left is None or right is None:
        return None
    if _is_moment(left) and _is_moment(right):
        later, *more = left.split(";")
        earlier, *others = right.split(";")
        if (later, earlier) == ("time.end", "time.start") and more == others:
            return ";".join(["time.duration", *more])
        return "time.interval"
    return with_word(left, "arith.diff") if left == right else None


def of_ratio(left: str | None, right: str | None) -> str | None:
    """The UCD of ``left / right`` of one UCD both."""
    return with_word(left, "arith.ratio") if left == right and not _is_moment(left) else None


def _is_moment(ucd: str | None) -> bool:
    return ucd is not None and ucd.split(";", maxsplit=1)[0] in _MOMENTS


# Positions


def of_shape(frame: str, *, is_point: bool) -> str:
    """The UCD of a point or an outline in a frame of :mod:`vo.adql.sky.frames`."""
    if frame in ("ICRS", "FK5"):
        return "pos.eq" if is_point else "pos.outline"
    # FK4 is equatorial too, but nobody shall take its numbers for ICRS
    word = _FRAMES.get(frame)
    return f"{'pos' if is_point else 'pos.outline'};{word}" if word else "pos"


def of_coordinate(shape: str | None, which: int) -> str | None:
    """The UCD of the first or second coordinate of a point with this UCD."""
    if shape == "pos":
        return None
    word = _frame_word(shape)
    return f"{word}.{('lon', 'lat')[which - 1]}" if word else ("pos.eq.ra", "pos.eq.dec")[which - 1]


def of_centroid(shape: str | None) -> str:
    """The UCD of a point made of a shape with this UCD."""
    if shape == "pos":
        return "pos"
    word = _frame_word(shape)
    return f"pos;{word}" if word else "pos.eq"


def _frame_word(ucd: str | None) -> str | None:
    words = (ucd or "").split(";")
    return next((word for word in _FRAMES.values() if word in words), None)
