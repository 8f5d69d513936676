from __future__ import annotations

import plates
import pytest

from vo.errors import NotFoundFault, OperatorFault
from vo.products.store import describe


def test_a_file_is_described_by_its_path_and_size(tmp_path):
    path = tmp_path / "a plate + 100%.fits"  # which an address must encode
    path.write_bytes(b"12345")
    held = describe(plates.product("a.fits", "fits", location=path.as_uri()))
    assert held.path == path
    assert held.size == 5


@pytest.mark.parametrize("prefix", ["file:", "file://", "file://localhost"])
def test_every_form_of_a_file_address_is_understood(tmp_path, prefix):
    path = tmp_path / "a.fits"
    path.write_bytes(b"1")
    assert describe(plates.product("a.fits", "fits", location=prefix + str(path))).path == path


def test_a_file_kept_elsewhere_is_not_found_and_the_fault_says_where():
    product = plates.product("a.fits", "fits", description="at Harvard, on tape 7")
    with pytest.raises(NotFoundFault, match=r"tests/p1/a.fits is not held here: at Harvard, on tape 7"):
        describe(product)


@pytest.mark.parametrize("location", ["s3://bucket/a.fits", "https://example.org/a.fits", "a.fits"])
def test_other_stores_are_refused_in_words(location):
    with pytest.raises(OperatorFault, match="cannot open"):
        describe(plates.product("a.fits", "fits", location=location))


@pytest.mark.parametrize("location", ["file:a.fits", "file://otherhost/a.fits"])
def test_a_location_that_is_no_path_of_this_machine_is_refused(location):
    with pytest.raises(OperatorFault, match="no absolute"):
        describe(plates.product("a.fits", "fits", location=location))


def test_a_missing_file_is_said_without_its_path_and_logged_with_it(tmp_path, caplog):
    path = tmp_path / "gone.fits"
    with pytest.raises(OperatorFault, match="No such file") as caught:
        describe(plates.product("a.fits", "fits", location=path.as_uri()))
    assert str(tmp_path) not in caught.value.text
    assert str(path) in caplog.text


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(OperatorFault, match="not a file"):
        describe(plates.product("a.fits", "fits", location=tmp_path.as_uri()))
