"""The reader of lists by their mapping: every format, plates of several rows, what is refused, repaired and noted."""

from __future__ import annotations

import contextlib
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from astropy.table import Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from vo.db.records import PlateBundle
from vo.errors import OperatorFault
from vo.ingest.readers import Source
from vo.ingest.readers.table import READER
from vo.ingest.report import Report
from vo.ingest.templates import add_to_new
from vo.metadata.collection import Collection, load_collection
from vo.obscore.mapping import rows as derive_rows
from vo.settings import Settings

COLLECTION = """
name = "skyview"
title = "Skyview plates"
description = "Plates."
creators = ["Skyview"]
[footprint]
width_mm = 160.0
plate_scale = 100.0
"""

RULES = """
[plate]
plate_id = "{series}{number:0>4}"
series = "series"
plate_number = "number"
emulsion = {column = "emulsion", names = {J = "IIIa-J"}}
comment = "remark"
[exposure]
exptime = {column = "minutes", unit = "min"}
target_name = "object"
[position]
ra = "ra"
dec = "dec"
frame = "ICRS"
[time]
date = "date"
clock = "time"
"""

ROWS = {
    "series": ["a", "b", "b"],
    "number": ["7", "12", "12"],
    "emulsion": ["J", "103a-O", "103a-O"],
    "remark": ["scratched, here", "", ""],
    "minutes": ["30", "45.5", ""],
    "object": ["M 31", "M 42", "M 43"],
    "ra": ["10.5", "83.8", "83.9"],
    "dec": ["41.25", "-5.5", "-5.25"],
    "date": ["1931-02-03", "1932-03-04", "1932-03-04"],
    "time": ["21:30:00", "22:00", ""],
}

Read = Callable[..., tuple[list[PlateBundle], Report]]


@pytest.fixture
def collection(tmp_path: Path) -> Callable[..., Collection]:
    """A collection with this mapping; further files of its folder by their names."""

    def make(mapping: str, descriptor: str = COLLECTION, **files: str) -> Collection:
        folder = tmp_path / "resources" / "skyview"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in {"collection.toml": descriptor, "mapping.toml": mapping, **files}.items():
            (folder / name).write_text(text, encoding="utf-8")
        return load_collection(Settings(resources_dir=tmp_path / "resources"), "skyview")

    return make


def as_csv(rows: dict[str, list[str]], delimiter: str = ",", quote: str = '"') -> str:
    def cell(text: str) -> str:
        return f"{quote}{text}{quote}" if quote and (delimiter in text or not text) else text

    lines = [delimiter.join(rows), *(delimiter.join(map(cell, row)) for row in zip(*rows.values(), strict=True))]
    return "\n".join(lines) + "\n"


def write(folder: Path, form: str) -> Path:
    """The rows above in a format, numbers as numbers where it has them."""
    path = folder / f"list.{form}"
    if form == "csv":
        path.write_text(as_csv(ROWS))
    elif form == "tsv":
        path.write_text(as_csv(ROWS, "\t", ""))
    elif form == "ecsv":
        header = ["# %ECSV 1.0", "# ---", "# datatype:"]
        header += [
            f"# - {{name: {name}, {'unit: min, ' if name == 'minutes' else ''}datatype: string}}" for name in ROWS
        ]
        path.write_text(
            "\n".join([*header, "# meta: !!omap", "# - {by: test}", "# schema: astropy-2.0", ""]) + as_csv(ROWS, " ")
        )
    elif form == "fixed":
        path.write_text(
            "".join("".join(f"{text:16}" for text in row) + "\n" for row in zip(*ROWS.values(), strict=True))
        )
    else:
        numbers = {"number": "i4", "minutes": "f8", "ra": "f8", "dec": "f8"}
        table = Table(
            {name: [text or "nan" if name in numbers else text for text in texts] for name, texts in ROWS.items()}
        )
        for name, kind in numbers.items():
            table[name] = table[name].astype(kind)
        table["minutes"].unit = "min"
        written = {"votable": "votable", "fits": "fits", "parquet": "parquet"}[form]
        table.write(path, format=written)
    return path


def mapping_for(form: str) -> str:
    text = f'[source]\nformat = "{form}"\n'
    if form == "fixed":
        places = [f'{name} = "{place * 16 + 1}-{place * 16 + 16}"' for place, name in enumerate(ROWS)]
        text += "[columns]\n" + "\n".join(places) + "\n"
    return text + RULES


