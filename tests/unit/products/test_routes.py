"""Files over HTTP: permanent addresses lead to signed ones, which give files whole, in ranges, and when they changed.

RFC 9110, sections 13, 14 and 15.4.8.
"""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import anyio
import httpx
import plates
import pytest
from starlette.applications import Starlette

from vo.dali.faults import TEXT_STYLE
from vo.dali.routes import fault_handler
from vo.db.archive import merge_records
from vo.db.records import Plate, Scan
from vo.errors import Fault, ForbiddenFault, OperatorFault
from vo.products.routes import asked_bytes, routes
from vo.products.signing import Signer, load_signer
from vo.settings import Settings

CONTENT = bytes(range(256)) * 400  # more than one block
BASE = "http://plates.example"


@pytest.fixture(scope="module")
def archive(fresh_database, tmp_path_factory):
    """One FITS file, a compressed one, a picture, files kept elsewhere and one that is gone."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "a plate.fits").write_bytes(CONTENT)
    (folder / "small.jpg").write_bytes(b"jpeg")
    (folder / "secret.txt").write_text("nobody's business")
    here = {"location": (folder / "a plate.fits").as_uri()}
    records = (
        Plate(plates.NAME, "p1"),
        Scan(plates.NAME, "p1", "s1"),
        plates.product("a plate.fits", "fits", **here),
        plates.product("other.fits", "fits", **here),
        plates.product("a.fits.fz", "fits", **here),
        plates.product("a.fits.gz", "fits", **here),
        plates.product("small.jpg", "preview", "image/jpeg", location=(folder / "small.jpg").as_uri()),
        plates.product("far.fits", "fits", description="at Harvard"),
        plates.product("web.fits", "fits", location="https://a.example/plates/a%20b.fits?size=full"),
        plates.product("gone.fits", "fits", location=(folder / "gone.fits").as_uri()),
    )
    made = fresh_database()
    with made.owner() as connection:
        merge_records(connection, records)
    return made


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return Settings(data_dir=tmp_path_factory.mktemp("data"), _env_file=None)


@pytest.fixture(scope="module")
def client(archive, plain):
    return serve(archive, plain)


def serve(database, settings):
    handler = fault_handler(lambda _: TEXT_STYLE)
    context = SimpleNamespace(database=database, settings=settings)
    return Client(Starlette(routes=routes(context), exception_handlers={Fault: handler}))


class Client:
    """Asks an application without a network between; ``get`` follows redirects, ``request`` does not."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def request(self, method: str, path: str, **values) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                return await client.request(method, path, **values)

        return anyio.run(ask)

    def get(self, path: str, **values) -> httpx.Response:
        return self.request("GET", path, follow_redirects=True, **values)


FITS = "/files/tests/p1/a%20plate.fits"


def signed(client, path=FITS):
    """The signed address that a permanent one leads to."""
    return client.request("GET", path).headers["location"]


def test_a_file_comes_whole_with_its_type_name_and_length(client):
    response = client.get(FITS)
    assert (response.status_code, response.content) == (200, CONTENT)
    assert response.headers["content-type"] == "image/fits"
    assert response.headers["content-length"] == str(len(CONTENT))
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["content-disposition"] == "attachment; filename*=utf-8''a%20plate.fits"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_picture_is_to_be_looked_at(client):
    response = client.get("/files/tests/p1/small.jpg")
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["content-disposition"].startswith("inline")


def test_head_tells_all_but_sends_nothing(client):
    response = client.request("HEAD", FITS, follow_redirects=True)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(CONTENT))


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=100-70000", 100, 70000),
        ("bytes=-5", len(CONTENT) - 5, len(CONTENT) - 1),
        ("bytes=102390-", 102390, len(CONTENT) - 1),
        ("bytes=102390-999999", 102390, len(CONTENT) - 1),
    ],
)
def test_ranges(client, asked, first, last):
    response = client.get(FITS, headers={"Range": asked})
    assert response.status_code == 206
    assert response.headers["content-range"] == f"bytes {first}-{last}/{len(CONTENT)}"
    assert response.headers["content-length"] == str(last - first + 1)
    assert response.content == CONTENT[first : last + 1]


