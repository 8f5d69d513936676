import os
import re
from dataclasses import fields as dataclass_fields
from pathlib import Path

import astropy.units as u
import pytest

from vo.db.records import KEYS
from vo.errors import OperatorFault
from vo.metadata.collection import Collection, WideRule
from vo.metadata.felis import load_catalogue, load_schema
from vo.metadata.fields import Kind
from vo.metadata.mistakes import MistakesFault
from vo.metadata.words import RESERVED_WORDS, as_typed, is_regular

VOCABULARIES = Path(os.environ.get("VO_TEST_VOCABULARIES", Path(__file__).parents[4] / "shared" / "vocabularies"))
#: STANDARDS: ObsCore 1.1, table 6: name, VOTable type, unit, UCD (with Erratum 1), utype.
MANDATORY = """
dataproduct_type char - meta.code.class ObsDataset.dataProductType
calib_level int - meta.code;obs.calib ObsDataset.calibLevel
obs_collection char - meta.id DataID.collection
obs_id char - meta.id DataID.observationID
obs_publisher_did char - meta.ref.ivoid Curation.publisherDID
access_url char - meta.ref.url Access.reference
access_format char - meta.code.mime Access.format
access_estsize long kbyte phys.size;meta.file Access.size
target_name char - meta.id;src Target.name
s_ra double deg pos.eq.ra Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C1
s_dec double deg pos.eq.dec Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C2
s_fov double deg phys.angSize;instr.fov Char.SpatialAxis.Coverage.Bounds.Extent.diameter
s_region char - pos.outline;obs.field Char.SpatialAxis.Coverage.Support.Area
s_resolution double arcsec pos.angResolution Char.SpatialAxis.Resolution.Refval.value
s_xel1 long - meta.number Char.SpatialAxis.numBins1
s_xel2 long - meta.number Char.SpatialAxis.numBins2
t_min double d time.start;obs.exposure Char.TimeAxis.Coverage.Bounds.Limits.StartTime
t_max double d time.end;obs.exposure Char.TimeAxis.Coverage.Bounds.Limits.StopTime
t_exptime double s time.duration;obs.exposure Char.TimeAxis.Coverage.Support.Extent
t_resolution double s time.resolution Char.TimeAxis.Resolution.Refval.value
t_xel long - meta.number Char.TimeAxis.numBins
em_min double m em.wl;stat.min Char.SpectralAxis.Coverage.Bounds.Limits.LoLimit
em_max double m em.wl;stat.max Char.SpectralAxis.Coverage.Bounds.Limits.HiLimit
em_res_power double - spect.resolution Char.SpectralAxis.Resolution.ResolPower.refVal
em_xel long - meta.number Char.SpectralAxis.numBins
o_ucd char - meta.ucd Char.ObservableAxis.ucd
pol_states char - meta.code;phys.polarization Char.PolarizationAxis.stateList
pol_xel long - meta.number Char.PolarizationAxis.numBins
facility_name char - meta.id;instr.tel Provenance.ObsConfig.Facility.name
instrument_name char - meta.id;instr Provenance.ObsConfig.Instrument.name
"""


@pytest.fixture(scope="module")
def obscore(catalogue):
    return catalogue.by_name["ivoa.obscore"]


@pytest.mark.parametrize("line", MANDATORY.split("\n")[1:-1], ids=lambda line: line.split()[0])
def test_mandatory_columns_obs_01(obscore, line):
    name, datatype, unit, ucd, utype = line.split()
    column = obscore.by_name[name]
    shown = column.field()
    assert (shown.datatype.replace("unicodeChar", "char"), shown.unit or "-", shown.ucd, shown.utype) == (
        datatype,
        unit,
        ucd,
        f"obscore:{utype}",
    )
    assert column.principal
    assert column.std


def test_mandatory_columns_come_first_in_the_standards_order(obscore):
    names = [line.split()[0] for line in MANDATORY.split("\n")[1:-1]]
    assert [column.name for column in obscore.columns[:30]] == names


def test_no_nulls_where_the_standard_forbids_them_obs_02(obscore):
    held = {column.name for column in obscore.columns if column.std and not column.nullable}
    assert held == {"calib_level", "obs_collection", "obs_id", "obs_publisher_did"}


def test_region_is_a_shape_with_a_text_form_obs_10(obscore):
    region = obscore.by_name["s_region"]
    assert (region.kind, region.text_column) == (Kind.POLYGON, "s_region_text")
    assert (region.field().datatype, region.field().arraysize, region.field().xtype) == ("char", "*", "adql:REGION")


