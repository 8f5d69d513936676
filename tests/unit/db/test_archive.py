import dataclasses
import datetime as dt

import psycopg
import pytest

from vo.db.archive import FoundPlate, Outline, field_names, find_outlined, find_plates, merge_records, read_bundles
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


def test_a_plates_did_gives_the_plate_alone(own):
    with own.read() as connection:
        found = find_plates(connection, ["IVO://x/demo?A/1", "ivo://x/demo?b/7", "ivo://x/demo", "ivo://x/demo?b/7/"])
        plan = connection.execute(
            "EXPLAIN SELECT 1 FROM archive.exposure WHERE lower(publisher_did) >= 'a/' AND lower(publisher_did) < 'a0'"
        ).fetchall()
    assert found == {"IVO://x/demo?A/1": (BUNDLE, None), "ivo://x/demo?b/7": (found["ivo://x/demo?b/7"][0], None)}
    assert found["ivo://x/demo?b/7"][0].plate.plate_id == "b7"
    assert "exposure_publisher_did_nocase" in str(plan)


def test_a_thousand_dids_are_found_in_one_statement(own, monkeypatch):
    statements = []
    with own.read() as connection:
        execute = connection.execute
        monkeypatch.setattr(
            connection, "execute", lambda *args, **how: (statements.append(args), execute(*args, **how))[1]
        )
        found = find_outlined(connection, [f"ivo://x/demo?b/{n}/1" for n in range(1000)], ["demo", "dasch"])
        assert len(statements) == 1
        several = list(read_bundles(connection, [("demo", f"b{n}") for n in range(1000)]))
        assert len(statements) == 2
    assert [one.bundle.plate.plate_id for one in found.values()] == [f"b{n}" for n in range(1000)]
    assert [one.bundle for one in found.values()] == several


def test_outlines_are_those_of_the_published_table(fresh_database):
    database = fresh_database()
    region = "POLYGON ICRS 9 -1 11 -1 11 1 9 1"
    shape = "{(9d,-1d),(11d,-1d),(11d,1d),(9d,1d)}"
    with database.owner() as connection:
        merge_records(connection, RECORDS)
        for number, (text, polygon) in enumerate([(region, shape), (None, None)], start=1):
            did = f"ivo://x/Demo?a/1/{number}"
            row = {
                "obs_publisher_did": did,
                "plate_id": "a1",
                "exposure_id": str(number),
                "has_imaging": True,
                "s_ra": 10.0,
                "s_dec": 0.0,
            }
            row |= {"s_fov": 2.8, "s_region": polygon, "s_region_text": text}
            values = ", ".join(f"%({name})s" for name in row)
            connection.execute(f"INSERT INTO demo.plates ({', '.join(row)}) VALUES ({values})", row)
    with database.read() as connection:
        found = find_outlined(connection, ["ivo://x/demo?a/1", "ivo://x/demo?a/1/2"], ["dasch", "demo"])
        other = find_outlined(connection, ["ivo://x/demo?a/1"], ["dasch"])
    outline = Outline("ivo://x/Demo?a/1/1", 10.0, 0.0, 2.8, region)
    assert found == {
        "ivo://x/demo?a/1": FoundPlate(BUNDLE, None, (outline,)),
        "ivo://x/demo?a/1/2": FoundPlate(BUNDLE, EXPOSURES[1], (outline,)),
    }
    assert other == {"ivo://x/demo?a/1": FoundPlate(BUNDLE, None)}


def test_values_that_texts_would_change_come_back(own):
    at = ("demo", "any")
    latest = dt.datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001
    text = ' {"a",NULL}\\ \t\n(1,2) ü 𝄞 '
    bundle = PlateBundle(
        Plate(*at, series="", comment=text, plate_scale=-0.0, own={"": "NULL", "no": None, "ü": 5e-324, "yes": True}),
        (Scan(*at, "s", width=2**31 - 1, pixel_scale=float("inf"), scan_date=latest, made_date=dt.datetime(1, 1, 1)),),  # noqa: DTZ001
        (Exposure(*at, text, "ivo://x/demo?any/1", t_min=5e-324, t_max=1.7976931348623157e308, target_name="NULL"),),
        (Solution(*at, "s", "0", -1, None, text, "", 0, 0, residual=1 / 3, made_date=SCANNED),),
        (Product("demo/any/x", *at, "raw", text, content_length=2**62, is_base=True, missing_date=SCANNED),),
    )
    with own.owner() as connection:
        merge_records(connection, bundle.records())
        assert [repr(one) for one in read_bundles(connection, [at])] == [repr(bundle)]
        connection.rollback()


def test_floats_have_all_their_digits_however_the_server_is_set(fresh_database):
    database = fresh_database()
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'ALTER DATABASE "{name}" SET extra_float_digits = 0')
    scan = Scan("c", "p", "1", pixel_scale=1 / 3)
    with database.owner() as connection:
        merge_records(connection, [Plate("c", "p"), scan])
        (bundle,) = read_bundles(connection, [("c", "p")])
        assert bundle.scans == (scan,)
    with database.read() as connection:
        (bundle,) = read_bundles(connection, [("c", "p")])
        assert bundle.scans == (scan,)


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


def test_solutions_sort_as_their_numbers_tell():
    names = ["s0", "s1", "s2", "s2-bin16", "s10", "s11"]
    made = [Solution("c", "p", "1", name, 1, None, "", " ", 1, 1) for name in sorted(names)]
    assert [one.solution_id for one in sorted(made, key=lambda one: one.order)] == names
