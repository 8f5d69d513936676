import dataclasses
import datetime as dt

import pytest

from vo.db.archive import field_names, find_plates, merge_records, read_bundles
from vo.db.merge import Counts
from vo.db.records import KEYS, Exposure, Plate, PlateBundle, Product, Scan, Solution
from vo.errors import OperatorFault

PLATE = Plate(
    "demo", "a1", series="a", plate_scale=167.3, em_min=3.5e-7, em_max=5e-7, own={"grade": "A", "n": 3, "x": 0.1}
)
SCANNED = dt.datetime(2010, 5, 6, 7, 8, 9, 123456)  # noqa: DTZ001 - UTC without a zone, as the archive keeps it
SCAN = Scan("demo", "a1", "a1_1", width=20000, height=16000, pixel_scale=1.2, scan_date=SCANNED)
EXPOSURES = (
    Exposure(
        "demo", "a1", "1", "ivo://x/Demo?a/1/1", exposure_number=1, ra=10.1, dec=-89.99999999999999,
        t_min=15000.123456789012, t_max=15000.2, exptime=0.1 + 0.2, scan_id="a1_1", has_imaging=True,
    ),
    Exposure("demo", "a1", "2", "ivo://x/Demo?a/1/2", exposure_number=2, target_name="η Car, «field»\n'quoted'"),
)  # fmt: skip
TAN = "CTYPE1  = 'RA---TAN'\nCRVAL1  = 1.0"
SOLUTIONS = (
    Solution("demo", "a1", "a1_1", "s0", 1, "1", TAN, " ", 20000, 16000, is_current=False),
    Solution("demo", "a1", "a1_1", "s0", 2, "1", "CTYPE1  = 'RA---TPV'", "A", 20000, 16000, made_date=SCANNED),
)
PRODUCTS = (
    Product(
        "demo/a1/a1_1.fits",
        "demo",
        "a1",
        "fits",
        "image/fits",
        scan_id="a1_1",
        content_length=2**40,
        location="s3://b/k",
    ),
    Product("demo/a1/a1.jpg", "demo", "a1", "plate_photo", "image/jpeg"),
)
RECORDS = (PLATE, SCAN, *EXPOSURES, *SOLUTIONS, *PRODUCTS)
BUNDLE = PlateBundle(PLATE, (SCAN,), EXPOSURES, SOLUTIONS, tuple(sorted(PRODUCTS, key=lambda one: one.product_id)))


@pytest.fixture(scope="module")
def own(fresh_database):
    database = fresh_database()
    others = [Plate("demo", f"b{n}") for n in range(1200)]
    seen = [Exposure("demo", f"b{n}", "1", f"ivo://x/Demo?b/{n}/1") for n in range(1200)]
    with database.owner() as connection:
        merge_records(connection, [*RECORDS, *others, *seen])
    return database


def test_tables_have_the_records_fields_and_no_others(database):
    hidden = {"t_range"}
    with database.read() as connection:
        for kind, (table, key) in KEYS.items():
            rows = connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", (f"archive.{table}",)
            )
            assert {row[0] for row in rows} - hidden == set(field_names(kind))
            found = connection.execute(
                "SELECT array_agg(attname::text ORDER BY array_position(conkey, attnum)) FROM pg_constraint "
                "JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY(conkey) "
                "WHERE conrelid = %s::regclass AND contype = 'p'",
                (f"archive.{table}",),
            ).fetchone()
            assert found == (list(key),)


def test_records_come_back_as_they_went_in(own):
    with own.read() as connection:
        assert list(read_bundles(connection, [("demo", "a1")])) == [BUNDLE]


def test_merging_twice_changes_nothing(own):
    with own.owner() as connection:
        again = merge_records(connection, RECORDS)
        assert again == {
            "plate": Counts(0, 0, 1), "scan": Counts(0, 0, 1), "exposure": Counts(0, 0, 2),
            "solution": Counts(0, 0, 2), "product": Counts(0, 0, 2),
        }  # fmt: skip