def test_utype_of_the_table_obs_12(obscore):
    assert obscore.utype == "ivo://ivoa.net/std/obscore#table-1.1"


def test_rights_and_release_date_go_together_obs_13(obscore):
    assert {"data_rights", "obs_release_date"} <= set(obscore.by_name)


def test_own_columns_are_not_standard_obs_16(obscore):
    own = [column for column in obscore.columns if not (column.utype or "").startswith("obscore:")]
    assert {"plate_id", "exposure_id", "n_exposures", "series", "emulsion", "filter", "footprint_origin"} <= {
        column.name for column in own
    }
    assert not any(column.std for column in own)


def test_time_range_and_paths(catalogue):
    for table in catalogue.tables:
        has_both = {"t_min", "t_max"} <= set(table.by_name)
        assert (table.time_range == ("t_range", "t_min", "t_max")) is has_both
    assert catalogue.by_name["ivoa.obscore"].by_name["access_url"].is_path
    assert not catalogue.by_name["ivoa.obscore"].by_name["obs_publisher_did"].is_path


def test_a_column_means_the_same_in_every_table(catalogue, collections):
    for collection in collections:
        plates = catalogue.by_name[f"{collection.name}.plates"]
        for column in plates.columns:
            other = catalogue.by_name["ivoa.obscore"].by_name.get(column.name)
            if other is not None:
                assert (column.unit, column.ucd, column.kind) == (other.unit, other.ucd, other.kind)
        narrow = catalogue.by_name[f"{collection.name}.narrow_plates"]
        assert narrow.columns == plates.columns
        assert narrow.is_view


def test_archive_tables_hold_the_records(catalogue):
    for kind, (table, key) in KEYS.items():
        if table == "product":
            assert f"archive.{table}" not in catalogue.by_name
            continue
        names = [one.name for one in dataclass_fields(kind) if one.name != "own"]
        described = catalogue.by_name[f"archive.{table}"]
        assert sorted(column.name for column in described.columns) == sorted(names)
        assert described.primary_key == key


def test_every_column_is_described_tsc_11(catalogue):
    for table in catalogue.tables:
        assert table.description
        for column in table.columns:
            assert column.description
            assert column.description.endswith("."), f"{table.qualified}.{column.name}"
            assert is_regular(column.name) or column.name == "size"


def test_units_are_vounits(catalogue):
    for table in catalogue.tables:
        for column in table.columns:
            if column.unit is not None:
                u.Unit(column.unit, format="vounit", parse_strict="raise")


def test_ucds_are_of_the_list_1_6(catalogue):
    path = VOCABULARIES / "ucd-list.txt"
    if not path.exists():
        pytest.skip(f"UCD list missing: {path} (set VO_TEST_VOCABULARIES to the folder that holds ucd-list.txt)")
    lines = [line.split("|") for line in path.read_text().splitlines() if "|" in line]
    places = {word.strip().lower(): flag.strip() for flag, word, *_ in lines}
    for table in catalogue.tables:
        for column in table.columns:
            if column.ucd is None:
                continue
            first, *rest = column.ucd.lower().split(";")
            assert places[first] in "PQECV", f"{table.qualified}.{column.name}: {first} cannot stand first"
            for word in rest:
                assert places[word] in "SQECV", f"{table.qualified}.{column.name}: {word} cannot stand after another"


def test_reserved_words_are_quoted_tsc_05():
    assert len(RESERVED_WORDS) == 266
    assert as_typed("size") == '"size"'
    assert as_typed("Year") == '"Year"'
    assert as_typed("s_ra") == "s_ra"
    assert as_typed("2mass") == '"2mass"'
    assert as_typed('a"b') == '"a""b"'


# ---------------------------------------------------------------------------------------- own columns and faults


def collection(folder: Path, **more: object) -> Collection:
    return Collection(name="own", title="Own plates", description="Ours.", creators=("We",), folder=folder, **more)


COLUMNS = """
name: own
description: Own columns.
tables:
- name: plates
  description: Own columns of the plates.
  columns:
  - name: grade
    datatype: text
    description: Grade of the plate.
    ivoa:ucd: meta.code.qual
  - name: seeing
    datatype: double
    ivoa:unit: arcsec
    description: Seeing.
  indexes:
  - name: plates_grade
    columns: ["#plates.grade"]
"""