@pytest.mark.parametrize("form", ["csv", "tsv", "ecsv", "fixed", "votable", "fits", "parquet"])
def test_every_format_gives_the_same_plates(form, tmp_path, collection, read):
    bundles, report = read(READER, write(tmp_path, form), collection(mapping_for(form)))
    assert (report.read, report.used, report.refused) == (3, 3, 0)
    one, two = bundles
    assert (one.plate.plate_id, one.plate.series, one.plate.plate_number) == ("a0007", "a", "7")
    assert (one.plate.emulsion, one.plate.comment) == ("IIIa-J", "scratched, here")
    (exposure,) = one.exposures
    assert (exposure.ra, exposure.dec, exposure.target_name) == (10.5, 41.25, "M 31")
    assert exposure.position_origin == "logbook"
    assert exposure.t_min == pytest.approx(26375 + 21.5 / 24)
    assert exposure.t_max - exposure.t_min == pytest.approx(1800 / 86400)
    assert (exposure.exptime, exposure.t_calib_status, exposure.has_imaging) == (1800.0, "calibrated", False)
    assert two.plate.plate_id == "b0012"
    assert [one.publisher_did for one in two.exposures] == [f"ivo://test.example/skyview?b0012/{n}" for n in (1, 2)]
    assert [one.target_name for one in two.exposures] == ["M 42", "M 43"]
    assert two.exposures[0].exptime == 2730.0
    assert (two.exposures[1].exptime, two.exposures[1].t_max - two.exposures[1].t_min) == (None, 1.0)
    assert two.exposures[1].t_calib_status == "uncalibrated"


def test_units_that_a_table_tells_itself_are_taken(tmp_path, collection, read):
    for form in ("ecsv", "votable", "fits"):
        mapping = mapping_for(form).replace('{column = "minutes", unit = "min"}', '"minutes"')
        bundles, _ = read(READER, write(tmp_path, form), collection(mapping))
        assert bundles[0].exposures[0].exptime == 1800.0, form


def rows(**columns: list[str]) -> dict[str, list[str]]:
    count = len(next(iter(columns.values())))
    return {name: columns.get(name, texts[:1] * count) for name, texts in ROWS.items()}


@pytest.fixture
def load(tmp_path, collection, read) -> Callable[..., tuple[list[PlateBundle], Report]]:
    """Read rows from a CSV, all but the given columns alike."""

    def run(mapping: str = RULES, **columns: list[str]) -> tuple[list[PlateBundle], Report]:
        path = tmp_path / "some.csv"
        path.write_text(as_csv(rows(**columns)))
        return read(READER, path, collection('[source]\nformat = "csv"\n' + mapping))

    return run


def kinds(report: Report) -> list[tuple[str, int, str]]:
    return [(line.what, line.line, line.kind) for line in report.lines]


def test_eleven_exposures_on_one_plate_wherever_their_rows_stand(load):
    numbers = ["7", "8", "9"] * 11
    minutes = [str(1 + place) for place in range(33)]
    bundles, report = load(number=numbers, minutes=minutes)
    assert {one.plate.plate_id: len(one.exposures) for one in bundles} == {"a0007": 11, "a0008": 11, "a0009": 11}
    eight = next(one for one in bundles if one.plate.plate_id == "a0008")
    assert [one.exposure_id for one in eight.exposures] == [str(number) for number in range(1, 12)]
    assert [one.exptime for one in eight.exposures] == [60.0 * (2 + 3 * place) for place in range(11)]
    assert not report.lines


def test_rows_that_are_there_twice_are_refused(load):
    bundles, report = load(number=["7", "8", "7"])
    assert [len(one.exposures) for one in bundles] == [1, 1]
    assert kinds(report) == [("refused", 4, "row there twice")]
    assert "line 2" in report.lines[0].reason


def test_exposures_of_one_name_are_refused(load):
    named = RULES.replace("[exposure]", '[exposure]\nexposure_id = "object"')
    bundles, report = load(named, minutes=["1", "2", "3"], object=["x", "y", "x"])
    assert [one.exposure_id for one in bundles[0].exposures] == ["x", "y"]
    assert kinds(report) == [("refused", 4, "exposure there twice")]


