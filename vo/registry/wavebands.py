"""Words of the messenger vocabulary for ranges of energy (http://www.ivoa.net/rdf/messenger; VDS-09)."""

from __future__ import annotations

from collections.abc import Iterable

from vo.registry.coverage import HC

_SLACK = 1e-4

#: The vocabulary's bounds, as vacuum wavelengths in m, long ones first; EUV's and X-ray's are 120 eV and 120 keV.
_WAVEBANDS = (
    ("Radio", 1e-2, float("inf")),
    ("Millimeter", 1e-4, 1e-2),
    ("Infrared", 1e-6, 1e-4),
    ("Optical", 3e-7, 1e-6),
    ("UV", 1e-7, 3e-7),
    ("EUV", 1.03320165e-8, 1e-7),
    ("X-ray", 1.03320165e-11, 1.03320165e-8),
    ("Gamma-ray", 0.0, 1.03320165e-11),
)


def find_wavebands(spectral: Iterable[tuple[float, float]]) -> tuple[str, ...]:
    """The wavebands that these ranges of energy (J, lower end first) have a part in.

    Touching an end is none, and neither is a ten-thousandth beyond it: coverage is rounded outward.
    """
    ranges = [(HC / upper, HC / lower) for lower, upper in spectral]
    return tuple(
        name
        for name, shortest, longest in _WAVEBANDS
        if any(low < longest * (1 - _SLACK) and high > shortest * (1 + _SLACK) for low, high in ranges)
    )
