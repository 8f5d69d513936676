"""RegTAP 1.2: what becomes of a VOResource document, field by field."""

from __future__ import annotations

import datetime as dt

import documents_by_hand as by_hand
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from vo.errors import OperatorFault
from vo.metadata.felis import load_schema
from vo.registry.regtap.rows import Rows, rows
from vo.registry.regtap.sheet import TABLES
from vo.settings import Settings

OLD = """<Resource xmlns="http://www.ivoa.net/xml/RegistryInterface/v1.0" xmlns:d="http://www.ivoa.net/xml/VODataService/v1.0"
 xmlns:s="http://www.ivoa.net/xml/SIA/v1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:type="d:CatalogService" created="2012-02-16" updated="2012-04-20T15:34:45.5+02:00">
 <validationLevel xmlns="" validatedBy="ivo://A.Validator">2</validationLevel>
 <title xmlns="">  The
   old one </title><shortName xmlns=""> </shortName><identifier xmlns="">IVO://Old.Example/Sia</identifier>
 <curation xmlns=""><publisher>P</publisher><creator><name ivo-id="ivo://X/Y">A. One</name><logo>http://l</logo></creator>
  <creator><name>B. Reyl\u00e9</name><altIdentifier>https://orcid.org/0000-0001</altIdentifier></creator>
  <contributor>Somebody</contributor><date role="representative">1999-01-01</date><date role="update">soon</date>
  <version>1.b</version><contact><name>C</name><telephone>12</telephone></contact></curation>
 <content xmlns=""><subject>Galaxies</subject><subject> </subject><subject>stars</subject><description/>
  <source format="BibCode">2012A</source><referenceURL>http://r</referenceURL><type>Survey</type>
  <contentLevel>Research</contentLevel><contentLevel>Elementary Education</contentLevel>
  <relationship><relationshipType>Service-For</relationshipType><relatedResource ivo-id="ivo://Z/A">Z</relatedResource>
  <relatedResource>without</relatedResource></relationship><relationship><relatedResource>?</relatedResource>
  </relationship></content>
 <rights xmlns="" rightsURI="http://cc">first</rights><rights xmlns="">second</rights>
 <capability xmlns="" xsi:type="s:SimpleImageAccess" standardID="ivo://ivoa.net/std/SIA"><!-- comment -->
  <validationLevel validatedBy="ivo://A.Validator">much</validationLevel><description>Images</description>
  <interface xsi:type="d:ParamHTTP" role="STD" version="1.0"><accessURL use="Base"> http://a? </accessURL>
   <mirrorURL>http://M1</mirrorURL><mirrorURL>http://M2</mirrorURL><queryType>GET</queryType><queryType>POST</queryType>
   <resultType>Text/XML</resultType><param use="Required" std="true"><name>POS</name><description>Where</description>
    <unit>deg</unit><ucd>POS.EQ</ucd><dataType arraysize="2" delim=",">Real</dataType></param>
   <testQueryString>POS=1,2</testQueryString><securityMethod standardID="ivo://ivoa.net/sso#OAuth"/></interface>
  <interface xsi:type="vr:WebBrowser"><accessURL>http://w</accessURL><securityMethod/><securityMethod
   standardID="x"/></interface>
  <imageServiceType>Cutout</imageServiceType><maxImageSize><long>10</long><lat>20</lat></maxImageSize></capability>
 <capability xmlns=""><interface xsi:type="vr:WebService"><accessURL>http://s</accessURL><wsdlURL>http://wsdl</wsdlURL>
  </interface></capability>
 <facility xmlns="">Dome</facility><instrument xmlns="" ivo-id="ivo://I/J">Lens</instrument>
 <coverage xmlns=""><stc:STCResourceProfile xmlns:stc="http://www.ivoa.net/xml/STC/stc-v1.30.xsd"><stc:AstroCoordSystem/>
  </stc:STCResourceProfile><waveband>Optical</waveband><waveband>Infrared</waveband><regionOfRegard>1e-2</regionOfRegard>
  </coverage>
 <table xmlns="" role="out"><name>T</name><column std="0"><name>RA</name><dataType xsi:type="d:SimpleDataType"
  >Float</dataType></column><column><name>x</name></column></table>
</Resource>"""


