"""Header cards: what is read from them and what stays as it stands."""

from __future__ import annotations

import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from vo.pixels import cards


@pytest.mark.parametrize(
    ("image", "value"),
    [
        ("CRVAL1  =  1.5D+02 / an exponent as Fortran writes it", 150.0),
        ("NAXIS1  =                 1340", 1340),
        ("SIMPLE  =                    T", True),
        ("OBSERVER= 'O''Neill  '         / with an apostrophe", "O'Neill"),
        ("OBJECT  = 'a / b'", "a / b"),
        ("NOTHING =                     / no value", None),
        ("COMMENT nothing = 'here'", None),
        ("EQUINOX = '2000.   '", "2000."),
    ],
)
def test_values_are_read(image, value):
    assert cards.value(image.ljust(80)) == value


@settings(max_examples=200)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_every_digit(number):
    image = cards.make("CRVAL1", number, "a comment that may have to go")
    assert len(image) == 80
    assert cards.value(image) == number
    assert fits.Card.fromstring(image).value == number


@settings(max_examples=100)
@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_strings_come_back(text):
    image = cards.make("OBJECT", text)
    if len(image) == 80:
        assert cards.value(image) == text.rstrip()


def test_a_new_value_keeps_the_comment():
    image = "CRPIX1  =     670.8965164452 / Axis 1 pixel value".ljust(80)
    assert cards.replaced(image, 170.5).rstrip() == "CRPIX1  =                170.5 / Axis 1 pixel value"


def test_text_with_and_without_newlines_is_the_same():
    lines = ["SIMPLE  =                    T", "NAXIS   =                    2", "END", "CRVAL1  = 1.0"]
    joined = "".join(line.ljust(80) for line in lines)
    assert cards.read_cards("\n".join(lines)) == cards.read_cards(joined) == cards.read_cards(joined.encode())
    assert len(cards.read_cards(joined).images) == 2, "END ends the header"


def test_an_open_string_is_closed_and_told():
    found = cards.read_cards("OBJECT  = 'no end\nNAXIS   =                    2")
    assert found.values()["OBJECT"] == "no end"
    assert found.repairs == ("OBJECT: string without closing quote closed",)


def test_wat_strings_longer_than_a_card_are_split_anew():
    whole = 'wtype=tnx axtype=ra lngcor = "' + " ".join(f"{number}.25" for number in range(40)) + ' "'
    lines = [f"WAT1_001= '{whole[:69]}'", f"WAT1_002= '{whole[69:130]}'", f"WAT1_003= '{whole[130:]}'", "AFTER   = 1"]
    found = cards.read_cards("\n".join(lines))
    assert "".join(cards.raw_string(image) for image in found.images if image.startswith("WAT1")) == whole
    assert found.values()["AFTER"] == 1
    assert any("split anew" in repair for repair in found.repairs)


def test_a_card_that_is_too_long_is_cut_and_told():
    found = cards.read_cards("NAXIS1  =                   10 / " + "x" * 90 + "\nNAXIS2  =                   10")
    assert found.values() == {"NAXIS1": 10, "NAXIS2": 10}
    assert len(found.repairs) == 1


def test_a_mapping_of_values_becomes_a_header():
    header = cards.header_from_mapping(
        {"NAXIS1": 10, "OBJECT": "M 67", "COMMENT": ["one", "two"], "A_LONG_NAME": 1.5, "EMPTY": None, "FLAG": True}
    )
    assert header["NAXIS1"] == 10
    assert header["OBJECT"] == "M 67"
    assert list(header["COMMENT"]) == ["one", "two"]
    assert header["A_LONG_NAME"] == 1.5
    assert header["FLAG"] is True
    assert cards.read_cards(header).values()["NAXIS1"] == 10


def test_an_astropy_header_gives_the_same_cards_as_its_text():
    header = fits.Header([("CRVAL1", 1.25, "comment"), ("OBJECT", "M 67")])
    assert cards.read_cards(header) == cards.read_cards(header.tostring())