COLUMN = """name: skyview
description: Ours.
tables:
- name: plates
  description: Ours.
  columns:
  - name: height
    datatype: double
    description: Height.
"""


def test_decimals_behind_a_comma(tmp_path, collection, read):
    """Numbers, angles and Julian dates; texts keep their commas, and a list that does not say so has none."""
    written = {"minutes": ["30,5"], "ra": ["10,25"], "dec": ["-5,5"], "date": ["2426375,75"], "object": ["M 31, 32"]}
    path = tmp_path / "some.csv"
    path.write_text(as_csv({**{name: texts[:1] for name, texts in ROWS.items()}, **written}, ";"))
    rules = RULES.replace('clock = "time"', 'date_form = "jd"') + '[own]\nheight = "minutes"\n'
    source = '[source]\nformat = "csv"\ndelimiter = ";"\n'
    files = {"columns.yaml": COLUMN}
    (bundle,), report = read(READER, path, collection(f'{source}decimal = ","\n{rules}', **files))
    (exposure,) = bundle.exposures
    assert (exposure.exptime, exposure.ra, exposure.dec, exposure.t_min) == (1830.0, 10.25, -5.5, 26375.25)
    assert exposure.target_name == "M 31, 32"
    assert bundle.plate.own == {"height": 30.5}
    assert not report.lines
    (bundle,), report = read(READER, path, collection(source + rules, **files))
    assert (bundle.exposures[0].exptime, bundle.exposures[0].ra, bundle.exposures[0].t_min) == (None, None, None)
    assert len(report.lines) == 4


def test_what_a_plate_is_told_to_be_differently(load):
    bundles, report = load(emulsion=["", "103a-O", "J"], minutes=["1", "2", "3"])
    assert bundles[0].plate.emulsion == "103a-O"
    assert ("repaired", 4, "plate told differently") in kinds(report)
    assert "emulsion" in report.lines[-1].reason


def test_rows_without_a_plate_are_refused(load):
    bundles, report = load(series=["", "a"], number=["", "2"])
    assert [one.plate.plate_id for one in bundles] == ["a0002"]
    assert kinds(report) == [("refused", 2, "no plate's name")]


def test_what_cannot_be_read_is_left_empty_and_told(load):
    cases = {
        "minutes": (["-5", "0", "many", "1e999"], "exptime"),
        "ra": (["400", "x"], "ra"),
        "dec": (["99"], "ra"),
        "date": (["1931-02-30", "soon"], "t_min"),
        "time": (["25:00"], "t_min"),
    }
    for column, (texts, value) in cases.items():
        bundles, report = load(**{column: texts, "number": [str(place) for place in range(len(texts))]})
        assert [getattr(one.exposures[0], value) for one in bundles] == [None] * len(texts), column
        assert [(line.what, line.line) for line in report.lines] == [
            ("repaired", place + 2) for place in range(len(texts))
        ]
        assert all(one.exposures[0].repair == line.reason for one, line in zip(bundles, report.lines, strict=True))


def test_what_is_missing_is_noted(load):
    bundles, report = load(ra=[""], date=[""], emulsion=[""])
    assert sorted(line.kind for line in report.lines) == ["unknown date", "unknown position", "unknown wavelengths"]
    assert bundles[0].exposures[0].position_origin is None
    assert bundles[0].exposures[0].repair is None


def test_carried_over_times_and_positions_are_told(load):
    sexagesimal = RULES.replace('dec = "dec"', 'dec = "dec"\ndec_form = "d m s"')
    bundles, report = load(sexagesimal, time=["23:59:60.0"], dec=["-00 30 60.0"])
    assert sorted(line.kind for line in report.lines) == ["position carried over", "time of day carried over"]
    assert bundles[0].exposures[0].dec == pytest.approx(-31 / 60)
    assert bundles[0].exposures[0].t_min == 26376.0


def test_texts_that_mean_nothing(load):
    nothing = RULES.replace('target_name = "object"', 'target_name = {column = "object", null = ["-99", "none"]}')
    bundles, _ = load(nothing, number=["1", "2", "3", "4"], object=["-99.0", "none", "None", "-98"])
    assert [one.exposures[0].target_name for one in bundles] == [None, None, "None", "-98"]


