"""mapping.toml: what may stand in it, what is refused and in which words, and that docs/mapping.md has all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from vo.errors import OperatorFault
from vo.metadata import mapping as mappings
from vo.metadata.collection import load_collection
from vo.metadata.forms import parse_angle_form, parse_date_form
from vo.metadata.mapping import ListMapping, load_mapping, read_equinox, read_unit
from vo.settings import Settings

DOCS = Path(__file__).parents[3] / "docs" / "mapping.md"

FIXED = """
[source]
format = "fixed"
[columns]
name = "1-5"
ra = "6-10"
rest = "11-"
[plate]
plate_id = "name"
"""


def load(tmp_path: Path, text: str) -> ListMapping | None:
    folder = tmp_path / "skyview"
    folder.mkdir(exist_ok=True)
    (folder / "collection.toml").write_text('name = "skyview"\ntitle = "t"\ndescription = "d"\ncreators = ["c"]\n')
    (folder / "mapping.toml").write_text(text, encoding="utf-8")
    return load_mapping(load_collection(Settings(resources_dir=tmp_path), "skyview"))


def test_columns_of_fixed_width_count_as_people_do(tmp_path):
    mapping = load(tmp_path, FIXED)
    line = "abcde12345the rest"
    assert [line[mapping.span(name)] for name in ("name", "ra", "rest")] == ["abcde", "12345", "the rest"]


def test_a_collection_without_a_mapping_has_none(tmp_path):
    load(tmp_path, FIXED)
    (tmp_path / "skyview" / "mapping.toml").unlink()
    assert load_mapping(load_collection(Settings(resources_dir=tmp_path), "skyview")) is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (("[plate]", "[plates]"), "plates: is not a key of a mapping"),
        (('plate_id = "name"', 'plate_id = "name"\nplate_name = "x"'), "plate.plate_name: is not a key of a mapping"),
        (('plate_id = "name"', 'plate_id = "nmae"'), "[columns] does not have: nmae"),
        (('"1-5"', '"5-1"'), "columns.name"),
        (('"1-5"', '"0-5"'), "counted from 1"),
        (('plate_id = "name"', 'plate_id = "{name"'), "pair of braces"),
        (('plate_id = "name"', "plate_id = {names = {a = 'b'}}"), "say where the value is"),
        (('plate_id = "name"', "plate_id = {column = 'name', pattern = '('}"), "not a regular expression"),
        (('plate_id = "name"', 'plate_id = "name"\nwidth_mm = {column = "ra", unit = "deg"}'), "no unit of this"),
        (('plate_id = "name"', 'plate_id = "name"\nwidth_mm = {column = "ra", form = "hhmm"}'), "times and angles"),
        (('format = "fixed"', 'format = "csv"'), "[columns]"),
        (('format = "fixed"', 'format = "xls"'), "source.format"),
        ((FIXED, FIXED + '[time]\ndate = "ra"\ndate_form = "yymmdd"\n'), "first_year"),
        ((FIXED, FIXED + '[time]\ndate = "ra"\ndate_form = "mmdd"\n'), "no form of a date"),
        ((FIXED, FIXED + '[time]\ndate = "ra"\nsystem = "zone"\n'), 'zone goes with system = "zone"'),
        ((FIXED, FIXED + '[time]\ndate = "ra"\nsystem = "zone"\nzone = "Mars/Base"\n'), "no time zone"),
        ((FIXED, FIXED + '[time]\ndate = "ra"\nsystem = "sidereal"\n'), "[sites.<name>]"),
        ((FIXED, FIXED + '[time]\ndate = "ra"\nclock_form = "hmh"\nclock = "ra"\n'), "no form of an angle"),
        ((FIXED, FIXED + '[position]\nra = "ra"\ndec = "ra"\nframe = "FK4"\n'), "have an equinox"),
        ((FIXED, FIXED + '[position]\nra = "ra"\ndec = "ra"\nframe = "FK4"\nequinox = "now"\n'), "no equinox"),
        ((FIXED, FIXED + '[position]\nra = "ra"\ndec = "ra"\nframe = "ICRS"\ndec_form = "h m s"\n'), "in degrees"),
        ((FIXED, FIXED + "[scan]\n"), "[scan] needs"),
        ((FIXED, FIXED + "[sites.x]\nlongitude = 400.0\nlatitude = 0.0\n"), "sites.x.longitude"),
        ((FIXED, "[source\n"), "is not TOML"),
        (('format = "fixed"', ""), "[columns]"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_file_and_key(tmp_path, changed, reason):
    assert changed[0] in FIXED
    with pytest.raises(OperatorFault) as fault:
        load(tmp_path, FIXED.replace(*changed))
    assert reason in fault.value.text
    assert str(tmp_path / "skyview" / "mapping.toml") in fault.value.text


def test_a_list_without_a_format_needs_a_reader(tmp_path):
    text = '[plate]\nplate_id = "name"\n'
    with pytest.raises(OperatorFault, match=r"source\.format: is required"):
        load(tmp_path, text)
    (tmp_path / "skyview" / "reader.py").write_text("")
    assert load(tmp_path, text).plate.plate_id.columns == ("name",)


@pytest.mark.parametrize("text", ["hhmmt", "ddmm", "hhmmss", "dddmmsst", "hh", "mmss", "hhmmsstt", "d m s"])
def test_forms_of_angles(text):
    form = parse_angle_form(text)
    assert form.width == (0 if " " in text else len(text))


@pytest.mark.parametrize("text", ["", "t", "hhss", "mmhh", "hhddmm", "hhhmm", "xx", "hh:mm", "ddmmhh"])
def test_what_is_no_form_of_an_angle(text):
    with pytest.raises(ValueError, match=r"no form|leaves out"):
        parse_angle_form(text)


@pytest.mark.parametrize(
    "text",
    ["yymmdd", "yyyy-mm-dd", "dd/mm/yy", "d.m.yyyy", "dd mon yyyy", "yyyy jjj", "yyyy mm dd.d", "yyyy-mm", "yyyy"],
)
def test_forms_of_dates(text):
    assert "".join(parse_date_form(text).parts) == text


@pytest.mark.parametrize("text", ["", "mmdd", "yyyyyy", "yy yyyy", "dd jjj yyyy", "yyyy-dd", "hh", "date"])
def test_what_is_no_form_of_a_date(text):
    with pytest.raises(ValueError, match="no form of a date"):
        parse_date_form(text)


def test_units_may_be_parts_of_others():
    assert read_unit("time", "0.1 min") == pytest.approx(6.0)
    assert read_unit("scale", "deg/cm") == pytest.approx(360.0)
    for text in ("0 min", "minutes", "deg", "1 2 min"):
        with pytest.raises(ValueError, match="no unit"):
            read_unit("time", text)


def test_equinoxes():
    assert [read_equinox(text) for text in ("B1950.0", "J2000", "1875", " 1900 ")] == [1950.0, 2000.0, 1875.0, 1900.0]


def keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every key of mapping.toml, dotted; a rule counts as one."""
    found = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        options = [inner, *getattr(inner, "__args__", ())]
        section = next((one for one in options if isinstance(one, type) and issubclass(one, mappings._Section)), None)
        if section is None or issubclass(section, mappings.Rule) or name == "sites":
            found.append(f"{prefix}{name}")
        else:
            found += keys(section, f"{prefix}{name}.")
    return found