def test_own_columns_stand_at_the_end(settings, tmp_path):
    (tmp_path / "columns.yaml").write_text(COLUMNS)
    catalogue = load_catalogue(settings, [collection(tmp_path)])
    plates = catalogue.by_name["own.plates"]
    assert [column.name for column in plates.columns[-2:]] == ["grade", "seeing"]
    assert plates.by_name["grade"].indexed
    assert not plates.by_name["seeing"].indexed
    assert catalogue.by_name["own.narrow_plates"].columns == plates.columns
    assert (
        plates.description
        == "Own plates: One row for each exposure of every plate, scanned or not, whatever its field."
    )


def test_the_wide_rule_makes_the_view(settings, tmp_path):
    catalogue = load_catalogue(settings, [collection(tmp_path, wide=WideRule(max_plate_scale=400.0))])
    narrow = catalogue.by_name["own.narrow_plates"]
    assert narrow.view_condition == "plate_scale IS NULL OR plate_scale <= 400.0"
    assert "400 arcsec/mm" in (narrow.description or "")
    assert load_catalogue(settings, [collection(tmp_path)]).by_name["own.narrow_plates"].view_condition == "true"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("name: seeing", "name: s_ra", "s_ra: every collection has such a column"),
        ("name: grade", "name: year", "reserved word"),
        ("name: grade", "name: Grade", "lower-case"),
        ("- name: plates\n", "- name: others\n", "'plates'"),
        ("meta.code.qual", "meta.nonsense", "meta.nonsense"),
        ("arcsec", "arcsecc", "arcsecc"),
        ("datatype: double", "datatype: quadruple", "quadruple"),
        ("datatype: double", "datatype: binary\n    length: 8", "binary is not supported"),
        ("description: Seeing.", "note: Seeing.", "note"),
        ("    description: Seeing.\n", "", "plates.seeing: has no description"),
        ("#plates.grade", "#plates.graed", "graed"),
        ("tables:", "tables: [", "YAML"),
        ("tables:", "tables: 3\nmore:", "a list of tables"),
        ("name: own\n", "- own", "YAML"),
        ("ivoa:unit: arcsec", "ivoa:units: arcsec", "did you mean ivoa:unit?"),
    ],
)
def test_wrong_descriptions_name_file_and_place(settings, tmp_path, old, new, says):
    assert old in COLUMNS
    (tmp_path / "columns.yaml").write_text(COLUMNS.replace(old, new))
    with pytest.raises(OperatorFault, match=re.escape(says)) as caught:
        load_catalogue(settings, [collection(tmp_path)])
    assert str(tmp_path / "columns.yaml") in caught.value.text


def test_all_that_is_wrong_is_told_with_its_line(settings, tmp_path):
    text = COLUMNS.replace("datatype: double", "datatype: duoble").replace("meta.code.qual", "meta.nonsense")
    (tmp_path / "columns.yaml").write_text(text.replace("    description: Seeing.", "    descripton: Seeing."))
    with pytest.raises(MistakesFault) as caught:
        load_catalogue(settings, [collection(tmp_path)])
    written = text.splitlines()
    told = [(written[one.line - 1].strip(), one.key, one.advice) for one in caught.value.mistakes]
    assert told == [
        ("ivoa:ucd: meta.nonsense", "plates.grade.ivoa:ucd", ""),
        ("datatype: duoble", "plates.seeing", "did you mean double?"),
        ("description: Seeing.", "plates.seeing.descripton", "did you mean description?"),
    ]


def test_what_felis_allows_and_we_do_not_is_told_with_its_line(settings, tmp_path):
    text = COLUMNS.replace("name: seeing", "name: year").replace('#plates.grade"]', '#plates.graed"]')
    (tmp_path / "columns.yaml").write_text(text.replace("    description: Grade of the plate.\n", ""))
    with pytest.raises(MistakesFault) as caught:
        load_catalogue(settings, [collection(tmp_path)])
    assert [(one.line, one.key) for one in caught.value.mistakes] == [
        (5, "plates"),
        (8, "plates.grade"),
        (11, "plates.year"),
    ]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(OperatorFault, match=re.escape(str(tmp_path / "none.yaml"))):
        load_schema(tmp_path / "none.yaml")


def test_a_collection_twice_is_refused(settings, tmp_path):
    with pytest.raises(OperatorFault, match="more than once"):
        load_catalogue(settings, [collection(tmp_path), collection(tmp_path)])
