"""UPLOAD as clients write it."""

from __future__ import annotations

import pytest

from vo.dali.parameters import Parameters
from vo.errors import UsageFault
from vo.uploads.request import MOST_TABLES, UploadRequest, read_uploads


def read(*values: str) -> tuple[UploadRequest, ...]:
    return read_uploads(Parameters([("UPLOAD", value) for value in values]))


def test_parts_and_addresses_dali_16():
    assert read("mine,param:file1", "Other_2,https://plates.example/t.vot?a=1,2;b") == (
        UploadRequest("mine", part="file1"),
        UploadRequest("Other_2", url="https://plates.example/t.vot?a=1,2;b"),
    )


def test_several_in_one_value_as_tap_1_0_wrote_them():
    assert read("a,param:x;b,http://plates.example/t;c") == (
        UploadRequest("a", part="x"),
        UploadRequest("b", url="http://plates.example/t;c"),
    )
    assert len(read("a,param:x;b,param:y", "c,param:z")) == 3


def test_none_is_none():
    assert read() == ()
    assert read("", "  ") == ()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("mine", "UPLOAD=name,param:part"),
        ("mine,", "UPLOAD=name,param:part"),
        (",param:x", "letters, digits"),
        ("1st,param:x", "a letter first"),
        ("a.b,param:x", "letters, digits"),
        ("a" * 101 + ",param:x", "at most 100"),
        ("mine,file:///etc/passwd", "param:, http: or https:"),
        ("mine,ftp://plates.example/t", "param:, http: or https:"),
        ("mine,vos://plates.example/t", "param:, http: or https:"),
        ("mine,nonsense", "param:, http: or https:"),
    ],
)
def test_what_cannot_be_used_is_told(value, says):
    with pytest.raises(UsageFault, match=says):
        read(value)


def test_names_are_unique_without_case():
    with pytest.raises(UsageFault, match="two tables are called mine"):
        read("mine,param:a", "MINE,param:b")


def test_too_many():
    with pytest.raises(UsageFault, match=f"limit is {MOST_TABLES}"):
        read(*[f"t{n},param:a" for n in range(MOST_TABLES + 1)])
