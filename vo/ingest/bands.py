"""Wavelength bounds of emulsions and filters (m, vacuum), to the few per cent that plates allow.

Short ends are those of glass and atmosphere for unfiltered plates, or the half-power cut of the Schott glass; long
ends where the sensitisation drops. Sources: Kodak Plates and Films for Scientific Photography (publication P-315, 1973)
for the spectral classes, the Schott glass catalogue for the filters, and for unfiltered plates the classes blue,
orthochromatic and panchromatic as they are commonly used in archives of plates.
"""

from __future__ import annotations

import re

#: Emulsions by Kodak's spectral class, the letter at the end of the name, and some that carry none.
EMULSIONS: dict[str, tuple[float, float]] = {
    "O": (3.5e-7, 5.0e-7),
    "J": (3.5e-7, 5.4e-7),
    "G": (3.5e-7, 5.9e-7),
    "D": (3.5e-7, 6.5e-7),
    "E": (3.5e-7, 6.8e-7),
    "F": (3.5e-7, 7.0e-7),
    "N": (3.5e-7, 9.0e-7),
}

#: Films and plates whose names end in no letter of a class: Kodak Technical Pan, panchromatic up to 690 nm (Kodak
#: P-255, 1982), and Kodak's 098 and 127, sensitised like class E and F.
NAMED: dict[str, tuple[float, float]] = {
    "4415": (3.5e-7, 6.9e-7),
    "098-04": (3.5e-7, 6.9e-7),
    "127-02": (3.5e-7, 6.9e-7),
    "127-04": (3.5e-7, 6.9e-7),
}

#: What filters let through: from the first wavelength up to the second, None without a long end.
FILTERS: dict[str, tuple[float, float | None]] = {
    "UG1": (3.0e-7, 4.0e-7),
    "GG385": (3.85e-7, None),
    "GG395": (3.95e-7, None),
    "GG455": (4.55e-7, None),
    "GG495": (4.95e-7, None),
    "WG305": (3.05e-7, None),
    "OG570": (5.70e-7, None),
    "OG590": (5.90e-7, None),
    "RG610": (6.10e-7, None),
    "RG630": (6.30e-7, None),
    "RG695": (6.95e-7, None),
    "RG715": (7.15e-7, None),
    "RG830": (8.30e-7, None),
    # The UK Schmidt's H-alpha filter, 70 angstrom about 6590 (Parker and Bland-Hawthorn 1998, PASA 15, 33)
    "HA659": (6.555e-7, 6.625e-7),
    # POSS-I's red plates had a sheet of red plexiglass no. 2444 (Minkowski and Abell 1963): 6200 to 6700 angstrom
    "PLEXI": (6.2e-7, None),
    "YELLOW": (4.9e-7, None),
    "RED": (6.0e-7, None),
}

#: Plates of which only the colour is known.
COLOURS: dict[str, tuple[float, float]] = {
    "blue": (3.5e-7, 5.0e-7),
    "yellow": (4.9e-7, 6.0e-7),
    "red": (6.0e-7, 6.9e-7),
}

_CLASS = re.compile(r"(?:I{1,3}|IV|V|\d{3}|1\d)-?[aA]?-?([A-Z])(?:$|\W)", re.ASCII)


def bounds(emulsion: str | None, filter_name: str | None) -> tuple[float, float] | None:
    """Wavelength bounds of emulsion and filter together; None when the emulsion is not known here.

    A filter that is not known here leaves the emulsion's bounds.
    """
    if emulsion is None:
        return None
    match = _CLASS.search(emulsion.strip())
    known = EMULSIONS.get(match[1]) if match else NAMED.get(emulsion.strip())
    if known is None:
        return None
    short, long = FILTERS.get((filter_name or "").replace(" ", "").upper(), (known[0], None))
    low, high = max(known[0], short), min(known[1], long or known[1])
    return (low, high) if low < high else known
