"""Issue lines 3, 4 and the ingest half of 5, on real plates."""

import itertools
import json
import warnings
from collections import Counter

import numpy as np
import pytest
import realdata
from astropy.io import fits as astrofits
from astropy.wcs import WCS

from vo.db.archive import read_bundles
from vo.ingest.load import ingest
from vo.obscore.footprint import from_solution
from vo.pixels.wcs import load_solution

SAMPLES = {
    "astropydata_HorseHead": (891, 893),
    "astropydata_M6707HH": (1059, 1059),
    "astropytut_dss_hd219829": (141, 141),
    "kete_19501206-NGC2403-reduced": (1448, 2172),
    "scos_1979_XB_J_5523": (1340, 1340),
    "scos_1984_QA_OR_17358": (1340, 1340),
    "scos_1990_MU_I12285": (1340, 1340),
    "scos_6743_P-L_2_J_10439": (447, 447),
}


@pytest.fixture(scope="module")
def own(fresh_database):
    return fresh_database()


def ask(database, sql, *values):
    with database.owner() as connection:
        return connection.execute(sql, values).fetchall()


def plates(database, collection, *names):
    with database.owner() as connection:
        return {one.plate.plate_id: one for one in read_bundles(connection, [(collection, name) for name in names])}


# ------------------------------------------------------------------------------------------------- DASCH


@pytest.fixture(scope="module")
def dasch(own, settings):
    return ingest(own, settings, "dasch", realdata.path("dasch/exposures.ecsv"))


def test_the_counts_of_25556_exposures_add_up(dasch, own):
    assert (dasch.read, dasch.used, dasch.refused) == (25556, 25556, 0)
    assert (dasch.plates, dasch.exposures) == (24914, 25556)
    assert dasch.repaired == {
        "negative exposure time": 223,
        "very long exposure time": 58,
        "zero exposure time": 11,
    }
    assert (dasch.with_imaging, dasch.without_imaging) == (18481, 7075)
    assert dasch.archive["exposure"].inserted == dasch.derived["plates"].inserted == 25556
    # every position has an outline: all 38 series are described
    # some plates have exposures so close together that places alone do not tell them apart
    close = ask(own, "SELECT count(DISTINCT plate_id) FROM dasch.plates WHERE close_exposures > 0")[0][0]
    assert dasch.noted == {"close exposures": close}
    assert close > 100


def test_a_second_run_changes_nothing(dasch, own, settings):
    again = ingest(own, settings, "dasch", realdata.path("dasch/exposures.ecsv"))
    assert again.changed == 0
    assert again.archive["exposure"].unchanged == 25556


def test_what_is_published_of_them(dasch, own):
    (row,) = ask(
        own,
        "SELECT count(*), count(DISTINCT lower(obs_publisher_did)), count(s_region), count(t_exptime), min(t_exptime), "
        "max(t_exptime), count(*) FILTER (WHERE t_min > t_max), min(t_min), max(t_max) FROM dasch.plates",
    )
    count, identifiers, regions, exptimes, shortest, longest, reversed_, first, last = row
    assert (count, identifiers, regions, reversed_) == (25556, 25556, 25556, 0)
    assert exptimes == 25556 - 223 - 11 - 58
    assert 0 < shortest <= longest <= 36000.0
    assert 9000 < first < last < 48000  # 1885 to 1990
    wide = ask(own, "SELECT count(*) FROM ivoa.obscore WHERE plate_scale > 400")
    assert wide == [(0,)]
    narrow = "SELECT count(*) FROM dasch.plates WHERE has_imaging AND coalesce(plate_scale, 0) <= 400"
    assert ask(own, "SELECT count(*) FROM ivoa.obscore WHERE obs_collection = 'DASCH'") == ask(own, narrow)
    assert dict(ask(own, "SELECT footprint_origin, count(*) FROM dasch.plates GROUP BY 1")) == {"nominal": 25556}
    assert dict(ask(own, "SELECT position_origin, count(*) FROM dasch.plates GROUP BY 1")) == {
        "solution": 18481,
        "logbook": 7075,
    }


def test_the_known_traps(dasch, own):
    found = plates(own, "dasch", "ai07801", "md01361", "c21534")
    two = found["ai07801"].exposures
    assert [(one.exposure_id, one.has_imaging, round(one.dec, 2)) for one in two] == [
        ("e0", True, 88.21),
        ("e1", False, 84.98),
        ("e2", True, 81.65),
    ]
    reversed_ = found["md01361"].exposures
    assert [(one.exposure_id, one.exptime) for one in reversed_] == [("e0", 3600.0), ("e1", 60.0)]
    eleven = found["c21534"].exposures
    assert len(eleven) == 11
    assert not any(one.has_imaging for one in eleven)
    # dates are middles: no exposure of a plate begins before the one before it has ended
    for exposures in (two, eleven):
        assert all(one.t_max <= later.t_min for one, later in itertools.pairwise(exposures))


