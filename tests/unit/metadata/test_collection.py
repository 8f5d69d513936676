import re
from pathlib import Path

import pytest

from vo.errors import OperatorFault
from vo.metadata.collection import HeaderRule, list_collections, load_collection

GOOD = """
name = "own"
title = "Own plates"
description = "Plates of ours."
creators = ["We"]

[footprint]
width_mm = 200
height_mm = 250
plate_scale = 100.5

[wide]
max_plate_scale = 400

[defaults]
em_min = 3.5e-7
em_max = 5e-7

[fits.plate_id]
keywords = ["PLATENUM", "REGION"]
pattern = '^(\\d+)'
"""


@pytest.fixture
def load(settings, tmp_path):
    def load(text: str, name: str = "own"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "collection.toml").write_text(text)
        return load_collection(settings.model_copy(update={"resources_dir": tmp_path}), name)

    return load


def test_read(load):
    own = load(GOOD)
    assert own.obs_collection == "OWN"
    assert own.footprint.plate_scale == 100.5
    assert own.products.this == "fits"
    assert own.fits.plate_id.find({"PLATENUM": " 12a "}, "x.fits") == "12"
    assert own.columns_file is None


def test_what_is_wide(load):
    own = load(GOOD)
    assert [own.is_wide(scale) for scale in (None, 399.0, 400.0, 400.1)] == [False, False, False, True]
    assert not load(GOOD.replace("max_plate_scale = 400", "")).is_wide(5000.0)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("title =", "titel =", "line 3: titel: is not a key of a collection (did you mean title?)"),
        ("plate_scale = 100.5", "plate_scal = 100.5", "line 10: footprint.plate_scal: is not a key"),
        ('title = "Own plates"', "", "title: is required"),
        ('["We"]', "[]", "creators"),
        ("max_plate_scale = 400", "max_plate_scale = -1", "wide.max_plate_scale"),
        ('["We"]', '["We"]\nivoid = "own"', "ivoid: write the identifier of a registry record"),
        ('["We"]', '["We"]\nivoid = "ivo://own.org/plates?1"', "ivoid"),
        ('["We"]', '["We"]\nivoid = "ivo://o/plates"', "ivoid"),
        ('["We"]', '["We"]\ndoi = "https://doi.org/10.5281/zenodo.1"', "doi: write a DOI without"),
        ('["We"]', '["We"]\nrights_uri = "CC-BY-4.0"', "rights_uri: write an address of the web"),
        ('["We"]', '["We"]\nreference_url = "our page"', "reference_url"),
        ('["We"]', '["We"]\npublication_date = "in spring"', "publication_date"),
        ('["We"]', '["We"]\nresource_version = ""', "resource_version"),
        ("em_max = 5e-7", "", "em_min and em_max go together"),
        ("em_max = 5e-7", "em_max = 5e-8", "em_min is larger"),
        ("^(\\d+)", "^(\\d+", "regular expression"),
        ("^(\\d+)", "(a)(b)", "at most one group"),
        ('name = "own"', 'name = "other"', "folder is 'own'"),
        ('name = "own"', 'name = "Own"', "lower-case"),
        ('name = "own"', 'name = "archive"', "taken"),
        ('name = "own"', 'name = "region"', "taken"),
        ('name = "own"', 'name = "authority"', "taken"),
        ('["We"]', '["We"]\nsubjects = ["sky-surveys", " "]', "subjects"),
        ('name = "own"', 'name = "own"\nfolder = "/"', "folder: is not a key"),
        ("[wide]", "[wide", "is not TOML"),
    ],
)
def test_faults_name_file_and_key(load, tmp_path, old, new, says):
    assert old in GOOD
    with pytest.raises(OperatorFault, match=re.escape(says)) as caught:
        load(GOOD.replace(old, new))
    assert str(tmp_path / "own" / "collection.toml") in caught.value.text


def test_an_unknown_collection_names_those_that_are_here(settings):
    with pytest.raises(OperatorFault, match=r"no collection 'dash'.*dasch.*VO_RESOURCES_DIR"):
        load_collection(settings, "dash")


def test_all_shipped_collections_are_read(settings, collections):
    assert tuple(one.name for one in collections) == list_collections(settings)
    assert len(collections) >= 1


def test_no_folder_of_resources_is_no_collection(settings):
    assert list_collections(settings.model_copy(update={"resources_dir": Path("/nowhere")})) == ()


@pytest.mark.parametrize(
    ("rule", "header", "file", "found"),
    [
        (HeaderRule(keywords=("A", "B")), {"B": "x"}, "f", "x"),
        (HeaderRule(keywords=("A", "B")), {"A": "  ", "B": "x"}, "f", "x"),
        (HeaderRule(keywords=("A",), pattern=r"\d+"), {"A": "no 17 b"}, "f", "17"),
        (HeaderRule(keywords=("A",), pattern=r"no (\d+)"), {"A": "no 17 b"}, "f", "17"),
        (HeaderRule(keywords=("A",), pattern=r"no (\d+)?"), {"A": "no b"}, "f", None),
        (HeaderRule(keywords=("A",), file_pattern=r"^([a-z]\d+)_"), {}, "b02312_bin16.fits", "b02312"),
        (HeaderRule(keywords=("A",), value="z"), {}, "f", "z"),
        (HeaderRule(), {"A": 1}, "f", None),
        (HeaderRule(keywords=("A",)), {"A": 0}, "f", "0"),
    ],
)
def test_how_a_header_rule_finds(rule, header, file, found):
    assert rule.find(header, file) == found
