"""Identifiers of resources, and the paths of their pages."""

from __future__ import annotations

import pytest

from vo.metadata.ivoids import named_by, record_path


@pytest.mark.parametrize(
    ("identifier", "path"),
    [
        ("ivo://own.example", "/records/authority"),
        ("ivo://own.example/tap", "/records/tap"),
        ("ivo://own.example/a/b", "/records/a/b"),
        ("ivo://other.example/x%y", "/records/other.example/x%25y"),
        ("ivo://own.example.org/x", "/records/own.example.org/x"),
        ("ivo://own.example2/x", "/records/own.example2/x"),
        ("ivo://own.example/a(b)*'", "/records/a(b)*'"),
    ],
)
def test_a_path_leads_back_to_its_record(identifier, path):
    assert record_path("own.example", identifier) == path
    assert identifier in named_by("own.example", path.removeprefix("/records/").replace("%25", "%"))


def test_letter_case_of_an_authority_is_nothing():
    """IVOA Identifiers 2.0, section 2.1."""
    assert record_path("own.example", "ivo://Own.Example") == "/records/authority"
    assert record_path("own.example", "ivo://OWN.example/Tap") == "/records/Tap"
