"""OAI-PMH over HTTP, verb by verb and error by error; every document valid against OAI's and the IVOA's schemas.

Sections are those of OAI-PMH 2.0 and Registry Interfaces 1.1; ids are those of STANDARDS 19.
"""

from __future__ import annotations

import datetime as dt
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import xsd
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from patience import eventually
from records_by_hand import AUTHORITY, moment, record, registry_records
from serving import running

from vo.db import registry as stored
from vo.db.connect import external
from vo.db.registry import lock_stamps
from vo.registry.oai import dates
from vo.registry.oai.tokens import LIFE
from vo.registry.store import store

NS = {
    "oai": "http://www.openarchives.org/OAI/2.0/",
    "ri": "http://www.ivoa.net/xml/RegistryInterface/v1.0",
    "oai_dc": "http://www.openarchives.org/OAI/2.0/oai_dc/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

BETA = f"ivo://{AUTHORITY}/beta"
GONE = f"ivo://{AUTHORITY}/gone"
FOREIGN = f"ivo://{AUTHORITY}/foreign"
OWN = [one.identifier for one in registry_records() if not one.source]


@pytest.fixture(scope="module")
def published(settings, fresh_database):
    """A server with the records by hand; three of them make an answer."""
    database = fresh_database()
    with database.owner() as connection:
        store(connection, registry_records())
    chosen = {"host": "127.0.0.1", "port": 0, "oai_records": 3, "contact": "registry@observatory.example"}
    with running(settings.model_copy(update=chosen), database) as server:
        yield server


@pytest.fixture
def own(settings, fresh_database):
    """Make a server of a test's own with these records and settings."""
    with ExitStack() as stack:

        def make(records=(), **chosen):
            database = fresh_database()
            with database.owner() as connection:
                store(connection, records)
            update = {"host": "127.0.0.1", "port": 0, **chosen}
            return stack.enter_context(running(settings.model_copy(update=update), database))

        yield make


def ask(server, arguments="", **values):
    """The root of the answer to a query string or to these arguments (``from_`` for ``from``), valid and complete."""
    params = {name.rstrip("_"): value for name, value in values.items()}
    response = server.client.get(f"/oai?{arguments}" if arguments else "/oai", params=params or None)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/xml; charset=utf-8"  # section 3.1.2
    root = xsd.parse(response.content)
    assert root.tag == f"{{{NS['oai']}}}OAI-PMH"
    assert SECONDS.fullmatch(root.findtext("oai:responseDate", namespaces=NS))
    assert root.findtext("oai:request", namespaces=NS) == f"{server.url}/oai"
    return root


def codes(root):
    found = root.findall("oai:error", NS)
    assert all(one.text.strip() for one in found)  # said for people, too
    return [one.get("code") for one in found]


def echo(root):
    return dict(root.find("oai:request", NS).attrib)


def texts(root, path):
    return [one.text for one in root.iterfind(path, NS)]


def identifiers(root):
    return texts(root, ".//oai:header/oai:identifier")


def token(root):
    return root.findtext(".//oai:resumptionToken", namespaces=NS)


def walk(server, verb, **values):
    """All parts of a list."""
    parts = [ask(server, verb=verb, **values)]
    while token(parts[-1]):
        parts.append(ask(server, verb=verb, resumptionToken=token(parts[-1])))
    return parts


def canonical(element):
    """An element as a document of its own, in canonical form."""
    return etree.tostring(etree.fromstring(etree.tostring(element, with_tail=False)), method="c14n2")


# Frame


def test_answers_are_valid_and_name_their_schema_oai_13(published):
    response = published.get("/oai", verb="ListRecords", metadataPrefix="ivo_vor")
    root = xsd.validate(response.content)
    location = root.get(f"{{{NS['xsi']}}}schemaLocation").split()
    assert location == [NS["oai"], "http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd"]
    # Clients that know nothing of namespaces (OAI's own validator is one) look for the plain names.
    assert b"<OAI-PMH " in response.content
    assert b"<ri:Resource " in response.content
    xsd.validate(published.get("/oai", verb="ListRecords", metadataPrefix="oai_dc").content)


def test_response_date_is_this_second_in_utc_oai_02(published):
    before = dates.now()
    told = ask(published, verb="Identify").findtext("oai:responseDate", namespaces=NS)
    assert before <= moment(told.removesuffix("Z")) <= dates.now()


def test_request_repeats_arguments_oai_02(published):
    values = {"metadataPrefix": "oai_dc", "from": "2010-05-06", "until": "2010-05-07", "set": "ivo_managed"}
    assert echo(ask(published, verb="ListIdentifiers", **values)) == {"verb": "ListIdentifiers", **values}


@pytest.mark.parametrize("verb", ["Identify", "ListMetadataFormats", "ListSets"])
def test_post_is_answered_as_get_is_oai_01(published, verb):
    by_get = published.get("/oai", verb=verb)
    by_post = published.client.post("/oai", data={"verb": verb})
    assert by_post.status_code == 200
    assert comparable(by_get) == comparable(by_post)


def test_post_of_more_arguments_oai_01(published):
    values = {"verb": "GetRecord", "identifier": BETA, "metadataPrefix": "ivo_vor"}
    by_post = published.client.post("/oai", data=values)
    assert comparable(by_post) == comparable(published.get("/oai", **values))
    assert identifiers(xsd.parse(by_post.content)) == [BETA]


def comparable(response):
    return re.sub(rb"<responseDate>[^<]*", b"", response.content)


def test_answers_are_compressed_as_clients_like_it(published):
    for coding in ("gzip", "zstd", "identity"):
        response = published.client.get(
            "/oai?verb=ListRecords&metadataPrefix=ivo_vor", headers={"Accept-Encoding": coding}
        )
        assert response.headers.get("content-encoding", "identity") == coding
        if coding != "zstd":  # which not every httpx unpacks
            xsd.parse(response.content)


# Identify


def test_identify_oai_03(published):
    root = ask(published, verb="Identify")
    told = {one.tag.partition("}")[2]: one.text for one in root.find("oai:Identify", NS)}
    assert told["repositoryName"] == "Plates of registry"  # as its record is called
    assert told["baseURL"] == f"{published.url}/oai"
    assert told["protocolVersion"] == "2.0"
    assert told["adminEmail"] == "registry@observatory.example"
    assert told["earliestDatestamp"] == "2001-01-01T00:00:00Z"
    assert told["deletedRecord"] == "persistent"
    assert told["granularity"] == "YYYY-MM-DDThh:mm:ssZ"
    assert told["compression"] == "gzip"
    assert echo(root) == {"verb": "Identify"}


def test_identify_has_the_registry_record_oai_03(published):
    root = ask(published, verb="Identify")
    (resource,) = root.findall("oai:Identify/oai:description/ri:Resource", NS)
    assert resource.get(f"{{{NS['xsi']}}}type") == "vg:Registry"
    assert resource.findtext("identifier") == f"ivo://{AUTHORITY}/registry"
    assert resource.findtext("full") == "false"


def test_identify_takes_an_address_from_the_record_where_none_is_set(own):
    server = own(registry_records(), contact="")
    assert texts(ask(server, verb="Identify"), ".//oai:adminEmail") == ["plates@observatory.example"]


def test_identify_before_anything_is_published(own):
    before = dates.now()
    server = own(contact="not an address", publisher="A <small> observatory")
    root = ask(server, verb="Identify")
    assert "A <small> observatory" in root.findtext(".//oai:repositoryName", namespaces=NS)
    assert texts(root, ".//oai:adminEmail") == ["no-contact-is-set@registry.invalid"]
    assert root.find(".//oai:description", NS) is None
    earliest = root.findtext(".//oai:earliestDatestamp", namespaces=NS)
    assert before <= moment(earliest.removesuffix("Z")) <= dates.now()


# ListMetadataFormats, ListSets


def test_formats_oai_04(published):
    root = ask(published, verb="ListMetadataFormats")
    assert texts(root, ".//oai:metadataPrefix") == ["ivo_vor", "oai_dc"]
    assert texts(root, ".//oai:metadataNamespace") == [NS["ri"], NS["oai_dc"]]


def test_formats_of_a_record(published):
    root = ask(published, verb="ListMetadataFormats", identifier=BETA)
    assert texts(root, ".//oai:metadataPrefix") == ["ivo_vor", "oai_dc"]


def test_formats_of_no_record(published):
    assert codes(ask(published, verb="ListMetadataFormats", identifier=BETA + "x")) == ["idDoesNotExist"]


def test_sets_oai_05(published):
    root = ask(published, verb="ListSets")
    assert texts(root, ".//oai:setSpec") == ["ivo_managed"]
    assert token(root) is None


def test_sets_are_never_continued(published):
    assert codes(ask(published, verb="ListSets", resumptionToken="junk")) == ["badResumptionToken"]


# GetRecord


def test_get_record_oai_07(published):
    root = ask(published, verb="GetRecord", identifier=BETA, metadataPrefix="ivo_vor")
    (found,) = root.findall("oai:GetRecord/oai:record", NS)
    assert texts(found, "oai:header/oai:identifier") == [BETA]
    assert texts(found, "oai:header/oai:datestamp") == ["2010-05-06T00:00:00Z"]
    assert texts(found, "oai:header/oai:setSpec") == ["ivo_managed"]
    (resource,) = found.findall("oai:metadata/*", NS)
    assert resource.tag == f"{{{NS['ri']}}}Resource"
    assert resource.findtext("identifier") == BETA
    assert resource.findtext("title") == 'Plates <with> "signs" & ümlauts 星'


def test_get_record_gives_the_document_as_it_is(published):
    root = ask(published, verb="GetRecord", identifier=BETA, metadataPrefix="ivo_vor")
    (resource,) = root.findall(".//ri:Resource", NS)
    (wanted,) = (one.document for one in registry_records() if one.identifier == BETA)
    assert canonical(resource) == canonical(etree.fromstring(wanted))


def test_get_record_in_any_case_tells_the_identifier_as_it_is(published):
    root = ask(published, verb="GetRecord", identifier=BETA.upper(), metadataPrefix="oai_dc")
    assert identifiers(root) == [BETA]
    assert echo(root)["identifier"] == BETA.upper()


def test_get_record_in_dublin_core(published):
    root = ask(published, verb="GetRecord", identifier=f"ivo://{AUTHORITY}/alpha", metadataPrefix="oai_dc")
    (core,) = root.findall(".//oai:metadata/oai_dc:dc", NS)
    location = core.get(f"{{{NS['xsi']}}}schemaLocation").split()
    assert location == [NS["oai_dc"], "http://www.openarchives.org/OAI/2.0/oai_dc.xsd"]
    assert [(one.tag.partition("}")[2], one.text) for one in core] == [
        ("title", "Plates of alpha"),
        ("creator", "Fleming, W."),
        ("creator", "Müller, G."),
        ("subject", "photographic-astrometry"),
        ("subject", "sky-surveys"),
        ("description", "Plates & their jackets. Two lines."),
        ("publisher", "An observatory"),
        ("contributor", "Draper, M. A."),
        ("date", "1890-03-01"),
        ("type", "Catalog"),
        ("identifier", f"ivo://{AUTHORITY}/alpha"),
        ("identifier", "doi:10.5555/alpha"),
        ("identifier", "http://127.0.0.1/alpha"),
        ("source", "1890AnHar..27....1P"),
        ("rights", "Public domain"),
        ("rights", "https://spdx.org/licenses/CC0-1.0.html"),
        ("relation", f"ivo://{AUTHORITY}/tap"),
    ]


@pytest.mark.parametrize("prefix", ["ivo_vor", "oai_dc"])
def test_deleted_records_are_a_header_alone_oai_08(published, prefix):
    root = ask(published, verb="GetRecord", identifier=GONE, metadataPrefix=prefix)
    (found,) = root.findall(".//oai:record", NS)
    assert found.find("oai:header", NS).get("status") == "deleted"
    assert identifiers(found) == [GONE]
    assert found.find("oai:metadata", NS) is None


def test_records_from_elsewhere_are_not_served(published):
    root = ask(published, verb="GetRecord", identifier=FOREIGN, metadataPrefix="ivo_vor")
    assert codes(root) == ["idDoesNotExist"]
    listed = [one for part in walk(published, "ListIdentifiers", metadataPrefix="ivo_vor") for one in identifiers(part)]
    assert FOREIGN not in listed


# Lists


@pytest.mark.parametrize("prefix", ["ivo_vor", "oai_dc"])
@pytest.mark.parametrize("verb", ["ListIdentifiers", "ListRecords"])
def test_lists_come_in_parts_in_the_order_of_change_oai_11(published, verb, prefix):
    parts = walk(published, verb, metadataPrefix=prefix)
    assert [identifiers(part) for part in parts] == [OWN[:3], OWN[3:6], OWN[6:]]
    tokens = [part.find(".//oai:resumptionToken", NS) for part in parts]
    assert [one.get("cursor") for one in tokens] == ["0", "3", "6"]
    assert {one.get("completeListSize") for one in tokens} == {str(len(OWN))}
    assert tokens[-1].text is None  # section 3.5: the last part has an empty one
    for one in tokens[:-1]:
        assert moment(one.get("expirationDate").removesuffix("Z")) > dates.now() + LIFE / 2


def test_lists_of_records_hold_what_get_record_gives(published):
    for part in walk(published, "ListRecords", metadataPrefix="ivo_vor"):
        for found in part.iterfind(".//oai:record", NS):
            (identifier,) = identifiers(found)
            single = ask(published, verb="GetRecord", identifier=identifier, metadataPrefix="ivo_vor")
            (alone,) = single.iterfind(".//oai:record", NS)
            assert canonical(found) == canonical(alone)


def test_deleted_records_are_listed_oai_08(published):
    for verb in ("ListIdentifiers", "ListRecords"):
        heads = [
            one
            for part in walk(published, verb, metadataPrefix="ivo_vor")
            for one in part.iterfind(".//oai:header", NS)
        ]
        deleted = {one.findtext("oai:identifier", namespaces=NS) for one in heads if one.get("status") == "deleted"}
        assert deleted == {GONE}


def test_a_list_of_one_part_has_no_token(published):
    root = ask(published, verb="ListIdentifiers", metadataPrefix="oai_dc", until="2001-12-31")
    assert identifiers(root) == OWN[:3]
    assert root.find(".//oai:resumptionToken", NS) is None


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"from_": "2010-05-06"}, OWN[4:]),
        ({"until": "2010-05-05"}, OWN[:4]),
        ({"from_": "2010-05-05", "until": "2010-05-05"}, OWN[3:4]),
        ({"from_": "2010-05-05T23:59:59Z", "until": "2010-05-05T23:59:59Z"}, OWN[3:4]),
        ({"from_": "2010-05-06T00:00:00Z", "until": "2010-05-06T00:00:00Z"}, OWN[4:6]),
        ({"from_": "2010-05-06T00:00:01Z"}, OWN[6:]),
        ({"from_": "1000-01-01", "until": "9999-12-31"}, OWN),
        ({"set": "ivo_managed", "from_": "2020-01-01"}, OWN[6:]),
    ],
)
def test_from_and_until_include_their_ends_oai_10(published, values, wanted):
    parts = walk(published, "ListIdentifiers", metadataPrefix="ivo_vor", **values)
    assert [one for part in parts for one in identifiers(part)] == wanted


