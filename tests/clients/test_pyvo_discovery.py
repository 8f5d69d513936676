"""`pyvo.discover.images_globally` with a server of ours as its registry, and with two servers of different skies."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import astropy.units as u
import pytest
import pyvo
from astropy.coordinates import SkyCoord
from astropy.time import Time
from discovering import discover, registry
from pyvo_session import one_session
from registering import publish
from registries import Registry, record, serving
from serving import running

from vo.demo import make
from vo.ingest.load import load_bundles
from vo.registry.harvest.run import forget, harvest

OURS, THEIRS = "vo-plates.example", "south.example"
COMET = (214.62, 28.41, 0.01)

#: What the two servers have: blue plates of the north before 1930, red ones of the south from 1950 on.
NORTH = {"series": {"na", "nb"}, "dec": (30, 90), "mjd": (0, 25_500)}
SOUTH = {"series": {"ss"}, "dec": (-90, -30), "mjd": (33_000, 60_000)}


def day(text: str) -> Time:
    """A moment; astropy warns of every UTC before 1960, which is when plates were taken."""
    return Time(text, scale="tt")


@pytest.fixture(scope="module", autouse=True)
def _pyvo():
    with one_session():
        yield


def share(settings, *, series, dec, mjd):
    """The plates of the demo's logbooks that one server has."""
    for bundle in make(settings):
        known = [one for one in bundle.exposures if one.dec is not None and one.t_min is not None]
        inside = [dec[0] <= one.dec <= dec[1] and mjd[0] <= one.t_min <= mjd[1] for one in known]
        if bundle.plate.series in series and len(known) == len(bundle.exposures) and all(inside):
            yield bundle


@pytest.fixture(scope="module")
def south(fresh_database, settings):
    """A server of another authority."""
    database = fresh_database()
    own = settings.model_copy(update={"port": 0, "authority": THEIRS})
    load_bundles(database, own, "demo", share(own, **SOUTH), "south")
    with running(own, database) as server:
        publish(own, database, server.url)
        yield server


@pytest.fixture(scope="module")
def north(fresh_database, settings):
    """A server that knows nobody else yet."""
    database = fresh_database()
    own = settings.model_copy(update={"port": 0, "authority": OURS, "harvest_private": True})
    load_bundles(database, own, "demo", share(own, **NORTH), "north")
    with running(own, database) as server:
        publish(own, database, server.url)
        yield server


@pytest.fixture
def both(north, south):
    """The north's server knows the south's records, harvested over HTTP."""
    harvest(north.database, north.settings, f"{south.url}/oai")
    with registry(north.url):
        yield
    forget(north.database, f"{south.url}/oai")


def rows(server, *conditions):
    """Access URLs of all images that satisfy these conditions, by ADQL."""
    text = " AND ".join(("dataproduct_type='image'", *conditions))
    query = f"SELECT access_url FROM ivoa.obscore WHERE {text}"
    found = pyvo.dal.TAPService(f"{server.url}/tap").run_sync(query, maxrec=1_000_000)
    return set(found["access_url"].tolist())


def at(ra, dec, radius):
    return f"1=INTERSECTS(CIRCLE({ra}, {dec}, {radius}), s_region)"


def test_a_comet_is_found_by_place_and_date(registered):
    """The demo as it is served to everybody; no collection, no service is named."""
    with registry(registered.url):
        done = discover(space=COMET, time=(day("1941-02-03"), day("1941-02-04")))
    assert list(done.found) == [f"ivo://{OURS}/obscore"]
    assert any("comet_1941" in url for url in done.urls())
    assert f"Skipping ivo://{OURS}/sia2 because it is served by ivo://{OURS}/obscore" in done.log
    assert [(server, path) for server, path, _ in done.asked] == [(registered.url, "/tap/sync")]


SCRIPT = """
import sys, warnings; warnings.simplefilter("ignore")
from astropy import units as u; from astropy.time import Time; import pyvo.discover
moment = Time(float(sys.argv[1]), format="mjd", scale="tt")
images, log = pyvo.discover.images_globally(time=moment, spectrum=450 * u.nm)
print(*sorted({one.access_url for one in images}), sep="\\n")
"""


