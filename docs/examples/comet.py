"""Find a comet on old photographic plates: from its orbit to pictures of it.

The comet's positions are computed here, with astropy and no network. One TAP query with an upload asks which exposures
show one of them at its time; the Datalink documents of those lead to previews, and SODA cuts out what is around the
comet, by each exposure's own astrometric solution.

    python comet.py                                       the synthetic comet of vo-plates' demo, on a local server
    python comet.py --orbit halley --from 1909-09-01 --to 1911-06-01 --tap https://plates.example/tap

Needs astropy and pyvo.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np
import pyvo
from astropy.coordinates import get_body_barycentric
from astropy.table import Table
from astropy.time import Time
from pyvo.dal.adhoc import DatalinkResults
from pyvo.dal.tap import TAPResults

GAUSS = 0.01720209895  # the Sun's attraction, in au^(3/2) a day
LIGHT = 173.1446326847  # au a day
NEARLY_PARABOLIC = 1e-3  # below this the closed forms lose digits, and two terms of a series are exact
OBLIQUITY = math.radians(23.4392911)  # of the ecliptic, J2000

#: Each exposure that shows the comet, once for every step of the ephemeris that it lasted into.
QUERY = """
SELECT e.epoch, o.obs_publisher_did, o.obs_id, o.t_min, o.t_max, o.t_exptime, o.access_url, o.access_format
FROM TAP_UPLOAD.orbit AS e
JOIN ivoa.obscore AS o
  ON 1 = CONTAINS(POINT(e.ra, e.dec), o.s_region)
 AND o.t_min < e.till AND o.t_max > e.since
"""


@dataclass(frozen=True)
class Orbit:
    """Osculating elements, ecliptic and equinox of J2000: au, degrees, and the perihelion's Julian date (TDB)."""

    perihelion_distance: float
    eccentricity: float
    inclination: float
    node: float
    argument: float
    perihelion: float


ORBITS = {
    "demo": Orbit(0.9, 0.995, 174.19287, 215.01385, 30.0, 2429998.5),
    "halley": Orbit(0.58721, 0.967302, 162.2152, 58.5643, 111.7184, 2418781.6785),  # as it returned in 1910
}


