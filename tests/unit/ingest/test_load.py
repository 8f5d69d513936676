import csv
import json
from dataclasses import replace

import numpy as np
import packages
import pytest
from astropy.io import fits as astrofits

from vo.db.archive import read_bundles
from vo.db.records import Exposure, Plate, PlateBundle
from vo.errors import FatalFault, OperatorFault
from vo.ingest.load import ingest, load_bundles
from vo.ingest.show import summary_table
from vo.ingest.summary import Summary


@pytest.fixture(scope="module")
def own(fresh_database):
    return fresh_database()


@pytest.fixture
def empty(own, settings):
    """A database without plates."""
    with own.owner() as connection:
        connection.execute(
            "TRUNCATE archive.plate, archive.scan, archive.exposure, archive.solution, archive.product CASCADE"
        )
        connection.execute("TRUNCATE dasch.plates, samples.plates, ivoa.obscore")
    return own


def ask(database, sql, *values):
    with database.owner() as connection:
        return connection.execute(sql, values).fetchall()


def counts(database):
    tables = ("archive.plate", "archive.scan", "archive.exposure", "archive.product", "dasch.plates", "ivoa.obscore")
    return {table: ask(database, f"SELECT count(*) FROM {table}")[0][0] for table in tables}


def bundle(plate="p1", name="1", **changes):
    known = {"ra": 10.0, "dec": 20.0, "position_origin": "logbook", "t_min": 20000.0, "t_max": 20000.1}
    exposure = Exposure("samples", plate, name, f"ivo://x/samples?{plate}/{name}", **{**known, **changes})
    return PlateBundle(
        Plate("samples", plate, plate_scale=100.0, width_mm=100.0, height_mm=100.0), exposures=(exposure,)
    )


def test_a_list_goes_in_and_a_second_time_changes_nothing(empty, settings, ecsv, solved):
    rows = [{**solved, "platenum": number, "pos.dec": number} for number in range(1, 40)]
    rows += [{**solved, "series": "ai", "platenum": 7}, {**solved, "platenum": 99, "wcssource": "none", "mosnum": ""}]
    path = ecsv(*rows, {**solved, "platenum": "x"})
    first = ingest(empty, settings, "dasch", path)
    assert (first.read, first.used, first.refused, first.plates, first.exposures) == (42, 41, 1, 41, 41)
    assert (first.with_imaging, first.without_imaging) == (40, 1)
    assert first.derived["plates"].inserted == 41
    assert first.derived["obscore"].inserted == 39  # neither the wide one nor the unscanned one
    assert counts(empty)["ivoa.obscore"] == 39
    before = ask(empty, "SELECT ctid, * FROM dasch.plates ORDER BY obs_publisher_did")
    second = ingest(empty, settings, "dasch", path)
    assert second.changed == 0
    assert (second.read, second.exposures, second.archive["exposure"].unchanged) == (42, 41, 41)
    assert ask(empty, "SELECT ctid, * FROM dasch.plates ORDER BY obs_publisher_did") == before


def test_a_changed_row_is_updated_and_others_are_not(empty, settings, ecsv, solved):
    other = {**solved, "platenum": 2}
    ingest(empty, settings, "dasch", ecsv(solved, other))
    done = ingest(empty, settings, "dasch", ecsv({**solved, "pos.dec": 61.0}, other))
    assert (done.archive["exposure"].updated, done.archive["exposure"].unchanged) == (1, 1)
    assert (done.derived["plates"].updated, done.derived["obscore"].updated) == (1, 1)
    assert ask(empty, "SELECT s_dec FROM ivoa.obscore ORDER BY obs_id") == [(60.0,), (pytest.approx(61.0),)]


def test_rows_that_a_source_lacks_stay(empty, settings, ecsv, solved):
    ingest(empty, settings, "dasch", ecsv(solved, {**solved, "platenum": 2}))
    ingest(empty, settings, "dasch", ecsv({**solved, "platenum": 2}))
    assert counts(empty)["dasch.plates"] == 2


def test_what_is_no_longer_shown_leaves_obscore(empty, settings, ecsv, solved):
    ingest(empty, settings, "dasch", ecsv(solved))
    done = ingest(empty, settings, "dasch", ecsv({**solved, "wcssource": "logbook"}))
    assert (done.removed, counts(empty)["ivoa.obscore"], counts(empty)["dasch.plates"]) == (1, 0, 1)