def test_a_range_beyond_the_end_cannot_be_had(client):
    response = client.get(FITS, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{len(CONTENT)}"


def test_what_has_not_changed_is_not_sent_again(client):
    first = client.get(FITS)
    for name, value in (
        ("If-None-Match", first.headers["etag"]),
        ("If-None-Match", f'"other", W/{first.headers["etag"]}'),
        ("If-None-Match", "*"),
        ("If-Modified-Since", first.headers["last-modified"]),
    ):
        response = client.get(FITS, headers={name: value})
        assert (response.status_code, response.content) == (304, b""), name
        assert response.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("If-None-Match", '"other"'),
        ("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("If-Modified-Since", "yesterday"),
    ],
)
def test_what_has_changed_is(client, name, value):
    assert client.get(FITS, headers={name: value}).status_code == 200


def test_a_range_of_another_version_is_the_whole_file(client):
    etag = client.get(FITS).headers["etag"]
    asked = {"Range": "bytes=0-9", "If-Range": etag}
    assert client.get(FITS, headers=asked).status_code == 206
    assert client.get(FITS, headers={**asked, "If-Range": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/files/tests/p1/nothing.fits",
        "/files/tests/p1/secret.txt",
        "/files/tests/p1/%2e%2e/p1/a%20plate.fits",
        "/files/..%2f..%2fetc/passwd",
        "/files//etc/passwd",
        "/files/tests/p1/a%20plate.fits%00",
        "/files/",
    ],
)
def test_only_what_is_listed_is_served(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert "no file" in response.text


def test_a_file_kept_elsewhere_says_where(client):
    response = client.get("/files/tests/p1/far.fits")
    assert (response.status_code, "at Harvard" in response.text) == (404, True)


def test_a_listed_file_that_is_gone_is_our_fault(client):
    response = client.get("/files/tests/p1/gone.fits")
    assert (response.status_code, "operator" in response.text) == (500, True)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
def test_files_are_only_read(client, method):
    assert client.request(method, FITS, content=b"x").status_code == 405
    assert client.request(method, signed(client), content=b"x").status_code == 405


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("a.fits.fz", "image/fits"), ("a.fits.gz", "application/gzip"), ("other.fits", "image/fits")],
)
def test_a_compressed_file_is_what_it_is_and_nobody_is_to_unpack_it(client, name, media_type):
    response = client.get(f"/files/tests/p1/{name}")
    assert response.headers["content-type"] == media_type
    assert "content-encoding" not in response.headers
    assert response.content == CONTENT


def test_several_ranges_come_as_parts(client):
    response = client.get(FITS, headers={"Range": "bytes=0-3,1000-1003"})
    assert response.status_code == 206
    assert response.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert b"Content-Range: bytes 1000-1003/102400" in response.content
    assert CONTENT[1000:1004] in response.content
    assert int(response.headers["content-length"]) == len(response.content)


# -- permanent addresses


def test_a_permanent_address_redirects_to_a_signed_one(client, plain):
    response = client.request("GET", FITS)
    assert (response.status_code, response.content) == (307, b"")
    place = urlsplit(response.headers["location"])
    assert place[:3] == ("http", "plates.example", "/signed/tests/p1/a%20plate.fits")
    assert set(parse_qs(place.query)) == {"expires", "signature"}
    # A browser that takes the redirect from its cache must not meet a dead address.
    found = response.headers["cache-control"]
    assert found == f"private, max-age={plain.link_seconds // 4}"


def test_redirects_lead_to_where_clients_reach_the_server(archive, plain):
    public = serve(archive, plain.model_copy(update={"base_url": "https://archive.example/plates/"}))
    assert signed(public).startswith("https://archive.example/plates/signed/tests/p1/a%20plate.fits?")
    trusting = serve(archive, plain.model_copy(update={"trust_forwarded": True}))
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example", "X-Forwarded-Prefix": "/vo"}
    response = trusting.request("GET", FITS, headers=headers)
    assert response.headers["location"].startswith("https://a.example/vo/signed/tests/p1/")


def test_a_file_on_the_web_is_where_it_is(client):
    response = client.request("GET", "/files/tests/p1/web.fits")
    assert response.status_code == 307
    assert response.headers["location"] == "https://a.example/plates/a%20b.fits?size=full"


# -- what a signed address does not open


def refused(client, response, name="a%20plate.fits"):
    assert response.status_code == 403
    assert f"{BASE}/files/tests/p1/{name}, which leads to a new one" in response.text
    return response.text


