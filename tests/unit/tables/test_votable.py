from __future__ import annotations

import io
from pathlib import Path

import astropy.io.votable
import golden
import pyarrow as pa
import pytest
from astropy.io.votable import parse
from lxml import etree

from vo.metadata.fields import Field
from vo.tables import formats, votable
from vo.tables.descriptor import Bounds, Param, ServiceDescriptor, datalink_descriptor, soda_descriptor
from vo.tables.votable import Document

DID = Field("obs_publisher_did", "char", "*", ucd="meta.ref.ivoid", utype="obscore:Curation.PublisherDID")
OBSCORE = (
    DID,
    Field("s_ra", "double", unit="deg", ucd="pos.eq.ra", description="Centre, ICRS <right ascension>"),
    Field("s_dec", "double", unit="deg", ucd="pos.eq.dec"),
    Field("s_region", "char", "*", "adql:REGION", ucd="pos.outline;obs.field"),
    Field("s_fov", "double", unit="deg", ucd="phys.angSize;instr.fov"),
    Field("t_min", "double", unit="d", ucd="time.start;obs.exposure"),
    Field("t_exptime", "double", unit="s", ucd="time.duration;obs.exposure"),
    Field("date_obs", "char", "*", "timestamp", ucd="time.start;obs.exposure"),
    Field("obs_release_date", "char", "*", "timestamp", ucd="time.release"),
)
ROWS = [
    ("ivo://vo.example/dasch?b02312", 83.8, -5.4, "POLYGON ICRS 1 2 3 4 5 6", 12.5, 10614.0, 600.0, "1888-02-07", None),
    ("ivo://vo.example/dasch?a&b", None, None, None, None, None, None, None, "2026-11-21T00:00:00"),
]
INFOS = (
    ("standardID", "ivo://ivoa.net/std/TAP"),
    ("query", "SELECT * FROM x WHERE a < 'ü\"&'"),
    ("citation", "2012IAUS..285...29G"),
)
BOUNDS = Bounds((83.8, -5.4, 6.25), ((80.0, -8.0), (88.0, -8.0), (84.0, 1e-7)))

SCHEMA = etree.XMLSchema(etree.parse(Path(astropy.io.votable.__file__).parent / "data" / "VOTable.v1.4.xsd"))


def read(document):
    """The root of a document that is valid by the schema that astropy ships."""
    root = etree.fromstring(document)
    SCHEMA.assertValid(root)
    return root


def results(root):
    (found,) = root.findall("{*}RESOURCE[@type='results']")
    return found


def statuses(root):
    """QUERY_STATUS before and after the table, as (value, text)."""
    resource = results(root)
    table = resource.find("{*}TABLE")
    cut = len(resource) if table is None else list(resource).index(table)
    found = [(i, e) for i, e in enumerate(resource) if e.get("name") == "QUERY_STATUS"]
    return [(e.get("value"), e.text) for i, e in found if i < cut], [
        (e.get("value"), e.text) for i, e in found if i > cut
    ]


def full():
    return Document(
        OBSCORE,
        INFOS,
        (datalink_descriptor("http://x/vo", DID.name), soda_descriptor("http://x/vo", ref=DID.name)),
        description="Plates & exposures",
    )


@pytest.mark.parametrize("name", ["b2", "td"])
def test_a_whole_document(name, update_golden):
    columns = zip(*ROWS, strict=True)
    types = [pa.string() if field.datatype == "char" else pa.float64() for field in OBSCORE]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    batch = pa.RecordBatch.from_arrays(arrays, [field.name for field in OBSCORE])
    text = b"".join(formats.find(f"votable/{name}").write(full(), [batch], 1))
    golden.compare(f"tables/overflow_{name}.xml", text.decode(), update=update_golden)
    root = read(text)
    assert statuses(root) == ([("OK", None)], [("OVERFLOW", full().overflow_text)])
    assert [e.get("type") for e in root] == ["results", "meta", "meta"]


def test_a_small_document(update_golden):
    descriptor = soda_descriptor("http://x/vo", did="ivo://vo.example/dasch?b02312", bounds=BOUNDS)
    fields = (
        Field("ID", "char", "*", ucd="meta.id;meta.main"),
        Field("content_length", "long", unit="byte"),
        Field("link_authorized", "boolean"),
    )
    rows = [("ivo://vo.example/dasch?b02312", 10**12, True), ("<&>", None, None)]
    text = votable.write_rows(Document(fields, INFOS[:1], (descriptor,)), rows)
    golden.compare("tables/small.xml", text.decode(), update=update_golden)
    table = parse(io.BytesIO(text)).get_first_table().array
    assert list(table["ID"]) == ["ivo://vo.example/dasch?b02312", "<&>"]
    assert table["content_length"][0] == 10**12
    assert list(table["content_length"].mask) == list(table["link_authorized"].mask) == [False, True]
    assert statuses(read(text)) == ([("OK", None)], [])