def test_all_or_nothing(empty, settings, ecsv, solved, monkeypatch):
    ingest(empty, settings, "dasch", ecsv(solved))
    before = counts(empty)

    def broken(*_args, **_kwargs):
        raise RuntimeError("power cut")

    monkeypatch.setattr("vo.ingest.load.write_rows", broken)
    with pytest.raises(RuntimeError):
        ingest(empty, settings, "dasch", ecsv({**solved, "platenum": 2}, {**solved, "pos.dec": 1.0}))
    assert counts(empty) == before
    assert ask(empty, "SELECT dec FROM archive.exposure") == [(60.0,)]


def test_the_report_file_has_every_refused_and_repaired_row(empty, settings, ecsv, solved):
    done = ingest(
        empty, settings, "dasch", ecsv({**solved, "exptime": -1}, {**solved, "platenum": "?"}, name="list.ecsv")
    )
    assert done.report.parent == settings.data_dir / "reports"
    with done.report.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["line"], line["plate"], line["what"], line["kind"]) for line in lines] == [
        ("24", "", "refused", "value not understood"),
        ("23", "i01234", "repaired", "negative exposure time"),
    ]
    assert all(line["source"].endswith("list.ecsv") and line["reason"] for line in lines)
    clean = ingest(empty, settings, "dasch", ecsv(solved))
    assert clean.report is None


def test_plates_are_written_in_the_order_of_the_sky(empty, settings, ecsv, solved):
    generator = np.random.default_rng(1)
    ra, dec = generator.uniform(0, 360, 300), np.degrees(np.arcsin(generator.uniform(-1, 1, 300)))
    rows = [
        {**solved, "platenum": number, "pos.ra": a, "pos.dec": d}
        for number, (a, d) in enumerate(zip(ra, dec, strict=True), 1)
    ]
    ingest(empty, settings, "dasch", ecsv(*rows))
    places = np.radians(np.array(ask(empty, "SELECT s_ra, s_dec FROM dasch.plates ORDER BY ctid")))
    vectors = np.stack(
        [
            np.cos(places[:, 1]) * np.cos(places[:, 0]),
            np.cos(places[:, 1]) * np.sin(places[:, 0]),
            np.sin(places[:, 1]),
        ],
        axis=1,
    )
    steps = np.degrees(np.arccos(np.clip((vectors[1:] * vectors[:-1]).sum(axis=1), -1, 1)))
    assert np.median(steps) < 15  # 90 degrees in any other order
    assert ask(empty, "SELECT count(*) FROM pg_stats WHERE schemaname = 'dasch' AND tablename = 'plates'")[0][0] > 10


def tan_file(path, ra, dec, size=(60, 40)):
    header = astrofits.Header()
    for axis, value, kind in ((1, ra, "RA---TAN"), (2, dec, "DEC--TAN")):
        header[f"CTYPE{axis}"], header[f"CRVAL{axis}"], header[f"CRPIX{axis}"] = kind, value, 20.0
    header["CD1_1"], header["CD1_2"], header["CD2_1"], header["CD2_2"] = -0.01, 0.0, 0.0, 0.01
    astrofits.PrimaryHDU(np.zeros(size[::-1], dtype=np.int16), header).writeto(path)
    return path


def test_a_list_does_not_undo_what_packages_and_records_have_told(empty, settings, ecsv, solved, tmp_path):
    package = packages.Package(
        "i01234", solutions=(packages.Tpv(10.0, 60.0),), exposures=(packages.exposure(0),), turn=90
    )
    record = tmp_path / "record.json"
    record.write_text(json.dumps(packages.record("i01234", exposures=[], catalog_exposures=[], **{"class": "L"})))
    rows = ecsv({**solved, "mosnum": 0}, {**solved, "platenum": 2})
    ingest(empty, settings, "dasch", rows)
    for path in (package.write(tmp_path), record):
        ingest(empty, settings, "dasch", path)
    tables = [
        "SELECT product_id, role, checksum, is_base, content_length, width, location FROM archive.product ORDER BY 1",
        "SELECT * FROM archive.scan ORDER BY 1, 2, 3",
        "SELECT * FROM archive.solution ORDER BY 1, 2, 3, 4, 5",
        "SELECT plate_id, comment FROM archive.plate ORDER BY 1",
        "SELECT plate_id, s_region_text, t_min, comment FROM dasch.plates ORDER BY 1",
    ]
    before = [ask(empty, sql) for sql in tables]
    assert any("Comet 1908c" in str(row) for row in before[3])
    again = ingest(empty, settings, "dasch", rows)
    assert again.changed == 0, (again.archive, again.derived)
    for path in (package.write(tmp_path), record):
        assert ingest(empty, settings, "dasch", path).changed == 0
    assert [ask(empty, sql) for sql in tables] == before


