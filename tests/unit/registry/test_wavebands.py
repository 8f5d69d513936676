"""Wavebands against the bounds that the vocabulary's own descriptions tell (VDS-09)."""

from __future__ import annotations

import pytest
from astropy import units as u

from vo.registry.wavebands import find_wavebands


def energies(short: float, long: float) -> tuple[float, float]:
    """Two wavelengths in nm, as a range of energy."""
    low, high = ((one * u.nm).to(u.J, u.spectral()).value for one in (long, short))
    return float(low), float(high)


@pytest.mark.parametrize(
    ("short", "long", "names"),
    [
        (350, 500, ("Optical",)),
        (300, 1000, ("Optical",)),
        (299.99, 1000.01, ("Optical",)),
        (299, 1000, ("Optical", "UV")),
        (300, 1001, ("Infrared", "Optical")),
        (100, 300, ("UV",)),
        (0.5, 5, ("X-ray",)),
        (20, 90, ("EUV",)),
        (2e7, 3e7, ("Radio",)),
        (5e5, 5e6, ("Millimeter",)),
        (1e-4, 1e-3, ("Gamma-ray",)),
    ],
)
def test_wavebands(short, long, names):
    assert find_wavebands([energies(short, long)]) == names


def test_several_ranges():
    assert find_wavebands([energies(350, 500), energies(150, 250), energies(600, 700)]) == ("Optical", "UV")
    assert find_wavebands([]) == ()
