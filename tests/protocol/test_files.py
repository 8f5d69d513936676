"""Files of a live server, as clients that follow redirects get them: from this machine, and from a real S3 server."""

from __future__ import annotations

import os
import time
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import plates
import pytest
from serving import running

from vo.db.archive import merge_records
from vo.db.records import Plate, Scan

CONTENT = os.urandom(300_000)
PICTURE = "/files/demo/comet_1941/comet_1941.jpg"
STORED = f"/files/{plates.NAME}/p1/stored%20plate.fits"


def test_a_permanent_address_gives_its_file_to_clients_that_follow(server):
    whole = server.client.get(PICTURE, follow_redirects=True)
    assert whole.content[:3] == b"\xff\xd8\xff"
    assert [one.status_code for one in (*whole.history, whole)] == [307, 200]
    assert whole.headers["content-type"] == "image/jpeg"
    part = server.client.get(PICTURE, headers={"Range": "bytes=10-19"}, follow_redirects=True)
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    same = server.client.get(PICTURE, headers={"If-None-Match": whole.headers["etag"]}, follow_redirects=True)
    assert (same.status_code, same.content) == (304, b"")


def test_browsers_may_follow_from_anywhere(server):
    response = server.client.get(PICTURE, headers={"Origin": "https://aladin.example"}, follow_redirects=True)
    assert all(one.headers["access-control-allow-origin"] == "*" for one in (*response.history, response))


def test_what_a_signature_does_not_open_is_refused_in_plain_text(server):
    address = server.client.get(PICTURE).headers["location"]
    response = server.client.get(address.replace("comet_1941.jpg", "comet_1941.fits"))
    assert response.status_code == 403
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert f"{server.url}/files/demo/comet_1941/comet_1941.fits" in response.text


@pytest.fixture(scope="module")
def stored(bucket, settings, fresh_database, tmp_path_factory):
    """A server whose file is in a bucket; its addresses are good for two seconds."""
    folder = tmp_path_factory.mktemp("stored")
    (folder / "stores.toml").write_text(bucket.described())
    bucket.put("other.fits", b"another file")
    location = bucket.put("p1/stored plate.fits", CONTENT)
    product = plates.product("stored plate.fits", "fits", location=location, content_length=len(CONTENT))
    database = fresh_database()
    with database.owner() as connection:
        merge_records(connection, [Plate(plates.NAME, "p1"), Scan(plates.NAME, "p1", "s1"), product])
    own = {"port": 0, "stores": folder / "stores.toml", "link_seconds": 2}
    with running(settings.model_copy(update=own), database) as started:
        yield started


def test_a_file_in_a_bucket_comes_from_the_bucket(stored, bucket):
    bucket.reset()
    whole = stored.client.get(STORED, follow_redirects=True)
    assert whole.content == CONTENT
    assert whole.history[0].status_code == 307
    assert str(whole.url).startswith(f"{bucket.endpoint}/plates/p1/stored%20plate.fits?")
    part = stored.client.get(STORED, headers={"Range": "bytes=100000-100099"}, follow_redirects=True)
    assert (part.status_code, part.content) == (206, CONTENT[100_000:100_100])
    assert bucket.bytes == len(CONTENT) + 100
    assert bucket.requests == ["GET", "GET bytes=100000-100099"]  # none was ours


def test_its_head_comes_from_there_too(stored):
    head = stored.client.head(STORED, follow_redirects=True)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(CONTENT)))


def test_the_bucket_refuses_addresses_that_were_changed(stored):
    address = stored.client.get(STORED).headers["location"]
    assert httpx.get(address.replace("p1/stored%20plate.fits", "other.fits")).status_code == 403
    place = urlsplit(address)
    values = dict(parse_qsl(place.query))
    longer = urlencode({**values, "X-Amz-Expires": "3600"})
    assert httpx.get(f"{place.scheme}://{place.netloc}{place.path}?{longer}").status_code == 403
    assert httpx.get(f"{place.scheme}://{place.netloc}{place.path}").status_code in (400, 403)


def test_the_bucket_refuses_addresses_that_are_old(stored):
    address = stored.client.get(STORED).headers["location"]
    assert httpx.get(address).content == CONTENT
    time.sleep(3)
    old = httpx.get(address)
    assert old.status_code >= 400
    assert b"AccessDenied" in old.content


def test_clients_may_reach_the_bucket_by_another_address(stored, bucket, settings, tmp_path):
    (tmp_path / "stores.toml").write_text(bucket.described(public_endpoint="https://plates.example"))
    with running(
        settings.model_copy(update={"port": 0, "stores": tmp_path / "stores.toml"}), stored.database
    ) as server:
        address = server.client.get(STORED).headers["location"]
    assert address.startswith("https://plates.example/plates/p1/stored%20plate.fits?")
