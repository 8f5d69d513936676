"""Detached headers: a solution as a FITS header without its image, at a permanent address of its own.

``/headers/<collection>/<plate_id>/<scan_id>/<solution_id>/<version>.hdr``. What a version of a solution
says of the sky never changes: a better one is another version, which has another address.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from vo.db.records import Solution

#: Lines of 80 characters with line ends: astropy reads them by ``Header.fromtextfile``, people with any editor.
HEADER_TYPE = "text/plain"

_CARD = 80
_HISTORY = "HISTORY "
_ROOM = _CARD - len(_HISTORY)


def header_url(base_url: str, solution: Solution) -> str:
    """The permanent address of a solution's header."""
    parts = (solution.collection, solution.plate_id, solution.scan_id, solution.solution_id, f"{solution.version}.hdr")
    return f"{base_url.rstrip('/')}/headers/{'/'.join(quote(part, safe='') for part in parts)}"


def header_name(solution: Solution) -> str:
    """The name of its file, one that every file system takes."""
    text = f"{solution.plate_id}_{solution.scan_id}_{solution.solution_id}_v{solution.version}.hdr"
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_" for sign in text)


def header_text(solution: Solution) -> bytes:
    """The solution's cards, what is known of it as HISTORY, and END: one card a line, the same bytes every time."""
    cards = [card for card in solution.header.splitlines() if card.strip() and card.strip() != "END"]
    cards += _history(solution)
    cards.append("END")
    return ("\n".join([card.ljust(_CARD) for card in cards]) + "\n").encode("ascii", "replace")


def describe_solution(solution: Solution) -> str:
    """What tells this version of a solution from others, in words."""
    parts = [f"solution {solution.solution_id} version {solution.version}"]
    if solution.made_date is not None:
        parts.append(f"made {solution.made_date.date().isoformat()}")
    if solution.pipeline is not None:
        parts.append(f"by {solution.pipeline}")
    if solution.result_id is not None:
        parts.append(f"result {solution.result_id}")
    if solution.residual is not None:
        stars = f" of {solution.star_count} stars" if solution.star_count is not None else ""
        parts.append(f"residual{stars} {solution.residual:.3g} arcsec")
    if solution.status != "accepted":
        parts.append(solution.status)
    return ", ".join(parts)


def _history(solution: Solution) -> Iterator[str]:
    key = solution.wcs_key.strip()
    told = (
        f"Plate {solution.plate_id}, scan {solution.scan_id}, collection {solution.collection}",
        f"WCS: {describe_solution(solution)}",
        f"For an image of {solution.width} x {solution.height} pixels" + (f"; its cards end in {key}" if key else ""),
    )
    for text in told:
        for start in range(0, len(text), _ROOM):
            yield f"{_HISTORY}{text[start : start + _ROOM]}"