def test_a_small_document_without_rows_or_with_missing_ones():
    empty = read(votable.write_rows(Document((DID,)), []))
    assert empty.find(".//{*}FIELD").get("name") == "obs_publisher_did"
    assert empty.findall(".//{*}TR") == []
    cut = read(votable.write_rows(Document((DID,), overflow_text="10 IDs at most"), [("a",)], overflow=True))
    assert statuses(cut) == ([("OK", None)], [("OVERFLOW", "10 IDs at most")])


def test_small_documents_carry_text_beyond_ascii():
    text = votable.write_rows(Document((Field("a", "char", "*"),)), [("Größe",)])
    assert read(text).find(".//{*}FIELD").get("datatype") == "unicodeChar"
    assert parse(io.BytesIO(text)).get_first_table().array["a"][0] == "Größe"


def test_a_fault_has_no_table_TAP_11(update_golden):  # noqa: N802  the assertion's id
    text = votable.fault_document("UsageFault: 'x < \x00y' & <z>")
    golden.compare("tables/fault.xml", text.decode(), update=update_golden)
    root = read(text)
    assert root.find(".//{*}TABLE") is None
    assert statuses(root) == ([("ERROR", "UsageFault: 'x < \ufffdy' & <z>")], [])


def test_systems_come_before_the_fields_that_refer_to_them_VOT_04():  # noqa: N802  the assertion's id
    root = read(votable.write_rows(full(), []))
    references = {field.get("name"): field.get("ref") for field in root.iter("{*}FIELD")}
    assert references == {
        "obs_publisher_did": None,
        "s_ra": "icrs",
        "s_dec": "icrs",
        "s_region": "icrs",
        "s_fov": None,
        "t_min": "utc_mjd",
        "t_exptime": None,
        "date_obs": "utc_iso",
        "obs_release_date": None,
    }
    order = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert order[:3] == ["icrs", "utc_mjd", "utc_iso"]
    mjd = root.find(".//{*}TIMESYS[@ID='utc_mjd']")
    assert (mjd.get("timescale"), mjd.get("timeorigin")) == ("UTC", "MJD-origin")
    table = parse(io.BytesIO(votable.write_rows(full(), [])))
    assert [system.system for system in table.iter_coosys()] == ["ICRS"]


def test_ids_are_unique_names_and_descriptors_find_their_column_VOT_04():  # noqa: N802  the assertion's id
    names = ["datalink", "icrs", "1st", "a b", "a_b", "Größe", "obs_publisher_did", "x", "X"]
    fields = [Field(name, "char", "*") for name in names] + [OBSCORE[1]]
    document = Document(fields, (), (datalink_descriptor("http://x", "OBS_PUBLISHER_DID"),))
    root = read(votable.write_rows(document, []))
    ids = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert len(ids) == len(set(ids))
    by_name = {element.get("name"): element.get("ID") for element in root.iter("{*}FIELD")}
    assert by_name["obs_publisher_did"] == "obs_publisher_did"
    assert by_name["datalink"] == "datalink_2"  # the descriptor has the name that service_def uses
    (param,) = root.findall(".//{*}GROUP/{*}PARAM")
    assert param.get("ref") == "obs_publisher_did"
    assert param.get("value") == ""


def test_a_descriptor_of_a_column_that_is_not_there_is_our_mistake_DSC_03():  # noqa: N802  the assertion's id
    with pytest.raises(ValueError, match="obs_publisher_did"):
        votable.write_rows(Document((OBSCORE[1],), (), (datalink_descriptor("http://x", "obs_publisher_did"),)), [])


def test_literature_has_its_ucd_DALI_12():  # noqa: N802  the assertion's id
    root = read(votable.write_rows(full(), []))
    assert root.find(".//{*}INFO[@name='citation']").get("ucd") == "meta.bib"
    assert root.find(".//{*}INFO[@name='query']").get("value") == "SELECT * FROM x WHERE a < 'ü\"&'"


def soda(**options):
    root = read(votable.write_rows(Document((DID,), (), (soda_descriptor("http://x/vo", **options),)), []))
    (resource,) = root.findall("{*}RESOURCE[@type='meta']")
    return resource


