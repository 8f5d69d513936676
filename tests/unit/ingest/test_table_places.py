"""Positions of lists into ICRS, each against a single conversion of astropy's."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import FK4, FK5, Galactic, SkyCoord
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from vo.ingest.readers.table_places import Sky
from vo.metadata.mapping import PositionRules


def sky(**rules: object) -> Sky:
    return Sky(PositionRules.model_validate({"ra": "a", "dec": "d", **rules}))


def icrs(found: Sky, rows: list[tuple[str, str]], equinox: str | None = None, date: float | None = None) -> np.ndarray:
    return found.icrs([found.place(ra, dec, equinox, date)[0] for ra, dec in rows])


def apart(found: np.ndarray, wanted: SkyCoord) -> float:
    """The largest distance in arcsec."""
    made = SkyCoord(found[:, 0] * units.deg, found[:, 1] * units.deg)
    return float(np.max(made.separation(wanted.icrs).arcsec))


lonlats = st.lists(st.tuples(st.floats(0, 359.999), st.floats(-90, 90)), min_size=1, max_size=8)


@settings(deadline=None, max_examples=30)
@given(lonlats, st.sampled_from(["FK4 B1950", "FK4 1875", "FK5 J2000", "FK5 1900", "Galactic", "ICRS"]))
def test_frames_are_astropys(places, frame):
    name, _, equinox = frame.partition(" ")
    rows = [(repr(lon), repr(lat)) for lon, lat in places]
    found = icrs(sky(frame=name, **({"equinox": equinox} if equinox else {})), rows, equinox or None)
    lon, lat = np.array(places).T * units.deg
    frames = {"FK4": FK4, "FK5": FK5, "Galactic": Galactic}
    if name == "ICRS":
        wanted = SkyCoord(lon, lat)
    elif name == "Galactic":
        wanted = SkyCoord(lon, lat, frame=Galactic())
    else:
        scale = "byear" if name == "FK4" else "jyear"
        wanted = SkyCoord(lon, lat, frame=frames[name](equinox=Time(float(equinox.strip("BJ")), format=scale)))
    assert apart(found, wanted) < 0.001


def test_an_fk4_position_of_the_epoch_of_observation():
    rules = sky(frame="FK4", equinox="B1950", epoch="date")
    places = [rules.place("120.0", "-40.0", "B1950", 15020.0)[0], rules.place("120.0", "-40.0", "B1950", 50000.0)[0]]
    for found, when in zip(rules.icrs(places), (15020.0, 50000.0), strict=True):
        frame = FK4(equinox="B1950", obstime=Time(when, format="mjd"))
        assert apart(found[None], SkyCoord([120.0] * units.deg, [-40.0] * units.deg, frame=frame)) < 0.001
    assert np.abs(np.diff(rules.icrs(places), axis=0)).max() > 1e-4  # a century of the FK4 frame's turning


def test_the_equinox_of_the_date_and_of_a_column():
    of_date = sky(frame="FK5", equinox="date")
    found = icrs(of_date, [("120.0", "-40.0")], "date", 41683.0)
    wanted = SkyCoord([120.0] * units.deg, [-40.0] * units.deg, frame=FK5(equinox=Time(41683.0, format="mjd")))
    assert apart(found, wanted) < 2.6  # a twentieth of a year
    column = sky(frame="FK4", equinox={"column": "e"})
    places = [column.place("120.0", "-40.0", year, None)[0] for year in ("1875", "B1950.0", "1900", "1875")]
    found = column.icrs(places)
    assert np.array_equal(found[0], found[3])
    for row, year in zip(found, (1875.0, 1950.0, 1900.0, 1875.0), strict=True):
        frame = FK4(equinox=Time(year, format="byear"))
        assert apart(row[None], SkyCoord([120.0] * units.deg, [-40.0] * units.deg, frame=frame)) < 0.001


def test_the_company_of_other_rows_does_not_show():
    rules = sky(frame="FK4", equinox="B1950")
    rows = [
        (repr(lon), repr(lat))
        for lon, lat in zip(np.linspace(0, 359, 37).tolist(), np.linspace(-89, 89, 37).tolist(), strict=True)
    ]
    together = icrs(rules, rows, "B1950")
    assert all(np.array_equal(icrs(rules, [row], "B1950")[0], one) for row, one in zip(rows, together, strict=True))


def test_right_ascensions_are_hours_by_their_form():
    found = icrs(sky(frame="ICRS", ra_form="hhmmt", dec_form="ddmm"), [("12158", "-0030"), ("24000", " 1215")])
    assert found == pytest.approx(np.array([[15 * (12 + 15.8 / 60), -0.5], [0.0, 12.25]]))
    assert icrs(sky(frame="ICRS", ra_form="hours"), [("12.5", "0")])[0, 0] == pytest.approx(187.5)
    assert icrs(sky(frame="Galactic", ra_form="d m s"), [("0 0 0", "90")])[0] == pytest.approx(
        [192.859508, 27.128336], abs=1e-3
    )


@pytest.mark.parametrize(
    ("ra", "dec"), [("361", "0"), ("-1", "0"), ("0", "90.5"), ("0", "-91"), ("", "0"), ("0", "north")]
)
def test_what_is_not_on_the_sky(ra, dec):
    with pytest.raises(ValueError, match=r"not"):
        sky(frame="ICRS").place(ra, dec, None, None)


def test_what_is_missing_is_told():
    for rules, equinox in (
        ({"frame": "FK4", "equinox": {"column": "e"}}, None),
        ({"frame": "FK5", "equinox": "date"}, "date"),
    ):
        with pytest.raises(ValueError, match="known"):
            sky(**rules).place("1", "1", equinox, None)
    with pytest.raises(ValueError, match="known"):
        sky(frame="FK4", equinox="B1950", epoch="date").place("1", "1", "B1950", None)
    with pytest.raises(ValueError, match="equinox"):
        sky(frame="FK4", equinox={"column": "e"}).place("1", "1", "now", None)
