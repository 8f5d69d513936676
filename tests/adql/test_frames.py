"""Frames against astropy: constants in Python, columns in SQL, both directions, and what ADQL makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from adql import sphere
from adql.tables import CATALOGUE
from astropy import units
from astropy.coordinates import (
    FK4,
    FK5,
    ICRS,
    BarycentricMeanEcliptic,
    FK4NoETerms,
    Galactic,
    SkyCoord,
    Supergalactic,
    UnitSphericalRepresentation,
)

from vo.adql import compile_query
from vo.adql.sky import frames
from vo.errors import UsageFault

POINTS = 2000

#: astropy's frames, and the agreement reached in degrees. For FK4 the difference is Murray's correction for the turning
#: of FK4 between B1950.0 and 1950.0, which astropy adds.
ASTROPY = {
    "ICRS": (ICRS(), 1e-12),
    "FK5": (FK5(), 1e-12),
    "FK4": (FK4(), 4e-10),
    "GALACTIC": (Galactic(), 1e-12),
    "SUPER_GALACTIC": (Supergalactic(), 1e-12),
    "ECLIPTIC": (BarycentricMeanEcliptic(equinox="J2000"), 1e-12),
}
#: The catalogue of functions wants rotations alone.
ROTATIONS = ASTROPY | {"FK4": (FK4NoETerms(), 4e-10)}


@pytest.fixture(scope="module")
def sky() -> tuple[np.ndarray, np.ndarray]:
    """Longitudes and latitudes all over the sky and near the poles, none within 0.2 mas of pgSphere's zero lines."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(POINTS, 3))
    vectors[:200, :2] *= 1e-4
    return sphere.lon_lat(sphere.normalised(vectors))


@pytest.fixture(scope="module")
def stars(run, connection, sky):
    with connection.cursor().copy("COPY sky.stars (id, ra, dec) FROM STDIN") as copy:
        for i in range(POINTS):
            copy.write_row((i, float(sky[0][i]), float(sky[1][i])))
    connection.execute("INSERT INTO sky.stars (id) VALUES (-1)")
    return run


def vectors(pairs) -> np.ndarray:
    lon, lat = np.array(pairs, float).T
    return sphere.unit(lon, lat)


def expected(sky, source, target) -> np.ndarray:
    # frames, since a SkyCoord would carry its equinox from one to the other
    positions = source.realize_frame(UnitSphericalRepresentation(*(angles * units.deg for angles in sky)))
    return positions.transform_to(ICRS()).transform_to(target).cartesian.xyz.value.T


@pytest.mark.parametrize("name", ASTROPY)
def test_constants_and_columns_agree_with_astropy(stars, sky, name):
    frame, agreement = ASTROPY[name]
    want = expected(sky, frame, ICRS())
    constants = [frames.to_icrs((float(lon), float(lat)), frames.FRAMES[name]) for lon, lat in zip(*sky, strict=True)]
    assert sphere.separation(vectors(constants), want).max() < agreement
    query = f"SELECT POINT('{name}', ra, dec) FROM sky.stars WHERE id >= 0 ORDER BY id"
    assert sphere.separation(vectors([p for (p,) in stars(query)]), want).max() < agreement
    coordinates = f"SELECT COORD1(POINT('{name}', ra, dec)), COORD2(POINT('{name}', ra, dec)), id FROM sky.stars"
    pairs = sorted(stars(coordinates), key=lambda row: row[2])[1:]
    assert sphere.separation(vectors([row[:2] for row in pairs]), want).max() < agreement


@pytest.mark.parametrize("source", ROTATIONS)
@pytest.mark.parametrize("target", ROTATIONS)
def test_transforms_between_all_frames(stars, sky, source, target):
    (one, _), (two, _) = ROTATIONS[source], ROTATIONS[target]
    want = expected(sky, one, two)
    call = f"ivo_geom_transform('{source}', '{target}', POINT(ra, dec))"
    got = vectors([p for (p,) in stars(f"SELECT {call} FROM sky.stars WHERE id >= 0 ORDER BY id")])
    assert sphere.separation(got, want).max() < 5e-10
    back = (
        f"SELECT DISTANCE(POINT(ra, dec), gavo_transform('{target}', '{source}', {call})) FROM sky.stars WHERE id >= 0"
    )
    assert max(value for (value,) in stars(back)) < 1e-12