def test_the_registry_may_be_told_by_the_environment(registered):
    """pyVO reads IVOA_REGISTRY when it is imported."""
    (moment,) = registered.query("SELECT MAX(t_min) FROM ivoa.obscore WHERE t_min < 30100", FORMAT="csv").text.split()[
        1:
    ]
    environment = {**os.environ, "IVOA_REGISTRY": f"{registered.url}/tap"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, moment], env=environment, capture_output=True, text=True, check=True, timeout=240
    )
    truth = rows(registered, f"t_min <= {moment}", f"t_max >= {moment}", "em_min <= 4.5e-7", "em_max >= 4.5e-7")
    assert set(done.stdout.split()) == truth != set()


M31, SMC = (10.68, 41.27, 1.0), (13.16, -72.80, 1.0)
OLD, LATE = (
    (Time(15_000, format="mjd", scale="tt"), Time(25_000, format="mjd", scale="tt")),
    (Time(34_000, format="mjd", scale="tt"), Time(47_000, format="mjd", scale="tt")),
)
BLUE, RED = 450 * u.nm, 660 * u.nm
SKY, WHEN, LIGHT = {"north": M31, "south": SMC}, {"north": OLD, "south": LATE}, {"north": BLUE, "south": RED}


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize(
    ("space", "time", "spectrum"),
    [one for one in itertools.product(("north", "south", None), repeat=3) if any(one)],
)
def test_each_server_is_asked_only_inside_its_coverage(both, north, south, space, time, spectrum, inclusive):
    """All combinations of a place, a time and an energy that one of the two covers."""
    wanted = {
        name: values[given]
        for name, values, given in (("space", SKY, space), ("time", WHEN, time), ("spectrum", LIGHT, spectrum))
        if given
    }
    done = discover(**wanted, inclusive=inclusive)
    named = {space, time, spectrum} - {None}
    candidates = {"north": north, "south": south}
    expected = [candidates[name] for name in candidates if named == {name}]
    assert done.servers == [one.url for one in expected]
    conditions = []
    if space:
        conditions.append(at(*SKY[space]))
    if time:
        conditions += [f"t_max >= {WHEN[time][0].mjd}", f"t_min <= {WHEN[time][1].mjd}"]
    if spectrum:
        metres = LIGHT[spectrum].to_value(u.m)
        conditions += [f"em_min <= {metres}", f"em_max >= {metres}"]
    truth = set().union(*(rows(one, *conditions) for one in expected))
    assert done.urls() == truth
    assert bool(truth) == bool(expected)


@pytest.mark.parametrize("inclusive", [False, True])
def test_both_servers_are_asked_where_both_may_have_something(both, north, south, inclusive):
    done = discover(time=(OLD[0], LATE[1]), inclusive=inclusive)
    assert sorted(done.servers) == sorted([north.url, south.url])
    assert set(done.found) == {f"ivo://{OURS}/obscore", f"ivo://{THEIRS}/obscore"}
    assert done.urls() == rows(north, f"t_max >= {OLD[0].mjd}") | rows(south, f"t_min <= {LATE[1].mjd}")
    skipped = [line for line in done.log if line.startswith("Skipping")]
    assert sorted(skipped) == [
        f"Skipping ivo://{name}/sia2 because it is served by ivo://{name}/obscore" for name in sorted((THEIRS, OURS))
    ]


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize(
    "wanted",
    [
        {"space": (180.0, 0.0, 5.0)},
        {"space": (13.16, -72.80, 0.1), "time": day("1910-01-01")},
        {"time": day("2020-01-01")},
        {"time": (day("1858-12-01"), day("1870-01-01"))},
        {"spectrum": 21 * u.cm},
        {"spectrum": 1 * u.keV},
        {"space": M31, "spectrum": 2.2 * u.um},
    ],
)
def test_nobody_is_asked_outside_of_all_coverage(both, wanted, inclusive):
    done = discover(**wanted, inclusive=inclusive)
    assert (done.asked, done.urls()) == ([], set())


