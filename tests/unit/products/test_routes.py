"""Files over HTTP: whole, in ranges, and only when they changed (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

from types import SimpleNamespace

import anyio
import httpx
import plates
import pytest
from starlette.applications import Starlette

from vo.dali.faults import TEXT_STYLE
from vo.dali.routes import fault_handler
from vo.db.archive import merge_records
from vo.db.records import Plate, Scan
from vo.errors import Fault
from vo.products.routes import routes

CONTENT = bytes(range(256)) * 400  # more than one block


@pytest.fixture(scope="module")
def client(fresh_database, tmp_path_factory):
    """Serves one FITS file, a picture, a file kept elsewhere and one that is gone."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "a plate.fits").write_bytes(CONTENT)
    (folder / "small.jpg").write_bytes(b"jpeg")
    (folder / "secret.txt").write_text("nobody's business")
    here = {"location": (folder / "a plate.fits").as_uri()}
    records = (
        Plate(plates.NAME, "p1"),
        Scan(plates.NAME, "p1", "s1"),
        plates.product("a plate.fits", "fits", **here),
        plates.product("small.jpg", "preview", "image/jpeg", location=(folder / "small.jpg").as_uri()),
        plates.product("far.fits", "fits", description="at Harvard"),
        plates.product("gone.fits", "fits", location=(folder / "gone.fits").as_uri()),
    )
    database = fresh_database()
    with database.owner() as connection:
        merge_records(connection, records)
    handler = fault_handler(lambda _: TEXT_STYLE)
    return Client(Starlette(routes=routes(SimpleNamespace(database=database)), exception_handlers={Fault: handler}))


class Client:
    """Asks an application without a network between."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def request(self, method: str, path: str, **values) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://plates.example") as client:
                return await client.request(method, path, **values)

        return anyio.run(ask)

    def get(self, path: str, **values) -> httpx.Response:
        return self.request("GET", path, **values)


FITS = "/files/tests/p1/a%20plate.fits"


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
    response = client.request("HEAD", FITS)
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


def test_files_are_not_written(client):
    assert client.request("PUT", FITS, content=b"x").status_code == 405
