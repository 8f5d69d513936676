"""What records say, without a database: golden files of each kind, and the rules that no XML schema has."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
import vocabulary
import xsd
from documents import compare
from lxml import etree

from vo.errors import OperatorFault
from vo.metadata.collection import load_collection
from vo.metadata.felis import load_catalogue
from vo.registry.check import check_documents, find_missing
from vo.registry.facts import CollectionFacts, Coverage, Facts
from vo.registry.records import MadeRecord, Server, make_records, page_url
from vo.services import make_services

BASE = "https://plates.skyview.example/vo"
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
OBSCORE_UTYPE = "ivo://ivoa.net/std/obscore#table-1.1"

COVERAGE = Coverage("4/30-33 38 5/324 6/", ((26311.0, 27000.5), (42048.0, 42779.0)), ((3.97e-19, 5.68e-19),))

DESCRIPTOR = """
name = "skyview"
title = "Skyview Observatory plates"
description = "Plates of the 40-cm astrograph & <other> cameras."
short_name = "Skyview plates"
creators = ["Skyview Observatory", {name = "Sample, A.", orcid = "0000-0002-1825-0097"}]
contributors = [{name = "Plate Society", ivoid = "ivo://plates.example/society"}]
contact = {name = "Plate vault", email = "vault@skyview.example", address = "1 Dome Road", telephone = "+49 1"}
doi = "10.5281/zenodo.1234"
resource_version = "DR2"
original_date = 2019-05-01
publication_date = 2026-01-31
is_derived_from = ["ivo://plates.example/logbooks", "2012IAUS..285...29G"]
rights = "CC BY 4.0"
rights_uri = "https://creativecommons.org/licenses/by/4.0/"
bib_reference = "2020A&A...630A..75O"
subjects = ["photographic-photometry", "sky-surveys"]
content_types = ["Archive", "Historical"]
content_levels = ["Research", "Amateur"]
region_of_regard = 0.25
"""

BARE = """
name = "bare"
title = "Bare plates"
description = "Nothing is known."
creators = ["Somebody"]
"""


@pytest.fixture
def make(settings, tmp_path):
    """A server's records, of these descriptors and facts."""

    def make(*facts: tuple[str, dict], **chosen) -> tuple[Server, dict[str, etree._Element]]:
        own = settings.model_copy(
            update={"resources_dir": tmp_path, "authority": "skyview.example", "publisher": "Skyview", **chosen}
        )
        told = []
        for text, values in facts:
            name = text.split('"')[1]
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "collection.toml").write_text(text)
            told.append(CollectionFacts(**{**UNKNOWN, **values}, collection=load_collection(own, name)))
        collections = [one.collection for one in told]
        server = Server(
            own,
            load_catalogue(own, collections),
            make_services(own, has_examples=True),
            BASE,
            Facts(tuple(told), told[0].coverage, {"skyview.plates": 3200, "ivoa.obscore": 3100}),
        )
        return server, {one.identifier: one.resource for one in make_records(server)}

    return make


UNKNOWN = {
    "coverage": Coverage(),
    "facilities": (),
    "instruments": (),
    "obscore_rows": 0,
    "first": None,
    "last": None,
}
KNOWN = {
    "coverage": COVERAGE,
    "facilities": ("Skyview Observatory",),
    "instruments": ("40-cm astrograph", "Zeiss Triplet"),
    "obscore_rows": 3100,
    "first": dt.date(1930, 12, 1),
    "last": dt.date(1975, 12, 31),
}


def text_of(resource: etree._Element) -> str:
    """A record with its tables left out, which another test looks at."""
    copy = etree.fromstring(etree.tostring(resource))
    for tableset in copy.findall("tableset"):
        copy.remove(tableset)
    for features in copy.iterfind("capability/language"):
        for feature in features.findall("languageFeatures"):
            features.remove(feature)
    etree.indent(copy)
    return etree.tostring(copy, encoding="unicode") + "\n"


@pytest.mark.parametrize("name", ["authority", "organisation", "registry", "tap", "obscore", "sia2", "skyview"])
def test_golden(make, update_golden, name):
    _, made = make((DESCRIPTOR, KNOWN))
    identifier = "ivo://skyview.example" if name == "authority" else f"ivo://skyview.example/{name}"
    compare(f"registry/{name}.xml", text_of(made[identifier]), update=update_golden)