def written(heading: str) -> list[str]:
    text = DOCS.read_text(encoding="utf-8")
    table = text[text.index(f"| {heading} |") :].split("\n\n", 1)[0]
    rows = re.findall(r"^\| (`[^|]+`) \|", table, flags=re.MULTILINE)
    return sorted(name for row in rows for name in re.findall(r"`([^`]+)`", row))


def test_every_key_is_documented():
    wanted = [key for key in keys(ListMapping) if key not in ("columns", "own")]
    assert written("Key") == sorted([*wanted, "columns", "own"])
    assert "source.delimiter" in wanted
    assert "scan.scanned" in wanted


def test_every_key_of_rules_and_sites_is_documented():
    rules = {
        name for model in (mappings.NumberRule, mappings.FlagRule, mappings.OwnRule) for name in model.model_fields
    }
    assert written("Rule's key") == sorted(rules)
    assert written("Site's key") == sorted(mappings.SiteRules.model_fields)


def test_every_way_to_tell_a_day_is_documented():
    annotation = mappings.TimeRules.model_fields["day"].annotation
    assert written("Day") == sorted(annotation.__args__)


def test_the_example_of_the_reference_is_valid(tmp_path):
    block = re.search(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
    mapping = load(tmp_path, block[1])
    assert mapping.plate.plate_id.columns == ("series", "number")
    assert mapping.time.zone == 1