def test_bundles_come_in_the_order_asked_and_unknown_plates_are_left_out(own):
    keys = [("demo", f"b{n}") for n in range(1199, -1, -1)]
    with own.read() as connection:
        found = list(read_bundles(connection, [("demo", "nothing"), *keys, ("other", "a1")]))
    assert [(one.plate.collection, one.plate.plate_id) for one in found] == keys
    assert all(len(one.exposures) == 1 for one in found)


def test_publisher_dids_are_found_whatever_their_case(own):
    asked = ["IVO://X/demo?A/1/2", "ivo://x/Demo?a/1/1", "ivo://x/Demo?b/7/1", "ivo://x/none", "ivo://x/Demo?a/1/1"]
    with own.read() as connection:
        found = find_plates(connection, asked)
    assert set(found) == {"IVO://X/demo?A/1/2", "ivo://x/Demo?a/1/1", "ivo://x/Demo?b/7/1"}
    assert found["IVO://X/demo?A/1/2"] == (BUNDLE, EXPOSURES[1])
    assert found["ivo://x/Demo?a/1/1"][1] == EXPOSURES[0]
    assert found["ivo://x/Demo?b/7/1"][0].plate.plate_id == "b7"


def test_a_thousand_dids_need_no_more_statements_than_one(own, monkeypatch):
    statements = []
    with own.read() as connection:
        execute = connection.execute
        monkeypatch.setattr(connection, "execute", lambda *args: (statements.append(args), execute(*args))[1])
        assert len(find_plates(connection, ["ivo://x/demo?b/0/1"])) == 1
        for_one = len(statements)
        assert len(find_plates(connection, [f"ivo://x/demo?b/{n}/1" for n in range(1000)])) == 1000
    assert for_one <= 6
    assert len(statements) == 2 * for_one


def test_what_is_read_in_several_statements_is_one_snapshot(fresh_database):
    database = fresh_database()
    with database.owner() as connection:
        merge_records(connection, [Plate("demo", "a1")])
    with database.read() as reading:
        (before,) = read_bundles(reading, [("demo", "a1")])
        with database.owner() as connection:
            merge_records(connection, [SCAN, *EXPOSURES])
        assert list(read_bundles(reading, [("demo", "a1")])) == [before]
    with database.read() as reading:
        (after,) = read_bundles(reading, [("demo", "a1")])
    assert (after.scans, after.exposures) == ((SCAN,), EXPOSURES)


def test_no_did_is_no_error(own):
    with own.read() as connection:
        assert find_plates(connection, []) == {}


def test_times_with_a_zone_are_stored_as_utc(own):
    east = dt.timezone(dt.timedelta(hours=2))
    with own.owner() as connection:
        merge_records(connection, [Scan("demo", "b1", "s", scan_date=dt.datetime(2010, 1, 1, 1, 30, tzinfo=east))])
        (bundle,) = read_bundles(connection, [("demo", "b1")])
    assert bundle.scans[0].scan_date == dt.datetime(2009, 12, 31, 23, 30)  # noqa: DTZ001


def test_a_child_without_its_plate_is_refused_at_the_end(own):
    with pytest.raises(OperatorFault, match=r"scan_plate.*no such plate"), own.owner() as connection:
        merge_records(connection, [Scan("demo", "no such plate", "s")])


def test_children_may_come_before_their_parents(own):
    with own.owner() as connection:
        merge_records(connection, [Exposure("demo", "c1", "1", "ivo://x/demo?c/1/1", scan_id="s")])
        merge_records(connection, [Scan("demo", "c1", "s")])
        merge_records(connection, [Plate("demo", "c1")])


def test_two_current_versions_are_refused(own):
    both = [dataclasses.replace(one, is_current=True) for one in SOLUTIONS]
    with pytest.raises(OperatorFault, match="solution_one_current"), own.owner() as connection:
        merge_records(connection, both)


def test_publisher_dids_are_unique_whatever_their_case(own):
    with pytest.raises(OperatorFault, match="exposure_publisher_did_nocase"), own.owner() as connection:
        merge_records(connection, [Exposure("demo", "b2", "9", "ivo://x/DEMO?a/1/1")])


def test_unknown_roles_are_refused(own):
    bad = Product("demo/a1/x", "demo", "a1", "poster", "image/png")
    with pytest.raises(OperatorFault, match="product_role"), own.owner() as connection:
        merge_records(connection, [bad])