def test_patterns_values_and_first_columns(load):
    rules = RULES.replace(
        'target_name = "object"',
        'target_name = {column = ["remark", "object"], pattern = "M *(\\\\d+)", names = {31 = "Andromeda"}}\n'
        'observer = {value = "N. N."}',
    )
    bundles, _ = load(rules, number=["1", "2", "3"], remark=["M 31", "", "scratch"], object=["x", "M42", "M 8"])
    assert [one.exposures[0].target_name for one in bundles] == ["Andromeda", "42", None]
    assert {one.exposures[0].observer for one in bundles} == {"N. N."}


def test_names_with_blanks_and_signs_are_encoded(load):
    plain = RULES.replace('plate_id = "{series}{number:0>4}"', 'plate_id = "number"')
    bundles, _ = load(plain, number=["P 12+3", "a/b#c"])
    assert [one.exposures[0].publisher_did for one in bundles] == [
        "ivo://test.example/skyview?P%2012%2B3/1",
        "ivo://test.example/skyview?a%2Fb%23c/1",
    ]


def test_scans_make_images_and_nothing_else_does(load):
    bundles, _ = load(RULES, number=["1"])
    assert (bundles[0].scans, bundles[0].exposures[0].has_imaging) == ((), False)
    flag = RULES + '[scan]\nscanned = "object"\n'
    bundles, _ = load(flag, number=["1", "2", "3"], object=["Yes", "no", ""])
    assert [one.exposures[0].has_imaging for one in bundles] == [True, False, False]
    assert [[scan.scan_id for scan in one.scans] for one in bundles] == [["0"], [], []]
    named = RULES + '[scan]\nscan_id = "object"\n'
    bundles, _ = load(named, number=["1", "2"], object=["s7", ""])
    assert [one.exposures[0].scan_id for one in bundles] == ["s7", None]
    assert [one.exposures[0].has_imaging for one in bundles] == [True, False]


def test_scanned_plates_of_a_list_are_in_obscore(load, collection):
    """With a nominal footprint, and the files that templates tell of."""
    descriptor = COLLECTION + (
        '[[products.templates]]\nrole = "fits"\nlocation = "https://files.example/{plate_id}_{scan_id}.fits"\n'
        'content_type = "image/fits"\n'
    )
    bundles, report = load(RULES + '[scan]\nscanned = "object"\n', number=["1", "2"], object=["yes", "no"])
    found = collection(RULES, descriptor)
    made = add_to_new(found, bundles, report)
    assert [[one.location for one in bundle.products] for bundle in made] == [
        ["https://files.example/a0001_0.fits"],
        [],
    ]
    scanned, other = (derive_rows(bundle, found, Settings()) for bundle in made)
    (row,) = scanned.obscore
    assert (row["s_calib_status"], row["footprint_origin"], row["calib_level"]) == ("uncalibrated", "nominal", 1)
    assert (row["s_ra"], row["s_dec"]) == (10.5, 41.25)
    assert (len(other.plates), other.obscore) == (1, ())


def test_numbers_have_units_and_bounds(load):
    rules = RULES.replace("[exposure]", 'plate_scale = {column = "minutes", unit = "deg/cm", least = 0.1, most = 10}\n'
                          'width_mm = {value = "8", unit = "inch"}\nem_min = {value = "350", unit = "nm"}\n'
                          'em_max = {value = "5000", unit = "angstrom"}\n[exposure]')  # fmt: skip
    bundles, report = load(rules, number=["1", "2"], minutes=["0.5", "20"])
    assert bundles[0].plate.plate_scale == pytest.approx(180.0)
    assert bundles[0].plate.width_mm == pytest.approx(203.2)
    assert (bundles[0].plate.em_min, bundles[0].plate.em_max) == pytest.approx((3.5e-7, 5e-7))
    assert bundles[1].plate.plate_scale is None
    assert kinds(report) == [("repaired", 3, "value not understood")]


OWN = """
name: skyview
description: Own columns.
tables:
- name: plates
  "@id": "#plates"
  description: Own columns.
  columns:
""" + "".join(
    f'  - {{name: {name}, "@id": "#plates.{name}", datatype: {kind}, description: Some., {rest}"ivoa:ucd": meta}}\n'
    for name, kind, rest in (
        ("grade", "text", '"votable:arraysize": "*", '),
        ("hours", "double", ""),
        ("stars", "int", ""),
        ("good", "boolean", ""),
    )
)


