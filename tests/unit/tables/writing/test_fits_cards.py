from __future__ import annotations

import warnings

from astropy.io.fits import Header
from hypothesis import example, given
from hypothesis import strategies as st

from vo.tables.writing.fits_cards import BLOCK, card, comment, header

# astropy itself loses its place in continued texts with runs of quotes, or with an ampersand at the end of a part.
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="&'"), max_size=300)


def read(*cards):
    """The header as astropy reads it, which complains about whatever is not standard."""
    text = header(cards)
    assert len(text) % BLOCK == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Header.fromstring(text)
        for one in found.cards:
            one.verify("exception")
    return found


@given(PRINTABLE)
@example("Barnard's " * 30)
@example("'it''s' & more")
@example("x" * 67 + "'")
@example("x" * 68)
@example("x" * 69)
def test_any_text_reads_back(text):
    assert read(card("TCOMM1", text))["TCOMM1"] == " ".join(text.split())


def test_other_values_and_remarks():
    found = read(card("SIMPLE", True, "a remark"), card("N", -(2**63)), card("S", "x", "said of it"), card("L", False))
    assert [(one.keyword, one.value, one.comment) for one in found.cards] == [
        ("SIMPLE", True, "a remark"),
        ("N", -(2**63), ""),
        ("S", "x", "said of it"),
        ("L", False, ""),
    ]


def test_what_a_card_cannot_carry_is_replaced():
    assert read(card("S", "Plåt\n\ttwo\x00"))["S"] == "Pl?t two?"


def test_long_comments_take_several_cards():
    text = "word " * 40
    assert "".join(read(comment(text))["COMMENT"]) == text.strip()