def test_a_list_goes_on_within_its_limits(published):
    parts = walk(
        published, "ListIdentifiers", metadataPrefix="ivo_vor", from_="2001-01-01T00:00:01Z", until="2010-12-31"
    )
    assert codes(parts[0]) == ["badArgument"]  # mixed granularity
    parts = walk(published, "ListIdentifiers", metadataPrefix="ivo_vor", from_="2001-01-02", until="2010-12-31")
    assert [identifiers(part) for part in parts] == [OWN[2:5], OWN[5:6]]


def test_what_changes_meanwhile_is_left_to_the_next_harvest(own):
    """Each record comes in its state of one moment, or in the next harvest; none is lost."""
    server = own(registry_records(), oai_records=2)
    first = ask(server, verb="ListRecords", metadataPrefix="ivo_vor")
    now = dates.now() + dt.timedelta(seconds=2)  # later than the list began, however quick the test is
    changed = record("omega", now.isoformat(sep=" "))
    with server.database.owner() as connection:
        store(connection, [changed])
    parts = [first]
    while token(parts[-1]):
        parts.append(ask(server, verb="ListRecords", resumptionToken=token(parts[-1])))
    assert [one for part in parts for one in identifiers(part)] == OWN[:-1]


def test_a_list_whose_rest_has_changed_ends_well(own):
    server = own(registry_records(), oai_records=6)
    first = ask(server, verb="ListRecords", metadataPrefix="oai_dc")
    later = (dates.now() + dt.timedelta(seconds=2)).isoformat(sep=" ")
    with server.database.owner() as connection:
        store(connection, [record("omega", later)])
    last = ask(server, verb="ListRecords", resumptionToken=token(first))
    assert identifiers(last) == [GONE]  # told already: a list without records would not be valid
    assert last.find(".//oai:resumptionToken", NS).text is None


