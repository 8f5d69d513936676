"""What OAI-PMH's answers are made of: dates, tokens, documents within answers, Dublin Core."""

from __future__ import annotations

import base64
import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from records_by_hand import moment, record

from vo.registry.oai import dates, document, dublin, tokens
from vo.registry.oai.tokens import Position

SECONDS = st.datetimes(max_value=dt.datetime(9998, 1, 1)).map(lambda one: one.replace(microsecond=0))  # noqa: DTZ001 - as stored
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
POSITIONS = st.builds(
    Position,
    verb=st.sampled_from(["ListRecords", "ListIdentifiers"]),
    prefix=st.sampled_from(["ivo_vor", "oai_dc"]),
    first=SECONDS,
    last=SECONDS,
    datestamp=SECONDS,
    ivoid=TEXTS,
    cursor=st.integers(0),
    size=st.integers(1),
)
AT = Position(
    "ListRecords",
    "ivo_vor",
    moment("0001-01-01 00:00:00"),
    moment("2026-02-28 12:00:00"),
    moment("2026-02-01 11:10:09"),
    "ivo://vo-plates.example/plates",
    200,
    1234,
)
NOON = moment("2026-02-28 12:00:00")


@given(SECONDS)
def test_moments_are_read_as_they_are_written(at):
    assert dates.read(dates.written(at)) == dates.Stretch(at, at, is_day=False)


@given(st.dates())
def test_a_day_is_all_of_its_seconds(day):
    stretch = dates.read(day.isoformat())
    assert stretch.is_day
    assert (stretch.first.date(), stretch.last.date()) == (day, day)
    assert stretch.last - stretch.first == dt.timedelta(seconds=86399)


@given(st.text(max_size=25))
def test_what_is_no_date_is_none(text):
    stretch = dates.read(text)
    assert stretch is None or text in (dates.written(stretch.first), stretch.first.date().isoformat())


@given(POSITIONS)
def test_tokens_say_where_a_list_goes_on(position):
    token = tokens.write_token(position, NOON)
    assert tokens.read_token(token, NOON) == (position if len(token) <= 2000 else None)
    assert token.replace("-", "").replace("_", "").isalnum()


def test_tokens_expire_when_they_say():
    token = tokens.write_token(AT, NOON)
    assert tokens.read_token(token, NOON) == AT
    assert tokens.read_token(token, NOON + dt.timedelta(seconds=1)) is None


def test_no_character_of_a_token_can_be_another():
    token = tokens.write_token(AT, NOON)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place in range(len(token)):
        for other in set(alphabet) - {token[place]}:
            assert tokens.read_token(token[:place] + other + token[place + 1 :], NOON) is None
    for changed in (token[:-1], token + "A", token + "=", f" {token}", token + "\n", token.swapcase(), ""):
        assert tokens.read_token(changed, NOON) is None


def forged(told):
    """A token with the right checksum."""
    body = json.dumps(told).encode()
    return base64.urlsafe_b64encode(tokens._check(body) + body).rstrip(b"=").decode()


SOUND = ["1", "ListRecords", "ivo_vor", *["2026-02-28T12:00:00Z"] * 3, "ivo://a/b", 2, 3, "2026-02-28T12:00:00Z"]


def test_forged_tokens_say_what_arguments_could():
    assert tokens.read_token(forged(SOUND), NOON) == Position(*SOUND[1:3], NOON, NOON, NOON, "ivo://a/b", 2, 3)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *((0, "2"), (1, "Identify"), (2, "marc21"), (3, "2026-02-28"), (4, 5), (5, None), (6, 7), (6, "a\0b")),
        *((7, -1), (7, "2"), (7, 2.5), (8, 0), (8, True), (9, "junk")),
    ],
)
def test_what_forged_tokens_say_is_checked(place, value):
    assert tokens.read_token(forged([*SOUND[:place], value, *SOUND[place + 1 :]]), NOON) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), st.lists, max_leaves=12))
def test_forged_tokens_of_another_kind_are_bad(told):
    assert tokens.read_token(forged(told), NOON) is None


@given(st.text(max_size=80))
def test_no_text_is_taken_for_a_token(text):
    assert tokens.read_token(text, NOON) is None


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ("<ri:Resource a='1'>x</ri:Resource>", "<ri:Resource xmlns=\"\" a='1'>x</ri:Resource>"),
        ("<r/>", '<r xmlns=""/>'),
        ("<r>x</r>", '<r xmlns="">x</r>'),
        ("<r\n a='1'/>", "<r xmlns=\"\"\n a='1'/>"),
        ('<r xmlns="own"/>', '<r xmlns="own"/>'),
        ('<r><s xmlns="own"/></r>', '<r xmlns=""><s xmlns="own"/></r>'),
    ],
)
def test_documents_keep_their_namespaces_within_an_answer(given_, wanted):
    assert document.spliced(given_) == wanted


def test_a_document_within_an_answer_means_what_it_means_alone():
    text = record("alpha", "2010-05-05 00:00:00").document
    within = etree.fromstring(f'<a xmlns="http://www.openarchives.org/OAI/2.0/">{document.spliced(text)}</a>')
    alone = etree.fromstring(text)
    assert [one.tag for one in within[0].iter()] == [one.tag for one in alone.iter()]


def test_what_is_no_document_is_not_set_into_an_answer():
    with pytest.raises(ValueError, match="not a document"):
        document.spliced("plates")


def test_dublin_core_says_each_thing_once_and_nothing_empty():
    text = (
        "<r><title> a\n b </title><identifier>ivo://a/b</identifier><content><subject>x</subject><subject>x</subject>"
        "<subject> </subject><relationship><relationshipType>IsServedBy</relationshipType>"
        "<relatedResource>A paper</relatedResource></relationship></content><rights rightsURI=''/></r>"
    )
    core = etree.fromstring(dublin.dublin_core(text).replace("<oai_dc:dc ", '<oai_dc:dc xmlns:xsi="x" ', 1))
    assert [(etree.QName(one).localname, one.text) for one in core] == [
        ("title", "a b"),
        ("subject", "x"),
        ("identifier", "ivo://a/b"),
        ("relation", "A paper"),
    ]
