"""Folders of new collections: what is guessed of a list, and that what is written is sound."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from vo.errors import OperatorFault
from vo.ingest.description import read_description
from vo.ingest.likely import find_likely
from vo.ingest.scaffold import Answers, write_folder
from vo.ingest.survey import survey
from vo.metadata.felis import load_schema

LIST = """plate;date;ut;RA (1950);Dec;exp. min;Emulsion;filter;observer;quality;size;Notes
A 1;3.2.1931;01:15;05 32 49;-05 25;45;103aO;;Baade;1;16;
A 2;13.2.1931;01:15;05 32 49;+05 25;60;103aO;GG 495;Baade;2;16;"clouds; wind"
"""


@pytest.fixture
def taken(settings) -> frozenset[str]:
    tables = load_schema(settings.schema_dir / "plates.yaml").tables
    return frozenset(next(one for one in tables if one.name == "plates").by_name)


@pytest.fixture
def made(settings, tmp_path, taken):
    """Write a folder for a list, read it back, and give both."""

    def made(found=None, **more):
        said = {"name": "own", "title": "Own", "description": "Ours.", "creators": ("We",), "taken_columns": taken}
        write_folder(tmp_path / "resources", Answers(**{**said, "survey": found, **more}))
        own = settings.model_copy(update={"resources_dir": tmp_path / "resources"})
        return read_description(own, str(more.get("name", "own")))

    return made


def test_a_list_with_semicolons(tmp_path, made):
    path = tmp_path / "plates.csv"
    path.write_text(LIST)
    found = survey(path)
    assert (found.format, found.delimiter, len(found.columns)) == ("csv", ";", 12)
    likely = find_likely(found)
    assert likely.columns == {
        "plate.plate_id": "plate",
        "plate.emulsion": "Emulsion",
        "plate.filter": "filter",
        "plate.comment": "Notes",
        "exposure.exptime": "exp. min",
        "exposure.observer": "observer",
        "position.ra": "RA (1950)",
        "position.dec": "Dec",
        "time.date": "date",
        "time.clock": "ut",
    }
    assert likely.settings == {
        "position.ra_form": "h m s",
        "position.dec_form": "d m s",
        "position.frame": "FK4",
        "position.equinox": "B1950",
        "time.date_form": "d.m.yyyy",
        "exposure.exptime.unit": "min",
    }
    assert [one.name for one in likely.left] == ["quality", "size"]
    description = made(found, plate_scale=101.4, width_mm=160.0, facility='Our "own" \\ vault')
    assert description.mistakes == []
    assert description.collection.facility_name == 'Our "own" \\ vault'
    assert description.collection.footprint.plate_scale == 101.4
    assert set(description.mapping.own) == {"quality", "list_size"}  # SIZE is a word of ADQL


def test_an_old_list_in_another_language(tmp_path, made):
    path = tmp_path / "plates.csv"
    path.write_bytes(
        "Plate;Date;RA 1875;DE 1875;G\xfcte;H\xf6he\nA 1;3.5.99;05 35,2;-05 27;gut;0,5\n".encode("latin-1")
    )
    found = survey(path)
    assert find_likely(found).settings == {
        "position.ra_form": "h m s",
        "position.dec_form": "d m s",
        "position.frame": "FK4",
        "position.equinox": "B1875",
        "time.date_form": "d.m.yy",
        "time.first_year": 1890,
    }
    description = made(found)
    assert description.mistakes == []
    assert list(description.mapping.own) == ["gute", "hohe"]
    assert '# decimal = ","' in (description.folder / "mapping.toml").read_text()


def test_what_is_written_is_never_written_over(made, tmp_path):
    made()
    (tmp_path / "resources" / "own" / "collection.toml").write_text("mine")
    with pytest.raises(OperatorFault, match="is there already"):
        made()
    assert (tmp_path / "resources" / "own" / "collection.toml").read_text() == "mine"


@pytest.mark.parametrize("name", ["Own", "ivoa", "select", "a-b", ""])
def test_names_that_cannot_be(made, tmp_path, name):
    with pytest.raises(OperatorFault, match=r"taken|lower-case"):
        made(name=name)
    assert not (tmp_path / "resources").exists()


def test_the_folder_of_an_installed_package_is_left_alone(tmp_path):
    with pytest.raises(OperatorFault, match="VO_RESOURCES_DIR"):
        write_folder(tmp_path / "_shipped" / "resources", Answers("own", "Own", "Ours.", ("We",)))
    assert list(tmp_path.iterdir()) == []


def test_units_and_ucds_of_tables_that_have_them(tmp_path, made):
    table = Table({"nr": ["a1", "a2"], "x": [10.5, 11.0], "y": [-3.0, 4.0], "d": [15.0, 20.0], "when": [2.4e6] * 2})
    for name, unit, ucd in (("x", "deg", "pos.eq.ra"), ("y", "deg", "pos.eq.dec"), ("d", "min", "time.duration")):
        table[name].unit, table[name].meta["ucd"] = unit, ucd
    table.write(tmp_path / "list.xml", format="votable")
    found = survey(tmp_path / "list.xml")
    assert (found.format, find_likely(found).settings["exposure.exptime.unit"]) == ("votable", "min")
    assert find_likely(found).columns["position.ra"] == "x"
    assert find_likely(found).settings["position.ra_form"] == "deg"
    table.write(tmp_path / "list.ecsv", format="ascii.ecsv")
    assert [(one.name, one.unit) for one in survey(tmp_path / "list.ecsv").columns][1] == ("x", "deg")
    pq.write_table(pa.table({"plate": ["a"], "date": ["1931-02-03"]}), tmp_path / "list.parquet")
    assert survey(tmp_path / "list.parquet").format == "parquet"
    assert made(found).mistakes == []


def test_columns_of_fixed_width_are_where_no_blanks_are(tmp_path, made):
    path = tmp_path / "list.txt"
    path.write_bytes("".join(f"A{n:3d} 1931-02-{n % 28 + 1:02d}  caf\xe9\n" for n in range(50)).encode("latin-1"))
    found = survey(path)
    assert (found.format, found.encoding) == ("fixed", "latin-1")
    assert [one.place for one in found.columns] == ["1-1", "3-4", "6-15", "18-21"]
    assert made(found).mistakes == []


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@given(
    names=st.lists(
        st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8),
        min_size=2,
        max_size=6,
        unique=True,
    ),
    value=st.sampled_from(["", "1", "12 30 10.5", "1931-02-03", "310203", "x\ty", 'say "no"', "it's \\d"]),
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_whatever_columns_are_called_the_folder_is_sound(settings, tmp_path_factory, taken, names, value):
    folder = tmp_path_factory.mktemp("list")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([names, *[[f"{value}{number}" if value == "" else value for number in names] for _ in range(3)]])
    (folder / "list.csv").write_text(text.getvalue(), encoding="utf-8")
    said = Answers(
        "own", 'Title "x"', "a\nb", ("We", "'They'"), survey=survey(folder / "list.csv"), taken_columns=taken
    )
    write_folder(folder / "resources", said)
    own = settings.model_copy(update={"resources_dir": folder / "resources"})
    assert read_description(own, "own").mistakes == []


@pytest.mark.parametrize("content", [b"", b"  \n \n"])
def test_a_list_of_nothing(tmp_path, content):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(OperatorFault, match="is empty"):
        survey(tmp_path / "list.csv")


@pytest.mark.parametrize("content", ["plate,date\na,b\n".encode("utf-16"), bytes(range(256))])
def test_what_is_no_text_is_not_taken_for_columns_of_fixed_width(tmp_path, content):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(OperatorFault, match="save it as CSV UTF-8"):
        survey(tmp_path / "list.csv")
