"""Where answers come from: Data Origin 1.2 wherever there is a place for it, as astropy reads it (DALI-11, DALI-12).

What is said of services and collections names records that are published.
"""

from __future__ import annotations

import io
import json

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from astropy.io.votable.dataorigin import DataOrigin, extract_data_origin
from jobs import HREF, UWS, clean, ended, message
from lxml import etree
from patience import PATIENCE

from vo.db.registry import read_records

QUERY = "SELECT TOP 2 obs_id FROM ivoa.obscore"
DID = "ivo://vo-plates.example/demo?two_fields/1"
SIA2 = "ivo://vo-plates.example/sia2"


@pytest.fixture(scope="module")
def published(registered):
    """The identifiers of all records."""
    with registered.database.read() as connection:
        return {record.identifier for record in read_records(connection)}


@pytest.fixture(scope="module")
def client(server, worker):
    with httpx.Client(base_url=server.url, timeout=PATIENCE, follow_redirects=True) as own:
        yield own


def read(content: bytes) -> DataOrigin:
    return extract_data_origin(votable.parse(io.BytesIO(content)))


def check(origin: DataOrigin, published, *, protocol: str, service: str, data: set[str]) -> None:
    """What every answer says; warnings of astropy are errors here."""
    query = origin.query
    assert query.publisher == "A vo-plates server"
    assert query.service_protocol == protocol
    assert query.service_ivoid == service
    assert service in published
    assert query.server_software.startswith("vo-plates/")
    assert query.request_date.endswith("Z")
    assert query.request.startswith("http://127.0.0.1:")
    found = [ivoid for one in origin.origin for ivoid in one.data_ivoid]
    assert sorted(found) == sorted(data)
    assert data <= published
    assert (
        sum(len(one.citation) for one in origin.origin) == sum(len(one.creator) for one in origin.origin) == len(data)
    )


def names(*collections: str) -> set[str]:
    return {f"ivo://vo-plates.example/{name}" for name in collections}


def everything(published) -> set[str]:
    """The collections."""
    return published - names("organisation", "registry", "tap", "obscore", "sia2") - {"ivo://vo-plates.example"}


@pytest.mark.parametrize("form", ["votable", "votable/td", "votable/b"])
def test_tap_in_every_votable(server, published, form):
    answer = server.query("SELECT TOP 2 plate_id FROM demo.plates", RESPONSEFORMAT=form)
    origin = read(answer.content)
    check(
        origin, published, protocol="ivo://ivoa.net/std/TAP", service="ivo://vo-plates.example/tap", data=names("demo")
    )
    assert origin.query.query == "SELECT TOP 2 plate_id FROM demo.plates"
    assert origin.origin[0].rights == ["Synthetic data, free for any use."]
    assert origin.origin[0].resource_version == ["1"]


def infos_of(form: str, content: bytes) -> list[tuple[str, str]]:
    """Names and values as a form that is no VOTable has them."""
    if form == "json":
        return [(one["name"], one["value"]) for one in json.loads(content)["metadata"]["infos"]]
    if form == "fits":
        text = "".join(fits.getheader(io.BytesIO(content), 1)["COMMENT"])
        return [(name, "") for name in ("publisher", "service_ivoid", "data_ivoid", "citation") if f"{name}: " in text]
    if form == "html":
        page = etree.fromstring(content, etree.HTMLParser())
        return [(name.text, name.getnext().text) for name in page.iter("dt")]
    if form == "parquet":
        inside = pq.read_metadata(io.BytesIO(content)).metadata[b"IVOA.VOTable-Parquet.content"]
    else:
        inside = pa.ipc.open_stream(content).schema.metadata[b"IVOA.VOTable-Parquet.content"]
    return [(one.get("name"), one.get("value")) for one in etree.fromstring(inside).iter("{*}INFO")]


@pytest.mark.parametrize("form", ["json", "fits", "html", "parquet", "arrow"])
def test_tap_in_every_other_form_that_has_a_place_for_it(server, published, form):
    content = server.query("SELECT TOP 2 plate_id FROM demo.plates", RESPONSEFORMAT=form).content
    assert {"publisher", "service_ivoid", "data_ivoid", "citation"} <= {name for name, _ in infos_of(form, content)}


def test_a_job_of_tap(client, published):
    with clean(client) as urls:
        made = client.post("/tap/async", data={"QUERY": QUERY, "PHASE": "RUN"}, follow_redirects=False)
        urls.append(made.headers["location"])
        job = ended(client, urls[-1])
        assert job.findtext(f"{UWS}phase") == "COMPLETED", message(job)
        origin = read(client.get(f"{urls[-1]}/results/result").content)
    check(
        origin,
        published,
        protocol="ivo://ivoa.net/std/TAP",
        service="ivo://vo-plates.example/tap",
        data=everything(published),
    )


@pytest.mark.parametrize(
    "query", ["SELECT TOP 1 table_name FROM tap_schema.tables", "SELECT TOP 1 ivoid FROM rr.resource"]
)
def test_what_tells_of_resources_is_the_registrys(server, published, query):
    origin = read(server.query(query).content)
    check(
        origin,
        published,
        protocol="ivo://ivoa.net/std/TAP",
        service="ivo://vo-plates.example/tap",
        data=names("registry"),
    )


def test_sia2_and_its_description(server, published):
    for values in ({"POS": "CIRCLE 214.62 28.41 1"}, {"MAXREC": 0}):
        origin = read(server.get("/sia2/query", **values).content)
        check(
            origin,
            published,
            protocol="ivo://ivoa.net/std/SIA#query-2.0",
            service=SIA2,
            data=everything(published),
        )


def test_datalink_credits_the_collections_of_its_rows(server, published):
    origin = read(server.get("/datalink/links", ID=DID).content)
    check(origin, published, protocol="ivo://ivoa.net/std/DataLink#links-1.1", service=SIA2, data=names("demo"))


def test_the_summary_of_a_job_of_cutouts(client, published):
    with clean(client) as urls:
        values = {"ID": DID, "CIRCLE": "0 0 1", "PHASE": "RUN"}
        urls.append(client.post("/soda/async", data=values, follow_redirects=False).headers["location"])
        job = ended(client, urls[-1])
        (summary,) = (one for one in job.iter(f"{UWS}result") if one.get("id") == "summary")
        origin = read(client.get(summary.get(HREF)).content)
    check(origin, published, protocol="ivo://ivoa.net/std/SODA#async-1.0", service=SIA2, data=names("demo"))