def test_columns_of_ones_own(load, collection, tmp_path):
    rules = f"""{RULES}
        [own]
        grade = "object"
        hours = {{column = "time", form = "h m s"}}
        stars = {{column = "minutes", factor = 2}}
        good = {{column = "remark", yes = "fine"}}
        """
    collection("[plate]\n", **{"columns.yaml": OWN})
    bundles, report = load(rules, number=["1", "2"], minutes=["4", "4.3"], remark=["Fine", ""], object=["A", ""])
    assert bundles[0].plate.own == {"grade": "A", "hours": 21.5, "stars": 8, "good": True}
    assert bundles[1].plate.own == {"grade": None, "hours": 21.5, "stars": None, "good": None}
    assert kinds(report) == [("repaired", 3, "value not understood")]


def test_own_columns_that_are_not_described(load):
    with pytest.raises(OperatorFault, match=r"own.grade: .* describes no column 'grade'"):
        load(RULES + '[own]\ngrade = "object"\n', number=["1"])


def test_series_tables_tell_what_a_list_does_not(tmp_path, collection, read):
    series = (
        "series,instrument_name,aperture_m,plate_scale,scale_origin,width_mm,height_mm,rotation_deg,size_origin,"
        "facility_name,colour\na,Astrograph,0.4,60.1,fitted,160,150,0,glass,Skyview Hill,red\n"
    )
    found = collection(mapping_for("csv"), 'series_file = "series.csv"\n' + COLLECTION, **{"series.csv": series})
    bundles, _ = read(READER, write(tmp_path, "csv"), found)
    plate = bundles[0].plate
    assert (plate.instrument_name, plate.facility_name, plate.plate_scale) == ("Astrograph", "Skyview Hill", 60.1)
    assert (plate.width_mm, plate.height_mm) == (160.0, 150.0)


# ------------------------------------------------------------------------------------------------- files


def test_lines_of_other_lengths_are_refused(tmp_path, collection, read):
    path = tmp_path / "list.csv"
    path.write_text(as_csv(ROWS) + "too,few\n\n" + "NUL\0" + ",x" * 9 + "\n")
    _, report = read(READER, path, collection(mapping_for("csv")))
    assert kinds(report) == [("refused", 5, "wrong number of values"), ("refused", 7, "value not understood")]


def test_quotes_headers_comments_and_names(tmp_path, collection, read):
    path = tmp_path / "list.csv"
    path.write_text('Plates of Skyview\nas of 1999\na;7;"x;\ny"\n# lost: a 8\na;9;z\n', encoding="latin-1")
    mapping = """
        source = {format = "csv", delimiter = ";", header_lines = 2, comment = "#", column_names = ["s", "n", "o"]}
        plate = {plate_id = "{s}{n}"}
        exposure = {target_name = "o"}
        """
    bundles, report = read(READER, path, collection(mapping))
    assert {one.plate.plate_id: one.exposures[0].target_name for one in bundles} == {"a7": "x;\ny", "a9": "z"}
    assert {line.line for line in report.lines} == {4, 6}


def test_latin_1_and_utf_8(tmp_path, collection, read):
    path = tmp_path / "list.txt"
    mapping = """
        source = {{format = "fixed", encoding = "{}"}}
        columns = {{n = "1-2", o = "3-"}}
        plate = {{plate_id = "n"}}
        exposure = {{observer = "o"}}
        """
    path.write_bytes("a1Röser\n".encode("latin-1"))
    bundles, _ = read(READER, path, collection(mapping.format("latin-1")))
    assert bundles[0].exposures[0].observer == "Röser"
    with pytest.raises(OperatorFault, match="latin-1"):
        read(READER, path, collection(mapping.format("utf-8")))
    path.write_bytes(b"\xef\xbb\xbf" + "a1Röser\r\n".encode())
    bundles, _ = read(READER, path, collection(mapping.format("utf-8")))
    assert (bundles[0].plate.plate_id, bundles[0].exposures[0].observer) == ("a1", "Röser")