def test_tokens_outlive_a_restart_and_give_the_same_again_oai_11(own):
    server = own(registry_records(), oai_records=3)
    first = token(ask(server, verb="ListRecords", metadataPrefix="ivo_vor"))
    here = published_part(server, first)
    assert here == published_part(server, first)
    with running(server.settings, server.database) as another:
        assert published_part(another, first) == here


def test_who_lists_waits_for_stamped_records_oai_12(own):
    """Records that bear a moment before the answer's are in it, however late they are committed."""
    server = own(registry_records())
    with ThreadPoolExecutor(1) as other:
        with server.database.owner() as connection:
            lock_stamps(connection)
            stamped = dates.now()
            store(connection, [record("new", stamped.isoformat(sep=" "))])
            asked = other.submit(ask, server, verb="ListIdentifiers", metadataPrefix="ivo_vor", from_="2021-01-01")
            eventually(lambda: waiting(server.database))
            assert not asked.done()
        root = asked.result()
    assert identifiers(root) == [f"ivo://{AUTHORITY}/new"]


def waiting(database):
    with database.owner() as connection:
        return connection.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone()


def test_who_lists_does_not_wait_for_ever(own, monkeypatch):
    monkeypatch.setattr(stored, "_WAIT_MS", 10)
    server = own(registry_records())
    with server.database.owner() as connection:
        lock_stamps(connection)
        late = server.get("/oai", verb="ListRecords", metadataPrefix="ivo_vor")
        assert late.status_code == 503
        assert int(late.headers["retry-after"]) > 0
        assert server.get("/oai", verb="Identify").status_code == 200
    assert ask(server, verb="ListRecords", metadataPrefix="ivo_vor") is not None