def test_nominal_outlines_agree_with_the_distances_that_dasch_gives(dasch, own):
    """DASCH tells of each plate how far the target HD 5501 is from the plate's edge: an independent measure in cm."""
    target = json.loads(realdata.path("dasch/query.json").read_text())
    inside = "spoint(radians(%s), radians(%s)) <@ s_region"
    series = ("i", "ir", "md", "rh", "mc")
    lines = [
        line for line in realdata.path("dasch/exposures.ecsv").read_text().splitlines() if not line.startswith("#")
    ]
    names = lines[0].split()
    told = []
    for line in lines[1:]:
        values = dict(zip(names, line.replace('""', "-").replace('"', "").split(), strict=False))
        if values["series"] in series and values["wcssource"] == "imwcs" and values.get("class") != "I-D":
            told.append(
                (f"{values['series']}{int(values['platenum']):05d}", f"e{values['expnum']}", values["edge_distance"])
            )
    sql = f"SELECT plate_id, exposure_id, {inside} FROM dasch.plates WHERE series = ANY(%s)"
    found = ask(own, sql, target["ra_deg"], target["dec_deg"], list(series))
    answers = {(plate, name): here for plate, name, here in found}
    clearly = [(plate, name) for plate, name, edge in told if edge != "-" and float(edge) > 0.5]
    assert len(clearly) > 700
    assert sum(answers[key] for key in clearly) / len(clearly) > 0.99


# ------------------------------------------------------------------------------------------------- POSS-I


@pytest.fixture(scope="module")
def poss1(own, settings):
    return ingest(own, settings, "poss1", realdata.path("poss1/headers.jsonl"))


def test_466_plates_by_their_plate_polynomials(poss1, own, settings):
    assert (poss1.read, poss1.plates, poss1.exposures, poss1.refused) == (466, 466, 466, 0)
    assert ask(
        own, "SELECT count(*), count(s_region), min(footprint_origin), max(footprint_origin) FROM poss1.plates"
    ) == [(466, 466, "solution", "solution")]
    assert ingest(own, settings, "poss1", realdata.path("poss1/headers.jsonl")).changed == 0


def test_footprints_follow_astropys_own_wcs(poss1, own, settings):
    """Each vertex lies on the image's edge as astropy sees it, within 2 arcsec; area to 0.1 %; centre inside."""
    lines = realdata.path("poss1/headers.jsonl").read_text().splitlines()
    cards = {(entry := json.loads(line)["header"]["header"])["REGION"]: entry for line in lines}
    names = sorted(cards)[::8]
    published = dict(ask(own, "SELECT plate_id, s_region_text FROM poss1.plates WHERE plate_id = ANY(%s)", names))
    areas = dict(ask(own, "SELECT plate_id, area(s_region) FROM poss1.plates WHERE plate_id = ANY(%s)", names))
    found = plates(own, "poss1", *names)
    for name in names:
        header = astrofits.Header({key: value for key, value in cards[name].items() if len(key) <= 8})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # astropy tells of the headers' age
            reference = WCS(header)
        width, height = cards[name]["NAXIS1"], cards[name]["NAXIS2"]
        numbers = np.array([float(word) for word in published[name].split()[2:]]).reshape(-1, 2)
        (solution,) = found[name].solutions
        ours = load_solution(solution.header, solution.wcs_key, (width, height))
        pixels = np.column_stack(ours.to_pixel(numbers[:, 0], numbers[:, 1]))
        on_edge = np.minimum(abs(pixels + 0.5), abs(pixels + 0.5 - (width, height))).min(axis=1)
        assert on_edge.max() < 0.5, name
        assert separation(numbers, reference.all_pix2world(pixels, 0)).max() < 2.0, name
        # independent area: a grid of cells through astropy's WCS
        assert areas[name] == pytest.approx(area_by_cells(reference, width, height), rel=1e-3), name
        assert from_solution(ours, settings.footprint_tolerance).contains(*ours.centre), name


def test_plate_centres_lie_in_their_polygons(poss1, own):
    outside = "SELECT count(*) FROM poss1.plates WHERE NOT spoint(radians(s_ra), radians(s_dec)) <@ s_region"
    assert ask(own, outside) == [(0,)]


def separation(one, two):
    """Arcsec between positions [n, 2] in degrees."""
    a, b = (np.radians(np.asarray(value, dtype=float)) for value in (one, two))
    half = np.sin((a[:, 1] - b[:, 1]) / 2) ** 2
    half += np.cos(a[:, 1]) * np.cos(b[:, 1]) * np.sin((a[:, 0] - b[:, 0]) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(half))) * 3600