@pytest.mark.parametrize(
    ("form", "content", "reason"),
    [
        ("csv", b"series,number\na,7\n", "has no column date, dec, emulsion"),
        ("csv", b"series,series\na,7\n", "two columns are called 'series'"),
        ("csv", b"\n\n", "no line with the names"),
        ("ecsv", b"series number\na 7\n", "is not ECSV"),
        ("votable", b"<VOTABLE><RESOURCE/></VOTABLE>", "no TABLE"),
        ("fits", b"SIMPLE  =                    T", "list.fits"),
        ("parquet", b"PAR1 nothing", "list.parquet"),
        ("fixed", b"          \n", "no row with a plate"),
    ],
)
def test_files_that_are_no_such_list(form, content, reason, tmp_path, collection, read):
    path = tmp_path / f"list.{form}"
    path.write_bytes(content)
    with pytest.raises(OperatorFault) as fault:
        read(READER, path, collection(mapping_for(form)))
    assert reason in fault.value.text
    assert str(path) in fault.value.text


OWN_READER = '''
def rows(path):
    """Pairs of lines."""
    lines = path.read_text().splitlines()
    for name, remark in zip(lines[::2], lines[1::2]):
        yield {"name": name, "remark": remark, "minutes": float(len(remark))}
'''
OWN_MAPPING = (
    '[plate]\nplate_id = "name"\ncomment = "remark"\n[exposure]\nexptime = {column = "minutes", unit = "min"}\n'
)


def test_a_reader_of_ones_own_gives_the_rows(tmp_path, collection, read):
    path = tmp_path / "list.txt"
    path.write_text("a1\nscratched\na2\nfine\n")
    bundles, report = read(READER, path, collection(OWN_MAPPING, **{"reader.py": OWN_READER}))
    assert [(one.plate.plate_id, one.plate.comment, one.exposures[0].exptime) for one in bundles] == [
        ("a1", "scratched", 540.0),
        ("a2", "fine", 240.0),
    ]
    assert report.read == 2


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def rows(path):\n    yield {'name': 1 / 0}\n", "reader.py, line 2: ZeroDivisionError"),
        ("def rows(path)\n", "reader.py, line 1: SyntaxError"),
        ("import nothing_of_this_name\n", "reader.py, line 1: ModuleNotFoundError"),
        ("def lines(path):\n    return []\n", "no function rows"),
        ("def rows(path):\n    yield {'name': 'a'}\n", "has no column minutes, remark"),
        ("def rows(path):\n    return 7\n", "reader.py: TypeError"),
        ("def rows(path):\n    yield 7\n", "no row with a plate"),
    ],
)
def test_what_goes_wrong_in_it_is_told_with_its_line(source, reason, tmp_path, collection, read):
    path = tmp_path / "list.txt"
    path.write_text("a1\n")
    with pytest.raises(OperatorFault) as fault:
        read(READER, path, collection(OWN_MAPPING, **{"reader.py": source}))
    assert reason in fault.value.text


def test_later_rows_of_it_that_are_none_are_refused(tmp_path, collection, read):
    path = tmp_path / "list.txt"
    path.write_text("a1\n")
    source = (
        "def rows(path):\n    yield {'name': 'a', 'remark': None, 'minutes': 3}\n    yield None\n"
        "    yield {'name': 'b'}\n    yield {'name': 'c\\0', 'remark': '', 'minutes': 1}\n"
    )
    bundles, report = read(READER, path, collection(OWN_MAPPING, **{"reader.py": source}))
    assert [one.plate.plate_id for one in bundles] == ["a"]
    assert [line.line for line in report.lines if line.what == "refused"] == [2, 3, 4]


def test_only_named_files_of_a_collection_with_a_mapping_are_lists(collection, tmp_path, dasch_collection):
    named = collection(mapping_for("csv").replace("[source]", '[source]\nfiles = ["plates*.csv"]'))
    assert READER.suits(named, Path("plates_2.csv"))
    assert not READER.suits(named, Path("scan.fits"))
    assert not READER.suits(dasch_collection, Path("plates.csv"))
    assert not READER.accepts(tmp_path, b"")