at = dt.datetime.fromisoformat


def read(document: str) -> Rows:
    return rows(etree.fromstring(document.encode()))


@pytest.fixture(scope="module")
def old() -> Rows:
    return read(OLD)


def only(made: Rows, table: str) -> dict[str, object]:
    (row,) = made.tables[table]
    return dict(row)


def test_rows_have_the_columns_of_the_schema_and_no_others(old):
    described = {table.name: [one.name for one in table.columns] for table in load_schema(SCHEMA).tables}
    assert set(TABLES) == set(described) - {"tap_table"}
    new = read(
        by_hand.resource("vs:CatalogResource", "ivo://a/b", "T", by_hand.coverage("0/1", "1 2", "3 4") + TABLESET)
    )
    for table in TABLES:
        found = [*old.tables[table], *new.tables[table]]
        if table != "alt_identifier":
            assert found, table
        assert all(sorted(row) == sorted(described[table]) for row in found), table


SCHEMA = Settings(_env_file=None).schema_dir / "rr.yaml"
TABLESET = by_hand.tables("S", "One", "Two", utype="ivo://X#Y", columns=by_hand.column("RA", "POS.EQ.RA", "Deg"))


def test_resource_lower_case_white_space_nulls_and_hash_lists(old):
    assert only(old, "resource") == {
        "ivoid": "ivo://old.example/sia", "res_type": "vs:catalogservice", "created": at("2012-02-16T00:00:00"),
        "short_name": None, "res_title": "The old one", "updated": at("2012-04-20T13:34:45"),
        "content_level": "research#elementary education", "res_description": None, "reference_url": "http://r",
        "creator_seq": "A. One; B. Reylé", "content_type": "survey", "source_format": "bibcode",
        "source_value": "2012A", "res_version": "1.b", "region_of_regard": 0.01, "waveband": "optical#infrared",
        "rights": "first", "rights_uri": "http://cc",
    }  # fmt: skip
    assert [row["res_subject"] for row in old.tables["res_subject"]] == ["Galaxies", "stars"]


def test_roles_have_only_what_voresource_gives_them(old):
    found = [
        (row["base_role"], row["role_name"], row["role_ivoid"], row["telephone"], row["logo"])
        for row in old.tables["res_role"]
    ]
    assert found == [
        ("creator", "A. One", "ivo://x/y", None, "http://l"),
        ("creator", "B. Reylé", None, None, None),
        ("contact", "C", None, "12", None),
        ("publisher", "P", None, None, None),
        ("contributor", "Somebody", None, None, None),
    ]


def test_terms_out_of_use_are_replaced_and_what_cannot_be_read_is_told(old):
    assert [tuple(row.values()) for row in old.tables["relationship"]] == [
        ("ivo://old.example/sia", "isservicefor", "ivo://z/a", "Z"),
        ("ivo://old.example/sia", "isservicefor", None, "without"),
    ]
    assert only(old, "res_date") | {"ivoid": ""} == {
        "ivoid": "", "date_value": at("1999-01-01T00:00:00"), "value_role": "collected",
    }  # fmt: skip
    assert only(old, "validation") == {
        "ivoid": "ivo://old.example/sia", "validated_by": "ivo://a.validator", "val_level": 2, "cap_index": None,
    }  # fmt: skip
    assert old.troubles == (
        "date is 'soon', not a date such as 2012-04-20 or 2012-04-20T15:34:45Z",
        "the validationLevel 'much' is no number",
        "a relationship has no relationshipType",
    )


def test_alternate_identifiers_of_the_resource_and_of_people(old):
    assert only(old, "alt_identifier")["alt_identifier"] == "https://orcid.org/0000-0001"
    document = by_hand.resource(
        "vs:CatalogResource", "ivo://a/b", "T",
        alternate="<altIdentifier>doi:10.5072/X</altIdentifier>", orcid="<altIdentifier>orcid:1</altIdentifier>",
    )  # fmt: skip
    found = [row["alt_identifier"] for row in read(document).tables["alt_identifier"]]
    assert found == ["doi:10.5072/X", "orcid:1"]


