import pytest

from vo.ingest.bands import COLOURS, EMULSIONS, FILTERS, NAMED, bounds


@pytest.mark.parametrize(
    ("emulsion", "filter_name", "low", "high"),
    [
        ("103aE", "plexi", 6.2e-7, 6.8e-7),
        ("103a-O", None, 3.5e-7, 5.0e-7),
        ("IIIaJ", "GG395", 3.95e-7, 5.4e-7),
        ("IIIa-J", "GG 395", 3.95e-7, 5.4e-7),
        ("IIIaF", "OG590", 5.9e-7, 7.0e-7),
        ("IVN", "RG715", 7.15e-7, 9.0e-7),
        ("IIaO", "no such glass", 3.5e-7, 5.0e-7),
        ("103AE", "RG 630", 6.3e-7, 6.8e-7),
        ("4415", "HA659", 6.555e-7, 6.625e-7),
        ("4415", "OG 590", 5.9e-7, 6.9e-7),
        ("127-04", None, 3.5e-7, 6.9e-7),
    ],
)
def test_emulsion_and_filter_together(emulsion, filter_name, low, high):
    assert bounds(emulsion, filter_name) == (low, high)


@pytest.mark.parametrize("emulsion", [None, "", "wet collodion", "Agfa"])
def test_unknown_emulsions_tell_nothing(emulsion):
    assert bounds(emulsion, "RG715") is None


def test_a_filter_that_lets_nothing_through_leaves_the_emulsion():
    assert bounds("103aO", "RG715") == EMULSIONS["O"]


def test_all_bounds_are_metres_in_order():
    for low, high in (*EMULSIONS.values(), *NAMED.values(), *COLOURS.values()):
        assert 3.0e-7 <= low < high <= 1.0e-6
    assert all(high is None or low < high for low, high in FILTERS.values())
