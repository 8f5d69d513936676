"""Where HEALPix cells lie (Gorski et al. 2005, ApJ 622, 759), for the few that a constant MOC has."""

from __future__ import annotations

import math

from vo.adql.sky.spherical import LonLat

HIGHEST_ORDER = 29
BASE_CELLS = 12

#: Ring of the southern corner and longitude of the middle (in eighths of a turn) of each base cell.
_RINGS = (2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4)
_LONGITUDES = (1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7)


def centre(order: int, cell: int) -> LonLat:
    """Longitude and latitude in degrees of the centre of a cell (nested numbering; equations 4 to 9)."""
    side = 1 << order
    base, within = divmod(cell, side * side)
    x, y = _every_other_bit(within, order), _every_other_bit(within >> 1, order)
    ring = _RINGS[base] * side - x - y - 1
    shift = 0
    if ring < side:
        width, sine = ring, 1 - ring * ring / (3 * side * side)
    elif ring > 3 * side:
        width = 4 * side - ring
        sine = width * width / (3 * side * side) - 1
    else:
        width, sine, shift = side, (2 * side - ring) * 2 / (3 * side), (ring - side) & 1
    place = (_LONGITUDES[base] * width + x - y + 1 + shift) // 2
    return (place - (shift + 1) / 2) * 90 / width % 360, math.degrees(math.asin(sine))


def _every_other_bit(number: int, count: int) -> int:
    found = 0
    for bit in range(count):
        found |= (number >> 2 * bit & 1) << bit
    return found


def reach(order: int) -> float:
    """How far from its centre a cell of an order can reach, degrees: the cell with the longest diagonal."""
    side = 1 << order
    lon, low, high = math.pi / (4 * side), math.asin(2 / 3), math.asin(1 - (1 - 1 / side) ** 2 / 3)
    half = math.sin((high - low) / 2) ** 2 + math.cos(high) * math.cos(low) * math.sin(lon / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(half)))
