"""The publishing registry as harvesters read it: real records, a library of others, and a walk of our own."""

from __future__ import annotations

import httpx
import pytest
import xsd
from lxml import etree
from oaipmh_scythe import Scythe, exceptions
from patience import PATIENCE
from serving import running

from vo.db.registry import read_records

OAI = "{http://www.openarchives.org/OAI/2.0/}"
RI = "{http://www.ivoa.net/xml/RegistryInterface/v1.0}"
DC = "{http://purl.org/dc/elements/1.1/}"
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


@pytest.fixture(scope="module")
def endpoint(registered):
    """The address of a registry with the demo's records, two to an answer."""
    with running(registered.settings.model_copy(update={"oai_records": 2}), registered.database) as server:
        yield f"{server.url}/oai"


@pytest.fixture(scope="module")
def stored(registered):
    """What the database has, by identifier."""
    with registered.database.read() as connection:
        return {one.identifier: one for one in read_records(connection)}


def harvest(endpoint, prefix):
    """Walk a list as Registry Interfaces has harvesters do it; every answer has to be valid."""
    asked = {"metadataPrefix": prefix, "set": "ivo_managed"}
    with httpx.Client(timeout=PATIENCE) as client:
        while asked:
            response = client.get(endpoint, params={"verb": "ListRecords", **asked})
            root = xsd.parse(response.raise_for_status().content)
            yield from root.iter(f"{OAI}record")
            token = root.findtext(f".//{OAI}resumptionToken")
            asked = {"resumptionToken": token} if token else None


def test_a_walk_brings_every_record_oai_07(endpoint, stored):
    found = {}
    for record in harvest(endpoint, "ivo_vor"):
        (resource,) = record.iter(f"{RI}Resource")
        identifier = record.findtext(f"{OAI}header/{OAI}identifier")
        assert resource.findtext("identifier") == identifier
        assert resource.get("updated") == record.findtext(f"{OAI}header/{OAI}datestamp")
        found[identifier] = etree.fromstring(etree.tostring(resource, with_tail=False))
    active = {key: one for key, one in stored.items() if one.status == "active"}
    assert found.keys() == active.keys()
    for identifier, one in active.items():
        ours = etree.tostring(etree.fromstring(one.document), method="c14n2", strip_text=True)
        assert etree.tostring(found[identifier], method="c14n2", strip_text=True) == ours


def test_every_authority_is_managed_and_has_its_record_oai_06(endpoint):
    resources = [one for record in harvest(endpoint, "ivo_vor") for one in record.iter(f"{RI}Resource")]
    (registry,) = (one for one in resources if one.get(TYPE) == "vg:Registry")
    managed = {one.text for one in registry.iterfind("managedAuthority")}
    recorded = {one.findtext("identifier") for one in resources if one.get(TYPE) == "vg:Authority"}
    assert recorded == {f"ivo://{name}" for name in managed}
    assert {one.findtext("identifier").split("/")[2] for one in resources} == managed
    identified = xsd.parse(httpx.get(endpoint, params={"verb": "Identify"}).content)
    assert identified.find(f".//{RI}Resource").findtext("identifier") == registry.findtext("identifier")


def test_dublin_core_of_every_record(endpoint, stored):
    titles = {}
    for record in harvest(endpoint, "oai_dc"):
        identifiers = [one.text for one in record.iter(f"{DC}identifier")]
        titles[identifiers[0]] = record.findtext(f".//{DC}title")
    wanted = {key: etree.fromstring(one.document).findtext("title") for key, one in stored.items() if one.document}
    assert titles == wanted


def test_a_client_of_others_harvests_it(endpoint, stored):
    with Scythe(endpoint) as client:
        identify = client.identify()
        assert identify.baseURL == endpoint
        assert identify.deletedRecord == "persistent"
        assert [one.metadataPrefix for one in client.list_metadata_formats()] == ["ivo_vor", "oai_dc"]
        assert [one.setSpec for one in client.list_sets()] == ["ivo_managed"]
        assert {one.identifier for one in client.list_identifiers(metadata_prefix="ivo_vor")} == stored.keys()
        records = list(client.list_records(metadata_prefix="oai_dc", ignore_deleted=True))
        assert {one.header.identifier: one.metadata["title"] for one in records} == {
            key: [etree.fromstring(one.document).findtext("title")] for key, one in stored.items() if one.document
        }
        one = client.get_record(identifier="ivo://vo-plates.example/tap", metadata_prefix="oai_dc")
        assert one.header.identifier == "ivo://vo-plates.example/tap"
        with pytest.raises(exceptions.NoRecordsMatch):
            list(client.list_records(metadata_prefix="oai_dc", until="1999-12-31"))
        with pytest.raises(exceptions.IdDoesNotExist):
            client.get_record(identifier="ivo://vo-plates.example/none", metadata_prefix="oai_dc")
