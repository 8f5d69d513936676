"""`vo products make`: binned files, previews and thumbnails of scans; resumable, whole files only, damage is told."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import plates
import pytest
from astropy.io import fits
from patience import eventually
from PIL import Image
from wcs_truth import header_text

from vo.db.archive import read_bundles
from vo.db.records import Plate, PlateBundle, Scan
from vo.errors import OperatorFault
from vo.ingest import make
from vo.ingest.alone import alone
from vo.ingest.load import load_bundles
from vo.ingest.make import make_products
from vo.ingest.published import lock
from vo.pixels.inspect import inspect
from vo.products.make import StoppedError, make_plate, plan, products_folder

KINDS = ("bin", "preview", "thumbnail")
NAME = "poss1"
SHAPE = (1300, 1500)


def sky():
    """A plate: dark sky, and a bright square near the bottom left, as FITS counts."""
    data = np.random.default_rng(9).normal(500, 20, SHAPE).astype(np.int16)
    data[100:300, 200:400] = 4000
    return data


def write_scan(path, *, solved=True):
    text = header_text(NAXIS1=SHAPE[1], NAXIS2=SHAPE[0], CRPIX1=750.5, CRPIX2=650.5) if solved else ""
    header = fits.Header.fromstring(text, sep="\n") if solved else fits.Header([("SCANNUM", 1)])
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(sky(), header).writeto(path, overwrite=True)
    return path


def bundle_of(plate_id, path, **values):
    product = replace(
        plates.product(path.name, "fits", plate_id=plate_id, width=SHAPE[1], height=SHAPE[0], pixel_scale=1.7),
        product_id=f"{NAME}/{plate_id}/{path.name}",
        collection=NAME,
        location=path.as_uri(),
        content_length=path.stat().st_size,
        **values,
    )
    exposure = replace(plates.exposure(plate_id), collection=NAME)
    return PlateBundle(Plate(NAME, plate_id), (Scan(NAME, plate_id, "s1"),), (exposure,), (), (product,))


@pytest.fixture
def own(fresh_database, settings, tmp_path):
    """Three plates in a database of their own: two sound, of which one has no coordinates, and one cut off."""
    database = fresh_database()
    good = write_scan(tmp_path / "scans" / "a.fits")
    base = write_scan(tmp_path / "scans" / "b.fits", solved=False)
    bad = write_scan(tmp_path / "scans" / "c.fits")
    bundles = [bundle_of("a", good), bundle_of("b", base, is_base=True), bundle_of("c", bad)]
    bad.write_bytes(bad.read_bytes()[:200_000])
    changed = settings.model_copy(update={"products_dir": tmp_path / "made"})
    load_bundles(database, changed, NAME, bundles, "test")
    return SimpleNamespace(database=database, settings=changed, scans=tmp_path / "scans", made=tmp_path / "made" / NAME)


#: Whether somebody of this database waits for the lock of those who change plates.
WAITING = """
SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE d.datname = current_database() AND locktype = 'advisory' AND NOT granted
"""


def run(own, **values):
    return make_products(own.database, own.settings, NAME, **values)


def products_of(own, plate_id):
    with own.database.read() as connection:
        (bundle,) = read_bundles(connection, [(NAME, plate_id)])
    return {product.role: product for product in bundle.products}


def files_of(own):
    return {str(path.relative_to(own.made)): path.stat().st_mtime_ns for path in own.made.rglob("*") if path.is_file()}


def test_all_is_made_recorded_and_not_made_twice(own):
    told = []
    summary = run(own, jobs=2, progress=lambda done, total: told.append((done, total)))
    assert (summary.plates, summary.made, summary.recorded) == (3, 6, 6)
    assert len(summary.faults) == 1
    assert "poss1/c/c.fits" in summary.faults[0]
    assert "shorter than its header says" in summary.faults[0]
    assert told[-1] == (3, 3)
    found = products_of(own, "a")
    binned = found["fits_binned"]
    path = own.made / "a" / "a_bin16.fits"
    assert binned.location == path.as_uri()
    assert (binned.product_id, binned.bin_factor) == ("poss1/a/a_bin16.fits", 16)
    assert (binned.width, binned.height, binned.pixel_scale) == (93, 81, pytest.approx(1.7 * 16))
    assert binned.content_length == path.stat().st_size
    assert not binned.is_base
    (info,) = inspect(path)
    assert info.shape == (93, 81)
    whole = sky()[: 81 * 16, : 93 * 16].reshape(81, 16, 93, 16).mean(axis=(1, 3))
    assert np.array_equal(fits.getdata(path), np.rint(whole))
    assert products_of(own, "b")["fits_binned"].is_base
    assert set(products_of(own, "c")) == {"fits"}
    for role, size in (("preview", 1200), ("thumbnail", 200)):
        with Image.open(own.made / "a" / f"a_{role}.jpg") as picture:
            assert max(picture.size) == size
            assert picture.size[0] / picture.size[1] == pytest.approx(1500 / 1300, rel=0.01)
            grey = np.asarray(picture.convert("L"), dtype=float) / picture.size[1] * 1300
            height, width = grey.shape
            square = grey[round(height * (1 - 280 / 1300)) : round(height * (1 - 120 / 1300)),
                          round(width * 220 / 1500) : round(width * 380 / 1500)]  # fmt: skip
            assert square.mean() > 3 * grey[: height // 2].mean()
    before = files_of(own)
    again = run(own)
    assert (again.made, again.recorded) == (0, 0)
    assert files_of(own) == before


def test_published_rows_follow(own):
    """Where the binned file is #this, its size is what ObsCore tells."""
    database, settings = own.database, own.settings
    with database.owner() as connection:
        before = connection.execute("SELECT access_estsize FROM ivoa.obscore WHERE obs_id = 'a'").fetchone()
    folder = own.made.parent / "resources"
    shutil.copytree(settings.resources_dir, folder)
    described = folder / NAME / "collection.toml"
    described.write_text(described.read_text().replace('this = "fits"', 'this = "fits_binned"'))
    own.settings = settings.model_copy(update={"resources_dir": folder})
    run(own, plates=["a"])
    with database.owner() as connection:
        after = connection.execute("SELECT access_estsize FROM ivoa.obscore WHERE obs_id = 'a'").fetchone()
    size = (own.made / "a" / "a_bin16.fits").stat().st_size
    assert before[0] > 1000
    assert after[0] == -(-size // 1000)


def test_a_scan_that_changed_is_made_anew(own):
    run(own, plates=["a"], kinds=("bin",))
    before = products_of(own, "a")["fits_binned"].checksum
    data = sky()
    data[:] += 7
    path = own.scans / "a.fits"
    fits.PrimaryHDU(data, fits.getheader(path)).writeto(path, overwrite=True)
    summary = run(own, plates=["a"], kinds=("bin",))
    assert (summary.made, summary.recorded) == (1, 1)
    assert products_of(own, "a")["fits_binned"].checksum != before


def test_only_what_is_asked_for(own):
    run(own, plates=["b"], kinds=("thumbnail",))
    assert set(products_of(own, "b")) == {"fits", "thumbnail"}
    assert set(products_of(own, "a")) == {"fits"}
    summary = run(own, plates=["b"], kinds=KINDS, factor=4)
    assert summary.made == 2
    assert products_of(own, "b")["fits_binned"].bin_factor == 4
    with pytest.raises(OperatorFault, match="no plate nobody"):
        run(own, plates=["nobody"])


def test_what_was_made_but_not_recorded_is_recorded(own, monkeypatch):
    """As after a process that was killed: files are there, the database knows nothing of them."""
    monkeypatch.setattr(make, "load_bundles", lambda *_: None)
    run(own, plates=["a"])
    assert set(products_of(own, "a")) == {"fits"}
    monkeypatch.undo()
    before = files_of(own)
    summary = run(own, plates=["a"])
    assert (summary.made, summary.recorded) == (0, 3)
    assert set(products_of(own, "a")) == {"fits", "fits_binned", "preview", "thumbnail"}
    assert files_of(own) == before


def test_what_an_ingest_changes_meanwhile_stays(own):
    """The files are recorded while an ingest is at work on their plate: its word of the plate is not undone."""
    database = own.database
    with database.owner() as connection:
        connection.execute("UPDATE archive.plate SET comment = 'as it was' WHERE plate_id = 'a'")
    with ThreadPoolExecutor() as pool:
        with database.owner() as connection:
            lock(connection)
            connection.execute("UPDATE archive.plate SET comment = 'looked at anew' WHERE plate_id = 'a'")
            running = pool.submit(run, own, plates=["a"])
            eventually(lambda: ask(database, WAITING))
        assert running.result().recorded == 3
    assert ask(database, "SELECT comment FROM archive.plate WHERE plate_id = 'a'") == "looked at anew"


def ask(database, sql):
    with database.owner() as connection:
        return connection.execute(sql).fetchone()[0]


def test_a_file_that_is_gone_is_made_again(own):
    run(own, plates=["a"])
    (own.made / "a" / "a_preview.jpg").unlink()
    assert run(own, plates=["a"]).made == 1
    assert (own.made / "a" / "a_preview.jpg").stat().st_size > 1000


def test_two_at_once_are_refused(own):
    with (
        alone(own.made / ".lock", "vo products make", "VO_PRODUCTS_DIR"),
        pytest.raises(OperatorFault, match="another `vo products make`"),
    ):
        run(own)


def test_work_that_is_stopped_leaves_whole_files_and_records_them(own, monkeypatch):
    """The signal comes while plates are made."""

    class Stopped(BaseException):
        pass

    def stop(done, total):
        raise Stopped

    with pytest.raises(Stopped):
        run(own, progress=stop)
    assert not [name for name in files_of(own) if name.endswith(".part")]
    recorded = [name for name in "ab" if "preview" in products_of(own, name)]
    assert recorded
    made = [name for name in files_of(own) if not name.rpartition("/")[2].startswith(".")]
    assert run(own).made == 6 - len(made)
    assert set(products_of(own, "a")) == set(products_of(own, "b")) == {"fits", "fits_binned", "preview", "thumbnail"}


def test_a_stop_within_a_plate_leaves_nothing_half(tmp_path):
    path = write_scan(tmp_path / "a.fits")
    tasks = plan(bundle_of("a", path), tmp_path / "made", KINDS, 16)
    calls = []

    def check():
        calls.append(1)
        if len(calls) > 1:
            raise StoppedError

    with pytest.raises(StoppedError):
        make_plate("a", tasks, check)
    assert [one.name for one in (tmp_path / "made" / "a").iterdir()] == []


def test_remains_of_a_process_that_was_killed_go(tmp_path):
    path = write_scan(tmp_path / "a.fits")
    tasks = plan(bundle_of("a", path), tmp_path / "made", ("bin",), 16)
    (tmp_path / "made" / "a").mkdir(parents=True)
    (tmp_path / "made" / "a" / ".a_bin16.fits.4711.part").write_bytes(b"half")
    assert make_plate("a", tasks, lambda: None).made == 1
    assert sorted(one.name for one in (tmp_path / "made" / "a").iterdir()) == [".a.json", "a_bin16.fits"]


def test_what_came_with_the_scan_is_not_made(tmp_path):
    path = write_scan(tmp_path / "a.fits")
    bundle = bundle_of("a", path)
    own = bundle.products[0]
    here = {"location": path.as_uri(), "product_id": f"{NAME}/a/other"}
    others = {
        "preview": replace(own, role="preview", scan_id=None, **here),
        "bin": replace(own, role="fits_binned", bin_factor=16, **here),
    }
    for kind, other in others.items():
        tasks = plan(replace(bundle, products=(own, other)), tmp_path, KINDS, 16)
        assert [one.kind for one in tasks[0].wanted] == [one for one in KINDS if one != kind]
        elsewhere = replace(other, location=None)
        assert len(plan(replace(bundle, products=(own, elsewhere)), tmp_path, KINDS, 16)[0].wanted) == 3
    other_factor = replace(others["bin"], bin_factor=8)
    assert len(plan(replace(bundle, products=(own, other_factor)), tmp_path, KINDS, 16)[0].wanted) == 3
    binned_alone = replace(bundle, products=(others["bin"],))
    assert [one.kind for one in plan(binned_alone, tmp_path, KINDS, 16)[0].wanted] == ["preview", "thumbnail"]


@pytest.mark.parametrize("plate_id", ["..", "a/../../b", ".hidden", "ä ö"])
def test_names_of_plates_never_lead_out_of_the_folder(tmp_path, settings, plate_id):
    path = write_scan(tmp_path / "a.fits")
    folder = products_folder(settings, NAME)
    (task,) = plan(bundle_of(plate_id, path), folder, KINDS, 16)
    for one in task.wanted:
        assert one.path.parent.parent == folder
        assert one.path.resolve().is_relative_to(folder.resolve())


def test_a_bad_hdu_and_a_file_that_is_gone_are_told(tmp_path):
    path = write_scan(tmp_path / "a.fits")
    bundle = bundle_of("a", path, hdu=3)
    made = make_plate("a", plan(bundle, tmp_path / "made", KINDS, 16), lambda: None)
    assert "HDU 3" in made.faults[0]
    bundle = bundle_of("a", path)
    path.unlink()
    made = make_plate("a", plan(bundle, tmp_path / "made", KINDS, 16), lambda: None)
    assert "cannot be read here" in made.faults[0]


def test_a_process_that_dies_is_told(own, monkeypatch):
    monkeypatch.setattr(make, "_make_one", _die)
    with pytest.raises(OperatorFault, match="ended by itself"):
        run(own)


def _die(_plate_id, _tasks):
    os.kill(os.getpid(), 9)