def test_check_values_of_the_catalogue(stars):
    """EN UDF 1.2, section 2.6; its last example takes FK5 for ICRS, 0.02 arcsec apart, so it is asked to ICRS."""
    row = stars(
        "SELECT ivo_geom_transform('ICRS', 'GALACTIC', POINT(120, -23)),"
        " ivo_geom_transform('FK4', 'GALACTIC', CIRCLE(189.70303055, 22.96240006, 3)),"
        " ivo_geom_transform('GALACTIC', 'ICRS', POLYGON(5, 3, 4, 4, 4.5, 2)),"
        " ivo_geom_transform('FK4', 'GALACTIC', spot)"
        " FROM sky.plates RIGHT JOIN sky.stars ON 1 = 0 WHERE sky.stars.id = -1"
    )[0]
    assert row[0] == pytest.approx([241.121831182, 3.62785788087], abs=1e-8)
    assert row[1] == pytest.approx([275.00025405, 84.99996154, 3], abs=1e-8)
    assert row[2] == pytest.approx([266.44721, -23.107310, 264.95088, -23.434037, 267.09936, -24.051919], abs=6e-6)
    assert row[3] is None


@pytest.mark.parametrize("name", ROTATIONS)
def test_shapes_of_columns_keep_their_form(stars, sky, name):
    """A circle keeps its radius, a polygon its vertices, each in its new place."""
    frame, agreement = ROTATIONS[name]
    inside = (sky[1] < 80) & (sky[1] > -80)
    circle = f"ivo_geom_transform('ICRS', '{name}', CIRCLE(ra, dec, 2))"
    polygon = f"ivo_geom_transform('ICRS', '{name}', POLYGON(ra, dec, ra + 3, dec, ra, dec + 2))"
    rows = stars(f"SELECT {circle}, {polygon}, id FROM sky.stars WHERE dec < 80 AND dec > -80 ORDER BY id")
    assert len(rows) == inside.sum()
    want = expected((sky[0][inside], sky[1][inside]), ICRS(), frame)
    assert sphere.separation(vectors([row[0][:2] for row in rows]), want).max() < agreement
    assert np.abs(np.array([row[0][2] for row in rows]) - 2).max() < 1e-9
    for k, (east, north) in enumerate(((0, 0), (3, 0), (0, 2))):
        want = expected((sky[0][inside] + east, sky[1][inside] + north), ICRS(), frame)
        assert sphere.separation(vectors([row[1][2 * k : 2 * k + 2] for row in rows]), want).max() < 1e-9