def test_at_the_edge_of_the_coverage_nothing_is_lost(both, north):
    """Places within the outermost plates: whatever ADQL finds, discovery finds.

    pyVO asks who covers the whole circle, in cells of about a degree, so the circles stay within the footprints.
    """
    table = pyvo.dal.TAPService(f"{north.url}/tap").run_sync(
        "SELECT TOP 12 s_ra, s_dec, s_fov FROM ivoa.obscore WHERE s_dec < 34 ORDER BY obs_publisher_did"
    )
    for row, turn in zip(table, itertools.cycle(range(0, 360, 50)), strict=False):
        centre = SkyCoord(row["s_ra"], row["s_dec"], unit="deg")
        place = centre.directional_offset_by(turn * u.deg, 0.3 * row["s_fov"] * u.deg)
        space = (place.ra.deg, place.dec.deg, 0.01)
        truth = rows(north, at(*space))
        assert truth
        assert discover(space=space).urls() == truth


def test_who_covers_a_part_of_the_circle_alone_is_not_asked(both):
    """pyVO's rule, which the guide tells: a search in too large a circle finds nothing."""
    assert discover(space=(*M31[:2], 60.0)).asked == []


UNCOVERED = """<capability standardID="ivo://ivoa.net/std/TAP#aux"><interface xsi:type="vr:ParamHTTP" role="std"
    version="1.1"><accessURL use="base">{url}/tap</accessURL></interface></capability>
    <tableset><schema><name>ivoa</name><table><name>ivoa.obscore</name>
    <utype>ivo://ivoa.net/std/obscore#table-1.1</utype></table></schema></tableset>"""


def test_who_tells_no_coverage_is_asked_when_inclusive(north, south):
    """A record of somebody who has never heard of coverage."""
    untold = record(
        "ivo://observatory.example/obscore", kind="data:CatalogResource", more=UNCOVERED.format(url=south.url)
    )
    with serving(Registry([untold])) as elsewhere, registry(north.url):
        harvest(north.database, north.settings, elsewhere.url)
        try:
            for wanted in (
                {"space": M31},
                {"time": OLD},
                {"spectrum": BLUE},
                {"space": M31, "time": OLD, "spectrum": BLUE},
            ):
                assert discover(**wanted).servers == [north.url], wanted
                assert sorted(discover(**wanted, inclusive=True).servers) == sorted([north.url, south.url]), wanted
            done = discover(space=SMC, inclusive=True)
            assert list(done.found) == ["ivo://observatory.example/obscore"]
            assert done.urls() == rows(south, at(*SMC))
        finally:
            forget(north.database, elsewhere.url)


# -- real plates


@pytest.fixture(scope="module")
def harvard(real_database, settings):
    """DASCH's exposures around a star, the headers of POSS-I and a list that is not among the images."""
    database = real_database()
    own = settings.model_copy(update={"port": 0})
    with running(own, database) as server:
        publish(own, database, server.url)
        yield server


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize(
    ("space", "years"),
    [
        ((14.42, 60.24, 0.2), ("1941-01-01", "1942-01-01")),
        ((14.42, 60.24, 0.01), ("1886-01-01", "1890-01-01")),
        ((13.0, 59.0, 1.0), ("1949-01-01", "1957-01-01")),
        ("POSS", ("1949-01-01", "1957-01-01")),
    ],
)
def test_real_plates_by_place_and_year(harvard, space, years, inclusive):
    """HD 5501, around which the exposures of the list are, and a field of the Palomar survey far from it."""
    if space == "POSS":
        query = "SELECT TOP 1 s_ra, s_dec FROM poss1.plates WHERE s_dec < 0 ORDER BY plate_id"
        (row,) = pyvo.dal.TAPService(f"{harvard.url}/tap").run_sync(query)
        space = (row["s_ra"], row["s_dec"], 0.5)
    time = tuple(map(day, years))
    with registry(harvard.url):
        done = discover(space=space, time=time, inclusive=inclusive)
    truth = rows(harvard, at(*space), f"t_max >= {time[0].mjd}", f"t_min <= {time[1].mjd}")
    assert truth
    assert done.urls() == truth
    assert done.servers == [harvard.url]


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize(
    "wanted",
    [
        {"space": (14.42, 60.24, 0.2), "time": day("2001-01-01")},
        {"space": (80.0, -69.0, 0.2)},
        {"space": (14.42, 60.24, 0.2), "spectrum": 21 * u.cm},
    ],
)
def test_real_plates_are_not_asked_for_what_they_cannot_have(harvard, wanted, inclusive):
    with registry(harvard.url):
        assert discover(**wanted, inclusive=inclusive).asked == []
