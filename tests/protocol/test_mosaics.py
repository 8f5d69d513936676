"""Value-added mosaics over HTTP: current solutions in the base file's header, in ranges and only when new."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import plates
import pytest
from astropy.io import fits
from pixels_by_hand import read_wcs
from serving import running
from wcs_truth import separation, tpv_header

from vo.db.archive import merge_records
from vo.db.records import Plate, PlateBundle, Scan
from vo.pixels.wcs import find_solutions, read_solutions
from vo.products.mosaics import find_mosaics, mosaic_url

TURNS = {"t0": 0, "t90": 90, "t180": 180, "t-90": -90}
WIDTH, HEIGHT = 403, 309
#: Stars of the turned plates, in pixels of the base files as numpy has them: [row, column].
STARS = ((20, 30), (290, 11), (150, 390), (77, 200))


def sky(rows):
    return np.random.default_rng(rows).integers(0, 50, (rows, WIDTH)).astype(np.int16)


def base_file(path, *, compressed):
    data = sky(HEIGHT)
    for row, column in STARS:
        data[row, column] = 3000
    cards = fits.Header([("SCANNUM", 1), ("S_OPER", "Mary")])
    if compressed:
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, cards, compression_type="RICE_1")]).writeto(path)
    else:
        fits.PrimaryHDU(data, cards).writeto(path)
    return path.as_uri()


def solutions_of(plate_id, turn, count):
    """Solutions written for the turned scan, 7 degrees apart, named as DASCH's are."""
    width, height = (WIDTH, HEIGHT) if turn % 180 == 0 else (HEIGHT, WIDTH)
    for number in range(count):
        text = tpv_header(80.0 + 7 * number, 40.0, width=width, height=height, angle=33.0 * number, bend=0.01)
        (wcs,) = read_solutions(text)
        yield plates.solution(
            plate_id, str(number + 1), solution_id=f"s{number}", header=wcs.header_text(), width=width, height=height,
            pipeline="astrometry 3", made_date=dt.datetime(2021, 5, 1 + number, tzinfo=dt.UTC),
            residual=0.4, result_id=f"r{number}",
        )  # fmt: skip


