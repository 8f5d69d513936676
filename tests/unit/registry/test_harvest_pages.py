"""Pages of OAI-PMH as they come: whole, damaged anywhere, and records cut out of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from registries import Registry, record, resource

from vo.errors import UsageFault
from vo.registry.harvest.canonical import canonical, digest_of
from vo.registry.harvest.pages import read_date, read_page
from vo.registry.harvest.records import Refusal, read_record

NAMES = [f"ivo://observatory.example/p{number}" for number in range(4)]
PAGE = Registry([record(name, title=f"Title of {name[-2:]}") for name in NAMES], page_size=3).answer(
    {"verb": "ListRecords"}
)
VS, VR = "http://www.ivoa.net/xml/VODataService/v1.1", "http://www.ivoa.net/xml/VOResource/v1.0"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def read(document):
    """The records of a page by their identifiers, and those of its broken pieces."""
    page = read_page(document)
    found = {}
    for entry in page.entries:
        try:
            found[entry.identifier] = read_record(entry, "source").document
        except Refusal:
            continue
    return found, page


WHOLE, _ = read(PAGE.encode())


def test_a_page():
    found, page = read(PAGE.encode())
    assert list(found) == NAMES[:3]
    assert (page.token, page.size, page.broken) == ("3", 4, ())
    assert page.answered.isoformat() == "2022-01-01T00:00:00"


@given(st.integers(PAGE.index("<oai:record>"), len(PAGE) - 1), st.integers(1, 60))
def test_what_is_cut_out_of_a_page_harms_no_record_but_those_it_stood_in(place, length):
    """Somewhere some bytes are missing: each record is what it was, is missing, or has itself lost them."""
    try:
        found, page = read((PAGE[:place] + PAGE[place + length :]).encode())
    except UsageFault:
        return
    spans = [(PAGE.index(f"<oai:record><oai:header><oai:identifier>{name}<"), name) for name in NAMES[:3]]
    hit = {
        name
        for (start, name), (end, _) in zip(spans, [*spans[1:], (PAGE.index("<oai:resumptionToken"), "")], strict=True)
        if start < place + length and place < end
    }
    assert {name: text for name, text in found.items() if name not in hit and name in WHOLE} == {
        name: text for name, text in WHOLE.items() if name not in hit
    }
    assert len(page.broken) <= len(hit)


@given(st.integers(0, len(PAGE) - 1), st.binary(min_size=1, max_size=8))
def test_whatever_is_written_over_a_page_it_is_read_or_refused(place, other):
    document = PAGE.encode()
    try:
        found, _ = read(document[:place] + other + document[place + len(other) :])
    except UsageFault:
        return
    assert all(etree.fromstring(text.encode()).tag.endswith("}Resource") for text in found.values() if text)


@given(st.binary(max_size=300))
def test_what_is_no_page_at_all(document):
    with pytest.raises(UsageFault):
        read_page(document)


def test_entities_are_never_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for declared in (f'<!ENTITY a SYSTEM "{secret.as_uri()}">', '<!ENTITY a "b">', '<!ENTITY % p "b"> %p;'):
        page = PAGE.replace("?>", f"?><!DOCTYPE x [{declared}]>").replace("Title of", "&a;")
        with pytest.raises(UsageFault, match=r"document type declaration|no XML"):
            read_page(page.encode())


def test_laughing_a_billion_times_costs_nothing():
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    page = PAGE.replace("?>", f'?><!DOCTYPE x [<!ENTITY a0 "ha">{entities}]>').replace("Title of", "&a11;")
    with pytest.raises(UsageFault):
        read_page(page.encode())


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2021-01-02", "2021-01-02T00:00:00"),
        ("2021-01-02T03:04:05Z", "2021-01-02T03:04:05"),
        (" 2021-01-02T03:04:05 ", "2021-01-02T03:04:05"),
        ("2021-01-02T03:04:05.678Z", "2021-01-02T03:04:05"),
    ],
)
def test_dates(text, meant):
    assert read_date(text).isoformat() == meant


@pytest.mark.parametrize("text", ["", "2021", "2021-13-01", "2021-01-02T25:00:00Z", "2021-01-02T03:04Z", "yesterday"])
def test_what_is_no_date(text):
    with pytest.raises(UsageFault, match="no date"):
        read_date(text)


# -- canonical records


def element(text):
    return etree.fromstring(text)


RESOURCE = (
    'xmlns:ri="http://www.ivoa.net/xml/RegistryInterface/v1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)


def test_prefixes_are_those_of_the_standards_wherever_they_were_declared():
    """Types are names in the text of an attribute, which XML itself takes no care of."""
    text = canonical(
        element(
            f'<ri:Resource {RESOURCE} xmlns:a="{VS}" xsi:type="a:CatalogService"><title>T</title>'
            f'<capability><interface xmlns:a="{VR}" xsi:type="a:WebBrowser"/></capability>'
            f'<x xmlns:vs="http://observatory.example/own" xsi:type="vs:Own"/><y xmlns="{VR}" xsi:type="Plain"/>'
            "<!-- nothing --><z>1<!-- 2 -->3</z></ri:Resource>"
        )
    )
    root = etree.fromstring(text.encode())
    assert root.get(f"{{{XSI}}}type") == "vs:CatalogService"
    assert root.find(".//interface").get(f"{{{XSI}}}type") == "vr:WebBrowser"
    own = root.find("x").get(f"{{{XSI}}}type").partition(":")[0]
    assert root.nsmap[own] == "http://observatory.example/own"
    assert root.find(f"{{{VR}}}y").get(f"{{{XSI}}}type") == "vr:Plain"
    assert root.findtext("z") == "13"
    assert root.nsmap["vs"] == VS
    assert not any("xmlns" in part for part in text.split(">", 1)[1:])
    assert canonical(root) == text


def test_a_prefix_of_nothing():
    with pytest.raises(UsageFault, match="stands for no namespace"):
        canonical(element(f'<ri:Resource {RESOURCE} xsi:type="vs:CatalogService"/>'))


def test_dates_and_prefixes_are_left_out_of_the_digest():
    first = element(resource("ivo://a.example/b").replace("<ri:Resource", f'<ri:Resource {RESOURCE} xmlns:data="{VS}"'))
    later = element(
        resource("ivo://a.example/b", kind="vs:CatalogResource")
        .replace("<ri:Resource", f'<ri:Resource {RESOURCE} xmlns:vs="{VS}"')
        .replace("2021", "2022")
    )
    other = element(
        resource("ivo://a.example/b", "X").replace("<ri:Resource", f'<ri:Resource {RESOURCE} xmlns:data="{VS}"')
    )
    one, two, three = (digest_of(canonical(each)) for each in (first, later, other))
    assert one == two != three