def published_part(server, resumption):
    root = ask(server, verb="ListRecords", resumptionToken=resumption)
    return [canonical(one) for one in root.iterfind(".//oai:record", NS)]


def test_a_token_of_another_database_is_a_bad_one(own):
    server = own(registry_records(), oai_records=6)
    first = token(ask(server, verb="ListRecords", metadataPrefix="ivo_vor"))
    empty = own()
    assert codes(ask(empty, verb="ListRecords", resumptionToken=first)) == ["badResumptionToken"]


# Errors, one by one (OAI-09)


@pytest.mark.parametrize("arguments", ["", "junk", "verb=", "verb=junk", "verb=identify", "VERB=Identify", "a=b"])
def test_bad_verb(published, arguments):
    root = ask(published, arguments)
    assert codes(root) == ["badVerb"]
    assert echo(root) == {}
    assert "Identify" in root.findtext("oai:error", namespaces=NS)


@pytest.mark.parametrize("arguments", ["verb=Identify&verb=Identify", "verb=ListSets&verb=Identify"])
def test_bad_verb_for_two_of_them(published, arguments):
    root = ask(published, arguments)
    assert codes(root) == ["badVerb"]
    assert echo(root) == {}


@pytest.mark.parametrize("verb", ["Identify", "ListMetadataFormats", "ListSets", "GetRecord", "ListRecords"])
def test_bad_argument_for_an_unknown_one(published, verb):
    needed = {"GetRecord": f"&identifier={BETA}&metadataPrefix=oai_dc", "ListRecords": "&metadataPrefix=oai_dc"}
    root = ask(published, f"verb={verb}{needed.get(verb, '')}&test=test")
    assert codes(root) == ["badArgument"]
    assert echo(root) == {}
    assert "'test'" in root.findtext("oai:error", namespaces=NS)