def test_soda_descriptor_as_clients_want_it():
    resource = soda(did="ivo://a/b?c", bounds=BOUNDS)
    assert (resource.get("utype"), resource.get("ID")) == ("adhoc:service", "soda")
    outside = {param.get("name"): param for param in resource.findall("{*}PARAM")}
    assert {param.get("datatype") for param in outside.values()} == {"char"}  # pyVO calls .lower() on each
    assert outside["standardID"].get("value") == "ivo://ivoa.net/std/SODA#sync-1.0"
    assert outside["accessURL"].get("value") == "http://x/vo/soda/sync"
    (group,) = resource.findall("{*}GROUP")
    assert group.get("name") == "inputParams"
    inside = {param.get("name"): param for param in group}
    assert inside["ID"].get("value") == "ivo://a/b?c"
    assert inside["ID"].get("ref") is None
    shapes = {
        name: [inside[name].get(key) for key in ("datatype", "arraysize", "xtype", "unit", "ucd", "value")]
        for name in ("CIRCLE", "POLYGON", "POS")
    }
    assert shapes == {
        "CIRCLE": ["double", "3", "circle", "deg", "pos.outline;obs", ""],
        "POLYGON": ["double", "*", "polygon", "deg", "pos.outline;obs", ""],
        "POS": ["char", "*", None, None, "pos.outline;obs", ""],
    }
    assert inside["CIRCLE"].find("{*}VALUES/{*}MAX").get("value") == "83.8 -5.4 6.25"
    assert inside["POLYGON"].find("{*}VALUES/{*}MAX").get("value") == "80.0 -8.0 88.0 -8.0 84.0 1e-07"
    # An optional scalar number with an empty value would crash pyVO.
    assert all(param.get("arraysize") for param in group)
    # What is our own is declared with its values (SOD-11).
    options = {name: [one.get("value") for one in param.iter("{*}OPTION")] for name, param in inside.items()}
    assert {name: values for name, values in options.items() if values} == {
        "RESPONSEFORMAT": ["image/fits", "image/jpeg", "image/png"],
        "MASK": ["0", "1"],
        "ORIENT": ["native", "north"],
    }


def test_soda_descriptor_for_rows_takes_the_id_from_a_column_DSC_02():  # noqa: N802  the assertion's id
    resource = soda(ref="obs_publisher_did")
    identifier = resource.find("{*}GROUP/{*}PARAM[@name='ID']")
    assert (identifier.get("ref"), identifier.get("value")) == ("obs_publisher_did", "")
    assert identifier.findall("{*}VALUES") == []
    assert resource.findall(".//{*}MAX") == []  # rows are of many exposures


def test_a_descriptor_without_outline_bounds_the_circle_alone():
    resource = soda(did="x", bounds=Bounds((1, 2, 3)))
    assert resource.find(".//{*}PARAM[@name='CIRCLE']/{*}VALUES/{*}MAX").get("value") == "1.0 2.0 3.0"
    assert resource.find(".//{*}PARAM[@name='POLYGON']/{*}VALUES") is None


def test_pyvo_calls_soda_with_what_the_descriptor_says():
    from pyvo.dal.adhoc import SodaQuery

    text = votable.write_rows(
        Document((DID,), (), (soda_descriptor("http://x", did="ivo://a/b?c", bounds=BOUNDS),)), []
    )
    resource = parse(io.BytesIO(text)).resources[1]
    query = SodaQuery.from_resource({}, resource, circle=(83.8, -5.4, 0.1))
    assert query.baseurl == "http://x/soda/sync"
    assert dict(query) == {"ID": "ivo://a/b?c", "CIRCLE": "83.8 -5.4 0.1"}


def test_a_service_describes_itself_SIA_05(update_golden):  # noqa: N802  the assertion's id
    own = ServiceDescriptor(
        id=None,
        name="this",
        description="Plates by position, time and band",
        standard_id="ivo://ivoa.net/std/SIA#query-2.0",
        access_url="http://x/sia2/query",
        parameters=(
            Param("BAND", "double", "2", "interval", "m", "em.wl;stat.interval", min="-Inf 3e-7", max="1e-6 +Inf"),
            Param("COLLECTION", options=("DASCH", "a&b"), description="Which collection"),
        ),
        utype="adhoc:this",
    )
    text = votable.write_rows(Document((DID,), (), (own,)), [])
    golden.compare("tables/self_description.xml", text.decode(), update=update_golden)
    resource = read(text)[1]
    assert (resource.get("utype"), resource.get("name"), resource.get("ID")) == ("adhoc:this", "this", None)
    assert [option.get("value") for option in resource.iter("{*}OPTION")] == ["DASCH", "a&b"]


def test_what_a_descriptor_may_not_say():
    with pytest.raises(ValueError, match="DSC-02"):
        Param("ID", ref="a", value="b")
    with pytest.raises(ValueError, match="must not hold"):
        ServiceDescriptor("x", "x", "x", None, "http://x?a=b", ())
    with pytest.raises(ValueError, match="either ref or did"):
        soda_descriptor("http://x")
    with pytest.raises(ValueError, match="either ref or did"):
        soda_descriptor("http://x", ref="a", did="b")
