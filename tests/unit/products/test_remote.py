"""Reading parts of files in a real S3 server and a real web server: right bytes, few requests, faults in words."""

from __future__ import annotations

import functools
import http.server
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import buckets
import plates
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo.errors import OperatorFault, TransientFault
from vo.products.remote import _cut, _merge, _pieces
from vo.products.store import open_source
from vo.settings import Settings

CONTENT = os.urandom(3_000_000)


@pytest.fixture
def stored(bucket, tmp_path):
    """Settings that know the bucket."""
    (tmp_path / "stores.toml").write_text(bucket.described())
    return Settings(data_dir=tmp_path, stores=tmp_path / "stores.toml", _env_file=None)


def product(location, **values):
    return plates.product("a.fits", "fits", location=location, **values)


def test_parts_of_an_object_are_those_of_the_file(bucket, stored):
    location = bucket.put("a b/50%+é.fits", CONTENT)
    source = open_source(product(location.replace("%", "%25")), stored)
    assert source.size == len(CONTENT)
    ranges = [(2_999_000, 1000), (0, 2880), (100, 10), (1_000_000, 1_200_000), (5, 0)]
    assert [bytes(part) for part in source.read(ranges)] == [CONTENT[at : at + length] for at, length in ranges]


def test_neighbours_come_in_one_request_and_length_and_version_are_asked_once(bucket, stored):
    file = product(bucket.put("merged.fits", CONTENT))
    bucket.reset()
    tiles = [(at, 20_000) for at in range(0, 200_000, 21_000)]
    for _ in range(3):
        source = open_source(file, stored)
        assert b"".join(source.read(tiles)) == b"".join(CONTENT[at : at + length] for at, length in tiles)
    assert [one.split()[0] for one in bucket.requests] == ["HEAD", "GET", "GET", "GET"]
    assert (source.requests, source.bytes_read) == (1, 209_000)
    assert bucket.bytes == 3 * 209_000


def test_parts_far_from_each_other_are_not_read_over(bucket, stored):
    rows = [(at, 2000) for at in range(0, 2_000_000, 40_000)]
    source = open_source(product(bucket.put("rows.fits", CONTENT)), stored)
    bucket.reset()
    assert b"".join(source.read(rows)) == b"".join(CONTENT[at : at + length] for at, length in rows)
    assert bucket.bytes == sum(length for _, length in rows)


def test_threads_share_a_source(bucket, stored):
    source = open_source(product(bucket.put("threads.fits", CONTENT)), stored)
    places = [(at, 3000) for at in range(0, 2_000_000, 50_000)]
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda place: bytes(source.read([place])[0]), places))
    assert parts == [CONTENT[at : at + length] for at, length in places]


def test_a_range_beyond_the_end_is_the_operators_matter(bucket, stored):
    source = open_source(product(bucket.put("short.fits", b"12345")), stored)
    with pytest.raises(OperatorFault, match="shorter"):
        source.read([(3, 3)])


@pytest.mark.parametrize("content", [b"x" * 2_999_999, b"x" * 3_000_000, b"x"])
def test_a_file_that_was_changed_meanwhile_is_never_mixed_with_what_it_was(bucket, stored, content):
    file = product(bucket.put("changed.fits", CONTENT))
    source = open_source(file, stored)
    source.read([(0, 100)])
    bucket.put("changed.fits", content)
    with pytest.raises(OperatorFault, match="changed"):
        source.read([(2_000_000, 100)])
    again = open_source(file, stored)  # what was remembered is forgotten
    assert again.version != source.version
    assert bytes(again.read([(0, 1)])[0]) == b"x"


def test_an_object_that_is_not_there_is_told_without_its_place(bucket, stored, caplog):
    with pytest.raises(OperatorFault, match="not in its store") as caught:
        open_source(product(f"s3://{bucket.name}/gone.fits"), stored)
    assert "gone.fits" not in caught.value.text
    assert "gone.fits" in caplog.text


def test_wrong_keys_are_the_operators_matter(bucket, tmp_path):
    (tmp_path / "wrong.toml").write_text(bucket.described(secret_access_key="another secret"))  # noqa: S106 - which is the point
    settings = Settings(stores=tmp_path / "wrong.toml", _env_file=None)
    with pytest.raises(OperatorFault, match="does not let this service read it") as caught:
        open_source(product(bucket.put("a.fits", b"1")), settings)
    assert "secret" not in caught.value.text