def test_bad_argument_for_one_of_another_verb(published):
    assert codes(ask(published, f"verb=ListRecords&metadataPrefix=oai_dc&identifier={BETA}")) == ["badArgument"]
    assert codes(ask(published, "verb=ListSets&set=ivo_managed")) == ["badArgument"]


def test_bad_argument_for_a_repeated_one(published):
    for value in ("oai_dc", "ivo_vor"):
        root = ask(published, f"verb=ListIdentifiers&metadataPrefix=oai_dc&metadataPrefix={value}")
        assert codes(root) == ["badArgument"]
        assert echo(root) == {}


def test_bad_argument_for_one_in_the_address_and_in_the_body(published):
    response = published.client.post("/oai?metadataPrefix=oai_dc", data={"verb": "ListRecords", "metadataPrefix": "x"})
    assert codes(xsd.parse(response.content)) == ["badArgument"]


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ("verb=GetRecord", ["identifier", "metadataPrefix"]),
        ("verb=GetRecord&metadataPrefix=oai_dc", ["identifier"]),
        (f"verb=GetRecord&identifier={BETA}", ["metadataPrefix"]),
        ("verb=ListRecords", ["metadataPrefix"]),
        ("verb=ListIdentifiers&set=ivo_managed", ["metadataPrefix"]),
    ],
)
def test_bad_argument_for_each_missing_one(published, arguments, missing):
    root = ask(published, arguments)
    assert codes(root) == ["badArgument"] * len(missing)
    for name, text in zip(missing, texts(root, "oai:error"), strict=True):
        assert text.startswith(f"{name} is missing")