def test_interfaces_are_counted_within_the_resource_and_need_login_only_without_an_open_way(old):
    found = [
        (row["cap_index"], row["intf_index"], row["intf_type"], row["intf_role"], row["authenticated_only"])
        for row in old.tables["interface"]
    ]
    # the prefix vr is not declared there: such a type is taken as it is written
    assert found == [
        (1, 1, "vs:paramhttp", "std", 1),
        (1, 2, "vr:webbrowser", None, 0),
        (2, 3, "vr:webservice", None, 0),
    ]
    assert [(row["cap_type"], row["standard_id"]) for row in old.tables["capability"]] == [
        ("sia:simpleimageaccess", "ivo://ivoa.net/std/sia"),
        (None, None),
    ]
    first, _, third = old.tables["interface"]
    assert (first["query_type"], first["result_type"], first["url_use"]) == ("get#post", "text/xml", "base")
    assert (first["access_url"], first["mirror_url"]) == ("http://a?", "http://M1#http://M2")
    assert third["wsdl_url"] == "http://wsdl"
    assert only(old, "intf_param") == {
        "ivoid": "ivo://old.example/sia", "intf_index": 1, "name": "pos", "ucd": "pos.eq", "unit": "deg", "utype": None,
        "std": 1, "datatype": "real", "extended_schema": None, "extended_type": None, "arraysize": "2", "delim": ",",
        "param_use": "required", "param_description": "Where",
    }  # fmt: skip


def test_details_of_the_resource_and_of_capabilities(old):
    assert [(row["cap_index"], row["detail_xpath"], row["detail_value"]) for row in old.tables["res_detail"]] == [
        (None, "/facility", "Dome"),
        (None, "/instrument", "Lens"),
        (None, "/instrument/@ivo-id", "ivo://I/J"),
        (None, "/rights", "first"),
        (None, "/rights", "second"),
        (None, "/rights/@rightsURI", "http://cc"),
        (1, "/capability/imageServiceType", "Cutout"),
        (1, "/capability/interface/securityMethod/@standardID", "ivo://ivoa.net/sso#OAuth"),
        (1, "/capability/interface/securityMethod/@standardID", "x"),
        (1, "/capability/interface/testQueryString", "POS=1,2"),
        (1, "/capability/maxImageSize/lat", "20"),
        (1, "/capability/maxImageSize/long", "10"),
    ]


def test_tables_with_and_without_a_schema(old):
    table = only(old, "res_table")
    assert (table["schema_index"], table["table_index"], table["table_name"]) == (None, 1, "T")
    assert [(row["name"], row["std"], row["datatype"], row["type_system"]) for row in old.tables["table_column"]] == [
        ("ra", 0, "float", "vs:simpledatatype"),
        ("x", None, None, None),
    ]
    made = read(by_hand.resource("vs:CatalogResource", "ivo://a/b", "T", TABLESET))
    assert only(made, "res_schema")["schema_name"] == "s"
    assert [(row["schema_index"], row["table_index"], row["table_name"]) for row in made.tables["res_table"]] == [
        (1, 1, "S.One"),  # names of tables keep their case (RegTAP 1.1, Erratum 1)
        (1, 2, "S.Two"),
    ]
    assert {row["table_utype"] for row in made.tables["res_table"]} == {"ivo://x#y"}
    column = made.tables["table_column"][1]
    assert (column["table_index"], column["ucd"], column["unit"], column["flag"]) == (
        2, "pos.eq.ra", "Deg", "indexed#nullable",
    )  # fmt: skip


def covered(inner: str) -> Rows:
    return read(by_hand.resource("vs:CatalogResource", "ivo://a/b", "T", f"<coverage>{inner}</coverage>"))


@pytest.mark.parametrize(
    ("inner", "moc"),
    [
        ("<spatial>1/1,2 4\n2/12-14 21 8/</spatial>", "1/1-2 4 2/12-14 21 8/"),
        ("<spatial>6/0 1 2 3</spatial>", "5/0 6/"),
        ("<spatial> </spatial>", None),
        ('<spatial frame="MARS">0/1</spatial>', None),
        ("", None),
    ],
)
def test_coverage_on_the_sky_is_written_anew_and_null_when_unknown(inner, moc):
    made = covered(inner)
    assert only(made, "stc_spatial") == {"ivoid": "ivo://a/b", "coverage": moc, "ref_system_name": None}
    assert made.troubles == ()