def test_texts_that_a_database_cannot_hold_are_refused(tmp_path, collection, read):
    path = tmp_path / "list.parquet"
    columns = {name: texts[:1] * 2 for name, texts in ROWS.items()}
    parquet.write_table(pa.table({**columns, "object": ["M\0 31", "M 32"]}), path)
    with pytest.raises(OperatorFault, match=r'row 1, column "object".*NUL'):  # such a file is damaged as a whole
        read(READER, path, collection(mapping_for("parquet")))
    row = "    yield {{'name': '{}', 'remark': 'R\u00f6ser', 'minutes': 1}}\n"
    halves = "def rows(path):\n" + row.format("a\\ud800") + row.format("b")
    bundles, report = read(READER, path, collection(OWN_MAPPING, **{"reader.py": halves}))
    assert [one.plate.comment for one in bundles] == ["Röser"]
    assert kinds(report)[0] == ("refused", 1, "value not understood")


WHATEVER = """
source = {format = "fixed", encoding = "latin-1"}
columns = {name = "1-3", number = "4-8", ra = "9-13", dec = "14-18", date = "19-28", clock = "29-34", rest = "35-"}
plate = {plate_id = "{name}{number:0>5}", plate_number = "number", plate_scale = "ra", emulsion = "rest"}
exposure = {exptime = {column = "clock", form = "h m s"}, exposure_number = "number", rotation_deg = "dec"}
position = {ra = "ra", dec = "dec", ra_form = "hhmmt", dec_form = "ddmm", frame = "FK4", equinox = "B1875"}
sites = {here = {longitude = 13.0, latitude = 52.0}}
scan = {scanned = "rest"}
[time]
date = "date"
date_form = "yyyy-mm-dd"
clock = "clock"
clock_form = "hhmm"
system = "sidereal"
"""


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(st.binary(max_size=60) | st.from_regex(rb"[ab][12 ]{4}[0-9 +:-]{30}x?", fullmatch=True), max_size=12)
)
def test_whatever_stands_in_a_list_is_read_or_told(data, tmp_path, collection, read):
    """No fault but our own, and every row is used or refused (which the fixture `read` asserts)."""
    path = tmp_path / "list.txt"
    path.write_bytes(b"\n".join([b"a    1", *data]))
    bundles, report = read(READER, path, collection(WHATEVER))
    assert report.used == sum(len(one.exposures) for one in bundles)
    places = [(one.ra, one.dec) for bundle in bundles for one in bundle.exposures if one.ra is not None]
    assert all(0 <= ra < 360 and -90 <= dec <= 90 for ra, dec in places)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), form=st.sampled_from(["csv", "tsv", "ecsv", "votable", "fits", "parquet"]))
def test_whatever_stands_in_a_file_is_read_or_a_fault(data, form, tmp_path, collection, read):
    path = tmp_path / "list.any"
    path.write_bytes(data)
    with contextlib.suppress(OperatorFault):
        read(READER, path, collection(mapping_for(form)))


def test_memory_does_not_grow_with_a_list(tmp_path, collection, read):
    """Of a plate that is complete nothing stays but its name's count, which is gone too."""

    def peak(count: int) -> int:
        path = tmp_path / f"{count}.csv"
        row = {name: texts[0] for name, texts in ROWS.items()}
        with path.open("w") as file:
            file.write(",".join(row) + "\n")
            for number in range(count):
                file.write(",".join({**row, "number": str(number), "remark": ""}.values()) + "\n")
        found = collection(mapping_for("csv"))
        source = Source(path, found, "test.example", Report(str(path)), {}.get)
        tracemalloc.start()
        assert sum(1 for _ in READER.read(source)) == count
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(100)  # imports
    small, large = peak(5000), peak(20000)
    assert large - small < 15000 * 400  # a name and a count; a plate's records are 5 kB


def test_the_readers_example_of_the_reference_works(tmp_path, collection, read):
    text = (Path(__file__).parents[3] / "docs" / "mapping.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", text, flags=re.DOTALL)
    path = tmp_path / "list.txt"
    path.write_text("number;observer\n1;Röser\nLOST;-\n3;N. N.\n", encoding="latin-1")
    rules = '[plate]\nplate_id = "number"\n[exposure]\nobserver = "observer"\n'
    bundles, _ = read(READER, path, collection(rules, **{"reader.py": block[1]}))
    assert {one.plate.plate_id: one.exposures[0].observer for one in bundles} == {"1": "Röser", "3": "N. N."}