def test_a_new_result_is_a_new_version_and_the_same_again_is_none(empty, settings, tmp_path):
    package = packages.Package(exposures=(packages.exposure(2), packages.exposure(0)))
    sql = "SELECT solution_id, version, is_current, result_id FROM archive.solution ORDER BY 1, 2"
    for _ in range(2):
        ingest(empty, settings, "dasch", package.write(tmp_path))
        assert ask(empty, sql) == [("s0", 1, True, package.result), ("s1", 1, True, package.result)]
    better = package.better()
    for _ in range(2):
        ingest(empty, settings, "dasch", better.write(tmp_path))
        assert ask(empty, sql) == [
            ("s0", 1, False, package.result),
            ("s0", 2, True, better.result),
            ("s1", 1, False, package.result),
            ("s1", 2, True, better.result),
        ]


def test_a_folder_with_a_bad_package_loads_the_others_and_a_bad_package_alone_loads_nothing(empty, settings, tmp_path):
    packages.Package().write(tmp_path)
    bad = tmp_path / "bad.json"
    bad.write_text('{"metadata": {"series": "ai", "plateNumber": 5, "mosaic": {}}}')
    with pytest.raises(OperatorFault, match=r"bad\.json: metadata\.mosaic\.mosNum is None"):
        ingest(empty, settings, "dasch", bad)
    assert ask(empty, "SELECT count(*) FROM archive.plate") == [(0,)]
    done = ingest(empty, settings, "dasch", tmp_path)
    assert (done.read, done.used, done.plates, done.refused_by_kind) == (2, 1, 1, {"file not usable": 1})


def test_list_then_file_then_list_again(empty, settings, ecsv, solved, tmp_path):
    """A logbook's position is 8 degrees off; the file's solution puts it right, and the list does not undo that."""
    row = {
        **solved,
        "series": "b",
        "platenum": 2312,
        "wcssource": "logbook",
        "mosnum": 0,
        "pos.ra": 89.0,
        "pos.dec": -5.0,
    }
    path = ecsv(row)
    ingest(empty, settings, "dasch", path)
    assert counts(empty)["ivoa.obscore"] == 0
    scan = tan_file(tmp_path / "b02312_bin16.fits", 81.0, -8.0)
    done = ingest(empty, settings, "dasch", scan)
    assert (done.exposures, done.archive["exposure"].updated) == (1, 1)
    row_sql = "SELECT obs_publisher_did, round(s_ra), footprint_origin, s_xel1, t_exptime FROM ivoa.obscore"
    known = [(f"ivo://{settings.authority}/dasch?b02312/e0", 81.0, "solution", 60, 3600.0)]
    assert ask(empty, row_sql) == known
    again = ingest(empty, settings, "dasch", path)
    assert again.changed == 0
    assert ask(empty, row_sql) == known
    assert ingest(empty, settings, "dasch", scan).changed == 0
    # the held file took the place of the one that was only known of
    held = ask(empty, "SELECT product_id FROM archive.product WHERE location IS NOT NULL")
    assert held == [("dasch/b02312/b02312_00_16.fits",)]


