"""Tables of series: what is read, and every mistake with its line."""

from __future__ import annotations

import pytest

from vo.ingest.series import COLUMNS, Station, load_series
from vo.metadata.collection import Collection
from vo.metadata.mistakes import MistakesFault

HEAD = ",".join(COLUMNS)


@pytest.fixture
def load(tmp_path):
    def load(text: str, stations: str | None = None):
        (tmp_path / "series.csv").write_text(text)
        if stations is not None:
            (tmp_path / "stations.csv").write_text(stations)
        own = Collection(
            name="own", title="Own", description="Ours.", creators=("We",), series_file="series.csv", folder=tmp_path
        )
        return load_series(own)

    return load


def told(caught) -> list[tuple[str, int, str, str]]:
    return [(one.file.name, one.line, one.key, one.text) for one in caught.value.mistakes]


def test_what_is_read(load):
    found = load(
        f"{HEAD}\nA, 16-inch ,0.4,120.5,,200,250,90,,Vault,red\nb,,,,,,,-90,,,\n",
        "series,first_plate,last_plate,station,facility_name\na,1,99,x,South\n",
    )
    assert list(found) == ["a", "b"]
    assert (found["a"].plate_scale, found["a"].colour, found["a"].instrument_name) == (120.5, "red", "16-inch")
    assert found["a"].stations == (Station(1, 99, "South"),)
    assert (found["a"].facility(99), found["a"].facility(100)) == ("South", "Vault")
    assert (found["b"].rotation_deg, found["b"].colour, found["b"].width_mm) == (-90.0, "blue", None)


def test_every_mistake_of_both_tables(load):
    with pytest.raises(MistakesFault) as caught:
        load(
            f"{HEAD}\na,,,many,,-3,,,,,\n,,,,,,,,,,\nb,1\nA,,,,,,,,,,pink\n",
            "series,first_plate,last_plate,station,facility_name\na,9,1,x,South\nb,1,9,x,\n",
        )
    assert told(caught) == [
        ("stations.csv", 2, "", "first_plate, last_plate (not below it) and facility_name go together"),
        ("stations.csv", 3, "", "first_plate, last_plate (not below it) and facility_name go together"),
        ("series.csv", 4, "", "not as many values as columns"),
        ("series.csv", 2, "plate_scale", "is 'many', not a positive number"),
        ("series.csv", 2, "width_mm", "is '-3', not a positive number"),
        ("series.csv", 3, "series", "'' is empty or there twice"),
        ("series.csv", 5, "series", "'a' is empty or there twice"),
        ("series.csv", 5, "colour", "is 'pink', none of blue, yellow, red"),
    ]


def test_a_column_of_another_name(load):
    with pytest.raises(MistakesFault) as caught:
        load(f"{HEAD.replace('plate_scale', 'plate_scales')}\na,,,,,,,,,,\n")
    assert told(caught) == [("series.csv", 1, "plate_scale", "column plate_scale is missing")]
    assert caught.value.mistakes[0].advice == "is it the one named plate_scales?"


def test_no_table(load, tmp_path):
    with pytest.raises(MistakesFault, match="cannot be read"):
        load_series(
            Collection(name="own", title="O", description="O.", creators=("We",), series_file="x", folder=tmp_path)
        )
