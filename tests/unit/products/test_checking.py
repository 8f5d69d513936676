"""``vo products check``: what is found is recorded, and nothing else is changed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import buckets
import plates
import pytest

from vo.db.archive import merge_records, read_bundles
from vo.db.records import Plate, Scan
from vo.errors import OperatorFault
from vo.products.checking import check_products
from vo.settings import Settings

CONTENT = b"a plate of glass" * 100
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()  # noqa: S324 - as DASCH gives them


@pytest.fixture
def archive(bucket, tmp_path, fresh_database):
    """A database with files here and in a bucket, and what is to be asked of it."""
    (tmp_path / "stores.toml").write_text(bucket.described())
    settings = Settings(data_dir=tmp_path, stores=tmp_path / "stores.toml", _env_file=None)
    (tmp_path / "here.fits").write_bytes(CONTENT)
    here = (tmp_path / "here.fits").as_uri()
    there = bucket.put("there.fits", CONTENT)
    records = [
        Plate(plates.NAME, "p1"),
        Scan(plates.NAME, "p1", "s1"),
        plates.product("here.fits", "fits", location=here),
        plates.product("there.fits", "fits", location=there, content_length=len(CONTENT), checksum=MD5),
        plates.product("gone.fits", "fits", location=(tmp_path / "gone.fits").as_uri(), content_length=7),
        plates.product("lost.fits", "fits", location=there + ".lost"),
        plates.product("far.fits", "fits", description="at Harvard"),
    ]
    database = fresh_database()
    with database.owner() as connection:
        merge_records(connection, records)
    return database, settings, tmp_path


def products(database):
    with database.read() as connection:
        (bundle,) = read_bundles(connection, [(plates.NAME, "p1")])
    return {one.product_id.rpartition("/")[2]: one for one in bundle.products}


def found(checked):
    return sorted((one.product_id.rpartition("/")[2], one.kind) for one in checked.findings)


def test_lengths_and_missing_files_are_recorded_and_told(archive):
    database, settings, folder = archive
    told = []
    checked = check_products(database, settings, plates.NAME, progress=lambda *one: told.append(one))
    assert found(checked) == [("gone.fits", "missing"), ("lost.fits", "missing")]
    assert (checked.looked, checked.sound, checked.recorded) == (4, 2, 3)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    before = products(database)
    assert before["here.fits"].content_length == len(CONTENT)
    assert before["here.fits"].checksum is None
    assert before["gone.fits"].missing_date is not None
    assert before["gone.fits"].content_length == 7
    # The date is that of the first time, and goes when the file is there again.
    assert check_products(database, settings, None).recorded == 0
    (folder / "gone.fits").write_bytes(b"seven..")
    assert found(check_products(database, settings, plates.NAME)) == [("lost.fits", "missing")]
    after = products(database)
    assert after == {**before, "gone.fits": replace(before["gone.fits"], missing_date=None)}


def test_a_file_that_is_told_anew_while_it_is_looked_at_keeps_what_was_told(archive, tmp_path):
    """An ingest moves a file that was not where it should be, and tells another's length, before all are looked at."""
    database, settings, _ = archive
    moved = (tmp_path / "moved.fits").as_uri()

    def move(done, total):
        if done == total:
            with database.owner() as connection:
                connection.execute(
                    "UPDATE archive.product SET location = %s, content_length = 9 WHERE product_id LIKE '%%gone.fits'",
                    (moved,),
                )
                connection.execute(
                    "UPDATE archive.product SET content_length = 11 WHERE product_id LIKE '%%/here.fits'"
                )

    assert check_products(database, settings, plates.NAME, progress=move).recorded == 1
    after = products(database)
    gone = after["gone.fits"]
    assert (gone.location, gone.content_length, gone.missing_date) == (moved, 9, None)
    assert after["here.fits"].content_length == 11
    assert after["lost.fits"].missing_date is not None


def test_checksums_are_made_where_there_are_none_and_compared_where_there_are(archive, bucket):
    database, settings, folder = archive
    check_products(database, settings, None, checksums=True)
    made = products(database)
    assert made["here.fits"].checksum == SHA256
    assert made["there.fits"].checksum == MD5
    assert made["lost.fits"].checksum is None
    (folder / "here.fits").write_bytes(CONTENT[::-1])
    bucket.put("there.fits", CONTENT + b"!")
    checked = check_products(database, settings, None, checksums=True)
    wrong = [("here.fits", "checksum"), ("there.fits", "checksum"), ("there.fits", "length")]
    assert [one for one in found(checked) if one[1] != "missing"] == wrong
    assert products(database)["here.fits"].checksum == SHA256  # what was recorded is what it should be


def test_a_store_that_is_away_has_lost_nothing(archive, bucket):
    database, settings, folder = archive
    (folder / "away.toml").write_text(bucket.described(endpoint=f"http://127.0.0.1:{buckets.free_port()}"))
    away = settings.model_copy(update={"stores": folder / "away.toml", "store_seconds": 5})
    checked = check_products(database, away, plates.NAME)
    assert found(checked) == [("gone.fits", "missing"), ("lost.fits", "not seen"), ("there.fits", "not seen")]
    assert products(database)["there.fits"].missing_date is None


def test_what_was_found_before_a_check_was_stopped_stays(archive):
    class Stop(BaseException):
        pass

    def progress(done, _total):
        if done == 2:
            raise Stop

    database, settings, _ = archive
    with pytest.raises(Stop):
        check_products(database, settings, None, checksums=True, progress=progress)
    found = products(database)  # in the order of their identifiers
    assert found["gone.fits"].missing_date is not None
    assert found["here.fits"].checksum == SHA256
    assert found["lost.fits"].missing_date is None


def test_a_collection_without_files_is_told(archive):
    with pytest.raises(OperatorFault, match="nothing to check"):
        check_products(*archive[:2], "nosuch")
