"""Bytes of files, whole and in part."""

import pytest

from vo.errors import OperatorFault
from vo.pixels.source import LocalFile


def test_parts_come_in_the_order_asked(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)))
    file = LocalFile(path, "demo/a/a.bin")
    assert (file.name, file.size) == ("demo/a/a.bin", 256)
    assert [bytes(part) for part in file.read([(250, 6), (0, 2), (7, 0)])] == [bytes(range(250, 256)), b"\0\1", b""]


@pytest.mark.parametrize("part", [(0, 257), (256, 1), (-1, 1), (1, -1)])
def test_parts_that_are_not_there(tmp_path, part):
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(256))
    with pytest.raises(OperatorFault, match=r"a\.bin is shorter than its header says"):
        LocalFile(path).read([part])


def test_files_that_are_empty_or_not_there(tmp_path):
    path = tmp_path / "a.bin"
    with pytest.raises(OperatorFault, match="cannot be read"):
        LocalFile(path)
    path.touch()
    assert [bytes(part) for part in LocalFile(path).read([(0, 0)])] == [b""]


def test_a_changed_file_has_another_version(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"a")
    before = LocalFile(path).version
    assert LocalFile(path).version == before
    path.write_bytes(b"ab")
    assert LocalFile(path).version != before
