"""docs/examples/comet.py: from a comet's orbit to pictures of it, on the demo's plates and on real exposures."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import pyvo
import vocabulary
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS
from footprints_by_hand import inside, polygon, unit
from pyvo_session import one_session
from serving import running

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "comet.py"


@pytest.fixture(scope="module")
def comet():
    spec = importlib.util.spec_from_file_location("comet", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def integrated(orbit, days: float, steps: int = 20_000) -> np.ndarray:
    """The distance and the two coordinates in the orbit's plane after some days, by Runge and Kutta's steps."""
    mu = 0.01720209895**2
    q, e = orbit.perihelion_distance, orbit.eccentricity
    state = np.array([q, 0.0, 0.0, np.sqrt(mu * (1 + e) / q)])

    def rate(s):
        return np.concatenate([s[2:], -mu * s[:2] / np.linalg.norm(s[:2]) ** 3])

    h = days / steps
    for _ in range(steps):
        a = rate(state)
        b = rate(state + h / 2 * a)
        c = rate(state + h / 2 * b)
        d = rate(state + h * c)
        state = state + h / 6 * (a + 2 * b + 2 * c + d)
    return state[:2]


@pytest.mark.parametrize("eccentricity", [0.2, 0.967, 0.995, 1.0, 1.3])
@pytest.mark.parametrize("days", [-200.0, 3.0, 150.0])
def test_the_ephemeris_obeys_newton(comet, eccentricity, days):
    orbit = comet.Orbit(0.6, eccentricity, 0.0, 0.0, 0.0, 2420000.0)
    place = comet.heliocentric(orbit, 2420000.0 - 2400000.5 + days)
    x, y = integrated(orbit, days)
    tilt = comet.OBLIQUITY
    assert place == pytest.approx([x, y * np.cos(tilt), y * np.sin(tilt)], abs=1e-8)


def test_halley_where_history_has_it(comet):
    """On 1910 May 19 (UT) the comet passed before the Sun, 0.15 au from the Earth."""
    mjd = np.array([Time("1910-05-19T03:30", scale="tdb").mjd])
    ra, dec = comet.ephemeris(comet.ORBITS["halley"], mjd)
    from astropy.coordinates import get_sun

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the Earth's rotation before 1962 is of no matter here
        sun = get_sun(Time(mjd, format="mjd", scale="tdb"))
    apart = np.hypot((ra - sun.ra.deg) * np.cos(np.radians(dec)), dec - sun.dec.deg)
    assert apart[0] < 1.0


def test_the_demos_comet_is_found_shown_and_cut_out(comet, server, tmp_path, capsys):
    with vocabulary.at_hand(tmp_path), one_session():
        status = comet.main(["--tap", f"{server.url}/tap", "--folder", str(tmp_path)])
    said = capsys.readouterr().out
    assert status == 0, said
    assert "comet_1941  1941-02-03T02:00  3600 s" in said
    assert (tmp_path / "comet_1941_preview.jpg").read_bytes().startswith(b"\xff\xd8")
    with fits.open(tmp_path / "comet_1941_comet.fits") as hdus:
        x, y = WCS(hdus[0].header).all_world2pix(214.62, 28.41, 0)
        assert hdus[0].data[round(float(y)), round(float(x))] > 10_000  # its head, by the plate's own solution


def test_real_exposures_of_a_comet_equal_brute_force(comet, real_database, settings):
    """DASCH's exposures of 1931: the query with the upload against footprints and times one by one.

    The comet is invented: it crosses the field that the exposures were listed for.
    """
    orbit = comet.Orbit(2.201053, 1.0, 34.033791, 285.216195, 71.90632, 2426549.149983)
    begin, end, step = 26534.0, 26654.0, 0.05
    epochs = np.arange(begin, end, step)
    ra, dec = comet.ephemeris(orbit, epochs)
    places = unit(ra, dec)
    with one_session(), running(settings.model_copy(update={"port": 0}), real_database()) as own:
        tap = pyvo.dal.TAPService(f"{own.url}/tap")
        found = comet.find_exposures(tap, orbit, begin, end, step)
        everything = tap.run_sync("SELECT obs_publisher_did, s_region, t_min, t_max FROM ivoa.obscore", maxrec=100_000)
        table = everything.to_table()
    expected, unsure = set(), set()
    for did, region, since, till in zip(*(table[name] for name in table.colnames), strict=True):
        during = np.flatnonzero((since < epochs + step / 2) & (till > epochs - step / 2))
        if not len(during) or not str(region):
            continue
        hit, near = inside(places[during], polygon(str(region)))
        expected |= {(str(did), float(epochs[i])) for i in during[hit]}
        unsure |= {(str(did), float(epochs[i])) for i in during[near]}
    answered = {(str(row["obs_publisher_did"]), float(row["epoch"])) for row in found}
    assert len(answered) > 10
    assert (answered ^ expected) - unsure == set()
