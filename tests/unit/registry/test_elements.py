"""Elements of records: whatever a descriptor or a header says, the document can be written and read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from vo.registry.elements import NAMESPACES, RESOURCE, XSI_TYPE, add, add_known, make_resource

WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


@given(WORDS, WORDS)
def test_any_text_can_be_written_and_read_back(text, value):
    """XML 1.0, section 2.2: what it cannot hold becomes a replacement sign, all else comes back."""
    resource = make_resource("vs:CatalogResource")
    add(resource, "title", text, {"rightsURI": value, "ivo-id": None})
    read = etree.fromstring(etree.tostring(resource)).find("title")
    told = read.text or ""
    assert len(told) == len(text)
    assert all(there in (here, "\ufffd", "\n") for here, there in zip(text, told, strict=True))
    if text.isprintable():
        assert told == text
    assert set(read.attrib) == {"rightsURI"}


def test_prefixes_are_the_canonical_ones_oai_13():
    for kind in ("vg:Registry", "vs:CatalogService", "vr:Organisation"):
        resource = make_resource(kind)
        assert resource.tag == RESOURCE
        assert resource.get(XSI_TYPE) == kind
        assert set(resource.nsmap.items()) <= set(NAMESPACES.items())
        assert {"ri", "vr", "xsi", kind.partition(":")[0]} <= set(resource.nsmap)
        places = resource.get(f"{{{NAMESPACES['xsi']}}}schemaLocation").split()
        assert set(places[::2]) == set(resource.nsmap.values()) - {NAMESPACES["xsi"]}


def test_what_is_not_known_makes_no_element():
    resource = make_resource("vs:CatalogResource")
    for text in (None, ""):
        add_known(resource, "version", text)
    assert len(resource) == 0