@pytest.mark.parametrize("part", ["expires", "signature"])
@pytest.mark.parametrize(
    "change",
    [
        lambda value: value[:-1],
        lambda value: value + "0",
        lambda _: "",
        lambda value: value[::-1] + "1",
        lambda value: "0" + value,
        lambda value: value + " ",
        lambda value: "\u0661" + value[1:],
        lambda value: value + "\0",
        lambda _: "9" * 4000,
        lambda _: "\ud800",
    ],
)
def test_a_tampered_address_opens_nothing(client, part, change):
    place = urlsplit(signed(client))
    values = dict(parse_qsl(place.query))
    values[part] = change(values[part])
    query = urlencode({name: value.encode("utf-8", "surrogatepass") for name, value in values.items()})
    refused(client, client.request("GET", f"{place.path}?{query}"))


def test_an_address_without_its_signature_opens_nothing(client):
    place = urlsplit(signed(client))
    refused(client, client.request("GET", place.path))
    assert client.request("HEAD", place.path).status_code == 403


@pytest.mark.parametrize("name", ["other.fits", "nothing.fits", "secret.txt"])
def test_the_address_of_one_file_opens_no_other_nor_tells_whether_it_is_there(client, name):
    place = urlsplit(signed(client))
    text = refused(client, client.request("GET", f"/signed/tests/p1/{name}?{place.query}"), name)
    assert text.replace(name, "") == refused(
        client, client.request("GET", "/signed/tests/p1/other.fits?expires=1&signature=x"), "other.fits"
    ).replace("other.fits", "")


@pytest.mark.parametrize(
    "path",
    [
        "/signed/tests/p1/%2e%2e/p1/a%20plate.fits",
        "/signed/..%2f..%2fetc/passwd",
        "/signed//etc/passwd",
        "/signed/tests/p1/a%20plate.fits%00",
        "/signed/tests/p1/a%20plate.fits%00.jpg",
        "/signed/tests/p1/secret.txt",
        "/signed/",
    ],
)
def test_no_path_leads_out(client, path):
    response = client.request("GET", f"{path}?{urlsplit(signed(client)).query}")
    assert response.status_code == 403
    assert "nobody's business" not in response.text


def test_an_address_expires(client, plain, monkeypatch):
    signer = load_signer(plain)
    now = [1_000_000_000.0]
    signer = replace(signer, clock=lambda: now[0])
    made = signer.sign("tests/p1/a plate.fits")
    signer.check("tests/p1/a plate.fits", str(made.expires), made.signature, "here")
    now[0] = made.expires - 0.5
    signer.check("tests/p1/a plate.fits", str(made.expires), made.signature, "here")
    now[0] = made.expires
    with pytest.raises(ForbiddenFault, match="permanent address, here"):
        signer.check("tests/p1/a plate.fits", str(made.expires), made.signature, "here")
    query = urlencode({"expires": made.expires, "signature": made.signature})  # which were right long ago
    refused(client, client.request("GET", f"/signed/tests/p1/a%20plate.fits?{query}"))


@pytest.mark.parametrize("seconds", [2, 3, 600, 601])
def test_addresses_are_good_for_long_enough_and_not_too_long_and_stay_the_same_for_a_while(seconds):
    lives, signatures = [], set()
    for now in range(10_000, 10_000 + 2 * seconds):
        made = Signer(b"k" * 32, seconds, clock=lambda now=now: now + 0.25).sign("a")
        lives.append(made.expires - now - 0.25)
        signatures.add(made)
    assert seconds / 2 - 1 < min(lives) <= max(lives) <= seconds
    assert len(signatures) <= min(2 * seconds, 6)


def test_a_file_that_was_moved_to_a_store_is_asked_for_anew(client, archive):
    name = "tests/p1/moved.fits"
    moved = plates.product("moved.fits", "fits", location="https://a.example/moved.fits")
    with archive.owner() as connection:
        merge_records(connection, [moved])
    here = serve(archive, Settings(signing_key="k" * 32, _env_file=None))
    made = Signer(b"k" * 32, 600).sign(name)
    response = here.request("GET", f"/signed/{name}?expires={made.expires}&signature={made.signature}")
    refused(client, response, "moved.fits")


# -- the key


