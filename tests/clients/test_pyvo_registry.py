"""pyVO's registry search with the server as its registry: each constraint finds the right records and no others."""

from __future__ import annotations

import io

import documents_by_hand as by_hand
import pytest
import pyvo
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time
from pyvo import registry
from pyvo.registry import regtap
from serving import running

from vo.registry.store import store

SERVED = by_hand.relation("IsServedBy", "ivo://test.example/tap", "ivo://test.example/sia2")
URL = "http://127.0.0.1:1"
TAP = f"{URL}/tap"
SIA = f"{URL}/sia2"
AUX = by_hand.capability("ivo://ivoa.net/std/TAP#aux", TAP)
#: HEALPix' cells of order 0: four around the north pole, four around the equator, four around the south pole.
NORTH, SOUTH = "0/0-3 6/", "0/8-11 6/"


def obscore_model(kind: str = "ObsCore#core-1.1") -> str:
    return f'<dataModel ivo-id="ivo://ivoa.net/std/{kind}">a data model</dataModel>'


DOCUMENTS = (
    by_hand.resource(
        "vs:CatalogService", "ivo://Test.Example/TAP", "Queries of the Dome",
        by_hand.capability("ivo://ivoa.net/std/TAP", TAP, "tr:TableAccess", obscore_model())
        + by_hand.capability("ivo://ivoa.net/std/VOSI#tables-1.1", f"{TAP}/tables"),
    ),
    by_hand.resource(
        "vs:CatalogResource", "ivo://Test.Example/obscore", "Observations of the Dome",
        AUX + by_hand.coverage(f"{NORTH} 0/8-11", "10000 40000", by_hand.BLUE, "Optical")
        + by_hand.tables("ivoa", "obscore", utype="ivo://ivoa.net/std/ObsCore#table-1.1"),
        relation=by_hand.relation("IsServedBy", "ivo://Test.Example/TAP"),
    ),
    by_hand.resource(
        "vs:CatalogService", "ivo://Test.Example/SIA2", "Images of the Dome",
        by_hand.capability("ivo://ivoa.net/std/SIA#query-2.0", SIA, "sia:SimpleImageAccess", version="2.0")
        + by_hand.coverage(f"{NORTH} 0/8-11", "10000 40000", by_hand.BLUE, "Optical"),
        relation=by_hand.relation("IsServedBy", "ivo://Test.Example/obscore"),
    ),
    by_hand.resource(
        "vs:CatalogResource", "ivo://Test.Example/north", "Boreal glass",
        AUX + by_hand.capability("ivo://ivoa.net/std/SIA#query-aux-2.0", SIA, version="2.0")
        + by_hand.coverage(NORTH, "10000 20000", by_hand.BLUE, "Optical")
        + by_hand.tables("north", "plates", columns=by_hand.column("emulsion", "instr.plate.emulsion")
                         + by_hand.column("mag", "PHOT.MAG;em.opt.B", "mag")),
        creator="Leavitt, H. S.", subject="photographic-photometry", relation=SERVED,
        description="Plates with many variable stars.",
        orcid="<altIdentifier>https://orcid.org/0000-0001-2345-6789</altIdentifier>",
        alternate="<altIdentifier>doi:10.5072/north</altIdentifier>",
    ),
    by_hand.resource(
        "vs:CatalogResource", "ivo://Test.Example/south", "Austral glass",
        AUX + by_hand.coverage(SOUTH, "30000 40000", "2e-19 3e-19", "Infrared")
        + by_hand.tables("south", "plates", columns=by_hand.column("ra", "pos.eq.ra;meta.main", "deg")),
        creator="Cannon, A. J.", subject="Variable Stars", relation=SERVED,
    ),
    by_hand.resource(
        "vs:CatalogService", "ivo://other.example/RegTAP", "A registry of everything",
        by_hand.capability("ivo://ivoa.net/std/TAP", f"{URL}/elsewhere", "tr:TableAccess", obscore_model("RegTAP#1.2")
                           + obscore_model()),
    ),
    by_hand.resource(
        "vs:CatalogService", "ivo://other.example/closed", "Cones for members", by_hand.capability(
            "ivo://ivoa.net/std/ConeSearch", f"{URL}/cone?", version="1.03",
            method='<securityMethod standardID="ivo://ivoa.net/sso#BasicAA"/>',
        ) + by_hand.tables("epn", "core", utype="ivo://ivoa.net/std/EPNTAP#table-2.0"),
    ),
    by_hand.resource("vr:Organisation", "ivo://test.example/organisation", "The Dome"),
)  # fmt: skip

ALL = {"tap", "obscore", "sia2", "north", "south", "regtap", "closed", "organisation"}
UNCOVERED = ALL - {"obscore", "sia2", "north", "south"}


