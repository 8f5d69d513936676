"""A TOML file held against a model: all mistakes at once, each with its line."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from vo.metadata.mistakes import Mistake, MistakesFault
from vo.metadata.toml_file import read_toml


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: str
    factor: int = 1


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str
    where: str = ""
    inner: tuple[Inner, ...] | None = None
    named: dict[str, Inner] = {}
    zone: float | bool = 0.0


@pytest.fixture
def mistakes(tmp_path):
    def mistakes(text: str | bytes) -> list[tuple[int, str, str, str]]:
        path = tmp_path / "outer.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(MistakesFault) as caught:
            read_toml(path).validate(Outer, "a thing")
        assert {one.file for one in caught.value.mistakes} == {path}
        assert all(str(one) in caught.value.text for one in caught.value.mistakes)
        return [(one.line, one.key, one.text, one.advice) for one in caught.value.mistakes]

    return mistakes


def test_all_mistakes_at_once_in_the_order_of_their_lines(mistakes):
    text = """# a thing
titel = "a title"
where = 3

[[inner]]
role = "a"
[[inner]]
fatcor = "many"
colour = "red"
"""
    assert mistakes(text) == [
        (2, "titel", "is not a key of a thing", "did you mean title?"),
        (3, "where", "input should be a valid string", ""),
        (7, "inner[1].role", "is required and not there", ""),
        (8, "inner[1].fatcor", "is not a key of a thing", "did you mean factor?"),
        (9, "inner[1].colour", "is not a key of a thing", "there are role, factor"),
    ]


def test_tables_by_names_of_the_curators_own_and_values_of_several_types(mistakes):
    text = """title = "a"
zone = "east"
[named.first]
role = "a"
factr = 2
"""
    assert mistakes(text) == [
        (2, "zone", "input should be a valid number, unable to parse string as a number", ""),
        (2, "zone", "input should be a valid boolean, unable to interpret input", ""),
        (5, "named.first.factr", "is not a key of a thing", "did you mean factor?"),
    ]


def test_a_key_that_is_there_already_is_not_suggested(mistakes):
    assert mistakes('title = "a"\ntitles = "b"\n') == [
        (2, "titles", "is not a key of a thing", "there are title, where, inner, named, zone")
    ]


def test_what_is_said_begins_small_but_for_names(tmp_path):
    class Frames(BaseModel):
        frames: Annotated[tuple[str, ...], Field(min_length=1)]
        equinox: str

        @field_validator("equinox")
        @classmethod
        def _refuse(cls, _value: str) -> str:
            raise ValueError("FK4 has an equinox")

    path = tmp_path / "frames.toml"
    path.write_text('frames = []\nequinox = ""\n')
    with pytest.raises(MistakesFault) as caught:
        read_toml(path).validate(Frames, "a thing")
    assert [one.text for one in caught.value.mistakes] == ["needs at least 1", "FK4 has an equinox"]


def test_a_required_key_of_the_whole_file_has_no_line(mistakes):
    assert mistakes('where = "here"\n') == [(0, "title", "is required and not there", "")]


@pytest.mark.parametrize(
    ("text", "line", "said", "advice"),
    [
        ('title = "a"\nwhere = here\n', 2, "is not TOML: Invalid value at column 9", "quotation marks"),
        ('title = "a\nwhere = ""\n', 1, "is not TOML: Illegal character '\\n' at column 11", "on the same line"),
        ('title = "a"\nwhere = "\\d"\n', 2, "is not TOML: Unescaped '\\' in a string at column 12", "single quotes"),
        ('title = "a"\ntitle = "b"\n', 2, "is not TOML: Cannot overwrite a value at column 12", "there twice"),
        ('title = "a"\nwhere = """\n\nb\n', 4, "is not TOML: Unterminated string at the end", ""),
        (b'title = "a"\n\nwhere = "\xe9"\n', 3, "is not UTF-8", "as UTF-8"),
    ],
)
def test_where_a_file_stops_to_be_toml(mistakes, text, line, said, advice):
    ((at, key, told, advised),) = mistakes(text)
    assert (at, key, told) == (line, "", said)
    assert advice in advised


def test_a_file_as_windows_writes_it(tmp_path):
    path = tmp_path / "outer.toml"
    path.write_bytes('\ufefftitle = "a"\r\nwhere = """x\r\ny"""\r\n'.encode())
    assert read_toml(path).validate(Outer, "a thing").where == "x\ny"


def test_what_a_mistake_says(tmp_path):
    assert (
        str(Mistake(tmp_path / "a", 3, "b.c", "is wrong", "mend it"))
        == f"{tmp_path}/a, line 3: b.c: is wrong (mend it)"
    )
    assert str(Mistake(tmp_path / "a", 0, "", "is not there")) == f"{tmp_path}/a: is not there"