def test_a_store_that_is_away_is_told_as_such(bucket, tmp_path):
    away = f"http://127.0.0.1:{buckets.free_port()}"
    (tmp_path / "away.toml").write_text(bucket.described(endpoint=away))
    settings = Settings(stores=tmp_path / "away.toml", store_seconds=5, _env_file=None)
    with pytest.raises(TransientFault, match="does not answer") as caught:
        open_source(product("s3://plates/a.fits"), settings)
    assert caught.value.retry_after
    assert "127.0.0.1" not in caught.value.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[plates]\nendpiont = 'https://a.example'", r"plates\.endpiont"),
        ("[plates]\nendpoint = 'a.example'", "write the address"),
        ("plates", "not TOML"),
        (None, "cannot be read"),
    ],
)
def test_what_is_wrong_with_the_file_of_stores_is_told(tmp_path, text, reason):
    path = tmp_path / "stores.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(OperatorFault, match=reason):
        open_source(product("s3://plates/a.fits"), Settings(stores=path, _env_file=None))


# -- the web


class _Ranges(http.server.SimpleHTTPRequestHandler):
    """Python's own server, which knows no ranges, taught some."""

    asked: list[str]

    def do_GET(self):
        asked = self.headers.get("Range")
        self.asked.append(asked)
        if asked is None or self.path.startswith("/whole"):
            super().do_GET()
            return
        first, last = map(int, asked.removeprefix("bytes=").split("-"))
        with open(self.translate_path(self.path), "rb") as file:  # noqa: PTH123 - it is one of SimpleHTTPRequestHandler
            content = file.read()
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Last-Modified", self.date_time_string(0))
        self.end_headers()
        self.wfile.write(content[first : last + 1])

    def do_HEAD(self):
        with open(self.translate_path(self.path), "rb") as file:  # noqa: PTH123 - the same
            size = len(file.read())
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.send_header("Last-Modified", self.date_time_string(0))
        self.end_headers()

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def web(tmp_path):
    """The address of a web server, and the ranges that it was asked for."""
    (tmp_path / "whole").mkdir()
    for name in ("a plate.fits", "whole/a.fits"):
        (tmp_path / name).write_bytes(CONTENT[:100_000])
    asked = []
    handler = type("Handler", (_Ranges,), {"asked": asked})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(tmp_path)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_parts_of_a_file_on_the_web(web):
    address, asked = web
    settings = Settings(store_private=True, _env_file=None)
    source = open_source(product(f"{address}/a%20plate.fits"), settings)
    assert source.size == 100_000
    assert bytes(source.read([(50_000, 7)])[0]) == CONTENT[50_000:50_007]
    assert asked == ["bytes=50000-50006"]


def test_a_web_server_without_ranges_is_the_operators_matter(web):
    source = open_source(product(f"{web[0]}/whole/a.fits"), Settings(store_private=True, _env_file=None))
    with pytest.raises(OperatorFault, match="cannot give parts"):
        source.read([(0, 7)])


def test_private_networks_are_not_asked(web):
    address, asked = web
    with pytest.raises(OperatorFault, match="store_private"):
        open_source(product(f"{address}/a%20plate.fits"), Settings(_env_file=None))
    assert not asked


def test_an_unknown_host_may_be_known_later():
    with pytest.raises(TransientFault, match="not known here"):
        open_source(product("https://nosuch.invalid/a.fits"), Settings(_env_file=None))


def test_an_address_with_a_query_can_only_be_fetched():
    with pytest.raises(OperatorFault, match="has a query"):
        open_source(product("https://a.example/get?id=1"), Settings(_env_file=None))


# -- how requests are made of ranges

RANGES = st.lists(st.tuples(st.integers(0, 20_000_000), st.integers(0, 100_000)), max_size=30)


@given(RANGES)
def test_pieces_hold_every_range_and_little_else(ranges):
    pieces = list(_pieces(_merge(ranges)))
    assert pieces == sorted(pieces)
    wanted = set()
    for start, length in ranges:
        wanted |= {*range(start, start + length, 997)} | ({start + length - 1} if length else set())
    for at in wanted:
        assert sum(start <= at < start + length for start, length in pieces) == 1
    # Neighbours that are joined waste no more than they have, or the little of a small gap.
    assert sum(length for _, length in pieces) <= 3 * sum(length for _, length in ranges) + 4096 * len(ranges)


def test_long_ranges_are_asked_for_in_pieces_and_put_together():
    content = bytes(range(256)) * 100_000
    ranges = [(1, 20_000_000), (8 * 1024**2 - 10, 30), (25_000_000, 5), (7, 0)]
    pieces = list(_pieces(_merge(ranges)))
    assert len(pieces) == 4
    blocks = [memoryview(content)[at : at + length] for at, length in pieces]
    assert [bytes(one) for one in _cut(ranges, pieces, blocks)] == [content[at : at + length] for at, length in ranges]


def test_what_is_remembered_of_a_file_ends(bucket, tmp_path):
    (tmp_path / "stores.toml").write_text(bucket.described())
    settings = Settings(stores=tmp_path / "stores.toml", store_remember_seconds=0.2, _env_file=None)
    file = product(bucket.put("remembered.fits", b"1"))
    assert open_source(file, settings).size == 1
    bucket.put("remembered.fits", b"12")
    time.sleep(0.3)
    assert open_source(file, settings).size == 2