def area_by_cells(wcs, width, height, cells=60):
    """Steradians: the vectors of a grid of corners span small triangles."""
    x, y = np.meshgrid(np.linspace(-0.5, width - 0.5, cells + 1), np.linspace(-0.5, height - 0.5, cells + 1))
    lon, lat = np.radians(wcs.all_pix2world(np.column_stack([x.ravel(), y.ravel()]), 0)).T
    v = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1).reshape(*x.shape, 3)
    a, b, c, d = v[:-1, :-1], v[:-1, 1:], v[1:, 1:], v[1:, :-1]
    triangles = [np.linalg.norm(np.cross(q - p, r - p), axis=-1) / 2 for p, q, r in ((a, b, c), (a, c, d))]
    return float(sum(one.sum() for one in triangles))


# ------------------------------------------------------------------------------------------------- FITS files


@pytest.fixture(scope="module")
def samples(own, settings):
    return ingest(own, settings, "samples", realdata.path("fits"))


def test_all_eight_files_go_in(samples, own, settings):
    assert (samples.read, samples.used, samples.plates, samples.exposures) == (8, 8, 8, 8)
    found = plates(own, "samples", *SAMPLES)
    assert {name: (one.products[0].width, one.products[0].height) for name, one in found.items()} == SAMPLES
    assert Counter(len(one.solutions) for one in found.values()) == {1: 8}
    assert ask(own, "SELECT count(*) FROM ivoa.obscore WHERE obs_collection = 'SAMPLES' AND s_region IS NOT NULL") == [
        (8,)
    ]
    assert ingest(own, settings, "samples", realdata.path("fits")).changed == 0


def test_broken_headers_are_understood(samples, own):
    found = plates(own, "samples", *SAMPLES)
    cluster = found["astropydata_M6707HH"]  # no CTYPE; a two-digit year, the time in UT
    assert cluster.exposures[0].t_min == pytest.approx(33979 + (12 * 60 + 7) / 1440)
    assert cluster.exposures[0].exptime == 3000.0
    assert (cluster.exposures[0].ra, cluster.exposures[0].dec) == (
        pytest.approx(132.83, abs=0.05),
        pytest.approx(11.8, abs=0.05),
    )
    assert (cluster.plate.emulsion, cluster.plate.em_min) == ("103aE", 6.2e-7)
    star = found["astropytut_dss_hd219829"].exposures[0]  # minute 60
    assert star.t_min == pytest.approx(33867 + 10 / 24)
    assert "09:60:00" in star.repair
    scanned = found["scos_1979_XB_J_5523"]  # XPIXELSZ without a plate polynomial; exposure in the house-keeping lines
    assert (scanned.exposures[0].t_min, scanned.exposures[0].exptime) == (pytest.approx(44217.53588686), 3900.0)
    assert (scanned.plate.em_min, scanned.plate.em_max) == (3.95e-7, 5.4e-7)
    assert (scanned.plate.facility_name, scanned.plate.instrument_name) == (
        "Siding Spring Observatory",
        "UK Schmidt Telescope",
    )
    galaxy = found["kete_19501206-NGC2403-reduced"]  # no DATE-OBS; the night is in the file's name
    assert (galaxy.exposures[0].t_min, galaxy.exposures[0].t_max) == (33621.0, 33622.0)
    assert (galaxy.exposures[0].t_calib_status, galaxy.exposures[0].target_name) == ("uncalibrated", "NGC2403")


def test_the_scan_of_b02312(own, settings):
    done = ingest(own, settings, "dasch", realdata.path("dasch/b02312_bin16.fits"))
    assert (done.read, done.plates, done.exposures) == (1, 1, 1)
    plate = plates(own, "dasch", "b02312")["b02312"]
    assert [(one.role, one.bin_factor) for one in plate.products] == [("fits_binned", 16), ("logbook", 1)]
    (row,) = ask(
        own,
        "SELECT s_ra, s_dec, s_xel1, s_xel2, s_pixel_scale, access_estsize, footprint_origin, facility_name, series "
        "FROM ivoa.obscore WHERE obs_id = 'b02312'",
    )
    # the logbook's centre in the same header is 8 degrees off
    assert (row[0], row[1]) == (pytest.approx(83.87, abs=0.1), pytest.approx(-4.67, abs=0.1))
    assert row[2:4] == (1087, 1372)
    assert row[4] == pytest.approx(31.8, abs=0.15)  # SECPIX1, SECPIX2 are of the reference point, this of the middle
    assert row[5:] == (2990, "solution", "Harvard College Observatory", "b")
    assert ingest(own, settings, "dasch", realdata.path("dasch/b02312_bin16.fits")).changed == 0