@pytest.mark.parametrize(
    "date",
    [
        *("junk", "", "2001", "2001-02", "2001-02-30", "0000-01-01", "20010203", " 2001-02-03", "٢٠٠١-٠٢-٠٣"),
        *("2001-02-03T04:05Z", "2001-02-03T04:05:06", "2001-02-03T04:05:06.7Z", "2001-02-03T04:05:06%2B00:00"),
        *("2001-02-03T24:00:01Z", "2001-02-03T23:59:60Z"),
    ],
)
@pytest.mark.parametrize("name", ["from", "until"])
def test_bad_argument_for_what_is_no_date(published, name, date):
    root = ask(published, f"verb=ListRecords&metadataPrefix=oai_dc&{name}={date}")
    assert codes(root) == ["badArgument"]
    assert echo(root) == {}


def test_bad_argument_for_mixed_granularity(published):
    arguments = "verb=ListRecords&metadataPrefix=oai_dc&from=2002-02-05&until=2002-02-06T05:35:00Z"
    assert codes(ask(published, arguments)) == ["badArgument"]


def test_bad_argument_for_from_after_until(published):
    for first, last in (("2000-01-02", "2000-01-01"), ("2000-01-01T00:00:01Z", "2000-01-01T00:00:00Z")):
        arguments = f"verb=ListIdentifiers&metadataPrefix=oai_dc&from={first}&until={last}"
        assert codes(ask(published, arguments)) == ["badArgument"]


@pytest.mark.parametrize("arguments", ["set=", "set=a%20b", "set=a::b", "set=a:"])
def test_bad_argument_for_what_is_no_set(published, arguments):
    assert codes(ask(published, f"verb=ListRecords&metadataPrefix=oai_dc&{arguments}")) == ["badArgument"]


def test_bad_argument_for_what_is_no_format(published):
    assert codes(ask(published, "verb=ListRecords&metadataPrefix=a%20b")) == ["badArgument"]
    assert codes(ask(published, "verb=ListRecords&metadataPrefix=")) == ["badArgument"]


@pytest.mark.parametrize(
    "identifier", ["invalid%22id", "", "%01", "a%20b", "ivo://a/%25zz", "%F0%9F%94%AD", "x" * 5000]
)
def test_bad_argument_for_what_is_no_identifier(published, identifier):
    root = ask(published, f"verb=GetRecord&identifier={identifier}&metadataPrefix=oai_dc")
    assert codes(root) == ["badArgument"]
    assert echo(root) == {}


