"""The example queries of the real collections give rows where their plates are."""

from __future__ import annotations

import csv
import io

import packages
import pytest
import realdata
from serving import running

from vo.adql import compile_query
from vo.ingest.load import ingest
from vo.metadata.collection import list_collections, load_collection
from vo.metadata.examples import read_examples
from vo.settings import Settings
from vo.tap.examples import with_uploads

#: A made-up mosaic package of a real plate with two exposures: it is solved twice.
PACKAGE = packages.Package(
    "md01361",
    solutions=(packages.Tpv(16.890369, 61.054503), packages.Tpv(16.953507, 61.05617)),
    exposures=(packages.exposure(1), packages.exposure(0)),
)
COLLECTIONS = (*realdata.CATALOGUES, "samples")

_SETTINGS = Settings(_env_file=None)
EXAMPLES = [
    example
    for example in read_examples(
        _SETTINGS, tuple(load_collection(_SETTINGS, name) for name in list_collections(_SETTINGS))
    )
    if example.collection in COLLECTIONS
]


@pytest.fixture(scope="module")
def server(real_database, settings, tmp_path_factory):
    database = real_database()
    ingest(database, settings, "samples", realdata.path("fits"))
    for package in (PACKAGE, PACKAGE.better()):
        ingest(database, settings, "dasch", package.write(tmp_path_factory.mktemp("package")))
    with running(settings.model_copy(update={"port": 0}), database) as started:
        yield started


@pytest.mark.parametrize("example", [one for one in EXAMPLES if not one.uploads], ids=lambda one: one.id)
def test_each_query_finds_something(server, example):
    response = server.query(example.query, FORMAT="csv", MAXREC=10)
    assert response.status_code == 200, response.text
    assert list(csv.reader(io.StringIO(response.text)))[1:]


@pytest.mark.parametrize("example", [one for one in EXAMPLES if one.uploads], ids=lambda one: one.id)
def test_each_query_with_an_upload_finds_every_row_it_shows(server, catalogue, example):
    (upload,) = example.uploads
    compiled = compile_query(example.query, with_uploads(catalogue, example.uploads))
    names = [field.name for field in compiled.fields]
    with server.database.owner() as connection:
        connection.execute("CREATE SCHEMA tap_upload")
        columns = ", ".join(f"{name} float8" for name in upload.columns)
        connection.execute(f"CREATE TABLE tap_upload.{upload.name} ({columns})")
        for row in upload.rows:
            connection.execute(f"INSERT INTO tap_upload.{upload.name} VALUES ({', '.join(['%s'] * len(row))})", row)
        found = connection.execute(compiled.sql).fetchall()
        connection.rollback()
    places = [names.index(name) for name in upload.columns]
    assert {tuple(row[place] for place in places) for row in found} == set(upload.rows)
