"""Example queries are translated against the published tables; what does not fit is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from vo.adql import Limits
from vo.errors import OperatorFault
from vo.metadata.examples import Example, Upload, read_examples
from vo.tap.examples import check_examples


def example(query: str, *, tables=(), uploads=()):
    return Example("mine-x", "mine", "X", "About.", "2.0", tables, uploads, query, Path("examples.adql"), 7)


def test_all_shipped_examples_fit(settings, collections, catalogue):
    examples = read_examples(settings, collections)
    assert examples
    check_examples(examples, catalogue, Limits())


def test_a_query_may_name_its_uploads_and_no_other(catalogue):
    upload = Upload("orbit", ("ra", "dec", "epoch"), ())
    check_examples([example("SELECT ra FROM tap_upload.orbit", uploads=(upload,))], catalogue, Limits())
    with pytest.raises(OperatorFault, match="obrit"):
        check_examples([example("SELECT ra FROM tap_upload.obrit", uploads=(upload,))], catalogue, Limits())
    with pytest.raises(OperatorFault, match=r"tap_upload\.orbit"):
        check_examples([example("SELECT ra FROM tap_upload.orbit")], catalogue, Limits())


def test_a_fault_names_file_line_column_and_example(catalogue):
    wrong = example("SELECT s_ra,\n       s_deck\nFROM ivoa.obscore")
    with pytest.raises(OperatorFault) as raised:
        check_examples([wrong], catalogue, Limits())
    assert raised.value.text.startswith("examples.adql, line 8: example 'X': column 8: ")
    assert "s_deck" in raised.value.text


def test_a_table_that_is_not_published_is_named(catalogue):
    wrong = example("SELECT s_ra FROM ivoa.obscore", tables=("ivoa.obscure",))
    with pytest.raises(OperatorFault, match=r"'ivoa\.obscure', which is not published"):
        check_examples([wrong], catalogue, Limits())