def ephemeris(orbit: Orbit, mjd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right ascension and declination (ICRS degrees) from the Earth's centre, corrected for the time of the light.

    ``mjd`` is taken as TDB; clocks of the observatories were up to half a minute from that, in which a comet moves by
    an arcsecond. Other planets are left out: good to some arcminutes within a year or two of the elements' date.
    """
    times = Time(mjd, format="mjd", scale="tdb")
    observer = (get_body_barycentric("earth", times) - get_body_barycentric("sun", times)).xyz.to_value(u.au)
    seen = np.zeros((3, len(mjd)))
    for place, (moment, earth) in enumerate(zip(mjd, observer.T, strict=True)):
        delay = 0.0
        for _ in range(3):
            seen[:, place] = heliocentric(orbit, moment - delay) - earth
            delay = float(np.linalg.norm(seen[:, place])) / LIGHT
    x, y, z = seen
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


def heliocentric(orbit: Orbit, mjd: float) -> np.ndarray:
    """Where the comet is, au from the Sun, equatorial J2000: two bodies, any eccentricity (universal variables)."""
    q, e = orbit.perihelion_distance, orbit.eccentricity
    speed = GAUSS * math.sqrt((1 + e) / q)
    f, g = _lagrange(q, e, (mjd + 2400000.5 - orbit.perihelion))
    in_plane = np.array([q * f, speed * g, 0.0])
    turn = _rotation(0, OBLIQUITY) @ _rotation(2, math.radians(orbit.node))
    turn = turn @ _rotation(0, math.radians(orbit.inclination)) @ _rotation(2, math.radians(orbit.argument))
    place: np.ndarray = turn @ in_plane
    return place


def _lagrange(q: float, e: float, days: float) -> tuple[float, float]:
    """The factors of place and speed at perihelion (Bate, Mueller and White 1971, section 4.4)."""
    alpha, root = (1 - e) / q, GAUSS
    x = root * days / q
    for _ in range(100):
        c, s = _stumpff(alpha * x * x)
        wanted = root * days - (q * x + e * x**3 * s)  # no radial motion at perihelion
        slope = q + e * x * x * c
        step = wanted / slope
        x += step
        if abs(step) < 1e-13 * max(1.0, abs(x)):
            break
    c, s = _stumpff(alpha * x * x)
    return 1 - x * x * c / q, days - x**3 * s / root


def _stumpff(z: float) -> tuple[float, float]:
    if abs(z) < NEARLY_PARABOLIC:
        return 1 / 2 - z / 24 + z * z / 720, 1 / 6 - z / 120 + z * z / 5040
    if z > 0:
        root = math.sqrt(z)
        return (1 - math.cos(root)) / z, (root - math.sin(root)) / root**3
    root = math.sqrt(-z)
    return (math.cosh(root) - 1) / -z, (math.sinh(root) - root) / root**3


def _rotation(axis: int, angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    turned = np.eye(3)
    a, b = [other for other in range(3) if other != axis]
    turned[a, a] = turned[b, b] = c
    turned[a, b], turned[b, a] = (-s, s) if axis != 1 else (s, -s)
    return turned


def find_exposures(tap: pyvo.dal.TAPService, orbit: Orbit, begin: float, end: float, step: float) -> TAPResults:
    """Ask which exposures show the comet between two days (MJD); its place is taken anew each ``step`` days."""
    epochs = np.arange(begin, end, step)
    ra, dec = ephemeris(orbit, epochs)
    table = Table({"epoch": epochs, "since": epochs - step / 2, "till": epochs + step / 2, "ra": ra, "dec": dec})
    print(f"asking for {len(table)} places")
    return tap.run_sync(QUERY, uploads={"orbit": table}, maxrec=100_000)


def one_each(found: TAPResults) -> list[int]:
    """The rows to go on with: for each exposure the step that is nearest to its middle."""
    nearest: dict[str, tuple[float, int]] = {}
    for place, row in enumerate(found):
        away = abs(row["epoch"] - (row["t_min"] + row["t_max"]) / 2)
        did = str(row["obs_publisher_did"])
        if did not in nearest or away < nearest[did][0]:
            nearest[did] = (away, place)
    return [place for _, place in sorted(nearest.values(), key=lambda pair: pair[1])]


def walk_links(found: TAPResults, rows: Sequence[int]) -> Iterator[tuple[int, DatalinkResults]]:
    """The Datalink document of each of these rows; all are fetched together."""
    wanted = set(rows)
    for place, links in enumerate(found.iter_datalinks()):
        if place in wanted:
            yield place, links


def save(name: Path, content: bytes) -> None:
    """Write a file and say so."""
    name.write_bytes(content)
    print(f"    {name}: {len(content):,} bytes")


def show(tap_url: str, orbit: Orbit, begin: float, end: float, step: float, radius: float, folder: Path) -> int:
    """Find the comet, and save a preview and a cutout of each exposure that has them; the number of cutouts."""
    tap = pyvo.dal.TAPService(tap_url)
    found = find_exposures(tap, orbit, begin, end, step)
    rows = one_each(found)
    print(f"{len(rows)} exposures show the comet")
    cutouts = 0
    for place, links in walk_links(found, rows):
        row = found[place]
        middle = (row["t_min"] + row["t_max"]) / 2
        ra, dec = (float(one[0]) for one in ephemeris(orbit, np.array([middle])))
        day = Time(middle, format="mjd", scale="tdb").isot[:16]
        print(f"{row['obs_id']}  {day}  {row['t_exptime']:.0f} s  comet at {ra:.4f} {dec:+.4f}")
        name = str(row["obs_id"])
        for link in links.bysemantics("#preview", include_narrower=False):
            save(folder / f"{name}_preview.jpg", link.getdataset().read())
        if not list(links.bysemantics("#cutout", include_narrower=False)):
            print("    not scanned, or without astrometry: there is nothing to cut out")
            continue
        save(folder / f"{name}_comet.fits", row.processed(circle=(ra, dec, radius)).read())
        cutouts += 1
    return cutouts


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tap", default="http://127.0.0.1:8080/tap", help="the server's TAP address")
    parser.add_argument("--orbit", choices=ORBITS, default="demo")
    parser.add_argument("--from", dest="begin", default="1940-12-01", help="first day")
    parser.add_argument("--to", dest="end", default="1941-05-01", help="last day")
    parser.add_argument("--step", type=float, default=1.0, help="hours between two places")
    parser.add_argument("--radius", type=float, default=0.15, help="of the cutouts, degrees")
    parser.add_argument("--folder", type=Path, default=Path("comet"), help="where pictures go")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    begin, end = (float(Time(day, scale="tdb").mjd) for day in (options.begin, options.end))
    step = options.step / 24
    cutouts = show(options.tap, ORBITS[options.orbit], begin, end, step, options.radius, options.folder)
    return 0 if cutouts else 1


if __name__ == "__main__":
    raise SystemExit(main())
