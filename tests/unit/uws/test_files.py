"""The store of jobs' files: a folder, and a store that is none."""

import shutil

import pytest

from vo.errors import TransientFault
from vo.uws.files import JobFiles


@pytest.fixture(params=["folder", "data_dir", "memory:///"])
def files(request, settings, tmp_path):
    if request.param == "data_dir":
        return JobFiles(settings.model_copy(update={"data_dir": tmp_path}))
    place = str(tmp_path / "a" / "b") if request.param == "folder" else request.param
    return JobFiles(settings.model_copy(update={"jobs_store": place}))


def content(files, path):
    with files.open(path) as file:
        return file.read()


def is_there(files, path):
    try:
        files.open(path).close()
    except TransientFault:
        return False
    return True


def test_a_store_that_is_no_folder_keeps_nothing_on_a_disk(files, request):
    is_folder = request.node.callspec.params["files"] != "memory:///"
    files.write("job/1/result", iter([b"x"]))
    path = files.local_path("job/1/result")
    assert (files.folder is not None, path is not None) == (is_folder, is_folder)
    assert path is None or path.read_bytes() == b"x"


def test_a_file_is_what_was_written(files):
    assert files.write("job/1/result", iter([b"one", b"", b"two"])) == 6
    assert content(files, "job/1/result") == b"onetwo"
    assert b"".join(files.stream("job/1/result")) == b"onetwo"
    with files.open("job/1/result") as file:
        file.seek(3)
        assert file.read() == b"two"


def test_an_empty_file_is_a_file(files):
    assert files.write("job/1/result", iter(())) == 0
    assert content(files, "job/1/result") == b""


@pytest.mark.parametrize("pieces", [1, 30])
def test_what_breaks_off_leaves_no_file(files, pieces):
    def chunks():
        yield from [b"x" * 1_000_000] * pieces
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        files.write("job/1/result", chunks())
    with pytest.raises(TransientFault):
        files.open("job/1/result")
    if files.folder is not None:
        assert not [path for path in files.folder.rglob("*") if path.is_file()]


def test_a_large_file_is_not_there_before_it_is_complete(files):
    seen = []

    def chunks():
        for _ in range(30):
            yield b"x" * 1_000_000
            seen.append(is_there(files, "job/1/result"))

    assert files.write("job/1/result", chunks()) == 30_000_000
    assert seen == [False] * 30
    assert is_there(files, "job/1/result")
    assert sum(map(len, files.stream("job/1/result"))) == 30_000_000


def test_removing_takes_all_below_a_path_and_nothing_else(files):
    for path in ("job/1/result", "job/2/result", "job/uploads/a", "other/1/result"):
        files.write(path, iter([b"x"]))
    files.remove("job/1")
    assert content(files, "job/2/result") == b"x"
    files.remove("job/uploads/a")
    with pytest.raises(TransientFault):
        files.open("job/uploads/a")
    files.remove("job")
    files.remove("job")
    files.remove("never")
    assert content(files, "other/1/result") == b"x"
    for gone in ("job/1/result", "job/2/result", "job/uploads/a"):
        with pytest.raises(TransientFault):
            files.open(gone)


def test_the_last_of_a_disk_is_left_to_others(settings, tmp_path):
    free = shutil.disk_usage(tmp_path).free
    files = JobFiles(settings.model_copy(update={"data_dir": tmp_path, "disk_reserve_bytes": 2 * free}))
    with pytest.raises(TransientFault, match="full"):
        files.write("job/1/result", iter([b"x"]))
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_file_that_grows_into_the_last_of_a_disk_is_given_up(settings, tmp_path, monkeypatch):
    files = JobFiles(settings.model_copy(update={"data_dir": tmp_path, "disk_reserve_bytes": 1000}))
    usage = shutil.disk_usage(tmp_path)
    left = iter([5000, 900])
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: usage._replace(free=next(left)))
    with pytest.raises(TransientFault, match="full"):
        files.write("job/1/result", iter([b"x" * 10_000_000] * 5))
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_files_are_nobody_elses_business(settings, tmp_path):
    files = JobFiles(settings.model_copy(update={"jobs_store": str(tmp_path / "jobs")}))
    files.write("job/1/result", iter([b"x"]))
    assert (tmp_path / "jobs").stat().st_mode & 0o077 == 0


def test_a_store_that_cannot_be_written_is_a_fault_that_says_so(settings, tmp_path):
    (tmp_path / "jobs").write_text("a file stands where the folder should be")
    files = JobFiles(settings.model_copy(update={"jobs_store": str(tmp_path / "jobs")}))
    with pytest.raises(TransientFault, match="store"):
        files.write("job/1/result", iter([b"x"]))
