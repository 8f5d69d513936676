"""Cutouts of plates in a real S3 server: the pixels of the file, for few bytes, which the test counts on their way."""

from __future__ import annotations

import io

import large_plates
import numpy as np
import plates
import pytest
from astropy.io import fits

from vo.dali.shapes import Circle
from vo.pixels.cutout import cut
from vo.pixels.wcs import load_solution
from vo.products.store import open_source
from vo.settings import Settings

MEGABYTE = 1_000_000
SIDE = large_plates.SIDE


@pytest.fixture(scope="module")
def stored(bucket, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    (folder / "stores.toml").write_text(bucket.described())
    return Settings(stores=folder / "stores.toml", _env_file=None)


@pytest.mark.parametrize(
    ("form", "write", "most_bytes", "most_requests"),
    [
        ("plain", large_plates.write_plain, 12 * MEGABYTE, 1100),
        ("squares", large_plates.write_squares, 3 * MEGABYTE, 20),
    ],
)
def test_a_cutout_of_a_large_plate_in_a_bucket_costs_little(bucket, stored, form, write, most_bytes, most_requests):
    """1000 x 1000 of 20,000 x 20,000 pixels, off the grid of tiles; nothing of the file is known before."""
    plate = write(bucket.folder / f"{form}.fits")
    product = plates.product(plate.path.name, "fits", location=f"s3://{bucket.name}/{plate.path.name}", hdu=plate.hdu)
    wcs = load_solution(large_plates.header_text(), " ", (SIDE, SIDE))
    middle = wcs.to_sky(8192 + 600.0, 8192 + 900.0)
    shape = Circle(float(middle[0]), float(middle[1]), 499.5 / 3600)
    bucket.reset()
    made = cut(open_source(product, stored), wcs, shape, hdu=plate.hdu)
    content = b"".join(made.stream())
    box = made.box
    assert min(box.width, box.height) >= 1000
    assert bucket.bytes < most_bytes
    assert len(bucket.requests) <= most_requests
    with fits.open(io.BytesIO(content)) as opened:
        np.testing.assert_array_equal(opened[0].data, plate.truth(box.left, box.right, box.bottom, box.top))
    # Again, as the next request does: headers, tables and length are known.
    first = bucket.bytes
    bucket.reset()
    assert b"".join(cut(open_source(product, stored), wcs, shape, hdu=plate.hdu).stream()) == content
    assert bucket.bytes < first
    assert not [one for one in bucket.requests if one.startswith("HEAD")]
    plate.path.unlink()  # 160 MB