@pytest.mark.parametrize("facts", [[(DESCRIPTOR, KNOWN)], [(BARE, {})], [(DESCRIPTOR, KNOWN), (BARE, {})]])
def test_every_record_is_valid(make, facts):
    """VOR-01, VOR-02, VDS-02, VDS-04, OAI-13."""
    for resource in make(*facts)[1].values():
        resource.set("created", "2026-01-01T00:00:00Z")
        resource.set("updated", "2026-01-01T00:00:00Z")
        xsd.validate(etree.tostring(resource))


def test_auxiliary_addresses_are_those_of_the_services_literally(make):
    """REC-04; and only auxiliary capabilities, none of which says tr:TableAccess (REC-03)."""
    _, made = make((DESCRIPTOR, KNOWN))
    capabilities = {one.get("standardID"): one for one in made["ivo://skyview.example/skyview"].iter("capability")}
    assert set(capabilities) == {"ivo://ivoa.net/std/TAP#aux", "ivo://ivoa.net/std/SIA#query-aux-2.0"}
    for standard, service, main in (
        ("ivo://ivoa.net/std/TAP#aux", "tap", "ivo://ivoa.net/std/TAP"),
        ("ivo://ivoa.net/std/SIA#query-aux-2.0", "sia2", "ivo://ivoa.net/std/SIA#query-2.0"),
    ):
        (theirs,) = (
            one for one in made[f"ivo://skyview.example/{service}"].iter("capability") if one.get("standardID") == main
        )
        interface = capabilities[standard].find("interface")
        assert dict(interface.attrib) == dict(theirs.find("interface").attrib)
        assert interface.findtext("accessURL") == theirs.findtext("interface/accessURL")
        assert interface.get("role") == "std"
        assert capabilities[standard].get(TYPE) is None


def test_what_is_not_in_obscore_is_not_served_by_image_search(make):
    _, made = make((DESCRIPTOR, KNOWN | {"obscore_rows": 0}))
    resource = made["ivo://skyview.example/skyview"]
    assert [one.get("standardID") for one in resource.iter("capability")] == ["ivo://ivoa.net/std/TAP#aux"]
    served = [one.get("ivo-id") for one in resource.iterfind("content/relationship/relatedResource")]
    assert served[0] == "ivo://skyview.example/tap"
    assert "ivo://skyview.example/sia2" not in served


def test_relations_are_never_mutual(make):
    """Mutual ones would remove both in pyVO's global discovery; what leads there is IsServedBy alone (VOR-09)."""
    _, made = make((DESCRIPTOR, KNOWN), (BARE, {}))
    pairs = {
        (name, one.find("relatedResource").get("ivo-id"))
        for name, resource in made.items()
        for one in resource.iterfind("content/relationship")
        if one.findtext("relationshipType") == "IsServedBy"
    }
    assert ("ivo://skyview.example/sia2", "ivo://skyview.example/obscore") in pairs
    assert ("ivo://skyview.example/obscore", "ivo://skyview.example/tap") in pairs
    assert ("ivo://skyview.example/bare", "ivo://skyview.example/tap") in pairs
    assert not {(there, here) for here, there in pairs} & pairs


def test_tap_has_all_tables_and_no_coverage(make):
    server, made = make((DESCRIPTOR, KNOWN))
    resource = made["ivo://skyview.example/tap"]
    assert resource.find("coverage") is None
    names = [one.text for one in resource.iterfind("tableset/schema/table/name")]
    assert names == [table.qualified for table in server.catalogue.tables]
    assert "dataModel" in {one.tag for one in resource.find("capability")}


def test_the_obscore_record_is_what_new_style_discovery_looks_for(make):
    """REC-01: type, utype and an auxiliary TAP capability with a standard interface."""
    _, made = make((DESCRIPTOR, KNOWN))
    resource = made["ivo://skyview.example/obscore"]
    assert resource.get(TYPE) == "vs:CatalogResource"
    (table,) = resource.iterfind("tableset/schema/table")
    assert (table.findtext("name"), table.findtext("utype")) == ("ivoa.obscore", OBSCORE_UTYPE)
    assert table.findtext("nrows") == "3100"
    (capability,) = resource.iterfind("capability")
    assert capability.get("standardID") == "ivo://ivoa.net/std/TAP#aux"
    assert resource.findtext("coverage/spatial") == COVERAGE.spatial


