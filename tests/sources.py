"""A generated source as large as a whole archive: an exposure list in DASCH's form.

The shares are those of a real list around one star (25,556 exposures): 72 % of the exposures have imaging, 9 % are
known from a logbook and a scan, 19 % from a logbook alone; two plates in a hundred have several exposures; nine
exposure times in a thousand are negative, some are zero or longer than a night. The series are the shipped ones, the
largest ones weighted about as the archive holds them, so that three plates in five are narrow. One exposure in a
thousand has no position.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vo.ingest.series import load_series
from vo.metadata.collection import load_collection
from vo.settings import Settings

EXPOSURES = 500_000
#: Exposures for one plate.
SHARE_OF_PLATES = 0.98
#: Thousands of plates of the largest series; the other ones have one thousand each.
LARGEST = {"ac": 62, "am": 38, "ai": 44, "fa": 17, "b": 76, "i": 56, "mf": 41, "mc": 40, "a": 27, "c": 26, "rh": 19}
IMAGING, LOGBOOK = 0.723, 0.086
UNKNOWN_POSITION = 0.001
NEGATIVE, ZERO, VERY_LONG = 0.0087, 0.0004, 0.0023
_COLUMNS = (
    ("series", "string"),
    ("platenum", "uint32"),
    ("scannum", "int8"),
    ("mosnum", "int8"),
    ("expnum", "int8"),
    ("solnum", "int8"),
    ("class", "string"),
    ("exptime", "float32"),
    ("obs_date", "float64"),
    ("wcssource", "string"),
    ("scan_date", "string"),
    ("mos_date", "string"),
    ("rotation_deg", "int16"),
    ("pos.ra", "float64"),
    ("pos.dec", "float64"),
)
_BLOCK = 50_000


def write(path: Path, count: int = EXPOSURES, seed: int = 4) -> None:
    """Write a list of ``count`` exposures; the same seed gives the same list, and each block is made on its own."""
    with path.open("w", encoding="utf-8") as file:
        file.write("# %ECSV 1.0\n# ---\n# datatype:\n")
        for name, kind in _COLUMNS:
            unit = "unit: min, " if name == "exptime" else ""
            file.write(f"# - {{name: {name}, {unit}datatype: {kind}}}\n")
        file.write(" ".join(name for name, _ in _COLUMNS) + "\n")
        series = _series()
        for start in range(0, count, _BLOCK):
            rng = np.random.default_rng([seed, start])
            file.writelines(_lines(start, min(_BLOCK, count - start), series, rng))


def _series() -> tuple[list[str], np.ndarray]:
    settings = Settings(data_dir=Path(), dsn=None, query_dsn=None, _env_file=None)
    names = sorted(load_series(load_collection(settings, "dasch")))
    weights = np.array([float(LARGEST.get(name, 1)) for name in names])
    return names, weights / weights.sum()


def _lines(start: int, count: int, series: tuple[list[str], np.ndarray], rng: np.random.Generator) -> Iterator[str]:
    """Exposures of plates that are numbered in the list's order; an exposure may share the plate of the one before."""
    same = rng.uniform(size=count) > SHARE_OF_PLATES
    same[0] = False
    plate = np.cumsum(~same)
    exposure = np.arange(count) - np.flatnonzero(~same)[plate - 1]
    name = rng.choice(series[0], count + 1, p=series[1])[plate].tolist()
    kind = rng.uniform(size=count)
    state = np.where(kind < IMAGING, "imwcs", np.where(kind < IMAGING + LOGBOOK, "logbook", "none")).tolist()
    minutes = np.round(rng.lognormal(np.log(60), 0.6, count), 1)
    odd = rng.uniform(size=count)
    minutes[odd < NEGATIVE + ZERO + VERY_LONG] = 1440.0
    minutes[odd < NEGATIVE + ZERO] = 0.0
    minutes[odd < NEGATIVE] = -1.0
    date = np.round(rng.uniform(2410000.0, 2448000.0, count), 5).tolist()
    ra = np.round(rng.uniform(0.0, 360.0, count), 6)
    dec = np.round(np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, count))), 6)
    lost = rng.uniform(size=count) < UNKNOWN_POSITION
    ra[lost], dec[lost] = 999.0, 99.0
    turn = rng.choice([0, 90, 180, 270], count, p=[0.89, 0.02, 0.05, 0.04]).tolist()
    mosaic = rng.choice(4, count, p=[0.73, 0.22, 0.04, 0.01]).tolist()
    moments = rng.integers(0, (28, 24, 60, 60), (count, 4)).tolist()
    rows = zip(
        plate.tolist(), exposure.tolist(), name, state, minutes.tolist(), date, ra.tolist(), dec.tolist(), strict=True
    )
    for i, (number, order, own, known, length, middle, lon, lat) in enumerate(rows):
        scan = f"{mosaic[i]} {mosaic[i]} {order} {order}" if known != "none" else f'"" "" {order} ""'
        day, hour, minute, second = moments[i]
        clock = f"{day + 1:02d}T{hour:02d}:{minute:02d}:{second:02d}.000"
        dates = f"2012-07-{clock} 2013-11-{clock} {turn[i]}"
        dates = dates if known != "none" else '"" "" ""'
        yield f"{own} {start + number} {scan} L {length} {middle} {known} {dates} {lon} {lat}\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else EXPOSURES)