@pytest.fixture(scope="module")
def service(fresh_database, settings):
    """A server whose registry has these records, as pyVO's registry for the time of the tests."""
    database = fresh_database()
    with database.owner() as connection:
        assert store(connection, [by_hand.record(document) for document in DOCUMENTS]) == ()
    before = registry.get_RegTAP_service_url()
    registry.Waveband._legal_terms = {"optical", "infrared", "radio"}  # else pyVO fetches the vocabulary
    with running(settings.model_copy(update={"port": 0}), database) as server:
        registry.choose_RegTAP_service(f"{server.url}/tap")
        yield server
        registry.choose_RegTAP_service(before)
        registry.Waveband._legal_terms = None


def found(*constraints, **words) -> set[str]:
    """The last parts of the identifiers; each record once."""
    names = [one.ivoid.rpartition("/")[2] for one in registry.search(*constraints, **words)]
    assert len(names) == len(set(names))
    return set(names)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # keywords: title and description by words, subjects by parts, all without letter case
        ({"keywords": "GLASS"}, {"north", "south"}),
        ({"keywords": "glas"}, set()),
        ({"keywords": ["glass", "boreal"]}, {"north"}),
        ({"keywords": "variable stars"}, {"north", "south"}),
        ({"keywords": "photometry"}, {"north"}),
        ({"keywords": "quasar"}, set()),
        # service types; searching for services leaves those out that are only pointed at
        ({"servicetype": "tap"}, {"tap", "regtap"}),
        ({"servicetype": "sia2"}, {"sia2"}),
        ({"servicetype": ("sia2", "tap")}, {"tap", "regtap", "sia2"}),
        ({"servicetype": "conesearch"}, {"closed"}),
        ({"servicetype": "ssa"}, set()),
        ({"servicetype": "sia1"}, set()),
        ({"servicetype": "ivo://ivoa.net/std/vosi#tables-1.1"}, {"tap"}),
        ({"servicetype": "tap", "includeaux": True}, {"tap", "regtap", "obscore", "north", "south"}),
        ({"servicetype": "sia2", "includeaux": True}, {"sia2", "north"}),
        ({"waveband": "optical"}, {"obscore", "sia2", "north"}),
        ({"waveband": ["infrared", "radio"]}, {"south"}),
        ({"waveband": "radio"}, set()),
        ({"author": "Leavitt%"}, {"north"}),
        ({"author": "%A.%"}, {"south"}),
        ({"author": "leavitt%"}, set()),
        ({"author": "The Observatory"}, set()),
        ({"ucd": "phot.mag%"}, {"north"}),
        ({"ucd": ["phot.mag;em.opt.b", "pos.eq%"]}, {"north", "south"}),
        ({"ucd": "em.%"}, set()),
        # the service that the record of the table belongs to is left out on purpose
        ({"datamodel": "obscore"}, {"regtap"}),
        ({"datamodel": "obscore_new"}, {"obscore"}),
        ({"datamodel": "regtap"}, {"regtap"}),
        ({"datamodel": "epntap"}, {"closed"}),
        ({"ivoid": "ivo://Test.Example/North"}, {"north"}),
        ({"ivoid": ["ivo://test.example/north", "ivo://test.example/south"]}, {"north", "south"}),
        ({"ivoid": "ivo://test.example/nor"}, set()),
    ],
    ids=str,
)
def test_search(service, words, expected):
    assert found(**words) == expected


N, S = (45.0, 80.0), (45.0, -80.0)
EQUATOR = (0.0, 0.0)


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        (registry.Spatial(N), {"obscore", "sia2", "north"}),
        (registry.Spatial(S), {"obscore", "sia2", "south"}),
        (registry.Spatial(EQUATOR), set()),
        (registry.Spatial(SkyCoord(*N, unit="deg")), {"obscore", "sia2", "north"}),
        (registry.Spatial((*N, 3)), {"obscore", "sia2", "north"}),
        (registry.Spatial((SkyCoord(*S, unit="deg"), 3 * u.deg)), {"obscore", "sia2", "south"}),
        (registry.Spatial((45, 0, 60)), set()),
        (registry.Spatial((45, 0, 60), intersect="overlaps"), {"obscore", "sia2", "north", "south"}),
        (registry.Spatial([40, 70, 50, 70, 50, 80, 40, 80]), {"obscore", "sia2", "north"}),
        (registry.Spatial([40, -5, 50, -5, 50, 5, 40, 5]), set()),
        (registry.Spatial("6/0-20"), {"obscore", "sia2", "north"}),
        (registry.Spatial("0/0 8"), {"obscore", "sia2"}),
        (registry.Spatial("0/0-5"), set()),
        (registry.Spatial("0/0-5", intersect="enclosed"), {"north"}),
        (registry.Spatial("0/0 4", intersect="overlaps"), {"obscore", "sia2", "north"}),
        (registry.Spatial(N, inclusive=True), UNCOVERED | {"obscore", "sia2", "north"}),
        (registry.Spatial(EQUATOR, inclusive=True), UNCOVERED),
        (registry.Spatial((*S, 1), order=8, inclusive=True), UNCOVERED | {"obscore", "sia2", "south"}),
        (registry.Temporal(15000.0), {"obscore", "sia2", "north"}),
        (registry.Temporal(Time(35000, format="mjd")), {"obscore", "sia2", "south"}),
        (registry.Temporal((18000.0, 22000.0)), {"obscore", "sia2", "north"}),
        (registry.Temporal((Time(20000, format="mjd"), Time(30000, format="mjd"))),
         {"obscore", "sia2", "north", "south"}),
        (registry.Temporal(50000.0), set()),
        (registry.Temporal(50000.0, inclusive=True), UNCOVERED),
        (registry.Temporal((1.0, 2.0), inclusive=True), UNCOVERED),
        (registry.Spectral(400 * u.nm), {"obscore", "sia2", "north"}),
        (registry.Spectral(800 * u.nm), {"south"}),
        (registry.Spectral((700 * u.nm, 900 * u.nm)), set()),  # pyVO puts the ends in the order they come in
        (registry.Spectral((900 * u.nm, 700 * u.nm)), {"south"}),
        (registry.Spectral(4.5e-19), {"obscore", "sia2", "north"}),
        (registry.Spectral(3 * u.eV), {"obscore", "sia2", "north"}),
        (registry.Spectral(1.4 * u.GHz), set()),
        (registry.Spectral(1.4 * u.GHz, inclusive=True), UNCOVERED),
    ],
    ids=lambda value: getattr(value, "_condition", ""),
)  # fmt: skip
def test_coverage(service, constraint, expected):
    assert found(constraint) == expected