def plate(folder, plate_id, turn=0, count=1, *, compressed=False):
    name = "base.fits.fz" if compressed else "base.fits"
    (folder / plate_id).mkdir()
    held = {"plate_id": plate_id, "is_base": True, "width": WIDTH, "height": HEIGHT, "scan_id": "s1"}
    location = base_file(folder / plate_id / name, compressed=compressed)
    products = [plates.product(name, "fits", location=location, hdu=int(compressed), checksum="md5:00ff", **held)]
    products.append(
        plates.product("jacket.jpg", "jacket_photo", "image/jpeg", plate_id, location=location, description="front")
    )
    if turn:
        data = fits.getdata(folder / plate_id / name)[: HEIGHT // 16 * 16, : WIDTH // 16 * 16]
        small = folder / plate_id / "base_bin16.fits"
        fits.PrimaryHDU(data.reshape(HEIGHT // 16, 16, -1, 16).max(axis=(1, 3))).writeto(small)
        size = {"width": WIDTH // 16, "height": HEIGHT // 16, "bin_factor": 16}
        products.append(plates.product("base_bin16.fits", "fits_binned", location=small.as_uri(), **{**held, **size}))
    return PlateBundle(
        Plate(plates.NAME, plate_id),
        (Scan(plates.NAME, plate_id, "s1", width=WIDTH, height=HEIGHT, turn_deg=turn),),
        tuple(
            plates.exposure(plate_id, str(number + 1), exposure_number=number + 1, t_min=20000.0, t_max=20000.5)
            for number in range(count)
        ),
        tuple(solutions_of(plate_id, turn, count)),
        tuple(products),
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    made = [plate(folder, name, turn) for name, turn in TURNS.items()]
    made += [plate(folder, "eleven", count=11, compressed=True), plate(folder, "unsolved", count=0)]
    return {bundle.plate.plate_id: bundle for bundle in made}


@pytest.fixture(scope="module")
def own(fresh_database, settings, bundles):
    database = fresh_database()
    with database.owner() as connection:
        merge_records(connection, (record for bundle in bundles.values() for record in bundle.records()))
    changed = settings.model_copy(update={"host": "127.0.0.1", "port": 0, "publisher": "Sternwarte"})
    with running(changed, database) as server:
        yield server


def fetch(own, plate_id, name="s1.fits", **headers):
    return own.client.get(f"/mosaics/tests/{plate_id}/{name}", headers=headers)


@pytest.mark.parametrize("plate_id", TURNS)
def test_stars_of_turned_scans_lie_where_their_solution_has_them(own, bundles, plate_id):
    """numpy's turn of the pixels and the solution as it was made give a star's place; the mosaic has to agree."""
    answer = fetch(own, plate_id)
    assert answer.status_code == 200
    (solution,) = bundles[plate_id].solutions
    (made_for,) = find_solutions(solution.header, (solution.width, solution.height)).solutions
    with fits.open(io.BytesIO(answer.content)) as hdus:
        hdus.verify("exception")
        data, header = hdus[0].data, hdus[0].header
        rows, columns = np.nonzero(data == 3000)
        assert sorted(zip(rows, columns, strict=True)) == sorted(STARS)
        found = np.array(read_wcs(header).all_pix2world(columns, rows, 0))
        turned = np.rot90(data, k=-TURNS[plate_id] // 90)
        assert turned.shape == (solution.height, solution.width)
        turned_rows, turned_columns = np.nonzero(turned == 3000)
        truth = np.array(made_for.to_sky(turned_columns, turned_rows))
    for place in found.T:
        assert min(separation(place, other) for other in truth.T) < 0.01 * made_for.pixel_scale


@pytest.mark.parametrize("plate_id", [name for name, turn in TURNS.items() if turn])
def test_binned_bases_of_turned_scans_are_on_the_same_sky(own, plate_id):
    """A binned pixel lies in the middle of the 16 x 16 pixels of the base that it was made of, by astropy."""
    with (
        fits.open(io.BytesIO(fetch(own, plate_id, "s1_bin16.fits").content)) as small,
        fits.open(io.BytesIO(fetch(own, plate_id).content)) as whole,
    ):
        small.verify("exception")
        assert small[0].data.shape == (HEIGHT // 16, WIDTH // 16)
        for row, column in STARS:
            assert small[0].data[row // 16, column // 16] == 3000
        x, y = np.array([0.0, 24.0, 11.0]), np.array([0.0, 18.0, 3.0])
        found = np.array(read_wcs(small[0].header).all_pix2world(x, y, 0))
        truth = np.array(read_wcs(whole[0].header).all_pix2world(x * 16 + 7.5, y * 16 + 7.5, 0))
        assert separation(found, truth).max() < 0.01 * 45
        assert small[0].header["VOBIN"] == 16


def test_eleven_exposures_of_a_compressed_base(own, bundles):
    answer = fetch(own, "eleven", "s1.fits.fz")
    assert answer.headers["content-type"] == "image/fits"
    with fits.open(io.BytesIO(answer.content)) as hdus:
        hdus.verify("exception")
        image, table, photos = hdus[1], hdus["EXPOSURES"], hdus["PHOTOS"]
        found = find_solutions(image.header, (WIDTH, HEIGHT)).solutions
        assert [one.key for one in found] == list(" ABCDEFGHIJ")
        for one, solution in zip(found, bundles["eleven"].solutions, strict=True):
            known = find_solutions(solution.header).solutions[0]
            x, y = known.to_pixel(*one.to_sky([0.0, 402.0, 200.0], [0.0, 308.0, 100.0]))
            assert np.allclose(x, [0.0, 402.0, 200.0], atol=0.01)
            assert np.allclose(y, [0.0, 308.0, 100.0], atol=0.01)
        assert (image.header["ORIGIN"], image.header["VOPLATE"], image.header["VONSOL"]) == ("Sternwarte", "eleven", 11)
        assert image.header["DATE"] == "2021-05-11T00:00:00"
        assert image.header["VOBASEMD"] == "md5:00ff"
        history = " ".join(str(image.header["HISTORY"]).split())
        assert "WCS B: solution s2 version 1, exposure 3, accepted by astrometry 3, made 2021-05-03" in history
        assert table.data["wcs"].tolist() == ["primary", *"ABCDEFGHIJ"]
        assert table.data["exposure_number"].tolist() == list(range(1, 12))
        assert table.data["obs_publisher_did"][4] == plates.did("eleven", "5")
        assert table.data["ra"][3] == pytest.approx(101.0, abs=0.1)
        assert photos.data["kind"].tolist() == ["jacket-photo"]
        assert photos.data["url"][0] == f"{own.url}/files/tests/eleven/jacket.jpg"


def test_parts_fit_together(own):
    whole = fetch(own, "t90")
    assert int(whole.headers["content-length"]) == len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    assert 'filename="t90_s1.fits"' in whole.headers["content-disposition"]
    size, tag = len(whole.content), whole.headers["etag"]
    got = b""
    for start in range(0, size, 100_000):
        part = fetch(own, "t90", range=f"bytes={start}-{start + 99_999}", **{"if-range": tag})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {start}-{start + len(part.content) - 1}/{size}"
        got += part.content
    assert got == whole.content
    assert fetch(own, "t90", range="bytes=-2880").content == whole.content[-2880:]
    assert fetch(own, "t90", range="bytes=0-9", **{"if-range": '"other"'}).content == whole.content


def test_head_and_copies_that_are_still_good(own):
    whole = fetch(own, "t0")
    head = own.client.head("/mosaics/tests/t0/s1.fits")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(whole.content))
    assert head.headers["etag"] == whole.headers["etag"]
    # a part is a matter of GET alone
    head = own.client.head("/mosaics/tests/t0/s1.fits", headers={"range": "bytes=0-9"})
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(whole.content)))
    unchanged = fetch(own, "t0", **{"if-none-match": whole.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert fetch(own, "t0", **{"if-none-match": '"other"'}).status_code == 200


def test_a_part_behind_the_end(own):
    size = len(fetch(own, "t0").content)
    answer = fetch(own, "t0", range=f"bytes={size}-")
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("tests/t0/s2.fits", "s1.fits"),
        ("tests/t0/s1.fits.fz", "s1.fits"),
        ("tests/unsolved/s1.fits", "none"),
        ("tests/nobody/s1.fits", "no plate"),
        ("others/t0/s1.fits", "no plate"),
        ("tests/..%2F..%2Fetc/passwd", "no plate"),
        ("tests/t%000/s1.fits", "no plate"),
    ],
)
def test_what_is_not_there(own, path, told):
    answer = own.client.get(f"/mosaics/{path}")
    assert answer.status_code == 404
    assert told in answer.text


def test_a_better_solution_is_followed_at_once(own, bundles):
    before = fetch(own, "t180")
    bundle = bundles["t180"]
    (old,) = bundle.solutions
    (wcs,) = read_solutions(old.header)
    shifted = replace(wcs, images=tuple(one.replace("80.0", "80.5") if "CRVAL1" in one else one for one in wcs.images))
    new = replace(old, version=2, header=shifted.header_text())
    with own.database.owner() as connection:
        merge_records(connection, [replace(old, is_current=False), new])
    after = fetch(own, "t180", range="bytes=0-9", **{"if-range": before.headers["etag"]})
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
    with fits.open(io.BytesIO(after.content)) as hdus:
        assert hdus[0].header["CRVAL1"] == 80.5
        assert "version 2" in str(hdus[0].header["HISTORY"])
    with own.database.owner() as connection:
        merge_records(connection, [old, replace(new, is_current=False)])
    assert fetch(own, "t180").content == before.content


def test_addresses_for_others_to_link_to(own, bundles):
    collection = plates.collection()
    for name, factors in (("t90", [1, 16]), ("eleven", [1])):
        bundle = bundles[name]
        found = find_mosaics(bundle, bundle.exposures[0], collection)
        assert [product.bin_factor for product in found] == factors
        for product in found:
            assert product.is_base
            assert own.client.head(mosaic_url(own.url, product)).status_code == 200
    assert not find_mosaics(bundles["unsolved"], plates.exposure("unsolved"), collection)


def test_large_ones_are_limited_for_one_client(settings, own):
    """The second whole one within the hour is too much; its HEAD and a copy that is still good cost nothing."""
    whole = fetch(own, "t0")
    size = len(whole.content)
    limits = {"full_plate_bytes": 1000, "client_full_bytes": size + size // 2, "publisher": "Sternwarte"}
    with running(settings.model_copy(update={"host": "127.0.0.1", "port": 0, **limits}), own.database) as server:
        assert len(fetch(server, "t0").content) == size
        told = fetch(server, "t0")
        assert told.status_code == 429
        assert "client_full_bytes" in told.text
        assert int(told.headers["retry-after"]) > 0
        assert server.client.head("/mosaics/tests/t0/s1.fits").status_code == 200
        assert fetch(server, "t0", range="bytes=0-99").status_code == 206


def test_bases_in_a_bucket_are_passed_on_part_by_part(settings, bucket, fresh_database, bundles, tmp_path):
    """A part costs that part of the base and its headers, and the whole is what it would be of a file here."""
    bundle = bundles["t90"]
    content = Path(unquote(urlsplit(bundle.products[0].location).path)).read_bytes()
    location = bucket.put("mosaics/t90/base.fits", content)
    database = fresh_database()
    moved = replace(bundle.products[0], location=location)
    with database.owner() as connection:
        merge_records(connection, replace(bundle, products=(moved, *bundle.products[1:])).records())
    stores = tmp_path / "stores.toml"
    stores.write_text(bucket.described())
    changed = settings.model_copy(update={"host": "127.0.0.1", "port": 0, "stores": stores})
    with running(changed, database) as server:
        whole = fetch(server, "t90").content
        start = whole.index(content[2880 * 20 : 2880 * 21])
        bucket.reset()
        part = fetch(server, "t90", range=f"bytes={start}-{start + 9999}")
        assert part.content == whole[start : start + 10_000] == content[2880 * 20 : 2880 * 20 + 10_000]
        assert bucket.bytes < 50_000
    with fits.open(io.BytesIO(whole)) as hdus:
        hdus.verify("exception")
        assert sorted(zip(*np.nonzero(hdus[0].data == 3000), strict=True)) == sorted(STARS)