def test_a_collection_has_its_own_tables_with_their_rows(make):
    """VDS-11."""
    server, made = make((DESCRIPTOR, KNOWN), (BARE, {}))
    schemas = made["ivo://skyview.example/skyview"].findall("tableset/schema")
    assert [one.findtext("name") for one in schemas] == ["skyview"]
    rows = {one.findtext("name"): one.findtext("nrows") for one in schemas[0].iterfind("table")}
    assert rows == {"skyview.plates": "3200", "skyview.narrow_plates": None}
    columns = [one.findtext("name") for one in schemas[0].find("table").iterfind("column")]
    assert len(columns) == len(server.catalogue.by_name["skyview.plates"].columns)


def test_each_authority_has_a_record_and_is_managed(make):
    """OAI-06, also for a collection that has an identifier of its own."""
    _, made = make((DESCRIPTOR, KNOWN), (BARE + 'ivoid = "ivo://Other.org/bare"', {}))
    assert "ivo://Other.org/bare" in made
    managed = [one.text for one in made["ivo://skyview.example/registry"].iterfind("managedAuthority")]
    assert managed == ["skyview.example", "other.org"]
    assert {f"ivo://{one}" for one in managed} <= set(made)
    _, made = make((BARE + 'ivoid = "ivo://SkyView.example/bare"', {}))
    assert [one.text for one in made["ivo://skyview.example/registry"].iterfind("managedAuthority")] == managed[:1]


def test_a_publisher_that_is_registered_elsewhere_gets_no_second_record(make):
    elsewhere = "ivo://observatories.example/skyview"
    _, made = make((DESCRIPTOR, KNOWN), publisher_ivoid=elsewhere)
    assert "ivo://skyview.example/organisation" not in made
    assert {one.find("curation/publisher").get("ivo-id") for one in made.values()} == {elsewhere}
    assert made["ivo://skyview.example"].find("managingOrg").get("ivo-id") == elsewhere


def test_resources_without_a_page_of_their_own_have_one_here(make, settings):
    """REC-05."""
    server, made = make((DESCRIPTOR + 'reference_url = "https://skyview.example/plates"', KNOWN), (BARE, {}))
    pages = {name: one.findtext("content/referenceURL") for name, one in made.items()}
    assert pages.pop("ivo://skyview.example/skyview") == "https://skyview.example/plates"
    assert pages.pop("ivo://skyview.example") == f"{BASE}/records/authority"
    assert pages == {name: f"{BASE}/records/{name.rpartition('/')[2]}" for name in pages}
    assert page_url(server.settings, BASE, "ivo://skyview.example2/x") == f"{BASE}/records/skyview.example2/x"


def test_identifiers_of_others_are_looked_at_without_any_schema(make):
    """VOR-03: what a curator names stands in the record."""
    server, made = make((BARE + 'is_derived_from = ["ivo://plate vault/logbooks"]', {}))
    records = [MadeRecord(name, resource) for name, resource in made.items()]
    with pytest.raises(OperatorFault, match="'ivo://plate vault/logbooks' is no identifier of a resource"):
        check_documents(server.settings.model_copy(update={"xsd_dir": None}), records)


def test_text_that_xml_cannot_hold_is_replaced(make):
    """Also in what a descriptor says, which becomes the description of a schema."""
    _, made = make((BARE.replace("Nothing is", "Nothing\\u0001is"), {}))
    assert made["ivo://skyview.example/bare"].findtext("content/description") == "Nothing\ufffdis known."
    assert made["ivo://skyview.example/bare"].findtext("tableset/schema/description").endswith("Nothing\ufffdis known.")
    _, made = make((DESCRIPTOR, KNOWN | {"instruments": ("bad\x0bname",)}))
    assert made["ivo://skyview.example/skyview"].findtext("instrument") == "bad\ufffdname"


def test_words_are_those_of_the_vocabularies(make):
    """VOR-04, VOR-09, VDS-09, and the UAT for what records say of services (VOR-05)."""
    _, made = make((DESCRIPTOR, KNOWN), (BARE, {}))
    said = {
        "uat": {one.text for resource in made.values() for one in resource.iterfind("content/subject")},
        "date_role": {one.get("role") for resource in made.values() for one in resource.iterfind("curation/date")},
        "relationship_type": {one.text for resource in made.values() for one in resource.iter("relationshipType")},
        "content_type": {one.text for resource in made.values() for one in resource.iterfind("content/type")},
        "messenger": {one.text for resource in made.values() for one in resource.iterfind("coverage/waveband")},
    }
    assert said["messenger"] == {"Optical"}
    for name, words in said.items():
        assert words <= vocabulary.read_words(name), name