def test_several_constraints_hold_together(service):
    assert found(registry.Spatial(N), registry.Temporal(15000.0), registry.Spectral(400 * u.nm)) == {
        "obscore", "sia2", "north",
    }  # fmt: skip
    assert found(registry.Spatial(N), registry.Temporal(35000.0), keywords="glass") == set()
    assert found(registry.Spatial(S), waveband="optical", servicetype="sia2") == {"sia2"}
    assert found(keywords="stars", author="%Cannon%", ucd="pos%", spatial=S, temporal=35000.0) == {"south"}
    # how pyVO's global discovery looks for services of images
    inclusive = [
        registry.Spatial((*N, 1), inclusive=True),
        registry.Temporal(15000.0, inclusive=True),
        registry.Spectral(400 * u.nm, inclusive=True),
    ]
    assert found(registry.Datamodel("obscore_new"), *inclusive, includeaux=True) == {"obscore"}
    assert found(registry.Servicetype("sia2"), *inclusive) == {"sia2"}
    assert found(registry.Datamodel("obscore"), *inclusive) == {"regtap"}


def test_what_records_say(service):
    record = registry.search(ivoid="ivo://test.example/north")[0]
    assert (record.res_type, record.res_title) == ("vs:catalogresource", "Boreal glass")
    assert (record.creators, record.waveband, record.content_types) == (
        ["Leavitt, H. S."], ["optical"], ["catalog", "archive"],
    )  # fmt: skip
    assert (record.created, record.updated) == ("2024-01-02T03:04:05", "2025-06-07T08:09:10")
    assert record.region_of_regard is None
    assert record.access_modes() == {"tap#aux", "sia2#aux"}
    assert record.get_interface(service_type="tap", lax=True).access_url == TAP
    assert isinstance(record.get_service(service_type="tap", lax=True), pyvo.dal.TAPService)
    assert record.get_contact() == "Help Desk <help@test.example>"
    assert sorted(record.get_alt_identifiers()) == ["doi:10.5072/north", "https://orcid.org/0000-0001-2345-6789"]
    (table,) = record.get_tables().values()
    assert (table.name, table.title, table.origin) == ("north.plates", "Title of plates", record)
    columns = {column.name: column for column in table.columns}
    assert {name: (one.ucd, one.unit, one.datatype.content) for name, one in columns.items()} == {
        "emulsion": ("instr.plate.emulsion", "", "char"),
        "mag": ("phot.mag;em.opt.b", "mag", "char"),
    }
    said = io.StringIO()
    record.describe(verbose=True, file=said)
    assert "Boreal glass" in said.getvalue()
    assert "doi:10.5072/north" in said.getvalue()


def test_services_of_records(service):
    record = registry.search(servicetype="sia2")[0]
    assert record.get_interface(service_type="sia2").access_url == SIA
    assert record.get_service(service_type="sia2").baseurl.rstrip("?") == SIA
    summary = registry.search(servicetype=("tap", "sia2")).get_summary()
    assert sorted(summary["interfaces"]) == ["sia2", "tap", "tap"]


def test_pyvo_sees_the_tables_it_looks_for(service):
    assert {"rr.resource", "rr.stc_spatial", "rr.stc_temporal", "rr.stc_spectral"} <= set(
        regtap.get_RegTAP_service().tables.keys()
    )