@pytest.mark.parametrize("moc", ["everywhere", "1/48", "30/1", "0/5-3", '{"1":[1]}', "t5/1 s3/1"])
def test_a_coverage_that_is_no_moc_is_told_and_the_record_is_there_all_the_same(moc):
    made = covered(f"<spatial>{moc}</spatial><temporal>1 2</temporal>")
    assert only(made, "stc_spatial")["coverage"] is None
    assert only(made, "stc_temporal")["time_start"] == 1
    (trouble,) = made.troubles
    assert trouble.startswith("the spatial coverage cannot be read: ")


def test_intervals_of_time_and_energy():
    made = covered("<temporal>9825 49787</temporal><temporal>5 1</temporal><spectral>3e-19 6e-19</spectral>")
    assert [(row["time_start"], row["time_end"]) for row in made.tables["stc_temporal"]] == [(9825, 49787), (1, 5)]
    assert [(row["spectral_start"], row["spectral_end"]) for row in made.tables["stc_spectral"]] == [(3e-19, 6e-19)]
    assert made.troubles == ("the temporal coverage '5 1' has its ends the wrong way round; they were turned",)
    for wrong in ("1", "1 2 3", "a b", "NaN 1", "1 INF"):
        made = covered(f"<temporal>{wrong}</temporal>")
        assert made.tables["stc_temporal"] == []
        assert made.troubles == (f"the temporal coverage {wrong!r} is no interval of two numbers",)


def test_what_no_index_takes_is_cut_and_told():
    role, word = "n" * 3000, "w" * 5000
    made = read(by_hand.resource("vs:X", "ivo://a/b", "T", creator=role, description=f"one {word} two"))
    assert made.tables["res_role"][0]["role_name"] == "n" * 500
    assert only(made, "resource")["res_description"] == f"one {'w' * 500} two"
    assert only(made, "resource")["creator_seq"] == role
    assert [trouble.partition(" is longer")[0] for trouble in made.troubles] == ["res_description", "role_name"]


def test_a_type_nobody_knows_stays_as_it_is_written_in_lower_case():
    made = read(by_hand.resource("own:Thing", "ivo://a/b", "T").replace("<ri:Resource", '<ri:Resource xmlns:own="x"'))
    assert only(made, "resource")["res_type"] == "own:thing"
    plain = read("<r><identifier>ivo://a/b</identifier></r>")
    assert only(plain, "resource")["res_type"] == "vr:resource"


def test_a_record_without_identifier_is_refused():
    with pytest.raises(OperatorFault, match="no identifier"):
        read("<r><title>x</title></r>")


NAMES = st.sampled_from([
    "identifier", "title", "curation", "creator", "name", "content", "relationship", "relationshipType", "date",
    "relatedResource", "capability", "interface", "accessURL", "coverage", "spatial", "temporal", "spectral",
    "tableset", "schema", "table", "column", "dataType", "param", "validationLevel", "rights", "subject",
])  # fmt: skip
TEXTS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))


@st.composite
def elements(draw, depth=3):
    made = etree.Element(draw(NAMES))
    made.text = draw(TEXTS)
    for name in draw(st.lists(st.sampled_from(["standardID", "role", "std", "frame", "ivo-id"]), max_size=2)):
        made.set(name, draw(TEXTS) or "")
    if depth:
        made.extend(draw(st.lists(elements(depth=depth - 1), max_size=3)))
    return made


@given(st.lists(elements(), max_size=3))
def test_any_document_with_an_identifier_gives_rows_of_clean_texts(parts):
    root = etree.fromstring("<r><identifier>ivo://a/b</identifier></r>")
    root.extend(parts)
    for table in rows(root).tables.values():
        for row in table:
            texts = [value for value in row.values() if isinstance(value, str)]
            assert all(text and text == " ".join(text.split()) for text in texts)
