"""Records made, stored and made again (``vo publish``): what changes, and what stays (OAI-12)."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from itertools import islice

import pytest
import xsd
from lxml import etree
from registering import publish

from vo.db.records import Scan
from vo.db.registry import read_records
from vo.demo.logbook import logged_plates
from vo.errors import OperatorFault
from vo.ingest.load import load_bundles
from vo.registry.publish import published_base

BASE = "http://plates.example"
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


@pytest.fixture
def ours(fresh_database, settings):
    database = fresh_database()
    publish(settings, database, BASE)
    return database


def documents(database):
    with database.owner() as connection:
        return {one.identifier: one for one in read_records(connection)}


def test_every_record_is_valid(ours, collections):
    """VOR-01 to VOR-05, VDS-01 and VDS-02, OAI-13: as their XML schemas say."""
    found = documents(ours)
    kinds = {name: xsd.validate(one.document.encode()).get(XSI_TYPE) for name, one in found.items()}
    assert kinds == {
        "ivo://vo-plates.example": "vg:Authority",
        "ivo://vo-plates.example/organisation": "vr:Organisation",
        "ivo://vo-plates.example/registry": "vg:Registry",
        "ivo://vo-plates.example/tap": "vs:CatalogService",
        "ivo://vo-plates.example/obscore": "vs:CatalogResource",
        "ivo://vo-plates.example/sia2": "vs:CatalogService",
        **{f"ivo://vo-plates.example/{one.name}": "vs:CatalogResource" for one in collections},
    }


def test_publishing_again_changes_nothing(ours, settings):
    before = documents(ours)
    published = publish(settings, ours, BASE)
    assert {one.what for one in published.outcomes} == {"unchanged"}
    assert documents(ours) == before


def test_a_collection_that_is_published_no_more_is_deleted(ours, settings, collections):
    published = publish(settings.model_copy(update={"collections": ("demo", "poss1")}), ours, BASE)
    assert {one.identifier for one in published.outcomes if one.what == "deleted"} == {
        f"ivo://vo-plates.example/{one.name}" for one in collections if one.name not in ("demo", "poss1")
    }
    found = documents(ours)["ivo://vo-plates.example/dasch"]
    assert (found.status, found.document) == ("deleted", None)
    again = publish(settings, ours, BASE)
    assert {one.what for one in again.outcomes if one.identifier.endswith("/dasch")} == {"new"}
    assert documents(ours)["ivo://vo-plates.example/dasch"].created == found.created


def test_a_dry_run_stores_nothing(fresh_database, settings):
    database = fresh_database()
    published = publish(settings, database, BASE, dry_run=True)
    assert {one.what for one in published.outcomes} == {"new"}
    assert documents(database) == {}


def test_identifiers_and_addresses_are_those_of_the_document(ours):
    for name, record in documents(ours).items():
        root = etree.fromstring(record.document)
        assert root.findtext("identifier") == name
        assert root.get("updated") == f"{record.datestamp.isoformat()}Z"
        assert {one.text.startswith(f"{BASE}/") for one in root.iter("accessURL")} <= {True}


def changed(published) -> set[str]:
    """The last parts of the identifiers of what is new or changed."""
    return {one.identifier.rpartition("/")[2] for one in published.outcomes if one.what in ("new", "changed")}


def load(database, settings, first, last, *, scanned):
    """Some plates of the demo's logbook, as if scanned or not."""
    bundles = []
    for bundle in islice(logged_plates(settings.authority), first, last):
        plate = bundle.plate
        scans = (Scan(plate.collection, plate.plate_id, "1"),) if scanned else ()
        scan = "1" if scanned else None
        exposures = tuple(replace(one, scan_id=scan, has_imaging=scanned) for one in bundle.exposures)
        bundles.append(replace(bundle, scans=scans, exposures=exposures, products=()))
    load_bundles(database, settings, "demo", bundles, "tests")


def test_what_changes_is_stamped_and_nothing_else(fresh_database, settings, tmp_path):
    """Each record's content decides (OAI-12); what the rest says stays, with its time."""
    resources = tmp_path / "resources"
    shutil.copytree(settings.resources_dir, resources)
    own = settings.model_copy(update={"resources_dir": resources})
    database = fresh_database()
    publish(own, database, BASE)

    # plates that are not scanned: the collection's table alone has them
    load(database, own, 0, 5, scanned=False)
    assert changed(publish(own, database, BASE)) == {"demo", "tap"}
    # the same plates again: no row changes
    load(database, own, 0, 5, scanned=False)
    assert changed(publish(own, database, BASE)) == set()
    # scanned ones: they are in ivoa.obscore, and hence in what is found there
    load(database, own, 5, 9, scanned=True)
    assert changed(publish(own, database, BASE)) == {"demo", "tap", "obscore", "sia2"}

    path = resources / "poss1" / "collection.toml"
    path.write_text(path.read_text().replace('short_name = "POSS-I red"', 'short_name = "POSS-I E"'))
    before = documents(database)
    assert changed(publish(own, database, BASE)) == {"poss1"}
    after = documents(database)
    assert {name for name in after if after[name] != before[name]} == {"ivo://vo-plates.example/poss1"}
    name = "ivo://vo-plates.example/poss1"
    assert after[name].created == before[name].created
    assert after[name].datestamp >= before[name].datestamp

    # another address: all that name addresses
    assert changed(publish(own, database, "https://plates.example/vo")) >= {
        "tap",
        "sia2",
        "obscore",
        "registry",
        "demo",
    }


def test_collections_that_are_not_named_stay_as_they_are(fresh_database, settings, tmp_path):
    resources = tmp_path / "resources"
    shutil.copytree(settings.resources_dir, resources)
    own = settings.model_copy(update={"resources_dir": resources})
    database = fresh_database()
    publish(own, database, BASE)
    for name in ("poss1", "dasch"):
        path = resources / name / "collection.toml"
        path.write_text(
            path.read_text()
            .replace("short_name = ", 'resource_version = "2"\nshort_name = ')
            .replace('resource_version = "DR7"\n', "")
        )
    assert changed(publish(own, database, BASE, only=("poss1",))) == {"poss1"}
    assert changed(publish(own, database, BASE)) == {"dasch"}


def test_who_publishes_at_the_same_time_waits(fresh_database, settings):
    """Two at once: one makes the records, the other finds nothing to change."""
    database = fresh_database()
    done = []
    threads = [threading.Thread(target=lambda: done.append(publish(settings, database, BASE))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    news = [one.count("new") for one in done]
    assert sorted(news)[:2] == [0, 0]
    assert sum(news) == len(documents(database))


def test_a_record_that_is_not_valid_stops_all(fresh_database, settings, tmp_path):
    resources = tmp_path / "resources"
    shutil.copytree(settings.resources_dir, resources)
    path = resources / "poss1" / "collection.toml"
    path.write_text(path.read_text().replace("short_name", 'ivoid = "ivo://vo-plates.example/tap"\nshort_name'))
    database = fresh_database()
    with pytest.raises(OperatorFault, match="two records have this identifier"):
        publish(settings.model_copy(update={"resources_dir": resources}), database, BASE)
    assert documents(database) == {}


def test_the_address_of_published_records(ours, settings):
    with ours.read() as connection:
        assert published_base(connection, settings) == BASE
        assert published_base(connection, settings.model_copy(update={"authority": "other.example"})) is None
    with ours.owner() as connection:
        connection.execute("ALTER SCHEMA registry RENAME TO gone")
        assert published_base(connection, settings) is None
        connection.rollback()