def test_full_and_binned_files_of_one_folder_are_one_plate(empty, settings, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    tan_file(folder / "b00001_00_01.fits", 81.0, -8.0, (160, 160))
    tan_file(folder / "b00001_00_16.fits", 81.0, -8.0, (10, 10))
    done = ingest(empty, settings, "dasch", folder)
    assert (done.read, done.plates) == (2, 1)
    with empty.owner() as connection:
        (plate,) = read_bundles(connection, [("dasch", "b00001")])
    assert [(one.role, one.width) for one in plate.products] == [("fits", 160), ("fits_binned", 10)]
    assert [one.solution_id for one in plate.solutions] == ["s0", "s0-bin16"]
    assert len(plate.exposures) == 1
    assert ask(empty, "SELECT solution_id, s_xel1 FROM ivoa.obscore") == [("s0", 10)]
    assert ingest(empty, settings, "dasch", folder).changed == 0


def test_bundles_at_hand(empty, settings):
    done = load_bundles(empty, settings, "samples", [bundle("p1"), bundle("p2")], "made in a test")
    assert (done.read, done.plates, done.exposures, done.without_imaging) == (2, 2, 2, 2)
    assert load_bundles(empty, settings, "samples", iter([bundle("p1"), bundle("p2")]), "again").changed == 0
    with pytest.raises(OperatorFault, match="of collection 'samples', not of 'dasch'"):
        load_bundles(empty, settings, "dasch", [bundle()], "wrong place")


@pytest.mark.parametrize("where", ["one source", "two sources"])
def test_identifiers_may_not_differ_in_case_only(empty, settings, where):
    last = [bundle("P1")]
    if where == "two sources":
        load_bundles(empty, settings, "samples", [bundle("p1")], where)
    else:
        last.insert(0, bundle("p1"))
    with pytest.raises(OperatorFault, match="letter case"):
        load_bundles(empty, settings, "samples", last, where)


def test_progress_is_told(empty, settings, ecsv, solved):
    told = []
    ingest(empty, settings, "dasch", ecsv(solved, {**solved, "platenum": 2}), progress=lambda *args: told.append(args))
    assert told == [("reading", 1, 2), ("reading", 2, 2), ("writing", 2, 2)]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.ecsv", None, "does not exist"),
        ("empty.ecsv", b"", "is empty"),
        ("notes.txt", b"hello", "no kind of source that collection dasch takes"),
        ("noise.json", b"\x00\x01", "not JSON"),
        ("other.ecsv", b"# %ECSV 1.0\n# ---\nra dec\n1 2\n", "line 3: no column series"),
        ("noise.fits", b"\x00" * 5000, "gave no plate|refused"),
    ],
)
def test_bad_sources_are_the_operators_to_mend(empty, settings, tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    if name == "noise.fits":
        done = ingest(empty, settings, "dasch", path)
        assert (done.read, done.used, done.refused_by_kind) == (1, 0, {"file not usable": 1})
        return
    with pytest.raises(OperatorFault, match=says):
        ingest(empty, settings, "dasch", path)


def test_unknown_collections_and_readers(empty, settings, ecsv, solved, dasch_collection):
    path = ecsv(solved)
    with pytest.raises(OperatorFault, match="no collection 'nowhere'"):
        ingest(empty, settings, "nowhere", path)
    with pytest.raises(
        OperatorFault, match="lists readers telepathy; there are table, dasch_plates, dasch, headers, fits"
    ):
        ingest(empty, settings, dasch_collection.model_copy(update={"readers": ("telepathy",)}), path)
    with pytest.raises(OperatorFault, match="vo init later"):
        ingest(empty, settings, dasch_collection.model_copy(update={"name": "later"}), path)


def test_a_summary_that_does_not_add_up_is_a_fault(empty, settings, ecsv, solved):
    good = ingest(empty, settings, "dasch", ecsv(solved))
    assert isinstance(good, Summary)
    for wrong in ({"read": 2}, {"exposures": 2}, {"without_imaging": 9}):
        with pytest.raises(FatalFault, match="do not add up"):
            replace(good, **wrong)


def test_the_table_for_the_terminal_has_the_numbers(empty, settings, ecsv, solved):
    from io import StringIO

    from rich.console import Console

    done = ingest(empty, settings, "dasch", ecsv({**solved, "exptime": 0}, {**solved, "platenum": "x"}))
    console = Console(file=StringIO(), width=200)
    console.print(summary_table(done))
    text = console.file.getvalue()
    for words in ("zero exposure time", "value not understood", "1 new, 0 changed, 0 the same", "without imaging"):
        assert words in text
