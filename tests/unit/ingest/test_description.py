"""A collection's folder as a whole: what is wrong in any of its files, and between them."""

from __future__ import annotations

import pytest

from vo.errors import OperatorFault
from vo.ingest.description import read_description
from vo.metadata.collection import list_collections

GOOD = 'name = "own"\ntitle = "Own plates"\ndescription = "Plates of ours."\ncreators = ["We"]\n'
COLUMNS = """name: own
description: Own columns.
tables:
- name: plates
  description: Own columns.
  columns:
  - name: grade
    datatype: text
    description: Grade.
"""
MAPPING = '[source]\nformat = "csv"\n[plate]\nplate_id = "plate"\n[own]\ngrade = "grade"\n'


@pytest.fixture
def read(settings, tmp_path):
    def read(**files: str):
        folder = tmp_path / "own"
        folder.mkdir(exist_ok=True)
        for name, text in {"collection_toml": GOOD, **files}.items():
            (folder / name.replace("_", ".")).write_text(text)
        return read_description(settings.model_copy(update={"resources_dir": tmp_path}), "own")

    return read


def told(found) -> list[tuple[str, int, str, str]]:
    return [(one.file.name, one.line, one.key, one.advice) for one in found.mistakes]


def test_sound_files(read):
    found = read(columns_yaml=COLUMNS, mapping_toml=MAPPING, examples_adql="-- name: All\nSELECT * FROM own.plates\n")
    assert told(found) == []
    assert found.collection.name == "own"
    assert found.mapping.used_columns == {"plate", "grade"}
    assert "grade" in found.catalogue.by_name["own.plates"].by_name
    assert found.examples[-1].collection == "own"


def test_files_beside_a_descriptor_that_is_not_sound_are_looked_at_all_the_same(read):
    found = read(
        collection_toml=GOOD.replace("title", "titel") + 'series_file = "series.csv"\n',
        columns_yaml=COLUMNS.replace("text", "txet"),
        mapping_toml=MAPPING.replace("plate_id", "plateid"),
        examples_adql="SELECT 1",
        series_csv="series\n",
    )
    assert found.collection is None
    assert {(one.file.name, one.line) for one in found.mistakes} >= {
        ("collection.toml", 2),
        ("columns.yaml", 8),
        ("mapping.toml", 4),
        ("examples.adql", 1),
        ("series.csv", 1),
    }


def test_columns_are_looked_at_even_when_the_folder_can_be_no_collection(settings, tmp_path):
    folder = tmp_path / "Own Plates"
    folder.mkdir()
    (folder / "collection.toml").write_text(GOOD.replace('"own"', '"Own Plates"'))
    (folder / "columns.yaml").write_text(COLUMNS.replace("text", "txet"))
    found = read_description(settings.model_copy(update={"resources_dir": tmp_path}), "Own Plates")
    assert [(one.file.name, one.line) for one in found.mistakes] == [("collection.toml", 1), ("columns.yaml", 8)]


def test_a_mapping_fills_columns_that_are_described(read):
    found = read(mapping_toml=MAPPING)
    assert told(found) == [("mapping.toml", 6, "own.grade", "describe it in columns.yaml")]
    found = read(mapping_toml=MAPPING.replace("grade =", "grades ="), columns_yaml=COLUMNS)
    assert told(found) == [("mapping.toml", 6, "own.grades", "did you mean grade?")]


def test_readers_are_known(read):
    found = read(collection_toml=GOOD + 'readers = ["fits",\n  "header"]\n')
    assert told(found) == [("collection.toml", 6, "readers[1]", "did you mean headers?")]
    found = read(collection_toml=GOOD.replace("title", "titel") + 'readers = ["tabel"]\n')
    assert told(found) == [
        ("collection.toml", 2, "titel", "did you mean title?"),
        ("collection.toml", 5, "readers[0]", "did you mean table?"),
    ]


def test_a_table_of_series_that_is_not_there(read):
    found = read(collection_toml=GOOD + 'series_file = "series.csv"\n')
    assert [one.text for one in found.mistakes] == ["cannot be read: No such file or directory"]


def test_files_that_nothing_reads(read):
    found = read(example_adql="", plates_csv="", notes_txt="", reader_py="")
    assert told(found) == [
        ("reader.py", 0, "", "say there what its columns are"),
        ("example.adql", 0, "", "did you mean examples.adql?"),
    ]


def test_no_folder(settings):
    with pytest.raises(OperatorFault, match="no collection 'nosuch'"):
        read_description(settings, "nosuch")


def test_what_is_shipped_is_sound(settings):
    for name in list_collections(settings):
        assert told(read_description(settings, name)) == [], name
