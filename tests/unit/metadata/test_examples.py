"""Example queries as files have them: what is read, and what is refused with its place."""

from __future__ import annotations

import pytest

from vo.errors import OperatorFault
from vo.metadata.collection import list_collections, load_collection
from vo.metadata.examples import Upload, read_examples
from vo.metadata.mistakes import MistakesFault
from vo.settings import Settings

COLLECTION = 'name = "mine"\ntitle = "Mine"\ndescription = "Plates."\ncreators = ["Me"]\n'


@pytest.fixture
def read(tmp_path):
    """Read a text as the examples of the collection ``mine``."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "collection.toml").write_text(COLLECTION, encoding="utf-8")
    settings = Settings(resources_dir=tmp_path, _env_file=None)

    def read_text(text: str, general: str | None = None):
        (tmp_path / "mine" / "examples.adql").write_text(text, encoding="utf-8")
        if general is not None:
            (tmp_path / "examples.adql").write_text(general, encoding="utf-8")
        return read_examples(settings, (load_collection(settings, "mine"),))

    return read_text


def test_an_example_has_its_words_and_its_query(read):
    (one,) = read(
        "-- Ours.\n\n"
        "-- name: A place, at a time\n"
        "--about: First line\n"
        "--   goes on here, with ADQL: as it is.\n"
        "-- Table: mine.plates\n"
        "-- table: ivoa.obscore\n"
        "\n"
        "SELECT *\n"
        "-- a comment of the query\n"
        "FROM mine.plates;\n\n"
    )
    assert (one.id, one.collection, one.name) == ("mine-a-place-at-a-time", "mine", "A place, at a time")
    assert one.about == "First line goes on here, with ADQL: as it is."
    assert one.tables == ("mine.plates", "ivoa.obscore")
    assert one.query == "SELECT *\n-- a comment of the query\nFROM mine.plates"
    assert (one.line, one.adql, one.uploads) == (9, "2.0", ())


def test_the_general_examples_come_first_and_may_have_the_names_of_others(read):
    text = "-- name: Same\nSELECT 1"
    assert [(one.id, one.collection) for one in read(text, text)] == [("general-same", None), ("mine-same", "mine")]


def test_an_upload_has_columns_and_rows(read):
    (one,) = read(
        "-- name: Comet\n-- adql: 2.1\n-- upload: orbit ra dec epoch\n-- row: 1 -2.5 3e4\n-- row: 4 5 6\n"
        "-- upload: more x\nSELECT * FROM tap_upload.orbit, tap_upload.more"
    )
    assert one.adql == "2.1"
    assert one.uploads == (
        Upload("orbit", ("ra", "dec", "epoch"), ((1.0, -2.5, 30000.0), (4.0, 5.0, 6.0))),
        Upload("more", ("x",), ()),
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("SELECT 1", 1, "-- name:"),
        ("-- name: a\n-- nmae: b\nSELECT 1", 2, "'nmae' is no key"),
        ("-- name: a\n-- about: nothing follows\n-- name: b\nSELECT 1", 1, "has no query"),
        ("-- name: a\n;", 1, "has no query"),
        ("-- name: ???\nSELECT 1", 1, "letters or digits"),
        ("-- name: A b\nSELECT 1\n-- name: a (B)\nSELECT 2", 4, "too much alike"),
        ("-- name: a\n-- adql: 3\nSELECT 1", 2, "2.0, 2.1"),
        ("-- name: a\n-- row: 1 2\nSELECT 1", 2, "below the `upload:`"),
        ("-- name: a\n-- upload: t x y\n-- row: 1\nSELECT 1", 3, "2 numbers"),
        ("-- name: a\n-- upload: t x y\n-- row: 1 two\nSELECT 1", 3, "2 numbers"),
        ("-- name: a\n-- upload: t\nSELECT 1", 2, "orbit ra dec epoch"),
        ("-- name: a\n-- upload: select x\nSELECT 1", 2, "orbit ra dec epoch"),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_place(read, text, line, words):
    with pytest.raises(OperatorFault) as raised:
        read(text)
    assert f"examples.adql, line {line}: " in raised.value.text
    assert words in raised.value.text


def test_a_collection_without_the_file_has_none(read, tmp_path):
    read("-- name: a\nSELECT 1")
    (tmp_path / "mine" / "examples.adql").unlink()
    settings = Settings(resources_dir=tmp_path, _env_file=None)
    assert read_examples(settings, (load_collection(settings, "mine"),)) == ()


def test_all_mistakes_of_both_files_are_told(read):
    with pytest.raises(MistakesFault) as raised:
        read(
            "-- name: a\n-- adql: 3\n-- tabel: x\nSELECT 1\n-- name: b\n",
            general="SELECT 1\nFROM x\n-- name: ?\nSELECT 1",
        )
    assert [(one.file.parent.name == "mine", one.line, one.advice) for one in raised.value.mistakes] == [
        (False, 1, ""),
        (False, 3, ""),
        (True, 3, "did you mean table?"),
        (True, 2, ""),
        (True, 5, ""),
    ]


def test_a_file_that_is_not_utf8_is_named(read, tmp_path):
    read("-- name: a\nSELECT 1")
    (tmp_path / "mine" / "examples.adql").write_bytes(b"-- name: M\xfcller\nSELECT 1")
    settings = Settings(resources_dir=tmp_path, _env_file=None)
    with pytest.raises(OperatorFault, match=r"examples\.adql, line 1: is not UTF-8"):
        read_examples(settings, (load_collection(settings, "mine"),))


def test_every_shipped_collection_has_examples(settings):
    collections = tuple(load_collection(settings, name) for name in list_collections(settings))
    examples = read_examples(settings, collections)
    assert {example.collection for example in examples} == {None, *(one.name for one in collections)}
    assert all(example.about and example.tables for example in examples)
    assert len({example.id for example in examples}) == len(examples)