@pytest.mark.parametrize("name", ASTROPY)
def test_conditions_across_frames(stars, sky, name):
    """Columns of one frame against a shape of another, two frames in one CONTAINS, a box with its frame's sides."""
    at = expected(sky, ASTROPY[name][0], ICRS())
    centre = SkyCoord(33.0, 21.0, unit="deg", frame="galactic").icrs.cartesian.xyz.value
    apart = sphere.separation(at, centre)
    point = f"POINT('{name}', ra, dec)"
    for condition in (
        f"1 = CONTAINS({point}, CIRCLE('GALACTIC', 33, 21, 25))",
        f"INTERSECTS(REGION('Circle GALACTIC 33 21 25'), {point}) = 1",
        f"DISTANCE({point}, POINT('GALACTIC', 33, 21)) <= 25",
        f"NOT DISTANCE(POINT('GALACTIC', 33, 21), {point}) > 25",
    ):
        got = {i for (i,) in stars(f"SELECT id FROM sky.stars WHERE {condition}")}
        assert got == set(np.nonzero(apart <= 25)[0].tolist()), condition
    # in its own frame the box is the same as one of ICRS numbers
    own = {i for (i,) in stars("SELECT id FROM sky.stars WHERE 1 = CONTAINS(POINT(ra, dec), BOX(200, 35, 40, 20))")}
    box = f"SELECT id FROM sky.stars WHERE 1 = CONTAINS({point}, BOX('{name}', 200, 35, 40, 20))"
    assert {i for (i,) in stars(box)} == own
    around = f"1 = CONTAINS(POINT('{name}', 200, 35), BOX('{name}', ra, dec, 40, 20))"
    plain = "1 = CONTAINS(POINT(200, 35), BOX(ra, dec, 40, 20))"
    assert stars(f"SELECT id FROM sky.stars WHERE {around} ORDER BY id") == stars(
        f"SELECT id FROM sky.stars WHERE {plain} ORDER BY id"
    )
    ring = ", ".join(f"{lon}, {lat}" for lon, lat in ((10, 10), (40, 12), (42, 50), (8, 40)))
    turned = f"1 = CONTAINS({point}, POLYGON('{name}', {ring}))"
    assert stars(f"SELECT id FROM sky.stars WHERE {turned} ORDER BY id") == stars(
        f"SELECT id FROM sky.stars WHERE 1 = CONTAINS(POINT(ra, dec), POLYGON({ring})) ORDER BY id"
    )


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("", "ICRS"), ("icrs", "ICRS"), ("ICRS GEOCENTER SPHERICAL2", "ICRS"), ("GEOCENTER", "ICRS"),
        ("UNKNOWNFrame", "ICRS"), ("J2000", "FK5"), ("FK5 J2000 BARYCENTER", "FK5"), ("B1950", "FK4"),
        ("FK4 B1950", "FK4"), ("Galactic", "GALACTIC"), ("GALACTIC_II TOPOCENTER", "GALACTIC"),
        ("SUPERGALACTIC", "SUPER_GALACTIC"), ("ECLIPTIC J2000", "ECLIPTIC"),
    ],
)  # fmt: skip
def test_words_for_frames(words, name):
    frame = frames.find_frame(words)
    assert frame is not None
    assert frame.name == name


@pytest.mark.parametrize(
    "words", ["FK4 J2000", "FK5 B1950", "ICRS J2000", "HEALPIX", "ICRS ICRS", "GALACTIC_I", "AZ_EL"]
)
def test_other_words_are_refused(words):
    assert frames.find_frame(words) is None
    with pytest.raises(UsageFault, match=r"coordinate system .* is not offered"):
        compile_query(f"SELECT POINT('{words}', ra, dec) FROM sky.stars", CATALOGUE)


def test_a_frame_of_points_stands_with_the_points():
    with pytest.raises(UsageFault, match=r"write POINT\('GALACTIC'"):
        compile_query("SELECT CIRCLE('GALACTIC', POINT(1, 2), 3) FROM sky.stars", CATALOGUE)


@pytest.mark.parametrize(("arguments", "says"), [
    ("'icrs', 'GALACTIC', place", "no frame 'icrs'"),
    ("'ICRS', name, place", "must be a literal"),
    ("'ICRS', 'GALACTIC', CIRCLE(1, 2, 100)", "cannot be transformed"),
])  # fmt: skip
def test_what_the_transform_refuses(arguments, says):
    with pytest.raises(UsageFault, match=says):
        compile_query(f"SELECT ivo_geom_transform({arguments}) FROM sky.plates", CATALOGUE)


def test_an_indexed_position_keeps_its_index_in_another_frame():
    """FK5 on both sides is what habit writes; the cone stands around the bare columns."""
    query = "SELECT id FROM sky.plates WHERE 1 = CONTAINS(POINT('FK5', ra, dec), CIRCLE('FK5', 10, 20, 1))"
    sql = compile_query(query, CATALOGUE).sql
    assert "spoint(radians(plates.ra), radians(plates.dec)) <@ scircle(" in sql
    assert "strans" not in sql
