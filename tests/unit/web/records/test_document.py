"""What is read of a record, above all of one that somebody else has written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo.web.records.document import read_told, safe_url

RECORD = """<ri:Resource xmlns:ri="http://www.ivoa.net/xml/RegistryInterface/v1.0"
 xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:type="vs:CatalogResource" status="active" created="2020-01-01T00:00:00Z" updated="2021-05-06T07:08:09Z">
<title>Plates &lt;b&gt;of&lt;/b&gt; old</title><shortName>PO</shortName><identifier>ivo://elsewhere.example/plates</identifier>
<altIdentifier>doi:10.1234/plates.7</altIdentifier>
<curation><publisher ivo-id="ivo://elsewhere.example/org">An archive</publisher>
<creator><name>Family, G.</name><altIdentifier>https://orcid.org/0000-0002-1825-0097</altIdentifier></creator>
<creator><name>Other, N.</name><altIdentifier>javascript:alert(1)</altIdentifier></creator>
<date role="Issued">1999-12-31</date><version>2</version>
<contact><name>Ask me</name><email>me@elsewhere.example</email></contact>
<contact><name>Not me</name><email>me@x?subject=a&amp;body=b</email></contact></curation>
<content><subject>comets</subject><description>One.

 Two.</description><source format="bibcode">2012IAUS..285...29G</source>
<referenceURL>javascript:alert(document.domain)</referenceURL>
<relationship><relationshipType>IsServedBy</relationshipType>
<relatedResource ivo-id="ivo://elsewhere.example/tap">TAP</relatedResource></relationship></content>
<rights rightsURI="https://creativecommons.org/licenses/by/4.0/">CC BY</rights>
<rights rightsURI="data:text/html,x">none</rights>
<capability standardID="ivo://ivoa.net/std/TAP#aux"><interface><accessURL>http://elsewhere.example/tap</accessURL>
</interface></capability>
<coverage><spatial>6/1</spatial><temporal>15020 15385.5</temporal><temporal>1e300 2e300</temporal><temporal>x</temporal>
<spectral>3.972891e-19 6.621486e-19</spectral><spectral>-1 0</spectral></coverage>
<tableset><schema><name>s</name><table><name>s.t</name><nrows>12</nrows><column><name>ra</name><unit>deg</unit>
<dataType>double</dataType></column></table></schema></tableset></ri:Resource>"""


@pytest.fixture(scope="module")
def told():
    return read_told(RECORD)


def test_what_it_says_is_read(told):
    assert told.kind == "data collection"
    assert told.title == "Plates <b>of</b> old"
    assert told.description == ("One.", "Two.")
    assert told.publisher == ("An archive", "ivo://elsewhere.example/org")
    assert told.dois[0].url == "https://doi.org/10.1234/plates.7"
    assert told.source.url == "https://ui.adsabs.harvard.edu/abs/2012IAUS..285...29G"
    assert told.relations[0].name == "is served by"
    assert told.relations[0].others == (("TAP", "ivo://elsewhere.example/tap"),)
    assert told.capabilities[0].name == "TAP: questions in ADQL"
    assert told.tables[0].columns[0].unit == "deg"
    assert told.tables[0].rows == "12"


def test_only_addresses_of_the_web_become_links(told):
    assert [one.url for one in told.creators] == ["https://orcid.org/0000-0002-1825-0097", None]
    assert told.reference.url is None
    assert [one.url for one in told.rights] == ["https://creativecommons.org/licenses/by/4.0/", None]
    assert [mail for _, mail, _ in told.contacts] == ["me@elsewhere.example", None]


def test_times_and_energies_are_told_in_words_where_they_can_be(told):
    assert told.temporal == ("1900-01-01 to 1901-01-01", "1e300 2e300", "x")
    assert told.spectral == ("300 to 500 nm (3.973e-19 to 6.621e-19 J)", "-1 0")


def test_a_citation_names_who_when_what_and_under_which_identifier(told):
    assert told.citation("ivo://elsewhere.example/plates") == (
        "Family, G.; Other, N. (1999). Plates <b>of</b> old. Version 2. An archive. https://doi.org/10.1234/plates.7"
    )


def test_a_record_that_says_nothing_is_read():
    told = read_told("<Resource/>")
    assert told.title
    assert told.kind == "resource"
    assert told.citation("ivo://a/b")


def test_no_entity_of_a_record_reads_files():
    told = read_told('<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]><r><title>a&e;b</title></r>')
    assert told.title in ("ab", "a&e;b")


@given(st.text(max_size=30))
def test_no_other_scheme_is_safe(text):
    if safe_url(text) is not None:
        assert text.lower().startswith(("http://", "https://"))
    assert safe_url(f"javascript:{text}") is None
    assert safe_url(f" \njavascript://{text}") is None


def test_a_description_of_many_blanks_keeps_nobody_waiting():
    blanks = " " * 1_000_000
    document = (
        f"<r><content><description>One.{blanks}\n{blanks}\n\n{blanks}Two{blanks}three.</description></content></r>"
    )
    assert read_told(document).description == ("One.", f"Two{blanks}three.")
