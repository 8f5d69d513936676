"""What answers say of a collection's data, in the words that astropy reads (Data Origin 1.2, DALI-12)."""

from __future__ import annotations

import pytest
from astropy.io.votable.dataorigin import DATAORIGIN_INFO

from vo.metadata.collection import load_collection
from vo.metadata.origin import dataset_origin
from vo.settings import Settings

DESCRIPTOR = """
name = "own"
title = "Own plates"
description = "Plates of ours."
creators = ["Ada", "Bea"]
"""

MORE = """
ivoid = "ivo://org.skyview/plates"
doi = "10.5281/zenodo.1234"
resource_version = "DR2"
original_date = 2019-05-01
publication_date = 2026-01-31
is_derived_from = ["2012IAUS..285...29G", "doi:10.1234/x"]
rights = "CC BY"
rights_uri = "https://creativecommons.org/licenses/by/4.0/"
bib_reference = "2020A&A...1....1O"
reference_url = "https://skyview.example/plates"
"""


@pytest.fixture
def read(settings, tmp_path):
    def read(text: str):
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / "collection.toml").write_text(text)
        own = load_collection(settings.model_copy(update={"resources_dir": tmp_path}), "own")
        return dataset_origin(own, Settings(_env_file=None))

    return read


def test_what_is_known_of_the_least_known_collection(read):
    assert read(DESCRIPTOR) == (
        ("data_ivoid", "ivo://vo-plates.example/own"),
        ("citation", "Own plates, Ada; Bea"),
        ("creator", "Ada; Bea"),
    )


def test_everything_that_can_be_said(read):
    assert read(DESCRIPTOR + MORE) == (
        ("data_ivoid", "ivo://org.skyview/plates"),
        ("citation", "doi:10.5281/zenodo.1234"),
        ("article", "2020A&A...1....1O"),
        ("creator", "Ada; Bea"),
        ("reference_url", "https://skyview.example/plates"),
        ("resource_version", "DR2"),
        ("rights", "CC BY"),
        ("rights_uri", "https://creativecommons.org/licenses/by/4.0/"),
        ("original_date", "2019-05-01"),
        ("publication_date", "2026-01-31"),
        ("is_derived_from", "2012IAUS..285...29G"),
        ("is_derived_from", "doi:10.1234/x"),
    )


def test_without_a_doi_the_paper_is_cited(read):
    said = dict(read(DESCRIPTOR + MORE.replace('doi = "10.5281/zenodo.1234"', "")))
    assert said["citation"] == said["article"] == "2020A&A...1....1O"


def test_the_words_are_those_that_astropy_reads(collections):
    for collection in collections:
        assert {name for name, _ in dataset_origin(collection, Settings(_env_file=None))} <= set(DATAORIGIN_INFO)