def test_bad_argument_for_company_of_a_token(published):
    resumption = token(ask(published, verb="ListRecords", metadataPrefix="oai_dc"))
    for other in ("metadataPrefix=oai_dc", "from=2001-01-01", "until=2030-01-01", "set=ivo_managed"):
        root = ask(published, f"verb=ListRecords&resumptionToken={resumption}&{other}")
        assert codes(root) == ["badArgument"]
        assert echo(root) == {}


@pytest.mark.parametrize("body", [b"\xff", b"verb=%FF", b"verb=%00"])
def test_bad_argument_for_what_is_no_text(published, body):
    response = published.client.post(
        "/oai", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert response.status_code == 200
    assert codes(xsd.parse(response.content))[0] in ("badArgument", "badVerb")


def test_several_errors_at_once(published):
    root = ask(published, "verb=GetRecord&identifier=a%20b&until=2001-01-01&x=1&y=2&x=3")
    assert codes(root) == ["badArgument"] * 3
    told = texts(root, "oai:error")
    assert [
        word for word in ("'until', 'x', 'y'", "metadataPrefix is missing", "'a b' is no URI") if word in str(told)
    ] == [
        "'until', 'x', 'y'",
        "metadataPrefix is missing",
        "'a b' is no URI",
    ]


def test_bad_argument_and_others_at_once_repeat_no_argument(published):
    root = ask(published, "verb=ListRecords&metadataPrefix=other&set=other&from=junk")
    assert codes(root) == ["badArgument", "cannotDisseminateFormat", "noRecordsMatch"]
    assert echo(root) == {}


def test_cannot_disseminate_format(published):
    for arguments in (f"verb=GetRecord&identifier={BETA}", "verb=ListRecords", "verb=ListIdentifiers"):
        root = ask(published, f"{arguments}&metadataPrefix=marc21")
        assert codes(root) == ["cannotDisseminateFormat"]
        assert echo(root)["metadataPrefix"] == "marc21"


@pytest.mark.parametrize(
    "identifier",
    [
        BETA + "x",
        "ivo://elsewhere.example/beta",
        "really_wrong_id",
        "oai:arXiv.org:hep-th/9901001",
        f"ivo://{AUTHORITY}/",
    ],
)
def test_id_does_not_exist(published, identifier):
    root = ask(published, verb="GetRecord", identifier=identifier, metadataPrefix="oai_dc")
    assert codes(root) == ["idDoesNotExist"]
    assert echo(root)["identifier"] == identifier


def test_no_records_match_before_the_earliest_oai_10(published):
    earliest = ask(published, verb="Identify").findtext(".//oai:earliestDatestamp", namespaces=NS)
    before = f"{int(earliest[:4]) - 1}{earliest[4:]}"
    root = ask(published, verb="ListRecords", metadataPrefix="oai_dc", until=before)
    assert codes(root) == ["noRecordsMatch"]
    assert echo(root)["until"] == before


def test_no_records_match_between_two(published):
    root = ask(published, verb="ListIdentifiers", metadataPrefix="ivo_vor", from_="2011-01-01", until="2011-12-31")
    assert codes(root) == ["noRecordsMatch"]


def test_no_records_match_in_the_future(published):
    assert codes(ask(published, verb="ListRecords", metadataPrefix="ivo_vor", from_="9999-12-31")) == ["noRecordsMatch"]


def test_no_records_match_in_another_set(published):
    root = ask(published, verb="ListRecords", metadataPrefix="ivo_vor", set="Standard:all")
    assert codes(root) == ["noRecordsMatch"]
    assert echo(root)["set"] == "Standard:all"


def test_no_records_match_where_nothing_is_published(own):
    root = ask(own(), verb="ListRecords", metadataPrefix="ivo_vor")
    assert codes(root) == ["noRecordsMatch"]
    assert "vo publish" in root.findtext("oai:error", namespaces=NS)


@pytest.mark.parametrize("junk", ["junk", "", "a%20b", "%01", "%F0%9F%94%AD", "x" * 5000, "%22%3E%3C/", "===="])
@pytest.mark.parametrize("verb", ["ListIdentifiers", "ListRecords"])
def test_bad_resumption_token(published, verb, junk):
    root = ask(published, f"verb={verb}&resumptionToken={junk}")
    assert codes(root) == ["badResumptionToken"]


def test_bad_resumption_token_of_another_verb(published):
    resumption = token(ask(published, verb="ListRecords", metadataPrefix="oai_dc"))
    root = ask(published, verb="ListIdentifiers", resumptionToken=resumption)
    assert codes(root) == ["badResumptionToken"]
    assert echo(root)["resumptionToken"] == resumption


def test_bad_resumption_token_that_was_tampered_with(published):
    resumption = token(ask(published, verb="ListRecords", metadataPrefix="oai_dc"))
    for place in range(0, len(resumption), 7):
        other = "A" if resumption[place] != "A" else "B"
        changed = resumption[:place] + other + resumption[place + 1 :]
        assert codes(ask(published, verb="ListRecords", resumptionToken=changed)) == ["badResumptionToken"]


def test_while_the_database_is_away_503_says_so_as_text(settings):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    dsn = f"host=127.0.0.1 port={port} dbname=vo user=vo"
    update = {"dsn": dsn, "query_dsn": dsn, "collections": ("demo",), "host": "127.0.0.1", "port": 0}
    alone = settings.model_copy(update=update)
    database = external(alone)
    try:
        with running(alone, database) as server:
            late = server.get("/oai", verb="ListRecords", metadataPrefix="ivo_vor")
            assert late.status_code == 503
            assert int(late.headers["retry-after"]) > 0
            assert late.headers["content-type"].startswith("text/plain")
            assert codes(ask(server, verb="junk")) == ["badVerb"]  # which needs no database
    finally:
        database.close()


def test_other_methods_are_refused_and_head_is_answered(published):
    refused = published.client.request("PUT", "/oai")
    assert refused.status_code == 405
    head = published.client.head("/oai?verb=ListRecords&metadataPrefix=ivo_vor")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == "text/xml; charset=utf-8"


def test_too_large_a_request_is_told_as_http_has_it(own):
    server = own(request_bytes=2000)
    response = server.client.post("/oai", data={"verb": "Identify", "x": "x" * 3000})
    assert response.status_code == 413
    assert "request_bytes" in response.text


# Whatever comes

NAMES = st.sampled_from(
    ["verb", "identifier", "metadataPrefix", "from", "until", "set", "resumptionToken", "Verb", "x", ""]
)
VALUES = st.one_of(
    st.sampled_from(["Identify", "ListMetadataFormats", "ListSets", "GetRecord", "ListIdentifiers", "ListRecords"]),
    st.sampled_from(
        ["ivo_vor", "oai_dc", "ivo_managed", BETA, GONE, BETA.upper(), "a:b", "//a", "a#b#c", "ivo://[", "::"]
    ),
    st.dates().map(str),
    st.datetimes().map(lambda one: one.strftime("%Y-%m-%dT%H:%M:%SZ")),
    st.text(max_size=12),
    st.text(alphabet="ab:/?#[]@!$&'()*+,;=%20-._~\"<> \\^`{|}", max_size=12),
)
KNOWN = {
    *("badVerb", "badArgument", "badResumptionToken", "cannotDisseminateFormat"),
    *("idDoesNotExist", "noRecordsMatch"),
}


@given(st.lists(st.tuples(NAMES, VALUES), max_size=5))
def test_any_arguments_give_a_valid_answer(published, pairs):
    response = published.client.post("/oai", data=as_form(pairs))
    assert response.status_code == 200
    root = xsd.parse(response.content)
    assert set(codes(root)) <= KNOWN
    if {"badVerb", "badArgument"} & set(codes(root)):
        assert echo(root) == {}
    else:
        assert echo(root)["verb"] == dict(pairs)["verb"]


@given(
    st.sampled_from(["GetRecord", "ListMetadataFormats", "ListIdentifiers", "ListRecords"]),
    st.fixed_dictionaries(
        {}, optional={"identifier": VALUES, "metadataPrefix": VALUES, "from": VALUES, "until": VALUES, "set": VALUES}
    ),
)
def test_any_values_give_a_valid_answer(published, verb, values):
    response = published.client.post("/oai", data={"verb": verb, **values})
    assert response.status_code == 200
    root = xsd.parse(response.content)
    assert set(codes(root)) <= KNOWN


def as_form(pairs):
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form