def test_the_key_is_made_once_and_for_the_owner_alone(tmp_path):
    plain = Settings(data_dir=tmp_path / "new", _env_file=None)
    with ThreadPoolExecutor(8) as pool:
        keys = {signer.key for signer in pool.map(load_signer, [plain] * 20)}
    assert len(keys) == 1
    assert len(keys.pop()) >= 32
    (path,) = (tmp_path / "new").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_servers_of_one_key_open_each_others_addresses_and_no_others(archive, tmp_path):
    ours = [Settings(data_dir=tmp_path / name, signing_key="shared" * 6, _env_file=None) for name in "ab"]
    first, second = (serve(archive, one) for one in ours)
    stranger = serve(archive, Settings(data_dir=tmp_path / "c", _env_file=None))
    address = signed(first)
    assert second.request("GET", address).content == CONTENT
    assert stranger.request("GET", address).status_code == 403
    assert not (tmp_path / "a").exists()


def test_a_key_that_is_none_is_told(tmp_path):
    (tmp_path / "signing.key").write_text("short")
    with pytest.raises(OperatorFault, match="holds no key"):
        load_signer(Settings(data_dir=tmp_path, _env_file=None))


# -- limits for one client


def limited(archive, plain, **limits):
    return serve(archive, plain.model_copy(update={"full_plate_bytes": 1000, **limits}))


def test_a_client_that_has_taken_much_is_told_what_to_do_instead(archive, plain):
    client = limited(archive, plain, client_full_bytes=250_000)
    for _ in range(2):
        assert client.get(FITS).status_code == 200
    response = client.get(FITS)
    assert response.status_code == 429
    assert 0 < int(response.headers["retry-after"]) <= 3600
    assert all(words in response.text for words in ("client_full_bytes", "250,000", "SODA", "binned"))
    # Of what is left a part may still be had; what costs nothing, and small files, always.
    assert client.get(FITS, headers={"Range": "bytes=0-9"}).status_code == 206
    assert client.request("HEAD", signed(client)).status_code == 200
    etag = client.request("HEAD", signed(client)).headers["etag"]
    assert client.get(FITS, headers={"If-None-Match": etag}).status_code == 304
    for _ in range(100):
        assert client.get("/files/tests/p1/small.jpg").status_code == 200


def test_a_part_counts_as_a_part(archive, plain):
    client = limited(archive, plain, client_full_bytes=1000)
    for at in range(10):
        assert client.get(FITS, headers={"Range": f"bytes={at}-{at + 89}"}).status_code == 206
    assert client.get(FITS, headers={"Range": "bytes=0-899"}).status_code == 429


def test_limits_are_of_each_client(archive, plain):
    client = limited(archive, plain, client_full_bytes=1000, trust_forwarded=True)
    for name in ("192.0.2.1", "192.0.2.2"):
        headers = {"X-Forwarded-For": name}
        assert client.get(FITS, headers=headers).status_code == 200  # one file is everybody's, however large
        assert client.get(FITS, headers=headers).status_code == 429


def test_of_files_in_a_bucket_what_is_asked_for_counts(archive, plain, tmp_path):
    (tmp_path / "stores.toml").write_text(
        "[plates]\nendpoint = 'https://s3.example'\naccess_key_id = 'KEY'\nsecret_access_key = 'SECRET'\n"
    )
    stored = plates.product("stored.fits", "fits", location="s3://plates/a.fits", content_length=5000)
    with archive.owner() as connection:
        merge_records(connection, [stored])
    client = limited(archive, plain, client_full_bytes=6000, stores=tmp_path / "stores.toml")
    for _ in range(10):
        part = client.request("GET", "/files/tests/p1/stored.fits", headers={"Range": "bytes=-100"})
        assert part.status_code == 307
    assert client.request("GET", "/files/tests/p1/stored.fits").status_code == 307
    assert client.request("GET", "/files/tests/p1/stored.fits").status_code == 429
    assert client.request("HEAD", "/files/tests/p1/stored.fits").status_code == 307


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        (None, 1000),
        ("bytes=0-0", 1),
        ("bytes=990-", 10),
        ("bytes=990-5000", 10),
        ("bytes=-7", 7),
        ("bytes=-7000", 1000),
        ("Bytes = 0-1, 5-6 ,-3", 7),
        ("bytes=0-999,0-999", 1000),
        ("bytes=5000-", 0),
        ("bytes=9-5", 0),
        ("bytes=x", 1000),
        ("bytes=-", 1000),
        ("lines=0-1", 1000),
        ("bytes=0-" + "9" * 500, 1000),
    ],
)
def test_what_a_range_asks_for(header, asked):
    assert asked_bytes(header, 1000) == asked
