"""SODA on plates that lie in a bucket: bytes are counted on their way, and a store that is away is told as such."""

from __future__ import annotations

import io

import buckets
import large_plates
import numpy as np
import pytest
from astropy.io import fits
from serving import running

from vo.db.archive import merge_records
from vo.db.records import Exposure, Plate, Product, Scan, Solution
from vo.pixels.wcs import load_solution

NAME, SIDE = "samples", large_plates.SIDE
DID = f"ivo://vo-plates.example/{NAME}?large/1"


@pytest.fixture(scope="module")
def plate(bucket):
    """A plate of 20,000 x 20,000 pixels in square Rice tiles, in the bucket."""
    made = large_plates.write_squares(bucket.folder / "large.fits.fz")
    yield made
    made.path.unlink()


@pytest.fixture(scope="module")
def database(plate, bucket, fresh_database):
    """Its records."""
    of = (NAME, "large")
    records = (
        Plate(*of),
        Scan(*of, "s1", width=SIDE, height=SIDE),
        Exposure(*of, "1", DID, scan_id="s1", has_imaging=True),
        Solution(*of, "s1", "0", 1, "1", large_plates.header_text(), " ", SIDE, SIDE),
        Product(
            f"{NAME}/large/large.fits.fz",
            *of,
            "fits",
            "image/fits",
            scan_id="s1",
            location=f"s3://{bucket.name}/{plate.path.name}",
            width=SIDE,
            height=SIDE,
            hdu=plate.hdu,
        ),
    )
    made = fresh_database()
    with made.owner() as connection:
        merge_records(connection, records)
    return made


def served(settings, database, folder, described):
    (folder / "stores.toml").write_text(described)
    own = {"port": 0, "stores": folder / "stores.toml", "store_seconds": 5.0}
    return running(settings.model_copy(update=own), database)


def test_a_cutout_of_a_plate_in_a_bucket_reads_little_of_it(settings, database, bucket, plate, tmp_path):
    wcs = load_solution(large_plates.header_text(), " ", (SIDE, SIDE))
    ra, dec = (float(one) for one in wcs.to_sky(8792.0, 9092.0))
    with served(settings, database, tmp_path, bucket.described()) as server:
        bucket.reset()
        answer = server.get("/soda/sync", ID=DID, CIRCLE=f"{ra!r} {dec!r} {499.5 / 3600!r}")
    assert answer.status_code == 200, answer.text
    assert bucket.bytes < 3_000_000
    with fits.open(io.BytesIO(answer.content)) as opened:
        pixels, header = opened[0].data, opened[0].header
    assert min(pixels.shape) >= 1000
    left = round(large_plates.SIDE / 2 + 0.5 - header["CRPIX1"])
    bottom = round(large_plates.SIDE / 2 + 0.5 - header["CRPIX2"])
    np.testing.assert_array_equal(pixels, plate.truth(left, left + pixels.shape[1], bottom, bottom + pixels.shape[0]))


def test_a_store_that_is_away_is_told_as_such(settings, database, bucket, tmp_path):
    """SODA 1.0, section 4.1.3: ServiceUnavailable; and when to ask again."""
    away = bucket.described(endpoint=f"http://127.0.0.1:{buckets.free_port()}")
    with served(settings, database, tmp_path, away) as server:
        answer = server.get("/soda/sync", ID=DID, CIRCLE="150 20 0.1")
        links = server.get("/datalink/links", ID=DID)  # which ask no store
    assert answer.status_code == 503
    assert answer.text.startswith("ServiceUnavailable: the store that keeps samples/large/large.fits.fz")
    assert int(answer.headers["retry-after"]) > 0
    assert links.status_code == 200
    assert "/files/samples/large/large.fits.fz" in links.text