# -- rules and what is missing


def test_records_that_break_a_rule_are_named(make):
    server, _ = make((DESCRIPTOR, KNOWN | {"coverage": replace(COVERAGE, spectral=((2e-19, 1e-19),))}))
    records = make_records(server)
    with pytest.raises(OperatorFault, match=r"skyview: coverage/spectral 2e-19 1e-19: the lower end"):
        check_documents(server.settings, records)
    with pytest.raises(OperatorFault, match="two records have this identifier"):
        check_documents(server.settings, (records[0], records[0]))


def test_records_are_held_against_the_schemas_of_a_folder(make):
    if not xsd.ROOT.is_dir():
        pytest.skip(f"XML schemas missing: {xsd.ROOT}")
    server, _ = make((DESCRIPTOR, KNOWN), xsd_dir=xsd.ROOT)
    records = make_records(server)
    check_documents(server.settings, records)
    records[-1].resource.find("capability").set("standardID", "no identifier at all")
    records[-1].resource.find("curation").append(etree.Element("strange"))
    with pytest.raises(OperatorFault, match=r"/skyview: line .*strange"):
        check_documents(server.settings, records)


def test_a_folder_without_schemas_is_told(make, tmp_path):
    (tmp_path / "none").mkdir()
    server, _ = make((DESCRIPTOR, KNOWN), xsd_dir=tmp_path / "none")
    with pytest.raises(OperatorFault, match="VO_XSD_DIR"):
        check_documents(server.settings, make_records(server))


def lacks(server: Server) -> dict[str, set[str]]:
    """Places of what is missing, by identifier."""
    found: dict[str, set[str]] = {}
    for one in find_missing(server.settings, server.facts, server.base_url):
        assert one.lack
        assert one.remedy
        found.setdefault(one.identifier, set()).add(one.place)
    return found


def test_nothing_is_missing_of_a_record_that_says_all(make):
    long = DESCRIPTOR.replace(
        "cameras.", "cameras, from 1930 to 1975, blue-sensitive, of fields along the ecliptic and more."
    )
    told = long + 'reference_url = "https://skyview.example/plates"'
    server, _ = make(
        (told, KNOWN),
        base_url=BASE,
        contact="plates@skyview.example",
        publisher_url="https://skyview.example",
    )
    assert lacks(server) == {}


def test_what_is_missing_is_told_with_its_place(make):
    server, _ = make((BARE, {}), authority="vo-plates.example", publisher="A vo-plates server")
    found = lacks(server)
    assert found["ivo://vo-plates.example"] == {"VO_AUTHORITY", "VO_BASE_URL"}
    assert found["ivo://vo-plates.example/organisation"] == {"VO_PUBLISHER", "VO_CONTACT", "VO_PUBLISHER_URL"}
    keys = {place.partition(": ")[2] for place in found["ivo://vo-plates.example/bare"]}
    assert keys == {
        *("", "bib_reference", "contact", "creators", "defaults.em_min", "description", "doi", "facility_name"),
        *("instrument_name", "publication_date", "reference_url", "rights", "rights_uri", "subjects"),
    }
    assert all(place.startswith("bare/collection.toml") for place in found["ivo://vo-plates.example/bare"])


def test_nobody_is_asked_for_a_doi_of_synthetic_plates(make):
    server, _ = make((BARE + "synthetic = true", KNOWN))
    assert "ivo://skyview.example/bare" not in lacks(server)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('subjects = ["Sky surveys"]', "'Sky surveys' is not written as"),
        ('bib_reference = "Someone 1999"', "'Someone 1999' is no bibcode"),
        ('ivoid = "ivo://other.org/bare"', "another authority (other.org)"),
    ],
)
def test_words_that_look_wrong_are_told(make, line, said):
    server, _ = make((BARE + line, {}))
    assert any(said in one.lack for one in find_missing(server.settings, server.facts, BASE))


def test_every_shipped_collection_has_subjects_of_the_thesaurus(collections):
    """VOR-05: of the Unified Astronomy Thesaurus; and words of VOResource's vocabulary."""
    for collection in collections:
        assert collection.subjects, collection.name
        assert set(collection.subjects) <= vocabulary.read_words("uat"), collection.name
        assert set(collection.content_types) <= vocabulary.read_words("content_type"), collection.name
        assert collection.short_name, collection.name
